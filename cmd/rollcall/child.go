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

// servingAt is what a child said of where it is, empty where it did not.
type servingAt struct {
	url        string // where others reach it
	listens    string // HOST:PORT, where that is not the url's
	operations string // where its operators ask
}

// startServing starts a child that announces where it serves (see announce), on these
// cores if any are named. ops: also where its operators ask. Nothing is said where it
// ended before it had.
func startServing(ctx context.Context, child *exec.Cmd, on []int, ops bool) (at servingAt, err error) {
	said, err := child.StdoutPipe()
	if err != nil {
		return at, err
	}
	if err := startBound(child, on); err != nil {
		return at, err
	}
	ctx, cancel := context.WithTimeout(ctx, startsWithin)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = child.Process.Kill() })
	defer stop()
	lines := bufio.NewScanner(said)
	for (at.url == "" || ops && at.operations == "") && lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "Rollcall serves "); ok {
			at.url = url
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch rest = strings.TrimSpace(rest); word {
		case "listens":
			at.listens = rest
		case "operations":
			at.operations = strings.TrimSuffix(rest, "/metrics")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	return at, nil
}
