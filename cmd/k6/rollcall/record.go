package rollcall

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"go.k6.io/k6/metrics"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/loadgen"
	"rollcall.example/rollcall/sim/oracle"
)

// maxFindings is how many wrong answers and violations are told in full, maxHistory
// how many lines of each citizen are kept.
const maxFindings, maxHistory = 10, 16

// part is a part of the load: from its first request to its last answer.
type part struct {
	number      int
	began, last time.Time
	of          map[string]bool // operations
}

// record is what the load came to, of all virtual users.
type record struct {
	mu         sync.Mutex
	cpu        func() time.Duration // of this process; nil: it cannot be read
	began      time.Time            // of the load
	last       time.Time            // the last answer
	cpuAtBegin time.Duration
	cpuAtEnd   time.Duration
	server     [2]time.Duration // processor time of the service at begin and end; below 0: not known
	ended      bool
	shareAt    time.Time // when the share was last taken
	shareCPU   time.Duration
	operations map[string]*reports.LiveOperation
	ms         map[string][]float64
	parts      map[string]*part
	lives      map[string][]string
	findings   []string
	wrongAside int64            // wrong answers that no call of a script has returned
	toTell     []loadgen.Result // of those, the ones not counted in metrics yet
	doubts     []string
	restarts   int64
	samples    map[string]map[*metrics.TagSet]bool // with which tags there are times, by metric
	verdict    *oracle.Verdict
}

func (r *record) start(now time.Time) {
	r.cpu = processorTime()
	r.operations, r.ms, r.lives, r.parts = map[string]*reports.LiveOperation{}, map[string][]float64{}, map[string][]string{}, map[string]*part{}
	r.samples = map[string]map[*metrics.TagSet]bool{}
	r.server = [2]time.Duration{-1, -1}
	r.begin(now, -1)
}

// begin begins the load: what was before is preparation.
func (r *record) begin(now time.Time, server time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.began, r.last, r.shareAt, r.server[0] = now, now, now, server
	if r.cpu != nil {
		r.cpuAtBegin = r.cpu()
		r.shareCPU = r.cpuAtBegin
	}
}

// end ends it: what follows is judgement.
func (r *record) end(server time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.ended, r.server[1], r.last = true, server, time.Now()
	if r.cpu != nil {
		r.cpuAtEnd = r.cpu()
	}
}

// sampled writes down that a metric has a time with tags.
func (r *record) sampled(metric string, tags *metrics.TagSet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.samples[metric] == nil {
		r.samples[metric] = map[*metrics.TagSet]bool{}
	}
	r.samples[metric][tags] = true
}

// has says whether a metric has a time, with the tags of a submetric unless that is nil.
func (r *record) has(metric string, of *metrics.Submetric) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for tags := range r.samples[metric] {
		if of == nil || tags.Contains(of.Tags) {
			return true
		}
	}
	return false
}

func (r *record) restarted() { r.mu.Lock(); defer r.mu.Unlock(); r.restarts++ }

func (r *record) doubt(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.doubts, why) && len(r.doubts) < maxFindings {
		r.doubts = append(r.doubts, why)
	}
}

// share is the generator's share of the machine since it was last asked, once a second.
func (r *record) share(now time.Time) (share float64, due bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := now.Sub(r.shareAt)
	if r.cpu == nil || d < time.Second {
		return 0, false
	}
	used := r.cpu()
	share = float64(used-r.shareCPU) / float64(d) / float64(runtime.NumCPU())
	r.shareAt, r.shareCPU = now, used
	return share, true
}

// add writes down an answer. If it is wrong, it returns the citizen's history, and
// whether it is one of the first.
func (r *record) add(operation, kind, within string, got loadgen.Result, ms float64) (history string, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	key := operation + "[" + kind
	if within != "" {
		kind = strings.TrimSpace(kind + " " + within)
		p := r.parts[within]
		if p == nil {
			p = &part{number: len(r.parts), began: now.Add(-time.Duration(ms * float64(time.Millisecond))), of: map[string]bool{}}
			r.parts[within] = p
		}
		key = fmt.Sprintf("%s %06d", key, p.number) // for their order
		p.last, p.of[key] = now, true
	}
	o := r.operations[key]
	if o == nil {
		o = &reports.LiveOperation{Operation: operation, Kind: kind}
		r.operations[key] = o
	}
	o.Count++
	if got.Unknown {
		o.Unknown++
	} else {
		r.ms[key] = append(r.ms[key], ms)
	}
	r.remember(now, got)
	if got.Wrong == "" {
		return "", false
	}
	o.Wrong++
	return r.found(got)
}

// aside writes down an answer that no call of a script returns: it came when it was asked
// for again, or before the load.
func (r *record) aside(got loadgen.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.remember(time.Now(), got)
	if got.Wrong != "" {
		r.wrongAside++
		r.toTell = append(r.toTell, got)
		r.found(got)
	}
}

// untold are the wrong answers aside that were not asked for here before.
func (r *record) untold() []loadgen.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.toTell
	r.toTell = nil
	return all
}

// remember keeps an answer in the citizen's history. Under mu.
func (r *record) remember(now time.Time, got loadgen.Result) {
	line := fmt.Sprintf("%8.3f s  %s", now.Sub(r.began).Seconds(), strings.TrimPrefix(got.String(), "citizen "+got.Citizen+", "))
	life := append(r.lives[got.Citizen], line)
	r.lives[got.Citizen] = life[max(0, len(life)-maxHistory):]
}

// found keeps a wrong answer with the citizen's history, if it is one of the first. Under mu.
func (r *record) found(got loadgen.Result) (history string, first bool) {
	history = strings.Join(r.lives[got.Citizen], "\n")
	if first = len(r.findings) < maxFindings; first {
		r.findings = append(r.findings, got.String()+"\n"+history)
	}
	return history, first
}

func (r *record) history(citizen string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.lives[citizen], "\n")
}

func (r *record) judged(v *oracle.Verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verdict = v
}

// live is the record as the result shows it.
func (r *record) live() *reports.Live {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &reports.Live{Restarts: r.restarts, Wrong: r.wrongAside, Answers: r.wrongAside, Doubts: slices.Clone(r.doubts), Findings: slices.Clone(r.findings)}
	took := r.last.Sub(r.began)
	l.Seconds = reports.Num(took.Seconds())
	none := reports.None()
	l.Generator, l.Server = reports.Process{CPU: none, Share: none}, reports.Process{CPU: none, Share: none}
	of := func(used time.Duration) reports.Process {
		return reports.Process{CPU: reports.Num(used.Seconds()), Share: reports.Num(float64(used) / float64(max(took, 1)) / float64(runtime.NumCPU()))}
	}
	if r.ended && r.cpu != nil {
		l.Generator = of(r.cpuAtEnd - r.cpuAtBegin)
	}
	if r.server[0] >= 0 && r.server[1] >= 0 {
		l.Server = of(r.server[1] - r.server[0])
	}
	for _, key := range slices.Sorted(maps.Keys(r.operations)) {
		o := *r.operations[key]
		seconds := took
		for _, p := range r.parts {
			if p.of[key] {
				seconds = p.last.Sub(p.began)
			}
		}
		o.Summarise(slices.Clone(r.ms[key]), seconds.Seconds())
		l.Operations = append(l.Operations, o)
		l.Unknown += o.Unknown
		l.Wrong += o.Wrong
		l.Answers += o.Count - o.Unknown
	}
	if v := r.verdict; v != nil {
		l.Judged, l.Violations, l.ByProperty = true, int64(v.Violations()), reports.Properties{}
		for name, c := range v.ByProperty {
			l.ByProperty[string(name)] = reports.Property{Opportunities: int64(c.Opportunities), Violations: int64(c.Violations)}
		}
		for _, f := range v.Findings[:min(maxFindings, len(v.Findings))] {
			l.Findings = append(l.Findings, told(f)+"\n"+strings.Join(r.lives[f.Citizen], "\n"))
		}
	}
	return l
}
