package panel

import (
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rollout"
)

// The cast are people from outside of the population, who stand for what the
// population holds none of: somebody under the minimum age, a resident of a place
// that never opens, somebody without a plastic card, and one to whom all else is
// done.
const (
	child = iota
	elsewhere
	cardless
	everyman
	castSize
)

// firstOfCast numbers them, beyond all citizens.
const firstOfCast = 100_000_000

// neverOpens is a municipality that is in no phase.
const neverOpens = "99999"

// castWants is what they meet first.
var castWants = [...]lifecycle.Reason{child: lifecycle.TooYoung, elsewhere: lifecycle.NotOpenYet, cardless: lifecycle.NoPlasticCard}

// script is what the cast does, and how long after its beginning.
func (r *run) script() []scene {
	return []scene{
		{0, r.refusals},
		{r.policy.OfferLifetime + time.Second, r.staleCode},
		{challengeLifetime + time.Second, r.staleChallenge},
		{challengeLifetime + time.Minute, r.order},
	}
}

type scene struct {
	after time.Duration
	act   func() error
}

// kept is what the cast holds on to from one scene to the next.
type kept struct {
	code      string
	challenge []byte
}

// castAt is when they begin: some hours after the opening of the first
// municipality, while the municipality rule still holds if it ever does.
func (r *run) castAt() (at int64, home string, ok bool) {
	var first time.Time
	for code, opens := range r.outcome.Model.Policy.Opens {
		if home == "" || opens.Before(first) || opens.Equal(first) && code < home {
			first, home = opens, code
		}
	}
	if home == "" {
		return 0, "", false
	}
	at = max(0, r.outcome.Model.Since(first)) + 10*hourMs
	return at, home, at+hourMs < r.end
}

func (r *run) planCast() (out []event) {
	at, _, ok := r.castAt()
	if !ok {
		return nil
	}
	for i, s := range r.script() {
		out = append(out, event{at: at + s.after.Milliseconds(), class: probe, what: doCast, who: -1, record: int32(i)})
	}
	return out
}

// castEntries are their entries into the register.
func (r *run) castEntries() (out []entry, err error) {
	_, home, ok := r.castAt()
	if !ok {
		return nil, nil
	}
	for n := range castSize {
		id := uint32(firstOfCast + n)
		age := 40
		if n == child {
			age = r.policy.MinimumAge - 2
		}
		birth := r.scenario.Start.AddDate(-age, -1, 0)
		birth = time.Date(birth.Year(), birth.Month(), birth.Day(), 0, 0, 0, 0, time.UTC)
		p := population.Person{ID: id, FamilyName: "홍", GivenName: "길동", Romanised: "HONG GILDONG", Age: age, Male: true,
			Birth: birth, RRN: birth.Format("060102") + "-1000000", Address: "어딘가 1"}
		place := home
		if n == elsewhere {
			place = neverOpens
		}
		c := r.newCitizen(Member{Citizen: id, Stratum: "cast"}, store.PersonID(id), p, place)
		r.probes.cast = append(r.probes.cast, c)
		e, err := r.entry(c, place+"00000", n != cardless, true)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

var atACounter = clerkOf("a counter")

// refusals: everyone meets their own; the everyman asks for a code at the wrong
// centre, and shows another face; he takes a code and a challenge and lets both
// grow old.
func (r *run) refusals() error {
	cast := r.probes.cast
	for n, want := range castWants {
		c := cast[n]
		if c.chip != nil {
			q, err := r.tapNow(c, "tap", nil, 1000)
			if err != nil {
				return err
			}
			r.try(c, "tap", q, want)
		}
		r.try(c, "at a counter", r.makeOffer(c, atACounter, key(c, 0, "offer"), c.home), want)
	}
	c := cast[everyman]
	if r.clock.Now().Before(r.outcome.Model.Policy.AnyCentreFrom) {
		r.try(c, "a centre of another municipality", r.makeOffer(c, clerkOf("a counter elsewhere"), key(c, 0, "elsewhere"), neverOpens), lifecycle.WrongCentre)
	}
	q, err := r.tapNow(c, "another face", nil, -3000)
	if err != nil {
		return err
	}
	r.try(c, "another face", q, lifecycle.FaceNotMatched)
	r.kept.code = r.askOnce(r.makeOffer(c, atACounter, key(c, 0, "code"), c.home)).offer.Code
	r.kept.challenge, _, err = r.challenge()
	return err
}

func (r *run) staleCode() error {
	c := r.probes.cast[everyman]
	s, err := r.goodFace(c, r.device(c, 0), r.kept.code)
	if err == nil {
		r.try(c, "a code gone stale", r.byOffer(c, key(c, 0, "stale"), r.kept.code, c.home, s), lifecycle.OfferExpired)
	}
	return err
}

func (r *run) staleChallenge() error {
	c := r.probes.cast[everyman]
	q, err := r.tapNow(c, "an old challenge", r.kept.challenge, 1000)
	if err == nil {
		r.try(c, "an old challenge", q, lifecycle.CardNotGenuine)
	}
	return err
}

// order: a card is issued, suspended by order of the registrar, and lifted by the
// registrar alone.
func (r *run) order() error {
	c := r.probes.cast[everyman]
	q, err := r.tapNow(c, "tap", nil, 1000)
	if err != nil {
		return err
	}
	a := r.askOnce(q)
	c.probed("issue", r.clock.Now(), lifecycle.Granted.String(), a.String())
	if !a.granted() {
		return nil
	}
	if err := r.keep(c, r.device(c, 0), a); err != nil {
		return err
	}
	look := func(want lifecycle.Verdict) error {
		s, err := r.showOnline(c, r.device(c, 0), verifier("counter", 0), "counter", []string{"portrait"}, true)
		c.probed("look", r.clock.Now(), want.String(), s.outcome)
		return err
	}
	order := r.askOnce(r.report(c, registrar, key(c, 0, "order"), lifecycle.Administrative, "by order", time.Time{}))
	c.probed("suspension by order", r.clock.Now(), lifecycle.Granted.String(), order.String())
	r.receipt(c, order)
	if err := look(lifecycle.Suspended); err != nil {
		return err
	}
	for _, by := range []register.By{atACounter, callCentre, register.Citizen(c.id)} {
		r.try(c, "release of an order", r.release(c, by, key(c, 0, "release"), lifecycle.Administrative, order.seq, ""), lifecycle.NotAuthorised)
	}
	if q, err = r.tapNow(c, "while suspended", nil, 1000); err != nil {
		return err
	}
	r.try(c, "a card while suspended by order", q, lifecycle.PersonSuspended)
	lifted := r.askOnce(r.release(c, registrar, key(c, 0, "lift"), lifecycle.Administrative, order.seq, ""))
	c.probed("release by the registrar", r.clock.Now(), lifecycle.Granted.String(), lifted.String())
	return look(lifecycle.Accepted)
}

// tapNow is an application by tap, with a challenge (nil: a fresh one) and a
// capture of a score in steps from the threshold.
func (r *run) tapNow(c *citizen, name string, challenge []byte, step int16) (request, error) {
	if challenge == nil {
		var err error
		if challenge, _, err = r.challenge(); err != nil {
			return request{}, err
		}
	}
	tap, err := r.read(c.chip, challenge, c.pin, false)
	if err != nil {
		return request{}, err
	}
	d := r.device(c, 0)
	attestation, err := r.attest(d, nonceOf(challenge))
	score := rollout.Score(r.scenario.Face.Threshold, step)
	return r.byTap(c, key(c, 0, name), challenge, tapEvidence(tap), shown{d, attestation, score, r.capture(c, score)}), err
}
