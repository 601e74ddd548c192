package proximity

import (
	"bytes"
	"reflect"
	"testing"
)

// What is read as an engagement is read again from what it offers.
func FuzzEngagement(f *testing.F) {
	f.Add(annexD(f, "device_engagement"))
	e, _ := engaged(f, "phone")
	f.Add(e.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := ParseEngagement(data)
		if err != nil {
			return
		}
		made, err := NewEngagement(e.Key, e.NFC, e.BLE)
		if err != nil {
			t.Fatalf("%x offers what nobody may: %v", data, err)
		}
		again, err := ParseURI(made.URI())
		if err != nil || !again.Key.Equal(e.Key) || !reflect.DeepEqual(again.NFC, e.NFC) || !reflect.DeepEqual(again.BLE, e.BLE) {
			t.Errorf("%x: %+v, made again %+v, %v", data, e, again, err)
		}
	})
}

// What is read as a message is written as the same records.
func FuzzNDEF(f *testing.F) {
	_, h := annexDHandover(f)
	f.Add(h.Select)
	f.Add(EncodeService())
	f.Fuzz(func(t *testing.T, data []byte) {
		records, err := ParseNDEF(data)
		if err != nil {
			return
		}
		again, err := ParseNDEF(EncodeNDEF(records...))
		if err != nil || len(again) != len(records) {
			t.Fatalf("%x: %+v, again %+v, %v", data, records, again, err)
		}
		for i := range records {
			a, b := records[i], again[i]
			if a.Format != b.Format || a.Type != b.Type || a.ID != b.ID || !bytes.Equal(a.Payload, b.Payload) {
				t.Errorf("%x: record %d %+v, again %+v", data, i, a, b)
			}
		}
		_, _ = ParseService(data)
		_ = ParseServiceSelect(data)
		_, _ = ParseServiceStatus(data)
	})
}

func FuzzHandover(f *testing.F) {
	_, h := annexDHandover(f)
	f.Add(h.Select)
	f.Add(h.Request)
	e, _ := engaged(f, "phone")
	static, err := EncodeSelect(e, &NFC{255, 65536}, &BLE{PeripheralServer: true, PeripheralUUID: make([]byte, 16)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(static)
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := ParseSelect(data); err == nil && (s.Engagement == nil || s.Engagement.Key == nil || s.NFC == nil && s.BLE == nil) {
			t.Errorf("%x leads nowhere: %+v", data, s)
		}
		if q, err := ParseHandoverRequest(data); err == nil && q.BLE != nil && !q.BLE.CentralClient && !q.BLE.PeripheralServer {
			t.Errorf("%x asks for nothing: %+v", data, q)
		}
	})
}

// Nothing that was not sealed in this session is opened, by neither side.
func FuzzSessionMessage(f *testing.F) {
	f.Add(annexD(f, "session_establishment"))
	f.Add(annexD(f, "session_termination"))
	reader, phone := met(f)
	answer, err := phone.Seal([]byte("an answer"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answer)
	e, key := engaged(f, "phone")
	again, err := Engage(e, Handover{}, testKey(f, "reader"))
	if err != nil {
		f.Fatal(err)
	}
	first, err := again.Seal([]byte("a request"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(first)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, request, err := Accept(e, Handover{}, key, data); err == nil && string(request) != "a request" {
			t.Errorf("%x was accepted as %q", data, request)
		}
		fresh := *reader
		if got, _, err := fresh.Open(data); err == nil && got != nil && string(got) != "an answer" {
			t.Errorf("%x was opened as %q", data, got)
		}
	})
}

// What is read as a request can be asked again, and is the same question.
func FuzzRequest(f *testing.F) {
	f.Add(annexD(f, "device_request"))
	r := newReaders(f)
	reader, _ := met(f)
	request, err := NewRequest(reader.Transcript(), r.bank, asking("family_name", "portrait"), asking("age_over_19"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request)
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := ParseRequest(data)
		if err != nil {
			return
		}
		for i := range q.Documents {
			d := &q.Documents[i]
			if name, err := d.Reader(reader.Transcript(), r.anchors, noon); err == nil && (name != "Bank" || !bytes.Contains(request, d.items)) {
				t.Errorf("%x asks in the name of %q for what it did not ask", data, name)
			}
		}
	})
}
