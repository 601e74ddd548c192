package world

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/sim/oracle"
)

// Entry is a resident about to be entered into the register, with the plastic
// card they hold.
type Entry struct {
	Citizen  *Citizen
	Sequence uint64 // of the register, once entered
	request  issuance.ResidentRequest
	card     Plastic
	answer   issuance.Entered
	err      error
}

// Entry makes a resident's entry, with a plastic card or without.
func (w *World) Entry(c *Citizen, centre string, card, chip bool) (e Entry, err error) {
	e = Entry{Citizen: c, request: issuance.ResidentRequest{Request: register.Request{By: Registrar, Key: "resident " + c.Name},
		Resident: c.Resident(centre), Why: "resident at the start"}}
	if card {
		if e.card, err = w.Print(c, chip); err == nil {
			made := e.card.Card()
			e.request.Card = &made
		}
	}
	return e, err
}

// Enter enters residents, many at once, so that they share commits.
func (w *World) Enter(ctx context.Context, entries []Entry, together int) error {
	many := Uncounted(ctx) // the counts are for one goroutine
	for group := range slices.Chunk(entries, together) {
		var wg sync.WaitGroup
		for i := range group {
			e := &group[i]
			wg.Go(func() { e.answer, e.err = w.Front.RegisterResident(many, e.request) })
		}
		wg.Wait()
	}
	for i := range entries {
		e := &entries[i]
		if e.err != nil || e.answer.Reason != lifecycle.Granted {
			return fmt.Errorf("resident %s is not registered (%v): %w", e.Citizen.Name, e.answer.Reason, e.err)
		}
		w.N.Operations++
		w.N.Commits++
		if e.request.Card != nil {
			e.Citizen.Take(e.card)
		}
		e.Sequence = e.answer.Sequence
		w.History.Residents = append(w.History.Residents, oracle.Resident{Citizen: e.Citizen.Name, Municipality: e.Citizen.Home, Document: e.Citizen.Document})
	}
	return nil
}
