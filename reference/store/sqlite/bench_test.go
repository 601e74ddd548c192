package sqlite_test

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

func BenchmarkUpdateSequential(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "r.db"), sqlite.Options{})
	for id := store.PersonID(0); b.Loop(); id++ {
		if err := add(db, id); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdateParallel64(b *testing.B) {
	db := open(b, filepath.Join(b.TempDir(), "r.db"), sqlite.Options{})
	var id atomic.Uint64
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := add(db, store.PersonID(id.Add(1))); err != nil {
				b.Error(err)
			}
		}
	})
	s := db.Stats()
	b.ReportMetric(float64(s.Commits)/float64(s.Batches), "commits/sync")
}

// BenchmarkFloorSync is a write and a sync without a database: the floor of an
// Update.
func BenchmarkFloorSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4120)
	for b.Loop() {
		if _, err := f.Write(page); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}
