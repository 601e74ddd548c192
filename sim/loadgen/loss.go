package loadgen

import (
	"context"
	"fmt"

	"rollcall.example/rollcall/sim/oracle"
)

// Causes by name, as the service and the oracle write them.
const (
	PhysicalLost   = string(oracle.PhysicalLost)
	MobileLost     = string(oracle.MobileLost)
	Administrative = string(oracle.Administrative)
)

// ReportLost has the loss line report the citizen's plastic card, or their phone.
func (c *Citizen) ReportLost(ctx context.Context, cause string) Result {
	ch, err := c.report(cause)
	if err != nil {
		return Result{Citizen: c.Name, Did: "report " + cause, Unknown: true, Err: err}
	}
	return c.make(ctx, ch)
}

// ReportTwice sends one report twice at the same time, with the same key.
func (c *Citizen) ReportTwice(ctx context.Context, cause string) Result {
	ch, err := c.report(cause)
	if err != nil {
		return Result{Citizen: c.Name, Did: "report " + cause, Unknown: true, Err: err}
	}
	again := make(chan struct{})
	go func() {
		defer close(again)
		call := ch.call
		call.Begin = c.crowd.Stamp()
		got, err := ch.send(ctx)
		how, reason := ended(err)
		if how != silent {
			call.End = c.crowd.Stamp()
		}
		call.Granted, call.TurnedAway, call.Reason, call.Sequence, call.Dated = how == granted, how == away, reason, got.Sequence, got.At
		c.crowd.note(func(h *oracle.History) { ch.note(h, call) })
	}()
	r := c.make(ctx, ch)
	<-again
	return r
}

func (c *Citizen) report(cause string) (*change, error) {
	by, role := c.crowd.operator, "call-centre"
	if cause == Administrative {
		by, role = c.crowd.registrar, "registrar"
	}
	key, err := c.crowd.key("report")
	if err != nil {
		return nil, err
	}
	holder := c.liveWallet()
	body := map[string]string{"cause": cause, "why": "reported by a load test"}
	return &change{
		did: "report " + cause, call: c.call(role, by.Party, key),
		send: func(ctx context.Context) (r receipt, err error) {
			err = by.ask(ctx, "POST", "/residents/"+c.Name+"/reports", body, key, &r)
			return r, err
		},
		note: func(h *oracle.History, call oracle.Call) {
			h.Reports = append(h.Reports, oracle.Report{Call: call, Cause: oracle.Cause(cause)})
		},
		known: func(r receipt) {
			switch {
			case cause == PhysicalLost:
				c.knows.physical = max(c.knows.physical, r.Sequence)
			case cause == Administrative:
				c.knows.ordered = max(c.knows.ordered, r.Sequence)
			case cause == MobileLost && holder != nil:
				holder.lost = max(holder.lost, r.Sequence)
			}
		},
		allowed: func(granted bool, reason string) string {
			if !granted && (cause == PhysicalLost && c.knows.document != "" || cause == MobileLost && holder != nil && holder.live) {
				return fmt.Sprintf("the report was refused (%s), although there is something in force to suspend", reason)
			}
			return ""
		},
	}, nil
}

// liveWallet is the phone that holds the mobile card in force, as far as they know.
func (c *Citizen) liveWallet() *phoneOf {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.wallets {
		if p.live {
			return p
		}
	}
	return nil
}

// stands is the sequence of the newest report of a cause in force, as far as the
// citizen knows; 0: there is none. Under mu.
func (c *Citizen) stands(cause string, holder *phoneOf) uint64 {
	switch {
	case cause == PhysicalLost:
		return c.knows.physical
	case cause == Administrative:
		return c.knows.ordered
	case holder != nil:
		return holder.lost
	}
	return 0
}

// Release has a clerk who has seen the thing release a report of its loss, or the
// registrar lift an order. It names the newest report that the citizen knows of.
func (c *Citizen) Release(ctx context.Context, cause string) Result {
	holder := c.liveWallet()
	c.mu.Lock()
	names := c.stands(cause, holder)
	c.mu.Unlock()
	if cause == Administrative {
		return c.release(ctx, cause, names, c.crowd.registrar, "registrar")
	}
	return c.release(ctx, cause, names, c.crowd.clerk, "clerk")
}

// ReleaseByCall has the loss line try what only those may who have seen the thing:
// it must be refused.
func (c *Citizen) ReleaseByCall(ctx context.Context, cause string) Result {
	c.mu.Lock()
	names := c.knows.physical
	c.mu.Unlock()
	return c.release(ctx, cause, names, c.crowd.operator, "call-centre")
}

// ReleaseOlder names an older report than the newest: it must do nothing.
func (c *Citizen) ReleaseOlder(ctx context.Context, cause string) Result {
	return c.release(ctx, cause, 1, c.crowd.clerk, "clerk")
}

func (c *Citizen) release(ctx context.Context, cause string, names uint64, by *desk, role string) Result {
	did := "release " + cause
	key, err := c.crowd.key("release")
	if err != nil {
		return Result{Citizen: c.Name, Did: did, Unknown: true, Err: err}
	}
	holder := c.liveWallet()
	body := map[string]any{"cause": cause, "sequence": names, "why": "found again"}
	return c.make(ctx, &change{
		did: did, call: c.call(role, by.Party, key),
		send: func(ctx context.Context) (r receipt, err error) {
			err = by.ask(ctx, "POST", "/residents/"+c.Name+"/releases", body, key, &r)
			return r, err
		},
		note: func(h *oracle.History, call oracle.Call) {
			h.Releases = append(h.Releases, oracle.Release{Call: call, Cause: oracle.Cause(cause), Names: names})
		},
		known: func(receipt) {
			switch {
			case cause == PhysicalLost:
				c.knows.physical = 0
			case cause == Administrative:
				c.knows.ordered = 0
			case cause == MobileLost && holder != nil:
				holder.lost = 0
			}
		},
		allowed: func(granted bool, reason string) string {
			stands := c.stands(cause, holder)
			switch may := role != "call-centre" && stands != 0 && names >= stands; {
			case granted && !may:
				return fmt.Sprintf("the release by %s that names %d was granted, although it may not lift the report %d", role, names, stands)
			case !granted && may:
				return fmt.Sprintf("the release of report %d was refused (%s)", stands, reason)
			}
			return ""
		},
	})
}

// NewCard gives the citizen another plastic card; the one before ends with all that
// hung on it.
func (c *Citizen) NewCard(ctx context.Context) Result {
	c.hands.Lock()
	defer c.hands.Unlock()
	did := "new plastic card"
	key, err := c.crowd.key("card")
	if err == nil {
		c.generation++
		err = c.print()
	}
	if err != nil {
		return Result{Citizen: c.Name, Did: did, Unknown: true, Err: err}
	}
	body := c.card()
	body["why"] = "re-issued in a load test"
	number := c.plastic.number
	return c.make(ctx, &change{
		did: did, call: c.call("registrar", c.crowd.registrar.Party, key),
		send: func(ctx context.Context) (r receipt, err error) {
			err = c.crowd.registrar.ask(ctx, "POST", "/residents/"+c.Name+"/cards", body, key, &r)
			return r, err
		},
		note: func(h *oracle.History, call oracle.Call) {
			h.Registrations = append(h.Registrations, oracle.Registration{Call: call, Document: number})
		},
		known: func(receipt) {
			c.knows.document, c.knows.physical = number, 0
			for _, p := range c.wallets {
				p.live = false
			}
		},
		allowed: func(granted bool, reason string) string {
			if !granted {
				return fmt.Sprintf("a new plastic card was refused (%s)", reason)
			}
			return ""
		},
	})
}
