package mdoc

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

	"rollcall.example/rollcall/reference/mdoc/cose"
)

func annexD(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "iso18013-5-annex-d", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The chain is not checked: the root of Annex D is not published. All the rest is.
func TestAnnexDVerifiesAtItsTime(t *testing.T) {
	response, err := parseResponse(annexD(t, "device_response"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := response.only()
	if err != nil {
		t.Fatal(err)
	}
	auth, err := cose.Parse(d.issuer.issuerAuth)
	if err != nil {
		t.Fatal(err)
	}
	if len(auth.Chain) != 1 || !bytes.Equal(auth.Chain[0], annexD(t, "ds_cert")) {
		t.Error("x5chain is not the published certificate")
	}
	certificate, err := x509.ParseCertificate(auth.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := documentSignerProfile.check(certificate); err != nil {
		t.Error(err)
	}
	if !auth.VerifySignature(certificate.PublicKey.(*ecdsa.PublicKey), nil) {
		t.Error("issuerAuth does not verify")
	}
	object, err := decodeMSO(auth.Payload)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.issuer.checkDigests(object); err != nil {
		t.Error(err)
	}
	if len(object.of("org.iso.18013.5.1")) < len(d.issuer.items) || object.docType != "org.iso.18013.5.1.mDL" {
		t.Errorf("mobile security object %+v", object)
	}
	point, err := object.deviceKey.Bytes()
	if err != nil || !bytes.Equal(point[1:], append(annexD(t, "static_device_key_x"), annexD(t, "static_device_key_y")...)) {
		t.Error("the device key is not the published one")
	}
	if err := object.validity.check(time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Error(err)
	}
	if err := object.validity.check(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); !errors.Is(err, ErrExpired) {
		t.Errorf("in 2026: %v, want %v", err, ErrExpired)
	}

	reader, err := ecdh.P256().NewPrivateKey(annexD(t, "ephemeral_reader_key_d"))
	if err != nil {
		t.Fatal(err)
	}
	transcript, err := cose.Untag24(annexD(t, "session_transcript_bytes"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.checkDevice(object.deviceKey, transcript, reader); err != nil {
		t.Errorf("deviceMac: %v", err)
	}
	other := bytes.Clone(transcript)
	other[len(other)-1] ^= 1
	if err := d.checkDevice(object.deviceKey, other, reader); !errors.Is(err, ErrDeviceAuth) {
		t.Errorf("deviceMac over another transcript: %v", err)
	}
	if err := d.checkDevice(object.deviceKey, transcript, nil); !errors.Is(err, ErrDeviceAuth) {
		t.Errorf("deviceMac without the reader's key: %v", err)
	}

	elements, err := d.issuer.elements()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"family_name": "Doe", "issue_date": Date("2019-10-20"), "expiry_date": Date("2024-10-20"), "document_number": "123456789",
		"driving_privileges": []any{
			map[string]any{"vehicle_category_code": "A", "issue_date": Date("2018-08-09"), "expiry_date": Date("2024-10-20")},
			map[string]any{"vehicle_category_code": "B", "issue_date": Date("2017-02-23"), "expiry_date": Date("2024-10-20")},
		},
	}
	for _, e := range elements {
		if w, ok := want[e.Name]; ok && !reflect.DeepEqual(e.Value, w) {
			t.Errorf("%s is %v, want %v", e.Name, e.Value, w)
		}
		delete(want, e.Name)
	}
	for name := range want {
		t.Errorf("%s is not there", name)
	}
}

func TestAnnexDIsNotOurCard(t *testing.T) {
	w := newWorld(t)
	transcript, err := cose.Untag24(annexD(t, "session_transcript_bytes"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(annexD(t, "device_response"), transcript, w.anchors, w.at); !errors.Is(err, ErrUntrusted) {
		t.Errorf("%v, want %v", err, ErrUntrusted)
	}
}

func TestAnnexDsReaderHasACertificateOfTableB7(t *testing.T) {
	certificate, err := x509.ParseCertificate(annexD(t, "reader_cert"))
	if err != nil {
		t.Fatal(err)
	}
	if err := readerProfile.check(certificate); err != nil {
		t.Error(err)
	}
	if err := documentSignerProfile.check(certificate); err == nil {
		t.Error("it passes for a document signer's")
	}
}

// What Annex D's phone authenticates by MAC comes out the same when it is made here.
func TestAnnexDsMACIsMadeHere(t *testing.T) {
	response, err := parseResponse(annexD(t, "device_response"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := response.only()
	if err != nil {
		t.Fatal(err)
	}
	reader, err := ecdh.P256().NewPrivateKey(annexD(t, "ephemeral_reader_key_d"))
	if err != nil {
		t.Fatal(err)
	}
	phone, err := ecdh.P256().NewPrivateKey(annexD(t, "static_device_key_d"))
	if err != nil {
		t.Fatal(err)
	}
	transcript, err := cose.Untag24(annexD(t, "session_transcript_bytes"))
	if err != nil {
		t.Fatal(err)
	}
	kind, message, err := ByMAC(phone, reader.PublicKey()).authenticate(transcript, deviceAuthentication(transcript, d.docType, d.deviceNameSpaces))
	if err != nil || kind != "deviceMac" || !bytes.Equal(message, d.deviceAuth) {
		t.Errorf("%s %x, %v", kind, message, err)
	}
}
