package loadgen

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/sim/oracle"
)

// How well captures match: well above the threshold, or well below it.
const aboveThreshold, belowThreshold = 0.15, 0.15

// IssueByTap has the citizen tap their IC card on their phone, show their face, and
// get the mobile card.
func (c *Citizen) IssueByTap(ctx context.Context) Result {
	return c.tapped(ctx, func() plastic { return c.plastic }, c.good())
}

// IssueToAnotherFace has somebody else look into the camera: it must be refused.
func (c *Citizen) IssueToAnotherFace(ctx context.Context) Result {
	return c.tapped(ctx, func() plastic { return c.plastic }, c.crowd.o.Scenario.Face.Threshold-belowThreshold)
}

// IssueByOldCard taps the plastic card before the one in force: it must be refused.
func (c *Citizen) IssueByOldCard(ctx context.Context) Result {
	return c.tapped(ctx, func() plastic { return c.older }, c.good())
}

const nothingToTap = "nothing-to-tap"

func (c *Citizen) good() float64 { return c.crowd.o.Scenario.Face.Threshold + aboveThreshold }

func (c *Citizen) tapped(ctx context.Context, which func() plastic, score float64) Result {
	c.hands.Lock()
	defer c.hands.Unlock()
	with := which()
	if with.chip == nil {
		return Result{Citizen: c.Name, Did: "issue by " + oracle.Tap, Reason: nothingToTap}
	}
	return c.apply(ctx, oracle.Application{Channel: oracle.Tap, Document: with.number, FaceScore: score}, with, nil)
}

// code is a one-time code that a clerk has made.
type code struct {
	uri, tx string
	made    time.Time
}

// IssueAtCentre has a clerk make a one-time code that the citizen's phone scans.
func (c *Citizen) IssueAtCentre(ctx context.Context) Result {
	c.hands.Lock()
	defer c.hands.Unlock()
	return c.scanned(ctx, nil)
}

// ScanAgain scans the code once more on which the citizen's card was issued: it must
// be refused.
func (c *Citizen) ScanAgain(ctx context.Context) Result {
	c.hands.Lock()
	defer c.hands.Unlock()
	c.mu.Lock()
	used := c.used
	c.mu.Unlock()
	if used.uri == "" {
		return Result{Citizen: c.Name, Did: "issue by " + oracle.Centre, Reason: nothingToScan}
	}
	return c.scanned(ctx, &used)
}

// ScanLate scans a code when its time is over: it must be refused.
func (c *Citizen) ScanLate(ctx context.Context) Result {
	c.hands.Lock()
	defer c.hands.Unlock()
	made, err := c.code(ctx)
	if err == nil {
		err = c.crowd.o.Wait(ctx, c.crowd.o.Rules.OfferLifetime+time.Second)
	}
	if err != nil {
		return c.noCode(err)
	}
	out := c.scanned(ctx, &made)
	out.Waited = c.crowd.o.Rules.OfferLifetime + time.Second
	return out
}

// ScanCodeOf scans a code that was made for another citizen, who is not at it: it must
// be refused.
func (c *Citizen) ScanCodeOf(ctx context.Context, other *Citizen) Result {
	c.hands.Lock()
	defer c.hands.Unlock()
	made, err := other.code(ctx)
	if err != nil {
		return c.noCode(err)
	}
	return c.scanned(ctx, &made)
}

// late says whether a refusal is of a code whose time was over when the answer came: by
// the rulebook, or because nothing is there any more to be scanned.
func (o *Options) late(reason string, made, answered time.Time) bool {
	return !made.IsZero() && answered.Sub(made) > o.Rules.OfferLifetime && (reason == "offer-expired" || reason == "invalid_request")
}

const nothingToScan = "nothing-to-scan"

// noCode is the result when there is no code to be misused.
func (c *Citizen) noCode(err error) Result {
	how, reason := ended(err)
	return Result{Citizen: c.Name, Did: "issue by " + oracle.Centre, Reason: reason, Unknown: how != refused, Err: err}
}

func (c *Citizen) scanned(ctx context.Context, misused *code) Result {
	return c.apply(ctx, oracle.Application{Channel: oracle.Centre, Centre: c.crowd.o.Municipality, FaceScore: c.good()}, c.plastic, misused)
}

// order is a card that was applied for: keys by configuration, and what has come.
type order struct {
	token   *wallet.Token
	configs []string
	keys    map[string][]*ecdsa.PrivateKey
}

func newOrder() *order { return &order{keys: map[string][]*ecdsa.PrivateKey{}} }

// apply goes through an application, with what is on a plastic card. It is one
// request to the register, at its end: until the card is asked for nothing can have
// changed. A code that is misused must not be good.
func (c *Citizen) apply(ctx context.Context, app oracle.Application, with plastic, misused *code) Result {
	did := "issue by " + app.Channel
	key, err := c.crowd.key("issue")
	if err != nil {
		return Result{Citizen: c.Name, Did: did, Unknown: true, Err: err}
	}
	p := c.current()
	app.Municipality, app.Wallet = c.home, p.ID()
	var o *order
	var scanned code
	var began, ends time.Time
	asked := false
	return c.make(ctx, &change{
		did: did, call: c.call("citizen", Party{}, key),
		send: func(ctx context.Context) (r receipt, err error) {
			if began.IsZero() {
				began = c.crowd.o.Now()
			}
			defer func() { ends = c.crowd.o.Now() }()
			if o == nil {
				if o, scanned, err = c.authorise(ctx, p, &app, with, misused); err != nil {
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
			r, err = c.collect(ctx, p, o, &app)
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
			c.used = scanned
			for _, other := range c.wallets {
				other.live = other == p
			}
		},
		allowed: func(granted bool, reason string) string {
			barred, unsure := c.barred(&app, began, ends)
			if unsure {
				return ""
			}
			standing := c.knows.physical != 0 || c.knows.ordered != 0 || p.lost != 0
			shown := app.Channel == oracle.Centre || c.knows.document == app.Document
			may := barred == "" && !standing && shown && misused == nil && app.FaceScore >= c.crowd.o.Scenario.Face.Threshold
			late := c.crowd.o.late(reason, scanned.made, ends)
			switch {
			case granted && barred != "":
				return fmt.Sprintf("a mobile card was issued, although %s", barred)
			case granted && misused != nil:
				return "a mobile card was issued on a code that was used before, too old, or made for somebody else"
			case granted && !may:
				return fmt.Sprintf("a mobile card was issued on plastic card %s (report in force: %d; on the phone: %d) with a face score of %.3f", app.Document, c.knows.physical, p.lost, app.FaceScore)
			case !granted && may && !late:
				return fmt.Sprintf("a rightful application was refused (%s)", reason)
			}
			return ""
		},
	})
}

// authorise gets the token on which a card may be asked for.
func (c *Citizen) authorise(ctx context.Context, p *phoneOf, app *oracle.Application, with plastic, misused *code) (*order, code, error) {
	issuer, err := p.Discover(ctx, c.crowd.o.Service)
	if err != nil {
		return nil, code{}, err
	}
	if app.Channel == oracle.Centre {
		return c.scan(ctx, p, app, with, misused)
	}
	o := newOrder()
	for id, config := range issuer.Configs {
		if config.Format != sdjwt.Format {
			o.configs = append(o.configs, id)
		}
	}
	a, err := p.Apply(ctx, issuer.ID, o.configs...)
	if err != nil {
		return nil, code{}, err
	}
	challenge, err := a.Challenge(ctx)
	if err != nil {
		return nil, code{}, err
	}
	tap, err := c.tap(with, challenge)
	if err != nil {
		return nil, code{}, err
	}
	o.token, err = a.Prove(ctx, challenge, tap.Evidence, c.capture(with, app.FaceScore))
	return o, code{}, err
}

// code has the clerk make a one-time code for the citizen.
func (c *Citizen) code(ctx context.Context) (code, error) {
	key, err := c.crowd.key("offer")
	if err != nil {
		return code{}, err
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
		h.Offers = append(h.Offers, oracle.Offer{Call: call, ID: shown.URI, Centre: c.crowd.o.Municipality})
	})
	return code{shown.URI, shown.Tx, call.Begin.At}, err
}

// scan goes to the counter, unless there is a code to be misused.
func (c *Citizen) scan(ctx context.Context, p *phoneOf, app *oracle.Application, with plastic, misused *code) (o *order, scanned code, err error) {
	if misused != nil {
		scanned = *misused
	} else if scanned, err = c.code(ctx); err != nil {
		return nil, code{}, err
	}
	app.Offer = scanned.uri
	offer, err := p.Scan(ctx, scanned.uri)
	if err != nil {
		return nil, scanned, err
	}
	if err := offer.Check(ctx, scanned.tx, c.capture(with, app.FaceScore)); err != nil {
		return nil, scanned, err
	}
	o = newOrder()
	o.configs = offer.Configs
	o.token, err = offer.Redeem(ctx, scanned.tx)
	return o, scanned, err
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
