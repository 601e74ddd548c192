package mdoc

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/sha256"
	"time"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// Presented is what a verifier may believe of a presentation. Whether the card is
// suspended stands at Status.
type Presented struct {
	DocType   string
	Elements  []Element // those disclosed, in the card's order
	Withheld  []string  // names of those that were asked for and not returned, as the phone says
	Status    *StatusRef
	Validity  Validity
	DeviceKey *ecdsa.PublicKey
	Authority []byte // key identifier of the root that signed for the issuer
}

// Element returns the value of a disclosed element.
func (p *Presented) Element(name string) (any, bool) {
	for _, e := range p.Elements {
		if e.Name == name {
			return e.Value, true
		}
	}
	return nil, false
}

// Verify checks a DeviceResponse against the SessionTranscript (encoded, not
// wrapped) of the session in which it was asked for, in the order of §9.3.1: form,
// chain, issuer's signature, digests, document type, times, the phone's signature.
func Verify(response, transcript []byte, anchors *TrustAnchors, at time.Time) (*Presented, error) {
	return VerifyProximity(response, transcript, anchors, at, nil)
}

// VerifyProximity is Verify for a reader that met the phone (§9.1.3.5): the phone
// may authenticate by a MAC for the reader's ephemeral key instead of a signature.
func VerifyProximity(response, transcript []byte, anchors *TrustAnchors, at time.Time, reader *ecdh.PrivateKey) (*Presented, error) {
	all, err := parseResponse(response)
	if err != nil {
		return nil, malformed("the response", err)
	}
	d, err := all.only()
	if err != nil {
		return nil, malformed("the response", err)
	}
	return d.verify(transcript, anchors, at, reader)
}

// Response is what a verifier may believe of a response that may hold several
// cards.
type Response struct {
	Documents []*Presented
	Missing   []string // types of documents that were asked for and not returned, as the phone says
}

// VerifyResponse is VerifyProximity for a response of several cards, or of none.
// All are good, or none is believed.
func VerifyResponse(response, transcript []byte, anchors *TrustAnchors, at time.Time, reader *ecdh.PrivateKey) (*Response, error) {
	all, err := parseResponse(response)
	if err != nil {
		return nil, malformed("the response", err)
	}
	out := &Response{Missing: all.missing}
	for _, d := range all.documents {
		p, err := d.verify(transcript, anchors, at, reader)
		if err != nil {
			return nil, err
		}
		out.Documents = append(out.Documents, p)
	}
	return out, nil
}

func (d *document) verify(transcript []byte, anchors *TrustAnchors, at time.Time, reader *ecdh.PrivateKey) (*Presented, error) {
	object, by, err := anchors.issuerAuth(d.issuer.issuerAuth, at)
	if err != nil {
		return nil, err
	}
	if err := d.issuer.check(d.docType, object, at); err != nil {
		return nil, err
	}
	if err := d.checkDevice(object.deviceKey, transcript, reader); err != nil {
		return nil, err
	}
	p, err := d.issuer.presented(object)
	if err != nil {
		return nil, err
	}
	p.Withheld, p.Authority = d.withheld, by.root.SubjectKeyId
	return p, nil
}

// check says whether what came is what the issuer signed, a card, and in its time.
func (s *issuerSigned) check(docType string, object *mso, at time.Time) error {
	if err := s.checkDigests(object); err != nil {
		return err
	}
	if docType != object.docType {
		return refuse(ErrDocType, "the response says %q, the issuer signed %q", docType, object.docType)
	}
	if docType != DocType || s.items != nil && s.namespace != Namespace {
		return refuse(ErrDocType, "document type %q, namespace %q", docType, s.namespace)
	}
	return object.validity.check(at)
}

// presented is what may be believed of a card that was checked.
func (s *issuerSigned) presented(object *mso) (*Presented, error) {
	elements, err := s.elements()
	if err != nil {
		return nil, err
	}
	status := object.status
	if status != nil {
		status = new(StatusRef)
		*status = *object.status
	}
	return &Presented{DocType: object.docType, Elements: elements, Status: status, Validity: object.validity, DeviceKey: object.deviceKey}, nil
}

// issuerAuth checks the issuer's signature and its certificate at this time.
func (a *TrustAnchors) issuerAuth(raw []byte, at time.Time) (*mso, *signer, error) {
	m, err := cose.Parse(raw)
	if err != nil {
		return nil, nil, malformed("issuerAuth", err)
	}
	s, err := a.signer(m.Chain, &a.documentSigners, &documentSignerProfile)
	if err != nil {
		return nil, nil, err
	}
	if m.Algorithm != cose.ES256 || len(m.Signature) != 64 {
		return nil, nil, refuse(ErrIssuerSignature, "it is not an ES256 signature")
	}
	key := objectKey{s, m.Digest(), [64]byte(m.Signature)}
	object, ok := a.objects.Get(key)
	if !ok {
		if !s.key.Verify(key.digest[:], m.Signature) {
			return nil, nil, refuse(ErrIssuerSignature, "it is not by %q", s.name)
		}
		if object, err = decodeMSO(m.Payload); err != nil {
			return nil, nil, malformed("the mobile security object", err)
		}
		if signed := object.validity.Signed; signed.Before(s.from) || signed.After(s.until) {
			return nil, nil, refuse(ErrUntrusted, "signed at %s, outside the validity of the certificate of %q", signed.Format(tdate), s.name)
		}
		a.objects.Put(key, object)
	}
	return object, s, a.usable(s, at)
}

// check says whether the card may be used at this time; both ends are within.
func (v Validity) check(at time.Time) error {
	if at.Before(v.From) {
		return refuse(ErrNotYetValid, "it is valid from %s, now it is %s", v.From.Format(tdate), at.UTC().Format(tdate))
	}
	if at.After(v.Until) {
		return refuse(ErrExpired, "it was valid until %s, now it is %s", v.Until.Format(tdate), at.UTC().Format(tdate))
	}
	return nil
}

// checkDevice checks the phone's authentication over this session.
func (d *document) checkDevice(key *ecdsa.PublicKey, transcript []byte, reader *ecdh.PrivateKey) error {
	if err := checkTranscript(transcript); err != nil {
		return err
	}
	m, err := cose.Parse(d.deviceAuth)
	if err != nil {
		return malformed("deviceAuth", err)
	}
	if m.Payload != nil {
		return refuse(ErrMalformed, "deviceAuth carries a payload; it must be detached")
	}
	var room [deviceAuthenticationSize]byte
	signed := appendDeviceAuthentication(room[:0], transcript, d.docType, d.deviceNameSpaces)
	if !d.mac {
		if !m.VerifySignature(key, signed) {
			return ErrDeviceAuth
		}
		return nil
	}
	if reader == nil {
		return refuse(ErrDeviceAuth, "a MAC, which only a reader nearby can check; a signature is expected")
	}
	public, err := key.ECDH()
	if err != nil {
		return malformed("the device key", err)
	}
	mac, err := deviceMACKey(reader, public, transcript)
	if err != nil {
		return malformed("the device key", err)
	}
	if !m.VerifyMAC(mac, signed) {
		return ErrDeviceAuth
	}
	return nil
}

// Agreement is a private key for ECDH: an *ecdh.PrivateKey, or one in a secure
// element.
type Agreement interface {
	ECDH(public *ecdh.PublicKey) (shared []byte, err error)
}

// deviceMACKey derives EMacKey (§9.1.3.5) from one side's private and the other
// side's public key.
func deviceMACKey(own Agreement, other *ecdh.PublicKey, transcript []byte) ([]byte, error) {
	shared, err := own.ECDH(other)
	if err != nil {
		return nil, err
	}
	salt := sha256.Sum256(cose.Tag24(transcript))
	return hkdf.Key(sha256.New, shared, salt[:], "EMacKey", 32)
}

func (s *issuerSigned) elements() ([]Element, error) {
	out := make([]Element, 0, len(s.items))
	for i := range s.items {
		it := &s.items[i]
		v, err := decodeValue(it.value)
		if err != nil {
			return nil, malformed(string(it.name), err)
		}
		name, ok := ownNames[string(it.name)]
		if !ok {
			name = string(it.name)
		}
		out = append(out, Element{name, v})
	}
	return out, nil
}
