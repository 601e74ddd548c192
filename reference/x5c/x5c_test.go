package x5c

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)

func testKey(curve elliptic.Curve, name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte(name))
	size := (curve.Params().BitSize + 7) / 8
	k, err := ecdsa.ParseRawPrivateKey(curve, append(make([]byte, size-32), d[:]...))
	if err != nil {
		panic(err)
	}
	return k
}

// make makes a certificate of name, signed by the issuer, or by itself.
func certificate(t testing.TB, name string, key *ecdsa.PublicKey, issuer *x509.Certificate, by *ecdsa.PrivateKey, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	serial := sha256.Sum256([]byte(name))
	c := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:8]), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	if change != nil {
		change(c)
	}
	if issuer == nil {
		issuer = c
	}
	der, err := x509.CreateCertificate(nil, c, issuer, key, by)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func authority(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

func TestOnlyChainsThatLeadToAnAnchorAreTrusted(t *testing.T) {
	p256 := elliptic.P256()
	rootKey, middleKey, leafKey := testKey(p256, "root"), testKey(p256, "middle"), testKey(p256, "leaf")
	root := certificate(t, "root", &rootKey.PublicKey, nil, rootKey, authority)
	middle := certificate(t, "middle", &middleKey.PublicKey, root, rootKey, authority)
	leaf := certificate(t, "leaf", &leafKey.PublicKey, root, rootKey, nil)
	below := certificate(t, "below", &leafKey.PublicKey, middle, middleKey, func(c *x509.Certificate) { c.NotAfter = now.AddDate(2, 0, 0) })
	stranger := certificate(t, "root", &middleKey.PublicKey, nil, middleKey, authority)
	a, err := NewAnchors("wallet provider", root.Raw)
	if err != nil {
		t.Fatal(err)
	}
	made := func(name string, change func(*x509.Certificate)) []byte {
		return certificate(t, name, &leafKey.PublicKey, root, rootKey, change).Raw
	}
	other := testKey(elliptic.P384(), "other")
	for _, c := range []struct {
		name    string
		chain   [][]byte
		at      time.Time
		because string // empty: it is trusted
	}{
		{"a leaf", [][]byte{leaf.Raw}, now, ""},
		{"a leaf, seen before", [][]byte{leaf.Raw}, now, ""},
		{"a leaf at its end", [][]byte{leaf.Raw}, leaf.NotAfter, ""},
		{"a leaf, seen before, too late", [][]byte{leaf.Raw}, leaf.NotAfter.Add(time.Second), "expired"},
		{"a leaf too early", [][]byte{leaf.Raw}, leaf.NotBefore.Add(-time.Second), "not yet valid"},
		{"a leaf under an intermediate", [][]byte{below.Raw, middle.Raw}, now, ""},
		{"the intermediate out of its time", [][]byte{below.Raw, middle.Raw}, now.AddDate(1, 1, 0), "expired"},
		{"no intermediate", [][]byte{below.Raw}, now, "unknown authority"},
		{"in the other order", [][]byte{middle.Raw, below.Raw}, now, "authority"},
		{"nothing", nil, now, "0 certificates"},
		{"too many", [][]byte{leaf.Raw, leaf.Raw, leaf.Raw, leaf.Raw, leaf.Raw}, now, "5 certificates"},
		{"the anchor along", [][]byte{leaf.Raw, root.Raw}, now, "left out"},
		{"the anchor alone", [][]byte{root.Raw}, now, "left out"},
		{"another root of the same name", [][]byte{certificate(t, "x", &leafKey.PublicKey, stranger, middleKey, nil).Raw}, now, "unknown authority"},
		{"no certificate", [][]byte{{1, 2, 3}}, now, "malformed"},
		{"a large certificate", [][]byte{make([]byte, maxCertificate+1)}, now, "at most"},
		{"an authority as leaf", [][]byte{middle.Raw}, now, "no tokens"},
		{"a key for agreement", [][]byte{made("agreement", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement })}, now, "not for signatures"},
		{"another curve", [][]byte{certificate(t, "p384", &other.PublicKey, root, rootKey, nil).Raw}, now, "P-256"},
	} {
		key, err := a.Key(c.chain, c.at)
		switch {
		case c.because == "" && (err != nil || !key.Public().Equal(&leafKey.PublicKey)):
			t.Errorf("%s: %v", c.name, err)
		case c.because != "" && (!errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), c.because)):
			t.Errorf("%s: %v, wanted %q", c.name, err, c.because)
		}
	}
}

func TestAnchorsAreAuthorities(t *testing.T) {
	key := testKey(elliptic.P256(), "root")
	leaf := certificate(t, "leaf", &key.PublicKey, nil, key, nil)
	for name, roots := range map[string][][]byte{"none": nil, "no certificate": {{1}}, "a leaf": {leaf.Raw}} {
		if _, err := NewAnchors("wallet provider", roots...); err == nil || !strings.Contains(err.Error(), "wallet provider") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever stands in x5c, nothing panics, and only chains of the fixture are
// trusted.
func FuzzKey(f *testing.F) {
	rootKey, leafKey := testKey(elliptic.P256(), "root"), testKey(elliptic.P256(), "leaf")
	root := certificate(f, "root", &rootKey.PublicKey, nil, rootKey, authority)
	leaf := certificate(f, "leaf", &leafKey.PublicKey, root, rootKey, nil)
	a, err := NewAnchors("wallet provider", root.Raw)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(leaf.Raw, []byte{})
	f.Add(leaf.Raw, root.Raw)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		chain := [][]byte{first}
		if len(second) > 0 {
			chain = append(chain, second)
		}
		if key, err := a.Key(chain, now); err == nil && !key.Public().Equal(&leafKey.PublicKey) {
			t.Error("a key is trusted that no anchor vouches for")
		}
	})
}
