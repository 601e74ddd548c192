package cose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"

	"rollcall.example/rollcall/reference/p256"
)

// Algorithms (RFC 9053 §2.1, §3.1).
const (
	ES256   = -7
	HMAC256 = 5 // HMAC 256/256
)

// Header labels (RFC 9052 §3.1, RFC 9596, RFC 9360).
const (
	labelAlg  = 1
	labelCrit = 2
	labelType = 16
	labelX5C  = 33
)

const (
	signature1 = "Signature1" // contexts (RFC 9052 §4.4, §6.3)
	mac0       = "MAC0"
	sign1Tag   = 18
	maxChain   = 4
)

// Signer makes ES256 signatures: r and s of the digest, 64 bytes.
type Signer interface {
	Sign(digest []byte) (rs []byte, err error)
}

// Header is what a message says of itself.
type Header struct {
	Algorithm int64
	Type      string   // typ, "application/statuslist+cwt"; empty where the context tells
	Chain     [][]byte // x5chain, the signing certificate first, without the trust anchor
}

// Message is a COSE_Sign1 or COSE_Mac0.
type Message struct {
	Header
	Payload   []byte // nil if it is detached
	Signature []byte // signature or authentication tag
	protected []byte
}

// Sign1 signs payload with ES256 and returns an untagged COSE_Sign1. The
// algorithm and the type stand in the protected header, the chain in the
// unprotected one (ISO/IEC 18013-5 §9.1.2.4). A detached payload is signed but
// not carried.
func Sign1(s Signer, h Header, payload []byte, detached bool) ([]byte, error) {
	protected := AppendMap(nil, 1)
	if h.Type != "" {
		protected[0]++
	}
	protected = append(protected, labelAlg, negType<<5|(-1-ES256))
	if h.Type != "" {
		protected = append(protected, labelType)
		protected = AppendText(protected, h.Type)
	}
	digest := structureDigest(signature1, protected, payload)
	rs, err := s.Sign(digest[:])
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	if len(rs) != p256.SignatureSize {
		return nil, fmt.Errorf("the signer gave %d bytes; ES256 is %d: r and s", len(rs), p256.SignatureSize)
	}
	size := len(protected) + len(payload) + 96
	for _, c := range h.Chain {
		size += len(c) + 8
	}
	b := AppendArray(make([]byte, 0, size), 4)
	b = AppendBytes(b, protected)
	switch len(h.Chain) {
	case 0:
		b = append(b, mapType<<5)
	case 1:
		b = append(b, mapType<<5|1, 0x18, labelX5C)
		b = AppendBytes(b, h.Chain[0])
	default:
		b = append(b, mapType<<5|1, 0x18, labelX5C)
		b = AppendArray(b, len(h.Chain))
		for _, c := range h.Chain {
			b = AppendBytes(b, c)
		}
	}
	if detached {
		b = append(b, null)
	} else {
		b = AppendBytes(b, payload)
	}
	return AppendBytes(b, rs), nil
}

const null = 0xf6

// Tag18 marks an untagged COSE_Sign1 as one (RFC 9052 §2).
func Tag18(message []byte) []byte { return append([]byte{tagType<<5 | sign1Tag}, message...) }

// Untag18 takes that mark off.
func Untag18(tagged []byte) ([]byte, error) {
	if len(tagged) == 0 || tagged[0] != tagType<<5|sign1Tag {
		return nil, errors.New("a COSE_Sign1 with tag 18 is expected")
	}
	return tagged[1:], nil
}

// Parse reads an untagged message. Its parts are not copied from data.
func Parse(data []byte) (*Message, error) {
	m := new(Message)
	return m, m.read(data)
}

func (m *Message) read(data []byte) error {
	r := NewReader(data)
	if n := r.Array(); r.err == nil && n != 4 {
		r.Fail("a COSE message has four parts, this has %d", n)
	}
	m.protected = r.Bytes()
	m.unprotectedHeader(r)
	if r.err == nil && r.pos < len(r.data) && r.data[r.pos] == null {
		r.pos++
	} else if m.Payload = r.Bytes(); m.Payload == nil && r.err == nil {
		m.Payload = []byte{}
	}
	m.Signature = r.Bytes()
	if err := r.End(); err != nil {
		return err
	}
	r.Reset(m.protected)
	m.protectedHeader(r)
	if err := r.End(); err != nil {
		return fmt.Errorf("protected header: %w", err)
	}
	return nil
}

func (m *Message) protectedHeader(r *Reader) {
	r.Labels(func(label int64) {
		switch label {
		case labelAlg:
			m.Algorithm = r.Int()
		case labelType:
			m.Type = string(r.Text())
		case labelX5C:
			m.chain(r)
		case labelCrit:
			r.Fail("headers are marked critical that are not known here")
		default:
			r.Skip()
		}
	})
	if r.err == nil && m.Algorithm == 0 {
		r.Fail("the algorithm is not in the protected header")
	}
}

func (m *Message) unprotectedHeader(r *Reader) {
	r.Labels(func(label int64) {
		switch label {
		case labelX5C:
			m.chain(r)
		case labelAlg, labelCrit, labelType:
			r.Fail("header %d must be protected", label)
		default:
			r.Skip()
		}
	})
}

// chain reads an x5chain: one certificate, or an array of two and more.
func (m *Message) chain(r *Reader) {
	if m.Chain != nil {
		r.Fail("x5chain stands in both headers")
		return
	}
	if r.err == nil && r.pos < len(r.data) && r.data[r.pos]>>5 == bytesType {
		m.Chain = [][]byte{r.Bytes()}
		return
	}
	n := r.Array()
	if n < 2 || n > maxChain {
		r.Fail("an x5chain of %d certificates", n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		m.Chain = append(m.Chain, r.Bytes())
	}
}

// VerifySignature says whether the message is signed by key with ES256.
// detached is the payload if the message does not carry it.
func (m *Message) VerifySignature(key *ecdsa.PublicKey, detached []byte) bool {
	payload, ok := m.payload(detached)
	if !ok || m.Algorithm != ES256 || len(m.Signature) != p256.SignatureSize || key.Curve != elliptic.P256() {
		return false
	}
	digest := structureDigest(signature1, m.protected, payload)
	return p256.Verify(key, digest[:], m.Signature)
}

// Digest is the SHA-256 of what is signed, the message's own payload in it.
func (m *Message) Digest() [sha256.Size]byte {
	return structureDigest(signature1, m.protected, m.Payload)
}

// VerifyMAC says whether the message is authenticated with key by HMAC 256/256.
func (m *Message) VerifyMAC(key, detached []byte) bool {
	payload, ok := m.payload(detached)
	if !ok || m.Algorithm != HMAC256 {
		return false
	}
	h := hmac.New(sha256.New, key)
	h.Write(appendStructureHead(nil, mac0, m.protected, len(payload)))
	h.Write(payload)
	return hmac.Equal(h.Sum(nil), m.Signature)
}

func (m *Message) payload(detached []byte) ([]byte, bool) {
	if m.Payload == nil {
		return detached, detached != nil
	}
	return m.Payload, detached == nil
}

// structureDigest hashes Sig_structure (RFC 9052 §4.4).
func structureDigest(context string, protected, payload []byte) (sum [sha256.Size]byte) {
	var room [64]byte // most heads fit, and it stays on the stack
	h := sha256.New()
	h.Write(appendStructureHead(room[:0], context, protected, len(payload)))
	h.Write(payload)
	h.Sum(sum[:0])
	return sum
}

// appendStructureHead appends Sig_structure or MAC_structure up to the payload's
// bytes; there is no external additional data.
func appendStructureHead(b []byte, context string, protected []byte, payload int) []byte {
	b = AppendText(AppendArray(b, 4), context)
	b = AppendBytes(b, protected)
	b = append(b, bytesType<<5)
	return appendHead(b, bytesType, uint64(payload))
}

// MAC0 authenticates payload with HMAC 256/256 and returns an untagged COSE_Mac0
// (RFC 9052 §6.2). A detached payload is authenticated but not carried.
func MAC0(key, payload []byte, detached bool) []byte {
	protected := append(AppendMap(nil, 1), labelAlg, HMAC256)
	h := hmac.New(sha256.New, key)
	h.Write(appendStructureHead(nil, mac0, protected, len(payload)))
	h.Write(payload)
	b := AppendBytes(AppendArray(make([]byte, 0, len(payload)+64), 4), protected)
	b = append(b, mapType<<5)
	if detached {
		b = append(b, null)
	} else {
		b = AppendBytes(b, payload)
	}
	return AppendBytes(b, h.Sum(nil))
}
