package wallet_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/publication"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// yearly is a signer that is followed by another each year, as keys are rotated.
type yearly struct {
	mdoc.Signer
	now  func() time.Time
	made []mdoc.Signer
}

func (y *yearly) InForce() mdoc.Signer {
	return y.made[int(y.now().Sub(servicetest.Noon)/(365*24*time.Hour))]
}

func signers(t *testing.T, name string, now func() time.Time, certify func(spec mdoc.CertificateSpec, key string) ([]byte, error)) *yearly {
	t.Helper()
	y := &yearly{now: now}
	for n := range 4 {
		key, from := fmt.Sprint(name, " of year ", n), servicetest.Noon.AddDate(n, 0, -2)
		serial := sha256.Sum256([]byte(key))
		der, err := certify(mdoc.CertificateSpec{Serial: serial[:16], CommonName: key, NotBefore: from, NotAfter: from.AddDate(0, 0, 457)}, key)
		check(t, err)
		one, err := mdoc.NewKeySigner(servicetest.Key(key), der)
		check(t, err)
		y.made = append(y.made, one)
	}
	y.Signer = y.made[0]
	return y
}

// validity is that of a card, by the policy of these worlds.
const validity = 3 * 365 * 24 * time.Hour

// years is a world in which years pass: its signers are followed by others, and verifiers
// fetch its lists.
type years struct {
	*world
	lists *publication.Lists
}

func newYears(t *testing.T) *years {
	w := newPatientWorld(t, time.Minute, func(c *service.Config) {
		iaca := servicetest.Authorities().IACA
		c.DocumentSigner = signers(t, "ds", c.Now, func(spec mdoc.CertificateSpec, key string) ([]byte, error) {
			return mdoc.NewDocumentSigner(iaca, &servicetest.Key(key).PublicKey, spec)
		})
		c.StatusSigner = signers(t, "status", c.Now, func(spec mdoc.CertificateSpec, key string) ([]byte, error) {
			return mdoc.NewStatusSigner(iaca, &servicetest.Key(key).PublicKey, spec)
		})
	})
	w.signs = func(party string) (openid4vp.Reader, error) {
		key := servicetest.Key("reader " + party)
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: servicetest.Noon.AddDate(-1, 0, 0), NotAfter: servicetest.Noon.AddDate(4, 0, 0)}
		c.Subject.CommonName = party
		der, err := x509.CreateCertificate(nil, c, c, &key.PublicKey, key)
		return openid4vp.Reader{Sign: jws.With(key), Chain: [][]byte{der}}, err
	}
	lists, err := publication.New(publication.Options{Publisher: w.Publisher, Now: w.Now, Interval: time.Minute})
	check(t, err)
	w.mux.Handle("GET /status/{list}", web.Problem(lists.List))
	return &years{w, lists}
}

// statuses are those that the list, as it is fetched, has of a credential's copies.
func (w *years) statuses(id store.CredentialID) (all []statuslist.Status) {
	w.t.Helper()
	check(w.t, w.lists.Publish(ctx))
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, httptest.NewRequest("GET", issuer+"/status/0", nil))
	token, err := statuslist.ParseJWT(rec.Body.Bytes(), servicetest.Authorities().Anchors, w.Now())
	check(w.t, err)
	for _, e := range w.places(id) {
		status, err := token.List.Get(e)
		check(w.t, err)
		all = append(all, status)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// places are the indices of a credential's copies.
func (w *years) places(id store.CredentialID) (indices []uint64) {
	w.t.Helper()
	check(w.t, w.Register.View(ctx, func(r store.Reader) error {
		entries, err := r.EntriesOf(id)
		for _, e := range entries {
			indices = append(indices, e.Index)
		}
		return err
	}))
	return indices
}

// show lets a shop ask for the age on a card of one format.
func (w *years) show(one *wallet.Wallet, format string) string {
	w.t.Helper()
	query := `{"id":"card","format":"mso_mdoc","meta":{"doctype_value":"` + mdoc.DocType + `"},"claims":[{"path":["` + mdoc.Namespace + `","age_over_19"]}]}`
	if format == sdjwt.Format {
		query = `{"id":"card","format":"dc+sd-jwt","meta":{"vct_values":["` + sdjwt.Type + `"]},"claims":[{"path":["age_equal_or_over","19"]}]}`
	}
	begun, err := w.vp.Ask(ctx, shop, openid4vp.Asked{Query: json.RawMessage(`{"credentials":[` + query + `]}`)})
	check(w.t, err)
	r, err := one.Open(ctx, begun.Request)
	check(w.t, err)
	choices, err := one.Choose(r)
	check(w.t, err)
	_, answered := one.Answer(ctx, r, choices)
	out, err := w.vp.Outcome(ctx, shop, begun.ID, "")
	check(w.t, err)
	if (answered == nil) != (out.Verdict == "accepted") {
		w.t.Errorf("%s: the wallet is told %v, the shop %s", format, answered, out.Verdict)
	}
	return out.Verdict
}

// holds is the number of a citizen's card.
func (w *years) holds(c *servicetest.Citizen) (id store.CredentialID) {
	w.t.Helper()
	check(w.t, w.Register.View(ctx, func(r store.Reader) error {
		p, err := r.Person(c.ID)
		id = p.Credential
		return err
	}))
	return id
}

var configs = []string{openid4vci.MdocID, openid4vci.SDJWTID}

// again has the copies that are due signed anew, on a token that is refreshed for it, and
// says of which configurations there were any.
func again(t *testing.T, one *wallet.Wallet, token **wallet.Token) []string {
	t.Helper()
	later, err := (*token).Renew(ctx)
	check(t, err)
	due := one.Due()
	for _, config := range due {
		_, err := later.Issue(ctx, config, wallet.Ask{Copies: servicetest.Copies})
		check(t, err)
	}
	*token = later
	return due
}

// A card ends after three years by itself: the desk says so at that moment, and whoever shows
// it is told that it is not valid, also before the register has noticed. Card and face get a
// new one on the same phone; the old one stays dead, and published lists say so of each.
func TestACardIsRenewedAfterThreeYears(t *testing.T) {
	w := newYears(t)
	statuses, show, held := w.statuses, w.show, w.holds
	formats := []string{"mso_mdoc", sdjwt.Format}
	one, c, wallets := w.holder("phone")
	first := held(c)
	for range 15 {
		w.Pass(70 * 24 * time.Hour)
		again(t, one, &wallets)
	}
	for _, format := range formats {
		if v := show(one, format); v != "accepted" {
			t.Errorf("%s in its last weeks: %s", format, v)
		}
	}
	w.Set(servicetest.Noon.Add(validity - time.Second))
	token := w.authorise(one, c)
	var me desk.Resident
	check(t, token.Desk(ctx, "GET", issuer+"/residents/me", nil, "", &me))
	if !me.State.MobileCard || me.State.Mobile != "accepted" || !me.Until.Equal(w.Now().Add(time.Second)) {
		t.Errorf("in its last second: %+v", me)
	}
	if s := statuses(first); !slices.Equal(s, []statuslist.Status{statuslist.Valid}) {
		t.Errorf("in its last second: %v", s)
	}
	w.Pass(time.Second)
	me = desk.Resident{}
	check(t, token.Desk(ctx, "GET", issuer+"/residents/me", nil, "", &me))
	if me.State.MobileCard || me.State.Mobile != "not-valid" || me.Until != nil {
		t.Errorf("after three years: %+v", me)
	}
	for _, format := range formats {
		if v := show(one, format); v != "not-valid" {
			t.Errorf("%s after three years: %s", format, v)
		}
	}
	if n, err := w.Issuance.ExpireDue(ctx, 100); err != nil || n != 1 {
		t.Errorf("%d ended, %v", n, err)
	}
	if s := statuses(first); !slices.Equal(s, []statuslist.Status{statuslist.Invalid}) {
		t.Errorf("after three years: %v", s)
	}

	token = w.authorise(one, c)
	_, err := token.Issue(ctx, openid4vci.MdocID, wallet.Ask{Copies: servicetest.Copies})
	check(t, err)
	if a, b := show(one, "mso_mdoc"), show(one, sdjwt.Format); a != "accepted" || b != "not-valid" {
		t.Errorf("the new mdoc: %s, the SD-JWT of before: %s", a, b)
	}
	_, err = token.Issue(ctx, openid4vci.SDJWTID, wallet.Ask{Copies: servicetest.Copies})
	check(t, err)
	if v := show(one, sdjwt.Format); v != "accepted" {
		t.Errorf("the new SD-JWT: %s", v)
	}
	second := held(c)
	check(t, token.Desk(ctx, "GET", issuer+"/residents/me", nil, "", &me))
	if second == first || !me.State.MobileCard || me.Until == nil || !me.Until.Equal(w.Now().Add(validity)) {
		t.Errorf("renewed as %d after %d: %+v", second, first, me)
	}
	if was, is := statuses(first), statuses(second); !slices.Equal(was, []statuslist.Status{statuslist.Invalid}) || !slices.Equal(is, []statuslist.Status{statuslist.Valid}) {
		t.Errorf("the old card's copies: %v, the new one's: %v", was, is)
	}
}
