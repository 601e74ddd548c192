package mdoc

import (
	"crypto"
	"fmt"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// Present makes a DeviceResponse that discloses the named elements of a card, in
// the card's order, and nothing else. The phone signs it for the session whose
// SessionTranscript (encoded, not wrapped) is given. The card does not know whether
// the key is its own: a verifier finds out.
func Present(issuerSigned []byte, disclose []string, transcript []byte, device crypto.Signer) ([]byte, error) {
	card, err := parseIssuerSigned(issuerSigned)
	if err != nil {
		return nil, malformed("the card", err)
	}
	auth, err := cose.Parse(card.issuerAuth)
	if err != nil {
		return nil, malformed("issuerAuth", err)
	}
	object, err := decodeMSO(auth.Payload)
	if err != nil {
		return nil, malformed("the mobile security object", err)
	}
	if err := checkTranscript(transcript); err != nil {
		return nil, err
	}
	wanted := make(map[string]bool, len(disclose))
	for _, name := range disclose {
		wanted[name] = true
	}
	var items [][]byte
	size := 0
	for _, it := range card.items {
		if wanted[string(it.name)] {
			delete(wanted, string(it.name))
			items = append(items, it.raw)
			size += len(it.raw)
		}
	}
	for _, name := range disclose {
		if wanted[name] {
			return nil, fmt.Errorf("the card has no element %q", name)
		}
	}
	signature, err := cose.Sign1(deviceKey{device}, cose.Header{}, deviceAuthentication(transcript, object.docType, noNameSpaces), true)
	if err != nil {
		return nil, fmt.Errorf("the phone's key: %w", err)
	}
	b := cose.AppendMap(make([]byte, 0, size+len(card.issuerAuth)+len(signature)+256), 3)
	b = cose.AppendUint(cose.AppendText(b, "status"), 0)
	b = cose.AppendText(cose.AppendText(b, "version"), version)
	b = cose.AppendArray(cose.AppendText(b, "documents"), 1)
	b = cose.AppendMap(b, 3)
	b = cose.AppendText(cose.AppendText(b, "docType"), object.docType)
	b = cose.AppendMap(cose.AppendText(b, "deviceSigned"), 2)
	b = cose.AppendMap(cose.AppendText(b, "deviceAuth"), 1)
	b = append(cose.AppendText(b, "deviceSignature"), signature...)
	b = append(cose.AppendText(b, "nameSpaces"), noNameSpaces...)
	return appendIssuerSigned(cose.AppendText(b, "issuerSigned"), card.issuerAuth, card.namespace, items), nil
}

type deviceKey struct{ crypto.Signer }

func (k deviceKey) Sign(digest []byte) ([]byte, error) { return cose.SignDigest(k.Signer, digest) }
