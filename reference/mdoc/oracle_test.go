package mdoc

import (
	"crypto/ecdsa"
	"crypto/rand"
	"testing"

	"github.com/fxamacker/cbor/v2"
	gocose "github.com/veraison/go-cose"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// An independent COSE library judges both signatures of a presentation.
func TestBothSignaturesAreCOSE(t *testing.T) {
	w := newWorld(t)
	d, err := readOne(w.present(t, "family_name"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		message []byte
		payload []byte // if it is detached
		key     *ecdsa.PublicKey
	}{
		{"issuerAuth", d.issuer.issuerAuth, nil, &testKey("ds").PublicKey},
		{"deviceSignature", d.deviceAuth, deviceAuthentication(w.transcript, DocType, noNameSpaces), &w.phone.PublicKey},
	} {
		var m gocose.UntaggedSign1Message
		if err := m.UnmarshalCBOR(c.message); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if c.payload != nil {
			m.Payload = c.payload
		}
		v, err := gocose.NewVerifier(gocose.AlgorithmES256, c.key)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Verify(nil, v); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if alg, err := m.Headers.Protected.Algorithm(); err != nil || alg != gocose.AlgorithmES256 {
			t.Errorf("%s: protected algorithm %v, %v", c.name, alg, err)
		}
		m.Payload = append([]byte{1}, m.Payload...)
		if err := m.Verify(nil, v); err == nil {
			t.Errorf("%s: accepted with another payload", c.name)
		}
	}
}

func TestSignaturesOfAnotherLibraryVerify(t *testing.T) {
	key := testKey("other")
	signer, err := gocose.NewSigner(gocose.AlgorithmES256, key)
	if err != nil {
		t.Fatal(err)
	}
	m := gocose.UntaggedSign1Message{Headers: gocose.Headers{Protected: gocose.ProtectedHeader{gocose.HeaderLabelAlgorithm: gocose.AlgorithmES256}}, Payload: []byte("payload")}
	if err := m.Sign(rand.Reader, nil, signer); err != nil {
		t.Fatal(err)
	}
	raw, err := m.MarshalCBOR()
	if err != nil {
		t.Fatal(err)
	}
	ours, err := cose.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !ours.VerifySignature(&key.PublicKey, nil) {
		t.Error("refused")
	}
	if ours.VerifySignature(&testKey("not it").PublicKey, nil) {
		t.Error("accepted for another key")
	}
}

// An independent CBOR library finds what we write in core deterministic form: it
// writes the same bytes again.
func TestWhatIsWrittenIsDeterministicCBOR(t *testing.T) {
	w := newWorld(t)
	encode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		t.Fatal(err)
	}
	decode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TimeTagToAny: cbor.TimeTagToRFC3339}.DecMode()
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseIssuerSigned(w.card)
	if err != nil {
		t.Fatal(err)
	}
	_, object := w.object(t)
	item, err := cose.Untag24(s.items[0].raw)
	if err != nil {
		t.Fatal(err)
	}
	for name, written := range map[string][]byte{"card": w.card, "presentation": w.present(t, "sex"), "item": item, "transcript": w.transcript, "mobile security object": object} {
		var v any
		if err := decode.Unmarshal(written, &v); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		again, err := encode.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if name == "mobile security object" { // its times lose their tag in the other library
			if len(again) != len(written)-3 {
				t.Errorf("%s: %d bytes become %d", name, len(written), len(again))
			}
			continue
		}
		if string(again) != string(written) {
			t.Errorf("%s\n got %x\nwant %x", name, written, again)
		}
	}
}
