package load_test

import (
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/scenarios/load"
)

func TestALoadSaysWhatItCanBeTold(t *testing.T) {
	const everywhere = "ALLOWANCE CA CITIZENS COMMAND CONTROL FIRST OUT SCENARIO SEED SERVICE STATUS_EVERY STATUS_TTL"
	for name, own := range map[string]string{
		"smoke": "ITERATIONS VUS", "verify": "DURATION RATE VUS", "opening-day": "DAY DAYS FROM RATE SERIES VUS", "loss-wave": "DURATION RATE VUS",
		"outage": "DOWN DURATION KILLS RATE VUS", "soak": "DURATION RATE VUS", "saturation": "RATE STEP STEPS VUS",
	} {
		want := slices.Concat(strings.Fields(everywhere), strings.Fields(own))
		slices.Sort(want)
		if got := load.Settings(name); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if !slices.Contains(load.Names(), name) {
			t.Errorf("%s is no load", name)
		}
	}
	if got := load.Settings("nothing"); got != nil || len(load.Names()) != 7 {
		t.Errorf("nothing: %v; loads: %v", got, load.Names())
	}
}
