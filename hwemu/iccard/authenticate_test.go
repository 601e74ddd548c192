package iccard

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"testing"

	"rollcall.example/rollcall/hwemu/iso7816"
)

// What the chip proves.

// chipKey reads DG15.
func chipKey(t testing.TB, c *Card) *ecdsa.PublicKey {
	send(t, c, selectEMRTD)
	_, spki, _, err := iso7816.Next(read(t, c, 15))
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PublicKey)
}

func verifies(key *ecdsa.PublicKey, message, plain []byte) bool {
	digest := sha256.Sum256(message)
	return len(plain) == 64 && ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(plain[:32]), new(big.Int).SetBytes(plain[32:]))
}

func TestActiveAuthenticationSucceedsWithTheChipAndFailsWithItsClone(t *testing.T) {
	genuine := personalised(t)
	clone := genuine.CloneWithoutKey([]byte("a forger's own chip"))
	key := chipKey(t, genuine)
	if other := chipKey(t, clone); !other.Equal(key) {
		t.Fatal("the clone shows another key: passive authentication would find it, which is not the point")
	}
	challenge := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for c, want := range map[*Card]bool{genuine: true, clone: false} {
		signature, status := send(t, c, "00880000 08 0102030405060708 00")
		if status != iso7816.OK || verifies(key, challenge, signature) != want {
			t.Errorf("status %v, genuine %v", status, !want)
		}
	}
}

func TestAStatementTellsThePINTruthfully(t *testing.T) {
	c := personalised(t)
	key := chipKey(t, c)
	state := func() byte {
		answer, status := send(t, c, statement)
		objects, err := iso7816.ParseObjects(answer)
		if err != nil || status != iso7816.OK {
			t.Fatal(err, status)
		}
		o, _ := iso7816.Find(objects, 0x7C)
		flags, _ := o.Child(0x80)
		signature, _ := o.Child(0x81)
		challenge := make([]byte, 32)
		for i := range challenge {
			challenge[i] = byte(i)
		}
		message := append(append([]byte(StatementLabel), challenge...), flags.Value[0])
		if !verifies(key, message, signature.Value) {
			t.Fatal("the statement is not signed by the chip")
		}
		if message[len(message)-1] ^= PINVerified; verifies(key, message, signature.Value) {
			t.Fatal("the statement says both")
		}
		return flags.Value[0]
	}
	send(t, c, selectResident)
	for _, step := range []struct {
		command string
		want    byte
	}{{askTries, 0}, {wrongPIN, 0}, {rightPIN, PINVerified}, {selectResident, 0}, {wrongPIN, 0}, {wrongPIN, 0}, {wrongPIN, PINBlocked}} {
		send(t, c, step.command)
		if got := state(); got != step.want {
			t.Errorf("after %s: status %02X, want %02X", step.command, got, step.want)
		}
	}
}

func TestChallengesDiffer(t *testing.T) {
	c := personalised(t)
	a, _ := send(t, c, "00840000 08")
	c.Reset()
	b, _ := send(t, c, "00840000 08")
	if len(a) != 8 || bytes.Equal(a, b) {
		t.Errorf("%X and %X", a, b)
	}
}
