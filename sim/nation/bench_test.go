package nation

import (
	"testing"

	"rollcall.example/rollcall/sim/rng"
	"rollcall.example/rollcall/sim/rollout"
)

// The floors under the engine: what one draw costs, and what it costs to read and
// write one citizen's record, in an order without memory (every access misses the
// caches) and shard by shard (a shard's records stay in them). An event makes one
// to four draws and one update. The engine's own speed stands beside the plain one's,
// in sim/plain.
//
//	go test ./sim/nation ./sim/plain -run '^$' -bench .

func BenchmarkFloorDraw(b *testing.B) {
	src := rng.New(1)
	var x uint32
	for i := uint32(0); b.Loop(); i++ {
		x ^= src.Draw(i, 1, 2)[0]
	}
	sink = int64(x)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// floorRecords are enough that no cache holds them.
const floorRecords = 1 << 22

func BenchmarkFloorRecordRandom(b *testing.B) { floor(b, floorRecords) }

func BenchmarkFloorRecordBlocked(b *testing.B) { floor(b, 1<<13) }

// floor updates records in a scattered order within blocks of a size.
func floor(b *testing.B, block uint32) {
	records := make([]rollout.Citizen, floorRecords)
	for i := range records {
		records[i].ID = uint32(i)
	}
	base, k := uint32(0), uint32(0)
	var last int64
	for b.Loop() {
		c := &records[base+k*2654435761%block] // block is a power of two: every record once
		c.Demand += int64(c.ID)
		c.Tries++
		last = c.Next()
		if k++; k == block {
			k, base = 0, (base+block)%floorRecords
		}
	}
	sink = last
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

var sink int64
