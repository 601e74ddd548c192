package sdjwt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
)

func TestAPresentationShowsWhatWasChosenAndNothingElse(t *testing.T) {
	w := newWorld(t)
	shown, err := w.verify(w.present(t, Path{"family_name"}, Path{"age_equal_or_over", "19"}, Path{"nationalities", nil}))
	if err != nil {
		t.Fatal(err)
	}
	for _, registered := range []string{"vct", "iss", "iat", "nbf", "exp", "cnf", "status"} {
		if _, there := shown.Claims[registered]; !there {
			t.Errorf("%s is missing", registered)
		}
		delete(shown.Claims, registered)
	}
	want := map[string]any{"family_name": "김", "age_equal_or_over": map[string]any{"19": true}, "nationalities": []any{"KR"}, "address": map[string]any{}}
	if !reflect.DeepEqual(shown.Claims, want) {
		t.Errorf("%v is shown", shown.Claims)
	}
	if shown.Type != Type || !shown.Holder.Equal(&w.phone.PublicKey) || *shown.Status != *w.credential.Status || len(shown.Disclose) != 3 ||
		!shown.Issued.Equal(issuedAt) || !shown.From.Equal(issuedAt) || !shown.Until.Equal(w.credential.Expires) ||
		shown.Binding != (Binding{w.want.Audience, w.want.Nonce, w.want.At}) {
		t.Errorf("%+v", shown)
	}
}

func TestAnythingUnderAPathIsShownWithIt(t *testing.T) {
	w := newWorld(t)
	shown, err := w.verify(w.present(t, Path{"address"}))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"formatted": record.Address, "municipality": "36110"}; !reflect.DeepEqual(shown.Claims["address"], want) {
		t.Errorf("%v is shown", shown.Claims["address"])
	}
}

func TestNothingNeedBeShown(t *testing.T) {
	w := newWorld(t)
	if shown, err := w.verify(w.present(t)); err != nil || len(shown.Disclose) != 0 {
		t.Errorf("%+v, %v", shown, err)
	}
}

func TestTheHolderVerifiesTheCard(t *testing.T) {
	w := newWorld(t)
	got, err := VerifyCard(w.card, w.anchors, []string{Type}, w.want.At)
	if err != nil {
		t.Fatal(err)
	}
	claims, disclosable, err := CardClaims(record)
	if err != nil || len(got.Disclose) != len(disclosable) {
		t.Errorf("%d claims may be kept back, %d were meant to: %v", len(got.Disclose), len(disclosable), err)
	}
	if claims["family_name"] != got.Claims["family_name"] {
		t.Errorf("%v", got.Claims)
	}
	if _, err := VerifyCard(w.present(t), w.anchors, []string{Type}, w.want.At); !errors.Is(err, ErrMalformed) {
		t.Errorf("a presentation is no card: %v", err)
	}
	unseen, err := CheckCard(w.card, []string{Type}, w.want.At)
	if err != nil || unseen.Authority != nil {
		t.Errorf("without a look at who signed it: %+v, %v", unseen, err)
	}
	got.Authority = nil
	if !reflect.DeepEqual(unseen, got) {
		t.Errorf("without a look at who signed it: %+v, want %+v", unseen, got)
	}
}

func TestACardIsCheckedWithoutALookAtWhoSignedIt(t *testing.T) {
	w := newWorld(t)
	types := []string{Type}
	pieces := strings.Split(w.card, "~")
	for name, c := range map[string]struct {
		card  string
		types []string
		at    time.Time
		kind  error
	}{
		"a presentation":                 {w.present(t), types, w.want.At, ErrMalformed},
		"cut off":                        {w.card[:len(w.card)-1], types, w.want.At, ErrMalformed},
		"cut off in what was signed":     {w.card[:strings.IndexByte(w.card, '.')] + "~", types, w.want.At, ErrMalformed},
		"a disclosure that is not of it": {strings.Replace(w.card, pieces[1], "WyJzYWx0c2FsdHNhbHRzYWx0c2EiLCJmYW1pbHlfbmFtZSIsIuydtCJd", 1), types, w.want.At, ErrDisclosure},
		"of another type":                {w.card, []string{"passport"}, w.want.At, ErrType},
		"whose time is over":             {w.card, types, w.credential.Expires, ErrExpired},
		"before its time":                {w.card, types, issuedAt.Add(-time.Hour), ErrNotYetValid},
	} {
		if _, err := CheckCard(c.card, c.types, c.at); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", name, err, c.kind)
		}
	}
}

// Each is signed by the right issuer and bound by the right phone: what the name
// says is the only reason to refuse it.
func TestWhatTheIssuerSignedIsRefused(t *testing.T) {
	w := newWorld(t)
	name := disclosed(`["salt", "family_name", "김"]`)
	element := disclosed(`["salt", "KR"]`)
	strange := jws.Key{Kty: "EC", Crv: "P-384", X: "AA", Y: "AA"}
	deep := `"x"`
	for range maxDepth + 1 {
		deep = "[" + deep + "]"
	}
	for _, c := range []struct {
		name        string
		kind        error
		because     string
		header      func(*jws.Header)
		payload     func(map[string]any)
		disclosures []string
	}{
		{name: "another type of token", kind: ErrMalformed, because: "typ", header: func(h *jws.Header) { h.Type = "vc+sd-jwt" }},
		{name: "no certificate", kind: mdoc.ErrUntrusted, because: "0 certificates", header: func(h *jws.Header) { h.Chain = nil }},
		{name: "the root in the chain", kind: mdoc.ErrUntrusted, because: "without the root", header: func(h *jws.Header) { h.Chain = append(h.Chain, w.iaca.Certificate()) }},
		{name: "key and certificate", kind: ErrMalformed, because: "more than one way", header: func(h *jws.Header) { h.KeyID = "1" }},
		{name: "no certificate at all", kind: mdoc.ErrMalformed, because: "certificate", header: func(h *jws.Header) { h.Chain = [][]byte{{1, 2}} }},
		{name: "another credential", kind: ErrType, because: "urn:other", payload: func(p map[string]any) { p["vct"] = "urn:other" }},
		{name: "no vct", kind: ErrMalformed, because: "vct", payload: func(p map[string]any) { delete(p, "vct") }},
		{name: "vct as a number", kind: ErrMalformed, because: "vct", payload: func(p map[string]any) { p["vct"] = 1 }},
		{name: "iss as a list", kind: ErrMalformed, because: "iss", payload: func(p map[string]any) { p["iss"] = []string{"a"} }},
		{name: "another hash", kind: ErrMalformed, because: "_sd_alg", payload: func(p map[string]any) { p["_sd_alg"] = "sha-512" }},
		{name: "a hash that is no name", kind: ErrMalformed, because: "_sd_alg", payload: func(p map[string]any) { p["_sd_alg"] = nil }},
		{name: "no holder", kind: ErrMalformed, because: "cnf", payload: func(p map[string]any) { delete(p, "cnf") }},
		{name: "a holder by thumbprint", kind: ErrMalformed, because: "cnf", payload: func(p map[string]any) { p["cnf"] = map[string]any{"jkt": "x"} }},
		{name: "a holder on another curve", kind: ErrMalformed, because: "P-384", payload: func(p map[string]any) { p["cnf"] = map[string]any{"jwk": strange} }},
		{name: "a private key", kind: ErrMalformed, because: "private", payload: func(p map[string]any) {
			p["cnf"] = map[string]any{"jwk": map[string]any{"kty": "EC", "crv": "P-256", "d": "AA"}}
		}},
		{name: "expired", kind: ErrExpired, because: "until", payload: func(p map[string]any) { p["exp"] = w.want.At.Unix() }},
		{name: "not valid yet", kind: ErrNotYetValid, because: "from", payload: func(p map[string]any) { p["nbf"] = w.want.At.Unix() + 1 }},
		{name: "issued in the future", kind: ErrNotYetValid, because: "issued", payload: func(p map[string]any) { p["iat"] = w.want.At.Unix() + 61 }},
		{name: "issued before the certificate", kind: mdoc.ErrUntrusted, because: "outside", payload: func(p map[string]any) { p["iat"] = issuedAt.AddDate(0, -2, 0).Unix() }},
		{name: "a time as text", kind: ErrMalformed, because: "exp", payload: func(p map[string]any) { p["exp"] = "1900000000" }},
		{name: "a time with a fraction", kind: ErrMalformed, because: "whole", payload: func(p map[string]any) { p["exp"] = 1900000000.5 }},
		{name: "a time beyond all times", kind: ErrMalformed, because: "no time", payload: func(p map[string]any) { p["exp"] = int64(1) << 60 }},
		{name: "no time", kind: ErrMalformed, because: "exp", payload: func(p map[string]any) { p["exp"] = nil }},
		{name: "another status mechanism", kind: ErrMalformed, because: "status", payload: func(p map[string]any) { p["status"] = map[string]any{"ocsp": 1} }},
		{name: "a status without a list", kind: ErrMalformed, because: "uri", payload: func(p map[string]any) {
			p["status"] = map[string]any{"status_list": map[string]any{"idx": 1}}
		}},
		{name: "a status below zero", kind: ErrMalformed, because: "idx", payload: func(p map[string]any) {
			p["status"] = map[string]any{"status_list": map[string]any{"idx": -1, "uri": "u"}}
		}},
		{name: "digests that are no list", kind: ErrMalformed, because: "_sd", payload: func(p map[string]any) { p["_sd"] = "digest" }},
		{name: "a digest that is no text", kind: ErrMalformed, because: "digest", payload: func(p map[string]any) { p["_sd"] = []any{1} }},
		{name: "a digest twice", kind: ErrDisclosure, because: "elsewhere", payload: func(p map[string]any) { p["_sd"] = []any{digestOf([]byte(name)), digestOf([]byte(name))} }},
		{name: "a decoy twice", kind: ErrDisclosure, because: "elsewhere", payload: func(p map[string]any) {
			p["_sd"] = []any{"decoy"}
			p["address"] = map[string]any{"_sd": []any{"decoy"}}
		}},
		{name: "a digest in two kinds of places", kind: ErrDisclosure, because: "where elements are", payload: func(p map[string]any) {
			p["_sd"] = []any{digestOf([]byte(name))}
			p["list"] = []any{map[string]any{"...": digestOf([]byte(name))}}
		}, disclosures: []string{name}},
		{name: "a digest in itself, by way of a disclosure", kind: ErrDisclosure, because: "elsewhere", payload: func(p map[string]any) {
			p["_sd"] = []any{"decoy", digestOf([]byte(disclosed(`["salt", "a", {"_sd": ["decoy"]}]`)))}
		}, disclosures: []string{disclosed(`["salt", "a", {"_sd": ["decoy"]}]`)}},
		{name: "too many digests", kind: ErrMalformed, because: "1024", payload: func(p map[string]any) {
			var list []string
			for i := range maxDigests + 1 {
				list = append(list, fmt.Sprint(i))
			}
			p["_sd"] = list
		}},
		{name: "a claim named ...", kind: ErrMalformed, because: `"..."`, payload: func(p map[string]any) { p["..."] = 1 }},
		{name: "a claim named ... within", kind: ErrMalformed, because: `"..."`, payload: func(p map[string]any) { p["a"] = map[string]any{"...": "x"} }},
		{name: "more than a digest in an element", kind: ErrMalformed, because: "more than", payload: func(p map[string]any) {
			p["a"] = []any{map[string]any{"...": "x", "b": 1}}
		}},
		{name: "too deep", kind: ErrMalformed, because: "deep", payload: func(p map[string]any) {
			p["_sd"] = []any{digestOf([]byte(disclosed(`["salt", "a", ` + deep + `]`)))}
		}, disclosures: []string{disclosed(`["salt", "a", ` + deep + `]`)}},
		{name: "an unsigned disclosure", kind: ErrDisclosure, because: "no digest", disclosures: []string{name}},
		{name: "a disclosure twice", kind: ErrDisclosure, because: "twice", payload: func(p map[string]any) { p["_sd"] = []any{digestOf([]byte(name))} }, disclosures: []string{name, name}},
		{name: "an empty disclosure", kind: ErrDisclosure, because: "disclosure 1", disclosures: []string{""}},
		{name: "a claim that is there already", kind: ErrDisclosure, because: "there already", payload: func(p map[string]any) {
			p["_sd"], p["family_name"] = []any{digestOf([]byte(name))}, "박"
		}, disclosures: []string{name}},
		{name: "a claim by two disclosures", kind: ErrDisclosure, because: "there already", payload: func(p map[string]any) {
			p["_sd"] = []any{digestOf([]byte(name)), digestOf([]byte(disclosed(`["other", "family_name", "박"]`)))}
		}, disclosures: []string{name, disclosed(`["other", "family_name", "박"]`)}},
		{name: "an element where a member belongs", kind: ErrDisclosure, because: "element", payload: func(p map[string]any) { p["_sd"] = []any{digestOf([]byte(element))} }, disclosures: []string{element}},
		{name: "a member where an element belongs", kind: ErrDisclosure, because: "member", payload: func(p map[string]any) {
			p["list"] = []any{map[string]any{"...": digestOf([]byte(name))}}
		}, disclosures: []string{name}},
		{name: "a disclosure named _sd", kind: ErrDisclosure, because: "not free", disclosures: []string{disclosed(`["salt", "_sd", ["x"]]`)}},
		{name: "a disclosure named ...", kind: ErrDisclosure, because: "not free", disclosures: []string{disclosed(`["salt", "...", "x"]`)}},
		{name: "a disclosure named _sd_alg", kind: ErrDisclosure, because: "not free", disclosures: []string{disclosed(`["salt", "_sd_alg", "x"]`)}},
		{name: "a disclosure of one part", kind: ErrDisclosure, because: "not an array", disclosures: []string{disclosed(`["salt"]`)}},
		{name: "a disclosure of four parts", kind: ErrDisclosure, because: "not an array", disclosures: []string{disclosed(`["salt", "a", 1, 2]`)}},
		{name: "a disclosure that is an object", kind: ErrDisclosure, because: "not an array", disclosures: []string{disclosed(`{"salt": 1}`)}},
		{name: "a salt that is no text", kind: ErrDisclosure, because: "salt", disclosures: []string{disclosed(`[1, "a", 1]`)}},
		{name: "a name that is no text", kind: ErrDisclosure, because: "name", disclosures: []string{disclosed(`["salt", 1, 1]`)}},
		{name: "a name twice within a disclosure", kind: ErrDisclosure, because: "twice", disclosures: []string{disclosed(`["salt", "a", {"b": 1, "b": 2}]`)}},
		{name: "a disclosure that is no UTF-8", kind: ErrDisclosure, because: "UTF-8", disclosures: []string{disclosed("[\"salt\", \"a\", \"\xff\"]")}},
		{name: "a disclosure in another alphabet", kind: ErrDisclosure, because: "disclosure 1", disclosures: []string{"WyJ+"}},
		{name: "a disclosure with bits left over", kind: ErrDisclosure, because: "disclosure 1", disclosures: []string{"WyJzYWx0Il1"}},
		{name: "exp disclosed", kind: ErrDisclosure, because: "always be shown", payload: func(p map[string]any) {
			delete(p, "exp")
			p["_sd"] = []any{digestOf([]byte(disclosed(`["salt", "exp", 1900000000]`)))}
		}, disclosures: []string{disclosed(`["salt", "exp", 1900000000]`)}},
		{name: "status disclosed", kind: ErrDisclosure, because: "always be shown", payload: func(p map[string]any) {
			p["_sd"] = []any{digestOf([]byte(disclosed(`["salt", "status", {}]`)))}
		}, disclosures: []string{disclosed(`["salt", "status", {}]`)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			header, payload := w.header(), w.payload(t)
			if c.header != nil {
				c.header(&header)
			}
			if c.payload != nil {
				c.payload(payload)
			}
			shown, err := w.verify(w.forge(t, header, payload, c.disclosures...))
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.because) {
				t.Errorf("%v, %+v; wanted %v for %q", err, shown, c.kind, c.because)
			}
		})
	}
	if shown, err := w.verify(w.forge(t, w.header(), w.payload(t))); err != nil {
		t.Errorf("what is right is refused: %+v, %v", shown, err)
	}
}

func TestTheKeyBindingIsOfThisPhoneForThisRequestNow(t *testing.T) {
	w := newWorld(t)
	bare := w.present(t, Path{"family_name"})
	bare = bare[:strings.LastIndexByte(bare, '~')+1]
	at := w.want.At.Unix()
	for _, c := range []struct {
		name    string
		because string
		change  func(h *jws.Header, c map[string]any)
	}{
		{"another type of token", "typ", func(h *jws.Header, c map[string]any) { h.Type = "JWT" }},
		{"another audience", "it is for", func(h *jws.Header, c map[string]any) { c["aud"] = "x509_hash:other" }},
		{"many audiences", "no string", func(h *jws.Header, c map[string]any) { c["aud"] = []string{w.want.Audience} }},
		{"no audience", "it is for", func(h *jws.Header, c map[string]any) { delete(c, "aud") }},
		{"another nonce", "nonce", func(h *jws.Header, c map[string]any) { c["nonce"] = "nonce-2" }},
		{"no nonce", "nonce", func(h *jws.Header, c map[string]any) { delete(c, "nonce") }},
		{"made in the future", "now it is", func(h *jws.Header, c map[string]any) { c["iat"] = at + 61 }},
		{"made long ago", "too long ago", func(h *jws.Header, c map[string]any) { c["iat"] = at - 361 }},
		{"no time", "no time", func(h *jws.Header, c map[string]any) { delete(c, "iat") }},
		{"another presentation", "sd_hash", func(h *jws.Header, c map[string]any) { c["sd_hash"] = digestOf([]byte("x")) }},
		{"no sd_hash", "sd_hash", func(h *jws.Header, c map[string]any) { delete(c, "sd_hash") }},
		{"larger than any", "at most", func(h *jws.Header, c map[string]any) { c["x"] = strings.Repeat("x", maxBinding) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if shown, err := w.verify(w.bind(t, bare, c.change)); !errors.Is(err, ErrBinding) || !strings.Contains(err.Error(), c.because) {
				t.Errorf("%v, %+v; wanted %q", err, shown, c.because)
			}
		})
	}
	for name, skew := range map[string]int64{"a clock ahead": 60, "a clock behind": -360} {
		if _, err := w.verify(w.bind(t, bare, func(h *jws.Header, c map[string]any) { c["iat"] = at + skew })); err != nil {
			t.Errorf("%s, within what is allowed: %v", name, err)
		}
	}
	other := *w
	other.phone = testKey("another phone")
	if _, err := w.verify(other.bind(t, bare, nil)); !errors.Is(err, ErrBinding) {
		t.Errorf("another phone: %v", err)
	}
	if _, err := w.verify(bare); !errors.Is(err, ErrBinding) || !strings.Contains(err.Error(), "no key binding") {
		t.Errorf("no key binding: %v", err)
	}
	for i, part := range strings.Split(bare, "~")[1:2] { // a disclosure taken out after signing
		whole := w.present(t, Path{"family_name"})
		if _, err := w.verify(strings.Replace(whole, part+"~", "", 1)); !errors.Is(err, ErrBinding) {
			t.Errorf("without disclosure %d: %v", i, err)
		}
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"kb+jwt"}`))
	whole := w.bind(t, bare, nil)
	parts := strings.Split(whole[len(bare):], ".")
	if _, err := w.verify(bare + none + "." + parts[1] + "."); !errors.Is(err, ErrBinding) {
		t.Errorf("alg none: %v", err)
	}
	// Who expects nothing must not be content with a binding that says nothing.
	for name, c := range map[string]struct {
		want  Expected
		claim string
	}{
		"no nonce":    {Expected{Types: w.want.Types, Audience: w.want.Audience, At: w.want.At}, "nonce"},
		"no audience": {Expected{Types: w.want.Types, Nonce: w.want.Nonce, At: w.want.At}, "aud"},
	} {
		text := w.bind(t, bare, func(h *jws.Header, claims map[string]any) { delete(claims, c.claim) })
		if _, err := Verify([]byte(text), w.anchors, c.want); !errors.Is(err, ErrBinding) {
			t.Errorf("%s expected: %v", name, err)
		}
	}
}

func TestOtherIssuersAndTimesAreRefused(t *testing.T) {
	w := newWorld(t)
	text := w.present(t, Path{"family_name"})
	strangers, err := mdoc.NewTrustAnchors(testIACA(t, "Another IACA").Certificate())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify([]byte(text), strangers, w.want); !errors.Is(err, mdoc.ErrUntrusted) {
		t.Errorf("another authority: %v", err)
	}
	later := w.want
	later.At = issuedAt.AddDate(2, 0, 0)
	if _, err := Verify([]byte(text), w.anchors, later); !errors.Is(err, mdoc.ErrSignerExpired) {
		t.Errorf("after the certificate: %v", err)
	}
	status, err := mdoc.NewStatusSigner(w.iaca, &testKey("ds").PublicKey, spec("status", issuedAt.AddDate(0, -1, 0), 400))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.verify(w.forge(t, jws.Header{Type: Format, Chain: [][]byte{status}}, w.payload(t))); !errors.Is(err, mdoc.ErrUntrusted) {
		t.Errorf("a certificate for another purpose: %v", err)
	}
	forged := *w
	if forged.signer, err = mdoc.NewKeySigner(testKey("ds"), w.signer.Certificate()); err != nil {
		t.Fatal(err)
	}
	signed, err := jws.With(testKey("thief")).Token(w.header(), w.payload(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.verify(w.bind(t, signed+"~", nil)); !errors.Is(err, ErrIssuerSignature) {
		t.Errorf("another signer under the certificate: %v", err)
	}
}

func TestOnlyES256IsRead(t *testing.T) {
	w := newWorld(t)
	whole := w.present(t, Path{"family_name"})
	jwt, shown, _ := strings.Cut(whole[:strings.LastIndexByte(whole, '~')+1], "~")
	parts := strings.Split(jwt, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, alg := range []string{"none", "None", "HS256", "ES384", "EdDSA", `ES256","crit":["x5c"],"x":"`} {
		header := strings.Replace(string(raw), "ES256", alg, 1)
		for _, signature := range []string{parts[2], ""} {
			text := w.bind(t, base64.RawURLEncoding.EncodeToString([]byte(header))+"."+parts[1]+"."+signature+"~"+shown, nil)
			if _, err := w.verify(text); !errors.Is(err, ErrMalformed) {
				t.Errorf("alg %s: %v", alg, err)
			}
		}
	}
}

func TestTextsOfAnotherShapeAreRefused(t *testing.T) {
	w := newWorld(t)
	good := w.present(t, Path{"family_name"})
	for name, c := range map[string]struct{ text, because string }{
		"nothing":              {"", "no SD-JWT"},
		"a JWT":                {strings.SplitN(good, "~", 2)[0], "no SD-JWT"},
		"only a tilde":         {"~", "no key binding"},
		"only tildes":          {"~~~~x.y.z", "three parts"},
		"too long":             {good + strings.Repeat("x", MaxSize), "at most 524288"},
		"too many disclosures": {strings.Repeat("~", maxDisclosures+2) + "x", "at most 256"},
		"white space":          {" " + good, "header"},
		"a line break":         {strings.Replace(good, "~", "\n~", 1), "signature"},
	} {
		if _, err := w.verify(c.text); err == nil || !strings.Contains(err.Error(), c.because) {
			t.Errorf("%s: %v, wanted %q", name, err, c.because)
		}
	}
}

// No letter of a presentation may be changed.
func TestEveryLetterCounts(t *testing.T) {
	w := newWorld(t)
	good := w.present(t, Path{"family_name"}, Path{"age_equal_or_over", "19"})
	step := 1 + len(good)/1500
	for i := 0; i < len(good); i += step {
		changed := []byte(good)
		if changed[i] = 'A'; good[i] == 'A' {
			changed[i] = 'B'
		}
		if shown, err := w.verify(string(changed)); err == nil {
			t.Errorf("letter %d may be changed: %+v", i, shown)
		}
	}
}

func TestACardIsOutOfItsTime(t *testing.T) {
	w := newWorld(t)
	for at, kind := range map[time.Time]error{
		w.credential.Expires.Add(-time.Second): nil, w.credential.Expires: ErrExpired, issuedAt: nil, issuedAt.Add(-time.Second): ErrNotYetValid,
	} {
		if _, err := VerifyCard(w.card, w.anchors, []string{Type}, at); !errors.Is(err, kind) {
			t.Errorf("at %s: %v, wanted %v", at, err, kind)
		}
	}
}
