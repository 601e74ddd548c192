package plain_test

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/plain"
	"rollcall.example/rollcall/sim/rollout"
)

// canonical is what an outcome says, with what has no order put in order.
type canonical struct {
	Tallies  []*rollout.Tally
	Records  []rollout.Record
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
	return canonical{o.Tallies, o.Records, o.Citizens, o.Service.Stats, *o.Plant, o.Absent, o.Complete, o.Until}
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

func load(t testing.TB, name string, set ...string) *scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Load(name, set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBothEnginesGiveTheSameBytes(t *testing.T) {
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{
		name, scenario string
		regions []string
		set []string
	}{
		{"Sejong announced","announced", []string{"KR-50"}, nil},
		{"Sejong outage","six-hour-outage", []string{"KR-50"}, nil},
		{"Sejong loss wave","loss-wave", []string{"KR-50"}, nil},
		{"Jeju announced","announced", []string{"KR-49"}, nil},
		{"Jeju smoke","smoke", []string{"KR-49"}, nil},
		{"smoke","smoke", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := load(t, c.scenario, c.set...)
			if c.regions != nil { s.Population.Regions = c.regions }
			start := time.Now()
			fast, err := nation.Run(context.Background(), s, n, rollout.Options{Workers: 2})
			if err != nil {
				t.Fatal(err)
			}
			t.Log("fast", time.Since(start))
			start = time.Now()
			slow, err := plain.Run(context.Background(), s, n, rollout.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Log("plain", time.Since(start), len(fast.Records))
			for _, d := range differences(canon(fast), canon(slow)) {
				t.Error(d)
			}
		})
	}
}
