package publication_test

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/publication"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/web"
)

var ctx = context.Background()

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type world struct {
	*servicetest.World
	t     testing.TB
	lists *publication.Lists
	mux   *http.ServeMux
}

func newWorld(t testing.TB, change ...func(*service.Config)) *world {
	w := &world{World: servicetest.New(t, change...), t: t, mux: http.NewServeMux()}
	var err error
	w.lists, err = publication.New(publication.Options{Publisher: w.Publisher, Now: w.Now, Interval: time.Minute})
	check(t, err)
	w.mux.Handle("GET /status/{list}", web.Problem(w.lists.List))
	w.mux.Handle("GET /past/{list}", web.Problem(w.lists.Past))
	w.mux.Handle("GET /status", web.Problem(w.lists.All))
	return w
}

func (w *world) get(path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	return rec
}

// holder is a resident with a card of one copy.
func (w *world) holder() (*servicetest.Citizen, issuance.Issued) {
	w.t.Helper()
	c := w.Resident()
	challenge, err := w.Issuance.Challenge(ctx)
	check(w.t, err)
	v, _, err := w.Issuance.ApproveTap(ctx, challenge, c.Evidence(challenge), c.Capture())
	check(w.t, err)
	a, err := w.Issuance.IssueApproved(ctx, issuance.ApprovedRequest{Request: w.Request(register.Citizen(c.ID)), Approval: v, Format: issuance.Mdoc,
		Phone: issuance.Phone{Wallet: "w", Keys: []*ecdsa.PublicKey{&servicetest.Key(fmt.Sprint("copy of ", c.ID)).PublicKey}}})
	check(w.t, err)
	return c, a
}

func (w *world) lose(c *servicetest.Citizen) suspension.Receipt {
	w.t.Helper()
	r, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.Request(register.By{Actor: "op", Role: lifecycle.CallCentre}), Person: c.ID, Cause: lifecycle.PhysicalLost})
	check(w.t, err)
	return r
}

func (w *world) status(token []byte, cwt bool, at time.Time, index uint64) statuslist.Status {
	w.t.Helper()
	parse := statuslist.ParseJWT
	if cwt {
		parse = statuslist.ParseCWT
	}
	list, err := parse(token, servicetest.Authorities().Anchors, at)
	check(w.t, err)
	s, err := list.List.Get(index)
	check(w.t, err)
	return s
}

func TestAListComesInTheFormThatIsAskedFor(t *testing.T) {
	w := newWorld(t)
	_, card := w.holder()
	check(t, w.lists.Publish(ctx))
	for accept, want := range map[string]string{
		"": publication.JWT, "*/*": publication.JWT, "application/*": publication.JWT, publication.JWT: publication.JWT, publication.CWT: publication.CWT,
		publication.JWT + ";q=0.5, " + publication.CWT:             publication.CWT,
		publication.CWT + ";q=0, " + publication.JWT:               publication.JWT,
		publication.JWT + ";q=0, */*":                              publication.CWT,
		"*/*;q=0, " + publication.CWT + "; Q=0.1":                  publication.CWT,
		publication.JWT + ";q=0.1, application/*;q=0.9":            publication.CWT,
		publication.JWT + ";q=0, " + publication.CWT + ";q=0, */*": "",
		"text/html":                  "",
		publication.CWT + ";q=bogus": "",
	} {
		var headers []string
		if accept != "" {
			headers = []string{"Accept", accept}
		}
		rec := w.get("/status/0", headers...)
		if want == "" {
			if rec.Code != 406 {
				t.Errorf("%q: %d", accept, rec.Code)
			}
			continue
		}
		if rec.Code != 200 || rec.Header().Get("Content-Type") != want || rec.Header().Get("Vary") != "Accept" || rec.Header().Get("Cache-Control") != "public, max-age=60" {
			t.Errorf("%q: %d %v", accept, rec.Code, rec.Header())
			continue
		}
		if s := w.status(rec.Body.Bytes(), want == publication.CWT, w.Now(), card.Indices[0].Index); s != statuslist.Valid {
			t.Errorf("%q: %v", accept, s)
		}
	}
}

// A cache that keeps both forms must not take one for the other.
func TestEachFormHasATagOfItsOwn(t *testing.T) {
	w := newWorld(t)
	check(t, w.lists.Publish(ctx))
	jwt, cwt := w.get("/status/0", "Accept", publication.JWT).Header().Get("ETag"), w.get("/status/0", "Accept", publication.CWT).Header().Get("ETag")
	if jwt == cwt || jwt == "" || cwt == "" {
		t.Errorf("the tags %s and %s", jwt, cwt)
	}
	if rec := w.get("/status/0", "Accept", publication.CWT, "If-None-Match", jwt); rec.Code != 200 || rec.Header().Get("Content-Type") != publication.CWT {
		t.Errorf("who knows the other form: %d", rec.Code)
	}
}

// Draft §8.1: pages of any origin read them, also what has not changed.
func TestPagesOfAnyOriginReadListsAndTheirNames(t *testing.T) {
	w := newWorld(t)
	check(t, w.lists.Publish(ctx))
	tag := w.get("/status/0").Header().Get("ETag")
	for _, rec := range []*httptest.ResponseRecorder{w.get("/status/0"), w.get("/status/0", "Accept", publication.CWT), w.get("/status/0", "If-None-Match", tag), w.get("/status")} {
		if origin := rec.Header().Get("Access-Control-Allow-Origin"); origin != "*" {
			t.Errorf("%d: %q", rec.Code, origin)
		}
	}
}

func TestAListThatIsKnownIsNotSentAgainUntilItChanges(t *testing.T) {
	w := newWorld(t)
	c, card := w.holder()
	check(t, w.lists.Publish(ctx))
	tag := w.get("/status/0").Header().Get("ETag")
	for _, known := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		if rec := w.get("/status/0", "If-None-Match", known); rec.Code != 304 || rec.Body.Len() != 0 {
			t.Errorf("%s: %d", known, rec.Code)
		}
	}
	if rec := w.get("/status/0", "If-None-Match", `"x"`, "If-None-Match", tag); rec.Code != 304 {
		t.Errorf("in the second of two headers: %d", rec.Code)
	}
	w.lose(c)
	if rec := w.get("/status/0", "If-None-Match", tag); rec.Code != 304 {
		t.Errorf("before the publication: %d", rec.Code)
	}
	w.Pass(time.Minute)
	check(t, w.lists.Publish(ctx))
	rec := w.get("/status/0", "If-None-Match", tag)
	if rec.Code != 200 || w.status(rec.Body.Bytes(), false, w.Now(), card.Indices[0].Index) != statuslist.Suspended {
		t.Errorf("after the publication: %d", rec.Code)
	}
}

func TestNothingIsServedBeforeTheFirstPublication(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/status/0", "/status"} {
		if rec := w.get(path); rec.Code != 503 || rec.Header().Get("Retry-After") == "" {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	if w.lists.Ready() == nil {
		t.Error("ready")
	}
	check(t, w.lists.Publish(ctx))
	check(t, w.lists.Ready())
	for _, path := range []string{"/status/1", "/status/00", "/status/x", "/status/99999999999"} {
		if rec := w.get(path); rec.Code != 404 {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	for query, want := range map[string]int{"time=1": 501, "time=1;x": 400, "time=%zz": 400, "x=1": 200} {
		if rec := w.get("/status/0?" + query); rec.Code != want {
			t.Errorf("the past in public, %s: %d, want %d", query, rec.Code, want)
		}
	}
	if rec := w.get("/past/00?time=1"); rec.Code != 404 {
		t.Errorf("another way to write a number: %d", rec.Code)
	}
	w.Pass(4 * time.Minute)
	if err := w.lists.Ready(); err == nil || !strings.Contains(err.Error(), "4m") {
		t.Errorf("lists that are not published any more: %v", err)
	}
}

func TestAllListsAreNamed(t *testing.T) {
	w := newWorld(t)
	check(t, w.lists.Publish(ctx))
	var all struct {
		Lists []string `json:"status_lists"`
	}
	check(t, json.Unmarshal(w.get("/status").Body.Bytes(), &all))
	if len(all.Lists) != 1 || all.Lists[0] != "https://id.example/status/0" {
		t.Error(all)
	}
}

func TestAListOfThePastIsTheOneThatStoodThen(t *testing.T) {
	w := newWorld(t)
	before := w.Now()
	w.Pass(time.Minute)
	c, card := w.holder()
	valid := w.Now()
	w.Pass(time.Hour)
	w.lose(c)
	suspended := w.Now()
	w.Pass(time.Hour)
	_, err := w.Issuance.RegisterCard(ctx, issuance.CardRequest{Request: w.Request(servicetest.Registrar), Person: c.ID, Card: issuance.NewCard{Number: "B1", Template: c.Face}})
	check(t, err)
	ended := w.Now()
	w.Pass(time.Hour)
	for _, cwt := range []bool{false, true} {
		accept := map[bool]string{false: publication.JWT, true: publication.CWT}[cwt]
		for at, want := range map[time.Time]statuslist.Status{
			valid: statuslist.Valid, suspended.Add(-time.Second): statuslist.Valid, suspended: statuslist.Suspended,
			ended.Add(-time.Second): statuslist.Suspended, ended: statuslist.Invalid, w.Now(): statuslist.Invalid,
		} {
			rec := w.get(fmt.Sprintf("/past/0?time=%d", at.Unix()), "Accept", accept)
			if rec.Code != 200 {
				t.Errorf("%v: %d %s", at, rec.Code, rec.Body)
				continue
			}
			if got := w.status(rec.Body.Bytes(), cwt, at, card.Indices[0].Index); got != want {
				t.Errorf("at %v: %v, want %v", at, got, want)
			}
		}
	}
	for query, want := range map[string]int{
		fmt.Sprint("time=", before.Unix()): 404, fmt.Sprint("time=", w.Now().Add(time.Hour).Unix()): 404, "time=soon": 400, "": 400, "time=-1": 400, "time=1&time=2": 400, "time=4102444800": 404, "time=253402300800": 400,
	} {
		if rec := w.get("/past/0?" + query); rec.Code != want {
			t.Errorf("%s: %d, want %d", query, rec.Code, want)
		}
	}
}

// A cache and its verifier are within interval + ttl together: what it may keep ends
// with the interval.
func TestACacheKeepsAListUntilTheNextPublicationIsDue(t *testing.T) {
	w := newWorld(t)
	if err := w.lists.Publish(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{{0, "60"}, {500 * time.Millisecond, "59"}, {45 * time.Second, "15"}, {60 * time.Second, "0"}, {5 * time.Minute, "0"}} {
		w.Set(servicetest.Noon.Add(step.after))
		if got := w.get("/status/0").Header().Get("Cache-Control"); got != "public, max-age="+step.want {
			t.Errorf("%v after a publication: %s", step.after, got)
		}
	}
}
