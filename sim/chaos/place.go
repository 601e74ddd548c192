package chaos

import (
	_ "embed"
	"fmt"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/world"
)

//go:embed world.yaml
var builtIn []byte

// Place is where campaigns happen: what a scenario says of two municipalities,
// and the authorities that all campaigns share. It is not changed by them.
type Place struct {
	// Scratch is the folder for registers; empty: the system's.
	Scratch string

	// plant makes what stands in the place of the real service, for tests.
	plant func() world.Plant

	scenario    *scenarios.Scenario
	name        string
	policy      lifecycle.Policy
	authorities *world.Authorities
	home, away  string    // municipalities: the first that opens, and one that opens later
	start       time.Time // of every campaign: some hours before the second one opens
	cached      []int     // kinds of places that go by cached lists
}

// early is how long before the second municipality opens a campaign begins.
const early = 10 * time.Hour

// NewPlace reads a scenario, by name or file; empty: the one that is built in.
func NewPlace(scenario string) (*Place, error) {
	var s *scenarios.Scenario
	var err error
	if scenario == "" {
		s, err = scenarios.Parse("chaos.yaml", builtIn, nil)
	} else {
		s, err = scenarios.Load(scenario, nil)
	}
	if err != nil {
		return nil, err
	}
	nation, err := scenarios.LoadNation()
	if err != nil {
		return nil, err
	}
	m, err := rollout.New(s, nation)
	if err != nil {
		return nil, err
	}
	p := &Place{scenario: s, name: scenario, policy: m.Policy, cached: world.CachedPlaces(s)}
	var codes []string
	for code := range p.policy.Opens {
		codes = append(codes, code)
	}
	slices.SortFunc(codes, func(a, b string) int {
		if n := p.policy.Opens[a].Compare(p.policy.Opens[b]); n != 0 {
			return n
		}
		if a < b {
			return -1
		}
		return 1
	})
	for _, code := range codes {
		switch opens := p.policy.Opens[code]; {
		case p.home == "":
			p.home = code
		case p.away == "" && opens.After(p.policy.Opens[p.home]) && opens.After(s.Start.Time):
			p.away = code
		}
	}
	if p.away == "" {
		return nil, fmt.Errorf("chaos needs a municipality that opens and another one that opens after it and after %s: scenario %s has none (phases)", s.Start.Format(time.DateOnly), s.Name)
	}
	p.start = p.policy.Opens[p.away].Add(-early)
	if p.start.Before(p.policy.Opens[p.home]) {
		p.start = p.policy.Opens[p.home]
	}
	p.authorities, err = world.Found(s)
	return p, err
}

// dates are the days on which the rules change, by name.
func (p *Place) dates() map[string]time.Time {
	return map[string]time.Time{"opening": p.policy.Opens[p.away], "any-centre": p.policy.AnyCentreFrom}
}
