package main

import (
	"context"
	"encoding/pem"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/sim/demo"
)

// listing signs a maker's lists with the key by which it attests.
type listing struct{ *phone.Maker }

func (l listing) Certificate() []byte { return l.Attestation }

// A maker of phones and a provider of wallets say by lists of their own, on their own
// servers, what of that which they have attested no longer stands.
func TestWhatAMakerHasRevokedByItsListGetsNoCard(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("whom the service believes over https is said by SSL_CERT_FILE")
	}
	_, maker, provider, err := demo.Makers()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	is := map[string]statuslist.Status{}
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		l, err := statuslist.New(2, 8)
		if err == nil {
			err = l.Set(3, is[r.URL.Path])
		}
		by := map[string]*phone.Maker{"/keys": maker, "/wallets": provider.Maker}[r.URL.Path]
		if err != nil || by == nil {
			http.NotFound(w, r)
			return
		}
		token, err := statuslist.Token{Subject: server.URL + r.URL.Path, IssuedAt: time.Now().Truncate(time.Second), TTL: time.Second, List: l}.SignJWT(listing{by})
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(token)
	}))
	defer server.Close()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := start(t.TempDir(), append(os.Environ(), "SSL_CERT_FILE="+roots), "--demo", "--all-open")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	resident := town(t, 1).Residents[0]
	apply := func() error {
		ctx := context.Background()
		w, err := wallet.New(wallet.Options{HTTP: p.client, Now: time.Now, Random: rand.NewChaCha8([32]byte{9}), Maker: maker, Provider: provider, Seed: []byte("attested by name"),
			KeyStatus: &mdoc.StatusRef{URI: server.URL + "/keys", Index: 3}, AppStatus: &mdoc.StatusRef{URI: server.URL + "/wallets", Index: 3}})
		if err != nil {
			return err
		}
		a, err := w.Apply(ctx, p.url, openid4vci.MdocID)
		if err != nil {
			return err
		}
		challenge, err := a.Challenge(ctx)
		if err != nil {
			return err
		}
		tap, err := resident.Tap(challenge, resident.PIN)
		if err != nil {
			return err
		}
		token, err := a.Prove(ctx, challenge, tap.Evidence, resident.Capture().Bytes())
		if err != nil {
			return err
		}
		_, err = token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 2})
		return err
	}
	for _, c := range []struct {
		path string
		is   statuslist.Status
		want string
	}{
		{"/keys", statuslist.Valid, ""}, {"/keys", statuslist.Invalid, "invalid_proof"}, {"/keys", statuslist.Valid, ""},
		{"/wallets", statuslist.Suspended, "invalid_client_attestation"}, {"/wallets", statuslist.Valid, ""},
	} {
		mu.Lock()
		is[c.path] = c.is
		mu.Unlock()
		time.Sleep(1100 * time.Millisecond) // past the ttl
		if err := apply(); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s is %s: %v; want %q", c.path, c.is, err, c.want)
		}
	}
	server.Close()
	time.Sleep(1100 * time.Millisecond)
	if err := apply(); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("without the lists: %v", err)
	}
	logged := func() bool {
		log := p.err.String()
		return strings.Contains(log, "cannot be had") && strings.Contains(log, server.URL+"/wallets")
	}
	for late := time.Now().Add(time.Minute); !logged(); time.Sleep(10 * time.Millisecond) { // what is logged comes by a pipe, after the answer
		if time.Now().After(late) {
			t.Fatalf("the log: %s", p.err)
		}
	}
}
