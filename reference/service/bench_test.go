package service_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/suspension"
)

// One sequential client; every operation is durable when it is answered. The
// floor is BenchmarkFloorSync of store/sqlite plus the signatures.

func BenchmarkReportAndRelease(b *testing.B) {
	w := newWorld(b)
	c := w.holder()
	for b.Loop() {
		r := c.report(callCentre, lifecycle.MobileLost)
		c.release(clerk, lifecycle.MobileLost, r.Sequence)
	}
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func BenchmarkVerifyOnline(b *testing.B) {
	w := newWorld(b)
	c := w.holder()
	for b.Loop() {
		b.StopTimer()
		tr, err := w.Verification.Begin(bank)
		must(b, err)
		response := c.phone.held[0].present(b, tr)
		b.StartTimer()
		if a, err := w.Verification.Verify(ctx, tr, response); err != nil || a.Verdict != accepted {
			b.Fatal(a, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func BenchmarkIssueByTap(b *testing.B) {
	w := onFile(b, filepath.Join(b.TempDir(), "register.db"), 1<<20)
	c := w.resident()
	for b.Loop() {
		b.StopTimer()
		q, _ := c.tapRequest()
		b.StartTimer()
		if a, err := w.Issuance.IssueByTap(ctx, q); err != nil || a.Reason != lifecycle.Granted {
			b.Fatal(a.Reason, err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(copies, "copies")
}

func BenchmarkIssueByTapParallel(b *testing.B) {
	w := onFile(b, filepath.Join(b.TempDir(), "register.db"), 1<<20)
	requests := make([]issuance.TapRequest, b.N)
	for i := range requests {
		requests[i], _ = w.resident().tapRequest()
	}
	var next atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if a, err := w.Issuance.IssueByTap(ctx, requests[next.Add(1)-1]); err != nil || a.Reason != lifecycle.Granted {
				b.Error(a.Reason, err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func BenchmarkReportParallel(b *testing.B) {
	w := newWorld(b)
	people := make([]*citizen, 64)
	for i := range people {
		people[i] = w.holder()
	}
	var next atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c := people[next.Add(1)%64]
			if _, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.Request(callCentre), Person: c.ID, Cause: lifecycle.MobileLost}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// A change of one card to a list of 2^20 entries; to be under 5 ms.
func BenchmarkPublishOneChange(b *testing.B) {
	w := onFile(b, filepath.Join(b.TempDir(), "register.db"), 1<<20)
	c := w.holder()
	w.publish()
	for b.Loop() {
		b.StopTimer()
		r := c.report(callCentre, lifecycle.MobileLost)
		if r.Sequence%2 == 0 {
			c.release(clerk, lifecycle.MobileLost, r.Sequence)
		}
		b.StartTimer()
		if _, _, err := w.Publisher.Publish(ctx); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRestart opens a register of a million credentials, one in fifty of
// them suspended, and answers a first verification and a first list; to be
// under 2 s.
func BenchmarkRestart(b *testing.B) {
	if testing.Short() {
		b.Skip("it fills a register first")
	}
	const n, batch = 1_000_000, 20_000
	path := filepath.Join(b.TempDir(), "register.db")
	w := onFile(b, path, 1<<22)
	c := w.holder()
	for from := 0; from < n; from += batch {
		must(b, w.db.Update(ctx, func(tx store.Tx) error {
			for i := from; i < from+batch; i++ {
				id := store.PersonID(1_000_000 + i)
				cred, err := tx.AddCredential(store.Credential{Person: id, Card: "x", Wallet: "w", Issued: servicetest.Noon, Until: servicetest.Noon.AddDate(3, 0, 0)})
				if err != nil {
					return err
				}
				state := lifecycle.HasCard | lifecycle.HasCredential
				if i%50 == 0 {
					state |= lifecycle.State(lifecycle.MobileLost)
				}
				if err := tx.PutPerson(store.Person{ID: id, State: state, Card: "x", Credential: cred}); err != nil {
					return err
				}
				// Scattered over the list as if drawn.
				if err := tx.AddEntries(0, []uint64{uint64(i) * 2654435761 % (1 << 22)}, cred); err != nil && !errors.Is(err, store.ErrTaken) {
					return err
				}
			}
			return nil
		}))
	}
	must(b, w.db.Close())
	var open, verify, publish time.Duration
	restarts := 0
	for b.Loop() {
		began := time.Now()
		again := onFile(b, path, 1<<22)
		open += time.Since(began)
		again.Requests = 10_000
		restarts++ // a new life of the service draws new nonces
		again.Register.Random = rand.NewChaCha8([32]byte{byte(restarts), byte(restarts >> 8)})
		c.w = again
		if v := c.mobile(); v != lifecycle.Accepted {
			b.Fatal(v)
		}
		verify += time.Since(began)
		again.publish()
		publish += time.Since(began)
		b.StopTimer()
		must(b, again.db.Close())
		b.StartTimer()
	}
	b.ReportMetric(float64(open.Milliseconds())/float64(b.N), "ms-to-open")
	b.ReportMetric(float64(verify.Milliseconds())/float64(b.N), "ms-to-verify")
	b.ReportMetric(float64(publish.Milliseconds())/float64(b.N), "ms-to-publish")
}
