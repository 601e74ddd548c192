package proximity

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/cose"
)

// Limits of the messages of a session, as they are on the way.
const (
	MaxRequestMessage  = MaxRequest + 512 // from the reader
	MaxResponseMessage = mdoc.MaxResponse + 64
)

// Why a session ends before its time (errors.Is). Refusal tells the other side.
var (
	// ErrEncryption: a message is not the next one of this session: another
	// session's, repeated, out of order or changed.
	ErrEncryption = errors.New("the message is not the next one of this session")
	// ErrMessage: the bytes are no session message.
	ErrMessage = errors.New("the message is not one of a session")
	// ErrOtherSide: the other side says that it could not go on.
	ErrOtherSide = errors.New("the other side broke the session off")
	// ErrEnded: the session is over.
	ErrEnded = errors.New("the session has ended: meet again")
)

// Status codes of a session (§9.1.1.4, Table 20).
const (
	statusEncryption  = 10
	statusNotCBOR     = 11
	statusTermination = 20
)

// Handover is what NFC said before the session; none of it after a QR code.
type Handover struct {
	Select  []byte // NDEF message
	Request []byte // in negotiated handover
}

// Transcript is the SessionTranscript (§9.1.5.1), encoded and not wrapped, of an
// engagement, the reader's key (COSE_Key) and the handover. It is what both sides
// sign over.
func Transcript(engagement, readerKey []byte, h Handover) []byte {
	b := cose.AppendArray(make([]byte, 0, len(engagement)+len(readerKey)+len(h.Select)+len(h.Request)+32), 3)
	b = cose.AppendTag24(b, engagement)
	b = cose.AppendTag24(b, readerKey)
	if h.Select == nil {
		return cose.AppendNull(b)
	}
	b = cose.AppendBytes(cose.AppendArray(b, 2), h.Select)
	if h.Request == nil {
		return cose.AppendNull(b)
	}
	return cose.AppendBytes(b, h.Request)
}

// Session is one side of an encrypted session (§9.1.1). It is not safe for
// concurrent use.
type Session struct {
	transcript []byte
	peer       *ecdh.PublicKey
	out, in    direction
	limit      int    // of messages that come in
	first      []byte // the reader's key, until it has gone out with the first message
	ended      bool
}

// direction is the key of one direction and the number of its next message.
type direction struct {
	aead    cipher.AEAD
	counter uint32
	sender  byte // 0 reader, 1 phone
}

// Engage begins a session as the reader whose ephemeral key this is. The first
// message to Seal establishes it at the phone.
func Engage(e *Engagement, h Handover, key *ecdh.PrivateKey) (*Session, error) {
	encoded, err := appendKey(nil, key.PublicKey())
	if err != nil {
		return nil, err
	}
	s, err := newSession(Transcript(e.raw, encoded, h), key, e.Key)
	if err != nil {
		return nil, err
	}
	s.first, s.limit = encoded, MaxResponseMessage
	return s, nil
}

// Accept begins a session as the phone that engaged with this key, on the reader's
// SessionEstablishment, and returns the request in it. After an error Refusal is
// the answer.
func Accept(e *Engagement, h Handover, key *ecdh.PrivateKey, establishment []byte) (s *Session, request []byte, err error) {
	m, err := parseMessage(establishment, MaxRequestMessage)
	if err != nil {
		return nil, nil, err
	}
	if m.readerKey == nil || m.data == nil || m.status != nil {
		return nil, nil, fmt.Errorf("%w: a session is established by a key and a request", ErrMessage)
	}
	reader, err := parseKey(m.readerKey)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if s, err = newSession(Transcript(e.raw, m.readerKey, h), key, reader); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrEncryption, err)
	}
	s.out, s.in, s.limit = s.in, s.out, MaxRequestMessage
	if request, err = s.decrypt(m.data); err != nil {
		return nil, nil, err
	}
	return s, request, nil
}

// newSession derives both keys (§9.1.1.5), as the reader has them.
func newSession(transcript []byte, own *ecdh.PrivateKey, other *ecdh.PublicKey) (*Session, error) {
	shared, err := own.ECDH(other)
	if err != nil {
		return nil, err
	}
	salt := sha256.Sum256(cose.Tag24(transcript))
	s := &Session{transcript: transcript, peer: other}
	if s.out, err = newDirection(shared, salt[:], "SKReader", 0); err != nil {
		return nil, err
	}
	if s.in, err = newDirection(shared, salt[:], "SKDevice", 1); err != nil {
		return nil, err
	}
	return s, nil
}

func newDirection(shared, salt []byte, info string, sender byte) (d direction, err error) {
	key, err := hkdf.Key(sha256.New, shared, salt, info, 32)
	if err != nil {
		return d, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return d, err
	}
	d.sender = sender
	d.aead, err = cipher.NewGCM(block)
	return d, err
}

// Transcript is the SessionTranscript, for what is signed in the session.
func (s *Session) Transcript() []byte { return s.transcript }

// Peer is the other side's ephemeral key: what a phone needs to answer by MAC.
func (s *Session) Peer() *ecdh.PublicKey { return s.peer }

// Ended says whether the session is over.
func (s *Session) Ended() bool { return s.ended }

// next is the nonce of the next message: identifier and counter (§9.1.1.5). The
// counter begins at 1 and never comes twice.
func (d *direction) next() (nonce [12]byte, ok bool) {
	if d.counter == math.MaxUint32 {
		return nonce, false
	}
	d.counter++
	nonce[7] = d.sender
	binary.BigEndian.PutUint32(nonce[8:], d.counter)
	return nonce, true
}

// Seal encrypts data as the session's next message.
func (s *Session) Seal(data []byte) ([]byte, error) { return s.seal(data, false) }

// SealLast is Seal with the word that it is the last message: the session ends.
func (s *Session) SealLast(data []byte) ([]byte, error) { return s.seal(data, true) }

func (s *Session) seal(data []byte, last bool) ([]byte, error) {
	if s.ended {
		return nil, ErrEnded
	}
	nonce, ok := s.out.next()
	if !ok {
		s.end()
		return nil, fmt.Errorf("%w: it has no numbers left", ErrEnded)
	}
	n := 1
	if s.first != nil {
		n++
	}
	if last {
		n++
	}
	b := cose.AppendMap(make([]byte, 0, len(data)+len(s.first)+64), n)
	b = cose.AppendBytes(cose.AppendText(b, "data"), s.out.aead.Seal(nil, nonce[:], data, nil))
	if last {
		b = cose.AppendUint(cose.AppendText(b, "status"), statusTermination)
	}
	if s.first != nil {
		b = cose.AppendTag24(cose.AppendText(b, "eReaderKey"), s.first)
		s.first = nil
	}
	if last {
		s.end()
	}
	return b, nil
}

// Open takes the other side's next message. Last says that it ends the session;
// then there may be no data. An error ends the session, too, and Refusal says what
// to answer.
func (s *Session) Open(message []byte) (data []byte, last bool, err error) {
	if s.ended {
		return nil, true, ErrEnded
	}
	m, err := parseMessage(message, s.limit)
	if err == nil && m.readerKey != nil {
		err = fmt.Errorf("%w: it is established already", ErrMessage)
	}
	if err == nil && m.data != nil {
		data, err = s.decrypt(m.data)
	}
	switch {
	case err != nil:
		s.end()
		return nil, true, err
	case m.status == nil:
		return data, false, nil
	}
	s.end()
	if *m.status != statusTermination {
		return nil, true, fmt.Errorf("%w: status %d", ErrOtherSide, *m.status)
	}
	return data, true, nil
}

func (s *Session) decrypt(data []byte) ([]byte, error) {
	nonce, ok := s.in.next()
	if !ok {
		return nil, fmt.Errorf("%w: it has no numbers left", ErrEncryption)
	}
	plain, err := s.in.aead.Open([]byte{}, nonce[:], data, nil)
	if err != nil {
		s.end()
		return nil, ErrEncryption
	}
	return plain, nil
}

// End ends the session and returns the message that says so; nil if it had ended.
func (s *Session) End() []byte {
	if s.ended {
		return nil
	}
	s.end()
	return statusMessage(statusTermination)
}

// end forgets the keys.
func (s *Session) end() {
	s.ended, s.first = true, nil
	s.out.aead, s.in.aead = nil, nil
}

// Refusal is the message that tells the other side why a session ended, after an
// error of Accept or Open.
func Refusal(err error) []byte {
	switch {
	case errors.Is(err, ErrEncryption):
		return statusMessage(statusEncryption)
	case errors.Is(err, ErrMessage):
		return statusMessage(statusNotCBOR)
	}
	return statusMessage(statusTermination)
}

func statusMessage(status uint64) []byte {
	return cose.AppendUint(cose.AppendText(cose.AppendMap(nil, 1), "status"), status)
}

// message is a SessionEstablishment or a SessionData (§9.1.1.4).
type message struct {
	readerKey []byte // COSE_Key; only in SessionEstablishment
	data      []byte
	status    *uint64
}

func parseMessage(encoded []byte, limit int) (*message, error) {
	if len(encoded) > limit {
		return nil, fmt.Errorf("%w: %d bytes; %d are the most", ErrMessage, len(encoded), limit)
	}
	m := &message{}
	r := cose.NewReader(encoded)
	r.Fields(func(key []byte) {
		switch string(key) {
		case "eReaderKey":
			r.Tag(24)
			m.readerKey = r.Bytes()
		case "data":
			if m.data = r.Bytes(); m.data == nil && r.Err() == nil {
				m.data = []byte{}
			}
		case "status":
			status := r.Uint()
			m.status = &status
		default:
			r.Skip()
		}
	})
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if m.data == nil && m.status == nil {
		return nil, fmt.Errorf("%w: it has neither data nor status", ErrMessage)
	}
	return m, nil
}
