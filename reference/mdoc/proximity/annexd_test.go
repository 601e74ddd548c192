package proximity

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/cose"
)

func annexD(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "iso18013-5-annex-d", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func annexDKey(t testing.TB, name string) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.P256().NewPrivateKey(annexD(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// annexDHandover is the negotiated NFC handover within the session transcript.
func annexDHandover(t testing.TB) (engagement []byte, h Handover) {
	t.Helper()
	transcript, err := cose.Untag24(annexD(t, "session_transcript_bytes"))
	if err != nil {
		t.Fatal(err)
	}
	r := cose.NewReader(transcript)
	r.Array()
	r.Tag(24)
	engagement = r.Bytes()
	r.Skip()
	r.Array()
	h.Select, h.Request = r.Bytes(), r.Bytes()
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	return engagement, h
}

func TestAnnexDEngagesByQRCode(t *testing.T) {
	raw := annexD(t, "device_engagement")
	e, err := ParseEngagement(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !e.Key.Equal(annexDKey(t, "ephemeral_device_key_d").PublicKey()) {
		t.Error("the key is not the published one")
	}
	if e.NFC != nil || e.BLE == nil || e.BLE.PeripheralServer || !e.BLE.CentralClient ||
		hex.EncodeToString(e.BLE.CentralUUID) != "45efef742b2c4837a9a3b0e1d05a6917" {
		t.Errorf("offered: %+v, %+v", e.NFC, e.BLE)
	}
	// Made of its parts it is the same, byte for byte.
	made, err := NewEngagement(e.Key, nil, e.BLE)
	if err != nil || !bytes.Equal(made.Bytes(), raw) {
		t.Errorf("made %x, %v", made.Bytes(), err)
	}
	// §8.2.2.3: the scheme, and base64url without padding, which begins so for every engagement of three.
	if uri := made.URI(); !strings.HasPrefix(uri, "mdoc:owBjMS4wAYIB2BhYS6Q") || strings.Contains(uri, "=") {
		t.Errorf("as a QR code %s", uri)
	}
	again, err := ParseURI(made.URI())
	if err != nil || !bytes.Equal(again.Bytes(), raw) {
		t.Errorf("from %s: %v", made.URI(), err)
	}
}

func TestAnnexDEngagesByNegotiatedHandover(t *testing.T) {
	engagement, h := annexDHandover(t)
	s, err := ParseSelect(h.Select)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Engagement.Bytes(), engagement) || s.NFC != nil || s.BLE == nil || !s.BLE.CentralClient || s.BLE.PeripheralServer ||
		hex.EncodeToString(s.BLE.Address) != "2828378b1228" {
		t.Errorf("selected: %+v, %+v", s.NFC, s.BLE)
	}
	q, err := ParseHandoverRequest(h.Request)
	if err != nil {
		t.Fatal(err)
	}
	if !q.NFC || q.BLE == nil || !q.BLE.PeripheralServer || !q.BLE.CentralClient || len(q.BLE.CentralUUID) != 16 {
		t.Errorf("requested: NFC %v, %+v", q.NFC, q.BLE)
	}
	// Made of its parts it is the same but for the order of Bluetooth's data and the
	// kind of its address.
	ours, err := EncodeSelect(s.Engagement, nil, &BLE{CentralClient: true, CentralUUID: make([]byte, 16), Address: s.BLE.Address})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ParseNDEF(h.Select)
	if err != nil {
		t.Fatal(err)
	}
	made, err := ParseNDEF(ours)
	if err != nil || len(made) != 3 || !reflect.DeepEqual(made[0], theirs[0]) || !reflect.DeepEqual(made[2], theirs[2]) ||
		made[1].Type != theirs[1].Type || made[1].ID != theirs[1].ID {
		t.Errorf("made %+v, published %+v, %v", made, theirs, err)
	}
	for _, message := range [][]byte{h.Select, h.Request} {
		records, err := ParseNDEF(message)
		if err != nil || !bytes.Equal(EncodeNDEF(records...), message) {
			t.Errorf("read and written it is %x, not %x", EncodeNDEF(records...), message)
		}
	}
	if _, err := ParseSelect(h.Request); err == nil {
		t.Error("a request was read as a select")
	}
	if _, err := ParseHandoverRequest(h.Select); err == nil {
		t.Error("a select was read as a request")
	}
}

// The phone's side and the reader's side of Annex D, with its keys: each reads what
// the other wrote, and writes what is printed there.
func TestAnnexDIsSaidByBothSides(t *testing.T) {
	engagement, h := annexDHandover(t)
	e, err := ParseEngagement(engagement)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := Engage(e, h, annexDKey(t, "ephemeral_reader_key_d"))
	if err != nil {
		t.Fatal(err)
	}
	if want := annexD(t, "session_transcript_bytes"); !bytes.Equal(cose.Tag24(reader.Transcript()), want) {
		t.Fatalf("transcript %x, want %x", cose.Tag24(reader.Transcript()), want)
	}
	phone, request, err := Accept(e, h, annexDKey(t, "ephemeral_device_key_d"), annexD(t, "session_establishment"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(request, annexD(t, "device_request")) || !bytes.Equal(phone.Transcript(), reader.Transcript()) {
		t.Error("the request is not the published one")
	}

	// The order of the map's keys is the writer's: the parts must be the same.
	established, err := reader.Seal(annexD(t, "device_request"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseMessage(established, MaxRequestMessage)
	if err != nil {
		t.Fatal(err)
	}
	want, err := parseMessage(annexD(t, "session_establishment"), MaxRequestMessage)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the session is established by %x, %v", established, err)
	}
	answered, err := phone.Seal(annexD(t, "device_response"))
	if err != nil || !bytes.Equal(answered, annexD(t, "session_data")) {
		t.Errorf("session data %x, %v", answered, err)
	}
	data, last, err := reader.Open(annexD(t, "session_data"))
	if err != nil || last || !bytes.Equal(data, annexD(t, "device_response")) {
		t.Errorf("the response is %x, %v", data, err)
	}
	if ended := reader.End(); !bytes.Equal(ended, annexD(t, "session_termination")) {
		t.Errorf("termination %x", ended)
	}
	if data, last, err := phone.Open(annexD(t, "session_termination")); data != nil || !last || err != nil {
		t.Errorf("terminated: %x, %v, %v", data, last, err)
	}
}

// The root of the reader is not published: the certificate is taken at its word.
func TestAnnexDsReaderSaysWhoItIs(t *testing.T) {
	q, err := ParseRequest(annexD(t, "device_request"))
	if err != nil {
		t.Fatal(err)
	}
	const space = "org.iso.18013.5.1"
	want := []ElementRequest{{space, "family_name", true}, {space, "document_number", true}, {space, "driving_privileges", true},
		{space, "issue_date", true}, {space, "expiry_date", true}, {space, "portrait", false}}
	if len(q.Documents) != 1 || q.Documents[0].DocType != "org.iso.18013.5.1.mDL" || !reflect.DeepEqual(q.Documents[0].Elements, want) {
		t.Fatalf("asked for %+v", q)
	}
	d := &q.Documents[0]
	if !bytes.Equal(d.items, cose.Tag24(annexD(t, "items_request"))) {
		t.Error("the items request is not the published one")
	}
	transcript, err := cose.Untag24(annexD(t, "session_transcript_bytes"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := cose.Parse(d.readerAuth)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(annexD(t, "reader_cert"))
	if err != nil || len(m.Chain) != 1 || !bytes.Equal(m.Chain[0], certificate.Raw) {
		t.Fatalf("the certificate is not the published one: %v", err)
	}
	key := certificate.PublicKey.(*ecdsa.PublicKey)
	if !m.VerifySignature(key, readerAuthentication(transcript, d.items)) {
		t.Error("the reader's signature does not verify")
	}
	other := bytes.Clone(transcript)
	other[len(other)-1] ^= 1
	if m.VerifySignature(key, readerAuthentication(other, d.items)) {
		t.Error("the reader's signature verifies in another session")
	}
	ours := newReaders(t)
	if _, err := d.Reader(transcript, ours.anchors, time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC)); !errors.Is(err, mdoc.ErrUntrusted) {
		t.Errorf("under an authority of ours: %v", err)
	}
}
