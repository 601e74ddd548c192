package reports

import (
	"os"
	"path/filepath"
	"testing"
)

// Reports for a browser to open and to compare with pictures (browser/README.md):
// one of a run, and of invented figures one of the whole nation, one of a run that
// failed and one with replications.
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
