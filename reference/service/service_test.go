package service_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/suspension"
)

const (
	accepted  = lifecycle.Accepted
	suspended = lifecycle.Suspended
	notValid  = lifecycle.NotValid
)

func (c *citizen) shows(plastic, mobile lifecycle.Verdict) {
	c.w.t.Helper()
	if p, m := c.plastic(), c.mobile(); p != plastic || m != mobile {
		c.w.t.Errorf("plastic %v, mobile %v; want %v, %v", p, m, plastic, mobile)
	}
}

func (w *world) decided(reason, want lifecycle.Reason) {
	w.t.Helper()
	if reason != want {
		w.t.Errorf("it was decided %v; want %v", reason, want)
	}
}

func TestAMobileCardIssuedByTapIsAcceptedAndShowsOnlyWhatIsAsked(t *testing.T) {
	w := newWorld(t)
	c := w.holder()
	a := w.look(c.phone.held[0])
	if a.Verdict != accepted || len(a.Elements) != 1 || a.Elements[0] != (mdoc.Element{Name: "age_over_19", Value: true}) {
		t.Errorf("%+v", a)
	}
	c.shows(accepted, accepted)
}

func TestAMobileCardIssuedAtACentreIsAccepted(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	w.decided(c.redeem(c.offer(sejong).Code).Reason, lifecycle.Granted)
	c.shows(accepted, accepted)
}

func TestWhoIsNotKnownIsAnErrorThatSaysSo(t *testing.T) {
	w := newWorld(t)
	c := w.resident()
	c.ID = 999
	q, _ := c.tapRequest()
	if _, err := w.Issuance.IssueByTap(ctx, q); !errors.Is(err, register.ErrUnknownPerson) {
		t.Error(err)
	}
	if _, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.Request(clerk), Person: 999, Cause: lifecycle.MobileLost}); !errors.Is(err, register.ErrUnknownPerson) {
		t.Error(err)
	}
	if _, err := w.Suspension.Report(ctx, suspension.ReportRequest{Request: w.Request(clerk), Person: 1, Cause: lifecycle.MobileLost | lifecycle.PhysicalLost}); err == nil {
		t.Error("two causes in one report")
	}
	if _, err := w.Issuance.RegisterResident(ctx, issuance.ResidentRequest{Request: w.Request(registrar), Resident: store.Person{ID: 1}}); !errors.Is(err, register.ErrPersonExists) {
		t.Error(err)
	}
	if a, err := w.Issuance.RegisterResident(ctx, issuance.ResidentRequest{Request: w.Request(clerk), Resident: store.Person{ID: 7}}); err != nil || a.Reason != lifecycle.NotAuthorised {
		t.Error(a, err)
	}
}

func TestAFencedServiceCannotTell(t *testing.T) {
	w := onFile(t, filepath.Join(t.TempDir(), "register.db"), 1<<12)
	c := w.holder()
	tr, err := w.Verification.Begin(bank)
	must(t, err)
	w.db.Fence()
	if a, err := w.Verification.Verify(ctx, tr, c.phone.held[0].present(t, tr)); !errors.Is(err, store.ErrFenced) || a.Verdict != lifecycle.CannotTell {
		t.Errorf("%+v, %v", a, err)
	}
	if v, err := w.Verification.Plastic(ctx, c.Number); !errors.Is(err, store.ErrFenced) || v != lifecycle.CannotTell {
		t.Errorf("%v, %v", v, err)
	}
}

func TestTheSameSeedAndRequestsGiveTheSameBytes(t *testing.T) {
	var first []byte
	for i := range 2 {
		// The seed of a world is its path: two folders, one name.
		t.Chdir(t.TempDir())
		w := onFile(t, "register.db", 1<<12)
		c := w.holder()
		c.report(callCentre, lifecycle.PhysicalLost)
		all := c.phone.held[2].card
		for _, l := range w.publish() {
			all = append(append(all, l.JWT...), l.CWT...)
		}
		_, lines := w.export()
		all = append(all, strings.Join(lines, "")...)
		if i == 0 {
			first = all
		} else if !bytes.Equal(first, all) {
			t.Error("two runs differ")
		}
		must(t, w.db.Close())
	}
}

func b64(b []byte) string {
	text, _ := json.Marshal(b)
	return strings.NewReplacer(`"`, "", "+", "-", "/", "_", "=", "").Replace(string(text))
}

var _ store.Store = (*sqlite.DB)(nil)
