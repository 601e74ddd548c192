package calibrate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Schema names the form of a profile; another number means another form.
const Schema = "rollcall-profile/2"

// MaxProfile limits the size of a profile.
const MaxProfile = 1 << 20

// Profile is what was measured of a service on a machine. All times are in seconds.
type Profile struct {
	Schema  string `json:"schema"`
	Date    string `json:"date"`    // RFC 3339
	Version string `json:"version"` // of the program
	Commit  string `json:"commit,omitempty"`
	Seed    uint64 `json:"seed"`
	Quick   bool   `json:"quick,omitempty"`   // measured briefly: for trying, not for planning
	Partial string `json:"partial,omitempty"` // what is missing, and why

	Machine    Machine     `json:"machine"`
	Service    Settings    `json:"service"`
	Operations []Operation `json:"operations"`
	// Demands are what the nation's capacity model is given: by its operation and node.
	Demands map[string]map[string]Estimate `json:"demands"`
	// Servers are the requests that a replica like this one works on at once, by node.
	Servers map[string]int `json:"servers"`
	// Unmeasured are nodes and operations that stay assumptions, and why.
	Unmeasured map[string]string `json:"unmeasured"`

	Fit        Quality      `json:"fit"`
	Model      *Model       `json:"model,omitempty"`
	Busy       Estimate     `json:"busy"` // processors that the service kept busy at most
	Scaling    *Scaling     `json:"scaling,omitempty"`
	Callers    []Throughput `json:"callers,omitempty"`
	Saturation []Offered    `json:"saturation,omitempty"`
	Checks     []Check      `json:"checks,omitempty"`
	Notes      []string     `json:"notes,omitempty"`
}

// Machine is where it was measured.
type Machine struct {
	CPU            string `json:"cpu"`
	System         string `json:"system"` // "linux/amd64"
	Cores          int    `json:"cores"`
	ServiceCores   int    `json:"service_cores"`
	GeneratorCores int    `json:"generator_cores"`
	Apart          bool   `json:"apart"` // service and generator each had cores of their own
}

// Settings are those of the service that bear on its cost.
type Settings struct {
	Store     string `json:"store"`  // where the register is, and when a commit is durable
	Copies    int    `json:"copies"` // of a card that is issued
	ListPlace int    `json:"list_places"`
	Started   bool   `json:"started"` // by rollcall calibrate itself, empty
}

// Operation is what was measured of one.
type Operation struct {
	Name      string   `json:"name"`
	Count     int      `json:"count"`     // alone, at one caller
	Processor Estimate `json:"processor"` // of the service
	Held      Estimate `json:"held"`      // neither service nor caller works: the commit reaches the disk
	Generator Estimate `json:"generator"` // processor time of who makes the load
	// Nodes are shares of the service's processor time, by its own CPU profile.
	Nodes   map[string]float64 `json:"nodes,omitempty"`
	Samples int                `json:"samples,omitempty"` // of that profile
	Alone   Latency            `json:"alone"`             // of the operation at one caller
	Laws    []Law              `json:"laws,omitempty"`    // of its time, the best first
}

// Quality says how well the demands explain what was used.
type Quality struct {
	R2         float64  `json:"r2"`
	Residual   float64  `json:"residual"`
	Background Estimate `json:"background"` // processors that the service keeps busy by itself
	Intervals  int      `json:"intervals"`
}

// Model is what predictions are made of besides the operations' ways: all of it from
// the rates that were offered on the way to saturation, and nothing from their
// latencies.
type Model struct {
	Paces []Pace `json:"paces"` // by rate, the lowest first
	// Pauses: of each operation, and of each second besides.
	PausesPerOperation float64  `json:"pauses_per_operation"`
	PausesPerSecond    float64  `json:"pauses_per_second"`
	PauseMean          float64  `json:"pause_mean_s"`
	PauseWorks         Estimate `json:"pause_works"` // share of a pause in which the processor works
	Longest            float64  `json:"longest_s"`   // what is shorter is no pause
	Error              float64  `json:"error"`       // root mean square, of these rates' latencies
}

// Pace is what an operation takes at a rate of these, pauses apart, by what it takes
// alone: others wake the service for it and have filled its caches; or they emptied
// them.
type Pace struct {
	PerSecond float64 `json:"per_second"`
	Service   float64 `json:"service"`
	Generator float64 `json:"generator"`
}

// at is the pace of a rate, between its neighbours in proportion; beyond all that of
// the last.
func (m *Model) at(perSecond float64) Pace {
	p := m.Paces
	i := slices.IndexFunc(p, func(p Pace) bool { return p.PerSecond >= perSecond })
	switch {
	case len(p) == 0:
		return Pace{perSecond, 1, 1}
	case i < 0:
		return Pace{perSecond, p[len(p)-1].Service, p[len(p)-1].Generator}
	case i == 0:
		return Pace{perSecond, p[0].Service, p[0].Generator}
	}
	a, b := p[i-1], p[i]
	x := (perSecond - a.PerSecond) / (b.PerSecond - a.PerSecond)
	return Pace{perSecond, a.Service + x*(b.Service-a.Service), a.Generator + x*(b.Generator-a.Generator)}
}

// pauses a second at a rate.
func (m *Model) pauses(perSecond float64) float64 {
	return m.PausesPerOperation*perSecond + m.PausesPerSecond
}

// Offered is what came of a rate of operations.
type Offered struct {
	PerSecond     float64   `json:"per_second"` // offered
	Seconds       float64   `json:"seconds"`
	Done          float64   `json:"done"` // a second
	ServiceBusy   float64   `json:"service_busy"`
	GeneratorBusy float64   `json:"generator_busy"`
	OthersBusy    float64   `json:"others_busy"` // the rest of the machine's programs
	Pauses        []float64 `json:"pauses_s"`    // times without an answer
	Latency       Latency   `json:"latency"`

	work, ours float64 // processor time that it would take alone, of service and generator
}

// Check is a load that was not used in fitting: predicted before, measured after.
type Check struct {
	Offered
	// PredictedBusy is that of the service.
	PredictedBusy float64             `json:"predicted_busy"`
	All           Compared            `json:"all"`
	Operations    map[string]Compared `json:"operations"`
	DoneBy        map[string]int      `json:"done_by_operation"`
	Count         int                 `json:"count"`
}

// Mean is what an operation of the load takes on average, by what each takes that the
// capacity model has; false: there were none of these.
func (c *Check) Mean(work func(modelled string) (seconds float64)) (seconds float64, any bool) {
	for name, n := range c.DoneBy {
		if m := modelled[name]; m != "" {
			seconds += float64(n) * work(m) / float64(max(c.Count, 1))
			any = true
		}
	}
	return seconds, any
}

// Top is the highest throughput that callers got, operations a second.
func (p *Profile) Top() (most float64) {
	by := map[int][]float64{}
	for _, t := range p.Callers {
		by[t.Callers] = append(by[t.Callers], t.PerSecond)
	}
	for _, x := range by {
		slices.Sort(x)
		most = max(most, Quantile(x, 0.5))
	}
	return most
}

// Compared is a prediction beside its measurement, and the latter's interval of 95 %.
type Compared struct {
	Predicted Latency `json:"predicted"`
	Measured  Latency `json:"measured"`
	Low       Latency `json:"measured_low"`
	High      Latency `json:"measured_high"`
	Count     int     `json:"count"`
}

// Tolerance is the error within which a prediction holds.
const Tolerance = 0.15

// Holds says whether a prediction is within the tolerance, quantile by quantile.
func (c Compared) Holds() (p50, p95, p99 bool) {
	near := func(p, m float64) bool { return math.Abs(Off(p, m)) <= Tolerance }
	return near(c.Predicted.P50, c.Measured.P50), near(c.Predicted.P95, c.Measured.P95), near(c.Predicted.P99, c.Measured.P99)
}

// Encode is the profile as a file.
func (p *Profile) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(p, "", "  ")
	return append(b, '\n'), err
}

// A Fault is what is wrong in a profile, and where.
type Fault struct {
	File         string
	Line, Column int
	Path         string
	What         string
}

func (f *Fault) Error() string {
	s := fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, f.Column)
	if f.Path != "" {
		s += f.Path + ": "
	}
	return s + f.What
}

// spot is where a value begins.
type spot struct{ offset int64 }

// document is a profile with the places of its values, by path.
type document struct {
	file  string
	src   []byte
	spots map[string]spot
}

// maxDepth and maxValues bound what is read.
const (
	maxDepth  = 16
	maxValues = 50_000
)

func (d *document) fault(path, format string, args ...any) *Fault {
	at := path
	for {
		if s, ok := d.spots[at]; ok {
			return d.at(s.offset, path, format, args...)
		}
		i := strings.LastIndexAny(at, ".[")
		if i < 0 {
			return d.at(0, path, format, args...)
		}
		at = at[:i]
	}
}

func (d *document) at(offset int64, path, format string, args ...any) *Fault {
	before := d.src[:min(max(offset, 0), int64(len(d.src)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return &Fault{d.file, line, column, path, fmt.Sprintf(format, args...)}
}

// ReadProfile reads a profile; file is what errors call it. They are of type *Fault.
func ReadProfile(file string, src []byte) (*Profile, error) {
	d := &document{file: file, src: src, spots: map[string]spot{}}
	if len(src) > MaxProfile {
		return nil, d.at(0, "", "is larger than %d bytes: rollcall calibrate writes less", MaxProfile)
	}
	if f := d.walk(); f != nil {
		return nil, f
	}
	// Another form has other names, and whoever has one is to know that.
	var form struct{ Schema *string }
	if json.Unmarshal(src, &form) == nil && form.Schema != nil && *form.Schema != Schema {
		return nil, d.fault("schema", "is %q: this program reads %s (measure again: rollcall calibrate)", *form.Schema, Schema)
	}
	p := &Profile{}
	r := json.NewDecoder(bytes.NewReader(src))
	r.DisallowUnknownFields()
	if err := r.Decode(p); err != nil {
		return nil, d.explain(err)
	}
	if f := d.judge(p); f != nil {
		return nil, f
	}
	return p, nil
}

// walk finds the place of every value, and refuses what is no JSON, nests too deep or
// says something twice.
func (d *document) walk() *Fault {
	r := json.NewDecoder(bytes.NewReader(d.src))
	r.UseNumber()
	count := 0
	var value func(path string, depth int) *Fault
	// next is a token with the place where it begins.
	next := func() (json.Token, int64, *Fault) {
		from := r.InputOffset()
		for from < int64(len(d.src)) && strings.IndexByte(" \t\r\n,:", d.src[from]) >= 0 {
			from++
		}
		t, err := r.Token()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, from, d.at(int64(len(d.src)), "", "ends too early: it is no whole profile")
		}
		if err != nil {
			return nil, from, d.at(from, "", "is not JSON: %v", err)
		}
		return t, from, nil
	}
	value = func(path string, depth int) *Fault {
		t, from, f := next()
		if f != nil {
			return f
		}
		if path == "" && t != json.Delim('{') {
			return d.at(from, "", "is no profile: write a JSON object")
		}
		d.spots[path] = spot{from}
		if count++; count > maxValues || depth > maxDepth {
			return d.at(from, path, "nests too deep or holds too much for a profile")
		}
		switch t {
		case json.Delim('{'):
			for r.More() {
				k, at, f := next()
				if f != nil {
					return f
				}
				key, ok := k.(string)
				if !ok {
					return d.at(at, path, "a name belongs here")
				}
				inner := strings.TrimPrefix(path+"."+key, ".")
				if _, twice := d.spots[inner]; twice {
					return d.at(at, inner, "is said twice")
				}
				if f := value(inner, depth+1); f != nil {
					return f
				}
			}
			_, _, f = next()
		case json.Delim('['):
			for i := 0; r.More(); i++ {
				if f := value(fmt.Sprintf("%s[%d]", path, i), depth+1); f != nil {
					return f
				}
			}
			_, _, f = next()
		}
		return f
	}
	if f := value("", 0); f != nil {
		return f
	}
	at := r.InputOffset()
	if rest := bytes.TrimLeft(d.src[at:], " \t\r\n"); len(rest) > 0 {
		return d.at(int64(len(d.src)-len(rest)), "", "something follows the profile")
	}
	return nil
}

// explain gives an error of the decoder its place.
func (d *document) explain(err error) *Fault {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return d.at(max(e.Offset-int64(len(e.Value)), 0), e.Field, "%s stands here, where %s belongs", e.Value, e.Type)
	}
	const unknown = `json: unknown field "`
	if name, ok := strings.CutPrefix(err.Error(), unknown); ok {
		name = strings.TrimSuffix(name, `"`)
		for _, path := range slices.Sorted(maps.Keys(d.spots)) {
			if path == name || strings.HasSuffix(path, "."+name) {
				return d.fault(path, "unknown name: %s has none such", Schema)
			}
		}
	}
	return d.at(0, "", "%v", err)
}

// judge refuses what no measurement can be.
func (d *document) judge(p *Profile) *Fault {
	if p.Schema != Schema {
		return d.fault("schema", "is %q: this program reads %s (measure again: rollcall calibrate)", p.Schema, Schema)
	}
	if _, err := time.Parse(time.RFC3339, p.Date); err != nil {
		return d.fault("date", "%q is no date such as 2026-01-31T09:00:00Z", p.Date)
	}
	if p.Machine.CPU == "" || p.Machine.Cores < 1 || p.Machine.ServiceCores < 1 {
		return d.fault("machine", "says not on what it was measured: cpu, cores and service_cores are needed")
	}
	if p.Version == "" {
		return d.fault("version", "says not which version of the program was measured")
	}
	for _, op := range needed {
		for _, node := range []string{"gateway", "register"} {
			if _, ok := p.Demands[op][node]; !ok {
				return d.fault("demands."+op+"."+node, "was not measured, and a run needs it: measure again (rollcall calibrate)")
			}
		}
	}
	for _, op := range slices.Sorted(maps.Keys(p.Demands)) {
		if !slices.Contains(demanded, op) {
			return d.fault("demands."+op, "is no operation of the capacity model (%s)", strings.Join(demanded, ", "))
		}
		if len(p.Demands[op]) == 0 {
			return d.fault("demands."+op, "names no node")
		}
		for _, node := range slices.Sorted(maps.Keys(p.Demands[op])) {
			path := "demands." + op + "." + node
			if !slices.Contains(nodes, node) {
				return d.fault(path, "is no node of the capacity model (%s)", strings.Join(nodes, ", "))
			}
			if f := d.estimate(path, p.Demands[op][node]); f != nil {
				return f
			}
		}
	}
	for _, node := range slices.Sorted(maps.Keys(p.Servers)) {
		if n := p.Servers[node]; !slices.Contains(nodes, node) || n < 1 || n > 10_000 {
			return d.fault("servers."+node, "%d servers of %s: write 1 to 10000 at a node of the capacity model (%s)", n, node, strings.Join(nodes, ", "))
		}
	}
	for i := range p.Operations {
		o := &p.Operations[i]
		if o.Name == "" {
			return d.fault(fmt.Sprintf("operations[%d].name", i), "is empty")
		}
		if modelled[o.Name] != "" && o.Count < few {
			return d.fault(fmt.Sprintf("operations[%d].count", i), "%q was measured %d times, which is too few (%d at least): measure longer (rollcall calibrate --time)", o.Name, o.Count, few)
		}
	}
	for i := range p.Checks {
		for op, n := range p.Checks[i].DoneBy {
			if n < 0 || n > p.Checks[i].Count {
				return d.fault(fmt.Sprintf("checks[%d].done_by_operation.%s", i, op), "%d of %d operations cannot be", n, p.Checks[i].Count)
			}
		}
	}
	return nil
}

func (d *document) estimate(path string, e Estimate) *Fault {
	const least, most = 1e-6, 60
	switch {
	case !(e.Value >= least && e.Value <= most):
		return d.fault(path+".value", "%v s is no service demand (1 µs to a minute)", e.Value)
	case !(e.Low > 0 && e.Low <= e.Value && e.High >= e.Value && e.High <= most):
		return d.fault(path, "the interval %v to %v does not hold the value %v", e.Low, e.High, e.Value)
	}
	return nil
}

// What the capacity model knows, and what of it a profile must have.
var (
	needed   = []string{"issue", "verify", "report", "release"}
	demanded = []string{"issue", "face", "verify", "report", "release", "register-card"}
	nodes    = []string{"gateway", "register", "face", "signing", "status"}
)

// Settings turn a profile into settings of a scenario, as --set takes them, each with
// its mark and source; --set that follow can change them again. The source has the
// digest of the profile, so that what a run was given says which one it was.
func (p *Profile) Settings(digest string) (settings []string) {
	whole := func(s float64) string {
		return fmt.Sprintf("%dus", max(1, int64(math.Round(s*1e6))))
	}
	source := fmt.Sprintf("measured by rollcall calibrate on %s, %s, profile %s", p.Machine.CPU, p.Date, digest[:min(16, len(digest))])
	source = strings.Map(func(r rune) rune {
		if r == '"' || r == '\\' || r < ' ' {
			return '_'
		}
		return r
	}, source)
	for _, op := range slices.Sorted(maps.Keys(p.Demands)) {
		for _, node := range slices.Sorted(maps.Keys(p.Demands[op])) {
			e := p.Demands[op][node]
			settings = append(settings, fmt.Sprintf("service.demands.%s.%s={value: %s, mark: M, source: \"%s\", range: [%s, %s]}",
				op, node, whole(e.Value), source, whole(e.Low), whole(e.High)))
		}
	}
	for _, node := range slices.Sorted(maps.Keys(p.Servers)) {
		settings = append(settings, fmt.Sprintf("service.nodes.%s.workers=%d", node, p.Servers[node]))
	}
	return settings
}
