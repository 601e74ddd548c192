package rollcall_test

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w*)\(\w+ \*testing\.F\)`)

// fuzzTargets are those in the tests of this module, each with a line as in
// .ci/run: "./reference/jws FuzzUnmarshal".
func fuzzTargets(t *testing.T, root fs.FS) (lines map[string]bool) {
	t.Helper()
	lines = map[string]bool{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != ".":
			if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil || d.Name() == "testdata" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
		case strings.HasSuffix(name, "_test.go"):
			source, err := fs.ReadFile(root, name)
			for _, m := range fuzzTarget.FindAllSubmatch(source, -1) {
				lines["./"+path.Dir(name)+" "+string(m[1])] = true
			}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// A quote too many stops every step.
func TestTheShellCanReadCI(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here to read .ci/run")
	}
	for _, script := range []string{".ci/run", ".ci/postgres"} {
		if out, err := exec.Command(bash, "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// A parser of outside bytes that nobody fuzzes is one that was forgotten.
func TestEveryFuzzTargetIsListedInCI(t *testing.T) {
	script, err := os.ReadFile(filepath.FromSlash(".ci/run"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, line := range regexp.MustCompile(`(?m)^\s*(\./\S+ Fuzz\w*)$`).FindAllSubmatch(script, -1) {
		if listed[string(line[1])] {
			t.Errorf(".ci/run lists %q twice", line[1])
		}
		listed[string(line[1])] = true
	}
	there := fuzzTargets(t, os.DirFS("."))
	if len(there) < 25 {
		t.Errorf("only %d fuzz targets were found", len(there))
	}
	for _, l := range slices.Sorted(maps.Keys(there)) {
		if !listed[l] {
			t.Errorf("%q is not fuzzed by .ci/run: add this line to its step fuzz", l)
		}
	}
	for _, l := range slices.Sorted(maps.Keys(listed)) {
		if !there[l] {
			t.Errorf(".ci/run lists %q, which does not exist", l)
		}
	}
}
