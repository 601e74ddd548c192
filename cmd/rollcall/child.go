package main

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"strings"
	"time"
)

// startsWithin is how long a service may take to start, with a large register, too.
const startsWithin = time.Minute

// startServing starts a child that announces where it serves (see announce), on these
// cores if any are named. ops: also where its operators ask. Both are empty where it
// ended, or has said something else. What it says on is not read by anybody.
func startServing(ctx context.Context, child *exec.Cmd, on []int, ops bool) (url, operations string, err error) {
	said, err := child.StdoutPipe()
	if err != nil {
		return "", "", err
	}
	if err := startBound(child, on); err != nil {
		return "", "", err
	}
	ctx, cancel := context.WithTimeout(ctx, startsWithin)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = child.Process.Kill() })
	defer stop()
	lines := bufio.NewScanner(said)
	for (url == "" || ops && operations == "") && lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "Rollcall serves "); ok {
			url = at
		}
		if word, at, _ := strings.Cut(strings.TrimSpace(lines.Text()), " "); word == "operations" {
			operations = strings.TrimSuffix(strings.TrimSpace(at), "/metrics")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return url, operations, nil
}
