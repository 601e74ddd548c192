package demo

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/scenarios"
)

// The emulated wallet gets a card from a service that runs, and goes through the
// requests of another maker's verifier: readers/service/verifier.mjs, which says
// where they are and judges the answers.
func TestWalletAnswersAnotherMakersVerifier(t *testing.T) {
	service, verifier := os.Getenv("ROLLCALL_SERVICE"), os.Getenv("ROLLCALL_VERIFIER")
	if service == "" || verifier == "" {
		t.Skip("ROLLCALL_SERVICE and ROLLCALL_VERIFIER are not set: .ci/run service sets them")
	}
	trusted, err := os.ReadFile(os.Getenv("ROLLCALL_TRUSTED"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(trusted) {
		t.Fatal("ROLLCALL_TRUSTED has no certificates")
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}

	s, err := scenarios.Load("announced", nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	town, err := New(s, n, 12) // as many as serve --demo has
	if err != nil {
		t.Fatal(err)
	}
	citizen := town.Residents[6]
	w, err := citizen.Wallet(client, time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	held(ctx, t, w, service, citizen)

	res, err := client.Get(verifier)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var cases []struct {
		Name, Link string
		Refused    bool
	}
	if err := json.NewDecoder(res.Body).Decode(&cases); err != nil || len(cases) == 0 {
		t.Fatalf("%d requests: %v", len(cases), err)
	}
	for _, c := range cases {
		err := answered(ctx, w, c.Link)
		switch {
		case c.Refused && err == nil:
			t.Errorf("the wallet answers %s", c.Name)
		case !c.Refused && err != nil:
			t.Errorf("the wallet does not answer %s: %v", c.Name, err)
		case err != nil:
			t.Logf("%s: %v", c.Name, err)
		}
	}
}

func held(ctx context.Context, t *testing.T, w *wallet.Wallet, service string, citizen *Resident) {
	t.Helper()
	a, err := w.Apply(ctx, service, "rrc_mdoc", "rrc_sd_jwt")
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := a.Challenge(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tap, err := citizen.Tap(challenge, citizen.PIN)
	if err != nil {
		t.Fatal(err)
	}
	token, err := a.Prove(ctx, challenge, tap.Evidence, citizen.Capture().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.Issue(ctx, "rrc_mdoc", wallet.Ask{Copies: 3, JWT: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := token.Issue(ctx, "rrc_sd_jwt", wallet.Ask{Copies: 3, Encrypt: jwe.A256GCM}); err != nil {
		t.Fatal(err)
	}
}

// answered opens a request, and shows what answers it.
func answered(ctx context.Context, w *wallet.Wallet, link string) error {
	r, err := w.Open(ctx, link)
	if err != nil {
		return err
	}
	choices, err := w.Choose(r)
	if err != nil {
		return err
	}
	_, err = w.Answer(ctx, r, choices)
	return err
}
