package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/calibrate"
	"rollcall.example/rollcall/sim/nation"
	"rollcall.example/rollcall/sim/plain"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/statistics"
)

type runFlags struct {
	regions []string
	panel   string
	seed    string
	workers int
	engine  string
	sets    []string
	out     string
	json    bool

	replications int
	profile      string

	cpuprofile, memprofile string
}

func runCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Run a scenario and write its report",
		Long: `Run a scenario: the nation in virtual time, the panel against the real service,
the oracle's judgement. SCENARIO is the name of one that is built in (see
rollcall scenario list) or a file.

Writes report.html, result.json, junit.xml, series.csv, and the whole scenario as
resolved.yaml. The exit code is 0 when every expectation holds, 99 when one does not.

With --replications N the nation runs 2·N times more: N times with other random
numbers, N times with the assumptions drawn within their plausible ranges. The
report then says between what the headline figures lie, by chance and by what is
assumed, and which assumptions move them most; replications.csv has every run.`,
		Example: `  rollcall run announced
  rollcall run six-hour-outage --set faults.outage.at="2025-02-28 13:00" --set faults.outage.for=2h
  rollcall run announced --regions KR-50,KR-49 --panel 500 --out trial
  rollcall run announced --replications 20
  rollcall run announced --profile profile.json`,
		Args: one("scenario, or its file"), ValidArgsFunction: completeScenario,
		RunE: func(c *cobra.Command, args []string) error {
			stop, err := profile(f.cpuprofile, f.memprofile)
			if err != nil {
				return usage(err)
			}
			return errors.Join(run(c.Context(), args[0], &f, c.OutOrStdout(), c.ErrOrStderr()), stop())
		},
	}
	fl := c.Flags()
	fl.StringSliceVar(&f.regions, "regions", nil, "simulate these regions only, by ISO `CODE`; the others are a load on the service")
	fl.StringVar(&f.panel, "panel", "", "`N` citizens live against the real service, or off (default: as the scenario says)")
	fl.IntVar(&f.replications, "replications", 0, "run `N` times more by chance, and N times over the assumptions (0: once)")
	fl.StringVar(&f.seed, "seed", "", "`N`, seed of every random stream (default: the scenario's)")
	fl.IntVar(&f.workers, "workers", runtime.NumCPU(), "threads; the result does not depend on it")
	fl.StringVar(&f.engine, "engine", "fast", "fast or plain; both give the same result, plain is for small regions")
	fl.StringArrayVar(&f.sets, "set", nil, "change a parameter: `KEY=VALUE`, as in centres.counters.KR-26=4")
	fl.StringVar(&f.out, "out", "", "`DIR` for the result (default rollcall-out/SCENARIO)")
	fl.BoolVar(&f.json, "json", false, "print result.json on standard output, the summary on standard error")
	fl.StringVar(&f.profile, "profile", "", "`FILE` of rollcall calibrate: the service takes as long as was measured, before --set")
	fl.StringVar(&f.cpuprofile, "cpuprofile", "", "write a CPU profile to `FILE` (go tool pprof)")
	fl.StringVar(&f.memprofile, "memprofile", "", "write a profile of the memory in use at the end to `FILE`")
	return c
}

// settings turns flags into settings of the scenario, so that they are checked
// and hashed like everything else, and into the command that repeats the run. A
// setting that stands for another flag has its spelling in typed.
func (f *runFlags) settings(scenario string) (sets []string, typed map[string]string, command string, err error) {
	words := []string{"rollcall", "run", quote(scenario)}
	typed = map[string]string{}
	sets = append(sets, f.sets...)
	if f.profile != "" {
		words = append(words, "--profile", quote(f.profile))
	}
	for _, s := range f.sets {
		words = append(words, "--set", quote(s))
	}
	set := func(key, value, flag, written string) {
		sets = append(sets, key+"="+value)
		words = append(words, flag, quote(written))
		typed[key+"="+value] = flag + " " + written
	}
	if len(f.regions) > 0 {
		written := strings.Join(f.regions, ",")
		if slices.Contains(f.regions, "") {
			return nil, nil, "", fmt.Errorf("--regions: a code is missing in %q (write KR-50, or KR-50,KR-49)", written)
		}
		set("population.regions", "["+strings.Join(f.regions, ", ")+"]", "--regions", written)
	}
	if f.panel != "" {
		n := f.panel
		if n == "off" {
			n = "0"
		}
		if k, e := strconv.Atoi(n); e != nil || k < 0 {
			return nil, nil, "", fmt.Errorf("--panel: %q is not a number of citizens (write a number, or off)", f.panel)
		}
		set("panel.citizens", n, "--panel", f.panel)
	}
	if f.seed != "" {
		set("seed", f.seed, "--seed", f.seed)
	}
	if f.replications != 0 {
		if f.replications < 2 || f.replications > maxReplications {
			return nil, nil, "", fmt.Errorf("--replications: %d runs have no bands (write 2 to %d; 20 for a first look)", f.replications, maxReplications)
		}
		words = append(words, "--replications", strconv.Itoa(f.replications))
	}
	if f.engine != "fast" && f.engine != "plain" {
		return nil, nil, "", fmt.Errorf("--engine: there is no engine %q (write fast or plain)", f.engine)
	}
	if f.workers < 1 {
		return nil, nil, "", fmt.Errorf("--workers: %d threads cannot work (write 1 or more)", f.workers)
	}
	return sets, typed, strings.Join(words, " "), nil
}

// asTyped names the flags that were typed where the loader names settings.
func asTyped(err error, typed map[string]string) error {
	problems, ok := errors.AsType[scenarios.Problems](err)
	if !ok {
		return err
	}
	problems = slices.Clone(problems)
	for i, p := range problems {
		if flag, ok := typed[strings.TrimPrefix(p.File, "--set ")]; ok {
			problems[i].File, problems[i].Path = flag, ""
		}
	}
	return problems
}

func quote(s string) string {
	if strings.ContainsAny(s, " \t\"'$&|;<>()[]{}*?!\\") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

func run(ctx context.Context, name string, f *runFlags, stdout, stderr io.Writer) error {
	began := time.Now()
	sets, typed, command, err := f.settings(name)
	if err != nil {
		return usage(err)
	}
	var measured *calibrate.Profile
	var digest string
	if f.profile != "" {
		if measured, digest, err = readProfile(f.profile); err != nil {
			return usage(err)
		}
		sets = append(measured.Settings(digest), sets...)
	}
	s, err := load(name, sets)
	if err != nil {
		return usage(asTyped(err, typed))
	}
	people, err := scenarios.LoadNation()
	if err != nil {
		return internal(err)
	}
	chart, err := loadMap()
	if err != nil {
		return internal(err)
	}
	if f.out == "" {
		f.out = filepath.Join("rollcall-out", s.Name)
	}
	// Better now than after a minute's work.
	if err := writable(f.out); err != nil {
		return usage(fmt.Errorf("--out: %w (name a folder that can be written)", err))
	}

	p := newProgress(stderr)
	defer p.end()
	simulated := time.Now()
	o, twin, err := simulate(ctx, s, people, f, p.nation(s))
	if err != nil {
		return internal(err)
	}
	engineTook := time.Since(simulated)

	r := &reports.Result{}
	statistics.Fill(r, o, twin)
	if measured != nil {
		r.Meta.ProfileSHA = digest
	}
	r.Meta.InputsSHA256 = inputsHash(s, f.replications, r.Meta.ProfileSHA)
	r.Meta.Version, r.Meta.Command = version, command
	r.Meta.Started = began.Format(time.RFC3339)
	r.Scenario = s.YAML()
	if !o.Complete {
		p.end()
		return interrupted(r, f.out, o)
	}

	if s.Panel.Citizens > 0 {
		p.begin("panel")
		debug.FreeOSMemory()
		err := runPanel(ctx, r, o, f.out, p, stderr)
		if ctx.Err() != nil {
			p.end()
			return interrupted(r, f.out, o)
		}
		if err != nil {
			return internal(err)
		}
	}
	if measured != nil {
		besideMeasured(r, s, measured)
	}
	if err := statistics.Judge(r, s); err != nil {
		return usage(err)
	}

	events := r.Nation.Events
	if twin != nil {
		for _, t := range twin.Tallies {
			if t != nil {
				events += t.Events
			}
		}
	}
	said := notes(o, r)
	if measured != nil {
		said = append(said, cautions(f.profile, measured)...)
	}
	if f.replications > 0 {
		o, twin = nil, nil // one nation at a time
		if r.Uncertainty, err = replicate(ctx, s, people, r, f, p); err != nil {
			return &exit{exitInternal, err}
		}
	}
	h := &r.Meta.Host
	h.Events, h.Workers, h.Engine, h.CPU, h.OS = events, f.workers, f.engine, cpuName(), runtime.GOOS+"/"+runtime.GOARCH
	h.EventsPerSecond = reports.Num(float64(events) / engineTook.Seconds())
	h.PeakRSSBytes = peakRSS()
	h.WallSeconds = reports.Num(time.Since(began).Seconds())
	if err := reports.Write(f.out, r, chart); err != nil {
		return internal(err)
	}
	p.end()

	for _, note := range said {
		fmt.Fprintln(stderr, "note:", note)
	}
	if err := tell(r, f, stdout, stderr); err != nil {
		return internal(err)
	}
	if u := r.Uncertainty; u != nil && u.Assumptions.Runs < u.Asked {
		return &exit{exitInternal, fmt.Errorf("interrupted after %d of %d replications by chance and %d over the assumptions; the result in %s has these", u.Chance.Runs, u.Asked, u.Assumptions.Runs, f.out)}
	}
	if !r.Verdict.Holds {
		return &exit{exitExpect, errors.New(failed(r))}
	}
	return nil
}

// A watcher hears that a run begins, the twin without faults first where there
// is one, and then how far it is.
type watcher func(twin bool) (progress func(done, total, events int64))

// nation shows a scenario's own runs.
func (p *progress) nation(s *scenarios.Scenario) watcher {
	return func(twin bool) func(done, total, events int64) {
		phase := s.Name
		if twin {
			phase += " without its faults"
		}
		p.begin(phase)
		return func(done, total, events int64) {
			at := s.Start.Add(time.Duration(done) * time.Millisecond)
			p.show(done, total, fmt.Sprintf("%s   %s events", at.Format("2 Jan 2006"), thousands(events)))
		}
	}
}

// simulate runs the nation and, where the scenario has faults, before it a twin
// without them.
func simulate(ctx context.Context, s *scenarios.Scenario, people *scenarios.Nation, f *runFlags, watch watcher) (o, twin *rollout.Outcome, err error) {
	engine := func(s *scenarios.Scenario, twin bool) (*rollout.Outcome, error) {
		o := rollout.Options{Workers: f.workers, Progress: watch(twin)}
		if f.engine == "plain" {
			o, err := plain.Run(ctx, s, people, o)
			if errors.Is(err, plain.ErrTooMany) {
				err = usage(fmt.Errorf("--engine: %w (choose some --regions, or the fast engine)", err))
			}
			return o, err
		}
		return nation.Run(ctx, s, people, o)
	}
	if len(s.Faults) > 0 {
		calm := *s
		calm.Faults, calm.Panel.Citizens = nil, 0
		if twin, err = engine(&calm, true); err != nil || !twin.Complete {
			return twin, twin, err
		}
		debug.FreeOSMemory() // one nation at a time
	}
	o, err = engine(s, false)
	return o, twin, err
}

// notes are what whoever runs a scenario should know, although nothing is wrong.
func notes(o *rollout.Outcome, r *reports.Result) (notes []string) {
	opens := false
	for i, t := range o.Tallies {
		opens = opens || t != nil && o.Model.Opens(i) < o.Model.End
	}
	if !opens {
		notes = append(notes, "no phase opens a simulated place before the run ends: nobody can get a mobile card")
	}
	if r.Panel != nil && r.Panel.Citizens < r.Meta.PanelAsked {
		notes = append(notes, fmt.Sprintf("the panel has %d citizens instead of %d: nobody else did anything that the service could see", r.Panel.Citizens, r.Meta.PanelAsked))
	}
	if n, of := o.Model.Service.Stats.Overloaded(); n > 0 {
		notes = append(notes, fmt.Sprintf("the service was overloaded in %s of the %s hours in which it was asked for anything: more was refused or answered too late than in time", thousands(n), thousands(of)))
	}
	if v := r.Nation.Visits; v.Balked+v.Reneged > v.Served {
		notes = append(notes, fmt.Sprintf("the centres cannot serve those who come: %s turned round or left, %s were served", thousands(v.Balked+v.Reneged), thousands(v.Served)))
	}
	return notes
}

// tell prints the summary, and the result where it is wanted.
func tell(r *reports.Result, f *runFlags, stdout, stderr io.Writer) error {
	human := stdout
	if f.json {
		human = stderr
		b, err := reports.Encode(r)
		if err != nil {
			return err
		}
		if _, err := stdout.Write(b); err != nil {
			return err
		}
	}
	look := terminal(human)
	look.Report = filepath.Join(f.out, reports.ReportFile)
	return reports.Summary(human, r, look)
}

// terminal is how wide and colourful what is written to may be.
func terminal(w io.Writer) (look reports.Terminal) {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		look.Width, _, _ = term.GetSize(int(f.Fd()))
		look.Colour = os.Getenv("NO_COLOR") == ""
	}
	return look
}

// writable makes a folder where there is none and tries it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	t, err := os.CreateTemp(dir, ".try.*")
	if err != nil {
		return err
	}
	t.Close()
	return os.Remove(t.Name())
}

// failed names the expectations that do not hold.
func failed(r *reports.Result) string {
	var names []string
	for _, e := range r.Expectations {
		if !e.Holds {
			names = append(names, e.Text)
		}
	}
	word := "an expectation does not hold"
	if len(names) > 1 {
		word = "expectations do not hold"
	}
	return word + ": " + strings.Join(names, "; ")
}

// interrupted keeps the days that were complete under names that nobody takes
// for a result.
func interrupted(r *reports.Result, dir string, o *rollout.Outcome) error {
	until := o.Model.Cal.Time(o.Until).Format("2006-01-02 15:04")
	path, err := reports.WritePartial(dir, r, o.Model.Cal.Time(o.Until).Format(time.DateOnly))
	if err != nil {
		return &exit{exitInternal, fmt.Errorf("interrupted at %s of virtual time; what was complete could not be kept: %w", until, err)}
	}
	return &exit{exitInternal, fmt.Errorf("interrupted at %s of virtual time; the days that were complete are in %s", until, path)}
}

func loadMap() (*reports.Map, error) {
	b, err := scenarios.DataFile("map_sido.svgpaths.json")
	if err != nil {
		return nil, err
	}
	return reports.ParseMap(b)
}

// inputsHash covers all that can change the answer: the resolved scenario (with
// seed, regions and panel), the data, and which profile and how many replications
// there are, if any.
func inputsHash(s *scenarios.Scenario, replications int, profile string) string {
	h := sha256.New()
	if profile != "" {
		fmt.Fprintf(h, "profile: %s\n", profile)
	}
	if replications > 0 {
		fmt.Fprintf(h, "replications: %d\n", replications)
	}
	h.Write(s.YAML())
	for _, name := range []string{"regions.csv", "municipalities.csv", "centres.csv", "sex.csv"} {
		b, err := scenarios.DataFile(name)
		if err != nil {
			panic(err) // it was read already
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
