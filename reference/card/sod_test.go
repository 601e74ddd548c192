package card

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"testing"
	"time"
)

func testKey(label string) *ecdsa.PrivateKey {
	sum := sha256.Sum256([]byte(label))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
	if err != nil {
		panic(err)
	}
	return key
}

// pki makes an authority and a certificate under it, changed by spoil.
func pki(t *testing.T, spoil func(ca, ds *x509.Certificate)) (root, signer *x509.Certificate) {
	t.Helper()
	from := time.Date(2024, 12, 27, 0, 0, 0, 0, time.UTC)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"KR"}, CommonName: "CA"}, NotBefore: from, NotAfter: from.AddDate(15, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	ds := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{Country: []string{"KR"}, CommonName: "DS"}, NotBefore: from, NotAfter: from.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature}
	if spoil != nil {
		spoil(ca, ds)
	}
	make := func(c, parent *x509.Certificate, key *ecdsa.PublicKey, by *ecdsa.PrivateKey) *x509.Certificate {
		der, err := x509.CreateCertificate(nil, c, parent, key, by)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	root = make(ca, ca, &testKey("ca").PublicKey, testKey("ca"))
	return root, make(ds, root, &testKey("ds").PublicKey, testKey("ca"))
}

func TestOnlyADocumentSignerMaySign(t *testing.T) {
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, spoil := range map[string]func(ca, ds *x509.Certificate){
		"an authority":      func(_, ds *x509.Certificate) { ds.IsCA, ds.BasicConstraintsValid = true, true },
		"another key usage": func(_, ds *x509.Certificate) { ds.KeyUsage = x509.KeyUsageKeyAgreement },
		"a critical extension that nobody knows": func(_, ds *x509.Certificate) {
			ds.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		},
	} {
		root, ds := pki(t, spoil)
		v, err := NewVerifier(root.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.documentSigner(ds.Raw, at); !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %v", name, err)
		}
	}
	root, ds := pki(t, nil)
	v, _ := NewVerifier(root.Raw)
	if _, err := v.documentSigner(ds.Raw, at); err != nil {
		t.Error(err)
	}
	if _, err := NewVerifier(ds.Raw); err == nil {
		t.Error("a document signer was taken for an authority")
	}
	if _, err := NewVerifier(); err == nil {
		t.Error("a verifier without authorities was made")
	}
	if _, err := NewVerifier([]byte{1}); err == nil {
		t.Error("a certificate that is none was taken")
	}
}

func TestASecurityObjectMadeByOpenSSLIsRead(t *testing.T) {
	raw, err := os.ReadFile("testdata/openssl_sod.json")
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		CountryCA, SOD []byte
		At             time.Time
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(s.CountryCA)
	if err != nil {
		t.Fatal(err)
	}
	hashes, _, err := v.securityObject(s.SOD, s.At)
	if err != nil {
		t.Fatal(err)
	}
	if len(hashes) != 2 || hashes[1] != sha256.Sum256([]byte("DG1")) || hashes[2] != sha256.Sum256([]byte("DG2")) {
		t.Errorf("%x", hashes)
	}
	for i := range s.SOD {
		changed := bytes.Clone(s.SOD)
		changed[i] ^= 0x20
		if _, _, err := v.securityObject(changed, s.At); err == nil {
			t.Errorf("byte %d was changed and nobody noticed", i)
		}
	}
}

// What an ASN.1 reader may be led astray by stands nowhere in what a card holds.
func TestEncodingsThatAreNotDERAreRefused(t *testing.T) {
	s, v := load(t)
	sod := s.Evidence.SOD // 77 82 LLLL 30 82 LLLL ...
	if sod[0] != 0x77 || sod[1] != 0x82 || sod[4] != 0x30 || sod[5] != 0x82 {
		t.Fatalf("%x", sod[:8])
	}
	edit := func(f func([]byte) []byte) []byte { return f(bytes.Clone(sod)) }
	for name, b := range map[string][]byte{
		"nothing":                {},
		"another tag":            edit(func(b []byte) []byte { b[0] = 0x76; return b }),
		"a tag of another class": edit(func(b []byte) []byte { b[0] = 0xB7; return b }),
		"primitive":              edit(func(b []byte) []byte { b[0] = 0x57; return b }),
		"a set for a sequence":   edit(func(b []byte) []byte { b[4] = 0x31; return b }),
		"indefinite":             edit(func(b []byte) []byte { return append(append([]byte{0x77, 0x80}, b[4:]...), 0, 0) }),
		"indefinite within":      edit(func(b []byte) []byte { b[5] = 0x80; return b }),
		"a length longer than it is": edit(func(b []byte) []byte {
			return append([]byte{0x77, 0x83, 0, b[2], b[3]}, b[4:]...)
		}),
		"a huge length":     {0x77, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30},
		"the hugest length": {0x77, 0x88, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x30},
		"a length of nine":  {0x77, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x30},
		"one byte too long": append(bytes.Clone(sod), 0),
		"one too short":     sod[:len(sod)-1],
		"deep": func() []byte {
			b := []byte{5, 0}
			for range 2000 {
				b = append([]byte{0x30, 0x83, byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b...)
			}
			return append([]byte{0x77, 0x82, byte(len(b) >> 8), byte(len(b))}, b...)
		}(),
	} {
		if _, _, err := v.securityObject(b, s.At); !errors.Is(err, ErrMalformed) {
			t.Errorf("EF.SOD, %s: %v", name, err)
		}
	}
	for number, dg := range map[int][]byte{1: s.Evidence.DG1, 13: s.Evidence.DG13, 15: s.Evidence.DG15} {
		if _, err := object(dg, number, true); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{
			"nothing": nil, "only a tag": dg[:1], "another tag": append([]byte{dg[0] ^ 1}, dg[1:]...), "bytes that follow": append(bytes.Clone(dg), 0),
			"cut off": dg[:len(dg)-1], "indefinite": append(append([]byte{dg[0], 0x80}, dg[2:]...), 0, 0), "a length in two bytes": append([]byte{dg[0], 0x81, dg[1]}, dg[2:]...),
			"a tag in two bytes": append([]byte{0x7f, byte(number)}, dg[1:]...),
		} {
			if _, err := object(b, number, true); !errors.Is(err, ErrMalformed) {
				t.Errorf("DG%d, %s: %v", number, name, err)
			}
		}
	}
}

func TestWhatHangsOnTheEndOfAStructureIsRefused(t *testing.T) {
	var x struct{ A int }
	for name, b := range map[string][]byte{
		"another element": {0x30, 6, 2, 1, 5, 2, 1, 6}, "bytes after": {0x30, 3, 2, 1, 5, 0}, "not minimal": {0x30, 4, 2, 2, 0, 5},
	} {
		if err := decode(b, &x, "thing"); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The parts of a security object by themselves, so that no signature is in the way.
func TestNothingStandsTwiceInASecurityObject(t *testing.T) {
	marshal := func(v any) []byte {
		b, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	sequence := func(tag byte, parts ...[]byte) []byte {
		return marshal(asn1.RawValue{Class: int(tag >> 6), Tag: int(tag & 0x1f), IsCompound: true, Bytes: bytes.Join(parts, nil)})
	}
	hash := sha256.Sum256([]byte("a data group"))
	group := func(number int, hash []byte) []byte { return sequence(0x30, marshal(number), marshal(hash)) }
	list := func(groups ...[]byte) []byte {
		return sequence(0x30, marshal(0), sequence(0x30, marshal(oidSHA256)), sequence(0x30, groups...))
	}
	if got, err := groupHashes(list(group(1, hash[:]), group(2, hash[:]))); err != nil || len(got) != 2 {
		t.Fatalf("%x, %v", got, err)
	}
	for name, b := range map[string][]byte{
		"DG1 twice":             list(group(1, hash[:]), group(2, hash[:]), group(1, make([]byte, 32))),
		"DG1 twice, alike":      list(group(1, hash[:]), group(1, hash[:])),
		"DG0":                   list(group(0, hash[:])),
		"DG17":                  list(group(17, hash[:])),
		"DG1 with a short hash": list(group(1, hash[:31])),
		"DG1 with a long one":   list(group(1, append(hash[:], 0))),
		"no end":                append(append([]byte{0x30, 0x80}, list(group(1, hash[:]))[2:]...), 0, 0),
	} {
		if got, err := groupHashes(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %x, %v", name, got, err)
		}
	}

	content := []byte("what is signed")
	digest := sha256.Sum256(content)
	attribute := func(oid asn1.ObjectIdentifier, values ...[]byte) []byte {
		return sequence(0x30, marshal(oid), sequence(0x31, values...))
	}
	kind, sum := attribute(oidContentType, marshal(oidSecurityObject)), attribute(oidMessageDigest, marshal(digest[:]))
	other := attribute(oidMessageDigest, marshal(append(digest[:31:31], digest[31]^1)))
	if err := checkAttributes(bytes.Join([][]byte{kind, sum}, nil), content); err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string][][]byte{
		"the type twice":             {kind, kind, sum},
		"the digest twice":           {kind, sum, sum},
		"two digests, ours first":    {kind, sum, other},
		"two digests, ours last":     {kind, other, sum},
		"a digest of two values":     {kind, attribute(oidMessageDigest, marshal(digest[:]), marshal(digest[:]))},
		"a digest of no value":       {kind, attribute(oidMessageDigest)},
		"not in order":               {sum, kind},
		"no type":                    {sum},
		"no digest":                  {kind},
		"an attribute nobody knows":  {kind, sum, attribute(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16}, marshal(1))},
		"something after the digest": {kind, sequence(0x30, marshal(oidMessageDigest), sequence(0x31, marshal(digest[:])), marshal(1))},
	} {
		if err := checkAttributes(bytes.Join(set, nil), content); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzSecurityObject(f *testing.F) {
	s, v := load(f)
	f.Add(s.Evidence.SOD)
	f.Add(s.Evidence.SOD[:100])
	f.Fuzz(func(t *testing.T, sod []byte) {
		if _, _, err := v.securityObject(sod, s.At); err == nil && !bytes.Equal(sod, s.Evidence.SOD) {
			// A signature has a second form (r, n−s); nothing else may pass.
			same := 0
			for i := range min(len(sod), len(s.Evidence.SOD)) {
				if sod[i] == s.Evidence.SOD[i] {
					same++
				}
			}
			if same < len(s.Evidence.SOD)-80 {
				t.Fatalf("a security object that nobody signed was believed: %x", sod)
			}
		}
	})
}
