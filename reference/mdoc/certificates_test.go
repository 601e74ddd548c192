package mdoc

import (
	"bytes"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCertificatesFollowAnnexB(t *testing.T) {
	w := newWorld(t)
	statusDER, err := NewStatusSigner(w.iaca, &testKey("status").PublicKey, spec("Rollcall status 1", signedAt, 457))
	if err != nil {
		t.Fatal(err)
	}
	status, err := x509.ParseCertificate(statusDER)
	if err != nil {
		t.Fatal(err)
	}
	type want struct {
		certificate *x509.Certificate
		usage       x509.KeyUsage
		ca          bool
		purpose     string
		critical    string
	}
	for name, c := range map[string]want{
		"IACA":            {w.iaca.certificate, x509.KeyUsageCertSign | x509.KeyUsageCRLSign, true, "", "2.5.29.15 2.5.29.19"},
		"document signer": {w.signer.certificate, x509.KeyUsageDigitalSignature, false, "1.0.18013.5.1.2", "2.5.29.15 2.5.29.37"},
		"status signer":   {status, x509.KeyUsageDigitalSignature, false, "", "2.5.29.15"},
	} {
		t.Run(name, func(t *testing.T) {
			x := c.certificate
			var purposes, critical []string
			issuerAlt := false
			for _, p := range x.UnknownExtKeyUsage {
				purposes = append(purposes, p.String())
			}
			for _, e := range x.Extensions {
				if e.Critical {
					critical = append(critical, e.Id.String())
				}
				issuerAlt = issuerAlt || e.Id.Equal(oidIssuerAltName) && bytes.Contains(e.Value, []byte("https://rollcall.example/"))
			}
			if x.KeyUsage != c.usage || x.IsCA != c.ca || strings.Join(purposes, " ") != c.purpose || len(x.ExtKeyUsage) != 0 {
				t.Errorf("key usage %v, CA %v, purposes %v %v", x.KeyUsage, x.IsCA, purposes, x.ExtKeyUsage)
			}
			if strings.Join(critical, " ") != c.critical {
				t.Errorf("critical are %v, want %s", critical, c.critical)
			}
			if !issuerAlt || len(x.CRLDistributionPoints) != 1 || x.Subject.Country[0] != "KR" {
				t.Errorf("issuerAltName %v, CRL %v, subject %v", issuerAlt, x.CRLDistributionPoints, x.Subject)
			}
			if !bytes.Equal(x.RawIssuer, w.iaca.certificate.RawSubject) || c.ca != bytes.Equal(x.RawIssuer, x.RawSubject) {
				t.Errorf("issuer %v, subject %v", x.Issuer, x.Subject)
			}
			if len(x.SubjectKeyId) != 20 || !c.ca && !bytes.Equal(x.AuthorityKeyId, w.iaca.certificate.SubjectKeyId) {
				t.Errorf("key identifiers %x, %x", x.SubjectKeyId, x.AuthorityKeyId)
			}
			if err := x.CheckSignatureFrom(w.iaca.certificate); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheSameKeySerialAndTimesGiveTheSameCertificates(t *testing.T) {
	a, b := newWorld(t), newWorld(t)
	if !bytes.Equal(a.iaca.Certificate(), b.iaca.Certificate()) || !bytes.Equal(a.signer.Certificate(), b.signer.Certificate()) {
		t.Error("they differ")
	}
}

func TestAnIACAIsOpenedWithItsOwnKeyOnly(t *testing.T) {
	a := testIACA(t, "Rollcall IACA")
	opened, err := OpenIACA(testKey("Rollcall IACA"), a.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := NewDocumentSigner(a, &testKey("ds").PublicKey, spec("DS", signedAt, 100))
	two, err2 := NewDocumentSigner(opened, &testKey("ds").PublicKey, spec("DS", signedAt, 100))
	if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
		t.Errorf("the opened IACA issues otherwise: %v %v", err1, err2)
	}
	if _, err := OpenIACA(testKey("another"), a.Certificate()); err == nil {
		t.Error("opened with another key")
	}
}

func TestCertificatesBeyondTheProfileAreNotMade(t *testing.T) {
	a := testIACA(t, "Rollcall IACA")
	key := &testKey("ds").PublicKey
	none, long := spec("DS", signedAt, 100), spec("DS", signedAt, 100)
	none.Serial, long.Serial = nil, make([]byte, 21)
	for name, c := range map[string]CertificateSpec{
		"longer than 457 days":     spec("DS", signedAt, 458),
		"beyond its IACA":          spec("DS", signedAt.AddDate(9, 6, 0), 300),
		"before its IACA":          spec("DS", signedAt.AddDate(-1, 0, 0), 300),
		"without name":             spec("", signedAt, 100),
		"without serial":           none,
		"with too long a serial":   long,
		"with an end at no time":   {Serial: []byte{1}, CommonName: "DS", NotBefore: signedAt},
		"with an end at its start": {Serial: []byte{1}, CommonName: "DS", NotBefore: signedAt, NotAfter: signedAt},
	} {
		if _, err := NewDocumentSigner(a, key, c); err == nil {
			t.Errorf("a document signer %s was made", name)
		}
	}
	if _, err := NewIACA(testKey("x"), IACASpec{CertificateSpec: spec("IACA", signedAt, 21*366), Country: "KR", Contact: "https://x", CRL: "https://x"}); err == nil {
		t.Error("an IACA for more than 20 years was made")
	}
}

func TestOnlyRootsAreAnchors(t *testing.T) {
	w := newWorld(t)
	if _, err := NewTrustAnchors(w.signer.Certificate()); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a document signer as an anchor: %v", err)
	}
	if _, err := NewTrustAnchors([]byte("no certificate")); !errors.Is(err, ErrMalformed) {
		t.Errorf("rubbish as an anchor: %v", err)
	}
	forged := bytes.Clone(w.iaca.Certificate())
	forged[len(forged)-1] ^= 1
	if _, err := NewTrustAnchors(forged); err == nil {
		t.Error("a root with a broken signature as an anchor")
	}
}

func TestStatusSignersAreValidatedAgainstTheRoot(t *testing.T) {
	w := newWorld(t)
	der, err := NewStatusSigner(w.iaca, &testKey("status").PublicKey, spec("Rollcall status 1", signedAt, 30))
	if err != nil {
		t.Fatal(err)
	}
	key, err := w.anchors.StatusSigner([][]byte{der}, w.at)
	if err != nil || !key.Equal(&testKey("status").PublicKey) {
		t.Fatal(err)
	}
	other, err := NewTrustAnchors(testIACA(t, "Another IACA").Certificate())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		anchors *TrustAnchors
		chain   [][]byte
		at      time.Time
		want    error
	}{
		"a document signer":     {w.anchors, [][]byte{w.signer.Certificate()}, w.at, ErrUntrusted},
		"the root itself":       {w.anchors, [][]byte{w.iaca.Certificate()}, w.at, ErrUntrusted},
		"another root":          {other, [][]byte{der}, w.at, ErrUntrusted},
		"no certificate":        {w.anchors, nil, w.at, ErrUntrusted},
		"the root in the chain": {w.anchors, [][]byte{der, w.iaca.Certificate()}, w.at, ErrUntrusted},
		"too late":              {w.anchors, [][]byte{der}, signedAt.AddDate(0, 2, 0), ErrSignerExpired},
		"too early":             {w.anchors, [][]byte{der}, signedAt.Add(-time.Second), ErrSignerExpired},
		"rubbish":               {w.anchors, [][]byte{{1, 2, 3}}, w.at, ErrMalformed},
	} {
		if _, err := c.anchors.StatusSigner(c.chain, c.at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Other forms of the card are signed with the same certificates.
func TestADocumentSignerIsKnownToOtherFormsOfTheCard(t *testing.T) {
	w := newWorld(t)
	chain := [][]byte{w.signer.Certificate()}
	s, err := w.anchors.DocumentSigner(chain, w.at)
	if err != nil || s.Name != "Rollcall DS 1" || !s.Key.Public().Equal(&testKey("ds").PublicKey) || !s.From.Before(s.Until) {
		t.Fatalf("%+v, %v", s, err)
	}
	for name, c := range map[string]struct {
		chain [][]byte
		at    time.Time
		kind  error
	}{
		"before its time": {chain, s.From.Add(-time.Second), ErrSignerExpired}, "after its time": {chain, s.Until.Add(time.Second), ErrSignerExpired},
		"with the root": {append(chain, w.iaca.Certificate()), w.at, ErrUntrusted}, "without a certificate": {nil, w.at, ErrUntrusted},
	} {
		if _, err := w.anchors.DocumentSigner(c.chain, c.at); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for at, kind := range map[time.Time]error{s.From: nil, s.Until: nil, s.From.Add(-time.Second): ErrSignerExpired, s.Until.Add(time.Second): ErrSignerExpired} {
		if err := CheckSigner(w.signer, at); !errors.Is(err, kind) {
			t.Errorf("signing at %s: %v", at, err)
		}
	}
}
