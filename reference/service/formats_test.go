package service_test

import (
	"fmt"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/verification"
)

// both issues the card in both formats and returns one copy of each.
func (c *citizen) both() (asMdoc, asJWT held) {
	c.w.t.Helper()
	v, reason := c.approveTap()
	c.w.decided(reason, lifecycle.Granted)
	first := c.issueApproved(v, sdjwt.Format)
	c.w.decided(first.Reason, lifecycle.Granted)
	phone, keys := c.phone.fresh(1)
	more, reason, err := c.w.Issuance.IssueMore(ctx, issuance.MoreRequest{
		Person: c.ID, Credential: first.Credential, Document: first.Document, Phone: phone, Format: sdjwt.Format, Places: first.Spare[:1],
	})
	must(c.w.t, err)
	c.w.decided(reason, lifecycle.Granted)
	return c.phone.held[0], held{keys[0], more[0]}
}

// presentJWT shows age and address from an SD-JWT.
func (h held) presentJWT(t testing.TB, tr verification.Transaction, at time.Time, audience string) verification.Shown {
	t.Helper()
	p, err := sdjwt.Present(string(h.card), []sdjwt.Path{{"age_equal_or_over", "19"}, {"address", "formatted"}},
		sdjwt.Binding{Audience: audience, Nonce: tr.Nonce, IssuedAt: at}, h.key)
	must(t, err)
	return verification.Shown{Format: sdjwt.Format, Presentation: []byte(p)}
}

func TestOneCardInTwoFormatsIsShownSuspendedAndReleasedAsOne(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	m, j := c.both()
	show := func() []verification.Credential {
		tr, err := w.Verification.Begin(bank)
		must(t, err)
		out, err := w.Verification.VerifyShown(ctx, tr, []verification.Shown{
			{Format: verification.FormatMdoc, Presentation: m.present(t, tr)}, j.presentJWT(t, tr, w.Now(), tr.ClientID),
		}, nil)
		must(t, err)
		return out
	}
	got := show()
	root := mustRoot()
	for i, want := range []struct{ format, kind string }{{verification.FormatMdoc, mdoc.DocType}, {sdjwt.Format, sdjwt.Type}} {
		if g := got[i]; g.Verdict != lifecycle.Accepted || g.Format != want.format || g.Type != want.kind || string(g.Authority) != root {
			t.Errorf("%+v", g)
		}
	}
	if got[0].Claims[mdoc.Namespace].(map[string]any)["age_over_19"] != true || got[1].Claims["age_equal_or_over"].(map[string]any)["19"] != true {
		t.Errorf("%v\n%v", got[0].Claims, got[1].Claims)
	}
	if _, shown := got[1].Claims["family_name"]; shown {
		t.Error("the name was shown without having been chosen")
	}
	report := c.report(callCentre, lifecycle.PhysicalLost)
	for _, g := range show() {
		if g.Verdict != lifecycle.Suspended || g.Claims != nil || g.Type != "" || g.Elements != nil {
			t.Errorf("after the report: %+v", g)
		}
	}
	c.release(clerk, lifecycle.PhysicalLost, report.Sequence)
	for _, g := range show() {
		if g.Verdict != lifecycle.Accepted {
			t.Errorf("after the release: %+v", g)
		}
	}
	c.tap()
	for _, g := range show() {
		if g.Verdict != lifecycle.NotValid {
			t.Errorf("after a new card: %+v", g)
		}
	}
}

func mustRoot() string {
	s, err := authority().Anchors.DocumentSigner([][]byte{authority().DS.Certificate()}, servicetest.Noon)
	if err != nil {
		panic(err)
	}
	return string(s.Authority)
}

func TestAPresentationInEitherFormatIsForOneTransaction(t *testing.T) {
	w := newWorld(t)
	_, j := w.resident().both()
	begin := func() verification.Transaction {
		tr, err := w.Verification.Begin(bank)
		must(t, err)
		return tr
	}
	verdict := func(tr verification.Transaction, shown verification.Shown) lifecycle.Verdict {
		out, err := w.Verification.VerifyShown(ctx, tr, []verification.Shown{shown}, nil)
		must(t, err)
		return out[0].Verdict
	}
	tr, other := begin(), begin()
	shown := j.presentJWT(t, tr, w.Now(), tr.ClientID)
	if v := verdict(other, shown); v != lifecycle.NotValid {
		t.Errorf("in another transaction: %v", v)
	}
	if v := verdict(tr, shown); v != lifecycle.Accepted {
		t.Errorf("in its own: %v", v)
	}
	if _, err := w.Verification.VerifyShown(ctx, tr, []verification.Shown{shown}, nil); err != verification.ErrReplayed {
		t.Errorf("again: %v", err)
	}
	tr = begin()
	if v := verdict(tr, j.presentJWT(t, tr, w.Now(), "x509_hash:another")); v != lifecycle.NotValid {
		t.Errorf("for another verifier: %v", v)
	}
	tr = begin()
	if v := verdict(tr, verification.Shown{Format: "paper", Presentation: shown.Presentation}); v != lifecycle.NotValid {
		t.Errorf("in an unknown format: %v", v)
	}
	if out, err := w.Verification.VerifyShown(ctx, begin(), nil, nil); err == nil {
		t.Errorf("nothing was judged as %v", out)
	}
}

// The same record stands in both: what the one says the other says.
func TestBothFormatsSayTheSame(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	m, j := c.both()
	claims, _, err := sdjwt.Claims(string(j.card))
	must(t, err)
	tr, err := w.Verification.Begin(bank)
	must(t, err)
	names := []string{"family_name", "given_name", "birth_date", "issue_date", "document_number", "resident_address"}
	response, err := mdoc.Present(m.card, names, tr.Transcript(), m.key)
	must(t, err)
	a, err := w.Verification.Verify(ctx, tr, response)
	must(t, err)
	if len(a.Elements) != len(names) {
		t.Fatalf("%+v", a)
	}
	for _, e := range a.Elements {
		path, ok := sdjwt.PathOf(e.Name)
		if !ok {
			t.Errorf("%s has no place among the claims", e.Name)
			continue
		}
		values, err := path.Select(claims)
		if err != nil || len(values) != 1 || fmt.Sprint(values[0]) != fmt.Sprint(e.Value) {
			t.Errorf("%s: %v in the one, %v in the other (%v)", e.Name, e.Value, values, err)
		}
	}
}

// Ages are those of the day, by civil time, on which a copy is signed; all else is the card's.
func TestFreshCopiesTellTheAgeOfTheDayOnWhichTheyAreSigned(t *testing.T) {
	w := newWorld(t)
	c := w.resident(func(q *issuance.ResidentRequest) { q.Resident.BirthDate = time.Date(2006, 3, 15, 0, 0, 0, 0, time.UTC) })
	v, reason := c.approveTap()
	w.decided(reason, lifecycle.Granted)
	first := c.issueApproved(v, sdjwt.Format)
	w.decided(first.Reason, lifecycle.Granted)
	adult := func(when string, want bool) {
		t.Helper()
		for _, format := range []string{issuance.Mdoc, sdjwt.Format} {
			phone, _ := c.phone.fresh(1)
			got, reason, err := w.Issuance.IssueAgain(ctx, issuance.AgainRequest{Person: c.ID, Phone: phone, Format: format})
			must(t, err)
			w.decided(reason, lifecycle.Granted)
			on := map[string]any{}
			if format == issuance.Mdoc {
				held, err := mdoc.Inspect(got[0])
				must(t, err)
				for _, e := range held.Elements {
					on[e.Name] = e.Value
				}
			} else {
				on, _, err = sdjwt.Claims(string(got[0]))
				must(t, err)
				ages, _ := on["age_equal_or_over"].(map[string]any)
				on["age_over_18"], on["age_over_19"] = ages["18"], ages["19"]
			}
			if on["age_over_18"] != true || on["age_over_19"] != want || fmt.Sprint(on["issue_date"]) != "2025-03-14" || fmt.Sprint(on["document_number"]) != first.Document {
				t.Errorf("%s, %s: %v", when, format, on)
			}
		}
	}
	adult("at noon of the day before", false)
	w.Set(servicetest.Noon.Add(12*time.Hour - time.Second))
	adult("at the end of that day", false)
	w.Pass(time.Second)
	adult("on the birthday", true)
}
