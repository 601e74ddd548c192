package panel

import (
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/world"
)

// The cast are people from outside of the population, who stand for what the
// population holds none of: somebody under the minimum age, a resident of a place
// that never opens, somebody without a plastic card, and one to whom all else is
// done. They act once, so that every property is put to the test in every panel.
const (
	child = iota
	elsewhere
	cardless
	everyman
	castSize
)

// castMeets is what the first three meet, whatever they try.
var castMeets = [...]lifecycle.Reason{child: lifecycle.TooYoung, elsewhere: lifecycle.NotOpenYet, cardless: lifecycle.NoPlasticCard}

// firstOfCast numbers them, beyond all citizens.
const firstOfCast = 100_000_000

// neverOpens is a municipality that is in no phase.
const neverOpens = "99999"

// script is what the cast does, and how long after its beginning.
func (r *run) script() []scene {
	bound := r.Scenario.StatusLists.PublishInterval + r.Scenario.StatusLists.Allowance
	if place := r.castPlace(); place >= 0 {
		bound += r.Scenario.Demand.Places[place].TTL
	}
	return []scene{
		{0, (*stage).refusals},
		{r.Policy.OfferLifetime + time.Second, (*stage).staleCode},
		{world.ChallengeLifetime + time.Second, (*stage).staleChallenge},
		{6 * time.Minute, (*stage).byOrder},
		{7 * time.Minute, (*stage).bothLost},
		{8 * time.Minute, (*stage).replaced},
		{9 * time.Minute, (*stage).listed},
		{10*time.Minute + bound, (*stage).outOfDate},
		{11*time.Minute + 2*bound, (*stage).backAgain},
	}
}

type scene struct {
	after time.Duration
	act   func(*stage)
}

// props are what the everyman holds on to from one scene to the next.
type props struct {
	code      string
	challenge []byte
	report    uint64
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
	script := r.script()
	length := script[len(script)-1].after.Milliseconds() + minuteMs
	for again := true; again; { // not while something is down: lists may stand still
		again = false
		for _, f := range r.Scenario.Faults {
			from := r.outcome.Model.Since(f.At.Time)
			if copied, _, _, ok := r.outcome.Model.Standby(); ok && f.Kind == scenarios.SiteLost {
				from = copied // what they do then would be lost
			}
			if to := r.outcome.Model.Since(f.Felt()); to > from && from <= at+length && at < to+hourMs {
				at, again = to+hourMs, true
			}
		}
	}
	return at, home, at+length < r.end
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
func (r *run) castEntries() (out []world.Entry, err error) {
	_, home, ok := r.castAt()
	if !ok {
		return nil, nil
	}
	for n := range castSize {
		id := uint32(firstOfCast + n)
		age := 40
		if n == child {
			age = r.Policy.MinimumAge - 2
		}
		birth := r.Scenario.Start.AddDate(-age, -1, 0)
		birth = time.Date(birth.Year(), birth.Month(), birth.Day(), 0, 0, 0, 0, time.UTC)
		p := population.Person{ID: id, FamilyName: "홍", GivenName: "길동", Romanised: "HONG GILDONG", Age: age, Male: true,
			Birth: birth, Address: "어딘가 1"}
		p.Numbered(uint32(len(r.citizens) + n))
		place := home
		if n == elsewhere {
			place = neverOpens
		}
		c := newCitizen(r.World, Member{Citizen: id, Stratum: "cast"}, p, place)
		r.cast = append(r.cast, c)
		e, err := r.Entry(c.Citizen, place+"00000", n != cardless, true)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// play lets the cast act a scene.
func (r *run) play(i int32) error {
	s := &stage{run: r, c: r.cast[everyman], scene: i}
	r.script()[i].act(s)
	return s.err
}

// stage is a scene under way. What has to be granted and is not ends it, as does
// a failure; the rest is then left out.
type stage struct {
	*run
	c     *citizen
	scene int32
	n     int // requests, for their keys
	over  bool
	err   error
}

var atACounter = world.ClerkOf("a counter")

func (s *stage) key(c *citizen) string {
	s.n++
	return key(c, int(s.scene), "scene "+string(rune('a'+s.n)))
}

func (s *stage) fail(err error) {
	if err != nil {
		s.over, s.err = true, err
	}
}

// refused asks for what has to be refused.
func (s *stage) refused(what string, q world.Request, want lifecycle.Reason) {
	if !s.over {
		s.try(s.c, what, q, want)
	}
}

// granted asks for what has to be granted, and returns the number of the change.
func (s *stage) granted(what string, q world.Request) uint64 {
	if s.over {
		return 0
	}
	a := s.askOnce(s.c, q)
	s.c.probed(what, s.Clock.Now(), lifecycle.Granted.String(), a.String())
	s.over = !a.Granted()
	return a.Sequence
}

// issued is granted, for a mobile card onto the n-th phone.
func (s *stage) issued(n uint8) {
	if q := s.tap(s.c, n, nil, s.c.PIN, aGoodFace); !s.over {
		a := s.askOnce(s.c, q)
		s.c.probed("a mobile card", s.Clock.Now(), lifecycle.Granted.String(), a.String())
		if s.over = !a.Granted(); !s.over {
			s.fail(s.Accept(s.c.Citizen, s.Device(s.c.Citizen, n), a.Issued))
		}
	}
}

// see shows the mobile card on the n-th phone where the service is asked.
func (s *stage) see(n uint8, want lifecycle.Verdict) {
	if s.over {
		return
	}
	got, err := s.ShowOnline(s.ctx, s.c.Citizen, s.Device(s.c.Citizen, n), world.Verifier("counter", 0), "counter", []string{"portrait"}, true)
	s.fail(err)
	s.c.probed("the mobile card", s.Clock.Now(), want.String(), got.Outcome)
}

// seePlastic shows a plastic card where the service is asked.
func (s *stage) seePlastic(number string, want lifecycle.Verdict) {
	if s.over {
		return
	}
	got, err := s.ShowPlastic(s.ctx, s.c.Citizen, number)
	s.fail(err)
	s.c.probed("the plastic card", s.Clock.Now(), want.String(), got.String())
}

// Captures, in steps from the threshold.
const (
	aGoodFace    int16 = 1000
	anothersFace int16 = -3000
)

// tap is an application by tap onto the n-th phone, with a challenge (nil: a fresh
// one), a PIN and a capture.
func (s *stage) tap(c *citizen, n uint8, challenge []byte, pin string, step int16) (q world.Request) {
	if s.over {
		return q
	}
	if challenge == nil {
		var err error
		if challenge, _, err = s.Challenge(s.ctx); err != nil {
			s.fail(err)
			return q
		}
	}
	tap, err := s.Read(c.Chip, challenge, pin, false)
	if err != nil {
		s.fail(err)
		return q
	}
	sent, err := s.Show(c.Citizen, s.Device(c.Citizen, n), world.Nonce(challenge), rollout.Score(s.Scenario.Face.Threshold, step))
	s.fail(err)
	return s.ByTap(c.Citizen, s.key(c), challenge, world.Evidence(tap), sent)
}

func (s *stage) lose(by register.By, cause lifecycle.Causes) uint64 {
	return s.granted("report of "+cause.String(), s.Report(s.c.Citizen, by, s.key(s.c), cause, "gone", time.Time{}))
}

func (s *stage) find(by register.By, cause lifecycle.Causes, report uint64, wallet string) {
	s.granted("release of "+cause.String(), s.Release(s.c.Citizen, by, s.key(s.c), cause, report, wallet))
}

// refusals: everybody meets their own. The everyman asks for a code at the wrong
// centre, shows another face, enters a wrong PIN, and lets a code and a challenge
// grow old.
func (s *stage) refusals() {
	for n, want := range castMeets {
		c := s.cast[n]
		if c.Chip != nil {
			if q := s.tap(c, 0, nil, c.PIN, aGoodFace); !s.over {
				s.try(c, "a tap", q, want)
			}
		}
		s.try(c, "a code at a counter", s.MakeOffer(c.Citizen, atACounter, s.key(c), c.Home), want)
	}
	c := s.c
	if s.Clock.Now().Before(s.outcome.Model.Policy.AnyCentreFrom) {
		s.refused("a centre of another municipality", s.MakeOffer(c.Citizen, world.ClerkOf("a counter elsewhere"), s.key(c), neverOpens), lifecycle.WrongCentre)
	}
	s.refused("another face", s.tap(c, 0, nil, c.PIN, anothersFace), lifecycle.FaceNotMatched)
	wrong := "000000"
	if c.PIN == wrong {
		wrong = "111111"
	}
	s.refused("a wrong PIN", s.tap(c, 0, nil, wrong, aGoodFace), lifecycle.PINNotVerified)
	s.props.code = s.askOnce(s.c, s.MakeOffer(c.Citizen, atACounter, s.key(c), c.Home)).Offer.Code
	var err error
	s.props.challenge, _, err = s.Challenge(s.ctx)
	s.fail(err)
}

func (s *stage) staleCode() {
	sent, err := s.goodFace(s.c, s.Device(s.c.Citizen, 0), s.props.code)
	s.fail(err)
	s.refused("a code gone stale", s.ByOffer(s.c.Citizen, s.key(s.c), s.props.code, s.c.Home, sent), lifecycle.OfferExpired)
}

func (s *stage) staleChallenge() {
	s.refused("an old challenge", s.tap(s.c, 0, s.props.challenge, s.c.PIN, aGoodFace), lifecycle.CardNotGenuine)
}

// byOrder: a card is issued, suspended by order of the world.Registrar, and lifted by
// the registrar alone.
func (s *stage) byOrder() {
	s.issued(0)
	s.see(0, lifecycle.Accepted)
	order := s.lose(world.Registrar, lifecycle.Administrative)
	s.see(0, lifecycle.Suspended)
	s.seePlastic(s.c.Document, lifecycle.Suspended)
	for _, by := range []register.By{atACounter, world.CallCentre, register.Citizen(s.c.ID)} {
		s.refused("release of an order", s.Release(s.c.Citizen, by, s.key(s.c), lifecycle.Administrative, order, ""), lifecycle.NotAuthorised)
	}
	s.refused("a card while suspended by order", s.tap(s.c, 0, nil, s.c.PIN, aGoodFace), lifecycle.PersonSuspended)
	s.find(world.Registrar, lifecycle.Administrative, order, "")
	s.see(0, lifecycle.Accepted)
}

// bothLost: two causes are in force; each is released for itself.
func (s *stage) bothLost() {
	wallet := s.Device(s.c.Citizen, 0).Wallet()
	phone := s.lose(world.CallCentre, lifecycle.MobileLost)
	s.see(0, lifecycle.Suspended)
	s.seePlastic(s.c.Document, lifecycle.Accepted)
	card := s.lose(world.CallCentre, lifecycle.PhysicalLost)
	s.seePlastic(s.c.Document, lifecycle.Suspended)
	s.find(atACounter, lifecycle.PhysicalLost, card, "")
	s.seePlastic(s.c.Document, lifecycle.Accepted)
	s.see(0, lifecycle.Suspended)
	s.find(atACounter, lifecycle.MobileLost, phone, wallet)
	s.see(0, lifecycle.Accepted)
}

// newCard puts a new plastic card into force.
func (s *stage) newCard() {
	if s.over {
		return
	}
	p, err := s.Print(s.c.Citizen, true)
	s.fail(err)
	s.granted("a new plastic card", s.RegisterCard(s.c.Citizen, atACounter, s.key(s.c), p, "lost"))
	if !s.over {
		s.c.Take(p)
	}
}

// replaced: a new plastic card ends all that hung on the old one, but a lost
// phone still carries its report; then comes a new phone, and what was before
// never comes back.
func (s *stage) replaced() {
	wallet, old := s.Device(s.c.Citizen, 0).Wallet(), s.c.Document
	s.lose(world.CallCentre, lifecycle.PhysicalLost)
	s.newCard()
	s.seePlastic(old, lifecycle.NotValid)
	s.seePlastic(s.c.Document, lifecycle.Accepted)
	s.see(0, lifecycle.NotValid)
	s.issued(0)
	phone := s.lose(world.CallCentre, lifecycle.MobileLost)
	s.newCard()
	s.see(0, lifecycle.NotValid)
	s.refused("a card onto the phone that is reported lost", s.tap(s.c, 0, nil, s.c.PIN, aGoodFace), lifecycle.WalletReportedLost)
	s.find(atACounter, lifecycle.MobileLost, phone, wallet)
	s.issued(0)
	s.issued(1)
	s.see(0, lifecycle.NotValid)
	s.see(1, lifecycle.Accepted)
}

// castPlace is a kind of place with cached lists; -1: there is none.
func (r *run) castPlace() int {
	for i, p := range r.Scenario.Demand.Places {
		if p.Check == "cached" {
			return i
		}
	}
	return -1
}

// castVerifier is its own verifier, beyond those of the scenario and the probes.
func (r *run) castVerifier() verifierKey { return verifierKey{int16(r.castPlace()), -1 << 30} }

// listed: a verifier has fetched the lists before a report, and goes by them.
func (s *stage) listed() {
	if s.castPlace() < 0 || s.Current == nil {
		return
	}
	s.fail(s.fetchLists(s.castVerifier(), s.Current))
	s.byList(lifecycle.Accepted)
	s.props.report = s.lose(register.Citizen(s.c.ID), lifecycle.MobileLost)
	s.byList(lifecycle.Accepted)
}

// outOfDate: the list is past its ttl; the verifier does as its policy says. Then
// the report is withdrawn.
func (s *stage) outOfDate() {
	if s.props.report == 0 {
		return
	}
	want := lifecycle.CannotTell
	if s.Scenario.StatusLists.Expired == "accept" {
		want = lifecycle.Accepted
	}
	s.byList(want)
	s.fail(s.fetchLists(s.castVerifier(), s.Current))
	s.byList(lifecycle.Suspended)
	s.find(atACounter, lifecycle.MobileLost, s.props.report, s.Device(s.c.Citizen, 1).Wallet())
}

// backAgain: the release has reached everybody.
func (s *stage) backAgain() {
	if s.props.report == 0 {
		return
	}
	s.fail(s.fetchLists(s.castVerifier(), s.Current))
	s.byList(lifecycle.Accepted)
	s.see(1, lifecycle.Accepted)
}

// byList shows the mobile card on the second phone to the cast's verifier.
func (s *stage) byList(want lifecycle.Verdict) {
	if s.over || s.Device(s.c.Citizen, 1).Serial == 0 {
		s.over = true
		return
	}
	got, err := s.showCached(s.c, s.Device(s.c.Citizen, 1), s.castVerifier(), []string{"portrait"}, true)
	s.fail(err)
	s.c.probed("the mobile card, by a list", s.Clock.Now(), want.String(), got.Outcome)
}
