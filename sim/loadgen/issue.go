package loadgen

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/sim/oracle"
)

// How well captures match: well above the threshold, or well below it.
const aboveThreshold, belowThreshold = 0.15, 0.15

// IssueByTap has the citizen tap their IC card on their phone, show their face, and
// get the mobile card.
func (c *Citizen) IssueByTap(ctx context.Context) Result {
	return c.apply(ctx, oracle.Tap, c.crowd.o.Scenario.Face.Threshold+aboveThreshold)
}

// IssueAtCentre has a clerk make a one-time code that the citizen's phone scans.
func (c *Citizen) IssueAtCentre(ctx context.Context) Result {
	return c.apply(ctx, oracle.Centre, c.crowd.o.Scenario.Face.Threshold+aboveThreshold)
}

// IssueToAnotherFace has somebody else look into the camera: it must be refused.
func (c *Citizen) IssueToAnotherFace(ctx context.Context) Result {
	return c.apply(ctx, oracle.Tap, c.crowd.o.Scenario.Face.Threshold-belowThreshold)
}

// order is a card that was applied for: keys by configuration, and what has come.
type order struct {
	token   *wallet.Token
	configs []string
	keys    map[string][]*ecdsa.PrivateKey
}

// apply goes through an application. It is one request to the register, at its end:
// until the card is asked for nothing can have changed.
func (c *Citizen) apply(ctx context.Context, channel string, score float64) Result {
	c.hands.Lock()
	defer c.hands.Unlock()
	did := "issue by " + channel
	key, err := c.crowd.key("issue")
	if err != nil {
		return Result{Citizen: c.Name, Did: did, Unknown: true, Err: err}
	}
	p := c.current()
	app := oracle.Application{Channel: channel, Municipality: c.crowd.o.Municipality, Wallet: p.ID(), Document: c.document(c.generation), FaceScore: score}
	if channel == oracle.Centre {
		app.Centre = c.crowd.o.Municipality
	}
	var o *order
	asked := false
	return c.make(ctx, &change{
		did: did, call: c.call("citizen", Party{}, key),
		send: func(ctx context.Context) (receipt, error) {
			if o == nil {
				var err error
				if o, err = c.authorise(ctx, p, &app); err != nil {
					if how, _ := ended(err); how == silent {
						// Nothing was asked for that could have changed the register.
						err = &wallet.Refused{Status: 503, Code: "no-answer", Description: err.Error()}
					}
					o = nil
					return receipt{}, err
				}
			}
			again := asked
			asked = true
			r, err := c.collect(ctx, p, o, &app)
			if how, _ := ended(err); again && how == refused {
				return r, errors.Join(errLapsed, err)
			}
			return r, err
		},
		note: func(h *oracle.History, call oracle.Call) {
			app := app
			app.Call, app.Age = call, c.age(call.Begin.At)
			if !call.Granted {
				app.Copies = nil
			}
			if app.Channel == oracle.Centre && app.Offer == "" && call.Answered() {
				app.AtOffer, app.NoFace, app.FaceScore = true, true, 0
			}
			h.Applications = append(h.Applications, app)
		},
		known: func(receipt) {
			p.lost = 0
			for _, other := range c.wallets {
				other.live = other == p
			}
		},
		allowed: func(granted bool, reason string) string {
			may := c.knows.physical == 0 && c.knows.ordered == 0 && p.lost == 0 && score >= c.crowd.o.Scenario.Face.Threshold && c.knows.document == app.Document
			switch {
			case granted && !may:
				return fmt.Sprintf("a mobile card was issued on plastic card %s (report in force: %d; on the phone: %d) with a face score of %.3f", app.Document, c.knows.physical, p.lost, score)
			case !granted && may:
				return fmt.Sprintf("a rightful application was refused (%s)", reason)
			}
			return ""
		},
	})
}

// authorise gets the token on which a card may be asked for.
func (c *Citizen) authorise(ctx context.Context, p *phoneOf, app *oracle.Application) (*order, error) {
	o := &order{keys: map[string][]*ecdsa.PrivateKey{}}
	issuer, err := p.Discover(ctx, c.crowd.o.Service)
	if err != nil {
		return nil, err
	}
	if app.Channel == oracle.Centre {
		return o, c.scan(ctx, p, app, o)
	}
	for id, config := range issuer.Configs {
		if config.Format != sdjwt.Format {
			o.configs = append(o.configs, id)
		}
	}
	a, err := p.Apply(ctx, issuer.ID, o.configs...)
	if err != nil {
		return nil, err
	}
	challenge, err := a.Challenge(ctx)
	if err != nil {
		return nil, err
	}
	tap, err := c.tap(challenge)
	if err != nil {
		return nil, err
	}
	o.token, err = a.Prove(ctx, challenge, tap.Evidence, c.capture(app.FaceScore))
	return o, err
}

// scan goes to the counter.
func (c *Citizen) scan(ctx context.Context, p *phoneOf, app *oracle.Application, o *order) error {
	key, err := c.crowd.key("offer")
	if err != nil {
		return err
	}
	var shown struct {
		URI string `json:"uri"`
		Tx  string `json:"tx_code"`
	}
	call := c.call("clerk", c.crowd.clerk.Party, key)
	call.Begin = c.crowd.Stamp()
	err = c.crowd.clerk.ask(ctx, "POST", "/residents/"+c.Name+"/offers", nil, key, &shown)
	how, reason := ended(err)
	if how != silent {
		call.End = c.crowd.Stamp()
	}
	call.Granted, call.TurnedAway, call.Reason = how == granted, how == away, reason
	c.crowd.note(func(h *oracle.History) {
		h.Offers = append(h.Offers, oracle.Offer{Call: call, ID: shown.URI, Centre: app.Centre})
	})
	if err != nil {
		return err
	}
	app.Offer = shown.URI
	offer, err := p.Scan(ctx, shown.URI)
	if err != nil {
		return err
	}
	if err := offer.Check(ctx, shown.Tx, c.capture(app.FaceScore)); err != nil {
		return err
	}
	o.configs = offer.Configs
	o.token, err = offer.Redeem(ctx, shown.Tx)
	return err
}

// collect asks for the card in each format, for the same keys each time.
func (c *Citizen) collect(ctx context.Context, p *phoneOf, o *order, app *oracle.Application) (receipt, error) {
	copies := max(o.token.Issuer.Batch.Size, 1)
	app.Copies = nil
	for n, config := range o.configs {
		if o.keys[config] == nil {
			o.keys[config] = p.Phone().Keys(copies)
		}
		got, err := o.token.IssueFor(ctx, config, o.keys[config], wallet.Ask{Copies: copies})
		if later, ok := errors.AsType[*wallet.Pending](err); ok {
			if err := c.crowd.o.Wait(ctx, later.Interval); err != nil {
				return receipt{}, err
			}
			got, err = later.Call(ctx)
		}
		if err != nil && len(got) == 0 {
			if how, _ := ended(err); n > 0 && how == refused {
				break // suspended in between: there are no more copies, but those that came
			}
			return receipt{}, err
		}
		for _, one := range got {
			held, err := copyOf(one)
			if err != nil {
				return receipt{}, err
			}
			app.Copies = append(app.Copies, held)
		}
	}
	app.Copies = slices.Clip(app.Copies)
	return receipt{}, nil
}
