package wallet_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/camera"
	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/service/servicetest"
)

// Here the issuer sends cards that no wallet should keep.

// forged is a copy of a card as somebody signs it who can.
type forged struct {
	config string
	card   mdoc.Card
	key    *ecdsa.PublicKey
	signer mdoc.Signer
	valid  mdoc.Validity
	status *mdoc.StatusRef
}

// text is the copy as the issuer sends it.
func (f forged) text(t testing.TB) string {
	t.Helper()
	random := rand.NewChaCha8(sha256.Sum256([]byte(f.card.DocumentNumber)))
	if f.config == openid4vci.MdocID {
		elements, err := f.card.Elements()
		check(t, err)
		raw, err := mdoc.Issue(f.signer, random, f.key, elements, f.valid, f.status)
		check(t, err)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	claims, disclosed, err := sdjwt.CardClaims(f.card)
	check(t, err)
	text, err := sdjwt.Issue(f.signer, random, sdjwt.Credential{Type: sdjwt.Type, Issued: f.valid.Signed, NotBefore: f.valid.From, Expires: f.valid.Until,
		Holder: f.key, Status: f.status, Claims: claims, Disclosure: disclosed})
	check(t, err)
	return text
}

// batch is copies for keys that a wallet may keep.
func batch(w *world, config string, keys []*ecdsa.PrivateKey) (all []forged) {
	now := w.Now().Truncate(time.Second).UTC()
	for i, k := range keys {
		all = append(all, forged{config, mdoc.Card{FamilyName: "김", GivenName: "하늘", BirthDate: "1990-01-02", Sex: 2, ResidentNumber: "900102-2345670",
			Address: "세종특별자치시 한누리대로 2130", Municipality: "36110", Portrait: []byte{0xff, 0xd8, 0xff, 0xd9}, IssueDate: "2025-03-14", ExpiryDate: "2028-03-14",
			IssuingAuthority: "행정안전부", DocumentNumber: "M-0001", PlasticCardNumber: "P-0001"},
			&k.PublicKey, servicetest.Authorities().DS, mdoc.Validity{Signed: now, From: now, Until: now.AddDate(1, 0, 0)},
			&mdoc.StatusRef{URI: issuer + "/status-lists/0", Index: uint64(100 + i)}})
	}
	return all
}

// planted is an issuer that sends other copies than the service did, and what the service
// is told of it.
type planted struct {
	send         []string
	event        string
	description  string
	acknowledged int
}

// plant has the wallets of a world get what is planted.
func plant(w *world) *planted {
	p := &planted{}
	inner := w.mux
	w.mux = http.NewServeMux()
	w.mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		switch r.URL.Path {
		case "/vci/notification":
			body, _ := io.ReadAll(r.Body)
			var said struct {
				Event       string `json:"event"`
				Description string `json:"event_description"`
			}
			_ = json.Unmarshal(body, &said)
			r.Body = io.NopCloser(bytes.NewReader(body))
			inner.ServeHTTP(rec, r)
			p.event, p.description, p.acknowledged = said.Event, said.Description, rec.Code
		case "/vci/credential":
			inner.ServeHTTP(rec, r)
			if rec.Code == http.StatusOK && p.send != nil {
				var body map[string]any
				_ = json.Unmarshal(rec.Body.Bytes(), &body)
				var all []map[string]string
				for _, text := range p.send {
					all = append(all, map[string]string{"credential": text})
				}
				body["credentials"] = all
				text, _ := json.Marshal(body)
				rec.Body = bytes.NewBuffer(text)
				rec.Header().Del("Content-Length")
			}
		default:
			inner.ServeHTTP(rec, r)
		}
		for name, values := range rec.Header() {
			rw.Header()[name] = values
		}
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(rec.Body.Bytes())
	})
	return p
}

// stranger signs cards under an authority that nobody here trusts.
func stranger(t testing.TB) mdoc.Signer {
	t.Helper()
	from := servicetest.Noon.AddDate(-1, 0, 0)
	spec := func(name string, days int) mdoc.CertificateSpec {
		serial := sha256.Sum256([]byte(name))
		return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: from, NotAfter: from.AddDate(0, 0, days)}
	}
	root, err := mdoc.NewIACA(servicetest.Key("stranger"), mdoc.IACASpec{CertificateSpec: spec("Strange IACA", 3650), Country: "KR", Contact: "https://stranger.example/", CRL: "https://stranger.example/crl"})
	check(t, err)
	certificate, err := mdoc.NewDocumentSigner(root, &servicetest.Key("strange signer").PublicKey, spec("Strange DS", 457))
	check(t, err)
	s, err := mdoc.NewKeySigner(servicetest.Key("strange signer"), certificate)
	check(t, err)
	return s
}

func TestACopyThatCannotBeUsedIsNotKeptAndTheIssuerIsTold(t *testing.T) {
	w := newWorld(t)
	p := plant(w)
	other := &servicetest.Key("another phone").PublicKey
	// each changes the second of three copies; says is a part of the sentence.
	for _, c := range []struct {
		name   string
		change func(t *testing.T, f []forged)
		send   func(all []string) []string
		says   string // empty: it is kept
	}{
		{name: "as they should be"},
		{name: "in another order", send: func(all []string) []string { return []string{all[2], all[0], all[1]} }},
		{name: "by a clock that is half a minute ahead", change: func(_ *testing.T, f []forged) {
			for i := range f {
				f[i].valid.From = f[i].valid.From.Add(30 * time.Second)
			}
		}},

		{name: "bound to another key", change: func(_ *testing.T, f []forged) { f[1].key = other },
			says: "copy 2 of 3: it is bound to a key that this wallet did not prove"},
		{name: "of another citizen", change: func(_ *testing.T, f []forged) {
			f[1].key, f[1].card.FamilyName, f[1].card.GivenName = other, "이", "바다"
		},
			says: "copy 2 of 3: it says otherwise than copy 1: family_name, given_name"},
		{name: "of another citizen, all of them", change: func(_ *testing.T, f []forged) {
			for i := range f {
				f[i].key, f[i].card.FamilyName = other, "이"
			}
		}, says: "copy 1 of 3: it is bound to a key that this wallet did not prove"},
		{name: "of another citizen on this phone", change: func(_ *testing.T, f []forged) { f[1].card.ResidentNumber = "900102-2345671" },
			says: "copy 2 of 3: it says otherwise than copy 1: resident_registration_number"},
		{name: "expired", change: func(_ *testing.T, f []forged) { f[1].valid = past(f[1].valid) }, says: "copy 2 of 3: the card has expired"},
		{name: "good from tomorrow", change: func(_ *testing.T, f []forged) { f[1].valid.From = f[1].valid.From.AddDate(0, 0, 1) },
			says: "copy 2 of 3: the card is not valid yet"},
		{name: "without a status reference", change: func(_ *testing.T, f []forged) { f[1].status = nil },
			says: "copy 2 of 3: it says nowhere whether it is suspended"},
		{name: "with the same status index", change: func(_ *testing.T, f []forged) { f[1].status = f[0].status },
			says: "copy 2 of 3: it has the status index of copy 1"},
		{name: "by an issuer who is not trusted", change: func(t *testing.T, f []forged) { f[1].signer = stranger(t) },
			says: "copy 2 of 3: the signer is not trusted"},

		{name: "the same bytes twice", send: func(all []string) []string { return []string{all[0], all[0], all[2]} },
			says: "copy 2 of 3: it is bound to the key of copy 1"},
		{name: "cut off", send: func(all []string) []string { return []string{all[0], all[1][:len(all[1])-40], all[2]} }, says: "copy 2 of 3: the "},
		{name: "empty", send: func(all []string) []string { return []string{all[0], "", all[2]} }, says: "copy 2 of 3: the "},
		{name: "too few", send: func(all []string) []string { return all[:2] }, says: "2 copies came for 3 keys"},
		{name: "none", send: func([]string) []string { return []string{} }, says: "0 copies came for 3 keys"},
	} {
		for _, config := range []string{openid4vci.MdocID, openid4vci.SDJWTID} {
			t.Run(c.name+"/"+config, func(t *testing.T) {
				w.t, *p = t, planted{}
				one := w.wallet(t.Name())
				token := w.authorise(one, w.Resident())
				keys := one.Phone().Keys(servicetest.Copies)
				all := batch(w, config, keys)
				if c.change != nil {
					c.change(t, all)
				}
				p.send = []string{}
				for _, f := range all {
					p.send = append(p.send, f.text(t))
				}
				if c.send != nil {
					p.send = c.send(p.send)
				}
				got, err := token.IssueFor(ctx, config, keys, wallet.Ask{})
				p.outcome(t, one, got, err, c.says)
			})
		}
	}
}

// past is a time that was over an hour ago.
func past(v mdoc.Validity) mdoc.Validity {
	from := v.From.AddDate(0, 0, -1)
	return mdoc.Validity{Signed: from, From: from, Until: v.From.Add(-time.Hour)}
}

// describable are the characters that OpenID4VCI 1.0 §11.1 allows.
var describable = regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]{1,200}$`)

// outcome is that nothing was kept and the service knows why, or all was kept.
func (p *planted) outcome(t *testing.T, one *wallet.Wallet, got []wallet.Copy, err error, says string) {
	t.Helper()
	if says == "" {
		check(t, err)
		if len(one.Copies()) != servicetest.Copies || p.event != "credential_accepted" || p.acknowledged != http.StatusNoContent {
			t.Errorf("%d copies are kept, and the service is told %s", len(one.Copies()), p.event)
		}
		for i, held := range one.Copies() {
			if holder := holderOf(t, held); !holder.Equal(&held.Key.PublicKey) {
				t.Errorf("copy %d is held with another key than its own", i+1)
			}
		}
		return
	}
	if !errors.Is(err, wallet.ErrUnusable) || !strings.Contains(err.Error(), says) {
		t.Errorf("%v\nwant %q", err, says)
	}
	if len(got) != 0 || len(one.Copies()) != 0 {
		t.Errorf("%d copies are kept", len(one.Copies()))
	}
	if p.event != "credential_failure" || p.acknowledged != http.StatusNoContent || !describable.MatchString(p.description) {
		t.Errorf("the service is told %q, %q, and answers %d", p.event, p.description, p.acknowledged)
	}
}

func holderOf(t testing.TB, c wallet.Copy) *ecdsa.PublicKey {
	t.Helper()
	if c.Format == sdjwt.Format {
		p, err := sdjwt.VerifyCard(string(c.Credential), servicetest.Authorities().Anchors, []string{sdjwt.Type}, servicetest.Noon.AddDate(0, 0, 1))
		check(t, err)
		return p.Holder
	}
	held, err := mdoc.Inspect(c.Credential)
	check(t, err)
	return held.DeviceKey
}

// An element or a disclosure that the issuer did not sign; the signature is good.
func TestACopyWhoseDigestsDoNotMatchIsNotKept(t *testing.T) {
	w := newWorld(t)
	p := plant(w)
	for config, change := range map[string]func(string) string{
		openid4vci.MdocID: func(text string) string {
			raw, err := base64.RawURLEncoding.DecodeString(text)
			check(t, err)
			return base64.RawURLEncoding.EncodeToString(bytes.Replace(raw, []byte("하늘"), []byte("바다"), 1))
		},
		openid4vci.SDJWTID: func(text string) string {
			return strings.Replace(text, strings.Split(text, "~")[1], base64.RawURLEncoding.EncodeToString([]byte(`["c2FsdCBvZiBub2JvZHk", "family_name", "이"]`)), 1)
		},
	} {
		for _, trusts := range []bool{true, false} { // whom the wallet trusts does not matter to it
			*p = planted{}
			one := w.wallet(fmt.Sprint(config, trusts), func(o *wallet.Options) {
				if !trusts {
					o.Issuers = nil
				}
			})
			token := w.authorise(one, w.Resident())
			keys := one.Phone().Keys(1)
			p.send = []string{change(batch(w, config, keys)[0].text(t))}
			_, err := token.IssueFor(ctx, config, keys, wallet.Ask{})
			says := map[string]string{openid4vci.MdocID: mdoc.ErrDigest.Error(), openid4vci.SDJWTID: sdjwt.ErrDisclosure.Error()}[config]
			p.outcome(t, one, nil, err, says)
		}
	}
}

// What the issuer says of a configuration is what the wallet asks for, and nothing else.
func TestACardOfAnotherTypeOrFormatThanWasAskedForIsNotKept(t *testing.T) {
	w := newWorld(t)
	p := plant(w)
	for _, c := range []struct {
		name, config string
		member       string // of the metadata: the type
		came         string // configuration in which a card comes
		says         string
	}{
		{"another document type", openid4vci.MdocID, "doctype", openid4vci.MdocID, mdoc.ErrDocType.Error()},
		{"another vct", openid4vci.SDJWTID, "vct", openid4vci.SDJWTID, sdjwt.ErrType.Error()},
		{"an SD-JWT for an mdoc", openid4vci.MdocID, "", openid4vci.SDJWTID, "it is not base64url"},
		{"an mdoc for an SD-JWT", openid4vci.SDJWTID, "", openid4vci.MdocID, sdjwt.ErrMalformed.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t, *p = t, planted{}
			one := w.wallet(c.name)
			i, err := one.Discover(ctx, issuer)
			check(t, err)
			kind := i.Configs[c.config]
			switch c.member {
			case "doctype":
				kind.DocType = "org.iso.18013.5.1.mDL"
			case "vct":
				kind.Type = "https://example.com/diploma"
			}
			i.Configs[c.config] = kind
			token := w.authorise(one, w.Resident())
			keys := one.Phone().Keys(1)
			p.send = []string{batch(w, c.came, keys)[0].text(t)}
			_, err = token.IssueFor(ctx, c.config, keys, wallet.Ask{})
			p.outcome(t, one, nil, err, c.says)
		})
	}
}

// What a wallet holds is not lost for what it refuses, and it may ask again.
func TestTheCopiesBeforeStayUntilUsableOnesCome(t *testing.T) {
	w := newWorld(t)
	p := plant(w)
	one := w.wallet("phone")
	token := w.authorise(one, w.Resident())
	keys := one.Phone().Keys(2)
	ask := func() error {
		_, err := token.IssueFor(ctx, openid4vci.MdocID, keys, wallet.Ask{})
		return err
	}
	check(t, ask())
	before := one.Copies()
	p.send = []string{"", ""}
	if err := ask(); !errors.Is(err, wallet.ErrUnusable) || p.event != "credential_failure" {
		t.Errorf("%v, %s", err, p.event)
	}
	if len(one.Copies()) != 2 || &one.Copies()[0] != &before[0] || w.look(one) != "accepted" {
		t.Errorf("%d copies are left", len(one.Copies()))
	}
	p.send = nil
	check(t, ask())
	if len(one.Copies()) != 2 || p.event != "credential_accepted" || w.look(one) != "accepted" {
		t.Errorf("%d copies, %s", len(one.Copies()), p.event)
	}
}

// An issuer that takes no notifications is told nothing, and one that does not listen
// does not hide why its card was refused.
func TestARefusalStandsWhetherTheIssuerHearsOfItOrNot(t *testing.T) {
	for name, endpoint := range map[string]string{"no endpoint": "", "an endpoint that is not there": issuer + "/vci/nowhere"} {
		w := newWorld(t)
		p := plant(w)
		one := w.wallet("phone")
		token := w.authorise(one, w.Resident())
		token.Issuer.Notify = endpoint
		p.send = []string{""}
		if _, err := token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: 1}); !errors.Is(err, wallet.ErrUnusable) || p.event != "" || len(one.Copies()) != 0 {
			t.Errorf("%s: %v, %s", name, err, p.event)
		}
	}
}

// With OneSignature the signatures of all but the first copy are taken on trust, nothing
// else.
func TestOneSignatureOfABatchMayStandForAll(t *testing.T) {
	w := newWorld(t)
	p := plant(w)
	for _, c := range []struct {
		name   string
		change func(t *testing.T, f []forged)
		says   string
	}{
		{"a stranger's second", func(t *testing.T, f []forged) { f[1].signer = stranger(t) }, ""},
		{"a stranger's first", func(t *testing.T, f []forged) { f[0].signer = stranger(t) }, "copy 1 of 3: the signer is not trusted"},
		{"the second bound to another key", func(_ *testing.T, f []forged) { f[1].key = &servicetest.Key("another phone").PublicKey }, "copy 2 of 3: it is bound to a key"},
		{"the third expired", func(_ *testing.T, f []forged) { f[2].valid = past(f[2].valid) }, "copy 3 of 3: the card has expired"},
		{"the third without a status reference", func(_ *testing.T, f []forged) { f[2].status = nil }, "copy 3 of 3: it says nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t, *p = t, planted{}
			one := w.wallet(c.name, func(o *wallet.Options) { o.OneSignature = true })
			token := w.authorise(one, w.Resident())
			keys := one.Phone().Keys(servicetest.Copies)
			all := batch(w, openid4vci.MdocID, keys)
			c.change(t, all)
			for _, f := range all {
				p.send = append(p.send, f.text(t))
			}
			got, err := token.IssueFor(ctx, openid4vci.MdocID, keys, wallet.Ask{})
			p.outcome(t, one, got, err, c.says)
		})
	}
}

// What ten copies cost a wallet that is given them.
func BenchmarkCheck(b *testing.B) {
	w := newWorld(b)
	portrait := camera.Portrait(rand.NewChaCha8([32]byte{}))
	kinds := map[string]wallet.Configuration{
		openid4vci.MdocID:  {Format: "mso_mdoc", DocType: mdoc.DocType},
		openid4vci.SDJWTID: {Format: sdjwt.Format, Type: sdjwt.Type},
	}
	for _, config := range []string{openid4vci.MdocID, openid4vci.SDJWTID} {
		keys := w.wallet("phone").Phone().Keys(10)
		var came []string
		for _, f := range batch(w, config, keys) {
			f.card.Portrait = portrait
			came = append(came, f.text(b))
		}
		for _, c := range []struct {
			name   string
			change func(*wallet.Options)
		}{
			{"all-signatures", func(o *wallet.Options) {}},
			{"one-signature", func(o *wallet.Options) { o.OneSignature = true }},
			{"no-list-of-trust", func(o *wallet.Options) { o.Issuers = nil }},
		} {
			b.Run(config+"/"+c.name, func(b *testing.B) {
				for b.Loop() {
					one := w.wallet("phone", c.change, func(o *wallet.Options) {
						if o.Issuers != nil { // which remembers nothing yet
							o.Issuers, _ = mdoc.NewTrustAnchors(servicetest.Authorities().Root)
						}
					})
					if _, err := one.CheckForTests(config, kinds[config], came, keys); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
