package panel

import (
	"context"
	"encoding/base64"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/sim/oracle"
)

// Roles that are nobody in particular.
var (
	registrar  = register.By{Actor: "registrar", Role: lifecycle.Registrar}
	callCentre = register.By{Actor: "loss line", Role: lifecycle.CallCentre}
)

// clerkOf is the clerk of a centre.
func clerkOf(centre string) register.By {
	return register.By{Actor: "clerk at " + centre, Role: lifecycle.Clerk}
}

// answer is what came of a request that may change the register.
type answer struct {
	reason lifecycle.Reason
	seq    uint64
	issued issuance.Issued
	offer  issuance.Offer
	state  lifecycle.State // receipts
	err    error           // no answer that decides
}

func (a answer) String() string {
	if a.err != nil {
		return "error: " + a.err.Error()
	}
	return a.reason.String()
}

func (a answer) granted() bool { return a.err == nil && a.reason == lifecycle.Granted }

// request is one that may change the register. It can be sent again.
type request struct {
	call oracle.Call // without times and answer
	send func(context.Context, *service.Service) answer
	note func(*oracle.History, oracle.Call, answer) // into the history
}

// call begins the record of a request.
func (c *citizen) call(by register.By, key string) oracle.Call {
	return oracle.Call{Citizen: c.name, Key: key, Actor: by.Actor, Role: by.Role.String()}
}

// ask sends a request and writes down what an observer sees. A citizen who is
// chosen for it has this request in flight when the service is dropped, and
// repeats it with the same key afterwards.
func (r *run) ask(c *citizen, q request) answer {
	if f := c.flight; f != nil {
		c.flight = nil
		call := q.call
		call.Begin = r.stamp()
		r.n.operations++
		f.answer = q.send(context.WithValue(r.ctx, inFlight, f), r.svc)
		q.note(&r.history, call, answer{})
	}
	return r.askOnce(q)
}

func (r *run) askOnce(q request) answer {
	call := q.call
	call.Begin = r.stamp()
	r.n.operations++
	r.dirty = true
	a := q.send(r.ctx, r.svc)
	call.End = r.stamp()
	call.Granted, call.Sequence, call.TurnedAway = a.granted(), a.seq, a.err != nil
	if !call.Granted && a.err == nil {
		call.Reason = a.reason.String()
	}
	q.note(&r.history, call, a)
	if call.Granted && a.seq != 0 {
		r.acknowledged = append(r.acknowledged, change{a.seq, q.call.Citizen})
	}
	return a
}

func (r *run) stamp() oracle.Stamp { return r.recorder.Stamp(r.clock.Now()) }

// report says that something of the citizen is lost.
func (r *run) report(c *citizen, by register.By, key string, cause lifecycle.Causes, why string, submitted time.Time) request {
	q := suspension.ReportRequest{Request: register.Request{By: by, Key: key}, Person: c.id, Cause: cause, Why: why}
	return request{
		call: c.call(by, key),
		send: func(ctx context.Context, s *service.Service) answer {
			a, err := s.Suspension.Report(ctx, q)
			if err == nil && a.Reason == lifecycle.Granted {
				r.reported = append(r.reported, reported{q, a.Sequence})
			}
			return answer{reason: a.Reason, seq: a.Sequence, state: a.State, err: err}
		},
		note: func(h *oracle.History, call oracle.Call, _ answer) {
			h.Reports = append(h.Reports, oracle.Report{Call: call, Cause: oracle.Cause(cause.String()), Submitted: submitted})
		},
	}
}

// release withdraws a report. wallet names the one to release from mobile-lost.
func (r *run) release(c *citizen, by register.By, key string, cause lifecycle.Causes, names uint64, wallet string) request {
	q := suspension.ReleaseRequest{Request: register.Request{By: by, Key: key}, Person: c.id, Cause: cause, Sequence: names, Wallet: wallet, Why: "found again"}
	return request{
		call: c.call(by, key),
		send: func(ctx context.Context, s *service.Service) answer {
			a, err := s.Suspension.Release(ctx, q)
			return answer{reason: a.Reason, seq: a.Sequence, state: a.State, err: err}
		},
		note: func(h *oracle.History, call oracle.Call, _ answer) {
			h.Releases = append(h.Releases, oracle.Release{Call: call, Cause: oracle.Cause(cause.String()), Names: names, Wallet: wallet})
		},
	}
}

// registerCard puts a plastic card into force.
func (r *run) registerCard(c *citizen, by register.By, key string, p plastic, why string) request {
	q := issuance.CardRequest{Request: register.Request{By: by, Key: key}, Person: c.id, Card: p.card(), Why: why}
	return request{
		call: c.call(by, key),
		send: func(ctx context.Context, s *service.Service) answer {
			a, err := s.Issuance.RegisterCard(ctx, q)
			return answer{reason: a.Reason, seq: a.Sequence, err: err}
		},
		note: func(h *oracle.History, call oracle.Call, _ answer) {
			h.Registrations = append(h.Registrations, oracle.Registration{Call: call, Document: p.number})
		},
	}
}

// makeOffer has a clerk make a one-time QR code. A refusal at the counter is the
// end of an application, and is written down as one.
func (r *run) makeOffer(c *citizen, by register.By, key, municipality string) request {
	q := issuance.OfferRequest{Request: register.Request{By: by, Key: key}, Person: c.id, Centre: municipality}
	return request{
		call: c.call(by, key),
		send: func(ctx context.Context, s *service.Service) answer {
			a, err := s.Issuance.CreateOffer(ctx, q)
			return answer{reason: a.Reason, offer: a, err: err}
		},
		note: func(h *oracle.History, call oracle.Call, a answer) {
			h.Offers = append(h.Offers, oracle.Offer{Call: call, ID: a.offer.Code, Centre: municipality})
			if a.err == nil && a.reason != lifecycle.Granted {
				call.Key = "" // it was no request for a card to be issued
				h.Applications = append(h.Applications, oracle.Application{Call: call, Channel: oracle.Centre, Municipality: c.home,
					Age: c.age(call.Begin.At), Centre: municipality, Document: c.document, NoFace: true})
			}
		},
	}
}

// shown is what a phone hands over with an application.
type shown struct {
	device      *device
	attestation string
	score       float64
	probe       face.Probe
}

// byOffer redeems a QR code.
func (r *run) byOffer(c *citizen, key, code, municipality string, s shown) request {
	by := register.Citizen(c.id)
	q := issuance.RedeemRequest{Request: register.Request{By: by, Key: key}, Person: c.id, Code: code, Probe: s.probe, Attestation: s.attestation}
	return request{
		call: c.call(by, key),
		send: func(ctx context.Context, svc *service.Service) answer {
			r.n.verified++ // the attestation
			a, err := svc.Issuance.IssueByOffer(ctx, q)
			return answer{reason: a.Reason, seq: a.Sequence, issued: a, err: err}
		},
		note: r.application(c, oracle.Application{Channel: oracle.Centre, Centre: municipality, Offer: code}, s),
	}
}

// byTap applies on the evidence of an IC card.
func (r *run) byTap(c *citizen, key string, challenge []byte, evidence card.Evidence, s shown) request {
	by := register.Citizen(c.id)
	q := issuance.TapRequest{Request: register.Request{By: by, Key: key}, Person: c.id, Challenge: challenge, Card: evidence, Probe: s.probe, Attestation: s.attestation}
	return request{
		call: c.call(by, key),
		send: func(ctx context.Context, svc *service.Service) answer {
			r.n.verified++ // the attestation
			a, err := svc.Issuance.IssueByTap(ctx, q)
			return answer{reason: a.Reason, seq: a.Sequence, issued: a, err: err}
		},
		note: r.application(c, oracle.Application{Channel: oracle.Tap}, s),
	}
}

func (r *run) application(c *citizen, app oracle.Application, s shown) func(*oracle.History, oracle.Call, answer) {
	app.Municipality, app.Wallet, app.Document, app.FaceScore = c.home, s.device.Wallet(), c.document, s.score
	return func(h *oracle.History, call oracle.Call, a answer) {
		app := app
		app.Call, app.Age = call, c.age(call.Begin.At)
		for _, signed := range a.issued.Copies {
			app.Copies = append(app.Copies, oracle.Copy{IssuerSigned: signed})
		}
		h.Applications = append(h.Applications, app)
	}
}

// attest has a phone make keys and attest them.
func (r *run) attest(d *device, nonce string) (string, error) {
	r.n.made++
	return d.Attest(nonce, copies, r.clock.Now())
}

// challenge asks the service for a card's challenge.
func (r *run) challenge() (value []byte, nonce string, err error) {
	r.n.operations++
	value, err = r.svc.Issuance.Challenge(r.ctx)
	return value, nonceOf(value), err
}

// nonceOf is the nonce of an attestation that goes with a challenge.
func nonceOf(challenge []byte) string { return base64.RawURLEncoding.EncodeToString(challenge) }
