package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// schema is an empty register in the PostgreSQL that tests have.
func schema(t *testing.T) string {
	t.Helper()
	to := os.Getenv("ROLLCALL_POSTGRES")
	if to == "" {
		t.Skip("no PostgreSQL: start one by .ci/postgres start DIR and put the address it prints into ROLLCALL_POSTGRES")
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	name := fmt.Sprintf("serve_%d", time.Now().UnixNano())
	if _, err := c.Exec(ctx, "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q := address.Query()
	q.Set("search_path", name)
	address.RawQuery = q.Encode()
	return address.String()
}

// balancer sends each request to another replica than the one before, and passes
// over those that do not answer.
type balancer struct {
	next     atomic.Uint64
	replicas []*process
	by       []atomic.Uint64
}

func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var err error
	for range b.replicas {
		n := b.next.Add(1) % uint64(len(b.replicas))
		p := b.replicas[n]
		at := strings.TrimPrefix(p.url, "https://")
		q := r.Clone(r.Context())
		q.URL.Host, q.Host = at, r.URL.Host
		if r.GetBody != nil {
			if q.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
		var res *http.Response
		if res, err = p.client.Transport.RoundTrip(q); err == nil {
			b.by[n].Add(1)
			return res, nil
		}
	}
	return nil, err
}

// replica starts the n-th replica of a service behind a balancer, in a folder of its
// own with the first one's keys. Its url is where it listens.
func replica(dir string, n int, args ...string) (*process, error) {
	folder := filepath.Join(dir, fmt.Sprint(n))
	if err := os.MkdirAll(filepath.Join(folder, "rollcall-data"), 0o700); err != nil {
		return nil, err
	}
	if n > 0 { // the same keys everywhere
		for _, f := range []string{keysFile, lockFile} {
			text, err := os.ReadFile(filepath.Join(dir, "0", "rollcall-data", f))
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, "rollcall-data", f), text, 0o600)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	p, err := start(folder, os.Environ(), args...)
	if err != nil {
		return nil, err
	}
	_, after, _ := strings.Cut(p.out.String(), "  listens ")
	at, _, _ := strings.Cut(after, "\n")
	p.url = "https://" + strings.TrimSpace(at)
	return p, nil
}

// Two replicas of the program on one database, each request to the other one: a
// card is got, shown, lost and refused as with one, and one of them may be killed.
func TestTwoReplicasAreOneService(t *testing.T) {
	database := schema(t)
	const public = "https://localhost:9"
	dir := t.TempDir()
	b := &balancer{by: make([]atomic.Uint64, 2)}
	for n := range 2 {
		p, err := replica(dir, n, "--demo", "--database", database, "--public-url", public, "--status-every", "1s")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
		b.replicas = append(b.replicas, p)
	}
	if strings.Contains(b.replicas[1].out.String(), "shown once") {
		t.Error("the second replica shows an administrator's credential, too")
	}
	whole := &process{url: public, dir: b.replicas[0].dir, client: &http.Client{Transport: b, Timeout: 20 * time.Second}}
	people := town(t, 12).Residents
	var all sync.WaitGroup
	for _, who := range people[:4] {
		all.Go(func() {
			w, err := whole.issue(who)
			if err != nil {
				t.Errorf("resident %d: %v", who.ID, err)
				return
			}
			for n := range 3 {
				if verdict, err := whole.show(w); err != nil || verdict != "accepted" {
					t.Errorf("resident %d, time %d: %q %v", who.ID, n, verdict, err)
				}
			}
			if _, err := whole.ask("demo-operator", "POST", fmt.Sprintf("/residents/%d/reports", who.ID), map[string]string{"cause": "mobile-lost", "why": "gone"}, nil); err != nil {
				t.Errorf("resident %d: %v", who.ID, err)
			}
			if verdict, err := whole.show(w); err != nil || verdict != "suspended" {
				t.Errorf("resident %d, after the report: %q %v", who.ID, verdict, err)
			}
		})
	}
	all.Wait()
	if b.by[0].Load() < 50 || b.by[1].Load() < 50 {
		t.Errorf("the replicas answered %d and %d requests", b.by[0].Load(), b.by[1].Load())
	}
	_ = b.replicas[0].cmd.Process.Kill()
	<-b.replicas[0].ended
	w, err := whole.issue(people[5])
	if err != nil {
		t.Fatalf("with one replica: %v", err)
	}
	if verdict, err := whole.show(w); err != nil || verdict != "accepted" {
		t.Errorf("with one replica: %q %v", verdict, err)
	}
}

// Two replicas read at the same time that a certificate of the service's own was revoked, and
// that a list revokes another one, and one of them is killed at any moment of it: each stands in the
// log once, and whoever is there serves.
func TestTwoReplicasNoteARevocationOnceAlsoWhenOneIsKilled(t *testing.T) {
	database := schema(t)
	k, dir, root := anotherCountry(t)
	server := newListServer(t)
	made := time.Now().Add(-time.Hour)
	var revoked []x509.RevocationListEntry
	publish := func() {
		list, err := k.RevocationList(made.Add(time.Duration(len(revoked))*time.Minute), revoked...)
		if err != nil {
			t.Fatal(err)
		}
		server.serve(list)
	}
	publish()
	var all [2]*process
	begin := func(n int) {
		p, err := replica(dir, n, "--demo", "--database", database, "--public-url", "https://localhost:9", "--card-authorities", root, "--card-revocations", server.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
		all[n] = p
	}
	begin(0)
	begin(1)
	for round, pause := range []time.Duration{-1, 0, 3 * time.Millisecond, 10 * time.Millisecond, 30 * time.Millisecond} { // until one is killed; -1: none is
		revoked = append(revoked, x509.RevocationListEntry{SerialNumber: big.NewInt(int64(0xca0 + round)), RevocationTime: made, ReasonCode: 1})
		publish()
		all[0].revokeInFile(t, all[0].inForce(t, "document"), "--reason", "superseded")
		text, err := os.ReadFile(filepath.Join(all[0].dir, "rollcall-data", keysFile))
		if err == nil {
			err = os.WriteFile(filepath.Join(all[1].dir, "rollcall-data", keysFile), text, 0o600)
		}
		for _, p := range all {
			err = errors.Join(err, p.cmd.Process.Signal(syscall.SIGHUP))
		}
		if err != nil {
			t.Fatal(err)
		}
		killed := round % 2
		if pause >= 0 {
			time.Sleep(pause)
			_ = all[killed].cmd.Process.Kill()
			<-all[killed].ended
			begin(killed)
		}
		for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			export := all[1-killed].auditLog(t)
			own, listed := bytes.Count(export, []byte(`"event":"certificate-revoked"`)), bytes.Count(export, []byte(`"list":{"authority":`))
			if own -= listed; own == round+1 && listed == round+1 {
				break
			}
			if own > round+1 || listed > round+1 || time.Now().After(end) {
				t.Fatalf("round %d: %d revocations of the service's own and %d by lists stand in the log, not %d of each", round, own, listed, round+1)
			}
		}
		for n, p := range all {
			if res, err := p.client.Get(p.url + "/readyz"); err != nil || res.StatusCode != http.StatusOK {
				t.Errorf("round %d: replica %d is not ready: %v %v", round, n, res, err)
			} else {
				_ = res.Body.Close()
			}
		}
	}
	time.Sleep(300 * time.Millisecond) // until the one that was started last has looked
	if export := all[0].auditLog(t); bytes.Count(export, []byte(`"event":"certificate-revoked"`)) != 10 || bytes.Count(export, []byte(`"serial":"ca4"`)) != 1 {
		t.Errorf("%s", export)
	}
}

// auditLog is the whole log of a replica, which holds.
func (p *process) auditLog(t *testing.T) []byte {
	t.Helper()
	public := *p
	public.client = &http.Client{Transport: &balancer{replicas: []*process{p}, by: make([]atomic.Uint64, 1)}, Timeout: 20 * time.Second}
	public.url = "https://localhost:9"
	public.dir = filepath.Join(filepath.Dir(p.dir), "0") // where the demonstration's keys are
	return checkLog(t, &public)
}

// Whoever asks two replicas in turn, as fast as they answer, is served as often as
// by one, and as often as they are allowed.
func TestTwoReplicasShareTheRates(t *testing.T) {
	client := twoThatCount(t, "--rate-address", "40")
	const takes = 3 * time.Second
	served, refused, began := 0, 0, time.Now()
	for time.Since(began) < takes {
		res, err := client.Get("https://localhost:9/.well-known/openid-credential-issuer")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		switch res.StatusCode {
		case http.StatusOK:
			served++
		case http.StatusTooManyRequests:
			refused++
		default:
			t.Fatalf("status %d", res.StatusCode)
		}
	}
	// The first 160 at once, then 40 a second.
	allowed := 160 + 40*time.Since(began).Seconds()
	t.Logf("%d served of %.0f, %d refused", served, allowed, refused)
	if float64(served) > allowed+2 || float64(served) < 0.7*allowed || refused < 50 {
		t.Errorf("%d requests were served and %d refused; %.0f are allowed", served, refused, allowed)
	}
}

// Whoever guesses at a passphrase of staff at two replicas in turn has as many guesses as
// at one.
func TestTwoReplicasShareTheGuessesAtAPassphrase(t *testing.T) {
	client := twoThatCount(t)
	looked, refused, began := 0, 0, time.Now()
	for n := range 40 {
		res, err := client.PostForm("https://localhost:9/console/sign-in", url.Values{"id": {"demo-clerk"}, "passphrase": {fmt.Sprint("guess number ", n)}})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		switch res.StatusCode {
		case http.StatusUnauthorized:
			looked++
		case http.StatusTooManyRequests:
			refused++
		default:
			t.Fatalf("status %d", res.StatusCode)
		}
	}
	// Five at once at each, then one a minute at each.
	if most := 10 + 2*int(time.Since(began)/time.Minute+1); looked < 10 || looked >= most || refused != 40-looked {
		t.Errorf("%d guesses were looked at, %d refused; 10 are allowed, and 2 a minute", looked, refused)
	}
}

// twoThatCount asks two replicas of the demonstration in turn, which know of each other.
func twoThatCount(t *testing.T, args ...string) *http.Client {
	t.Helper()
	database, dir := schema(t), t.TempDir()
	b := &balancer{by: make([]atomic.Uint64, 2)}
	for n := range 2 {
		p, err := replica(dir, n, append([]string{"--demo", "--database", database, "--public-url", "https://localhost:9"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
		b.replicas = append(b.replicas, p)
	}
	// The first one counts the second within five seconds.
	for end := time.Now().Add(time.Minute); !strings.Contains(b.replicas[0].err.String(), `"replicas":2`); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the first replica does not count the second")
		}
	}
	return &http.Client{Transport: b, Timeout: 20 * time.Second}
}
