package service_test

import (
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
)

// revoking is what verifiers of their own trust, and the list of what the authority of
// every world has revoked.
type revoking struct {
	t       testing.TB
	w       *world
	anchors *mdoc.TrustAnchors
	number  int64
}

func (w *world) revoking() *revoking {
	anchors, err := mdoc.NewTrustAnchors(authority().Root)
	must(w.t, err)
	return &revoking{w.t, w, anchors, 0}
}

// revoke brings the next list, good for an hour, with these certificates on it.
func (r *revoking) revoke(certificates ...[]byte) {
	r.t.Helper()
	root, err := x509.ParseCertificate(authority().Root)
	must(r.t, err)
	r.number++
	l := &x509.RevocationList{Number: big.NewInt(r.number), ThisUpdate: r.w.Now(), NextUpdate: r.w.Now().Add(time.Hour)}
	for _, der := range certificates {
		c, err := x509.ParseCertificate(der)
		must(r.t, err)
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: r.w.Now()})
	}
	list, err := x509.CreateRevocationList(nil, l, root, servicetest.Key("iaca"))
	must(r.t, err)
	must(r.t, r.anchors.Revoked(list, r.w.Now()))
}

func (r *revoking) offline(demanded bool) *verification.Offline {
	r.t.Helper()
	v, err := verification.NewOffline(verification.OfflineOptions{Verifier: bank, Anchors: r.anchors, Revocations: demanded,
		PastTTL: verification.Accept, Lifetime: 5 * time.Minute, Now: r.w.Now, Random: zeros{}})
	must(r.t, err)
	return v
}

func TestTheServiceRefusesCardsOfARevokedSigner(t *testing.T) {
	var r *revoking
	w := newWorld(t, func(c *service.Config) {
		anchors, err := mdoc.NewTrustAnchors(authority().Root)
		must(t, err)
		c.Anchors = anchors
		r = &revoking{t: t, anchors: anchors}
	})
	r.w = w
	c := w.holder()
	if got := c.mobile(); got != accepted {
		t.Errorf("before: %v", got)
	}
	r.revoke(authority().DS.Certificate())
	if got := c.mobile(); got != notValid {
		t.Errorf("after: %v", got)
	}
}

func TestAnOfflineVerifierGoesByTheListOfRevokedSigners(t *testing.T) {
	w := newWorld(t)
	c, r := w.holder(), w.revoking()
	v := r.offline(false)
	w.fetch(v)
	if got := c.at(v).Verdict; got != accepted {
		t.Errorf("before: %v", got)
	}
	r.revoke(authority().DS.Certificate())
	if got := c.at(v).Verdict; got != notValid {
		t.Errorf("by a revoked document signer: %v", got)
	}
	r.revoke(authority().Status.Certificate())
	if got := c.at(v).Verdict; got != lifecycle.CannotTell {
		t.Errorf("by a status list that was good when it was fetched, and whose signer is revoked: %v", got)
	}
	for _, l := range w.publish() {
		if err := v.Fetched(l.JWT); err == nil {
			t.Error("a list by a revoked signer was taken")
		}
	}
}

func TestWithoutAListInItsTimeAVerifierThatDemandsOneCannotTell(t *testing.T) {
	w := newWorld(t)
	c, r := w.holder(), w.revoking()
	v := r.offline(true)
	w.fetch(v)
	if got := c.at(v).Verdict; got != lifecycle.CannotTell {
		t.Errorf("without a list: %v", got)
	}
	r.revoke()
	if got := c.at(v).Verdict; got != accepted {
		t.Errorf("with a list: %v", got)
	}
	w.Pass(time.Hour)
	if got := c.at(v).Verdict; got != lifecycle.CannotTell {
		t.Errorf("with one whose time is over: %v", got)
	}
}

// next is a signer that another one follows.
type next struct{ mdoc.Signer }

func (n *next) InForce() mdoc.Signer { return n.Signer }

// Nobody has to change, nor time to pass, for lists of a revoked signer to be replaced.
func TestAListWhoseSignerWasFollowedIsSignedAnewAtTheNextPublication(t *testing.T) {
	w := newWorld(t)
	w.holder()
	signer := &next{authority().Status}
	p, err := suspension.NewPublisher(w.Register, signer, suspension.PublisherOptions{TTL: time.Hour, Validity: 24 * time.Hour})
	must(t, err)
	before, _, err := p.Publish(ctx)
	must(t, err)
	if _, fresh, err := p.Publish(ctx); err != nil || fresh {
		t.Errorf("it is signed anew for nothing: %v", err)
	}

	iaca, err := mdoc.OpenIACA(servicetest.Key("iaca"), authority().Root)
	must(t, err)
	serial := sha256.Sum256([]byte("status 2"))
	certificate, err := mdoc.NewStatusSigner(iaca, &servicetest.Key("status 2").PublicKey,
		mdoc.CertificateSpec{Serial: serial[:16], CommonName: "status 2", NotBefore: w.Now().Add(-time.Hour), NotAfter: w.Now().AddDate(1, 0, 0)})
	must(t, err)
	signer.Signer, err = mdoc.NewKeySigner(servicetest.Key("status 2"), certificate)
	must(t, err)
	after, fresh, err := p.Publish(ctx)
	must(t, err)
	r := w.revoking()
	r.revoke(authority().Status.Certificate())
	for i := range after {
		if _, err := statuslist.ParseJWT(before[i].JWT, r.anchors, w.Now()); err == nil {
			t.Error("the revoked signer's list is accepted")
		}
		if _, err := statuslist.ParseJWT(after[i].JWT, r.anchors, w.Now()); err != nil || !fresh || after[i].RegisterSeq != before[i].RegisterSeq {
			t.Errorf("the next signer's list: %v, of change %d after %d", err, after[i].RegisterSeq, before[i].RegisterSeq)
		}
	}
}

// The card's authority says what it has revoked, and that of the status list does not.
func TestAVerifierThatDemandsListsDemandsThatOfTheStatusListsAuthorityToo(t *testing.T) {
	w := newWorld(t)
	c, r := w.holder(), w.revoking()
	spec := func(name string, years int) mdoc.CertificateSpec {
		return mdoc.CertificateSpec{Serial: []byte(name), CommonName: name, NotBefore: w.Now().AddDate(0, -1, 0), NotAfter: w.Now().AddDate(years, 0, 0)}
	}
	second, err := mdoc.NewIACA(servicetest.Key("second root"), mdoc.IACASpec{CertificateSpec: spec("second root", 5), Country: "KR", Contact: "https://id.example/", CRL: "https://id.example/second.crl"})
	must(t, err)
	der, err := mdoc.NewStatusSigner(second, &servicetest.Key("second status").PublicKey, spec("second status", 1))
	must(t, err)
	signer, err := mdoc.NewKeySigner(servicetest.Key("second status"), der)
	must(t, err)
	r.anchors, err = mdoc.NewTrustAnchors(authority().Root, second.Certificate())
	must(t, err)
	v := r.offline(true)
	for _, l := range w.publish() {
		token, err := statuslist.ParseJWT(l.JWT, r.anchors, w.Now())
		must(t, err)
		text, err := token.SignJWT(signer)
		must(t, err)
		must(t, v.Fetched(text))
	}
	r.revoke()
	if got := c.at(v).Verdict; got != lifecycle.CannotTell {
		t.Errorf("without a list of the second root: %v", got)
	}
	root, err := x509.ParseCertificate(second.Certificate())
	must(t, err)
	list, err := x509.CreateRevocationList(nil, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: w.Now(), NextUpdate: w.Now().Add(time.Hour)}, root, servicetest.Key("second root"))
	must(t, err)
	must(t, r.anchors.Revoked(list, w.Now()))
	if got := c.at(v).Verdict; got != accepted {
		t.Errorf("with both: %v", got)
	}
}
