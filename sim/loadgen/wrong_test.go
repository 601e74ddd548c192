package loadgen_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/loadgen"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/servetest"
)

const (
	every     = time.Second
	ttl       = time.Second
	allowance = time.Second
)

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// crowd is citizens of a service that runs, with a fault inside or without.
func crowd(t *testing.T, fault string, citizens int, change ...func(*loadgen.Options)) *loadgen.Crowd {
	t.Helper()
	return crowdOf(t, fault, servetest.Options{}, citizens, change...)
}

// crowdOf is citizens of a service that is so.
func crowdOf(t *testing.T, fault string, is servetest.Options, citizens int, change ...func(*loadgen.Options)) *loadgen.Crowd {
	t.Helper()
	s, err := scenarios.Load("announced", nil)
	check(t, err)
	n, err := scenarios.LoadNation()
	check(t, err)
	is.Now, is.Random, is.Wait, is.Scenario, is.StatusEvery, is.TTL = time.Now, rand.Reader, wait, s, every, ttl
	service := servetest.Start(t, fault, is)
	staff, places := loadgen.Demonstration(ttl)
	o := loadgen.Options{
		Service: service.URL, CA: service.CA, Scenario: s, Nation: n, Seed: 1, Citizens: citizens, Staff: staff, Places: places,
		Now: time.Now, Random: rand.Reader, Wait: wait, StatusEvery: every, Allowance: allowance, AuditSkew: 100 * time.Millisecond,
	}
	for _, f := range change {
		f(&o)
	}
	c, err := loadgen.Open(t.Context(), o)
	check(t, err)
	check(t, c.Enter(t.Context(), 4))
	return c
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// day is what a citizen does who tries everything once.
func day(ctx context.Context, c *loadgen.Citizen) {
	c.IssueByTap(ctx)
	c.Present(ctx, "bank")
	c.ReportLost(ctx, loadgen.PhysicalLost)
	c.Present(ctx, "shop")
	c.Look(ctx)
	c.ReportTwice(ctx, loadgen.MobileLost)
	c.Release(ctx, loadgen.PhysicalLost)
	c.Present(ctx, "shop") // the phone is still lost
	c.Release(ctx, loadgen.MobileLost)
	c.Present(ctx, "shop")
	c.IssueAtCentre(ctx)
	c.ScanAgain(ctx)
	c.ReportLost(ctx, loadgen.Administrative)
	c.Present(ctx, "shop")
	c.Release(ctx, loadgen.Administrative)
	c.Present(ctx, "office")
	c.ShowPlastic(ctx)
	c.NewCard(ctx)
	c.IssueByOldCard(ctx)
	c.IssueByTap(ctx)
	c.ReportLost(ctx, loadgen.MobileLost)
	c.Present(ctx, "office")
}

// trial is a service with one thing wrong inside and the crowd that uses it.
type trial struct {
	servetest.Fault
	told    string // what a citizen says at once, from their own history; "": nothing
	crowd   *loadgen.Crowd
	verdict *oracle.Verdict
	err     error
}

func trials() (all []*trial) {
	const refused = "the card is suspended, and should be accepted"
	const accepted, again = "the card is accepted, and should be suspended", "a mobile card was issued on a code that was used before"
	told := map[string]string{
		"lost-card-leaves-mobile": accepted, "lost-phone-leaves-mobile": accepted, "suspended-is-accepted": accepted, "release-lifts-all": accepted,
		"report-not-written": accepted, "code-good-twice": again, "release-not-seen": refused,
		"order-leaves-cards": accepted, "old-card-is-good": "a mobile card was issued on plastic card",
		"office-told-good": "the verifier is not told family_name, for which it asked", "told-more": "the verifier is told what it did not ask for: kr.go.rollcall.rrc.1 (resident_address)",
		"told-another": "the verifier is told that family_name is Hong, and it is ", "asks-more": "and the verifier asked for family_name, given_name, birth_date",
		"told-old-address": "the verifier is told that resident_address is 세종특별자치시 옛길 1, and it is ", "told-anothers-number": "the verifier is told that resident_registration_number is ",
		"told-anothers-portrait":  "the verifier is told a portrait that is not the citizen's",
		"released-is-turned-away": "the wallet's answer was refused (invalid_request), although the card should be accepted",
		"plastic-unchecked":       "the plastic card was not checked (invalid_request)", "lists-not-signed": "nobody could tell by the lists that are published whether the card is good",
	}
	for _, f := range append([]servetest.Fault{{Name: "", Does: "nothing is wrong"}}, servetest.Faults()...) {
		all = append(all, &trial{Fault: f, told: told[f.Name]})
	}
	return all
}

// Whatever is wrong inside the service, the crowd that uses it finds it, names the
// property and shows the history of a citizen; with nothing wrong it finds nothing.
func TestACrowdFindsWhatIsWrongInside(t *testing.T) {
	all := trials()
	var judging sync.WaitGroup
	for _, x := range all {
		x.crowd = crowd(t, x.Name, 2)
		for _, one := range x.crowd.Citizens {
			day(t.Context(), one)
		}
		x.crowd.Citizens[0].Release(t.Context(), loadgen.MobileLost) // the other's phone stays lost
		judging.Go(func() {
			_ = wait(t.Context(), every+ttl+allowance) // until every bound is past
			for _, one := range x.crowd.Citizens {
				one.Present(t.Context(), "bank")
				one.Present(t.Context(), "shop")
			}
			x.verdict, _, x.err = x.crowd.Judge(t.Context())
		})
	}
	judging.Wait()
	for _, x := range all {
		t.Run(strings.ReplaceAll(x.Does, ";", ","), func(t *testing.T) {
			check(t, x.err)
			x.judge(t)
		})
	}
}

func (x *trial) judge(t *testing.T) {
	t.Helper()
	wrong := x.crowd.Wrong()
	if x.Name == "" {
		for _, f := range x.verdict.Findings {
			t.Errorf("%s: %s", f.Property, f.Sentence)
		}
		for _, r := range wrong {
			t.Errorf("%s", r)
		}
		return
	}
	if x.told != "" && !slices.ContainsFunc(wrong, func(r loadgen.Result) bool { return strings.Contains(r.Wrong, x.told) }) {
		t.Errorf("no citizen says at once that %s, but %v", x.told, wrong)
	}
	if x.Breaks == nil {
		if x.told == "" {
			t.Error("nobody is to find it")
		}
		return
	}
	i := slices.IndexFunc(x.verdict.Findings, func(f oracle.Finding) bool { return slices.Contains(x.Breaks, string(f.Property)) })
	if i < 0 {
		t.Fatalf("none of %v is violated, but %+v", x.Breaks, x.verdict.Findings)
	}
	f := x.verdict.Findings[i]
	t.Logf("%s: citizen %s, sequence %d: %s", f.Property, f.Citizen, f.Sequence, f.Sentence)
	// What is shown of the citizen's history is enough to see it.
	if f.Citizen == "" || f.Excerpt == nil || oracle.Judge(f.Excerpt, oracle.Options{}).ByProperty[f.Property].Violations == 0 {
		t.Errorf("citizen %q: the history that is shown does not show it: %+v", f.Citizen, f.Excerpt)
	}
}
