package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/postgres"
)

// wire is all that lies between a replica and its database. It can be cut.
type wire struct {
	mu    sync.Mutex
	down  bool            // no connection can be made
	conns map[*wired]bool // those that are open
	// commit is asked when a COMMIT is about to be sent: what shall happen?
	commit func() accident
}

type accident int

const (
	nothing      accident = iota
	lostBefore            // the connection is lost, the server has not heard of it
	lostAfter             // the server hears it, and its answer is lost with the connection
	neverAnswers          // the server hears it, and no answer arrives
)

type wired struct {
	net.Conn
	w    *wire
	deaf bool // what the server says is lost
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, errors.New("no route to the database")
	}
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	conn := &wired{Conn: c, w: w}
	if w.conns == nil {
		w.conns = map[*wired]bool{}
	}
	w.conns[conn] = true
	return conn, nil
}

func (c *wired) Write(b []byte) (int, error) {
	c.w.mu.Lock()
	what := c.w.commit
	c.w.mu.Unlock()
	if what == nil || !bytes.Contains(b, []byte("; COMMIT\x00")) {
		return c.Conn.Write(b)
	}
	switch what() {
	case lostBefore:
		c.Conn.Close()
		return 0, errors.New("the wire was cut")
	case lostAfter:
		n, err := c.Conn.Write(b)
		if err == nil {
			_, err = c.Conn.Read(make([]byte, 1)) // it has begun to answer, so it has committed
		}
		c.Conn.Close()
		return n, err
	case neverAnswers:
		c.w.mu.Lock()
		c.deaf = true
		c.w.mu.Unlock()
	}
	return c.Conn.Write(b)
}

func (c *wired) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		c.w.mu.Lock()
		deaf := c.deaf
		c.w.mu.Unlock()
		if err != nil || !deaf {
			return n, err
		}
	}
}

// cut loses all connections, and with down lets none be made.
func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for c := range w.conns {
		c.Conn.Close()
	}
	clear(w.conns)
}

func (w *wire) up() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// next lets the accident happen to the next COMMIT, and then none.
func (w *wire) next(a accident, also func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := false
	w.commit = func() accident {
		if done {
			return nothing
		}
		done = true
		if also != nil {
			also()
		}
		return a
	}
}

func TestALostCommitIsFoundOutAndNeverDoneTwice(t *testing.T) {
	for name, c := range map[string]struct {
		what accident
		runs int
	}{
		"before the server heard of it": {lostBefore, 2},
		"after it was committed":        {lostAfter, 1},
		"and no answer ever comes":      {neverAnswers, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := &wire{}
			db := open(t, schema(t, t.TempDir()), postgres.Options{Dial: w.dial, Commit: time.Second})
			if err := add(db, 1); err != nil {
				t.Fatal(err)
			}
			w.next(c.what, nil)
			runs := 0
			if err := db.Update(ctx, func(tx store.Tx) error {
				runs++
				p, err := tx.Person(1)
				p.Changed++
				return errors.Join(err, tx.PutPerson(p))
			}); err != nil {
				t.Fatalf("it was not acknowledged: %v", err)
			}
			if runs != c.runs {
				t.Errorf("it ran %d times, not %d", runs, c.runs)
			}
			if err := db.View(ctx, func(r store.Reader) error {
				p, err := r.Person(1)
				if p.Changed != 1 {
					t.Errorf("it was done %d times", p.Changed)
				}
				return err
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestACommitThatCannotBeFoundOutIsNotAcknowledged(t *testing.T) {
	for _, what := range []accident{lostBefore, lostAfter} {
		w := &wire{}
		db := open(t, schema(t, t.TempDir()), postgres.Options{Dial: w.dial, Commit: 300 * time.Millisecond})
		if err := add(db, 1); err != nil {
			t.Fatal(err)
		}
		w.next(what, func() {
			w.mu.Lock()
			w.down = true
			w.mu.Unlock()
		})
		err := add(db, 2)
		if !errors.Is(err, store.ErrUnknown) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("it says %v", err)
		}
		if err := add(db, 3); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("the next one: %v", err)
		}
		w.up()
		if err := add(db, 3); err != nil {
			t.Errorf("when the database is back: %v", err)
		}
		if got := has(t, db, 2); got != (what == lostAfter) {
			t.Errorf("the commit that was lost (%d) is there: %v", what, got)
		}
	}
}

func TestADatabaseThatIsGoneIsSaidToBeAndFoundAgain(t *testing.T) {
	w := &wire{}
	db := open(t, schema(t, t.TempDir()), postgres.Options{Dial: w.dial})
	if err := add(db, 1); err != nil {
		t.Fatal(err)
	}
	read := func() error {
		return db.View(ctx, func(r store.Reader) error {
			_, err := r.Person(1)
			return err
		})
	}
	for range 2 {
		w.cut(true)
		for what, err := range map[string]error{"Update": add(db, 2), "View": read(), "Ready": db.Ready(ctx)} {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s says %v", what, err)
			}
		}
		w.up()
		for what, err := range map[string]error{"Update": add(db, 2), "View": read(), "Ready": db.Ready(ctx)} {
			if err != nil {
				t.Errorf("%s, when it is back: %v", what, err)
			}
		}
		w.cut(false) // and back at once: nobody notices
		for what, err := range map[string]error{"Update": add(db, 3), "View": read(), "Ready": db.Ready(ctx)} {
			if err != nil {
				t.Errorf("%s, after the connections were lost: %v", what, err)
			}
		}
	}
}

func TestAViewWhoseConnectionIsLostFails(t *testing.T) {
	w := &wire{}
	db := open(t, schema(t, t.TempDir()), postgres.Options{Dial: w.dial})
	err := db.View(ctx, func(r store.Reader) error {
		if _, err := r.Sequence(); err != nil {
			t.Fatal(err)
		}
		w.cut(false)
		_, err := r.Sequence()
		return err
	})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("it says %v", err)
	}
	if err := db.Ready(ctx); err != nil {
		t.Errorf("the next View: %v", err)
	}
}

func TestWhoeverStopsWaitingIsNotToldThatNothingHappened(t *testing.T) {
	w := &wire{}
	db := open(t, schema(t, t.TempDir()), postgres.Options{Dial: w.dial})
	committing, gone := context.WithCancel(ctx)
	w.next(nothing, func() {
		gone()
		time.Sleep(100 * time.Millisecond)
	})
	err := db.Update(committing, func(tx store.Tx) error { return tx.PutPerson(store.Person{ID: 1}) })
	if !errors.Is(err, store.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("who went during the commit is told %v", err)
	}
	if err := add(db, 2); err != nil || !has(t, db, 1) {
		t.Errorf("it was committed all the same, and the next one too: %v", err)
	}

	committing, gone = context.WithCancel(ctx)
	w.next(lostBefore, func() {
		gone()
		time.Sleep(100 * time.Millisecond)
	})
	runs := 0 // not guarded: whoever has gone reads it
	err = db.Update(committing, func(store.Tx) error { runs++; return nil })
	if !errors.Is(err, store.ErrUnknown) || runs != 1 {
		t.Errorf("who went during a commit that was lost is told %v; it ran %d times", err, runs)
	}
	if err := add(db, 3); err != nil || runs != 1 {
		t.Errorf("afterwards it ran %d times: %v", runs, err)
	}

	inside, release := make(chan struct{}), make(chan struct{})
	first := make(chan error, 1)
	go func() {
		first <- db.Update(ctx, func(store.Tx) error { close(inside); <-release; return nil })
	}()
	<-inside
	waiting, gone := context.WithCancel(ctx)
	time.AfterFunc(20*time.Millisecond, gone)
	if err := db.Update(waiting, func(store.Tx) error { t.Error("it ran"); return nil }); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnknown) {
		t.Errorf("who went while waiting is told %v", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

// failing makes the register's server refuse the first n rows that are written into a
// table, counted over transactions undone, with an SQLSTATE.
func failing(t testing.TB, address, table, state string, n int) {
	t.Helper()
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, fmt.Sprintf(`CREATE SEQUENCE attempts; CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN IF nextval(''attempts'') <= %d THEN RAISE ''planted'' USING ERRCODE = ''%s''; END IF; RETURN NEW; END';
		CREATE TRIGGER refuse BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION refuse()`, n, state, table)); err != nil {
		t.Fatal(err)
	}
}

func TestATransactionThatTheServerUndoesIsRunAgainAFewTimes(t *testing.T) {
	for _, state := range []string{"40001", "40P01"} {
		for _, c := range []struct {
			failures, runs int
			says           error
		}{{2, 3, nil}, {100, 3, store.ErrUnavailable}} {
			address := schema(t, t.TempDir())
			db := open(t, address, postgres.Options{})
			failing(t, address, "person", state, c.failures)
			runs := 0
			err := db.Update(ctx, func(tx store.Tx) error {
				runs++
				return tx.PutPerson(store.Person{ID: 1})
			})
			if !errors.Is(err, c.says) || runs != c.runs || has(t, db, 1) != (c.says == nil) {
				t.Errorf("%s, %d times: %v after %d runs", state, c.failures, err, runs)
			}
		}
	}
}

func TestAServerWithoutRoomIsSaidToBeFullAndHurtsOneUpdateOnly(t *testing.T) {
	address := schema(t, t.TempDir())
	db := open(t, address, postgres.Options{})
	failing(t, address, "person", "53100", 2)
	if err := add(db, 1); !errors.Is(err, store.ErrFull) {
		t.Errorf("a full disk is called %v", err)
	}
	// A request that overlooks the error must not be half written.
	if err := db.Update(ctx, func(tx store.Tx) error {
		if err := tx.AddOffer(store.Offer{Hash: []byte("h")}); err != nil {
			return err
		}
		_ = tx.PutPerson(store.Person{ID: 2})
		_, _ = tx.Person(2)
		return nil
	}); !errors.Is(err, store.ErrFull) {
		t.Errorf("an overlooked full disk was acknowledged: %v", err)
	}
	if err := db.View(ctx, func(r store.Reader) error {
		_, err := r.Offer([]byte("h"))
		return err
	}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half of it is there: %v", err)
	}
	if err := add(db, 3); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// Reading goes on, and nothing is asked of who is not ready: it finds out by itself.
func TestAServerThatCannotWriteIsNotReadyUntilItHasWrittenAgain(t *testing.T) {
	for state, says := range map[string]error{"53100": store.ErrFull, "53200": store.ErrUnavailable, "57P01": store.ErrUnavailable} {
		t.Run(state, func(t *testing.T) {
			address := schema(t, t.TempDir())
			db := open(t, address, postgres.Options{})
			if err := add(db, 1); err != nil {
				t.Fatal(err)
			}
			failing(t, address, "batch", state, 4)
			if err := db.Ready(ctx); err != nil {
				t.Errorf("not ready before anything was written: %v", err)
			}
			if err := add(db, 2); !errors.Is(err, says) {
				t.Errorf("a write is told %v", err)
			}
			if !has(t, db, 1) {
				t.Error("reading does not go on")
			}
			for range 3 {
				if err := db.Ready(ctx); !errors.Is(err, says) {
					t.Errorf("Ready, while nothing can be written, says %v", err)
				}
			}
			if err := db.Ready(ctx); err != nil {
				t.Errorf("Ready, when it can be: %v", err)
			}
			if err := add(db, 2); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhoMayMakeNoTablesIsReadyWhenAWriteSucceeds(t *testing.T) {
	address := schema(t, t.TempDir())
	owner := open(t, address, postgres.Options{})
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := u.Query().Get("search_path")
	admin(t, "CREATE ROLE "+name+" LOGIN", "GRANT USAGE ON SCHEMA "+name+" TO "+name,
		"GRANT ALL ON ALL TABLES IN SCHEMA "+name+" TO "+name)
	t.Cleanup(func() { admin(t, "DROP OWNED BY "+name, "DROP ROLE "+name) })
	db := open(t, with(t, address, "user", name), postgres.Options{})
	failing(t, address, "batch", "53100", 1)
	admin(t, "GRANT ALL ON ALL SEQUENCES IN SCHEMA "+name+" TO "+name)
	if err := add(db, 1); !errors.Is(err, store.ErrFull) {
		t.Fatalf("a full disk is called %v", err)
	}
	if err := db.Ready(ctx); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := errors.Join(add(db, 1), add(owner, 2)); err != nil {
		t.Error(err)
	}
}

// The server only warns when an administrator ends its wait for a stand-by: the commit
// is on its own disk, and nobody knows where else.
func TestACommitOfWhichTheServerWarnsIsConfirmedByAnother(t *testing.T) {
	address := schema(t, t.TempDir())
	db := open(t, address, postgres.Options{})
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, `CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE WARNING ''planted''; RETURN NULL; END';
		CREATE CONSTRAINT TRIGGER warn AFTER INSERT ON person DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION warn()`); err != nil {
		t.Fatal(err)
	}
	runs := 0
	if err := db.Update(ctx, func(tx store.Tx) error { runs++; return tx.PutPerson(store.Person{ID: 1}) }); err != nil || runs != 1 {
		t.Errorf("%v, after %d runs", err, runs)
	}
	var commits int
	if err := c.QueryRow(ctx, `SELECT count(*) FROM batch`).Scan(&commits); err != nil || commits != 2 {
		t.Errorf("%d commits, %v: the one with the warning and the one that confirms it make 2", commits, err)
	}
}

// allowed are the refusals of a load whose database is hurt: they say that nothing
// was written, or that it is not known. It returns how many are of the second kind.
func allowed(t *testing.T, errs []error) (unknown int) {
	t.Helper()
	for _, err := range errs {
		switch {
		case errors.Is(err, store.ErrUnknown):
			unknown++
		case !errors.Is(err, store.ErrUnavailable):
			t.Errorf("an Update was refused with %v", err)
		}
	}
	return unknown
}

func TestKilledConnectionsLoseNothingAcknowledgedAndDoNothingTwice(t *testing.T) {
	address := with(t, schema(t, t.TempDir()), "application_name", "victims")
	all := []*postgres.DB{open(t, address, postgres.Options{}), open(t, address, postgres.Options{})}
	stop, kills := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { kills <- n }()
		c, err := pgx.Connect(ctx, server(t))
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close(ctx)
		for range 30 {
			var killed int
			if err := c.QueryRow(ctx, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'victims'`).Scan(&killed); err != nil {
				t.Error(err)
			}
			n += killed
			time.Sleep(25 * time.Millisecond)
		}
		close(stop)
	}()
	acknowledged, errs := load(all, 8, 1_000_000, time.Millisecond, stop)
	n := <-kills
	unknown := allowed(t, errs)
	if len(acknowledged) == 0 || n == 0 {
		t.Errorf("%d changes, %d connections killed: nothing was tried", len(acknowledged), n)
	}
	judge(t, all[0], acknowledged, unknown)
	t.Logf("%d connections killed: %d changes acknowledged, %d refused, %d of them unknown", n, len(acknowledged), len(errs), unknown)
}

// control runs .ci/postgres on the server of the tests.
func control(t testing.TB, what string) {
	t.Helper()
	dir := os.Getenv("ROLLCALL_POSTGRES_DIR")
	if dir == "" {
		t.Skip("the server cannot be crashed: put the folder that .ci/postgres start was given into ROLLCALL_POSTGRES_DIR")
	}
	script := filepath.Join("..", "..", "..", ".ci", "postgres")
	if out, err := exec.Command(script, what, dir).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", script, what, err, out)
	}
}

func TestACrashOfTheServerLosesNothingAcknowledged(t *testing.T) {
	address := schema(t, t.TempDir())
	control(t, "start") // it runs; but is it ours?
	all := []*postgres.DB{open(t, address, postgres.Options{}), open(t, address, postgres.Options{})}
	stop := make(chan struct{})
	type outcome struct {
		acknowledged []entered
		errs         []error
	}
	done := make(chan outcome, 1)
	go func() {
		a, e := load(all, 8, 1_000_000, 5*time.Millisecond, stop)
		done <- outcome{a, e}
	}()
	for range 2 {
		time.Sleep(200 * time.Millisecond)
		control(t, "crash")
		if err := all[0].Ready(ctx); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("while the server is down, Ready says %v", err)
		}
		control(t, "start")
	}
	time.Sleep(200 * time.Millisecond)
	close(stop)
	o := <-done
	unknown := allowed(t, o.errs)
	if len(o.errs) == 0 {
		t.Error("nobody noticed that the server was down")
	}
	for _, db := range all {
		if err := add(db, 1_000); err != nil {
			t.Errorf("after the crashes: %v", err)
		}
	}
	judge(t, all[1], o.acknowledged, unknown)
	t.Logf("two crashes: %d changes acknowledged, %d refused, %d of them unknown", len(o.acknowledged), len(o.errs), unknown)
}

func TestAServerThatDoesNotKeepItsPromisesIsRefused(t *testing.T) {
	address := schema(t, t.TempDir())
	admin(t, "DROP DATABASE IF EXISTS latin", "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	t.Cleanup(func() { admin(t, "DROP DATABASE latin") })
	for _, c := range []struct{ name, address, says string }{
		{"no address", "register.db?", "not the address of a PostgreSQL database"},
		{"a standby", with(t, address, "default_transaction_read_only", "on"), "name the primary"},
		{"a schema that is not there", with(t, address, "search_path", "nowhere"), "search_path"},
		{"another encoding", strings.Replace(address, "/postgres?", "/latin?", 1), "ENCODING 'UTF8'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := postgres.Open(ctx, c.address, postgres.Options{})
			if err == nil {
				db.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %v; want %q", err, c.says)
			}
		})
	}
}

func TestEveryCommitWaitsForTheDiskWhateverTheAddressSays(t *testing.T) {
	address := schema(t, t.TempDir())
	for asked, want := range map[string]string{"off": "on", "local": "on", "on": "on", "remote_apply": "remote_apply"} {
		db := open(t, with(t, address, "synchronous_commit", asked), postgres.Options{Readers: 1})
		c, err := pgx.Connect(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(ctx, `CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN NEW.address = current_setting(''synchronous_commit''); RETURN NEW; END';
			CREATE OR REPLACE TRIGGER note BEFORE INSERT ON person FOR EACH ROW EXECUTE FUNCTION note()`); err != nil {
			t.Fatal(err)
		}
		c.Close(ctx)
		if err := add(db, 1); err != nil {
			t.Fatal(err)
		}
		if err := db.View(ctx, func(r store.Reader) error {
			p, err := r.Person(1)
			if p.Address != want {
				t.Errorf("synchronous_commit=%s in the address: %q at the commit", asked, p.Address)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASchemaThatIsNewerOrSomebodyElsesIsRefused(t *testing.T) {
	address := schema(t, t.TempDir())
	old := open(t, address, postgres.Options{})
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, `INSERT INTO schema_version VALUES (99)`); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Open(ctx, address, postgres.Options{}); err == nil || !strings.Contains(err.Error(), "newer version (schema 99") {
		t.Errorf("it says %v", err)
	}
	// One that was running finds out when it connects again.
	if _, err := c.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rollcall'`); err != nil {
		t.Fatal(err)
	}
	if err := add(old, 1); err == nil || !strings.Contains(err.Error(), "newer version (schema 99") {
		t.Errorf("a replica that was running says %v", err)
	}

	foreign := schema(t, t.TempDir())
	f, err := pgx.Connect(ctx, foreign)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close(ctx)
	if _, err := f.Exec(ctx, `CREATE TABLE invoice (id int)`); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Open(ctx, foreign, postgres.Options{}); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("it says %v", err)
	}
	var n int
	if err := f.QueryRow(ctx, `SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace`).Scan(&n); err != nil || n != 1 {
		t.Errorf("somebody else's schema was changed: %d tables, %v", n, err)
	}
}
