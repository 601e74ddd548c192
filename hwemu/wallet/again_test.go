package wallet_test

import (
	"crypto/x509"
	"fmt"
	"slices"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/suspension"
)

const day = 24 * time.Hour

// ends are when the copies that a wallet holds end, and what stands on them of the card.
func ends(t *testing.T, one *wallet.Wallet) (until []time.Time, says []string) {
	t.Helper()
	for _, c := range one.Copies() {
		if c.Format == sdjwt.Format {
			claims, _, err := sdjwt.Claims(string(c.Credential))
			check(t, err)
			exp, err := claims["exp"].(interface{ Int64() (int64, error) }).Int64()
			check(t, err)
			until = append(until, time.Unix(exp, 0).UTC())
			says = append(says, fmt.Sprint(claims["issue_date"], claims["expiry_date"], claims["document_number"]))
			continue
		}
		held, err := mdoc.Inspect(c.Credential)
		check(t, err)
		want := held.Validity.Until.Add(-30 * day)
		if held.Validity.Until.Equal(servicetest.Noon.Add(validity)) { // it ends with the card
			want = time.Time{}
		}
		if !held.Validity.Update.Equal(want) {
			t.Errorf("expectedUpdate is %s, not %s", held.Validity.Update, want)
		}
		until = append(until, held.Validity.Until)
		on := map[string]any{}
		for _, e := range held.Elements {
			on[e.Name] = e.Value
		}
		says = append(says, fmt.Sprint(on["issue_date"], on["expiry_date"], on["document_number"]))
	}
	slices.SortFunc(until, time.Time.Compare)
	slices.Sort(says)
	return slices.Compact(until), slices.Compact(says)
}

// A card lasts three years, and what is signed no longer than its signer's certificate: a
// wallet that has its copies signed anew in time shows them all the while. It is one card
// to its last day: the register knows of nothing that happened, and every copy says the same.
func TestTheCopiesOfACardAreSignedAnewAsTheirSignersEnd(t *testing.T) {
	w := newYears(t)
	one, c, token := w.holder("phone")
	idle, _, _ := w.holder("never opened again")
	id, places, sequence := w.holds(c), w.places(w.holds(c)), w.sequence()
	first := servicetest.Noon.Add(455 * day).UTC() // of year 0: from two days before noon, 457 days
	until, card := ends(t, one)
	if !slices.Equal(until, []time.Time{first}) || len(card) != 1 {
		t.Fatalf("copies end %s and say %q", until, card)
	}
	if due := one.Due(); due != nil {
		t.Errorf("due at once: %s", due)
	}
	var signed int
	for n := 0; w.Now().Before(servicetest.Noon.Add(validity - 20*day)); n++ {
		w.Pass(20 * day)
		if due := again(t, one, &token); due != nil {
			signed++
			if !slices.Equal(due, configs) {
				t.Errorf("after %d days %s are due", 20*(n+1), due)
			}
			if after, says := ends(t, one); !after[0].After(until[0]) || len(after) != 1 || !slices.Equal(says, card) {
				t.Errorf("after %d days copies end %s after %s, and say %q after %q", 20*(n+1), after, until, says, card)
			} else {
				until = after
			}
		}
		for _, format := range []string{"mso_mdoc", sdjwt.Format} {
			if v := w.show(one, format); v != "accepted" {
				t.Errorf("%s after %d days: %s", format, 20*(n+1), v)
			}
		}
	}
	if last := servicetest.Noon.Add(validity).UTC(); signed != 2 || !until[0].Equal(last) { // by the signers of the years 1 and 2
		t.Errorf("signed anew %d times, until %s, not %s", signed, until[0], last)
	}
	if w.holds(c) != id || !slices.Equal(w.places(id), places) || w.sequence() != sequence {
		t.Errorf("it is card %d at %d, sequence %d; it was %d at %d, %d", w.holds(c), w.places(id), w.sequence(), id, places, sequence)
	}
	if s := w.statuses(id); !slices.Equal(s, []statuslist.Status{statuslist.Valid}) {
		t.Errorf("the list says %v", s)
	}
	for _, format := range []string{"mso_mdoc", sdjwt.Format} {
		if v := w.show(idle, format); v != "not-valid" {
			t.Errorf("%s of a wallet that was never opened again: %s", format, v)
		}
	}
}

// Fresh copies are for the wallet that holds the card, while it is good and what stands on
// it is right; they are suspended with the others.
func TestFreshCopiesAreThoseOfACardThatIsGood(t *testing.T) {
	w := newYears(t)
	one, c, token := w.holder("phone")
	fresh := func() error {
		later, err := token.Renew(ctx)
		check(t, err)
		_, err = later.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: servicetest.Copies})
		return err
	}
	check(t, fresh())
	report := func(cause lifecycle.Causes) {
		_, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.Request(register.By{Actor: "op", Role: lifecycle.CallCentre}), Person: c.ID, Cause: cause})
		check(t, err)
	}
	report(lifecycle.PhysicalLost)
	if v := w.look(one); v != "suspended" {
		t.Errorf("a fresh copy of a card that is suspended: %s", v)
	}
	refused(t, "while it is suspended", fresh(), 400, "credential_request_denied")
	_, err := w.Suspension.Release(ctx, suspension.ReleaseRequest{Request: w.Request(register.By{Actor: "clerk", Role: lifecycle.Clerk}), Person: c.ID, Cause: lifecycle.PhysicalLost, Sequence: w.sequence()})
	check(t, err)
	check(t, fresh())
	if v := w.look(one); v != "accepted" {
		t.Errorf("a fresh copy of a card that was found: %s", v)
	}

	address := "2 Other-ro"
	_, err = w.Issuance.Amend(ctx, issuance.AmendRequest{Request: w.Request(servicetest.Registrar), Person: c.ID, Why: "moved", Amendment: register.Amendment{Address: &address}})
	check(t, err)
	refused(t, "when the address is another", fresh(), 400, "credential_request_denied")
	if v := w.show(one, sdjwt.Format); v != "accepted" {
		t.Errorf("a card with an address of before: %s", v)
	}

	other := w.wallet("another phone")
	_, err = w.authorise(other, c).Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: servicetest.Copies})
	check(t, err)
	later, err := token.Renew(ctx)
	check(t, err)
	if later.Refresh != token.Refresh {
		t.Error("a wallet whose card is on another phone gets a new refresh token")
	}
	refused(t, "when it is on another phone", fresh(), 400, "credential_request_denied")
}

// What ends with the card itself is not signed anew, also of a card that was issued at night,
// when the day in Korea is another than in Greenwich: its holder applies for the next one.
func TestCopiesThatEndWithTheirCardAreNotDue(t *testing.T) {
	w := newYears(t)
	w.Pass(12*time.Hour + 30*time.Minute)
	one, _, token := w.holder("phone")
	for range 15 {
		w.Pass(70 * day)
		again(t, one, &token)
	}
	w.Pass(30 * day)
	if due := one.Due(); due != nil {
		t.Errorf("15 days before the card's end %s are due", due)
	}
}

// Copies by a signer that has days left are due half-way, and not each time that the wallet
// is opened.
func TestCopiesThatLastDaysAreDueHalfWay(t *testing.T) {
	w := newWorld(t)
	leaf, err := x509.ParseCertificate(servicetest.Authorities().DS.Certificate())
	check(t, err)
	w.Set(leaf.NotAfter.Add(-10 * day))
	one, _, _ := w.holder("phone")
	for _, c := range []struct {
		pass time.Duration
		due  []string
	}{{0, nil}, {4 * day, nil}, {2 * day, configs}} {
		w.Pass(c.pass)
		if due := one.Due(); !slices.Equal(due, c.due) {
			t.Errorf("after %s more %s are due", c.pass, due)
		}
	}
}

// Who sees an index on two copies knows that they are one card's. So the wallet shows the
// copy whose place was shown least often, also of those that were signed anew.
func TestFreshCopiesGoOnWhereThoseOfBeforeStopped(t *testing.T) {
	w := newYears(t)
	one, _, token := w.holder("phone")
	show := func() {
		t.Helper()
		if v := w.show(one, "mso_mdoc"); v != "accepted" {
			t.Fatal(v)
		}
	}
	show()
	show()
	later, err := token.Renew(ctx)
	check(t, err)
	_, err = later.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: servicetest.Copies})
	check(t, err)
	show()
	for _, c := range one.Copies() {
		if c.Config == openid4vci.MdocID && c.Shown != 1 {
			t.Errorf("of %d places one was shown %d times in 3", servicetest.Copies, c.Shown)
		}
	}
}
