package terminal

import (
	"crypto/ecdh"
	"errors"
	"fmt"
	"io"
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/proximity"
)

// Terminal is one device. It is not safe for concurrent use.
type Terminal struct {
	reader mdoc.Signer
	random io.Reader
}

// New is a terminal that asks in the name of its reader's certificate
// (mdoc.NewReader); nil asks without a name. Ephemeral keys are drawn from random.
func New(reader mdoc.Signer, random io.Reader) *Terminal { return &Terminal{reader, random} }

// Meeting is one encounter with a phone.
type Meeting struct {
	// Response is the DeviceResponse; Transcript and Reader, the terminal's ephemeral
	// key, are what it is verified with.
	Response, Transcript []byte
	Reader               *ecdh.PrivateKey

	Engagement *proximity.Engagement
	Handover   proximity.Handover
	Log        []nfc.Exchange
	Took       time.Duration // virtual

	link       *nfc.Link
	maxCommand int
	expected   int
}

// AskByQR has read the text of a phone's QR code, finds the phone in the field and
// asks. After an error the Meeting holds what was done until then.
func (t *Terminal) AskByQR(uri string, link *nfc.Link, documents ...proximity.DocumentRequest) (*Meeting, error) {
	m := &Meeting{link: link}
	engagement, err := proximity.ParseURI(uri)
	if err != nil {
		return m, err
	}
	if engagement.NFC == nil {
		return m, errors.New("the phone offers no retrieval over NFC, and this terminal has nothing else")
	}
	m.Engagement = engagement
	m.limit(engagement.NFC)
	if err := m.activate(); err != nil {
		return m, err
	}
	return m, t.ask(m, documents)
}

// AskByNFC meets the phone in the field by NFC handover, static or negotiated as the
// phone has it, and asks.
func (t *Terminal) AskByNFC(link *nfc.Link, documents ...proximity.DocumentRequest) (*Meeting, error) {
	m := &Meeting{link: link}
	if err := m.activate(); err != nil {
		return m, err
	}
	if err := t.handover(m); err != nil {
		return m, err
	}
	return m, t.ask(m, documents)
}

// ErrLost: the phone left the field.
var ErrLost = errors.New("the phone left the field: hold it to the terminal until it is done")

func lost(err error) error {
	if errors.Is(err, nfc.ErrTagLost) {
		return ErrLost
	}
	return err
}

func (m *Meeting) activate() error {
	took, err := m.link.Activate()
	m.Took += took
	return lost(err)
}

// limit keeps to what the phone takes and gives at once, as far as it goes into an
// APDU.
func (m *Meeting) limit(n *proximity.NFC) {
	m.maxCommand, m.expected = min(n.MaxCommand, iso7816.MaxData), min(n.MaxResponse, iso7816.MaxData+1)
}

// ask establishes the session, asks, and ends it.
func (t *Terminal) ask(m *Meeting, documents []proximity.DocumentRequest) error {
	key, err := proximity.NewKey(t.random)
	if err != nil {
		return err
	}
	session, err := proximity.Engage(m.Engagement, m.Handover, key)
	if err != nil {
		return err
	}
	m.Reader, m.Transcript = key, session.Transcript()
	request, err := proximity.NewRequest(m.Transcript, t.reader, documents...)
	if err != nil {
		return err
	}
	message, err := session.Seal(request)
	if err != nil {
		return err
	}
	if err := m.must("SELECT data transfer", iso7816.Command{Instruction: iso7816.Select, P1: 0x04, Data: []byte(proximity.DataTransfer)}); err != nil {
		return err
	}
	answer, err := m.envelope("ENVELOPE request", message)
	if err != nil {
		return err
	}
	response, last, err := session.Open(answer)
	if err != nil {
		return err
	}
	m.Response = response
	if last {
		return nil
	}
	// The answer is there: that the phone has gone before it heard the end is no
	// failure.
	if _, err := m.envelope("ENVELOPE termination", session.End()); err != nil && !errors.Is(err, ErrLost) {
		return err
	}
	return nil
}

// envelope sends a session message and fetches the answer.
func (m *Meeting) envelope(what string, message []byte) ([]byte, error) {
	cmd := iso7816.Command{Instruction: iso7816.Envelope, Data: proximity.DataObject(message), Expected: m.expected}
	var r iso7816.Response
	var err error
	for _, part := range cmd.Chain(m.maxCommand) {
		if r, err = m.exchange(what, part); err != nil {
			return nil, err
		}
		if part.Chained() && r.Status != iso7816.OK {
			return nil, fmt.Errorf("%s: %w", what, r.Status)
		}
	}
	object := append([]byte(nil), r.Data...)
	for r.Status.More() {
		if len(object) > proximity.MaxResponseMessage {
			return nil, fmt.Errorf("%s: the answer has no end", what)
		}
		if r, err = m.exchange("GET RESPONSE", iso7816.Command{Instruction: iso7816.GetResponse, Expected: m.expected}); err != nil {
			return nil, err
		}
		if len(r.Data) == 0 {
			return nil, fmt.Errorf("GET RESPONSE: %w, and nothing comes", r.Status)
		}
		object = append(object, r.Data...)
	}
	if r.Status != iso7816.OK {
		return nil, fmt.Errorf("%s: %w", what, r.Status)
	}
	return proximity.ParseDataObject(object, proximity.MaxResponseMessage)
}

func (m *Meeting) exchange(what string, cmd iso7816.Command) (iso7816.Response, error) {
	raw := cmd.Bytes()
	answer, took, err := m.link.Exchange(raw)
	m.Took += took
	m.Log = append(m.Log, nfc.Exchange{What: what, Command: raw, Response: answer, Took: took})
	if err != nil {
		return iso7816.Response{}, lost(err)
	}
	r, err := iso7816.ParseResponse(answer)
	if err != nil {
		return iso7816.Response{}, fmt.Errorf("%s: %w", what, err)
	}
	return r, nil
}

// must is an exchange that has to succeed.
func (m *Meeting) must(what string, cmd iso7816.Command) error {
	r, err := m.exchange(what, cmd)
	if err == nil && r.Status != iso7816.OK {
		err = fmt.Errorf("%s: %w", what, r.Status)
	}
	return err
}
