package mdoc

import (
	"crypto/ecdsa"

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
	s, err := parseIssuerSigned(issuerSigned)
	if err != nil {
		return nil, malformed("the card", err)
	}
	m, err := cose.Parse(s.issuerAuth)
	if err != nil {
		return nil, malformed("issuerAuth", err)
	}
	object, err := decodeMSO(m.Payload)
	if err != nil {
		return nil, malformed("the mobile security object", err)
	}
	elements, err := s.elements()
	if err != nil {
		return nil, err
	}
	return &Held{object.docType, elements, object.validity, object.status, object.deviceKey, m.Chain}, nil
}
