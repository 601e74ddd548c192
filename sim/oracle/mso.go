package oracle

import (
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// issued is what the judge needs of an issued mdoc (ISO/IEC 18013-5 §9.1.2.4).
type issued struct {
	status      StatusRef
	from, until time.Time
	deviceKey   string // x ‖ y of the P-256 key
}

// maxIssuerSigned bounds an issued document.
const maxIssuerSigned = 1 << 20

var decodeCBOR = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:  16,
		MaxArrayElements: 4096,
		MaxMapPairs:      4096,
		IndefLength:      cbor.IndefLengthForbidden,
		TimeTag:          cbor.DecTagOptional,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

func parseIssuerSigned(doc []byte) (*issued, error) {
	if len(doc) > maxIssuerSigned {
		return nil, fmt.Errorf("the issued document is longer than %d bytes", maxIssuerSigned)
	}
	var outer struct {
		IssuerAuth cbor.RawMessage `cbor:"issuerAuth"`
	}
	if err := decodeCBOR.Unmarshal(doc, &outer); err != nil {
		return nil, fmt.Errorf("the issued document: %w", err)
	}
	auth := outer.IssuerAuth
	var tagged cbor.RawTag
	if len(auth) > 0 && auth[0]>>5 == 6 {
		if err := decodeCBOR.Unmarshal(auth, &tagged); err != nil {
			return nil, fmt.Errorf("issuerAuth: %w", err)
		}
		auth = tagged.Content
	}
	var sign1 struct {
		_         struct{} `cbor:",toarray"`
		Protected []byte
		Header    cbor.RawMessage
		Payload   []byte
		Signature []byte
	}
	if err := decodeCBOR.Unmarshal(auth, &sign1); err != nil {
		return nil, fmt.Errorf("issuerAuth: %w", err)
	}
	var wrapped cbor.RawTag
	if err := decodeCBOR.Unmarshal(sign1.Payload, &wrapped); err != nil {
		return nil, fmt.Errorf("mobile security object: %w", err)
	}
	if wrapped.Number != 24 {
		return nil, errors.New("the mobile security object is not wrapped in tag 24")
	}
	var inner []byte
	if err := decodeCBOR.Unmarshal(wrapped.Content, &inner); err != nil {
		return nil, fmt.Errorf("mobile security object: %w", err)
	}
	var mso struct {
		DeviceKeyInfo struct {
			DeviceKey map[int64]any `cbor:"deviceKey"`
		} `cbor:"deviceKeyInfo"`
		Validity struct {
			From  time.Time `cbor:"validFrom"`
			Until time.Time `cbor:"validUntil"`
		} `cbor:"validityInfo"`
		Status *struct {
			List *struct {
				Index uint64 `cbor:"idx"`
				URI   string `cbor:"uri"`
			} `cbor:"status_list"`
		} `cbor:"status"`
	}
	if err := decodeCBOR.Unmarshal(inner, &mso); err != nil {
		return nil, fmt.Errorf("mobile security object: %w", err)
	}
	out := &issued{from: mso.Validity.From, until: mso.Validity.Until}
	if mso.Status == nil || mso.Status.List == nil {
		return nil, errors.New("the mobile security object names no status list entry")
	}
	out.status = StatusRef{URI: mso.Status.List.URI, Index: mso.Status.List.Index}
	x, _ := mso.DeviceKeyInfo.DeviceKey[-2].([]byte)
	y, _ := mso.DeviceKeyInfo.DeviceKey[-3].([]byte)
	if len(x) == 0 || len(y) == 0 {
		return nil, errors.New("the mobile security object has no device key")
	}
	out.deviceKey = string(x) + string(y)
	return out, nil
}
