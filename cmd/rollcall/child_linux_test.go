package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// lives says whether a process does, and is not only waited for.
func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(after, "Z")
}

// childOf is the rollcall that another one has started; 0: none.
func childOf(pid int) int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range tasks {
		text, _ := os.ReadFile(t)
		for _, word := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(word); err == nil && n != 0 {
				return n
			}
		}
	}
	return 0
}

func TestAServiceThatWasStartedToBeMeasuredEndsWithItsParentThatIsKilled(t *testing.T) {
	path, err := exec.LookPath("rollcall")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "calibrate")
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), "TMPDIR="+c.Dir)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	serving := func() bool {
		logs, _ := filepath.Glob(filepath.Join(c.Dir, "*", "data", "stderr.log"))
		for _, l := range logs {
			text, _ := os.ReadFile(l)
			if strings.Contains(string(text), `"msg":"serving"`) {
				return true
			}
		}
		return false
	}
	for end := time.Now().Add(time.Minute); !serving() && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
	time.Sleep(300 * time.Millisecond) // it has said so to its parent
	child := childOf(c.Process.Pid)
	if child == 0 || !lives(child) {
		t.Error("no service is started, or it ends before its parent")
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	for end := time.Now().Add(time.Minute); child != 0 && lives(child); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			if p, err := os.FindProcess(child); err == nil {
				_ = p.Kill()
			}
			t.Fatal("the service lives on")
		}
	}
}

func TestAChildOutlivesTheThreadOnWhichItWasAskedFor(t *testing.T) {
	var children []*exec.Cmd
	started, over := make(chan error), make(chan struct{})
	for range 4 { // of which one may be the first thread, which never ends
		child := exec.Command("sleep", "60")
		children = append(children, child)
		go func() {
			runtime.LockOSThread() // and is not unlocked: the thread ends with the goroutine
			started <- startBound(child, nil)
			<-over
		}()
	}
	for range children {
		if err := <-started; err != nil {
			t.Fatal(err)
		}
	}
	close(over)
	time.Sleep(200 * time.Millisecond)
	for _, child := range children {
		if !lives(child.Process.Pid) {
			t.Error("it ended with the thread")
		}
		_ = child.Process.Kill()
		_ = child.Wait()
	}
}
