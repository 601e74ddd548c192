package publication_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/publication"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/web"
)

// Requests for status lists, changed: the number of the list, the query, Accept and
// If-None-Match. None makes the service fail or write. What is served is the list of that
// number in a form that the caller takes, as it stands now or, where that is asked for, as it
// stood then; and nothing is left out that the caller does not have.
func FuzzRequests(f *testing.F) {
	var rehearsal servicetest.Rehearsal
	w := newWorld(f, servicetest.Rehearsing(&rehearsal))
	c, card := w.holder()
	issued := w.Now()
	w.Pass(time.Hour)
	w.lose(c)
	suspended := w.Now()
	w.Pass(time.Hour)
	check(f, w.lists.Publish(ctx))
	now, index := w.Now(), card.Indices[0].Index
	rehearsal.Begin()

	routes := []web.Handler{w.lists.List, w.lists.Past, w.lists.All}
	send := func(route int, list, query, accept, known string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/", nil)
		r.SetPathValue("list", list)
		r.URL.RawQuery = query
		for name, value := range map[string]string{"Accept": accept, "If-None-Match": known} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		rec := httptest.NewRecorder()
		web.Problem(routes[route]).ServeHTTP(rec, r)
		return rec
	}
	tags := map[string]string{}
	for _, form := range []string{publication.JWT, publication.CWT} {
		tags[form] = send(0, "0", "", form, "").Header().Get("ETag")
	}
	then := fmt.Sprint("time=", suspended.Unix())
	for _, s := range [][5]string{
		{"0", "0", "", "", ""}, {"0", "0", "", publication.CWT, tags[publication.CWT]}, {"0", "0", "", "*/*", "W/" + tags[publication.JWT]}, {"0", "1", "", "", "*"},
		{"0", "0", "", publication.JWT + ";q=0.2, " + publication.CWT + ";q=0.7, */*;q=0.1", `"x", ` + tags[publication.CWT]},
		{"0", "0", "", publication.JWT + ";q=0, */*", ""}, {"0", "0", "", "application/*;q=NaN", ""}, {"0", "00", "", "text/html", ""},
		{"0", "0", then, "", ""}, {"0", "0", then + ";x", "", ""}, {"0", "4294967296", "x=%zz", "", ""},
		{"1", "0", then, publication.CWT, ""}, {"1", "0", then, "", tags[publication.JWT]}, {"1", "0", fmt.Sprint("time=", suspended.Unix()-1), "", ""},
		{"1", "0", fmt.Sprint("time=", issued.Unix()), "", ""}, {"1", "0", fmt.Sprint("time=", issued.Unix()-1), "", ""}, {"1", "0", fmt.Sprint("time=", now.Unix()), "", ""},
		{"1", "0", fmt.Sprint("time=", now.Unix()+1), "", ""}, {"1", "00", then, "", ""}, {"1", "0", "time=4102444800", "", ""}, {"1", "0", "time=%2B5", "", ""}, {"1", "0", "time=1&time=2", "", ""},
		{"2", "", "", "", ""}, {"2", "0", then, "text/html", "*"},
	} {
		n, _ := strconv.Atoi(s[0])
		f.Add(byte(n), s[1], s[2], s[3], s[4])
	}

	f.Fuzz(func(t *testing.T, n byte, list, query, accept, known string) {
		w.t = t
		route := int(n) % len(routes)
		if strings.ContainsAny(accept+known, "\r\n\x00") || len(accept)+len(known) > 8<<10 {
			return // no server passes it on
		}
		rec := send(route, list, query, accept, known)
		if wrote := rehearsal.Take(); !wrote.Only() {
			t.Errorf("%v is written", wrote.Calls)
		}
		switch rec.Code {
		case http.StatusOK:
		case http.StatusNotModified:
			tag := rec.Header().Get("ETag")
			if route == 2 || rec.Body.Len() != 0 || !strings.Contains(known, "*") && !strings.Contains(known, tag) || route == 0 && tag != tags[publication.JWT] && tag != tags[publication.CWT] {
				t.Errorf("not modified: %v, %d bytes, known %q", rec.Header(), rec.Body.Len(), known)
			}
			return
		case http.StatusBadRequest, http.StatusNotFound, http.StatusNotAcceptable, http.StatusNotImplemented:
			var problem struct {
				Type string `json:"type"`
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &problem); err != nil || problem.Type == "" || rec.Header().Get("ETag") != "" || rec.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("refused: %v %s", rec.Header(), rec.Body)
			}
			if rec.Code == http.StatusNotAcceptable && (accept == "" || plain.MatchString(accept)) {
				t.Errorf("%q is acceptable", accept)
			}
			return
		default:
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if route == 2 {
			if text := strings.TrimSpace(rec.Body.String()); text != `{"status_lists":["https://id.example/status/0"]}` {
				t.Error(text)
			}
			return
		}
		form := rec.Header().Get("Content-Type")
		if list != "0" || rec.Header().Get("Content-Length") != strconv.Itoa(rec.Body.Len()) || !takes(accept, form) {
			t.Errorf("list %q, %q is asked for: %v", list, accept, rec.Header())
		}
		if tag := rec.Header().Get("ETag"); strings.TrimSpace(known) == tag || strings.TrimSpace(known) == "*" {
			t.Errorf("%s is sent again to whom it is known: %q", tag, known)
		}
		at, want := now, statuslist.Suspended
		if route == 1 {
			asked, _ := url.ParseQuery(query)
			seconds, err := strconv.ParseInt(asked.Get("time"), 10, 64)
			if err != nil {
				t.Fatalf("%q is answered: %v", query, err)
			}
			at = time.Unix(seconds, 0)
			if at.Before(suspended) {
				want = statuslist.Valid
			}
			if at.Before(issued) || at.After(now) || rec.Header().Get("Cache-Control") != "private, no-store" {
				t.Errorf("%q: %v", query, rec.Header())
			}
		} else if timed.MatchString(query) {
			t.Errorf("the present is served for %q", query)
		}
		if got := w.status(rec.Body.Bytes(), form == publication.CWT, at, index); got != want {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	})
}

// timed is a query that asks for a time, well or badly.
var timed = regexp.MustCompile(`(^|&)time=`)

// plain is an Accept that names a form, or anything, without conditions.
var plain = regexp.MustCompile(`^ *(\*/\*|application/\*|application/statuslist\+[jc]wt) *$`)

// takes says whether a form is one that an Accept may mean: something in it covers the form,
// and it is not ruled out by its own name.
func takes(accept, form string) bool {
	if accept == "" {
		return true
	}
	covered, named, ruledOut := false, 0, false
	for _, part := range strings.Split(strings.ToLower(accept), ",") {
		media, rest, _ := strings.Cut(part, ";")
		switch strings.TrimSpace(media) {
		case form:
			named++
			ruledOut = regexp.MustCompile(`^ *q *= *0(\.0*)? *$`).MatchString(rest)
			fallthrough
		case "*/*", "application/*":
			covered = true
		}
	}
	return covered && !(named == 1 && ruledOut)
}
