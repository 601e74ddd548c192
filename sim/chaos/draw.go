package chaos

import (
	"time"

	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Length is how many operations a campaign has, those between others apart.
const Length = 400

// cast are the residents of a campaign: of the municipality that is open and of
// the one that opens later, one under age, one without a valid card, cards with
// a chip and without.
var cast = []Resident{
	{Number: 1, Age: 40, Chip: true},
	{Number: 2, Age: 70},
	{Number: 3, Age: 16, Chip: true},
	{Number: 4, Age: 35, NoCard: true},
	{Number: 5, Age: 28, Chip: true, Away: true},
	{Number: 6, Age: 51, Away: true},
	{Number: everyman, Age: 33, Chip: true},
}

// everyman is left alone by chance, and meets everything once.
const everyman = 7

// Draw draws a campaign: so many operations by chance, each of which depends on
// the seed and its number alone, and what the everyman does before them, somewhere
// in the first half of them and after them, so that every campaign puts every
// property to the test.
func Draw(p *Place, seed uint64, length int) Campaign {
	c := Campaign{Scenario: p.name, Seed: seed, Residents: cast}
	source := rng.New(seed)
	d := &drawer{Stream: source.Stream(0, population.ForChaos, 0), place: p}
	life := d.below(length/2 + 1)
	number := func(ops []Op, from int) []Op {
		for i := range ops {
			ops[i].ID = from + i
		}
		return ops
	}
	c.Operations = number(d.overture(), (length+10)*10)
	for i := range length {
		if i == life {
			c.Operations = append(c.Operations, number(d.life(), (length+1)*10)...)
		}
		d.Stream = source.Stream(uint32(i+1), population.ForChaos, 0)
		c.Operations = append(c.Operations, d.operation((i+1)*10, true))
		d.Stream = source.Stream(uint32(i+1), population.ForChaos, ofRenewals)
		if d.percent(renewals) {
			c.Operations = append(c.Operations, d.fill(kindOf("renew"), (i+1)*10+afterwards, true))
		}
	}
	c.Operations = append(c.Operations, number(d.finale(), (length+20)*10)...)
	return c
}

// Renewals are drawn beside the others, from streams of their own: after so many in a
// hundred operations comes one, whose ID is so much higher.
const renewals, ofRenewals, afterwards = 5, 1, 5

// overture is what can be tried only before the calendar moves on.
func (d *drawer) overture() []Op {
	return []Op{
		{Do: "offer", Who: everyman, Away: true},
		{Do: "issue-tap", Who: 5},
	}
}

// life is a mobile card lost, found, lost with the plastic card, and moved to
// another phone; each phone tries to have its copies signed anew.
func (d *drawer) life() []Op {
	shortest, ttl := 0, time.Duration(0)
	for i, v := range d.place.verifiers() {
		if t := d.place.scenario.Demand.Places[v.place].TTL; v.past == "refuse" && (ttl == 0 || t < ttl) {
			shortest, ttl = i, t
		}
	}
	lists := &d.place.scenario.StatusLists
	bound := Duration(ttl + lists.PublishInterval + lists.Allowance + time.Minute)
	return []Op{
		{Do: "pass", For: Duration(longestOutage + 6*time.Minute)},
		{Do: "issue-tap", Who: everyman},
		{Do: "renew", Who: everyman},
		{Do: "report", Who: everyman, Cause: "mobile-lost", Role: "call-centre"},
		{Do: "renew", Who: everyman},
		{Do: "show-both", Who: everyman},
		{Do: "release", Who: everyman, Cause: "mobile-lost", Role: "call-centre", Names: namesNewest},
		{Do: "release", Who: everyman, Cause: "mobile-lost", Role: "clerk", Names: namesNewest},
		{Do: "repeat", Who: everyman},
		{Do: "pass", For: bound},
		{Do: "show", Who: everyman},
		{Do: "report", Who: everyman, Cause: "physical-lost", Role: "citizen"},
		{Do: "issue-tap", Who: everyman, Phone: 1},
		{Do: "pass", For: bound},
		{Do: "show-cached", Who: everyman, Verifier: shortest, Fetch: true},
		{Do: "pass", For: bound},
		{Do: "fetch", Verifier: shortest, Back: 1},
		{Do: "show-cached", Who: everyman, Verifier: shortest},
		{Do: "restart"},
		{Do: "release", Who: everyman, Cause: "physical-lost", Role: "registrar", Names: namesNewest},
		{Do: "pass", For: bound + Duration(6*time.Minute)},
		{Do: "show-cached", Who: everyman, Verifier: shortest, Fetch: true},
		{Do: "offer", Who: everyman},
		{Do: "redeem", Who: everyman, Phone: 1, Flaw: flawJustBelow},
		{Do: "redeem", Who: everyman, Phone: 1},
		{Do: "redeem", Who: everyman, Phone: 1},
		{Do: "renew", Who: everyman},
		{Do: "renew", Who: everyman, Phone: 1},
		{Do: "show", Who: everyman},
	}
}

// finale is what is left to be tried when all else is over: the eve of the day
// from which any centre serves everybody, an outage and what follows it, the end
// of a mobile card.
func (d *drawer) finale() []Op {
	return []Op{
		{Do: "pass", To: "any-centre", For: Duration(-6 * time.Hour)},
		{Do: "offer", Who: everyman, Away: true},
		{Do: "redeem", Who: everyman},
		{Do: "pass", To: "any-centre"},
		{Do: "offer", Who: everyman, Away: true},
		{Do: "redeem", Who: everyman},
		{Do: "issue-tap", Who: everyman},
		{Do: "outage", Nodes: "service", For: Duration(30 * time.Second)},
		{Do: "show", Who: everyman},
		{Do: "pass", For: Duration(6 * time.Minute)},
		{Do: "show", Who: everyman},
		{Do: "pass", To: expiry, Who: everyman, For: Duration(-time.Second)},
		{Do: "show", Who: everyman},
		{Do: "show-cached", Who: everyman, Fetch: true},
		{Do: "pass", For: Duration(time.Second)},
		{Do: "show", Who: everyman},
		{Do: "pass", For: Duration(20 * time.Minute)},
		{Do: "show", Who: everyman},
		{Do: "show-cached", Who: everyman, Fetch: true},
	}
}

// drawer draws the fields of operations.
type drawer struct {
	*rng.Stream
	place *Place
	in    uint32 // who is concerned by what comes in between; 0: anybody
}

func (d *drawer) below(n int) int { return int(uint64(d.Uint32()) * uint64(n) >> 32) }

func (d *drawer) percent(p int) bool { return d.below(100) < p }

func pick[T any](d *drawer, of ...T) T { return of[d.below(len(of))] }

// operation draws one; outer: others may come between its steps.
func (d *drawer) operation(id int, outer bool) Op {
	weight := func(k *kind) int {
		if outer {
			return k.weight
		}
		return k.inside
	}
	total := 0
	for i := range kinds {
		total += weight(&kinds[i])
	}
	n := d.below(total)
	k := &kinds[0]
	for i := range kinds {
		if k = &kinds[i]; n < weight(k) {
			break
		}
		n -= weight(k)
	}
	return d.fill(k, id, outer)
}

// fill draws what an operation of a kind is like, and what comes between its steps.
func (d *drawer) fill(k *kind, id int, outer bool) Op {
	o := Op{ID: id, Do: k.name}
	if k.draw != nil {
		k.draw(d, &o)
	}
	if outer && k.calls > 0 && d.percent(25) {
		o.Cut = d.cut(k, &o)
	}
	return o
}

// cut draws what comes between the steps: a crash, or one to three operations,
// mostly of the same resident.
func (d *drawer) cut(k *kind, o *Op) *Cut {
	// Mostly next to the last call, which commits: before it, when there was
	// something before, else after it.
	c := &Cut{Call: k.calls, After: k.calls == 1}
	if d.percent(40) {
		c.Call, c.After = 1+d.below(k.calls), d.percent(50)
	}
	if d.percent(25) {
		c.Crash, c.For = true, Duration(pick(d, 0, time.Second, time.Minute, 20*time.Minute))
		return c
	}
	if d.percent(70) {
		d.in = o.Who
	}
	for i := range 1 + d.below(3) {
		c.Then = append(c.Then, d.operation(o.ID+1+i, false))
	}
	d.in = 0
	return c
}

// who draws a resident: mostly one who can do everything.
func (d *drawer) who() uint32 {
	if d.in != 0 {
		return d.in
	}
	return pick[uint32](d, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 5, 5, 6)
}

// phones is how many each has.
const phones = 2

func (d *drawer) phone() uint8 { return pick[uint8](d, 0, 0, 0, 0, 1) }

func (d *drawer) lost() string {
	switch n := d.below(100); {
	case n < 3:
		return lostRequest
	case n < 8:
		return lostAnswer
	}
	return ""
}

func (d *drawer) cause() string {
	if d.percent(6) {
		return "administrative"
	}
	return pick(d, "physical-lost", "mobile-lost")
}

func (d *drawer) issueTap(o *Op) {
	o.Who, o.Phone, o.Lost = d.who(), d.phone(), d.lost()
	if d.percent(25) {
		o.Flaw = pick(d, flawJustBelow, flawOtherFace, flawWrongPIN, flawOldChallenge, flawOldChallenge, flawClone)
	}
}

func (d *drawer) offer(o *Op) {
	o.Who, o.Lost = d.who(), d.lost()
	o.Away = o.Who >= 5 != d.percent(15)
}

func (d *drawer) redeem(o *Op) {
	o.Who, o.Phone, o.Lost = d.who(), d.phone(), d.lost()
	if d.percent(8) {
		o.Of = d.who()
	}
	if d.percent(15) {
		o.Back = 1
	}
	if d.percent(15) {
		o.Flaw = pick(d, flawJustBelow, flawOtherFace)
	}
}

func (d *drawer) renew(o *Op) {
	o.Who, o.Phone, o.Lost = d.who(), d.phone(), d.lost()
	if d.percent(15) {
		o.Back = 1
	}
}

func (d *drawer) report(o *Op) {
	o.Who, o.Cause, o.Lost = d.who(), d.cause(), d.lost()
	o.Role = pick(d, "citizen", "call-centre", "clerk", "registrar")
	if o.Cause == "administrative" && !d.percent(10) {
		o.Role = "registrar"
	}
}

func (d *drawer) release(o *Op) {
	o.Who, o.Cause, o.Lost, o.Phone = d.who(), d.cause(), d.lost(), d.phone()
	o.Role = pick(d, "citizen", "clerk", "registrar", "registrar", "call-centre")
	if o.Cause == "administrative" && !d.percent(20) {
		o.Role = "registrar"
	}
	o.Names = pick(d, namesNewest, namesNewest, namesNewest, namesNewest, namesNewest, namesOlder, namesNone)
}

func (d *drawer) newCard(o *Op) {
	o.Who, o.Lost, o.Chip = d.who(), d.lost(), d.percent(85)
	o.Role = pick(d, "clerk", "clerk", "registrar", "registrar", "registrar", "citizen")
}

func (d *drawer) remove(o *Op) { o.Who = d.who() }

func (d *drawer) show(o *Op) { o.Who, o.Phone = d.who(), d.phone() }

func (d *drawer) showPlastic(o *Op) {
	o.Who = d.who()
	if d.percent(20) {
		o.Back = 1
	}
}

func (d *drawer) showBoth(o *Op) { o.Who, o.Phone, o.Back = d.who(), d.phone(), d.below(2) }

func (d *drawer) showCached(o *Op) {
	o.Who, o.Phone = d.who(), d.phone()
	o.Verifier = d.verifier()
	o.Fetch = d.percent(30)
}

func (d *drawer) verifier() int { return d.below(max(1, len(d.place.verifiers()))) }

func (d *drawer) fetch(o *Op) {
	o.Verifier = d.verifier()
	if d.percent(30) {
		o.Back = 1 + d.below(2)
	}
}

func (d *drawer) again(o *Op) {
	o.Who, o.Back, o.Lost = d.who(), pick(d, 0, 0, 0, 1, 2, 5), d.lost()
}

func (d *drawer) pass(o *Op) {
	switch n := d.below(100); {
	case n < 35:
		o.For = Duration(time.Duration(1+d.below(30)) * time.Second)
	case n < 50:
		o.For = Duration(time.Duration(80+d.below(20)) * time.Second)
	case n < 75:
		o.For = Duration(time.Duration(1+d.below(10)) * time.Minute)
	case n < 92:
		o.For = Duration(time.Duration(30+d.below(5*60)) * time.Minute)
	case n < 97:
		o.For = Duration(time.Duration(12+d.below(24)) * time.Hour)
	default:
		o.To, o.For = pick(d, "opening", "any-centre"), Duration(pick(d, -6*time.Hour, -time.Minute, -time.Second, 0, time.Minute))
	}
}

const longestOutage = time.Hour

func (d *drawer) outage(o *Op) {
	o.Nodes = pick(d, "service", "service", "status")
	o.For = Duration(pick(d, 30*time.Second, 5*time.Minute, longestOutage))
}

func (d *drawer) restart(o *Op) {
	o.For = Duration(pick(d, 0, 2*time.Second, time.Minute, 30*time.Minute))
}
