package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
)

// File is a scenario file that runs a plan. It extends the scenario that was planned
// for, by name or path; where that was changed by settings (extends empty) it says
// everything itself. Limits of the nation and of regions stand in it as expectations.
func File(p *reports.Plan, planned *scenarios.Scenario, base *scenarios.Scenario, extends string, t Target) []byte {
	s := *planned
	s.Title = fmt.Sprintf("%s, planned for %s", base.Title, t.Text)
	s.Expect = append(slices.Clone(base.Expect), t.expectations(p)...)
	var b bytes.Buffer
	fmt.Fprintf(&b, "# A plan for %s, made by\n#   %s\n", t.Text, p.Command)
	for line := range strings.SplitSeq(p.Headline(), "\n") {
		fmt.Fprintf(&b, "# %s\n", line)
	}
	if extends == "" {
		b.Write(s.YAML())
		return b.Bytes()
	}
	text := func(s string) string {
		var q bytes.Buffer
		e := json.NewEncoder(&q)
		e.SetEscapeHTML(false)
		e.Encode(s)
		return q.String()
	}
	fmt.Fprintf(&b, "extends: %stitle: %s", text(extends), text(s.Title))
	fmt.Fprintf(&b, "seed: %d\n", s.Seed)
	if len(s.Population.Regions) > 0 {
		fmt.Fprintf(&b, "population: {regions: [%s]}\n", strings.Join(s.Population.Regions, ", "))
	}
	planFile(&b, &s, base)
	if len(s.Expect) == 0 {
		b.WriteString("expect: []\n")
		return b.Bytes()
	}
	b.WriteString("expect:\n")
	for _, e := range s.Expect {
		b.WriteString("  - " + text(e))
	}
	return b.Bytes()
}

// planFile writes what differs between two scenarios that are planned for.
func planFile(b *bytes.Buffer, s, base *scenarios.Scenario) {
	if !reflect.DeepEqual(s.Phases, base.Phases) {
		b.WriteString("phases:\n")
		for _, p := range s.Phases {
			fmt.Fprintf(b, "  - {name: %q, from: %s, regions: [%s], municipalities: [%s]}\n", p.Name, p.From.Format("2006-01-02 15:04"),
				strings.Join(p.Regions, ", "), strings.Join(quoted(p.Municipalities), ", "))
		}
	}
	first := true
	for _, x := range []struct {
		key      string
		now, was map[string]int
	}{{"counters", s.Centres.Counters, base.Centres.Counters}, {"appointments", s.Centres.Appointments, base.Centres.Appointments}} {
		var lines []string
		for _, code := range slices.Sorted(maps.Keys(x.now)) {
			if k, was := x.was[code]; !was || k != x.now[code] {
				lines = append(lines, fmt.Sprintf("    %q: %d\n", code, x.now[code]))
			}
		}
		if len(lines) == 0 {
			continue
		}
		if first {
			b.WriteString("centres:\n")
			first = false
		}
		b.WriteString("  " + x.key + ":\n" + strings.Join(lines, ""))
	}
}

func quoted(words []string) (out []string) {
	for _, w := range words {
		out = append(out, strconv.Quote(w))
	}
	return out
}

// expectations are those limits of a target that a result can be asked for.
func (t *Target) expectations(p *reports.Plan) (out []string) {
	for i := range t.limits {
		l := &t.limits[i]
		if l.figure.unit != "s" {
			continue
		}
		limit := l.Limit
		switch l.scope {
		case wholeNation:
			out = append(out, fmt.Sprintf("nation.visits.%s_s %s %s", l.name, l.Op, limit))
		case everyRegion:
			for _, r := range p.Regions {
				if r.WaitAfter.Known() {
					out = append(out, fmt.Sprintf("nation.by_region[%s].%s_s %s %s", r.Region, l.name, l.Op, limit))
				}
			}
		}
	}
	return out
}
