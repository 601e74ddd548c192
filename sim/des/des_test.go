package des_test

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/sim/des"
)

func TestAtOneInstantLowerRanksGoFirstThenTheOrderOfScheduling(t *testing.T) {
	env := des.New()
	var got []string
	set := func(name string, rank uint64, at des.Time) {
		env.NewTimer(rank, func() { got = append(got, name) }).Set(at)
	}
	set("late", 0, 20)
	set("second of rank 5", 5, 10)
	set("third of rank 5", 5, 10)
	set("rank 1", 1, 10)
	set("early", 9, 5)
	env.Run(des.Forever)
	want := []string{"early", "rank 1", "second of rank 5", "third of rank 5", "late"}
	if !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	if env.Now() != 20 || env.Events() != 5 {
		t.Errorf("after %d events it is %d, want 5 and 20", env.Events(), env.Now())
	}
}

func TestRunStopsBeforeItsLimitAndGoesOnLater(t *testing.T) {
	env := des.New()
	var got []des.Time
	for _, at := range []des.Time{1, 5, 10} {
		env.At(at, func() { got = append(got, env.Now()) })
	}
	env.Run(5)
	if !slices.Equal(got, []des.Time{1}) || env.Now() != 5 || env.Next() != 5 {
		t.Errorf("until 5: happened at %v, now %d, next %d", got, env.Now(), env.Next())
	}
	env.At(2, func() { got = append(got, env.Now()) }) // past: happens now
	env.Run(des.Forever)
	if !slices.Equal(got, []des.Time{1, 5, 5, 10}) || env.Next() != des.Forever {
		t.Errorf("happened at %v, next %d", got, env.Next())
	}
}

// Whatever is set, set anew and stopped, timers go off sorted.
func TestTheCalendarIsASortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type due struct{ at, rank, posted, name int }
		env := des.New()
		var want []due
		var got []int
		var timers []*des.Timer
		var ranks []int
		for step := range rapid.IntRange(1, 60).Draw(t, "steps") {
			at := rapid.IntRange(0, 8).Draw(t, "at")
			switch what := rapid.IntRange(0, 3).Draw(t, "what"); {
			case what < 2 || len(timers) == 0:
				name, rank := len(timers), rapid.IntRange(0, 3).Draw(t, "rank")
				timers = append(timers, env.NewTimer(uint64(rank), func() { got = append(got, name) }))
				ranks = append(ranks, rank)
				timers[name].Set(des.Time(at))
				want = append(want, due{at, rank, step, name})
			default:
				name := rapid.IntRange(0, len(timers)-1).Draw(t, "timer")
				before := len(want)
				want = slices.DeleteFunc(want, func(d due) bool { return d.name == name })
				if what == 2 {
					timers[name].Set(des.Time(at))
					want = append(want, due{at, ranks[name], step, name})
				} else if timers[name].Stop() != (len(want) < before) {
					t.Fatal("Stop does not say whether the timer was set")
				}
			}
		}
		slices.SortFunc(want, func(a, b due) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.rank, b.rank), cmp.Compare(a.posted, b.posted))
		})
		env.Run(des.Forever)
		var names []int
		for _, d := range want {
			names = append(names, d.name)
		}
		if !slices.Equal(got, names) {
			t.Fatalf("went off %v, want %v", got, names)
		}
	})
}

// story lets processes write what happens to them, with the time.
type story struct {
	env   *des.Env
	lines []string
}

func (s *story) tell(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf("%d ", s.env.Now())+fmt.Sprintf(format, args...))
}

func (s *story) expect(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.lines, want) {
		t.Errorf("happened:\n  %s\nwant:\n  %s", strings.Join(s.lines, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestAResourceServesFirstComeFirstServedAndPatienceEnds(t *testing.T) {
	env := des.New()
	s := &story{env: env}
	desk := env.NewResource(1)
	for i, patience := range []des.Time{des.Forever, 3, des.Forever, 20} {
		env.Go(func(p *des.Proc) {
			p.Wait(des.Time(i))
			if ok, _ := desk.RequestWithin(p, patience); !ok {
				s.tell("%d leaves", i)
				return
			}
			s.tell("%d begins", i)
			p.Wait(10)
			desk.Release()
		})
	}
	env.Run(des.Forever)
	s.expect(t, "0 0 begins", "4 1 leaves", "10 2 begins", "20 3 begins")
	// 1 waits from 1 to 4, 2 from 2 to 10, 3 from 3 to 20: 28 in 30.
	if got, want := desk.Queue.Mean(), 28.0/30; math.Abs(got-want) > 1e-12 {
		t.Errorf("mean queue %g, want %g", got, want)
	}
	if desk.Queue.Highest() != 3 || desk.Used.Mean() != 1 || desk.Used.Now() != 0 {
		t.Errorf("highest queue %d, used %g, at the end %d", desk.Queue.Highest(), desk.Used.Mean(), desk.Used.Now())
	}
}

func TestAnInterruptEndsWaitingAndLeavesTheQueue(t *testing.T) {
	env := des.New()
	s := &story{env: env}
	desk := env.NewResource(1)
	env.Go(func(p *des.Proc) { desk.Request(p); p.Wait(10); desk.Release() })
	second := env.Go(func(p *des.Proc) {
		var i *des.Interrupted
		if err := desk.Request(p); errors.As(err, &i) {
			s.tell("second: %v", i.Cause)
		}
		if err := p.Wait(50); err == nil {
			s.tell("second slept")
		}
	})
	env.Go(func(p *des.Proc) { desk.Request(p); s.tell("third has the desk") })
	env.Go(func(p *des.Proc) { p.Wait(4); second.Interrupt("fire drill"); s.tell("called") })
	env.Run(des.Forever)
	s.expect(t, "4 called", "4 second: fire drill", "10 third has the desk", "54 second slept")
}

func TestWhoIsServedAndInterruptedAtOneInstantKeepsThePlace(t *testing.T) {
	env := des.New()
	s := &story{env: env}
	desk := env.NewResource(1)
	env.Go(func(p *des.Proc) { desk.Request(p); p.Wait(10); desk.Release() })
	second := env.Go(func(p *des.Proc) {
		s.tell("second: %v", desk.Request(p))
		desk.Release()
	})
	env.NewTimer(1, func() { second.Interrupt("too late") }).Set(10)
	env.At(10, func() {})
	env.Run(des.Forever)
	s.expect(t, "10 second: <nil>")
	if desk.Used.Now() != 0 {
		t.Error("the place is lost")
	}
}

func TestAnEventWakesAllWhoWait(t *testing.T) {
	env := des.New()
	s := &story{env: env}
	var open des.Event
	for i := range 3 {
		env.Go(func(p *des.Proc) {
			ok, _ := open.Wait(p, des.Time(4+4*i))
			s.tell("%d %v", i, ok)
		})
	}
	door := env.Go(func(p *des.Proc) { p.Wait(6); open.Trigger(); open.Trigger() })
	env.Go(func(p *des.Proc) { door.Ended().Wait(p, des.Forever); s.tell("door done, alive %v", door.Alive()) })
	env.Run(des.Forever)
	s.expect(t, "4 0 false", "6 1 true", "6 2 true", "6 door done, alive false")
}

func TestAStoreHandsOutInOrderAndHasLimitedRoom(t *testing.T) {
	env := des.New()
	s := &story{env: env}
	shelf := des.NewStore[int](2)
	env.Go(func(p *des.Proc) {
		for i := range 5 {
			shelf.Put(p, i)
			s.tell("put %d", i)
		}
	})
	env.Go(func(p *des.Proc) {
		p.Wait(1)
		for range 6 {
			x, _ := shelf.Get(p)
			s.tell("got %d", x)
			p.Wait(1)
		}
	})
	env.Go(func(p *des.Proc) { p.Wait(20); shelf.Put(p, 9); s.tell("put 9, %d left", shelf.Len()) })
	env.Run(des.Forever)
	s.expect(t, "0 put 0", "0 put 1", "1 got 0", "1 put 2", "2 got 1", "2 put 3", "3 got 2", "3 put 4",
		"4 got 3", "5 got 4", "20 put 9, 0 left", "20 got 9")
}

func TestClosingEndsEveryProcessAndLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	env := des.New()
	desk := env.NewResource(1)
	tidied := 0
	for range 100 {
		env.Go(func(p *des.Proc) {
			defer func() { tidied++ }()
			for {
				desk.Request(p) // errors ignored: closing ends the loop all the same
				p.Wait(10)
			}
		})
	}
	env.Run(25)
	if n := runtime.NumGoroutine() - before; n < 100 {
		t.Fatalf("%d coroutines, want 100", n)
	}
	env.Close()
	for i := 0; runtime.NumGoroutine() > before && i < 100; i++ {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine() - before; n > 0 || tidied != 100 {
		t.Errorf("%d goroutines are left, %d of 100 tidied up", n, tidied)
	}
	if env.Next() != des.Forever {
		t.Error("something would still happen")
	}
}

func TestAPanicInAProcessReachesTheCaller(t *testing.T) {
	env := des.New()
	env.Go(func(p *des.Proc) { p.Wait(3); panic("broken") })
	defer func() {
		if r := recover(); r != "broken" || env.Now() != 3 {
			t.Errorf("recovered %v at %d", r, env.Now())
		}
	}()
	env.Run(des.Forever)
}

func TestATallyHasTheMomentsOfItsObservations(t *testing.T) {
	var x des.Tally
	for _, v := range []float64{2, 4, 4, 4, 5, 5, 7, 9} {
		x.Add(v)
	}
	if x.Count() != 8 || x.Mean() != 5 || math.Abs(x.Variance()-32.0/7) > 1e-12 || x.Least != 2 || x.Most != 9 {
		t.Errorf("%+v, variance %g", x, x.Variance())
	}
}
