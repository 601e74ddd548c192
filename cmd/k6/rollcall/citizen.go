package rollcall

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.k6.io/k6/metrics"

	"rollcall.example/rollcall/sim/loadgen"
)

// Citizen is a citizen in the hands of one virtual user. Each method does one thing,
// and returns the answer, checked.
type Citizen struct {
	one    *loadgen.Citizen // no part of Citizen, whose methods are what a script sees
	nation *Nation
}

// Answer is what came of something.
type Answer struct {
	Citizen string  `js:"citizen"`
	Did     string  `js:"did"`
	Granted bool    `js:"granted"`
	Verdict string  `js:"verdict"`
	Reason  string  `js:"reason"`
	Unknown bool    `js:"unknown"`
	Error   string  `js:"error"`
	Wrong   string  `js:"wrong"`
	OK      bool    `js:"ok"`
	MS      float64 `js:"ms"`
	History string  `js:"history"` // of the citizen, if the answer is wrong
}

// act does something, measures and checks it.
func (c *Citizen) act(operation, kind string, do func(context.Context) loadgen.Result) *Answer {
	n := c.nation
	began := time.Now()
	r := do(n.vu.Context())
	took := time.Since(began) - r.Waited
	return n.answered(operation, kind, r, took)
}

// answered turns a result into samples, and into what a script sees.
func (n *Nation) answered(operation, kind string, r loadgen.Result, took time.Duration) *Answer {
	ms := float64(took) / float64(time.Millisecond)
	a := &Answer{Citizen: r.Citizen, Did: r.Did, Granted: r.Granted, Verdict: r.Verdict, Reason: r.Reason, Unknown: r.Unknown, Wrong: r.Wrong, OK: r.Wrong == "", MS: ms}
	if r.Err != nil {
		a.Error = r.Err.Error()
	}
	if n.vu.Context().Err() != nil && r.Unknown || r.Nothing() {
		return a // the test is over, and nobody waited for the answer; or nobody was asked
	}
	history, first := n.shared.record.add(operation, kind, n.part, r, ms)
	verdict := r.Verdict
	switch {
	case verdict != "":
	case r.Unknown:
		verdict = "unknown"
	case r.Granted:
		verdict = "granted"
	default:
		verdict = "refused"
	}
	tags := map[string]string{"verdict": verdict}
	if kind != "" {
		tags[map[string]string{"issue": "channel", "present": "verifier", "report": "cause", "release": "cause", "desk": "at"}[operation]] = kind
	}
	unknown := 0.0
	if r.Unknown {
		unknown = 1
	} else {
		n.timed(operation, ms, tags)
		n.push(n.metrics.answers, 1, tags)
		right := 1.0
		if r.Wrong != "" {
			right = 0
			a.History = history
			n.push(n.metrics.violations, 1, tags)
			if first {
				n.vu.State().Logger.Errorf("rollcall: wrong answer: %s\n%s", r, history)
			}
		}
		n.check("the citizen's history allows the answer: "+operation, right)
	}
	n.push(n.metrics.unknown, unknown, map[string]string{"operation": operation})
	if share, due := n.shared.record.share(time.Now()); due {
		n.push(n.metrics.generator, share, nil)
	}
	return a
}

// check is a check as k6 counts them.
func (n *Nation) check(name string, right float64) {
	state := n.vu.State()
	tags := map[string]string{}
	if state.Options.SystemTags.Has(metrics.TagCheck) {
		tags["check"] = name
	}
	n.push(state.BuiltinMetrics.Checks, right, tags)
}

// Name is the registrar's number of the citizen.
func (c *Citizen) Name() string { return c.one.Name }

// History is what the citizen did last and what came of it, a line each.
func (c *Citizen) History() string { return c.nation.shared.record.history(c.one.Name) }

// IssueByTap taps the IC card, shows the face, and gets the mobile card.
func (c *Citizen) IssueByTap() *Answer { return c.act("issue", "tap", c.one.IssueByTap) }

// IssueAtCentre scans a clerk's code.
func (c *Citizen) IssueAtCentre() *Answer { return c.act("issue", "centre", c.one.IssueAtCentre) }

// ScanAgain scans the code on which the card was issued once more.
func (c *Citizen) ScanAgain() *Answer { return c.act("issue", "used-code", c.one.ScanAgain) }

// ScanLate scans a code when its time is over.
func (c *Citizen) ScanLate() *Answer { return c.act("issue", "late-code", c.one.ScanLate) }

// ScanCodeOf scans a code that was made for another citizen.
func (c *Citizen) ScanCodeOf(other *Citizen) *Answer {
	if other == nil || other.one == c.one {
		c.nation.abort(errors.New("scanCodeOf needs another citizen, whose code it is (write c.scanCodeOf(nation.citizen()))"))
		return nil
	}
	return c.act("issue", "others-code", func(ctx context.Context) loadgen.Result { return c.one.ScanCodeOf(ctx, other.one) })
}

// IssueByOldCard taps the plastic card before the one in force.
func (c *Citizen) IssueByOldCard() *Answer {
	return c.act("issue", "old-card", c.one.IssueByOldCard)
}

// IssueToAnotherFace has somebody else look into the camera.
func (c *Citizen) IssueToAnotherFace() *Answer {
	return c.act("issue", "another-face", c.one.IssueToAnotherFace)
}

// Present shows the mobile card at an office or a shop, which ask the service, or at
// a bank, which goes by lists.
func (c *Citizen) Present(at string) *Answer {
	return c.at(at, func() *Answer {
		return c.act("present", at, func(ctx context.Context) loadgen.Result { return c.one.Present(ctx, at) })
	})
}

// PresentOld shows what is on the phone before the one in use.
func (c *Citizen) PresentOld(at string) *Answer {
	return c.at(at, func() *Answer {
		return c.act("present", at, func(ctx context.Context) loadgen.Result { return c.one.PresentOld(ctx, at) })
	})
}

func (c *Citizen) at(place string, do func() *Answer) *Answer {
	if place == "office" || place == "shop" || place == "bank" {
		return do()
	}
	c.nation.abort(fmt.Errorf("there is no place %q to show a card at (write office, shop or bank)", place))
	return nil
}

// causes as a script writes them.
var causes = map[string]string{"physical": loadgen.PhysicalLost, "mobile": loadgen.MobileLost, "administrative": loadgen.Administrative,
	loadgen.PhysicalLost: loadgen.PhysicalLost, loadgen.MobileLost: loadgen.MobileLost}

func (c *Citizen) with(operation, what string, do func(context.Context, string) loadgen.Result) *Answer {
	cause, ok := causes[what]
	if !ok {
		c.nation.abort(fmt.Errorf("there is no cause %q (write physical, mobile or administrative)", what))
		return nil
	}
	return c.act(operation, cause, func(ctx context.Context) loadgen.Result { return do(ctx, cause) })
}

// ReportLost reports the plastic card, or the phone, lost.
func (c *Citizen) ReportLost(what string) *Answer {
	return c.with("report", what, c.one.ReportLost)
}

// ReportTwice sends one report twice at once, with one key.
func (c *Citizen) ReportTwice(what string) *Answer {
	return c.with("report", what, c.one.ReportTwice)
}

// Release releases the newest report.
func (c *Citizen) Release(what string) *Answer { return c.with("release", what, c.one.Release) }

// ReleaseByCall has the loss line try what only a clerk may.
func (c *Citizen) ReleaseByCall(what string) *Answer {
	return c.with("release", what, c.one.ReleaseByCall)
}

// ReleaseOlder names an older report than the newest.
func (c *Citizen) ReleaseOlder(what string) *Answer {
	return c.with("release", what, c.one.ReleaseOlder)
}

// Race reports a loss while the card is being shown, over and over: both answers of
// presentations are right until the report is acknowledged, one is after it.
func (c *Citizen) Race(what, place string) []*Answer {
	cause, ok := causes[what]
	if !ok {
		c.nation.abort(fmt.Errorf("there is no cause %q (write physical, mobile or administrative)", what))
		return nil
	}
	if c.at(place, func() *Answer { return nil }); c.nation.vu.Context().Err() != nil {
		return nil
	}
	type outcome struct {
		r    loadgen.Result
		took time.Duration
	}
	ctx := c.nation.vu.Context()
	timed := func(do func() loadgen.Result) outcome {
		began := time.Now()
		r := do()
		return outcome{r, time.Since(began)}
	}
	var report outcome
	var shown []outcome
	var both sync.WaitGroup
	acknowledged := make(chan struct{})
	both.Go(func() {
		defer close(acknowledged)
		report = timed(func() loadgen.Result { return c.one.ReportLost(ctx, cause) })
	})
	both.Go(func() {
		for over := false; !over; {
			select {
			case <-acknowledged:
				over = true // once more: it must be refused
			default:
			}
			one := timed(func() loadgen.Result { return c.one.Present(ctx, place) })
			if one.r.Nothing() {
				return
			}
			shown = append(shown, one)
		}
	})
	both.Wait()
	answers := []*Answer{c.nation.answered("report", cause, report.r, report.took)}
	for _, one := range shown {
		answers = append(answers, c.nation.answered("present", place, one.r, one.took))
	}
	return answers
}

// NewPhone gives the citizen another phone, with an empty wallet.
func (c *Citizen) NewPhone() {
	if err := c.one.NewPhone(); err != nil {
		c.nation.abort(err)
	}
}

// NewCard gives the citizen another plastic card.
func (c *Citizen) NewCard() *Answer { return c.act("desk", "new-card", c.one.NewCard) }

// ShowPlastic shows the plastic card to a clerk.
func (c *Citizen) ShowPlastic() *Answer { return c.act("desk", "plastic", c.one.ShowPlastic) }

// Look has somebody at a desk look the citizen up.
func (c *Citizen) Look() *Answer { return c.act("desk", "look", c.one.Look) }

// Pending says whether something has had no answer.
func (c *Citizen) Pending() bool { return c.one.Pending() }

// Settle asks again, with the same keys, for what has had no answer; false: there is
// none within the time, in seconds.
func (c *Citizen) Settle(seconds float64) bool {
	if seconds <= 0 {
		c.nation.abort(errors.New("settle needs some seconds"))
		return false
	}
	ctx, cancel := context.WithTimeout(c.nation.vu.Context(), time.Duration(seconds*float64(time.Second)))
	defer cancel()
	err := c.one.Settle(ctx)
	c.nation.aside()
	return err == nil
}
