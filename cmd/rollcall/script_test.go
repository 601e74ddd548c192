package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rollcall": main, "k6": fakeK6})
}

// The scripts are the manual of the command line: what one types, what one sees,
// which files are there afterwards. They have these words besides testscript's:
//
//	exits CODE PROGRAM...          run, and want this very exit code
//	interrupt REGEXP PROGRAM...    run on a terminal, press Ctrl-C when it shows
//	                               this, and want exit code 1
//	figure FILE POINTER VALUE      a value in a JSON file, numbers as written
//	rows FILE MIN                  at least so many lines, each with the same
//	                               number of fields
//
// those about the service in serve_test.go, and two conditions. [namespaces]: a script may mount a file system of its
// own. [campaign]: what takes longer is wanted (ROLLCALL_CAMPAIGN).
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":     exits,
			"interrupt": interrupt,
			"figure":    figure,
			"rows":      rows,
			"serving":   scripted.serving,
			"fetch":     scripted.fetch,
			"signals":   scripted.signals,
			"ended":     scripted.finished,
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "namespaces":
				return namespaces(), nil
			case "campaign":
				return os.Getenv("ROLLCALL_CAMPAIGN") != "", nil
			}
			return false, fmt.Errorf("no condition is called %s", name)
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		code = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: interrupt REGEXP PROGRAM ARGS...")
	}
	until, err := regexp.Compile(args[0])
	ts.Check(err)
	path, err := exec.LookPath(filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], args[1]))
	ts.Check(err)
	ours, theirs, err := openTerminal()
	ts.Check(err)
	c := exec.Command(path, args[2:]...)
	c.Dir, c.Stdout, c.Stderr = ts.MkAbs("."), ts.Stdout(), theirs
	c.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "CI=")
	ts.Check(c.Start())
	theirs.Close()
	defer c.Process.Kill()
	tooLong := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
	defer tooLong.Stop()

	var seen []byte
	pressed := false
	for buf := make([]byte, 4096); ; {
		n, err := ours.Read(buf) // an error when the other end is closed
		seen = append(seen, buf[:n]...)
		if !pressed && until.Match(seen) {
			ts.Check(c.Process.Signal(os.Interrupt))
			pressed = true
		}
		if err != nil {
			break
		}
	}
	ours.Close()
	ts.Stderr().Write(seen)
	err = c.Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); !pressed || !ok || e.ExitCode() != exitInternal {
		ts.Fatalf("Ctrl-C pressed: %v; then: %v, want exit status 1; on the terminal:\n%q", pressed, err, seen)
	}
}

func figure(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: figure FILE POINTER VALUE")
	}
	d := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		ts.Fatalf("%s is not JSON: %v", args[0], err)
	}
	for key := range strings.SplitSeq(strings.TrimPrefix(args[1], "/"), "/") {
		switch x := v.(type) {
		case map[string]any:
			found := false
			if v, found = x[key]; !found {
				ts.Fatalf("%s has no %s", args[0], args[1])
			}
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(x) {
				ts.Fatalf("%s has no %s", args[0], args[1])
			}
			v = x[i]
		default:
			ts.Fatalf("%s has no %s", args[0], args[1])
		}
	}
	if got := fmt.Sprint(v); (got == args[2]) == neg {
		ts.Fatalf("%s in %s is %s, want %s", args[1], args[0], got, args[2])
	}
}

func rows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: rows FILE MIN")
	}
	text := ts.ReadFile(args[0])
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	least, err := strconv.Atoi(args[1])
	ts.Check(err)
	if len(lines) < least || !strings.HasSuffix(text, "\n") {
		ts.Fatalf("%s has %d lines, want %s or more, each with an end:\n%s", args[0], len(lines), args[1], text)
	}
	for i, l := range lines {
		if strings.Count(l, ",") != strings.Count(lines[0], ",") {
			ts.Fatalf("line %d of %s is not complete: %s", i+1, args[0], l)
		}
	}
}

// namespaces says whether a process here may have mounts of its own: on Linux,
// as root or where users may make namespaces.
var namespaces = sync.OnceValue(func() bool {
	return exec.Command("unshare", "--mount", "--map-root-user", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt").Run() == nil
})
