package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/sim/bench"
)

// counted are the functions that a primitive goes through, by package and name; a receiver
// stands before the name.
var counted = map[string][]string{
	"Floor/P256Verify": {"crypto/ecdsa VerifyASN1", signatures + " table.verify"},
	"Floor/P256Sign":   {"crypto/ecdsa SignASN1", "crypto/ecdsa signRFC6979"},
	"Floor/ECDH":       {"crypto/ecdh nistCurve.ecdh"},
	"Floor/P256Key":    {"crypto/ecdh nistCurve.NewPrivateKey", "crypto/ecdsa ParseRawPrivateKey"},
}

// signatures is the package that verifies those of signers who are met often.
const signatures = "rollcall.example/rollcall/reference/p256"

// counting is an operation of the tables, and how what the service does differs from
// what they say.
type counting struct {
	name       string // of the benchmark
	how        string
	once, more int // so often before it is counted, and then so often
	also       map[string]float64
}

// A replica that has shown a wallet the request remembers the key to which the answer is
// encrypted; another one derives it anew.
//
// What is counted divides among the residents of the benchmark: 4 with 5 copies each
// present, 12 are issued cards.
var countings = []counting{
	{name: "Service/Present/mdoc", how: "copies that nobody has seen", once: 8, more: 8},
	// The issuer's signature on a copy that was seen is not verified again.
	{name: "Service/Present/mdoc", how: "copies that were seen", once: 20, more: 20, also: map[string]float64{"Floor/P256Verify": -1}},
	{name: "Service/Present/sdjwt", how: "copies that nobody has seen", once: 8, more: 8},
	{name: "Service/Present/sdjwt", how: "copies that were seen", once: 20, more: 20},
	{name: "Service/Issue/mdoc", how: "by card and face", once: 12, more: 12},
	{name: "Service/Issue/sdjwt", how: "by card and face", once: 12, more: 12},
}

// The tables of sim/bench say which signatures an operation makes and verifies. Here
// the service that runs counts them: it is built with the counters of Go's coverage in
// the cryptography of the standard library and in package p256, so that nothing else has to.
func TestAnOperationMakesTheSignaturesThatTheTablesSay(t *testing.T) {
	if os.Getenv("ROLLCALL_CAMPAIGN") == "" {
		t.Skip("builds the program with counters in the standard library, which takes a minute: ROLLCALL_CAMPAIGN=1 counts")
	}
	program := filepath.Join(t.TempDir(), "rollcall")
	// A program writes its counters only if it counts in itself, too.
	c := exec.Command("go", "build", "-cover", "-covermode=atomic", "-coverpkg=crypto/ecdsa,crypto/ecdh,"+signatures+",.", "-o", program, ".")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	functions, err := functionsOf("crypto/ecdsa", "crypto/ecdh", signatures)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range countings {
		t.Run(strings.TrimPrefix(one.name, "Service/")+" "+one.how, func(t *testing.T) {
			before, after := calls(t, program, one.name, one.once, functions), calls(t, program, one.name, one.once+one.more, functions)
			table := bench.Primitives(one.name)
			var told []string
			for _, primitive := range slices.Sorted(maps.Keys(counted)) {
				var n int
				for _, f := range counted[primitive] {
					if _, there := after[f]; !there {
						t.Fatalf("%s is not counted", f)
					}
					n += after[f] - before[f]
				}
				got, want := float64(n)/float64(one.more), table[primitive]+one.also[primitive]
				if got != want {
					t.Errorf("%s: %g each; the table says %g, and %+g is known", primitive, got, table[primitive], one.also[primitive])
				}
				told = append(told, fmt.Sprintf("%s %g", strings.TrimPrefix(primitive, "Floor/"), got))
			}
			t.Logf("counted: %s, %s: %s", strings.TrimPrefix(one.name, "Service/"), one.how, strings.Join(told, ", "))
		})
	}
}

// calls are how often functions were called in a service that did an operation so
// often, its start and its end included.
func calls(t *testing.T, program, name string, n int, functions map[string]token.Position) map[string]int {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("GOCOVERDIR", dir)
	o := bench.Options{Now: time.Now, Dir: t.TempDir(), Serve: func(ctx context.Context, data string) (*bench.Service, error) {
		return startService(ctx, program, data, "", "--status-every", "1h") // lists are signed in between
	}}
	if err := bench.Do(t.Context(), o, name, n); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(dir, "counters")
	if out, err := exec.Command("go", "tool", "covdata", "textfmt", "-i="+dir, "-o="+text).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	profile, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for f, at := range functions {
		for lines := bufio.NewScanner(bytes.NewReader(profile)); lines.Scan(); { // crypto/ecdsa/ecdsa.go:496.56,497.5 1 12
			where, rest, _ := strings.Cut(lines.Text(), ",")
			if where != fmt.Sprintf("%s:%d.%d", at.Filename, at.Line, at.Column) {
				continue
			}
			fields := strings.Fields(rest)
			if out[f], err = strconv.Atoi(fields[len(fields)-1]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// functionsOf finds where the bodies of a package's functions begin.
func functionsOf(packages ...string) (map[string]token.Position, error) {
	out := map[string]token.Position{}
	for _, path := range packages {
		p, err := build.Import(path, ".", 0)
		if err != nil {
			return nil, err
		}
		for _, file := range p.GoFiles {
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, filepath.Join(p.Dir, file), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				name := fn.Name.Name
				if fn.Recv != nil {
					of := fn.Recv.List[0].Type
					if star, ok := of.(*ast.StarExpr); ok {
						of = star.X
					}
					if id, ok := of.(*ast.Ident); ok {
						name = id.Name + "." + name
					}
				}
				at := set.Position(fn.Body.Lbrace)
				at.Filename = path + "/" + file
				out[path+" "+name] = at
			}
		}
	}
	return out, nil
}
