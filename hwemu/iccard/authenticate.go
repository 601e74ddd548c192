package iccard

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/mrtd"
)

const cryptoSHA256 = crypto.SHA256

// getChallenge is GET CHALLENGE (§11.5.3).
func (c *Card) getChallenge(cmd iso7816.Command) iso7816.Response {
	switch {
	case cmd.P1 != 0 || cmd.P2 != 0:
		return answer(iso7816.WrongP1P2)
	case len(cmd.Data) != 0 || cmd.Expected == 0:
		return answer(iso7816.WrongLength)
	}
	n := cmd.Expected
	if n == 256 || n == 65536 {
		n = 8
	}
	if n > 64 {
		return answer(iso7816.WrongLength)
	}
	challenge := c.noise(n)
	if n == mrtd.BACNonce {
		c.session.challenge = challenge
	}
	return iso7816.Response{Data: challenge, Status: iso7816.OK}
}

// generateKeyPair is GENERATE ASYMMETRIC KEY PAIR (ISO/IEC 7816-8 §11.2): the
// private key never leaves the chip. P2 = 0 is the key that signs, P2 = 1 that of
// chip authentication.
func (c *Card) generateKeyPair(cmd iso7816.Command) iso7816.Response {
	switch {
	case cmd.P1 != 0x80 || cmd.P2 > 1:
		return answer(iso7816.WrongP1P2)
	case len(cmd.Data) != 0:
		return answer(iso7816.WrongLength)
	}
	c.busy += timeGenerate
	c.memory.step()
	var key *ecdsa.PrivateKey
	if cmd.P2 == 0 {
		c.key = c.deriveKey()
		key = c.key
	} else {
		c.chipKey = c.deriveChipKey()
		key = c.chipKey
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic("iccard: " + err.Error())
	}
	return give(cmd, iso7816.Encode(0x7F49, iso7816.Encode(0x86, point)))
}

// internalAuthenticate is INTERNAL AUTHENTICATE (§11.5.2): active authentication
// of Doc 9303 in the eMRTD application, a statement (package comment) in the
// resident application.
func (c *Card) internalAuthenticate(cmd iso7816.Command) iso7816.Response {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return answer(iso7816.WrongP1P2)
	}
	want := 8
	if c.session.application == resident {
		want = ChallengeSize
	}
	if len(cmd.Data) != want || cmd.Expected == 0 {
		return answer(iso7816.WrongLength)
	}
	c.busy += timeSign
	if c.session.application == emrtd {
		return give(cmd, signPlain(c.key, cmd.Data))
	}
	var status byte
	if c.knowsPIN() {
		status |= PINVerified
	}
	if c.tries.number() == 0 {
		status |= PINBlocked
	}
	message := append([]byte(StatementLabel), cmd.Data...)
	signature := signPlain(c.key, append(message, status))
	return give(cmd, iso7816.Encode(0x7C, iso7816.Encode(0x80, []byte{status}), iso7816.Encode(0x81, signature)))
}

// publicKey reads the answer of generateKeyPair.
func publicKey(answer []byte) (*ecdsa.PublicKey, error) {
	objects, err := iso7816.ParseObjects(answer)
	if err != nil {
		return nil, err
	}
	template, _ := iso7816.Find(objects, 0x7F49)
	point, _ := template.Child(0x86)
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point.Value)
}
