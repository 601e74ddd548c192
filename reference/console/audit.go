package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"rollcall.example/rollcall/reference/audit"
)

// entriesAPage is how many entries of the audit log a page has.
const entriesAPage = 50

// logPage is the data of a page of the audit log.
type logPage struct {
	Entries                []audit.Entry
	From, To, Last         uint64
	Earlier, Later, Newest string // addresses; empty: there is none
}

// serialsShown is how many numbers of certificates of one entry the page shows.
const serialsShown = 10

// Shown are the numbers on a list that the page shows.
func (logPage) Shown(l *audit.List) []audit.Revoked {
	return l.Revoked[:min(serialsShown, len(l.Revoked))]
}

// Beyond is how many more there are.
func (logPage) Beyond(l *audit.List) int { return max(0, len(l.Revoked)-serialsShown) }

// Log shows the audit log, the newest page if none is named.
func (c *Console) Log(w http.ResponseWriter, r *http.Request) error {
	from, err := strconv.ParseUint(strings.TrimSpace(r.URL.Query().Get("from")), 10, 63)
	if err != nil || from == 0 {
		_, last, err := c.o.Desk.Log(r.Context(), 1, 0)
		if err != nil {
			return err
		}
		from = 1
		if last > entriesAPage {
			from = last - entriesAPage + 1
		}
	}
	d := logPage{From: from}
	if d.Entries, d.Last, err = c.o.Desk.Log(r.Context(), from, entriesAPage); err != nil {
		return err
	}
	if n := len(d.Entries); n > 0 {
		d.To = d.Entries[n-1].Sequence
	}
	at := func(n uint64) string { return fmt.Sprintf("/console/audit?from=%d", n) }
	if from > 1 {
		d.Earlier = at(max(from, entriesAPage+1) - entriesAPage)
	}
	if next := from + entriesAPage; next <= d.Last {
		d.Later, d.Newest = at(next), "/console/audit"
	}
	v := c.view(w, r, "audit.title", "/console/audit")
	v.Data = d
	return render(w, http.StatusOK, "audit", "layout", v)
}

// Export gives the whole audit log, as rollcall audit verify reads it.
func (c *Console) Export(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Disposition", `attachment; filename="audit.jsonl"`)
	return download(w, c.o.Desk.Audit(w, r))
}

// Checkpoint gives the signed head of the audit log.
func (c *Console) Checkpoint(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Disposition", `attachment; filename="checkpoint.jwt"`)
	return download(w, c.o.Desk.Checkpoint(w, r))
}

// download makes a page again of an answer that failed before it began.
func download(w http.ResponseWriter, err error) error {
	if err != nil {
		w.Header().Del("Content-Disposition")
	}
	return err
}
