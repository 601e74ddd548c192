package mdoc

import (
	"crypto"
	"crypto/ecdh"
	"fmt"
	"slices"

	"rollcall.example/rollcall/reference/mdoc/cose"
	"rollcall.example/rollcall/reference/p256"
)

// Present makes a DeviceResponse that discloses the named elements of a card, in
// the card's order, and nothing else. The phone signs it for the session whose
// SessionTranscript (encoded, not wrapped) is given. The card does not know whether
// the key is its own: a verifier finds out.
func Present(issuerSigned []byte, disclose []string, transcript []byte, device crypto.Signer) ([]byte, error) {
	return Respond(transcript, []Showing{{Card: issuerSigned, Disclose: disclose, By: BySignature(device)}}, nil)
}

// Showing is a card in a response, and what is disclosed of it.
type Showing struct {
	Card     []byte   // IssuerSigned
	Disclose []string // names of its elements
	// Withhold are names that were asked for and are not disclosed, on the card or
	// not: the reader is told that they were not returned, and no more.
	Withhold []string
	By       Authentication
}

// Authentication is how the phone proves that the card is its own, in this session.
type Authentication interface {
	authenticate(transcript, deviceAuthentication []byte) (kind string, message []byte, err error)
}

// BySignature proves it to anybody (§9.1.3.6).
func BySignature(key crypto.Signer) Authentication { return bySignature{key} }

// ByMAC proves it to the reader with this ephemeral key, who cannot prove it to
// others (§9.1.3.5).
func ByMAC(key Agreement, reader *ecdh.PublicKey) Authentication { return byMAC{key, reader} }

type bySignature struct{ crypto.Signer }

// Sign implements cose.Signer.
func (k bySignature) Sign(digest []byte) ([]byte, error) { return p256.Sign(k.Signer, digest) }

func (k bySignature) authenticate(_, signed []byte) (string, []byte, error) {
	message, err := cose.Sign1(k, cose.Header{}, signed, true)
	return "deviceSignature", message, err
}

type byMAC struct {
	key    Agreement
	reader *ecdh.PublicKey
}

func (k byMAC) authenticate(transcript, signed []byte) (string, []byte, error) {
	mac, err := deviceMACKey(k.key, k.reader, transcript)
	if err != nil {
		return "", nil, err
	}
	return "deviceMac", cose.MAC0(mac, signed, true), nil
}

// Respond makes a DeviceResponse of several cards, each as Present does. Missing
// are types of documents that were asked for and of which nothing is shown.
func Respond(transcript []byte, shown []Showing, missing []string) ([]byte, error) {
	if err := checkTranscript(transcript); err != nil {
		return nil, err
	}
	if len(shown) > maxDocuments || len(missing) > maxDocuments {
		return nil, fmt.Errorf("%d documents and %d missing; %d each are the most", len(shown), len(missing), maxDocuments)
	}
	documents := make([][]byte, len(shown))
	fields, size := 2, 64
	for i := range shown {
		var err error
		if documents[i], err = shown[i].document(transcript); err != nil {
			return nil, err
		}
		size += len(documents[i])
	}
	if len(shown) > 0 {
		fields++
	}
	if len(missing) > 0 {
		fields++
	}
	b := appendResponseHead(make([]byte, 0, size), fields, StatusOK)
	if len(shown) > 0 {
		b = cose.AppendArray(cose.AppendText(b, "documents"), len(documents))
		for _, d := range documents {
			b = append(b, d...)
		}
	}
	if len(missing) > 0 {
		b = cose.AppendArray(cose.AppendText(b, "documentErrors"), len(missing))
		for _, docType := range missing {
			b = cose.AppendUint(cose.AppendText(cose.AppendMap(b, 1), docType), notReturned)
		}
	}
	return b, nil
}

// notReturned is the error code of data that is not returned, for a reason that
// is not told (Table 9).
const notReturned = 0

// ResponseStatus says how a request fared (Table 8).
type ResponseStatus uint64

const (
	StatusOK           ResponseStatus = 0
	StatusGeneralError ResponseStatus = 10
	StatusNotCBOR      ResponseStatus = 11 // it could not be decoded
	StatusNotARequest  ResponseStatus = 12 // it is CBOR, but not what the standard says
)

// RespondStatus is the DeviceResponse to a request that could not be read.
func RespondStatus(s ResponseStatus) []byte { return appendResponseHead(nil, 2, s) }

func appendResponseHead(b []byte, fields int, s ResponseStatus) []byte {
	b = cose.AppendMap(b, fields)
	b = cose.AppendUint(cose.AppendText(b, "status"), uint64(s))
	return cose.AppendText(cose.AppendText(b, "version"), version)
}

func (s *Showing) document(transcript []byte) ([]byte, error) {
	card, object, err := openCard(s.Card)
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool, len(s.Disclose))
	for _, name := range s.Disclose {
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
	for _, name := range s.Disclose {
		if wanted[name] {
			return nil, fmt.Errorf("the card has no element %q", name)
		}
	}
	kind, proof, err := s.By.authenticate(transcript, deviceAuthentication(transcript, object.docType, noNameSpaces))
	if err != nil {
		return nil, fmt.Errorf("the phone's key: %w", err)
	}
	fields := 3
	b := make([]byte, 0, size+len(card.issuerAuth)+len(proof)+256)
	if len(s.Withhold) > 0 {
		fields++
	}
	b = cose.AppendMap(b, fields)
	if len(s.Withhold) > 0 {
		b = cose.AppendMap(cose.AppendText(b, "errors"), 1)
		names := slices.Clone(s.Withhold)
		slices.SortFunc(names, cose.CompareText)
		names = slices.Compact(names)
		b = cose.AppendMap(cose.AppendText(b, card.namespace), len(names))
		for _, name := range names {
			b = cose.AppendUint(cose.AppendText(b, name), notReturned)
		}
	}
	b = cose.AppendText(cose.AppendText(b, "docType"), object.docType)
	b = cose.AppendMap(cose.AppendText(b, "deviceSigned"), 2)
	b = cose.AppendMap(cose.AppendText(b, "deviceAuth"), 1)
	b = append(cose.AppendText(b, kind), proof...)
	b = append(cose.AppendText(b, "nameSpaces"), noNameSpaces...)
	return appendIssuerSigned(cose.AppendText(b, "issuerSigned"), card.issuerAuth, card.namespace, items), nil
}

func openCard(encoded []byte) (*issuerSigned, *mso, error) {
	card, err := parseIssuerSigned(encoded)
	if err != nil {
		return nil, nil, malformed("the card", err)
	}
	auth, err := cose.Parse(card.issuerAuth)
	if err != nil {
		return nil, nil, malformed("issuerAuth", err)
	}
	object, err := decodeMSO(auth.Payload)
	if err != nil {
		return nil, nil, malformed("the mobile security object", err)
	}
	return card, object, nil
}

// Contents tells a wallet what it holds: the card's type, its namespace and the
// names of its elements. Nothing is verified.
func Contents(issuerSigned []byte) (docType, namespace string, names []string, err error) {
	card, object, err := openCard(issuerSigned)
	if err != nil {
		return "", "", nil, err
	}
	for _, it := range card.items {
		names = append(names, string(it.name))
	}
	return object.docType, card.namespace, names, nil
}
