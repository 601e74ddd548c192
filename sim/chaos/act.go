package chaos

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/world"
)

// What stands against an application.
const (
	flawJustBelow    = "face just below the threshold"
	flawOtherFace    = "another face"
	flawWrongPIN     = "wrong PIN"
	flawOldChallenge = "old challenge"
	flawClone        = "clone of the card"
)

// Captures, in steps from the threshold.
var steps = map[string]int16{"": 1000, flawJustBelow: -1, flawOtherFace: -3000}

// What can be lost on the way.
const (
	lostRequest = "request"
	lostAnswer  = "answer"
)

// sent is a request that was sent, or would have been.
type sent struct {
	world.Request
	again    func() world.Request     // the same with another key; nil: there is no such thing
	granted  func(world.Answer) error // what the citizen does with the answer; once
	taken    bool                     // they did
	attempts int
}

var causes = map[string]lifecycle.Causes{
	"physical-lost": lifecycle.PhysicalLost, "mobile-lost": lifecycle.MobileLost, "administrative": lifecycle.Administrative,
}

// by is who asks.
func (r *run) by(p *person, o *Op) register.By {
	switch o.Role {
	case "clerk":
		return world.ClerkOf(r.municipality(o.Away))
	case "call-centre":
		return world.CallCentre
	case "registrar":
		return world.Registrar
	}
	return register.Citizen(p.ID)
}

// key is the idempotency key of somebody's next request. Everybody counts for
// themselves, so that different people's keys are the same.
func (r *run) key(by register.By) string {
	r.keys[by]++
	return fmt.Sprintf("request %d", r.keys[by])
}

// send sends a request for the first time.
func (r *run) send(p *person, o *Op, q *sent) (string, error) {
	p.sent = append(p.sent, q)
	return r.attempt(p, o, q)
}

// attempt sends a request, perhaps not for the first time.
func (r *run) attempt(p *person, o *Op, q *sent) (string, error) {
	q.attempts++
	first := q.attempts == 1
	switch o.Lost {
	case lostRequest:
		r.Lose(q.Request)
		return "the request was lost", nil
	case lostAnswer:
		a := r.SendUnanswered(r.ctx, q.Request)
		return fmt.Sprintf("the answer was lost (%s)", told(a)), nil
	}
	asked := r.Stamp()
	a := r.Send(r.ctx, q.Request)
	if a.Granted() && a.Sequence != 0 && first && a.State != 0 {
		r.Receipt(p.Citizen, a, asked)
	}
	if a.Granted() && !q.taken && q.granted != nil {
		q.taken = true
		if err := q.granted(a); err != nil {
			return told(a), err
		}
	}
	return told(a), nil
}

func told(a world.Answer) string {
	if a.Granted() && a.Sequence != 0 {
		return fmt.Sprintf("granted as %d", a.Sequence)
	}
	return a.String()
}

func (r *run) issueTap(o *Op) (string, error) {
	p := r.people[o.Who]
	if p == nil || p.Chip == nil {
		return "", nil
	}
	challenge := p.stale
	if o.Flaw != flawOldChallenge || challenge == nil {
		fresh, _, err := r.Challenge(r.ctx)
		if err != nil {
			return "no challenge: " + err.Error(), nil
		}
		challenge = fresh
		if o.Flaw == flawOldChallenge { // it grows old from now on
			p.stale = fresh
			return "a challenge was asked for", nil
		}
	}
	chip, pin := p.Chip, p.PIN
	if chip == nil {
		return "the card was replaced by one without a chip", nil
	}
	switch o.Flaw {
	case flawClone:
		chip = chip.CloneWithoutKey(r.Entropy(p.Citizen))
	case flawWrongPIN:
		if pin = "000000"; p.PIN == pin {
			pin = "111111"
		}
	}
	tap, err := r.Read(chip, challenge, pin, false)
	if err != nil {
		return "", err
	}
	s, err := r.shown(p, o, world.Nonce(challenge))
	if err != nil {
		return "", err
	}
	evidence := world.Evidence(tap)
	q := &sent{Request: r.ByTap(p.Citizen, r.key(register.Citizen(p.ID)), challenge, evidence, s)}
	r.binds(p, q, s)
	return r.send(p, o, q)
}

// shown is what the phone hands over.
func (r *run) shown(p *person, o *Op, nonce string) (world.Shown, error) {
	return r.Show(p.Citizen, r.Device(p.Citizen, o.Phone), nonce, rollout.Score(r.Scenario.Face.Threshold, steps[o.Flaw]))
}

// binds says that the phone holds the keys for this request ready, until it
// makes others, and takes the mobile card when it comes.
func (r *run) binds(p *person, q *sent, s world.Shown) {
	p.attested[s.Device] = q
	q.granted = func(a world.Answer) error {
		if p.attested[s.Device] != q {
			return nil // it has dropped them
		}
		delete(p.attested, s.Device)
		return r.Accept(p.Citizen, s.Device, a.Issued)
	}
}

func (r *run) offer(o *Op) (string, error) {
	p := r.people[o.Who]
	if p == nil {
		return "", nil
	}
	centre := r.municipality(o.Away)
	clerk := world.ClerkOf(centre)
	q := &sent{Request: r.MakeOffer(p.Citizen, clerk, r.key(clerk), centre)}
	q.granted = func(a world.Answer) error {
		p.code = append(p.code, offered{a.Offer.Code, centre})
		return nil
	}
	return r.send(p, o, q)
}

func (r *run) redeem(o *Op) (string, error) {
	p, of := r.people[o.Who], r.people[o.Of]
	if o.Of == 0 {
		of = p
	}
	if p == nil || of == nil || o.Back >= len(of.code) {
		return "", nil
	}
	code := of.code[len(of.code)-1-o.Back]
	s, err := r.shown(p, o, code.code)
	if err != nil {
		return "", err
	}
	q := &sent{Request: r.ByOffer(p.Citizen, r.key(register.Citizen(p.ID)), code.code, code.centre, s)}
	r.binds(p, q, s)
	return r.send(p, o, q)
}

// renew has a phone ask for its copies signed anew, or (Back) ask once more with the
// keys of the last time.
func (r *run) renew(o *Op) (string, error) {
	p := r.people[o.Who]
	if p == nil {
		return "", nil
	}
	d := r.Device(p.Citizen, o.Phone)
	q := p.renewals[d]
	if o.Back == 0 {
		request, err := r.Renew(p.Citizen, d)
		if err != nil {
			return "", err
		}
		q = &sent{Request: request}
		p.renewals[d], p.attested[d] = q, q
		q.granted = func(a world.Answer) error {
			if p.attested[d] != q {
				return nil // the phone has dropped the keys
			}
			delete(p.attested, d)
			return r.Replace(d, a.Issued.Copies)
		}
	}
	if q == nil {
		return "", nil
	}
	return r.attempt(p, o, q)
}

func (r *run) report(o *Op) (string, error) {
	p := r.people[o.Who]
	if p == nil {
		return "", nil
	}
	cause := causes[o.Cause]
	by := r.by(p, o)
	make := func() world.Request {
		return r.Report(p.Citizen, by, r.key(by), cause, "gone", time.Time{})
	}
	q := &sent{Request: make(), again: make}
	q.granted = func(a world.Answer) error {
		p.reports[cause] = append(p.reports[cause], a.Sequence)
		return nil
	}
	return r.send(p, o, q)
}

// Which report a release names.
const (
	namesNewest = "newest"
	namesOlder  = "older"
	namesNone   = "none"
)

func (r *run) release(o *Op) (string, error) {
	p := r.people[o.Who]
	if p == nil {
		return "", nil
	}
	cause := causes[o.Cause]
	names := uint64(1)
	if known := p.reports[cause]; len(known) > 0 {
		switch newest := known[len(known)-1]; {
		case o.Names == namesNewest:
			names = newest
		case len(known) > 1:
			names = known[len(known)-2]
		default:
			names = newest - 1
		}
	}
	if o.Names == namesNone {
		names = 0
	}
	wallet := ""
	if cause == lifecycle.MobileLost {
		wallet = r.Device(p.Citizen, o.Phone).Wallet()
	}
	by := r.by(p, o)
	make := func() world.Request {
		return r.Release(p.Citizen, by, r.key(by), cause, names, wallet)
	}
	return r.send(p, o, &sent{Request: make(), again: make})
}

func (r *run) newCard(o *Op) (string, error) {
	p := r.people[o.Who]
	if p == nil {
		return "", nil
	}
	card, err := r.Print(p.Citizen, o.Chip)
	if err != nil {
		return "", err
	}
	by := r.by(p, o)
	q := &sent{Request: r.RegisterCard(p.Citizen, by, r.key(by), card, "lost")}
	q.granted = func(world.Answer) error {
		p.Take(card)
		return nil
	}
	return r.send(p, o, q)
}

func (r *run) remove(o *Op) (string, error) {
	p := r.people[o.Who]
	if p == nil {
		return "", nil
	}
	return r.send(p, o, &sent{Request: r.Remove(p.Citizen, world.Registrar, r.key(world.Registrar), "died")})
}

// repeat sends an earlier request once more, with its key.
func (r *run) repeat(o *Op) (string, error) {
	p := r.people[o.Who]
	if p == nil || o.Back >= len(p.sent) {
		return "", nil
	}
	q := p.sent[len(p.sent)-1-o.Back]
	return r.attempt(p, o, q)
}

// again asks for the same once more, as another request.
func (r *run) again(o *Op) (string, error) {
	p := r.people[o.Who]
	if p == nil || o.Back >= len(p.sent) {
		return "", nil
	}
	q := p.sent[len(p.sent)-1-o.Back]
	if q.again == nil {
		return "", nil
	}
	return r.send(p, o, &sent{Request: q.again(), again: q.again, granted: q.granted})
}

// disclosed is what presentations show.
var disclosed = []string{"portrait"}

// holds is the one of the citizen's phones with a mobile card on them that an
// operation names, if there is any.
func (r *run) holds(o *Op) (*person, *world.Device) {
	p := r.people[o.Who]
	if p == nil {
		return nil, nil
	}
	var with []*world.Device
	for n := range uint8(phones) {
		if d := p.Devices[n]; d != nil && d.Serial != 0 {
			with = append(with, d)
		}
	}
	if len(with) == 0 {
		return nil, nil
	}
	return p, with[int(o.Phone)%len(with)]
}

func (r *run) show(o *Op) (string, error) {
	p, d := r.holds(o)
	if p == nil {
		return "", nil
	}
	s, err := r.ShowOnline(r.ctx, p.Citizen, d, world.Verifier("counter", 0), "counter", disclosed, true)
	return s.Outcome, err
}

func (r *run) showPlastic(o *Op) (string, error) {
	p := r.people[o.Who]
	if p == nil {
		return "", nil
	}
	number := p.Document
	if o.Back > 0 {
		if o.Back > len(p.Old) {
			return "", nil
		}
		number = p.Old[len(p.Old)-o.Back]
	}
	if number == "" {
		return "", nil
	}
	v, _ := r.ShowPlastic(r.ctx, p.Citizen, number) // what cannot be told is written down as that
	return v.String(), nil
}

// showBoth shows both cards, one right after the other.
func (r *run) showBoth(o *Op) (string, error) {
	plastic := *o
	plastic.Back = 0
	first, second := r.showPlastic, r.show
	if o.Back > 0 {
		first, second = second, first
	}
	a, err := first(&plastic)
	if err != nil {
		return a, err
	}
	b, err := second(&plastic)
	if a == "" || b == "" {
		return a + b, err
	}
	return a + ", " + b, err
}

func (r *run) showCached(o *Op) (string, error) {
	p, d := r.holds(o)
	if p == nil || o.Verifier >= len(r.verifiers) {
		return "", nil
	}
	if o.Fetch {
		if _, err := r.fetch(o); err != nil {
			return "", err
		}
	}
	s, err := r.ShowCached(p.Citizen, d, r.verifiers[o.Verifier], disclosed, true)
	return s.Outcome, err
}

func (r *run) fetch(o *Op) (string, error) {
	if o.Verifier >= len(r.verifiers) {
		return "", nil
	}
	if r.out("service") || r.out("status") || r.Current == nil {
		return "not answered", nil
	}
	v := r.verifiers[o.Verifier]
	if o.Back > 0 {
		return r.fetchOlder(v, o.Back)
	}
	return "fetched", r.Fetch(v, r.Current)
}

// fetchOlder serves a verifier a list that was published before the one it holds
// and is true up to an earlier change: somebody on the way has kept it.
func (r *run) fetchOlder(v *world.Offline, back int) (string, error) {
	uri := r.Current[0].URI
	held, ok := v.Held(uri)
	if !ok || len(r.Current) > 1 || held < back {
		return "", nil
	}
	older := world.Listing{URI: uri, JWT: r.History.Lists[held-back].Token, Index: held - back}
	var seq [2]uint64
	for i, token := range [][]byte{older.JWT, r.History.Lists[held].Token} {
		t, err := statuslist.ParseJWT(token, r.Readers, r.Clock.Now())
		if err != nil {
			return "", nil // it has expired
		}
		seq[i] = t.RegisterSeq
	}
	if seq[0] >= seq[1] {
		return "", nil
	}
	if err := r.Fetch(v, []world.Listing{older}); err != nil {
		return "refused", nil
	}
	return fmt.Sprintf("fetched as of %d", seq[0]), nil
}

func (r *run) turnPublisher(o *Op) (string, error) {
	if r.lists || !r.Due() {
		return "", nil
	}
	return "published", r.publish()
}

func (r *run) sweep(o *Op) (string, error) {
	r.Dirty = true
	n, err := r.Front.ExpireDue(r.ctx, 1<<16)
	if err != nil {
		return "error: " + err.Error(), nil
	}
	return fmt.Sprintf("%d ended", n), nil
}

// exportAudit takes the audit log: what it says now it has to say at the end.
func (r *run) exportAudit(o *Op) (string, error) {
	var export bytes.Buffer
	if err := r.Front.Export(r.ctx, &export); err != nil {
		return "error: " + err.Error(), nil
	}
	sum := sha256.Sum256(export.Bytes())
	r.History.Exports = append(r.History.Exports, oracle.Export{Taken: r.Stamp(), Length: export.Len(), SHA256: sum[:]})
	return fmt.Sprintf("%d lines", bytes.Count(export.Bytes(), []byte("\n"))), nil
}

func (r *run) pass(o *Op) (string, error) {
	if r.lists {
		return "", nil // the lists are being published
	}
	to := r.Clock.Now().Add(time.Duration(o.For))
	if o.To != "" {
		date := r.place.dates()[o.To]
		if o.To == expiry {
			date = r.expiry(o.Who)
		}
		if to = date.Add(time.Duration(o.For)); !to.After(r.Clock.Now()) {
			return "", nil
		}
	}
	return "until " + to.Format("2 Jan 15:04:05"), r.advance(to)
}

// expiry names the end of the mobile card that a resident has got last, unless
// it is so far off that the authorities' own certificates may have ended.
const expiry, farOff = "expiry", 30 * 24 * time.Hour

func (r *run) expiry(who uint32) time.Time {
	if p := r.people[who]; p != nil {
		if d := p.Current(); d != nil && d.Until.Sub(r.Clock.Now()) < farOff {
			return d.Until
		}
	}
	return time.Time{}
}

func (r *run) outage(o *Op) (string, error) {
	r.breakDown(o.Nodes, time.Duration(o.For))
	return "until " + r.outages[o.Nodes].Format("2 Jan 15:04:05"), nil
}

// restart kills the service between requests.
func (r *run) restart(o *Op) (string, error) {
	if r.out("service") {
		return "", nil
	}
	down := &oracle.Restart{Down: r.Stamp()}
	r.DB.Fence()
	if err := r.comeBack(down, time.Duration(o.For)); err != nil {
		return "", errors.Join(errors.New("the service does not come back"), err)
	}
	return "back", nil
}
