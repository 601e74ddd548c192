package plain

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/rollout"
)

// canonical is what an outcome says, with what has no order put in order.
type canonical struct {
	Tallies  []*rollout.Tally
	Records  []rollout.Record
	Visits   [][]rollout.Visit
	Citizens int64
	Service  any // its statistics
	Plant    any
	Absent   bool
	Complete bool
	Until    int64
}

func canon(o *rollout.Outcome) canonical {
	for _, t := range o.Tallies {
		if t != nil {
			slices.SortFunc(t.Exposure, compareExposure)
		}
	}
	return canonical{o.Tallies, o.Records, o.Visits, o.Citizens, o.Model.Service.Stats, *o.Plant, o.Absent, o.Complete, o.Until}
}

func compareExposure(a, b rollout.Exposure) int {
	return cmp.Or(slices.Compare(a.ByKind[:], b.ByKind[:]), cmp.Compare(a.FromLoss, b.FromLoss),
		cmp.Compare(a.FromSubmission, b.FromSubmission), cmp.Compare(a.FromAck, b.FromAck),
		cmp.Compare(fmt.Sprint(a.Physical), fmt.Sprint(b.Physical)))
}

// differences walks two values of one type and says where they differ.
func differences(a, b any) []string {
	var out []string
	walk("", reflect.ValueOf(a), reflect.ValueOf(b), &out)
	return out
}

func walk(path string, a, b reflect.Value, out *[]string) {
	if len(*out) >= 12 {
		return
	}
	say := func(x, y any) { *out = append(*out, fmt.Sprintf("%s: %v and %v", path, x, y)) }
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			if a.IsNil() != b.IsNil() {
				say(a.IsNil(), b.IsNil())
			}
			return
		}
		walk(path, a.Elem(), b.Elem(), out)
	case reflect.Struct:
		for i := range a.NumField() {
			walk(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i), out)
		}
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			say(fmt.Sprintf("%d elements", a.Len()), b.Len())
		}
		for i := range min(a.Len(), b.Len()) {
			if k := a.Index(i).Kind(); k == reflect.Struct || k == reflect.Slice || k == reflect.Array || k == reflect.Pointer {
				walk(fmt.Sprintf("%s[%d]", path, i), a.Index(i), b.Index(i), out)
			} else if !a.Index(i).Equal(b.Index(i)) {
				say(fmt.Sprintf("[%d] %v", i, a.Index(i)), b.Index(i))
				return
			}
		}
	default:
		if !a.Equal(b) {
			say(a, b)
		}
	}
}

// A case is a scenario with settings, and what is changed by hand.
type scene struct {
	name, scenario string
	regions        []string
	settings       []string
}

func (c scene) load(t testing.TB) (*scenarios.Scenario, *scenarios.Nation) {
	t.Helper()
	s, err := scenarios.Load(c.scenario, c.settings)
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	if c.regions != nil {
		s.Population.Regions = c.regions
	}
	return s, n
}

// same runs a scene on both engines and says where they differ.
func (c scene) same(t *testing.T) *rollout.Outcome {
	t.Helper()
	return c.sameInWindows(t, 0)
}

// sameInWindows does so in windows that are so many times narrower than planned.
func (c scene) sameInWindows(t *testing.T, narrow int) *rollout.Outcome {
	t.Helper()
	s, n := c.load(t)
	began := time.Now()
	fast, err := nation.Run(t.Context(), s, n, rollout.Options{Workers: 2, Narrow: narrow, KeepVisits: true})
	if err != nil {
		t.Fatal(err)
	}
	between := time.Now()
	slow, err := Run(t.Context(), s, n, rollout.Options{Narrow: narrow, KeepVisits: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("fast %v, plain %v, %d records", between.Sub(began), time.Since(between), len(fast.Records))
	for _, d := range differences(canon(fast), canon(slow)) {
		t.Error("fast and plain differ:", d)
	}
	if waited, queue := little(fast); waited != queue || waited == 0 {
		t.Errorf("people waited %d ms, the queues' integral is %d", waited, queue)
	}
	if len(fast.Records) == 0 || !fast.Complete {
		t.Error("the run proves nothing: no life was kept, or it was not complete")
	}
	return fast
}

// little is both sides of Little's law, exact in every run: the times that people
// stood in the queues, and the number of people in them integrated over time.
func little(o *rollout.Outcome) (waited, queue int64) {
	for _, t := range o.Tallies {
		if t == nil {
			continue
		}
		for d := range t.Day {
			waited += t.Day[d].Waited
		}
		for c := range t.ByCentre {
			queue += t.ByCentre[c].Queue
		}
	}
	return waited, queue
}

var sejong, jeju = []string{"KR-50"}, []string{"KR-49"}

// tightHours opens the centres for two minutes a day and serves everybody in a
// second at a single counter, so that many arrive and are served at one instant.
var tightHours = []string{
	"calendar.opens=11:59", "calendar.closes=12:01", "calendar.lunch_from=12:00", "calendar.lunch_to=12:00",
	"centres.other_service.law=fixed", "centres.other_service.mean=1s",
	"centres.issue_service.law=fixed", "centres.issue_service.mean=1s",
	"centres.card_service.law=fixed", "centres.card_service.mean=1s",
	"centres.pickup_service.law=fixed", "centres.pickup_service.mean=1s",
	"centres.loss_service.law=fixed", "centres.loss_service.mean=1s",
	"centres.counters={KR-50: 1}", "centres.patience=10s", "centres.balk_at=5", "end=2025-02-14", "faults[0].at=2025-02-13 12:00",
}

// lostSite is an asynchronous stand-by site for a day and a half; what was acknowledged in
// the nineteen hours before is lost until then.
var lostSite = []string{
	`service.standby={copies_every: 24h, at: "01:00"}`,
	"faults=[{name: fire, kind: site-lost, nodes: [gateway, register, face, signing, status], at: 2025-02-13 20:15, standby_after: 2h, for: 1d 12h, report_again: 60%, report_again_after: 3h}]",
	"expect=[]", "end=2025-02-16",
}

func TestBothEnginesGiveTheSameBytes(t *testing.T) {
	for _, c := range []scene{
		{"Sejong, announced", "announced", sejong, nil},
		{"Sejong, six-hour-outage moved", "six-hour-outage", sejong, []string{
			"start=2025-02-17", "end=2025-03-05", "faults[0].at=2025-02-25 09:07", "faults[0].for=3h20m"}},
		{"Jeju, smoke", "smoke", jeju, nil},
		{"Sejong, a plant that stands and is slow", "smoke", sejong, []string{"faults=[{name: press, kind: down, nodes: [plant], at: 2025-02-13 11:00, for: 30h}, {name: wear, kind: slow, nodes: [plant], at: 2025-02-15, for: 48h, severity: 40%}]"}},
		{"Sejong, tight hours", "smoke", sejong, tightHours},
		{"Sejong, by appointment", "smoke", sejong, []string{"end=2025-02-17", "faults[0].at=2025-02-13 12:00", "adoption.level=20%", "centres.appointments={KR-50: 2, 3611039000: 5}"}},
		{"Sejong, round the clock", "smoke", sejong, []string{"end=2025-02-15", "faults[0].at=2025-02-13 23:40", "calendar.opens=00:00", "calendar.closes=24:00",
			"centres.hours={0-24: 1}", "centres.counters={KR-50: 1}", "centres.other_business=0.05/day"}},
		{"Sejong, a site is lost", "smoke", sejong, lostSite},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.same(t)
		})
	}
}

// A seventh of an hour is no whole second: two windows share the one in which they
// meet.
func TestBothEnginesGiveTheSameBytesInWindowsThatEndWithinASecond(t *testing.T) {
	t.Parallel()
	scene{"", "smoke", sejong, []string{"end=2025-02-13", "faults[0].at=2025-02-12 12:00", "faults[0].for=30m"}}.sameInWindows(t, 7)
}
