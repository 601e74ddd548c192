package rollout

import (
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
)

// From when to when the exposure of a suspended card is measured.

// suspendedHolder is a holder whose card and phone were lost at one instant and
// reported at the next two.
func suspendedHolder(m *Model, p *Place, causes ...lifecycle.Event) *Citizen {
	c := aHolder(m, p, 5)
	p.lost(c, p.Start)
	for i, e := range causes {
		at := p.Start + int64(i+1)*minute
		m.move(p, c, e, at)
		m.suspended(p, c, at, e == lifecycle.ReportPhysicalLost)
	}
	return c
}

func TestExposureIsMeasuredUntilTheLastCauseIsReleased(t *testing.T) {
	m := model(t, "announced")
	p := place(m, sejong, 20*day)
	c := suspendedHolder(m, p, lifecycle.ReportPhysicalLost, lifecycle.ReportMobileLost)
	w := &p.Wallets[0]
	m.move(p, c, lifecycle.ReleasePhysical, p.Start+hour)
	p.released(c)
	if w.Acked != p.Start+minute || len(p.T.Exposure) != 1 {
		t.Fatalf("one of two causes released: acknowledged at %d, %d measured", w.Acked-p.Start, len(p.T.Exposure))
	}
	w.LastAccepted = p.Start + 2*hour // by an old list
	m.move(p, c, lifecycle.ReleaseMobile, p.Start+3*hour)
	p.released(c)
	if e := p.T.Exposure[0]; e.FromLoss != 2*hour || e.FromAck != 2*hour-minute || w.Acked != Never {
		t.Errorf("both released: %+v", e)
	}
}

func TestANewCardEndsTheExposureOfTheOneBefore(t *testing.T) {
	m := model(t, "announced")
	p := place(m, sejong, 20*day)
	c := suspendedHolder(m, p, lifecycle.ReportMobileLost)
	p.Wallets[0].LastAccepted = p.Start + hour
	c.Device, c.Flags = 1, c.Flags|WantsMobile
	m.issue(p, c, p.Start+2*hour, lifecycle.Counter)
	if e := p.T.Exposure[0]; e.FromLoss != hour || e.FromAck != hour-minute {
		t.Errorf("measured %+v", e)
	}
	if w := &p.Wallets[0]; w.Lost != Never || w.Acked != Never {
		t.Errorf("the old card is still measured: %+v", w)
	}
}

// Who finds the card at home has not lost it: a later loss is measured from
// itself.
func TestACardFoundAtHomeWasNotLost(t *testing.T) {
	m := model(t, "announced")
	p := place(m, sejong, 20*day)
	c := aHolder(m, p, 5)
	w := &p.Wallets[0]
	p.lost(c, p.Start)
	c.CardStep, c.Card, c.Flags = FoundAtHome, p.Start+minute, c.Flags&^PlasticHeld
	m.Act(p, c)
	if w.Lost != Never || c.Flags&PlasticHeld == 0 {
		t.Fatalf("found, and yet lost at %d", w.Lost)
	}
	p.lost(c, p.Start+hour)
	if w.Lost != p.Start+hour {
		t.Errorf("lost at %d, want an hour", w.Lost-p.Start)
	}
}

func TestAFinderStopsWhenThePhoneIsBack(t *testing.T) {
	m := model(t, "announced")
	p := place(m, sejong, 20*day)
	c := aHolder(m, p, 5)
	c.PhoneStep, c.Phone, c.Finder, c.Flags = PhoneBack, p.Start+minute, p.Start+hour, c.Flags&^PhoneHeld
	p.Wallets[0].Found = true
	m.Act(p, c)
	if c.Finder != Never || c.Flags&PhoneHeld == 0 {
		t.Errorf("the finder tries again %d ms later", c.Finder-p.Start)
	}
}

// A finder who is refused knows why; one who is not told tries again.
func TestAFinderStopsWhenRefused(t *testing.T) {
	m := model(t, "announced")
	for v, goesOn := range map[lifecycle.Verdict]bool{lifecycle.Accepted: true, lifecycle.CannotTell: true, lifecycle.Suspended: false, lifecycle.NotValid: false} {
		p := place(m, sejong, 20*day)
		c := aHolder(m, p, 5)
		c.Finder = p.Start + hour
		m.presented(p, c, c.Wallet, OfFinder, v, false, Record{At: p.Start, Place: int16(cachedPlaces(m)[0])})
		if (c.Finder != Never) != goesOn {
			t.Errorf("after %v the finder goes on: %v", v, c.Finder != Never)
		}
	}
}
