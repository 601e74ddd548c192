package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestEveryHeadlineIsTheFigureThatItsPointerNames(t *testing.T) {
	r := small()
	b, err := Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := ParseDocument(b)
	if err != nil {
		t.Fatal(err)
	}
	all := Headlines(r)
	if len(all) != len(headlines) {
		t.Errorf("%d headlines for a result with one fault and a panel, want all %d", len(all), len(headlines))
	}
	for _, h := range all {
		want, err := doc.Number(h.Pointer)
		if err != nil {
			t.Error(err)
		}
		if say("plain", h.Value) != say("plain", want) {
			t.Errorf("%s is %v, but %v stands at %s", h.Metric, h.Value, want, h.Pointer)
		}
		if h.Definition.Unit == "" || h.Definition.Way == "" || h.Definition.Clock != "virtual" || forms[h.form] == nil {
			t.Errorf("%s has definition %+v and form %q", h.Metric, h.Definition, h.form)
		}
	}
	if m := all[len(all)-1].Metric; m != "recovery[six hours down].peak_backlog" {
		t.Errorf("the last headline is called %s", m)
	}
}

func TestAResultWithoutReplicationsSaysNothingOfThem(t *testing.T) {
	b, err := Encode(small())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, []byte("uncertainty")) {
		t.Error("result.json speaks of uncertainty although no replications were asked for")
	}
	if _, ok := Definitions()["/uncertainty/figures/*/chance/p05"]; !ok {
		t.Error("bands have no definition")
	}
}

// uncertain is small with replications, invented like the rest of it.
func uncertain() *Result { return replicated(small(), 20, 0) }

// replicated gives a result n replications, shifted by some standard errors.
func replicated(r *Result, n int, shift float64) *Result {
	u := &Uncertainty{Asked: int64(n)}
	u.Chance = ChanceRuns{Runs: int64(n), Inside: 0.9}
	u.Assumptions = AssumptionRuns{Runs: int64(n), Seed: r.Meta.Seed, Inside: 0.9, ChanceOne: 0.447, ChanceAny: 0.71, Held: []HeldParameter{{"adoption.by_age", "has no range"}}}
	for i, path := range []string{"adoption.level", "centres.patience", "losses.plastic.rate", "channels.tag_lost", "cards.handling", "face.live"} {
		p := SampledParameter{Path: path, Unit: "share", Value: 0.45, Low: 0.25, High: 0.65}
		for k := range n {
			p.Samples = append(p.Samples, Num(0.25+0.4*float64((k*(2*i+3))%n)/float64(n)))
		}
		u.Assumptions.Parameters = append(u.Assumptions.Parameters, p)
	}
	for k := range n {
		u.Chance.Seeds = append(u.Chance.Seeds, uint64(k)+1000*r.Meta.Seed)
	}
	for i, h := range Headlines(r) {
		if h.Once {
			continue
		}
		f := UncertainFigure{Metric: h.Metric, Unit: h.Definition.Unit, Definition: h.Definition.Definition, Value: h.Value}
		fill := func(b *Band, spread float64) {
			for k := range n {
				z := (float64((k*7)%n)+0.5)/float64(n)*2 - 1
				own := shift * float64((k*(i+3))%7) / 3 // what chance does to a what-if alone
				b.Values = append(b.Values, Num(float64(h.Value)*(1+spread*(z+own))))
			}
			s := slices.Sorted(slices.Values(b.Values))
			b.P05, b.P50, b.P95 = s[0], s[n/2], s[n-1]
		}
		fill(&f.Chance, 0.02)
		fill(&f.Assumptions, 0.3)
		for k := range 5 {
			m := Mover{Path: u.Assumptions.Parameters[(i+k)%6].Path, Correlation: Num(0.9 - 0.15*float64(k)), BeyondChance: k < 2, LowHalf: f.Assumptions.P05, HighHalf: f.Assumptions.P95}
			if k%2 == 1 {
				m.Correlation, m.LowHalf, m.HighHalf = -m.Correlation, m.HighHalf, m.LowHalf
			}
			f.Movers = append(f.Movers, m)
		}
		u.Figures = append(u.Figures, f)
	}
	r.Uncertainty = u
	return r
}

func TestAResultWithReplicationsKeepsTheSchemaAndDefinesAllItsNumbers(t *testing.T) {
	got := renderAll(t, uncertain())
	var missing []string
	var numbers func(v any, at string)
	numbers = func(v any, at string) {
		switch x := v.(type) {
		case map[string]any:
			for k, v := range x {
				numbers(v, at+"/"+k)
			}
		case []any:
			for i, v := range x {
				numbers(v, fmt.Sprintf("%s/%d", at, i))
			}
		case string, bool:
		default:
			if _, d, ok := definitionOf(got.r.Definitions, at); !ok || d.Unit == "" || d.Definition == "" {
				missing = append(missing, at)
			}
		}
	}
	v, err := got.doc.At("/uncertainty")
	if err != nil {
		t.Fatal(err)
	}
	numbers(v, "/uncertainty")
	if len(missing) > 0 {
		t.Errorf("%d numbers have no definition: %v", len(missing), missing[:min(5, len(missing))])
	}
	for _, pointer := range slices.Sorted(maps.Keys(got.r.Definitions)) {
		if strings.HasPrefix(pointer, "/uncertainty") && got.r.Definitions[pointer].Way == "" {
			t.Errorf("%s has no way", pointer)
		}
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.files[ResultFile]))
	if err != nil {
		t.Fatal(err)
	}
	if err := compileSchema(t).Validate(instance); err != nil {
		t.Error(err)
	}
	back, err := Decode(got.files[ResultFile])
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Encode(back); err != nil || !bytes.Equal(again, got.files[ResultFile]) {
		t.Errorf("read and written again it is other: %v", err)
	}
}

func TestReplicationsAreATableWithFiguresAndParameters(t *testing.T) {
	dir := t.TempDir()
	r := uncertain()
	r.Uncertainty.Figures[0].Chance.Values[0] = None()
	if err := Write(dir, r, nil); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, ReplicationsFile))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	u := r.Uncertainty
	at := 3 + len(u.Figures)
	if len(rows) != 41 || len(rows[0]) != at+6 || rows[0][3] != "nation.issued.total" || rows[0][at] != "adoption.level" {
		t.Errorf("%d rows with head %v", len(rows), rows[0])
	}
	if x := rows[1]; x[0] != "chance" || x[1] != "1" || x[2] != "1000" || x[3] != "" || x[at] != "0.45" {
		t.Errorf("the first row is %v", x)
	}
	if x := rows[40]; x[0] != "assumptions" || x[1] != "20" || x[2] != "1" || x[at] != say("plain", u.Assumptions.Parameters[0].Samples[19]) || x[4] != say("plain", u.Figures[1].Assumptions.Values[19]) {
		t.Errorf("the last row is %v", x)
	}
	// A run without replications leaves no table that is not its own.
	if err := Write(dir, small(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, ReplicationsFile)); err == nil {
		t.Error("the table of the earlier run is still there")
	}
}
