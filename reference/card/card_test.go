package card

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
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
