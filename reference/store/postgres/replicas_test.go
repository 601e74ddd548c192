package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/postgres"
)

// replicas are n handles on one register.
func replicas(t testing.TB, n int, o postgres.Options) (all []*postgres.DB) {
	t.Helper()
	address := schema(t, t.TempDir())
	for range n {
		all = append(all, open(t, address, o))
	}
	return all
}

// entered is what one Update of the load writes: a change with its number, on a
// person whom everybody changes, with a credential and a place in a list.
type entered struct {
	sequence   uint64
	credential store.CredentialID
	index      uint64
}

const crowd = 5 // people on whom everybody works

// list opens the first status list, if nobody has.
func list(tx store.Tx) error {
	all, err := tx.Lists()
	if err != nil || len(all) > 0 {
		return err
	}
	return tx.PutList(store.List{Size: 1 << 20, Secret: []byte("0123456789abcdef")})
}

func enter(s store.Store, draw *rand.Rand) (e entered, err error) {
	person, index := store.PersonID(draw.IntN(crowd)+1), draw.Uint64N(64)
	err = s.Update(ctx, func(tx store.Tx) (err error) {
		e = entered{}
		if err := list(tx); err != nil {
			return err
		}
		p, err := tx.Person(person)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if e.credential, err = tx.AddCredential(store.Credential{Person: person}); err != nil {
			return err
		}
		for e.index = index; ; e.index++ { // the next free place: contended
			if err := tx.AddEntries(0, []uint64{e.index}, e.credential); err == nil {
				break
			} else if !errors.Is(err, store.ErrTaken) {
				return err
			}
		}
		e.sequence, err = audit.Append(tx, audit.Entry{Event: "test", Person: uint64(person), Credential: uint64(e.credential)})
		if err != nil {
			return err
		}
		return tx.PutPerson(store.Person{ID: person, Changed: p.Changed + 1, Credential: e.credential})
	})
	return e, err
}

// judge looks at a register on which several have worked: nothing acknowledged is
// missing, nothing was done twice, every number was given once, and the chain holds.
func judge(t *testing.T, s store.Store, acknowledged []entered, mayBeMore int) {
	t.Helper()
	head, err := audit.Verify(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(len(acknowledged))
	if head.Sequence < n || head.Sequence > n+uint64(mayBeMore) {
		t.Errorf("%d changes are in the register, %d were acknowledged, %d may be there besides", head.Sequence, n, mayBeMore)
	}
	slices.SortFunc(acknowledged, func(a, b entered) int { return int(a.sequence) - int(b.sequence) })
	if err := s.View(ctx, func(r store.Reader) error {
		total := uint64(0)
		for id := store.PersonID(1); id <= crowd; id++ {
			if p, err := r.Person(id); err == nil {
				total += p.Changed
			}
		}
		if total != head.Sequence {
			t.Errorf("%d changes have moved the people %d times", head.Sequence, total)
		}
		for i, e := range acknowledged {
			if i > 0 && (e.sequence == acknowledged[i-1].sequence || e.credential <= acknowledged[i-1].credential) {
				t.Errorf("%+v came after %+v", e, acknowledged[i-1])
			}
			if _, err := r.Credential(e.credential); err != nil {
				t.Errorf("credential %d was acknowledged: %v", e.credential, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// load lets workers change the register through all replicas until stop is closed or
// everybody has done their share. errs are the refusals.
func load(all []*postgres.DB, workers, each int, pause time.Duration, stop <-chan struct{}) (acknowledged []entered, errs []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			draw := rand.New(rand.NewPCG(uint64(w), 7))
			for range each {
				select {
				case <-stop:
					return
				default:
				}
				e, err := enter(all[w%len(all)], draw)
				mu.Lock()
				if err == nil {
					acknowledged = append(acknowledged, e)
				} else {
					errs = append(errs, err)
				}
				mu.Unlock()
				if err != nil {
					time.Sleep(pause)
				}
			}
		})
	}
	wg.Wait()
	return acknowledged, errs
}

func TestThreeReplicasMakeOneChainAndLoseNothing(t *testing.T) {
	all := replicas(t, 3, postgres.Options{})
	acknowledged, errs := load(all, 12, 20, 0, nil)
	if len(errs) > 0 {
		t.Fatal(errs[0])
	}
	for _, s := range all {
		judge(t, s, acknowledged, 0)
	}
}

func TestWhatOneReplicaHasAcknowledgedAllOthersSee(t *testing.T) {
	all := replicas(t, 2, postgres.Options{})
	for id := store.PersonID(1); id <= 40; id++ {
		if err := add(all[id%2], id); err != nil {
			t.Fatal(err)
		}
		if !has(t, all[1-id%2], id) {
			t.Fatalf("person %d was acknowledged by one replica and is unknown to the other", id)
		}
	}
}

func TestAKeyIsGivenOnceAcrossReplicas(t *testing.T) {
	all := replicas(t, 4, postgres.Options{})
	for what, use := range map[string]func(store.Tx) error{
		"nonce":                  func(tx store.Tx) error { return tx.UseNonce([]byte("n"), time.UnixMilli(1)) },
		"nonce without a moment": func(tx store.Tx) error { return tx.UseOnce([]byte("n1"), time.UnixMilli(1)) },
		"index": func(tx store.Tx) error {
			if err := list(tx); err != nil {
				return err
			}
			return tx.AddEntries(0, []uint64{5}, 1)
		},
		"key": func(tx store.Tx) error {
			return tx.PutAnswer("s", "k", store.Answer{Request: []byte{}, Body: []byte{}})
		},
		"offer": func(tx store.Tx) error { return tx.AddOffer(store.Offer{Hash: []byte("o")}) },
		"challenge that is used once": func(tx store.Tx) error {
			c, err := tx.Challenge([]byte("c"))
			if errors.Is(err, store.ErrNotFound) {
				return tx.AddChallenge(store.Challenge{Value: []byte("c"), Used: 1})
			}
			if err == nil && c.Used != 0 {
				return store.ErrTaken
			}
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			results := make(chan error, 32)
			for i := range 32 {
				go func() { results <- all[i%4].Update(ctx, use) }()
			}
			won := 0
			for range 32 {
				switch err := <-results; {
				case err == nil:
					won++
				case !errors.Is(err, store.ErrTaken):
					t.Error(err)
				}
			}
			if won != 1 {
				t.Errorf("%d got it", won)
			}
		})
	}
}

func TestConcurrentUpdatesShareACommit(t *testing.T) {
	db := replicas(t, 1, postgres.Options{})[0]
	inside, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := db.Update(ctx, func(store.Tx) error { close(inside); <-release; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-inside
	for id := range store.PersonID(50) {
		wg.Go(func() {
			if err := add(db, id); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond) // until all wait
	close(release)
	wg.Wait()
	if s := db.Stats(); s.Commits != 51 || s.Batches > 8 {
		t.Errorf("%d commits took %d batches", s.Commits, s.Batches)
	}
}

func TestSeveralThatStartAtOnceMakeTheSchemaOnce(t *testing.T) {
	address := schema(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			db, err := postgres.Open(ctx, address, postgres.Options{Readers: 1})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			if err := add(db, store.PersonID(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	db := open(t, address, postgres.Options{})
	for i := range 6 {
		if !has(t, db, store.PersonID(i)) {
			t.Errorf("person %d is missing", i)
		}
	}
}

func TestAReplicaThatFallsSilentInABatchDoesNotHoldUpTheOthers(t *testing.T) {
	address := schema(t, t.TempDir())
	silent := open(t, address, postgres.Options{Statement: 200 * time.Millisecond})
	other := open(t, address, postgres.Options{Wait: 5 * time.Second})
	inside, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	runs := 0
	go func() {
		done <- silent.Update(ctx, func(tx store.Tx) error {
			if _, err := tx.Sequence(); err != nil {
				return err
			}
			if runs++; runs == 1 {
				close(inside)
				<-release
			}
			return tx.PutPerson(store.Person{ID: 1})
		})
	}()
	<-inside
	if err := add(other, 2); err != nil { // the server throws the silent one out
		t.Errorf("the other replica waits: %v", err)
	}
	if has(t, other, 1) {
		t.Error("what was not committed is there")
	}
	close(release)
	if err := <-done; err != nil || runs != 2 || !has(t, other, 1) {
		t.Errorf("when it speaks again: %v, after %d runs", err, runs)
	}
}

func TestAReplicaThatWaitsTooLongForAnotherSaysSo(t *testing.T) {
	address := schema(t, t.TempDir())
	slow := open(t, address, postgres.Options{})
	other := open(t, address, postgres.Options{Wait: 100 * time.Millisecond})
	release := make(chan struct{})
	inside := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- slow.Update(ctx, func(tx store.Tx) error {
			_, err := tx.Sequence() // it has the lock
			close(inside)
			<-release
			return err
		})
	}()
	<-inside
	if err := add(other, 1); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("it says %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := add(other, 1); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Version 2 is the last that knew nonces, and tickets of transactions, by their hash
// alone.
func TestWhatWasNotedBeforeItHadAMomentIsFoundAndAnOlderReplicaNotesNoMore(t *testing.T) {
	address := schema(t, t.TempDir())
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if err := postgres.Made(ctx, c, 2); err != nil {
		t.Fatal(err)
	}
	const note = `INSERT INTO nonce (hash, expires) VALUES ($1, $2) ON CONFLICT DO NOTHING` // of that version
	if _, err := c.Exec(ctx, note, []byte("old"), 1000); err != nil {
		t.Fatal(err)
	}
	expires := time.UnixMilli(1764000000123).UTC()
	kinds := map[string][]byte{"openid4vp": store.TicketKeyAt("secret", expires), "openid4vp fetched": store.TicketKeyAt("secret", expires), "openid4vp asked": store.TicketKey("secret")}
	for kind := range kinds {
		if _, err := c.Exec(ctx, `INSERT INTO ticket (kind, key, body, expires) VALUES ($1, $2, '', $3)`, kind, store.TicketKey("secret"), expires.UnixMilli()); err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, address, postgres.Options{})
	for kind, key := range kinds {
		if err := db.View(ctx, func(r store.Reader) error {
			got, err := r.Ticket(kind, key)
			if err == nil && !got.Expires.Equal(expires) {
				t.Errorf("%s: %+v", kind, got)
			}
			return err
		}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, at := range []int64{1000, 2000} {
		if err := db.Update(ctx, func(tx store.Tx) error { return tx.UseNonce([]byte("old"), time.UnixMilli(at)) }); !errors.Is(err, store.ErrTaken) {
			t.Errorf("with the moment %d: %v", at, err)
		}
	}
	if _, err := c.Exec(ctx, note, []byte("new"), 1000); err == nil {
		t.Error("a replica that does not know of moments notes nonces by their hash, where the others do not look for them")
	}
}

// interrupted is a store whose process stops before it writes an audit entry: until then
// it has done all that comes before it.
type interrupted struct {
	store.Store
	before func()
}

func (s interrupted) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return f(interruptedTx{tx, s.before}) })
}

type interruptedTx struct {
	store.Tx
	before func()
}

func (t interruptedTx) AppendAudit(a store.AuditRecord) error {
	t.before()
	return t.Tx.AppendAudit(a)
}

// revoke notes what was revoked by the file of keys, and by a list of the IC cards' authority.
func revoke(s store.Store) error {
	r := &register.Register{Store: s, Now: func() time.Time { return time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC) }}
	list := register.RevocationList{Authority: "Country CSCA", Names: "csca", Number: "17", Revoked: []register.ListedCertificate{{Serial: "ca1"}, {Serial: "ca2"}}}
	return errors.Join(r.NoteRevoked(ctx, "serve", "administrator", []register.Revoked{{Root: "iaca", Serial: "5d1f", Why: "superseded"}}),
		r.NoteList(ctx, "serve", "administrator", list))
}

// revocations are how many entries of the log, which holds, are about certificates.
func revocations(t *testing.T, s store.Store) (n int) {
	t.Helper()
	if _, err := audit.Verify(ctx, s); err != nil {
		t.Error(err)
	}
	if err := s.View(ctx, func(r store.Reader) error {
		return r.Audit(1, ^uint64(0), func(a store.AuditRecord) error {
			var e audit.Entry
			if err := json.Unmarshal(a.Body, &e); err != nil {
				return err
			}
			if e.Event == "certificate-revoked" {
				n++
			}
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReplicasThatNoteARevocationAtTheSameTimeNoteItOnce(t *testing.T) {
	all := replicas(t, 4, postgres.Options{})
	var wg sync.WaitGroup
	for _, s := range all {
		for range 4 {
			wg.Go(func() {
				if err := revoke(s); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for _, s := range all {
		if n := revocations(t, s); n != 2 {
			t.Errorf("two revocations are %d entries", n)
		}
		if err := s.Ready(ctx); err != nil {
			t.Error(err)
		}
	}
}

// Whoever stops after it has claimed a revocation and before its entry is written has claimed nothing.
func TestAReplicaThatStopsWhileItNotesARevocationLeavesItToTheOthers(t *testing.T) {
	for at, what := range map[int]string{1: "of the service's own", 2: "by a list"} {
		t.Run(what, func(t *testing.T) {
			address := schema(t, t.TempDir())
			stopping := open(t, address, postgres.Options{Statement: 200 * time.Millisecond})
			other := open(t, address, postgres.Options{Wait: 5 * time.Second})
			inside, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			entry := 0
			go func() {
				done <- revoke(interrupted{stopping, func() {
					if entry++; entry == at {
						close(inside)
						<-release
					}
				}})
			}()
			<-inside
			if err := revoke(other); err != nil { // the server throws out the one that says no more
				t.Errorf("the other replica: %v", err)
			}
			if n := revocations(t, other); n != 2 {
				t.Errorf("while one has stopped, two revocations are %d entries", n)
			}
			close(release) // it was only late
			if err := <-done; err != nil {
				t.Errorf("the one that was late: %v", err)
			}
			if n := revocations(t, other); n != 2 {
				t.Errorf("two revocations are %d entries", n)
			}
			if err := errors.Join(stopping.Ready(ctx), other.Ready(ctx)); err != nil {
				t.Error(err)
			}
		})
	}
}
