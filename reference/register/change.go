package register

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
)

// Change is an event to happen to a person.
type Change struct {
	Event lifecycle.Event
	By    By
	Why   string
	At    time.Time

	Card       *store.Card       // CardIssued: what comes into force
	Credential *store.Credential // CredentialIssued: what is issued
	Copies     []audit.Copy      // CredentialIssued: places that are free
	Channel    lifecycle.Channel // CredentialIssued
	Centre     string            // CredentialIssued at the counter

	// Wallet names the wallet that a ReleaseMobile is about; empty: the one
	// that holds the live credential.
	Wallet string
}

// Apply makes the change, or says why not and changes nothing. p is brought up
// to date. The sequence number is 0 if refused.
//
// Who may and what follows is asked of package lifecycle; here it is written down:
// what ends, what comes into force, the report, the person, and the audit entry,
// which all bear the number of this change.
func Apply(tx store.Tx, p *store.Person, c Change) (lifecycle.Reason, uint64, error) {
	if !fits(c.Why) || !fits(c.By.Actor) {
		return 0, 0, ErrTooLong
	}
	if !c.By.May(c.Event, p.ID) {
		return lifecycle.NotAuthorised, 0, nil
	}
	before := p.State
	var current store.Credential
	var err error
	if p.Credential != 0 {
		if current, err = tx.Credential(p.Credential); err != nil {
			return 0, 0, fmt.Errorf("credential %d of person %d: %w", p.Credential, p.ID, err)
		}
	}
	cause, lifts := c.Event.Cause()
	subject := Carrier(p, cause, current.Wallet)

	// A wallet that was reported lost and then replaced still carries the
	// report. To release it is judged by the same rule, in the state that the
	// person would be in if it held their credential.
	judged := before
	replaced := c.Event == lifecycle.ReleaseMobile && c.Wallet != "" && c.Wallet != subject
	if replaced {
		subject = c.Wallet
		w, err := tx.Wallet(p.ID, c.Wallet)
		if err != nil {
			return 0, 0, err
		}
		judged &^= lifecycle.State(lifecycle.MobileLost)
		if w.Lost != 0 {
			judged |= lifecycle.State(lifecycle.MobileLost)
		}
	}
	outcome := lifecycle.Apply(judged, c.Event)
	if outcome.Reason != lifecycle.Granted {
		return outcome.Reason, 0, nil
	}
	if !replaced {
		p.State = outcome.Next
	}

	seq, err := tx.Sequence()
	if err != nil {
		return 0, 0, err
	}
	seq++ // Append below gives this number; it is checked there
	entry := audit.Entry{
		At: c.At, Event: c.Event.String(), Person: uint64(p.ID), Actor: c.By.Actor, Role: c.By.Role.String(), Reason: c.Why,
		Before: plain(before), After: plain(p.State),
	}
	p.Changed = seq
	if err := end(tx, p, c.Event, current, seq, &entry); err != nil {
		return 0, 0, err
	}
	if err := begin(tx, p, c, &entry); err != nil {
		return 0, 0, err
	}
	if cause != 0 {
		entry.Cause, entry.Subject = cause.String(), subject
		report := store.Report{Sequence: seq, Person: p.ID, Cause: cause, Subject: subject, Actor: c.By.Actor, At: c.At}
		if err := note(tx, report, lifts); err != nil {
			return 0, 0, err
		}
	}
	if err := tx.PutPerson(*p); err != nil {
		return 0, 0, err
	}
	given, err := audit.Append(tx, entry)
	if err == nil && given != seq {
		err = fmt.Errorf("the audit log gave number %d to change %d", given, seq)
	}
	return lifecycle.Granted, seq, err
}

// end ends the credential and the card that the person's new state lacks, or that
// are about to be replaced.
func end(tx store.Tx, p *store.Person, e lifecycle.Event, current store.Credential, seq uint64, entry *audit.Entry) error {
	if p.Credential != 0 && (e == lifecycle.CredentialIssued || p.State&lifecycle.HasCredential == 0) {
		current.Ended = seq
		entry.EndedCredential = uint64(current.ID)
		p.Credential = 0
		if err := tx.PutCredential(current); err != nil {
			return err
		}
	}
	if p.Card != "" && (e == lifecycle.CardIssued || p.State&lifecycle.HasCard == 0) {
		old, err := tx.Card(p.Card)
		if err != nil {
			return fmt.Errorf("card of person %d: %w", p.ID, err)
		}
		old.Ended = seq
		entry.EndedCard = old.Number
		p.Card = ""
		return tx.PutCard(old)
	}
	return nil
}

// begin puts the card or credential of the change into force.
func begin(tx store.Tx, p *store.Person, c Change, entry *audit.Entry) (err error) {
	switch c.Event {
	case lifecycle.CardIssued:
		card := *c.Card
		card.Person, card.Issued, card.Ended = p.ID, c.At, 0
		if err := tx.AddCard(card); err != nil {
			return fmt.Errorf("card number %s: %w", card.Number, err)
		}
		p.Card, entry.Card = card.Number, card.Number
	case lifecycle.CredentialIssued:
		cred := *c.Credential
		cred.Person, cred.Card, cred.Issued, cred.Ended = p.ID, p.Card, c.At, 0
		if p.Credential, err = tx.AddCredential(cred); err != nil {
			return err
		}
		indices := map[uint32][]uint64{}
		for _, copy := range c.Copies {
			indices[copy.List] = append(indices[copy.List], copy.Index)
		}
		for _, list := range slices.Sorted(maps.Keys(indices)) {
			if err := tx.AddEntries(list, indices[list], p.Credential); err != nil {
				return fmt.Errorf("places in status list %d: %w", list, err)
			}
		}
		entry.Credential, entry.Card, entry.Wallet, entry.Copies = uint64(p.Credential), p.Card, cred.Wallet, c.Copies
		entry.Until = cred.Until.UTC().Format(time.RFC3339)
		entry.Channel, entry.Centre = c.Channel.String(), c.Centre
	}
	return nil
}

// note writes a report down, or that it is withdrawn; of a wallet, with the wallet.
func note(tx store.Tx, r store.Report, lifts bool) error {
	if r.Cause == lifecycle.MobileLost {
		w := store.Wallet{ID: r.Subject, Person: r.Person}
		if !lifts {
			w.Lost = r.Sequence
		}
		if err := tx.PutWallet(w); err != nil {
			return err
		}
	}
	if lifts {
		return nil
	}
	return tx.AddReport(r)
}

// Carrier is what a cause belongs to, by name: the number of the plastic card in
// force, the wallet that is meant, or nothing where it is the person.
func Carrier(p *store.Person, cause lifecycle.Causes, wallet string) string {
	switch cause {
	case lifecycle.PhysicalLost:
		return p.Card
	case lifecycle.MobileLost:
		return wallet
	}
	return ""
}

func plain(s lifecycle.State) audit.State {
	return audit.State{
		Card:           s&lifecycle.HasCard != 0,
		Credential:     s&lifecycle.HasCredential != 0,
		PhysicalLost:   s.Causes()&lifecycle.PhysicalLost != 0,
		MobileLost:     s.Causes()&lifecycle.MobileLost != 0,
		Administrative: s.Causes()&lifecycle.Administrative != 0,
		Removed:        s&lifecycle.Removed != 0,
	}
}

// Expire ends the person's live credential because its validity is over.
func Expire(tx store.Tx, p *store.Person, now time.Time) error {
	_, _, err := Apply(tx, p, Change{Event: lifecycle.CredentialExpired, By: itself, Why: "end of validity", At: now})
	return err
}
