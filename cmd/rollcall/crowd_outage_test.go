package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/sim/loadgen"
)

// Here the service goes on under a crowd while its disk is full, or its database is
// gone: it says so, loses nothing that it acknowledged, and recovers by itself.

// watching counts what a service answers while something is broken.
type watching struct {
	http.RoundTripper

	mu      sync.Mutex
	broken  bool
	began   map[string]int // requests that would change the register, by route, while it is
	refused map[string]int // of those, answered 503
	done    map[string]int // and those acknowledged
	unclear []string       // answers from which nobody knows what to do
	slowest time.Duration  // of the answers while it is broken
	good    []time.Time    // when changes were acknowledged
}

func newWatching(way http.RoundTripper) *watching {
	return &watching{RoundTripper: way, began: map[string]int{}, refused: map[string]int{}, done: map[string]int{}}
}

// later is what an answer says that has to be asked for again.
var later = regexp.MustCompile(`"(temporarily_unavailable|urn:rollcall:problem:(temporarily_unavailable|not-ready))"`)

// begun are presentations for which a verifier asks: they need to read the register.
const begun = "verifiers' requests"

// changing are requests that need a commit, by what they are for; and begun.
func changing(r *http.Request) string {
	switch path := r.URL.Path; {
	case path == "/vp/transactions":
		return begun
	case strings.HasPrefix(path, "/vp/response/"):
		return "presentations"
	case path == "/oauth/par" || path == "/oauth/token" || path == "/vci/credential":
		return "steps of issuances"
	case strings.HasSuffix(path, "/reports"):
		return "reports"
	case strings.HasSuffix(path, "/releases"):
		return "releases"
	}
	return ""
}

func (w *watching) RoundTrip(r *http.Request) (*http.Response, error) {
	what, began := changing(r), time.Now()
	w.mu.Lock()
	broken := w.broken
	w.mu.Unlock()
	res, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var body []byte
	if res.StatusCode >= 500 {
		body, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			return nil, err
		}
		res.Body = io.NopCloser(bytes.NewReader(body))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if res.StatusCode >= 500 && (res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !later.Match(body)) {
		w.unclear = append(w.unclear, fmt.Sprintf("%s %s: %d, Retry-After %q, %.100s", r.Method, r.URL.Path, res.StatusCode, res.Header.Get("Retry-After"), body))
	}
	if broken && what != "" {
		w.began[what]++
		w.slowest = max(w.slowest, time.Since(began))
		switch {
		case res.StatusCode == http.StatusServiceUnavailable:
			w.refused[what]++
		case res.StatusCode/100 == 2 && what != begun:
			w.done[what]++
		}
	}
	if what != "" && what != begun && res.StatusCode/100 == 2 {
		w.good = append(w.good, time.Now())
	}
	return res, nil
}

func (w *watching) is(broken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = broken
}

// readiness is when a service said that it is ready, and when that it is not.
type readiness struct {
	mu      sync.Mutex
	changes []time.Time // ready at first, then not, then ready, ...
	said    string      // the latest reason
}

// follow asks until it is told to stop.
func (r *readiness) follow(p *process, stop <-chan struct{}) {
	ready := true
	for {
		select {
		case <-stop:
			return
		case <-time.After(50 * time.Millisecond):
		}
		res, err := p.client.Get(p.url + "/readyz")
		if err != nil {
			continue
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		r.mu.Lock()
		if is := res.StatusCode == http.StatusOK; is != ready {
			ready, r.changes = is, append(r.changes, time.Now())
		}
		if !ready {
			r.said = string(body)
		}
		r.mu.Unlock()
	}
}

// outage lets a crowd live while something is broken for a time.
type outage struct {
	name     string
	citizens int
	lasts    time.Duration
	breaks   func()
	mends    func()
	early    int // so many changes may be acknowledged while it is broken; -1: any
}

func newOutage(t *testing.T, name string) *outage {
	t.Helper()
	if os.Getenv("ROLLCALL_CAMPAIGN") == "" {
		t.Skip("takes most of a minute: ROLLCALL_CAMPAIGN=1 breaks something for seven seconds under a crowd")
	}
	return &outage{name: name, citizens: 100, lasts: 7 * time.Second, early: -1}
}

func (o *outage) suffer(t *testing.T, p *process, seed uint64) {
	t.Helper()
	w := newWatching(p.client.Transport)
	c := crowd(t, p, seed, o.citizens, func(l *loadgen.Options) {
		l.HTTP = &http.Client{Timeout: 30 * time.Second, Transport: w}
	})
	ready, over := &readiness{}, make(chan struct{})
	go ready.follow(p, over)
	peace(t, c)
	rush, stop, all := rushing(c, seed)
	time.Sleep(o.lasts / 2)
	broken := time.Now()
	o.breaks()
	w.is(true)
	time.Sleep(o.lasts)
	w.is(false)
	o.mends()
	mended := time.Now()
	c.Faulty(o.name, broken, mended)
	time.Sleep(o.lasts)
	close(stop)
	all.Wait()
	close(over)
	for _, property := range judged(t, c, p).Untested() {
		if property != "S5" { // nothing is started again
			t.Errorf("%s could not have been broken: it was not tested", property)
		}
	}
	report(t, c, rush)
	o.held(t, w, ready, broken, mended)
}

// held says what was seen of the outage, and what should have been otherwise.
func (o *outage) held(t *testing.T, w *watching, ready *readiness, broken, mended time.Time) {
	t.Helper()
	for _, one := range w.unclear[:min(5, len(w.unclear))] {
		t.Errorf("an answer from which nobody knows what to do (one of %d): %s", len(w.unclear), one)
	}
	refused, done := 0, 0
	var told []string
	for what, n := range w.began {
		refused, done = refused+w.refused[what], done+w.done[what]
		told = append(told, fmt.Sprintf("%s %d of %d", what, w.refused[what], n))
	}
	slices.Sort(told)
	kinds := 0
	for _, n := range w.refused {
		if n > 0 {
			kinds++
		}
	}
	if kinds < 4 {
		t.Errorf("too little was tried while it was broken, or was not refused for it: %v", told)
	}
	if o.early >= 0 && done > o.early {
		t.Errorf("%d changes were acknowledged while it was broken", done)
	}
	ready.mu.Lock()
	defer ready.mu.Unlock()
	if len(ready.changes) < 2 || len(ready.changes)%2 != 0 || ready.changes[0].After(mended) || ready.changes[len(ready.changes)-1].Before(mended) {
		t.Fatalf("ready and not ready in turn at %v; broken at %v, mended at %v", ready.changes, broken, mended)
	}
	if !strings.Contains(ready.said, "urn:rollcall:problem:not_ready") {
		t.Errorf("not ready, and it says %s", ready.said)
	}
	again := slices.IndexFunc(w.good, func(at time.Time) bool { return at.After(mended) })
	if again < 0 {
		t.Fatal("it does not recover by itself")
	}
	ms := func(at, from time.Time) int64 { return at.Sub(from).Milliseconds() }
	t.Logf("%s for %.1f s: refused %s; acknowledged %d; slowest answer %d ms; not ready after %d ms; with that over, ready after %d ms, the first change acknowledged after %d ms",
		o.name, mended.Sub(broken).Seconds(), strings.Join(told, ", "), done, w.slowest.Milliseconds(), ms(ready.changes[0], broken), ms(ready.changes[len(ready.changes)-1], mended), ms(w.good[again], mended))
	if late := w.good[again].Sub(mended); late > 3*time.Second {
		t.Errorf("the first change is acknowledged %v after the end", late)
	}
}

// A disk that fills up under load: what needs a commit is refused, and says when to
// ask again; with room it goes on by itself.
func TestACrowdIsToldThatTheDiskIsFull(t *testing.T) {
	o := newOutage(t, "disk full")
	disk := smallDisk(t, "256M")
	o.full(t, filepath.Join(disk, "register.db"), disk, 4)
}

// The same of the disk of a database server, which goes on reading.
func TestACrowdIsToldThatTheDatabasesDiskIsFull(t *testing.T) {
	o := newOutage(t, "the database's disk full")
	address, disk := smallDatabase(t, "256M")
	o.full(t, address, disk, 8)
}

// full fills up the disk of a register.
func (o *outage) full(t *testing.T, database, disk string, seed uint64) {
	t.Helper()
	p, err := start(t.TempDir(), os.Environ(), append(slices.Clone(crowdFlags), "--database", database)...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	ballast := filepath.Join(disk, "ballast")
	o.breaks = func() {
		if err := fillUp(ballast, 256<<10); err != nil { // the rest is for the register to fill
			t.Error(err)
		}
	}
	o.mends = func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	}
	o.suffer(t, p, seed)
	_ = p.cmd.Process.Kill()
	<-p.ended
	chainHolds(t, "--database", database)
}

// A process that is killed just when its disk is full leaves a log that ends anywhere:
// what it acknowledged before stands.
func TestACrowdLosesNothingWhenTheServiceIsKilledOnAFullDisk(t *testing.T) {
	o := newOutage(t, "killed on a full disk")
	dir, disk := t.TempDir(), smallDisk(t, "256M")
	flags := append(slices.Clone(crowdFlags), "--database", filepath.Join(disk, "register.db"))
	p, err := start(dir, os.Environ(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	flags = append(flags, "--listen", strings.TrimPrefix(strings.Replace(p.url, "localhost", "127.0.0.1", 1), "https://"))
	const seed = 6
	c := crowd(t, p, seed, o.citizens)
	said, ballast := p.err, filepath.Join(disk, "ballast")
	rush, stop, all := rushing(c, seed)
	for range 3 {
		time.Sleep(o.lasts / 4)
		full := time.Now()
		err := fillUp(ballast, 256<<10)
		time.Sleep(o.lasts / 4)
		down := c.Stamp()
		_ = p.cmd.Process.Kill()
		<-p.ended
		var again *process
		if err = errors.Join(err, os.Remove(ballast)); err == nil {
			again, err = start(dir, os.Environ(), flags...)
		}
		if err != nil {
			close(stop)
			t.Fatal(err)
		}
		p = again
		p.err.also(said)
		c.Faulty(o.name, full, time.Now())
		c.Restarted(down, c.Stamp())
	}
	time.Sleep(o.lasts / 4)
	close(stop)
	all.Wait()
	p.err = said
	if v := judged(t, c, p); slices.Contains(v.Untested(), "S5") {
		t.Error("S5 could not have been broken: it was not tested")
	}
	full := strings.Count(said.String(), "no room left")
	t.Logf("%s 3 times: its log says %d times that there is no room", o.name, full)
	if full == 0 {
		t.Error("the disk was never full")
	}
	report(t, c, rush)
	_ = p.cmd.Process.Kill()
	<-p.ended
	chainHolds(t, "--database", filepath.Join(disk, "register.db"))
}

// fillUp writes a file until the disk is full, and leaves so much room.
func fillUp(path string, room int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 64<<10))
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	return f.Truncate(max(0, size-room))
}

// A database server that is stopped under load, and started again: the same.
func TestACrowdIsToldThatTheDatabaseIsGone(t *testing.T) {
	address := schema(t)
	if os.Getenv("ROLLCALL_POSTGRES_DIR") == "" {
		t.Skip("the database server cannot be stopped: put the folder that .ci/postgres start was given into ROLLCALL_POSTGRES_DIR")
	}
	o := newOutage(t, "database gone")
	p, err := start(t.TempDir(), os.Environ(), append(slices.Clone(crowdFlags), "--database", address)...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	o.breaks, o.mends = func() { database(t, "stop") }, func() { database(t, "start") }
	o.early = o.citizens // whose answer was on its way
	o.suffer(t, p, 5)
	chainHolds(t, "--database", address)
}
