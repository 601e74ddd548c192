package main

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/crl"
)

// plant makes IC cards, and a verifier believes them that demands lists.
func plant(t *testing.T) (*iccard.IssuerKit, *card.Verifier) {
	t.Helper()
	k, err := iccard.NewIssuerKit([]byte("a plant for tests"), time.Date(2025, 1, 2, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	v, err := card.NewVerifier(k.CountryCA)
	if err != nil {
		t.Fatal(err)
	}
	v.RequireLists()
	return k, v
}

func TestAListOfRevokedSignersIsReadWhereverItLies(t *testing.T) {
	k, _ := plant(t)
	now := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	list, err := k.RevocationList(now)
	if err != nil {
		t.Fatal(err)
	}
	inPEM := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: list})
	served := map[string][]byte{"/der": list, "/pem": inPEM, "/long": bytes.Repeat([]byte{0x30}, maxListText+1), "/page": []byte("<html>")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if served[r.URL.Path] == nil {
			http.NotFound(w, r)
		}
		_, _ = w.Write(served[r.URL.Path])
	}))
	defer server.Close()
	file := func(name string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name, place  string
		at           time.Time
		said         string // of the place, if not all of it
		files, fetch string // what is said of a file, of what was fetched
		listed       bool
	}{
		{name: "a file", place: file("a.crl", list), listed: true},
		{name: "a file in PEM", place: file("a.pem", inPEM), listed: true},
		{name: "a URL", place: server.URL + "/der", listed: true},
		{name: "a URL of PEM", place: server.URL + "/pem", listed: true},
		{name: "a file that is too old", place: file("old.crl", list), at: now.Add(iccard.ListLife)},
		{name: "a file that is missing", place: filepath.Join(t.TempDir(), "none.crl"), files: "no such file"},
		{name: "a file of something else", place: file("b.crl", []byte("nothing")), files: "not accepted"},
		{name: "a file that is too long", place: file("c.crl", served["/long"]), files: "more than"},
		{name: "a URL of nothing", place: server.URL + "/none", fetch: "404"},
		{name: "a URL of a page", place: server.URL + "/page", fetch: "not accepted"},
		{name: "a URL with a password", place: strings.Replace(server.URL, "://", "://reader:secret@", 1) + "/none?key=secret", said: strings.Replace(server.URL, "://", "://reader:********@", 1) + "/none?key=********", fetch: "404"},
		{name: "such a URL of nobody", place: "http://reader:secret@127.0.0.1:1/csca.crl?key=secret", said: "http://reader:********@127.0.0.1:1/csca.crl?key=********", fetch: "connect"},
		{name: "a URL of too much", place: server.URL + "/long", fetch: "more than"},
	} {
		if c.at.IsZero() {
			c.at = now
		}
		_, v := plant(t)
		lists := newCardLists(v, []string{c.place}, t.TempDir(), func() time.Time { return c.at })
		files, remote := lists.readFiles(), lists.fetchDue(t.Context(), true)
		for _, said := range []struct {
			err  error
			want string
		}{{files, c.files}, {remote, c.fetch}} {
			if (said.err != nil) != (said.want != "") || said.err != nil && (!strings.Contains(said.err.Error(), said.want) || !strings.Contains(said.err.Error(), cmp.Or(c.said, c.place)) || strings.Contains(said.err.Error(), "secret")) {
				t.Errorf("%s: it says %v, not %q", c.name, said.err, said.want)
			}
		}
		if _, err := v.Listed(c.at); (err == nil) != c.listed {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// What is fetched is fetched again when it is due, sooner where it could not be had, and
// an older list that is served does not take the newer one's place.
func TestAListIsFetchedAgain(t *testing.T) {
	k, v := plant(t)
	now := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	older, err := k.RevocationList(now.Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	newer, err := k.RevocationList(now, x509.RevocationListEntry{SerialNumber: k.Serial(), RevocationTime: now})
	if err != nil {
		t.Fatal(err)
	}
	asked, answer := 0, []byte(nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		_, _ = w.Write(answer)
	}))
	defer server.Close()
	lists := newCardLists(v, []string{server.URL}, t.TempDir(), func() time.Time { return now })
	for i, step := range []struct {
		after  time.Duration
		answer []byte
		asked  int
		good   bool // what the service says of the fetch
	}{
		{0, nil, 1, false},
		{time.Minute, older, 2, true},
		{time.Minute, newer, 2, true},
		{listsFetched, newer, 3, true},
		{listsFetched, older, 4, false},
		{time.Minute, nil, 5, false},
	} {
		now, answer = now.Add(step.after), step.answer
		if err := lists.fetchDue(t.Context(), false); (err == nil) != step.good || asked != step.asked {
			t.Errorf("step %d: asked %d times, %v", i+1, asked, err)
		}
	}
	answer = older
	if err := lists.fetchDue(t.Context(), true); !errors.Is(err, crl.ErrList) {
		t.Errorf("the older list: %v", err)
	}
	if _, err := v.Listed(now); err != nil {
		t.Errorf("the newer one is known no more: %v", err)
	}
}

func TestTheDemonstrationsListKeepsWhatItNamesAndIsMadeAnewInTime(t *testing.T) {
	k, _ := plant(t)
	path := filepath.Join(t.TempDir(), countryListFile)
	now := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	write := func(add bool) (already bool) {
		t.Helper()
		var e *x509.RevocationListEntry
		if add {
			e = &x509.RevocationListEntry{SerialNumber: k.Serial(), RevocationTime: now, ReasonCode: 1}
		}
		already, err := writeCountryList(path, k, now, e)
		if err != nil {
			t.Fatal(err)
		}
		return already
	}
	read := func() *x509.RevocationList {
		t.Helper()
		l, err := readCountryList(path, k, now)
		if err != nil || l == nil {
			t.Fatal(l, err)
		}
		return l
	}
	write(false)
	made := read().ThisUpdate
	now = now.Add(time.Hour)
	if write(false); !read().ThisUpdate.Equal(made) {
		t.Error("a fresh list was made anew")
	}
	if write(true) || len(read().RevokedCertificateEntries) != 1 {
		t.Error("the signer does not stand on it")
	}
	if !write(true) || len(read().RevokedCertificateEntries) != 1 {
		t.Error("the signer was put there twice")
	}
	now = now.Add(2 * iccard.ListLife) // the service stood still for long
	if write(false); !read().ThisUpdate.Equal(now) || len(read().RevokedCertificateEntries) != 1 || read().RevokedCertificateEntries[0].ReasonCode != 1 {
		t.Errorf("the old list was not made anew as it was: %+v", read())
	}
	if err := os.WriteFile(path, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := writeCountryList(path, k, now, nil); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("over something else: %v", err)
	}
}
