package terminal

import (
	"errors"
	"fmt"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/reference/mdoc/proximity"
)

// The phone as an NFC Forum Type 4 Tag: its application and its capability file.
const (
	tagApplication = "\xD2\x76\x00\x00\x85\x01\x01"
	capabilityFile = "\xE1\x03"
)

// handover reads the tag that the phone is, and negotiates where the phone wants to.
func (t *Terminal) handover(m *Meeting) error {
	tag := &ndefTag{m: m}
	if err := tag.open(); err != nil {
		return err
	}
	message, err := tag.read()
	if err != nil {
		return err
	}
	negotiate, err := proximity.ParseService(message)
	if err != nil {
		return err
	}
	if negotiate {
		if m.Handover.Request, err = proximity.EncodeRequest(t.random, true, nil); err != nil {
			return err
		}
		status, err := tag.say(proximity.EncodeServiceSelect())
		if err != nil {
			return err
		}
		if agreed, err := proximity.ParseServiceStatus(status); err != nil {
			return err
		} else if !agreed {
			return errors.New("the phone will not negotiate a handover")
		}
		if message, err = tag.say(m.Handover.Request); err != nil {
			return err
		}
	}
	selected, err := proximity.ParseSelect(message)
	if err != nil {
		return err
	}
	if selected.NFC == nil {
		return errors.New("the phone offers no retrieval over NFC, and this terminal has nothing else")
	}
	m.Handover.Select, m.Engagement = message, selected.Engagement
	m.limit(selected.NFC)
	return nil
}

// ndefTag is a Type 4 Tag as a reader sees it.
type ndefTag struct {
	m         *Meeting
	mostRead  int // bytes of one answer
	mostWrite int // and of one command
	size      int // of the NDEF file
	readOnly  bool
}

// open finds the NDEF file and selects it.
func (t *ndefTag) open() error {
	if err := t.m.must("SELECT NDEF", iso7816.Command{Instruction: iso7816.Select, P1: 0x04, Data: []byte(tagApplication), Expected: 256}); err != nil {
		return err
	}
	if err := t.selectFile("SELECT capabilities", capabilityFile); err != nil {
		return err
	}
	cc, err := t.binary("READ capabilities", 0, 15)
	if err != nil {
		return err
	}
	if len(cc) < 15 || cc[2]>>4 != 2 || cc[7] != 4 || cc[8] != 6 {
		return errors.New("the phone is no Type 4 Tag of version 2")
	}
	number := func(at int) int { return int(cc[at])<<8 | int(cc[at+1]) }
	t.mostRead, t.mostWrite, t.size, t.readOnly = number(3), number(5), number(11), cc[14] != 0
	if t.mostRead < 15 || t.mostWrite < 13 || t.size < 5 || cc[13] != 0 {
		return errors.New("the phone as a tag cannot be read")
	}
	t.mostRead, t.mostWrite = min(t.mostRead, iso7816.ShortData), min(t.mostWrite, iso7816.ShortData)
	return t.selectFile("SELECT NDEF file", string(cc[9:11]))
}

func (t *ndefTag) selectFile(what, file string) error {
	return t.m.must(what, iso7816.Command{Instruction: iso7816.Select, P2: 0x0C, Data: []byte(file)})
}

func (t *ndefTag) binary(what string, offset, n int) ([]byte, error) {
	r, err := t.m.exchange(what, iso7816.Command{Instruction: iso7816.ReadBinary, P1: byte(offset >> 8), P2: byte(offset), Expected: n})
	if err != nil {
		return nil, err
	}
	if r.Status != iso7816.OK {
		return nil, fmt.Errorf("%s: %w", what, r.Status)
	}
	return r.Data, nil
}

// read reads the message that the tag holds.
func (t *ndefTag) read() ([]byte, error) {
	head, err := t.binary("READ length of NDEF", 0, 2)
	if err != nil {
		return nil, err
	}
	if len(head) != 2 {
		return nil, errors.New("the tag does not say how long its message is")
	}
	n := int(head[0])<<8 | int(head[1])
	if n == 0 || n > proximity.MaxNDEF || n+2 > t.size {
		return nil, fmt.Errorf("the tag's message has %d bytes: none, or more than there may be", n)
	}
	message := make([]byte, 0, n)
	for len(message) < n {
		part, err := t.binary("READ NDEF", 2+len(message), min(n-len(message), t.mostRead))
		if err != nil {
			return nil, err
		}
		if len(part) == 0 {
			return nil, errors.New("READ NDEF: the tag answers nothing")
		}
		message = append(message, part...)
	}
	return message[:n], nil
}

// say writes a message and reads the answer.
func (t *ndefTag) say(message []byte) ([]byte, error) {
	if t.readOnly {
		return nil, errors.New("the phone wants to negotiate, and lets nobody write")
	}
	update := func(offset int, data []byte) error {
		return t.m.must("UPDATE NDEF", iso7816.Command{Instruction: iso7816.UpdateBinary, P1: byte(offset >> 8), P2: byte(offset), Data: data})
	}
	length := []byte{byte(len(message) >> 8), byte(len(message))}
	if whole := append(length[:2:2], message...); len(whole) <= t.mostWrite {
		if err := update(0, whole); err != nil {
			return nil, err
		}
		return t.read()
	}
	if err := update(0, []byte{0, 0}); err != nil {
		return nil, err
	}
	for at := 0; at < len(message); at += t.mostWrite {
		if err := update(2+at, message[at:min(at+t.mostWrite, len(message))]); err != nil {
			return nil, err
		}
	}
	if err := update(0, length); err != nil {
		return nil, err
	}
	return t.read()
}
