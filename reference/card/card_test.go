package card

import (
	"bytes"
	"crypto"
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
	"strings"
	"testing"
	"time"
)

// specimen is what was read from a card once, with the authority behind it. It
// is written by a test of sim/panel, where cards may be emulated.
type specimen struct {
	CountryCA []byte
	Challenge []byte
	At        time.Time
	Evidence  Evidence
}

func load(t testing.TB) (specimen, *Verifier) {
	t.Helper()
	raw, err := os.ReadFile("testdata/specimen.json")
	if err != nil {
		t.Fatal(err)
	}
	var s specimen
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(s.CountryCA)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}

func TestTheSpecimenIsBelieved(t *testing.T) {
	s, v := load(t)
	for range 2 { // the second time with the signer known
		got, err := v.Verify(s.Evidence, s.Challenge, s.At)
		if err != nil || got.DocumentNumber != "R12345678" || !got.PINVerified {
			t.Fatalf("%v %v", got.DocumentNumber, err)
		}
	}
}

func TestAChallengeOfAnotherLengthIsNotAnswered(t *testing.T) {
	s, v := load(t)
	for _, n := range []int{0, 8, 31, 33} {
		if _, err := v.Verify(s.Evidence, make([]byte, n), s.At); !errors.Is(err, ErrNotTheChip) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestAKnownSignerStillHasItsTime(t *testing.T) {
	s, v := load(t)
	if _, err := v.Verify(s.Evidence, s.Challenge, s.At); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(s.Evidence, s.Challenge, s.At.AddDate(20, 0, 0)); !errors.Is(err, ErrSignerExpired) {
		t.Errorf("%v", err)
	}
}

func TestMissingPartsAreMissed(t *testing.T) {
	s, v := load(t)
	for name, drop := range map[string]func(*Evidence){
		"SOD": func(e *Evidence) { e.SOD = nil }, "DG1": func(e *Evidence) { e.DG1 = nil }, "DG13": func(e *Evidence) { e.DG13 = nil },
		"DG15": func(e *Evidence) { e.DG15 = nil }, "template": func(e *Evidence) { e.Template = nil },
		"signature": func(e *Evidence) { e.Signature = nil }, "PIN": func(e *Evidence) { e.PIN = nil },
	} {
		e := s.Evidence
		drop(&e)
		if _, err := v.Verify(e, s.Challenge, s.At); err == nil {
			t.Errorf("without %s it was believed", name)
		}
	}
	e := s.Evidence
	e.DG2 = nil
	if _, err := v.Verify(e, s.Challenge, s.At); err != nil {
		t.Errorf("the portrait need not be read: %v", err)
	}
}

func TestTooMuchIsNotRead(t *testing.T) {
	s, v := load(t)
	e := s.Evidence
	e.SOD = make([]byte, maxSOD+1)
	if _, err := v.Verify(e, s.Challenge, s.At); !errors.Is(err, ErrMalformed) {
		t.Errorf("SOD: %v", err)
	}
	e = s.Evidence
	e.DG2 = make([]byte, maxDG+1)
	if _, err := v.Verify(e, s.Challenge, s.At); !errors.Is(err, ErrMalformed) {
		t.Errorf("DG2: %v", err)
	}
}

func TestMachineReadableZonesByHand(t *testing.T) {
	dg1 := func(mrz string) []byte {
		return append([]byte{0x61, byte(len(mrz) + 3), 0x5F, 0x1F, byte(len(mrz))}, mrz...)
	}
	// The specimen of Doc 9303-5 appendix B, but for the state.
	const good = "I<KORD231458907<<<<<<<<<<<<<<<" + "7408122F1204159KOR<<<<<<<<<<<6" + "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"
	if got, err := documentNumber(dg1(good)); err != nil || got != "D23145890" {
		t.Errorf("%q, %v", got, err)
	}
	change := func(at int, to string) string { return good[:at] + to + good[at+len(to):] }
	// Note j of Doc 9303-5 §4.2.2: of a number of more than nine, the rest stands in
	// 16-28, with its check digit and a filler behind it.
	long := func(rest string) string {
		number := good[5:14] + rest
		line1 := (good[:14] + "<" + rest + checkDigit(number) + strings.Repeat("<", 15))[:30]
		line2 := good[30:59]
		return line1 + line2 + checkDigit(line1[5:30]+line2[0:7]+line2[8:15]+line2[18:29]) + good[60:]
	}
	for _, rest := range []string{"7", "734", "1234567890123"} {
		if got, err := documentNumber(dg1(long(rest))); err != nil || got != good[5:14]+rest {
			t.Errorf("long number: %q, %v", got, err)
		}
	}
	for name, mrz := range map[string]string{
		"passport":               change(0, "P"),
		"another state":          change(2, "UTO"),
		"number":                 change(5, "E"),
		"check of the number":    change(14, "8"),
		"birth date":             change(30, "75"),
		"expiry":                 change(38, "13"),
		"whole":                  change(59, "7"),
		"lower case":             change(60, "e"),
		"two lines":              good[:60],
		"long number cut off":    change(14, "<"),
		"no room for the filler": long("12345678901234"),
		"no number":              change(5, "<<<<<<<<<0"),
	} {
		if got, err := documentNumber(dg1(mrz)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, b := range map[string][]byte{"none": nil, "more": append(dg1(good), 0), "another group": append([]byte{0x62}, dg1(good)[1:]...)} {
		if _, err := documentNumber(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

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
	hashes, err := v.securityObject(s.SOD, s.At)
	if err != nil {
		t.Fatal(err)
	}
	if len(hashes) != 2 || hashes[1] != sha256.Sum256([]byte("DG1")) || hashes[2] != sha256.Sum256([]byte("DG2")) {
		t.Errorf("%x", hashes)
	}
	for i := range s.SOD {
		changed := bytes.Clone(s.SOD)
		changed[i] ^= 0x20
		if _, err := v.securityObject(changed, s.At); err == nil {
			t.Errorf("byte %d was changed and nobody noticed", i)
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

func FuzzSecurityObject(f *testing.F) {
	s, v := load(f)
	f.Add(s.Evidence.SOD)
	f.Add(s.Evidence.SOD[:100])
	f.Fuzz(func(t *testing.T, sod []byte) {
		if _, err := v.securityObject(sod, s.At); err == nil && !bytes.Equal(sod, s.Evidence.SOD) {
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

func FuzzDataGroups(f *testing.F) {
	s, _ := load(f)
	f.Add(s.Evidence.DG1)
	f.Add(s.Evidence.DG13)
	f.Add(s.Evidence.DG15)
	f.Fuzz(func(t *testing.T, b []byte) {
		if number, err := documentNumber(b); err == nil && (number == "" || len(number) > 22) {
			t.Fatalf("number %q", number)
		}
		if hash, err := templateHash(b); err == nil && len(hash) != 32 {
			t.Fatal("a hash of another length")
		}
		if key, err := chipKey(b); err == nil && key.Curve != elliptic.P256() {
			t.Fatal("a key on another curve")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s, v := load(b)
	for b.Loop() {
		if _, err := v.Verify(s.Evidence, s.Challenge, s.At); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFloorP256x2 is what a verification cannot do without: the signatures
// of EF.SOD and of the chip.
func BenchmarkFloorP256x2(b *testing.B) {
	key := testKey("floor")
	digest := sha256.Sum256(nil)
	signature, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for range 2 {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signature) {
				b.Fatal("wrong")
			}
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
		if _, err := v.securityObject(b, s.At); !errors.Is(err, ErrMalformed) {
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
