package openid4vp_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/suspension"
)

// claims are those of a signed request, as JSON has them.
func (w *world) claims(id string) map[string]any {
	w.t.Helper()
	a := w.do(access.Caller{Role: access.Anyone}, "GET", "/vp/request/"+id, "", "")
	token, err := jws.Parse([]byte(a.text))
	check(w.t, err)
	payload, err := token.Payload()
	check(w.t, err)
	var claims map[string]any
	check(w.t, json.Unmarshal(payload, &claims))
	return claims
}

// OpenID4VP 1.0 §5.1, Appendices B.2.2 and B.3.4; HAIP 1.0 §5.
func TestARequestSaysHowToAnswerIt(t *testing.T) {
	w := newWorld(t)
	q := w.claims(w.age(shop))
	metadata, _ := json.Marshal(q["client_metadata"])
	var m struct {
		Keys struct {
			Keys []map[string]string `json:"keys"`
		} `json:"jwks"`
		Encryption []string                    `json:"encrypted_response_enc_values_supported"`
		Formats    map[string]map[string][]any `json:"vp_formats_supported"`
	}
	check(t, json.Unmarshal(metadata, &m))
	if len(m.Keys.Keys) != 1 {
		t.Fatalf("%s", metadata)
	}
	key := m.Keys.Keys[0]
	for name, want := range map[string]string{"kty": "EC", "crv": "P-256", "use": "enc", "alg": "ECDH-ES", "kid": "answer", "d": ""} {
		if key[name] != want {
			t.Errorf("the key's %s is %q, want %q", name, key[name], want)
		}
	}
	if !slices.Equal(m.Encryption, []string{"A128GCM", "A256GCM"}) {
		t.Errorf("encrypted with %q", m.Encryption)
	}
	if got := fmt.Sprint(m.Formats); got != "map[dc+sd-jwt:map[kb-jwt_alg_values:[ES256] sd-jwt_alg_values:[ES256]] mso_mdoc:map[deviceauth_alg_values:[-7] issuerauth_alg_values:[-7]]]" {
		t.Errorf("formats: %s", got)
	}
	now := servicetest.Noon
	if q["iat"] != float64(now.Unix()) || q["exp"] != float64(now.Add(5*time.Minute).Unix()) {
		t.Errorf("from %v to %v", q["iat"], q["exp"])
	}
	if _, there := q["redirect_uri"]; there {
		t.Error("a redirect_uri stands beside the response_uri")
	}
}

// HAIP 1.0 §5: whose cards are wanted is said of both formats, by the key identifier in the
// issuer's certificate.
func TestBothFormatsAreAskedForByTheirAuthority(t *testing.T) {
	w := newWorld(t)
	signer, err := servicetest.Authorities().Anchors.DocumentSigner([][]byte{servicetest.Authorities().DS.Certificate()}, w.Now())
	check(t, err)
	q, err := dcql.Parse(w.fetch(w.age(shop), false).Query)
	check(t, err)
	if len(q.Credentials) != 2 || len(q.Sets) != 1 {
		t.Fatalf("%+v", q)
	}
	for _, c := range q.Credentials {
		if len(c.Authorities) != 1 || c.Authorities[0].Type != "aki" || !slices.Equal(c.Authorities[0].Values, []string{base64.RawURLEncoding.EncodeToString(signer.Authority)}) {
			t.Errorf("%s: %+v", c.ID, c.Authorities)
		}
	}
}

// Whether an element is kept is said of each, and is not taken from who asked the same before.
func TestIntentToRetainReachesTheWallet(t *testing.T) {
	w := newWorld(t)
	for _, retain := range []bool{false, true, false, true} {
		id, _ := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "intent_to_retain": retain})
		q, err := dcql.Parse(w.fetch(id, false).Query)
		check(t, err)
		if c := q.Credentials[0]; c.Format != dcql.Mdoc || len(c.Claims) != 1 || c.Claims[0].IntentToRetain != retain {
			t.Errorf("asked with %v: %+v", retain, c)
		}
	}
}

func TestAWalletsNonceHasABound(t *testing.T) {
	w := newWorld(t)
	post := func(nonce string) answer {
		return w.do(access.Caller{Role: access.Anyone}, "POST", "/vp/request/"+w.age(shop), "application/x-www-form-urlencoded", "wallet_nonce="+nonce)
	}
	if a := post(strings.Repeat("x", 256)); a.status != 200 {
		t.Errorf("of 256 bytes: %+v", a)
	}
	post(strings.Repeat("x", 257)).refused(t, "of 257 bytes", 400, "invalid_request")
}

// The client_id in the QR code is the hash of a certificate: a request is signed with that
// one or not at all.
func TestARequestIsNotSignedWithAnotherCertificateThanItWasBegunWith(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	w.renewed = shop.ID
	w.do(access.Caller{Role: access.Anyone}, "GET", "/vp/request/"+id, "", "").refused(t, "with the next certificate", 400, "invalid_request")
	w.fetch(w.age(shop), false)
}

func TestNothingIsReadBesideWhatWasAskedFor(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	q := w.fetch(id, false)
	w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}, "x": {w.showMdoc(q)}}).refused(t, "an unknown id beside a known one", 400, "invalid_request")
	if a := w.outcome(shop, id); a.body["state"] != "waiting" {
		t.Errorf("%+v", a)
	}
}

// A query for another authority's cards is not answered by ours, whatever a wallet sends.
func TestACardOfAnotherAuthorityThanAskedForIsNotValid(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ aki, verdict string }{
		{base64.RawURLEncoding.EncodeToString([]byte("somebody else's root")), "not-valid"},
		{w.authority(), "accepted"},
	} {
		for id, query := range map[string]string{
			"m": `"format":"mso_mdoc","meta":{"doctype_value":"` + mdoc.DocType + `"},"claims":[{"path":["` + mdoc.Namespace + `","age_over_19"]}]`,
			"s": `"format":"dc+sd-jwt","meta":{"vct_values":["` + sdjwt.Type + `"]},"claims":[{"path":["age_equal_or_over","19"]}]`,
		} {
			transaction, a := w.begin(shop, map[string]any{"dcql_query": json.RawMessage(
				`{"credentials":[{"id":"` + id + `",` + query + `,"trusted_authorities":[{"type":"aki","values":["` + c.aki + `"]}]}]}`)})
			if a.status != 201 {
				t.Fatalf("%+v", a)
			}
			q := w.fetch(transaction, false)
			shown := map[string]string{"m": w.showMdoc(q), "s": w.showJWT(q, w.binding(q), w.jwt.key)}[id]
			w.send(q, map[string][]string{id: {shown}})
			if a := w.outcome(shop, transaction); a.body["verdict"] != c.verdict || c.verdict != "accepted" && strings.Contains(a.text, "claims") {
				t.Errorf("%s by %s: %+v", id, c.aki, a)
			}
		}
	}
}

func (w *world) authority() string {
	q, err := dcql.Parse(w.fetch(w.age(shop), false).Query)
	check(w.t, err)
	return q.Credentials[0].Authorities[0].Values[0]
}

// Of two cards of two people one is suspended: the answer is, and nothing is told of the other.
func TestNothingIsToldOfAGoodCardBesideASuspendedOne(t *testing.T) {
	w := newWorld(t)
	first := w.mdoc
	w.citizen = w.Resident()
	w.issueWith("other copy ")
	_, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.World.Request(register.By{Actor: "op", Role: lifecycle.CallCentre}),
		Person: w.citizen.ID, Cause: lifecycle.MobileLost})
	check(t, err)
	one := `"format":"mso_mdoc","meta":{"doctype_value":"` + mdoc.DocType + `"},"claims":[{"path":["` + mdoc.Namespace + `","age_over_19"]}]}`
	id, a := w.begin(shop, map[string]any{"dcql_query": json.RawMessage(`{"credentials":[{"id":"a",` + one + `,{"id":"b",` + one + `]}`)})
	if a.status != 201 {
		t.Fatalf("%+v", a)
	}
	q := w.fetch(id, false)
	suspended := w.showMdoc(q)
	w.mdoc = first
	if a := w.send(q, map[string][]string{"a": {w.showMdoc(q)}, "b": {suspended}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if a := w.outcome(shop, id); a.body["verdict"] != "suspended" || strings.Contains(a.text, "claims") || strings.Contains(a.text, "renewal") {
		t.Errorf("%+v", a)
	}
}
