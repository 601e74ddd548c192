package rollout

// Ending is what came of a resident's wish for the mobile card by the end of the
// run. Everybody has exactly one.
type Ending uint8

// The endings. Those from NoPhone on exclude; who is Pending may still get it.
const (
	NotWanted Ending = iota
	Got              // was issued one at least once
	Pending          // is on the way: a visit, a tap, a plastic card on order, the next try

	NoPhone       // would have wished by then, and has no smartphone
	NotOpen       // asked before the region opened, which it did not do within the run
	NoPlastic     // the plastic card that issuing needs is lost, suspended, or not yet had
	FaceFailed    // gave up: at the last try the face was not matched
	GaveUpNoNFC   // gave up at the counter unserved, and could not tap: the phone does not read cards
	GaveUpNoChip  // the same: the card has no chip, and they have not paid for one
	GaveUp        // the same, with a card and a phone that could have tapped
	RefusedAtLast // gave up: at the last try refused or not read for another reason
	NumEndings    = iota
)

// PhoneKind is the phone that somebody has.
type PhoneKind uint8

// The kinds.
const (
	WithoutPhone PhoneKind = iota
	WithoutNFC
	WithNFC
	NumPhoneKinds = iota
)

func (c *Citizen) phoneKind() PhoneKind {
	switch c.Flags & (HasPhone | HasNFC) {
	case HasPhone | HasNFC:
		return WithNFC
	case HasPhone:
		return WithoutNFC
	}
	return WithoutPhone
}

// Endings counts residents by age, phone and ending.
type Endings [AgeBands][NumPhoneKinds][NumEndings]int64

// CountEnding counts what came of a citizen's wish. It looks at the record when the
// run is over; nothing is kept for it meanwhile.
func (m *Model) CountEnding(t *Tally, c *Citizen, municipality int) {
	t.Endings[AgeBand(int(c.Age))][c.phoneKind()][m.ending(c, municipality)]++
}

func (m *Model) ending(c *Citizen, municipality int) Ending {
	switch {
	case c.Wallet != 0:
		return Got
	case c.Flags&HasPhone == 0:
		if at, _ := m.wishes(c.ID, int(c.Age), municipality); at != Never {
			return NoPhone
		}
		return NotWanted
	case c.AffairStep == Idle || c.AffairStep == WantMobile || c.AffairStep == WantToday:
		return NotWanted // the wish has not begun
	case m.opens[municipality] >= m.End:
		return NotOpen
	case c.Flags&WantsMobile == 0:
		return c.gaveUp()
	case c.Flags&PlasticHeld == 0 || !c.Law.CardActive():
		return NoPlastic
	}
	return Pending
}

// gaveUp tells apart those who gave up, by what their last try broke off at.
func (c *Citizen) gaveUp() Ending {
	switch {
	case c.failed == notMatched:
		return FaceFailed
	case c.failed != notServed:
		return RefusedAtLast
	case c.Flags&HasNFC == 0:
		return GaveUpNoNFC
	case c.Flags&Chip == 0:
		return GaveUpNoChip
	}
	return GaveUp
}
