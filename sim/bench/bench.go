// Package bench measures how fast the ID service is, each figure beside its floor:
// the least that the cryptography in it costs on the same machine in the same
// moments. It writes the Go benchmark format, for benchstat and for Compare.
//
// Floor and subject are measured in turns, in short slices: what other programs take
// from the machine meanwhile hits both, so that their ratio (x-floor) says more than
// either. It is made of processor time, not of time on the wall.
//
// What is measured end to end is a service in a process of its own, over TLS, which
// is handed in; the package may not know how one is started, nor the clock.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"path"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/sim/demo"
)

// Service is a service that runs in a process of its own.
type Service struct {
	URL    string
	Client *http.Client                                            // keeps its connections
	CPU    func() time.Duration                                    // that the process has used; nil: the system does not tell
	Town   *demo.Town                                              // who lives there
	Token  func(ctx context.Context, party string) (string, error) // an access token of a party of the town
	Stop   func()
}

// Options are what is measured, and with what.
type Options struct {
	Now   func() time.Time
	CPU   func() time.Duration // that this process has used; nil: the system does not tell
	Run   *regexp.Regexp       // names of benchmarks; nil: all but those that take minutes
	Time  time.Duration        // for each benchmark
	Count int                  // how often each is measured
	Dir   string               // for files that are written; on the disk that is of interest

	// Serve starts a service on a data folder; Empty a server that answers every
	// request with nothing. Either may be nil: then nothing is measured end to end.
	Serve func(ctx context.Context, data string) (*Service, error)
	Empty func(ctx context.Context) (*Service, error)
	// Peers starts other people's verifiers on a file, a Sample; nil: they are not measured.
	Peers func(ctx context.Context, sample string) (*Peers, error)

	Processor string // its name
}

// part is so many times a floor.
type part struct {
	floor string
	times float64
}

// benchmark is a line of the table.
type benchmark struct {
	name string
	// floor is the cryptography without which it cannot be done.
	floor []part
	// may is how many times its floor it may cost; 0: no matter.
	may float64
	// wire are requests and commits, which no cryptography is.
	wire []part
	// beside are benchmarks that do the same: x-cold, say, is how many times the
	// processor time of .../cold it takes.
	beside []string
	// bare is the same by a service that judges nothing; "": there is none.
	bare string
	// peer: it is somebody else's, and measured only with Options.Peers.
	peer bool
	// slow: only when it is asked for by name.
	slow bool
	make func(*env) (*subject, error)
}

// subject is what is measured.
type subject struct {
	name    string                // of its benchmark: a profile splits by it
	prepare func(n int) error     // before n operations, not measured; nil: nothing
	run     func(n int) error     // n operations
	cpu     func() time.Duration  // nil: of this process
	remote  bool                  // it happens elsewhere: memory here is not its
	figures func() []figure       // besides time
	kept    func() (tally, error) // what the register has done so far; nil: there is none
	fixed   int                   // so many operations, whatever time they take; 0: as many as there is time for
}

// tally is what a register has done.
type tally struct{ commits, syncs float64 }

// figure is a value with its unit.
type figure struct {
	value float64
	unit  string
}

// each repeats one operation.
func each(f func() error) func(int) error {
	return func(n int) error {
		for range n {
			if err := f(); err != nil {
				return err
			}
		}
		return nil
	}
}

// ErrNone: nothing has such a name.
var ErrNone = errors.New("no benchmark has such a name")

// Names lists all benchmarks.
func Names() (all []string) {
	for _, b := range table() {
		all = append(all, b.name)
	}
	return all
}

func table() []benchmark {
	return slices.Concat(floors(), cards(), tokens(), peers(), endToEnd())
}

// asked says whether a benchmark is to be measured.
func (b *benchmark) asked(run *regexp.Regexp, peers bool) bool {
	switch {
	case b.peer && !peers:
		return false
	case run == nil:
		return !b.slow
	}
	return run.MatchString(b.name)
}

// Asked are those of the figures that are measured again when the same is asked for: with
// Options.Run, and with peers or without. What no benchmark has the name of any more is among
// them: it is missed.
func Asked(all Figures, run *regexp.Regexp, peers bool) Figures {
	known := map[string]benchmark{}
	for _, b := range table() {
		known[b.name] = b
	}
	asked := Figures{}
	for name, figures := range all {
		b, ok := known[name]
		if !ok {
			b.name = name
		}
		if b.asked(run, peers) {
			asked[name] = figures
		}
	}
	return asked
}

// Run measures, and writes a line for each benchmark and count.
func Run(ctx context.Context, w io.Writer, o Options) error {
	if o.Now == nil || o.Time <= 0 || o.Count < 1 {
		return errors.New("measuring needs a clock, a time and a count")
	}
	var chosen []benchmark
	for _, b := range table() {
		if b.asked(o.Run, o.Peers != nil) {
			chosen = append(chosen, b)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("%w: %v", ErrNone, o.Run)
	}
	e := &env{ctx: ctx, o: o, made: map[string]*subject{}}
	defer e.close()
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\npkg: rollcall\n", runtime.GOOS, runtime.GOARCH)
	if o.Processor != "" {
		fmt.Fprintf(w, "cpu: %s\n", o.Processor)
	}
	fmt.Fprintf(w, "Unit x-floor better=lower\nUnit x-wire better=lower\n")
	if o.CPU == nil {
		fmt.Fprintln(w, "# This system does not tell processor time: CPU-ns/op is time on the wall.")
	}
	for range o.Count {
		for _, b := range chosen {
			if err := ctx.Err(); err != nil {
				return err
			}
			line, err := e.measure(b)
			if err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
			if line == "" {
				continue
			}
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
	}
	return nil
}

// Do does what a benchmark measures so many times, and measures nothing: for whoever
// counts by other means.
func Do(ctx context.Context, o Options, name string, n int) error {
	for _, b := range table() {
		if b.name != name {
			continue
		}
		e := &env{ctx: ctx, o: o, made: map[string]*subject{}}
		defer e.close()
		s, err := e.subject(b)
		if err == nil && s == nil {
			err = errors.New("there is no service to do it to")
		}
		if err == nil && s.prepare != nil {
			err = s.prepare(n)
		}
		if err != nil {
			return err
		}
		return s.run(n)
	}
	return fmt.Errorf("%w: %s", ErrNone, name)
}

// Primitives is the cryptography that a benchmark is held against, by floor:
// "Floor/P256Verify" twice.
func Primitives(name string) map[string]float64 {
	out := map[string]float64{}
	for _, b := range table() {
		if b.name == name {
			for _, p := range b.floor {
				out[p.floor] += p.times
			}
		}
	}
	return out
}

// sample is what some operations cost.
type sample struct {
	n             int
	wall, cpu     time.Duration
	bytes, allocs uint64
	own           time.Duration // of this process, where the subject is another
	kept          tally
}

func (s *sample) add(o sample) {
	s.n, s.wall, s.cpu, s.bytes, s.allocs, s.own = s.n+o.n, s.wall+o.wall, s.cpu+o.cpu, s.bytes+o.bytes, s.allocs+o.allocs, s.own+o.own
	s.kept.commits, s.kept.syncs = s.kept.commits+o.kept.commits, s.kept.syncs+o.kept.syncs
}

// each of the clocks falls back to the wall.
func (e *env) clock(s *subject) func() time.Duration {
	began := e.o.Now()
	wall := func() time.Duration { return e.o.Now().Sub(began) }
	switch {
	case s.cpu != nil:
		return s.cpu
	case e.o.CPU != nil && !s.remote:
		return e.o.CPU
	}
	return wall
}

// take runs n operations.
func (e *env) take(s *subject, n int) (sample, error) {
	if s.prepare != nil {
		if err := s.prepare(n); err != nil {
			return sample{}, err
		}
	}
	var before, after runtime.MemStats
	var was, is tally
	if s.kept != nil {
		var err error
		if was, err = s.kept(); err != nil {
			return sample{}, err
		}
	}
	cpu := e.clock(s)
	own := func() time.Duration { return 0 }
	if e.o.CPU != nil {
		own = e.o.CPU
	}
	runtime.ReadMemStats(&before)
	began, used, mine := e.o.Now(), cpu(), own()
	var err error
	pprof.Do(e.ctx, pprof.Labels("benchmark", s.name), func(context.Context) { err = s.run(n) })
	out := sample{n: n, cpu: cpu() - used, wall: e.o.Now().Sub(began), own: own() - mine}
	runtime.ReadMemStats(&after)
	out.bytes, out.allocs = after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
	if s.kept != nil && err == nil {
		is, err = s.kept()
		out.kept = tally{is.commits - was.commits, is.syncs - was.syncs}
	}
	return out, err
}

// fit is how many operations take a time.
func (e *env) fit(s *subject, d time.Duration) (int, error) {
	if s.fixed > 0 {
		return s.fixed, nil
	}
	for n := 1; ; {
		got, err := e.take(s, n)
		if err != nil || got.wall >= d || n >= 1<<30 {
			return n, err
		}
		more := 100.0
		if got.wall > 0 {
			more = min(more, 1.2*float64(d)/float64(got.wall))
		}
		n = int(math.Ceil(float64(n) * max(more, 1.5)))
	}
}

// rounds is in how many turns floors and subject are measured.
const rounds = 4

// measure measures a benchmark in turns with its floors.
func (e *env) measure(b benchmark) (string, error) {
	s, err := e.subject(b)
	if err != nil || s == nil {
		return "", err
	}
	turns := rounds
	if s.fixed > 0 {
		turns = 1
	}
	parts := slices.Concat(b.floor, b.wire)
	units := make([]string, len(parts)) // "": it is part of the floor
	for _, name := range b.beside {
		parts, units = append(parts, part{name, 1}), append(units, "x-"+path.Base(name))
	}
	if b.bare != "" {
		parts, units = append(parts, part{b.bare, 1}), append(units, "x-bare")
	}
	floors, many, costs := make([]*subject, len(parts)), make([]int, len(parts)), make([]sample, len(parts))
	for i, p := range parts {
		f, err := e.named(p.floor)
		if err != nil {
			return "", err
		}
		if f == nil {
			continue // there is no such server
		}
		floors[i] = f
		if many[i], err = e.fit(f, e.o.Time/(2*rounds)); err != nil {
			return "", fmt.Errorf("%s: %w", p.floor, err)
		}
	}
	n, err := e.fit(s, e.o.Time/rounds)
	if err != nil {
		return "", err
	}
	if s.figures != nil {
		s.figures() // those of trying out do not count
	}
	runtime.GC()
	var all sample
	for range turns {
		for i, f := range floors {
			if f == nil {
				continue
			}
			got, err := e.take(f, many[i])
			if err != nil {
				return "", fmt.Errorf("%s: %w", parts[i].floor, err)
			}
			costs[i].add(got)
		}
		got, err := e.take(s, n)
		if err != nil {
			return "", err
		}
		all.add(got)
	}
	per := func(d time.Duration) float64 { return float64(d) / float64(all.n) }
	sum, wire, others := 0.0, 0.0, []figure(nil)
	for i, p := range parts {
		if floors[i] == nil {
			continue
		}
		cost := p.times * float64(costs[i].cpu) / float64(costs[i].n)
		if units[i] != "" {
			others = append(others, figure{per(all.cpu) / cost, units[i]})
			continue
		}
		if wire += cost; i < len(b.floor) {
			sum += cost
		}
	}
	figures := []figure{{per(all.wall), "ns/op"}, {per(all.cpu), "CPU-ns/op"}}
	if sum > 0 {
		figures = append(figures, figure{per(all.cpu) / sum, "x-floor"})
	}
	if len(b.wire) > 0 && wire > sum {
		figures = append(figures, figure{per(all.cpu) / wire, "x-wire"})
	}
	if b.may > 0 {
		figures = append(figures, figure{b.may, "x-allowed"})
	}
	figures = append(figures, others...)
	if s.remote {
		if e.o.CPU != nil && all.own+all.cpu > 0 {
			figures = append(figures, figure{100 * float64(all.own) / float64(all.own+all.cpu), "%generator"})
		}
	} else {
		figures = append(figures, figure{float64(all.bytes) / float64(all.n), "B/op"}, figure{math.Round(float64(all.allocs) / float64(all.n)), "allocs/op"})
	}
	if all.kept.syncs > 0 {
		figures = append(figures, figure{all.kept.commits / float64(all.n), "updates/op"}, figure{all.kept.commits / all.kept.syncs, "updates/sync"})
	}
	if s.figures != nil {
		figures = append(figures, s.figures()...)
	}
	var line strings.Builder
	fmt.Fprintf(&line, "Benchmark%s-%d\t%8d", b.name, runtime.GOMAXPROCS(0), all.n)
	for _, f := range figures {
		fmt.Fprintf(&line, "\t%s %s", plain(f.value), f.unit)
	}
	return line.String(), nil
}

// plain writes a figure with as many digits as it deserves.
func plain(v float64) string {
	switch a := math.Abs(v); {
	case a == math.Trunc(a) || a >= 1000:
		return fmt.Sprintf("%12.0f", v)
	case a >= 100:
		return fmt.Sprintf("%14.1f", v)
	case a >= 1:
		return fmt.Sprintf("%15.2f", v)
	}
	return fmt.Sprintf("%17.4f", v)
}
