package standing_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/standing"
	"rollcall.example/rollcall/reference/statuslist"
)

const uri = "https://maker.example/lists/1"

// A list with a revoked, a suspended and an unknown entry beside good ones.
func list(t testing.TB, change func(*statuslist.Token)) []byte {
	t.Helper()
	l, err := statuslist.New(2, 16)
	check(t, err)
	for index, s := range map[uint64]statuslist.Status{3: statuslist.Invalid, 4: statuslist.Suspended, 5: 3} {
		check(t, l.Set(index, s))
	}
	token := statuslist.Token{Subject: uri, IssuedAt: servicetest.Noon, TTL: 10 * time.Minute, List: l}
	if change != nil {
		change(&token)
	}
	return servicetest.StatusList(t, "attestations", "maker", token)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world are lists of a maker that are served as a test wants it.
type world struct {
	*standing.Lists
	now     time.Time
	serves  []byte
	fails   error
	fetched atomic.Int64
	told    []string
}

func open(t testing.TB) *world {
	w := &world{now: servicetest.Noon, serves: list(t, nil)}
	_, anchors := servicetest.Vouched(t, "phone maker", "attestations", "maker")
	w.Lists = standing.New(standing.Options{Anchors: anchors, Now: func() time.Time { return w.now },
		Fetch:  func(context.Context, string) ([]byte, error) { w.fetched.Add(1); return w.serves, w.fails },
		Failed: func(uri string, err error) { w.told = append(w.told, uri+": "+err.Error()) }})
	return w
}

func (w *world) check(index uint64) error {
	return w.Check(context.Background(), &mdoc.StatusRef{URI: uri, Index: index})
}

func TestWhatTheListSaysCounts(t *testing.T) {
	w := open(t)
	for index, want := range map[uint64]error{0: nil, 2: nil, 3: standing.ErrNotValid, 4: standing.ErrNotValid, 5: standing.ErrNotValid, 15: nil, 16: standing.ErrNotValid, 1 << 40: standing.ErrNotValid} {
		if err := w.check(index); !errors.Is(err, want) {
			t.Errorf("entry %d: %v, want %v", index, err, want)
		}
	}
	if err := w.Check(context.Background(), nil); err != nil {
		t.Errorf("an attestation that names no list: %v", err)
	}
	if n := w.fetched.Load(); n != 1 {
		t.Errorf("the list was fetched %d times", n)
	}
	var none *standing.Lists
	if err := none.Check(context.Background(), &mdoc.StatusRef{URI: uri}); !errors.Is(err, standing.ErrUnknown) {
		t.Errorf("where no lists are read: %v", err)
	}
}

func TestAListIsFetchedByHTTPSAlone(t *testing.T) {
	w := open(t)
	for _, at := range []string{"http://maker.example/lists/1", "file:///etc/passwd", "https:///lists/1", "https://user:secret@maker.example/1", uri + "#a", "maker.example", "://", uri + strings.Repeat("x", 1024)} {
		if err := w.Check(context.Background(), &mdoc.StatusRef{URI: at}); !errors.Is(err, standing.ErrNotValid) {
			t.Errorf("%.80s: %v", at, err)
		}
	}
	if w.fetched.Load() != 0 {
		t.Error("it was fetched all the same")
	}
}

func TestAListThatCannotBeHadLeavesItOpenAndIsAskedForAgainLater(t *testing.T) {
	other := servicetest.StatusList(t, "somebody", "somebody's", statuslist.Token{Subject: uri, IssuedAt: servicetest.Noon, List: func() *statuslist.List { l, _ := statuslist.New(1, 8); return l }()})
	for name, c := range map[string]struct {
		serves []byte
		fails  error
		says   string
	}{
		"gone":             {fails: errors.New("it answers 404 Not Found"), says: "404"},
		"no list":          {serves: []byte("<html>"), says: "malformed"},
		"by somebody else": {serves: other, says: "not trusted"},
		"of another name":  {serves: list(t, func(x *statuslist.Token) { x.Subject = uri + "0" }), says: "it is the list"},
		"expired": {serves: list(t, func(x *statuslist.Token) {
			x.IssuedAt = x.IssuedAt.Add(-time.Hour)
			x.Expires = x.IssuedAt.Add(time.Minute)
		}), says: "expired"},
		"too long": {serves: make([]byte, standing.MaxList+1), says: "more than"},
	} {
		w := open(t)
		good := w.serves
		w.serves, w.fails = c.serves, c.fails
		for range 3 {
			if err := w.check(0); !errors.Is(err, standing.ErrUnknown) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if w.fetched.Load() != 1 || len(w.told) != 1 || !strings.HasPrefix(w.told[0], uri+": ") {
			t.Errorf("%s: it was fetched %d times at once, and said %q", name, w.fetched.Load(), w.told)
		}
		w.serves, w.fails, w.now = good, nil, w.now.Add(10*time.Second)
		if err := w.check(0); err != nil {
			t.Errorf("%s: when it is there again: %v", name, err)
		}
	}
}

// A revocation is known after the ttl, or an hour; and neither an old list nor none at all
// takes it back.
func TestARevocationIsKnownAfterTheTTL(t *testing.T) {
	revoked := func(x *statuslist.Token) {
		x.IssuedAt = x.IssuedAt.Add(time.Minute)
		_ = x.List.Set(0, statuslist.Invalid)
	}
	for name, c := range map[string]struct {
		change func(*statuslist.Token)
		kept   time.Duration
	}{
		"by its ttl":     {func(*statuslist.Token) {}, 10 * time.Minute},
		"without one":    {func(x *statuslist.Token) { x.TTL = 0 }, 5 * time.Minute},
		"by a long ttl":  {func(x *statuslist.Token) { x.TTL = 24 * time.Hour }, time.Hour},
		"until it ends":  {func(x *statuslist.Token) { x.Expires = x.IssuedAt.Add(2 * time.Minute) }, 2 * time.Minute},
		"by a short ttl": {func(x *statuslist.Token) { x.TTL = 2 * time.Second }, 2 * time.Second},
	} {
		w := open(t)
		old := list(t, c.change)
		w.serves = old
		check(t, w.check(0))
		w.serves = list(t, revoked)
		w.now = w.now.Add(c.kept - time.Second)
		if err := w.check(0); err != nil {
			t.Errorf("%s: before: %v", name, err)
		}
		w.now = w.now.Add(time.Second)
		if err := w.check(0); !errors.Is(err, standing.ErrNotValid) {
			t.Errorf("%s: after: %v", name, err)
		}
		w.now, w.serves = w.now.Add(11*time.Minute), list(t, nil) // older than the one held
		if err := w.check(0); !errors.Is(err, standing.ErrUnknown) {
			t.Errorf("%s: by an old list: %v", name, err)
		}
		w.now, w.fails = w.now.Add(11*time.Second), errors.New("gone")
		if err := w.check(0); !errors.Is(err, standing.ErrUnknown) {
			t.Errorf("%s: without any: %v", name, err)
		}
	}
}

func TestManyWhoAskAtOnceFetchOnce(t *testing.T) {
	w := open(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if err := w.check(uint64(i % 3)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.fetched.Load(); n != 1 {
		t.Errorf("the list was fetched %d times", n)
	}
}

func TestAListIsReadOverHTTPSAndNoMoreOfItThanIsTaken(t *testing.T) {
	var plain *httptest.Server
	served := list(t, nil)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/list":
			if r.Header.Get("Accept") != "application/statuslist+jwt" {
				t.Errorf("Accept: %s", r.Header.Get("Accept"))
			}
			_, _ = w.Write(served)
		case "/moved":
			http.Redirect(w, r, "/list", http.StatusSeeOther)
		case "/plain":
			http.Redirect(w, r, plain.URL+"/list", http.StatusSeeOther)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusSeeOther)
		case "/endless":
			for range standing.MaxList/1024 + 10 {
				if _, err := w.Write(make([]byte, 1024)); err != nil {
					return
				}
			}
		case "/slow":
			<-r.Context().Done()
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	plain = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(served) }))
	defer plain.Close()
	fetch := standing.HTTPS(server.Client().Transport)
	for path, want := range map[string]string{"/list": "", "/moved": "", "/plain": "sent on", "/round": "sent on", "/none": "404"} {
		got, err := fetch(t.Context(), server.URL+path)
		if want == "" && (err != nil || string(got) != string(served)) || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "/none")) {
			t.Errorf("%s: %d bytes, %v; want %q", path, len(got), err, want)
		}
	}
	if got, err := fetch(t.Context(), server.URL+"/endless"); err != nil || len(got) != standing.MaxList+1 {
		t.Errorf("an endless list: %d bytes, %v", len(got), err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := fetch(short, server.URL+"/slow"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a slow list: %v", err)
	}
	if _, err := standing.HTTPS(http.DefaultTransport)(t.Context(), server.URL+"/list"); err == nil {
		t.Error("a server whom nobody vouches for was believed")
	}
}
