package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
)

func figuresOf(t *testing.T, file string) Figures {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// slow.txt was measured with a verifier that forgets the issuer's certificate each
// time (Verify/cold under the name of Verify/chain-cached); noisy.txt while the
// machine had much else to do.
func TestAPlantedSlowDownIsFoundAndABusyMachineIsNotBlamed(t *testing.T) {
	base := figuresOf(t, "base.txt")
	for _, c := range []struct {
		file  string
		worse []string
	}{
		{"base.txt", nil},
		{"noisy.txt", nil},
		{"slow.txt", []string{"Card/mdoc/Verify/chain-cached x-floor", "Card/mdoc/Verify/chain-cached allocs/op"}},
	} {
		changes, err := Compare(base, figuresOf(t, c.file), 0.1)
		if err != nil {
			t.Fatal(err)
		}
		var worse []string
		for _, one := range changes {
			if one.Worse {
				worse = append(worse, one.Name+" "+one.Unit)
			}
		}
		if fmt.Sprint(worse) != fmt.Sprint(c.worse) {
			t.Errorf("%s: worse are %q, want %q", c.file, worse, c.worse)
		}
	}
}

// The share of all orders in which U is below the cut is at most 2.5 %; for these
// sizes the tables of Mann and Whitney (1947) give the largest U that is significant
// (5 %, both sides), which is one less.
func TestCutsAreThoseOfTheTable(t *testing.T) {
	for _, c := range []struct{ m, n, want int }{{3, 3, 0}, {4, 4, 1}, {5, 5, 3}, {6, 6, 6}, {7, 7, 9}, {8, 8, 14}, {10, 10, 24}, {4, 8, 5}, {20, 20, 128}} {
		if got := cut(c.m, c.n); got != c.want {
			t.Errorf("%d and %d counts: %d, want %d", c.m, c.n, got, c.want)
		}
	}
}

func TestTooFewCountsSayNothing(t *testing.T) {
	one := Figures{"A": {"x-floor": {1, 1, 1}}}
	two := Figures{"A": {"x-floor": {9, 9, 9}}}
	changes, err := Compare(one, two, 0.1)
	if err != nil || changes[0].Known || changes[0].Worse {
		t.Errorf("%+v %v", changes, err)
	}
	var b bytes.Buffer
	if err := Write(&b, changes, 0.1); err != nil || !strings.Contains(b.String(), "at least 4 times") {
		t.Error(b.String(), err)
	}
	if _, err := Compare(one, Figures{"B": {"x-floor": {1}}}, 0.1); !errors.Is(err, ErrNothing) {
		t.Error(err)
	}
}

// A benchmark that is not there any more must not pass for one that is as fast as before.
func TestWhatIsGoneOrNewIsNamed(t *testing.T) {
	before := Figures{"A": {"x-floor": {1}, "allocs/op": {5}}, "B": {"x-floor": {2}}, "C": {"ns/op": {9}}, "D": {"ns/op": {9}}}
	now := Figures{"A": {"x-floor": {1}}, "D": {"ns/op": {9}}, "E": {"allocs/op": {1}}}
	changes, err := Compare(before, now, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		if c.Gone || c.New {
			got = append(got, fmt.Sprintf("%s gone %t new %t", c.Figure(), c.Gone, c.New))
		}
	}
	if want := "[A (allocs/op) gone true new false B (x-floor) gone true new false C gone true new false E (allocs/op) gone false new true]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestOnlyWhatIsAskedForIsMissed(t *testing.T) {
	all := Figures{"Card/mdoc/Issue": nil, "Card/renamed": nil, "Service/Restart": nil, "Peer/auth0-mdl/Verify": nil}
	for _, c := range []struct {
		run   *regexp.Regexp
		peers bool
		want  string
	}{
		{nil, false, "map[Card/mdoc/Issue:map[] Card/renamed:map[]]"}, // restarts take minutes
		{nil, true, "map[Card/mdoc/Issue:map[] Card/renamed:map[] Peer/auth0-mdl/Verify:map[]]"},
		{regexp.MustCompile("^(Service|Peer)/"), false, "map[Service/Restart:map[]]"},
		{regexp.MustCompile("renamed"), false, "map[Card/renamed:map[]]"},
	} {
		if got := fmt.Sprint(Asked(all, c.run, c.peers)); got != c.want {
			t.Errorf("--run %v, peers %t: %s, want %s", c.run, c.peers, got, c.want)
		}
	}
}

func TestBrokenFilesAreRefusedAndOtherLinesPassedOver(t *testing.T) {
	all, err := Read(strings.NewReader("goos: linux\n# a word\nBenchmarkA\nBenchmarkA/x-2 \t 10 \t 5 ns/op\t 1.5 x-floor\nBenchmarkA/x-2 10 6 ns/op 1.6 x-floor\nPASS\n"))
	if err != nil || fmt.Sprint(all) != "map[A/x:map[ns/op:[5 6] x-floor:[1.5 1.6]]]" {
		t.Errorf("%v %v", all, err)
	}
	for what, text := range map[string]string{
		"nothing": "", "prose": "hello\n", "no unit": "BenchmarkA 1 5\n", "no count": "BenchmarkA x 5 ns/op\n", "no number": "BenchmarkA 1 much ns/op\n",
		"not a number": "BenchmarkA 1 NaN ns/op\n", "negative": "BenchmarkA 1 -5 ns/op\n", "a long line": "BenchmarkA " + strings.Repeat("x", maxLine),
		"a long file": strings.Repeat("x\n", maxFile/2+1),
	} {
		if _, err := Read(strings.NewReader(text)); err == nil {
			t.Errorf("%s is read", what)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("BenchmarkA/x-2 \t 10 \t 5 ns/op\t 1.5 x-floor\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		changes, err := Compare(all, all, 0)
		if err != nil && !errors.Is(err, ErrNothing) {
			t.Error(err)
		}
		for _, c := range changes {
			if c.Worse && len(all[c.Name][c.Unit]) < 4 || math.IsNaN(c.Before) {
				t.Errorf("%+v", c)
			}
		}
	})
}

// Each line is one that benchstat reads, and says how many times its floor it took. Speed is not
// asserted here: the machine may be busy.
func TestEveryPartIsMeasuredBesideItsFloor(t *testing.T) {
	var b bytes.Buffer
	o := Options{Now: time.Now, Run: regexp.MustCompile("^(Card|Token|Status|DCQL|Store)/"), Time: time.Millisecond, Count: 1, Dir: t.TempDir()}
	if err := Run(context.Background(), &b, o); err != nil {
		t.Fatal(err)
	}
	all, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range append(cards(), tokens()...) {
		f := all[one.name]
		if len(f["ns/op"]) != 1 || f["ns/op"][0] <= 0 {
			t.Errorf("%s: %v", one.name, f)
		}
		if (len(f["x-floor"]) == 1) != (len(one.floor) > 0) || (len(f["x-allowed"]) == 1) != (one.may > 0) {
			t.Errorf("%s has the wrong figures: %v", one.name, f)
		}
	}
}

// Peers get the responses that ours is measured with, and their cost stands beside both ways of
// ours; without peers, or asked for by nobody, there are none.
func TestPeersAreMeasuredOnTheSameResponsesBesideOurs(t *testing.T) {
	var sample Sample
	asked := map[string]int{}
	o := Options{Now: time.Now, Run: regexp.MustCompile("^(Peer/|Floor/node/)"), Time: time.Millisecond, Count: 1, Dir: t.TempDir()}
	o.Peers = func(_ context.Context, file string) (*Peers, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		return &Peers{Stop: func() { asked["stop"]++ }, Do: func(name string, n int) error { asked[name] += n; return nil }}, json.Unmarshal(text, &sample)
	}
	var b bytes.Buffer
	if err := Run(context.Background(), &b, o); err != nil {
		t.Fatal(err)
	}
	all, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Peer/auth0-mdl/Verify", "Peer/owf-mdoc/Verify"} {
		for _, unit := range []string{"ns/op", "x-floor", "x-cold", "x-chain-cached"} {
			if len(all[name][unit]) != 1 {
				t.Errorf("%s has no %s: %v", name, unit, all[name])
			}
		}
	}
	for _, name := range []string{"node", "@auth0/mdl", "@owf/mdoc"} {
		if asked[name] == 0 {
			t.Errorf("%s was asked for nothing", name)
		}
	}
	if asked["stop"] != 1 {
		t.Errorf("peers were stopped %d times", asked["stop"])
	}
	root, _ := pem.Decode([]byte(sample.Root))
	if root == nil || len(sample.Responses) != many {
		t.Fatalf("the sample has %d responses and the root %.20q", len(sample.Responses), sample.Root)
	}
	anchors, err := mdoc.NewTrustAnchors(root.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range sample.Responses {
		if _, err := mdoc.Verify(r, sample.Transcript, anchors, sample.At); err != nil {
			t.Errorf("response %d: %v", i, err)
		}
	}
	o.Peers = nil
	if err := Run(context.Background(), &b, o); !errors.Is(err, ErrNone) {
		t.Errorf("without peers: %v", err)
	}
}

// Allocations do not depend on the machine: a verifier that forgets the certificate,
// or the card, shows in them. The guard of a verification is what it may allocate.
func TestWhatIsRememberedShowsInAllocations(t *testing.T) {
	allocs := func(m memory) float64 {
		e := &env{ctx: context.Background(), o: Options{Now: time.Now, Dir: t.TempDir()}}
		s, err := verifyMdoc(m)(e)
		if err != nil {
			t.Fatal(err)
		}
		return testing.AllocsPerRun(5, func() {
			if err := s.run(many); err != nil {
				t.Fatal(err)
			}
		}) / many
	}
	c, cached, known := allocs(cold), allocs(chainCached), allocs(seen)
	if cached > 90 || known > 55 || c < 1.5*cached {
		t.Errorf("a verification allocates %.0f times with nothing remembered, %.0f with the chain (at most 90), %.0f with the card (at most 55)", c, cached, known)
	}
}

func TestUnknownNamesAreRefused(t *testing.T) {
	err := Run(context.Background(), &bytes.Buffer{}, Options{Now: time.Now, Run: regexp.MustCompile("nothing has it"), Time: 1, Count: 1})
	if !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}
