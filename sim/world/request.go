package world

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/sim/oracle"
)

// Roles that are nobody in particular.
var (
	Registrar  = register.By{Actor: "registrar", Role: lifecycle.Registrar}
	CallCentre = register.By{Actor: "loss line", Role: lifecycle.CallCentre}
)

// ClerkOf is the clerk of a centre.
func ClerkOf(centre string) register.By {
	return register.By{Actor: "clerk at " + centre, Role: lifecycle.Clerk}
}

// Answer is what came of a request that may change the register.
type Answer struct {
	Reason   lifecycle.Reason
	Sequence uint64
	At       time.Time // of the decision, where it says so
	Issued   issuance.Issued
	Offer    issuance.Offer
	State    lifecycle.State // receipts
	Err      error           // no answer that decides
}

func (a Answer) String() string {
	if a.Err != nil {
		return "error: " + a.Err.Error()
	}
	return a.Reason.String()
}

// Granted says whether the answer grants.
func (a Answer) Granted() bool { return a.Err == nil && a.Reason == lifecycle.Granted }

// Request is one that may change the register. It can be sent again.
type Request struct {
	Call oracle.Call // without times and answer
	Body any         // as the service takes it
	send func(context.Context, Front) Answer
	note func(*oracle.History, oracle.Call, Answer) // into the history
}

// call begins the record of a request.
func (c *Citizen) call(by register.By, key string) oracle.Call {
	return oracle.Call{Citizen: c.Name, Key: key, Actor: by.Actor, Role: by.Role.String()}
}

// Send sends a request and writes down what an observer sees.
func (w *World) Send(ctx context.Context, q Request) Answer {
	call := q.Call
	call.Begin = w.Stamp()
	w.N.Operations++
	w.Dirty = true
	a := q.send(ctx, w.Front)
	call.End = w.Stamp()
	call.Granted, call.Sequence, call.TurnedAway = a.Granted(), a.Sequence, a.Err != nil
	if call.Granted {
		call.Dated = a.At
	}
	switch {
	case errors.Is(a.Err, register.ErrKeyReused):
		call.Reason = oracle.ReasonKeyReused
	case !call.Granted && a.Err == nil:
		call.Reason = a.Reason.String()
	}
	q.note(&w.History, call, a)
	return a
}

// SendUnanswered sends a request whose answer never comes back; it returns what
// it would have been.
func (w *World) SendUnanswered(ctx context.Context, q Request) Answer {
	call := q.Call
	call.Begin = w.Stamp()
	w.N.Operations++
	w.Dirty = true
	a := q.send(ctx, w.Front)
	q.note(&w.History, call, Answer{})
	return a
}

// Lose writes down a request that is lost on its way to the service.
func (w *World) Lose(q Request) {
	call := q.Call
	call.Begin = w.Stamp()
	q.note(&w.History, call, Answer{})
}

// Report says that something of the citizen is lost.
func (w *World) Report(c *Citizen, by register.By, key string, cause lifecycle.Causes, why string, submitted time.Time) Request {
	q := suspension.ReportRequest{Request: register.Request{By: by, Key: key}, Person: c.ID, Cause: cause, Why: why}
	return Request{
		Call: c.call(by, key), Body: q,
		send: func(ctx context.Context, s Front) Answer {
			a, err := s.Report(ctx, q)
			return Answer{Reason: a.Reason, Sequence: a.Sequence, At: a.At, State: a.State, Err: err}
		},
		note: func(h *oracle.History, call oracle.Call, _ Answer) {
			h.Reports = append(h.Reports, oracle.Report{Call: call, Cause: oracle.Cause(cause.String()), Submitted: submitted})
		},
	}
}

// Release withdraws a report. wallet names the one to release from mobile-lost.
func (w *World) Release(c *Citizen, by register.By, key string, cause lifecycle.Causes, names uint64, wallet string) Request {
	q := suspension.ReleaseRequest{Request: register.Request{By: by, Key: key}, Person: c.ID, Cause: cause, Sequence: names, Wallet: wallet, Why: "found again"}
	return Request{
		Call: c.call(by, key), Body: q,
		send: func(ctx context.Context, s Front) Answer {
			a, err := s.Release(ctx, q)
			return Answer{Reason: a.Reason, Sequence: a.Sequence, At: a.At, State: a.State, Err: err}
		},
		note: func(h *oracle.History, call oracle.Call, _ Answer) {
			h.Releases = append(h.Releases, oracle.Release{Call: call, Cause: oracle.Cause(cause.String()), Names: names, Wallet: wallet})
		},
	}
}

// RegisterCard puts a plastic card into force.
func (w *World) RegisterCard(c *Citizen, by register.By, key string, p Plastic, why string) Request {
	q := issuance.CardRequest{Request: register.Request{By: by, Key: key}, Person: c.ID, Card: p.Card(), Why: why}
	return Request{
		Call: c.call(by, key), Body: q,
		send: func(ctx context.Context, s Front) Answer {
			a, err := s.RegisterCard(ctx, q)
			return Answer{Reason: a.Reason, Sequence: a.Sequence, Err: err}
		},
		note: func(h *oracle.History, call oracle.Call, _ Answer) {
			h.Registrations = append(h.Registrations, oracle.Registration{Call: call, Document: p.Number})
		},
	}
}

// Remove ends everything that the citizen holds: death or emigration.
func (w *World) Remove(c *Citizen, by register.By, key string, why string) Request {
	q := issuance.RemovalRequest{Request: register.Request{By: by, Key: key}, Person: c.ID, Why: why}
	return Request{
		Call: c.call(by, key), Body: q,
		send: func(ctx context.Context, s Front) Answer {
			a, err := s.Remove(ctx, q)
			return Answer{Reason: a.Reason, Sequence: a.Sequence, Err: err}
		},
		note: func(h *oracle.History, call oracle.Call, _ Answer) {
			h.Endings = append(h.Endings, oracle.Ending{Call: call, Event: oracle.PersonRemoved})
		},
	}
}

// MakeOffer has a clerk make a one-time QR code. A refusal at the counter is the
// end of an application, and is written down as one.
func (w *World) MakeOffer(c *Citizen, by register.By, key, municipality string) Request {
	q := issuance.OfferRequest{Request: register.Request{By: by, Key: key}, Person: c.ID, Centre: municipality}
	return Request{
		Call: c.call(by, key), Body: q,
		send: func(ctx context.Context, s Front) Answer {
			a, err := s.CreateOffer(ctx, q)
			return Answer{Reason: a.Reason, Offer: a, Err: err}
		},
		note: func(h *oracle.History, call oracle.Call, a Answer) {
			h.Offers = append(h.Offers, oracle.Offer{Call: call, ID: a.Offer.Code, Centre: municipality})
			if a.Err == nil && a.Reason != lifecycle.Granted {
				h.Applications = append(h.Applications, oracle.Application{Call: call, Channel: oracle.Centre, Municipality: c.Home,
					Age: c.Age(call.Begin.At), Centre: municipality, Document: c.Document, NoFace: true})
			}
		},
	}
}

// Shown is what a phone hands over with an application.
type Shown struct {
	Device      *Device
	Attestation string
	Score       float64
	Probe       face.Probe
}

// Show has a phone make keys and attest them over a nonce, and take a picture of
// the citizen with a score.
func (w *World) Show(c *Citizen, d *Device, nonce string, score float64) (Shown, error) {
	attestation, err := w.Attest(d, nonce)
	return Shown{d, attestation, score, w.Capture(c, score)}, err
}

// ByOffer redeems a QR code.
func (w *World) ByOffer(c *Citizen, key, code, municipality string, s Shown) Request {
	by := register.Citizen(c.ID)
	q := issuance.RedeemRequest{Request: register.Request{By: by, Key: key}, Person: c.ID, Code: code, Probe: s.Probe, Attestation: s.Attestation}
	return Request{
		Call: c.call(by, key), Body: q,
		send: func(ctx context.Context, svc Front) Answer {
			w.N.Verified++ // the attestation
			a, err := svc.IssueByOffer(ctx, q)
			return Answer{Reason: a.Reason, Sequence: a.Sequence, At: a.At, Issued: a, Err: err}
		},
		note: c.application(oracle.Application{Channel: oracle.Centre, Centre: municipality, Offer: code}, s),
	}
}

// ByTap applies on the evidence of an IC card.
func (w *World) ByTap(c *Citizen, key string, challenge []byte, evidence card.Evidence, s Shown) Request {
	by := register.Citizen(c.ID)
	q := issuance.TapRequest{Request: register.Request{By: by, Key: key}, Person: c.ID, Challenge: challenge, Card: evidence, Probe: s.Probe, Attestation: s.Attestation}
	return Request{
		Call: c.call(by, key), Body: q,
		send: func(ctx context.Context, svc Front) Answer {
			w.N.Verified++ // the attestation
			a, err := svc.IssueByTap(ctx, q)
			return Answer{Reason: a.Reason, Sequence: a.Sequence, At: a.At, Issued: a, Err: err}
		},
		note: c.application(oracle.Application{Channel: oracle.Tap}, s),
	}
}

// renewalNonce stands for the nonce that the issuer's endpoint gives a wallet: a phone
// attests the keys for fresh copies over it.
const renewalNonce = "copies signed anew"

// Renew asks for the copies of the mobile card signed anew, for keys that the phone makes
// now. It has no idempotency key, for it changes nothing in the register.
func (w *World) Renew(c *Citizen, d *Device) (Request, error) {
	attestation, err := w.Attest(d, renewalNonce)
	return Request{
		Call: oracle.Call{Citizen: c.Name},
		send: func(ctx context.Context, s Front) (a Answer) {
			w.N.Verified++ // the attestation
			proven, err := w.makers.Check(attestation, renewalNonce, w.Clock.Now())
			if err != nil {
				return Answer{Err: err}
			}
			a.Issued.Copies, a.Reason, a.Err = s.IssueAgain(ctx, issuance.AgainRequest{Person: c.ID, Phone: proven, Format: issuance.Mdoc})
			return a
		},
		note: func(h *oracle.History, call oracle.Call, a Answer) {
			r := oracle.Renewal{Citizen: call.Citizen, Wallet: d.Wallet(), Begin: call.Begin, End: call.End,
				Granted: call.Granted, Reason: call.Reason, TurnedAway: call.TurnedAway}
			if errors.Is(a.Err, issuance.ErrNoCard) {
				r.Reason, r.TurnedAway = oracle.ReasonNoCard, false
			}
			for _, signed := range a.Issued.Copies {
				r.Copies = append(r.Copies, oracle.Copy{IssuerSigned: signed})
			}
			h.Renewals = append(h.Renewals, r)
		},
	}, err
}

func (c *Citizen) application(app oracle.Application, s Shown) func(*oracle.History, oracle.Call, Answer) {
	app.Municipality, app.Wallet, app.Document, app.FaceScore = c.Home, s.Device.Wallet(), c.Document, s.Score
	return func(h *oracle.History, call oracle.Call, a Answer) {
		app := app
		app.Call, app.Age = call, c.Age(call.Begin.At)
		for _, signed := range a.Issued.Copies {
			app.Copies = append(app.Copies, oracle.Copy{IssuerSigned: signed})
		}
		h.Applications = append(h.Applications, app)
	}
}

// Attest has a phone make keys and attest them.
func (w *World) Attest(d *Device, nonce string) (string, error) {
	w.N.Made++
	return d.Attest(nonce, Copies, w.Clock.Now())
}

// Challenge asks the service for a card's challenge.
func (w *World) Challenge(ctx context.Context) (value []byte, nonce string, err error) {
	w.N.Operations++
	value, err = w.Front.Challenge(ctx)
	return value, Nonce(value), err
}

// Nonce is the nonce of an attestation that goes with a challenge.
func Nonce(challenge []byte) string { return base64.RawURLEncoding.EncodeToString(challenge) }
