package httpapi

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/web"
)

// Rate is how many requests somebody may make. The zero value limits nothing.
type Rate struct {
	PerSecond float64
	Burst     int // at once, after a pause
}

// Limits protect the service from those who ask too much of it. Its rates are those of
// all replicas together, of which each allows its share (Router.Replicas); Concurrent
// and Each hold in one replica.
type Limits struct {
	Address    Rate // one address, before it is known who calls
	Failed     int  // what a request with a wrong credential counts for its address, in requests
	Citizen    Rate
	Staff      Rate
	Verifier   Rate
	Remembered int // callers and addresses, at most
	Concurrent int // requests handled at the same time; 0: any number
	// Each is how many of them one address may have: whoever sends many bodies slowly
	// keeps nobody else out. 0: any number.
	Each int
}

// DefaultLimits are for one replica that serves a country's branches: a verifier
// sends for many people, and so does the address of an office.
var DefaultLimits = Limits{
	Address: Rate{3000, 12_000}, Failed: 60,
	Citizen: Rate{20, 100}, Staff: Rate{50, 200}, Verifier: Rate{2000, 8000},
	Remembered: 100_000, Concurrent: 2048, Each: 1024,
}

func (l *Limits) of(c access.Caller) Rate {
	switch c.Role {
	case access.Citizen:
		return l.Citizen
	case access.Verifier:
		return l.Verifier
	}
	return l.Staff
}

// meter counts requests by who makes them: a leaky bucket, kept as the moment at
// which it will be empty (the generic cell rate algorithm).
type meter struct {
	now func() time.Time
	max int
	// replicas is how many meters share the rates. A bucket of each is full after its
	// part of the burst, and empties by its part of the rate.
	replicas atomic.Int64

	mu sync.Mutex
	// Those who called lately, and those who did before: when the one is full it
	// becomes the other, which is forgotten. Who is forgotten begins anew.
	young, old map[string]time.Time
}

func newMeter(now func() time.Time, max int) *meter {
	m := &meter{now: now, max: max, young: map[string]time.Time{}}
	m.replicas.Store(1)
	return m
}

// take counts n requests of somebody, or says how long they must wait. A charge
// that is forced counts even where there is no room for it.
func (m *meter) take(who string, rate Rate, n int, forced bool) (wait time.Duration) {
	if rate.PerSecond <= 0 {
		return 0
	}
	replicas := m.replicas.Load()
	each := time.Duration(float64(time.Second) / rate.PerSecond * float64(replicas))
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	empty, known := m.young[who]
	if !known {
		empty = m.old[who]
	}
	if empty.Before(now) {
		empty = now
	}
	empty = empty.Add(time.Duration(n) * each)
	room := max(rate.Burst/int(replicas), 1)
	if over := empty.Sub(now) - time.Duration(room)*each; over > 0 {
		if !forced {
			return over
		}
		empty = now.Add(time.Duration(room+n) * each)
	}
	if !known && len(m.young) >= m.max/2 {
		m.old, m.young = m.young, make(map[string]time.Time, len(m.young))
	}
	m.young[who] = empty
	return 0
}

// crowd counts the requests that are being handled, by the address that they came
// from.
type crowd struct {
	mu sync.Mutex
	of map[string]int // none is 0
}

// enter counts one more, if so many are not there yet. Whoever is in must leave.
func (c *crowd) enter(who string, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if most > 0 && c.of[who] >= most {
		return false
	}
	c.of[who]++
	return true
}

func (c *crowd) leave(who string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of[who]--; c.of[who] == 0 {
		delete(c.of, who)
	}
}

func tooMany(wait time.Duration) error {
	seconds := int(math.Ceil(wait.Seconds()))
	return web.Refuse(http.StatusTooManyRequests, "too_many_requests", "Too many requests: ask again in %d s.", seconds).
		With("Retry-After", strconv.Itoa(seconds))
}

// address is whom an address belongs to: of IPv6 the network, which one
// subscriber has to themselves. Proxies that are trusted say whom they speak for.
func address(r *http.Request, trusted []netip.Prefix) string {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	at := from.Addr().Unmap()
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && contains(trusted, at); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(forwarded[i]))
		if err != nil {
			break
		}
		at = next.Unmap()
	}
	return subscriber(at)
}

func subscriber(at netip.Addr) string {
	at = at.Unmap()
	if at.Is6() {
		if network, err := at.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return at.String()
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
