package authorization_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/json"
	"net/url"
	"testing"

	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/suspension"
)

// renewing is a good request for a token by a refresh token.
func renewing(refresh string) url.Values {
	return url.Values{"client_id": {clientID}, "grant_type": {"refresh_token"}, "refresh_token": {refresh}}
}

// coded is a good request for a token by the code that a card and a face have got.
func (w *wallet) coded(t *testing.T) url.Values {
	t.Helper()
	w.as(t, "instance", "dpop")
	uri := w.good(t, push, pushing().Encode(), "request_uri")
	return redeeming(t, w.good(t, evidence, marshal(t, proof(w.citizen, uri, w.challenged(t, uri))), "redirect_uri"))
}

// A wallet that was reported lost gets no refresh token after the one that it has, which
// ends by itself: whoever found it would have its citizen's data for as long as the card
// lasts. Released, it gets them again; a new plastic card ends them with the mobile card.
func TestRefreshTokensFollowEachOtherWhileTheWalletHoldsTheCardAndIsNotLost(t *testing.T) {
	w := newWallet(t)
	by := w.coded(t)
	w.as(t, "instance", "dpop")
	var g authorization.Grant
	rec := w.send(token, by.Encode())
	access, refresh := text(t, rec.Body.Bytes(), "access_token"), text(t, rec.Body.Bytes(), "refresh_token")
	_, err := w.keys.Open("access token", access, w.Now(), &g)
	check(t, err)
	follows := func(when string, want bool) {
		t.Helper()
		w.as(t, "instance", "dpop")
		rec := w.send(token, renewing(refresh).Encode())
		if got := text(t, rec.Body.Bytes(), "refresh_token") != ""; rec.Code != 200 || got != want {
			t.Errorf("%s: %d, followed by another: %t", when, rec.Code, got)
		}
	}
	follows("before the card is issued", false)
	ctx := context.Background()
	a, err := w.Issuance.IssueApproved(ctx, issuance.ApprovedRequest{Request: w.Request(register.Citizen(w.citizen.ID)), Approval: *g.Approval,
		Phone: issuance.Phone{Wallet: g.Wallet, Keys: []*ecdsa.PublicKey{&servicetest.Key("device").PublicKey}}, Format: issuance.Mdoc})
	check(t, err)
	if a.Reason != lifecycle.Granted {
		t.Fatal(a.Reason)
	}
	follows("it holds the card", true)
	// A wallet may ask for less; the next refresh token gives what the one before did (RFC 6749 §6).
	scoped := func(scope string) (int, string, string) {
		w.as(t, "instance", "dpop")
		form := renewing(refresh)
		form.Set("scope", scope)
		rec := w.send(token, form.Encode())
		if next := text(t, rec.Body.Bytes(), "refresh_token"); rec.Code == 200 {
			refresh = next
		}
		return rec.Code, text(t, rec.Body.Bytes(), "scope"), text(t, rec.Body.Bytes(), "error")
	}
	for _, c := range []struct {
		asks   string
		status int
		gets   string
		error  string
	}{{"self", 200, "self", ""}, {"", 200, "self rrc_mdoc", ""}, {"rrc_mdoc", 200, "self rrc_mdoc", ""}, {"rrc_mdoc rrc_sd_jwt", 400, "", "invalid_scope"}, {"another", 400, "", "invalid_scope"}} {
		if status, gets, error := scoped(c.asks); status != c.status || gets != c.gets || error != c.error {
			t.Errorf("who asks for %q gets %d %q %s, not %d %q %s", c.asks, status, gets, error, c.status, c.gets, c.error)
		}
	}
	report := func(cause lifecycle.Causes) uint64 {
		r, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.Request(register.By{Actor: "op", Role: lifecycle.CallCentre}), Person: w.citizen.ID, Cause: cause})
		check(t, err)
		return r.Sequence
	}
	report(lifecycle.PhysicalLost)
	follows("the plastic card is lost", true)
	sequence := report(lifecycle.MobileLost)
	follows("the phone is lost", false)
	_, err = w.Suspension.Release(ctx, suspension.ReleaseRequest{Request: w.Request(register.By{Actor: "clerk", Role: lifecycle.Clerk}), Person: w.citizen.ID, Cause: lifecycle.MobileLost, Sequence: sequence})
	check(t, err)
	follows("the phone was found", true)
	_, err = w.Issuance.Remove(ctx, issuance.RemovalRequest{Request: w.Request(servicetest.Registrar), Person: w.citizen.ID, Why: "died"})
	check(t, err)
	follows("the citizen was removed", false)
}

// A register that was restored from an older backup does not know who came since: a wallet
// gets a token, by which it is told so, and no error of the server.
func TestARegisterThatWasRestoredMayNotKnowWhoRefreshes(t *testing.T) {
	w := newWallet(t)
	by := w.coded(t)
	w.as(t, "instance", "dpop")
	var g authorization.Grant
	_, err := w.keys.Open("refresh token", w.good(t, token, by.Encode(), "refresh_token"), w.Now(), &g)
	check(t, err)
	g.Person = 1 << 40
	refresh, err := w.keys.Seal(sha256.Sum256([]byte("of a citizen who came later")), "refresh token", w.Now().Add(authorization.RefreshLife), g)
	check(t, err)
	w.as(t, "instance", "dpop")
	rec := w.send(token, renewing(refresh).Encode())
	if rec.Code != 200 || text(t, rec.Body.Bytes(), "access_token") == "" || text(t, rec.Body.Bytes(), "refresh_token") != "" {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// text is a member of an answer.
func text(t *testing.T, body []byte, name string) string {
	t.Helper()
	var answer map[string]any
	check(t, json.Unmarshal(body, &answer))
	value, _ := answer[name].(string)
	return value
}
