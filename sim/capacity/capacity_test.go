package capacity

import (
	"math"
	"strings"
	"testing"

	"rollcall.example/rollcall/scenarios"
)

// service compiles the announced service with settings; a * is every kind of client.
func service(t testing.TB, settings ...string) (*Service, *scenarios.Scenario) {
	t.Helper()
	var each []string
	for _, x := range settings {
		if !strings.Contains(x, ".*.") {
			each = append(each, x)
			continue
		}
		for _, kind := range []string{"wallet", "terminal", "verifier"} {
			each = append(each, strings.Replace(x, "*", kind, 1))
		}
	}
	s, err := scenarios.Load("announced", each)
	if err != nil {
		t.Fatal(err)
	}
	sv, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return sv, s
}

// outage is a setting with one fault, for an hour from the second hour on.
func outage(kind, nodes, severity string) string {
	return "faults=[{name: f, kind: " + kind + ", nodes: [" + nodes + "], at: 2024-12-27 01:00, for: 1h, severity: " + severity + "}]"
}

const from, to = 3600, 7200 // of that fault

// steady posts n requests of an operation each second.
func steady(seconds int, op Op, n int32) [][NumOps]int32 {
	out := make([][NumOps]int32, seconds)
	for i := range out {
		out[i][op] = n
	}
	return out
}

// solve runs a load from second 0 on, in windows of a width.
func solve(sv *Service, load [][NumOps]int32, width int) [][NumOps]Fate {
	fates := make([][NumOps]Fate, len(load))
	for i := 0; i < len(load); i += width {
		end := min(i+width, len(load))
		sv.Solve(int64(i), load[i:end], fates[i:end])
	}
	return fates
}

func sum(hours [][NumOps]int64, op Op) (n int64) {
	for _, h := range hours {
		n += h[op]
	}
	return n
}

// Series of a run have whole days of hours; so have these, or their end is missed.
func TestHoursAreWholeDaysWheneverTheRunEnds(t *testing.T) {
	for end, days := range map[string]int{"2024-12-28": 1, "2024-12-28 00:00:01": 2, "2024-12-28 12:34:56": 2, "2024-12-29": 2} {
		sv, _ := service(t, "end="+end)
		if n := len(sv.Stats.Attempts); n < 24*days || len(sv.Stats.Requests) != n || len(sv.Stats.Served) != n {
			t.Errorf("a run until %s has %d hours, its %d days have %d", end, n, days, 24*days)
		}
	}
}

func TestWithoutLoadNothingHappens(t *testing.T) {
	sv, _ := service(t)
	solve(sv, make([][NumOps]int32, 7200), 3600)
	for op := range Op(NumOps) {
		if sum(sv.Stats.Attempts, op) != 0 || sum(sv.Stats.Served, op) != 0 {
			t.Errorf("operation %d was attempted", op)
		}
	}
}

func TestInCalmEveryRequestTakesItsServiceDemands(t *testing.T) {
	sv, s := service(t)
	d := s.Service.Demands
	for op, want := range map[Op]float64{
		IssueTap:     (d["issue"]["gateway"] + d["issue"]["register"] + d["issue"]["face"] + d["face"]["face"] + d["issue"]["signing"]).Seconds(),
		VerifyOnline: (d["verify"]["gateway"] + d["verify"]["register"]).Seconds(),
		Report:       (d["report"]["gateway"] + d["report"]["register"]).Seconds(),
	} {
		fates := solve(sv, steady(60, op, 3), 60)
		for i, f := range fates {
			if f[op].FailPermille != 0 || f[op].LatencyMs != int32(math.Ceil(want*1000-1e-9)) {
				t.Fatalf("operation %d, second %d: %+v, want %g s and no failure", op, i, f[op], want)
			}
		}
		if a, r, served := sum(sv.Stats.Attempts, op), sum(sv.Stats.Requests, op), sum(sv.Stats.Served, op); a != 180 || r != 180 || served != 180 {
			t.Errorf("operation %d: %d requests, %d attempts, %d served, want 180", op, r, a, served)
		}
	}
}

func TestWhileANodeIsDownAllFailAfterAllRetries(t *testing.T) {
	sv, s := service(t, outage("down", "register", "100%"))
	load := steady(9000, VerifyOnline, 2)
	fates := solve(sv, load, 300)
	last := int(sv.clients[verifier].delay[sv.clients[verifier].attempts-1])
	for i, f := range fates {
		switch want := f[VerifyOnline].FailPermille; {
		case i < from || i >= to-last: // a retry falls behind the end
			if want != 0 {
				t.Fatalf("second %d: %d permille fail", i, want)
			}
		case want != 1000:
			t.Fatalf("second %d, in the outage: %d permille fail", i, want)
		}
		if i >= to-last && i < to && f[VerifyOnline].LatencyMs < int32(to-i)*1000 {
			t.Fatalf("second %d is served before the end of the outage, after %d ms", i, f[VerifyOnline].LatencyMs)
		}
	}
	// Those of the outage's first part are attempted 1 + retries times.
	attempts := int64(1 + s.Service.Clients.Verifier.Retries)
	if attempts != int64(sv.clients[verifier].attempts) {
		t.Fatalf("%d attempts, want %d", sv.clients[verifier].attempts, attempts)
	}
	extra := sum(sv.Stats.Attempts, VerifyOnline) - sum(sv.Stats.Requests, VerifyOnline)
	want := int64(0)
	for i := from; i < to; i++ {
		for a := 1; a < sv.clients[verifier].attempts; a++ {
			if int64(i)+sv.clients[verifier].delay[a-1] < to { // the attempt before failed too
				want += 2
			}
		}
	}
	if extra != want {
		t.Errorf("%d machine retries, want %d", extra, want)
	}
	if got := sum(sv.Stats.Served, VerifyOnline); got != sum(sv.Stats.Attempts, VerifyOnline)-sv.Stats.Touched[0] {
		t.Errorf("%d served and %d failed of %d attempts", got, sv.Stats.Touched[0], sum(sv.Stats.Attempts, VerifyOnline))
	}
	if sv.Stats.FirstFailed[0] != from || sv.Stats.Restored[0][VerifyOnline] != to {
		t.Errorf("first failure at %d, restored at %d, want %d and %d", sv.Stats.FirstFailed[0], sv.Stats.Restored[0][VerifyOnline], from, to)
	}
	if len(sv.due) != 0 {
		t.Errorf("retries are still due in %d seconds", len(sv.due))
	}
}

func TestWhatFailsFollowsFromTheDependencyGraph(t *testing.T) {
	needs := map[string][]Op{
		"gateway":  {IssueTap, IssueCentre, VerifyOnline, Report, Release, RegisterCard},
		"register": {IssueTap, IssueCentre, VerifyOnline, Report, Release, RegisterCard},
		"face":     {IssueTap, IssueCentre},
		"signing":  {IssueTap, IssueCentre, RegisterCard},
		"status":   {},
	}
	for node, ops := range needs {
		sv, _ := service(t, outage("down", node, "100%"))
		down := map[Op]bool{}
		for _, op := range ops {
			down[op] = true
		}
		for op := range FaceAgain {
			load := steady(1, op, 1)
			fates := make([][NumOps]Fate, 1)
			sv.Solve(from+100, load, fates)
			if failed := fates[0][op].FailPermille == 1000; failed != down[op] {
				t.Errorf("%s down: operation %d fails: %v", node, op, failed)
			}
			if fn := Of(op); down[op] && sv.Survives(0, fn) {
				t.Errorf("%s down: %v is said to survive", node, fn)
			}
		}
		if !sv.Survives(0, OfflineVerification) {
			t.Errorf("%s down: offline checks need no node", node)
		}
		if up := sv.StatusUp(from); up != (node != "status") || !sv.StatusUp(from-1) || !sv.StatusUp(to) {
			t.Errorf("%s down: lists are published: %v", node, up)
		}
	}
}

// A third of the attempts fail, however few come a second: with three retries
// one request in 81 is lost, and there are 1 + 1/3 + 1/9 + 1/27 attempts a
// request.
func TestAPartialFaultFailsItsShare(t *testing.T) {
	for _, perSecond := range []int32{1, 2, 900} {
		sv, _ := service(t, outage("down", "gateway", "30%"), "service.clients.*.retries=3")
		fates := solve(sv, steady(to+60, VerifyOnline, perSecond), 3600)
		if got := fates[from+10][VerifyOnline].FailPermille; got < 8 || got > 10 {
			t.Errorf("%d a second: %d permille of the requests fail, want 0.3⁴", perSecond, got)
		}
		requests := float64(perSecond) * (to - from)
		retries := float64(sum(sv.Stats.Attempts, VerifyOnline) - sum(sv.Stats.Requests, VerifyOnline))
		if want := requests * (0.3 + 0.09 + 0.027); math.Abs(retries-want) > 0.01*want+20 {
			t.Errorf("%d a second: %g machine retries, want %g", perSecond, retries, want)
		}
		if want := requests * 1.417 * 0.3; math.Abs(float64(sv.Stats.Touched[0])-want) > 0.01*want+20 {
			t.Errorf("%d a second: %d attempts failed, want %g", perSecond, sv.Stats.Touched[0], want)
		}
		if got := sv.Stats.Restored[0][VerifyOnline]; got != to {
			t.Errorf("%d a second: restored at %d, but the fault ends at %d", perSecond, got, to)
		}
	}
}

func TestMostRequestsDoNotWaitForTheRetriesOfOthers(t *testing.T) {
	sv, _ := service(t, outage("down", "gateway", "30%"))
	calm := sv.base[VerifyOnline].LatencyMs
	fates := solve(sv, steady(to, VerifyOnline, 5), 3600)
	if got := fates[from+10][VerifyOnline].LatencyMs; got != calm {
		t.Errorf("seven in ten are served at once, but all are said to take %d ms (calm: %d)", got, calm)
	}
}

// small is a register that serves ten checks a second.
var small = []string{"service.nodes.register.replicas=1", "service.nodes.register.workers=1",
	"service.demands.verify.register=100ms", "service.demands.verify.gateway=1ms",
	"service.clients.*.retries=0"}

func TestABacklogGrowsByTheExcessAndDrainsAtCapacity(t *testing.T) {
	sv, _ := service(t, append(small, "service.clients.*.timeout=60s")...)
	load := steady(120, VerifyOnline, 0)
	for i := range 20 {
		load[i][VerifyOnline] = 25 // 2.5 s of work a second
	}
	for i := 20; i < 120; i++ {
		load[i][VerifyOnline] = 1
	}
	fates := solve(sv, load, 120)
	for i, f := range fates {
		backlog := 0.0 // seconds of work
		if i <= 20 {
			backlog = 1.5 * float64(i)
		} else {
			backlog = max(0, 30-0.9*float64(i-20))
		}
		want := backlog*1000 + 101
		if got := float64(f[VerifyOnline].LatencyMs); math.Abs(got-want) > 1.01 || f[VerifyOnline].FailPermille != 0 {
			t.Fatalf("second %d: %g ms (%d fail), want %g", i, got, f[VerifyOnline].FailPermille, want)
		}
	}
	if sv.nodes[sv.path[VerifyOnline][1].node].backlog != 0 {
		t.Error("the backlog is still there")
	}
}

func TestWhoWaitsLongerThanTheTimeoutFails(t *testing.T) {
	sv, _ := service(t, append(small, "service.clients.*.timeout=10s")...)
	fates := solve(sv, steady(30, VerifyOnline, 25), 30)
	for i, f := range fates {
		waits := 1.5*float64(i) + 0.101
		if failed := f[VerifyOnline].FailPermille == 1000; failed != (waits > 10) {
			t.Errorf("second %d: the queue is %.1f s long, fails: %v", i, waits, failed)
		}
	}
}

func TestASlowNodeHasLessCapacityAndLongerService(t *testing.T) {
	sv, _ := service(t, append(small, "service.clients.*.timeout=60s", outage("slow", "register", "60%"))...)
	fates := make([][NumOps]Fate, 10)
	sv.Solve(from, steady(10, VerifyOnline, 4), fates) // exactly what is left of ten a second
	for i, f := range fates {
		if f[VerifyOnline].FailPermille != 0 || f[VerifyOnline].LatencyMs != 251 {
			t.Errorf("second %d: %+v, want 100 ms / 0.4 and the gateway's", i, f[VerifyOnline])
		}
	}
	sv.Solve(from+10, steady(10, VerifyOnline, 6), fates)
	if got := fates[9][VerifyOnline].LatencyMs; got != 251+9*500 {
		t.Errorf("after nine seconds of half as much again: %d ms, want %d", got, 251+9*500)
	}
	if !sv.Survives(0, OnlineVerification) {
		t.Error("slow is not down")
	}
}

// Where the barriers stand is no matter to the queues.
func TestTheWidthOfWindowsDoesNotMoveTheQueues(t *testing.T) {
	run := func(width int) *Service {
		sv, _ := service(t, append(small, "service.clients.*.retries=3", outage("down", "face, register", "70%"))...)
		load := steady(9000, VerifyOnline, 7)
		for i := range load {
			load[i][IssueTap] = int32(i % 3)
			load[i][Report] = int32(i * 7919 % 5)
		}
		solve(sv, load, width)
		return sv
	}
	one := run(9000)
	for _, width := range []int{1, 7, 300, 3600} {
		other := run(width)
		for h := range one.Stats.Attempts {
			if one.Stats.Attempts[h] != other.Stats.Attempts[h] || one.Stats.Served[h] != other.Stats.Served[h] {
				t.Fatalf("windows of %d s: hour %d has %v attempts and %v served, one window %v and %v", width, h,
					other.Stats.Attempts[h], other.Stats.Served[h], one.Stats.Attempts[h], one.Stats.Served[h])
			}
		}
		if one.Stats.Touched[0] != other.Stats.Touched[0] {
			t.Errorf("windows of %d s: %d failed, one window %d", width, other.Stats.Touched[0], one.Stats.Touched[0])
		}
	}
}

func TestTheHealthSignalSeesAFaultAtItsNextLook(t *testing.T) {
	for _, c := range []struct {
		kind, severity, detect string
		want                   int64
	}{
		{"down", "100%", "30s", from + 30},
		{"down", "100%", "7s", from + 7 - from%7},
		{"down", "20%", "30s", -1}, // too little to be sure of
		{"slow", "60%", "30s", from + 30},
	} {
		sv, _ := service(t, outage(c.kind, "gateway", c.severity), "service.detect="+c.detect)
		if got := sv.Health(0); got != c.want {
			t.Errorf("%s %s, looked for every %s: seen at %d, want %d", c.kind, c.severity, c.detect, got, c.want)
		}
	}
}

func TestAnOutageOfTheStatusNodeMeetsTheListsThatWereDue(t *testing.T) {
	for _, c := range []struct {
		kind, severity, interval string
		n, first                 int64
	}{
		{"down", "100%", "5m", 12, from}, // the one at its end is published
		{"down", "50%", "7m", 9, 3780},   // from 63 to 119 minutes
		{"down", "100%", "3h", 0, -1},    // none was due
		{"down", "49%", "5m", 0, -1},     // they are published all the same
		{"slow", "100%", "5m", 0, -1},
	} {
		sv, _ := service(t, outage(c.kind, "status, register", c.severity), "status_lists.publish_interval="+c.interval)
		if n, first := sv.Stats.Unpublished[0], sv.Stats.FirstUnpublished[0]; n != c.n || first != c.first {
			t.Errorf("%s %s, every %s: %d lists from second %d on, want %d from %d", c.kind, c.severity, c.interval, n, first, c.n, c.first)
		}
	}
}

func TestAServiceNeedsItsNodes(t *testing.T) {
	s, err := scenarios.Load("announced", nil)
	if err != nil {
		t.Fatal(err)
	}
	nodes := map[string]scenarios.Node{}
	for k, v := range s.Service.Nodes {
		if k != "signing" {
			nodes[k] = v
		}
	}
	s.Service.Nodes = nodes
	if _, err := New(s); err == nil {
		t.Error("a service without a signing node compiles")
	}
}

// Parts come back one after the other: each function with the last that it needs.
func TestFunctionsReturnAsTheirNodesDo(t *testing.T) {
	sv, _ := service(t, "faults=[{name: f, kind: down, nodes: [gateway, register, signing, status], at: 2024-12-27 01:00, for: 10m, "+
		"restore: {register: 20m, signing: 50m, status: 5m}}]")
	load := steady(to+600, VerifyOnline, 2)
	for i := range load {
		load[i][IssueTap], load[i][FaceAgain], load[i][Report] = 1, 1, 1
	}
	solve(sv, load, 300)
	for fn, minutes := range map[Function]int64{OnlineVerification: 20, Suspension: 20, Issuance: 50} {
		if _, _, back := sv.Stats.During(0, fn); back != from+minutes*60 {
			t.Errorf("%v returns after %d s, want %d minutes", fn, back-from, minutes)
		}
	}
	if sv.StatusUp(from+299) || !sv.StatusUp(from+300) || sv.StatusSince(from+400) != from+300 || sv.ListsBack(0) != from+300 {
		t.Error("lists are not back after five minutes")
	}
	if tried, answered, _ := sv.Stats.During(0, Issuance); answered != 0 || tried == 0 {
		t.Errorf("%d of %d issues were answered without a signature", answered, tried)
	}
}

// The latency of a second is that of most of its requests: not of the first that
// get through, nor of the last.
func TestTheLatencyIsThatAfterWhichHalfAreServed(t *testing.T) {
	for severity, retry := range map[string]int{"30%": 0, "50%": 0, "60%": 1, "75%": 2} { // 1 − 0.6², 1 − 0.75³ > ½
		sv, _ := service(t, outage("down", "gateway", severity), "service.clients.*.retries=3")
		want := sv.base[VerifyOnline].LatencyMs + int32(sv.clients[verifier].delay[retry])*1000
		fates := solve(sv, steady(to, VerifyOnline, 5), 3600)
		if got := fates[from+10][VerifyOnline].LatencyMs; got != want {
			t.Errorf("%s fail: %d ms, want %d, that of retry %d", severity, got, want, retry)
		}
	}
}

// When the status node is back, what was due is published at once.
func TestListsArePublishedTheSecondTheStatusNodeIsBack(t *testing.T) {
	sv, _ := service(t, outage("down", "status", "100%"))
	if since := sv.StatusSince(from - 1); since >= 0 {
		t.Errorf("before the outage: since %d", since)
	}
	for _, sec := range []int64{to, to + 1, to + 86400} {
		if since := sv.StatusSince(sec); since != to {
			t.Errorf("second %d: since %d, want %d", sec, since, to)
		}
	}
}

// A request costs work only at the nodes that it reaches.
func TestARequestThatFailsCostsNothingBehindTheFailure(t *testing.T) {
	// Ten seconds of 25 checks at a register that serves ten: with nine in ten lost
	// at the gateway, 2.5 a second are left, and nobody waits.
	for severity, backlog := range map[string]int64{"90%": 0, "20%": 10 * (20 - 10) * 100_000} {
		sv, _ := service(t, append(small, "service.clients.*.timeout=60s", outage("down", "gateway", severity))...)
		fates := make([][NumOps]Fate, 10)
		sv.Solve(from, steady(10, VerifyOnline, 25), fates)
		if got := sv.nodes[sv.path[VerifyOnline][1].node].backlog; got != backlog {
			t.Errorf("%s lost at the gateway: %d µs of work wait at the register, want %d", severity, got, backlog)
		}
	}
}
