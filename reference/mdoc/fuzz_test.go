package mdoc

import (
	"bytes"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// Whatever comes in, nothing panics, and what is accepted holds only elements of
// the card.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	f.Add(w.present(f, "family_name", "birth_date"))
	f.Add(w.present(f))
	f.Add([]byte("\xa2\x66status\x00\x67version\x631.0"))
	f.Fuzz(func(t *testing.T, response []byte) {
		p, err := Verify(response, w.transcript, w.anchors, w.at)
		if err != nil {
			return
		}
		for _, e := range p.Elements {
			encoded, err := encodeValue(e.Value)
			if err != nil || !bytes.Contains(w.card, encoded) {
				t.Errorf("accepted %v, which is not of the card: %v", e, err)
			}
		}
	})
}

// A card is parsed before a presentation of it is made, and verified before it is kept: then
// it says what the issuer's says, and is one whoever signed it.
func FuzzPresent(f *testing.F) {
	w := newWorld(f)
	f.Add(w.card)
	f.Add([]byte("\xa1\x6aissuerAuth\x84\x40\xa0\xf6\x40"))
	f.Fuzz(func(t *testing.T, card []byte) {
		response, err := Present(card, []string{"family_name"}, w.transcript, w.phone)
		if err == nil && len(response) < len("family_name") {
			t.Error("an empty presentation")
		}
		p, err := VerifyCard(card, w.anchors, w.at)
		if err != nil {
			return
		}
		for _, e := range p.Elements {
			if encoded, err := encodeValue(e.Value); err != nil || !bytes.Contains(w.card, encoded) {
				t.Errorf("verified %v, which is not of the card: %v", e, err)
			}
		}
		if _, err := CheckCard(card, w.at); err != nil {
			t.Errorf("verified, and not good whoever signed it: %v", err)
		}
	})
}

// FuzzMSO changes the object within its wrapper, whose length would give most
// changes away.
func FuzzMSO(f *testing.F) {
	w := newWorld(f)
	_, inner := w.object(f)
	f.Add(inner)
	f.Fuzz(func(t *testing.T, inner []byte) {
		m, err := decodeMSO(cose.Tag24(inner))
		if err != nil {
			return
		}
		if m.deviceKey == nil || m.docType == "" || m.validity.Signed.IsZero() || m.validity.From.IsZero() || m.validity.Until.IsZero() {
			t.Error("an incomplete mobile security object")
		}
		// An independent decoder reads the same type.
		var other struct {
			DocType string `cbor:"docType"`
		}
		if err := cose.Unmarshal(inner, &other); err != nil || other.DocType != m.docType {
			t.Errorf("docType %q, elsewhere %q: %v", m.docType, other.DocType, err)
		}
	})
}

// FuzzResponse reads responses whoever signed them: the reader is a hand-written
// one, so a library looks at the same bytes.
func FuzzResponse(f *testing.F) {
	w := newWorld(f)
	f.Add(w.present(f, "family_name", "birth_date"))
	f.Add(w.present(f))
	f.Add(w.meet(f))
	f.Fuzz(func(t *testing.T, response []byte) {
		d, err := parseResponse(response)
		if err != nil {
			return
		}
		var other struct {
			Status    int `cbor:"status"`
			Documents []struct {
				DocType      string `cbor:"docType"`
				IssuerSigned struct {
					NameSpaces map[string][]any `cbor:"nameSpaces"`
				} `cbor:"issuerSigned"`
			} `cbor:"documents"`
		}
		// The limit of nesting is counted from what is skipped, and elsewhere from the
		// outermost item.
		elsewhere, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, MaxNestedLevels: 32,
			FieldNameMatching: cbor.FieldNameMatchingCaseSensitive}.DecMode()
		if err != nil {
			t.Fatal(err)
		}
		if err := elsewhere.Unmarshal(response, &other); err != nil {
			t.Fatalf("%x was read; elsewhere: %v", response, err)
		}
		if other.Status != 0 || len(other.Documents) != len(d.documents) {
			t.Fatalf("%x was read as %d documents, elsewhere as %+v", response, len(d.documents), other)
		}
		for i, one := range d.documents {
			o := other.Documents[i]
			if o.DocType != one.docType || len(o.IssuerSigned.NameSpaces[one.issuer.namespace]) != len(one.issuer.items) {
				t.Errorf("%x was read as %q with %d elements, elsewhere as %+v", response, one.docType, len(one.issuer.items), o)
			}
		}
	})
}
