package statistics

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"rollcall.example/rollcall/sim/rollout"
)

// numbers visits every number of a struct with its path.
func numbers(v reflect.Value, path string, visit func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Int32, reflect.Int64:
		visit(path, v)
	case reflect.Array:
		for i := range v.Len() {
			numbers(v.Index(i), fmt.Sprintf("%s[%d]", path, i), visit)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			numbers(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
		}
	}
}

func TestEveryCounterOfADayAndOfARunIsSummed(t *testing.T) {
	for _, c := range []struct{ sum, of any }{
		{&rollout.DaySum{}, &rollout.DayTally{}},
		{&rollout.DaySum{}, &rollout.DaySum{}},
		{&rollout.Totals{}, &rollout.Totals{}},
	} {
		counted := map[string]int64{}
		numbers(reflect.ValueOf(c.of).Elem(), "", func(path string, v reflect.Value) {
			v.SetInt(int64(len(counted) + 1))
			counted[path] = v.Int()
		})
		for range 3 {
			add(c.sum, c.of)
		}
		numbers(reflect.ValueOf(c.sum).Elem(), "", func(path string, v reflect.Value) {
			want := 3 * counted[path]
			if strings.HasSuffix(path, "Wait.Max") { // the longest of all, not their sum
				want = counted[path]
			}
			if v.Int() != want {
				t.Errorf("%T%s: %d, want %d", c.of, path, v.Int(), want)
			}
			delete(counted, path)
		})
		if len(counted) > 0 {
			t.Errorf("%T: not in its sum: %v", c.of, counted)
		}
	}
}

func TestASumOfDaysGoesBeyond32Bits(t *testing.T) {
	var day rollout.DayTally
	day.Plastic, day.Wait.Bucket[0] = math.MaxInt32, math.MaxInt32
	var sum rollout.DaySum
	for range 3 {
		add(&sum, &day)
	}
	if want := int64(3 * math.MaxInt32); sum.Plastic != want || sum.Wait.Count() != want {
		t.Errorf("three times %d is %d, of waits %d", math.MaxInt32, sum.Plastic, sum.Wait.Count())
	}
}

func TestACounterThatCannotTakeASumIsNoticed(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a counter of 32 bits takes a sum")
		}
	}()
	var narrow, x struct{ N int32 }
	add(&narrow, &x)
}

func BenchmarkAddADay(b *testing.B) {
	var sum rollout.DaySum
	var day rollout.DayTally
	for b.Loop() {
		add(&sum, &day)
	}
}
