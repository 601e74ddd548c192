package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"rollcall.example/rollcall/scenarios"
)

// Whoever follows the documents word by word must not be sent to a command, a flag or
// a scenario that there is none of.
func TestEveryCommandInTheDocumentsExists(t *testing.T) {
	seen := 0
	for _, name := range documents(t) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var lines []line
		if filepath.Ext(name) == ".md" {
			lines = codeIn(string(text))
		} else {
			lines = workflow(t, name, text)
		}
		for _, l := range lines {
			for _, command := range commandsOf(l.text) {
				seen++
				if err := exists(command); err != nil {
					t.Errorf("%s:%d: rollcall %s: %v", name, l.number, strings.Join(command, " "), err)
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d commands were found in the documents: are they still read?", seen)
	}
}

func TestACommandThatDoesNotExistIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"rollcall rum announced":                                "unknown command",
		"$ ./rollcall run announced --pannel off":               "unknown flag: --pannel",
		"go run ./cmd/rollcall run anounced | less":             "no scenario",
		"(cd main && ./rollcall compare one)":                   "BASE and HEAD",
		"rollcall bench --count many # so often":                "invalid argument",
		"TOKEN=$(rollcall token --kee rollcall-data/demo.jwk)":  "unknown flag: --kee",
		"if rollcall selftest --whatever; then echo; fi":        "unknown flag: --whatever",
		"rollcall run announced && rollcall report --out there": "unknown command",
	} {
		var found []string
		for _, command := range commandsOf(text) {
			if err := exists(command); err != nil {
				found = append(found, err.Error())
			}
		}
		if len(found) != 1 || !strings.Contains(found[0], want) {
			t.Errorf("%s: found %q, want one with %q", text, found, want)
		}
	}
	for _, text := range []string{
		"rollcall run announced --panel off # as it was", `rollcall run x --set faults.outage.at="2025-02-28 09:00"`, "cd rollcall && ls", "rollcall-out/announced",
		"rollcall compare base head --tolerance live.present[shop].p95_ms=20%", "rollcall run ./later.yaml",
	} {
		for _, command := range commandsOf(text) {
			if err := exists(command); err != nil && command[1] != "x" {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// documents are all texts for people, and the example workflows.
func documents(t *testing.T) (all []string) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "rollcall-out" || d.Name() == ".git"):
			return fs.SkipDir
		case filepath.Ext(path) == ".md" && d.Name() != "CHANGELOG.md", strings.HasPrefix(filepath.ToSlash(path), "../../docs/ci/") && filepath.Ext(path) == ".yml":
			all = append(all, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

type line struct {
	number int
	text   string
}

// codeIn are the lines of code of a Markdown text: indented by four, or fenced.
func codeIn(text string) (code []line) {
	fenced, open := false, "" // the command that goes on in the next line
	for i, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(l), "```") {
			fenced = !fenced
			continue
		}
		if fenced || strings.HasPrefix(l, "    ") {
			l = open + strings.TrimSpace(l)
			if open = ""; strings.HasSuffix(l, `\`) {
				open = strings.TrimSuffix(l, `\`)
				continue
			}
			code = append(code, line{i + 1, l})
		}
	}
	return code
}

// workflow are the lines of scripts of a workflow: under run (GitHub) and script (GitLab).
func workflow(t *testing.T, name string, text []byte) (code []line) {
	t.Helper()
	var all any
	if err := yaml.Unmarshal(text, &all); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var walk func(v any, script bool)
	walk = func(v any, script bool) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				walk(value, key == "run" || key == "script")
			}
		case []any:
			for _, value := range v {
				walk(value, script)
			}
		case string:
			if script {
				for l := range strings.SplitSeq(v, "\n") {
					code = append(code, line{1 + strings.Count(string(text[:max(0, strings.Index(string(text), l))]), "\n"), l})
				}
			}
		}
	}
	walk(all, false)
	return code
}

// programCalled finds a call of rollcall where a command can begin: at the beginning of
// a line, in parentheses, after another one, after variables that are set for it.
var programCalled = regexp.MustCompile(`(?:^|[(;&|]|\bif |\$ )\s*(?:[A-Z_]+=\S+ )*(?:go run \./cmd/rollcall|(?:\./)?(?:main/)?rollcall) `)

// commandsOf are the arguments of each rollcall that is called in a line.
func commandsOf(text string) (all [][]string) {
	for {
		at := programCalled.FindStringIndex(text)
		if at == nil {
			return all
		}
		args, rest := words(text[at[1]:])
		text = rest
		if len(args) > 0 {
			all = append(all, args)
		}
	}
}

// words are the arguments up to the end of a command, and what comes after it.
func words(text string) (args []string, rest string) {
	var word strings.Builder
	quote, begun := rune(0), false
	end := func() {
		if begun {
			args = append(args, word.String())
			word.Reset()
			begun = false
		}
	}
	for i, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, begun = c, true
		case c == ' ':
			end()
		case strings.ContainsRune("|&;)>→", c) || c == '#' && !begun:
			end()
			return args, text[i:]
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	end()
	return args, ""
}

// exists says whether there is such a command with such flags and arguments. Words
// that stand for others are in capitals.
func exists(args []string) error {
	c, rest, err := rootCommand().Find(args)
	if err != nil {
		return err
	}
	if c.Parent() == nil && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("unknown command %q", args[0])
	}
	if err := c.ParseFlags(rest); errors.Is(err, pflag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	left := c.Flags().Args()
	if err := c.ValidateArgs(left); err != nil {
		return err
	}
	switch c.Name() {
	case "run", "live", "plan", "why", "chaos":
		if len(left) == 1 && strings.ToUpper(left[0]) != left[0] && !strings.ContainsAny(left[0], "./$") && !builtIn(left[0]) {
			return fmt.Errorf("no scenario is called %s", left[0])
		}
	}
	return nil
}

var builtIns = sync.OnceValues(scenarios.BuiltIns)

func builtIn(name string) bool {
	all, err := builtIns()
	return err == nil && slices.ContainsFunc(all, func(b scenarios.BuiltIn) bool { return b.Name == name })
}
