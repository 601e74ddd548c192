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
	maxAttempts = 1 + scenarios.MaxRetries
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
	capacity int64 // µs of work a second
	backlog  int64 // µs of work waiting
}

type hop struct {
	node int
	work int64 // µs
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
	// Unpublished are the status lists that were due while the fault was on and
	// could not be published; the first was due at FirstUnpublished, -1.
	Unpublished      []int64
	FirstUnpublished []int64
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
		sv.nodes = append(sv.nodes, node{capacity: int64(x.Replicas) * int64(x.Workers) * 1_000_000})
	}
	for op := range graph {
		for _, n := range graph[op].nodes {
			i, ok := index[n]
			if !ok {
				return nil, fmt.Errorf("service.nodes: there is no node %q, which %s needs", n, graph[op].demand)
			}
			work := s.Service.Demands[graph[op].demand][n]
			if n == "face" && graph[op].demand == "issue" {
				work += s.Service.Demands["face"][n] // the first capture
			}
			sv.path[op] = append(sv.path[op], hop{i, work.Microseconds()})
		}
	}
	sv.timeout = s.Service.Client.Timeout.Microseconds()
	sv.detect = max(1, int64(s.Service.Detect/time.Second))
	sv.attempts = 1 + s.Service.Client.Retries
	wait := int64(s.Service.Client.Backoff / time.Second)
	for a := 1; a < sv.attempts; a++ {
		sv.delay[a] = sv.delay[a-1] + max(1, wait<<(a-1))
	}
	sv.compileFaults(s, index)
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
	const day = 24 * time.Hour // whoever reads the hours reads whole days, whenever the run ends
	hours := 24*int((s.End.Sub(s.Start.Time)+day-1)/day) + 2
	sv.Stats.Requests = make([][NumOps]int64, hours)
	sv.Stats.Attempts = make([][NumOps]int64, hours)
	sv.Stats.Served = make([][NumOps]int64, hours)
	return sv, nil
}
