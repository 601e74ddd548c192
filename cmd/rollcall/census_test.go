package main

import (
	"context"
	"errors"
	"testing"
)

// The database has restarted: not every replica has its session again.
func TestReplicasThatAreMissedForAMomentCount(t *testing.T) {
	var n, before int
	var err error
	c := &census{live: func(context.Context) (int, error) { return n, err }}
	for i, step := range []struct {
		live, want int
		gone       bool
	}{{1, 1, false}, {3, 3, false}, {0, 0, true}, {1, 3, false}, {3, 3, false}, {2, 3, false}, {2, 3, false}, {2, 2, false}, {1, 2, false}, {4, 4, false}} {
		n, err = step.live, nil
		if step.gone {
			err = errors.New("the database is gone")
		}
		got, other, e := c.take(context.Background())
		if got != step.want || (e != nil) != step.gone {
			t.Errorf("step %d: %d, not %d (%v)", i, got, step.want, e)
		}
		if !step.gone {
			if other != (got != before) {
				t.Errorf("step %d: %d after %d is another: %v", i, got, before, other)
			}
			before = got
		}
	}
}
