package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/mdoc"
)

func auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Check the audit log of the service",
	}
	c.AddCommand(auditVerifyCommand())
	return c
}

func auditVerifyCommand() *cobra.Command {
	var export string
	var checkpoints, roots []string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Find an entry that was removed, changed or put elsewhere, and say which",
		Long: `Walk the whole audit log of a register, or of an export of it, and check that
every entry follows from the one before. A log alone cannot show that its end
was cut off, or that all of it was written anew: hand over checkpoints that were
kept elsewhere (GET /audit/checkpoint), and the certificate of the authority that
stands above their signer.

Exit code 99: the log is not what it was.`,
		Example: `  rollcall audit verify --data rollcall-data
  rollcall audit verify --export audit.jsonl --checkpoint monday.jwt --root rollcall-data/iaca.pem`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			known, err := readCheckpoints(checkpoints, roots)
			if err != nil {
				return usage(err)
			}
			head, err := verifyAudit(c, export, known)
			if fault, ok := errors.AsType[*audit.Fault](err); ok {
				return &exit{exitExpect, fault}
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(c.OutOrStdout(), "%d entries, each follows from the one before; head %x\n", head.Sequence, head.Hash)
			for i, k := range known {
				fmt.Fprintf(c.OutOrStdout(), "checkpoint %s of %s: entry %d is the same\n", checkpoints[i], k.At.Format(time.RFC3339), k.Sequence)
			}
			if len(known) == 0 {
				fmt.Fprintln(c.OutOrStdout(), "No checkpoint was handed over: whether the end was cut off cannot be told.")
			}
			return nil
		},
	}
	addFlags(c.Flags(), "data", "database")
	c.Flags().StringVar(&export, "export", "", "`FILE` with an export instead of a register (- for standard input)")
	c.Flags().StringArrayVar(&checkpoints, "checkpoint", nil, "`FILE` with a checkpoint that was kept; may be repeated")
	c.Flags().StringArrayVar(&roots, "root", nil, "`FILE` with the certificate (PEM) of the authority above the checkpoints' signer; may be repeated")
	return c
}

func verifyAudit(c *cobra.Command, export string, known []audit.Checkpoint) (audit.Head, error) {
	var heads []audit.Head
	for _, k := range known {
		heads = append(heads, k.Head)
	}
	if export != "" {
		var in io.Reader = c.InOrStdin()
		if export != "-" {
			f, err := os.Open(export)
			if err != nil {
				return audit.Head{}, usage(err)
			}
			defer f.Close()
			in = f
		}
		return audit.VerifyExport(in, heads...)
	}
	settled, err := configure(c.Flags(), os.Environ())
	if err != nil {
		return audit.Head{}, usage(err)
	}
	return auditOf(c.Context(), settled, heads)
}

func auditOf(ctx context.Context, settled configuration, heads []audit.Head) (audit.Head, error) {
	s := &running{c: settled, data: settled.text("data")}
	if file, ok := s.registerFile(); ok {
		if _, err := os.Stat(file); err != nil { // opening would make one
			return audit.Head{}, usage(fmt.Errorf("there is no register to check: %w", err))
		}
	}
	if err := s.openStore(ctx); errors.Is(err, errServed) {
		return audit.Head{}, usage(fmt.Errorf("a register in a file is checked when nobody serves it: hand over an export (GET /audit, then --export FILE), or stop the service: %w", err))
	} else if err != nil {
		return audit.Head{}, err
	}
	defer s.close()
	return audit.Verify(ctx, s.store, heads...)
}

func readCheckpoints(files, roots []string) (out []audit.Checkpoint, err error) {
	if len(files) == 0 {
		return nil, nil
	}
	if len(roots) == 0 {
		return nil, errors.New("a checkpoint is believed by its signer: hand over the certificate of the authority above it (--root)")
	}
	ders, err := certificates(roots)
	if err != nil {
		return nil, err
	}
	anchors, err := mdoc.NewTrustAnchors(ders...)
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		c, err := audit.ParseCheckpoint(text, func(chain [][]byte, at time.Time) (*ecdsa.PublicKey, error) {
			return anchors.StatusSigner(chain, at)
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, c)
	}
	return out, nil
}
