package register

import (
	"fmt"
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
func Apply(tx store.Tx, p *store.Person, c Change) (lifecycle.Reason, uint64, error) {
	if len(c.Why) > MaxText || len(c.By.Actor) > MaxText {
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

	if p.Credential != 0 && (c.Event == lifecycle.CredentialIssued || p.State&lifecycle.HasCredential == 0) {
		current.Ended = seq
		entry.EndedCredential = uint64(current.ID)
		p.Credential = 0
		if err := tx.PutCredential(current); err != nil {
			return 0, 0, err
		}
	}
	if p.Card != "" && (c.Event == lifecycle.CardIssued || p.State&lifecycle.HasCard == 0) {
		old, err := tx.Card(p.Card)
		if err != nil {
			return 0, 0, fmt.Errorf("card of person %d: %w", p.ID, err)
		}
		old.Ended = seq
		entry.EndedCard = old.Number
		p.Card = ""
		if err := tx.PutCard(old); err != nil {
			return 0, 0, err
		}
	}
	switch c.Event {
	case lifecycle.CardIssued:
		card := *c.Card
		card.Person, card.Issued, card.Ended = p.ID, c.At, 0
		if err := tx.AddCard(card); err != nil {
			return 0, 0, fmt.Errorf("card number %s: %w", card.Number, err)
		}
		p.Card, entry.Card = card.Number, card.Number
	case lifecycle.CredentialIssued:
		cred := *c.Credential
		cred.Person, cred.Card, cred.Issued, cred.Ended = p.ID, p.Card, c.At, 0
		if p.Credential, err = tx.AddCredential(cred); err != nil {
			return 0, 0, err
		}
		for _, copy := range c.Copies {
			if err := tx.AddEntry(copy.List, copy.Index, p.Credential); err != nil {
				return 0, 0, fmt.Errorf("index %d of status list %d: %w", copy.Index, copy.List, err)
			}
		}
		entry.Credential, entry.Card, entry.Wallet, entry.Copies = uint64(p.Credential), p.Card, cred.Wallet, c.Copies
		entry.Until = cred.Until.UTC().Format(time.RFC3339)
		entry.Channel, entry.Centre = c.Channel.String(), c.Centre
	case lifecycle.ReportMobileLost:
		err = tx.PutWallet(store.Wallet{ID: subject, Person: p.ID, Lost: seq})
	case lifecycle.ReleaseMobile:
		err = tx.PutWallet(store.Wallet{ID: subject, Person: p.ID})
	}
	if err != nil {
		return 0, 0, err
	}
	if cause != 0 && !lifts {
		if err := tx.AddReport(store.Report{Sequence: seq, Person: p.ID, Cause: cause, Subject: subject, Actor: c.By.Actor, At: c.At}); err != nil {
			return 0, 0, err
		}
	}
	if cause != 0 {
		entry.Cause, entry.Subject = cause.String(), subject
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
	}
}

// Expire ends the person's live credential because its validity is over.
func Expire(tx store.Tx, p *store.Person, now time.Time) error {
	_, _, err := Apply(tx, p, Change{Event: lifecycle.CredentialExpired, By: itself, Why: "end of validity", At: now})
	return err
}
