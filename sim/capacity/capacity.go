// Package capacity is what the ID service and the card plant can carry: nodes
// with replicas, service demands and faults, solved second by second as fluid
// queues in whole microseconds, so that the result does not depend on who adds
// the load up.
//
// Load is posted as integers per second and operation; the outcome of a second
// is a table that citizens read. Machine retries, which are shorter than a
// window, live here, by the policy of each kind of client; people's own retries
// do not. Demands are assumptions until a profile is measured (scenario section
// "service").
package capacity

import (
	"fmt"
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

// order is that in which the nodes are passed by every operation.
var order = [...]string{"gateway", "register", "face", "signing", StatusNode}

const (
	maxAttempts = 1 + scenarios.MaxRetries
	maxNodes    = len(order)
)

// Service is the compiled service with its queues. It is not safe for
// concurrent use.
type Service struct {
	nodes   []node // in the order in which operations pass them
	path    [NumOps][]hop
	detect  int64 // seconds
	clients [numClients]client
	admits  int64      // requests a second; 0: all
	first   []Function // of those
	faults  []fault

	base   [NumOps]Fate                          // of an attempt in calm
	single []second                              // by second of the window
	due    map[int64]*[NumOps][maxAttempts]int64 // retries by second
	rest   [NumOps][maxAttempts]carry
	Stats  Stats
}

// second is what single attempts met in one.
type second struct {
	fate    [NumOps]Fate
	allowed [numClients]int64 // permille of the retries, by their budget
}

// carry are fractions (permille) of attempts that are carried on to the next
// second, so that few are failed as often as many.
type carry struct{ sent, failed, allowed, spread int64 }

// share is permille of n, the fraction carried on in rest.
func share(rest *int64, n, permille int64) int64 {
	k := (n*permille + *rest) / 1000
	*rest += n*permille - k*1000
	return k
}

type node struct {
	capacity int64 // µs of work a second
	backlog  int64 // µs of work waiting
	shed     int64 // µs of waiting beyond which work is refused; 0: never
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
	Refused  [][NumOps]int64 // attempts turned away at once: not admitted, or shed
	Late     [][NumOps]int64 // attempts answered when nobody waited any more
	Held     [][NumOps]int64 // attempts that a client's breaker did not send
	GivenUp  [][NumOps]int64 // retries that a client's budget did not allow
	// FirstFailed is the first second in which an attempt failed, by fault; -1.
	FirstFailed []int64
	Touched     []int64 // failed attempts while the fault was on
	// While a fault was on, by operation; and the first second from which one that
	// had failed was served again, -1.
	Tried    [][NumOps]int64
	Answered [][NumOps]int64
	Restored [][NumOps]int64
	// Unpublished are the status lists that were due while the fault was on and
	// could not be published; the first was due at FirstUnpublished, -1.
	Unpublished      []int64
	FirstUnpublished []int64
}

// Overloaded is the number of hours in which more attempts were turned away or answered
// too late than in time, and of those in which there were any.
func (st *Stats) Overloaded() (hours, of int64) {
	for h := range st.Attempts {
		var attempts, served, over int64
		for op := range Op(NumOps) {
			attempts += st.Attempts[h][op]
			served += st.Served[h][op]
			over += st.Refused[h][op] + st.Late[h][op]
		}
		if attempts > 0 {
			of++
		}
		if over > served {
			hours++
		}
	}
	return hours, of
}

// New compiles the service of a scenario; seconds count from its start.
func New(s *scenarios.Scenario) (*Service, error) {
	sv := &Service{due: map[int64]*[NumOps][maxAttempts]int64{}}
	index := map[string]int{}
	for _, n := range order {
		x, ok := s.Service.Nodes[n]
		if !ok {
			continue
		}
		index[n] = len(sv.nodes)
		sv.nodes = append(sv.nodes, node{capacity: int64(x.Replicas) * int64(x.Workers) * 1_000_000, shed: x.ShedAfter.Microseconds()})
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
	sv.detect = max(1, int64(s.Service.Detect/time.Second))
	c := &s.Service.Clients
	sv.clients = [numClients]client{wallet: newClient(&c.Wallet), terminal: newClient(&c.Terminal), verifier: newClient(&c.Verifier)}
	sv.admits = int64(s.Service.Admission.Rate)
	for _, name := range s.Service.Admission.First {
		for f := range Function(NumFunctions) {
			if f.String() == name {
				sv.first = append(sv.first, f)
			}
		}
	}
	sv.compileFaults(s, index)
	for op := range Op(NumOps) {
		sv.base[op] = Fate{0, int32((sv.Alone(op).Microseconds() + 999) / 1000)}
	}
	const day = 24 * time.Hour // whoever reads the hours reads whole days, whenever the run ends
	hours := 24*int((s.End.Sub(s.Start.Time)+day-1)/day) + 2
	st := &sv.Stats
	for _, x := range []*[][NumOps]int64{&st.Requests, &st.Attempts, &st.Served, &st.Refused, &st.Late, &st.Held, &st.GivenUp} {
		*x = make([][NumOps]int64, hours)
	}
	return sv, nil
}

// Alone is how long an operation takes while nobody waits, network apart.
func (sv *Service) Alone(op Op) time.Duration {
	var us int64
	for _, h := range sv.path[op] {
		us += h.work
	}
	return time.Duration(us) * time.Microsecond
}
