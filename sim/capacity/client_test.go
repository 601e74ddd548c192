package capacity

import (
	"math"
	"testing"
)

// tight is a register that can check 100 presentations a second and is asked for 80,
// by clients that try again at once. For ten minutes it is ten times as slow.
var tight = []string{
	"service.nodes.register={replicas: 1, workers: 1}", "service.demands.verify.register=10ms",
	"service.clients.*.timeout=5s", "service.clients.*.retries=4", "service.clients.*.backoff=1s", "service.clients.*.growth=1",
	"faults=[{name: f, kind: slow, nodes: [register], at: 2024-12-27 01:00, for: 10m, severity: 90%}]",
}

const asked = 80

// goodput is what is served in each hour, of the four from the fault's on.
func goodput(t *testing.T, settings ...string) (sv *Service, served [4]int64) {
	t.Helper()
	sv, _ = service(t, append(append([]string{}, tight...), settings...)...)
	solve(sv, steady(6*3600, VerifyOnline, asked), 300)
	for h := range served {
		served[h] = sv.Stats.Served[h+1][VerifyOnline]
	}
	if before := sv.Stats.Served[0][VerifyOnline]; before != asked*3600 {
		t.Fatalf("%d served in the hour before the fault, want all %d", before, asked*3600)
	}
	return sv, served
}

// Ten slow minutes leave more retries than can be served in time. Late answers are
// work for nobody, and make more retries: goodput stays down when the cause is gone.
func TestAnOverloadThatOutlivesItsCause(t *testing.T) {
	sv, served := goodput(t)
	for h, n := range served[1:] {
		if n > asked*3600/100 {
			t.Errorf("%d hours after the fault %d are served, want next to none", h+1, n)
		}
	}
	if late := sv.Stats.Late[4][VerifyOnline]; late < 99*3600 {
		t.Errorf("%d late answers in an hour, want the whole capacity of 360,000", late)
	}
}

func TestEachCureLetsGoodputReturn(t *testing.T) {
	for name, settings := range map[string][]string{
		"what would wait too long is shed": {"service.nodes.register.shed_after=500ms"},
		"a budget for retries":             {"service.clients.verifier.budget=10%"},
		"a breaker":                        {"service.clients.verifier.breaker={failures: 50%, open: 30s}"},
		"fewer are let in":                 {"service.admission.rate=85"},
	} {
		t.Run(name, func(t *testing.T) {
			_, served := goodput(t, settings...)
			if n := served[2]; n < asked*3600*98/100 {
				t.Errorf("in the third hour after the fault's %d of %d are served", n, asked*3600)
			}
		})
	}
}

func TestSheddingKeepsTheQueueShort(t *testing.T) {
	sv, _ := service(t, append(append([]string{}, tight...), "service.nodes.register.shed_after=500ms", "faults=[]")...)
	fates := solve(sv, steady(600, VerifyOnline, 3*100), 300)
	for sec, f := range fates[10:500] {
		if ms := f[VerifyOnline].LatencyMs; sv.clients[verifier].attempts == 1 && ms > 600 {
			t.Fatalf("second %d: served after %d ms", sec, ms)
		}
	}
	if backlog := sv.nodes[1].backlog; backlog > 500_000 {
		t.Errorf("%d ms of work wait, more than half a second's", backlog/1000)
	}
	// The node works at its capacity, no more and no less.
	if served := sv.Stats.Served[0][VerifyOnline]; served < 99*600 || served > 101*600 {
		t.Errorf("%d served in ten minutes, want the capacity of 60,000", served)
	}
	if late := sum(sv.Stats.Late, VerifyOnline); late != 0 {
		t.Errorf("%d late answers", late)
	}
}

func TestRetriesStayWithinTheirBudget(t *testing.T) {
	sv, _ := service(t, append(append([]string{}, tight...), "service.clients.verifier.budget=20%")...)
	solve(sv, steady(to, VerifyOnline, asked), 300)
	requests, attempts := sum(sv.Stats.Requests, VerifyOnline), sum(sv.Stats.Attempts, VerifyOnline)
	late := int64(to-from) * asked // requests from the fault on: before, nothing fails
	if again := attempts - requests; again > late*20/100 || again < late*18/100 {
		t.Errorf("%d retries of %d requests, budget 20 %%", again, late)
	}
	if given := sum(sv.Stats.GivenUp, VerifyOnline); given == 0 {
		t.Error("no retry was given up")
	}
}

func TestAnOpenBreakerSendsNothingAndLooksAgain(t *testing.T) {
	sv, _ := service(t, append(append([]string{}, tight...), "service.clients.verifier.breaker={failures: 50%, open: 30s}")...)
	load := steady(to, VerifyOnline, asked)
	opened := int64(-1)
	for sec := range int64(len(load)) {
		fates := make([][NumOps]Fate, 1)
		sv.Solve(sec, load[sec:sec+1], fates)
		switch {
		case sec < from && sv.clients[verifier].openUntil >= 0:
			t.Fatalf("open at %d, before the fault", sec)
		case opened < 0 && sv.clients[verifier].openUntil >= 0:
			opened = sec
			if sec < from || sec > from+2*breakerWindow {
				t.Errorf("opened at %d s of the fault", sec-from)
			}
			if sv.clients[verifier].openUntil != sec+31 {
				t.Errorf("open until %d, want half a minute from %d", sv.clients[verifier].openUntil, sec)
			}
		}
	}
	if c := sv.clients[verifier]; opened < 0 || c.openUntil >= 0 {
		t.Errorf("opened at %d, still open until %d fifty minutes after the fault", opened, c.openUntil)
	}
	held, tried := sum(sv.Stats.Held, VerifyOnline), sv.Stats.Tried[0][VerifyOnline]
	if held < tried*8/10 {
		t.Errorf("%d of %d attempts were held back", held, tried)
	}
}

// A thousand requests, and nothing for more than a minute: then all of fifty fail. A
// tenth of those may be tried again, not a tenth of what was long before.
func TestABudgetForgetsWhatWasBeforeIdleSeconds(t *testing.T) {
	sv, _ := service(t, append(append([]string{}, tight...), "service.clients.verifier.budget=10%",
		"faults=[{name: f, kind: down, nodes: [gateway], at: 2024-12-27 01:00, for: 1h}]")...)
	load := make([][NumOps]int32, 7200)
	load[from-100][VerifyOnline], load[from][VerifyOnline] = 1000, 50
	solve(sv, load, 300)
	if again := sum(sv.Stats.Attempts, VerifyOnline) - 1050; again != 5 {
		t.Errorf("%d retries of 50 requests, budget 10 %%", again)
	}
	if given := sum(sv.Stats.GivenUp, VerifyOnline); given != 50 {
		t.Errorf("%d retries were given up, want 45 at once and later those of the five", given)
	}
}

// Fifteen failures are too few to open a breaker; ten answers half an hour later do
// not make them enough.
func TestABreakerForgetsWhatWasBeforeIdleSeconds(t *testing.T) {
	sv, _ := service(t, append(append([]string{}, tight...), "service.clients.verifier.breaker={failures: 50%, open: 30s}", "service.clients.*.retries=0",
		"faults=[{name: f, kind: down, nodes: [gateway], at: 2024-12-27 01:00, for: 5s}]")...)
	load := make([][NumOps]int32, 7200)
	load[from+4][VerifyOnline], load[from+1805][VerifyOnline] = 15, 10
	fates := solve(sv, load, 300)
	if fates[from+4][VerifyOnline].FailPermille != 1000 || fates[from+1805][VerifyOnline].FailPermille != 0 {
		t.Fatalf("%d and %d permille fail", fates[from+4][VerifyOnline].FailPermille, fates[from+1805][VerifyOnline].FailPermille)
	}
	if at := sv.clients[verifier].openUntil; at >= 0 {
		t.Errorf("open until %d, though all were answered", at-from)
	}
}

func TestWhatComesFirstIsLetInFirst(t *testing.T) {
	sv, _ := service(t, "service.admission={rate: 100, first: [suspension, online_verification]}")
	load := steady(60, VerifyOnline, 90)
	for i := range load {
		load[i][Report], load[i][IssueTap] = 20, 40
	}
	fates := solve(sv, load, 60)
	// 20 reports and 80 of 90 checks fill the rate, nothing is issued. Retries join
	// from the third second on, so the first tells.
	f := sv.single[0].fate
	if f[Report].FailPermille != 0 || f[VerifyOnline].FailPermille != 1000-80*1000/90 || f[IssueTap].FailPermille != 1000 {
		t.Errorf("permille that fail: report %d, check %d, issue %d", f[Report].FailPermille, f[VerifyOnline].FailPermille, f[IssueTap].FailPermille)
	}
	if fates[30][Report].FailPermille != 0 {
		t.Errorf("%d permille of the reports fail", fates[30][Report].FailPermille)
	}
}

func TestJitterSpreadsRetriesEvenly(t *testing.T) {
	sv, _ := service(t, "service.clients.verifier.jitter=full", "service.clients.verifier.backoff=8s",
		"service.clients.verifier.retries=1", "faults=[{name: f, kind: down, nodes: [register], at: 2024-12-27 01:00, for: 1s}]")
	for _, n := range []int32{1, 3, 800} {
		clear(sv.due)
		sv.rest = [NumOps][maxAttempts]carry{}
		seconds := int64(from)
		if n < 8 { // one or a few a second, for long
			for sec := range int64(1000) {
				sv.retry(VerifyOnline, sec, 0, int64(n))
			}
			least, most := int64(math.MaxInt64), int64(0)
			for sec := int64(20); sec < 980; sec += 24 {
				got := int64(0)
				for i := range int64(24) {
					if at := sv.due[sec+i]; at != nil {
						got += at[VerifyOnline][1]
					}
				}
				least, most = min(least, got), max(most, got)
			}
			// Binomial at the edges only: most of what is scattered within 8 s stays in 24.
			if mean := int64(24 * n); least < mean*6/10 || most > mean*14/10 {
				t.Errorf("%d a second come back as %d to %d in 24 s", n, least, most)
			}
			continue
		}
		sv.retry(VerifyOnline, seconds, 0, int64(n))
		for d := int64(1); d <= 8; d++ {
			if got := sv.due[seconds+d][VerifyOnline][1]; got != 100 {
				t.Errorf("of 800, %d come back after %d s", got, d)
			}
		}
	}
}

// Every attempt is served or failed, every failed one comes back, is given up by the
// budget, or was the last: whatever the policies, in windows of any width.
func TestPoliciesLoseNoAttemptInWindowsOfAnyWidth(t *testing.T) {
	settings := append(append([]string{}, tight...), "service.clients.*.jitter=full", "service.clients.wallet.budget=1%",
		"service.clients.verifier.breaker={failures: 40%, open: 20s}", "service.nodes.register.shed_after=700ms",
		"service.admission={rate: 150, first: [suspension]}")
	var first Stats
	for i, width := range []int{1, 7, 300, 3600} {
		sv, _ := service(t, settings...)
		load := steady(3*3600, VerifyOnline, 60)
		for k := range load {
			load[k][Report], load[k][IssueTap] = 1, int32(k%4)
		}
		solve(sv, load, width)
		if i == 0 {
			first = sv.Stats
		}
		for op := range Op(NumOps) {
			st := &sv.Stats
			if a, b := sum(st.Attempts, op), sum(first.Attempts, op); a != b {
				t.Errorf("operation %d: %d attempts in windows of %d s, %d in those of one", op, a, width, b)
			}
			if a, b := sum(st.Served, op), sum(first.Served, op); a != b {
				t.Errorf("operation %d: %d served in windows of %d s, %d in those of one", op, a, width, b)
			}
			if served, requests := sum(st.Served, op), sum(st.Requests, op); served > requests {
				t.Errorf("operation %d: %d served of %d requests", op, served, requests)
			}
		}
		if held, given, refused := sum(sv.Stats.Held, VerifyOnline), sum(sv.Stats.GivenUp, IssueTap), sum(sv.Stats.Refused, VerifyOnline); held == 0 || given == 0 || refused == 0 {
			t.Errorf("%d held, %d given up, %d refused: a policy did nothing", held, given, refused)
		}
	}
}

// Whatever is asked for, and however often it is asked for again: what waits is a number
// for each second in which retries are due, no more of them than clients' delays have.
func TestRetriesThatWaitTakeRoomByTheSecondNotByTheirNumber(t *testing.T) {
	sv, _ := service(t, "service.clients.*.retries=7", "service.clients.*.backoff=30s", "service.clients.*.growth=2", "service.clients.*.jitter=full",
		"faults=[{name: f, kind: down, nodes: [gateway], at: 2024-12-27 01:00, for: 3h}]")
	longest := 0
	for k := range sv.clients {
		longest = max(longest, int(sv.clients[k].wait[7]))
	}
	most := 0
	for hour := range 2 {
		load := steady(3600, VerifyOnline, 1_000_000)
		fates := make([][NumOps]Fate, len(load))
		sv.Solve(int64(3600*hour), load, fates)
		most = max(most, len(sv.due))
	}
	if attempts := sum(sv.Stats.Attempts, VerifyOnline); attempts < 3*2*3600*1_000_000 {
		t.Errorf("%d attempts: there was no storm", attempts)
	}
	if most > longest || most == 0 {
		t.Errorf("retries wait in %d seconds, the longest delay has %d", most, longest)
	}
}
