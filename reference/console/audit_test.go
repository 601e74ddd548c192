package console_test

import (
	"fmt"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/audit"
)

func TestAnAuditorReadsAndTakesTheLog(t *testing.T) {
	o := newOffice(t)
	for range 60 {
		o.Resident()
	}
	b := o.as("auditor")
	last := o.sequence()
	p := b.follow(b.get("/console/"))
	p.has(t, "the newest page", fmt.Sprintf("Entries %d to %d of %d", last-49, last, last), "resident entered", "registrar-1", fmt.Sprintf("/console/audit?from=%d", last-99))
	b.get("/console/audit?from=1").has(t, "the first page", "Entries 1 to 50", "/console/audit?from=51", "party entered")
	b.get("/console/audit?from=99999").has(t, "beyond the end", "There are no entries here.")
	log := b.get("/console/audit/log")
	if head, err := audit.VerifyExport(strings.NewReader(log.body)); err != nil || head.Sequence != last || log.header.Get("Content-Disposition") == "" {
		t.Errorf("the download: %v, %v", head.Sequence, err)
	}
	if c := b.get("/console/audit/checkpoint"); c.body != "signed" {
		t.Errorf("the checkpoint: %d %s", c.status, c.body)
	}
}
