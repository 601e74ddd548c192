package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// census is how many replicas serve, and so share the limits of rates
// and the guesses at passphrases.
type census struct {
	live func(context.Context) (int, error)

	mu     sync.Mutex
	last   []int
	before int // what was told last
}

// A replica that comes counts at once. One that goes, or whose session was lost, as at
// a restart of the database, is counted a while longer: so the shares of those who are
// there come to the whole at most.
const (
	countEvery = 5 * time.Second
	countsKept = 3
)

// take counts, and says whether there are more or fewer than the time before.
func (c *census) take(ctx context.Context) (n int, other bool, err error) {
	if n, err = c.live(ctx); err != nil {
		return 0, false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last = append(c.last, n); len(c.last) > countsKept {
		c.last = c.last[1:]
	}
	n = slices.Max(c.last)
	other, c.before = n != c.before, n
	return n, other, nil
}

// count tells those who limit how many replicas there are. A register of one process has
// one.
func (s *running) count(ctx context.Context) error {
	if s.census == nil {
		return nil
	}
	n, other, err := s.census.take(ctx)
	if err != nil {
		return err
	}
	s.router.Replicas(n)
	s.parties.Replicas(n)
	if other {
		s.log.Info("replicas share the limits of rates", "replicas", n)
	}
	return nil
}
