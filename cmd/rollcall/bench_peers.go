package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rollcall.example/rollcall/sim/bench"
)

// startPeers starts a script of Node.js on a sample; readers/peers.mjs says how the two
// speak.
func startPeers(ctx context.Context, script, sample string) (*bench.Peers, error) {
	child := exec.CommandContext(ctx, "node", script, sample)
	log, err := os.Create(filepath.Join(filepath.Dir(sample), "peers.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	child.Stderr = log
	asked, err := child.StdinPipe()
	if err != nil {
		return nil, err
	}
	said, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startBound(child, nil); err != nil {
		return nil, fmt.Errorf("--peers: %w (it takes Node.js 20 or newer)", err)
	}
	answers := bufio.NewScanner(said)
	await := func(want string) error {
		if answers.Scan() && answers.Text() == want {
			return nil
		}
		if said := answers.Text(); said != "" {
			return errors.New(said)
		}
		text, _ := os.ReadFile(log.Name())
		why := "it said nothing"
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "Error") { // above it stands the source, below it the stack
				why = strings.TrimSpace(line)
				break
			}
		}
		if strings.Contains(why, "ERR_MODULE_NOT_FOUND") {
			why += " (in the folder of the script: npm ci --ignore-scripts)"
		}
		return fmt.Errorf("%s ended: %s", script, why)
	}
	stop := func() {
		_ = asked.Close() // it ends by itself
		_ = child.Wait()
	}
	if err := await("ready"); err != nil {
		stop()
		return nil, fmt.Errorf("--peers: %w", err)
	}
	return &bench.Peers{CPU: cpuOf(child.Process.Pid), Stop: stop, Do: func(name string, n int) error {
		if _, err := io.WriteString(asked, fmt.Sprintf("%s %d\n", name, n)); err != nil {
			return err
		}
		return await("ok")
	}}, nil
}
