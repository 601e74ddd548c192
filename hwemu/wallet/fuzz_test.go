package wallet_test

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/service/servicetest"
)

// recorded is what a service has answered on a journey, in order.
type recorded struct {
	status int
	header http.Header
	body   string
}

// recorder keeps what a service answers.
type recorder struct {
	w    *world
	said []recorded
}

// RoundTrip implements http.RoundTripper.
func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	res, err := r.w.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	r.said = append(r.said, recorded{res.StatusCode, res.Header, string(body)})
	res.Body = io.NopCloser(strings.NewReader(string(body)))
	return res, nil
}

// replay answers as was recorded, but that one answer has another text.
type replay struct {
	said  []recorded
	n     int // the answer that is changed
	text  string
	asked int
}

var errSilent = errors.New("the service says nothing more")

// RoundTrip implements http.RoundTripper.
func (r *replay) RoundTrip(q *http.Request) (*http.Response, error) {
	if q.Body != nil {
		_, _ = io.Copy(io.Discard, q.Body)
	}
	if r.asked == len(r.said) {
		return nil, errSilent
	}
	a := r.said[r.asked]
	if r.asked == r.n {
		a.body = r.text
	}
	r.asked++
	rec := httptest.NewRecorder()
	for name, values := range a.header {
		rec.Header()[name] = values
	}
	rec.WriteHeader(a.status)
	_, _ = io.WriteString(rec, a.body)
	return rec.Result(), nil
}

// A service that says anything at any step of a journey: its metadata, tokens, nonces,
// cards, encrypted or not, a verifier's request. The wallet goes on or gives up. It keeps no
// copy that it could not show: all that it holds are cards of a trusted issuer, each under the
// key that it is bound to and with a place of its own in the status lists. A request that is not signed as it came, or an
// answer to another request, is not accepted.
func FuzzAnswers(f *testing.F) {
	w := newWorld(f)
	c := w.Resident()
	var begun openid4vp.Begun
	// journey is issued cards, both formats, and shows one; step is how far it came.
	journey := func(transport http.RoundTripper, ask func() error) (one *wallet.Wallet, step string, err error) {
		one = w.wallet("phone", func(o *wallet.Options) { o.HTTP = &http.Client{Transport: transport} })
		a, err := one.Apply(ctx, issuer, openid4vci.MdocID, openid4vci.SDJWTID)
		if err != nil {
			return one, "apply", err
		}
		challenge, err := a.Challenge(ctx)
		if err != nil {
			return one, "challenge", err
		}
		token, err := a.Prove(ctx, challenge, evidence(c, challenge), capture(c))
		if err != nil {
			return one, "prove", err
		}
		if _, err = token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1, Encrypt: jwe.A256GCM}); err != nil {
			return one, "issue", err
		}
		if _, err = token.Issue(ctx, openid4vci.SDJWTID, wallet.Ask{Copies: 2}); err != nil {
			return one, "issue more", err
		}
		if _, err = token.Renew(ctx); err != nil {
			return one, "renew", err
		}
		if ask != nil {
			if err := ask(); err != nil {
				return one, "ask", err
			}
		}
		r, err := one.Open(ctx, begun.Request)
		if err != nil {
			return one, "open", err
		}
		choices, err := one.Choose(r)
		if err != nil {
			return one, "choose", err
		}
		_, err = one.Answer(ctx, r, choices)
		return one, "", err
	}
	record := &recorder{w: w}
	if _, step, err := journey(record, func() (err error) {
		begun, err = w.vp.Ask(ctx, shop, openid4vp.Asked{Elements: []string{"age_over_19"}})
		return err
	}); err != nil {
		f.Fatal(step, err)
	}
	request, redirect, token := -1, -1, -1
	for i, a := range record.said {
		switch {
		case strings.HasPrefix(a.header.Get("Content-Type"), "application/oauth-authz-req"):
			request = i
		case redirect < 0 && strings.Contains(a.body, "redirect_uri"):
			redirect = i
		case token < 0 && strings.Contains(a.body, "access_token"):
			token = i
		}
		f.Add(byte(i), a.body, byte(0), "x")
		for k, value := range servicetest.Fields(said(a.body)) {
			if k < 30 {
				f.Add(byte(i), a.body, byte(k+1), value)
			}
		}
	}
	if request < 0 || redirect < 0 || token < 0 {
		f.Fatal(record.said)
	}
	// The card in two copies, that was not encrypted: one twice, one cut off, another order.
	if n, copies := batchOf(record.said); n >= 0 {
		body := record.said[n].body
		f.Add(byte(n), strings.Replace(body, copies[1], copies[0], 1), byte(0), "x")
		f.Add(byte(n), strings.Replace(body, copies[1], copies[1][:len(copies[1])/2], 1), byte(0), "x")
		f.Add(byte(n), strings.NewReplacer(copies[0], copies[1], copies[1], copies[0]).Replace(body), byte(0), "x")
	} else {
		f.Fatal("no card came in two copies")
	}
	f.Add(byte(0), strings.ReplaceAll(record.said[0].body, `"mso_mdoc"`, `"ldp_vc"`), byte(0), "x")
	f.Add(byte(token), `{"access_token":"a","token_type":"DPoP","authorization_details":[{"type":"openid_credential","credential_configuration_id":"rrc_mdoc"}]}`, byte(0), "x")

	f.Fuzz(func(t *testing.T, n byte, text string, field byte, value string) {
		w.t = t
		r := &replay{said: record.said, n: int(n) % len(record.said), text: changed(text, field, value)}
		one, step, err := journey(r, nil)
		if r.n == request && r.text != record.said[request].body && step != "open" && r.asked > request {
			t.Errorf("a changed request is answered: %s, %v", step, err)
		}
		if r.n == redirect && r.asked > redirect+1 {
			before, after := codeOf(record.said[redirect].body), codeOf(r.text)
			if before.Get("state") != after.Get("state") || before.Get("iss") != after.Get("iss") {
				t.Errorf("taken for an answer: %v", after)
			}
		}
		places := map[mdoc.StatusRef]bool{}
		for _, held := range one.Copies() {
			holder, status, err := shown(held, w.Now())
			if err != nil || status == nil || places[*status] || held.Key == nil || !holder.Equal(&held.Key.PublicKey) {
				t.Errorf("kept: %s in the format %q, %d bytes, at %v: %v", held.Config, held.Format, len(held.Credential), status, err)
				continue
			}
			places[*status] = true
		}
	})
}

// batchOf is the answer that holds several copies, and they.
func batchOf(all []recorded) (int, []string) {
	for n, a := range all {
		var v struct {
			Credentials []struct {
				Credential string `json:"credential"`
			} `json:"credentials"`
		}
		if json.Unmarshal([]byte(a.body), &v) == nil && len(v.Credentials) > 1 {
			return n, []string{v.Credentials[0].Credential, v.Credentials[1].Credential}
		}
	}
	return -1, nil
}

// shown is what any verifier may believe of a copy: whose it is, and where its status stands.
func shown(c wallet.Copy, at time.Time) (*ecdsa.PublicKey, *mdoc.StatusRef, error) {
	anchors := servicetest.Authorities().Anchors
	switch c.Format {
	case "mso_mdoc":
		p, err := mdoc.VerifyCard(c.Credential, anchors, at)
		if err != nil {
			return nil, nil, err
		}
		return p.DeviceKey, p.Status, nil
	case sdjwt.Format:
		p, err := sdjwt.VerifyCard(string(c.Credential), anchors, []string{sdjwt.Type}, at)
		if err != nil {
			return nil, nil, err
		}
		return p.Holder, p.Status, nil
	}
	return nil, nil, errors.New("nobody can read this format")
}

// said is what a service says, of a signed request what is signed.
func said(body string) string {
	if parts := strings.Split(body, "."); len(parts) == 3 {
		if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			return string(payload)
		}
	}
	return body
}

// changed is an answer with another field; a signed one keeps its signature.
func changed(body string, field byte, value string) string {
	inside := said(body)
	if inside == body || field == 0 {
		return servicetest.Changed(body, field, value)
	}
	parts := strings.Split(body, ".")
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(servicetest.Changed(inside, field, value)))
	return strings.Join(parts, ".")
}

// codeOf are the parameters of a redirect in an answer.
func codeOf(body string) url.Values {
	for _, value := range servicetest.Fields(body) {
		if u, err := url.Parse(value); err == nil && u.Query().Has("code") {
			return u.Query()
		}
	}
	return nil
}
