package main

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/loadgen"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/rollout"
)

// Here a crowd of citizens uses a service that is killed under them, and the oracle
// judges what they saw.

const crowdTTL, crowdAllowance = 2 * time.Second, 3 * time.Second

// crowdFlags are those of a service that a crowd uses: nobody is turned away by rate,
// and lists change quickly.
var crowdFlags = []string{"--demo", "--demo-residents", "1", "--copies", "3", "--status-every", "1s", "--status-ttl", "2s", "--status-size", "65536",
	"--rate-address", "1000000", "--rate-citizen", "1000000", "--rate-staff", "1000000", "--rate-verifier", "1000000", "--log-level", "warn",
	"--scenario", crowdScenario}

// crowdScenario has regions that are not open, and centres that serve their own alone.
var crowdScenario = func() string {
	path, err := filepath.Abs(filepath.Join("testdata", "crowd.yaml"))
	if err != nil {
		panic(err)
	}
	return path
}()

// Municipalities of those who live elsewhere.
const (
	openAway   = "30170" // Daejeon Seo-gu, since the pilot
	closedAway = "11110" // Seoul Jongno-gu, in 2099
)

// crowd is citizens of a service that runs.
func crowd(t *testing.T, p *process, seed uint64, citizens int, change ...func(*loadgen.Options)) *loadgen.Crowd {
	t.Helper()
	s, err := scenarios.Load(crowdScenario, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		t.Fatal(err)
	}
	model, err := rollout.New(s, n)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(p.dir, "rollcall-data", authorityFile))
	if err != nil {
		t.Fatal(err)
	}
	staff, places := loadgen.Demonstration(crowdTTL)
	o := loadgen.Options{
		Service: p.url, CA: ca, Scenario: s, Nation: n, Seed: seed, Citizens: citizens, Staff: staff, Places: places,
		Rules: &model.Policy, Exceptions: true, Elsewhere: []string{openAway, closedAway},
		Now: time.Now, Random: crand.Reader, Wait: wait, StatusEvery: time.Second, Allowance: crowdAllowance, AuditSkew: 100 * time.Millisecond,
	}
	for _, f := range change {
		f(&o)
	}
	c, err := loadgen.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Enter(t.Context(), 16); err != nil {
		t.Fatalf("%v\n%s", err, p.err)
	}
	return c
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// live is what one citizen does, over and over: everything that may race does.
func live(stop <-chan struct{}, c, other *loadgen.Citizen, draw *rand.Rand) {
	ctx := context.Background()
	over := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	for !over() {
		switch draw.IntN(18) {
		case 0, 1, 2:
			c.Present(ctx, "shop")
		case 3:
			c.Present(ctx, "bank")
		case 4:
			c.Present(ctx, "office")
		case 5: // reports race presentations and issues
			var both sync.WaitGroup
			both.Go(func() { c.ReportLost(ctx, loadgen.PhysicalLost) })
			if draw.IntN(2) == 0 {
				c.Present(ctx, "shop")
			} else {
				c.IssueByTap(ctx)
			}
			both.Wait()
			c.Present(ctx, "shop")
			c.Look(ctx)
			c.IssueByTap(ctx) // must be refused
			c.Release(ctx, loadgen.PhysicalLost)
		case 6:
			c.ReportTwice(ctx, loadgen.MobileLost)
			c.Present(ctx, "shop")
			c.ShowPlastic(ctx)
			c.IssueByTap(ctx) // to a phone that is lost
			c.ReleaseByCall(ctx, loadgen.PhysicalLost)
			c.Release(ctx, loadgen.MobileLost)
		case 7:
			if c.NewPhone() == nil {
				c.IssueByTap(ctx)
				c.PresentOld(ctx, "shop")
			}
		case 8:
			c.ReportLost(ctx, loadgen.PhysicalLost)
			c.ReleaseByCall(ctx, loadgen.PhysicalLost)
			c.ReleaseOlder(ctx, loadgen.PhysicalLost)
			c.NewCard(ctx)
			c.Present(ctx, "shop")
			c.IssueByOldCard(ctx)
			c.IssueByTap(ctx)
		case 9, 12:
			c.IssueAtCentre(ctx)
			c.ScanAgain(ctx)
		case 10:
			c.IssueToAnotherFace(ctx)
		case 11:
			c.ReportLost(ctx, loadgen.Administrative)
			c.Present(ctx, "bank")
			c.IssueByTap(ctx)
			c.Release(ctx, loadgen.Administrative)
		case 13:
			if draw.IntN(4) == 0 {
				c.ScanLate(ctx)
			}
			c.ScanCodeOf(ctx, other)
		default:
			c.ShowPlastic(ctx)
			c.Look(ctx)
		}
		if c.Pending() { // who has had no answer asks again
			_ = wait(ctx, time.Duration(50+draw.IntN(200))*time.Millisecond)
			brief, cancel := context.WithTimeout(ctx, 5*time.Second)
			_ = c.Settle(brief)
			cancel()
		}
	}
}

// rush is how everybody's life begins: a mobile card is asked for, and its loss
// reported, by all at the same time.
type rush struct {
	citizens, unanswered atomic.Int64
	began                time.Time
	took                 atomic.Int64
}

func (r *rush) join(c *loadgen.Citizen, draw *rand.Rand) {
	ctx := context.Background()
	var both sync.WaitGroup
	count := func(x loadgen.Result) {
		if x.Unknown {
			r.unanswered.Add(1)
		}
	}
	issue, cause := c.IssueByTap, loadgen.PhysicalLost
	if draw.IntN(4) == 0 {
		issue = c.IssueAtCentre
	}
	if draw.IntN(4) == 0 {
		cause = loadgen.Administrative
	}
	both.Go(func() { count(c.ReportLost(ctx, cause)) })
	both.Go(func() { count(issue(ctx)) })
	both.Wait()
	r.citizens.Add(1)
	r.took.Store(int64(time.Since(r.began)))
	c.Present(ctx, "shop")
	c.Release(ctx, cause)
}

func (r *rush) String() string {
	took := time.Duration(r.took.Load())
	return fmt.Sprintf("%d issuances and reports at once: all over after %.1f s, %.0f a second, %d of them without an answer that decides",
		2*r.citizens.Load(), took.Seconds(), float64(2*r.citizens.Load())/took.Seconds(), r.unanswered.Load())
}

// rushing starts the lives of a crowd.
func rushing(c *loadgen.Crowd, seed uint64) (r *rush, stop chan struct{}, all *sync.WaitGroup) {
	r, stop, all = &rush{began: time.Now()}, make(chan struct{}), &sync.WaitGroup{}
	for i, one := range c.Citizens {
		all.Go(func() {
			draw := rand.New(rand.NewPCG(seed, uint64(i)))
			r.join(one, draw)
			live(stop, one, c.Citizens[(i+1)%len(c.Citizens)], draw)
		})
	}
	return r, stop, all
}

// peace lets some citizens lose and find their cards before anything is killed, and
// show them when all bounds are past: after a kill a refusal would be excused for
// minutes (S12).
func peace(t *testing.T, c *loadgen.Crowd) {
	if os.Getenv("ROLLCALL_CAMPAIGN") == "" {
		return
	}
	var all sync.WaitGroup
	for _, one := range c.Citizens[:20] {
		all.Go(func() {
			one.IssueByTap(t.Context())
			one.ReportLost(t.Context(), loadgen.PhysicalLost)
			bound := time.Second + crowdTTL + crowdAllowance + 500*time.Millisecond // publishing, and what follows
			time.Sleep(bound)
			one.Present(t.Context(), "bank") // by a list, from which it must be gone (S4)
			one.Release(t.Context(), loadgen.PhysicalLost)
			time.Sleep(bound)
			one.Present(t.Context(), "shop")
		})
	}
	all.Wait()
}

// inspected has every citizen looked up and seen once more, at rest: so all of the
// register is held against what was acknowledged.
func inspected(c *loadgen.Crowd) {
	var all sync.WaitGroup
	todo := make(chan *loadgen.Citizen)
	for range 16 {
		all.Go(func() {
			for one := range todo {
				one.Look(context.Background())
				one.ShowPlastic(context.Background())
				one.Present(context.Background(), "shop")
			}
		})
	}
	for _, one := range c.Citizens {
		todo <- one
	}
	close(todo)
	all.Wait()
}

// judged settles what is open, and holds what was seen against the oracle. What the
// processes wrote, in all their lives, is p.err.
func judged(t *testing.T, c *loadgen.Crowd, p *process) *oracle.Verdict {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if err := c.Settle(ctx, 16); err != nil {
		t.Errorf("what had no answer has none now: %v", err)
	}
	inspected(c)
	v, h, err := c.Judge(ctx)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.err)
	}
	for i, r := range c.Wrong() {
		if i < 10 {
			t.Errorf("%s", r)
		}
	}
	for _, f := range v.Findings {
		t.Errorf("%s: citizen %s, sequence %d: %s", f.Property, f.Citizen, f.Sequence, f.Sentence)
	}
	if t.Failed() {
		if dir := os.Getenv("ROLLCALL_FINDINGS"); dir != "" {
			text, _ := json.Marshal(h)
			_ = os.WriteFile(filepath.Join(dir, "history.json"), text, 0o600)
		}
	}
	for line := range strings.Lines(p.err.String()) {
		if strings.Contains(line, "panic") || strings.Contains(line, `"status":500`) && !strings.Contains(line, "context canceled") {
			t.Errorf("the log has %s", line)
		}
	}
	t.Logf("%d transitions, %d presentations, %d lists, %d restarts; untested: %v", v.Transitions, len(h.Presentations), v.ListsJudged, len(h.Restarts), v.Untested())
	return v
}

// What is acknowledged stands, whatever the moment at which the service is killed,
// and nothing is told that the register does not hold.
func TestACrowdLosesNothingWhenTheServiceIsKilled(t *testing.T) {
	citizens, kills, between := 12, 1, time.Second
	if os.Getenv("ROLLCALL_CAMPAIGN") != "" {
		citizens, kills, between = 500, 6, 4*time.Second
	}
	dir := t.TempDir()
	p, err := start(dir, os.Environ(), crowdFlags...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	listen := strings.TrimPrefix(strings.Replace(p.url, "localhost", "127.0.0.1", 1), "https://")
	const seed = 1
	c := crowd(t, p, seed, citizens)
	moments := rand.New(rand.NewPCG(seed, 1))
	said := p.err
	peace(t, c)
	rush, stop, all := rushing(c, seed)
	for n := range kills {
		time.Sleep(between/2 + time.Duration(moments.Int64N(int64(between))))
		down := c.Stamp()
		how := syscall.SIGKILL
		if n%3 == 2 { // an orderly end loses nothing, either
			how = syscall.SIGTERM
		}
		_ = p.cmd.Process.Signal(how)
		<-p.ended
		if p, err = start(dir, os.Environ(), append(crowdFlags, "--listen", listen)...); err != nil {
			close(stop)
			t.Fatal(err)
		}
		p.err.also(said)
		c.Restarted(down, c.Stamp())
	}
	time.Sleep(between)
	close(stop)
	all.Wait()
	p.err = said
	tested(t, judged(t, c, p))
	report(t, c, rush)
	_ = p.cmd.Process.Kill()
	<-p.ended
	chainHolds(t, "--data", filepath.Join(dir, "rollcall-data"))
}

// tested demands that every property could have been broken. Within a few seconds not
// all can.
func tested(t *testing.T, v *oracle.Verdict) {
	t.Helper()
	for _, p := range v.Untested() {
		if p == "S5" || os.Getenv("ROLLCALL_CAMPAIGN") != "" {
			t.Errorf("%s could not have been broken: it was not tested", p)
		}
	}
}

// report says what the crowd did.
func report(t *testing.T, c *loadgen.Crowd, r *rush) {
	t.Helper()
	t.Logf("%s", r)
	var told []string
	for what, n := range c.Counts() {
		told = append(told, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(told)
	t.Logf("%s", strings.Join(told, ", "))
}

// chainHolds has the command walk the whole log.
func chainHolds(t *testing.T, where ...string) {
	t.Helper()
	path, err := exec.LookPath("rollcall")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, append([]string{"audit", "verify"}, where...)...).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
