package panel_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/camera"
	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
)

// Emulated hardware and the service are written apart, and may not import each
// other. Here they meet.

var (
	issueDay = time.Date(2024, 12, 27, 0, 0, 0, 0, time.UTC)
	tapDay   = time.Date(2025, 2, 14, 10, 0, 0, 0, time.UTC)
	fresh    = bytes.Repeat([]byte{0xC4}, card.ChallengeSize)
)

const testPIN = "135790"

type bench struct {
	kit      *iccard.IssuerKit
	verifier *card.Verifier
	chip     *iccard.Card
	template camera.Template
}

func newBench(t testing.TB) bench {
	t.Helper()
	kit, err := iccard.NewIssuerKit([]byte("a seed for tests"), issueDay)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := card.NewVerifier(kit.CountryCA)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	b := bench{kit, verifier, iccard.NewBlank([]byte("entropy of one chip")), camera.Model{Dimension: 128}.Identity(random).Enrol(0.53, random)}
	b.personalise(t, b.chip, "R12345678", random)
	return b
}

func (b bench) personalise(t testing.TB, chip *iccard.Card, number string, random *rand.ChaCha8) {
	t.Helper()
	if err := b.kit.Personalise(chip, iccard.Holder{
		DocumentNumber: number, Surname: "홍", GivenName: "길동", Sex: 'F', BirthDate: time.Date(1990, 1, 2, 0, 0, 0, 0, time.UTC),
		Issued: issueDay, Expires: issueDay.AddDate(10, 0, 0), Address: "세종특별자치시", PersonalNumber: "900102-2******",
		Portrait: camera.Portrait(random), Template: b.template, PIN: testPIN,
	}); err != nil {
		t.Fatal(err)
	}
}

func tapped(t testing.TB, chip *iccard.Card, challenge []byte, pin string) card.Evidence {
	t.Helper()
	tap, err := phone.ReadCard(nfc.New(chip), challenge, pin, true)
	if err != nil {
		t.Fatal(err)
	}
	return card.Evidence(tap.Evidence)
}

func TestAGenuineCardIsBelieved(t *testing.T) {
	b := newBench(t)
	got, err := b.verifier.Verify(tapped(t, b.chip, fresh, testPIN), fresh, tapDay)
	if err != nil {
		t.Fatal(err)
	}
	if want := (card.Card{DocumentNumber: "R12345678", Template: b.template, PINVerified: true, Signer: got.Signer}); got != want {
		t.Errorf("%+v", got)
	}
	if err := b.verifier.Good(got.Signer, tapDay); err != nil {
		t.Error(err)
	}
}

func TestALongDocumentNumberIsReadWhole(t *testing.T) {
	b := newBench(t)
	for _, number := range []string{"R", "R12345678", "R123456789", "RR12345678901234567890"} {
		chip := iccard.NewBlank([]byte("entropy of another chip"))
		b.personalise(t, chip, number, rand.NewChaCha8([32]byte{2}))
		got, err := b.verifier.Verify(tapped(t, chip, fresh, testPIN), fresh, tapDay)
		if err != nil || got.DocumentNumber != number {
			t.Errorf("%s was read as %q (%v)", number, got.DocumentNumber, err)
		}
	}
}

func TestACloneFails(t *testing.T) {
	b := newBench(t)
	clone := b.chip.CloneWithoutKey([]byte("a forger's own chip"))
	if _, err := b.verifier.Verify(tapped(t, clone, fresh, testPIN), fresh, tapDay); !errors.Is(err, card.ErrNotTheChip) {
		t.Errorf("%v", err)
	}
}

func TestAReplayedAnswerFails(t *testing.T) {
	b := newBench(t)
	recorded := tapped(t, b.chip, fresh, testPIN)
	if _, err := b.verifier.Verify(recorded, bytes.Repeat([]byte{0xC5}, 32), tapDay); !errors.Is(err, card.ErrNotTheChip) {
		t.Errorf("%v", err)
	}
}

func TestWithoutThePINTheCardIsGenuineAndThePINIsNotVerified(t *testing.T) {
	b := newBench(t)
	got, err := b.verifier.Verify(tapped(t, b.chip, fresh, "000000"), fresh, tapDay)
	if err != nil || got.PINVerified || got.Template != (face.Template{}) || got.DocumentNumber != "R12345678" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAPhoneCannotLieAboutThePIN(t *testing.T) {
	b := newBench(t)
	honest := tapped(t, b.chip, fresh, "000000")
	stolen := tapped(t, b.chip, bytes.Repeat([]byte{1}, 32), testPIN) // an earlier tap, with the PIN
	for name, lie := range map[string]func(*card.Evidence){
		"the status byte set":           func(e *card.Evidence) { e.PIN = []byte{iccard.PINVerified}; e.Template = stolen.Template },
		"an earlier statement replayed": func(e *card.Evidence) { e.PIN, e.Signature, e.Template = stolen.PIN, stolen.Signature, stolen.Template },
	} {
		e := honest
		lie(&e)
		if _, err := b.verifier.Verify(e, fresh, tapDay); !errors.Is(err, card.ErrNotTheChip) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nor does the eMRTD application sign statements for it: see the lengths in
	// TestTheCardAnswersWithTheStatusWordsOfISO7816.
}

func TestAnotherCardsContentFails(t *testing.T) {
	b := newBench(t)
	other := iccard.NewBlank([]byte("entropy of another chip"))
	b.personalise(t, other, "R87654321", rand.NewChaCha8([32]byte{2}))
	mine, theirs := tapped(t, b.chip, fresh, testPIN), tapped(t, other, fresh, testPIN)
	for name, mix := range map[string]func(*card.Evidence){
		"DG1":  func(e *card.Evidence) { e.DG1 = theirs.DG1 },
		"DG2":  func(e *card.Evidence) { e.DG2 = theirs.DG2 },
		"DG15": func(e *card.Evidence) { e.DG15 = theirs.DG15 },
		"SOD":  func(e *card.Evidence) { e.SOD = theirs.SOD },
		"template": func(e *card.Evidence) {
			e.Template = append([]byte{1}, e.Template[1:]...)
		},
	} {
		e := mine
		mix(&e)
		if _, err := b.verifier.Verify(e, fresh, tapDay); !errors.Is(err, card.ErrChanged) {
			t.Errorf("%s of another card: %v", name, err)
		}
	}
}

func TestAnotherCountrysCardFails(t *testing.T) {
	b := newBench(t)
	foreign, err := iccard.NewIssuerKit([]byte("another country"), issueDay)
	if err != nil {
		t.Fatal(err)
	}
	v, err := card.NewVerifier(foreign.CountryCA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(tapped(t, b.chip, fresh, testPIN), fresh, tapDay); !errors.Is(err, card.ErrUntrusted) {
		t.Errorf("%v", err)
	}
}

func TestACardsSignerHasItsTime(t *testing.T) {
	b := newBench(t)
	e := tapped(t, b.chip, fresh, testPIN)
	for _, at := range []time.Time{issueDay.Add(-time.Second), issueDay.AddDate(10, 3, 1)} {
		if _, err := b.verifier.Verify(e, fresh, at); !errors.Is(err, card.ErrSignerExpired) {
			t.Errorf("at %v: %v", at, err)
		}
	}
}

func TestEveryChangedByteOfTheEvidenceIsFound(t *testing.T) {
	b := newBench(t)
	good := tapped(t, b.chip, fresh, testPIN)
	for name, field := range map[string]func(*card.Evidence) *[]byte{
		"SOD": func(e *card.Evidence) *[]byte { return &e.SOD }, "DG1": func(e *card.Evidence) *[]byte { return &e.DG1 },
		"DG13": func(e *card.Evidence) *[]byte { return &e.DG13 }, "DG15": func(e *card.Evidence) *[]byte { return &e.DG15 },
		"template": func(e *card.Evidence) *[]byte { return &e.Template }, "signature": func(e *card.Evidence) *[]byte { return &e.Signature },
		"PIN": func(e *card.Evidence) *[]byte { return &e.PIN },
	} {
		for i := range *field(&good) {
			e := good
			f := field(&e)
			*f = bytes.Clone(*f)
			(*f)[i] ^= 0x01
			if _, err := b.verifier.Verify(e, fresh, tapDay); err == nil {
				t.Errorf("%s, byte %d was changed and nobody noticed", name, i)
			}
			*f = (*f)[:i]
			if _, err := b.verifier.Verify(e, fresh, tapDay); err == nil {
				t.Errorf("%s, cut off at byte %d, was believed", name, i)
			}
		}
	}
}

func TestTheMatcherSeesTheScoreThatACaptureWasBuiltFor(t *testing.T) {
	random := rand.NewChaCha8([32]byte{3})
	const threshold = 0.405
	m := face.Matcher{Threshold: threshold}
	for k := range 400 {
		template := camera.Model{Dimension: 128}.Identity(random).Enrol(0.53, random)
		// The grid of scores: steps of 1e-4, half a step off the threshold.
		want := threshold + (float64(k-200)+0.5)*1e-4
		// By way of the bytes that travel.
		parsed, err := face.ParseTemplate(face.Template(template).Bytes())
		if err != nil {
			t.Fatal(err)
		}
		probe, err := face.ParseProbe(face.Probe(camera.CaptureWithScore(template, want, random)).Bytes())
		if err != nil {
			t.Fatal(err)
		}
		got, ok := m.Match(parsed, probe)
		if math.Abs(got-want) > 1e-5 || ok != (want >= threshold) {
			t.Fatalf("built for %v, matched at %v: %v", want, got, ok)
		}
	}
}

func TestTheServiceAcceptsAPhonesAttestation(t *testing.T) {
	maker, err := phone.NewMaker("Test Phones", []byte("maker's seed"), issueDay)
	if err != nil {
		t.Fatal(err)
	}
	makers, err := issuance.NewMakers(maker.Root)
	if err != nil {
		t.Fatal(err)
	}
	p := phone.New(maker, []byte("phone"))
	jwt, err := p.Attest("nonce", 4, tapDay)
	if err != nil {
		t.Fatal(err)
	}
	got, err := makers.Check(jwt, "nonce", tapDay)
	if err != nil || got.Wallet != p.Wallet() || len(got.Keys) != 4 {
		t.Errorf("%+v, %v", got, err)
	}
	other, err := phone.NewMaker("Forged Phones", []byte("forger's seed"), issueDay)
	if err != nil {
		t.Fatal(err)
	}
	jwt, _ = phone.New(other, []byte("phone")).Attest("nonce", 4, tapDay)
	if _, err := makers.Check(jwt, "nonce", tapDay); !errors.Is(err, issuance.ErrAttestation) {
		t.Errorf("a phone of an unknown maker: %v", err)
	}
}

// specimen is a card's evidence as a file: reference/card, which may not know
// the emulated card, tests with it.
type specimen struct {
	Note      string
	CountryCA []byte
	Challenge []byte
	At        time.Time
	Evidence  card.Evidence
}

func TestTheSpecimenOfTheServiceIsThisCard(t *testing.T) {
	b := newBench(t)
	want, err := json.MarshalIndent(specimen{
		"Made by TestTheSpecimenOfTheServiceIsThisCard in sim/panel; ROLLCALL_WRITE_SPECIMEN=1 writes it anew.",
		b.kit.CountryCA, fresh, tapDay, tapped(t, b.chip, fresh, testPIN),
	}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	path := filepath.Join("..", "..", "reference", "card", "testdata", "specimen.json")
	if os.Getenv("ROLLCALL_WRITE_SPECIMEN") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the emulated card says: the card or its evidence changed", path)
	}
}

func TestABlockedPINIsFreedByTheClerk(t *testing.T) {
	b := newBench(t)
	for range 3 {
		tapped(t, b.chip, fresh, "000000")
	}
	tap, err := phone.ReadCard(nfc.New(b.chip), fresh, testPIN, false)
	if err != nil || tap.PIN != iso7816.MethodBlocked {
		t.Fatal(tap.PIN, err)
	}
	if got, err := b.verifier.Verify(card.Evidence(tap.Evidence), fresh, tapDay); err != nil || got.PINVerified {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, cmd := range []iso7816.Command{
		{Instruction: iso7816.Select, P1: 4, P2: 0x0C, Data: []byte(iccard.Resident)},
		{Instruction: iso7816.ResetRetryCounter, P1: 1, P2: 0x81, Data: b.kit.ResettingCode("R12345678")},
	} {
		if r, err := iso7816.ParseResponse(b.chip.Transmit(cmd.Bytes())); err != nil || r.Status != iso7816.OK {
			t.Fatal(r.Status, err)
		}
	}
	if got, err := b.verifier.Verify(tapped(t, b.chip, fresh, testPIN), fresh, tapDay); err != nil || !got.PINVerified {
		t.Errorf("%+v, %v", got, err)
	}
}

func BenchmarkTapAndVerify(b *testing.B) {
	s := newBench(b)
	for b.Loop() {
		if _, err := s.verifier.Verify(tapped(b, s.chip, fresh, testPIN), fresh, tapDay); err != nil {
			b.Fatal(err)
		}
	}
}
