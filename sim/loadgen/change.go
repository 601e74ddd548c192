package loadgen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/sim/oracle"
)

// receipt is what the author of a change is told.
type receipt struct {
	Sequence uint64    `json:"sequence"`
	At       time.Time `json:"at"`
	State    *state    `json:"state"`
}

type state struct {
	Plastic string `json:"plastic"`
	Mobile  string `json:"mobile"`
}

// errLapsed: what had no answer can have none any more, for what was asked for has
// ended meanwhile. Only the log tells whether it happened.
var errLapsed = errors.New("what was asked for has ended before it was answered")

// change is a request that may change the register. It can be sent again.
type change struct {
	did   string
	call  oracle.Call // without times and answer
	send  func(context.Context) (receipt, error)
	note  func(*oracle.History, oracle.Call) // into the history
	known func(receipt)                      // under mu: what the citizen knows once it is granted
	// allowed says why the answer is not one that their history allows. Under mu, and
	// only if nothing else of theirs was under way.
	allowed func(granted bool, reason string) string
	tried   int
	sure    bool // nothing else was under way while it was
	version uint64
	first   oracle.Stamp // when it was first sent
}

func (c *Citizen) call(role string, by Party, key string) oracle.Call {
	actor := by.ID
	if role == "citizen" {
		actor = c.Name
	}
	return oracle.Call{Citizen: c.Name, Key: key, Actor: actor, Role: role}
}

// make sends a change for the first time.
func (c *Citizen) make(ctx context.Context, ch *change) Result {
	c.mu.Lock()
	ch.sure = c.knows.open == 0
	c.knows.open++
	c.knows.version++
	ch.version = c.knows.version
	c.mu.Unlock()
	return c.attempt(ctx, ch)
}

// attempt sends a change and writes down what an observer sees. Without an answer it
// stays pending.
func (c *Citizen) attempt(ctx context.Context, ch *change) Result {
	crowd := c.crowd
	call := ch.call
	call.Begin = crowd.Stamp()
	if ch.tried == 0 {
		ch.first = call.Begin
	}
	ch.tried++
	got, err := ch.send(ctx)
	how, reason := ended(err)
	out := Result{Citizen: c.Name, Did: ch.did, Reason: reason}
	lapsed := errors.Is(err, errLapsed)
	if how != silent && !lapsed {
		call.End = crowd.Stamp()
	}
	call.Granted, call.TurnedAway, call.Reason = how == granted, how == away, reason
	if how == granted {
		call.Sequence, call.Dated = got.Sequence, got.At
	}
	crowd.note(func(h *oracle.History) {
		ch.note(h, call)
		if how == granted && got.State != nil && ch.tried == 1 {
			h.Inquiries = append(h.Inquiries, oracle.Inquiry{Citizen: c.Name, Begin: call.Begin, End: call.End,
				Plastic: oracle.Outcome(got.State.Plastic), Mobile: oracle.Outcome(got.State.Mobile)})
		}
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if lapsed {
		c.pending = slices.DeleteFunc(c.pending, func(p *change) bool { return p == ch })
		c.knows.open--
		c.knows.version++
		c.knows.muddled = true
		out.Unknown, out.Err = true, err
		return crowd.done(out)
	}
	if how == silent || how == away {
		out.Unknown, out.Err = true, err
		if !slices.Contains(c.pending, ch) {
			c.pending = append(c.pending, ch)
		}
		return crowd.done(out)
	}
	c.pending = slices.DeleteFunc(c.pending, func(p *change) bool { return p == ch })
	out.Granted = how == granted
	alone := ch.sure && c.knows.version == ch.version
	c.knows.muddled = c.knows.muddled || !alone
	if !c.knows.muddled && ch.allowed != nil {
		out.Wrong = ch.allowed(out.Granted, reason)
	}
	if errors.Is(err, wallet.ErrUnusable) {
		out.Wrong = err.Error()
	}
	c.knows.open--
	c.knows.version++
	if out.Granted && ch.known != nil {
		ch.known(got)
		if alone && ch.call.Role == "citizen" { // a card that was issued tells that nothing is in force
			c.knows.physical, c.knows.ordered, c.knows.muddled = 0, 0, false
		}
	}
	return crowd.done(out)
}

// Settle asks again, with the same keys, for what has had no answer.
func (c *Citizen) Settle(ctx context.Context) error {
	for {
		c.mu.Lock()
		var next *change
		if len(c.pending) > 0 {
			next = c.pending[0]
		}
		c.mu.Unlock()
		if next == nil {
			return nil
		}
		r := c.attempt(ctx, next)
		if !r.Unknown && c.crowd.o.Settled != nil {
			c.crowd.o.Settled(r)
		}
		if r.Unknown {
			if next.tried >= maxTries {
				return fmt.Errorf("citizen %s, %s: no answer after %d attempts: %w", c.Name, next.did, next.tried, r.Err)
			}
			if err := c.crowd.o.Wait(ctx, time.Second/4); err != nil {
				return err
			}
		}
	}
}

const maxTries = 200

// Pending says whether something of the citizen's has had no answer.
func (c *Citizen) Pending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending) > 0
}

// before is what the citizen knows when something begins that changes nothing; after
// it, the same version means that it was so throughout.
func (c *Citizen) before() knowledge {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.knows
}

func (k knowledge) held(c *Citizen) bool {
	now := c.before()
	return k.open == 0 && now.open == 0 && !now.muddled && now.version == k.version
}
