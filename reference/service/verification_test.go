package service_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/verification"
)

// S3, S4: what a verifier is told, online and with a cached status list.

func TestS3AVerificationBegunAfterTheAcknowledgementNeverAccepts(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for range 8 {
		c := w.holder()
		wg.Go(func() {
			for range 3 {
				r := c.report(callCentre, lifecycle.MobileLost)
				if v := c.mobile(); v != suspended {
					t.Errorf("%v after the report was acknowledged", v)
				}
				c.release(clerk, lifecycle.MobileLost, r.Sequence)
				if v := c.mobile(); v != accepted {
					t.Errorf("%v after the release was acknowledged", v)
				}
			}
		})
	}
	wg.Wait()
}

func TestS3APresentationIsAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	tr, err := w.Verification.Begin(bank)
	must(t, err)
	response := c.phone.held[0].present(t, tr)
	a, err := w.Verification.Verify(ctx, tr, response)
	must(t, err)
	if a.Verdict != accepted {
		t.Fatal(a.Verdict)
	}
	for _, pass := range []time.Duration{0, time.Microsecond, time.Minute, 4*time.Minute - time.Microsecond} { // to the end
		w.Pass(pass)
		_, err := w.Register.Forget(ctx, 100)
		must(t, err)
		if a, err := w.Verification.Verify(ctx, tr, response); !errors.Is(err, verification.ErrReplayed) || a.Verdict != lifecycle.CannotTell {
			t.Errorf("a replay was answered: %v, %v", a.Verdict, err)
		}
	}
	again, err := w.Verification.Begin(bank)
	must(t, err)
	if a, err := w.Verification.Verify(ctx, again, response); err != nil || a.Verdict != notValid {
		t.Errorf("a response for another transaction: %v, %v", a.Verdict, err)
	}
}

func TestATransactionIsBoundToItsVerifierAndItsTime(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	tr, err := w.Verification.Begin(bank)
	must(t, err)
	stolen := tr
	stolen.ClientID = "x509_hash:somebody-else"
	forged := tr
	forged.Nonce = strings.Repeat("A", len(tr.Nonce))
	for _, bad := range []verification.Transaction{stolen, forged, {}} {
		if _, err := w.Verification.Verify(ctx, bad, c.phone.held[0].present(t, bad)); !errors.Is(err, verification.ErrTransaction) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	w.Pass(5*time.Minute + time.Millisecond)
	if _, err := w.Verification.Verify(ctx, tr, c.phone.held[0].present(t, tr)); !errors.Is(err, verification.ErrTransactionOver) {
		t.Error(err)
	}
}

func TestAForgedOrForeignPresentationIsNotValid(t *testing.T) {
	w, foreign := newWorld(t), onFile(t, filepath.Join(t.TempDir(), "other.db"), 1<<12)
	c, stranger := w.holder(), foreign.holder()
	tr, err := w.Verification.Begin(bank)
	must(t, err)
	response := c.phone.held[0].present(t, tr)
	response[len(response)-3] ^= 1
	if a, err := w.Verification.Verify(ctx, tr, response); err != nil || a.Verdict != notValid || a.Elements != nil {
		t.Errorf("a broken signature: %+v, %v", a, err)
	}
	// Signed by the right authority, but the register knows no such card.
	if v := w.look(stranger.phone.held[0]).Verdict; v != notValid {
		t.Errorf("a card of another register: %v", v)
	}
	// The key of one copy does not present another.
	mixed := held{c.phone.held[0].key, c.phone.held[1].card}
	if v := w.look(mixed).Verdict; v != notValid {
		t.Errorf("with another copy's key: %v", v)
	}
}

// The phone's signature does not cover what is shown; the issuer's digests do, each
// element's, however many are shown before it.
func TestNoElementOfAWholeCardMayBeChanged(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	names := []string{"family_name", "given_name", "birth_date", "resident_address", "resident_municipality", "issuing_authority", "document_number", "plastic_card_number"}
	for _, text := range []string{"", "하늘", "한누리대로 2130", sejong, "행정안전부", c.Number} {
		tr, err := w.Verification.Begin(bank)
		must(t, err)
		response, err := mdoc.Present(c.phone.held[0].card, names, tr.Transcript(), c.phone.held[0].key)
		must(t, err)
		want := accepted
		if text != "" {
			want = notValid
			at := bytes.Index(response, []byte(text))
			if at < 0 {
				t.Fatalf("%q is not shown", text)
			}
			response[at+len(text)-1] ^= 1
		}
		if a, err := w.Verification.Verify(ctx, tr, response); err != nil || a.Verdict != want {
			t.Errorf("with %q changed: %v, %v", text, a.Verdict, err)
		}
	}
}

// offline is a bank with its own copy of the lists.
func (w *world) offline(past verification.PastTTL) *verification.Offline {
	w.t.Helper()
	v, err := verification.NewOffline(verification.OfflineOptions{
		Verifier: bank, Anchors: authority().Anchors, PastTTL: past, Lifetime: 5 * time.Minute, Now: w.Now, Random: zeros{},
	})
	must(w.t, err)
	return v
}

// Whoever asks and does not wait for an answer takes no memory without end, and keeps nobody
// out for longer than a transaction lasts.
func TestAnOfflineVerifierAwaitsNoMoreThanItCanHold(t *testing.T) {
	w := newWorld(t)
	n := uint64(0)
	v, err := verification.NewOffline(verification.OfflineOptions{
		Verifier: bank, Anchors: authority().Anchors, Lifetime: 5 * time.Minute, Now: w.Now,
		Random: counter(func(p []byte) { n++; binary.BigEndian.PutUint64(p, n) }),
	})
	must(t, err)
	first, err := v.Begin()
	must(t, err)
	for err == nil && n < 10_000 {
		_, err = v.Begin()
	}
	if n != 4096 || !strings.Contains(err.Error(), "too many presentations") {
		t.Errorf("%d transactions, then %v", n, err)
	}
	w.Pass(5*time.Minute + time.Second)
	if _, err := v.Begin(); err != nil {
		t.Errorf("after their time: %v", err)
	}
	if _, err := v.Verify(first, nil); !errors.Is(err, verification.ErrTransaction) {
		t.Errorf("one whose time is over: %v", err)
	}
}

// counter is a source of randomness that a test can tell apart.
type counter func(p []byte)

func (c counter) Read(p []byte) (int, error) { c(p); return len(p), nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func (w *world) fetch(v *verification.Offline) {
	w.t.Helper()
	for _, l := range w.publish() {
		must(w.t, v.Fetched(l.JWT))
	}
}

func (c *citizen) at(v *verification.Offline) verification.Answer {
	c.w.t.Helper()
	tr, err := v.Begin()
	must(c.w.t, err)
	a, err := v.Verify(tr, c.phone.held[0].present(c.w.t, tr))
	must(c.w.t, err)
	return a
}

func TestS4ACachedListIsUsedUpToItsTTLAndByPolicyBeyond(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	strict, lax := w.offline(verification.Refuse), w.offline(verification.Accept)
	if v := c.at(strict).Verdict; v != lifecycle.CannotTell {
		t.Errorf("without a list: %v", v)
	}
	w.fetch(strict)
	w.fetch(lax)
	c.report(callCentre, lifecycle.PhysicalLost)
	w.Pass(time.Hour) // the ttl
	for _, v := range []*verification.Offline{strict, lax} {
		if a := c.at(v); a.Verdict != accepted || a.Stale {
			t.Errorf("within the ttl: %+v", a)
		}
	}
	w.Pass(time.Millisecond)
	if a := c.at(strict); a.Verdict != lifecycle.CannotTell {
		t.Errorf("past the ttl, refusing: %+v", a)
	}
	if a := c.at(lax); a.Verdict != accepted || !a.Stale || lax.Stale() != 1 {
		t.Errorf("past the ttl, accepting: %+v, %d counted", a, lax.Stale())
	}
	w.fetch(strict)
	w.fetch(lax)
	for _, v := range []*verification.Offline{strict, lax} {
		if a := c.at(v); a.Verdict != suspended {
			t.Errorf("with a fresh list: %+v", a)
		}
	}
}

// A verifier may be stricter than the list, and not laxer.
func TestAVerifierWithAShorterAgeThanTheTTLGoesByItsOwn(t *testing.T) {
	w := newWorld(t) // a ttl of an hour
	c := w.holder()
	for age, used := range map[time.Duration]time.Duration{0: time.Hour, 10 * time.Minute: 10 * time.Minute, 2 * time.Hour: time.Hour} {
		v, err := verification.NewOffline(verification.OfflineOptions{
			Verifier: bank, Anchors: authority().Anchors, MaxAge: age, Lifetime: 5 * time.Minute, Now: w.Now, Random: zeros{},
		})
		must(t, err)
		w.fetch(v)
		w.Pass(used)
		if a := c.at(v); a.Verdict != accepted {
			t.Errorf("%v, with an age of %v: %v", used, age, a.Verdict)
		}
		w.Pass(time.Millisecond)
		if a := c.at(v); a.Verdict != lifecycle.CannotTell {
			t.Errorf("past %v, with an age of %v: %v", used, age, a.Verdict)
		}
	}
}

// Status 3: the card is good, and its holder is to be told.
func TestAnOfflineVerifierTellsThatACardIsToBeRenewed(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	c.tap()
	v := w.offline(verification.Refuse)
	w.fetch(v)
	if a := c.at(v); a.Verdict != accepted || a.Renew {
		t.Errorf("a new card: %+v", a)
	}
	w.decided(c.move(registrar, "새 주소 1").Reason, lifecycle.Granted)
	w.fetch(v)
	if a := c.at(v); a.Verdict != accepted || !a.Renew || len(a.Elements) == 0 {
		t.Errorf("after a move: %+v", a)
	}
}

func TestAnOlderListDoesNotReplaceANewerOne(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	v := w.offline(verification.Refuse)
	before := w.publish()[0]
	c.report(callCentre, lifecycle.MobileLost)
	w.fetch(v)
	if err := v.Fetched(before.JWT); err == nil {
		t.Error("the list from before the report was taken")
	}
	if a := c.at(v); a.Verdict != suspended {
		t.Error(a.Verdict)
	}
	w.Pass(2 * time.Hour) // the newer one is past its ttl: that makes the older no better
	if err := v.Fetched(before.JWT); err == nil {
		t.Error("the list from before the report was taken when the newer one was out of date")
	}
}

// Lists so large that indices need more than two bytes: each copy of a card is
// looked up at its own place.
func TestEveryCopyIsJudgedByItsOwnIndex(t *testing.T) {
	w := onFile(t, filepath.Join(t.TempDir(), "register.db"), 1<<18)
	v := w.offline(verification.Refuse)
	var people []*citizen
	for i := range 12 {
		c := w.holder()
		people = append(people, c)
		if i%2 == 0 {
			c.report(callCentre, lifecycle.MobileLost)
		}
	}
	w.fetch(v)
	for i, c := range people {
		want := [...]lifecycle.Verdict{suspended, accepted}[i%2]
		for k, h := range c.phone.held {
			tr, err := v.Begin()
			must(t, err)
			a, err := v.Verify(tr, h.present(t, tr))
			must(t, err)
			if a.Verdict != want {
				t.Errorf("copy %d of citizen %d: %v, want %v", k, c.ID, a.Verdict, want)
			}
		}
	}
}

// A card stands in one list: another list says nothing about it, even at the same index.
func TestAVerifierWithoutTheListOfACardCannotTell(t *testing.T) {
	w := onFile(t, filepath.Join(t.TempDir(), "register.db"), 64)
	v := w.offline(verification.Refuse)
	for range 16 { // fill the first list, to three quarters
		w.holder()
	}
	c := w.holder() // stands in the second
	lists := w.publish()
	if len(lists) != 2 {
		t.Fatalf("%d lists are open", len(lists))
	}
	must(t, v.Fetched(lists[0].JWT))
	if a := c.at(v); a.Verdict != lifecycle.CannotTell || a.Elements != nil {
		t.Errorf("with the first list: %+v", a)
	}
	must(t, v.Fetched(lists[1].JWT))
	if a := c.at(v); a.Verdict != accepted {
		t.Errorf("with both: %+v", a)
	}
}

func TestAnOfflinePresentationIsAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	v := w.offline(verification.Refuse)
	w.fetch(v)
	tr, err := v.Begin()
	must(t, err)
	response := c.phone.held[0].present(t, tr)
	if a, err := v.Verify(tr, response); err != nil || a.Verdict != accepted {
		t.Fatal(a, err)
	}
	if _, err := v.Verify(tr, response); !errors.Is(err, verification.ErrTransaction) {
		t.Errorf("a replay was answered: %v", err)
	}
}

// A card that our signer made and whose status another service keeps is nothing that the register
// knows, whoever has the same index here.
func TestACardWhoseStatusIsKeptElsewhereIsNotValid(t *testing.T) {
	w := newWorld(t)
	issued := w.holder().tap()
	elements, err := mdoc.Card{
		FamilyName: "김", GivenName: "하늘", BirthDate: "1990-01-02", Sex: 2, ResidentNumber: "900102-2345670", Address: "세종특별자치시 한누리대로 2130",
		Municipality: "36110", Portrait: []byte{0xff, 0xd8, 0xff, 0xd9}, IssueDate: "2025-03-14", ExpiryDate: "2028-03-14", IssuingAuthority: "행정안전부", DocumentNumber: "M-1", PlasticCardNumber: "P-1",
	}.Elements()
	must(t, err)
	key := servicetest.Key("phone of the card from elsewhere")
	for base, want := range map[string]lifecycle.Verdict{"https://id.example/status/": accepted, "https://other.example/status/": notValid} {
		card, err := mdoc.Issue(authority().DS, zeros{}, &key.PublicKey, elements, mdoc.Validity{Signed: w.Now(), From: w.Now(), Until: w.Now().Add(time.Hour)},
			&mdoc.StatusRef{URI: base + "0", Index: issued.Indices[0].Index})
		must(t, err)
		tr, err := w.Verification.Begin(bank)
		must(t, err)
		response, err := mdoc.Present(card, []string{"family_name"}, tr.Transcript(), key)
		must(t, err)
		if a, err := w.Verification.Verify(ctx, tr, response); err != nil || a.Verdict != want {
			t.Errorf("%s: %v, %v", base, a.Verdict, err)
		}
	}
}
