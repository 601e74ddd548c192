package openid4vci_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/openid4vci"
)

// A transaction ends when the wallet has the card (OpenID4VCI 1.0 §9.1): it may call again
// for an answer that was lost, until it has said so.
func TestATransactionEndsWhenTheWalletHasTheCard(t *testing.T) {
	w := newWallet(t)
	ctx := w.granted(t, "one", w.Resident(), false)
	waits := w.good(t, ctx, w.slow.Credential, marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "jwt")}))
	call := func() (*httptest.ResponseRecorder, response) {
		return w.send(ctx, w.vci.Deferred, marshal(t, map[string]any{"transaction_id": waits.Transaction}))
	}
	notify := func(id, event string) {
		t.Helper()
		if rec, _ := w.send(ctx, w.vci.Notify, marshal(t, map[string]any{"notification_id": id, "event": event})); rec.Code != 204 {
			t.Errorf("%s: %d %s", event, rec.Code, rec.Body)
		}
	}
	_, first := call()
	notify(first.Notice, "credential_failure")
	rec, again := call()
	if rec.Code != 200 || len(again.Credentials) != len(first.Credentials) || len(first.Credentials) == 0 {
		t.Fatalf("again: %d %.200s", rec.Code, rec.Body)
	}
	for _, event := range []string{"credential_accepted", "credential_deleted"} {
		notify(again.Notice, event)
		if rec, _ := call(); rec.Code != 400 || !strings.Contains(rec.Body.String(), `"invalid_transaction_id"`) {
			t.Errorf("after %s: %d %.200s", event, rec.Code, rec.Body)
		}
	}
}

// A transaction and a notification are of one citizen's wallet, and of their kind.
func TestWhatIsAnothersIsOfNoUse(t *testing.T) {
	w := newWallet(t)
	c := w.Resident()
	one, other := w.granted(t, "one", c, false), w.granted(t, "other", c, false) // another wallet
	third := w.granted(t, "third", w.Resident(), false, func(g *authorization.Grant) { g.Wallet = "instance of one" })
	ask := marshal(t, map[string]any{"credential_configuration_id": openid4vci.MdocID, "proofs": w.proofs(t, "jwt")})
	waits := w.good(t, one, w.slow.Credential, ask)
	got := w.good(t, one, w.vci.Credential, ask)
	w.rehearsal.Begin()
	for _, c := range []struct {
		what string
		by   context.Context
		body map[string]any
		code string
	}{
		{"another wallet's transaction", other, map[string]any{"transaction_id": waits.Transaction}, "invalid_transaction_id"},
		{"another citizen's transaction", third, map[string]any{"transaction_id": waits.Transaction}, "invalid_transaction_id"},
		{"a notification_id as a transaction", one, map[string]any{"transaction_id": got.Notice}, "invalid_transaction_id"},
	} {
		if rec, _ := w.send(c.by, w.vci.Deferred, marshal(t, c.body)); rec.Code != 400 || !strings.Contains(rec.Body.String(), c.code) || !w.rehearsal.Take().Only() {
			t.Errorf("%s: %d %.200s", c.what, rec.Code, rec.Body)
		}
	}
	for _, c := range []struct {
		what, id string
	}{{"another's card", got.Notice}, {"a transaction_id", waits.Transaction}, {"nothing", ""}} {
		rec, _ := w.send(other, w.vci.Notify, marshal(t, map[string]any{"notification_id": c.id, "event": "credential_deleted"}))
		if rec.Code != 400 || !strings.Contains(rec.Body.String(), "invalid_notification_id") || !w.rehearsal.Take().Only() {
			t.Errorf("a notification for %s: %d %.200s", c.what, rec.Code, rec.Body)
		}
	}
	w.Pass(24 * time.Hour)
	if rec, _ := w.send(one, w.vci.Deferred, marshal(t, map[string]any{"transaction_id": waits.Transaction})); rec.Code != 400 || !strings.Contains(rec.Body.String(), "invalid_transaction_id") {
		t.Errorf("a transaction that is over: %d %.200s", rec.Code, rec.Body)
	}
}
