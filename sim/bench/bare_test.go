package bench

import (
	"context"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

// The bare service does what the tables of primitives say, and keeps what the real one
// keeps.
func TestTheBareServiceDoesTheWorkThatTheFloorCounts(t *testing.T) {
	for operation, of := range map[string]struct {
		floor   []part
		commits int
	}{"present": {presenting, 1}, "issue": {issuing, 5}} {
		want, got, commits := map[string]float64{}, map[string]float64{}, 0
		for _, p := range of.floor {
			want[p.floor] += p.times
		}
		add := func(floor string, times int) {
			if times > 0 {
				got[floor] += float64(times)
			}
		}
		count := map[bool]int{true: 1}
		for _, s := range bareOperations[operation] {
			add(verify, s.verifies)
			add(sign, s.signs)
			add(newKey, count[s.keys])
			add(agree, count[s.opens])
			add(gcm, count[s.opens])
			commits += count[s.commits()]
		}
		if !maps.Equal(got, want) || commits != of.commits {
			t.Errorf("%s: %v and %d commits, want %v and %d", operation, got, commits, want, of.commits)
		}
	}
}

func TestTheBareServiceKeepsAnOperationOnce(t *testing.T) {
	handler, end, err := Bare(filepath.Join(t.TempDir(), "bare.db"), func() time.Time { return time.Unix(1741910400, 0) })
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	s := &Service{URL: server.URL, Client: server.Client()}
	for operation, steps := range bareOperations {
		for number := range 2 {
			for _, step := range steps {
				if err := s.bare(context.Background(), operation, step, number); err != nil {
					t.Error(err)
				}
				again := s.bare(context.Background(), operation, step, number)
				if (again == nil) != (step.notes == 0) {
					t.Errorf("%s %s again: %v", operation, step.name, again)
				}
			}
		}
	}
	if err := s.bare(context.Background(), "present", bareStep{name: "unknown"}, 0); err == nil {
		t.Error("a step that there is not is answered")
	}
}
