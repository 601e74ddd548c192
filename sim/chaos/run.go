package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/world"
)

// Outcome is what came of a campaign.
type Outcome struct {
	History *oracle.History
	Verdict *oracle.Verdict
	// Told says of each operation, by ID, what came of it.
	Told map[int]string
	// Done counts operations that found something to do, those between the steps
	// of others included.
	Done int
}

// run is a campaign under way.
type run struct {
	*world.World
	ctx   context.Context
	place *Place
	told  map[int]string
	done  int

	people    map[uint32]*person
	keys      map[register.By]int // requests so far
	verifiers []*world.Offline
	seam      seamState
	outages   map[string]time.Time // what is out until when: service, status
	lists     bool                 // the lists are being published
}

// person is a resident with what they remember.
type person struct {
	*world.Citizen
	resident Resident
	sent     []*sent // requests, the newest last
	code     []offered
	reports  map[lifecycle.Causes][]uint64 // acknowledged, the newest last
	stale    []byte                        // a challenge that was not used
	attested map[*world.Device]*sent       // whose keys the phone holds ready
	renewals map[*world.Device]*sent       // asked for last
}

// offered is a clerk's code.
type offered struct{ code, centre string }

// roomFor is the number of copies of mobile cards for which the lists have room.
const roomFor = 600

// Run lets a campaign happen and has the oracle judge it. An error is a failure
// of the driver or its surroundings, or an interruption; never a violation.
func Run(ctx context.Context, p *Place, c Campaign) (_ *Outcome, err error) {
	dir, err := os.MkdirTemp(p.Scratch, "rollcall-chaos-")
	if err != nil {
		return nil, fmt.Errorf("the register needs a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := *p.scenario
	s.Seed = c.Seed
	r := &run{World: world.NewWith(p.authorities, &s, p.policy, dir, roomFor), ctx: ctx, place: p, told: map[int]string{},
		people: map[uint32]*person{}, keys: map[register.By]int{}, outages: map[string]time.Time{}}
	r.Seam = r.stand
	if p.plant != nil {
		r.Plant = p.plant()
	}
	r.History.Policy = world.OraclePolicy(&s, &p.policy)
	r.Clock.Set(p.start.Add(-time.Hour))
	if err := r.Open(ctx); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if err := r.settle(c.Residents); err != nil {
		return nil, err
	}
	for i := range c.Operations {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := r.happen(&c.Operations[i]); err != nil {
			return nil, fmt.Errorf("operation %d, %s: %w", c.Operations[i].ID, c.Operations[i], err)
		}
	}
	if err := r.advance(r.backAt()); err != nil { // what is out of order comes back
		return nil, err
	}
	return r.judge()
}

// settle enters the residents into the register, and opens the verifiers.
func (r *run) settle(residents []Resident) error {
	var entries []world.Entry
	for _, x := range residents {
		birth := r.place.start.AddDate(-x.Age, -6, 0)
		birth = time.Date(birth.Year(), birth.Month(), birth.Day(), 0, 0, 0, 0, time.UTC)
		home := r.municipality(x.Away)
		p := population.Person{ID: x.Number, FamilyName: "홍", GivenName: "길동", Romanised: "HONG GILDONG", Age: x.Age, Male: x.Number%2 == 1,
			Birth: birth, Address: "어딘가 1"}
		p.Numbered(x.Number)
		c := r.NewCitizen(x.Number, p, home)
		r.people[x.Number] = &person{Citizen: c, resident: x, reports: map[lifecycle.Causes][]uint64{}, attested: map[*world.Device]*sent{}, renewals: map[*world.Device]*sent{}}
		e, err := r.Entry(c, home+"00000", !x.NoCard, x.Chip)
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	const together = 1 // so that their order is their numbers'
	if err := r.Enter(r.ctx, entries, together); err != nil {
		return err
	}
	r.Clock.Set(r.place.start)
	if err := r.publish(); err != nil {
		return err
	}
	for i, at := range r.place.verifiers() {
		v, err := r.NewOffline(at.place, int32(i), at.past)
		if err != nil {
			return err
		}
		r.verifiers = append(r.verifiers, v)
		if err := r.Fetch(v, r.Current); err != nil {
			return err
		}
	}
	return nil
}

// verifier goes by cached lists.
type verifier struct {
	place int
	past  string // what it does with a list past its ttl
}

// verifiers are one that refuses for each kind of place with cached lists, and
// one that accepts, of the kind with the shortest ttl.
func (p *Place) verifiers() (out []verifier) {
	shortest := -1
	for _, place := range p.cached {
		out = append(out, verifier{place, "refuse"})
		if shortest < 0 || p.scenario.Demand.Places[place].TTL < p.scenario.Demand.Places[shortest].TTL {
			shortest = place
		}
	}
	if shortest >= 0 {
		out = append(out, verifier{shortest, "accept"})
	}
	return out
}

func (r *run) municipality(away bool) string {
	if away {
		return r.place.away
	}
	return r.place.home
}

// happen lets one operation happen.
func (r *run) happen(o *Op) error {
	k := kindOf(o.Do)
	if k == nil {
		return fmt.Errorf("there is no operation %q", o.Do)
	}
	told, err := r.cut(o, func() (string, error) { return k.do(r, o) })
	if told == "" {
		told = "nothing to do"
	} else {
		r.done++
	}
	r.told[o.ID] = told
	return err
}

// judge takes the audit and lets the oracle judge.
func (r *run) judge() (*Outcome, error) {
	var export bytes.Buffer
	if err := r.Front.Export(r.ctx, &export); err != nil {
		return nil, fmt.Errorf("the audit export: %w", err)
	}
	r.History.Audit = export.Bytes()
	return &Outcome{History: &r.History, Verdict: oracle.Judge(&r.History, oracle.Options{}), Told: r.told, Done: r.done}, nil
}
