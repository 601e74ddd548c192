package iccard

import (
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/mrtd"
)

// How a protected chip is opened (Doc 9303-11 §4): by PACE with CAN, MRZ or PIN,
// or by BAC with the MRZ; and how it then proves to be the one that was signed
// for, by chip authentication (§6.2).
//
// CAN and MRZ are printed on the card, so nothing blocks them: who fails waits,
// longer with each failure. The PIN has its tries, those of VERIFY; with one left
// it is suspended, and only who has opened the chip with the CAN may take it (BSI
// TR-03110-2 §2.4.2), so that nobody blocks a card in passing.

const (
	delayStep    = time.Second // for each failure in a row [A]
	longestDelay = 10          // steps
)

// security is what MSE:SET AT has set, and how far the protocol got.
type security struct {
	chip     bool // chip authentication; otherwise PACE
	password mrtd.Password
	curve    mrtd.Curve
	step     int
	run      *mrtd.PACE
}

// manageSecurity is MSE:SET AT (ISO/IEC 7816-4 §11.5.11; Doc 9303-11 §4.4.4.1,
// §6.2.4.1).
func (c *Card) manageSecurity(cmd iso7816.Command) iso7816.Response {
	const forPACE, forChip = 0xC1, 0x41
	if cmd.P2 != 0xA4 || cmd.P1 != forPACE && cmd.P1 != forChip {
		return answer(iso7816.WrongP1P2)
	}
	objects, err := iso7816.ParseObjects(cmd.Data)
	if err != nil || len(objects) == 0 || objects[0].Tag != 0x80 {
		return answer(iso7816.WrongData)
	}
	protocol := string(objects[0].Value)
	objects = objects[1:]
	byteOf := func(tag iso7816.Tag) (b byte, there, ok bool) {
		if len(objects) == 0 || objects[0].Tag != tag {
			return 0, false, true
		}
		if len(objects[0].Value) == 1 {
			b, ok = objects[0].Value[0], true
		}
		objects = objects[1:]
		return b, true, ok
	}
	if cmd.P1 == forChip {
		key, there, ok := byteOf(0x84)
		switch {
		case !ok || len(objects) > 0 || protocol != string(mrtd.OIDChip()):
			return answer(iso7816.WrongData)
		case there && key != 0: // there is one key, which has no number
			return answer(iso7816.ReferenceNotFound)
		case c.session.channel == nil:
			return answer(iso7816.SecurityNotSatisfied)
		}
		c.session.security = &security{chip: true}
		return answer(iso7816.OK)
	}
	password, there, ok := byteOf(0x83)
	parameters, chosen, ok2 := byteOf(0x84)
	if !ok || !ok2 || !there || len(objects) > 0 || protocol != string(mrtd.OIDPACE()) {
		return answer(iso7816.WrongData)
	}
	s := &security{password: mrtd.Password(password), curve: mrtd.Curve(parameters)}
	if !chosen {
		s.curve = mrtd.Curves[0]
	}
	if s.password < mrtd.FromMRZ || s.password > mrtd.FromPIN || s.curve != mrtd.P256 && s.curve != mrtd.BrainpoolP256r1 {
		return answer(iso7816.ReferenceNotFound)
	}
	c.session.security = s
	if left := c.tries.number(); s.password == mrtd.FromPIN && left < maxTries {
		return answer(iso7816.TriesLeft(left)) // a warning: the reader should tell
	}
	return answer(iso7816.OK)
}

// generalAuthenticate is GENERAL AUTHENTICATE (ISO/IEC 7816-4 §11.5.5): a step of
// PACE (Doc 9303-11 §4.4.4.2), or chip authentication. A step that fails, or comes
// out of turn, ends the protocol.
func (c *Card) generalAuthenticate(cmd iso7816.Command) iso7816.Response {
	s := c.session.security
	c.session.security = nil
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return answer(iso7816.WrongP1P2)
	}
	objects, err := iso7816.ParseObjects(cmd.Data)
	switch {
	case err != nil || len(objects) != 1 || objects[0].Tag != 0x7C || len(objects[0].Children) > 1:
		return answer(iso7816.WrongData)
	case s == nil:
		return answer(iso7816.ConditionsNotSatisfied)
	case cmd.Expected == 0:
		return answer(iso7816.WrongLength)
	}
	var tag iso7816.Tag // 0: an empty template
	var value []byte
	if len(objects[0].Children) == 1 {
		tag, value = objects[0].Children[0].Tag, objects[0].Children[0].Value
	}
	if s.chip {
		if tag != 0x80 || cmd.Chained() {
			return answer(iso7816.WrongData)
		}
		return c.authenticateChip(cmd, value)
	}
	step := &paceSteps[s.step]
	if tag != step.tag {
		return answer(iso7816.WrongData)
	}
	if cmd.Chained() == (s.step == len(paceSteps)-1) {
		return answer(iso7816.ConditionsNotSatisfied)
	}
	value, status := step.perform(c, s, value)
	if status != iso7816.OK {
		return answer(status)
	}
	if s.step++; s.step < len(paceSteps) {
		c.session.security = s
	}
	return give(cmd, iso7816.Encode(0x7C, iso7816.Encode(step.answer, value)))
}

// paceSteps are what a reader sends and what the chip answers.
var paceSteps = [...]struct {
	tag, answer iso7816.Tag
	perform     func(*Card, *security, []byte) ([]byte, iso7816.Status)
}{
	{0x00, 0x80, (*Card).encryptNonce},
	{0x81, 0x82, (*Card).mapNonce},
	{0x83, 0x84, (*Card).agreeOnKeys},
	{0x85, 0x86, (*Card).checkToken},
}

// encryptNonce begins a run: the nonce under the password.
func (c *Card) encryptNonce(s *security, _ []byte) ([]byte, iso7816.Status) {
	var secret []byte
	switch s.password {
	case mrtd.FromPIN:
		switch left := c.tries.number(); {
		case left == 0:
			return nil, iso7816.MethodBlocked
		case left == 1 && c.session.by != mrtd.FromCAN:
			return nil, iso7816.ConditionsNotSatisfied // suspended
		}
		secret = c.pin.value()
	case mrtd.FromCAN:
		secret = c.can.value()
		c.wait()
	default:
		secret = c.mrz.value()
		c.wait()
	}
	nonce := c.noise(mrtd.NonceSize)
	s.run = mrtd.NewPACE(s.curve, nonce, s.curve.Scalar(c.noise(mrtd.ScalarRandom)), s.curve.Scalar(c.noise(mrtd.ScalarRandom)))
	return mrtd.EncryptNonce(secret, nonce), iso7816.OK
}

// mapNonce answers with the chip's own mapping point.
func (c *Card) mapNonce(s *security, peer []byte) ([]byte, iso7816.Status) {
	c.busy += 3 * timeMultiply
	own, err := s.run.MappingPoint()
	if err == nil {
		_, err = s.run.Map(peer)
	}
	if err != nil {
		return nil, iso7816.VerificationFailed
	}
	return own, iso7816.OK
}

func (c *Card) agreeOnKeys(s *security, peer []byte) ([]byte, iso7816.Status) {
	c.busy += 2 * timeMultiply
	if err := s.run.Agree(peer); err != nil {
		return nil, iso7816.VerificationFailed
	}
	return s.run.Point(), iso7816.OK
}

// checkToken judges whether the reader knows the password.
func (c *Card) checkToken(s *security, token []byte) ([]byte, iso7816.Status) {
	right := func() bool { return s.run.Check(token) == nil }
	var status iso7816.Status
	if s.password == mrtd.FromPIN {
		status = c.attempt(&c.tries, maxTries, right)
	} else {
		status = c.attemptPrinted(right)
	}
	if status != iso7816.OK {
		return nil, status
	}
	c.session.next, c.session.by, c.session.pinVerified = s.run.Channel(), s.password, false
	return s.run.Token(), iso7816.OK
}

// wait is the delay after failures.
func (c *Card) wait() { c.busy += time.Duration(c.failures.number()) * delayStep }

// attemptPrinted compares a password that is printed on the card. A failure is
// kept before the comparison and taken back after it, so that cutting the power
// saves nobody the delay.
func (c *Card) attemptPrinted(right func() bool) iso7816.Status {
	if failed := c.failures.number(); failed < longestDelay {
		c.failures.setNumber(&c.memory, failed+1)
	}
	if !right() {
		return iso7816.VerificationFailed
	}
	c.failures.setNumber(&c.memory, 0)
	return iso7816.OK
}

// externalAuthenticate is EXTERNAL AUTHENTICATE (ISO/IEC 7816-4 §11.5.4) of BAC
// (Doc 9303-11 §4.3.4.2).
func (c *Card) externalAuthenticate(cmd iso7816.Command) iso7816.Response {
	challenge := c.session.challenge
	c.session.challenge = nil
	switch {
	case cmd.P1 != 0 || cmd.P2 != 0:
		return answer(iso7816.WrongP1P2)
	case len(cmd.Data) != mrtd.BACMessage || cmd.Expected < mrtd.BACMessage:
		return answer(iso7816.WrongLength)
	case challenge == nil || c.session.channel != nil:
		return answer(iso7816.ConditionsNotSatisfied)
	}
	c.wait()
	side := mrtd.NewBAC(c.mrz.value(), challenge, c.noise(mrtd.BACKey))
	var reply []byte
	var channel *mrtd.Channel
	status := c.attemptPrinted(func() (right bool) {
		var err error
		reply, channel, err = side.Answer(cmd.Data)
		return err == nil
	})
	if status != iso7816.OK {
		return answer(status)
	}
	c.session.next, c.session.by = channel, mrtd.FromMRZ
	return give(cmd, reply)
}

// authenticateChip re-keys secure messaging with the secret that the chip's
// static key shares with the reader's fresh one: what comes next is read only by
// who has that key.
func (c *Card) authenticateChip(cmd iso7816.Command, point []byte) iso7816.Response {
	c.busy += timeMultiply
	scalar, err := c.chipKey.Bytes()
	if err != nil {
		panic("iccard: " + err.Error())
	}
	secret, err := mrtd.P256.Agree(scalar, point)
	if err != nil {
		return answer(iso7816.VerificationFailed)
	}
	c.session.next = mrtd.Authenticated(secret)
	return give(cmd, iso7816.Encode(0x7C))
}
