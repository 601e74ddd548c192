package backtest

import (
	"testing"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/rollout"
)

func compile(t *testing.T, s *scenarios.Scenario, n *scenarios.Nation) *rollout.Model {
	t.Helper()
	m, err := rollout.New(s, n)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
