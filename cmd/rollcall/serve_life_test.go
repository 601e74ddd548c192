package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/demo"
)

// town is the demonstration that the service was started with.
func town(t *testing.T, residents int) *demo.Town {
	t.Helper()
	s, err := scenarios.Load("announced", nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	out, err := demo.New(s, n, residents)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// ask sends JSON as a party of the demonstration, and reads JSON.
func (p *process) ask(party, method, path string, body, out any) (int, error) {
	token, err := getToken(context.Background(), p.client, p.url, filepath.Join(p.dir, "rollcall-data", party+".jwk"))
	if err != nil {
		return 0, err
	}
	text, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	q, err := http.NewRequest(method, p.url+path, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	if body == nil {
		q.Body, q.ContentLength = http.NoBody, 0
	}
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Idempotency-Key", fmt.Sprint(method, path, string(text)))
	res, err := p.client.Do(q)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && out != nil && res.StatusCode/100 == 2 {
		err = json.Unmarshal(answer, out)
	}
	if res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, answer)
	}
	return res.StatusCode, err
}

// issue lets a resident tap their card, show their face and get mobile cards.
func (p *process) issue(r *demo.Resident) (*wallet.Wallet, error) {
	ctx := context.Background()
	w, err := r.Wallet(p.client, time.Now, rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, r.ID, time.Now()))))
	if err != nil {
		return nil, err
	}
	a, err := w.Apply(ctx, p.url, openid4vci.MdocID, openid4vci.SDJWTID)
	if err != nil {
		return nil, fmt.Errorf("applying: %w", err)
	}
	challenge, err := a.Challenge(ctx)
	if err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	tap, err := r.Tap(challenge, r.PIN)
	if err != nil {
		return nil, err
	}
	token, err := a.Prove(ctx, challenge, tap.Evidence, r.Capture().Bytes())
	if err != nil {
		return nil, fmt.Errorf("proving: %w", err)
	}
	for _, config := range []string{openid4vci.MdocID, openid4vci.SDJWTID} {
		if _, err := token.Issue(ctx, config, wallet.Ask{Copies: 3}); err != nil {
			return nil, fmt.Errorf("issuing: %w", err)
		}
	}
	return w, nil
}

// show lets the shop ask for the age and the wallet answer, and is the verdict.
func (p *process) show(w *wallet.Wallet) (string, error) {
	ctx := context.Background()
	var begun struct {
		ID      string `json:"transaction"`
		Request string `json:"authorization_request"`
	}
	if _, err := p.ask("demo-shop", "POST", "/vp/transactions", map[string]any{"elements": []string{"age_over_19"}}, &begun); err != nil {
		return "", err
	}
	r, err := w.Open(ctx, begun.Request)
	if err != nil {
		return "", err
	}
	choices, err := w.Choose(r)
	if err != nil {
		return "", err
	}
	_, answered := w.Answer(ctx, r, choices) // a card that is suspended may be refused at once
	var out struct {
		Verdict string `json:"verdict"`
	}
	if _, err := p.ask("demo-shop", "GET", "/vp/transactions/"+begun.ID, nil, &out); err != nil {
		return "", fmt.Errorf("%w (the wallet: %v)", err, answered)
	}
	return out.Verdict, nil
}

func TestACardIsIssuedShownLostRefusedFoundAndAcceptedOverHTTP(t *testing.T) {
	dir := t.TempDir()
	p, err := start(dir, os.Environ(), "--demo")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	who := town(t, 12).Residents[0]
	w, err := p.issue(who)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.err)
	}
	want := func(verdict string) {
		t.Helper()
		if got, err := p.show(w); err != nil || got != verdict {
			t.Fatalf("the verdict is %q (%v), want %s\n%s", got, err, verdict, p.err)
		}
	}
	want("accepted")
	var receipt struct {
		Sequence uint64 `json:"sequence"`
	}
	path := fmt.Sprintf("/residents/%d", who.ID)
	if _, err := p.ask("demo-operator", "POST", path+"/reports", map[string]string{"cause": "physical-lost", "why": "left in a taxi"}, &receipt); err != nil {
		t.Fatal(err)
	}
	want("suspended")

	// A crash loses nothing of it.
	listen := strings.TrimPrefix(strings.Replace(p.url, "localhost", "127.0.0.1", 1), "https://")
	_ = p.cmd.Process.Kill()
	<-p.ended
	p2, err := start(dir, os.Environ(), "--demo", "--listen", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p2.cmd.Process.Kill(); <-p2.ended }()
	p.err, p.client = p2.err, p2.client
	want("suspended")
	if status, _ := p.ask("demo-operator", "POST", path+"/releases", map[string]any{"cause": "physical-lost", "sequence": receipt.Sequence, "why": "he calls"}, nil); status != 403 {
		t.Errorf("the loss line releases a plastic card that nobody has seen: %d", status)
	}
	if _, err := p.ask("demo-clerk", "POST", path+"/releases", map[string]any{"cause": "physical-lost", "sequence": receipt.Sequence, "why": "shown at the counter"}, nil); err != nil {
		t.Fatal(err)
	}
	want("accepted")
	for _, secret := range []string{who.Name, who.Romanised, who.Document} {
		if strings.Contains(p.err.String(), secret) {
			t.Errorf("the log tells of %s", secret)
		}
	}
}

// While document signers change, cards are issued without a pause, and those that
// the one before has signed stay good.
func TestCardsAreIssuedWhileTheSignersKeyIsRotated(t *testing.T) {
	dir := t.TempDir()
	p, err := start(dir, os.Environ(), "--demo", "--demo-residents", "20")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	path, err := exec.LookPath("rollcall")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var issued []*wallet.Wallet
	var applicants sync.WaitGroup
	queue := make(chan *demo.Resident)
	for range 2 {
		applicants.Go(func() {
			for r := range queue {
				w, err := p.issue(r)
				if err != nil {
					t.Errorf("resident %d: %v", r.ID, err)
					continue
				}
				mu.Lock()
				issued = append(issued, w)
				mu.Unlock()
			}
		})
	}
	for n, r := range town(t, 20).Residents {
		if !r.Chip() {
			continue
		}
		queue <- r
		if n%4 == 1 {
			rotate := exec.Command(path, "keys", "rotate", "document", "--in", "1ms")
			rotate.Dir = dir
			if out, err := rotate.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(queue)
	applicants.Wait()
	signers := map[string]int{}
	for _, w := range issued {
		for _, c := range w.Copies() {
			signers[signerOf(t, c)]++
		}
		if verdict, err := p.show(w); err != nil || verdict != "accepted" {
			t.Errorf("%q %v", verdict, err)
		}
	}
	if len(issued) != 16 || len(signers) < 3 {
		t.Errorf("%d cards, by the signers %v", len(issued), signers)
	}
}

// signerOf is the certificate with which a copy was signed, by its SD-JWT's header.
func signerOf(t *testing.T, c wallet.Copy) string {
	t.Helper()
	if c.Config != openid4vci.SDJWTID {
		return "" // an mdoc's is not read here
	}
	header, _, _ := bytes.Cut(c.Credential, []byte("."))
	sum := sha256.Sum256(header)
	return fmt.Sprintf("%x", sum[:4])
}
