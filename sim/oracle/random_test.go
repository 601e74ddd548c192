package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// request is something that a client does: sent at begin, decided at commit,
// answered at end. Many overlap.
type request struct {
	begin, commit, end time.Time
	act                func(begin, end Stamp)
}

// life by chance: a correct service under concurrent requests, repetitions,
// answers that never come, crashes, faults, lists published in time and
// verifiers that cache them.
func randomHistory(draw func(n int) int, requests, citizens int, span time.Duration) *History {
	w := newWorld()
	w.h.Policy.AnyCentreFrom = day0.Add(span / 2)
	w.h.Policy.OfferLifetime = 10 * time.Minute
	names := make([]string, citizens)
	for i := range names {
		names[i] = strconv.Itoa(i + 1)
	}
	w.citizens(names...)
	chance := func(percent int) bool { return draw(100) < percent }
	moment := func() time.Time {
		return day0.Add(time.Minute + time.Duration(draw(int(span/time.Second)))*time.Second)
	}
	pick := func(of ...string) string { return of[draw(len(of))] }

	fault := Fault{From: moment()}
	fault.To = fault.From.Add(time.Duration(draw(120)) * time.Minute)
	crash := moment()
	w.h.Faults = []Fault{fault}
	w.h.Restarts = []Restart{{Down: Stamp{At: crash}, Up: Stamp{At: crash.Add(time.Second)}}}

	var all []request
	for at := day0.Add(time.Minute); at.Before(day0.Add(span)); at = at.Add(w.h.Policy.PublishInterval) {
		all = append(all, request{at, at, at, func(Stamp, Stamp) {
			if w.published != w.seq {
				w.publish()
				w.published = w.seq
			}
		}})
	}
	call := func(citizen, role string, begin, end Stamp) Call {
		c := Call{Citizen: citizen, Role: role, Actor: role + " " + citizen, Begin: begin, End: end}
		if c.Key = w.key(); chance(20) { // perhaps a repetition
			c.Key = fmt.Sprintf("again-%s-%d", citizen, draw(3))
		}
		return c
	}
	answered := func(c *Call) bool { // some answers never come, after the commit or before
		if chance(5) {
			c.Granted, c.Sequence, c.Reason, c.End = false, 0, "", Stamp{}
		}
		return !c.End.IsZero()
	}
	for range requests {
		begin := moment()
		commit := begin.Add(time.Duration(draw(4000)) * time.Millisecond)
		end := commit.Add(time.Duration(draw(4000)) * time.Millisecond)
		citizen := pick(names...)
		var act func(begin, end Stamp)
		switch cause := []Cause{PhysicalLost, MobileLost, Administrative}[draw(3)]; draw(14) {
		case 0, 1:
			act = func(begin, end Stamp) {
				r := Report{Call: call(citizen, pick("citizen", "registrar"), begin, end), Cause: cause}
				r.Key += "report " + string(cause) + r.Role
				if chance(97) {
					w.decideReport(&r)
				} else {
					r.End = Stamp{}
				}
				answered(&r.Call)
				w.h.Reports = append(w.h.Reports, r)
			}
		case 2, 3:
			act = func(begin, end Stamp) {
				r := Release{Call: call(citizen, pick("citizen", "registrar", "call-centre"), begin, end), Cause: cause}
				r.Key += "release " + string(cause) + r.Role
				if chance(30) {
					r.Names = w.seq - uint64(draw(int(min(w.seq, 20))))
					r.Key += fmt.Sprint(r.Names)
				}
				w.decideRelease(&r)
				answered(&r.Call)
				w.h.Releases = append(w.h.Releases, r)
			}
		case 4, 5:
			act = func(begin, end Stamp) {
				a := w.tap(citizen, pick("phone-"+citizen, "new-"+citizen))
				a.Call = call(citizen, "citizen", begin, end)
				a.Key += "apply " + a.Wallet
				a.Age = 16 + draw(10)
				a.Municipality = pick("open", "open", "open", "later")
				a.FaceScore = float64(35+draw(65)) / 100
				if chance(30) {
					a.Channel, a.Centre = Centre, pick("open", "elsewhere")
					var own []string
					for _, o := range w.h.Offers {
						if o.Citizen == citizen {
							own = append(own, o.ID)
						}
					}
					if len(own) == 0 {
						return
					}
					a.Offer = own[len(own)-1]
				}
				if chance(10) {
					a.Document = "M" + citizen + "-1"
				}
				a.Key += fmt.Sprint(a.Age, a.Municipality, a.FaceScore, a.Channel, a.Centre, a.Offer, a.Document)
				w.decideApplication(&a, w.refuses(&a))
				if !answered(&a.Call) {
					a.Copies = nil
				}
				w.h.Applications = append(w.h.Applications, a)
			}
		case 6:
			act = func(begin, end Stamp) {
				o := Offer{Call: call(citizen, "clerk", begin, end), Centre: "open", ID: w.key()}
				o.Granted = true
				o.End = begin
				w.h.Offers = append(w.h.Offers, o)
			}
		case 7:
			if !chance(30) {
				continue
			}
			act = func(begin, end Stamp) {
				r := Registration{Call: call(citizen, "clerk", begin, end), Document: w.key()}
				r.Key = w.key()
				w.decideRegistration(&r)
				answered(&r.Call)
				w.h.Registrations = append(w.h.Registrations, r)
			}
		case 10:
			if !chance(10) {
				continue
			}
			act = func(begin, end Stamp) {
				e := Ending{Call: call(citizen, "registrar", begin, end), Event: PersonRemoved}
				w.decideRemoval(&e)
				answered(&e.Call)
				w.h.Endings = append(w.h.Endings, e)
			}
		case 13:
			act = func(begin, end Stamp) {
				r := Renewal{Citizen: citizen, Wallet: pick("phone-"+citizen, "new-"+citizen), Begin: begin, End: end}
				if w.decideRenewal(&r, false); chance(5) {
					r = Renewal{Citizen: citizen, Wallet: r.Wallet, Begin: begin}
				}
				w.h.Renewals = append(w.h.Renewals, r)
			}
		case 8:
			act = func(begin, end Stamp) {
				q := w.inquire(citizen)
				q.Begin, q.End = begin, end
			}
		case 9:
			act = func(begin, end Stamp) {
				p := w.showPlastic(citizen)
				p.Begin, p.End = begin, end
			}
		default:
			cached := chance(50)
			act = func(begin, end Stamp) {
				var own []*held
				for _, c := range w.held {
					if c.citizen == citizen {
						own = append(own, c)
					}
				}
				if len(own) == 0 {
					return
				}
				c := own[draw(len(own))]
				var p *Presentation
				if cached {
					fetched := Stamp{At: w.now.Add(-time.Duration(draw(70*60)) * time.Second)}
					i := len(w.h.Lists) - 1
					for i > 0 && !w.h.Lists[i].Published.Before(fetched) {
						i--
					}
					if !w.h.Lists[i].Published.Before(fetched) {
						return
					}
					p = w.showCached(c, i, fetched)
					begin.At = w.now
				} else {
					p = w.show(c)
				}
				p.Begin, p.End, p.Entitled = begin, end, chance(90)
				if d := draw(20); d == 0 {
					p.Outcome = TurnedAway
				} else if p.Cached == nil && !begin.At.Before(fault.From) && begin.At.Before(fault.To) {
					p.Outcome = CannotTell
				}
			}
		}
		all = append(all, request{begin, commit, end, act})
	}
	slices.SortStableFunc(all, func(a, b request) int { return a.commit.Compare(b.commit) })
	for _, r := range all {
		w.now = r.commit
		r.act(Stamp{At: r.begin}, Stamp{At: r.end})
	}
	w.h.Policy.AuditSkew = 20 * time.Millisecond // the world's stamps move its clock
	return w.history()
}

func TestJudgeIsSilentOnCorrectServices(t *testing.T) {
	total := map[Property]int{}
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 1))
		v := Judge(randomHistory(r.IntN, 400, 4, 30*time.Hour), Options{})
		if v.Violations() != 0 {
			t.Fatalf("seed %d: %s", seed, sentences(v))
		}
		for p, n := range v.ByProperty {
			total[p] += n.Opportunities
		}
	}
	for _, p := range Properties {
		if total[p] == 0 {
			t.Errorf("no history had an opportunity for %s", p)
		}
	}
	t.Logf("opportunities: %v", total)
}

func TestJudgeIsSilentWhateverTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := randomHistory(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }, rapid.IntRange(1, 60).Draw(t, "requests"), 2, 6*time.Hour)
		if v := Judge(h, Options{}); v.Violations() != 0 {
			t.Fatal(sentences(v))
		}
	})
}
