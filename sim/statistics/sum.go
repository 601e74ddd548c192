package statistics

import (
	"fmt"
	"reflect"

	"rollcall.example/rollcall/sim/rollout"
)

// sums are the tallies of a run, added up.
type sums struct {
	rollout.Totals
	all          rollout.DaySum // days and municipalities
	day          []rollout.DaySum
	region       [][]rollout.DaySum // by region and day; nil where it is not simulated
	municipality []rollout.DaySum
	issuedAt     []int64           // by centre
	queue        int64             // ms that people stood before the counters
	endings      []rollout.Endings // by region
}

func sumUp(o *rollout.Outcome) *sums {
	nation, days := o.Model.Nation, o.Model.Cal.Days
	s := &sums{
		day: make([]rollout.DaySum, days), region: make([][]rollout.DaySum, len(nation.Regions)),
		municipality: make([]rollout.DaySum, len(o.Tallies)), issuedAt: make([]int64, len(nation.Centres)),
		endings: make([]rollout.Endings, len(nation.Regions)),
	}
	for i, t := range o.Tallies {
		if t == nil {
			continue
		}
		r := nation.Municipalities[i].Region
		if s.region[r] == nil {
			s.region[r] = make([]rollout.DaySum, days)
		}
		for d := range t.Day {
			add(&s.region[r][d], &t.Day[d])
			add(&s.municipality[i], &t.Day[d])
		}
		add(&s.all, &s.municipality[i])
		add(&s.Totals, &t.Totals)
		add(&s.endings[r], &t.Endings)
		for c, n := range t.IssuedAt {
			s.issuedAt[c] += int64(n)
		}
		for c := range t.ByCentre {
			s.queue += t.ByCentre[c].Queue
		}
	}
	for _, region := range s.region {
		for d := range region {
			add(&s.day[d], &region[d])
		}
	}
	return s
}

// add adds every counter of x to that of d: two structs with the same fields, the
// counters of d all of 64 bits. It goes by the fields and not by a list of them, so
// that a counter that is new cannot be forgotten here.
func add(d, x any) { addValue(reflect.ValueOf(d).Elem(), reflect.ValueOf(x).Elem()) }

func addValue(d, x reflect.Value) {
	switch d.Kind() {
	case reflect.Int64:
		d.SetInt(d.Int() + x.Int())
	case reflect.Array:
		for i := range d.Len() {
			addValue(d.Index(i), x.Index(i))
		}
	case reflect.Struct:
		if h, ok := d.Addr().Interface().(*rollout.Histogram[int64]); ok {
			addWaits(h, x.Addr().Interface())
			return
		}
		for i := range d.NumField() {
			addValue(d.Field(i), x.Field(i))
		}
	default:
		panic(fmt.Sprintf("statistics: a counter of type %s cannot take a sum", d.Type()))
	}
}

// addWaits adds a histogram of waits, whose longest is no counter.
func addWaits(h *rollout.Histogram[int64], x any) {
	switch x := x.(type) {
	case *rollout.Histogram[int32]:
		join(h, x)
	case *rollout.Histogram[int64]:
		join(h, x)
	}
}

func join[N rollout.Counter](h *rollout.Histogram[int64], x *rollout.Histogram[N]) {
	for i, n := range x.Bucket {
		h.Bucket[i] += int64(n)
	}
	h.Max, h.Sum = max(h.Max, x.Max), h.Sum+x.Sum
}
