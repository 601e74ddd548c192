package panel

import (
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/rollout"
)

// by is who asks on the citizen's behalf.
func (r *run) by(c *citizen, rec *rollout.Record) register.By {
	switch rec.Channel {
	case rollout.ByCall:
		return callCentre
	case rollout.ByCentre:
		if rec.Centre >= 0 {
			return clerkOf(r.centre(rec.Centre))
		}
	case rollout.ByPost:
		return registrar
	}
	return register.Citizen(c.id)
}

func (r *run) centre(i int32) string { return r.outcome.Model.Nation.Centres[i].Code }

// municipality of a centre.
func (r *run) municipality(centre int32) string {
	n := r.outcome.Model.Nation
	return n.Municipalities[n.Centres[centre].Municipality].Code
}

// act lets the citizen do what record i says, and compares what was decided with
// what nation decided.
func (r *run) act(c *citizen, i int) error {
	rec := &c.Records[i]
	var got string
	var err error
	switch rec.Act {
	case rollout.ActIssueTap:
		got, err = r.issueTap(c, i)
	case rollout.ActIssueCentre:
		got, err = r.issueCentre(c, i)
	case rollout.ActPresent, rollout.ActFinderPresents:
		got, err = r.present(c, i)
	case rollout.ActReportPhysical:
		got = r.actReport(c, i, lifecycle.PhysicalLost)
	case rollout.ActReportMobile:
		got = r.actReport(c, i, lifecycle.MobileLost)
	case rollout.ActReleasePhysical:
		got = r.actRelease(c, i, lifecycle.PhysicalLost)
	case rollout.ActReleaseMobile:
		got = r.actRelease(c, i, lifecycle.MobileLost)
	case rollout.ActRegisterCard:
		got, err = r.actRegisterCard(c, i)
	default:
		err = fmt.Errorf("citizen %s: there is no act %d", c.name, rec.Act)
	}
	if err != nil {
		return fmt.Errorf("citizen %s, %s: %w", c.name, rec.Act, err)
	}
	nation := nationOutcome(rec)
	c.compare(r.outcome.Model.Cal.Time(rec.At), describe(r, rec), nation, got)
	r.agreed.count(rec.Act, nation, got)
	return nil
}

// compare writes one outcome into both histories.
func (c *citizen) compare(at time.Time, what, nation, panel string) {
	if nation != panel && c.step < 0 {
		c.step = len(c.nation)
	}
	head := at.Format("2006-01-02 15:04:05 ") + what + ": "
	c.nation, c.panel = append(c.nation, head+nation), append(c.panel, head+panel)
}

// nationOutcome is what nation decided, or what kept it from deciding.
func nationOutcome(rec *rollout.Record) string {
	switch {
	case rec.Env != rollout.Reached:
		return rec.Env.String()
	case rec.Act == rollout.ActPresent || rec.Act == rollout.ActFinderPresents:
		return lifecycle.Verdict(rec.Decided).String()
	}
	return lifecycle.Reason(rec.Decided).String()
}

var ways = [...]string{"by call", "by portal", "by app", "at a centre", "by post"}

// describe says what a record is, for people.
func describe(r *run, rec *rollout.Record) string {
	switch rec.Act {
	case rollout.ActIssueTap:
		return fmt.Sprintf("issue-tap to phone %d", rec.Device)
	case rollout.ActIssueCentre:
		return fmt.Sprintf("issue-centre at %s to phone %d, code %s old", r.centre(rec.Centre), rec.Device, time.Duration(rec.QRAge)*time.Millisecond)
	case rollout.ActPresent, rollout.ActFinderPresents:
		check := "online"
		if rec.Cached {
			check = "by the list of " + r.at(rec.Published).Format("01-02 15:04")
		}
		return fmt.Sprintf("%s card %d from phone %d at %s, %s", rec.Act, rec.Serial, rec.Device, r.scenario.Demand.Places[rec.Place].Name, check)
	}
	return fmt.Sprintf("%s %s", rec.Act, ways[rec.Channel])
}

func key(c *citizen, i int, what string) string { return fmt.Sprintf("%s/%d/%s", c.name, i, what) }

// issueTap holds the IC card to the phone until it is read.
func (r *run) issueTap(c *citizen, i int) (string, error) {
	rec := &c.Records[i]
	if rec.Env == rollout.Unavailable {
		return rec.Env.String(), nil
	}
	if c.chip == nil {
		return "error: there is no card with a chip", nil
	}
	for range rec.TagsLost {
		if err := r.tear(c); err != nil {
			return "", err
		}
	}
	if rec.Env == rollout.TagLost {
		return rec.Env.String(), nil
	}
	for range rec.WrongPINs {
		status, err := r.mistype(c)
		if err != nil {
			return "", err
		}
		if status == iso7816.OK {
			return "error: the card took a wrong PIN", nil
		}
	}
	var challenge []byte
	var nonce string
	if rec.Env == rollout.PINWrong {
		challenge = make([]byte, card.ChallengeSize) // the phone does not get that far
	} else {
		var err error
		if challenge, nonce, err = r.challenge(); err != nil {
			return "error: " + err.Error(), nil
		}
	}
	tap, err := r.read(c.chip, challenge, c.pin, false)
	if err != nil {
		return "", err
	}
	if rec.Env == rollout.PINWrong {
		if tap.PIN == iso7816.MethodBlocked {
			return rec.Env.String(), nil
		}
		return "error: the card is not blocked after three wrong entries", nil
	}
	d := r.device(c, rec.Device)
	attestation, err := r.attest(d, nonce)
	if err != nil {
		return "", err
	}
	evidence := tapEvidence(tap)
	got, a, q := r.captures(c, i, d, attestation, func(key string, s shown) request {
		return r.byTap(c, key, challenge, evidence, s)
	})
	if a.granted() {
		return got, errors.Join(r.keep(c, d, a), r.probeTap(c, i, q, a, challenge, evidence))
	}
	return got, nil
}

// offer has the clerk make the code for record i.
func (r *run) offer(c *citizen, i int) error {
	rec := &c.Records[i]
	a := r.ask(c, r.makeOffer(c, clerkOf(r.centre(rec.Centre)), key(c, i, "offer"), r.municipality(rec.Centre)))
	o := offered{code: a.offer.Code, reason: a.reason}
	if a.err != nil {
		o.failed = a.String()
	}
	c.offers[i] = o
	return nil
}

// issueCentre redeems the code; a refusal at the counter was the decision.
func (r *run) issueCentre(c *citizen, i int) (string, error) {
	rec := &c.Records[i]
	if rec.Env == rollout.Unavailable {
		return rec.Env.String(), nil
	}
	o := c.offers[i]
	switch {
	case o.failed != "":
		return o.failed, nil
	case o.reason != lifecycle.Granted:
		return o.reason.String(), nil
	}
	d := r.device(c, rec.Device)
	attestation, err := r.attest(d, o.code)
	if err != nil {
		return "", err
	}
	municipality := r.municipality(rec.Centre)
	got, a, q := r.captures(c, i, d, attestation, func(key string, s shown) request {
		return r.byOffer(c, key, o.code, municipality, s)
	})
	if a.granted() {
		return got, errors.Join(r.keep(c, d, a), r.probeOffer(c, i, q, a, o.code, municipality))
	}
	return got, nil
}

// captures shows the citizen's face until the service decides on something else
// than the face, or the tries are used up. Each capture is built to the score
// that was drawn, and is an application of its own.
func (r *run) captures(c *citizen, i int, d *device, attestation string, apply func(string, shown) request) (string, answer, request) {
	faces := &c.Records[i].Faces
	var a answer
	var q request
	for k := range faces.Tries {
		score := rollout.Score(r.scenario.Face.Threshold, faces.Steps[k])
		q = apply(key(c, i, fmt.Sprint("capture ", k+1)), shown{d, attestation, score, r.capture(c, score)})
		a = r.ask(c, q)
		if a.granted() && k < faces.Tries-1 {
			return fmt.Sprintf("granted on capture %d, which is below the threshold", k+1), a, q
		}
		if a.err != nil || a.reason != lifecycle.FaceNotMatched {
			break
		}
	}
	return a.String(), a, q
}

// keep puts what was issued into the phone.
func (r *run) keep(c *citizen, d *device, a answer) error {
	r.n.issued++
	return r.accept(c, d, a.issued)
}

// present shows the mobile card.
func (r *run) present(c *citizen, i int) (string, error) {
	rec := &c.Records[i]
	place := &r.scenario.Demand.Places[rec.Place]
	if rec.Env == rollout.Unavailable {
		r.turnedAway(c, rec, place.Name)
		return rec.Env.String(), nil
	}
	vk := verifierOf(rec)
	if rec.Cached {
		if r.uses[vk]--; r.uses[vk] == 0 {
			defer delete(r.verifiers, vk)
		}
	}
	d := c.devices[rec.Device]
	if d == nil || d.serial == 0 || d.serial != rec.Serial {
		return fmt.Sprintf("error: phone %d does not hold card %d", rec.Device, rec.Serial), nil
	}
	r.n.presentations++
	entitled := rec.Act == rollout.ActPresent
	if rec.Cached {
		s, err := r.showCached(c, d, vk, place.Disclosure, entitled)
		return s.outcome, err
	}
	s, err := r.showOnline(c, d, verifier(place.Name, rec.Verifier), place.Name, place.Disclosure, entitled)
	if err != nil {
		return "", err
	}
	return s.outcome, r.probeReplay(c, i, s)
}

func (r *run) turnedAway(c *citizen, rec *rollout.Record, kind string) {
	d := c.devices[rec.Device]
	if d == nil || len(d.refs) == 0 {
		return
	}
	at := r.stamp()
	r.history.Presentations = append(r.history.Presentations, oracle.Presentation{Citizen: c.name, Kind: kind, Status: d.refs[0].status(),
		Entitled: rec.Act == rollout.ActPresent, Begin: at, End: at, Outcome: oracle.TurnedAway})
}

// session is a presentation that took place.
type session struct {
	transaction verification.Transaction
	response    []byte
	ref         ref
	outcome     string
}

// showOnline presents to a verifier that asks the service.
func (r *run) showOnline(c *citizen, d *device, v verification.Verifier, kind string, disclose []string, entitled bool) (session, error) {
	begin := r.stamp()
	r.n.operations++
	t, err := r.svc.Verification.Begin(v)
	if err != nil {
		return session{}, err
	}
	response, which, err := d.Present(disclose, t.Transcript())
	if err != nil {
		return session{}, err
	}
	r.n.made++
	s := session{transaction: t, response: response, ref: d.refs[which]}
	r.n.operations++
	a, err := r.svc.Verification.Verify(r.ctx, t, response)
	s.outcome = a.Verdict.String()
	if err != nil {
		s.outcome = "error: " + err.Error()
	}
	r.count(0, s.ref)
	r.note(oracle.Presentation{Citizen: c.name, Verifier: v.ClientID, Kind: kind, Status: s.ref.status(), Entitled: entitled, Begin: begin}, a.Verdict, err)
	return s, nil
}

// showCached presents to a verifier that goes by the lists it has.
func (r *run) showCached(c *citizen, d *device, vk verifierKey, disclose []string, entitled bool) (session, error) {
	v := r.verifiers[vk]
	if v == nil {
		return session{}, fmt.Errorf("verifier %d of kind %d has fetched no list", vk.number, vk.place)
	}
	begin := r.stamp()
	t, err := v.Begin()
	if err != nil {
		return session{}, err
	}
	response, which, err := d.Present(disclose, t.Transcript())
	if err != nil {
		return session{}, err
	}
	r.n.made++
	s := session{transaction: t, response: response, ref: d.refs[which]}
	a, err := v.Verify(t, response)
	s.outcome = a.Verdict.String()
	if err != nil {
		s.outcome = "error: " + err.Error()
	}
	r.count(1, s.ref)
	held, ok := v.held[s.ref.uri]
	if !ok {
		held = -1
	}
	r.note(oracle.Presentation{Citizen: c.name, Verifier: t.ClientID, Kind: v.kind, Status: s.ref.status(), Entitled: entitled, Begin: begin,
		Cached: &oracle.CachedCheck{List: held, Fetched: v.fetched, TTL: v.ttl, AcceptsExpired: r.scenario.StatusLists.Expired == "accept"}}, a.Verdict, err)
	return s, nil
}

// count counts the signatures that a verification checked: the phone's, and the
// issuer's the first time.
func (r *run) count(who int, at ref) {
	r.n.verified++
	if !r.seen[who][at] {
		r.seen[who][at] = true
		r.n.verified++
	}
}

var outcomes = [...]oracle.Outcome{
	lifecycle.CannotTell: oracle.CannotTell, lifecycle.Accepted: oracle.Accepted,
	lifecycle.Suspended: oracle.Suspended, lifecycle.NotValid: oracle.NotValid,
}

func (r *run) note(p oracle.Presentation, v lifecycle.Verdict, err error) {
	p.End, p.Outcome = r.stamp(), outcomes[v]
	if err != nil {
		p.Outcome = oracle.CannotTell
	}
	r.history.Presentations = append(r.history.Presentations, p)
}

// showPlastic shows a plastic card to a clerk who asks the service.
func (r *run) showPlastic(c *citizen, number string) (lifecycle.Verdict, error) {
	begin := r.stamp()
	r.n.operations++
	v, err := r.svc.Verification.Plastic(r.ctx, number)
	r.note(oracle.Presentation{Citizen: c.name, Kind: "counter", Document: number, Entitled: true, Begin: begin}, v, err)
	return v, err
}

func (r *run) actReport(c *citizen, i int, cause lifecycle.Causes) string {
	rec := &c.Records[i]
	if rec.Env == rollout.Unavailable {
		return rec.Env.String()
	}
	r.n.reports++
	before := r.beforeReport(c, i, cause)
	q := r.report(c, r.by(c, rec), key(c, i, "report"), cause, "reported lost "+ways[rec.Channel], r.at(rec.Submitted))
	a := r.ask(c, q)
	if a.granted() {
		c.newest[cause] = a.seq
		r.probeReport(c, i, cause, q, a, before)
	}
	return a.String()
}

func (r *run) actRelease(c *citizen, i int, cause lifecycle.Causes) string {
	rec := &c.Records[i]
	if rec.Env == rollout.Unavailable {
		return rec.Env.String()
	}
	r.n.releases++
	wallet := ""
	if cause == lifecycle.MobileLost {
		wallet = r.device(c, rec.Device).Wallet()
	}
	q := r.release(c, r.by(c, rec), key(c, i, "release"), cause, c.newest[cause], wallet)
	a := r.ask(c, q)
	if a.granted() {
		r.probeRelease(c, i, q, a)
	}
	return a.String()
}

func (r *run) actRegisterCard(c *citizen, i int) (string, error) {
	rec := &c.Records[i]
	if rec.Env == rollout.Unavailable {
		return rec.Env.String(), nil
	}
	p, err := r.print(c, rec.Chip)
	if err != nil {
		return "", err
	}
	q := r.registerCard(c, r.by(c, rec), key(c, i, "card"), p, "new card handed over "+ways[rec.Channel])
	a := r.ask(c, q)
	if !a.granted() {
		return a.String(), nil
	}
	c.take(p)
	return a.String(), r.probeCard(c, i, q, a)
}
