// Package rollcall is the k6 extension k6/x/rollcall: the citizens of sim/loadgen in
// the hands of a k6 script. They tap cards, show them, lose and find them again; what
// the service answers is held against what each citizen's own history allows, and at
// the end the oracle judges the whole history.
//
// It keeps to k6's conventions: one module for the test, one instance for each virtual
// user, metrics in k6's registry, tags and samples of the virtual user's state, nothing
// on the network while scripts are loaded. index.d.ts says what a script sees.
package rollcall

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/grafana/sobek"
	"go.k6.io/k6/errext"
	"go.k6.io/k6/js/common"
	"go.k6.io/k6/js/modules"
	"go.k6.io/k6/metrics"
)

func init() { modules.Register("k6/x/rollcall", &Module{nations: map[string]*shared{}}) }

// Module is the extension for a whole test: the nations that its scripts opened.
type Module struct {
	mu      sync.Mutex
	nations map[string]*shared // by their options
}

// instance is the extension for one virtual user, as k6 asks for it.
type instance struct{ *user }

// user is a virtual user.
type user struct {
	module   *Module
	vu       modules.VU
	registry *metrics.Registry
	metrics  meters
}

// meters are the extension's own metrics.
type meters struct {
	durations  map[string]*metrics.Metric // by operation
	answers    *metrics.Metric
	violations *metrics.Metric
	unknown    *metrics.Metric
	doubts     *metrics.Metric
	generator  *metrics.Metric
}

// NewModuleInstance is part of modules.Module.
func (m *Module) NewModuleInstance(vu modules.VU) modules.Instance {
	r := vu.InitEnv().Registry
	i := &user{module: m, vu: vu, registry: r}
	i.metrics.durations = map[string]*metrics.Metric{}
	for _, what := range []string{"issue", "present", "report", "release", "desk"} {
		i.metrics.durations[what] = r.MustNewMetric("rollcall_"+what+"_duration", metrics.Trend, metrics.Time)
	}
	i.metrics.answers = r.MustNewMetric("rollcall_answers", metrics.Counter)
	i.metrics.violations = r.MustNewMetric("rollcall_violations", metrics.Counter)
	i.metrics.unknown = r.MustNewMetric("rollcall_unknown", metrics.Rate)
	i.metrics.doubts = r.MustNewMetric("rollcall_doubts", metrics.Counter)
	i.metrics.generator = r.MustNewMetric("rollcall_generator_cpu", metrics.Trend)
	return instance{i}
}

// Exports is part of modules.Instance.
func (i instance) Exports() modules.Exports {
	named := map[string]any{"open": i.open}
	return modules.Exports{Default: named, Named: named}
}

// open makes the nation of some options, or finds it: each virtual user loads the
// script, and all share one nation. Nothing is asked of the service yet.
func (i *user) open(given sobek.Value) *Nation {
	rt := i.vu.Runtime()
	o, key, err := readOptions(rt, given)
	if err != nil {
		common.Throw(rt, err)
	}
	i.module.mu.Lock()
	defer i.module.mu.Unlock()
	s := i.module.nations[key]
	if s == nil {
		if s, err = newShared(o); err != nil {
			common.Throw(rt, err)
		}
		i.module.nations[key] = s
	}
	return &Nation{user: i, shared: s}
}

// abort ends the whole test with a sentence.
func (i *user) abort(err error) {
	if !errext.IsInterruptError(err) {
		err = &errext.InterruptError{Reason: "rollcall: " + err.Error()}
	}
	i.vu.Runtime().Interrupt(err)
}

// settings are what a script may say to open.
type settings struct {
	Scenario    string `js:"scenario"`
	Service     string `js:"service"`
	CA          string `js:"ca"`
	Citizens    int    `js:"citizens"`
	First       int    `js:"first"`
	Seed        int64  `js:"seed"`
	StatusEvery string `js:"statusEvery"`
	TTL         string `js:"ttl"`
	Allowance   string `js:"allowance"`
	Control     string `js:"control"`
	Load        string `js:"load"`
	Command     string `js:"command"`
	Saturates   bool   `js:"saturates"`

	statusEvery, ttl, allowance time.Duration
}

var settingNames = []string{"scenario", "service", "ca", "citizens", "first", "seed", "statusEvery", "ttl", "allowance", "control", "load", "command", "saturates"}

// readOptions reads what a script says; the key tells apart nations.
func readOptions(rt *sobek.Runtime, given sobek.Value) (o settings, key string, err error) {
	o = settings{Scenario: "announced", Citizens: 100, StatusEvery: "30s", TTL: "15m", Allowance: "5s", Load: "script"}
	if given == nil || common.IsNullish(given) {
		return o, "", errors.New("open needs to know where the service is: rollcall.open({ service: 'https://localhost:8443' })")
	}
	object, said := given.ToObject(rt), rt.NewObject()
	for _, name := range object.Keys() {
		if !slices.Contains(settingNames, name) {
			return o, "", fmt.Errorf("open knows no option %q (known are %s)", name, strings.Join(settingNames, ", "))
		}
		if v := object.Get(name); !common.IsNullish(v) { // else as if it had not been said
			if err := said.Set(name, v); err != nil {
				return o, "", fmt.Errorf("open: %w", err)
			}
		}
	}
	if err := rt.ExportTo(said, &o); err != nil {
		return o, "", fmt.Errorf("open: %w", err)
	}
	switch {
	case o.Service == "":
		return o, "", errors.New("open needs to know where the service is: give service, as in k6 run -e SERVICE=https://localhost:8443")
	case o.Citizens < 1:
		return o, "", fmt.Errorf("open: %d citizens can load nothing (give citizens: 1 or more, at least as many as there are virtual users)", o.Citizens)
	case o.First < 0 || o.Seed < 0:
		return o, "", errors.New("open: first and seed are 0 or more")
	}
	for _, d := range []struct {
		name, text string
		to         *time.Duration
	}{{"statusEvery", o.StatusEvery, &o.statusEvery}, {"ttl", o.TTL, &o.ttl}, {"allowance", o.Allowance, &o.allowance}} {
		if *d.to, err = time.ParseDuration(d.text); err != nil || *d.to <= 0 {
			return o, "", fmt.Errorf("open: %s: %q is no length of time (write 30s, or 15m)", d.name, d.text)
		}
	}
	return o, fmt.Sprintf("%+v", o), nil
}
