package service_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/postgres"
	"rollcall.example/rollcall/reference/suspension"
)

// With ROLLCALL_POSTGRES (docs/database.md) the tests of this package keep their
// registers in PostgreSQL, every call of the store on another replica than the one
// before; and the tests of this file run, in which two whole services share one.

func onPostgres() bool { return os.Getenv("ROLLCALL_POSTGRES") != "" }

// balancer sends every call to the next replica.
type balancer struct {
	replicas []store.Store
	calls    atomic.Uint64
}

func (b *balancer) next() store.Store { return b.replicas[b.calls.Add(1)%uint64(len(b.replicas))] }

func (b *balancer) View(ctx context.Context, f func(store.Reader) error) error {
	return b.next().View(ctx, f)
}

func (b *balancer) Update(ctx context.Context, f func(store.Tx) error) error {
	return b.next().Update(ctx, f)
}

func (b *balancer) Ready(ctx context.Context) error { return b.next().Ready(ctx) }
func (b *balancer) Stats() store.Stats              { return b.replicas[0].Stats() }
func (b *balancer) Close() error                    { return nil }

func (b *balancer) Fence() {
	for _, r := range b.replicas {
		r.Fence()
	}
}

// replica is a handle on the register of that name.
func replica(t testing.TB, name string) *postgres.DB {
	t.Helper()
	schema := fmt.Sprintf("service_%x", sha256.Sum256([]byte(name)))[:40]
	c, err := pgx.Connect(ctx, os.Getenv("ROLLCALL_POSTGRES"))
	must(t, err)
	_, err = c.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+schema)
	must(t, err)
	address, err := url.Parse(os.Getenv("ROLLCALL_POSTGRES"))
	must(t, err)
	q := address.Query()
	q.Set("search_path", schema)
	address.RawQuery = q.Encode()
	db, err := postgres.Open(ctx, address.String(), postgres.Options{Readers: 4})
	must(t, err)
	t.Cleanup(func() {
		db.Close()
		_, err := c.Exec(ctx, "DROP SCHEMA IF EXISTS "+schema+" CASCADE") // the first that goes
		must(t, err)
		c.Close(ctx)
	})
	return db
}

// twins are two services on one register that know nothing of each other.
func twins(t *testing.T) (a, b *world) {
	t.Helper()
	if !onPostgres() {
		t.Skip("no PostgreSQL: see docs/database.md, Tests")
	}
	name := t.TempDir()
	first, second := replica(t, name), replica(t, name)
	a = onStore(t, first, first, "replica a", 1<<10)
	b = onStore(t, second, second, "replica b", 1<<10)
	b.Requests, b.People = 1_000_000, 1_000_000 // keys and people of its own
	return a, b
}

// both lets each of n askers ask at the same time, the even ones one replica, the odd
// ones the other.
func both[A any](a, b *world, n int, ask func(w *world, i int) (A, error)) []A {
	answers := make([]A, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			var err error
			if answers[i], err = ask([]*world{a, b}[i%2], i); err != nil {
				a.t.Error(err)
			}
		})
	}
	wg.Wait()
	return answers
}

func TestS3AVerificationAtAnotherReplicaBegunAfterTheAcknowledgementNeverAccepts(t *testing.T) {
	a, b := twins(t)
	c := a.holder()
	for range 10 {
		c.w = a
		r := c.report(callCentre, lifecycle.PhysicalLost)
		c.w = b
		c.shows(suspended, suspended)
		c.release(clerk, lifecycle.PhysicalLost, r.Sequence)
		c.w = a
		c.shows(accepted, accepted)
		a, b = b, a
	}
}

func TestE4ACodeOfOneReplicaIsGoodForOneIssueAtAny(t *testing.T) {
	a, b := twins(t)
	c := a.resident()
	o := c.offer(sejong)
	got := both(a, b, 6, func(w *world, i int) (lifecycle.Reason, error) {
		attestation, _ := newPhone(fmt.Sprint("p", i)).attest(o.Code, w.Now(), copies)
		q := issuance.RedeemRequest{Request: w.Request(me(c.ID)), Person: c.ID, Code: o.Code, Probe: c.Capture(), Attestation: attestation}
		issued, err := w.Issuance.IssueByOffer(ctx, q)
		return issued.Reason, err
	})
	slices.Sort(got)
	if got[0] != lifecycle.Granted || got[1] != lifecycle.OfferUsed || got[5] != lifecycle.OfferUsed {
		t.Error(got)
	}
}

func TestAChallengeOfOneReplicaIsGoodForOneIssueAtAny(t *testing.T) {
	a, b := twins(t)
	c := a.resident()
	q, _ := c.tapRequest()
	got := both(a, b, 6, func(w *world, i int) (lifecycle.Reason, error) {
		q := q
		q.Request = w.Request(me(c.ID))
		issued, err := w.Issuance.IssueByTap(ctx, q)
		return issued.Reason, err
	})
	if n := slices.Index(got, lifecycle.Granted); n < 0 || slices.Contains(got[n+1:], lifecycle.Granted) {
		t.Error(got)
	}
}

func TestS9OneRequestAtTwoReplicasHasTheEffectOfOne(t *testing.T) {
	a, b := twins(t)
	c := a.resident()
	q, keys := c.tapRequest()
	issues := both(a, b, 6, func(w *world, _ int) (issuance.Issued, error) { return w.Issuance.IssueByTap(ctx, q) })
	for _, i := range issues {
		if i.Sequence != issues[0].Sequence || !slices.EqualFunc(i.Copies, issues[0].Copies, bytes.Equal) {
			t.Errorf("change %d and change %d", i.Sequence, issues[0].Sequence)
		}
	}
	c.phone.keep(issues[0], keys)
	report := suspension.ReportRequest{Request: a.Request(callCentre), Person: c.ID, Cause: lifecycle.MobileLost}
	for _, r := range both(a, b, 6, func(w *world, _ int) (suspension.Receipt, error) { return w.Suspension.Report(ctx, report) }) {
		if r.Reason != lifecycle.Granted || r.Sequence != issues[0].Sequence+1 {
			t.Errorf("%+v", r)
		}
	}
	if n := count(t, b); n["credential-issued"] != 1 || n["report-mobile-lost"] != 1 {
		t.Errorf("%v", n)
	}
}

func TestS8AnIssueAtOneReplicaAndAReportAtTheOtherNeverLeaveAnActiveCard(t *testing.T) {
	a, b := twins(t)
	for range 10 {
		c := a.resident()
		q, keys := c.tapRequest()
		report := suspension.ReportRequest{Request: b.Request(callCentre), Person: c.ID, Cause: lifecycle.PhysicalLost}
		issued := both(a, b, 2, func(w *world, i int) (issuance.Issued, error) {
			if i == 0 {
				return w.Issuance.IssueByTap(ctx, q)
			}
			_, err := w.Suspension.Report(ctx, report)
			return issuance.Issued{}, err
		})
		c.phone.keep(issued[0], keys)
		if c.phone.held != nil && c.mobile() != suspended {
			t.Errorf("issued as change %d and not suspended", issued[0].Sequence)
		}
		if v := c.plastic(); v != suspended {
			t.Errorf("the plastic card is %v", v)
		}
	}
}

func TestS10S11TwoReplicasMakeOneChainAndTheSameListsAndGiveNoIndexTwice(t *testing.T) {
	a, b := twins(t)
	people := both(a, b, 40, func(w *world, i int) (*citizen, error) {
		c := w.holder()
		if i%3 == 0 {
			c.report(callCentre, lifecycle.MobileLost)
		}
		w.publish()
		return c, nil
	})
	head, err := audit.Verify(ctx, a.db)
	must(t, err)
	var exports [2]bytes.Buffer
	for i, w := range []*world{a, b} {
		must(t, audit.Export(ctx, w.db, 1, &exports[i]))
	}
	if !bytes.Equal(exports[0].Bytes(), exports[1].Bytes()) {
		t.Error("the replicas export different logs")
	}
	if exported, err := audit.VerifyExport(&exports[0], head); err != nil || exported != head {
		t.Errorf("the export ends at %+v, the log at %+v: %v", exported, head, err)
	}
	given := map[audit.Copy]bool{}
	entries, _ := b.export()
	for _, e := range entries {
		for _, c := range e.Copies {
			if given[c] {
				t.Errorf("%+v was given twice", c)
			}
			given[c] = true
		}
	}
	if len(given) != len(people)*copies {
		t.Errorf("%d places for %d people", len(given), len(people))
	}
	lists := [2][]suspension.Published{a.publish(), b.publish()}
	for n := range lists[0] {
		var tokens [2]*statuslist.Token
		for i := range tokens {
			tokens[i], err = statuslist.ParseJWT(lists[i][n].JWT, authority().Anchors, a.Now())
			must(t, err)
		}
		places := slices.SortedFunc(maps.Keys(given), func(x, y audit.Copy) int { return cmp.Compare(x.Index, y.Index) })
		for _, p := range places {
			if int(p.List) != n {
				continue
			}
			x, errX := tokens[0].List.Get(p.Index)
			y, errY := tokens[1].List.Get(p.Index)
			if x != y || errX != nil || errY != nil {
				t.Errorf("%+v is %v in one replica's list and %v in the other's", p, x, y)
			}
		}
	}
}
