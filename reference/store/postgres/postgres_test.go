package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/postgres"
	"rollcall.example/rollcall/reference/store/storetest"
)

var ctx = context.Background()

// server is the address of a PostgreSQL for tests.
func server(t testing.TB) string {
	t.Helper()
	address := os.Getenv("ROLLCALL_POSTGRES")
	if address == "" {
		t.Skip("no PostgreSQL: start one by .ci/postgres start DIR and put the address it prints into ROLLCALL_POSTGRES")
	}
	return address
}

// admin runs statements as whoever looks after the server.
func admin(t testing.TB, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(ctx, server(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for _, s := range statements {
		if _, err := c.Exec(ctx, s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

var (
	mu     sync.Mutex
	places = map[string]string{}
	made   int
)

// schema is the address of a schema that belongs to a place alone.
func schema(t testing.TB, place string) string {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	name, ok := places[place]
	if !ok {
		made++
		name = fmt.Sprintf("test_%d_%d", os.Getpid(), made)
		places[place] = name
		admin(t, "CREATE SCHEMA "+name)
		t.Cleanup(func() { admin(t, "DROP SCHEMA "+name+" CASCADE") })
	}
	return with(t, server(t), "search_path", name)
}

// with sets a parameter of an address.
func with(t testing.TB, address, key, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	return u.String()
}

func open(t testing.TB, address string, o postgres.Options) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(ctx, address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestPostgreSQLKeepsWhatStorePromises(t *testing.T) {
	server(t)
	storetest.Run(t, func(t testing.TB, place string) store.Store {
		return open(t, schema(t, place), postgres.Options{})
	})
}

func TestItAlsoDoesWithOneReaderAndOneUpdateAtATime(t *testing.T) {
	server(t)
	storetest.Run(t, func(t testing.TB, place string) store.Store {
		return open(t, schema(t, place), postgres.Options{Readers: 1, MaxBatch: 1})
	})
}

func add(s store.Store, id store.PersonID) error {
	return s.Update(ctx, func(tx store.Tx) error {
		return tx.PutPerson(store.Person{ID: id, FamilyName: strings.Repeat("x", 100)})
	})
}

func has(t testing.TB, s store.Store, id store.PersonID) (yes bool) {
	t.Helper()
	if err := s.View(ctx, func(r store.Reader) error {
		_, err := r.Person(id)
		yes = err == nil
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return yes
}
