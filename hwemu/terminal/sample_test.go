package terminal

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/proximity"
)

// sample is one meeting as the independent readers take it (readers/inperson.mjs).
// Bytes are base64 in JSON.
type sample struct {
	Way             string `json:"way"`
	MAC             bool   `json:"mac"`
	Engagement      []byte `json:"engagement"`
	HandoverSelect  []byte `json:"handover_select"`
	HandoverRequest []byte `json:"handover_request"`
	Transcript      []byte `json:"transcript"`
	ReaderKey       []byte `json:"reader_key"`    // private
	Establishment   []byte `json:"establishment"` // SessionEstablishment
	Answer          []byte `json:"answer"`        // SessionData
	Response        []byte `json:"response"`
	FamilyName      string `json:"family_name"`
	At              int64  `json:"at"`
}

// samples are what another maker's phone needs to answer a request, and meetings.
type samples struct {
	Meetings  []sample `json:"meetings"`
	Card      []byte   `json:"card"`       // IssuerSigned
	DeviceKey []byte   `json:"device_key"` // its private key
}

// said puts together what an exchange of messages carried, in data objects.
func said(t *testing.T, m *Meeting) (establishment, answer []byte) {
	t.Helper()
	var out, in []byte
	for _, e := range m.Log {
		if e.What != "ENVELOPE request" && e.What != "GET RESPONSE" {
			continue
		}
		if e.What == "ENVELOPE request" {
			out = append(out, must(iso7816.ParseCommand(e.Command))(t).Data...)
		}
		in = append(in, must(iso7816.ParseResponse(e.Response))(t).Data...)
	}
	return must(proximity.ParseDataObject(out, proximity.MaxRequestMessage))(t), must(proximity.ParseDataObject(in, proximity.MaxResponseMessage))(t)
}

// With ROLLCALL_SAMPLE=DIR meetings of all kinds are written for the independent
// readers, and a card for another maker's phone to answer with.
func TestSampleOfMeetings(t *testing.T) {
	s := newStreet(t, 3000)
	var all samples
	for _, way := range ways {
		for _, mac := range []bool{false, true} {
			o := s.offer(allow("family_name", "portrait"))
			o.MAC = mac
			o.NFC = proximity.NFC{MaxCommand: 255, MaxResponse: 256}
			_, m, err := s.meet(t, way, o, s.terminal(), nfc.New, asking("family_name", "portrait", "resident_registration_number"))
			if err != nil {
				t.Fatal(err)
			}
			establishment, answer := said(t, m)
			all.Meetings = append(all.Meetings, sample{way, mac, m.Engagement.Bytes(), m.Handover.Select, m.Handover.Request, m.Transcript, m.Reader.Bytes(),
				establishment, answer, m.Response, "김", noon.UnixMilli()})
		}
	}
	iaca := authority(t, "IACA")
	device := key(t, "another maker's phone")
	ds := must(mdoc.NewKeySigner(key(t, "ds"), must(mdoc.NewDocumentSigner(iaca, &key(t, "ds").PublicKey, spec("DS")))(t)))(t)
	elements := []mdoc.Element{{Name: "family_name", Value: "김"}, {Name: "portrait", Value: s.portrait}, {Name: "resident_registration_number", Value: "900102-2345670"}, {Name: "age_over_19", Value: true}}
	all.Card = must(mdoc.Issue(ds, random("another card"), &device.PublicKey, elements, mdoc.Validity{Signed: noon, From: noon, Until: noon.AddDate(3, 0, 0)}, nil))(t)
	all.DeviceKey = must(device.Bytes())(t)

	folder := os.Getenv("ROLLCALL_SAMPLE")
	if folder == "" {
		return
	}
	block := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }
	encoded := must(json.MarshalIndent(all, "", " "))(t)
	for name, content := range map[string][]byte{"meetings.json": encoded, "iaca.pem": block(iaca.Certificate()), "readers.pem": block(authority(t, "readers").Certificate())} {
		must(0, os.WriteFile(filepath.Join(folder, name), content, 0o644))(t)
	}
}

// With ROLLCALL_THEIRS=FILE the responses that @owf/mdoc made to our request, as a
// phone, are verified.
func TestAnswersOfAnotherMakersPhoneVerify(t *testing.T) {
	file := os.Getenv("ROLLCALL_THEIRS")
	if file == "" {
		t.Skip("ROLLCALL_THEIRS names no answers.json that readers/inperson.mjs wrote (.ci/run readers)")
	}
	var answers []struct {
		Name       string `json:"name"`
		Response   []byte `json:"response"`
		Transcript []byte `json:"transcript"`
	}
	must(0, json.Unmarshal(must(os.ReadFile(file))(t), &answers))(t)
	if len(answers) != len(ways) {
		t.Fatalf("only %d answers", len(answers))
	}
	anchors := must(mdoc.NewTrustAnchors(authority(t, "IACA").Certificate()))(t)
	for _, a := range answers {
		r, err := mdoc.VerifyResponse(a.Response, a.Transcript, anchors, noon, nil)
		if err != nil || len(r.Documents) != 1 || len(r.Documents[0].Elements) != 3 {
			t.Errorf("%s: %+v, %v", a.Name, r, err)
			continue
		}
		if v, _ := r.Documents[0].Element("family_name"); v != "김" {
			t.Errorf("%s: %v", a.Name, v)
		}
		if _, err := mdoc.VerifyResponse(a.Response, mdoc.OpenID4VPTranscript("another", "session", nil, ""), anchors, noon, nil); !errors.Is(err, mdoc.ErrDeviceAuth) {
			t.Errorf("%s in another session: %v", a.Name, err)
		}
	}
}
