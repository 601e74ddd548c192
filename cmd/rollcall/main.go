// Command rollcall rehearses a national mobile-ID rollout: it simulates every
// resident, lets a sample of them live against the real ID service, judges
// suspension correctness, and writes a report.
//
// It parses flags, opens files, calls the packages and chooses the exit code:
// 0 all expectations hold, 1 internal failure or interrupted, 2 wrong usage or
// scenario, 99 an expectation does not hold.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the release build: -ldflags "-X main.version=1.2.3".
var version = "0.1.0-dev"

const (
	exitInternal = 1
	exitUsage    = 2
	exitExpect   = 99
)

// An exit is an error that knows its exit code.
type exit struct {
	code int
	err  error
}

func (e *exit) Error() string { return e.err.Error() }
func (e *exit) Unwrap() error { return e.err }

// usage is an error of whoever typed the command or wrote the scenario.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exit{exitUsage, err}
}

// internal is any other error, but for one that knows its exit code.
func internal(err error) error {
	if e, ok := errors.AsType[*exit](err); ok {
		return e
	}
	return &exit{exitInternal, err}
}

func main() {
	// A nation of records is a few large pointer-free arrays: collecting early
	// costs nothing and keeps two runs in a row under the limit.
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(5 << 30)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	os.Exit(guarded(os.Stderr, func() int { return Main(ctx, os.Args[1:], os.Stdout, os.Stderr) }))
}

// guarded makes a panic of a command an internal failure: left alone it would exit
// with 2, as if whoever typed the command had made the mistake.
func guarded(stderr io.Writer, command func() int) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(stderr, "rollcall: internal error: %v\nThis is a mistake in rollcall, not in the scenario. Please report it to its maintainers with the command, the scenario and what follows; rely on nothing that this command has written.\n\nrollcall %s, %s\n%s",
				p, version, runtime.Version(), debug.Stack())
			code = exitInternal
		}
	}()
	return command()
}

// rootCommand is rollcall with all its commands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "rollcall",
		Short: "Rehearse a national mobile-ID rollout before the nation does it",
		Long: `Rollcall simulates a national mobile-ID rollout: every resident one by one in
virtual time, and a sample of the same residents against a complete, real ID
service with emulated cards, phones and cameras. It measures throughput,
suspension correctness and failure recovery.

Start with:  rollcall run announced`,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = notEmpty
	root.AddCommand(runCommand(), scenarioCommand(), journeyCommand(), serveCommand(), keysCommand(), tokenCommand(), auditCommand(), chaosCommand(), selftestCommand(), compareCommand(), whyCommand(), planCommand(), backtestCommand(), cardCommand(), benchCommand(), calibrateCommand(), liveCommand())
	return root
}

// Main runs one command and returns the exit code.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "rollcall: %v\n", err)
	if e, ok := errors.AsType[*exit](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok || ctx.Err() != nil {
		return exitInternal // standard output cannot be written
	}
	return exitUsage // cobra's own: an unknown command, a missing argument
}
