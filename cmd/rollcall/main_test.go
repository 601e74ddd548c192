package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestAPanicIsAnInternalErrorThatSaysWhatToDo(t *testing.T) {
	var said bytes.Buffer
	if code := guarded(&said, func() int { panic("the queue is shorter than nothing") }); code != exitInternal {
		t.Errorf("exit code %d, want %d", code, exitInternal)
	}
	for _, part := range []string{"rollcall: internal error: the queue is shorter than nothing\n", "report it to its maintainers", version, "main_test.go"} {
		if !strings.Contains(said.String(), part) {
			t.Errorf("nothing is said of %q:\n%s", part, said.String())
		}
	}
	said.Reset()
	if code := guarded(&said, func() int { return exitExpect }); code != exitExpect || said.Len() > 0 {
		t.Errorf("without a panic: exit code %d, %q", code, said.String())
	}
}
