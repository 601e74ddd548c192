package reports

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var (
	update = flag.Bool("update", false, "rewrite the golden files")
	keep   = flag.String("keep", "", "write sample reports below this folder, to look at")
)

func TestKeepSamples(t *testing.T) {
	if *keep == "" {
		t.Skip("only with -keep DIR")
	}
	for name, r := range map[string]*Result{"small": small(), "failing": failing(), "large": large(false), "fault": large(true)} {
		if err := Write(filepath.Join(*keep, name), r, realMap(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func realMap(t testing.TB) *Map {
	t.Helper()
	b, err := os.ReadFile("../scenarios/data/map_sido.svgpaths.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := ParseMap(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		at := 0
		for at < len(got) && at < len(want) && got[at] == want[at] {
			at++
		}
		t.Errorf("%s differs from byte %d on (-update rewrites it):\n got …%s\nwant …%s", path, at, around(got, at), around(want, at))
	}
}

func around(b []byte, at int) []byte { return b[max(0, at-60):min(len(b), at+120)] }
