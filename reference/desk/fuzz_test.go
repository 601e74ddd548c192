package desk_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/suspension"
)

// Requests of desks and citizens, changed: whom they are about, the body, the query, the
// idempotency key. None makes the desk fail. One that asks changes nothing, nor does one
// that is refused; one that changes something makes one entry in the log, about the
// resident it names and by the one who calls. Nobody sees a whole registration number, and
// a citizen nobody else.
func FuzzRequests(f *testing.F) {
	var rehearsal servicetest.Rehearsal
	c := open(f, servicetest.Rehearsing(&rehearsal))
	first, second := c.Resident(), c.Resident()
	admin := access.Caller{Role: access.Administrator, ID: "admin-1"}
	self := citizen(second)
	fresh := self
	fresh.Fresh = true
	a, err := c.Suspension.Report(context.Background(), suspension.ReportRequest{Request: c.Request(register.Citizen(second.ID)), Person: second.ID, Cause: lifecycle.PhysicalLost, Why: "lost"})
	if err != nil || a.Reason != lifecycle.Granted {
		f.Fatal(a, err)
	}
	rehearsal.Begin()

	marshal := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		return string(text)
	}
	portrait := base64.StdEncoding.EncodeToString([]byte{0xff, 0xd8, 0xff, 0xd9})
	template := base64.StdEncoding.EncodeToString(first.Face.Bytes())
	var secrets servicetest.Secrets
	secrets.Add("template", template)
	plastic := map[string]any{"number": "B00000001", "chip": true, "template": template, "portrait": portrait}
	worn := map[string]any{"number": "B00000002", "chip": true, "template": template, "portrait": portrait, "why": "worn"}
	release := fmt.Sprintf(`{"cause":"physical-lost","sequence":%d,"why":"found"}`, a.Sequence)
	one, two := fmt.Sprint(first.ID), fmt.Sprint(second.ID)
	// The order is that of the seeds that lie in testdata.
	steps := []struct {
		by           access.Caller
		method, path string // with %s for whom it is about
		size         int64
		id, text     string // a good one
	}{
		{clerk, "GET", "/residents", 0, "", "card=" + first.Number},
		{registrar, "POST", "/residents", 512 << 10, "", marshal(map[string]any{"id": 77, "resident_number": "8501011234567", "family_name": "이", "given_name": "슬기", "birth_date": "1985-01-01", "sex": "F",
			"address": "한누리대로 1", "municipality": servicetest.Sejong, "centre": "3611051500", "card": plastic, "why": "born"})},
		{self, "GET", "/residents/%s", 0, "me", ""},
		{clerk, "GET", "/residents/%s", 0, one, ""},
		{registrar, "PATCH", "/residents/%s", 16 << 10, one, `{"family_name":"박","given_name":null,"address":"새길 1","municipality":"36110","centre":"3611051500","why":"moved"}`},
		{clerk, "POST", "/residents/%s/cards", 512 << 10, one, marshal(worn)},
		{registrar, "POST", "/residents/%s/removal", 16 << 10, one, `{"why":"emigrated"}`},
		{self, "GET", "/residents/%s/reports", 0, two, ""},
		{self, "POST", "/residents/%s/reports", 16 << 10, "me", `{"cause":"physical-lost","why":"stolen"}`},
		{operator, "POST", "/residents/%s/reports", 16 << 10, one, `{"cause":"physical-lost","why":"left on a bus"}`},
		{registrar, "POST", "/residents/%s/reports", 16 << 10, one, `{"cause":"administrative","why":"an order"}`},
		{clerk, "POST", "/residents/%s/releases", 16 << 10, two, release},
		{fresh, "POST", "/residents/%s/releases", 16 << 10, "me", release},
		{clerk, "POST", "/residents/%s/offers", 16 << 10, one, ""},
		{clerk, "POST", "/cards/check", 16 << 10, "", `{"card":"` + first.Number + `"}`},
		{auditor, "GET", "/audit", 0, "", "from=2"},
		{admin, "POST", "/parties", 16 << 10, "", `{"id":"clerk-9","role":"clerk","name":"Clerk 9","centre":"36110","passphrase":"correct horse battery","why":"new"}`},
		{admin, "PUT", "/parties/%s", 16 << 10, "bank-9", `{"version":"0f","role":"verifier","name":"Bank","elements":["age_over_19"],"why":"more"}`},
		{admin, "POST", "/parties/%s/end", 16 << 10, "bank-9", `{"why":"over"}`},
	}
	send := func(n int, id, text, key string) *httptest.ResponseRecorder {
		s, rec := steps[n], httptest.NewRecorder()
		path, _, _ := strings.Cut(s.path, "%s")
		r := httptest.NewRequest(s.method, path, nil)
		if strings.Contains(s.path, "%s") {
			r.URL.Path = fmt.Sprintf(s.path, id)
		}
		if s.method == "GET" {
			r.URL.RawQuery = text
		} else {
			r.Body = http.MaxBytesReader(rec, httptest.NewRequest("POST", "/", strings.NewReader(text)).Body, s.size)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", key)
		}
		c.mux.ServeHTTP(rec, r.WithContext(access.With(context.Background(), s.by)))
		return rec
	}
	for i, s := range steps {
		if rec := send(i, s.id, s.text, "k"); rec.Code >= 300 && !strings.Contains(s.id, "bank-9") {
			f.Fatalf("%s %s: %d %s", s.method, s.path, rec.Code, rec.Body)
		}
		f.Add(byte(i), s.id, secrets.Hide(s.text), "k", byte(0), "x")
		for k, value := range servicetest.Fields(secrets.Hide(s.text)) {
			f.Add(byte(i), s.id, secrets.Hide(s.text), "k", byte(k+1), value)
		}
	}
	f.Add(byte(6), two, `{"why":"emigrated","why":""}`, strings.Repeat("k", 300), byte(0), "x")
	rehearsal.Take()

	f.Fuzz(func(t *testing.T, n byte, id, text, key string, field byte, value string) {
		i := int(n) % len(steps)
		s := steps[i]
		text = secrets.Show(servicetest.Changed(text, field, value))
		if id != url.PathEscape(id) || id == "." || id == ".." || id == "" { // is not what a router takes for one part of a path
			if strings.Contains(s.path, "%s") {
				return
			}
		}
		rec := send(i, id, text, key)
		wrote := rehearsal.Take()
		what := fmt.Sprintf("%s %s by %s: %d %.200s", s.method, s.path, s.by.ID, rec.Code, rec.Body)
		switch {
		case rec.Code >= 500:
			t.Fatal(what)
		case int64(len(text)) > s.size && s.method != "GET" && rec.Code < 300:
			if s.path != "/residents/%s/offers" { // reads none
				t.Fatalf("%s: %d bytes are read", what, len(text))
			}
		case bytes.Contains(rec.Body.Bytes(), []byte("9001021234560")) && !strings.Contains(text, "9001021234560"), bytes.Contains(rec.Body.Bytes(), []byte("900102-1234560")) && !strings.Contains(text, "900102-1234560"):
			t.Errorf("%s: a whole registration number", what)
		case rec.Code >= 300 || s.method == "GET" || s.path == "/cards/check":
			if !wrote.Only("PutAnswer") || rec.Code < 300 && !wrote.Only() {
				t.Errorf("%s: written: %+v", what, wrote)
			}
			if rec.Code < 300 && s.by.Role == access.Citizen && id != "me" {
				if n, err := strconv.ParseUint(id, 10, 64); err != nil || n != uint64(second.ID) {
					t.Errorf("%s: a citizen sees %q", what, id)
				}
			}
			return
		}
		if rec.Code >= 300 {
			return
		}
		if s.path == "/residents/%s/offers" {
			if !wrote.Only("AddOffer", "PutAnswer") || len(wrote.Calls) != 2 {
				t.Errorf("%s: written: %+v", what, wrote)
			}
			return
		}
		var body struct {
			ID     uint64
			Sex    string
			Number string `json:"resident_number"`
			Why    string
		}
		_ = json.Unmarshal([]byte(text), &body)
		whom := body.ID
		if strings.Contains(s.path, "%s") {
			whom, _ = strconv.ParseUint(id, 10, 64)
		}
		if id == "me" && s.by.Role == access.Citizen {
			whom = uint64(second.ID)
		}
		if strings.HasPrefix(s.path, "/parties") {
			whom = 0
		}
		if s.method == "PATCH" && wrote.Only("PutAnswer") { // it says what stands there already
			return
		}
		if len(wrote.Entries) == 0 || len(wrote.Entries) > 2 || len(key) > 200 || key == "" || len(body.Sex) > 1 || body.Number != "" && len(body.Number) != 13 {
			t.Fatalf("%s: written: %+v", what, wrote)
		}
		for _, e := range wrote.Entries {
			if e.Person != whom || !slices.Contains(strings.Fields(e.Actor), s.by.ID) || len(e.Reason) > 200 || !strings.Contains(s.path, "reports") && e.Reason != body.Why {
				t.Errorf("%s: in the log: %+v", what, e)
			}
		}
	})
}
