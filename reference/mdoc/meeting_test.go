package mdoc

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

func TestAReaderNearbyIsShownSeveralCardsAndToldWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	r, err := VerifyResponse(w.meet(t), w.transcript, w.anchors, w.at, w.reader())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Documents) != 2 || !reflect.DeepEqual(r.Missing, []string{"org.iso.18013.5.1.mDL"}) {
		t.Fatalf("%d cards, missing %q", len(r.Documents), r.Missing)
	}
	first, second := r.Documents[0], r.Documents[1]
	if v, _ := first.Element("family_name"); v != "김" || len(first.Elements) != 1 || len(second.Elements) != 0 {
		t.Errorf("shown: %v and %v", first.Elements, second.Elements)
	}
	if !reflect.DeepEqual(first.Withheld, []string{"portrait", "blood_type"}) || second.Withheld != nil {
		t.Errorf("withheld: %q and %q", first.Withheld, second.Withheld)
	}
}

// A MAC is for this reader, this session and this phone.
func TestAMACIsForOneReaderInOneSession(t *testing.T) {
	w := newWorld(t)
	response := w.meet(t)
	another, err := testKey("another reader").ECDH()
	if err != nil {
		t.Fatal(err)
	}
	for name, verify := range map[string]func() error{
		"another reader": func() error {
			_, err := VerifyResponse(response, w.transcript, w.anchors, w.at, another)
			return err
		},
		"no reader": func() error { _, err := VerifyResponse(response, w.transcript, w.anchors, w.at, nil); return err },
		"another session": func() error {
			_, err := VerifyResponse(response, OpenID4VPTranscript("x", "y", nil, "z"), w.anchors, w.at, w.reader())
			return err
		},
	} {
		if err := verify(); !errors.Is(err, ErrDeviceAuth) {
			t.Errorf("%s: %v, want %v", name, err, ErrDeviceAuth)
		}
	}
	stranger, err := testKey("another phone").ECDH()
	if err != nil {
		t.Fatal(err)
	}
	forged, err := Respond(w.transcript, []Showing{{Card: w.card, By: ByMAC(stranger, w.reader().PublicKey())}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyResponse(forged, w.transcript, w.anchors, w.at, w.reader()); !errors.Is(err, ErrDeviceAuth) {
		t.Errorf("another phone's MAC: %v", err)
	}
}

// One bad card among several, and none of them is believed.
func TestOneBadCardSpoilsTheResponse(t *testing.T) {
	w := newWorld(t)
	response := w.meet(t)
	for i := range response {
		changed := bytes.Clone(response)
		changed[i] ^= 1 << (i % 8)
		r, err := VerifyResponse(changed, w.transcript, w.anchors, w.at, w.reader())
		if err != nil {
			continue
		}
		// What is missing or withheld is only the phone's word; what is shown is not.
		for _, p := range r.Documents {
			for _, e := range p.Elements {
				if e.Name != "family_name" || e.Value != "김" {
					t.Errorf("byte %d changed: accepted with %v", i, p.Elements)
				}
			}
		}
	}
	// What a verifier far away takes is one card.
	if _, err := VerifyProximity(response, w.transcript, w.anchors, w.at, w.reader()); !errors.Is(err, ErrMalformed) {
		t.Errorf("two cards where one is expected: %v", err)
	}
}

func TestAResponseHasLimits(t *testing.T) {
	w := newWorld(t)
	many := make([]Showing, maxDocuments+1)
	for i := range many {
		many[i] = Showing{Card: w.card, By: BySignature(w.phone)}
	}
	if _, err := Respond(w.transcript, many, nil); err == nil {
		t.Error("a response of nine cards was made")
	}
	eight, err := Respond(w.transcript, many[1:], nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyResponse(eight, w.transcript, w.anchors, w.at, nil); err != nil {
		t.Errorf("eight cards: %v", err)
	}
	nine := bytes.Replace(eight, cose.AppendArray(cose.AppendText(nil, "documents"), 8), cose.AppendArray(cose.AppendText(nil, "documents"), 9), 1)
	if _, err := VerifyResponse(nine, w.transcript, w.anchors, w.at, nil); err == nil || !strings.Contains(err.Error(), "9 documents") {
		t.Errorf("nine cards: %v", err)
	}
	if _, err := VerifyResponse(RespondStatus(StatusNotCBOR), w.transcript, w.anchors, w.at, nil); err == nil || !strings.Contains(err.Error(), "status 11") {
		t.Errorf("a status: %v", err)
	}
}

func TestAReadersCertificateIsThatOfTableB7(t *testing.T) {
	readers := testIACA(t, "Readers")
	der, err := NewReader(readers, &testKey("reader").PublicKey, spec("Bank of Sejong", signedAt, 1187))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewReader(readers, &testKey("reader").PublicKey, spec("Bank of Sejong", signedAt, 1188)); !errors.Is(err, ErrUntrusted) {
		t.Errorf("1188 days: %v", err)
	}
	anchors, err := NewTrustAnchors(readers.Certificate())
	if err != nil {
		t.Fatal(err)
	}
	name, key, err := anchors.Reader([][]byte{der}, signedAt.Add(time.Hour))
	if err != nil || name != "Bank of Sejong" || !key.Equal(&testKey("reader").PublicKey) {
		t.Errorf("%q, %v", name, err)
	}
	if _, _, err := anchors.Reader([][]byte{der}, signedAt.AddDate(4, 0, 0)); !errors.Is(err, ErrSignerExpired) {
		t.Errorf("after its time: %v", err)
	}
	// Nobody's certificate serves for another purpose, and no other authority's.
	w := newWorld(t)
	if _, _, err := w.anchors.Reader([][]byte{der}, w.at); !errors.Is(err, ErrUntrusted) {
		t.Errorf("under the authority of cards: %v", err)
	}
	if _, _, err := w.anchors.Reader([][]byte{w.signer.Certificate()}, w.at); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a document signer as a reader: %v", err)
	}
	if _, err := anchors.StatusSigner([][]byte{der}, w.at); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a reader as a signer of lists: %v", err)
	}
	signer, err := NewKeySigner(testKey("reader"), der)
	if err != nil {
		t.Fatal(err)
	}
	card, err := Issue(signer, testRandom("card"), &w.phone.PublicKey, w.elements, cardFor3, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := Present(card, nil, w.transcript, w.phone)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(response, w.transcript, anchors, w.at); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a reader as a document signer: %v", err)
	}
}

func TestAWalletKnowsWhatItHolds(t *testing.T) {
	w := newWorld(t)
	docType, namespace, names, err := Contents(w.card)
	if err != nil || docType != DocType || namespace != Namespace || len(names) != len(w.elements) || names[0] != "family_name" {
		t.Errorf("%s, %s, %q, %v", docType, namespace, names, err)
	}
}
