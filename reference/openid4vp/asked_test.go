package openid4vp_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
)

// What is too long for a QR code is kept, and is the same transaction to everybody.
func TestALongQuestionHasAShortIdentifier(t *testing.T) {
	w := newWorld(t)
	id, a := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "purpose": strings.Repeat("x", 200)})
	if n := len(fmt.Sprint(a.body["authorization_request"])); n > 400 || len(id) != 43 {
		t.Errorf("%d bytes with the identifier %q", n, id)
	}
	q := w.fetch(id, true)
	w.outcome(bank, id).refused(t, "another party's transaction", 404, "invalid_request")
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}).refused(t, "again", 400, "invalid_request")
	if a := w.outcome(shop, id); a.body["verdict"] != "accepted" || a.body["purpose"] != strings.Repeat("x", 200) {
		t.Errorf("%+v", a)
	}
}

func TestAnIdentifierThatWasChangedIsUnknown(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	for i := range id {
		b := []byte(id)
		b[i] = map[bool]byte{true: 'B', false: 'A'}[b[i] == 'A']
		w.outcome(shop, string(b)).refused(t, "a changed identifier", 404, "invalid_request")
		w.do(access.Caller{}, "GET", "/vp/request/"+string(b), "", "").refused(t, "its request", 404, "invalid_request")
	}
}

func TestRequestUriMethodPost(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	if q := w.fetch(id, true); q.WalletNonce != "mine" {
		t.Errorf("the request has the wallet's nonce %q", q.WalletNonce)
	}
	anyone := access.Caller{Role: access.Anyone}
	if a := w.do(anyone, "POST", "/vp/request/"+id, "application/x-www-form-urlencoded", ""); a.status != 200 || strings.Contains(a.text, "wallet_nonce") {
		t.Errorf("without a nonce: %+v", a)
	}
	w.do(anyone, "POST", "/vp/request/"+id, "application/json", "{}").refused(t, "a body that is no form", 415, "invalid_request")
	w.do(anyone, "POST", "/vp/request/"+id, "application/x-www-form-urlencoded", "wallet_nonce=a&wallet_nonce=b").refused(t, "two nonces", 400, "invalid_request")
}

func TestRequestUriFetchedTwice(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	first, again := w.fetch(id, false), w.fetch(id, true)
	if first.Nonce != again.Nonce || first.ResponseURI != again.ResponseURI {
		t.Error("the same transaction has two requests")
	}
	if a := w.send(first, map[string][]string{"rrc_mdoc": {w.showMdoc(first)}}); a.status != 200 {
		t.Errorf("%+v", a)
	}
}

func TestAPartyAsksOnlyForWhatItMayAndSeesOnlyItsOwn(t *testing.T) {
	w := newWorld(t)
	_, a := w.begin(shop, map[string]any{"elements": []string{"age_over_19", "family_name"}})
	a.refused(t, "a name for a shop", 403, "insufficient_scope")
	_, a = w.begin(bank, map[string]any{"elements": []string{"shoe_size"}})
	a.refused(t, "an element that does not exist", 400, "invalid_request")
	_, a = w.begin(bank, map[string]any{})
	a.refused(t, "nothing", 400, "invalid_request")
	query := func(claims string) map[string]any {
		return map[string]any{"dcql_query": json.RawMessage(`{"credentials":[{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["` + sdjwt.Type + `"]},"claims":` + claims + `}]}`)}
	}
	_, a = w.begin(shop, query(`[{"path":["family_name"]}]`))
	a.refused(t, "a name by DCQL", 403, "insufficient_scope")
	_, a = w.begin(shop, query(`[{"path":["age_equal_or_over"]}]`))
	a.refused(t, "all ages for one", 403, "insufficient_scope")
	if _, a = w.begin(shop, query(`[{"path":["age_equal_or_over","19"]}]`)); a.status != 201 {
		t.Errorf("%+v", a)
	}
	_, a = w.begin(shop, query(`[]`))
	a.refused(t, "a query that is none", 400, "invalid_request")
	id := w.age(shop)
	w.outcome(bank, id).refused(t, "another party's transaction", 404, "invalid_request")
	w.outcome(shop, "made-up").refused(t, "a made-up transaction", 404, "invalid_request")
	w.do(access.Caller{}, "GET", "/vp/request/made-up", "", "").refused(t, "a made-up request", 404, "invalid_request")
}

// An age is one that cards have, of two digits (ISO/IEC 18013-5 §7.2.5), also for a party that
// was registered for another name when any was taken.
func TestAnAgeIsAskedForThatCardsHave(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"age_over_abc", "age_over_7", "age_over_019", "age_over_21", "age_over_"} {
		old := shop
		old.Elements = []string{"age_over_19", name}
		_, a := w.begin(old, map[string]any{"elements": []string{name}})
		a.refused(t, name, 400, "invalid_request")
		for format, query := range map[string]string{
			dcql.Mdoc:  `{"id":"a","format":"mso_mdoc","meta":{"doctype_value":"` + mdoc.DocType + `"},"claims":[{"path":["` + mdoc.Namespace + `","` + name + `"]}]}`,
			dcql.SDJWT: `{"id":"a","format":"dc+sd-jwt","meta":{"vct_values":["` + sdjwt.Type + `"]},"claims":[{"path":["age_equal_or_over","` + strings.TrimPrefix(name, "age_over_") + `"]}]}`,
		} {
			_, a := w.begin(old, map[string]any{"dcql_query": json.RawMessage(`{"credentials":[` + query + `]}`)})
			a.refused(t, name+" by DCQL as "+format, 403, "insufficient_scope")
		}
	}
}

func TestAQueryAsksForBothFormatsOfOurOwnAuthorities(t *testing.T) {
	w := newWorld(t)
	q, err := dcql.Parse(w.fetch(w.age(shop), false).Query)
	check(t, err)
	choices, err := q.Choose([]dcql.Held{{Format: dcql.SDJWT, Type: sdjwt.Type, HolderBound: true,
		AuthorityKeyIDs: q.Credentials[1].Authorities[0].Values, Claims: map[string]any{"age_equal_or_over": map[string]any{"19": true}}}})
	if err != nil || len(choices) != 1 || choices[0].Query != "rrc_sd_jwt" {
		t.Errorf("%v, %v", choices, err)
	}
}

// What was begun before is not answered either: the wallet keeps what it has, or the
// answer is refused unread.
func TestAVerifierWhoseCertificateWasRevokedGetsNoAnswer(t *testing.T) {
	w := newWorld(t)
	fetched, unfetched := w.age(shop), w.age(shop)
	q := w.fetch(fetched, false)
	w.revoked = shop.ID
	_, a := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}})
	a.refused(t, "asking", 403, "access_denied")
	anyone := access.Caller{Role: access.Anyone}
	w.do(anyone, "GET", "/vp/request/"+unfetched, "", "").refused(t, "fetching the request", 400, "invalid_request")
	w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}).refused(t, "answering", 400, "invalid_request")
	if a := w.outcome(shop, fetched); a.body["state"] != "waiting" {
		t.Errorf("the verifier is told %s", a.text)
	}
	q = w.fetch(w.age(bank), false)
	if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
		t.Errorf("another verifier's wallet: %+v", a)
	}
}
