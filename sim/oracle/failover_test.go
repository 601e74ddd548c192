package oracle

import (
	"fmt"
	"testing"
	"time"
)

// sites are a main register and a stand-by's, of which one serves.
type sites struct {
	*world
	copy, main kept
	log        []AuditEntry // the main register's, while the stand-by serves
	taken      []any
}

// copied gives the stand-by a copy.
func (s *sites) copied() {
	s.copy = s.keep()
	s.h.Failover = &Failover{Copied: s.stamp()}
}

func (s *sites) burns() {
	s.main, s.log = s.keep(), s.world.log
	s.world.log = append([]AuditEntry(nil), s.world.log...)
	s.restore(s.copy)
	fire := Fault{Name: "fire", From: s.now}
	s.pass(7 * time.Hour)
	s.h.Failover.Up = s.stamp()
	fire.To = s.now
	s.h.Faults = append(s.h.Faults, fire)
}

// back has the main register serve again. What the stand-by took is applied.
func (s *sites) back() {
	s.h.Failover.Audit = export(s.world.log)
	s.people = map[string]*person{}
	s.world.log = s.log
	s.restore(s.main)
	s.pass(24 * time.Hour)
	s.h.Failover.Back = s.stamp()
	for _, t := range s.taken {
		s.apply1(t)
	}
}

func (s *sites) apply1(t any) {
	switch t := t.(type) {
	case *Report:
		s.report(Report{Call: Call{Citizen: t.Citizen, Key: t.Key, Role: t.Role}, Cause: t.Cause})
	case *Release:
		s.release(Release{Call: Call{Citizen: t.Citizen, Key: t.Key, Role: t.Role}, Cause: t.Cause})
	}
}

// ofSites plants something into what happens at two sites.
func ofSites(build func(s *sites, wrong bool)) func(*world, bool) {
	return func(w *world, wrong bool) { build(&sites{world: w}, wrong) }
}

// ofAFire is a right history of two sites, in which something of each kind is lost.
func ofAFire() *sites {
	s := &sites{world: newWorld()}
	cards := s.holders("1", "2", "3")
	s.lose("1", PhysicalLost)
	s.copied()
	s.find("1", PhysicalLost)
	s.lose("2", MobileLost)
	s.citizens("4")
	late := s.issue("4", "wallet-4")
	s.burns()
	s.show(cards[0], Suspended) // found, and the stand-by does not know
	s.show(cards[1], Accepted)  // lost, and the stand-by does not know
	s.show(cards[2])
	s.show(late, NotValid)
	s.showCached(cards[1], s.publish(), s.stamp(), Accepted)
	s.taken = append(s.taken, s.lose("3", PhysicalLost))
	s.show(cards[2])
	s.back()
	for _, c := range append(cards, late) {
		s.show(c)
	}
	return s
}

func TestWhatIsLostAtAStandbySiteIsCountedAndNotHeldAgainstIt(t *testing.T) {
	s := ofAFire()
	v := Judge(s.history(), Options{})
	if v.Violations() != 0 {
		t.Fatalf("found %s", sentences(v))
	}
	if v.DeclaredLost != 3 || v.LostRefused != 2 || v.LostAccepted != 2 || v.Unjudged != 0 {
		t.Errorf("%d changes declared lost, %d refused and %d accepted for it, %d not judged", v.DeclaredLost, v.LostRefused, v.LostAccepted, v.Unjudged)
	}
}

func TestALossOutsideOfTheDeclaredTimeIsFound(t *testing.T) {
	for _, shown := range []bool{true, false} { // the audit tells, too
		planted(t, "S5", lossBefore(shown))
	}
}

// lossBefore is a copy that lacks what was acknowledged before it.
func lossBefore(shown bool) func(*world, bool) {
	return ofSites(func(s *sites, wrong bool) {
		card := s.holders("1")[0]
		if wrong {
			s.copy = s.keep() // a copy that is older than it is said to be
		}
		s.lose("1", PhysicalLost)
		if !wrong {
			s.copy = s.keep()
		}
		s.h.Failover = &Failover{Copied: s.stamp()}
		s.burns()
		if shown {
			s.show(card)
		}
		s.back()
	})
}

func TestAChangeThatTheMainRegisterLostForGoodIsFound(t *testing.T) {
	planted(t, "S5", ofSites(func(s *sites, wrong bool) {
		card := s.holders("1")[0]
		s.copied()
		s.lose("1", PhysicalLost)
		s.burns()
		if wrong { // the main site comes back from the copy as well
			s.main, s.log = s.copy, s.log[:s.copy.log]
		}
		s.back()
		s.show(card)
	}))
}

func TestAReportThatTheStandbyTookAndNobodyAppliedIsFound(t *testing.T) {
	for what, leaves := range map[string]func(*sites, *Report){
		"never":   func(*sites, *Report) {},
		"refused": func(s *sites, r *Report) { s.refuseOnce(r) },
	} {
		t.Run(what, func(t *testing.T) {
			planted(t, "S5", ofSites(func(s *sites, wrong bool) {
				card := s.holders("1")[0]
				s.copied()
				s.burns()
				r := s.lose("1", PhysicalLost)
				s.show(card)
				if !wrong {
					s.taken = append(s.taken, r)
				}
				s.back()
				if wrong {
					leaves(s, r)
				}
			}))
		})
	}
}

// refuseOnce has the main register refuse what the stand-by took.
func (s *sites) refuseOnce(r *Report) {
	x := Report{Call: Call{Citizen: r.Citizen, Key: r.Key, Role: r.Role}, Cause: r.Cause}
	s.call(&x.Call, func() { x.Reason = "nothing-to-suspend" })
	s.h.Reports = append(s.h.Reports, x)
}

func TestWhatTheStandbyTookAppliedInAnotherOrderIsFound(t *testing.T) {
	planted(t, "S5", ofSites(func(s *sites, wrong bool) {
		s.holders("1", "2")
		s.copied()
		s.burns()
		s.taken = []any{s.lose("1", PhysicalLost), s.lose("2", PhysicalLost)}
		if wrong {
			s.taken[0], s.taken[1] = s.taken[1], s.taken[0]
		}
		s.back()
	}))
}

// The excuse is by citizen, by change and by time.
func TestWhatIsNotLostIsNotExcused(t *testing.T) {
	for what, x := range map[string]struct {
		property Property
		build    func(s *sites, cards []*held, wrong bool)
	}{
		"somebody else's report, known to the copy": {"S3", func(s *sites, cards []*held, wrong bool) {
			s.show(cards[2], or(wrong, Accepted)...)
		}},
		"somebody without any report": {"S12", func(s *sites, cards []*held, wrong bool) {
			s.show(cards[1], or(wrong, Suspended)...)
		}},
		"a report that the stand-by took": {"S3", func(s *sites, cards []*held, wrong bool) {
			s.taken = append(s.taken, s.lose("2", PhysicalLost))
			s.show(cards[1], or(wrong, Accepted)...)
		}},
		"the lost report, when the main site is back": {"S3", func(s *sites, cards []*held, wrong bool) {
			s.back()
			s.show(cards[0], or(wrong, Accepted)...)
		}},
	} {
		t.Run(what, func(t *testing.T) {
			planted(t, x.property, ofSites(func(s *sites, wrong bool) {
				cards := s.holders("1", "2", "3")
				s.lose("3", PhysicalLost)
				s.copied()
				s.lose("1", PhysicalLost)
				s.burns()
				s.pass(time.Hour)
				s.show(cards[0], Accepted) // excused
				s.show(cards[2])           // an opportunity
				x.build(s, cards, wrong)
				if s.h.Failover.Back.IsZero() {
					s.back()
				}
			}))
		})
	}
}

// Where the stand-by is asked, a card that it cannot know must not pass.
func TestAStandbyThatAcceptsACardIssuedSinceItsCopyIsFound(t *testing.T) {
	planted(t, "S5", ofSites(func(s *sites, wrong bool) {
		s.citizens("1")
		s.copied()
		card := s.issue("1", "wallet-1")
		s.burns()
		o := NotValid
		if wrong {
			o = Accepted
		}
		s.show(card, o)
		s.back()
	}))
}

func TestAStandbysListIsHeldAgainstItsOwnRegister(t *testing.T) {
	planted(t, "S11", ofSites(func(s *sites, wrong bool) {
		s.holders("1")
		s.copied()
		s.lose("1", MobileLost)
		s.burns()
		bits := s.bits(1 << 10)
		if wrong {
			for i := range bits {
				bits[i] ^= 1 // somebody is revoked who is not
				break
			}
		}
		s.publishBits(s.seq, bits)
		s.back()
		s.publish()
	}))
}

func ExampleFailover() {
	s := &sites{world: newWorld()}
	card := s.holders("1")[0]
	s.copied()
	s.lose("1", PhysicalLost)
	s.burns()
	s.show(card, Accepted)
	s.back()
	v := Judge(s.history(), Options{})
	fmt.Println(v.Violations(), "violations,", v.DeclaredLost, "change declared lost,", v.LostAccepted, "accepted for it")
	// Output: 0 violations, 1 change declared lost, 1 accepted for it
}
