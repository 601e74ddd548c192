package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/crl"
	"rollcall.example/rollcall/wholefile"
)

// listServer serves one list after the other, or is down.
type listServer struct {
	*httptest.Server
	list atomic.Pointer[[]byte] // nil: it is down
}

func newListServer(t *testing.T) *listServer {
	s := &listServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l := s.list.Load(); l != nil {
			_, _ = w.Write(*l)
		} else {
			http.Error(w, "down", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *listServer) serve(list []byte) { s.list.Store(&list) }
func (s *listServer) down()             { s.list.Store(nil) }

var listDay = time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)

// listOf is a plant's list of a moment, with its signer on it or without.
func listOf(t *testing.T, k *iccard.IssuerKit, at time.Time, revoked bool) []byte {
	t.Helper()
	var entries []x509.RevocationListEntry
	if revoked {
		entries = append(entries, x509.RevocationListEntry{SerialNumber: k.Serial(), RevocationTime: at, ReasonCode: 1})
	}
	list, err := k.RevocationList(at, entries...)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// started is what a start makes of the lists: those in a folder, and what is served.
func started(t *testing.T, k *iccard.IssuerKit, folder string, now time.Time, places ...string) (lists *cardLists, kept, fetched error) {
	t.Helper()
	v, err := card.NewVerifier(k.CountryCA)
	if err != nil {
		t.Fatal(err)
	}
	v.RequireLists()
	lists = newCardLists(v, places, folder, func() time.Time { return now })
	if err := lists.readFiles(); err != nil {
		t.Fatal(err)
	}
	kept = lists.restore()
	return lists, kept, lists.fetchDue(t.Context(), true)
}

// signer is what rests on a card of a plant.
func signer(t *testing.T, k *iccard.IssuerKit) card.Signer {
	t.Helper()
	root, err := x509.ParseCertificate(k.CountryCA)
	if err != nil {
		t.Fatal(err)
	}
	return card.Signer{Authority: card.Authority(root), Serial: k.Serial().Text(16)}
}

// keptFiles are the files that are kept.
func keptFiles(t *testing.T, folder string) (paths []string) {
	t.Helper()
	all, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range all {
		paths = append(paths, filepath.Join(folder, e.Name()))
	}
	return paths
}

func TestAStartWhileTheListsServerIsDownGoesByTheLastOne(t *testing.T) {
	k, _ := plant(t)
	server, folder := newListServer(t), filepath.Join(t.TempDir(), keptFolder)
	server.serve(listOf(t, k, listDay, true))
	if _, kept, fetched := started(t, k, folder, listDay, server.URL); kept != nil || fetched != nil {
		t.Fatal(kept, fetched)
	}
	server.down()
	lists, kept, fetched := started(t, k, folder, listDay.Add(time.Hour), server.URL)
	if kept != nil || fetched == nil {
		t.Errorf("what was kept: %v, what was fetched: %v", kept, fetched)
	}
	if until, err := lists.verifier.Listed(listDay.Add(time.Hour)); err != nil || !until.Equal(listDay.Add(iccard.ListLife)) {
		t.Errorf("the list is good until %v, %v", until, err)
	}
	if err := lists.verifier.Good(signer(t, k), listDay.Add(time.Hour)); !errors.Is(err, card.ErrSignerRevoked) {
		t.Errorf("the revoked signer: %v", err)
	}
	// It counts as out of date as ever; what it names stays revoked.
	late := listDay.Add(iccard.ListLife)
	lists, kept, _ = started(t, k, folder, late, server.URL)
	if _, err := lists.verifier.Listed(late); kept != nil || !errors.Is(err, card.ErrUnlisted) {
		t.Errorf("past its time: %v, %v", kept, err)
	}
	if err := lists.verifier.Good(signer(t, k), late); !errors.Is(err, card.ErrSignerRevoked) {
		t.Errorf("past its time, the revoked signer: %v", err)
	}
	// An older list that is served after a start does not take its place, nor that of the file.
	server.serve(listOf(t, k, listDay.Add(-time.Hour), false))
	lists, _, fetched = started(t, k, folder, listDay.Add(time.Hour), server.URL)
	if err := lists.verifier.Good(signer(t, k), listDay.Add(time.Hour)); !errors.Is(fetched, crl.ErrOlder) || !errors.Is(err, card.ErrSignerRevoked) {
		t.Errorf("an older one is served: %v, %v", fetched, err)
	}
	server.down()
	lists, _, _ = started(t, k, folder, listDay.Add(time.Hour), server.URL)
	if err := lists.verifier.Good(signer(t, k), listDay.Add(time.Hour)); !errors.Is(err, card.ErrSignerRevoked) {
		t.Errorf("after an older one was served: %v", err)
	}
}

func TestAKeptListThatIsNotTheAuthoritysIsNoList(t *testing.T) {
	k, _ := plant(t)
	stranger, err := iccard.NewIssuerKit([]byte("another plant"), listDay.AddDate(0, -1, 0))
	if err != nil {
		t.Fatal(err)
	}
	good := listOf(t, k, listDay, false)
	changed := bytes.Clone(good)
	changed[len(changed)/2] ^= 1
	for name, kept := range map[string][]byte{
		"changed":              changed,
		"cut off":              good[:len(good)-1],
		"empty":                {},
		"another issuer's":     listOf(t, stranger, listDay, false),
		"one of later":         listOf(t, k, listDay.Add(time.Hour), false),
		"longer than any list": bytes.Repeat([]byte{0x30}, maxListText+1),
	} {
		server, folder := newListServer(t), filepath.Join(t.TempDir(), keptFolder)
		server.serve(good)
		started(t, k, folder, listDay, server.URL)
		path := keptFiles(t, folder)[0]
		if err := os.WriteFile(path, kept, 0o600); err != nil {
			t.Fatal(err)
		}
		server.down()
		lists, wrong, _ := started(t, k, folder, listDay, server.URL)
		if _, err := lists.verifier.Listed(listDay); wrong == nil || !strings.Contains(wrong.Error(), path) || !errors.Is(err, card.ErrUnlisted) {
			t.Errorf("%s: it says %v, and %v", name, wrong, err)
		}
		server.serve(good) // which mends it
		started(t, k, folder, listDay, server.URL)
		if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, good) {
			t.Errorf("%s: it is not kept anew: %v", name, err)
		}
	}
}

func TestOfAFileAndAKeptListTheNewerCounts(t *testing.T) {
	k, _ := plant(t)
	older, newer := listOf(t, k, listDay.Add(-time.Hour), false), listOf(t, k, listDay, true)
	for _, c := range []struct {
		name        string
		given, kept []byte
	}{{"the file is newer", newer, older}, {"the kept one is newer", older, newer}} {
		dir := t.TempDir()
		file, server, folder := filepath.Join(dir, "given.crl"), newListServer(t), filepath.Join(dir, keptFolder)
		server.serve(c.kept)
		started(t, k, folder, listDay, server.URL)
		server.down()
		if err := os.WriteFile(file, c.given, 0o600); err != nil {
			t.Fatal(err)
		}
		lists, wrong, _ := started(t, k, folder, listDay, server.URL, file)
		if err := lists.verifier.Good(signer(t, k), listDay); wrong != nil || !errors.Is(err, card.ErrSignerRevoked) {
			t.Errorf("%s: %v, %v", c.name, wrong, err)
		}
	}
}

func TestAReplicaThatFetchesAnOlderListLeavesTheNewerThatAnotherHasKept(t *testing.T) {
	k, _ := plant(t)
	older, newer := listOf(t, k, listDay.Add(-time.Hour), false), listOf(t, k, listDay, true)
	server, folder := newListServer(t), filepath.Join(t.TempDir(), keptFolder)
	server.serve(older)
	behind, _, _ := started(t, k, folder, listDay, server.URL)
	server.serve(newer)
	started(t, k, folder, listDay, server.URL)
	server.serve(older)
	if err := behind.fetchDue(t.Context(), true); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(keptFiles(t, folder)[0]); err != nil || !bytes.Equal(text, newer) {
		t.Errorf("the older one is kept: %v", err)
	}
	if err := behind.verifier.Good(signer(t, k), listDay); !errors.Is(err, card.ErrSignerRevoked) {
		t.Errorf("the newer one is not gone by: %v", err)
	}
}

// Two replicas on one data folder, of which one has fetched a newer list: the other goes by it
// at its next look, long before it fetches for itself.
func TestAListThatOneReplicaHasFetchedIsInForceAtTheOtherByItsNextLook(t *testing.T) {
	k, _ := plant(t)
	server, folder := newListServer(t), filepath.Join(t.TempDir(), keptFolder)
	server.serve(listOf(t, k, listDay.Add(-time.Hour), false))
	behind, _, _ := started(t, k, folder, listDay, server.URL)
	server.serve(listOf(t, k, listDay, true))
	started(t, k, folder, listDay, server.URL)
	server.down() // nothing is fetched: it is not due
	if err := behind.verifier.Good(signer(t, k), listDay); err != nil {
		t.Fatalf("before it has looked: %v", err)
	}
	if err := behind.fetchDue(t.Context(), false); err != nil {
		t.Error(err)
	}
	if err := behind.verifier.Good(signer(t, k), listDay); !errors.Is(err, card.ErrSignerRevoked) {
		t.Errorf("the newer list is not gone by: %v", err)
	}
	held := behind.verifier.Held()[0]
	if err := behind.fetchDue(t.Context(), false); err != nil || behind.verifier.Held()[0] != held {
		t.Errorf("what is gone by already is taken again: %v", err)
	}
}

// Two replicas have looked at the folder before either has written, and the older list is
// written last: it is no longer there when the one with the newer has looked again.
func TestAnOlderListThatWasWrittenOverANewerIsMendedByTheNextLook(t *testing.T) {
	k, _ := plant(t)
	older, newer := listOf(t, k, listDay.Add(-time.Hour), false), listOf(t, k, listDay, true)
	server, folder := newListServer(t), filepath.Join(t.TempDir(), keptFolder)
	server.serve(newer)
	ahead, _, _ := started(t, k, folder, listDay, server.URL)
	server.down()
	path := keptFiles(t, folder)[0]
	for name, wrong := range map[string]func() error{
		"older":   func() error { return os.WriteFile(path, older, 0o600) },
		"none":    func() error { return os.WriteFile(path, []byte("none"), 0o600) },
		"missing": func() error { return os.Remove(path) },
	} {
		if err := wrong(); err != nil {
			t.Fatal(err)
		}
		if err := ahead.fetchDue(t.Context(), false); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text, err := os.ReadFile(path); err != nil || !bytes.Equal(text, newer) {
			t.Errorf("%s: the newer list is not kept: %v", name, err)
		}
	}
}

// The loop and a signal may come at the same time.
func TestListsMayBeTakenByTwoAtOnce(t *testing.T) {
	k, _ := plant(t)
	server, folder := newListServer(t), filepath.Join(t.TempDir(), keptFolder)
	server.serve(listOf(t, k, listDay, true))
	lists, _, _ := started(t, k, folder, listDay, server.URL)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if err := lists.fetchDue(t.Context(), true); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(keptFiles(t, folder)) != 1 {
		t.Error("the list is not kept once")
	}
}

func TestNoMoreIsKeptThanThereArePlacesAndAuthorities(t *testing.T) {
	k, _ := plant(t)
	second, err := iccard.NewIssuerKit([]byte("another plant"), listDay.AddDate(0, -1, 0))
	if err != nil {
		t.Fatal(err)
	}
	v, err := card.NewVerifier(k.CountryCA, second.CountryCA)
	if err != nil {
		t.Fatal(err)
	}
	server, folder := newListServer(t), filepath.Join(t.TempDir(), keptFolder)
	lists := newCardLists(v, []string{server.URL}, folder, func() time.Time { return listDay })
	for n := range 20 { // one place answers with two authorities' lists in turn
		server.serve(listOf(t, []*iccard.IssuerKit{k, second}[n%2], listDay.Add(time.Duration(n-20)*time.Hour), false))
		if err := lists.fetchDue(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(keptFiles(t, folder)); n != 2 {
		t.Errorf("%d lists are kept of two authorities", n)
	}
	if err := os.WriteFile(filepath.Join(folder, "."+filepath.Base(keptFiles(t, folder)[0])+".123"), []byte("a part"), 0o600); err != nil {
		t.Fatal(err)
	}
	started(t, k, folder, listDay, server.URL)
	if n := len(keptFiles(t, folder)); n != 2 {
		t.Errorf("after a start %d files are there", n)
	}
	other := newListServer(t)
	started(t, k, folder, listDay, other.URL)
	if left := keptFiles(t, folder); len(left) != 0 {
		t.Errorf("%q are kept of a place that is not named", left)
	}
}

// fullFolder is a disk without room.
type fullFolder struct{ wholefile.Disk }

func (fullFolder) Create(string, string) (wholefile.Unnamed, error) { return nil, syscall.ENOSPC }

func TestAListThatCannotBeKeptIsInForceAndTheLogSaysSo(t *testing.T) {
	k, v := plant(t)
	server, folder := newListServer(t), filepath.Join(t.TempDir(), keptFolder)
	server.serve(listOf(t, k, listDay, true))
	lists := newCardLists(v, []string{server.URL}, folder, func() time.Time { return listDay })
	lists.disk = fullFolder{wholefile.OS}
	if err := lists.fetchDue(t.Context(), true); !errors.Is(err, errUnkept) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), server.URL) {
		t.Errorf("%v", err)
	}
	if err := v.Good(signer(t, k), listDay); !errors.Is(err, card.ErrSignerRevoked) {
		t.Errorf("%v", err)
	}
	if left := keptFiles(t, folder); len(left) != 0 {
		t.Errorf("%q", left)
	}
	lists.disk = wholefile.OS
	if err := lists.fetchDue(t.Context(), true); err != nil || len(keptFiles(t, folder)) != 1 {
		t.Errorf("with room again: %v", err)
	}
}

// notedLists are the entries of the audit log, which holds, about lists of an authority.
func (p *process) notedLists(t *testing.T, k *iccard.IssuerKit) (out []audit.List) {
	t.Helper()
	h := sha256.Sum256(k.CountryCA)
	for line := range bytes.Lines(checkLog(t, p)) {
		var l struct{ Entry audit.Entry }
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if l.Entry.List != nil && l.Entry.List.Root == hex.EncodeToString(h[:]) {
			if l.Entry.Event != "certificate-revoked" || l.Entry.Actor != "serve" || l.Entry.Person != 0 {
				t.Errorf("%+v", l.Entry)
			}
			out = append(out, *l.Entry.List)
		}
	}
	return out
}

// Another country's list names three signers. It stands in the audit log once, with all
// starts, and a start without its server goes by it.
func TestAStartOfTheServiceWithoutTheListsServerForgetsNothing(t *testing.T) {
	k, dir, root := anotherCountry(t)
	made := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	var entries []x509.RevocationListEntry
	for n := range int64(3) {
		entries = append(entries, x509.RevocationListEntry{SerialNumber: big.NewInt(0xa0 + n), RevocationTime: made, ReasonCode: 1})
	}
	list, err := k.RevocationList(made, entries...)
	if err != nil {
		t.Fatal(err)
	}
	server := newListServer(t)
	server.serve(list)
	serve := func() *process {
		p, err := start(dir, os.Environ(), "--demo", "--card-authorities", root, "--card-revocations", server.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.ended })
		time.Sleep(200 * time.Millisecond) // it is about to look
		return p
	}
	one := func(p *process) {
		t.Helper()
		noted := p.notedLists(t, k)
		if len(noted) != 1 || len(noted[0].Revoked) != 3 || noted[0].Revoked[2] != (audit.Revoked{Serial: "a2", At: made.Format(time.RFC3339), Reason: "key-compromise"}) || noted[0].Made != made.Format(time.RFC3339) {
			t.Errorf("the log has %+v", noted)
		}
	}
	p := serve()
	one(p)
	_ = p.cmd.Process.Kill()
	<-p.ended
	server.down()
	p = serve()
	one(p)
	if log := p.err.String(); !strings.Contains(log, "was not taken: what was known before stays in force") || strings.Contains(log, "is missing or too old") {
		t.Errorf("it starts without the list:\n%s", log)
	}

	// The demonstration's country has a list of its own.
	path, err := exec.LookPath("rollcall")
	if err != nil {
		t.Fatal(err)
	}
	revoke := exec.Command(path, "card", "revoke", "--reason", "superseded")
	revoke.Dir = dir
	if out, err := revoke.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if noted := p.notedLists(t, town(t, 1).Country); len(noted) == 1 && len(noted[0].Revoked) == 1 && noted[0].Revoked[0].Reason == "superseded" {
			break
		} else if len(noted) > 1 || time.Now().After(end) {
			t.Fatalf("of the demonstration's country the log has %+v", noted)
		}
	}
	one(p)
}
