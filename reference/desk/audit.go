package desk

import (
	"io"
	"net/http"
	"strconv"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/web"
)

// Audit answers an auditor with the audit log from a sequence number on, one line of
// JSON for each entry, as package audit exports it.
func (d *Desk) Audit(w http.ResponseWriter, r *http.Request) error {
	query, err := web.ReadQuery(r)
	if err != nil {
		return err
	}
	from := uint64(1)
	if text := query.Get("from"); text != "" {
		if from, err = strconv.ParseUint(text, 10, 63); err != nil {
			return web.Refuse(http.StatusBadRequest, "bad-sequence", "The sequence number to begin at is a whole number.")
		}
	}
	out := &lazy{w: w}
	if err := audit.Export(r.Context(), d.o.Register, from, out); err != nil && !out.begun {
		return err
	} else if err != nil {
		// The answer has begun: cut it off where the caller sees it.
		panic(http.ErrAbortHandler)
	}
	out.begin()
	return nil
}

// lazy begins an answer with its first byte, so that an error before it is one.
type lazy struct {
	w     http.ResponseWriter
	begun bool
}

var _ io.Writer = (*lazy)(nil)

func (l *lazy) begin() {
	if !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "application/jsonl")
		l.w.Header().Set("Cache-Control", "no-store")
		l.w.WriteHeader(http.StatusOK)
	}
}

func (l *lazy) Write(p []byte) (int, error) {
	l.begin()
	return l.w.Write(p)
}

// Checkpoint answers with the signed head of the audit log. Whoever keeps it can
// tell later whether the log was changed (rollcall audit verify).
func (d *Desk) Checkpoint(w http.ResponseWriter, r *http.Request) error {
	if d.o.Checkpoint == nil {
		return web.Refuse(http.StatusNotFound, "no-checkpoints", "This service signs no checkpoints.")
	}
	head, err := audit.Now(r.Context(), d.o.Register)
	if err != nil {
		return err
	}
	text, err := d.o.Checkpoint(audit.Checkpoint{Head: head, At: d.o.Register.Now()})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, text)
	return nil
}
