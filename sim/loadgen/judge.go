package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/sim/oracle"
)

// Settle asks again for all that has had no answer, so many citizens at a time.
func (c *Crowd) Settle(ctx context.Context, together int) error {
	todo := make(chan *Citizen)
	errs := make([]error, max(together, 1))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for one := range todo {
				errs[i] = errors.Join(errs[i], one.Settle(ctx))
			}
		})
	}
	for _, one := range c.Citizens {
		if one.Pending() {
			todo <- one
		}
	}
	close(todo)
	wg.Wait()
	return errors.Join(errs...)
}

// Export takes the audit export, and holds the one at the end against it.
func (c *Crowd) Export(ctx context.Context) ([]byte, error) {
	var export []byte
	err := c.auditor.ask(ctx, "GET", "/audit", nil, "", &export)
	return export, err
}

// Judge fetches lists and audit export once more, and has the oracle judge all that
// was seen. The crowd must be at rest.
func (c *Crowd) Judge(ctx context.Context) (*oracle.Verdict, *oracle.History, error) {
	// What is published now follows what was acknowledged before.
	if err := c.o.Wait(ctx, c.o.StatusEvery+c.o.StatusEvery/2); err != nil {
		return nil, nil, err
	}
	if _, err := c.fetchLists(ctx, patience); err != nil {
		return nil, nil, fmt.Errorf("the status lists cannot be fetched: %w", err)
	}
	var export []byte
	err := c.again(ctx, patience, func() (err error) { export, err = c.Export(ctx); return err })
	if err != nil {
		return nil, nil, fmt.Errorf("the audit export cannot be fetched: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history.Audit = export
	if err := c.number(export); err != nil {
		return nil, nil, err
	}
	return oracle.Judge(&c.history, oracle.Options{}), &c.history, nil
}

// number gives the issues their numbers: a wallet is told places in the status
// lists, not the sequence number of its card, and places that it was given for
// later are in the log alone. An issue without an entry gets a number that nobody
// has, so that the oracle misses its entry.
func (c *Crowd) number(export []byte) error {
	type place struct {
		person string
		index  uint64
	}
	entries := map[place]*oracle.AuditEntry{}
	lines := bytes.Split(export, []byte("\n"))
	for n, line := range lines {
		if len(line) == 0 {
			continue
		}
		var l oracle.AuditLine
		e := &oracle.AuditEntry{}
		if err := errors.Join(json.Unmarshal(line, &l), json.Unmarshal(l.Entry, e)); err != nil {
			return fmt.Errorf("audit export, line %d: %w", n+1, err)
		}
		if e.Event != oracle.CredentialIssued {
			continue
		}
		for _, at := range e.Copies {
			entries[place{strconv.FormatUint(e.Person, 10), at.Index}] = e
		}
	}
	none := uint64(len(lines)) + 1_000_000
	for i := range c.history.Applications {
		a := &c.history.Applications[i]
		if !a.Granted || a.Sequence != 0 {
			continue
		}
		refs, err := places(a.Copies)
		if err != nil || len(refs) == 0 {
			none++
			a.Sequence = none
			continue
		}
		e := entries[place{a.Citizen, refs[0].Index}]
		if e == nil {
			none++
			a.Sequence = none
			continue
		}
		a.Sequence = e.Sequence
		for n := range refs {
			if n >= len(e.Copies) || e.Copies[n].Index != refs[n].Index {
				refs = nil // other places than the log says: for the oracle to see
				break
			}
		}
		if refs == nil {
			continue
		}
		until, _ := time.Parse(time.RFC3339, e.Until)
		for _, at := range e.Copies[len(refs):] {
			a.Copies = append(a.Copies, oracle.Copy{Status: oracle.StatusRef{URI: refs[0].URI, Index: at.Index}, Until: until})
		}
	}
	return nil
}

// places are those of copies in the status lists.
func places(copies []oracle.Copy) (refs []oracle.StatusRef, err error) {
	for _, one := range copies {
		if one.IssuerSigned == nil {
			refs = append(refs, one.Status)
			continue
		}
		held, err := mdoc.Inspect(one.IssuerSigned)
		if err != nil || held.Status == nil {
			return nil, fmt.Errorf("a copy without a place: %v", err)
		}
		refs = append(refs, oracle.StatusRef{URI: held.Status.URI, Index: held.Status.Index})
	}
	return refs, nil
}
