package phone

import (
	"errors"
	"fmt"
	"io"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/mrtd"
	"rollcall.example/rollcall/hwemu/nfc"
)

// Access is how a phone opens a protected card (ICAO Doc 9303-11 §4.2): by PACE
// with the card access number, or else with the machine readable zone; by BAC
// with the latter where the card or the phone knows no PACE. The zero Access
// reads in the clear.
type Access struct {
	CAN string // six digits, printed on the front
	MRZ string // three lines of 30 in one
	// Old is a phone that knows BAC alone.
	Old bool
	// Random makes the reader's keys.
	Random io.Reader
}

// ErrWrongPassword: the card did not open.
var ErrWrongPassword = errors.New("this card has another access number or machine readable zone: read it off the card once more")

func (a Access) clear() bool { return a.CAN == "" && a.MRZ == "" }

func (a Access) draw(n int) ([]byte, error) {
	b := make([]byte, n)
	if a.Random == nil {
		return nil, errors.New("phone: opening a card needs randomness")
	}
	if _, err := io.ReadFull(a.Random, b); err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	return b, nil
}

// ReadCard is the function ReadCard for a card that has to be opened first. All
// that follows goes through secure messaging, re-keyed by chip authentication
// where the card can do it.
func (a Access) ReadCard(link *nfc.Link, challenge []byte, pin string, portrait bool) (*Tap, error) {
	t := &Tap{}
	return t, t.read(link, a, challenge, pin, portrait)
}

// open opens the card as EF.CardAccess says it can be.
func (t *Tap) open(link *nfc.Link, a Access) error {
	if a.clear() {
		return nil
	}
	var can mrtd.Capabilities
	if !a.Old {
		content, err := t.readObject(link, "EF.CardAccess", 0x1C)
		switch {
		case errors.Is(err, iso7816.FileNotFound): // a card before PACE
		case err != nil:
			return err
		default:
			if can, err = mrtd.ParseSecurityInfos(content); err != nil {
				return fmt.Errorf("EF.CardAccess: %w", err)
			}
		}
	}
	switch {
	case len(can.Curves) > 0 && a.CAN != "":
		return t.pace(link, a, can.Curves[0], mrtd.FromCAN, []byte(a.CAN))
	case a.MRZ == "":
		return errors.New("phone: this card opens with its machine readable zone alone")
	}
	secret, err := mrtd.MRZSecret(a.MRZ)
	switch {
	case err != nil:
		return err
	case len(can.Curves) > 0:
		return t.pace(link, a, can.Curves[0], mrtd.FromMRZ, secret)
	}
	return t.bac(link, a, secret)
}

// pace is PACE with generic mapping (§4.4).
func (t *Tap) pace(link *nfc.Link, a Access, curve mrtd.Curve, password mrtd.Password, secret []byte) error {
	_, err := t.must(link, "MSE:SET AT, PACE", iso7816.Command{Instruction: iso7816.ManageSecurity, P1: 0xC1, P2: 0xA4,
		Data: append(iso7816.Encode(0x80, mrtd.OIDPACE()), 0x83, 1, byte(password), 0x84, 1, byte(curve))})
	if err != nil {
		return err
	}
	step := func(what string, class byte, tag, want iso7816.Tag, value []byte) ([]byte, error) {
		var inner []byte
		if tag != 0 {
			inner = iso7816.Encode(tag, value)
		}
		r, err := t.exchange(link, "GENERAL AUTHENTICATE, "+what, iso7816.Command{Class: class, Instruction: iso7816.GeneralAuthenticate,
			Data: iso7816.Encode(0x7C, inner), Expected: 256})
		switch {
		case err != nil:
			return nil, err
		case r.Status == iso7816.VerificationFailed:
			return nil, ErrWrongPassword
		case r.Status != iso7816.OK:
			return nil, fmt.Errorf("GENERAL AUTHENTICATE, %s: %w", what, r.Status)
		}
		objects, err := iso7816.ParseObjects(r.Data)
		if err != nil || len(objects) != 1 || objects[0].Tag != 0x7C || len(objects[0].Children) != 1 || objects[0].Children[0].Tag != want {
			return nil, fmt.Errorf("GENERAL AUTHENTICATE, %s: the card answers something else", what)
		}
		return objects[0].Children[0].Value, nil
	}
	encrypted, err := step("nonce", iso7816.ClassChained, 0, 0x80, nil)
	if err != nil {
		return err
	}
	nonce, err := mrtd.DecryptNonce(secret, encrypted)
	if err != nil {
		return err
	}
	random, err := a.draw(2 * mrtd.ScalarRandom)
	if err != nil {
		return err
	}
	p := mrtd.NewPACE(curve, nonce, curve.Scalar(random[:mrtd.ScalarRandom]), curve.Scalar(random[mrtd.ScalarRandom:]))
	point, err := p.MappingPoint()
	if err != nil {
		return err
	}
	if point, err = step("mapping", iso7816.ClassChained, 0x81, 0x82, point); err != nil {
		return err
	}
	if point, err = p.Map(point); err != nil {
		return err
	}
	if point, err = step("key agreement", iso7816.ClassChained, 0x83, 0x84, point); err != nil {
		return err
	}
	if err = p.Agree(point); err != nil {
		return err
	}
	token, err := step("tokens", 0, 0x85, 0x86, p.Token())
	if err != nil {
		return err
	}
	if err := p.Check(token); err != nil {
		return fmt.Errorf("this is no card that knows its own password: %w", err)
	}
	t.channel = p.Channel()
	return nil
}

// bac is Basic Access Control (§4.3).
func (t *Tap) bac(link *nfc.Link, a Access, secret []byte) error {
	if err := t.selectApplication(link, "eMRTD", iccard.EMRTD); err != nil {
		return err
	}
	r, err := t.must(link, "GET CHALLENGE", iso7816.Command{Instruction: iso7816.GetChallenge, Expected: mrtd.BACNonce})
	if err != nil {
		return err
	}
	random, err := a.draw(mrtd.BACNonce + mrtd.BACKey)
	if err != nil {
		return err
	}
	if len(r.Data) != mrtd.BACNonce {
		return errors.New("GET CHALLENGE: the card answers something else")
	}
	nonce := append([]byte(nil), r.Data...)
	side := mrtd.NewBAC(secret, random[:mrtd.BACNonce], random[mrtd.BACNonce:])
	r, err = t.exchange(link, "EXTERNAL AUTHENTICATE, BAC", iso7816.Command{Instruction: iso7816.ExternalAuthenticate, Data: side.Request(nonce), Expected: mrtd.BACMessage})
	switch {
	case err != nil:
		return err
	case r.Status == iso7816.VerificationFailed:
		return ErrWrongPassword
	case r.Status != iso7816.OK:
		return fmt.Errorf("EXTERNAL AUTHENTICATE, BAC: %w", r.Status)
	}
	if t.channel, err = side.Finish(nonce, r.Data); err != nil {
		return fmt.Errorf("this is no card that knows its own password: %w", err)
	}
	return nil
}

// authenticateChip is chip authentication (§6.2), where DG14 has a key for it.
// Nothing tells at once whether the chip has that key: what it answers from then
// on cannot be read if it has not.
func (t *Tap) authenticateChip(link *nfc.Link, a Access) error {
	if t.channel == nil {
		return nil
	}
	content, err := t.readObject(link, "DG14", 14)
	if err != nil {
		return err
	}
	header, length, err := iso7816.HeaderLength(content)
	if err != nil || header+length != len(content) {
		return errors.New("DG14: this is no data group")
	}
	can, err := mrtd.ParseSecurityInfos(content[header:])
	if err != nil {
		return fmt.Errorf("DG14: %w", err)
	}
	if can.ChipKey == nil || !can.Chip {
		return nil
	}
	chip, err := can.ChipKey.Bytes()
	if err != nil {
		return fmt.Errorf("DG14: %w", err)
	}
	random, err := a.draw(mrtd.ScalarRandom)
	if err != nil {
		return err
	}
	scalar := mrtd.P256.Scalar(random)
	point, err := mrtd.P256.Public(scalar)
	if err != nil {
		return err
	}
	secret, err := mrtd.P256.Agree(scalar, chip)
	if err != nil {
		return fmt.Errorf("DG14: %w", err)
	}
	if _, err := t.must(link, "MSE:SET AT, chip authentication", iso7816.Command{Instruction: iso7816.ManageSecurity, P1: 0x41, P2: 0xA4,
		Data: iso7816.Encode(0x80, mrtd.OIDChip())}); err != nil {
		return err
	}
	if _, err := t.must(link, "GENERAL AUTHENTICATE, chip authentication", iso7816.Command{Instruction: iso7816.GeneralAuthenticate,
		Data: iso7816.Encode(0x7C, iso7816.Encode(0x80, point)), Expected: 256}); err != nil {
		return err
	}
	t.channel = mrtd.Authenticated(secret)
	return nil
}
