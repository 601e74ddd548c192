package loadgen

import (
	"time"

	"rollcall.example/rollcall/sim/oracle"
)

// kind of a citizen: ordinary, or an exception.
type kind int

const (
	ordinary    kind = iota
	child            // too young for a mobile card
	withoutChip      // their plastic card has none
	elsewhere        // they live in another municipality
)

// exceptions are the kinds among ten citizens.
var exceptions = [10]kind{0: child, 2: withoutChip, 4: elsewhere, 7: elsewhere}

func (o *Options) kindOf(n int) kind {
	k := exceptions[n%len(exceptions)]
	if !o.Exceptions || k == elsewhere && len(o.Elsewhere) == 0 {
		return ordinary
	}
	return k
}

// elsewhereOf is where one lives who lives elsewhere: the next of them in turn.
func (o *Options) elsewhereOf(n int) string { return o.Elsewhere[n/3%len(o.Elsewhere)] }

func (c *Citizen) is(k kind) bool { return c.crowd.o.kindOf(int(c.number)) == k }

// barred says what the rules have against an application by this citizen that was
// decided between two moments; empty: nothing. It is unsure if a rule has changed in
// between.
func (c *Citizen) barred(app *oracle.Application, begin, end time.Time) (why string, unsure bool) {
	rules := c.crowd.o.Rules
	opens, ever := rules.Opens[c.home]
	away := app.Channel == oracle.Centre && app.Centre != c.home
	switch {
	case c.age(begin) < rules.MinimumAge:
		return "they are too young", false
	case !ever || end.Before(opens):
		return "their municipality is not open yet", false
	case away && end.Before(rules.AnyCentreFrom):
		return "the centre is another municipality's", false
	}
	return "", begin.Before(opens) || away && begin.Before(rules.AnyCentreFrom)
}
