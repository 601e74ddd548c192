package card

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/crl"
)

var day = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// listBy is an authority's list for ninety days.
func listBy(t *testing.T, root *x509.Certificate, key *ecdsa.PrivateKey, number int64, from time.Time, serials ...int64) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: from, NextUpdate: from.AddDate(0, 0, 90)}
	for _, s := range serials {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(s), RevocationTime: from})
	}
	der, err := x509.CreateRevocationList(nil, l, root, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func listing(ca, _ *x509.Certificate) { ca.KeyUsage |= x509.KeyUsageCRLSign }

// A document signer with the number 2 under an authority: by which lists, and when, its cards
// are good.
func TestASignersCardsAreGoodAsLongAsTheListsSaySo(t *testing.T) {
	root, ds := pki(t, listing)
	by := func(number int64, from time.Time, serials ...int64) []byte {
		return listBy(t, root, testKey("ca"), number, from, serials...)
	}
	for _, c := range []struct {
		name     string
		required bool
		lists    [][]byte
		at       time.Time
		want     error
	}{
		{"no list, and none is required", false, nil, day, nil},
		{"no list", true, nil, day, ErrUnlisted},
		{"a list without the signer", true, [][]byte{by(1, day)}, day, nil},
		{"on its last day", true, [][]byte{by(1, day)}, day.AddDate(0, 0, 90).Add(-time.Second), nil},
		{"a list that is too old", true, [][]byte{by(1, day)}, day.AddDate(0, 0, 90), ErrUnlisted},
		{"a list that is too old, and none is required", false, [][]byte{by(1, day)}, day.AddDate(0, 0, 90), nil},
		{"a list with the signer", true, [][]byte{by(1, day, 7, 2)}, day, ErrSignerRevoked},
		{"a list with another signer", true, [][]byte{by(1, day, 7)}, day, nil},
		{"a list with the signer that is too old", true, [][]byte{by(1, day, 2)}, day.AddDate(1, 0, 0), ErrSignerRevoked},
		{"the same, and none is required", false, [][]byte{by(1, day, 2)}, day.AddDate(1, 0, 0), ErrSignerRevoked},
		{"the next list names it", true, [][]byte{by(1, day), by(2, day, 2)}, day, ErrSignerRevoked},
		{"the next list names it no more", true, [][]byte{by(1, day, 2), by(2, day)}, day, nil},
	} {
		v, err := NewVerifier(root.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if c.required {
			v.RequireLists()
		}
		for _, l := range c.lists {
			if _, err := v.Revoked(l, day); err != nil {
				t.Fatal(err)
			}
		}
		known, err := v.documentSigner(ds.Raw, c.at)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err := v.Good(known.name(), c.at); !errors.Is(err, c.want) {
			t.Errorf("%s, of a card that was found good: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestWhatWasFoundGoodIsRefusedFromTheRevocationOn(t *testing.T) {
	root, ds := pki(t, listing)
	v, _ := NewVerifier(root.Raw)
	known, err := v.documentSigner(ds.Raw, day)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Revoked(listBy(t, root, testKey("ca"), 1, day, 2), day); err != nil {
		t.Fatal(err)
	}
	if _, err := v.documentSigner(ds.Raw, day); !errors.Is(err, ErrSignerRevoked) {
		t.Errorf("the signer, whose chain is remembered: %v", err)
	}
	if err := v.Good(known.name(), day); !errors.Is(err, ErrSignerRevoked) {
		t.Errorf("what rests on a card of its: %v", err)
	}
	if err := v.Good(Signer{}, day); !errors.Is(err, ErrUntrusted) {
		t.Errorf("nobody's: %v", err)
	}
}

func TestAListThatIsNotTheAuthoritysChangesNothing(t *testing.T) {
	root, ds := pki(t, listing)
	other, _ := pki(t, func(ca, ds *x509.Certificate) { listing(ca, ds); ca.Subject.CommonName = "another CA" })
	v, _ := NewVerifier(root.Raw)
	v.RequireLists()
	if _, err := v.Revoked(listBy(t, root, testKey("ca"), 5, day), day); err != nil {
		t.Fatal(err)
	}
	changed := listBy(t, root, testKey("ca"), 6, day, 2)
	changed[len(changed)-1] ^= 1
	for name, list := range map[string][]byte{
		"another authority's": listBy(t, other, testKey("ca"), 6, day, 2),
		"by another key":      listBy(t, root, testKey("ds"), 6, day, 2),
		"a changed one":       changed,
		"one of tomorrow":     listBy(t, root, testKey("ca"), 6, day.AddDate(0, 0, 1), 2),
		"an older one":        listBy(t, root, testKey("ca"), 4, day, 2),
		"bytes":               {0x30, 0x80},
		"too many":            make([]byte, crl.MaxSize+1),
	} {
		if _, err := v.Revoked(list, day); !errors.Is(err, crl.ErrList) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := v.Revoked(list, day); errors.Is(err, crl.ErrOlder) != (name == "an older one") {
			t.Errorf("%s: older or not: %v", name, err)
		}
		if _, err := v.documentSigner(ds.Raw, day); err != nil {
			t.Fatalf("%s changes what is known: %v", name, err)
		}
	}
	if until, err := v.Listed(day); err != nil || !until.Equal(day.AddDate(0, 0, 90)) {
		t.Errorf("%v %v", until, err)
	}
}

// An authority's next key signs the list of all that the authority has certified.
func TestTheListOfTheNextKeySpeaksOfTheEarlierOnesSigners(t *testing.T) {
	root, ds := pki(t, listing)
	next := *root
	next.PublicKey, next.SerialNumber = &testKey("next ca").PublicKey, big.NewInt(3)
	der, err := x509.CreateCertificate(nil, &next, &next, &testKey("next ca").PublicKey, testKey("next ca"))
	if err != nil {
		t.Fatal(err)
	}
	following, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(root.Raw, der)
	if err != nil {
		t.Fatal(err)
	}
	v.RequireLists()
	if _, err := v.documentSigner(ds.Raw, day); !errors.Is(err, ErrUnlisted) {
		t.Errorf("without any list: %v", err)
	}
	if _, err := v.Revoked(listBy(t, following, testKey("next ca"), 1, day), day); err != nil {
		t.Fatal(err)
	}
	if _, err := v.documentSigner(ds.Raw, day); err != nil {
		t.Errorf("with the next key's: %v", err)
	}
	if _, err := v.Revoked(listBy(t, following, testKey("next ca"), 2, day, 2), day); err != nil {
		t.Fatal(err)
	}
	if _, err := v.documentSigner(ds.Raw, day); !errors.Is(err, ErrSignerRevoked) {
		t.Errorf("revoked by the next key: %v", err)
	}
}

// Two authorities: one list does not speak for the other.
func TestEachAuthorityNeedsItsList(t *testing.T) {
	root, ds := pki(t, listing)
	other, _ := pki(t, func(ca, ds *x509.Certificate) { listing(ca, ds); ca.Subject.CommonName = "another CA" })
	v, err := NewVerifier(root.Raw, other.Raw)
	if err != nil {
		t.Fatal(err)
	}
	v.RequireLists()
	if _, err := v.Revoked(listBy(t, other, testKey("ca"), 1, day, 2), day); err != nil {
		t.Fatal(err)
	}
	if _, err := v.documentSigner(ds.Raw, day); !errors.Is(err, ErrUnlisted) {
		t.Errorf("with the other's list alone: %v", err)
	}
	if _, err := v.Listed(day); !errors.Is(err, ErrUnlisted) {
		t.Errorf("all are listed: %v", err)
	}
	if _, err := v.Revoked(listBy(t, root, testKey("ca"), 1, day), day); err != nil {
		t.Fatal(err)
	}
	if _, err := v.documentSigner(ds.Raw, day); err != nil {
		t.Errorf("the other has revoked its own number 2: %v", err)
	}
	if _, err := v.Listed(day); err != nil {
		t.Error(err)
	}
}
