package crl

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"
)

var start = time.Date(2025, 3, 28, 9, 0, 0, 0, time.UTC)

func authority(t testing.TB, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	secret := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret[:])
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: start, NotAfter: start.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: secret[:20]}
	der, err := x509.CreateCertificate(nil, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return c, key
}

func list(t testing.TB, root *x509.Certificate, key *ecdsa.PrivateKey, change func(*x509.RevocationList)) []byte {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(7), ThisUpdate: start, NextUpdate: start.Add(time.Hour), RevokedCertificateEntries: []x509.RevocationListEntry{
		{SerialNumber: big.NewInt(1000), RevocationTime: start, ReasonCode: 1}, {SerialNumber: big.NewInt(2000), RevocationTime: start},
	}}
	if change != nil {
		change(l)
	}
	der, err := x509.CreateRevocationList(nil, l, root, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestAListNamesWhatWasRevokedAndNothingElse(t *testing.T) {
	root, key := authority(t, "root")
	other, _ := authority(t, "other")
	l, err := Read(list(t, root, key, nil), []*x509.Certificate{other, root}, start)
	if err != nil {
		t.Fatal(err)
	}
	if !l.Has(big.NewInt(1000)) || !l.Has(big.NewInt(2000)) || l.Has(big.NewInt(1001)) || l.Len() != 2 || l.Root != root || l.Number.Int64() != 7 {
		t.Errorf("%+v", l)
	}
}

func TestWhatIsNoListOfTheAuthorityForNowIsRefused(t *testing.T) {
	root, key := authority(t, "root")
	other, otherKey := authority(t, "other")
	good := list(t, root, key, nil)
	changed := append([]byte(nil), good...)
	changed[len(changed)-1] ^= 1
	critical := []pkix.Extension{{Id: []int{2, 5, 29, 28}, Critical: true, Value: []byte{0x30, 0}}} // a list of some certificates alone
	for what, c := range map[string]struct {
		der []byte
		at  time.Time
	}{
		"another authority's": {list(t, other, otherKey, nil), start},
		"a changed one":       {changed, start},
		"one for later":       {good, start.Add(-maxSkew - time.Second)},
		"one that is over":    {good, start.Add(time.Hour)},
		"one for some alone":  {list(t, root, key, func(l *x509.RevocationList) { l.ExtraExtensions = critical }), start},
		"one with entries that are not understood": {list(t, root, key, func(l *x509.RevocationList) {
			l.RevokedCertificateEntries[0].ExtraExtensions = critical
		}), start},
		"one with an endless number": {list(t, root, key, func(l *x509.RevocationList) {
			l.ExtraExtensions = []pkix.Extension{{Id: []int{2, 5, 29, 20}, Value: append([]byte{0x02, 21, 1}, make([]byte, 20)...)}}
		}), start},
		"bytes":      {[]byte{0x30, 0x80}, start},
		"nothing":    {nil, start},
		"a long one": {make([]byte, MaxSize+1), start},
	} {
		if l, err := Read(c.der, []*x509.Certificate{root}, c.at); !errors.Is(err, ErrList) {
			t.Errorf("%s: %v, %v", what, l, err)
		}
	}
}

func TestAListThatIsOverStillNamesWhatWasRevoked(t *testing.T) {
	root, key := authority(t, "root")
	l, err := ReadPast(list(t, root, key, nil), []*x509.Certificate{root}, start.Add(1000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if !l.Has(big.NewInt(1000)) || !l.From.Equal(start) || !l.Until.Equal(start.Add(time.Hour)) {
		t.Errorf("%+v", l)
	}
	if _, err := ReadPast(list(t, root, key, nil), []*x509.Certificate{root}, start.Add(-maxSkew-time.Second)); !errors.Is(err, ErrList) {
		t.Errorf("one for later: %v", err)
	}
}

func TestAListSpeaksOfItsOwnAuthoritysCertificatesAlone(t *testing.T) {
	root, key := authority(t, "root")
	other, otherKey := authority(t, "other")
	l, err := Read(list(t, root, key, nil), []*x509.Certificate{root}, start)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		serial int64
		by     *x509.Certificate
		key    *ecdsa.PrivateKey
		want   error
	}{
		{"a good one", 1001, root, key, nil},
		{"one that was revoked", 1000, root, key, ErrRevoked},
		{"another authority's of that number", 1000, other, otherKey, ErrList},
	} {
		der, err := x509.CreateCertificate(nil, &x509.Certificate{SerialNumber: big.NewInt(c.serial), NotBefore: start, NotAfter: start.Add(time.Hour)}, c.by, &c.key.PublicKey, c.key)
		if err != nil {
			t.Fatal(err)
		}
		leaf, _ := x509.ParseCertificate(der)
		if err := l.Check(leaf); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestAnOlderListDoesNotTakeTheNewersPlace(t *testing.T) {
	root, key := authority(t, "root")
	other, otherKey := authority(t, "other")
	read := func(root *x509.Certificate, key *ecdsa.PrivateKey, number int64) *List {
		l, err := Read(list(t, root, key, func(l *x509.RevocationList) { l.Number = big.NewInt(number) }), []*x509.Certificate{root}, start)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	seventh := read(root, key, 7)
	if !seventh.Follows(nil) || !seventh.Follows(read(root, key, 7)) || !seventh.Follows(read(root, key, 6)) || !seventh.Follows(read(other, otherKey, 8)) {
		t.Error("it does not take the place of what is older, or is not comparable")
	}
	if seventh.Follows(read(root, key, 8)) {
		t.Error("the seventh takes the eighth's place")
	}
}

func TestOfTwoListsWithOneNumberTheLaterCounts(t *testing.T) {
	root, key := authority(t, "root")
	made := func(at time.Time) *List {
		l, err := Read(list(t, root, key, func(l *x509.RevocationList) { l.ThisUpdate = at }), []*x509.Certificate{root}, start.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	sooner, later := made(start), made(start.Add(time.Minute))
	if sooner.Follows(later) || !later.Follows(sooner) || !later.Follows(later) {
		t.Error("the sooner one takes the later one's place")
	}
}

func TestAListGivesEachRevocationOnceByNumber(t *testing.T) {
	root, key := authority(t, "root")
	l, err := Read(list(t, root, key, func(l *x509.RevocationList) {
		l.RevokedCertificateEntries = []x509.RevocationListEntry{
			{SerialNumber: big.NewInt(2000), RevocationTime: start, ReasonCode: 4},
			{SerialNumber: big.NewInt(30), RevocationTime: start.Add(-time.Hour), ReasonCode: 1},
			{SerialNumber: big.NewInt(2000), RevocationTime: start, ReasonCode: 1},
			{SerialNumber: big.NewInt(40), RevocationTime: start, ReasonCode: removed},
		}
	}), []*x509.Certificate{root}, start)
	if err != nil {
		t.Fatal(err)
	}
	if e := l.Entries; l.Len() != 2 || e[0].Serial.Int64() != 30 || !e[0].At.Equal(start.Add(-time.Hour)) || e[0].Reason != 1 || e[1].Serial.Int64() != 2000 || e[1].Reason != 4 {
		t.Errorf("%+v", e)
	}
}

func FuzzRead(f *testing.F) {
	root, key := authority(f, "root")
	good := list(f, root, key, nil)
	f.Add(good)
	f.Add(list(f, root, key, func(l *x509.RevocationList) { l.RevokedCertificateEntries = nil }))
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := Read(der, []*x509.Certificate{root}, start)
		if (err == nil) == (l == nil) {
			t.Fatal("neither a list nor a reason")
		}
		if l != nil && l.Has(big.NewInt(1001)) {
			t.Error("a changed list names what the authority did not revoke")
		}
	})
}
