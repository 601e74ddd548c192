package parties

import (
	"crypto/sha256"
	"encoding/base64"
	"math"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"rollcall.example/rollcall/reference/web"
)

// Guesses at the passphrase of one account, from wherever they come: so many at once,
// then one more each while. Who tries a name that nobody has is counted no otherwise.
// They are those of all replicas together, of which each allows its share
// (Parties.Replicas).
//
// Whoever guesses without an end would keep the account's owner out. So a browser in which
// the owner has signed in before has guesses of its own (Known): those of others take none
// of them away. In a new browser the owner waits guessEvery after the guessing has ended; of
// n replicas who always reaches the same one waits n times as long.
const (
	guessesAtOnce   = 10
	guessEvery      = 30 * time.Second
	guessersCounted = 100_000 // accounts and browsers, at most; then those of before begin anew
	knownLife       = 90 * 24 * time.Hour
)

const knownKind = "known browser"

// guesses counts by whom or what: a leaky bucket, kept as the moment at which it will be
// empty, as httpapi counts requests. Zero value: those of the only replica.
type guesses struct {
	replicas atomic.Int64 // how many count guesses, as in httpapi; fewer than 1 is 1

	mu         sync.Mutex
	young, old map[[16]byte]time.Time
}

// take counts a guess, or says how long to wait for one. A guess is counted before it is
// looked at, so that many at once are no more than their number. What was counted is what
// right takes back.
func (g *guesses) take(of [16]byte, now time.Time) (counted, wait time.Duration) {
	replicas := max(g.replicas.Load(), 1)
	each := time.Duration(replicas) * guessEvery
	room := time.Duration(max(guessesAtOnce/replicas, 1)) * each
	g.mu.Lock()
	defer g.mu.Unlock()
	empty, there := g.young[of]
	if !there {
		empty = g.old[of]
	}
	if empty.Before(now) {
		empty = now
	}
	if wait = empty.Add(each).Sub(now) - room; wait > 0 {
		return 0, wait
	}
	if !there && len(g.young) >= guessersCounted/2 {
		g.old, g.young = g.young, nil
	}
	if g.young == nil {
		g.young = map[[16]byte]time.Time{}
	}
	g.young[of] = empty.Add(each)
	return each, 0
}

// right takes back a guess that was none: the passphrase was right, or not looked at.
func (g *guesses) right(of [16]byte, counted time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if empty, there := g.young[of]; there {
		g.young[of] = empty.Add(-counted)
	}
}

// Replicas says how many replicas serve, this one among them. Each allows its share of the
// guesses. Until it is called there is one.
func (p *Parties) Replicas(n int) { p.tried.replicas.Store(int64(n)) }

// counted is what a guess is counted for: a browser in which this account was signed in to
// before, or else the account by its name.
func (p *Parties) counted(id, known string) (of [16]byte) {
	var k knownBrowser
	name := "account " + id
	if _, err := p.o.Keys.Open(knownKind, known, p.register.Now(), &k); err == nil && k.Party == id {
		name = "browser " + k.ID
	}
	h := sha256.Sum256([]byte(name))
	return [16]byte(h[:])
}

func tooManyGuesses(wait time.Duration) error {
	seconds := int(math.Ceil(wait.Seconds()))
	return web.Refuse(http.StatusTooManyRequests, "too_many_guesses", "Too many wrong passphrases for this name: try again in %d s.", seconds).
		With("Retry-After", strconv.Itoa(seconds))
}

// knownBrowser is what stands sealed in the cookie of a browser in which somebody has
// signed in.
type knownBrowser struct {
	Party string `json:"p"`
	ID    string `json:"i"`
}

// KnownName is the name of that cookie: several people may share a browser.
func KnownName(id string) string {
	h := sha256.Sum256([]byte(knownKind + " of " + id))
	return CookieName + "-known-" + base64.RawURLEncoding.EncodeToString(h[:9])
}

// Known is the cookie by which the browser in which a party has signed in is known again.
// It opens nothing.
func (p *Parties) Known(id string) (*http.Cookie, error) {
	seed, err := p.register.Seed()
	if err != nil {
		return nil, err
	}
	name, err := p.register.Seed()
	if err != nil {
		return nil, err
	}
	text, err := p.o.Keys.Seal(seed, knownKind, p.register.Now().Add(knownLife), knownBrowser{id, base64.RawURLEncoding.EncodeToString(name[:12])})
	if err != nil {
		return nil, err
	}
	c := cookie(text, int(knownLife/time.Second))
	c.Name = KnownName(id)
	return c, nil
}
