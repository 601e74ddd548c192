package plain

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// random is a scene with everything moved that moves the order of things: seed,
// hours, counters, patience, faults, how often people act.
func random(seed uint64) scene {
	r := rand.New(rand.NewPCG(seed, 0))
	pick := func(key string, values ...string) string { return key + "=" + values[r.IntN(len(values))] }
	c := scene{
		name: fmt.Sprintf("seed %d", seed), scenario: "smoke",
		regions: [][]string{sejong, jeju}[r.IntN(2)],
		settings: []string{
			fmt.Sprintf("seed=%d", seed),
			"end=2025-02-17",
			pick("calendar.any_centre_from", "2025-02-12", "2025-02-14", "2025-02-18"),
			pick("calendar.opens", "00:00", "08:30", "09:00"),
			pick("calendar.closes", "17:45", "18:00", "23:00"),
			pick("calendar.lunch_staff", "0%", "50%", "70%"),
			pick("centres.counter_factor", "0.3", "1", "3"),
			pick("centres.patience", "3m", "45m", "1d"),
			pick("centres.balk_at", "2", "12", "1000"),
			pick("centres.other_business", "0.002/day", "0.01/day", "0.04/day"),
			pick("centres.issue_service.law", "lognormal", "exponential", "fixed"),
			pick("channels.validity", "12h", "3d"),
			pick("cards.printed_per_day", "300", "20000"),
			pick("status_lists.publish_interval", "1m", "5m", "1h"),
			pick("status_lists.expired", "refuse", "accept"),
			pick("service.clients.wallet.retries", "0", "3", "6"),
			pick("service.clients.verifier.jitter", "none", "full"),
			pick("service.clients.verifier.budget", "5%", "100%"),
			pick("service.clients.terminal.breaker", "{failures: 50%, open: 30s}", "{failures: 20%, open: 5m}"),
			pick("service.nodes.register.shed_after", "10ms", "20s"),
			pick("service.admission", "{rate: 1000000}", "{rate: 40, first: [suspension]}"),
			pick("faults[0].kind", "down", "slow"),
			pick("faults[0].severity", "30%", "80%", "100%"),
			pick("faults[0].nodes", "[gateway]", "[face]", "[register, signing]", "[status]", "[gateway, register, status]", "[network]", "[terminals, verifiers]"),
			pick("faults[0].at", "2025-02-13 08:59", "2025-02-14 23:30", "2025-02-12 12:03"),
			pick("faults[0].for", "7m", "1h", "9h10m"),
		},
	}
	if seed%3 == 2 { // the register's site is lost instead
		c.settings = append(c.settings, pick("service.standby", `{copies_every: 24h, at: "01:00"}`, "{copies_every: 1h}", "{copies_every: 7m}"),
			"faults="+[]string{"[{name: fire, kind: site-lost, nodes: [register, signing], at: 2025-02-13 08:59, standby_after: 11m, for: 1d 3h}]",
				"[{name: fire, kind: site-lost, nodes: [gateway, register, face, signing, status], at: 2025-02-14 12:03, standby_after: 3h, for: 9h10m, report_again: 80%, report_again_after: 1h, restore: {signing: 1d}}]"}[r.IntN(2)])
		return c
	}
	edge := slices.Contains(c.settings, "faults[0].nodes=[network]") || slices.Contains(c.settings, "faults[0].nodes=[terminals, verifiers]")
	if edge || slices.Contains(c.settings, "faults[0].nodes=[status]") { // which work or do not
		c.settings = append(c.settings, "faults[0].kind=down", "faults[0].severity=100%")
	}
	return c
}

func TestBothEnginesGiveTheSameBytesWhateverIsMoved(t *testing.T) {
	seeds := uint64(1)
	if os.Getenv("ROLLCALL_CAMPAIGN") != "" {
		seeds = 18
	}
	for seed := range seeds {
		c := random(seed)
		t.Run(c.name, func(t *testing.T) {
			if c.same(t); t.Failed() {
				t.Logf("regions %v, settings %q", c.regions, c.settings)
			}
		})
	}
}

// Whole scenarios on whole regions: set ROLLCALL_CAMPAIGN to run them.
func TestBothEnginesGiveTheSameBytesForWholeScenarios(t *testing.T) {
	if os.Getenv("ROLLCALL_CAMPAIGN") == "" {
		t.Skip("slow: set ROLLCALL_CAMPAIGN=1")
	}
	for _, c := range []scene{
		{"Jeju, announced", "announced", jeju, nil},
		{"Sejong, six-hour-outage", "six-hour-outage", sejong, nil},
		{"Jeju, six-hour-outage", "six-hour-outage", jeju, nil},
		{"Sejong, loss-wave", "loss-wave", sejong, nil},
		{"Jeju, loss-wave", "loss-wave", jeju, nil},
		{"Sejong, big-bang", "big-bang", sejong, nil},
		{"Jeju, issuance-only-outage", "issuance-only-outage", jeju, nil},
		{"Sejong, stale-status", "stale-status", sejong, nil},
		{"Sejong, free-chip", "free-chip", sejong, nil},
		{"Jeju, opening-day-surge", "opening-day-surge", jeju, nil},
		{"Sejong, retry-storm", "retry-storm", sejong, nil},
		{"Sejong, billion", "billion", sejong, nil},
		{"Sejong, datacentre-fire", "datacentre-fire", sejong, nil},
		{"Jeju, datacentre-fire", "datacentre-fire", jeju, nil},
		{"smoke", "smoke", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) { c.same(t) })
	}
}
