package panel

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/world"
)

// lived is the nation's run that all tests take their lives from: two small
// regions, a few days, everything at a raised rate.
var lived = sync.OnceValues(func() (*rollout.Outcome, error) {
	s, err := scenarios.Load("smoke", []string{"panel.citizens=60"})
	if err != nil {
		return nil, err
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		return nil, err
	}
	return nation.Run(context.Background(), s, n, rollout.Options{Workers: 2})
})

// lives are the nation's outcome with a panel of a size drawn from it; records
// are copies.
func lives(t testing.TB, size int) (*rollout.Outcome, []Member) {
	t.Helper()
	o, err := lived()
	if err != nil {
		t.Fatal(err)
	}
	model, scenario, outcome := *o.Model, *o.Model.Scenario, *o
	scenario.Panel.Citizens = size
	model.Scenario, outcome.Model = &scenario, &model
	members := Choose(&outcome)
	for i := range members {
		members[i].Records = slices.Clone(members[i].Records)
	}
	return &outcome, members
}

func runPanel(t testing.TB, o Options) *Result {
	t.Helper()
	o.Dir = t.TempDir()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func panelOf(r *Result) reports.Result {
	var out reports.Result
	r.Fill(&out)
	out.Meta.Host = reports.Host{}
	return out
}

func TestTheSameLivesOnTheRealService(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 120)
	r := runPanel(t, Options{Outcome: o, Members: members})
	for _, f := range r.Failures() {
		t.Error(f)
	}
	out := panelOf(r)
	if p := out.Panel; p.TrajectoriesEqual != 120 || p.Citizens != 120 {
		t.Errorf("%d of %d lives are equal", p.TrajectoriesEqual, p.Citizens)
	}
	for _, name := range reports.PropertyNames {
		if c := out.Suspension.ByProperty[name]; c.Opportunities == 0 || c.Violations != 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	// Every figure is of real work.
	p := out.Panel
	for name, at := range map[string]struct{ is, least int64 }{
		"issued": {p.Issued, 60}, "presentations": {p.Presentations, 60}, "reports": {p.Reports, 10}, "releases": {p.Releases, 3},
		"apdus":               {p.APDUs, 20 * 20},                                 // twenty commands a tap
		"signatures_made":     {p.SignaturesMade, p.Issued * world.Copies},        // each copy
		"signatures_verified": {p.SignaturesVerified, p.Issued + p.Presentations}, // attestation; phone
		"commits":             {p.Commits, p.Citizens + p.Issued + p.Reports},
		"status_lists":        {p.StatusLists, 20},
		"operations":          {p.Operations, p.Commits},
	} {
		if at.is < at.least {
			t.Errorf("%s is %d, at least %d were done", name, at.is, at.least)
		}
	}
	if p.Restart.InFlight < 2 || p.Restart.Acknowledged < 100 || p.Restart.Missing != 0 || p.Restart.Twice != 0 {
		t.Errorf("the restart: %+v", p.Restart)
	}
}

func TestTheSamePanelGivesTheSameFigures(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 60)
	first := panelOf(runPanel(t, Options{Outcome: o, Members: members}))
	second := panelOf(runPanel(t, Options{Outcome: o, Members: members}))
	// As bytes, which is how they are kept; a figure that is missing is not equal
	// to itself as a number.
	a, err := reports.Encode(&first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := reports.Encode(&second)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%+v\n%+v", *first.Panel, *second.Panel)
	}
}

func TestACancelledRunSaysSo(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 60)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{Outcome: o, Members: members, Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Error(err)
	}
}

// differs says whether the citizens whose lives went otherwise are these.
func differs(r *Result) (out []uint64) {
	for _, d := range r.Different {
		out = append(out, d.Citizen)
	}
	return out
}

func TestADecisionOfNationThatTheServiceDoesNotShareIsFound(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 60)
	var want []uint64
	step := 0
flip:
	for i := range members {
		for k := range members[i].Records {
			rec := &members[i].Records[k]
			if rec.Act == rollout.ActPresent && rec.Env == rollout.Reached && lifecycle.Verdict(rec.Decided) == lifecycle.Accepted {
				rec.Decided = uint8(lifecycle.Suspended)
				want, step = []uint64{uint64(members[i].Citizen)}, k
				break flip
			}
		}
	}
	r := runPanel(t, Options{Outcome: o, Members: members})
	if got := differs(r); !slices.Equal(got, want) {
		t.Fatalf("different: %v, flipped: %v", got, want)
	}
	d := r.Different[0]
	if d.Step != step || !strings.HasSuffix(d.Nation[step], ": suspended") || !strings.HasSuffix(d.Panel[step], ": accepted") || len(d.Nation) != len(d.Panel) {
		t.Errorf("%d\n%s\n%s", d.Step, strings.Join(d.Nation, "\n"), strings.Join(d.Panel, "\n"))
	}
	if r.Equal() != 59 || len(r.Failures()) != 1 {
		t.Error(r.Equal(), r.Failures())
	}
}

// mustFind runs a panel with a fault and wants lives to differ (if lives is set)
// and one of the properties to be violated.
func mustFind(t *testing.T, o Options, lives bool, one ...oracle.Property) {
	t.Helper()
	r := runPanel(t, o)
	if lives && len(r.Different) == 0 {
		t.Error("no life went otherwise")
	}
	for _, p := range one {
		if r.Verdict.ByProperty[p].Violations > 0 {
			return
		}
	}
	t.Errorf("none of %v was violated: %v", one, r.Verdict.ByProperty)
}

func TestACascadeLeftOutIsFound(t *testing.T) {
	o, members := lives(t, 120)
	was := lifecycle.Reach[lifecycle.PhysicalLost]
	lifecycle.Reach[lifecycle.PhysicalLost] = lifecycle.Plastic
	t.Cleanup(func() { lifecycle.Reach[lifecycle.PhysicalLost] = was })
	mustFind(t, Options{Outcome: o, Members: members}, true, "S1", "S3")
}

func TestALostPhoneThatSuspendsThePlasticCardIsFound(t *testing.T) {
	o, members := lives(t, 120)
	was := lifecycle.Reach[lifecycle.MobileLost]
	lifecycle.Reach[lifecycle.MobileLost] = lifecycle.Mobile | lifecycle.Plastic
	t.Cleanup(func() { lifecycle.Reach[lifecycle.MobileLost] = was })
	mustFind(t, Options{Outcome: o, Members: members}, false, "S2")
}

func TestIssuingADayEarlyIsFound(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 120)
	mustFind(t, Options{Outcome: o, Members: members, policy: func(p *lifecycle.Policy) {
		early := map[string]time.Time{}
		for code, at := range p.Opens {
			early[code] = at.AddDate(0, 0, -1)
		}
		p.Opens = early
	}}, true, "E1")
}

func TestAnyCentreADayEarlyIsFound(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 120)
	mustFind(t, Options{Outcome: o, Members: members, policy: func(p *lifecycle.Policy) { p.AnyCentreFrom = p.AnyCentreFrom.AddDate(0, 0, -10) }}, true, "E3")
}

func TestACodeThatLivesTooLongIsFound(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 120)
	mustFind(t, Options{Outcome: o, Members: members, policy: func(p *lifecycle.Policy) { p.OfferLifetime *= 100 }}, true, "E4")
}

// liar is a store that does not tell the truth.
type liar struct {
	store.Store
	view   func(store.Reader) store.Reader
	update func(store.Tx) store.Tx
	forget func() bool // whether to lose a change that it acknowledges
}

var errLost = fmt.Errorf("lost")

func (l *liar) View(ctx context.Context, f func(store.Reader) error) error {
	if l.view == nil {
		return l.Store.View(ctx, f)
	}
	return l.Store.View(ctx, func(r store.Reader) error { return f(l.view(r)) })
}

func (l *liar) Update(ctx context.Context, f func(store.Tx) error) error {
	lose := false
	err := l.Store.Update(ctx, func(tx store.Tx) error {
		if l.update != nil {
			tx = l.update(tx)
		}
		w := &watched{Tx: tx}
		if err := f(w); err != nil {
			return err
		}
		if lose = w.changed && l.forget != nil && l.forget(); lose {
			return errLost
		}
		return nil
	})
	if lose {
		return nil
	}
	return err
}

// watched notices changes of the register.
type watched struct {
	store.Tx
	changed bool
}

func (w *watched) AppendAudit(a store.AuditRecord) error {
	w.changed = true
	return w.Tx.AppendAudit(a)
}

// blind shows the publisher every credential as active.
type blind struct{ store.Reader }

func (b blind) EntriesOf(id store.CredentialID) ([]store.Entry, error) {
	all, err := b.Reader.EntriesOf(id)
	for i := range all {
		all[i].State &^= lifecycle.State(lifecycle.PhysicalLost | lifecycle.MobileLost)
	}
	return all, err
}

func (b blind) NotPlainlyValid(list uint32, f func(store.Entry) error) error {
	return b.Reader.NotPlainlyValid(list, func(e store.Entry) error {
		e.State &^= lifecycle.State(lifecycle.PhysicalLost | lifecycle.MobileLost)
		return f(e)
	})
}

func TestAStatusThatIsNotPublishedIsFound(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 120)
	mustFind(t, Options{Outcome: o, Members: members, wrap: func(s store.Store) store.Store {
		return &liar{Store: s, view: func(r store.Reader) store.Reader { return blind{r} }}
	}}, false, "S11")
}

// flipper answers one presentation otherwise.
type flipper struct {
	store.Tx
	done *bool
}

func (f flipper) Entry(list uint32, index uint64) (store.Entry, error) {
	e, err := f.Tx.Entry(list, index)
	if err == nil && !*f.done && e.Verdict() == lifecycle.Accepted {
		*f.done, e.State = true, e.State|lifecycle.State(lifecycle.MobileLost)
	}
	return e, err
}

func TestOneAnswerFlippedIsFound(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 120)
	done := false
	r := runPanel(t, Options{Outcome: o, Members: members, wrap: func(s store.Store) store.Store {
		return &liar{Store: s, update: func(tx store.Tx) store.Tx { return flipper{tx, &done} }}
	}})
	if !done || len(r.Failures()) == 0 {
		t.Error("one answer was flipped, and nobody noticed")
	}
}

func TestAnAcknowledgedChangeThatIsLostIsFound(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 120)
	left := 150 // after the residents were registered, before the restart
	r := runPanel(t, Options{Outcome: o, Members: members, wrap: func(s store.Store) store.Store {
		return &liar{Store: s, forget: func() bool {
			left--
			return left <= 0 && left > -6
		}}
	}})
	if left > -6 || panelOf(r).Panel.Restart.Missing == 0 || r.Verdict.Violations() == 0 {
		t.Errorf("acknowledged changes were lost: restart %+v, %v (%d were left)", r.restart, r.Verdict.ByProperty, left)
	}
}

// forgetful has never seen a request before.
type forgetful struct{ store.Tx }

func (forgetful) Answer(string, string) (store.Answer, error) {
	return store.Answer{}, store.ErrNotFound
}

func (forgetful) PutAnswer(string, string, store.Answer) error { return nil }

func TestARequestThatTakesEffectTwiceIsFound(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 120)
	mustFind(t, Options{Outcome: o, Members: members, wrap: func(s store.Store) store.Store {
		return &liar{Store: s, update: func(tx store.Tx) store.Tx { return forgetful{tx} }}
	}}, true, "S9")
}

func TestChooseKeepsWeightsAndMeetsRareLives(t *testing.T) {
	t.Parallel()
	o, members := lives(t, 200)
	if len(members) != 200 {
		t.Fatalf("%d members", len(members))
	}
	people, strata := map[uint32]bool{}, map[string]bool{}
	for i := range o.Records {
		people[o.Records[i].Citizen] = true
	}
	var stands float64
	for i, m := range members {
		if i > 0 && members[i-1].Citizen >= m.Citizen || len(m.Records) == 0 || m.Weight < 1 {
			t.Fatalf("member %d: %+v", i, m)
		}
		stands += m.Weight
		strata[m.Stratum] = true
	}
	all := map[string]bool{}
	for first := 0; first < len(o.Records); {
		end := first + 1
		for end < len(o.Records) && o.Records[end].Citizen == o.Records[first].Citizen {
			end++
		}
		name, _ := stratum(o.Model, o.Records[first:end])
		all[name] = true
		first = end
	}
	if len(strata) != len(all) {
		t.Errorf("%d of %d strata were met", len(strata), len(all))
	}
	if want := float64(len(people)); stands < 0.7*want || stands > 1.3*want {
		t.Errorf("200 members stand for %.0f people, there are %.0f", stands, want)
	}
	_, again := lives(t, 200)
	if !reflect.DeepEqual(members, again) {
		t.Error("another panel was drawn from the same lives")
	}
}

func TestARuleChangedForNationAndServiceAlikeIsFound(t *testing.T) {
	for name, change := range map[string]func(){
		"one release lifts both causes": func() {
			lifecycle.Rulebook[lifecycle.ReleasePhysical].Clears |= lifecycle.State(lifecycle.MobileLost)
		},
		"a call is enough to release a card": func() { lifecycle.Authority[lifecycle.ReleasePhysical] |= lifecycle.CallCentre },
		"a new plastic card keeps the mobile card": func() {
			lifecycle.Rulebook[lifecycle.CardIssued].Clears = lifecycle.State(lifecycle.PhysicalLost)
		},
	} {
		t.Run(name, func(t *testing.T) {
			rules, authority := lifecycle.Rulebook, lifecycle.Authority
			t.Cleanup(func() { lifecycle.Rulebook, lifecycle.Authority = rules, authority })
			change()
			s, err := scenarios.Load("smoke", []string{"panel.citizens=40", "population.regions=[KR-49]"})
			if err != nil {
				t.Fatal(err)
			}
			n, err := scenarios.LoadNation()
			if err != nil {
				t.Fatal(err)
			}
			o, err := nation.Run(t.Context(), s, n, rollout.Options{Workers: 2})
			if err != nil {
				t.Fatal(err)
			}
			if r := runPanel(t, Options{Outcome: o, Members: Choose(o)}); r.Verdict.Violations() == 0 {
				t.Error("nation and service agree, and the oracle is silent")
			}
		})
	}
}
