package capacity

import (
	"time"

	"rollcall.example/rollcall/scenarios"
)

// The kinds of clients. All of a kind are one here: they see the same service, so
// their budgets and breakers are taken together.
const (
	wallet = iota
	terminal
	verifier
	numClients
)

// clientOf says who asks for an operation.
var clientOf = [NumOps]int{
	IssueTap: wallet, FaceAgain: wallet, Report: wallet, Release: wallet,
	IssueCentre: terminal, RegisterCard: terminal,
	VerifyOnline: verifier,
}

// client is a kind with its policy and its memory.
type client struct {
	timeout  int64 // µs
	attempts int
	wait     [maxAttempts]int64 // seconds from attempt a−1 to attempt a; with jitter the longest
	delay    [maxAttempts]int64 // seconds from the first attempt to attempt a, on average
	jitter   bool
	budget   int64 // permille; 0: no limit
	failures int64 // permille that opens the breaker; 0: none
	open     int64 // seconds

	minute    window // first attempts, retries
	recent    window // attempts sent, those that failed
	openUntil int64  // the second in which some are let through; −1: closed
}

const (
	budgetWindow  = 60 // seconds
	breakerWindow = 10
	breakerFew    = 20  // attempts in the window: fewer open no breaker
	breakerProbe  = 100 // permille let through, to see
)

func newClient(c *scenarios.Client) client {
	x := client{
		timeout: c.Timeout.Microseconds(), attempts: 1 + c.Retries, jitter: c.Jitter == "full",
		budget: permille(c.Budget), failures: permille(c.Breaker.Failures), open: int64(c.Breaker.Open / time.Second),
		minute: newWindow(budgetWindow), recent: newWindow(breakerWindow), openUntil: -1,
	}
	wait := c.Backoff.Seconds()
	for a := 1; a < x.attempts; a++ {
		x.wait[a] = max(1, int64(wait))
		mean := x.wait[a]
		if x.jitter {
			mean = (x.wait[a] + 1) / 2
		}
		x.delay[a] = x.delay[a-1] + mean
		wait *= c.Growth
	}
	return x
}

// Timeout is how long a client waits for the answer to an attempt.
func (sv *Service) Timeout(op Op) time.Duration {
	return time.Duration(sv.clients[clientOf[op]].timeout) * time.Microsecond
}

// Span is how long after its first attempt a client makes its last.
func (sv *Service) Span(op Op) time.Duration {
	c := &sv.clients[clientOf[op]]
	return time.Duration(c.delay[c.attempts-1]) * time.Second
}

func permille(s scenarios.Share) int64 { return int64(float64(s)*1000 + 0.5) }

// window is a ring of pairs of counts by second, up to the last one that was asked for.
type window struct {
	ring [][2]int64
	last int64
}

func newWindow(seconds int) window { return window{ring: make([][2]int64, seconds)} }

// at is the pair of a second, not before the last. Seconds that were left out, as nobody
// asked for anything, have no counts: those of the round before go.
func (w *window) at(sec int64) *[2]int64 {
	n := int64(len(w.ring))
	for s := max(w.last+1, sec-n+1); s <= sec; s++ {
		w.ring[s%n] = [2]int64{}
	}
	w.last = sec
	return &w.ring[sec%n]
}

func (w *window) sum() (a, b int64) {
	for _, x := range w.ring {
		a += x[0]
		b += x[1]
	}
	return a, b
}

// sends is the permille of a second's attempts that the breaker lets through.
func (c *client) sends(sec int64) int64 {
	switch {
	case c.openUntil < 0:
		return 1000
	case sec < c.openUntil:
		return 0
	}
	return breakerProbe
}

// saw tells the breaker how a second's attempts went.
func (c *client) saw(sec, sent, failed int64) {
	if c.failures == 0 {
		return
	}
	*c.recent.at(sec) = [2]int64{sent, failed}
	if c.openUntil >= 0 { // open, or this was the look
		if sec < c.openUntil || sent == 0 {
			return
		}
		clear(c.recent.ring)
		if failed*1000 >= c.failures*sent {
			c.openUntil = sec + 1 + c.open
		} else {
			c.openUntil = -1
		}
		return
	}
	if tried, wrong := c.recent.sum(); tried >= breakerFew && wrong*1000 >= c.failures*tried {
		c.openUntil = sec + 1 + c.open
	}
}

// allows is the permille of n retries that the budget lets through in a second
// that has so many first attempts.
func (c *client) allows(sec, first, n int64) int64 {
	if c.budget == 0 {
		return 1000
	}
	*c.minute.at(sec) = [2]int64{first, 0}
	asked, again := c.minute.sum()
	left := max(0, c.budget*asked/1000-again)
	if left >= n {
		c.minute.at(sec)[1] = n
		return 1000
	}
	c.minute.at(sec)[1] = left
	return left * 1000 / n
}
