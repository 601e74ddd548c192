package openid4vp_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/suspension"
)

func TestHappyFlow(t *testing.T) {
	for _, post := range []bool{false, true} {
		for _, format := range []string{"rrc_mdoc", "rrc_sd_jwt"} {
			t.Run(fmt.Sprint(format, " post=", post), func(t *testing.T) {
				w := newWorld(t)
				id := w.age(shop)
				if a := w.outcome(shop, id); a.body["state"] != "waiting" {
					t.Errorf("%+v", a)
				}
				q := w.fetch(id, post)
				token := map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}
				if format == "rrc_sd_jwt" {
					token = map[string][]string{"rrc_sd_jwt": {w.showJWT(q, w.binding(q), w.jwt.key)}}
				}
				if a := w.send(q, token); a.status != 200 {
					t.Fatalf("%+v", a)
				}
				a := w.outcome(shop, id)
				if a.body["state"] != "answered" || a.body["verdict"] != "accepted" || !strings.Contains(a.text, `true`) || strings.Contains(a.text, "하늘") {
					t.Errorf("%+v", a)
				}
			})
		}
	}
}

func TestBothEncryptionsOfTheProfileAreRead(t *testing.T) {
	w := newWorld(t)
	for _, enc := range []jwe.Encryption{jwe.A128GCM, jwe.A256GCM} {
		q := w.fetch(w.age(shop), false)
		if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}, func(to *jwe.Recipient) { to.Encryption = enc }); a.status != 200 {
			t.Errorf("%s: %+v", enc, a)
		}
	}
}

func TestASuspendedCardIsSaidToBeSuspendedAndNothingElse(t *testing.T) {
	w := newWorld(t)
	receipt, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.World.Request(register.By{Actor: "op", Role: lifecycle.CallCentre}),
		Person: w.citizen.ID, Cause: lifecycle.PhysicalLost})
	check(t, err)
	show := func() answer {
		id := w.age(shop)
		q := w.fetch(id, false)
		if a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}); a.status != 200 {
			t.Fatalf("%+v", a)
		}
		return w.outcome(shop, id)
	}
	a := show()
	if a.body["verdict"] != "suspended" || strings.Contains(a.text, "claims") || strings.Contains(a.text, "lost") {
		t.Errorf("%+v", a)
	}
	_, err = w.Suspension.Release(ctx, suspension.ReleaseRequest{Request: w.World.Request(register.By{Actor: "c", Role: lifecycle.Clerk}),
		Person: w.citizen.ID, Cause: lifecycle.PhysicalLost, Sequence: receipt.Sequence})
	check(t, err)
	if a := show(); a.body["verdict"] != "accepted" {
		t.Errorf("after the release: %+v", a)
	}
}

// The cases of the OpenID conformance suite for verifiers, and more: each is
// refused, and the verifier learns of nothing.
func TestWrongAnswersAreRefused(t *testing.T) {
	mdocToken := func(text string) map[string][]string { return map[string][]string{"rrc_mdoc": {text}} }
	jwtToken := func(text string) map[string][]string { return map[string][]string{"rrc_sd_jwt": {text}} }
	swap := func(text string) string { // changes a byte within a signature
		b := []byte(text)
		i := len(b) - 20
		b[i] = map[bool]byte{true: 'B', false: 'A'}[b[i] == 'A']
		return string(b)
	}
	for _, c := range []struct {
		name  string
		token func(*world, request) any
		final bool // judged: the transaction is used up, as not valid
	}{
		{"InvalidCredentialSignature of an SD-JWT", func(w *world, q request) any {
			text := w.showJWT(q, w.binding(q), w.jwt.key)
			head, rest, _ := strings.Cut(text, "~")
			return jwtToken(swap(head) + "~" + rest)
		}, true},
		{"InvalidCredentialSignature of an mdoc", func(w *world, q request) any {
			raw, _ := base64.RawURLEncoding.DecodeString(w.showMdoc(q))
			held, err := mdoc.Inspect(w.mdoc.card)
			check(w.t, err)
			at := bytes.Index(raw, held.Chain[0])
			at += bytes.Index(raw[at:], []byte("\x6anameSpaces")) // which follow the signature
			raw[at-1] ^= 1
			return mdocToken(base64.RawURLEncoding.EncodeToString(raw))
		}, true},
		{"InvalidSessionTranscript", func(w *world, q request) any {
			return mdocToken(w.showMdoc(q, func(q *request) { q.ResponseURI += "x" }))
		}, true},
		{"a transcript of another nonce", func(w *world, q request) any { return mdocToken(w.showMdoc(q, func(q *request) { q.Nonce += "x" })) }, true},
		{"InvalidKbJwtAud", func(w *world, q request) any {
			b := w.binding(q)
			b.Audience = "x509_hash:other"
			return jwtToken(w.showJWT(q, b, w.jwt.key))
		}, true},
		{"InvalidKbJwtNonce", func(w *world, q request) any {
			b := w.binding(q)
			b.Nonce += "x"
			return jwtToken(w.showJWT(q, b, w.jwt.key))
		}, true},
		{"InvalidKbJwtSignature", func(w *world, q request) any { return jwtToken(w.showJWT(q, w.binding(q), servicetest.Key("thief"))) }, true},
		{"InvalidSdHash", func(w *world, q request) any {
			text := w.showJWT(q, w.binding(q), w.jwt.key)
			parts := strings.Split(text, "~")
			return jwtToken(strings.Join(append(append([]string{}, parts[0]), parts[2:]...), "~"))
		}, true},
		{"KbJwtIatFuture", func(w *world, q request) any {
			b := w.binding(q)
			b.IssuedAt = b.IssuedAt.Add(time.Hour)
			return jwtToken(w.showJWT(q, b, w.jwt.key))
		}, true},
		{"KbJwtIatPast", func(w *world, q request) any {
			b := w.binding(q)
			b.IssuedAt = b.IssuedAt.Add(-time.Hour)
			return jwtToken(w.showJWT(q, b, w.jwt.key))
		}, true},
		{"without a key binding", func(w *world, q request) any {
			text := w.showJWT(q, w.binding(q), w.jwt.key)
			return jwtToken(text[:strings.LastIndex(text, "~")+1])
		}, true},
		{"not what was asked for", func(w *world, q request) any {
			thumbprint := q.Metadata.Keys.Keys[0].Thumbprint()
			response, err := mdoc.Present(w.mdoc.card, []string{"sex"}, mdoc.OpenID4VPTranscript(q.ClientID, q.Nonce, thumbprint[:], q.ResponseURI), w.mdoc.key)
			check(w.t, err)
			return mdocToken(base64.RawURLEncoding.EncodeToString(response))
		}, true},
		{"an SD-JWT as an mdoc", func(w *world, q request) any { return mdocToken(w.showJWT(q, w.binding(q), w.jwt.key)) }, false},
		{"garbage", func(*world, request) any { return mdocToken("AAAA") }, true},
		{"under an unknown id", func(w *world, q request) any { return map[string][]string{"x": {w.showMdoc(q)}} }, false},
		{"nothing", func(*world, request) any { return map[string][]string{} }, false},
		{"no array", func(w *world, q request) any { return map[string]string{"rrc_mdoc": w.showMdoc(q)} }, false},
		{"more than are read", func(w *world, q request) any {
			return map[string][]string{"rrc_mdoc": strings.Split(strings.Repeat(w.showMdoc(q)+" ", 17), " ")}
		}, false},
		{"two for one", func(w *world, q request) any { return map[string][]string{"rrc_mdoc": {w.showMdoc(q), w.showMdoc(q)}} }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			id := w.age(shop)
			q := w.fetch(id, false)
			w.send(q, c.token(w, q)).refused(t, c.name, 400, "invalid_request")
			a := w.outcome(shop, id)
			if c.final && a.body["verdict"] != "not-valid" || !c.final && a.body["state"] != "waiting" || strings.Contains(a.text, "claims") {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestAnAnswerIsTakenOnceInTimeAndEncryptedForThisTransaction(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	q := w.fetch(id, false)
	token := map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}

	w.post(q, url.Values{"vp_token": {"{}"}}).refused(t, "not encrypted", 400, "invalid_request")
	w.post(q, url.Values{"response": {"a.b.c.d.e"}}).refused(t, "not a JWE", 400, "invalid_request")
	w.sendPlain(q, []byte(`{"vp_token":{"rrc_mdoc":["AAAA"]},"vp_token":{},"state":"`+id+`"}`)).refused(t, "a name twice", 400, "invalid_request")
	other := w.fetch(w.age(shop), false)
	for what, state := range map[string]any{"another state": "x", "no state": nil, "an empty state": "", "a state that is no text": 7, "another transaction's": other.State} {
		said := map[string]any{"vp_token": token, "state": state}
		if what == "no state" {
			delete(said, "state")
		}
		plain, err := json.Marshal(said)
		check(t, err)
		w.sendPlain(q, plain).refused(t, what, 400, "invalid_request")
	}
	w.send(q, token, func(to *jwe.Recipient) { to.Key, _ = other.Metadata.Keys.Keys[0].Public() }).refused(t, "for another key", 400, "invalid_request")
	w.send(q, token, func(to *jwe.Recipient) { to.KeyID = "x" }).refused(t, "another kid", 400, "invalid_request")
	if a := w.outcome(shop, id); a.body["state"] != "waiting" {
		t.Fatalf("a wrong answer was taken: %+v", a)
	}
	if a := w.send(q, token); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	w.send(q, token).refused(t, "again", 400, "invalid_request")
	w.do(access.Caller{}, "GET", "/vp/request/"+id, "", "").refused(t, "fetched after the answer", 400, "invalid_request")

	late := w.age(shop)
	q = w.fetch(late, false)
	token = map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}
	w.Pass(5 * time.Minute)
	w.send(q, token).refused(t, "late", 400, "invalid_request")
	w.do(access.Caller{}, "GET", "/vp/request/"+late, "", "").refused(t, "fetched late", 400, "invalid_request")
	w.Pass(10 * time.Minute)
	w.outcome(shop, late).refused(t, "after its result is forgotten", 404, "invalid_request")
}

func TestAHolderMayDecline(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	q := w.fetch(id, false)
	w.post(q, url.Values{"error": {"access_denied"}, "state": {"x"}}).refused(t, "another state", 400, "invalid_request")
	w.post(q, url.Values{"error": {"access_denied"}}).refused(t, "no state", 400, "invalid_request")
	w.post(q, url.Values{"error": {""}, "state": {id}}).refused(t, "an empty error", 400, "invalid_request")
	if a := w.post(q, url.Values{"error": {"access_denied"}, "state": {id}}); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if a := w.outcome(shop, id); a.body["state"] != "declined" || a.body["error"] != "access_denied" {
		t.Errorf("%+v", a)
	}
	w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}).refused(t, "after all", 400, "invalid_request")
}

// A wallet encrypts also the error that it answers with (§8.3.1), under the same rules.
func TestAHolderMayDeclineEncrypted(t *testing.T) {
	w := newWorld(t)
	id := w.age(shop)
	q := w.fetch(id, false)
	for what, wrong := range map[string]string{
		"without the state": `{"error":"access_denied"}`, "another state": `{"error":"access_denied","state":"x"}`, "an error that is none": `{"error":7,"state":"` + id + `"}`,
		"an empty error": `{"error":"","state":"` + id + `"}`, "a long error": `{"error":"` + strings.Repeat("x", 101) + `","state":"` + id + `"}`,
		"beside a vp_token": `{"error":"access_denied","vp_token":{"rrc_mdoc":["` + w.showMdoc(q) + `"]},"state":"` + id + `"}`,
	} {
		w.sendPlain(q, []byte(wrong)).refused(t, what, 400, "invalid_request")
	}
	if a := w.outcome(shop, id); a.body["state"] != "waiting" {
		t.Fatalf("%+v", a)
	}
	if a := w.sendPlain(q, []byte(`{"error":"access_denied","error_description":"no","state":"`+id+`"}`)); a.status != 200 || a.text != "{}\n" {
		t.Fatalf("%+v", a)
	}
	if a := w.outcome(shop, id); a.body["state"] != "declined" || a.body["error"] != "access_denied" {
		t.Errorf("%+v", a)
	}
	w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}).refused(t, "after all", 400, "invalid_request")
}

func TestOnTheSameDeviceTheUserComesBackWithACode(t *testing.T) {
	w := newWorld(t)
	id, _ := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "redirect_uri": "https://shop.example/back?basket=7"})
	q := w.fetch(id, false)
	a := w.send(q, map[string][]string{"rrc_mdoc": {w.showMdoc(q)}})
	back, err := url.Parse(fmt.Sprint(a.body["redirect_uri"]))
	if err != nil || a.status != 200 || back.Host != "shop.example" || back.RawQuery != "basket=7" {
		t.Fatalf("%+v", a)
	}
	fragment, err := url.ParseQuery(back.Fragment)
	check(t, err)
	w.outcome(shop, id).refused(t, "without the code", 403, "access_denied")
	w.outcome(shop, id, "guess").refused(t, "with a guess", 403, "access_denied")
	if a := w.outcome(shop, id, fragment.Get("response_code")); a.body["verdict"] != "accepted" {
		t.Errorf("%+v", a)
	}
	for _, bad := range []string{"http://shop.example/", "https://shop.example/#x", "https://shop.example@evil.example/back", "shop", "javascript:alert(1)"} {
		_, a := w.begin(shop, map[string]any{"elements": []string{"age_over_19"}, "redirect_uri": bad})
		a.refused(t, bad, 400, "invalid_request")
	}
}

// A party that has registered where its pages go on has its users sent nowhere else.
func TestAUserIsSentBackToWhereThePartyIsRegistered(t *testing.T) {
	w := newWorld(t)
	registered := shop
	registered.Redirects = []string{"https://shop.example/back"}
	for redirect, status := range map[string]int{
		"https://shop.example/back": 201, "https://shop.example/back?basket=7": 201, "": 201,
		"https://shop.example.evil/back": 400, "https://shop.example/backdoor": 400, "https://shop.example/": 400, "https://shop.example:8443/back": 400, "https://evil.example/back": 400,
	} {
		if _, a := w.begin(registered, map[string]any{"elements": []string{"age_over_19"}, "redirect_uri": redirect}); a.status != status {
			t.Errorf("%q: %+v", redirect, a)
		}
	}
}

// The answer is kept under the end of its transaction, which is sealed in the identifier
// or kept with it: there is one, at any moment and whichever replica is asked.
func TestATransactionHasOneAnswerAtAnyMomentAndReplica(t *testing.T) {
	w := newWorld(t)
	replicas := []*http.ServeMux{w.mux, w.replica(w.Verification, func(time.Time) [32]byte { return sha256.Sum256([]byte("answers")) })}
	rapid.Check(t, func(rt *rapid.T) {
		begun := w.Now()
		at := func(name string, life time.Duration) {
			w.mux = replicas[rapid.IntRange(0, 1).Draw(rt, name+" at")]
			w.Set(begun.Add(time.Duration(rapid.Int64Range(0, int64(life/time.Microsecond)-1).Draw(rt, name)) * time.Microsecond))
		}
		asked := map[string]any{"elements": []string{"age_over_19"}}
		if rapid.Bool().Draw(rt, "long") {
			asked["purpose"] = strings.Repeat("x", 200)
		}
		id, _ := w.begin(shop, asked)
		q := w.fetch(id, false)
		token := map[string][]string{"rrc_mdoc": {w.showMdoc(q)}}
		at("first", 5*time.Minute)
		if a := w.send(q, token); a.status != 200 {
			rt.Fatalf("%+v", a)
		}
		at("second", 5*time.Minute)
		w.send(q, token).refused(t, "the same answer", 400, "invalid_request")
		w.post(q, url.Values{"error": {"access_denied"}, "state": {id}}).refused(t, "declined after its answer", 400, "invalid_request")
		at("asked", 15*time.Minute)
		if a := w.outcome(shop, id); a.body["verdict"] != "accepted" {
			rt.Errorf("%+v", a)
		}
		w.Set(begun)
	})
}
