package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/reports"
	loads "rollcall.example/rollcall/scenarios/load"
)

type liveFlags struct {
	load, k6, data, out, series string
	citizens, vus, seed, first  int
	rate                        float64
	duration                    time.Duration
	statusEvery, ttl, allowance time.Duration
	profileEvery                time.Duration
	copies, replicas            int
	database                    string
	env                         []string
	json                        bool
}

func liveCommand() *cobra.Command {
	var f liveFlags
	c := &cobra.Command{
		Use:   "live SCENARIO",
		Short: "Load the real service by k6 and check every answer",
		Long: `Start the ID service as a process of its own, and let k6 load it with emulated
citizens over HTTPS. Every answer is held against what the citizen's own history
allows; at the end the oracle judges the whole history. CPU profiles of the service
are taken meanwhile.

The loads that are built in: ` + strings.Join(loads.Names(), ", ") + `.
--load takes a file, too. k6 is the one of cmd/k6, with the extension k6/x/rollcall:
beside rollcall, on PATH, or the file after --k6. docs/load.md tells how to build it.

Writes result.json, report.html, junit.xml, k6-dashboard.html, profiles/, and what k6
and the service logged. The exit code is 0 when every threshold holds, 99 when one is crossed
or an answer was wrong, 1 when the load could not be made as it was asked for (then the
result is marked invalid), 2 when the command is wrong.`,
		Example: `  rollcall live announced
  rollcall live announced --load verify --rate 200 --duration 1m --out base
  rollcall live announced --load opening-day --series rollcall-out/announced/series.csv
  rollcall compare base head --tolerance live.present[shop].p95_ms=20%`,
		Args: one("scenario, or its file"), ValidArgsFunction: completeScenario,
		RunE: func(c *cobra.Command, args []string) error {
			return liveRun(c.Context(), args[0], &f, c.Flags().Changed, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.load, "load", "smoke", "`NAME` of a load that is built in, or a script's file")
	fl.StringVar(&f.k6, "k6", "", "k6 with the extension k6/x/rollcall is this `FILE`")
	fl.IntVar(&f.citizens, "citizens", 0, "`N` citizens (default: as the load says)")
	fl.IntVar(&f.vus, "vus", 0, "`N` virtual users, at most (default: as the load says)")
	fl.Float64Var(&f.rate, "rate", 0, "`N` iterations a second (default: as the load says)")
	fl.DurationVar(&f.duration, "duration", 0, "how long the load lasts (default: as the load says)")
	fl.StringVar(&f.series, "series", "", "`FILE` series.csv of a nation run: the rates of opening-day")
	fl.IntVar(&f.seed, "seed", 1, "`N`, seed of cards, phones and faces")
	fl.IntVar(&f.first, "first", 0, "`N`, ordinal of the first citizen: a register that was loaded before needs others")
	fl.StringArrayVar(&f.env, "env", nil, "another setting of the load, that has no flag: `NAME=VALUE`, as in KILLS=3")
	fl.DurationVar(&f.statusEvery, "status-every", usualEvery, "the service publishes its status lists so often")
	fl.DurationVar(&f.ttl, "status-ttl", usualTTL, "the bank keeps a list so long")
	fl.DurationVar(&f.allowance, "allowance", usualAllowance, "what building, fetching and clocks may add to both")
	fl.IntVar(&f.copies, "copies", usualCopies, "`N` copies of a mobile card")
	fl.IntVar(&f.replicas, "replicas", 1, "`N` processes of the service behind a balancer, with --database")
	fl.StringVar(&f.database, "database", "", "`URL` of a PostgreSQL for the register: in a schema of its own, which is removed, but with --data")
	fl.DurationVar(&f.profileEvery, "profile-every", usualProfile, "length of each CPU profile of the service, but of the last, which ends with the load; 0: none")
	fl.StringVar(&f.data, "data", "", "`DIR` for the service's data (default: in a folder that is removed)")
	fl.StringVar(&f.out, "out", "", "`DIR` for the result (default rollcall-out/live-LOAD)")
	fl.BoolVar(&f.json, "json", false, "print result.json on standard output, the summary on standard error")
	return c
}

// What flags are that change the figures, where nothing is said.
const (
	usualEvery, usualTTL, usualAllowance, usualProfile = 2 * time.Second, 5 * time.Second, 5 * time.Second, 10 * time.Second
	usualCopies                                        = 3
)

// maxReplicas is a bound against a slip: each is a process on this machine.
const maxReplicas = 16

var settingOfLoad = regexp.MustCompile(`^[A-Z][A-Z0-9_]*=`)

// check refuses what makes no sense, before anything is started.
func (f *liveFlags) check(given func(string) bool) error {
	switch {
	case given("citizens") && f.citizens < 1:
		return fmt.Errorf("--citizens: %d citizens can load nothing (write 1 or more)", f.citizens)
	case given("vus") && f.vus < 1:
		return fmt.Errorf("--vus: %d virtual users can load nothing (write 1 or more)", f.vus)
	case given("rate") && !(f.rate > 0):
		return fmt.Errorf("--rate: %v iterations a second are no load (write more than 0)", f.rate)
	case given("duration") && f.duration < time.Second:
		return fmt.Errorf("--duration: %v is too short (write 1s or more)", f.duration)
	case f.statusEvery < time.Second || f.ttl < time.Second || f.allowance < time.Second:
		return errors.New("--status-every, --status-ttl and --allowance are 1s or more")
	case f.profileEvery != 0 && f.profileEvery < time.Second:
		return errors.New("--profile-every is 1s or more, or 0")
	case f.seed < 0 || f.first < 0 || f.copies < 1:
		return errors.New("--seed and --first are 0 or more, --copies 1 or more")
	case f.replicas < 1 || f.replicas > maxReplicas:
		return fmt.Errorf("--replicas: %d processes are no service here (write 1 to %d)", f.replicas, maxReplicas)
	case f.replicas > 1 && f.database == "":
		return errors.New("--replicas: several processes need one register (say where it is: --database postgres://...)")
	case f.database != "" && !isPostgres(f.database):
		return errors.New("--database: this is no address of a PostgreSQL (write postgres://USER@HOST/NAME)")
	case f.load == "opening-day" && f.series == "":
		return errors.New("--series: opening-day takes its rates from a nation run (rollcall run announced --out DIR, then --series DIR/series.csv)")
	}
	for _, e := range f.env {
		if !settingOfLoad.MatchString(e) {
			return fmt.Errorf("--env: %q is no setting of a load (write NAME=VALUE, as in KILLS=3)", e)
		}
		name, value, _ := strings.Cut(e, "=")
		if slices.Contains(toldByUs, name) {
			return fmt.Errorf("--env: %s is given to the load by this command itself, as are %s (leave it out)", name, strings.Join(slices.DeleteFunc(slices.Clone(toldByUs), func(s string) bool { return s == name }), ", "))
		}
		if flag, ok := flagOf[name]; ok {
			return fmt.Errorf("--env: %s has a flag of its own (write %s %s)", name, flag, cmp.Or(value, "VALUE"))
		}
	}
	if f.series != "" {
		if _, err := os.Stat(f.series); err != nil {
			return fmt.Errorf("--series: %w", err)
		}
	}
	return f.known(given)
}

// known refuses settings that a load which is built in does not have.
func (f *liveFlags) known(given func(string) bool) error {
	knows := loads.Settings(f.load)
	if knows == nil {
		return nil // a file: who wrote it knows
	}
	said := [][2]string{{"--rate", "RATE"}, {"--duration", "DURATION"}, {"--vus", "VUS"}, {"--citizens", "CITIZENS"}, {"--series", "SERIES"}}
	said = slices.DeleteFunc(said, func(s [2]string) bool { return !given(s[0][2:]) })
	for _, e := range f.env {
		name, _, _ := strings.Cut(e, "=")
		said = append(said, [2]string{"--env", name})
	}
	for _, s := range said {
		if !slices.Contains(knows, s[1]) {
			knows = slices.DeleteFunc(knows, func(name string) bool { return slices.Contains(toldByUs, name) })
			return fmt.Errorf("%s: the load %s has no setting %s (it has %s)", s[0], f.load, s[1], strings.Join(knows, ", "))
		}
	}
	return nil
}

func liveRun(ctx context.Context, name string, f *liveFlags, given func(string) bool, stdout, stderr io.Writer) error {
	if err := f.check(given); err != nil {
		return usage(err)
	}
	s, err := load(name, nil)
	if err != nil {
		return usage(err)
	}
	script := strings.TrimSuffix(filepath.Base(f.load), ".js")
	f.out = cmp.Or(f.out, filepath.Join("rollcall-out", "live-"+script))
	if f.out, err = filepath.Abs(f.out); err != nil {
		return internal(err)
	}
	if err := writable(f.out); err != nil {
		return usage(fmt.Errorf("--out: %w (name a folder that can be written)", err))
	}
	work, err := os.MkdirTemp("", "rollcall-live-")
	if err != nil {
		return internal(err)
	}
	defer os.RemoveAll(work)
	path, err := scriptFile(f.load, work)
	if err != nil {
		return usage(err)
	}
	if err := clearLoad(f.out); err != nil {
		return usage(fmt.Errorf("--out: %w", err))
	}
	k6, err := findK6(ctx, f.k6)
	if err != nil {
		return usage(err)
	}
	database := f.database
	if f.data == "" {
		f.data = filepath.Join(work, "data")
		if database != "" { // keys that are new open nothing in a register that is not
			var drop func()
			if database, drop, err = ownSchema(ctx, database); err != nil {
				return usage(err)
			}
			defer drop()
		}
	}
	fmt.Fprintf(stderr, "starting the service\n")
	self, err := thisProgram()
	if err != nil {
		return internal(err)
	}
	service, err := startLoaded(ctx, self, f, database, name, filepath.Join(f.out, "service.log"))
	if err != nil {
		return internal(err)
	}
	defer service.stop()
	if err := service.control(); err != nil {
		return internal(err)
	}
	stopProfiles := service.profiles(ctx, filepath.Join(f.out, profilesDir), f.profileEvery)

	fmt.Fprintf(stderr, "k6 loads %s by %s\n", service.url, script)
	ended, err := runK6(ctx, k6, path, f, name, service, stderr)
	kept, unprofiled := stopProfiles()
	if err != nil {
		return internal(err)
	}
	if ctx.Err() != nil {
		_ = clearLoad(f.out) // k6 has made one of the part that was
		return &exit{exitInternal, errors.New("interrupted; there is no result")}
	}
	code := ended.code
	if ended.more > 0 {
		fmt.Fprintf(stderr, "... and %d lines more in %s\n", ended.more, filepath.Join(f.out, k6LogFile))
	}
	r, err := reports.Read(f.out)
	if err != nil && ended.refused != "" {
		return &exit{liveExit(code), fmt.Errorf("--load: %s does not begin: %s", script, ended.refused)}
	}
	if err != nil {
		return &exit{liveExit(code), fmt.Errorf("k6 left no result and ended with %d (%s): what it said stands above", code, k6Codes[code])}
	}
	if ended.failed > 0 {
		r.Live.Valid = false
		r.Live.Doubts = append(r.Live.Doubts, fmt.Sprintf("the script failed in %d iterations (%s says where)", ended.failed, k6LogFile))
	}
	r.Scenario, r.Meta.Version, r.Meta.Host.CPU, r.Meta.Host.PeakRSSBytes = nil, version, cpuName(), peakRSS()
	if err := reports.Write(f.out, r, nil); err != nil {
		return internal(err)
	}
	if err := tell(r, &runFlags{out: f.out, json: f.json}, stdout, stderr); err != nil {
		return internal(err)
	}
	if unprofiled != nil {
		fmt.Fprintf(stderr, "there is no profile of the service: %v\n", unprofiled)
	}
	if kept > 0 {
		profiles := quote(filepath.Join(f.out, profilesDir)) + string(filepath.Separator) + "*.pprof"
		fmt.Fprintf(stderr, "profiles of the service: go tool pprof -tags %s, then go tool pprof -top -tagfocus operation=NAME %s\n", profiles, profiles)
	}
	return judgeLive(r, code, s.Name)
}

// profilesDir is where the service's profiles are kept.
const profilesDir = "profiles"

// clearLoad removes the result of a load, and the profiles, which would be taken for this one's.
func clearLoad(out string) error {
	if err := os.RemoveAll(filepath.Join(out, profilesDir)); err != nil {
		return err
	}
	for _, old := range []string{reports.ResultFile, reports.ReportFile, reports.JUnitFile, dashboardFile, k6LogFile} {
		if err := os.Remove(filepath.Join(out, old)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// judgeLive chooses the exit code: what is wrong counts before what is not valid.
func judgeLive(r *reports.Result, code int, scenario string) error {
	l := r.Live
	switch {
	case l.Wrong > 0 || l.Violations > 0:
		return &exit{exitExpect, fmt.Errorf("the service answered wrongly: %d answers, and %d violations by the whole history", l.Wrong, l.Violations)}
	case code != 0 && code != exitExpect:
		return &exit{liveExit(code), fmt.Errorf("k6 ended with %d (%s): what it said stands above", code, k6Codes[code])}
	case !l.Valid:
		return &exit{exitInternal, fmt.Errorf("this is no measurement of the service: %s", strings.Join(l.Doubts, "; "))}
	case !r.Verdict.Holds || code != 0:
		return &exit{exitExpect, errors.New(failed(r))}
	case !l.Judged:
		return &exit{exitInternal, fmt.Errorf("the history of %s was not judged: the script calls nation.judge() in teardown()", scenario)}
	}
	return nil
}

// command repeats the load; the folder that is written to does not change it.
func (f *liveFlags) command(scenario string) string {
	words := []string{"rollcall", "live", quote(scenario), "--load", quote(f.load)}
	add := func(flag, value string, said bool) {
		if said {
			words = append(words, flag, quote(value))
		}
	}
	add("--citizens", strconv.Itoa(f.citizens), f.citizens > 0)
	add("--vus", strconv.Itoa(f.vus), f.vus > 0)
	add("--rate", strconv.FormatFloat(f.rate, 'f', -1, 64), f.rate > 0)
	add("--duration", f.duration.String(), f.duration > 0)
	add("--series", f.series, f.series != "")
	add("--seed", strconv.Itoa(f.seed), f.seed != 1)
	add("--first", strconv.Itoa(f.first), f.first != 0)
	for _, d := range []struct {
		flag      string
		is, usual time.Duration
	}{{"--status-every", f.statusEvery, usualEvery}, {"--status-ttl", f.ttl, usualTTL}, {"--allowance", f.allowance, usualAllowance}, {"--profile-every", f.profileEvery, usualProfile}} {
		add(d.flag, d.is.String(), d.is != d.usual)
	}
	add("--copies", strconv.Itoa(f.copies), f.copies != usualCopies)
	add("--replicas", strconv.Itoa(f.replicas), f.replicas != 1)
	add("--database", maskedDatabase(f.database), f.database != "")
	for _, e := range f.env {
		add("--env", e, true)
	}
	return strings.Join(words, " ")
}
