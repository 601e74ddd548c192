package postgres_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/postgres"
)

// The same work as in the benchmarks of store/sqlite, beside what PostgreSQL takes for
// it without the register.

const floorTable = `CREATE TABLE floor (id bigint PRIMARY KEY, text text NOT NULL)`

const floorInsert = `INSERT INTO floor VALUES ($1, $2)`

// BenchmarkFloorInsert is a row that is inserted and on disk: the floor of an Update.
func BenchmarkFloorInsert(b *testing.B) {
	c, err := pgx.Connect(ctx, schema(b, b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, floorTable); err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat("x", 100)
	for id := 0; b.Loop(); id++ {
		if _, err := c.Exec(ctx, floorInsert, id, text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFloorInsertParallel64 is the same from 64 callers on 16 connections:
// PostgreSQL has a group commit of its own, and nothing here has an order.
func BenchmarkFloorInsertParallel64(b *testing.B) {
	config, err := pgxpool.ParseConfig(schema(b, b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	config.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(ctx, floorTable); err != nil {
		b.Fatal(err)
	}
	text := strings.Repeat("x", 100)
	var id atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := pool.Exec(ctx, floorInsert, id.Add(1), text); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkUpdateSequential(b *testing.B) {
	db := replicas(b, 1, postgres.Options{})[0]
	for id := store.PersonID(0); b.Loop(); id++ {
		if err := add(db, id); err != nil {
			b.Fatal(err)
		}
	}
}

func parallel(b *testing.B, n int) {
	all := replicas(b, n, postgres.Options{})
	var id atomic.Uint64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			id := id.Add(1)
			if err := add(all[id%uint64(n)], store.PersonID(id)); err != nil {
				b.Error(err)
			}
		}
	})
	var s store.Stats
	for _, db := range all {
		one := db.Stats()
		s.Commits, s.Batches = s.Commits+one.Commits, s.Batches+one.Batches
	}
	b.ReportMetric(float64(s.Commits)/float64(s.Batches), "commits/batch")
}

func BenchmarkUpdateParallel64(b *testing.B)            { parallel(b, 1) }
func BenchmarkUpdateParallel64TwoReplicas(b *testing.B) { parallel(b, 2) }

func BenchmarkFloorSelect(b *testing.B) {
	c, err := pgx.Connect(ctx, server(b))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close(ctx)
	var n int
	for b.Loop() {
		if err := c.QueryRow(ctx, `SELECT $1::bigint`, 1).Scan(&n); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkViewPerson(b *testing.B) {
	db := replicas(b, 1, postgres.Options{})[0]
	if err := add(db, 1); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !has(b, db, 1) {
			b.Fatal("he is not there")
		}
	}
}
