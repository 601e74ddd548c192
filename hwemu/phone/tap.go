package phone

import (
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/mrtd"
	"rollcall.example/rollcall/hwemu/nfc"
)

// Evidence is what was read from a card, as it is on the chip, for the server to
// judge.
type Evidence struct {
	SOD, DG1, DG2, DG13, DG15 []byte
	Template                  []byte // missing if the PIN was wrong
	Signature                 []byte // of the chip's statement
	PIN                       []byte // the statement's status byte
}

// Exchange is one command and its answer.
type Exchange = nfc.Exchange

// Tap is a card held to a phone.
type Tap struct {
	Evidence Evidence
	// PIN is what the card said to the PIN: OK, 63Cn with the tries left, or
	// blocked.
	PIN  iso7816.Status
	Log  []Exchange
	Took time.Duration // virtual

	channel *mrtd.Channel // nil: in the clear
}

// ReadCard reads an IC card: EF.SOD, DG1, DG13 and DG15 (DG2 too if portrait),
// then the PIN, the face template, and the chip's statement over the server's
// challenge. A wrong PIN is no error: the evidence then says so. An error means
// that the tap broke off (nfc.ErrTagLost) or that this is no resident card; the
// Tap holds what was done until then, and the time. It reads in the clear; a
// protected card is read with an Access.
func ReadCard(link *nfc.Link, challenge []byte, pin string, portrait bool) (*Tap, error) {
	return Access{}.ReadCard(link, challenge, pin, portrait)
}

// chunk is how much is read at once: a frame's worth of blocks, as phones do
// whose controllers take no more than about 256 bytes in an answer.
const chunk = 0xDF

func (t *Tap) read(link *nfc.Link, a Access, challenge []byte, pin string, portrait bool) error {
	took, err := link.Activate()
	t.Took += took
	if err != nil {
		return err
	}
	if err := t.open(link, a); err != nil {
		return err
	}
	files := []struct {
		name  string
		short byte
		into  *[]byte
	}{
		{"EF.SOD", 0x1D, &t.Evidence.SOD},
		{"DG1", 1, &t.Evidence.DG1},
		{"DG2", 2, &t.Evidence.DG2},
		{"DG13", 13, &t.Evidence.DG13},
		{"DG15", 15, &t.Evidence.DG15},
	}
	if err := t.selectApplication(link, "eMRTD", iccard.EMRTD); err != nil {
		return err
	}
	if err := t.authenticateChip(link, a); err != nil {
		return err
	}
	for _, f := range files {
		if f.name == "DG2" && !portrait {
			continue
		}
		if *f.into, err = t.readObject(link, f.name, f.short); err != nil {
			return err
		}
	}
	if err := t.selectApplication(link, "resident application", iccard.Resident); err != nil {
		return err
	}
	r, err := t.exchange(link, "VERIFY PIN", iso7816.Command{Instruction: iso7816.Verify, P2: 0x81, Data: []byte(pin)})
	if err != nil {
		return err
	}
	if t.channel == nil { // the log goes to people; the PIN does not
		last := &t.Log[len(t.Log)-1]
		last.Command = append([]byte(nil), last.Command...)
		for i := range pin {
			last.Command[len(last.Command)-1-i] = '*'
		}
	}
	if t.PIN = r.Status; t.PIN == iso7816.OK {
		if t.Evidence.Template, err = t.readAll(link, "face template", 2); err != nil {
			return err
		}
	}
	r, err = t.must(link, "INTERNAL AUTHENTICATE, statement", iso7816.Command{Instruction: iso7816.InternalAuthenticate, Data: challenge, Expected: 256})
	if err != nil {
		return err
	}
	if t.Evidence.PIN, t.Evidence.Signature, err = statement(r.Data); err != nil {
		return fmt.Errorf("the card's statement: %w", err)
	}
	return nil
}

// statement takes apart 7C { 80 status, 81 signature }, each of which stands there
// once (package iccard).
func statement(answer []byte) (status, signature []byte, err error) {
	objects, err := iso7816.ParseObjects(answer)
	if err != nil {
		return nil, nil, err
	}
	if len(objects) != 1 || objects[0].Tag != 0x7C || len(objects[0].Children) != 2 ||
		objects[0].Children[0].Tag != 0x80 || objects[0].Children[1].Tag != 0x81 {
		return nil, nil, errors.New("it is not one status and one signature")
	}
	return objects[0].Children[0].Value, objects[0].Children[1].Value, nil
}

func (t *Tap) selectApplication(link *nfc.Link, name, aid string) error {
	_, err := t.must(link, "SELECT "+name, iso7816.Command{Instruction: iso7816.Select, P1: 0x04, P2: 0x0C, Data: []byte(aid)})
	return err
}

// readObject reads a file that is one data object: its first bytes tell how
// long it is.
func (t *Tap) readObject(link *nfc.Link, name string, short byte) ([]byte, error) {
	r, err := t.must(link, "READ "+name, iso7816.Command{Instruction: iso7816.ReadBinary, P1: 0x80 | short, Expected: 8})
	if err != nil {
		return nil, err
	}
	content := append([]byte(nil), r.Data...)
	header, length, err := iso7816.HeaderLength(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return t.readOn(link, name, content, header+length)
}

// readAll reads a file of unknown length to its end.
func (t *Tap) readAll(link *nfc.Link, name string, short byte) ([]byte, error) {
	r, err := t.must(link, "READ "+name, iso7816.Command{Instruction: iso7816.ReadBinary, P1: 0x80 | short, Expected: chunk})
	if err != nil {
		return nil, err
	}
	content := append([]byte(nil), r.Data...)
	if len(content) < chunk {
		return content, nil
	}
	return t.readOn(link, name, content, iso7816.MaxObject)
}

// reach is where READ BINARY with even instruction byte ends: P1 with its first
// bit set is no offset but names a file (ISO/IEC 7816-4 §11.3.3).
const reach = 1 << 15

func (t *Tap) readOn(link *nfc.Link, name string, content []byte, total int) ([]byte, error) {
	for len(content) < total {
		if len(content) >= reach {
			return nil, fmt.Errorf("READ %s: the file is longer than the %d bytes that a phone reads: this is no resident card", name, reach)
		}
		n := min(total-len(content), chunk)
		cmd := iso7816.Command{Instruction: iso7816.ReadBinary, P1: byte(len(content) >> 8), P2: byte(len(content)), Expected: n}
		r, err := t.exchange(link, fmt.Sprintf("READ %s from %d", name, len(content)), cmd)
		if err != nil {
			return nil, err
		}
		content = append(content, r.Data...)
		switch {
		case r.Status == iso7816.EndOfFile && total == iso7816.MaxObject, r.Status == iso7816.OffsetOutside && total == iso7816.MaxObject:
			return content, nil
		case r.Status != iso7816.OK:
			return nil, fmt.Errorf("READ %s: %w", name, r.Status)
		case len(r.Data) == 0:
			return nil, fmt.Errorf("READ %s: the card answers nothing", name)
		}
	}
	return content[:total], nil
}

// must is an exchange that has to succeed (an early end of file is a success).
func (t *Tap) must(link *nfc.Link, what string, cmd iso7816.Command) (iso7816.Response, error) {
	r, err := t.exchange(link, what, cmd)
	if err == nil && r.Status != iso7816.OK && r.Status != iso7816.EndOfFile {
		err = fmt.Errorf("%s: %w", what, r.Status)
	}
	return r, err
}

func (t *Tap) exchange(link *nfc.Link, what string, cmd iso7816.Command) (iso7816.Response, error) {
	sent := cmd
	if t.channel != nil {
		sent = t.channel.SealCommand(cmd)
	}
	raw := sent.Bytes()
	answer, took, err := link.Exchange(raw)
	t.Took += took
	t.Log = append(t.Log, Exchange{What: what, Command: raw, Response: answer, Took: took})
	if err != nil {
		return iso7816.Response{}, err
	}
	r, err := iso7816.ParseResponse(answer)
	if err != nil {
		return iso7816.Response{}, fmt.Errorf("%s: %w", what, err)
	}
	if t.channel == nil {
		return r, nil
	}
	if len(r.Data) == 0 {
		return iso7816.Response{}, fmt.Errorf("%s: the card has ended secure messaging: %w", what, r.Status)
	}
	if r, err = t.channel.OpenResponse(cmd.Instruction, r); err != nil {
		return iso7816.Response{}, fmt.Errorf("%s: %w", what, err)
	}
	return r, nil
}
