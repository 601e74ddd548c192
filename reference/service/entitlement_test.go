package service_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/service/servicetest"
)

// E1 to E5: who is issued a mobile card, on which evidence.

func TestE1ToE5AnApplicationIsRefusedForTheReasonOfTheRulebook(t *testing.T) {
	child := func(q *issuance.ResidentRequest) {
		q.Resident.BirthDate = time.Date(2008, 3, 15, 0, 0, 0, 0, time.UTC) // 17 tomorrow
	}
	inSeoul := func(q *issuance.ResidentRequest) { q.Resident.Municipality = seoul }
	without := func(q *issuance.ResidentRequest) { q.Card = nil }
	elsewhere := func(q *issuance.ResidentRequest) { q.Resident.Municipality = "99999" }
	before := -24 * time.Hour
	for _, test := range []struct {
		name     string
		resident func(*issuance.ResidentRequest)
		after    time.Duration
		tap      func(*issuance.TapRequest)
		want     lifecycle.Reason
	}{
		{"E1 the day before the region opens", inSeoul, before, nil, lifecycle.NotOpenYet},
		{"E1 on that day", inSeoul, 0, nil, lifecycle.Granted},
		{"E1 a region that never opens", elsewhere, 0, nil, lifecycle.NotOpenYet},
		{"E2 the day before the 17th birthday", child, 0, nil, lifecycle.TooYoung},
		{"E2 one millisecond before", child, 12*time.Hour - time.Millisecond, nil, lifecycle.TooYoung},
		{"E2 on the 17th birthday, by civil time", child, 12 * time.Hour, nil, lifecycle.Granted},
		{"E2 without a plastic card", without, 0, nil, lifecycle.NoPlasticCard},
		{"E5 another face", nil, 0, func(q *issuance.TapRequest) { q.Probe = probe(portrait(99)) }, lifecycle.FaceNotMatched},
		{"a clone", nil, 0, func(q *issuance.TapRequest) { q.Card.Signature = []byte("made up") }, lifecycle.CardNotGenuine},
		{"somebody else's card", nil, 0, func(q *issuance.TapRequest) { q.Card.DG1 = []byte("A00000001") }, lifecycle.CardNotGenuine},
		{"no PIN", nil, 0, func(q *issuance.TapRequest) { q.Card.PIN = nil }, lifecycle.PINNotVerified},
		{"somebody else applies", nil, 0, func(q *issuance.TapRequest) { q.By = me(1) }, lifecycle.NotAuthorised},
		{"a clerk applies", nil, 0, func(q *issuance.TapRequest) { q.By = clerk }, lifecycle.NotAuthorised},
		{"the first reason counts", inSeoul, before, func(q *issuance.TapRequest) { q.Card.Signature = nil }, lifecycle.NotOpenYet},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.resident() // A00000001
			w.Pass(test.after)
			c := w.resident(func(q *issuance.ResidentRequest) {
				if test.resident != nil {
					test.resident(q)
				}
			})
			seq := w.sequence()
			a := c.tap(func(q *issuance.TapRequest) {
				if test.tap != nil {
					test.tap(q)
				}
			})
			w.decided(a.Reason, test.want)
			if a.Reason != lifecycle.Granted && (a.Copies != nil || w.sequence() != seq) {
				t.Error("a refusal left something behind")
			}
		})
	}
}

// What stands on a card is by civil time: at 8 o'clock in Seoul it is still
// yesterday in Greenwich.
func TestDatesOnACardAreCivilDates(t *testing.T) {
	w := newWorld(t)
	w.Pass(-4 * time.Hour)
	c := w.holder()
	tr, err := w.Verification.Begin(bank)
	must(t, err)
	response, err := mdoc.Present(c.phone.held[0].card, []string{"issue_date", "expiry_date"}, tr.Transcript(), c.phone.held[0].key)
	must(t, err)
	a, err := w.Verification.Verify(ctx, tr, response)
	must(t, err)
	got := fmt.Sprint(a.Elements)
	if !strings.Contains(got, "2025-03-14") || !strings.Contains(got, "2028-03-13") {
		t.Errorf("issued on 14 March for three years of 365 days: %s", got)
	}
}

func TestE3OnlyACentreOfTheOwnMunicipalityServesUntilAnyCentreDoes(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	w.decided(c.offer(seoul).Reason, lifecycle.WrongCentre)
	w.Pass(anyCentre.Sub(servicetest.Noon) - time.Millisecond)
	w.decided(c.offer(seoul).Reason, lifecycle.WrongCentre)
	w.Pass(time.Millisecond)
	o := c.offer(seoul)
	w.decided(o.Reason, lifecycle.Granted)
	w.decided(c.redeem(o.Code).Reason, lifecycle.Granted)
}

func TestE4ACodeIsGoodForOneIssueWithinNinetySeconds(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	o := c.offer(sejong)
	w.decided(c.redeem(o.Code, func(q *issuance.RedeemRequest) { q.Probe = probe(portrait(99)) }).Reason, lifecycle.FaceNotMatched)
	w.Pass(90 * time.Second)
	w.decided(c.redeem(o.Code).Reason, lifecycle.Granted) // a failed capture does not use it up
	w.decided(c.redeem(o.Code).Reason, lifecycle.OfferUsed)
	late := c.offer(sejong)
	w.Pass(90*time.Second + time.Millisecond)
	w.decided(c.redeem(late.Code).Reason, lifecycle.OfferExpired)
	w.decided(c.redeem(o.Code).Reason, lifecycle.OfferUsed) // used counts before old

	code := c.offer(sejong).Code
	w.decided(c.redeem(code).Reason, lifecycle.Granted)
	c.newCard("N1") // ends the mobile card that was issued on it
	w.decided(c.redeem(code).Reason, lifecycle.OfferUsed)

	other := w.resident()
	fresh := c.offer(sejong)
	attestation, _ := other.phone.attest(fresh.Code, w.Now(), copies)
	if _, err := w.Issuance.IssueByOffer(ctx, issuance.RedeemRequest{Request: w.Request(me(other.ID)), Person: other.ID,
		Code: fresh.Code, Probe: other.Capture(), Attestation: attestation}); !errors.Is(err, issuance.ErrNoOffer) {
		t.Errorf("somebody else's code: %v", err)
	}
	if o, err := w.Issuance.CreateOffer(ctx, issuance.OfferRequest{Request: w.Request(me(c.ID)), Person: c.ID, Centre: sejong}); err != nil || o.Reason != lifecycle.NotAuthorised || o.Code != "" {
		t.Errorf("a citizen made a code: %+v, %v", o, err)
	}
}

func TestE4TwoPhonesRedeemOneCodeAtTheSameTime(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	o := c.offer(sejong)
	got := make([]lifecycle.Reason, 6)
	var wg sync.WaitGroup
	for i := range got {
		attestation, _ := newPhone(fmt.Sprint("p", i)).attest(o.Code, w.Now(), copies)
		q := issuance.RedeemRequest{Request: w.Request(me(c.ID)), Person: c.ID, Code: o.Code, Probe: c.Capture(), Attestation: attestation}
		wg.Go(func() {
			a, err := w.Issuance.IssueByOffer(ctx, q)
			if err != nil {
				t.Error(err)
			}
			got[i] = a.Reason
		})
	}
	wg.Wait()
	slices.Sort(got)
	if got[0] != lifecycle.Granted || got[1] != lifecycle.OfferUsed || got[5] != lifecycle.OfferUsed {
		t.Error(got)
	}
}

func TestAChallengeIsGoodForOneIssueWithinItsLifetime(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	again := func(q issuance.TapRequest, probeOf issuance.TapRequest) lifecycle.Reason {
		q.Request = w.Request(me(c.ID))
		q.Attestation, _ = c.phone.attest(strings.TrimRight(b64(q.Challenge), "="), w.Now(), copies)
		q.Probe = probeOf.Probe
		a, err := w.Issuance.IssueByTap(ctx, q)
		must(t, err)
		return a.Reason
	}
	q, _ := c.tapRequest()
	bad := q
	bad.Probe = probe(portrait(99))
	w.decided(again(q, bad), lifecycle.FaceNotMatched)
	w.decided(again(q, q), lifecycle.Granted) // a second capture on the same reading
	w.decided(again(q, q), lifecycle.CardNotGenuine)
	late, _ := c.tapRequest()
	w.Pass(5*time.Minute + time.Millisecond)
	w.decided(again(late, late), lifecycle.CardNotGenuine)
	own := late
	own.Challenge = bytes.Repeat([]byte{1}, 32)
	own.Card.Signature = own.Challenge
	w.decided(again(own, own), lifecycle.CardNotGenuine) // one the server never gave
}

func TestOnlyPhonesOfTrustedMakersAreIssuedTo(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	for _, test := range []struct {
		name, says string
		change     func(header, claims map[string]any)
	}{
		{"another maker", "not trusted as a phone maker", func(h, _ map[string]any) { h["x5c"] = [][]byte{makerLeaf("other maker")} }},
		{"no chain", "0 certificates", func(h, _ map[string]any) { delete(h, "x5c") }},
		{"no algorithm", "ES256", func(h, _ map[string]any) { h["alg"] = "none" }},
		{"another kind of token", "key-attestation+jwt", func(h, _ map[string]any) { h["typ"] = "JWT" }},
		{"another request", "nonce", func(_, c map[string]any) { c["nonce"] = "other" }},
		{"expired", "expired", func(_, c map[string]any) { c["exp"] = servicetest.Noon.Unix() }},
		{"in the future", "future", func(_, c map[string]any) { c["iat"] = servicetest.Noon.Add(time.Hour).Unix() }},
		{"no wallet", "does not name the wallet", func(_, c map[string]any) { delete(c, "sub") }},
		{"no keys", "for 0 keys", func(_, c map[string]any) { c["attested_keys"] = []any{} }},
		{"one key twice", "twice", func(_, c map[string]any) {
			k := c["attested_keys"].([]any)
			c["attested_keys"] = []any{k[0], k[0]}
		}},
		{"a point off the curve", "attested key 1", func(_, c map[string]any) {
			k := c["attested_keys"].([]any)
			x := k[0].(map[string]any)
			x["y"] = x["x"]
		}},
	} {
		attestation, _ := c.phone.attest("nonce", w.Now(), copies, test.change)
		makers, err := issuance.NewMakers(authority().Maker)
		must(t, err)
		if _, err := makers.Check(attestation, "nonce", w.Now()); !errors.Is(err, issuance.ErrAttestation) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	tooMany, _ := c.tapRequest(func(q *issuance.TapRequest) {
		q.Attestation, _ = c.phone.attest(b64(q.Challenge), w.Now(), copies+1)
	})
	if _, err := w.Issuance.IssueByTap(ctx, tooMany); err == nil {
		t.Error("more copies than allowed")
	}
	good, _ := c.phone.attest("nonce", w.Now(), 1)
	broken := good[:len(good)-8] + "AAAAAAAA"
	makers, err := issuance.NewMakers(authority().Maker)
	must(t, err)
	if _, err := makers.Check(broken, "nonce", w.Now()); !errors.Is(err, issuance.ErrAttestation) {
		t.Errorf("a wrong signature: %v", err)
	}
}
