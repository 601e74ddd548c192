package chaos

import (
	"context"
	"slices"
	"time"

	"rollcall.example/rollcall/sim/oracle"
)

// Shrink takes out of a campaign whatever does not matter for the property to be
// violated: operations (delta debugging: halves, quarters, ... single ones),
// what comes between their steps, residents, fields. It returns what is left
// with its outcome, and how often it ran. An error ends it early, with the
// smallest campaign so far.
func Shrink(ctx context.Context, p *Place, c Campaign, property oracle.Property) (Campaign, *Outcome, int, error) {
	s := &shrinker{ctx: ctx, place: p, property: property, best: c}
	if !s.try(c) {
		return c, s.outcome, s.runs, s.err
	}
	s.prefix()
	for before := -1; before != s.size() && s.err == nil; {
		before = s.size()
		s.operations()
		s.pairs()
		s.between()
		s.residents()
		s.fields()
	}
	return s.best, s.outcome, s.runs, s.err
}

// mostRuns bounds the work of one shrinking.
const mostRuns = 2000

type shrinker struct {
	ctx      context.Context
	property oracle.Property
	place    *Place
	best     Campaign
	outcome  *Outcome
	runs     int
	err      error
}

// size is what the shrinking is to make less of.
func (s *shrinker) size() int {
	n := 10*len(s.best.Operations) + len(s.best.Residents)
	for _, o := range s.best.Operations {
		if o.Cut != nil {
			n += 5 + 10*len(o.Cut.Then)
		}
	}
	return n
}

// try runs a smaller campaign, and keeps it if the property is violated still.
func (s *shrinker) try(c Campaign) bool {
	if s.err != nil || s.runs >= mostRuns {
		return false
	}
	s.runs++
	o, err := Run(s.ctx, s.place, c)
	if err != nil {
		s.err = s.ctx.Err() // a campaign that cannot run is no better one
		return false
	}
	if o.Verdict.ByProperty[s.property].Violations == 0 {
		return false
	}
	s.best, s.outcome = c, o
	return true
}

func (s *shrinker) with(ops []Op) Campaign {
	c := s.best
	c.Operations = ops
	return c
}

// prefix leaves out what comes after the violation.
func (s *shrinker) prefix() {
	low, high := 0, len(s.best.Operations) // high shows it
	for low < high {
		mid := (low + high) / 2
		if s.try(s.with(s.best.Operations[:mid])) {
			high = mid
		} else {
			low = mid + 1
		}
	}
}

// operations leaves out runs of them, long ones first.
func (s *shrinker) operations() {
	for n := max(1, len(s.best.Operations)/2); ; n /= 2 {
		for from := len(s.best.Operations) - n; from > -n; from -= n {
			ops := s.best.Operations
			lo := max(0, from)
			if lo >= len(ops) {
				continue
			}
			s.try(s.with(slices.Concat(ops[:lo], ops[min(from+n, len(ops)):])))
		}
		if n == 1 {
			return
		}
	}
}

// pairs leaves out two of few operations, where neither can go alone.
func (s *shrinker) pairs() {
	const few = 12
	for i := 0; i < len(s.best.Operations); i++ {
		for k := i + 1; k < len(s.best.Operations) && len(s.best.Operations) <= few; k++ {
			ops := s.best.Operations
			if s.try(s.with(slices.Concat(ops[:i], ops[i+1:k], ops[k+1:]))) {
				k = i
			}
		}
	}
}

// between leaves out what comes between the steps of operations, or the
// operation around it.
func (s *shrinker) between() {
	for i := 0; i < len(s.best.Operations); i++ {
		c := s.best.Operations[i].Cut
		if c == nil {
			continue
		}
		if s.change(i, func(o *Op) { o.Cut = nil }) {
			continue
		}
		// Before it or after it, instead of amid.
		ops := s.best.Operations
		host, inner := ops[i], c.Then
		host.Cut = nil
		if c.Crash {
			inner = append(slices.Clone(inner), Op{ID: host.ID + 9, Do: "restart", For: c.For})
		}
		if !c.Crash && s.try(s.with(slices.Concat(ops[:i], inner, ops[i+1:]))) ||
			s.try(s.with(slices.Concat(ops[:i], inner, []Op{host}, ops[i+1:]))) ||
			s.try(s.with(slices.Concat(ops[:i], []Op{host}, inner, ops[i+1:]))) {
			continue
		}
		for k := len(c.Then) - 1; k >= 0; k-- {
			s.change(i, func(o *Op) {
				cut := *o.Cut
				cut.Then = slices.Delete(slices.Clone(cut.Then), k, k+1)
				o.Cut = &cut
			})
		}
	}
}

// change changes one operation.
func (s *shrinker) change(i int, f func(*Op)) bool {
	ops := slices.Clone(s.best.Operations)
	f(&ops[i])
	return s.try(s.with(ops))
}

func (s *shrinker) residents() {
	for i := len(s.best.Residents) - 1; i >= 0; i-- {
		c := s.best
		c.Residents = slices.Delete(slices.Clone(c.Residents), i, i+1)
		s.try(c)
	}
	plain := func(i int, f func(*Resident)) {
		c := s.best
		c.Residents = slices.Clone(c.Residents)
		if f(&c.Residents[i]); c.Residents[i] != s.best.Residents[i] {
			s.try(c)
		}
	}
	for i := range s.best.Residents {
		plain(i, func(r *Resident) { *r = Resident{Number: r.Number, Age: 40, Chip: true} })
		plain(i, func(r *Resident) { r.Away = false })
		plain(i, func(r *Resident) { r.Age = 40 })
		plain(i, func(r *Resident) { r.Chip = true })
	}
}

// simpler are the ways in which an operation can be a simpler one.
var simpler = []struct {
	is func(*Op) bool
	do func(*Op)
}{
	{is: func(o *Op) bool { return o.Lost != "" }, do: func(o *Op) { o.Lost = "" }},
	{is: func(o *Op) bool { return o.Flaw != "" }, do: func(o *Op) { o.Flaw = "" }},
	{is: func(o *Op) bool { return o.Phone != 0 }, do: func(o *Op) { o.Phone = 0 }},
	{is: func(o *Op) bool { return o.Back != 0 }, do: func(o *Op) { o.Back = 0 }},
	{is: func(o *Op) bool { return o.Of != 0 }, do: func(o *Op) { o.Of = 0 }},
	{is: func(o *Op) bool { return o.Names != "" && o.Names != namesNewest }, do: func(o *Op) { o.Names = namesNewest }},
	{is: func(o *Op) bool { return o.Role != "" && o.Role != "citizen" }, do: func(o *Op) { o.Role = "citizen" }},
	{is: func(o *Op) bool { return o.To != "" }, do: func(o *Op) { o.To, o.For = "", Duration(time.Hour) }},
	{is: func(o *Op) bool { return o.For > Duration(time.Minute) && o.To == "" }, do: func(o *Op) { o.For = Duration(time.Minute) }},
	{is: func(o *Op) bool { return o.For > Duration(time.Hour) && o.To == "" }, do: func(o *Op) { o.For = o.For / Duration(time.Hour) * Duration(time.Hour) }},
}

func (s *shrinker) fields() {
	for i := range s.best.Operations {
		for _, x := range simpler {
			if x.is(&s.best.Operations[i]) {
				s.change(i, x.do)
			}
		}
		if c := s.best.Operations[i].Cut; c != nil {
			for k := range c.Then {
				for _, x := range simpler {
					if x.is(&s.best.Operations[i].Cut.Then[k]) {
						s.change(i, func(o *Op) {
							cut := *o.Cut
							cut.Then = slices.Clone(cut.Then)
							x.do(&cut.Then[k])
							o.Cut = &cut
						})
					}
				}
			}
		}
	}
	// Two times that pass one after the other are one.
	for i := len(s.best.Operations) - 2; i >= 0; i-- {
		ops := s.best.Operations
		if i+1 < len(ops) && ops[i].Do == "pass" && ops[i+1].Do == "pass" && ops[i].To == "" && ops[i+1].To == "" {
			one := ops[i]
			one.For += ops[i+1].For
			s.try(s.with(slices.Concat(ops[:i], []Op{one}, ops[i+2:])))
		}
	}
}
