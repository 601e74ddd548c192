package keys

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/crl"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/web"
)

// office is keys at work whose clock is ours.
type office struct {
	t    *testing.T
	now  time.Time
	all  []Key
	ring *Ring
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, now: start, all: found(t)}
	var err error
	if o.ring, err = NewRing(o.all, func() time.Time { return o.now }, nil); err != nil {
		t.Fatal(err)
	}
	return o
}

// later lets some time pass, so that what is made next begins after what was made before.
func (o *office) later() { o.now = o.now.Add(time.Minute) }

func (o *office) revoke(what string, reason Reason) Revocation {
	o.t.Helper()
	all, r, err := maker().with(7).Revoke(o.all, what, reason, o.now)
	if err != nil {
		o.t.Fatal(err)
	}
	o.all = all
	if err := o.ring.Load(all); err != nil {
		o.t.Fatal(err)
	}
	return r
}

func headerOf(t *testing.T, path string) header {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, err := readHeader(data)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (m Maker) with(seed byte) Maker {
	m.Random = rand.NewChaCha8([32]byte{seed})
	return m
}

func (o *office) list(root Use) *x509.RevocationList {
	o.t.Helper()
	der, err := o.ring.RevocationList(root, "")
	if err != nil {
		o.t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		o.t.Fatal(err)
	}
	return list
}

func number(t *testing.T, certificate []byte) string {
	t.Helper()
	c, err := x509.ParseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", c.SerialNumber)
}

func TestARevokedSignerIsFollowedAtOnceAndWhoeverTakesTheListRefusesIt(t *testing.T) {
	for use, find := range map[Use]func(*mdoc.TrustAnchors, []byte, time.Time) error{
		Document: func(a *mdoc.TrustAnchors, c []byte, at time.Time) error {
			_, err := a.DocumentSigner([][]byte{c}, at)
			return err
		},
		Status: func(a *mdoc.TrustAnchors, c []byte, at time.Time) error {
			_, err := a.StatusSigner([][]byte{c}, at)
			return err
		},
	} {
		o := newOffice(t)
		anchors, err := mdoc.NewTrustAnchors(o.ring.Certificates(IACA)...)
		if err != nil {
			t.Fatal(err)
		}
		before, empty := o.ring.Signer(use).Certificate(), o.list(IACA)
		if err := find(anchors, before, o.now); err != nil { // the chain is remembered
			t.Fatal(err)
		}
		o.later()
		r := o.revoke(number(t, before), Reasons["key-compromise"])
		after := o.ring.Signer(use).Certificate()
		if bytes.Equal(before, after) {
			t.Errorf("%s: what was revoked still signs", use)
		}
		if got := o.ring.Certificates(use); len(got) != 1 {
			t.Errorf("%s: %d certificates are at work", use, len(got))
		}
		list := o.list(IACA)
		if len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].ReasonCode != 1 || !list.RevokedCertificateEntries[0].RevocationTime.Equal(o.now) ||
			list.Number.Cmp(empty.Number) <= 0 || !list.ThisUpdate.Equal(o.now) || fmt.Sprintf("%x", list.RevokedCertificateEntries[0].SerialNumber) != r.Serial {
			t.Errorf("%s: %+v", use, list)
		}
		der, _ := o.ring.RevocationList(IACA, "")
		if err := anchors.Revoked(der, o.now); err != nil {
			t.Fatal(err)
		}
		if err := find(anchors, before, o.now); !errors.Is(err, mdoc.ErrSignerRevoked) {
			t.Errorf("%s: what was revoked: %v", use, err)
		}
		if err := find(anchors, after, o.now); err != nil {
			t.Errorf("%s: the next: %v", use, err)
		}
	}
}

func TestTheSameRevocationsMakeTheSameListAtEveryReplicaAndHour(t *testing.T) {
	o := newOffice(t)
	o.later()
	o.revoke(number(t, o.ring.Signer(Document).Certificate()), 0)
	first := o.list(IACA)
	other, err := NewRing(o.all, func() time.Time { return o.now.Add(10 * time.Minute) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if der, err := other.RevocationList(IACA, ""); err != nil || !bytes.Equal(der, first.Raw) {
		t.Errorf("another replica's list is another: %v", err)
	}
	o.now = o.now.Add(listEvery)
	next := o.list(IACA)
	if next.Number.Cmp(first.Number) <= 0 || len(next.RevokedCertificateEntries) != 1 || !next.NextUpdate.After(first.NextUpdate) {
		t.Errorf("the next hour's list: %+v", next)
	}
	if _, err := crl.Read(next.Raw, []*x509.Certificate{o.ring.inForce(IACA).certificate}, o.now); err != nil {
		t.Error(err)
	}
}

// The clock of the machine where it was revoked may be ahead of a replica's.
func TestAListIsNeverOfTheFuture(t *testing.T) {
	o := newOffice(t)
	before := o.ring.Signer(Document).Certificate()
	o.later()
	all, err := maker().with(8).Rotate(o.all, Document, o.now.Add(-30*time.Second), o.now.Add(-30*time.Second)) // which signs now
	if err != nil {
		t.Fatal(err)
	}
	o.all = all
	all, _, err = maker().with(7).Revoke(o.all, number(t, before), 0, o.now)
	if err != nil {
		t.Fatal(err)
	}
	o.now = o.now.Add(-30 * time.Second)
	if err := o.ring.Load(all); err != nil {
		t.Fatal(err)
	}
	if list := o.list(IACA); list.ThisUpdate.After(o.now) {
		t.Errorf("it is of %s, now it is %s", list.ThisUpdate, o.now)
	}
}

func TestASignerThatSignsNoMoreIsRevokedWithoutAnother(t *testing.T) {
	o := newOffice(t)
	before := o.ring.Signer(Document).Certificate()
	o.later()
	all, err := maker().with(8).Rotate(o.all, Document, o.now, o.now)
	if err != nil {
		t.Fatal(err)
	}
	o.all = all
	o.later()
	o.revoke(number(t, before), Reasons["superseded"])
	if len(o.all) != len(all) {
		t.Errorf("%d keys were made", len(o.all)-len(all))
	}
}

func TestARevokedVerifierSignsNothingUntilTheKeyOfAllIsAnother(t *testing.T) {
	o := newOffice(t)
	bank, err := o.ring.Reader("bank", "First Bank")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := x509.ParseCertificate(bank.Certificate())
	if len(c.CRLDistributionPoints) != 1 || c.CRLDistributionPoints[0] != "https://id.example/authority.crl" {
		t.Errorf("its list is looked for at %v", c.CRLDistributionPoints)
	}
	serial, err := ReaderNumber(o.all, "bank", "First Bank", o.now)
	if err != nil || serial != number(t, bank.Certificate()) {
		t.Errorf("its number is %s, not %s (%v)", number(t, bank.Certificate()), serial, err)
	}
	if o.ring.ReadersRevoked() {
		t.Error("one is revoked before any is")
	}
	o.revoke(strings.ToUpper(serial), Reasons["cessation-of-operation"])
	if _, err := o.ring.Reader("bank", "First Bank"); !errors.Is(err, ErrRevoked) || !o.ring.ReadersRevoked() {
		t.Errorf("it signs: %v", err)
	}
	if _, err := o.ring.Reader("shop", "Shop"); err != nil {
		t.Errorf("another verifier: %v", err)
	}
	if list := o.list(Authority); len(list.RevokedCertificateEntries) != 1 {
		t.Errorf("the list of verifiers has %d entries", len(list.RevokedCertificateEntries))
	}
	if list := o.list(IACA); len(list.RevokedCertificateEntries) != 0 {
		t.Error("it stands in the list of cards' signers")
	}
	o.later()
	all, err := maker().with(9).Rotate(o.all, Verifier, o.now, o.now)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.ring.Load(all); err != nil {
		t.Fatal(err)
	}
	if _, err := o.ring.Reader("bank", "First Bank"); err != nil {
		t.Errorf("with the next key: %v", err)
	}
}

func TestAVerifierThatWasRenamedSignsOnWhenItsOldNameIsRevoked(t *testing.T) {
	o := newOffice(t)
	signs := func(id, name string) error { _, err := o.ring.Reader(id, name); return err }
	if err := errors.Join(signs("bank", "First Bank"), signs("bank", "Next Bank")); err != nil {
		t.Fatal(err)
	}
	serial, err := ReaderNumber(o.all, "bank", "First Bank", o.now)
	if err != nil {
		t.Fatal(err)
	}
	o.revoke(serial, Reasons["superseded"])
	if err := signs("bank", "First Bank"); !errors.Is(err, ErrRevoked) {
		t.Errorf("the old name: %v", err)
	}
	if err := signs("bank", "Next Bank"); err != nil {
		t.Errorf("the new name: %v", err)
	}
	if err := signs("shop", "First Bank"); err != nil {
		t.Errorf("another verifier that has the name now: %v", err)
	}
}

// What an earlier root has signed goes about for years, and its list stays where it was.
func TestEachRootHasItsOwnListAtItsOwnPlace(t *testing.T) {
	for root, signs := range map[Use]Use{IACA: Document, Authority: Verifier} {
		o := newOffice(t)
		place := func() string { // that a certificate made now names
			t.Helper()
			c, err := x509.ParseCertificate(o.ring.Signer(signs).Certificate())
			if signs == Verifier {
				var bank mdoc.Signer
				if bank, err = o.ring.Reader("bank", "First Bank"); err == nil {
					c, err = x509.ParseCertificate(bank.Certificate())
				}
			}
			if err != nil || len(c.CRLDistributionPoints) != 1 {
				t.Fatalf("%v %v", err, c)
			}
			return c.CRLDistributionPoints[0]
		}
		by := func(place string) *x509.RevocationList {
			t.Helper()
			w, q := httptest.NewRecorder(), httptest.NewRequest("GET", place, nil)
			answer := (&Roots{o.ring}).List
			if root == Authority {
				answer = (&Roots{o.ring}).AuthorityList
			}
			if err := answer(w, q); err != nil || w.Code != 200 {
				t.Fatalf("%d %v", w.Code, err)
			}
			list, err := x509.ParseRevocationList(w.Body.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		first, old := place(), o.ring.Signer(signs).Certificate()
		serial, _ := ReaderNumber(o.all, "bank", "First Bank", o.now)
		if root == IACA {
			serial = number(t, old)
		}
		for _, use := range []Use{root, signs} {
			o.later()
			all, err := maker().with(byte(20+len(o.all))).Rotate(o.all, use, o.now, o.now)
			if err != nil {
				t.Fatal(err)
			}
			o.all = all
		}
		if err := o.ring.Load(o.all); err != nil {
			t.Fatal(err)
		}
		second := place()
		if second == first {
			t.Fatalf("%s: both roots have their list at %s", root, first)
		}
		o.later()
		o.revoke(serial, 0)
		for i, p := range []string{first, second} {
			list := by(p)
			c, _ := x509.ParseCertificate(o.ring.Certificates(root)[i])
			if err := list.CheckSignatureFrom(c); err != nil {
				t.Errorf("%s: the list at %s: %v", root, p, err)
			}
			if n := len(list.RevokedCertificateEntries); n != 1-i {
				t.Errorf("%s: the list at %s names %d", root, p, n)
			}
		}
		w := httptest.NewRecorder()
		web.Problem((&Roots{o.ring}).List).ServeHTTP(w, httptest.NewRequest("GET", "/iaca.crl?root=4711", nil))
		if w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("the list of no root: %d %v", w.Code, w.Header())
		}
		again, err := Like(o.all, root, rand.NewChaCha8([32]byte{1}))
		if err != nil || again.URL != "https://id.example" {
			t.Errorf("%s: the next root would be at %q", root, again.URL)
		}
	}
}

func TestWhatCannotBeRevokedSaysWhy(t *testing.T) {
	o := newOffice(t)
	document := number(t, o.ring.Signer(Document).Certificate())
	o.later()
	o.revoke(document, 0)
	reader, _ := ReaderNumber(o.all, "bank", "First Bank", o.now)
	mistyped := []byte(reader)
	mistyped[5] ^= 1
	for what, c := range map[string]struct{ what, want string }{
		"a root":                     {number(t, o.ring.Signer(IACA).Certificate()), "the certificate of the iaca"},
		"the server's":               {number(t, o.ring.Signer(TLS).Certificate()), "keys rotate tls"},
		"an unknown number":          {"4711", "no certificate was made here"},
		"no number":                  {"first bank", "no certificate was made here"},
		"nothing":                    {"", "no certificate was made here"},
		"a mistyped verifier number": {string(mistyped), "no certificate was made here"},
		"one a second time":          {document, "already"},
	} {
		if _, _, err := maker().with(7).Revoke(o.all, c.what, 0, o.now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAnOlderProgramDoesNotForgetRevocations(t *testing.T) {
	o := newOffice(t)
	path, lock := filepath.Join(t.TempDir(), "keys.json"), Lock{Passphrase: "correct horse", Cost: cheap}
	if err := Write(path, lock, o.all, rand.NewChaCha8([32]byte{2}), true); err != nil {
		t.Fatal(err)
	}
	if h := headerOf(t, path); h.Version != 1 {
		t.Errorf("without revocations it has version %d: older programs can read it", h.Version)
	}
	o.later()
	o.revoke(number(t, o.ring.Signer(Status).Certificate()), Reasons["key-compromise"])
	if err := Write(path, lock, o.all, rand.NewChaCha8([32]byte{3}), false); err != nil {
		t.Fatal(err)
	}
	if h := headerOf(t, path); h.Version != version {
		t.Errorf("with a revocation it has version %d: an older program would lose it", h.Version)
	}
	if got, err := Read(path, lock); err != nil || !reflect.DeepEqual(got, o.all) {
		t.Errorf("what is read is another: %v", err)
	}
	for what, change := range map[string]func(*Revocation){
		"no number": func(r *Revocation) { r.Serial = "" }, "a number with zeros in front": func(r *Revocation) { r.Serial = "00" + r.Serial },
		"no time": func(r *Revocation) { r.At = time.Time{} }, "a reason that there is not": func(r *Revocation) { r.Reason = 7 },
	} {
		bad := append([]Key(nil), o.all...)
		for i := range bad {
			if len(bad[i].Revoked) > 0 {
				bad[i].Revoked = append([]Revocation(nil), bad[i].Revoked...)
				change(&bad[i].Revoked[0])
			}
		}
		if err := o.ring.Load(bad); err == nil {
			t.Errorf("%s: it was taken", what)
		}
	}
}
