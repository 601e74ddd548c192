package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/sim/demo"
)

// acknowledged is what somebody was told before the crash.
type acknowledged struct {
	mu      sync.Mutex
	cards   map[*demo.Resident]*wallet.Wallet
	reports map[*demo.Resident]uint64 // sequence number
}

// In the middle of many issuances and reports the process is killed. Afterwards every
// card that a wallet holds is good unless it was reported, every report that was
// acknowledged is in force, and the log is whole.
func TestAKillAmidIssuancesAndReportsLosesNothingAcknowledged(t *testing.T) {
	const residents = 60
	dir := t.TempDir()
	settings := []string{"--demo", "--demo-residents", fmt.Sprint(residents), "--status-every", "1s", "--rate-address", "100000", "--rate-staff", "100000"}
	p, err := start(dir, os.Environ(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	told := &acknowledged{cards: map[*demo.Resident]*wallet.Wallet{}, reports: map[*demo.Resident]uint64{}}
	people := town(t, residents).Residents
	queue := make(chan *demo.Resident, residents)
	for _, r := range people {
		if r.Chip() {
			queue <- r
		}
	}
	close(queue)
	enough := make(chan bool)
	var once sync.Once
	var workers sync.WaitGroup
	for range 12 {
		workers.Go(func() {
			for r := range queue {
				w, err := p.issue(r)
				if err != nil {
					return // killed
				}
				told.mu.Lock()
				told.cards[r] = w
				told.mu.Unlock()
				if r.ID%2 == 0 {
					continue
				}
				var receipt struct {
					Sequence uint64 `json:"sequence"`
				}
				if _, err := p.ask("demo-operator", "POST", fmt.Sprintf("/residents/%d/reports", r.ID), map[string]string{"cause": "mobile-lost", "why": "gone"}, &receipt); err != nil {
					return
				}
				told.mu.Lock()
				told.reports[r] = receipt.Sequence
				if len(told.reports) >= 8 {
					once.Do(func() { close(enough) })
				}
				told.mu.Unlock()
			}
		})
	}
	select {
	case <-enough:
	case <-time.After(time.Minute):
		t.Errorf("only %d reports\n%s", len(told.reports), p.err)
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	workers.Wait()

	listen := strings.TrimPrefix(strings.Replace(p.url, "localhost", "127.0.0.1", 1), "https://")
	again, err := start(dir, os.Environ(), append(settings, "--listen", listen)...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.cmd.Process.Kill(); <-again.ended }()
	for r, w := range told.cards {
		want := "accepted"
		sequence, reported := told.reports[r]
		if reported {
			want = "suspended"
			var answer struct {
				Reports []struct {
					Sequence uint64 `json:"sequence"`
				} `json:"reports"`
			}
			if _, err := again.ask("demo-clerk", "GET", fmt.Sprintf("/residents/%d/reports", r.ID), nil, &answer); err != nil || len(answer.Reports) == 0 || answer.Reports[len(answer.Reports)-1].Sequence != sequence {
				t.Errorf("resident %d was told of report %d; now there are %+v, %v", r.ID, sequence, answer, err)
			}
		}
		verdict, err := again.show(w)
		if unanswered := r.ID%2 == 1 && !reported; verdict != want && !(unanswered && verdict == "suspended") {
			t.Errorf("resident %d: %q (%v), want %s", r.ID, verdict, err, want)
		}
	}
	checkLog(t, again)
	_ = again.cmd.Process.Kill()
	<-again.ended
	chainHolds(t, "--data", filepath.Join(dir, "rollcall-data"))
	t.Logf("%d cards and %d reports were acknowledged before the kill", len(told.cards), len(told.reports))
}

// checkLog reads the audit log over HTTP and follows its chain.
func checkLog(t *testing.T, p *process) (export []byte) {
	t.Helper()
	token, err := getToken(t.Context(), p.client, p.url, filepath.Join(p.dir, "rollcall-data", "demo-auditor.jwk"))
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequest("GET", p.url+"/audit", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	res, err := p.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	export, err = io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%d %v", res.StatusCode, err)
	}
	if _, err := audit.VerifyExport(bytes.NewReader(export)); err != nil {
		t.Error(err)
	}
	return export
}
