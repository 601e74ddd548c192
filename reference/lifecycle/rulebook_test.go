package lifecycle_test

import (
	"strings"
	"testing"
	"time"

	. "rollcall.example/rollcall/reference/lifecycle"
)

// The law, written by hand from the rules of the rollout: no flag rewrites it.
//
// States: - nothing, c a plastic card, k a plastic card and a mobile credential, r
// removed; behind it the causes in force: p physical-lost, m mobile-lost, a administrative.
// A cell is the state that follows, or ! and the reason of the refusal.
const law = `
state  card-issued          credential-issued    report-physical-lost  report-mobile-lost   release-physical     release-mobile       suspend-administrative  release-administrative  credential-expired   person-removed
-      c                    !no-plastic-card     !nothing-to-suspend   !nothing-to-suspend  !nothing-to-release  !nothing-to-release  -a                      !nothing-to-release     !nothing-to-end      r
-a     ca                   !no-plastic-card     !nothing-to-suspend   !nothing-to-suspend  !nothing-to-release  !nothing-to-release  -a                      -                       !nothing-to-end      r
c      c                    k                    cp                    !nothing-to-suspend  !nothing-to-release  !nothing-to-release  ca                      !nothing-to-release     !nothing-to-end      r
cp     c                    !card-suspended      cp                    !nothing-to-suspend  c                    !nothing-to-release  cpa                     !nothing-to-release     !nothing-to-end      r
ca     ca                   !person-suspended    cpa                   !nothing-to-suspend  !nothing-to-release  !nothing-to-release  ca                      c                       !nothing-to-end      r
cpa    ca                   !card-suspended      cpa                   !nothing-to-suspend  ca                   !nothing-to-release  cpa                     cp                      !nothing-to-end      r
k      c                    k                    kp                    km                   !nothing-to-release  !nothing-to-release  ka                      !nothing-to-release     c                    r
kp     c                    !card-suspended      kp                    kpm                  k                    !nothing-to-release  kpa                     !nothing-to-release     cp                   r
km     c                    k                    kpm                   km                   !nothing-to-release  k                    kma                     !nothing-to-release     c                    r
ka     ca                   !person-suspended    kpa                   kma                  !nothing-to-release  !nothing-to-release  ka                      k                       ca                   r
kpm    c                    !card-suspended      kpm                   kpm                  km                   kp                   kpma                    !nothing-to-release     cp                   r
kpa    ca                   !card-suspended      kpa                   kpma                 ka                   !nothing-to-release  kpa                     kp                      cpa                  r
kma    ca                   !person-suspended    kpma                  kma                  !nothing-to-release  ka                   kma                     km                      ca                   r
kpma   ca                   !card-suspended      kpma                  kpma                 kma                  kpa                  kpma                    kpm                     cpa                  r
r      !no-longer-resident  !no-longer-resident  !no-longer-resident   !no-longer-resident  !no-longer-resident  !no-longer-resident  !no-longer-resident     !no-longer-resident     !no-longer-resident  !no-longer-resident
`

// Who is accepted in each state: the plastic card, and the verdict on the mobile
// one. A lost plastic card suspends both, a lost phone the mobile card alone.
const accepted = `
state  plastic  mobile
-      no       not-valid
-a     no       not-valid
c      yes      not-valid
cp     no       not-valid
ca     no       not-valid
cpa    no       not-valid
k      yes      accepted
kp     no       suspended
km     yes      suspended
ka     no       suspended
kpm    no       suspended
kpa    no       suspended
kma    no       suspended
kpma   no       suspended
r      no       not-valid
`

// Who may do what.
const authority = `
event                   citizen  clerk  call-centre  registrar
card-issued             no       yes    no           yes
credential-issued       yes      no     no           no
report-physical-lost    yes      yes    yes          yes
report-mobile-lost      yes      yes    yes          yes
release-physical        yes      yes    no           yes
release-mobile          yes      yes    no           yes
suspend-administrative  no       no     no           yes
release-administrative  no       no     no           yes
credential-expired      no       no     no           yes
person-removed          no       no     no           yes
`

// rows reads a table: the header, then each row's cells by column.
func rows(t *testing.T, table string) (columns []string, cells [][]string) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(table)) {
		f := strings.Fields(line)
		if columns == nil {
			columns = f
			continue
		}
		if len(f) != len(columns) {
			t.Fatalf("a row of %d cells in a table of %d columns: %s", len(f), len(columns), line)
		}
		cells = append(cells, f)
	}
	return columns, cells
}

func state(t *testing.T, s string) State {
	t.Helper()
	var out State
	switch s[0] {
	case 'c':
		out = HasCard
	case 'k':
		out = HasCard | HasCredential
	case 'r':
		out = Removed
	}
	for _, c := range s[1:] {
		cause, ok := map[rune]Causes{'p': PhysicalLost, 'm': MobileLost, 'a': Administrative}[c]
		if !ok {
			t.Fatalf("%q is no state", s)
		}
		out |= State(cause)
	}
	return out
}

func TestTheRulebookIsTheLaw(t *testing.T) {
	columns, cells := rows(t, law)
	if len(columns) != 1+NumEvents {
		t.Fatalf("%d events in the law, %d in the rulebook", len(columns)-1, NumEvents)
	}
	seen := map[State]bool{}
	for _, row := range cells {
		from := state(t, row[0])
		seen[from] = true
		for e := range Event(NumEvents) {
			if columns[1+e] != e.String() {
				t.Fatalf("column %d is %s, the event %s", e, columns[1+e], e)
			}
			got, cell := Apply(from, e), row[1+e]
			if reason, refused := strings.CutPrefix(cell, "!"); refused {
				if got.Reason.String() != reason || got.Next != from || got.Changed(from) {
					t.Errorf("%s in %q: %v, %v; the law refuses: %s", e, row[0], got.Reason, got.Next, reason)
				}
				continue
			}
			if want := state(t, cell); got.Reason != Granted || got.Next != want {
				t.Errorf("%s in %q: %v, %v; the law says %v", e, row[0], got.Reason, got.Next, want)
			}
		}
	}
	for s := range State(NumStates) {
		if s.Well() != seen[s] {
			t.Errorf("state %v: can it occur? the rulebook says %v, the law %v", s, s.Well(), seen[s])
		}
	}
}

func TestWhatEachStateLetsPass(t *testing.T) {
	_, cells := rows(t, accepted)
	for _, row := range cells {
		s := state(t, row[0])
		if got := s.CardActive(); got != (row[1] == "yes") {
			t.Errorf("plastic card in %q active: %v, the law says %s", row[0], got, row[1])
		}
		if got := Judge(s).String(); got != row[2] {
			t.Errorf("mobile card in %q: %s, the law says %s", row[0], got, row[2])
		}
		want := Suspended
		switch {
		case row[1] == "yes":
			want = Accepted
		case row[0][0] == '-', row[0][0] == 'r':
			want = NotValid
		}
		if got := JudgePlastic(s); got != want {
			t.Errorf("plastic card in %q: %v, want %v", row[0], got, want)
		}
	}
}

// A report puts its cause in force and no other, a release lifts it and no other.
func TestEachCauseHasItsReportAndItsRelease(t *testing.T) {
	all := HasCard | HasCredential
	for _, cause := range AllCauses {
		report, release := Events[cause].Report, Events[cause].Release
		if o := Apply(all, report); o.Reason != Granted || o.Next != all|State(cause) {
			t.Errorf("%v: %v", report, o)
		}
		if o := Apply(all|State(PhysicalLost|MobileLost|Administrative), release); o.Reason != Granted || o.Next.Causes() != (PhysicalLost|MobileLost|Administrative)&^cause {
			t.Errorf("%v: %v", release, o)
		}
		if c, lifts := report.Cause(); c != cause || lifts {
			t.Errorf("%v is about %v, lifts it: %v", report, c, lifts)
		}
		if c, lifts := release.Cause(); c != cause || !lifts {
			t.Errorf("%v is about %v, lifts it: %v", release, c, lifts)
		}
	}
	for _, e := range []Event{CardIssued, CredentialIssued, CredentialExpired, PersonRemoved} {
		if c, lifts := e.Cause(); c != 0 || lifts {
			t.Errorf("%v is about %v, lifts it: %v", e, c, lifts)
		}
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	columns, cells := rows(t, authority)
	roles := []Role{Citizen, Clerk, CallCentre, Registrar}
	if len(cells) != NumEvents {
		t.Fatalf("%d events", len(cells))
	}
	for e, row := range cells {
		if row[0] != Event(e).String() {
			t.Fatalf("row %s for event %s", row[0], Event(e))
		}
		for i, r := range roles {
			if columns[1+i] != r.String() {
				t.Fatalf("column %s for role %s", columns[1+i], r)
			}
			if got := May(r, Event(e)); got != (row[1+i] == "yes") {
				t.Errorf("may %s cause %s: %v, the law says %s", r, Event(e), got, row[1+i])
			}
		}
		if May(0, Event(e)) {
			t.Errorf("nobody may cause %s", Event(e))
		}
	}
}

var policy = Policy{MinimumAge: 17, OfferLifetime: 90 * time.Second}

// good is an application with nothing against it.
func good(ch Channel) Application {
	return Application{Channel: ch, RegionOpen: true, Age: 17, State: HasCard, CentreAllowed: true,
		OfferAge: 90 * time.Second, CardGenuine: true, PINVerified: true, FaceMatched: true}
}

// Each flaw alone gives its reason; of two flaws the earlier in this list does.
var flaws = []struct {
	reason    Reason
	tap, desk bool // the channels that it concerns
	atOffer   bool
	spoil     func(*Application)
}{
	{NoLongerResident, true, true, true, func(a *Application) { a.State = Removed }},
	{NotOpenYet, true, true, true, func(a *Application) { a.RegionOpen = false }},
	{TooYoung, true, true, true, func(a *Application) { a.Age = 16 }},
	{NoPlasticCard, true, true, true, func(a *Application) { a.State &^= HasCard }},
	{CardSuspended, true, true, true, func(a *Application) { a.State |= State(PhysicalLost) }},
	{PersonSuspended, true, true, true, func(a *Application) { a.State |= State(Administrative) }},
	{WrongCentre, false, true, true, func(a *Application) { a.CentreAllowed = false }},
	{OfferUsed, false, true, false, func(a *Application) { a.OfferUsed = true }},
	{OfferExpired, false, true, false, func(a *Application) { a.OfferAge = 90*time.Second + 1 }},
	{CardNotGenuine, true, false, false, func(a *Application) { a.CardGenuine = false }},
	{PINNotVerified, true, false, false, func(a *Application) { a.PINVerified = false }},
	{WalletReportedLost, true, true, false, func(a *Application) { a.WalletLost = true }},
	{FaceNotMatched, true, true, false, func(a *Application) { a.FaceMatched = false }},
}

func TestAnApplicationIsRefusedForItsFirstFlaw(t *testing.T) {
	for _, ch := range []Channel{Tap, Counter} {
		a := good(ch)
		if got := Admit(&a, &policy); got != Granted {
			t.Errorf("%v without a flaw: %v", ch, got)
		}
		concerns := func(i int) bool { return ch == Tap && flaws[i].tap || ch == Counter && flaws[i].desk }
		for i := range flaws {
			for j := i; j < len(flaws); j++ {
				a := good(ch)
				flaws[j].spoil(&a)
				flaws[i].spoil(&a)
				want := Granted
				switch {
				case concerns(i):
					want = flaws[i].reason
				case concerns(j):
					want = flaws[j].reason
				}
				if got := Admit(&a, &policy); got != want {
					t.Errorf("%v with %v and %v: %v", ch, flaws[i].reason, flaws[j].reason, got)
				}
			}
		}
	}
}

func TestTheClerkSeesWhatNeedsNoCodeAndNoFace(t *testing.T) {
	for i := range flaws {
		a := good(Counter)
		flaws[i].spoil(&a)
		want := Granted
		if flaws[i].atOffer && flaws[i].desk {
			want = flaws[i].reason
		}
		if got := AdmitOffer(&a, &policy); got != want {
			t.Errorf("offer with %v: %v", flaws[i].reason, got)
		}
	}
}

func TestPlacesOpenOnTheirDayAndCentresServeEverybodyFromTheirs(t *testing.T) {
	kst := time.FixedZone("KST", 9*3600)
	opens, any := time.Date(2025, 2, 14, 0, 0, 0, 0, kst), time.Date(2025, 3, 28, 0, 0, 0, 0, kst)
	p := Policy{Opens: map[string]time.Time{"50110": opens}, AnyCentreFrom: any}
	for _, c := range []struct {
		what string
		got  bool
		want bool
	}{
		{"open a moment before", p.Open("50110", opens.Add(-1)), false},
		{"open at midnight", p.Open("50110", opens), true},
		{"a place without a day", p.Open("11110", any), false},
		{"one's own centre at any time", p.CentreAllowed("50110", "50110", opens), true},
		{"another's the day before", p.CentreAllowed("50110", "50130", any.Add(-1)), false},
		{"a neighbour's the day before", p.CentreAllowed("50110", "50111", any.Add(-1)), false},
		{"another's from the day on", p.CentreAllowed("50110", "50130", any), true},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", c.what, c.got)
		}
	}
}
