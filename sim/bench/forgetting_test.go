package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// The same benchmark, beside the same floor, of a verifier that remembers the issuer's
// certificate, of the same verifier again, and of one that forgets it: all measured here,
// in turns, so that whatever else the machine does hits the three alike. With BENCH_OUT
// the figures are left in that folder, for rollcall bench --baseline, which must exit
// with 99 (.ci/run bench).
func TestAVerifierThatForgetsIsFoundByMeasuringAndTheSameOneIsNot(t *testing.T) {
	o := Options{Now: time.Now, CPU: processor, Time: 15 * time.Millisecond, Dir: t.TempDir()}
	const name = "Card/mdoc/Verify/chain-cached"
	at := slices.IndexFunc(cards(), func(b benchmark) bool { return b.name == name })
	measured := []struct {
		file string
		env  *env
		b    benchmark
		text bytes.Buffer
	}{{file: "before.txt"}, {file: "same.txt"}, {file: "forgetting.txt"}}
	for i := range measured {
		m := &measured[i]
		m.env, m.b = &env{ctx: context.Background(), o: o, made: map[string]*subject{}}, cards()[at]
	}
	measured[2].b.make = verifyMdoc(cold)
	for range 6 {
		for i := range measured {
			m := &measured[i]
			line, err := m.env.measure(m.b)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&m.text, line)
		}
	}
	figures := make([]Figures, len(measured))
	for i := range measured {
		m := &measured[i]
		if folder := os.Getenv("BENCH_OUT"); folder != "" {
			if err := os.WriteFile(filepath.Join(folder, m.file), m.text.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if figures[i], err = Read(&m.text); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range map[int][]string{1: nil, 2: judged} {
		changes, err := Compare(figures[0], figures[i], 0.1)
		if err != nil {
			t.Fatal(err)
		}
		var worse []string
		for _, c := range changes {
			if c.Worse {
				worse = append(worse, c.Unit)
			}
		}
		if !slices.Equal(worse, want) {
			var table bytes.Buffer
			if err := Write(&table, changes, 0.1); err != nil {
				t.Fatal(err)
			}
			t.Errorf("%s: worse are %q, want %q\n%s", measured[i].file, worse, want, &table)
		}
	}
}
