package reports

import (
	"fmt"
	"math"
	"reflect"
	"strings"
)

// headlines are the figures that replications give bands for and that two
// results are compared by. A * stands for every fault.
var headlines = []headline{
	{at: "/nation/issued/total", form: "count"},
	{at: "/nation/issued/tap_share", form: "share"},
	{at: "/nation/holders", form: "count"},
	{at: "/nation/visits/count", form: "count"},
	{at: "/nation/visits/wait_p50_s", form: "duration"},
	{at: "/nation/visits/wait_p95_s", form: "duration"},
	{at: "/nation/visits/wait_max_s", form: "duration"},
	{at: "/nation/visits/balked", form: "count"},
	{at: "/nation/visits/reneged", form: "count"},
	{at: "/nation/visits/second_visits", form: "count"},
	{at: "/nation/intents/abandoned", form: "count"},
	{at: "/nation/intents/pending", form: "count"},
	{at: "/nation/verifications/count", form: "count"},
	{at: "/nation/verifications/refused_share", form: "share"},
	{at: "/nation/verifications/rejected_suspended", form: "count"},
	{at: "/nation/verifications/false_accepts", form: "count"},
	{at: "/nation/verifications/false_rejects", form: "count"},
	{at: "/nation/verifications/exposure_accepts", form: "count"},
	{at: "/nation/verifications/unreported_accepts", form: "count"},
	{at: "/nation/verifications/turned_away", form: "count"},
	{at: "/nation/verifications/latency_p95_ms", form: "ms"},
	{at: "/nation/losses/plastic_lost", form: "count"},
	{at: "/nation/losses/phones_lost", form: "count"},
	{at: "/nation/face/failed", form: "count"},
	{at: "/nation/card_reissues", form: "count"},
	{at: "/nation/card_orders/wait_p95_s", form: "duration"},
	{at: "/nation/fee_revenue_krw", form: "won"},
	{at: "/suspension/reports/physical", form: "count"},
	{at: "/suspension/reports/mobile", form: "count"},
	{at: "/suspension/from_loss/p95_s", form: "duration"},
	{at: "/suspension/from_acknowledgement/max_s", form: "duration"},
	{at: "/suspension/violations", form: "count", once: true},
	{at: "/recovery/*/detected_s", form: "duration", never: true},
	{at: "/recovery/*/restored_s", form: "duration", never: true},
	{at: "/recovery/*/drain_s", form: "duration", never: true},
	{at: "/recovery/*/retry_amplification", form: "times"},
	{at: "/recovery/*/turned_away", form: "count"},
	{at: "/recovery/*/lost_acknowledged", form: "count"},
	{at: "/recovery/*/goodput_during", form: "count"},
	{at: "/recovery/*/goodput_after", form: "count"},
	{at: "/recovery/*/peak_backlog", form: "count"},
}

type headline struct {
	at, form string
	never    bool // null says that it was never reached, so that it is later than any time
	once     bool // found by the panel, which runs once
}

// Headline is one of the figures that say what a run came to.
type Headline struct {
	Metric     string // "nation.issued.total", "recovery[outage].drain_s": as in an expectation
	Pointer    string // into result.json
	Value      Num
	Never      bool // a Value that is missing says that it was never reached
	Once       bool // found by the panel, which runs once whatever the number of replications
	Definition Definition
	form       string
}

// Number is the value as it is ordered: what was never reached comes after
// everything, what is missing is no number.
func (h Headline) Number() float64 { return ordered(h.Value, h.Never) }

func ordered(n Num, never bool) float64 {
	if never && !n.Known() {
		return math.Inf(1)
	}
	return float64(n)
}

// Headlines returns the headline figures of a result, faults in their order.
func Headlines(r *Result) (all []Headline) {
	derive(r)
	add := func(h headline, pointer, metric string) {
		d := r.Definitions[h.at]
		all = append(all, Headline{metric, pointer, lookUp(reflect.ValueOf(r).Elem(), pointer), h.never, h.once, d, h.form})
	}
	if l := r.Live; l != nil {
		for _, h := range liveHeadlines {
			if !strings.Contains(h.at, "*") {
				add(h, h.at, strings.ReplaceAll(h.at[1:], "/", "."))
			}
		}
		for i := range l.Operations {
			for _, h := range liveHeadlines {
				if _, figure, ok := strings.Cut(h.at, "*/"); ok {
					add(h, fmt.Sprintf("/live/operations/%d/%s", i, figure), "live."+l.Operations[i].Name()+"."+figure)
				}
			}
		}
		return all
	}
	for _, h := range headlines {
		if !strings.Contains(h.at, "*") {
			if h.once && r.Panel == nil {
				continue
			}
			add(h, h.at, strings.ReplaceAll(h.at[1:], "/", "."))
		}
	}
	for i, f := range r.Recovery {
		for _, h := range headlines {
			if _, figure, ok := strings.Cut(h.at, "*/"); ok {
				add(h, fmt.Sprintf("/recovery/%d/%s", i, figure), fmt.Sprintf("recovery[%s].%s", f.Fault, figure))
			}
		}
	}
	return all
}

// lookUp finds the figure that a pointer names in a result itself.
func lookUp(v reflect.Value, pointer string) Num {
	for token := range strings.SplitSeq(pointer[1:], "/") {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		switch v.Kind() {
		case reflect.Slice:
			i := 0
			for _, digit := range token {
				i = 10*i + int(digit-'0')
			}
			v = v.Index(i)
		default:
			v = v.Field(fieldCalled(v.Type(), token))
		}
	}
	if v.CanInt() {
		return Num(v.Int())
	}
	return Num(v.Float())
}

func fieldCalled(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if jsonName(t.Field(i)) == name {
			return i
		}
	}
	panic("reports: " + t.Name() + " has no " + name)
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
