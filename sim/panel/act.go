package panel

import (
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/world"
)

// by is who asks on the citizen's behalf.
func (r *run) by(c *citizen, rec *rollout.Record) register.By {
	switch rec.Channel {
	case rollout.ByCall:
		return world.CallCentre
	case rollout.ByCentre:
		if rec.Centre >= 0 {
			return world.ClerkOf(r.centre(rec.Centre))
		}
	case rollout.ByPost:
		return world.Registrar
	}
	return register.Citizen(c.ID)
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
		err = fmt.Errorf("citizen %s: there is no act %d", c.Name, rec.Act)
	}
	if err != nil {
		return fmt.Errorf("citizen %s, %s: %w", c.Name, rec.Act, err)
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
		return fmt.Sprintf("%s card %d from phone %d at %s, %s", rec.Act, rec.Serial, rec.Device, r.Scenario.Demand.Places[rec.Place].Name, check)
	}
	return fmt.Sprintf("%s %s", rec.Act, ways[rec.Channel])
}

func key(c *citizen, i int, what string) string { return fmt.Sprintf("%s/%d/%s", c.Name, i, what) }

// issueTap holds the IC card to the phone until it is read.
func (r *run) issueTap(c *citizen, i int) (string, error) {
	rec := &c.Records[i]
	if rec.Env == rollout.Unavailable {
		return rec.Env.String(), nil
	}
	if c.Chip == nil {
		return "error: there is no card with a chip", nil
	}
	for range rec.TagsLost {
		if err := r.Tear(c.Citizen); err != nil {
			return "", err
		}
	}
	if rec.Env == rollout.TagLost {
		return rec.Env.String(), nil
	}
	for range rec.WrongPINs {
		status, err := r.Mistype(c.Citizen)
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
		if challenge, nonce, err = r.Challenge(r.ctx); err != nil {
			return "error: " + err.Error(), nil
		}
	}
	tap, err := r.Read(c.Chip, challenge, c.PIN, false)
	if err != nil {
		return "", err
	}
	if rec.Env == rollout.PINWrong {
		if tap.PIN == iso7816.MethodBlocked {
			return rec.Env.String(), nil
		}
		return "error: the card is not blocked after three wrong entries", nil
	}
	d := r.Device(c.Citizen, rec.Device)
	attestation, err := r.Attest(d, nonce)
	if err != nil {
		return "", err
	}
	evidence := world.Evidence(tap)
	got, a, q := r.captures(c, i, d, attestation, func(key string, s world.Shown) world.Request {
		return r.ByTap(c.Citizen, key, challenge, evidence, s)
	})
	if a.Granted() {
		return got, errors.Join(r.Accept(c.Citizen, d, a.Issued), r.probeTap(c, i, q, a, challenge, evidence))
	}
	return got, nil
}

// offer has the clerk make the code for record i.
func (r *run) offer(c *citizen, i int) error {
	rec := &c.Records[i]
	a := r.ask(c, r.MakeOffer(c.Citizen, world.ClerkOf(r.centre(rec.Centre)), key(c, i, "offer"), r.municipality(rec.Centre)))
	o := offered{code: a.Offer.Code, reason: a.Reason}
	if a.Err != nil {
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
	d := r.Device(c.Citizen, rec.Device)
	attestation, err := r.Attest(d, o.code)
	if err != nil {
		return "", err
	}
	municipality := r.municipality(rec.Centre)
	got, a, q := r.captures(c, i, d, attestation, func(key string, s world.Shown) world.Request {
		return r.ByOffer(c.Citizen, key, o.code, municipality, s)
	})
	if a.Granted() {
		return got, errors.Join(r.Accept(c.Citizen, d, a.Issued), r.probeOffer(c, i, q, a, o.code, municipality))
	}
	return got, nil
}

// captures shows the citizen's face until the service decides on something else
// than the face, or the tries are used up. Each capture is built to the score
// that was drawn, and is an application of its own.
func (r *run) captures(c *citizen, i int, d *world.Device, attestation string, apply func(string, world.Shown) world.Request) (string, world.Answer, world.Request) {
	faces := &c.Records[i].Faces
	var a world.Answer
	var q world.Request
	for k := range faces.Tries {
		score := rollout.Score(r.Scenario.Face.Threshold, faces.Steps[k])
		q = apply(key(c, i, fmt.Sprint("capture ", k+1)), world.Shown{Device: d, Attestation: attestation, Score: score, Probe: r.Capture(c.Citizen, score)})
		a = r.ask(c, q)
		if a.Granted() && k < faces.Tries-1 {
			return fmt.Sprintf("granted on capture %d, which is below the threshold", k+1), a, q
		}
		if a.Err != nil || a.Reason != lifecycle.FaceNotMatched {
			break
		}
	}
	return a.String(), a, q
}

// present shows the mobile card.
func (r *run) present(c *citizen, i int) (string, error) {
	rec := &c.Records[i]
	place := &r.Scenario.Demand.Places[rec.Place]
	if rec.Env == rollout.Unavailable {
		r.NotAnswered(c.Citizen, c.Devices[rec.Device], place.Name, rec.Act == rollout.ActPresent)
		return rec.Env.String(), nil
	}
	vk := verifierOf(rec)
	if rec.Cached {
		if r.uses[vk]--; r.uses[vk] == 0 {
			defer delete(r.verifiers, vk)
		}
	}
	d := c.Devices[rec.Device]
	if d == nil || d.Serial == 0 || d.Serial != rec.Serial {
		return fmt.Sprintf("error: phone %d does not hold card %d", rec.Device, rec.Serial), nil
	}
	r.N.Presentations++
	entitled := rec.Act == rollout.ActPresent
	if rec.Cached {
		s, err := r.showCached(c, d, vk, place.Disclosure, entitled)
		return s.Outcome, err
	}
	s, err := r.ShowOnline(r.ctx, c.Citizen, d, world.Verifier(place.Name, rec.Verifier), place.Name, place.Disclosure, entitled)
	if err != nil {
		return "", err
	}
	return s.Outcome, r.probeReplay(c, i, s)
}

// showCached presents to a verifier that goes by the lists it has.
func (r *run) showCached(c *citizen, d *world.Device, vk verifierKey, disclose []string, entitled bool) (world.Session, error) {
	v := r.verifiers[vk]
	if v == nil {
		return world.Session{}, fmt.Errorf("verifier %d of kind %d has fetched no list", vk.number, vk.place)
	}
	return r.ShowCached(c.Citizen, d, v, disclose, entitled)
}

func (r *run) actReport(c *citizen, i int, cause lifecycle.Causes) string {
	rec := &c.Records[i]
	if rec.Env == rollout.Unavailable {
		return rec.Env.String()
	}
	r.N.Reports++
	before := r.beforeReport(c, i, cause)
	by := r.by(c, rec)
	q := r.Report(c.Citizen, by, key(c, i, "report"), cause, "reported lost "+ways[rec.Channel], r.at(rec.Submitted))
	a := r.ask(c, q)
	if a.Granted() {
		c.newest[cause] = a.Sequence
		r.probeReport(c, i, by, cause, q, a, before)
	}
	return a.String()
}

func (r *run) actRelease(c *citizen, i int, cause lifecycle.Causes) string {
	rec := &c.Records[i]
	if rec.Env == rollout.Unavailable {
		return rec.Env.String()
	}
	r.N.Releases++
	wallet := ""
	if cause == lifecycle.MobileLost {
		wallet = r.Device(c.Citizen, rec.Device).Wallet()
	}
	q := r.Release(c.Citizen, r.by(c, rec), key(c, i, "release"), cause, c.newest[cause], wallet)
	a := r.ask(c, q)
	if a.Granted() {
		r.probeRelease(c, i, q, a)
	}
	return a.String()
}

func (r *run) actRegisterCard(c *citizen, i int) (string, error) {
	rec := &c.Records[i]
	if rec.Env == rollout.Unavailable {
		return rec.Env.String(), nil
	}
	p, err := r.Print(c.Citizen, rec.Chip)
	if err != nil {
		return "", err
	}
	q := r.RegisterCard(c.Citizen, r.by(c, rec), key(c, i, "card"), p, "new card handed over "+ways[rec.Channel])
	a := r.ask(c, q)
	if !a.Granted() {
		return a.String(), nil
	}
	c.Take(p)
	return a.String(), r.probeCard(c, i, q, a)
}
