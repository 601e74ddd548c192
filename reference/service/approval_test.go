package service_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/service"
)

// The evidence first, the phone's keys later: what a protocol of several steps
// needs.

// approveTap holds the citizen's IC card and face to the service.
func (c *citizen) approveTap(change ...func(*issuance.TapRequest)) (issuance.Approval, lifecycle.Reason) {
	c.w.t.Helper()
	q, _ := c.tapRequest(change...)
	a, reason, err := c.w.Issuance.ApproveTap(ctx, q.Challenge, q.Card, q.Probe)
	must(c.w.t, err)
	return a, reason
}

func (c *citizen) approveOffer(code string, capture face.Probe) (issuance.Approval, lifecycle.Reason) {
	c.w.t.Helper()
	a, reason, err := c.w.Issuance.ApproveOffer(ctx, code, capture)
	must(c.w.t, err)
	return a, reason
}

// fresh makes keys in the phone, as its attestation would prove them.
func (p *phone) fresh(n int) (issuance.Phone, []*ecdsa.PrivateKey) {
	out := issuance.Phone{Wallet: p.wallet}
	var keys []*ecdsa.PrivateKey
	for range n {
		p.n++
		k := key(fmt.Sprint(p.wallet, " ", p.n))
		keys, out.Keys = append(keys, k), append(out.Keys, &k.PublicKey)
	}
	return out, keys
}

func (c *citizen) issueApproved(v issuance.Approval, others ...string) issuance.Issued {
	c.w.t.Helper()
	phone, keys := c.phone.fresh(copies)
	a, err := c.w.Issuance.IssueApproved(ctx, issuance.ApprovedRequest{
		Request: c.w.Request(me(c.ID)), Approval: v, Phone: phone, Format: issuance.Mdoc, Others: others,
	})
	must(c.w.t, err)
	c.phone.keep(a, keys)
	return a
}

func TestAnApprovalIsGoodForOneIssue(t *testing.T) {
	for _, channel := range []lifecycle.Channel{lifecycle.Tap, lifecycle.Counter} {
		t.Run(channel.String(), func(t *testing.T) {
			w := newWorld(t)
			c := w.resident()
			approve := func() (issuance.Approval, lifecycle.Reason) { return c.approveTap() }
			used := lifecycle.CardNotGenuine
			if channel == lifecycle.Counter {
				code := c.offer(sejong).Code
				approve = func() (issuance.Approval, lifecycle.Reason) { return c.approveOffer(code, c.Capture()) }
				used = lifecycle.OfferUsed
			}
			v, reason := approve()
			w.decided(reason, lifecycle.Granted)
			if v.Person != c.ID || v.Document != c.Number || v.Channel != channel {
				t.Errorf("%+v", v)
			}
			w.decided(c.issueApproved(v).Reason, lifecycle.Granted)
			if got := c.mobile(); got != lifecycle.Accepted {
				t.Error(got)
			}
			w.decided(c.issueApproved(v).Reason, used)
			if got := c.mobile(); got != lifecycle.Accepted {
				t.Errorf("after a second use: %v", got)
			}
		})
	}
}

// signed is a verifier of cards whose signer is revoked at some moment.
type signed struct {
	issuance.CardVerifier
	revoked bool
}

func (r *signed) Verify(e card.Evidence, challenge []byte, at time.Time) (card.Card, error) {
	read, err := r.CardVerifier.Verify(e, challenge, at)
	read.Signer = card.Signer{Serial: "7"}
	return read, errors.Join(err, r.Good(read.Signer, at))
}

func (r *signed) Good(by card.Signer, _ time.Time) error {
	if r.revoked || by.Serial == "" {
		return card.ErrSignerRevoked
	}
	return nil
}

func TestAnApprovalEndsWithTheSignerOfItsCard(t *testing.T) {
	var told []error
	var cards *signed
	w := newWorld(t, func(c *service.Config) {
		cards = &signed{CardVerifier: c.Cards}
		c.Cards, c.Distrusted = cards, func(_ context.Context, err error) { told = append(told, err) }
	})
	c := w.resident()
	v, reason := c.approveTap()
	w.decided(reason, lifecycle.Granted)
	later, reason := c.approveTap()
	w.decided(reason, lifecycle.Granted)
	w.decided(c.issueApproved(v).Reason, lifecycle.Granted)
	cards.revoked = true
	w.decided(c.issueApproved(later).Reason, lifecycle.CardNotGenuine)
	_, reason = c.approveTap()
	w.decided(reason, lifecycle.CardNotGenuine)
	if len(told) != 2 || !errors.Is(told[0], card.ErrSignerRevoked) {
		t.Errorf("the operator was told %v", told)
	}
}

func TestNoApprovalWithoutTheEvidence(t *testing.T) {
	w := newWorld(t)
	w.resident()
	c := w.resident()
	for _, test := range []struct {
		name   string
		change func(*issuance.TapRequest)
		want   lifecycle.Reason
	}{
		{"another face", func(q *issuance.TapRequest) { q.Probe = probe(portrait(99)) }, lifecycle.FaceNotMatched},
		{"a clone", func(q *issuance.TapRequest) { q.Card.Signature = []byte("made up") }, lifecycle.CardNotGenuine},
		{"a card that was never issued", func(q *issuance.TapRequest) { q.Card.DG1 = []byte("Z99999999") }, lifecycle.CardNotGenuine},
		{"no PIN", func(q *issuance.TapRequest) { q.Card.PIN = nil }, lifecycle.PINNotVerified},
	} {
		v, reason := c.approveTap(test.change)
		if reason != test.want || v.Person != 0 {
			t.Errorf("%s: %v, %+v; want %v", test.name, reason, v, test.want)
		}
	}
	code := c.offer(sejong).Code
	if _, reason := c.approveOffer(code, probe(portrait(99))); reason != lifecycle.FaceNotMatched {
		t.Errorf("another face at a centre: %v", reason)
	}
	if _, _, err := w.Issuance.ApproveOffer(ctx, "made up", c.Capture()); !errors.Is(err, issuance.ErrNoOffer) {
		t.Errorf("a made-up code: %v", err)
	}
	w.Pass(90 * time.Second)
	if _, reason := c.approveOffer(code, c.Capture()); reason != lifecycle.Granted {
		t.Errorf("at 90 seconds: %v", reason)
	}
	w.Pass(time.Millisecond)
	if _, reason := c.approveOffer(code, c.Capture()); reason != lifecycle.OfferExpired {
		t.Errorf("after 90 seconds: %v", reason)
	}
}

func TestE4ACodeScannedInTimeMayBeFollowedByAnIssueLater(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	v, reason := c.approveOffer(c.offer(sejong).Code, c.Capture())
	w.decided(reason, lifecycle.Granted)
	w.Pass(3 * time.Minute)
	w.decided(c.issueApproved(v).Reason, lifecycle.Granted)
}

// S8: what happens between approval and issue counts.
func TestS8WhatChangedSinceTheApprovalIsJudgedAnew(t *testing.T) {
	for _, test := range []struct {
		name      string
		meanwhile func(*citizen)
		want      lifecycle.Reason
	}{
		{"nothing", func(*citizen) {}, lifecycle.Granted},
		{"the plastic card was reported lost", func(c *citizen) { c.report(callCentre, lifecycle.PhysicalLost) }, lifecycle.CardSuspended},
		{"the person was suspended", func(c *citizen) { c.report(registrar, lifecycle.Administrative) }, lifecycle.PersonSuspended},
		{"the person was removed", func(c *citizen) { c.remove() }, lifecycle.NoLongerResident},
		{"the plastic card was replaced", func(c *citizen) { c.newCard("B1") }, lifecycle.NoPlasticCard},
		{"this phone was reported lost", func(c *citizen) { c.tap(); c.report(callCentre, lifecycle.MobileLost) }, lifecycle.WalletReportedLost},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			c := w.resident()
			v, reason := c.approveTap()
			w.decided(reason, lifecycle.Granted)
			test.meanwhile(c)
			w.decided(c.issueApproved(v).Reason, test.want)
		})
	}
}

func TestOfManyIssuesOnOneApprovalExactlyOneIsGranted(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	v, _ := c.approveTap()
	var requests []issuance.ApprovedRequest
	for range 8 {
		phone, _ := c.phone.fresh(1)
		requests = append(requests, issuance.ApprovedRequest{Request: w.Request(me(c.ID)), Approval: v, Phone: phone, Format: issuance.Mdoc})
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	count := map[lifecycle.Reason]int{}
	for _, q := range requests {
		wg.Go(func() {
			a, err := w.Issuance.IssueApproved(ctx, q)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			count[a.Reason]++
		})
	}
	wg.Wait()
	if count[lifecycle.Granted] != 1 || count[lifecycle.CardNotGenuine] != 7 {
		t.Error(count)
	}
}

func TestFurtherCopiesAreOfTheSameCardAtPlacesKeptForThem(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	v, _ := c.approveTap()
	first := c.issueApproved(v, sdjwt.Format)
	w.decided(first.Reason, lifecycle.Granted)
	if len(first.Spare) != copies || len(first.Indices) != copies {
		t.Fatalf("%+v", first)
	}
	more := func(change ...func(*issuance.MoreRequest)) ([]*ecdsa.PrivateKey, [][]byte, lifecycle.Reason, error) {
		phone, keys := c.phone.fresh(2)
		q := issuance.MoreRequest{Person: c.ID, Credential: first.Credential, Document: first.Document, Phone: phone, Format: issuance.Mdoc, Places: first.Spare[:2]}
		for _, f := range change {
			f(&q)
		}
		signed, reason, err := w.Issuance.IssueMore(ctx, q)
		return keys, signed, reason, err
	}
	seq := w.sequence()
	keys, signed, reason, err := more()
	must(t, err)
	w.decided(reason, lifecycle.Granted)
	if len(signed) != 2 || w.sequence() != seq {
		t.Errorf("%d copies, sequence %d after %d", len(signed), w.sequence(), seq)
	}
	for i := range signed {
		if got := w.look(held{keys[i], signed[i]}).Verdict; got != lifecycle.Accepted {
			t.Errorf("copy %d: %v", i, got)
		}
	}
	// One loss reaches them all.
	c.report(callCentre, lifecycle.PhysicalLost)
	for i := range signed {
		if got := w.look(held{keys[i], signed[i]}).Verdict; got != lifecycle.Suspended {
			t.Errorf("copy %d after the report: %v", i, got)
		}
	}
	if _, _, reason, err := more(); err != nil || reason != lifecycle.CardSuspended {
		t.Errorf("copies of a suspended card: %v, %v", reason, err)
	}
	c.release(clerk, lifecycle.PhysicalLost, w.sequence())
	for name, change := range map[string]func(*issuance.MoreRequest){
		"another wallet":          func(q *issuance.MoreRequest) { q.Phone.Wallet = "stolen" },
		"another card":            func(q *issuance.MoreRequest) { q.Credential++ },
		"places of somebody else": func(q *issuance.MoreRequest) { q.Places = w.somebodyElsesPlaces() },
		"too few places":          func(q *issuance.MoreRequest) { q.Places = q.Places[:1] },
		"an unknown format":       func(q *issuance.MoreRequest) { q.Format = "paper" },
	} {
		if _, signed, reason, err := more(change); err == nil {
			t.Errorf("%s: %d copies, %v", name, len(signed), reason)
		}
	}
	// A new card ends the old one with all its copies.
	c.tap()
	if _, _, _, err := more(); !errors.Is(err, issuance.ErrNoCard) {
		t.Errorf("copies of a card that has ended: %v", err)
	}
	if got := w.look(held{keys[0], signed[0]}).Verdict; got != lifecycle.NotValid {
		t.Errorf("a further copy of a card that has ended: %v", got)
	}
}

func (w *world) somebodyElsesPlaces() []audit.Copy {
	other := w.resident()
	v, _ := other.approveTap()
	return other.issueApproved(v, sdjwt.Format).Spare[:2]
}
