package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/calibrate"
	"rollcall.example/rollcall/sim/loadgen"
)

type calibrateFlags struct {
	out, service, ca, ops string
	check                 bool
	time, patience        time.Duration
	seed                  uint64
	first                 int
}

func calibrateCommand() *cobra.Command {
	var f calibrateFlags
	c := &cobra.Command{
		Use:   "calibrate",
		Short: "Measure a real service, and write what the nation's capacity model is given",
		Long: `Load a real service and measure what each operation takes of it: every operation
alone, mixes with more and more callers, open arrivals up to saturation. The profile
that is written has service demands (processor time and time until a commit is
durable, not latency), how throughput scales, how times are spread, each with an
interval and how well it fits; rollcall run SCENARIO --profile FILE uses it.

Before it ends it predicts the latency at three loads, from processor time and from
times without an answer, with nothing fitted to latencies; measures them, and prints both. With --check the exit code is 99 when
a prediction lies off by more than 15 %.

Without --service it starts rollcall serve, with a register of its own, on one core,
and keeps to the others itself. Takes about five minutes; with --time 30s it is for trying.
Ctrl-C keeps what it has.`,
		Example: `  rollcall calibrate --out profile.json
  rollcall run announced --profile profile.json
  rollcall serve --demo --all-open --pprof &   # elsewhere, with limits of rate raised
  rollcall calibrate --service https://localhost:8443 --ca rollcall-data/authority.pem --ops http://127.0.0.1:6060`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			return calibrateService(c.Context(), &f, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.out, "out", "profile.json", "write the profile to this `FILE`")
	fl.StringVar(&f.service, "service", "", "`URL` of a service with a demonstration, instead of one of its own")
	fl.StringVar(&f.ca, "ca", "rollcall-data/authority.pem", "`FILE` with the root of its certificate")
	fl.StringVar(&f.ops, "ops", "", "`URL` of its operations listener (serve --pprof): its processor time, and for what")
	fl.IntVar(&f.first, "first", 0, "`N` of the first citizen: a service that was calibrated before has those in front of it")
	fl.DurationVar(&f.time, "time", usual, "measure for about so long: less than two minutes is to try, not to plan")
	fl.DurationVar(&f.patience, "patience", -1, "measure again what other programs disturbed, for so long at most (default a fifth of --time)")
	fl.Lookup("patience").DefValue = "0s" // it is said above
	fl.BoolVar(&f.check, "check", false, "exit code 99 when a prediction lies off by more than 15 %")
	fl.Uint64Var(&f.seed, "seed", 1, "`N`, seed of arrivals and of resampling")
	return c
}

// generatorMemory is what a stretch of load may take before the generator collects
// garbage within it.
const generatorMemory = 3 << 30

// calibrated is the service that is measured.
type calibrated struct {
	url  string
	ca   []byte
	cpu  func() time.Duration
	ops  string // "": there is no CPU profile
	stop func()

	machine  calibrate.Machine
	settings calibrate.Settings
	notes    []string
}

func calibrateService(ctx context.Context, f *calibrateFlags, stdout, stderr io.Writer) error {
	began := time.Now()
	switch {
	case f.service == "" && f.ops != "":
		return usage(errors.New("--ops belongs to --service: give its URL, too"))
	case f.service != "" && f.ops == "":
		return usage(errors.New("--ops is needed with --service: service demand is processor time, which the operations listener tells (serve --pprof)"))
	}
	if f.time < shortest {
		return usage(fmt.Errorf("--time %s: every operation is measured alone, together and at several rates, for which it takes %s at least", f.time, shortest))
	}
	if err := writable(filepath.Dir(f.out)); err != nil {
		return usage(fmt.Errorf("--out: %w", err))
	}
	own := cpuOf(os.Getpid())
	if own == nil {
		return usage(errors.New("this system does not tell how much processor time a process has used: calibrate where it does (Linux)"))
	}
	p := newProgress(stderr)
	defer p.end()
	p.begin("starting")
	// Only what a citizen does ends with Ctrl-C; the service is stopped afterwards.
	lasting := context.WithoutCancel(ctx)
	s, err := theService(lasting, f)
	if err != nil {
		return err
	}
	defer s.stop()

	// The generator's own collections are not what is measured: they come between the
	// stretches of load, unless one of these needs more memory than that.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(generatorMemory)
	citizens := 400
	if f.time < thorough {
		citizens = 120
	}
	l, err := enterLivers(ctx, s, f, citizens, p)
	if err != nil {
		return err
	}
	acts := l.acts()
	alarm := newAlarm()
	defer alarm.close()
	b := calibrate.Bench{Now: time.Now, Until: alarm.until, Service: s.cpu, Generator: own, Machine: machineCPU(), Rest: runtime.GC}
	for i := range acts {
		b.Do = append(b.Do, l.run(&acts[i]))
	}
	plan := planOf(acts, f)
	if s.ops != "" {
		plan.Profile = func(ctx context.Context, d time.Duration) (map[string]float64, int, error) {
			return cpuShares(ctx, s.ops, d)
		}
	}
	p.begin("calibrating")
	plan.Step = func(what string, done float64) { p.show(int64(1000*done), 1000, what) }

	out := &calibrate.Profile{Schema: calibrate.Schema, Date: began.UTC().Format(time.RFC3339), Version: version, Commit: revision(), Seed: f.seed, Quick: f.time < thorough,
		Machine: s.machine, Service: s.settings, Notes: s.notes}
	if err := calibrate.Measure(ctx, b, plan, out); err != nil {
		return internal(err)
	}
	p.end()
	if wrong := l.crowd.Wrong(); len(wrong) > 0 {
		return internal(fmt.Errorf("the service gave %d wrong answers, and is not measured: %s", len(wrong), wrong[0]))
	}
	text, err := out.Encode()
	if err != nil {
		return internal(err)
	}
	if err := os.WriteFile(f.out, text, 0o666); err != nil {
		return internal(err)
	}
	if err := calibrate.Print(stdout, out); err != nil {
		return internal(err)
	}
	fmt.Fprintf(stdout, "\nProfile: %s (rollcall run SCENARIO --profile %s)\n", f.out, quote(f.out))
	if out.Partial != "" {
		return &exit{exitInternal, fmt.Errorf("%s; what there is is in %s", out.Partial, f.out)}
	}
	if off := out.Off(); f.check && len(off) > 0 {
		return &exit{exitExpect, fmt.Errorf("predictions lie off by more than %.0f %%: %s", 100*calibrate.Tolerance, strings.Join(off, ", "))}
	}
	return nil
}

// shortest and usual are how long a calibration may be, and is.
const (
	shortest = 5 * time.Second
	usual    = 5 * time.Minute
	thorough = 2 * time.Minute // shorter ones are for trying
)

// planOf is what is measured in so much time.
func planOf(acts []act, f *calibrateFlags) calibrate.Plan {
	part := func(share float64, least, most time.Duration) time.Duration {
		return min(max(time.Duration(share*float64(f.time)), least), most)
	}
	p := calibrate.Plan{
		Groups: [][]int{{0}, {1}, {2}, {3}, {4, 5}},
		Mix:    []float64{0.06, 0.04, 0.66, 0.04, 0.10, 0.10},
		Ready:  func(k int) bool { return acts[k].ready() },
		Alone:  part(0.025, 100*time.Millisecond, time.Minute), Slice: part(0.0033, 50*time.Millisecond, time.Second), Profiled: part(0.013, time.Second, 10*time.Second),
		Callers: []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32}, Slices: 4,
		Rates: []float64{0.2, 0.4, 0.55, 0.65, 0.8, 1}, Rate: part(0.03, 200*time.Millisecond, 2*time.Minute),
		Checks: []float64{0.3, 0.5, 0.7}, Check: part(0.08, 300*time.Millisecond, 5*time.Minute),
		Predict: 60_000, Seed: f.seed,
	}
	if f.time < thorough {
		p.Callers, p.Slices = []int{1, 2, 4, 8, 16}, 2
		p.Rates, p.Predict = []float64{0.2, 0.6, 0.8}, 20_000
	}
	// What may take as long as it likes gets the time that the rest leaves.
	for i := range acts {
		p.Names = append(p.Names, acts[i].name)
	}
	rates, checks := time.Duration(len(p.Rates)), time.Duration(len(p.Checks))
	open := time.Duration(len(acts))*p.Alone + rates*p.Rate + checks*p.Check
	if rest := f.time - (p.Length() - open) - time.Duration(len(p.Groups))*p.Profiled; rest > open {
		more := float64(rest) / float64(open)
		for _, d := range []*time.Duration{&p.Alone, &p.Rate, &p.Check} {
			*d = time.Duration(more * float64(*d))
		}
	}
	p.Spare = f.patience
	if p.Spare < 0 {
		p.Spare = p.Length() / 5
	}
	return p
}

// theService is one that is named, or one of its own.
func theService(ctx context.Context, f *calibrateFlags) (*calibrated, error) {
	on := cores()
	s := &calibrated{machine: calibrate.Machine{CPU: cpuName(), System: runtime.GOOS + "/" + runtime.GOARCH, Cores: max(len(on), 1), ServiceCores: max(len(on), 1), GeneratorCores: max(len(on), 1)}}
	if f.service != "" {
		var err error
		if s.ca, err = os.ReadFile(f.ca); err != nil {
			return nil, usage(fmt.Errorf("--ca: %w", err))
		}
		s.url, s.ops, s.stop = strings.TrimSuffix(f.service, "/"), strings.TrimSuffix(f.ops, "/"), func() {}
		if s.cpu, err = cpuAt(ctx, s.ops); err != nil {
			return nil, usage(fmt.Errorf("--ops: %w", err))
		}
		s.settings = calibrate.Settings{Store: "as the service has it"}
		s.notes = append(s.notes, "Where the service runs is not known: if it shares cores with the generator, latencies are of both, and predictions are looser.")
		return s, nil
	}
	// With a core of its own the service does not compete with those who load it.
	if len(on) >= 2 {
		s.machine.Apart, s.machine.ServiceCores, s.machine.GeneratorCores = true, 1, len(on)-1
	} else {
		s.notes = append(s.notes, "Service and generator shared one core: latencies are of both, and predictions are looser.")
	}
	dir, err := os.MkdirTemp("", "rollcall-calibrate-")
	if err != nil {
		return nil, internal(err)
	}
	remove := func() { _ = os.RemoveAll(dir) }
	self, err := os.Executable()
	if err != nil {
		remove()
		return nil, internal(err)
	}
	data := filepath.Join(dir, "data")
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--all-open", "--demo", "--demo-residents", "1", "--pprof", "--ops-listen", "127.0.0.1:0", "--status-every", "1h"}, anyRate...)
	// How many processors there are each of the two finds out by its cores.
	if err := os.Unsetenv("GOMAXPROCS"); err != nil {
		remove()
		return nil, internal(err)
	}
	var core []int
	if s.machine.Apart {
		core = on[:1]
	}
	child, ops, err := startChild(ctx, data, self, core, args...)
	if err == nil && s.machine.Apart {
		if err = stayOn(on[1:]); err != nil {
			child.Stop()
		}
		runtime.SetDefaultGOMAXPROCS()
	}
	if err != nil {
		remove()
		return nil, internal(err)
	}
	s.url, s.cpu, s.ops = child.URL, child.CPU, ops
	s.stop = func() { child.Stop(); remove() }
	s.settings = calibrate.Settings{Store: "SQLite, synchronous=FULL, commits in groups", Copies: 10, ListPlace: 1 << 20, Started: true}
	if inMemory(dir) {
		s.settings.Store += "; in memory"
		s.notes = append(s.notes, "The register lay in memory, where a commit waits for no disk: TMPDIR names another folder.")
	}
	if s.ca, err = os.ReadFile(filepath.Join(data, authorityFile)); err != nil {
		s.stop()
		return nil, internal(err)
	}
	return s, nil
}

// enterLivers enters citizens into the service and gives each a mobile card.
func enterLivers(ctx context.Context, s *calibrated, f *calibrateFlags, citizens int, p *progress) (*livers, error) {
	scenario, err := scenarios.Load("announced", nil)
	if err != nil {
		return nil, internal(err)
	}
	nation, err := scenarios.LoadNation()
	if err != nil {
		return nil, internal(err)
	}
	ways, err := outTo(s.ca)
	if err != nil {
		return nil, usage(fmt.Errorf("--ca: %w", err))
	}
	staff, places := loadgen.Demonstration(time.Hour)
	crowd, err := loadgen.Open(ctx, loadgen.Options{Service: s.url, HTTP: ways, Scenario: scenario, Nation: nation, Seed: f.seed, First: f.first, Citizens: citizens,
		Staff: staff, Places: places, Now: time.Now, Random: chance, Wait: waitFor, StatusEvery: 30 * time.Second, Allowance: time.Minute, AuditSkew: time.Second, Forget: true})
	if err != nil {
		return nil, usage(fmt.Errorf("no crowd can use the service at %s: %w", s.url, err))
	}
	if err := crowd.Enter(ctx, 4); err != nil {
		return nil, usage(fmt.Errorf("the citizens cannot be entered (a service that was calibrated before needs --first %d): %w", f.first+citizens, err))
	}
	l := &livers{crowd: crowd, now: time.Now}
	for i, c := range crowd.Citizens {
		p.show(int64(i), int64(citizens), "issuing their cards")
		if r := c.IssueByTap(ctx); !r.Granted {
			if f.service != "" {
				return nil, usage(fmt.Errorf("%s (a service that was calibrated before knows these citizens: --first %d)", r, f.first+citizens))
			}
			return nil, internal(fmt.Errorf("%s", r))
		}
		if i%4 == 3 { // some have reported theirs lost
			if r := c.ReportLost(ctx, loadgen.PhysicalLost); !r.Granted {
				return nil, internal(fmt.Errorf("%s", r))
			}
			l.lost.put(c)
			continue
		}
		l.well.put(c)
	}
	return l, nil
}

// outTo is a way out to a service with this root, with each request of an operation
// written down.
func outTo(ca []byte) (*http.Client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("it holds no certificate in PEM")
	}
	under := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024}
	return &http.Client{Timeout: 30 * time.Second, Transport: &traced{under: under, now: time.Now}}, nil
}

// waitFor waits for a time, or until the context ends.
func waitFor(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// revision is the commit that the program was built from, if it is known.
func revision() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	i := slices.IndexFunc(b.Settings, func(s debug.BuildSetting) bool { return s.Key == "vcs.revision" })
	if i < 0 {
		return ""
	}
	return b.Settings[i].Value
}
