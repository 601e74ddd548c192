package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"rollcall.example/rollcall/reference/store/postgres"
)

func TestReplicasCountEachOther(t *testing.T) {
	address := schema(t, t.TempDir())
	live := func(db *postgres.DB, want int, when string) {
		t.Helper()
		n, err := db.Live(ctx)
		for end := time.Now().Add(5 * time.Second); n > want && err == nil && time.Now().Before(end); n, err = db.Live(ctx) {
			time.Sleep(5 * time.Millisecond) // the server ends a session soon after it was told
		}
		if n != want || err != nil {
			t.Errorf("%s: %d, not %d (%v)", when, n, want, err)
		}
	}
	first := open(t, address, postgres.Options{})
	live(first, 1, "alone")
	live(first, 1, "alone, again")
	second, third := open(t, address, postgres.Options{}), open(t, address, postgres.Options{})
	live(second, 2, "with the second")
	live(third, 3, "with the third")
	live(first, 3, "as the first sees it")
	live(open(t, schema(t, t.TempDir()), postgres.Options{}), 1, "of another register")

	commits := first.Stats().Batches
	live(first, 3, "once more")
	if first.Stats().Batches != commits {
		t.Error("counting commits")
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	live(first, 2, "after the third has gone")

	// The server ends the sessions, as at its restart: whoever calls counts again.
	c, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE classid = 1383033970 AND objid = current_schema()::regnamespace::oid`); err != nil {
		t.Fatal(err)
	}
	_, _ = second.Live(ctx)
	live(first, 2, "after the sessions were lost")
	live(second, 2, "after the sessions were lost")
	first.Fence()
	if n, err := first.Live(ctx); err == nil {
		t.Errorf("a replica that was fenced counts %d", n)
	}
}
