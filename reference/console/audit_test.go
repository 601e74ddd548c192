package console_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/register"
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

func TestAnAuditorReadsWhoseCertificatesWereRevoked(t *testing.T) {
	o := newOffice(t)
	check(t, o.Register.NoteRevoked(ctx, "serve", "administrator", []register.Revoked{{Root: "iaca", Serial: "5d1f", Why: "superseded, revoked under the iaca"}}))
	l := register.RevocationList{Authority: "Country <CSCA>", Names: "csca", Number: "17", Made: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	for n := range 12 {
		l.Revoked = append(l.Revoked, register.ListedCertificate{Serial: fmt.Sprintf("ca%02d", n), Reason: "key-compromise"})
	}
	check(t, o.Register.NoteList(ctx, "serve", "administrator", l))
	b := o.as("auditor")
	p := b.get("/console/audit")
	p.has(t, "in English", "certificate revoked", "5d1f", "superseded, revoked under the iaca",
		"signers of IC cards revoked by their authority", "list 17 by Country &lt;CSCA&gt;, made 2026-03-01T08:00:00Z", "ca00 ca01", "ca09 and 2 more, in the whole log")
	if strings.Contains(p.body, "ca10") {
		t.Error("the page shows all of a long list")
	}
	b.get("/console/audit?lang=ko").has(t, "in Korean", "인증서 폐지", "5d1f", "발급 인증기관의 IC카드 서명 인증서 폐지", "Country &lt;CSCA&gt;의 폐지목록 제17호(2026-03-01T08:00:00Z 작성)", "ca09 외 2건은 전체 기록에 있음")
	b.get("/console/audit/log").has(t, "the whole log", `"number":"17"`, `"serial":"ca11"`)
}
