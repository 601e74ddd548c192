package main

import (
	"context"
	crand "crypto/rand"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/loadgen"
	"rollcall.example/rollcall/sim/oracle"
)

// Here a crowd of citizens uses a service that is killed under them, and the oracle
// judges what they saw.

const crowdTTL = 2 * time.Second

// crowdFlags are those of a service that a crowd uses: nobody is turned away by rate,
// and lists change quickly.
var crowdFlags = []string{"--demo", "--demo-residents", "1", "--copies", "3", "--status-every", "1s", "--status-ttl", "2s", "--status-size", "65536",
	"--rate-address", "1000000", "--rate-citizen", "1000000", "--rate-staff", "1000000", "--rate-verifier", "1000000", "--log-level", "warn"}

// crowd is citizens of a service that runs.
func crowd(t *testing.T, p *process, seed uint64, citizens int, change ...func(*loadgen.Options)) *loadgen.Crowd {
	t.Helper()
	s, err := scenarios.Load("announced", nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := scenarios.LoadNation()
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
		Now: time.Now, Random: crand.Reader, Wait: wait, StatusEvery: time.Second, Allowance: 3 * time.Second, AuditSkew: 100 * time.Millisecond,
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
func live(stop <-chan struct{}, c *loadgen.Citizen, draw *rand.Rand) {
	ctx := context.Background()
	over := func() bool {
		select {
		case <-stop:
			return true
		default:
			return false
		}
	}
	if draw.IntN(4) == 0 {
		c.IssueAtCentre(ctx)
	} else {
		c.IssueByTap(ctx)
	}
	for !over() {
		switch draw.IntN(14) {
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
			c.IssueByTap(ctx)
		case 9:
			c.IssueAtCentre(ctx)
		case 10:
			c.IssueToAnotherFace(ctx)
		case 11:
			c.ReportLost(ctx, loadgen.Administrative)
			c.Present(ctx, "bank")
			c.IssueByTap(ctx)
			c.Release(ctx, loadgen.Administrative)
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

// judged settles what is open, and holds what was seen against the oracle.
func judged(t *testing.T, c *loadgen.Crowd, p *process) *oracle.Verdict {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	if err := c.Settle(ctx, 16); err != nil {
		t.Errorf("what had no answer has none now: %v", err)
	}
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
		citizens, kills, between = 400, 6, 5*time.Second
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
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i, one := range c.Citizens {
		all.Go(func() { live(stop, one, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
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
		c.Restarted(down, c.Stamp())
	}
	time.Sleep(between)
	close(stop)
	all.Wait()
	v := judged(t, c, p)
	if v.ByProperty["S5"].Opportunities == 0 {
		t.Error("nothing was acknowledged before a kill: it tested nothing")
	}
	var told []string
	for what, n := range c.Counts() {
		told = append(told, fmt.Sprintf("%s %d", what, n))
	}
	t.Logf("%s", strings.Join(told, ", "))
}
