package phone

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/camera"
	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/reference/mdoc"
)

var day = time.Date(2025, 2, 14, 0, 0, 0, 0, time.UTC)

func maker(t testing.TB) *Maker {
	m, err := NewMaker("Test Phones", []byte("maker's seed"), day.AddDate(-1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func residentHolder() iccard.Holder {
	random := rand.NewChaCha8([32]byte{1})
	return iccard.Holder{
		DocumentNumber: "R12345678", Surname: "홍", GivenName: "길동", Sex: 'F',
		BirthDate: time.Date(1990, 1, 2, 0, 0, 0, 0, time.UTC), Issued: day, Expires: day.AddDate(10, 0, 0),
		Portrait: camera.Portrait(random), Template: camera.Model{Dimension: 128}.Identity(random).Enrol(0.5, random), PIN: "135790",
	}
}

func resident(t testing.TB) *iccard.Card {
	kit, err := iccard.NewIssuerKit([]byte("a seed for tests"), day)
	if err != nil {
		t.Fatal(err)
	}
	card := iccard.NewBlank([]byte("entropy of one chip"))
	if err := kit.Personalise(card, residentHolder()); err != nil {
		t.Fatal(err)
	}
	return card
}

// attestation takes a key attestation apart and checks it with nothing but the
// standard library.
func attestation(t *testing.T, m *Maker, jwt string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	var raw [3][]byte
	for i := range raw {
		var err error
		if raw[i], err = base64.RawURLEncoding.DecodeString(parts[i]); err != nil {
			t.Fatal(err)
		}
	}
	json.Unmarshal(raw[0], &header)
	json.Unmarshal(raw[1], &claims)
	leafDER, err := base64.StdEncoding.DecodeString(header["x5c"].([]any)[0].(string))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(leafDER)
	if err != nil {
		t.Fatal(err)
	}
	root, _ := x509.ParseCertificate(m.Root)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: day, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(leaf.PublicKey.(*ecdsa.PublicKey), digest[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])) {
		t.Fatal("the signature is wrong")
	}
	return header, claims
}

func TestAKeyAttestationIsThatOfOpenID4VCI(t *testing.T) {
	m := maker(t)
	p := New(m, []byte("phone"))
	jwt, err := p.Attest("a nonce", 3, day)
	if err != nil {
		t.Fatal(err)
	}
	header, claims := attestation(t, m, jwt)
	if header["alg"] != "ES256" || header["typ"] != "key-attestation+jwt" || len(header["x5c"].([]any)) != 1 {
		t.Errorf("header %v", header)
	}
	if claims["nonce"] != "a nonce" || claims["sub"] != p.Wallet() || claims["iat"] != float64(day.Unix()) || len(claims["attested_keys"].([]any)) != 3 {
		t.Errorf("claims %v", claims)
	}
}

func TestKeysAreMadeOfTheSeedAndNeverTwice(t *testing.T) {
	m := maker(t)
	a, b, other := New(m, []byte("phone")), New(m, []byte("phone")), New(m, []byte("another"))
	first, _ := a.Attest("n", 2, day)
	same, _ := b.Attest("n", 2, day)
	next, _ := a.Attest("n", 2, day)
	foreign, _ := other.Attest("n", 2, day)
	if first != same {
		t.Error("the same seed gave other keys or signatures")
	}
	if first == next || first == foreign || a.Wallet() == other.Wallet() {
		t.Error("two attestations are alike")
	}
}

// issued gives a phone a card of n copies and returns what verifies it.
func issued(t testing.TB, p *Phone, n int) *mdoc.TrustAnchors {
	t.Helper()
	key := func(label string) *ecdsa.PrivateKey {
		sum := sha256.Sum256([]byte(label))
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	spec := mdoc.CertificateSpec{Serial: bytes.Repeat([]byte{0x41}, 16), CommonName: "Test IACA", NotBefore: day.AddDate(-1, 0, 0), NotAfter: day.AddDate(5, 0, 0)}
	iaca, err := mdoc.NewIACA(key("iaca"), mdoc.IACASpec{CertificateSpec: spec, Country: "KR", Contact: "https://example.kr", CRL: "https://example.kr/crl"})
	if err != nil {
		t.Fatal(err)
	}
	spec.CommonName, spec.NotAfter = "Test DS", day.AddDate(0, 3, 0)
	ds, err := mdoc.NewDocumentSigner(iaca, &key("ds").PublicKey, spec)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := mdoc.NewKeySigner(key("ds"), ds)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Attest("n", n, day); err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{2})
	var copies [][]byte
	for i := range n {
		elements := []mdoc.Element{{Name: "family_name", Value: "홍"}, {Name: "age_over_19", Value: true}, {Name: "resident_address", Value: "세종"}}
		c, err := mdoc.Issue(signer, random, &p.keys[i].PublicKey, elements, mdoc.Validity{Signed: day, From: day, Until: day.AddDate(3, 0, 0)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		copies = append(copies, c)
	}
	if err := p.Accept(copies); err != nil {
		t.Fatal(err)
	}
	anchors, err := mdoc.NewTrustAnchors(iaca.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	return anchors
}

func TestAPresentationShowsWhatWasAskedForAndNoMore(t *testing.T) {
	p := New(maker(t), []byte("phone"))
	anchors := issued(t, p, 2)
	transcript := mdoc.OpenID4VPTranscript("x509_hash:abc", "nonce", nil, "https://verifier.example/response")
	response, _, err := p.Present([]string{"age_over_19"}, transcript)
	if err != nil {
		t.Fatal(err)
	}
	got, err := mdoc.Verify(response, transcript, anchors, day.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Elements) != 1 || got.Elements[0] != (mdoc.Element{Name: "age_over_19", Value: true}) {
		t.Errorf("shown: %v", got.Elements)
	}
}

func TestCopiesAreShownInTurn(t *testing.T) {
	p := New(maker(t), []byte("phone"))
	issued(t, p, 3)
	transcript := mdoc.OpenID4VPTranscript("x509_hash:abc", "nonce", nil, "https://verifier.example/response")
	var order []int
	for range 6 {
		_, which, err := p.Present(nil, transcript)
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, which)
	}
	for i, which := range order {
		if which != i%3 {
			t.Fatalf("order %v", order)
		}
	}
}

func TestANewPhoneIsEmpty(t *testing.T) {
	m := maker(t)
	old := New(m, []byte("old phone"))
	issued(t, old, 1)
	if _, _, err := New(m, []byte("new phone")).Present(nil, nil); !errors.Is(err, ErrNoCard) {
		t.Errorf("a new phone presents: %v", err)
	}
	if old.Copies() != 1 {
		t.Error("the old one lost its card by it")
	}
}

func TestCopiesThatDoNotFitTheAttestedKeysAreRefused(t *testing.T) {
	p := New(maker(t), []byte("phone"))
	p.Attest("n", 2, day)
	for _, copies := range [][][]byte{nil, {{1}}, {{1}, {2}, {3}}} {
		if err := p.Accept(copies); err == nil {
			t.Errorf("%d copies were taken for 2 keys", len(copies))
		}
	}
}

var challenge = bytes.Repeat([]byte{0x5A}, iccard.ChallengeSize)

func TestATapReadsWhatTheServerNeeds(t *testing.T) {
	tap, err := ReadCard(nfc.New(resident(t)), challenge, "135790", true)
	if err != nil {
		t.Fatal(err)
	}
	e := tap.Evidence
	for name, content := range map[string][]byte{"SOD": e.SOD, "DG1": e.DG1, "DG2": e.DG2, "DG13": e.DG13, "DG15": e.DG15} {
		if _, _, rest, err := iso7816.Next(content); err != nil || len(rest) != 0 {
			t.Errorf("%s is not one data object: %v, %d more", name, err, len(rest))
		}
	}
	if len(e.Template) != 512 || len(e.Signature) != 64 || len(e.PIN) != 1 || tap.PIN != iso7816.OK {
		t.Errorf("template %d, signature %d, status %X, PIN %v", len(e.Template), len(e.Signature), e.PIN, tap.PIN)
	}
}

func TestAWrongPINIsNoErrorAndGivesNoTemplate(t *testing.T) {
	tap, err := ReadCard(nfc.New(resident(t)), challenge, "000000", false)
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := tap.PIN.Tries(); !ok || n != 2 || len(tap.Evidence.Template) != 0 || tap.Evidence.PIN[0] != 0 || len(tap.Evidence.DG2) != 0 {
		t.Errorf("PIN %v, status %X, template of %d", tap.PIN, tap.Evidence.PIN, len(tap.Evidence.Template))
	}
}

func TestTheLogOfATapDoesNotHoldThePIN(t *testing.T) {
	tap, err := ReadCard(nfc.New(resident(t)), challenge, "135790", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tap.Log {
		if bytes.Contains(x.Command, []byte("135790")) || strings.Contains(x.String(), hex.EncodeToString([]byte("135790"))) {
			t.Errorf("it does: %s", x)
		}
	}
}

func TestATapTakesTheTimeOfItsExchanges(t *testing.T) {
	times := map[int]time.Duration{}
	for _, rate := range []int{106, 848} {
		link := nfc.New(resident(t))
		link.BitRate = rate
		tap, err := ReadCard(link, challenge, "135790", false)
		if err != nil {
			t.Fatal(err)
		}
		var sum time.Duration
		for _, x := range tap.Log {
			sum += x.Took
		}
		if activation := tap.Took - sum; activation < 5*time.Millisecond || activation > 30*time.Millisecond {
			t.Errorf("activation took %v", activation)
		}
		times[rate] = tap.Took
	}
	// The chip's work and the phone's software do not get faster with the link.
	if times[848] >= times[106] || times[106] > time.Second || times[848] < 100*time.Millisecond {
		t.Errorf("%v at 106 kbit/s, %v at 848", times[106], times[848])
	}
}

func TestATapTornAnywhereCanBeDoneAgain(t *testing.T) {
	whole := nfc.New(resident(t))
	if _, err := ReadCard(whole, challenge, "135790", false); err != nil {
		t.Fatal(err)
	}
	card := resident(t)
	for at := 0; at < whole.Bytes(); at += 7 {
		link := nfc.New(card)
		link.Tear(at, at%11)
		if _, err := ReadCard(link, challenge, "135790", false); !errors.Is(err, nfc.ErrTagLost) {
			t.Fatalf("torn at byte %d: %v", at, err)
		}
		if tap, err := ReadCard(nfc.New(card), challenge, "135790", false); err != nil || tap.PIN != iso7816.OK {
			t.Fatalf("after a tear at byte %d: %v, PIN %v", at, err, tap.PIN)
		}
	}
}

func TestACardOfAnotherKindIsNoResidentCard(t *testing.T) {
	if _, err := ReadCard(nfc.New(iccard.NewBlank([]byte("entropy of one chip"))), challenge, "135790", false); err == nil {
		t.Error("a blank chip was read")
	}
}

// boundless answers every READ BINARY with as much as was asked for, and a file's
// first bytes with a length of 40,000.
type boundless struct {
	*iccard.Card
	t        *testing.T
	endless  byte // short identifier of the file; the others are the chip's
	current  byte
	commands int
}

func (b *boundless) Transmit(raw []byte) []byte {
	b.commands++
	cmd, err := iso7816.ParseCommand(raw)
	if err != nil {
		b.t.Fatal(err)
	}
	named := cmd.Instruction == iso7816.ReadBinary && cmd.P1&0x80 != 0
	if named && b.current == b.endless {
		b.t.Fatalf("reading on, the phone names file %d", cmd.P1&0x1F)
	}
	if named {
		b.current = cmd.P1 & 0x1F
	}
	answer := b.Card.Transmit(raw)
	if cmd.Instruction == iso7816.ReadBinary && b.current == b.endless {
		data := make([]byte, cmd.Expected)
		if named {
			copy(data, []byte{0x6D, 0x82, 40_000 >> 8, 40_000 & 0xFF})
		}
		return iso7816.Response{Data: data, Status: iso7816.OK}.Bytes()
	}
	return answer
}

func TestAFileWithoutEndIsGivenUp(t *testing.T) {
	for name, file := range map[string]byte{"DG13": 13, "face template": 2} {
		card := &boundless{Card: resident(t), t: t, endless: file}
		_, err := ReadCard(nfc.New(card), challenge, "135790", false)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "32768") {
			t.Errorf("%s: %v", name, err)
		}
		if card.commands > 200 {
			t.Errorf("%s: %d commands", name, card.commands)
		}
	}
}

func TestAStatementSaysEachThingOnce(t *testing.T) {
	status, signature := iso7816.Encode(0x80, []byte{1}), iso7816.Encode(0x81, make([]byte, 64))
	if got, _, err := statement(iso7816.Encode(0x7C, status, signature)); err != nil || !bytes.Equal(got, []byte{1}) {
		t.Fatalf("%X, %v", got, err)
	}
	for name, answer := range map[string][]byte{
		"nothing":          nil,
		"the status twice": iso7816.Encode(0x7C, status, iso7816.Encode(0x80, []byte{0}), signature),
		"two signatures":   iso7816.Encode(0x7C, status, signature, signature),
		"no signature":     iso7816.Encode(0x7C, status),
		"another order":    iso7816.Encode(0x7C, signature, status),
		"another tag":      iso7816.Encode(0x7D, status, signature),
		"two statements":   bytes.Repeat(iso7816.Encode(0x7C, status, signature), 2),
		"nested deep":      iso7816.Encode(0x7C, iso7816.Encode(0x7C, status, signature)),
		"no end":           slices.Concat([]byte{0x7C, 0x80}, status, signature, []byte{0, 0}),
		"a huge length":    slices.Concat([]byte{0x7C, 0x84, 0xFF, 0xFF, 0xFF, 0xFF}, status, signature),
	} {
		if status, signature, err := statement(answer); err == nil {
			t.Errorf("%s: read as %X, %X", name, status, signature)
		}
	}
}

func BenchmarkAttest(b *testing.B) {
	p := New(maker(b), []byte("phone"))
	for b.Loop() {
		p.Attest("n", 4, day)
	}
}

func BenchmarkTap(b *testing.B) {
	card := resident(b)
	for b.Loop() {
		if _, err := ReadCard(nfc.New(card), challenge, "135790", false); err != nil {
			b.Fatal(err)
		}
	}
}
