package reports

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Reports for a browser to open and to compare with pictures (browser/README.md):
// one of a run, and of invented figures one of the whole nation, one of a run that
// failed and one with replications; and of results side by side.
func TestReportsForTheBrowser(t *testing.T) {
	dir := os.Getenv("ROLLCALL_REPORTS")
	if dir == "" {
		t.Skip("ROLLCALL_REPORTS names no folder: no browser is waiting for reports (.ci/run browser)")
	}
	for name, r := range map[string]*Result{"smoke": ofARun(t), "nation": large(true), "failing": failing(), "uncertain": uncertain()} {
		if err := Write(filepath.Join(dir, name), r, realMap(t)); err != nil {
			t.Fatal(err)
		}
	}
	var six []Side
	for i := range MostBeside {
		r := large(true)
		for j := range r.Nation.ByDay {
			r.Nation.ByDay[j].Holders = r.Nation.ByDay[j].Holders * int64(10+i) / 10
		}
		six = append(six, Side{Name: fmt.Sprintf("plan-with-a-long-name-%d", i+1), Result: r})
	}
	for name, all := range map[string][]Side{"beside": sampleSides(), "six": six} {
		b, _, _ := laid(t, all)
		if err := WriteBeside(filepath.Join(dir, name), b); err != nil {
			t.Fatal(err)
		}
	}
}

// ofARun is the result.json of a run of smoke, but for moment and machine. It stays as
// it is while runs change: pictures of it are compared.
func ofARun(t *testing.T) *Result {
	t.Helper()
	b, err := os.ReadFile("testdata/smoke.result.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
