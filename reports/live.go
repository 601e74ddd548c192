package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Live is what a load on the running service came to: the service over HTTP, by the
// wall clock, nothing else. A result of that way has no nation and no panel.
type Live struct {
	Load    string   `json:"load"`    // name of the load script
	Service string   `json:"service"` // URL of what was loaded
	Valid   bool     `json:"valid"`   // false: the figures say nothing about the service
	Doubts  []string `json:"doubts"`  // why they do not

	Seconds    Num   `json:"seconds" unit:"s" def:"from the first to the last answer under load"`
	Citizens   int64 `json:"citizens" unit:"citizens" def:"citizens in the load"`
	Iterations int64 `json:"iterations" unit:"iterations" def:"runs of the script's function that were completed"`
	Dropped    int64 `json:"dropped_iterations" unit:"iterations" def:"runs that were due by the rate asked for, and were not begun because no virtual user was free"`
	Answers    int64 `json:"answers" unit:"answers" def:"answers that decided something; each was checked"`
	Wrong      int64 `json:"wrong" unit:"answers" def:"of the answers, those that the citizen's own history does not allow"`
	Unknown    int64 `json:"unknown" unit:"requests" def:"requests without an answer, or with one that decides nothing (429, 5xx)"`
	Restarts   int64 `json:"restarts" unit:"restarts" def:"times the service was killed and started again under load"`

	Judged        bool       `json:"judged"` // the oracle has judged the whole history
	Opportunities int64      `json:"opportunities" unit:"checks" def:"times a property could have been violated and was checked by the oracle, all together; derived"`
	Violations    int64      `json:"violations" unit:"violations" def:"violations of all properties together, found by the oracle"`
	ByProperty    Properties `json:"by_property"`
	Findings      []string   `json:"findings"` // of both, the first few with their histories

	Generator  Process         `json:"generator"`
	Server     Process         `json:"server"`
	Operations []LiveOperation `json:"operations"`
}

// Process is what a program used of the machine while the load ran.
type Process struct {
	CPU   Num `json:"cpu_s" unit:"s" def:"processor time used while the load ran; null where it cannot be read"`
	Share Num `json:"cpu_share" unit:"share" def:"processor time by that of all processors of the machine in the same time; null where it cannot be read"`
}

// LiveOperation is one kind of request. Its times are from the citizen's side, the
// work of card, phone and verifier included, and of answered ones only.
type LiveOperation struct {
	Operation string `json:"operation"` // "issue", "present", "report", ...
	Kind      string `json:"kind"`      // "tap", "shop", "physical-lost", ...
	Count     int64  `json:"count" unit:"requests" def:"times it was tried"`
	Unknown   int64  `json:"unknown" unit:"requests" def:"of those, without an answer that decides"`
	Wrong     int64  `json:"wrong" unit:"answers" def:"of those, with an answer that the citizen's history does not allow"`
	PerSecond Num    `json:"answers_per_second" unit:"answers/s" def:"answers by the seconds of the load, or of that part of it which the kind names"`
	P50       Num    `json:"p50_ms" unit:"ms" def:"beginning to answer as the citizen sees it, median"`
	P95       Num    `json:"p95_ms" unit:"ms" def:"beginning to answer as the citizen sees it, 95th percentile"`
	P99       Num    `json:"p99_ms" unit:"ms" def:"beginning to answer as the citizen sees it, 99th percentile"`
	Max       Num    `json:"max_ms" unit:"ms" def:"beginning to answer as the citizen sees it, longest"`
}

// Name is how an operation is called in a metric: "present[shop]".
func (o *LiveOperation) Name() string {
	if o.Kind == "" {
		return o.Operation
	}
	return o.Operation + "[" + o.Kind + "]"
}

// liveHeadlines are the figures by which two loads are compared.
var liveHeadlines = []headline{
	{at: "/live/answers", form: "count"},
	{at: "/live/wrong", form: "count"},
	{at: "/live/unknown", form: "count"},
	{at: "/live/violations", form: "count"},
	{at: "/live/generator/cpu_s", form: "duration"},
	{at: "/live/server/cpu_s", form: "duration"},
	{at: "/live/operations/*/answers_per_second", form: "count"},
	{at: "/live/operations/*/p50_ms", form: "ms"},
	{at: "/live/operations/*/p95_ms", form: "ms"},
	{at: "/live/operations/*/p99_ms", form: "ms"},
}

// liveTolerance is how far figures of a load may move where nothing is stated: two
// runs in a row on one machine differ by so much.
const liveTolerance = "30%"

// forLoads are the tolerances where nothing general was stated.
func (t Tolerances) forLoads() Tolerances {
	if len(t.stated) == 0 || t.stated[0] != DefaultTolerance {
		return t
	}
	t.stated = append([]string{liveTolerance}, t.stated[1:]...)
	t.rest, _ = parseTolerance("", liveTolerance)
	return t
}

// comparableLoads says why two results of which one is live cannot be compared.
func comparableLoads(base, head *Result) error {
	b, h := base.Live, head.Live
	switch {
	case b == nil || h == nil:
		return fmt.Errorf("one of them is a load on the service that runs, the other a simulation (compare results of one way)")
	case b.Load != h.Load || base.Meta.Scenario != head.Meta.Scenario:
		return fmt.Errorf("BASE is %s loaded by %s, HEAD %s loaded by %s (compare runs of the same load)", base.Meta.Scenario, b.Load, head.Meta.Scenario, h.Load)
	}
	for i, l := range []*Live{b, h} {
		if !l.Valid {
			return fmt.Errorf("%s is no measurement of the service: %s (run it again)", []string{"BASE", "HEAD"}[i], strings.Join(l.Doubts, "; "))
		}
	}
	return nil
}

// unchecked are the properties that were checked in a load and not in another one, as metrics.
func (l *Live) unchecked(other *Live) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(l.ByProperty)) {
		if l.ByProperty[name].Opportunities > 0 && other.ByProperty[name].Opportunities == 0 {
			all = append(all, "live.by_property."+name+".opportunities")
		}
	}
	return all
}

func (l *Live) derive() {
	l.Opportunities = 0
	for _, p := range l.ByProperty {
		l.Opportunities += p.Opportunities
	}
}

// junit are the test cases of a load.
func (l *Live) junit(j *junit) suite {
	s := suite{Name: "load"}
	c := j.test("the load was made as it was asked for", "/live/iterations", "/live/dropped_iterations", "/live/generator/cpu_share")
	if !l.Valid {
		c.Failure = &message{Type: "invalid", Message: strings.Join(l.Doubts, "; ")}
	}
	s.add(c)
	c = j.test("every answer is one that the citizen's own history allows", "/live/answers", "/live/wrong")
	if l.Wrong > 0 {
		c.Failure = &message{Type: "wrong", Message: fmt.Sprintf("%d of %d answers are wrong", l.Wrong, l.Answers), Text: strings.Join(l.Findings, "\n")}
	}
	s.add(c)
	c = j.test("the whole history keeps every property", "/live/opportunities", "/live/violations")
	switch {
	case !l.Judged:
		c.Skipped = &message{Message: "the history was not judged"}
	case l.Violations > 0:
		c.Failure = &message{Type: "violation", Message: fmt.Sprintf("%d violations", l.Violations), Text: strings.Join(l.Findings, "\n")}
	}
	s.add(c)
	return s
}

// lines tell a load in a few aligned lines.
func (s *summary) liveLines() {
	l := s.r.Live
	s.line(s.r.Meta.Scenario, "", "load "+l.Load, s.count(l.Citizens)+" citizens", s.say("duration", l.Seconds)+" under load", l.Service)
	for i := range l.Operations {
		o := &l.Operations[i]
		parts := []string{s.count(o.Count) + " times", say1(o.PerSecond) + "/s", "p50 " + s.say("ms", o.P50), "p95 " + s.say("ms", o.P95), "p99 " + s.say("ms", o.P99)}
		if o.Unknown > 0 {
			parts = append(parts, s.count(o.Unknown)+" without an answer")
		}
		if o.Wrong > 0 {
			parts = append(parts, s.paint(red, s.count(o.Wrong)+" WRONG"))
		}
		s.line("  "+o.Name(), "live", parts...)
	}
	if l.Dropped > 0 {
		s.line("iterations", "live", s.count(l.Iterations)+" done", s.count(l.Dropped)+" due that could not begin")
	}
	if l.Restarts > 0 {
		s.line("service", "live", "killed and started again "+s.count(l.Restarts)+" times")
	}
	s.line("processor", "live", "generator "+s.say("share", l.Generator.Share), "service "+s.say("share", l.Server.Share), "of the machine")
	judged := "not judged"
	if l.Judged {
		judged = fmt.Sprintf("%s opportunities, %s violations", s.count(l.Opportunities), s.count(l.Violations))
	}
	s.line("suspension", "oracle", judged, s.count(l.Answers)+" answers checked, "+s.count(l.Wrong)+" wrong")
	for _, f := range l.Findings[:min(3, len(l.Findings))] {
		s.line("found", "", strings.ReplaceAll(f, "\n", "; "))
	}
	for _, d := range l.Doubts {
		s.line("INVALID", "", d)
	}
	for _, e := range s.r.Expectations {
		if !e.Holds {
			s.line("CROSSED", "", e.Text)
		}
	}
	if s.t.Report != "" {
		fmt.Fprintf(&s.b, "report: %s\n", s.t.Report)
	}
}

// Summarise fills in an operation's times from those of its answers, in ms.
func (o *LiveOperation) Summarise(ms []float64, seconds float64) {
	o.PerSecond, o.P50, o.P95, o.P99, o.Max = None(), None(), None(), None(), None()
	if seconds > 0 {
		o.PerSecond = Num(float64(len(ms)) / seconds)
	}
	if len(ms) == 0 {
		return
	}
	slices.Sort(ms)
	o.P50, o.P95, o.P99, o.Max = Num(Quantile(ms, 0.5)), Num(Quantile(ms, 0.95)), Num(Quantile(ms, 0.99)), Num(ms[len(ms)-1])
}

// say1 is a figure with one decimal.
func say1(n Num) string {
	if !n.Known() {
		return missing
	}
	return sayDecimal(n, 1)
}

// RenderLive returns the files of a load by name, for whoever writes them itself.
func RenderLive(r *Result) (map[string][]byte, error) {
	files, err := render(r, nil)
	if err != nil {
		return nil, err
	}
	out := map[string][]byte{}
	for _, f := range files {
		out[f.name] = f.data
	}
	return out, nil
}
