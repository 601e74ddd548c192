// Package capacity is what the ID service and the card plant can carry: nodes
// with replicas, service demands and faults, solved second by second as fluid
// queues in whole microseconds, so that the result does not depend on who adds
// the load up.
//
// Load is posted as integers per second and operation; the outcome of a second
// is a table that citizens read. Machine retries, which are shorter than a
// window, live here; people's own retries do not. Demands are assumptions until
// a profile is measured (scenario section "service").
package capacity

import (
	"fmt"
	"math"
	"slices"
	"time"

	"rollcall.example/rollcall/scenarios"
)

// Op is an operation of the service.
type Op uint8

// The operations. FaceAgain is a further capture in the same session: load on
// the matcher, no outcome of its own.
const (
	IssueTap Op = iota
	IssueCentre
	VerifyOnline
	Report
	Release
	RegisterCard
	FaceAgain
	NumOps = iota
)

// Function is what the service is for; faults are reported by function.
type Function uint8

// The functions.
const (
	Issuance Function = iota
	OnlineVerification
	Suspension
	OfflineVerification
	NumFunctions = iota
)

func (f Function) String() string {
	return [...]string{"issuance", "online_verification", "suspension", "offline_verification"}[f]
}

// Of says to which function an operation belongs.
func Of(o Op) Function {
	switch o {
	case IssueTap, IssueCentre, FaceAgain, RegisterCard:
		return Issuance
	case VerifyOnline:
		return OnlineVerification
	}
	return Suspension
}

// graph is the dependency graph: the nodes that an operation passes, in order,
// and the name of its service demand in the scenario.
var graph = [NumOps]struct {
	demand string
	nodes  []string
}{
	IssueTap:     {"issue", []string{"gateway", "register", "face", "signing"}},
	IssueCentre:  {"issue", []string{"gateway", "register", "face", "signing"}},
	VerifyOnline: {"verify", []string{"gateway", "register"}},
	Report:       {"report", []string{"gateway", "register"}},
	Release:      {"release", []string{"gateway", "register"}},
	RegisterCard: {"register-card", []string{"gateway", "register", "signing"}},
	FaceAgain:    {"face", []string{"gateway", "face"}},
}

// StatusNode publishes the status lists; verifiers that cache fetch from it.
const StatusNode = "status"

// Fate is the outcome of one second's requests of one operation.
type Fate struct {
	FailPermille int32 // of the requests, after all machine retries
	LatencyMs    int32 // of those that succeed, network apart
}

const (
	maxAttempts = 8
	maxNodes    = 16
)

// Service is the compiled service with its queues. It is not safe for
// concurrent use.
type Service struct {
	nodes    []node
	path     [NumOps][]hop
	timeout  int64 // µs
	detect   int64 // seconds
	attempts int
	delay    [maxAttempts]int64 // seconds from first attempt to attempt a
	faults   []fault

	base   [NumOps]Fate                          // of an attempt in calm
	single [][NumOps]Fate                        // of single attempts, by second of the window
	due    map[int64]*[NumOps][maxAttempts]int64 // retries by second
	rest   [NumOps][maxAttempts]int64            // permille of a failed attempt that is carried on
	Stats  Stats
}

type node struct {
	name     string
	capacity int64 // µs of work a second
	backlog  int64 // µs of work waiting
}

type hop struct {
	node int
	work int64 // µs
}

type fault struct {
	nodes    []int
	from, to int64 // seconds
	slow     bool
	permille int64
	status   bool
}

// Stats are what happened, by hour since the start.
type Stats struct {
	Requests [][NumOps]int64 // first attempts
	Attempts [][NumOps]int64 // with machine retries
	Served   [][NumOps]int64 // attempts answered in time
	// FirstFailed is the first second in which an attempt failed, by fault; -1.
	FirstFailed []int64
	Touched     []int64 // failed attempts while the fault was on
	// While a fault was on, by function; and the first second from which a
	// function that had failed was served again, -1.
	Tried    [][NumFunctions]int64
	Answered [][NumFunctions]int64
	Restored [][NumFunctions]int64
}

// New compiles the service of a scenario; seconds count from its start.
func New(s *scenarios.Scenario) (*Service, error) {
	sv := &Service{due: map[int64]*[NumOps][maxAttempts]int64{}}
	names := make([]string, 0, len(s.Service.Nodes))
	for n := range s.Service.Nodes {
		names = append(names, n)
	}
	slices.Sort(names)
	index := map[string]int{}
	for i, n := range names {
		index[n] = i
		x := s.Service.Nodes[n]
		sv.nodes = append(sv.nodes, node{name: n, capacity: int64(x.Replicas) * int64(x.Workers) * 1_000_000})
	}
	for op := range graph {
		for _, n := range graph[op].nodes {
			i, ok := index[n]
			if !ok {
				return nil, fmt.Errorf("service.nodes: there is no node %q, which %s needs", n, graph[op].demand)
			}
			work := s.Service.Demands[graph[op].demand][n]
			if op == int(IssueTap) || op == int(IssueCentre) {
				if n == "face" {
					work += s.Service.Demands["face"][n]
				}
			}
			sv.path[op] = append(sv.path[op], hop{i, work.Microseconds()})
		}
	}
	sv.timeout = s.Service.Client.Timeout.Microseconds()
	sv.detect = max(1, int64(s.Service.Detect/time.Second))
	sv.attempts = min(1+s.Service.Client.Retries, maxAttempts)
	wait := int64(s.Service.Client.Backoff / time.Second)
	for a := 1; a < sv.attempts; a++ {
		sv.delay[a] = sv.delay[a-1] + max(1, wait<<(a-1))
	}
	for _, f := range s.Faults {
		x := fault{
			from: int64(f.At.Sub(s.Start.Time) / time.Second), slow: f.Kind == "slow",
			permille: int64(float64(f.Severity)*1000 + 0.5),
		}
		x.to = x.from + int64(f.For/time.Second)
		for _, n := range f.Nodes {
			if n == StatusNode {
				x.status = true
			}
			x.nodes = append(x.nodes, index[n])
		}
		sv.faults = append(sv.faults, x)
		sv.Stats.FirstFailed = append(sv.Stats.FirstFailed, -1)
	}
	sv.Stats.Touched = make([]int64, len(sv.faults))
	sv.Stats.Tried = make([][NumFunctions]int64, len(sv.faults))
	sv.Stats.Answered = make([][NumFunctions]int64, len(sv.faults))
	sv.Stats.Restored = make([][NumFunctions]int64, len(sv.faults))
	for i := range sv.Stats.Restored {
		sv.Stats.Restored[i] = [NumFunctions]int64{-1, -1, -1, -1}
	}
	if len(sv.nodes) > maxNodes {
		return nil, fmt.Errorf("service.nodes: %d nodes are more than %d", len(sv.nodes), maxNodes)
	}
	for op := range Op(NumOps) {
		var us int64
		for _, h := range sv.path[op] {
			us += h.work
		}
		sv.base[op] = Fate{0, int32((us + 999) / 1000)}
	}
	hours := int(s.End.Sub(s.Start.Time)/time.Hour) + 2
	sv.Stats.Requests = make([][NumOps]int64, hours)
	sv.Stats.Attempts = make([][NumOps]int64, hours)
	sv.Stats.Served = make([][NumOps]int64, hours)
	return sv, nil
}

// down returns the permille of requests that fail at a node in a second, and
// the permille of its capacity that is left.
func (sv *Service) down(n int, sec int64) (fail, capacity int64) {
	capacity = 1000
	for i := range sv.faults {
		f := &sv.faults[i]
		if sec < f.from || sec >= f.to || !slices.Contains(f.nodes, n) {
			continue
		}
		if f.slow {
			capacity = min(capacity, 1000-f.permille)
		} else {
			fail = max(fail, f.permille)
		}
	}
	return fail, capacity
}

// attempt is the fate of a single attempt at a second, with the queues as they
// are after "ahead" further seconds of draining.
func (sv *Service) attempt(op Op, sec, ahead int64) (failPermille, latency int64) {
	pass := int64(1000)
	for _, h := range sv.path[op] {
		fail, left := sv.down(h.node, sec)
		pass = pass * (1000 - fail) / 1000
		n := &sv.nodes[h.node]
		capacity := n.capacity * left / 1000
		if capacity == 0 {
			return 1000, 0
		}
		waiting := max(0, n.backlog-ahead*capacity)
		latency += waiting*1_000_000/capacity + h.work*1000/left
	}
	if latency > sv.timeout {
		return 1000, sv.timeout
	}
	return 1000 - pass, latency
}

// Solve carries the load posted for the seconds [start, start+len(posted)) and
// writes the fates of those seconds for every operation that was posted.
func (sv *Service) Solve(start int64, posted [][NumOps]int32, fates [][NumOps]Fate) {
	if cap(sv.single) < len(posted) {
		sv.single = make([][NumOps]Fate, len(posted))
	}
	single := sv.single[:len(posted)]
	for i := range posted {
		sec := start + int64(i)
		sv.second(sec, &posted[i], &single[i])
	}
	end := start + int64(len(posted))
	for i := range posted {
		for op := range Op(NumOps) {
			if posted[i][op] > 0 {
				fates[i][op] = sv.fate(op, start+int64(i), start, end, single)
			}
		}
	}
}

// second lets one second pass: attempts meet the queues as the seconds before
// left them, then their work joins the queues.
func (sv *Service) second(sec int64, arrivals *[NumOps]int32, single *[NumOps]Fate) {
	retries := sv.due[sec]
	if retries != nil {
		delete(sv.due, sec)
	}
	calm := retries == nil && !sv.disturbed(sec)
	if calm {
		*single = sv.base
		idle := true
		for _, n := range arrivals {
			idle = idle && n == 0
		}
		if idle {
			return
		}
	}
	hour := sec / 3600
	var work [maxNodes]int64
	for op := range Op(NumOps) {
		if !calm {
			fail, latency := sv.attempt(op, sec, 0)
			single[op] = Fate{int32(fail), int32((latency + 999) / 1000)}
		}
		first := int64(arrivals[op])
		n := first
		if retries != nil {
			for _, k := range retries[op] {
				n += k
			}
		}
		if n == 0 {
			continue
		}
		sv.Stats.Requests[hour][op] += first
		sv.Stats.Attempts[hour][op] += n
		fail := int64(single[op].FailPermille)
		failed := int64(0)
		if fail > 0 {
			failed = sv.fail(op, sec, 0, first, fail)
			if retries != nil {
				for a, k := range retries[op] {
					failed += sv.fail(op, sec, a, k, fail)
				}
			}
		}
		sv.Stats.Served[hour][op] += n - failed
		if len(sv.faults) > 0 {
			sv.watch(op, sec, n, failed, fail)
		}
		// A request that fails at a node costs nothing behind it.
		pass := int64(1000)
		for _, h := range sv.path[op] {
			if !calm {
				f, _ := sv.down(h.node, sec)
				pass = pass * (1000 - f) / 1000
			}
			work[h.node] += n * h.work * pass / 1000
		}
	}
	for k := range sv.nodes {
		n := &sv.nodes[k]
		left := int64(1000)
		if !calm {
			_, left = sv.down(k, sec)
		}
		n.backlog = max(0, n.backlog+work[k]-n.capacity*left/1000)
	}
}

// disturbed says whether anything makes this second differ from calm.
func (sv *Service) disturbed(sec int64) bool {
	for i := range sv.nodes {
		if sv.nodes[i].backlog > 0 {
			return true
		}
	}
	for i := range sv.faults {
		if sec >= sv.faults[i].from && sec < sv.faults[i].to {
			return true
		}
	}
	return false
}

// fail lets permille of n attempts fail, and come back if they may. Fractions of
// an attempt are carried to the next second, so that few are failed as often as
// many.
func (sv *Service) fail(op Op, sec int64, attempt int, n, permille int64) int64 {
	rest := &sv.rest[op][attempt]
	failed := (n*permille + *rest) / 1000
	*rest += n*permille - failed*1000
	sv.retry(op, sec, attempt, failed)
	return failed
}

func (sv *Service) retry(op Op, sec int64, attempt int, n int64) {
	if n == 0 || attempt+1 >= sv.attempts {
		return
	}
	at := sec + sv.delay[attempt+1] - sv.delay[attempt]
	d := sv.due[at]
	if d == nil {
		d = new([NumOps][maxAttempts]int64)
		sv.due[at] = d
	}
	d[op][attempt+1] += n
}

// watch keeps what a fault did: of n attempts at a second some failed, permille
// of them on average.
func (sv *Service) watch(op Op, sec, n, failed, permille int64) {
	fn := Of(op)
	for i := range sv.faults {
		f := &sv.faults[i]
		if sec < f.from {
			continue
		}
		st := &sv.Stats
		on := sec < f.to
		if on {
			st.Tried[i][fn] += n
			st.Answered[i][fn] += n - failed
		}
		if failed > 0 && (on || st.Touched[i] > 0 && st.Restored[i][fn] < 0) {
			st.Touched[i] += failed
			if st.FirstFailed[i] < 0 {
				st.FirstFailed[i] = sec
			}
		} else if (permille == 0 || !on && permille < 500) && st.Restored[i][fn] < 0 && st.Answered[i][fn] < st.Tried[i][fn] {
			st.Restored[i][fn] = sec
		}
	}
}

// fate follows the requests of one second through their retries. Retries that
// fall behind the window meet the faults that are known for then, and the
// queues as the window left them, drained.
func (sv *Service) fate(op Op, sec, start, end int64, single [][NumOps]Fate) Fate {
	remaining := int64(1000) // permille that has not been served
	latency, told := int64(0), false
	for a := range sv.attempts {
		at := sec + sv.delay[a]
		var fail, ms int64
		if at < end {
			f := single[at-start][op]
			fail, ms = int64(f.FailPermille), int64(f.LatencyMs)
		} else {
			var us int64
			fail, us = sv.attempt(op, at, at-end)
			ms = (us + 999) / 1000
		}
		served := remaining * (1000 - fail) / 1000
		remaining -= served
		if !told && 1000-remaining >= 500 {
			latency, told = sv.delay[a]*1000+ms, true
		}
		if fail == 0 {
			break
		}
		if !told {
			latency = max(latency, sv.delay[a]*1000+ms)
		}
	}
	return Fate{int32(remaining), int32(latency)}
}

// StatusUp says whether verifiers can fetch lists, and lists are published, at
// a second.
func (sv *Service) StatusUp(sec int64) bool {
	for i := range sv.faults {
		f := &sv.faults[i]
		if f.status && !f.slow && f.permille >= 500 && sec >= f.from && sec < f.to {
			return false
		}
	}
	return true
}

// StatusSince is the second since which StatusUp holds, of a second at which it
// does: the end of the last fault before, when the lists are published at once.
func (sv *Service) StatusSince(sec int64) int64 {
	since := int64(math.MinInt64 / 1000)
	for i := range sv.faults {
		f := &sv.faults[i]
		if f.status && !f.slow && f.permille >= 500 && f.to <= sec {
			since = max(since, f.to)
		}
	}
	return since
}

// Health is what the service's own health signal saw of a fault: the second of
// the first alarm, or -1. The signal looks at every multiple of "detect"; a look
// at the instant at which the fault begins still finds all well.
func (sv *Service) Health(i int) int64 {
	f := &sv.faults[i]
	for at := (f.from/sv.detect + 1) * sv.detect; at < f.to; at += sv.detect {
		for _, n := range f.nodes {
			if fail, left := sv.down(n, at); fail >= 500 || left <= 500 {
				return at
			}
		}
	}
	return -1
}

// Survives says whether a function works while fault i is on.
func (sv *Service) Survives(i int, fn Function) bool {
	f := &sv.faults[i]
	if f.slow {
		return true
	}
	if fn == OfflineVerification {
		return true // a list that was fetched needs no service until its ttl is over
	}
	for op := range Op(NumOps) {
		if Of(op) != fn || op == FaceAgain {
			continue
		}
		for _, h := range sv.path[op] {
			if slices.Contains(f.nodes, h.node) && f.permille >= 500 {
				return false
			}
		}
	}
	return true
}
