package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	pprofile "github.com/google/pprof/profile"

	"rollcall.example/rollcall/sim/calibrate"
)

// sampled is a sample of a CPU profile, the innermost function first.
func sampled(value int64, functions ...string) *pprofile.Sample {
	s := &pprofile.Sample{Value: []int64{value, value}}
	for _, f := range functions {
		s.Location = append(s.Location, &pprofile.Location{Line: []pprofile.Line{{Function: &pprofile.Function{Name: f}}}})
	}
	return s
}

func TestProcessorTimeGoesToTheNodeThatItIsSpentFor(t *testing.T) {
	const ours = "rollcall.example/rollcall/reference/"
	shares, n := sharesOf(&pprofile.Profile{Sample: []*pprofile.Sample{
		sampled(10, "crypto/sha256.block", ours+"audit.(*Log).Append", ours+"register.(*Register).Change", ours+"issuance.(*Service).Issue"),
		sampled(20, "crypto/ecdsa.Sign", ours+"issuance.(*Service).sign", ours+"issuance.(*Service).Issue", "net/http.(*conn).serve"),
		sampled(30, "crypto/ecdsa.Verify", ours+"oauth.CheckProof", "net/http.(*conn).serve"),
		sampled(35, "syscall.write", "net/http.(*conn).serve"),
		sampled(5, "modernc.org/sqlite/lib._walFrames"),
		sampled(50, "runtime.gcDrain", "runtime.gcBgMarkWorker"), // for nobody in particular
	}})
	for node, want := range map[string]float64{"register": 0.15, "signing": 0.2, "gateway": 0.65} {
		if math.Abs(shares[node]-want) > 1e-9 {
			t.Errorf("%s has %.3f of the time, want %.3f", node, shares[node], want)
		}
	}
	if n != 150 {
		t.Errorf("%d samples", n)
	}
}

func TestProcessorTimeIsReadFromTheOperationsListener(t *testing.T) {
	seconds, broken := 1.5, false
	ops := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if broken {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "# HELP process_cpu_seconds_total x\nprocess_cpu_seconds_total %v\n", seconds)
	}))
	defer ops.Close()
	used, err := cpuAt(t.Context(), ops.URL)
	if err != nil {
		t.Fatal(err)
	}
	seconds = 2.25
	if got := used(); got != 2250*time.Millisecond {
		t.Errorf("%v were used", got)
	}
	if broken = true; used() != 2250*time.Millisecond {
		t.Error("what cannot be read is not as it was")
	}
	if _, err := cpuAt(t.Context(), ops.URL); err == nil || !strings.Contains(err.Error(), "process_cpu_seconds_total") {
		t.Errorf("a listener without it: %v", err)
	}
}

// Whoever asks for five minutes waits about five minutes.
func TestAPlanTakesAboutAsLongAsItWasAskedFor(t *testing.T) {
	acts := (&livers{}).acts()
	for _, d := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 20 * time.Minute} {
		p := planOf(acts, &calibrateFlags{time: d, patience: -1})
		p.Profile = func(context.Context, time.Duration) (map[string]float64, int, error) { return nil, 0, nil }
		if got := p.Length(); got < d*7/10 || got > d*13/10 {
			t.Errorf("a calibration of %v takes %v", d, got.Round(time.Second))
		}
		if len(p.Checks) != 3 {
			t.Errorf("%d loads are predicted", len(p.Checks))
		}
		for _, c := range p.Checks {
			if c < slices.Min(p.Rates) || c > slices.Max(p.Rates) {
				t.Errorf("a prediction at %v lies beyond the rates %v", c, p.Rates)
			}
			for _, r := range p.Rates {
				if c == r {
					t.Errorf("a prediction at %v is checked where it was fitted", c)
				}
			}
		}
		var mix float64
		for _, share := range p.Mix {
			mix += share
		}
		if math.Abs(mix-1) > 1e-9 || len(p.Mix) != len(p.Names) {
			t.Errorf("shares of %d operations, %v together", len(p.Names), mix)
		}
	}
}

func TestAProfileOfAnotherVersionIsUsedWithANote(t *testing.T) {
	p := &calibrate.Profile{Version: version}
	if got := cautions("p.json", p); len(got) != 0 {
		t.Errorf("nothing is wrong with it: %q", got)
	}
	p.Version = "another"
	if got := cautions("p.json", p); len(got) != 1 || !strings.HasPrefix(got[0], "p.json was measured of version another, and this is "+version) {
		t.Errorf("%q", got)
	}
}
