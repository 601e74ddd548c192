package mdoc

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// StatusRef says where the card's status is published: the Token Status List and
// the index in it (status of the MSO, draft of the second edition;
// draft-ietf-oauth-status-list §6.3).
type StatusRef struct {
	URI   string
	Index uint64
}

// Validity is when the card was signed and from when until when it may be used
// (ValidityInfo, §9.1.2.4). Whole seconds. Update is when its issuer expects to have
// signed it anew (expectedUpdate); zero: it does not say.
type Validity struct {
	Signed, From, Until, Update time.Time
}

// updateAhead is how long before its end a card that ends with its signer's certificate
// is expected to have been signed anew [A]: a wallet that is offline for a month still
// holds a good one. Where less is left of the certificate it is half of that, so that
// wallets do not come at once, each time that they are opened.
const updateAhead = 30 * 24 * time.Hour

// Under is the validity that a card signed by s can have. Verifiers validate the
// certificate at the time at which they see the card (§9.3.3, RFC 5280 §6.1.3), so that
// none lasts longer than its signer's. ErrSignerExpired: nothing can be signed by it then.
func (v Validity) Under(s Signer) (Validity, error) {
	c, err := validCertificate(s, v.Signed)
	if err != nil {
		return v, err
	}
	if v.Until.After(c.NotAfter) {
		v.Until = c.NotAfter
		v.Update = v.Until.Add(-min(updateAhead, v.Until.Sub(v.From)/2))
	}
	return v, nil
}

// mso is the mobile security object.
type mso struct {
	docType   string
	validity  Validity
	status    *StatusRef
	deviceKey *ecdsa.PublicKey
	digests   []namespaceDigests
}

type namespaceDigests struct {
	namespace string
	digests   []valueDigest
}

type valueDigest struct {
	id     uint64
	digest [sha256.Size]byte
}

// of are the digests of a namespace.
func (m *mso) of(namespace string) []valueDigest {
	for i := range m.digests {
		if n := &m.digests[i]; n.namespace == namespace {
			return n.digests
		}
	}
	return nil
}

// find returns the digest with this number, or nil; there are few. They mostly
// stand in the order of their numbers.
func find(digests []valueDigest, id uint64) *valueDigest {
	if id < uint64(len(digests)) && digests[id].id == id {
		return &digests[id]
	}
	for i := range digests {
		if digests[i].id == id {
			return &digests[i]
		}
	}
	return nil
}

func encodeMSO(docType, namespace string, digests [][sha256.Size]byte, key *ecdsa.PublicKey, v Validity, status *StatusRef) ([]byte, error) {
	point, err := cose.AppendKey(nil, key)
	if err != nil {
		return nil, fmt.Errorf("the phone's key is not a P-256 key")
	}
	b := make([]byte, 0, 512+40*len(digests))
	if status == nil {
		b = cose.AppendMap(b, 6)
	} else {
		b = cose.AppendMap(b, 7)
		b = cose.AppendMap(cose.AppendText(b, "status"), 1)
		b = cose.AppendMap(cose.AppendText(b, "status_list"), 2)
		b = cose.AppendUint(cose.AppendText(b, "idx"), status.Index)
		b = cose.AppendText(cose.AppendText(b, "uri"), status.URI)
	}
	b = cose.AppendText(cose.AppendText(b, "docType"), docType)
	b = cose.AppendText(cose.AppendText(b, "version"), version)
	times := []struct {
		name string
		at   time.Time
	}{{"signed", v.Signed}, {"validFrom", v.From}, {"validUntil", v.Until}, {"expectedUpdate", v.Update}}
	if v.Update.IsZero() {
		times = times[:3]
	}
	b = cose.AppendMap(cose.AppendText(b, "validityInfo"), len(times))
	for _, t := range times {
		b = appendTime(cose.AppendText(b, t.name), t.at)
	}
	b = cose.AppendMap(cose.AppendText(b, "valueDigests"), 1)
	b = cose.AppendMap(cose.AppendText(b, namespace), len(digests))
	for id := range digests {
		b = cose.AppendBytes(cose.AppendUint(b, uint64(id)), digests[id][:])
	}
	b = cose.AppendMap(cose.AppendText(b, "deviceKeyInfo"), 1)
	b = cose.AppendText(b, "deviceKey")
	b = append(b, point...)
	return cose.AppendText(cose.AppendText(b, "digestAlgorithm"), digestAlgorithm), nil
}

const (
	version         = "1.0"
	digestAlgorithm = "SHA-256"
)

// decodeMSO reads MobileSecurityObjectBytes, #6.24(bstr .cbor MobileSecurityObject).
func decodeMSO(payload []byte) (*mso, error) {
	inner, err := cose.Untag24(payload)
	if err != nil {
		return nil, err
	}
	m := new(mso)
	var ver, alg []byte
	r := cose.NewReader(inner)
	r.Fields(func(key []byte) {
		switch string(key) {
		case "version":
			ver = r.Text()
		case "digestAlgorithm":
			alg = r.Text()
		case "docType":
			m.docType = text(r)
		case "validityInfo":
			m.readValidity(r)
		case "valueDigests":
			m.readDigests(r)
		case "deviceKeyInfo":
			r.Fields(func(key []byte) {
				if string(key) == "deviceKey" {
					m.deviceKey = r.Key()
				} else {
					r.Skip() // keyAuthorizations: elements signed by the device are refused anyway
				}
			})
		case "status":
			m.readStatus(r)
		default:
			r.Skip()
		}
	})
	if err := r.End(); err != nil {
		return nil, err
	}
	switch {
	case string(ver) != version:
		return nil, fmt.Errorf("version %q, not 1.0", ver)
	case string(alg) != digestAlgorithm:
		return nil, fmt.Errorf("digest algorithm %q, not SHA-256", alg)
	case m.docType == "":
		return nil, fmt.Errorf("no docType")
	case m.deviceKey == nil:
		return nil, fmt.Errorf("no device key")
	case m.validity.Signed.IsZero() || m.validity.From.IsZero() || m.validity.Until.IsZero():
		return nil, fmt.Errorf("validityInfo lacks a time")
	}
	return m, nil
}

func (m *mso) readValidity(r *cose.Reader) {
	r.Fields(func(key []byte) {
		switch string(key) {
		case "signed":
			m.validity.Signed = readTime(r)
		case "validFrom":
			m.validity.From = readTime(r)
		case "validUntil":
			m.validity.Until = readTime(r)
		case "expectedUpdate":
			m.validity.Update = readTime(r)
		default:
			r.Skip()
		}
	})
}

func readTime(r *cose.Reader) time.Time {
	r.Tag(0)
	text := r.Text()
	if r.Err() != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, string(text)) // which time.Parse has a short way for
	if err != nil || len(text) != len(tdate) || t.Location() != time.UTC {
		r.Fail("%q is not a time in UTC without a fraction of a second", text)
	}
	return t
}

func (m *mso) readDigests(r *cose.Reader) {
	r.Fields(func(key []byte) {
		n := r.Map()
		digests, most := make([]valueDigest, 0, n), uint64(0)
		for i := 0; i < n && r.Err() == nil; i++ {
			id, d := r.Uint(), r.Bytes()
			if len(d) != sha256.Size {
				r.Fail("a digest of %d bytes is not SHA-256", len(d))
				return
			}
			if id <= most && find(digests, id) != nil {
				r.Fail("digest %d comes twice", id)
			}
			most = max(most, id)
			digests = append(digests, valueDigest{id, [sha256.Size]byte(d)})
		}
		namespace := Namespace
		if string(key) != Namespace {
			namespace = string(key)
		}
		m.digests = append(m.digests, namespaceDigests{namespace, digests})
	})
}

func (m *mso) readStatus(r *cose.Reader) {
	r.Fields(func(key []byte) {
		if string(key) != "status_list" {
			r.Skip()
			return
		}
		ref, idx := &StatusRef{}, false
		r.Fields(func(key []byte) {
			switch string(key) {
			case "idx":
				ref.Index, idx = r.Uint(), true
			case "uri":
				ref.URI = string(r.Text())
			default:
				r.Skip()
			}
		})
		if !idx || ref.URI == "" {
			r.Fail("status_list lacks idx or uri")
		}
		m.status = ref
	})
}
