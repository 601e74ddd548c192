package iccard

import (
	"crypto/subtle"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/mrtd"
)

// Reference data qualifiers (P2).
const (
	referencePIN  = 0x81
	referenceCode = 0x82
	referenceCAN  = 0x83 // in personalisation, as the MRZ
	referenceMRZ  = 0x84
)

// check compares a candidate with secret reference data: a try is taken off and
// kept before the comparison, and given back after it, so that whoever cuts the
// power in between has lost it.
func (c *Card) check(candidate []byte, secret, tries *cell, limit int) iso7816.Status {
	return c.attempt(tries, limit, func() bool { return subtle.ConstantTimeCompare(candidate, secret.value()) == 1 })
}

// attempt is check with any comparison.
func (c *Card) attempt(tries *cell, limit int, right func() bool) iso7816.Status {
	left := tries.number()
	if left == 0 {
		return iso7816.MethodBlocked
	}
	tries.setNumber(&c.memory, left-1)
	if !right() {
		return iso7816.TriesLeft(left - 1)
	}
	tries.setNumber(&c.memory, limit)
	return iso7816.OK
}

func validPIN(pin []byte) bool {
	for _, d := range pin {
		if d < '0' || d > '9' {
			return false
		}
	}
	return len(pin) >= 4 && len(pin) <= 8
}

// verify is VERIFY (ISO/IEC 7816-4 §11.5.6). Without data it tells the tries
// left and takes none.
func (c *Card) verify(cmd iso7816.Command) iso7816.Response {
	switch {
	case cmd.P1 != 0:
		return answer(iso7816.WrongP1P2)
	case cmd.P2 != referencePIN:
		return answer(iso7816.ReferenceNotFound)
	case len(cmd.Data) == 0 && c.knowsPIN():
		return answer(iso7816.OK)
	case len(cmd.Data) == 0 && c.tries.number() == 0:
		return answer(iso7816.MethodBlocked)
	case len(cmd.Data) == 0:
		return answer(iso7816.TriesLeft(c.tries.number()))
	case len(cmd.Data) < 4 || len(cmd.Data) > 8:
		return answer(iso7816.WrongLength)
	}
	c.forgetPIN()
	status := c.check(cmd.Data, &c.pin, &c.tries, maxTries)
	c.session.pinVerified = status == iso7816.OK
	return answer(status)
}

// changeReferenceData is CHANGE REFERENCE DATA (§11.5.7): in personalisation it
// loads PIN and resetting code, in use it changes the PIN for who knows the old
// one.
func (c *Card) changeReferenceData(cmd iso7816.Command) iso7816.Response {
	if cmd.P2 != referencePIN && (cmd.P2 < referenceCode || cmd.P2 > referenceMRZ || c.personalised()) {
		return answer(iso7816.ReferenceNotFound)
	}
	if !c.personalised() {
		switch {
		case cmd.P1 != 1:
			return answer(iso7816.WrongP1P2)
		case cmd.P2 == referencePIN && validPIN(cmd.Data):
			c.pin.set(&c.memory, cmd.Data)
		case cmd.P2 == referenceCode && len(cmd.Data) == resetCodeSize:
			c.resetCode.set(&c.memory, cmd.Data)
		case cmd.P2 == referenceCAN && validCAN(cmd.Data):
			c.can.set(&c.memory, cmd.Data)
		case cmd.P2 == referenceMRZ && len(cmd.Data) == mrzSecretSize:
			c.mrz.set(&c.memory, cmd.Data)
		default:
			return answer(iso7816.WrongData)
		}
		return answer(iso7816.OK)
	}
	old := len(c.pin.value())
	switch {
	case cmd.P1 != 0:
		return answer(iso7816.WrongP1P2)
	case len(cmd.Data) < 8 || len(cmd.Data) > 16:
		return answer(iso7816.WrongLength)
	case len(cmd.Data) <= old || !validPIN(cmd.Data[old:]):
		return answer(iso7816.WrongData)
	}
	c.forgetPIN()
	if status := c.check(cmd.Data[:old], &c.pin, &c.tries, maxTries); status != iso7816.OK {
		return answer(status)
	}
	c.pin.set(&c.memory, cmd.Data[old:])
	return answer(iso7816.OK)
}

const (
	resetCodeSize = 8
	mrzSecretSize = 20
	canSize       = 6
)

func validCAN(can []byte) bool { return len(can) == canSize && validPIN(can) }

// forgetPIN is that the PIN has to be shown again.
func (c *Card) forgetPIN() {
	c.session.pinVerified = false
	if c.session.by == mrtd.FromPIN {
		c.session.by = 0
	}
}

// resetRetryCounter is RESET RETRY COUNTER (§11.5.10): the clerk gives the
// resetting code, alone (P1 = 1) or with a new PIN (P1 = 0). It verifies nobody.
func (c *Card) resetRetryCounter(cmd iso7816.Command) iso7816.Response {
	switch {
	case cmd.P1 > 1:
		return answer(iso7816.WrongP1P2)
	case cmd.P2 != referencePIN:
		return answer(iso7816.ReferenceNotFound)
	case len(cmd.Data) < resetCodeSize, cmd.P1 == 1 && len(cmd.Data) != resetCodeSize:
		return answer(iso7816.WrongLength)
	case cmd.P1 == 0 && !validPIN(cmd.Data[resetCodeSize:]):
		return answer(iso7816.WrongData)
	}
	c.forgetPIN()
	if status := c.check(cmd.Data[:resetCodeSize], &c.resetCode, &c.codeTries, maxResetTries); status != iso7816.OK {
		return answer(status)
	}
	if cmd.P1 == 0 {
		c.pin.set(&c.memory, cmd.Data[resetCodeSize:])
	}
	c.tries.setNumber(&c.memory, maxTries)
	return answer(iso7816.OK)
}
