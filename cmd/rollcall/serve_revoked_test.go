package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/statuslist"
)

// revoke revokes a certificate of the running service, and waits until its list says so.
func (p *process) revoke(t *testing.T, list string, args ...string) *x509.RevocationList {
	t.Helper()
	before := p.revoked(t, list)
	p.revokeInFile(t, args...)
	again := strings.Count(p.err.String(), "the keys were read again")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if after := p.revoked(t, list); after.Number.Cmp(before.Number) > 0 && len(after.RevokedCertificateEntries) > len(before.RevokedCertificateEntries) &&
			strings.Count(p.err.String(), "the keys were read again") > again {
			return after
		}
		if time.Now().After(end) {
			t.Fatalf("the list does not change\n%s", p.err)
		}
	}
}

// revokeInFile revokes a certificate in the file of keys, which the service has yet to read again.
func (p *process) revokeInFile(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("rollcall")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, append([]string{"keys", "revoke"}, args...)...)
	c.Dir = p.dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// notedRevocations finds so many revocations in the audit log, which holds.
func (p *process) notedRevocations(t *testing.T, want int) {
	t.Helper()
	time.Sleep(200 * time.Millisecond) // a service that was just started is about to look
	export := checkLog(t, p)
	if n := bytes.Count(export, []byte(`"event":"certificate-revoked","person":0,"actor":"serve","role":"administrator","reason":"`)); n != want {
		t.Errorf("%d revocations stand in the log, not %d", n, want)
	}
}

func (p *process) fetch(t *testing.T, path string) []byte {
	t.Helper()
	res, err := p.client.Get(p.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", path, res.StatusCode, err)
	}
	return body
}

func (p *process) revoked(t *testing.T, path string) *x509.RevocationList {
	t.Helper()
	list, err := x509.ParseRevocationList(p.fetch(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// inForce is the ID of the last key of a use.
func (p *process) inForce(t *testing.T, use string) string {
	t.Helper()
	path, err := exec.LookPath("rollcall")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(path, "keys", "list")
	c.Dir = p.dir
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^`+use+` +([0-9a-f]{12}) `).FindAllStringSubmatch(string(out), -1)
	if len(found) == 0 {
		t.Fatalf("%s", out)
	}
	return found[len(found)-1][1]
}

// Nothing pauses: cards are issued and lists published by the next signer at once. What the
// revoked one has signed is refused everywhere.
func TestSignersAndVerifiersOfARunningServiceAreRevoked(t *testing.T) {
	dir := t.TempDir()
	p, err := start(dir, os.Environ(), "--demo", "--status-every", "1h") // a publication that nobody waits for
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	who := town(t, 12).Residents[0]
	old, err := p.issue(who)
	if err != nil {
		t.Fatal(err)
	}
	if verdict, err := p.show(old); err != nil || verdict != "accepted" {
		t.Fatalf("%q %v", verdict, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "rollcall-data", iacaFile))
	if err != nil {
		t.Fatal(err)
	}
	root, _ := pem.Decode(text)
	anchors, err := mdoc.NewTrustAnchors(root.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Lists []string `json:"status_lists"`
	}
	if err := json.Unmarshal(p.fetch(t, "/status-lists"), &all); err != nil || len(all.Lists) == 0 {
		t.Fatal(err)
	}
	statusList := func() []byte { return p.fetch(t, strings.TrimPrefix(all.Lists[0], p.url)) }
	before := statusList()

	// The document signer.
	if list := p.revoke(t, "/iaca.crl", p.inForce(t, "document"), "--reason", "key-compromise"); list.RevokedCertificateEntries[0].ReasonCode != 1 {
		t.Errorf("%+v", list.RevokedCertificateEntries)
	}
	if verdict, err := p.show(old); err != nil || verdict != "not-valid" {
		t.Errorf("a card by the revoked signer: %q %v", verdict, err)
	}
	again, err := p.issue(who)
	if err != nil {
		t.Fatalf("the card is not issued again: %v", err)
	}
	if verdict, err := p.show(again); err != nil || verdict != "accepted" {
		t.Errorf("the card issued again: %q %v", verdict, err)
	}

	// The status list signer.
	list := p.revoke(t, "/iaca.crl", p.inForce(t, "status"), "--reason", "superseded")
	if err := anchors.Revoked(list.Raw, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := statuslist.ParseJWT(before, anchors, time.Now()); err == nil {
		t.Error("a list by the revoked signer is accepted")
	}
	if _, err := statuslist.ParseJWT(statusList(), anchors, time.Now()); err != nil {
		t.Errorf("the list served now: %v", err)
	}

	// A verifier.
	p.revoke(t, "/authority.crl", "--party", "demo-shop", "--name", "Convenience store")
	if status, err := p.ask("demo-shop", "POST", "/vp/transactions", map[string]any{"elements": []string{"age_over_19"}}, nil); status != http.StatusForbidden || !strings.Contains(fmt.Sprint(err), "access_denied") {
		t.Errorf("the revoked verifier asks: %d %v", status, err)
	}
	if _, err := p.ask("demo-bank", "POST", "/vp/transactions", map[string]any{"elements": []string{"age_over_19"}}, nil); err != nil {
		t.Errorf("another verifier asks: %v", err)
	}

	p.notedRevocations(t, 3)

	// A restart forgets nothing of it.
	_ = p.cmd.Process.Kill()
	<-p.ended
	listen := strings.TrimPrefix(strings.Replace(p.url, "localhost", "127.0.0.1", 1), "https://")
	p2, err := start(dir, os.Environ(), "--demo", "--listen", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p2.cmd.Process.Kill(); <-p2.ended }()
	if n := len(p2.revoked(t, "/iaca.crl").RevokedCertificateEntries); n != 2 {
		t.Errorf("after a restart the list has %d entries", n)
	}
	p2.notedRevocations(t, 3)
	bank := "demo-bank"
	var begun struct {
		ID      string `json:"transaction"`
		Request string `json:"authorization_request"`
	}
	if _, err := p2.ask(bank, "POST", "/vp/transactions", map[string]any{"elements": []string{"age_over_19"}}, &begun); err != nil {
		t.Fatal(err)
	}
	r, err := old.Open(context.Background(), begun.Request)
	if err != nil {
		t.Fatal(err)
	}
	choices, err := old.Choose(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Answer(context.Background(), r, choices); err == nil {
		t.Error("after a restart a card by the revoked signer is accepted")
	}
}

// The country of the IC cards revokes their signer: the operator reads it in the log, whoever
// taps is told what everybody is told whose card does not verify.
func TestACardOfARevokedSignerIsRefusedLikeAnyThatDoesNotVerify(t *testing.T) {
	dir := t.TempDir()
	p, err := start(dir, os.Environ(), "--demo")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	people := town(t, 12).Residents
	held, err := p.issue(people[0])
	if err != nil {
		t.Fatal(err)
	}
	w, err := people[1].Wallet(p.client, time.Now, rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	// A clone's answer to the challenge is wrong.
	ctx := context.Background()
	tap := func(change func(*phone.Tap)) error {
		a, err := w.Apply(ctx, p.url, openid4vci.MdocID)
		if err != nil {
			t.Fatal(err)
		}
		challenge, err := a.Challenge(ctx)
		if err != nil {
			t.Fatal(err)
		}
		tapped, err := people[1].Tap(challenge, people[1].PIN)
		if err != nil {
			t.Fatal(err)
		}
		change(tapped)
		_, err = a.Prove(ctx, challenge, tapped.Evidence, people[1].Capture().Bytes())
		return err
	}
	clone := tap(func(t *phone.Tap) { t.Evidence.Signature[5] ^= 1 })

	path, err := exec.LookPath("rollcall")
	if err != nil {
		t.Fatal(err)
	}
	revoke := exec.Command(path, "card", "revoke", "--reason", "key-compromise")
	revoke.Dir = dir
	if out, err := revoke.CombinedOutput(); err != nil || !strings.Contains(string(out), "is revoked: key-compromise") {
		t.Fatalf("%v: %s", err, out)
	}
	again := strings.Count(p.err.String(), "the lists of revoked IC card signers were read again")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); strings.Count(p.err.String(), "the lists of revoked IC card signers were read again") == again; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the lists are not read again\n%s", p.err)
		}
	}
	if l := p.revoked(t, "/demo/csca.crl"); len(l.RevokedCertificateEntries) != 1 {
		t.Errorf("%+v", l)
	}
	refused := tap(func(*phone.Tap) {})
	if clone == nil || refused == nil || clone.Error() != refused.Error() {
		t.Errorf("a clone is told %v, the card of a revoked signer %v", clone, refused)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) { // the log comes through a pipe
		log := p.err.String()
		if n := strings.Count(log, `"signer":"revoked"`); n == 1 && strings.Contains(log, "was revoked by") {
			break
		} else if n > 1 || time.Now().After(end) {
			t.Fatalf("the log does not say why, once\n%s", log)
		}
	}
	// Mobile cards that were issued before are the service's own, and stay.
	if verdict, err := p.show(held); err != nil || verdict != "accepted" {
		t.Errorf("a card issued before: %q %v", verdict, err)
	}

	// A restart forgets nothing of it.
	_ = p.cmd.Process.Kill()
	<-p.ended
	p2, err := start(dir, os.Environ(), "--demo")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p2.cmd.Process.Kill(); <-p2.ended }()
	if _, err := p2.issue(people[2]); err == nil || !strings.Contains(err.Error(), "card-not-genuine") {
		t.Errorf("after a restart: %v", err)
	}
}

// anotherCountry makes cards, and its root is a file in a folder.
func anotherCountry(t *testing.T) (k *iccard.IssuerKit, dir, root string) {
	t.Helper()
	k, err := iccard.NewIssuerKit([]byte("another country"), time.Now().AddDate(-1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	root = filepath.Join(dir, "country.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.CountryCA}), 0o600); err != nil {
		t.Fatal(err)
	}
	return k, dir, root
}

// Who revokes a key in other hands does not wait for the server of another authority's list,
// which may be slow, down, or held up by whoever has the key.
func TestARevocationDoesNotWaitForAServerThatDoesNotAnswer(t *testing.T) {
	k, dir, root := anotherCountry(t)
	list, err := k.RevocationList(time.Now().UTC().Truncate(time.Second).Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var silent atomic.Bool
	asked, end := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			asked <- struct{}{}
			<-end
			return
		}
		_, _ = w.Write(list)
	}))
	defer server.Close()
	defer close(end)
	p, err := start(dir, os.Environ(), "--demo", "--card-authorities", root, "--card-revocations", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	silent.Store(true)
	began := time.Now()
	p.revoke(t, "/iaca.crl", p.inForce(t, "document"), "--reason", "key-compromise")
	if took := time.Since(began); took > listPatience/2 {
		t.Errorf("it took %v", took)
	}
	select {
	case <-asked:
	case <-time.After(time.Minute):
		t.Error("the server was not asked: the signal does not bring its list")
	}
}
