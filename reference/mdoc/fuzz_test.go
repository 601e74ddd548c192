package mdoc

import (
	"bytes"
	"testing"

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

// A card is parsed before a presentation of it is made.
func FuzzPresent(f *testing.F) {
	w := newWorld(f)
	f.Add(w.card)
	f.Add([]byte("\xa1\x6aissuerAuth\x84\x40\xa0\xf6\x40"))
	f.Fuzz(func(t *testing.T, card []byte) {
		response, err := Present(card, []string{"family_name"}, w.transcript, w.phone)
		if err == nil && len(response) < len("family_name") {
			t.Error("an empty presentation")
		}
	})
}

func FuzzMSO(f *testing.F) {
	w := newWorld(f)
	s, err := parseIssuerSigned(w.card)
	if err != nil {
		f.Fatal(err)
	}
	auth, err := cose.Parse(s.issuerAuth)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(auth.Payload)
	f.Fuzz(func(t *testing.T, payload []byte) {
		if m, err := decodeMSO(payload); err == nil && (m.deviceKey == nil || m.docType == "") {
			t.Error("an incomplete mobile security object")
		}
	})
}
