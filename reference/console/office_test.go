package console_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/console"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/x5c"
)

const base = "https://id.example"

var ctx = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// office is the whole service behind its router, as a browser meets it.
type office struct {
	*servicetest.World
	t      testing.TB
	router http.Handler
	desk   *desk.Desk
}

type chance struct {
	mu sync.Mutex
	r  io.Reader
}

func (c *chance) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.r.Read(b)
}

// staff are the parties of an office, each with a passphrase made of its id.
var staff = map[string]access.Role{
	"clerk": access.Clerk, "operator": access.CallCentre, "registrar": access.Registrar, "bank": access.Verifier,
	"auditor": access.Auditor, "admin": access.Administrator,
}

func passphrase(id string) string { return "the passphrase of " + id }

func newOffice(t testing.TB, change ...func(*service.Config)) *office {
	w := servicetest.New(t, change...)
	sealing, err := seal.NewKeys([32]byte{7})
	check(t, err)
	people, err := parties.New(w.Register, parties.Options{Issuer: base, TokenEndpoint: base + "/parties/token", Keys: sealing, Cost: parties.Cost{Memory: 64, Passes: 1}})
	check(t, err)
	anchors, err := x5c.NewAnchors("wallet provider", servicetest.Authorities().Maker)
	check(t, err)
	server, err := authorization.New(authorization.Options{Register: w.Register, Issuance: w.Issuance, Keys: sealing, Issuer: base, Path: "/oauth/",
		Providers: anchors, Scopes: openid4vci.Scopes})
	check(t, err)
	vp, err := openid4vp.New(openid4vp.Options{Register: w.Register, Verification: w.Verification, Base: base + "/vp/", Authorities: [][]byte{{1}},
		Keys: sealing, Secret: func(time.Time) [32]byte { return [32]byte{1} }, Lifetime: 5 * time.Minute, Kept: 10 * time.Minute,
		Reader: func(context.Context, string) (openid4vp.Reader, error) {
			return openid4vp.Reader{Sign: jws.With(servicetest.Key("reader")), Chain: [][]byte{{1}}}, nil
		}})
	check(t, err)
	d, err := desk.New(desk.Options{Register: w.Register, Issuance: w.Issuance, Suspension: w.Suspension, Verification: w.Verification, Parties: people, Published: time.Hour,
		Scan: func(ctx context.Context, o issuance.Offer) (desk.Scan, error) {
			s, err := server.Offer(ctx, o)
			return desk.Scan{URI: s.URI, TxCode: s.TxCode, Expires: s.Expires}, err
		},
		Checkpoint: func(audit.Checkpoint) (string, error) { return "signed", nil },
	})
	check(t, err)
	c, err := console.New(console.Options{Register: w.Register, Parties: people, Desk: d, Keys: sealing, Civil: servicetest.Noon.Location(), Offers: server, Verifier: vp})
	check(t, err)
	router, err := httpapi.New(&httpapi.API{Parties: people, Authorization: server, OpenID4VP: vp, Desk: d, Console: c}, httpapi.Options{
		Now: w.Now, Random: &chance{r: rand.NewChaCha8(sha256.Sum256([]byte("ids")))},
		Authentication: httpapi.Authentication{Session: people.Session, Bearer: people.Bearer},
	})
	check(t, err)
	for id, role := range staff {
		q := parties.Request{By: access.Caller{Role: access.Administrator, ID: "first"}, Key: id, ID: id, Role: role, Passphrase: passphrase(id), Why: "test",
			Profile: parties.Profile{Name: id}}
		switch role {
		case access.Clerk:
			q.Centre = servicetest.Sejong
		case access.Verifier:
			q.Elements = []string{"age_over_19", "family_name"}
		}
		_, err := people.Enter(ctx, q)
		check(t, err)
	}
	return &office{w, t, router, d}
}

// browser is somebody's, with its cookies. It speaks English.
type browser struct {
	*office
	cookies map[string]string
}

// page is an answer.
type page struct {
	status int
	header http.Header
	body   string
}

func (o *office) browser() *browser { return &browser{o, map[string]string{}} }

// as is the browser of somebody who has signed in.
func (o *office) as(id string) *browser {
	o.t.Helper()
	b := o.browser()
	p := b.post("/console/sign-in", url.Values{"id": {id}, "passphrase": {passphrase(id)}})
	if p.status != http.StatusSeeOther {
		o.t.Fatalf("%s cannot sign in: %d %s", id, p.status, p.body)
	}
	return b
}

func (b *browser) send(method, path string, form url.Values) page {
	b.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, base+path, body)
	r.RequestURI = path
	r.Header.Set("Accept-Language", "en")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.router.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return page{w.Code, w.Header(), w.Body.String()}
}

func (b *browser) get(path string) page { b.t.Helper(); return b.send("GET", path, nil) }

func (b *browser) post(path string, form url.Values) page {
	b.t.Helper()
	return b.send("POST", path, form)
}

// follow goes on to where a form sends the browser.
func (b *browser) follow(p page) page {
	b.t.Helper()
	if p.status != http.StatusSeeOther {
		b.t.Fatalf("%d instead of a redirect:\n%s", p.status, p.body)
	}
	return b.get(p.header.Get("Location"))
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// form is the form of a page that is sent to an address; nil: there is none. With a
// mark, it is the one that has it.
func (p page) form(action string, mark ...string) url.Values {
	for _, part := range strings.Split(p.body, "<form ")[1:] {
		part, _, _ = strings.Cut(part, "</form>")
		if !strings.Contains(part, `action="`+action+`"`) || len(mark) > 0 && !strings.Contains(part, mark[0]) {
			continue
		}
		out := url.Values{}
		for _, m := range hidden.FindAllStringSubmatch(part, -1) {
			out.Set(m[1], m[2])
		}
		return out
	}
	return nil
}

func (p page) has(t testing.TB, what string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Errorf("%s: %q is not on the page (%d)", what, text, p.status)
		}
	}
}

// with fills a form in.
func with(form url.Values, fields ...string) url.Values {
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return form
}

func (o *office) sequence() (n uint64) {
	o.t.Helper()
	check(o.t, o.DB.View(ctx, func(r store.Reader) (err error) { n, err = r.Sequence(); return err }))
	return n
}

// issue puts a mobile card onto a phone of a citizen, by their IC card.
func (o *office) issue(c *servicetest.Citizen, wallet string) {
	o.t.Helper()
	challenge, err := o.Issuance.Challenge(ctx)
	check(o.t, err)
	approval, reason, err := o.Issuance.ApproveTap(ctx, challenge, c.Evidence(challenge), c.Capture())
	check(o.t, err)
	key := servicetest.Key("copy on " + wallet)
	first, err := o.Issuance.IssueApproved(ctx, issuance.ApprovedRequest{Request: o.World.Request(register.Citizen(c.ID)), Approval: approval,
		Phone: issuance.Phone{Wallet: wallet, Keys: []*ecdsa.PublicKey{&key.PublicKey}}, Format: issuance.Mdoc})
	check(o.t, err)
	if first.Reason != lifecycle.Granted {
		o.t.Fatalf("no card for %s: %v %v", wallet, reason, first.Reason)
	}
}
