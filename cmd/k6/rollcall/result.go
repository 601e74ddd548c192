package rollcall

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"runtime"
	"slices"
	"time"

	"go.k6.io/k6/metrics"

	"rollcall.example/rollcall/reports"
)

// tooMuch is the share of the machine from which on a generator holds itself up:
// what it measures is its own queue.
const tooMuch = 0.85

// statistic is what a threshold's expression begins with: count, rate, p(95).
var statistic = regexp.MustCompile(`^\s*([a-z]+(?:\([0-9.]+\))?)`)

// Summary is what handleSummary returns: result.json, report.html and junit.xml in a
// folder, and what the terminal shows.
func (n *Nation) Summary(data map[string]any, out string) (map[string]any, error) {
	s := n.shared
	if out == "" {
		out = "."
	}
	r := &reports.Result{}
	r.Live = s.record.live()
	l := r.Live
	l.Load, l.Service, l.Citizens = s.Load, s.Service, int64(s.Citizens)
	var state struct{ vus int64 }
	l.Iterations, l.Dropped = count(data, "iterations"), count(data, "dropped_iterations")
	state.vus = count(data, "vus_max")
	r.Expectations = thresholds(data)
	l.Doubts = append(l.Doubts, n.doubts(l, empty(n.registry.All()))...)
	if l.Dropped > 0 && !s.Saturates {
		l.Doubts = append(l.Doubts, fmt.Sprintf("%d iterations were due and could not begin, %d were done: the generator did not hold the rate (more maxVUs and citizens, a lower rate, or a machine of its own)", l.Dropped, l.Iterations))
	}
	l.Valid = len(l.Doubts) == 0

	m := &r.Meta
	m.Scenario, m.Title, m.Description = s.scenario.Name, s.scenario.Title, s.scenario.Description
	m.Start, m.End = s.record.began.Format(time.DateOnly), s.record.last.Format(time.DateOnly)
	m.Seed, m.Command, m.Started = uint64(s.Seed), s.Command, s.record.began.Format(time.RFC3339)
	sum := sha256.Sum256(fmt.Appendf(s.scenario.YAML(), "\nload %s citizens %d first %d seed %d vus %d", s.Load, s.Citizens, s.First, s.Seed, state.vus))
	m.InputsSHA256 = hex.EncodeToString(sum[:])
	m.Host.WallSeconds, m.Host.Workers, m.Host.Engine = l.Seconds, runtime.NumCPU(), "k6"
	m.Host.OS, m.Host.CPU = runtime.GOOS+"/"+runtime.GOARCH, runtime.GOARCH
	if m.Command == "" {
		m.Command = "k6 run"
	}
	files, err := reports.RenderLive(r)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o777); err != nil { // k6 writes files, not folders
		return nil, err
	}
	all := map[string]any{}
	for name, text := range files {
		all[path.Join(out, name)] = string(text)
	}
	var b bytes.Buffer
	if err := reports.Summary(&b, r, reports.Terminal{Report: path.Join(out, reports.ReportFile)}); err != nil {
		return nil, err
	}
	all["stdout"] = b.String()
	return all, nil
}

// idle are the thresholds of a metric, and of its submetrics, that were held against nothing,
// but for those of counters: nothing counted is 0.
func idle(m *metrics.Metric, sampled func(*metrics.Metric) bool) (all []string) {
	of := []*metrics.Metric{m}
	for _, s := range m.Submetrics {
		of = append(of, s.Metric)
	}
	for _, one := range of {
		if one.Type == metrics.Counter || len(one.Thresholds.Thresholds) == 0 || sampled(one) {
			continue
		}
		for _, t := range one.Thresholds.Thresholds {
			all = append(all, one.Name+": "+t.Source)
		}
	}
	return all
}

// empty are such thresholds of all metrics, when all samples have come.
func empty(all []*metrics.Metric) (unheld []string) {
	for _, m := range all {
		if m.Sub == nil { // a submetric is looked at with its own
			unheld = append(unheld, idle(m, func(of *metrics.Metric) bool { return !of.Sink.IsEmpty() })...)
		}
	}
	slices.Sort(unheld)
	return unheld
}

// doubts are reasons for which the figures say nothing about the service, as far as
// the extension sees them; k6 alone knows what it dropped. unheld are thresholds that were
// held against nothing.
func doubts(l *reports.Live, unheld []string) (all []string) {
	if l.Answers == 0 {
		all = append(all, "no answer came that decides anything")
	}
	if !l.Judged && len(l.Doubts) == 0 {
		all = append(all, "the history was not judged (the script calls nation.judge() in teardown())")
	}
	if l.Answers > 0 && len(l.Doubts) == 0 { // else it is known why there is nothing
		for _, threshold := range unheld {
			all = append(all, fmt.Sprintf("the threshold %s is held against nothing: there is no sample of it (the load does nothing of the kind, or a tag is misspelt)", threshold))
		}
	}
	if g := l.Generator.Share; g.Known() && g > tooMuch {
		all = append(all, fmt.Sprintf("the generator itself used %.0f %% of the machine: it measured itself (a lower rate, or a machine of its own)", 100*g))
	}
	return all
}

// count is a counter's, or a gauge's, value; 0 if nothing was counted.
func count(data map[string]any, name string) int64 {
	metrics, _ := data["metrics"].(map[string]any)
	metric, _ := metrics[name].(map[string]any)
	for _, key := range []string{"count", "value"} {
		if v := value(metric, key); v.Known() {
			return int64(v)
		}
	}
	return 0
}

// value is a statistic of a metric. k6 hands over maps of numbers; a script may have
// made others of them.
func value(metric map[string]any, key string) reports.Num {
	var v any
	switch values := metric["values"].(type) {
	case map[string]float64:
		if n, ok := values[key]; ok {
			v = n
		}
	case map[string]any:
		v = values[key]
	}
	switch v := v.(type) {
	case float64:
		return reports.Num(v)
	case int64:
		return reports.Num(v)
	}
	return reports.None()
}

// thresholds are k6's, as expectations of the result.
func thresholds(data map[string]any) (all []reports.Expectation) {
	metrics, _ := data["metrics"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		metric, _ := metrics[name].(map[string]any)
		stated, _ := metric["thresholds"].(map[string]any)
		for _, expression := range slices.Sorted(maps.Keys(stated)) {
			e := reports.Expectation{Text: name + ": " + expression, Value: reports.None()}
			if one, ok := stated[expression].(map[string]any); ok {
				e.Holds, _ = one["ok"].(bool)
			}
			if m := statistic.FindStringSubmatch(expression); m != nil {
				e.Value = value(metric, m[1])
			}
			all = append(all, e)
		}
	}
	return all
}
