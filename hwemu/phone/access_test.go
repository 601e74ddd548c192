package phone

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/nfc"
)

const testCAN = "246813"

// protectedResident is resident with a card access number, and its MRZ.
func protectedResident(t testing.TB) (*iccard.Card, string) {
	t.Helper()
	kit, err := iccard.NewIssuerKit([]byte("a seed for tests"), day)
	if err != nil {
		t.Fatal(err)
	}
	h := residentHolder()
	h.CAN = testCAN
	card := iccard.NewBlank([]byte("entropy of one chip"))
	if err := kit.Personalise(card, h); err != nil {
		t.Fatal(err)
	}
	mrz, err := iccard.MRZ(h)
	if err != nil {
		t.Fatal(err)
	}
	return card, mrz
}

func random() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

// What is read is the same however the card was opened, and but for the signature
// of a card in the clear; what goes over the air tells nothing of it.
func TestAProtectedCardIsReadByPACEAndByBAC(t *testing.T) {
	plain, err := ReadCard(nfc.New(resident(t)), challenge, "135790", true)
	if err != nil {
		t.Fatal(err)
	}
	card, mrz := protectedResident(t)
	for name, a := range map[string]Access{
		"PACE with the CAN": {CAN: testCAN}, "PACE with the MRZ": {MRZ: mrz}, "BAC": {MRZ: mrz, Old: true},
	} {
		a.Random = random()
		tap, err := a.ReadCard(nfc.New(card), challenge, "135790", true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e := tap.Evidence
		if tap.PIN != iso7816.OK || !bytes.Equal(e.DG1, plain.Evidence.DG1) || !bytes.Equal(e.DG2, plain.Evidence.DG2) ||
			!bytes.Equal(e.Template, plain.Evidence.Template) || len(e.Signature) != 64 || e.PIN[0] != iccard.PINVerified {
			t.Errorf("%s: other evidence, PIN %v", name, tap.PIN)
		}
		if tap.Took <= plain.Took {
			t.Errorf("%s took %v, in the clear %v", name, tap.Took, plain.Took)
		}
		t.Logf("%s: %v, in the clear %v", name, tap.Took.Round(time.Millisecond), plain.Took.Round(time.Millisecond))
		for _, x := range tap.Log {
			for what, secret := range map[string][]byte{"MRZ": []byte(mrz), "PIN": []byte("135790"), "template": e.Template[:16], "CAN": []byte(testCAN), "DG2": e.DG2[20:40]} {
				if bytes.Contains(x.Command, secret) || bytes.Contains(x.Response, secret) {
					t.Errorf("%s: %s goes over the air in the clear in %s", name, what, x.What)
				}
			}
		}
	}
}

func TestAProtectedCardTellsNothingToWhoCannotOpenIt(t *testing.T) {
	card, mrz := protectedResident(t)
	if tap, err := ReadCard(nfc.New(card), challenge, "135790", false); !errors.Is(err, iso7816.SecurityNotSatisfied) || tap.Evidence.SOD != nil {
		t.Errorf("in the clear: %v", err)
	}
	other := strings.Replace(mrz, "R12345678", "R12345679", 1)
	for name, a := range map[string]Access{"another CAN": {CAN: "000000"}, "another MRZ": {MRZ: other}, "another MRZ, BAC": {MRZ: other, Old: true}} {
		a.Random = random()
		if _, err := a.ReadCard(nfc.New(card), challenge, "135790", false); !errors.Is(err, ErrWrongPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nothing is blocked, but who failed waits.
	tap, err := Access{CAN: testCAN, Random: random()}.ReadCard(nfc.New(card), challenge, "135790", false)
	if err != nil || tap.Took < 3*time.Second {
		t.Errorf("after three failures it took %v: %v", tap.Took, err)
	}
	if tap, err = (Access{CAN: testCAN, Random: random()}).ReadCard(nfc.New(card), challenge, "135790", false); err != nil || tap.Took > 3*time.Second {
		t.Errorf("after a success it took %v: %v", tap.Took, err)
	}
}

func TestACloneFailsChipAuthentication(t *testing.T) {
	card, _ := protectedResident(t)
	clone := card.CloneWithoutKey([]byte("a forger's own chip"))
	tap, err := Access{CAN: testCAN, Random: random()}.ReadCard(nfc.New(clone), challenge, "135790", false)
	if err == nil || tap.Evidence.SOD != nil || tap.Log[len(tap.Log)-1].What != "READ EF.SOD" {
		t.Errorf("%v after %s", err, tap.Log[len(tap.Log)-1].What)
	}
}
