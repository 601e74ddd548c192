// Package rollcall_test holds the rules that keep the parts of Rollcall apart:
// who may import whom, who may see a clock or a source of chance. They are what
// ARCHITECTURE.md draws; here they can fail.
package rollcall_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A layer is a folder with all below it, and what of ours may be under it,
// directly or through others. The most exact folder counts. A package that no
// layer covers fails the test: it has to be given its place.
type layer struct {
	folder string
	may    []string // folders, each with all below it; itself is understood
	tests  []string // besides those, what its tests may import
	why    string
}

var everything = []string{"."}

// formats are the parts of reference that a phone and a verifier need as much as
// the service does: codecs and cryptography that store nothing and know no time.
var formats = []string{"reference/crl", "reference/dcql", "reference/jwe", "reference/jws", "reference/keyproof", "reference/mdoc", "reference/oauth", "reference/p256", "reference/recent", "reference/sdjwt", "reference/x5c"}

// layers is the rule. To let a package use another one is to change a line here.
var layers = []layer{
	{folder: "reference", may: []string{"wholefile"}, why: "the service must run without its simulation"},
	{folder: "reference/lifecycle", may: nil, why: "the rulebook rests on nothing"},

	{folder: "hwemu", may: formats, why: "a citizen's hardware knows the service's formats, not its code"},
	{folder: "hwemu/phone", may: append([]string{"hwemu"}, formats...),
		tests: []string{"reference"}, why: "a phone knows the service's formats; only its tests hold card, phone and service together"},

	{folder: "hwemu/wallet", may: append([]string{"hwemu"}, formats...),
		tests: []string{"reference"}, why: "a wallet talks to the service over HTTP; only its tests hold both"},

	{folder: "sim/des", may: nil, why: "a kernel for any discrete-event simulation"},
	{folder: "sim/rng", may: nil, why: "streams of numbers, for whoever draws them"},
	{folder: "sim/population", may: []string{"scenarios", "sim/rng"}, why: "who lives where is no matter of rules"},
	{folder: "sim/oracle", may: nil, why: "the judge reads histories with decoders of its own"},
	{folder: "sim/capacity", may: []string{"reference/lifecycle", "scenarios"}, why: "queues see demands, not citizens"},
	{folder: "sim/rollout", may: []string{"reference/lifecycle", "scenarios", "sim/capacity", "sim/population", "sim/rng"}, why: "behaviour is the same for both engines"},
	{folder: "sim/nation", may: []string{"reference/lifecycle", "scenarios", "sim/capacity", "sim/population", "sim/rng", "sim/rollout"}, why: "the fast engine shares neither code nor layout with the plain one"},
	{folder: "sim/plain", may: []string{"reference/lifecycle", "scenarios", "sim/capacity", "sim/des", "sim/population", "sim/rng", "sim/rollout"},
		tests: []string{"sim/nation"}, why: "the plain engine checks the fast one, so it must be another; only its tests hold them side by side"},
	{folder: "sim/statistics", may: []string{"reference/lifecycle", "reports", "scenarios", "sim/capacity", "sim/population", "sim/rng", "sim/rollout", "wholefile"},
		tests: []string{"sim/nation"}, why: "figures are made from what an engine counted, whichever it was; only tests run one"},
	{folder: "sim/uncertainty", may: []string{"reports", "scenarios", "sim/population", "sim/rng", "wholefile"},
		why: "whoever varies runs must not make them: any engine will do"},
	{folder: "sim/plan", may: []string{"reference/lifecycle", "reports", "scenarios", "sim/capacity", "sim/nation", "sim/population", "sim/rng", "sim/rollout", "sim/statistics", "sim/uncertainty", "wholefile"},
		why: "a decision is searched in what an engine counts, and checked by full runs"},
	{folder: "sim/selftest", may: []string{"hwemu/camera", "reference/face", "reference/lifecycle", "scenarios", "sim/capacity", "sim/nation", "sim/population", "sim/rng", "sim/rollout"},
		why: "closed forms are held against what an engine counts for everybody, and against the real face matcher"},
	{folder: "sim/backtest", may: []string{"reference/lifecycle", "reports", "scenarios", "sim/capacity", "sim/nation", "sim/population", "sim/rng", "sim/rollout", "wholefile"},
		why: "what happened is held against what an engine counts for everybody"},
	{folder: "sim/attribution", may: []string{"reference/lifecycle", "scenarios", "sim/capacity", "sim/nation", "sim/population", "sim/rng", "sim/rollout"},
		why: "a wait is shared out among its causes by runs in which they are taken out"},
	{folder: "sim/world", may: []string{"hwemu", "reference", "scenarios", "sim/oracle", "sim/population", "sim/rng"},
		why: "the real service with its surroundings, for whoever lets something happen there"},
	{folder: "sim/demo", may: []string{"hwemu", "reference", "scenarios", "sim/population", "sim/rng"},
		why: "residents to try the service with, for whoever serves it"},
	{folder: "sim/servetest", may: []string{"hwemu", "reference", "scenarios", "sim/demo", "sim/population", "sim/rng", "wholefile"},
		why: "a service over HTTP, right or wrong inside, for the tests of whoever uses it"},
	{folder: "sim/loadgen", may: []string{"hwemu", "reference", "scenarios", "sim/demo", "sim/oracle", "sim/population", "sim/rng"},
		tests: []string{"sim/servetest"}, why: "citizens use a running service over HTTP; whatever makes the load calls them"},
	{folder: "sim/bench", may: []string{"hwemu", "reference", "scenarios", "sim/demo", "sim/population", "sim/rng"},
		why: "the service is measured beside its floors; whoever asks for it starts one"},
	{folder: "sim/calibrate", may: []string{"sim/des"},
		why: "fits are functions of numbers; whoever loads a service hands them in"},
	{folder: "sim/chaos", may: []string{"hwemu", "reference", "scenarios", "sim/capacity", "sim/oracle", "sim/population", "sim/rng", "sim/rollout", "sim/world"},
		why: "faults are put into the real service, whatever a nation does"},
	{folder: "sim/panel", may: []string{"hwemu", "reference", "reports", "scenarios", "sim/capacity", "sim/oracle", "sim/population", "sim/rng", "sim/rollout", "sim/world", "wholefile"},
		tests: []string{"sim/nation"}, why: "the panel brings all parts together, and takes lives from any engine"},

	{folder: "scenarios", may: nil, why: "data that both sides read"},
	{folder: "reports", may: []string{"wholefile"}, why: "data that both sides write"},
	{folder: "wholefile", may: nil, why: "whoever writes files rests on it"},
	{folder: "cmd", may: everything, why: "commands wire the parts"},
	{folder: ".", may: nil, why: "the root holds no code"},
}

// pure is all that the rulebook may import: nothing that reads, writes, waits or
// draws.
var pure = []string{"cmp", "errors", "fmt", "iter", "maps", "math/bits", "slices", "sort", "strconv", "strings", "time"}

// A ban keeps the code of some folders, tests aside, from names of a package.
type ban struct {
	pkg  string
	only []string // these names only; none: every name but those in but
	but  []string
	why  string
}

// insideVirtualTime are the folders that must give the same bytes for the same
// seed: clock, chance and keys are handed to them.
var insideVirtualTime = []string{"reference", "hwemu", "sim"}

var bans = []ban{
	{pkg: "time", only: []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTicker", "NewTimer", "Sleep", "Tick"}, why: "the clock is passed in"},
	{pkg: "crypto/rand", why: "randomness is passed in"},
	{pkg: "math/rand", but: randTypes, why: "the global source cannot be repeated: pass a source in"},
	{pkg: "math/rand/v2", but: randTypes, why: "the global source cannot be repeated: pass a source in"},
	{pkg: "hash/maphash", why: "its seed differs from process to process"},
	{pkg: "crypto/ecdsa", only: []string{"GenerateKey"}, why: "it ignores the source it is given: derive keys with ParseRawPrivateKey"},
	{pkg: "crypto/ed25519", only: []string{"GenerateKey"}, why: "it ignores the source it is given: derive keys from a seed"},
	{pkg: "os", only: []string{"CreateTemp", "Link", "Rename"}, why: "files are written by wholefile, so that nobody sees a part of one"},
	{pkg: "crypto/rsa", only: []string{"GenerateKey", "GenerateMultiPrimeKey"}, why: "it ignores the source it is given"},
}

var randTypes = []string{"New", "NewChaCha8", "NewPCG", "NewSource", "NewZipf", "ChaCha8", "PCG", "Rand", "Source", "Source64", "Zipf"}

// exceptions lifts a ban in one file: "folder/file.go: package.Name" and why.
var exceptions = map[string]string{
	"sim/world/site.go: os.Rename": "a database is moved, not written",
}

// never are modules that must not be part of any program or test of this module.
var never = map[string]string{
	"go.k6.io": "k6 is AGPL-3.0: only the module cmd/k6 may link it",
}

// pkg is what the go command knows of a package.
type pkg struct {
	ImportPath                string
	Standard                  bool
	CgoFiles                  []string
	Imports, Deps             []string
	TestImports, XTestImports []string
	Error                     *struct{ Err string }
}

// goList reads packages as the go command sees them.
func goList(t *testing.T, env []string, args ...string) []pkg {
	t.Helper()
	c := exec.Command("go", append([]string{"list", "-e", "-json"}, args...)...)
	c.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// module is the path in go.mod, so that a renamed module keeps its rules.
var module = sync.OnceValue(func() string {
	out, err := exec.Command("go", "list", "-m").Output()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(out))
})

// folderOf is where a package of ours lies, or false for somebody else's.
func folderOf(importPath string) (string, bool) {
	if importPath == module() {
		return ".", true
	}
	return strings.CutPrefix(importPath, module()+"/")
}

func under(folder, parent string) bool {
	return parent == "." || folder == parent || strings.HasPrefix(folder, parent+"/")
}

func layerOf(folder string) *layer {
	var best *layer
	for i := range layers {
		l := &layers[i]
		covers := folder == l.folder || l.folder != "." && under(folder, l.folder)
		if covers && (best == nil || len(l.folder) > len(best.folder)) {
			best = l
		}
	}
	return best
}

// allowed says whether code under one folder may have another under it.
func (l *layer) allowed(other string, test bool) bool {
	if under(other, l.folder) && l.folder != "." {
		return true
	}
	in := func(folder string) bool { return under(other, folder) }
	return slices.ContainsFunc(l.may, in) || test && slices.ContainsFunc(l.tests, in)
}

// judgeImports says what a package has under it that it must not have.
func judgeImports(p pkg) (wrong []string) {
	folder, ours := folderOf(p.ImportPath)
	if !ours {
		return nil
	}
	l := layerOf(folder)
	if l == nil {
		return []string{fmt.Sprintf("%s belongs to no layer: give it a line in layers, in architecture_test.go", folder)}
	}
	check := func(imports []string, test bool, verb string) {
		for _, i := range imports {
			if other, ours := folderOf(i); ours && !l.allowed(other, test) {
				wrong = append(wrong, fmt.Sprintf("%s %s %s: %s", folder, verb, other, l.why))
			}
		}
	}
	check(p.Deps, false, "must not rest on")
	check(p.TestImports, true, "must not be tested with")
	check(p.XTestImports, true, "must not be tested with")
	return wrong
}

func TestNobodyImportsWhatHeMayNotKnow(t *testing.T) {
	all := goList(t, nil, "./...")
	seen := map[*layer]bool{}
	for _, p := range all {
		if p.Error != nil {
			t.Errorf("%s: %s", p.ImportPath, p.Error.Err)
		}
		for _, w := range judgeImports(p) {
			t.Error(w)
		}
		folder, _ := folderOf(p.ImportPath)
		seen[layerOf(folder)] = true
	}
	for i := range layers {
		if !seen[&layers[i]] {
			t.Errorf("no package lies in %s: its rule guards nothing", layers[i].folder)
		}
	}
}

// The judge is judged: each of these is a way in which the parts could grow
// together.
func TestPlantedImportsAreFound(t *testing.T) {
	in := func(folders ...string) (paths []string) {
		for _, f := range folders {
			paths = append(paths, module()+"/"+f)
		}
		return paths
	}
	for _, c := range []struct {
		folder, other string
		test          bool
		wrong         bool
	}{
		{"reference/issuance", "hwemu/iccard", false, true},
		{"reference/issuance", "scenarios", false, true},
		{"reference/issuance", "sim/panel", true, true},
		{"reference/issuance", "reference/store", false, false},
		{"reference/lifecycle", "reference/store", false, true},
		{"hwemu/phone", "reference/service", false, true},
		{"hwemu/phone", "reference/service", true, false},
		{"hwemu/iccard", "reference/service", true, true},
		{"hwemu/phone", "reference/mdocx", false, true},
		{"hwemu/phone", "reference/mdoc/cose", false, false},
		{"hwemu/terminal", "reference/mdoc/proximity", false, false},
		{"hwemu/terminal", "reference/verification", false, true},
		{"reference/mdoc/proximity", "hwemu/nfc", false, true},
		{"hwemu/iccard", "hwemu/iso7816", false, false},
		{"sim/des", "sim/rng", false, true},
		{"sim/population", "reference/lifecycle", false, true},
		{"sim/oracle", "reference/statuslist", false, true},
		{"sim/oracle", "reference/lifecycle", true, true},
		{"sim/rollout", "reference/store", false, true},
		{"sim/rollout", "reference/lifecycle", false, false},
		{"sim/nation", "sim/plain", false, true},
		{"sim/nation", "sim/plain", true, true},
		{"sim/nation", "sim/des", false, true},
		{"sim/plain", "sim/nation", false, true},
		{"sim/plain", "sim/nation", true, false},
		{"sim/statistics", "reference/service", false, true},
		{"sim/selftest", "sim/plain", false, true},
		{"sim/nation", "sim/selftest", true, true},
		{"scenarios", "sim/rng", false, true},
		{"reference/keys", "wholefile", false, false},
		{"wholefile", "reference/keys", false, true},
		{"scenarios", "reference/lifecycle", false, true},
		{"reports", "scenarios", false, true},
		{"sim/panel", "cmd/rollcall", false, true},
		{"sim/panel", "sim/nation", false, true},
		{"sim/panel", "hwemu/phone", false, false},
		{"cmd/rollcall", "sim/nation", false, false},
		{"sim/brandnew", "sim/rng", false, true},
		{"util", "sim/rng", false, true},
	} {
		p := pkg{ImportPath: module() + "/" + c.folder}
		if c.test {
			p.XTestImports = in(c.other)
		} else {
			p.Deps = in(c.other)
		}
		if wrong := judgeImports(p); (len(wrong) > 0) != c.wrong {
			t.Errorf("%s importing %s (in a test: %v): %q, want wrong = %v", c.folder, c.other, c.test, wrong, c.wrong)
		}
	}
}

// forTests are packages on which only tests may stand: they hold what a program must
// not have in it, wrong services among it.
var forTests = []string{"reference/service/servicetest", "reference/store/storetest", "sim/servetest"}

func TestNoProgramStandsOnWhatIsForTests(t *testing.T) {
	here := 0
	for _, p := range goList(t, nil, "./...") {
		folder, _ := folderOf(p.ImportPath)
		if slices.Contains(forTests, folder) {
			here++
			continue
		}
		for _, w := range judgeForTests(p) {
			t.Error(w)
		}
	}
	if here != len(forTests) {
		t.Errorf("%d of the %d packages for tests are there", here, len(forTests))
	}
	if planted := (pkg{ImportPath: module() + "/cmd/rollcall", Deps: []string{module() + "/sim/servetest"}}); len(judgeForTests(planted)) != 1 {
		t.Error("a program that stands on what is for tests is not found")
	}
}

// judgeForTests says what a package, its tests aside, has under it that is for tests.
func judgeForTests(p pkg) (wrong []string) {
	for _, i := range p.Deps {
		if other, ours := folderOf(i); ours && slices.Contains(forTests, other) {
			wrong = append(wrong, fmt.Sprintf("%s stands on %s, which is for tests alone", p.ImportPath, other))
		}
	}
	return wrong
}

func TestTheRulebookReadsWritesAndWaitsForNothing(t *testing.T) {
	for _, p := range goList(t, nil, "./reference/lifecycle") {
		for _, i := range p.Imports {
			if !slices.Contains(pure, i) {
				t.Errorf("reference/lifecycle imports %s (it may import %s)", i, strings.Join(pure, ", "))
			}
		}
		if len(p.Imports) == 0 {
			t.Error("nothing was read")
		}
	}
}

// judgeSource says which names a file uses that are banned, as file:line:column.
func judgeSource(folder, file string, src []byte) (wrong []string, err error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path.Join(folder, file), src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	local := map[string]*ban{} // what this file calls a package with a ban
	for _, i := range f.Imports {
		name, _ := strconv.Unquote(i.Path.Value)
		at := slices.IndexFunc(bans, func(b ban) bool { return b.pkg == name })
		if at < 0 {
			continue
		}
		// math/rand/v2 is called rand.
		called := path.Base(strings.TrimSuffix(name, "/v2"))
		if i.Name != nil {
			called = i.Name.Name
		}
		switch called {
		case "_":
		case ".":
			wrong = append(wrong, fmt.Sprintf("%s: %s must not be imported into the file's own names", set.Position(i.Pos()), name))
		default:
			local[called] = &bans[at]
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		if !ok || local[x.Name] == nil {
			return true
		}
		b := local[x.Name]
		if slices.Contains(b.but, s.Sel.Name) || b.only != nil && !slices.Contains(b.only, s.Sel.Name) {
			return true
		}
		if exceptions[path.Join(folder, file)+": "+x.Name+"."+s.Sel.Name] == "" {
			wrong = append(wrong, fmt.Sprintf("%s: %s.%s: %s", set.Position(s.Pos()), x.Name, s.Sel.Name, b.why))
		}
		return true
	})
	return wrong, nil
}

func TestNoClockAndNoChanceInsideVirtualTime(t *testing.T) {
	files := 0
	for _, root := range insideVirtualTime {
		err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			src, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			files++
			wrong, err := judgeSource(filepath.ToSlash(filepath.Dir(name)), filepath.Base(name), src)
			for _, w := range wrong {
				t.Error(w)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if files < 50 {
		t.Errorf("only %d files were read", files)
	}
}

func TestPlantedClocksAndChancesAreFound(t *testing.T) {
	for _, c := range []struct {
		imports, use string
		wrong        int
	}{
		{`"time"`, `time.Now()`, 1},
		{`clock "time"`, `clock.Now()`, 1},
		{`"time"`, `time.Duration(3)`, 0},
		{`"time"`, `f(time.Now)`, 1},
		{`"time"`, `time.Since(x) + time.Until(y)`, 2},
		{`. "time"`, `Now()`, 1},
		{`"crypto/rand"`, `rand.Reader`, 1},
		{`"math/rand"`, `rand.Intn(3)`, 1},
		{`"math/rand/v2"`, `rand.IntN(3)`, 1},
		{`"math/rand/v2"`, `rand.New(rand.NewPCG(1, 2)).IntN(3)`, 0},
		{`mrand "math/rand/v2"`, `mrand.Shuffle(3, f)`, 1},
		{`"crypto/ecdsa"`, `ecdsa.GenerateKey(c, r)`, 1},
		{`"crypto/ecdsa"`, `ecdsa.ParseRawPrivateKey(c, b)`, 0},
		{`"os"`, `os.Rename("a", "b")`, 1},
		{`"os"`, `os.ReadFile("a")`, 0},
		{`"example.com/time"`, `time.Now()`, 0},
	} {
		src := "package p\nimport " + c.imports + "\nvar v = " + c.use + "\n"
		wrong, err := judgeSource("sim/p", "p.go", []byte(src))
		if err != nil {
			t.Fatal(err)
		}
		if len(wrong) != c.wrong {
			t.Errorf("%s %s: found %q, want %d", c.imports, c.use, wrong, c.wrong)
		}
	}
}

// Everything must build with CGO_ENABLED=0; with cgo on, still nobody uses it.
func TestNobodyNeedsCgo(t *testing.T) {
	for _, p := range goList(t, []string{"CGO_ENABLED=1"}, "-deps", "./...") {
		if !p.Standard && len(p.CgoFiles) > 0 {
			t.Errorf("%s has C in %s", p.ImportPath, strings.Join(p.CgoFiles, ", "))
		}
	}
}

func TestNobodyLinksAModuleThatMayNotBeLinked(t *testing.T) {
	all := goList(t, nil, "-deps", "-test", "./...")
	if len(all) < 100 {
		t.Fatalf("only %d packages were read", len(all))
	}
	for _, p := range all {
		for prefix, why := range never {
			if under(p.ImportPath, prefix) {
				t.Errorf("%s is linked: %s", p.ImportPath, why)
			}
		}
	}
}

// k6 is AGPL-3.0: what links it is a module of its own, under the same licence.
func TestWhatLinksK6StandsApart(t *testing.T) {
	for file, says := range map[string]string{
		"cmd/k6/go.mod": "module " + module() + "/cmd/k6\n", "cmd/k6/LICENSE": "GNU AFFERO GENERAL PUBLIC LICENSE", "cmd/k6/README.md": "GNU Affero General Public License",
	} {
		b, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil || !bytes.Contains(b, []byte(says)) {
			t.Errorf("%s does not say %q: %v", file, says, err)
		}
	}
	b, err := os.ReadFile("go.mod")
	if err != nil || bytes.Contains(b, []byte("go.k6.io")) {
		t.Errorf("go.mod names k6: %v", err)
	}
}

// An exception that nobody uses is a hole: the names must occur.
func TestEveryExceptionIsUsed(t *testing.T) {
	for e, why := range exceptions {
		file, name, _ := strings.Cut(e, ": ")
		src, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil || !bytes.Contains(src, []byte(name)) || why == "" {
			t.Errorf("the exception %q is not used: %v", e, cmp.Or(err, errors.New("no such name in the file, or no reason given")))
		}
	}
}
