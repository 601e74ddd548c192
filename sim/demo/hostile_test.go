package demo

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
)

// ledger is a register that notes what is entered into its log. While it rehearses it
// does everything up to the commit and then undoes it, so that message after message
// meets the same register, with everything in it still to be used.
type ledger struct {
	store.Store
	mu        sync.Mutex
	rehearses bool
	entered   []audit.Entry
}

var errRehearsed = errors.New("it was a rehearsal")

func (l *ledger) Update(ctx context.Context, f func(store.Tx) error) error {
	l.mu.Lock()
	rehearses := l.rehearses
	l.mu.Unlock()
	var entered []audit.Entry
	err := l.Store.Update(ctx, func(tx store.Tx) error {
		entered = nil
		if err := f(&noting{tx, &entered}); err != nil {
			return err
		}
		if rehearses {
			return errRehearsed
		}
		return nil
	})
	if errors.Is(err, errRehearsed) {
		err = nil
	}
	if err == nil {
		l.mu.Lock()
		l.entered = append(l.entered, entered...)
		l.mu.Unlock()
	}
	return err
}

type noting struct {
	store.Tx
	entered *[]audit.Entry
}

func (n *noting) AppendAudit(r store.AuditRecord) error {
	var e audit.Entry
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return err
	}
	*n.entered = append(*n.entered, e)
	return n.Tx.AppendAudit(r)
}

// take is what was entered since it was asked last.
func (l *ledger) take() []audit.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.entered
	l.entered = nil
	return out
}

func (l *ledger) rehearse(yes bool) { l.mu.Lock(); defer l.mu.Unlock(); l.rehearses = yes }

// effect is what entries change, and by whom.
func effect(all []audit.Entry) string {
	var out []string
	for _, e := range all {
		out = append(out, fmt.Sprintf("%s of %d by %s (%s): %s %s", e.Event, e.Person, e.Actor, e.Role, e.Reason, e.Cause))
	}
	return strings.Join(out, "; ")
}

// besieged is a day on which each message is changed many times before it is sent.
type besieged struct {
	*day
	ledger  *ledger
	change  *mutator
	each    int
	sent    int
	outcome map[string]int                 // how messages ended
	codes   map[string]map[string]struct{} // operation → codes
	wrong   int
	fail    func(format string, args ...any)
}

func (b *besieged) complain(format string, args ...any) {
	b.t.Helper()
	if b.wrong++; b.wrong < 40 {
		b.fail(format, args...)
	}
}

// operation is the path of a message without what differs from one to the next.
func operation(m message) string {
	path, _, _ := strings.Cut(m.target, "?")
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if i > 0 && (len(p) > 24 || p == "me" || strings.Trim(p, "0123456789") == "" || parts[i-1] == "parties" && p != "token" && p != "") {
			parts[i] = "*"
		}
	}
	return m.method + " " + strings.Join(parts, "/")
}

// code is what an answer refuses with.
func code(w *httptest.ResponseRecorder) string {
	var body struct {
		Error string `json:"error"`
		Type  string `json:"type"`
	}
	_ = json.Unmarshal(w.Body.Bytes(), &body) // pages are none
	return body.Error + strings.TrimPrefix(body.Type, "urn:rollcall:problem:")
}

// before sends changed messages instead of a good one; then comes the good one.
func (b *besieged) before(good message) {
	b.ledger.rehearse(true)
	defer b.ledger.rehearse(false)
	b.ledger.take()
	answer := b.send(good)
	should := effect(b.ledger.take())
	b.change.learn(good)
	for range b.each {
		m := b.change.mutate(good)
		r, ok := m.request()
		if !ok {
			b.outcome["no HTTP"]++
			continue
		}
		b.sent++
		w := httptest.NewRecorder()
		began := time.Now()
		b.router.ServeHTTP(w, r)
		took := time.Since(began)
		did := effect(b.ledger.take())
		b.judge(good, m, answer, w, should, did)
		if took > 5*time.Second {
			b.complain("%s took %v: %.200q", operation(m), took, m.body)
		}
	}
	if good.target == "/console/sign-in" { // at whose passphrase so much was guessed
		b.Pass(time.Minute)
	}
}

const maxRefusal = 2 << 10

func (b *besieged) judge(good, m message, answer, w *httptest.ResponseRecorder, should, did string) {
	b.t.Helper()
	tell := func() string {
		return fmt.Sprintf("%s %.200q %.200q %.300q\ninstead of %s %s\nanswer: %d %.200s", m.method, m.target, fmt.Sprint(m.header), m.body, good.method, good.target, w.Code, w.Body)
	}
	page := strings.Contains(w.Header().Get("Content-Type"), "html")
	switch what := code(w); {
	case w.Code >= 500 && what != "not-implemented": // lists of the past are not served to everybody
		b.complain("the service fails: %s", tell())
		b.outcome[fmt.Sprint(w.Code)]++
	case w.Code >= 400:
		if page {
			what = "page"
		}
		b.outcome[fmt.Sprintf("%d %s", w.Code, what)]++
		op := operation(good)
		if operation(m) == op {
			if b.codes[op] == nil {
				b.codes[op] = map[string]struct{}{}
			}
			b.codes[op][fmt.Sprintf("%d %s", w.Code, what)] = struct{}{}
		}
		if did != "" {
			b.complain("it is refused, and changes the register (%s): %s", did, tell())
		}
		if what == "" && m.method != "HEAD" || !page && w.Body.Len() > maxRefusal {
			b.complain("a refusal without a code, or of %d bytes: %s", w.Body.Len(), tell())
		}
	case elsewhere(w.Code):
		// Whoever is sent elsewhere with what they ask for has been granted nothing yet.
		b.outcome[fmt.Sprintf("%d sent elsewhere, nothing changed", w.Code)]++
		if did != "" {
			b.complain("it is sent elsewhere, and changes the register (%s): %s", did, tell())
		}
		if !here(w) {
			b.complain("it is sent to another host (%q): %s", w.Header().Values("Location"), tell())
		}
	default:
		if w.Code/100 == 3 && w.Code != http.StatusNotModified && !here(w) {
			b.complain("the next page is at another host (%q): %s", w.Header().Values("Location"), tell())
		}
		switch {
		case did == "":
			b.outcome["answered, nothing changed"]++
		case did == should:
			b.outcome["accepted: it means the same"]++
		case b.another(good, did):
			b.outcome["accepted: it means something else that its sender may ask for"]++
		default:
			b.complain("it changes the register: %s\nshould: %s\n%s", did, should, tell())
		}
		if operation(m) == operation(good) && m.method == good.method && answer.Code < 400 {
			if name, ok := b.change.same(good, m); !ok && !(name == "Authorization" || name == "Cookie") {
				b.complain("%s was changed, and it is accepted: %s", name, tell())
			}
		}
		if w.Body.Len() > 4*answer.Body.Len()+256<<10 {
			b.complain("an answer of %d bytes: %s", w.Body.Len(), tell())
		}
	}
	if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("X-Request-Id") == "" {
		b.complain("an answer without its headers: %s", tell())
	}
}

// elsewhere says whether an answer asks for the same message at another address: it
// is no answer to it. After 303 comes another message, so what was sent was done.
func elsewhere(status int) bool {
	switch status {
	case http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusFound, http.StatusUseProxy, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// here says whether an answer sends to a path of the host that it comes from. What
// browsers take for a slash is one.
func here(w *httptest.ResponseRecorder) bool {
	to := w.Header().Values("Location")
	if len(to) != 1 {
		return false
	}
	u, err := url.Parse(to[0])
	return err == nil && u.Scheme == "" && u.Host == "" && u.Opaque == "" && strings.HasPrefix(to[0], "/") &&
		!strings.HasPrefix(to[0], "//") && !strings.HasPrefix(to[0], "/\\")
}

// another says whether an effect is one that whoever sent a message may cause by
// another message of the same kind: what staff ask for is not signed, so it may be
// changed by whoever has their token, into what they may ask for.
func (b *besieged) another(good message, did string) bool {
	path := good.target
	for _, open := range []string{"/residents", "/parties", "/console/"} {
		if strings.HasPrefix(path, open) {
			return true
		}
	}
	return false
}

// besiege makes a day on which so many changed messages are sent.
func besiege(t *testing.T, messages int, seed uint64) *besieged {
	var l *ledger
	s := newStreet(t, func(c *service.Config) {
		l = &ledger{Store: c.Store}
		c.Store = l
	})
	b := &besieged{day: newDay(t, s), ledger: l, change: newMutator(seed), each: max(1, messages/dayMessages), outcome: map[string]int{}, codes: map[string]map[string]struct{}{}, fail: t.Errorf}
	b.day.first = b.before
	b.day.sent = b.replay
	return b
}

const dayMessages = 75

// replay sends a message again that was answered: nothing changes by it.
func (b *besieged) replay(m message, first *httptest.ResponseRecorder) {
	b.ledger.take()
	sequence, head := b.register()
	w := b.send(m)
	again, headAgain := b.register()
	if sequence != again || head != headAgain || effect(b.ledger.take()) != "" {
		b.complain("sent again, %s %s changes the register", m.method, m.target)
	}
	if w.Code >= 500 {
		b.complain("sent again, %s %s fails: %d", m.method, m.target, w.Code)
	}
}

func (b *besieged) register() (sequence uint64, head string) {
	check(b.t, b.ledger.View(ctx, func(r store.Reader) error {
		var err error
		if sequence, err = r.Sequence(); err != nil {
			return err
		}
		h, err := r.AuditHead()
		head = string(h.Hash)
		return err
	}))
	return sequence, head
}

// TestChangedMessagesOfADay sends what people send on a day, changed in every way by
// chance: nothing of it makes the service fail, or changes the register but as the
// right message would, and each right message is still granted afterwards.
func TestChangedMessagesOfADay(t *testing.T) {
	messages := 5000
	if text := os.Getenv("ROLLCALL_MESSAGES"); text != "" {
		var err error
		messages, err = strconv.Atoi(text)
		check(t, err)
	} else if os.Getenv("ROLLCALL_CAMPAIGN") != "" {
		messages = 100_000
	}
	plain := newDay(t, newStreet(t))
	plain.live()
	b := besiege(t, messages, 1)
	began := time.Now()
	b.live()
	if quiet, loud := history(plain.street), history(b.street); quiet != loud {
		t.Errorf("the register is another one than after a quiet day:\n%s\nnot\n%s", loud, quiet)
	}
	t.Logf("%d changed messages of a day, in %v", b.sent, time.Since(began).Round(time.Second))
	var ends []string
	for _, what := range slices.Sorted(maps.Keys(b.outcome)) {
		ends = append(ends, fmt.Sprintf("%s: %d", what, b.outcome[what]))
	}
	t.Logf("how they ended: %s", strings.Join(ends, ", "))
	b.asPinned()
}

var update = flag.Bool("update", false, "write the refusals that were seen to testdata, beside those that are there")

// asPinned holds the codes with which each operation refused against those that it
// may refuse with.
func (b *besieged) asPinned() {
	const file = "testdata/refusals.txt"
	pinned := map[string][]string{}
	text, err := os.ReadFile(file)
	check(b.t, err)
	for line := range strings.Lines(string(text)) {
		if op, codes, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			pinned[op] = strings.Split(codes, ", ")
		}
	}
	for _, op := range slices.Sorted(maps.Keys(b.codes)) {
		for _, code := range slices.Sorted(maps.Keys(b.codes[op])) {
			if slices.Contains(pinned[op], code) {
				continue
			}
			if !*update {
				b.t.Errorf("%s refuses with %s, which is not among %s (go test ./sim/demo -update adds it)", op, code, file)
			}
			pinned[op] = append(pinned[op], code)
		}
		slices.Sort(pinned[op])
	}
	if !*update {
		return
	}
	var out strings.Builder
	for _, op := range slices.Sorted(maps.Keys(pinned)) {
		fmt.Fprintf(&out, "%s: %s\n", op, strings.Join(pinned[op], ", "))
	}
	check(b.t, os.WriteFile(file, []byte(out.String()), 0o644))
}

// TestWhoIsSentElsewhereIsGrantedNothing has the day's judge look at redirections.
func TestWhoIsSentElsewhereIsGrantedNothing(t *testing.T) {
	b := besiege(t, 1, 1)
	good := message{method: "POST", target: "/residents/1/releases", header: http.Header{"Content-Type": {"application/json"}}, body: []byte("{}")}
	twice := good.clone()
	twice.target = "/residents//releases"
	b.judge(good, twice, b.send(good), b.send(twice), "", "")
	if len(b.outcome) != 1 || b.outcome["307 sent elsewhere, nothing changed"] != 1 {
		t.Errorf("a path with an empty part ended so: %v", b.outcome)
	}
	for _, c := range []struct {
		name     string
		status   int
		to       []string
		did      string
		wrongful bool
	}{
		{"a path of the same host", 308, []string{"/residents/releases"}, "", false},
		{"a page after a form", 303, []string{"/console/residents/1"}, "", false},
		{"another host", 307, []string{"https://elsewhere.example/residents/releases"}, "", true},
		{"another host without its scheme", 307, []string{"//elsewhere.example/releases"}, "", true},
		{"another host as browsers read it", 307, []string{"/\\elsewhere.example/releases"}, "", true},
		{"a page of another host after a form", 303, []string{"https://elsewhere.example/console"}, "", true},
		{"two addresses", 307, []string{"/a", "/b"}, "", true},
		{"none", 307, nil, "", true},
		{"a relative one", 307, []string{"releases"}, "", true},
		{"a redirection that has changed the register", 307, []string{"/residents/releases"}, "a release", true},
	} {
		w := httptest.NewRecorder()
		w.Header()["Location"] = c.to
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Request-Id", "1")
		w.WriteHeader(c.status)
		complaints := 0
		b.fail = func(string, ...any) { complaints++ }
		b.judge(good, twice, w, w, c.did, c.did)
		if wrongful := complaints > 0; wrongful != c.wrongful {
			t.Errorf("%s: %d complaints", c.name, complaints)
		}
	}
}

// history is what the log says was done.
func history(s *street) string {
	var out strings.Builder
	check(s.t, s.DB.View(ctx, func(r store.Reader) error {
		return r.Audit(1, 1<<62, func(rec store.AuditRecord) error {
			var e audit.Entry
			err := json.Unmarshal(rec.Body, &e)
			fmt.Fprintf(&out, "%d %s %v %v\n", e.Sequence, effect([]audit.Entry{e}), e.Before, e.After)
			return err
		})
	}))
	return out.String()
}
