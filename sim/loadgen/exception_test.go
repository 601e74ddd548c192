package loadgen

import (
	"testing"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/oracle"
)

// Of ten citizens one is too young, one has no chip, two live elsewhere.
func TestExceptionsAmongCitizens(t *testing.T) {
	o := Options{Exceptions: true, Elsewhere: []string{"11110", "30170"}}
	count := map[kind]int{}
	homes := map[string]int{}
	for n := range 100 {
		count[o.kindOf(n)]++
		if o.kindOf(n) == elsewhere {
			homes[o.elsewhereOf(n)]++
		}
	}
	if count[child] != 10 || count[withoutChip] != 10 || count[elsewhere] != 20 || count[ordinary] != 60 || len(homes) != 2 {
		t.Errorf("%v, %v", count, homes)
	}
	for _, o := range []Options{{}, {Elsewhere: o.Elsewhere}} {
		for n := range 10 {
			if o.kindOf(n) != ordinary {
				t.Errorf("%d is an exception that nobody asked for", n)
			}
		}
	}
	if o := (Options{Exceptions: true}); o.kindOf(4) != ordinary {
		t.Error("somebody lives elsewhere, which is nowhere")
	}
}

func TestWhatTheRulesHaveAgainstAnApplication(t *testing.T) {
	hour := time.Hour
	for _, x := range []struct {
		name   string
		age    int
		opens  time.Duration // of the municipality, before the moment; 0: never
		centre string
		any    time.Duration // any centre, before the moment
		why    string
		unsure bool
	}{
		{"an adult of an open municipality", 30, hour, "", 0, "", false},
		{"a child", 16, hour, "", 0, "they are too young", false},
		{"of a municipality that never opens", 30, 0, "", 0, "their municipality is not open yet", false},
		{"of one that opens later", 30, -hour, "", 0, "their municipality is not open yet", false},
		{"of one that opens meanwhile", 30, -time.Second, "", 0, "", true},
		{"at another centre", 30, hour, "11110", -hour, "the centre is another municipality's", false},
		{"at another centre, since an hour", 30, hour, "11110", hour, "", false},
		{"at another centre, since a moment", 30, hour, "11110", -time.Second, "", true},
	} {
		c := alone()
		c.person.Birth = begin.AddDate(-x.age, 0, -1)
		c.crowd.o.Rules = &lifecycle.Policy{MinimumAge: 17, Opens: map[string]time.Time{}, AnyCentreFrom: begin.Add(-x.any)}
		if x.opens != 0 {
			c.crowd.o.Rules.Opens[c.home] = begin.Add(-x.opens)
		}
		app := &oracle.Application{Channel: oracle.Tap}
		if x.centre != "" {
			app = &oracle.Application{Channel: oracle.Centre, Centre: x.centre}
		}
		if why, unsure := c.barred(app, begin, begin.Add(2*time.Second)); why != x.why || unsure != x.unsure {
			t.Errorf("%s: %q, unsure %t", x.name, why, unsure)
		}
	}
}

// A service that is started again answers late what was asked in time.
func TestACodeWhoseTimeIsOverMayBeRefused(t *testing.T) {
	o := Options{Rules: &lifecycle.Policy{OfferLifetime: 3 * time.Second}}
	for _, x := range []struct {
		reason string
		made   time.Time
		after  time.Duration
		late   bool
	}{
		{"offer-expired", begin, 4 * time.Second, true},
		{"invalid_request", begin, 4 * time.Second, true},
		{"offer-expired", begin, 2 * time.Second, false},
		{"invalid_request", begin, 2 * time.Second, false},
		{"offer-used", begin, 4 * time.Second, false},
		{"invalid_request", time.Time{}, 4 * time.Second, false}, // there was no code
	} {
		if got := o.late(x.reason, x.made, begin.Add(x.after)); got != x.late {
			t.Errorf("%s after %v of a code of %v: %t", x.reason, x.after, x.made, got)
		}
	}
}
