package proximity

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAHandoverReadsAsItWasMade(t *testing.T) {
	e, _ := engaged(t, "phone")
	rapid.Check(t, func(rt *rapid.T) {
		nfc, ble := drawNFC().Draw(rt, "NFC"), drawBLE(true).Draw(rt, "Bluetooth")
		selected, err := EncodeSelect(e, nfc, ble)
		if nfc == nil && ble == nil {
			if err == nil {
				rt.Error("a handover to nowhere was made")
			}
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		read, err := ParseSelect(selected)
		if err != nil || !reflect.DeepEqual(read, &Selected{e, nfc, ble}) {
			rt.Errorf("selected %+v, %v", read, err)
		}
		requested, err := EncodeRequest(testRandom("handover"), nfc != nil, ble)
		if err != nil {
			rt.Fatal(err)
		}
		asked, err := ParseHandoverRequest(requested)
		if err != nil || !reflect.DeepEqual(asked, &Requested{nfc != nil, ble}) {
			rt.Errorf("requested %+v, %v", asked, err)
		}
	})
}

func TestRecordsReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		records := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) Record {
			return Record{Format(rapid.SampledFrom([]byte{1, 2, 4}).Draw(rt, "format")), rapid.StringN(0, 20, 60).Draw(rt, "type"),
				rapid.StringN(0, 5, 20).Draw(rt, "id"), rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(rt, "payload")}
		}), 1, 6).Draw(rt, "records")
		read, err := ParseNDEF(EncodeNDEF(records...))
		if err != nil || !reflect.DeepEqual(read, records) {
			rt.Errorf("%+v was read as %+v, %v", records, read, err)
		}
	})
}

func TestWhatIsNoMessageIsRefusedWithASentence(t *testing.T) {
	for _, c := range []struct {
		name string
		data string
		says string
	}{
		{"nothing", "", "breaks off"},
		{"one byte", "\xd1", "breaks off"},
		{"a length that breaks off", "\xc1\x03\x00\x00\x00", "breaks off"},
		{"a payload that breaks off", "\xd1\x01\x05Tab", "breaks off"},
		{"no beginning", "\x51\x01\x00T", "must begin"},
		{"two beginnings", "\x91\x01\x00T\xd1\x01\x00T", "must begin"},
		{"chunks", "\xb1\x01\x00T", "of a kind"},
		{"an unchanged type", "\xd6\x00\x00", "of a kind"},
		{"no end", "\x91\x01\x00T", "breaks off"},
		{"bytes after the end", "\xd1\x01\x00T!", "follow its end"},
		{"four gigabytes", "\xc1\x01\xff\xff\xff\xffT", "breaks off"},
		{"too long", strings.Repeat("\xd1", MaxNDEF+1), "4097 bytes"},
		{"too many records", "\x91\x01\x00T" + strings.Repeat("\x11\x01\x00T", 20), "more than 16"},
	} {
		if _, err := ParseNDEF([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

func TestWhatIsNoHandoverIsRefusedWithASentence(t *testing.T) {
	e, _ := engaged(t, "phone")
	ac := func(id string) Record {
		return Record{WellKnown, alternative, "", append([]byte{1, byte(len(id))}, id+"\x00"...)}
	}
	hs := func(version byte, body ...Record) Record {
		return Record{WellKnown, handoverSelect, "", append([]byte{version}, EncodeNDEF(body...)...)}
	}
	nfc := Record{External, nfcCarrier, idNFC, []byte("\x01\x03\x01\xff\xff\x03\x02\xff\xff")}
	device := Record{External, deviceEngagement, idDevice, e.Bytes()}
	good := []Record{hs(0x15, ac(idNFC)), nfc, device}
	if _, err := ParseSelect(EncodeNDEF(good...)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		records []Record
		says    string
	}{
		{"a text", []Record{{WellKnown, "T", "", []byte("hi")}}, "no such handover"},
		{"version 2", []Record{hs(0x20, ac(idNFC)), nfc, device}, "version 1"},
		{"no engagement", []Record{hs(0x15, ac(idNFC)), nfc}, "no device engagement"},
		{"two engagements", []Record{hs(0x15, ac(idNFC)), nfc, device, device}, "no device engagement"},
		{"an engagement by another name", []Record{hs(0x15, ac(idNFC)), nfc, {External, deviceEngagement, "x", e.Bytes()}}, "no device engagement"},
		{"a broken engagement", []Record{hs(0x15, ac(idNFC)), nfc, {External, deviceEngagement, idDevice, []byte{0xa0}}}, "version"},
		{"a carrier that is not there", []Record{hs(0x15, ac("w")), nfc, device}, `"w"`},
		{"a carrier twice", []Record{hs(0x15, ac(idNFC)), nfc, nfc, device}, "two records"},
		{"NFC offered twice", []Record{hs(0x15, ac(idNFC), ac(idNFC)), nfc, device}, "NFC twice"},
		{"a carrier that breaks off", []Record{hs(0x15, Record{WellKnown, alternative, "", []byte{1, 255, 'n'}}), nfc, device}, "breaks off"},
		{"a name of 254 bytes", []Record{hs(0x15, ac(strings.Repeat("n", 254))), nfc, device}, "is not there"},
		{"no carrier", []Record{hs(0x15, Record{WellKnown, "xx", "", nil}), nfc, device}, "no way"},
		{"an unknown carrier", []Record{hs(0x15, ac("W")), {Media, "application/vnd.wfa.nan", "W", nil}, device}, "no way"},
		{"NFC without numbers", []Record{hs(0x15, ac(idNFC)), {External, nfcCarrier, idNFC, []byte{1}}, device}, "NFC in the handover"},
		{"NFC that breaks off", []Record{hs(0x15, ac(idNFC)), {External, nfcCarrier, idNFC, []byte{1, 3, 1}}, device}, "breaks off"},
		{"Bluetooth without a role", []Record{hs(0x15, ac(idBLE)), {Media, bleCarrier, idBLE, nil}, device}, "no role"},
		{"Bluetooth that breaks off", []Record{hs(0x15, ac(idBLE)), {Media, bleCarrier, idBLE, []byte{5, adRole}}, device}, "breaks off"},
	} {
		if _, err := ParseSelect(EncodeNDEF(c.records...)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}

func TestTheTagsServiceIsAnnouncedSelectedAndAnswered(t *testing.T) {
	if there, err := ParseService(EncodeService()); !there || err != nil {
		t.Errorf("announced: %v, %v", there, err)
	}
	// As a phone of another maker announces it, with more records around.
	other := EncodeNDEF(Record{WellKnown, "T", "", nil}, Record{WellKnown, "Tp", "", []byte("\x10\x13urn:nfc:sn:handover\x00\x10\x0f\xff\xff")})
	if there, err := ParseService(other); !there || err != nil {
		t.Errorf("announced by another: %v, %v", there, err)
	}
	e, _ := engaged(t, "phone")
	static, err := EncodeSelect(e, &NFC{255, 256}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if there, err := ParseService(static); there || err != nil {
		t.Errorf("a static handover announces: %v, %v", there, err)
	}
	if _, err := ParseService(EncodeNDEF(Record{WellKnown, "Tp", "", []byte("\x10\xffurn")})); err == nil {
		t.Error("a service that breaks off was read")
	}
	if !ParseServiceSelect(EncodeServiceSelect()) || ParseServiceSelect(EncodeService()) {
		t.Error("a selection is not told from others")
	}
	for _, ok := range []bool{true, false} {
		if read, err := ParseServiceStatus(EncodeServiceStatus(ok)); err != nil || read != ok {
			t.Errorf("status %v was read as %v, %v", ok, read, err)
		}
	}
	if _, err := ParseServiceStatus(EncodeService()); err == nil {
		t.Error("a service was read as a status")
	}
}

func TestAMessageInADataObjectIsWhole(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535, 65536, MaxResponseMessage} {
		message := bytes.Repeat([]byte{7}, n)
		wrapped := DataObject(message)
		read, err := ParseDataObject(wrapped, MaxResponseMessage)
		if err != nil || !bytes.Equal(read, message) {
			t.Errorf("%d bytes: %v", n, err)
		}
		if _, err := ParseDataObject(wrapped[:len(wrapped)-1], MaxResponseMessage); err == nil {
			t.Errorf("%d bytes less one were read", n)
		}
		if _, err := ParseDataObject(append(wrapped, 0), MaxResponseMessage); err == nil {
			t.Errorf("%d bytes and one more were read", n)
		}
		if _, err := ParseDataObject(wrapped[:len(wrapped)-1:len(wrapped)-1], n-1); err == nil {
			t.Errorf("%d bytes were read where fewer are the most", n)
		}
	}
	for _, b := range []string{"", "\x53", "\x54\x00", "\x53\x80", "\x53\x84\x00\x00\x00\x00", "\x53\x82\x01"} {
		if _, err := ParseDataObject([]byte(b), 100); err == nil {
			t.Errorf("%x was read", b)
		}
	}
}
