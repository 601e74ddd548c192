package scenarios

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// Whatever the bytes: no panic, no hang, and either a list of problems or a
// scenario that can be written and read again.
func FuzzParse(f *testing.F) {
	b, err := os.ReadFile("testdata/mistakes.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, part := range strings.Split("\n"+string(b), "\n-- ")[1:] {
		if name, text, _ := strings.Cut(part, " --\n"); strings.HasSuffix(name, ".yaml") {
			f.Add(text+"\n", "")
		}
	}
	f.Add("extends: announced\n", "faults[0]={name: x, kind: slow, nodes: [face], at: 2025-03-01, for: 1h}")
	f.Add("0:", "0=")
	f.Add("extends: smoke\n", "demand.places.bank.ttl=1h")
	f.Fuzz(func(t *testing.T, text, setting string) {
		if strings.Contains(text, "extends") && strings.ContainsAny(text, "/\\") {
			return // let it not read files
		}
		var settings []string
		if setting != "" {
			settings = []string{setting}
		}
		s, err := Parse("fuzz.yaml", []byte(text), settings)
		if err != nil {
			var p Problems
			if !errors.As(err, &p) || len(p) == 0 || p.Error() == "" {
				t.Fatalf("not a list of problems: %v", err)
			}
			return
		}
		again, err := Parse("fuzz.yaml", s.YAML(), nil)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, s.YAML())
		}
		if string(again.YAML()) != string(s.YAML()) {
			t.Fatalf("two spellings:\n%s\n%s", s.YAML(), again.YAML())
		}
	})
}

// The parser must not be made to work without end by a small file.
func TestFilesMadeToExhaustAreRefusedQuickly(t *testing.T) {
	for name, text := range map[string]string{
		"brackets":         strings.Repeat("[", 100_000),
		"braces":           strings.Repeat("{a: ", 10_000),
		"brackets by line": strings.Repeat("[\n", 10_000),
		"dashes":           strings.Repeat("- ", 900) + "a",
		"questions":        strings.Repeat("? ", 900) + "a",
		"stairs":           stairs(400),
		"long line":        "title: " + strings.Repeat("x", 100_000),
		"many keys":        manyKeys(60_000),
		"many dashes":      strings.Repeat("-\n", 200_000),
		"laughs":           "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
		"too large":        strings.Repeat("# comment\n", 200_000),
		"control":          "title: \x00\n",
		"comments":         strings.Repeat("# c\n", 100_000),
		"anchors":          strings.Repeat("&a ", 600),
		"quotes":           "title: \"" + strings.Repeat("\\", 1900),
		"literal":          "title: |\n" + strings.Repeat("  line\n", 100_000),
		"plain":            "title: a\n" + strings.Repeat("  line\n", 100_000),
		"colons":           strings.Repeat("a: ", 600),
		"pairs":            strings.Repeat("a:\n", 60_000),
	} {
		begin := time.Now()
		_, err := Parse(name+".yaml", []byte(text), nil)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if len(err.Error()) > 20_000 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
		if d := time.Since(begin); d > 20*time.Second {
			t.Errorf("%s: took %s", name, d)
		}
		t.Logf("%-17s %8s  %.90s", name, time.Since(begin).Round(time.Millisecond), err)
	}
}

func TestWhatTwoReadersCouldReadInTwoWaysIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		"title: a\ntitle: b\n":                 "x.yaml:3:1: \"title\" stands twice",
		"title: a\n\"title\": b\n":             "x.yaml:3:1: \"title\" stands twice",
		"face: {threshold: 1, threshold: 1}\n": "x.yaml:2:22: \"threshold\" stands twice",
		"---\ntitle: a\n":                      "x.yaml:2:1: a second document begins here",
		"title: !!str x\n":                     "x.yaml:2:8: tags are not read here",
		"title: &a x\n":                        "x.yaml:2:8: anchors and aliases are not read here",
		"<<: {title: a}\n":                     "x.yaml:2:1: merge keys are not read here",
		"%YAML 1.1\n":                          "x.yaml:2:1: ",
		"title: a\nx: \xff\n":                  "x.yaml:3:1: is not UTF-8",
		"title: a\x00\n":                       "x.yaml:2:1: holds a control character",
		"face: [[" + strings.Repeat("[", 30):   "x.yaml:2:",
	} {
		if _, err := Parse("x.yaml", []byte("extends: smoke\n"+text), nil); err == nil || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%q: %v, want %s", text, err, says)
		}
	}
	if _, err := Parse("x.yaml", []byte("\ufeffextends: smoke\n"), nil); err != nil {
		t.Errorf("with a byte order mark: %v", err)
	}
}

func stairs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	return b.String()
}
