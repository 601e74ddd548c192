package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/panel"
	"rollcall.example/rollcall/sim/rollout"
)

// findingsFile keeps, where something was found, the oracle's findings with
// their histories and the lives that went otherwise.
const findingsFile = "findings.json"

// runPanel lets the panel live against the real service and writes its figures
// into the result. What it found goes to findings.json, and to stderr in short.
func runPanel(ctx context.Context, r *reports.Result, o *rollout.Outcome, dir string, p *progress, stderr io.Writer) error {
	members := panel.Choose(o)
	if len(members) == 0 {
		return usage(errors.New("the panel has nobody: no citizen did anything that the service could see (choose a longer run, or --panel off)"))
	}
	got, err := panel.Run(ctx, panel.Options{Outcome: o, Members: members, Progress: func(done, total int) {
		p.show(int64(done), int64(total), fmt.Sprintf("%d of %d steps", done, total))
	}})
	if err != nil {
		return fmt.Errorf("the panel: %w", err)
	}
	got.Fill(r)

	path := filepath.Join(dir, findingsFile)
	failures := got.Failures()
	if len(failures) == 0 {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("findings of an earlier run could not be removed: %w", err)
		}
		return nil
	}
	b, err := json.MarshalIndent(map[string]any{"failures": failures, "findings": got.Verdict.Findings, "lives": got.Different}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return err
	}
	p.end()
	const shown = 5
	for i, f := range failures {
		if i == shown {
			fmt.Fprintf(stderr, "... and %d more in %s\n", len(failures)-shown, path)
			break
		}
		fmt.Fprintln(stderr, f)
	}
	return nil
}
