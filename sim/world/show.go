package world

import (
	"context"
	"crypto/sha256"
	"fmt"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/sim/oracle"
)

// Verifier names who checks: one of the scenario's places.
func Verifier(kind string, number int32) verification.Verifier {
	name := fmt.Sprintf("%s-%d.example", kind, number)
	thumbprint := sha256.Sum256([]byte(name))
	return verification.Verifier{ClientID: "x509_san_dns:" + name, ResponseURI: "https://" + name + "/response", Thumbprint: thumbprint[:]}
}

// Session is a presentation that took place.
type Session struct {
	Transaction verification.Transaction
	Response    []byte
	Ref         Ref
	Outcome     string
}

// ShowOnline presents to a verifier that asks the service.
func (w *World) ShowOnline(ctx context.Context, c *Citizen, d *Device, v verification.Verifier, kind string, disclose []string, entitled bool) (Session, error) {
	begin := w.Stamp()
	w.N.Operations++
	t, err := w.Front.Begin(v)
	if err != nil {
		return Session{}, err
	}
	response, which, err := d.Present(disclose, t.Transcript())
	if err != nil {
		return Session{}, err
	}
	w.N.Made++
	s := Session{Transaction: t, Response: response, Ref: d.Refs[which]}
	w.N.Operations++
	a, err := w.Front.Verify(ctx, t, response)
	s.Outcome = a.Verdict.String()
	if err != nil {
		s.Outcome = "error: " + err.Error()
	}
	w.count(0, s.Ref)
	w.note(oracle.Presentation{Citizen: c.Name, Verifier: v.ClientID, Kind: kind, Status: s.Ref.Status(), Entitled: entitled, Begin: begin}, a.Verdict, err)
	return s, nil
}

// ShowCached presents to a verifier that goes by the lists it has.
func (w *World) ShowCached(c *Citizen, d *Device, v *Offline, disclose []string, entitled bool) (Session, error) {
	begin := w.Stamp()
	t, err := v.Begin()
	if err != nil {
		return Session{}, err
	}
	response, which, err := d.Present(disclose, t.Transcript())
	if err != nil {
		return Session{}, err
	}
	w.N.Made++
	s := Session{Transaction: t, Response: response, Ref: d.Refs[which]}
	a, err := v.Verify(t, response)
	s.Outcome = a.Verdict.String()
	if err != nil {
		s.Outcome = "error: " + err.Error()
	}
	w.count(1, s.Ref)
	held, ok := v.held[s.Ref.URI]
	if !ok {
		held = -1
	}
	w.note(oracle.Presentation{Citizen: c.Name, Verifier: t.ClientID, Kind: v.Kind, Status: s.Ref.Status(), Entitled: entitled, Begin: begin,
		Cached: &oracle.CachedCheck{List: held, Fetched: v.fetched, TTL: v.TTL, AcceptsExpired: v.AcceptsExpired}}, a.Verdict, err)
	return s, nil
}

// ShowPlastic shows a plastic card to a clerk who asks the service.
func (w *World) ShowPlastic(ctx context.Context, c *Citizen, number string) (lifecycle.Verdict, error) {
	begin := w.Stamp()
	w.N.Operations++
	v, err := w.Front.Plastic(ctx, number)
	w.note(oracle.Presentation{Citizen: c.Name, Kind: "counter", Document: number, Entitled: true, Begin: begin}, v, err)
	return v, err
}

// NotAnswered writes down that the citizen showed the mobile card and was turned
// away for load or an outage.
func (w *World) NotAnswered(c *Citizen, d *Device, kind string, entitled bool) {
	if d == nil || len(d.Refs) == 0 {
		return
	}
	at := w.Stamp()
	w.History.Presentations = append(w.History.Presentations, oracle.Presentation{Citizen: c.Name, Kind: kind, Status: d.Refs[0].Status(),
		Entitled: entitled, Begin: at, End: at, Outcome: oracle.TurnedAway})
}

// Receipt writes down what an acknowledgement shows of both cards; it was asked
// for at a moment.
func (w *World) Receipt(c *Citizen, a Answer, asked oracle.Stamp) {
	w.History.Inquiries = append(w.History.Inquiries, oracle.Inquiry{Citizen: c.Name, Begin: asked, End: w.Stamp(),
		Plastic: outcomes[lifecycle.JudgePlastic(a.State)], Mobile: outcomes[lifecycle.Judge(a.State)]})
}

// count counts the signatures that a verification checked: the phone's, and the
// issuer's the first time.
func (w *World) count(who int, at Ref) {
	w.N.Verified++
	if !w.seen[who][at] {
		w.seen[who][at] = true
		w.N.Verified++
	}
}

var outcomes = [...]oracle.Outcome{
	lifecycle.CannotTell: oracle.CannotTell, lifecycle.Accepted: oracle.Accepted,
	lifecycle.Suspended: oracle.Suspended, lifecycle.NotValid: oracle.NotValid,
}

func (w *World) note(p oracle.Presentation, v lifecycle.Verdict, err error) {
	p.End, p.Outcome = w.Stamp(), outcomes[v]
	if err != nil {
		p.Outcome = oracle.CannotTell
	}
	w.History.Presentations = append(w.History.Presentations, p)
}
