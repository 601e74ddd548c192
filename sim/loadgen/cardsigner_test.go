package loadgen_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/demo"
	"rollcall.example/rollcall/sim/loadgen"
	"rollcall.example/rollcall/sim/servetest"
)

// A country's document signer is revoked while citizens use the service: its cards are
// refused from the next tap on, as any card is that does not verify, the operator is told
// why, centres issue on, and cards by the next signer are good.
func TestCardsOfARevokedSignerAreRefusedFromTheNextTapOn(t *testing.T) {
	s, err := scenarios.Load("announced", nil)
	check(t, err)
	n, err := scenarios.LoadNation()
	check(t, err)
	var mu sync.Mutex
	var told []error
	service := servetest.Start(t, "", servetest.Options{Now: time.Now, Random: rand.Reader, Wait: wait, Scenario: s, StatusEvery: every, TTL: ttl,
		Distrusted: func(_ context.Context, err error) { mu.Lock(); defer mu.Unlock(); told = append(told, err) }})
	plant, maker, provider, err := demo.Makers()
	check(t, err)
	staff, places := loadgen.Demonstration(ttl)
	c, err := loadgen.Open(t.Context(), loadgen.Options{
		Service: service.URL, CA: service.CA, Scenario: s, Nation: n, Seed: 1, Citizens: 1, Staff: staff, Places: places, Kit: plant, Maker: maker, Provider: provider,
		Now: time.Now, Random: rand.Reader, Wait: wait, StatusEvery: every, Allowance: allowance, AuditSkew: 100 * time.Millisecond,
	})
	check(t, err)
	check(t, c.Enter(t.Context(), 1))
	citizen, ctx := c.Citizens[0], t.Context()
	granted := func(what string, r loadgen.Result) {
		t.Helper()
		if !r.Granted || r.Wrong != "" {
			t.Errorf("%s: %+v", what, r)
		}
	}
	granted("before", citizen.IssueByTap(ctx))

	list, err := plant.RevocationList(time.Now(), x509.RevocationListEntry{SerialNumber: plant.Serial(), RevocationTime: time.Now(), ReasonCode: 1})
	check(t, err)
	_, err = service.Cards.Revoked(list, time.Now())
	check(t, err)
	if r := citizen.IssueByTap(ctx); r.Granted || r.Reason != "card-not-genuine" {
		t.Errorf("by the card of a revoked signer: %+v", r)
	}
	mu.Lock()
	if len(told) != 1 || !errors.Is(told[0], card.ErrSignerRevoked) {
		t.Errorf("the operator was told %v", told)
	}
	mu.Unlock()
	granted("at a centre", citizen.IssueAtCentre(ctx))

	// The plant goes on with the next signer.
	next, err := plant.Next(time.Now().Add(-time.Hour))
	check(t, err)
	*plant = *next
	granted("the plastic card is printed anew", citizen.NewCard(ctx))
	granted("by the new card", citizen.IssueByTap(ctx))
}
