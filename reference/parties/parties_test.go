package parties

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/web"
)

var (
	ctx   = context.Background()
	start = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	admin = access.Caller{Role: access.Administrator, ID: "root"}
)

const issuer = "https://id.example"

// office is a register with two replicas of the service.
type office struct {
	*Parties
	second *Parties
	db     store.Store
	now    time.Time
}

func newOffice(t testing.TB) *office {
	t.Helper()
	db, err := sqlite.Open(filepath.Join(t.TempDir(), "register.db"), sqlite.Options{Readers: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	o := &office{db: db, now: start}
	for i, to := range []**Parties{&o.Parties, &o.second} {
		r := &register.Register{Store: db, Now: func() time.Time { return o.now }, Random: rand.NewChaCha8([32]byte{byte(i)})}
		keys, err := seal.NewKeys([32]byte{7})
		if err != nil {
			t.Fatal(err)
		}
		if *to, err = New(r, Options{Issuer: issuer, TokenEndpoint: issuer + "/parties/token", Keys: keys, Cost: Cost{8, 1}}); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

func key(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

func jwk(name string) jws.Key {
	k, err := jws.KeyOf(&key(name).PublicKey)
	if err != nil {
		panic(err)
	}
	k.KeyID = name
	return k
}

func bank() Request {
	return Request{By: admin, Key: "enter bank", ID: "bank", Role: access.Verifier, Why: "contract 7",
		Profile: Profile{Name: "First Bank", Keys: []jws.Key{jwk("bank 1"), jwk("bank 2")}, Elements: []string{"age_over_19"}, Redirects: []string{"https://bank.example/back"}}}
}

func clerk() Request {
	return Request{By: admin, Key: "enter kim", ID: "kim", Role: access.Clerk, Passphrase: "correct horse battery", Why: "hired",
		Profile: Profile{Name: "Kim", Centre: "36110"}}
}

func (o *office) enter(t testing.TB, all ...Request) {
	t.Helper()
	for _, q := range all {
		if _, err := o.Enter(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
}

// version is that of a party now.
func (o *office) version(t testing.TB, id string) string {
	t.Helper()
	one, err := o.Party(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return one.Version
}

// said are the claims of a good assertion, changed.
func (o *office) said(change func(map[string]any)) map[string]any {
	c := map[string]any{"iss": "bank", "sub": "bank", "aud": issuer, "exp": o.now.Add(time.Minute).Unix(), "iat": o.now.Unix(), "jti": fmt.Sprint("id ", rand.Uint64())}
	if change != nil {
		change(c)
	}
	return c
}

func sign(t testing.TB, by string, h jws.Header, claims map[string]any) string {
	t.Helper()
	text, err := jws.With(key(by)).Token(h, claims)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func code(err error) string {
	if e, ok := errors.AsType[*web.Error](err); ok {
		return e.Code
	}
	return fmt.Sprint(err)
}

// A process that is alone asks the register for a party once, and again after a
// change: what it was told before holds for no request after it.
func TestWhoIsAloneRemembersAPartyUntilOneIsChanged(t *testing.T) {
	o := newOffice(t)
	o.o.Alone = true
	o.enter(t, bank(), clerk())
	look := func(elements int, inForce bool, asks uint64) {
		t.Helper()
		before := o.db.Stats().Views
		one, err := o.Party(ctx, "bank")
		if err != nil || len(one.Elements) != elements || one.inForce(o.now) != inForce || o.db.Stats().Views-before != asks {
			t.Errorf("%+v %v, %d views", one, err, o.db.Stats().Views-before)
		}
	}
	look(1, true, 1)
	look(1, true, 0)
	change := bank()
	change.Key, change.Elements = "more", []string{"age_over_19", "family_name"}
	change.Version = o.version(t, change.ID)
	if _, err := o.Change(ctx, change); err != nil {
		t.Fatal(err)
	}
	look(2, true, 1)
	look(2, true, 0)
	if _, err := o.End(ctx, Ending{By: admin, Key: "end", ID: "bank", Why: "contract over"}); err != nil {
		t.Fatal(err)
	}
	look(2, false, 1)
	if _, err := o.Party(ctx, "nobody"); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}

	// Read before a change, remembered after it: no.
	_, _, as := o.known.get("bank")
	o.known.forget()
	o.known.put(Party{ID: "bank"}, as)
	look(2, false, 1)
}

func TestAPartyIsEnteredChangedAndEndedAndTheLogSaysSo(t *testing.T) {
	o := newOffice(t)
	o.enter(t, bank())
	change := bank()
	change.Key, change.Elements = "more", []string{"age_over_19", "family_name"}
	change.Version = o.version(t, change.ID)
	if _, err := o.Change(ctx, change); err != nil {
		t.Fatal(err)
	}
	one, err := o.second.Party(ctx, "bank")
	if err != nil || len(one.Elements) != 2 || one.Name != "First Bank" || one.Role != access.Verifier {
		t.Errorf("%+v %v", one, err)
	}
	if _, err := o.End(ctx, Ending{By: admin, Key: "end", ID: "bank", Why: "contract over"}); err != nil {
		t.Fatal(err)
	}
	if one, _ := o.Party(ctx, "bank"); one.inForce(o.now) {
		t.Error("it was ended and is in force")
	}
	if _, err := o.End(ctx, Ending{By: admin, Key: "end again", ID: "bank", Why: "contract over"}); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
	again := bank()
	again.Key = "again"
	if _, err := o.Enter(ctx, again); !errors.Is(err, ErrEntered) {
		t.Errorf("an id was given twice: %v", err)
	}
	var events []string
	var last audit.Entry
	if err := o.db.View(ctx, func(r store.Reader) error {
		return r.Audit(1, 99, func(a store.AuditRecord) error {
			if err := json.Unmarshal(a.Body, &last); err != nil {
				return err
			}
			events = append(events, last.Event+" "+last.Subject+" by "+last.Role+" "+last.Actor)
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(events, "; "); got != "party-entered bank by administrator root; party-changed bank by administrator root; party-ended bank by administrator root" {
		t.Error(got)
	}
	if _, err := audit.Verify(ctx, o.db); err != nil {
		t.Error(err)
	}
	_ = o.db.View(ctx, func(r store.Reader) error {
		s, _ := r.Party("bank")
		if Digest(s) != last.Digest || len(last.Digest) != 64 {
			t.Errorf("the log's digest %q is not that of the party", last.Digest)
		}
		s.Body = bytes.Replace(s.Body, []byte("family_name"), []byte("portrait"), 1)
		if Digest(s) == last.Digest {
			t.Error("a changed party has the same digest")
		}
		return nil
	})
}

// Two administrators who change the same party at once: the second is told, and undoes
// nothing, whichever replica it comes to; a repeated change is no second one.
func TestAChangeUndoesNoOtherThatItsAuthorHasNotSeen(t *testing.T) {
	o := newOffice(t)
	o.enter(t, bank())
	seen := o.version(t, "bank")
	one, two := bank(), bank()
	one.Key, one.Version, one.Elements = "one", seen, []string{"age_over_19", "family_name"}
	two.Key, two.Version, two.Name, two.By.ID = "two", seen, "Second Bank", "other"
	first, err := o.Change(ctx, one)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{seen, "", "made up"} {
		two.Version = version
		if _, err := o.second.Change(ctx, two); !errors.Is(err, ErrChanged) {
			t.Errorf("of version %q: %v", version, err)
		}
	}
	if again, err := o.Change(ctx, one); err != nil || again.Sequence != first.Sequence {
		t.Errorf("the first again: %+v %v", again, err)
	}
	if now, _ := o.Party(ctx, "bank"); now.Name != "First Bank" || len(now.Elements) != 2 {
		t.Errorf("%+v", now)
	}
	two.Version = o.version(t, "bank")
	if _, err := o.second.Change(ctx, two); err != nil {
		t.Error(err)
	}

	// Of many at the same time, one.
	seen = o.version(t, "bank")
	said := make(chan error)
	for i := range 8 {
		go func() {
			q := bank()
			q.Key, q.Version, q.Name = fmt.Sprint("many ", i), seen, fmt.Sprint("Bank ", i)
			_, err := o.Change(ctx, q)
			said <- err
		}()
	}
	changed := 0
	for range 8 {
		switch err := <-said; {
		case err == nil:
			changed++
		case !errors.Is(err, ErrChanged):
			t.Error(err)
		}
	}
	if changed != 1 {
		t.Errorf("%d of eight changes of the same version", changed)
	}
}

func TestOnlyAnAdministratorEntersChangesAndEnds(t *testing.T) {
	o := newOffice(t)
	o.enter(t, bank())
	for _, role := range access.Roles {
		if role == access.Administrator {
			continue
		}
		q := clerk()
		q.By = access.Caller{Role: role, ID: "root"}
		if _, err := o.Enter(ctx, q); !errors.Is(err, ErrNotAdministrator) {
			t.Errorf("%v entered: %v", role, err)
		}
		b := bank()
		b.By = q.By
		b.Version = o.version(t, b.ID)
		if _, err := o.Change(ctx, b); !errors.Is(err, ErrNotAdministrator) {
			t.Errorf("%v changed: %v", role, err)
		}
		if _, err := o.End(ctx, Ending{By: q.By, Key: "x", ID: "bank"}); !errors.Is(err, ErrNotAdministrator) {
			t.Errorf("%v ended: %v", role, err)
		}
	}
}

func TestTheSameRequestTwiceHasTheEffectOfOne(t *testing.T) {
	o := newOffice(t)
	a, err := o.Enter(ctx, clerk())
	if err != nil {
		t.Fatal(err)
	}
	b, err := o.second.Enter(ctx, clerk())
	if err != nil || a.Sequence != b.Sequence {
		t.Errorf("%+v %+v %v", a, b, err)
	}
	other := clerk()
	other.Name = "Lee"
	if _, err := o.Enter(ctx, other); !errors.Is(err, register.ErrKeyReused) {
		t.Error(err)
	}
}

// A form that is sent again with a corrected passphrase must not be answered as if the
// corrected one counted.
func TestTheSameKeyWithAnotherPassphraseIsAnotherRequest(t *testing.T) {
	o := newOffice(t)
	q := clerk()
	q.Passphrase = "correct horse battery"
	a, err := o.Enter(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := o.second.Enter(ctx, q); err != nil || a.Sequence != b.Sequence {
		t.Errorf("the same again: %+v %+v %v", a, b, err)
	}
	for _, other := range []string{"", "staple staple staple"} {
		q.Passphrase = other
		if _, err := o.second.Enter(ctx, q); !errors.Is(err, register.ErrKeyReused) {
			t.Errorf("with the passphrase %q: %v", other, err)
		}
	}
	if _, err := o.SignIn(ctx, q.ID, "correct horse battery", ""); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeSoIsNotEntered(t *testing.T) {
	o := newOffice(t)
	private := jwk("private")
	private.D = new(json.RawMessage)
	*private.D = json.RawMessage(`"AA"`)
	for what, wrong := range map[string]func(*Request){
		"an id with a space":             func(q *Request) { q.ID = "first bank" },
		"a long id":                      func(q *Request) { q.ID = strings.Repeat("a", 65) },
		"no name":                        func(q *Request) { q.Name = "" },
		"a citizen":                      func(q *Request) { q.Role = access.Citizen },
		"two roles":                      func(q *Request) { q.Role = access.Auditor | access.Administrator },
		"no role":                        func(q *Request) { q.Role = 0 },
		"a clerk without a centre":       func(q *Request) { q.Role, q.Elements = access.Clerk, nil },
		"a verifier with a centre":       func(q *Request) { q.Centre = "36110" },
		"an auditor who asks":            func(q *Request) { q.Role = access.Auditor },
		"no way to prove it":             func(q *Request) { q.Keys = nil },
		"a private key":                  func(q *Request) { q.Keys = append(q.Keys, private) },
		"two keys of one kid":            func(q *Request) { q.Keys = append(q.Keys, q.Keys[0]) },
		"nine keys":                      func(q *Request) { q.Keys = make([]jws.Key, 9) },
		"a thumbprint that is none":      func(q *Request) { q.Certificates = []string{"AA"} },
		"an element twice":               func(q *Request) { q.Elements = []string{"age_over_19", "age_over_19"} },
		"an element that no card has":    func(q *Request) { q.Elements = []string{"shoe_size"} },
		"an age of letters":              func(q *Request) { q.Elements = []string{"age_over_abc"} },
		"an age of one digit":            func(q *Request) { q.Elements = []string{"age_over_7"} },
		"an age of three digits":         func(q *Request) { q.Elements = []string{"age_over_019"} },
		"an age that no card has":        func(q *Request) { q.Elements = []string{"age_over_21"} },
		"a response over plain HTTP":     func(q *Request) { q.Responses = []string{"http://bank.example/r"} },
		"a redirect with a fragment":     func(q *Request) { q.Redirects = []string{"https://bank.example/r#x"} },
		"a redirect to a script":         func(q *Request) { q.Redirects = []string{"javascript:alert(1)"} },
		"a redirect with somebody in it": func(q *Request) { q.Redirects = []string{"https://bank@evil.example/"} },
	} {
		q := bank()
		wrong(&q)
		if _, err := o.Enter(ctx, q); !errors.Is(err, ErrProfile) {
			t.Errorf("%s: %v", what, err)
		}
	}
	short := clerk()
	short.Passphrase = "horse"
	if _, err := o.Enter(ctx, short); !errors.Is(err, ErrProfile) {
		t.Errorf("a short passphrase: %v", err)
	}
	if all, err := o.All(ctx); err != nil || len(all) != 0 {
		t.Errorf("%v %v", all, err)
	}
	o.enter(t, bank())
	q := bank()
	q.Key, q.Role, q.Elements = "other", access.Auditor, nil
	q.Version = o.version(t, q.ID)
	if _, err := o.Change(ctx, q); !errors.Is(err, ErrProfile) {
		t.Errorf("a verifier became an auditor: %v", err)
	}
}

func TestAnAssertionSaysWhoCalls(t *testing.T) {
	o := newOffice(t)
	o.enter(t, bank())
	for what, text := range map[string]string{
		"with kid":         sign(t, "bank 2", jws.Header{KeyID: "bank 2"}, o.said(nil)),
		"without kid":      sign(t, "bank 2", jws.Header{}, o.said(nil)),
		"typ JWT":          sign(t, "bank 1", jws.Header{Type: "JWT"}, o.said(nil)),
		"its own typ":      sign(t, "bank 1", jws.Header{Type: "client-authentication+jwt"}, o.said(nil)),
		"aud in a list":    sign(t, "bank 1", jws.Header{}, o.said(func(c map[string]any) { c["aud"] = []string{issuer} })),
		"aud the endpoint": sign(t, "bank 1", jws.Header{}, o.said(func(c map[string]any) { c["aud"] = issuer + "/parties/token" })),
		"five minutes":     sign(t, "bank 1", jws.Header{}, o.said(func(c map[string]any) { c["exp"] = o.now.Add(5 * time.Minute).Unix() })),
	} {
		who, err := o.Authenticate(ctx, text)
		if err != nil || who.ID != "bank" || who.Role != access.Verifier || len(who.Elements) != 1 || len(who.Redirects) != 1 {
			t.Errorf("%s: %+v %v", what, who, err)
		}
	}
}

func TestAnAssertionThatIsNotGoodIsRefused(t *testing.T) {
	o := newOffice(t)
	o.enter(t, bank(), clerk())
	claim := func(name string, v any) map[string]any {
		return o.said(func(c map[string]any) {
			if c[name] = v; v == nil {
				delete(c, name)
			}
		})
	}
	good := sign(t, "bank 1", jws.Header{}, o.said(nil))
	for what, text := range map[string]string{
		"another's key":         sign(t, "stranger", jws.Header{}, o.said(nil)),
		"another key's kid":     sign(t, "bank 1", jws.Header{KeyID: "bank 2"}, o.said(nil)),
		"an unknown party":      sign(t, "bank 1", jws.Header{}, o.said(func(c map[string]any) { c["iss"], c["sub"] = "nobody", "nobody" })),
		"a party without keys":  sign(t, "bank 1", jws.Header{}, o.said(func(c map[string]any) { c["iss"], c["sub"] = "kim", "kim" })),
		"iss is not sub":        sign(t, "bank 1", jws.Header{}, claim("sub", "kim")),
		"no iss":                sign(t, "bank 1", jws.Header{}, claim("iss", nil)),
		"another's audience":    sign(t, "bank 1", jws.Header{}, claim("aud", "https://other.example")),
		"two audiences":         sign(t, "bank 1", jws.Header{}, claim("aud", []string{issuer, "https://other.example"})),
		"no audience":           sign(t, "bank 1", jws.Header{}, claim("aud", nil)),
		"expired":               sign(t, "bank 1", jws.Header{}, claim("exp", o.now.Unix())),
		"no end":                sign(t, "bank 1", jws.Header{}, claim("exp", nil)),
		"an hour":               sign(t, "bank 1", jws.Header{}, claim("exp", o.now.Add(time.Hour).Unix())),
		"from the future":       sign(t, "bank 1", jws.Header{}, claim("iat", o.now.Add(time.Minute).Unix())),
		"not yet":               sign(t, "bank 1", jws.Header{}, claim("nbf", o.now.Add(time.Minute).Unix())),
		"no jti":                sign(t, "bank 1", jws.Header{}, claim("jti", nil)),
		"a long jti":            sign(t, "bank 1", jws.Header{}, claim("jti", strings.Repeat("x", 201))),
		"exp a text":            sign(t, "bank 1", jws.Header{}, claim("exp", "soon")),
		"exp out of range":      sign(t, "bank 1", jws.Header{}, claim("exp", 1e300)),
		"another type":          sign(t, "bank 1", jws.Header{Type: "dpop+jwt"}, o.said(nil)),
		"a changed signature":   good[:len(good)-4] + "AAAA",
		"no signature":          good[:strings.LastIndexByte(good, '.')+1],
		"alg none":              "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".",
		"nothing":               "",
		"more than is read":     strings.Repeat("a", maxAssertion+1),
		"a header with its key": sign(t, "stranger", jws.Header{Key: func() *jws.Key { k := jwk("stranger"); return &k }()}, o.said(nil)),
	} {
		if who, err := o.Authenticate(ctx, text); code(err) != "invalid_client" {
			t.Errorf("%s: %+v %v", what, who, err)
		}
	}
	o.now = o.now.Add(time.Hour)
	if _, err := o.End(ctx, Ending{By: admin, Key: "end", ID: "bank", Why: "contract over"}); err != nil {
		t.Fatal(err)
	}
	if who, err := o.Authenticate(ctx, sign(t, "bank 1", jws.Header{}, o.said(nil))); code(err) != "invalid_client" {
		t.Errorf("an ended party: %+v %v", who, err)
	}
}

func TestAnAssertionIsUsedOnceWhicheverReplicaItComesTo(t *testing.T) {
	o := newOffice(t)
	o.enter(t, bank())
	text := sign(t, "bank 1", jws.Header{}, o.said(nil))
	if _, err := o.Authenticate(ctx, text); err != nil {
		t.Fatal(err)
	}
	for _, replica := range []*Parties{o.Parties, o.second} {
		if _, err := replica.Authenticate(ctx, text); code(err) != "invalid_client" {
			t.Errorf("again: %v", err)
		}
	}
}

// token asks a replica's token endpoint.
func token(p *Parties, form url.Values, c *x509.Certificate) (int, map[string]any) {
	r := httptest.NewRequest("POST", "/parties/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if c != nil {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c}}
	}
	w := httptest.NewRecorder()
	web.OAuth(p.Token).ServeHTTP(w, r)
	var v map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &v)
	return w.Code, v
}

func grant(assertion string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}}
}

func TestAnAccessTokenOfAPartyHoldsAtEveryReplicaUntilItsEndOrThePartys(t *testing.T) {
	o := newOffice(t)
	o.enter(t, bank())
	status, v := token(o.Parties, grant(sign(t, "bank 1", jws.Header{}, o.said(nil))), nil)
	if status != 200 || v["token_type"] != "Bearer" || v["expires_in"] != 600.0 {
		t.Fatalf("%d %v", status, v)
	}
	text := v["access_token"].(string)
	ask := func(p *Parties) (access.Caller, error) {
		ctx, err := p.Bearer(httptest.NewRequest("GET", "/", nil), text)
		if err != nil {
			return access.Caller{}, err
		}
		return access.From(ctx), nil
	}
	for _, replica := range []*Parties{o.Parties, o.second} {
		if who, err := ask(replica); err != nil || who.ID != "bank" || who.Role != access.Verifier {
			t.Errorf("%+v %v", who, err)
		}
	}
	o.now = start.Add(TokenLife)
	if _, err := ask(o.Parties); code(err) != "invalid_token" {
		t.Errorf("after its end: %v", err)
	}
	o.now = start.Add(time.Minute)
	if _, err := o.End(ctx, Ending{By: admin, Key: "end", ID: "bank", Why: "contract over"}); err != nil {
		t.Fatal(err)
	}
	if _, err := ask(o.second); code(err) != "invalid_token" {
		t.Errorf("after the party's end: %v", err)
	}
	if _, err := o.Bearer(httptest.NewRequest("GET", "/", nil), "nonsense"); code(err) != "invalid_token" {
		t.Errorf("nonsense: %v", err)
	}
}

// Whoever has taken a key has perhaps got a token with it: both end at once.
func TestAnAccessTokenEndsWithTheKeyOrCertificateItWasGotBy(t *testing.T) {
	o := newOffice(t)
	mine := certificate(t, "bank", "bank tls")
	q := bank()
	q.Certificates = []string{thumbprint(mine)}
	o.enter(t, q)
	connection := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{mine}}
	var tokens []string
	for _, ask := range []func() (int, map[string]any){
		func() (int, map[string]any) {
			return token(o.Parties, grant(sign(t, "bank 1", jws.Header{}, o.said(nil))), nil)
		},
		func() (int, map[string]any) {
			return token(o.Parties, grant(sign(t, "bank 2", jws.Header{}, o.said(nil))), nil)
		},
		func() (int, map[string]any) {
			return token(o.Parties, url.Values{"grant_type": {"client_credentials"}, "client_id": {"bank"}}, mine)
		},
	} {
		status, v := ask()
		if status != 200 {
			t.Fatalf("%d %v", status, v)
		}
		tokens = append(tokens, v["access_token"].(string))
	}
	good := func(what string, want ...bool) {
		t.Helper()
		for i, text := range tokens {
			r := httptest.NewRequest("GET", "/", nil)
			r.TLS = connection
			_, err := o.second.Bearer(r, text)
			if (err == nil) != want[i] || err != nil && code(err) != "invalid_token" {
				t.Errorf("%s: token %d: %v", what, i+1, err)
			}
		}
	}
	good("as entered", true, true, true)
	q.Key, q.Keys = "one key less", q.Keys[1:]
	q.Version = o.version(t, q.ID)
	if _, err := o.Change(ctx, q); err != nil {
		t.Fatal(err)
	}
	good("without the first key", false, true, true)
	q.Key, q.Certificates = "no certificate", nil
	q.Version = o.version(t, q.ID)
	if _, err := o.Change(ctx, q); err != nil {
		t.Fatal(err)
	}
	good("without the certificate", false, true, false)
}

func TestTheTokenEndpointRefusesWhatItDoesNotKnow(t *testing.T) {
	o := newOffice(t)
	o.enter(t, bank())
	for what, c := range map[string]struct {
		change func(url.Values)
		want   string
	}{
		"another grant":        {func(f url.Values) { f.Set("grant_type", "password") }, "unsupported_grant_type"},
		"no assertion":         {func(f url.Values) { f.Del("client_assertion") }, "invalid_client"},
		"another type":         {func(f url.Values) { f.Set("client_assertion_type", "x") }, "invalid_client"},
		"another client":       {func(f url.Values) { f.Set("client_id", "kim") }, "invalid_client"},
		"a parameter twice":    {func(f url.Values) { f.Add("grant_type", "client_credentials") }, "invalid_request"},
		"an empty assertion":   {func(f url.Values) { f.Set("client_assertion", "") }, "invalid_client"},
		"a secret in the form": {func(f url.Values) { f.Del("client_assertion"); f.Set("client_secret", "x") }, "invalid_client"},
	} {
		f := grant(sign(t, "bank 1", jws.Header{}, o.said(nil)))
		c.change(f)
		if status, v := token(o.Parties, f, nil); v["error"] != c.want || status < 400 {
			t.Errorf("%s: %d %v", what, status, v)
		}
	}
}

// certificate is a client's own, signed by itself.
func certificate(t testing.TB, id, by string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: id}, NotBefore: start.Add(-time.Hour), NotAfter: start.Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(nil, template, template, &key(by).PublicKey, key(by))
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACertificateThatWasEnteredSaysWhoCalls(t *testing.T) {
	o := newOffice(t)
	mine, stolen := certificate(t, "bank", "bank tls"), certificate(t, "bank", "stranger")
	q := bank()
	q.Certificates = []string{thumbprint(mine)}
	o.enter(t, q, clerk())
	r := httptest.NewRequest("GET", "/", nil)
	got, err := o.Certificate(r, mine)
	if err != nil || access.From(got).ID != "bank" {
		t.Errorf("%v", err)
	}
	for what, c := range map[string]*x509.Certificate{"the same name, another key": stolen, "another party's name": certificate(t, "kim", "bank tls"), "nobody's name": certificate(t, "", "bank tls")} {
		if _, err := o.Certificate(r, c); code(err) != "invalid_client" {
			t.Errorf("%s: %v", what, err)
		}
	}
	status, v := token(o.Parties, url.Values{"grant_type": {"client_credentials"}, "client_id": {"bank"}}, mine)
	if status != 200 {
		t.Fatalf("%d %v", status, v)
	}
	bound := v["access_token"].(string)
	if _, err := o.Bearer(r, bound); code(err) != "invalid_token" {
		t.Errorf("a token bound to a certificate, on a connection without: %v", err)
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{stolen}}
	if _, err := o.Bearer(r, bound); code(err) != "invalid_token" {
		t.Errorf("and with another: %v", err)
	}
	r.TLS.PeerCertificates[0] = mine
	if _, err := o.Bearer(r, bound); err != nil {
		t.Error(err)
	}
	o.now = start.Add(25 * time.Hour)
	if _, err := o.Certificate(r, mine); code(err) != "invalid_client" {
		t.Errorf("an expired certificate: %v", err)
	}
}

func TestASessionBeginsWithTheRightPassphraseAlone(t *testing.T) {
	o := newOffice(t)
	o.enter(t, bank(), clerk())
	who, err := o.SignIn(ctx, "kim", "correct horse battery", "")
	if err != nil || who.Role != access.Clerk || who.Centre != "36110" {
		t.Errorf("%+v %v", who, err)
	}
	for id, pass := range map[string]string{"kim": "correct horse batterz", "nobody": "correct horse battery", "bank": "", "": ""} {
		if _, err := o.SignIn(ctx, id, pass, ""); code(err) != "access_denied" {
			t.Errorf("%s with %q: %v", id, pass, err)
		}
	}
	_ = o.db.View(ctx, func(r store.Reader) error {
		s, _ := r.Party("kim")
		if bytes.Contains(s.Body, []byte("horse")) || !bytes.Contains(s.Body, []byte("$argon2id$v=19$m=8,t=1,p=1$")) {
			t.Errorf("%s", s.Body)
		}
		return nil
	})
}

func TestASessionHoldsAtEveryReplicaUntilItsEndOrAnotherPassphrase(t *testing.T) {
	o := newOffice(t)
	o.enter(t, clerk())
	c, err := o.Begin(ctx, "kim", "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || !strings.HasPrefix(c.Name, "__Host-") || c.Path != "/" || c.Domain != "" {
		t.Errorf("%v", c)
	}
	get := httptest.NewRequest("GET", "/console", nil)
	got, err := o.second.Session(get, c.Value)
	if err != nil || access.From(got).ID != "kim" || len(CSRF(got)) != 24 {
		t.Errorf("%v", err)
	}
	o.now = start.Add(SessionLife)
	if _, err := o.Session(get, c.Value); code(err) != "invalid_token" {
		t.Errorf("after its end: %v", err)
	}
	o.now = start
	q := clerk()
	q.Key, q.Passphrase = "new passphrase", "staple staple staple"
	q.Version = o.version(t, q.ID)
	if _, err := o.Change(ctx, q); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Session(get, c.Value); code(err) != "invalid_token" {
		t.Errorf("after another passphrase: %v", err)
	}
	q.Key, q.Passphrase, q.Name = "new name", "", "Kim II"
	q.Version = o.version(t, q.ID)
	if _, err := o.Change(ctx, q); err != nil {
		t.Fatal(err)
	}
	if _, err := o.SignIn(ctx, "kim", "staple staple staple", ""); err != nil {
		t.Errorf("a change of the name took the passphrase: %v", err)
	}
}

func TestARequestThatChangesSomethingComesFromTheConsolesOwnPages(t *testing.T) {
	o := newOffice(t)
	o.enter(t, clerk())
	mine, err := o.Begin(ctx, "kim", "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	got, err := o.Session(httptest.NewRequest("GET", "/console", nil), mine.Value)
	if err != nil {
		t.Fatal(err)
	}
	csrf := CSRF(got)
	another, _ := o.Begin(ctx, "kim", "192.0.2.7")
	gotAnother, _ := o.Session(httptest.NewRequest("GET", "/console", nil), another.Value)
	for what, c := range map[string]struct {
		field, header, site string
		want                bool
	}{
		"a form with the token":           {field: csrf, want: true},
		"a script with the token":         {header: csrf, want: true},
		"from the same origin":            {field: csrf, site: "same-origin", want: true},
		"without a token":                 {},
		"another session's token":         {field: CSRF(gotAnother)},
		"a wrong token":                   {header: "x"},
		"the token, from another site":    {field: csrf, site: "cross-site"},
		"the token, from a sister's site": {header: csrf, site: "same-site"},
	} {
		r := httptest.NewRequest("POST", "/console", strings.NewReader(url.Values{CSRFField: {c.field}, "person": {"7"}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if c.header != "" {
			r.Header.Set(CSRFHeader, c.header)
		}
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		_, err := o.Session(r, mine.Value)
		if (err == nil) != c.want || err != nil && code(err) != "csrf" {
			t.Errorf("%s: %v", what, err)
		}
		if form, err := web.ReadForm(r); c.want && (err != nil || form.Get("person") != "7") {
			t.Errorf("%s: the handler cannot read the form any more: %v %v", what, form, err)
		}
	}
}

// open are the sessions that are open, as party and address.
func (o *office) open(t *testing.T) string {
	t.Helper()
	all, err := o.second.Sessions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, s := range all {
		out = append(out, s.Party+" "+s.From)
	}
	return strings.Join(out, ", ")
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	o := newOffice(t)
	o.enter(t, clerk())
	other := clerk()
	other.ID, other.Key, other.Name, other.Passphrase = "lee", "lee", "Lee", "battery battery battery"
	o.enter(t, other)
	begin := func(id, from string) *http.Request {
		t.Helper()
		o.now = o.now.Add(time.Minute)
		c, err := o.Begin(ctx, id, from)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/console", nil)
		r.AddCookie(c)
		return r
	}
	works := func(r *http.Request) bool {
		c, _ := r.Cookie(CookieName)
		_, here := o.Session(r, c.Value)
		_, there := o.second.Session(r, c.Value)
		if (here == nil) != (there == nil) {
			t.Errorf("the replicas disagree: %v, %v", here, there)
		}
		return here == nil
	}
	root := access.Caller{Role: access.Administrator, ID: "root"}
	first, second, lee := begin("kim", "192.0.2.1"), begin("kim", "192.0.2.2"), begin("lee", "192.0.2.3")
	if got := o.open(t); got != "kim 192.0.2.1, kim 192.0.2.2, lee 192.0.2.3" {
		t.Errorf("open: %s", got)
	}
	all, _ := o.Sessions(ctx)
	if !all[0].Begun.Equal(start.Add(time.Minute)) || !all[0].Ends.Equal(start.Add(time.Minute+SessionLife)) {
		t.Errorf("%+v", all[0])
	}

	// One, by the administrator; another replica refuses it at once.
	q := Ending{By: root, Key: "end one", ID: "kim", Why: "left the desk"}
	done, err := o.EndSessions(ctx, q, all[0].ID)
	if err != nil || done.Sequence == 0 {
		t.Fatal(err)
	}
	if works(first) || !works(second) || !works(lee) {
		t.Error("another session than the one that was named is over")
	}
	if again, err := o.EndSessions(ctx, q, all[0].ID); err != nil || again != done {
		t.Errorf("asked again: %+v %v", again, err)
	}
	q.Key = "once more"
	if _, err := o.EndSessions(ctx, q, all[0].ID); !errors.Is(err, ErrNoSession) {
		t.Errorf("a session that is over: %v", err)
	}
	if _, err := o.EndSessions(ctx, Ending{By: access.Caller{Role: access.Clerk, ID: "lee"}, Key: "k", ID: "kim"}, ""); !errors.Is(err, ErrNotAdministrator) {
		t.Errorf("a clerk: %v", err)
	}
	if _, err := o.EndSessions(ctx, Ending{By: root, Key: "nobody", ID: "nobody"}, ""); !errors.Is(err, ErrUnknown) {
		t.Errorf("nobody: %v", err)
	}
	// A session of somebody else is none of this party.
	if _, err := o.EndSessions(ctx, Ending{By: root, Key: "mixed", ID: "kim"}, all[2].ID); !errors.Is(err, ErrNoSession) || !works(lee) {
		t.Errorf("another's session: %v", err)
	}

	// All of a person.
	third := begin("kim", "192.0.2.4")
	if _, err := o.EndSessions(ctx, Ending{By: root, Key: "end all", ID: "kim"}, ""); err != nil {
		t.Fatal(err)
	}
	if works(second) || works(third) || !works(lee) {
		t.Error("not all of kim's, or not only these, are over")
	}

	// By who has it.
	c, _ := lee.Cookie(CookieName)
	if err := o.SignOut(ctx, c.Value); err != nil || works(lee) || o.open(t) != "" {
		t.Errorf("after signing out: %v, open %q", err, o.open(t))
	}
	if err := o.SignOut(ctx, c.Value); err != nil {
		t.Errorf("signing out twice: %v", err)
	}

	// By time, by another passphrase, with the party.
	begin("kim", "192.0.2.5")
	o.now = o.now.Add(SessionLife)
	if got := o.open(t); got != "" {
		t.Errorf("after its time: %s", got)
	}
	begin("kim", "192.0.2.6")
	begin("lee", "192.0.2.7")
	change := clerk()
	change.Key, change.Passphrase = "new passphrase", "staple staple staple"
	change.Version = o.version(t, change.ID)
	if _, err := o.Change(ctx, change); err != nil {
		t.Fatal(err)
	}
	if _, err := o.End(ctx, Ending{By: root, Key: "fired", ID: "lee", Why: "left"}); err != nil {
		t.Fatal(err)
	}
	if got := o.open(t); got != "" {
		t.Errorf("after another passphrase, and the end of the party: %s", got)
	}

	// So many at once, and the oldest goes.
	var many []*http.Request
	for n := range maxSessions + 1 {
		many = append(many, begin("kim", fmt.Sprint("window ", n)))
	}
	if works(many[0]) || !works(many[1]) || !works(many[maxSessions]) {
		t.Error("more sessions are open than may be, or others were ended")
	}
}

func TestPassphrasesThatAreMadeDiffer(t *testing.T) {
	a, b := Passphrase([32]byte{1}), Passphrase([32]byte{2})
	if a == b || len(a) < 20 || len(a) < MinPassphrase {
		t.Errorf("%s %s", a, b)
	}
}

func FuzzAssertion(f *testing.F) {
	o := newOffice(f)
	o.enter(f, bank())
	good := sign(f, "bank 1", jws.Header{KeyID: "bank 1"}, o.said(func(c map[string]any) { c["jti"] = "one" }))
	f.Add(good)
	f.Add(good[:40])
	f.Add("..")
	f.Fuzz(func(t *testing.T, text string) {
		who, err := o.Authenticate(ctx, text)
		if err == nil && (who.ID != "bank" || text != good) {
			t.Errorf("%q is %+v", text, who)
		}
	})
}

func TestGuessesThatComeAtOnceAreNoMoreThanTheirNumberAndANameThatNobodyHasIsCountedAlike(t *testing.T) {
	o := newOffice(t)
	o.enter(t, clerk())
	for _, id := range []string{"kim", "nobody"} {
		var wg sync.WaitGroup
		codes := make([]string, 64)
		for i := range codes {
			wg.Go(func() { _, err := o.SignIn(ctx, id, fmt.Sprint("guess number ", i), ""); codes[i] = code(err) })
		}
		wg.Wait()
		looked := 0
		for _, c := range codes {
			switch c {
			case "access_denied":
				looked++
			case "too_many_guesses":
			default:
				t.Errorf("%s: %s", id, c)
			}
		}
		if looked != 10 {
			t.Errorf("%s: %d guesses were looked at", id, looked)
		}
	}
	// Nor does it help to bring a cookie of somebody else, or one that was made up.
	others, err := o.Known("lee")
	if err != nil {
		t.Fatal(err)
	}
	for what, known := range map[string]string{"of another's": others.Value, "made up": "known", "none": ""} {
		if _, err := o.SignIn(ctx, "kim", "correct horse battery", known); code(err) != "too_many_guesses" {
			t.Errorf("with a cookie %s: %v", what, err)
		}
	}
	mine, err := o.second.Known("kim")
	if err != nil {
		t.Fatal(err)
	}
	if !mine.Secure || !mine.HttpOnly || mine.SameSite != http.SameSiteStrictMode || !strings.HasPrefix(mine.Name, "__Host-") || mine.Path != "/" || mine.Name == others.Name {
		t.Errorf("%v", mine)
	}
	for range 20 { // who is right has guessed nothing
		if _, err := o.SignIn(ctx, "kim", "correct horse battery", mine.Value); err != nil {
			t.Fatal(err)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	for range 20 { // nor has who went away before anybody looked
		_, _ = o.SignIn(gone, "lee", "guess", "")
	}
	if _, err := o.SignIn(ctx, "lee", "guess", ""); code(err) != "access_denied" {
		t.Errorf("after requests that nobody looked at: %v", err)
	}
	o.now = start.Add(knownLife)
	if _, err := o.SignIn(ctx, "kim", "correct horse battery", ""); err != nil {
		t.Error(err)
	}
	for range 11 {
		_, _ = o.SignIn(ctx, "kim", "wrong, all of it", "")
	}
	if _, err := o.SignIn(ctx, "kim", "correct horse battery", mine.Value); code(err) != "too_many_guesses" {
		t.Errorf("with a cookie whose time is over: %v", err)
	}
}

func TestOfThoseWhoGuessSoManyAreRememberedAndNoMore(t *testing.T) {
	var g guesses
	one := [16]byte{1}
	for range guessesAtOnce {
		g.take(one, start)
	}
	for i := range uint32(guessersCounted / 2) { // it is among the old now
		g.take([16]byte{2, byte(i), byte(i >> 8), byte(i >> 16)}, start)
	}
	if _, wait := g.take(one, start); wait == 0 {
		t.Error("an account began anew as soon as others were guessed at")
	}
	for i := range uint32(4 * guessersCounted) {
		g.take([16]byte{3, byte(i), byte(i >> 8), byte(i >> 16)}, start)
	}
	if n := len(g.young) + len(g.old); n > guessersCounted {
		t.Errorf("%d are remembered", n)
	}
}

// Replicas behind a balancer, and somebody who guesses at each as fast as it answers.
func TestReplicasShareTheGuessesAtAPassphrase(t *testing.T) {
	for _, c := range []struct{ replicas, others, most int }{ // how many there are; how many they think there are
		{1, 0, 10}, {2, 2, 10}, {5, 5, 10}, {3, 3, 9},
		{12, 12, 12}, // at least one each
		{2, 1, 20},   // not counted yet: each allows all
	} {
		all := make([]guesses, c.replicas)
		now, looked, minutes := start, 0, 60
		for range minutes*60 + 1 {
			for i := range all {
				all[i].replicas.Store(int64(c.others))
				if _, wait := all[i].take([16]byte{1}, now); wait == 0 {
					looked++
				}
			}
			now = now.Add(time.Second)
		}
		if want := c.most + 2*minutes*c.replicas/max(c.others, 1); looked != want {
			t.Errorf("%d replicas that think that there are %d look at %d guesses in an hour, not at %d", c.replicas, c.others, looked, want)
		}
	}
}

// Replicas come and go while somebody signs in: what was counted is taken back, neither less
// nor more.
func TestARightPassphraseTakesBackWhatWasCountedForIt(t *testing.T) {
	for _, c := range []struct{ before, after int64 }{{1, 5}, {5, 1}} {
		var g guesses
		g.replicas.Store(c.before)
		counted, _ := g.take([16]byte{1}, start)
		g.replicas.Store(c.after)
		g.right([16]byte{1}, counted)
		left := 0
		for wait := time.Duration(0); wait == 0; left++ {
			_, wait = g.take([16]byte{1}, start)
		}
		if left--; left != guessesAtOnce/int(c.after) {
			t.Errorf("%+v: %d guesses are left", c, left)
		}
	}
}
