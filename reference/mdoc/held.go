package mdoc

import (
	"crypto/ecdsa"
	"time"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// Held is a card as its holder has it, without a look at who signed it.
type Held struct {
	DocType   string
	Elements  []Element
	Validity  Validity
	Status    *StatusRef
	DeviceKey *ecdsa.PublicKey
	Chain     [][]byte // certificates of the issuer, leaf first, DER
}

// Inspect reads an IssuerSigned.
func Inspect(issuerSigned []byte) (*Held, error) {
	s, object, chain, err := open(issuerSigned)
	if err != nil {
		return nil, err
	}
	elements, err := s.elements()
	if err != nil {
		return nil, err
	}
	return &Held{object.docType, elements, object.validity, object.status, object.deviceKey, chain}, nil
}

// open reads a card and what the issuer signed of it, whoever that is.
func open(card []byte) (*issuerSigned, *mso, [][]byte, error) {
	s, err := parseIssuerSigned(card)
	if err != nil {
		return nil, nil, nil, malformed("the card", err)
	}
	m, err := cose.Parse(s.issuerAuth)
	if err != nil {
		return nil, nil, nil, malformed("issuerAuth", err)
	}
	object, err := decodeMSO(m.Payload)
	if err != nil {
		return nil, nil, nil, malformed("the mobile security object", err)
	}
	return s, object, m.Chain, nil
}

// VerifyCard checks a card (IssuerSigned) as its holder got it from the issuer: Verify
// without the phone's part, and there must be elements.
func VerifyCard(card []byte, anchors *TrustAnchors, at time.Time) (*Presented, error) {
	s, err := parseIssuerSigned(card)
	if err != nil {
		return nil, malformed("the card", err)
	}
	object, by, err := anchors.issuerAuth(s.issuerAuth, at)
	if err != nil {
		return nil, err
	}
	p, err := s.whole(object, at)
	if err != nil {
		return nil, err
	}
	p.Authority = by.root.SubjectKeyId
	return p, nil
}

// CheckCard is VerifyCard without a look at who signed the card: form, digests, document
// type and times. It is for holders; a verifier may believe nothing of it.
func CheckCard(card []byte, at time.Time) (*Presented, error) {
	s, object, _, err := open(card)
	if err != nil {
		return nil, err
	}
	return s.whole(object, at)
}

// whole is all of a card.
func (s *issuerSigned) whole(object *mso, at time.Time) (*Presented, error) {
	if s.items == nil {
		return nil, refuse(ErrMalformed, "there are no elements in it")
	}
	if err := s.check(object.docType, object, at); err != nil {
		return nil, err
	}
	return s.presented(object)
}
