package iccard

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"image/jpeg"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

	"rollcall.example/rollcall/hwemu/iso7816"
)

// What stands in the files of a personalised card.

func TestTheMachineReadableZoneOfDoc9303(t *testing.T) {
	// The specimen of Doc 9303-5 appendix B, but for the state.
	h := Holder{DocumentNumber: "D23145890", Surname: "Eriksson", GivenName: "Anna Maria", Sex: 'F',
		BirthDate: time.Date(1974, 8, 12, 0, 0, 0, 0, time.UTC), Expires: time.Date(2012, 4, 15, 0, 0, 0, 0, time.UTC)}
	got, err := MRZ(h)
	want := "I<KORD231458907<<<<<<<<<<<<<<<" + "7408122F1204159KOR<<<<<<<<<<<6" + "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"
	if err != nil || got != want {
		t.Errorf("%v\n%s\n%s", err, got, want)
	}
	// Doc 9303-5 §4.2.2.1 note j: a long number, its check digit after it.
	h.DocumentNumber = "D23145890734"
	if got, _ = MRZ(h); got[:30] != "I<KORD23145890<7349<<<<<<<<<<<" {
		t.Errorf("long number: %s", got[:30])
	}
	for _, bad := range []string{"", "d1", "A-1", "12345678901234567890123"} {
		h.DocumentNumber = bad
		if got, err := MRZ(h); err == nil {
			t.Errorf("%q became %s", bad, got)
		}
	}
}

func TestHangulNamesAreWrittenInLatin(t *testing.T) {
	for name, want := range map[string]string{"홍": "HONG", "길동": "GILDONG", "박": "BAK", "영희": "YEONGHUI", "Kim": "KIM", "안나-마리": "ANNA<MARI", "값": "GAP"} {
		if got := mrzName(name); got != want {
			t.Errorf("%s became %s, want %s", name, got, want)
		}
	}
}

func TestEFCOMListsWhatIsThere(t *testing.T) {
	c := personalised(t)
	send(t, c, selectEMRTD)
	objects, err := iso7816.ParseObjects(read(t, c, 0x1E))
	if err != nil {
		t.Fatal(err)
	}
	com, _ := iso7816.Find(objects, 0x60)
	list, _ := com.Child(0x5C)
	short := map[byte]byte{0x61: 1, 0x75: 2, 0x6B: 11, 0x6C: 12, 0x6D: 13, 0x6E: 14, 0x6F: 15}
	if len(list.Value) != len(short) {
		t.Fatalf("%X", list.Value)
	}
	for _, tag := range list.Value {
		content := read(t, c, short[tag])
		if content[0] != tag {
			t.Errorf("DG%d begins with %02X", short[tag], content[0])
		}
		if _, err := iso7816.ParseObjects(content); err != nil {
			t.Errorf("DG%d: %v", short[tag], err)
		}
	}
}

func TestThePortraitIsAnISO19794Record(t *testing.T) {
	c := personalised(t)
	send(t, c, selectEMRTD)
	objects, err := iso7816.ParseObjects(read(t, c, 2))
	if err != nil {
		t.Fatal(err)
	}
	o, ok := iso7816.Find(objects, 0x75)
	if !ok {
		t.Fatal("no 75")
	}
	for _, tag := range []iso7816.Tag{0x7F61, 0x7F60, 0x5F2E} {
		if o, ok = o.Child(tag); !ok {
			t.Fatalf("no %X", uint32(tag))
		}
	}
	record := o.Value
	if !bytes.HasPrefix(record, []byte("FAC\x00010\x00")) || int(binary.BigEndian.Uint32(record[8:])) != len(record) ||
		int(binary.BigEndian.Uint32(record[14:])) != len(record)-14 {
		t.Fatalf("header %X of %d bytes", record[:46], len(record))
	}
	if img, err := jpeg.Decode(bytes.NewReader(record[46:])); err != nil || img.Bounds().Dx() != int(binary.BigEndian.Uint16(record[36:])) {
		t.Fatal("the picture in the record does not fit its header:", err)
	}
}

func TestAnIndependentCMSReaderAcceptsTheSecurityObject(t *testing.T) {
	c := personalised(t)
	k := kit(t)
	send(t, c, selectEMRTD)
	_, sod, rest, err := iso7816.Next(read(t, c, 0x1D))
	if err != nil || len(rest) != 0 {
		t.Fatal(err, len(rest))
	}
	p, err := pkcs7.Parse(sod)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	country, _ := x509.ParseCertificate(k.CountryCA)
	roots.AddCert(country)
	if err := p.VerifyWithChainAtTime(roots, day.AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	var object struct {
		Version int
		Hash    struct{ Algorithm asn1.ObjectIdentifier }
		Groups  []struct {
			Number int
			Hash   []byte
		}
		LDS asn1.RawValue
	}
	if _, err := asn1.Unmarshal(p.Content, &object); err != nil {
		t.Fatal(err)
	}
	for _, g := range object.Groups {
		if h := sha256.Sum256(read(t, c, byte(g.Number))); !bytes.Equal(h[:], g.Hash) {
			t.Errorf("the hash of DG%d is another", g.Number)
		}
	}
	if len(object.Groups) != 7 {
		t.Errorf("%d groups", len(object.Groups))
	}
}

func TestTheSameSeedMakesTheSameCard(t *testing.T) {
	a, b := personalised(t), personalised(t)
	for _, c := range []*Card{a, b} {
		send(t, c, selectEMRTD)
	}
	if !bytes.Equal(read(t, a, 0x1D), read(t, b, 0x1D)) {
		t.Error("two security objects")
	}
	x, _ := send(t, a, "00880000 08 0102030405060708 00")
	y, _ := send(t, b, "00880000 08 0102030405060708 00")
	if !bytes.Equal(x, y) {
		t.Error("two signatures")
	}
}

func TestAHolderWhoCannotBePutOnACardIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Holder){
		"PIN too short":   func(h *Holder) { h.PIN = "123" },
		"PIN of letters":  func(h *Holder) { h.PIN = "12345x" },
		"no portrait":     func(h *Holder) { h.Portrait = nil },
		"document number": func(h *Holder) { h.DocumentNumber = "한국" },
		"sex":             func(h *Holder) { h.Sex = 0 },
		"endless address": func(h *Holder) { h.Address = strings.Repeat("가", 1000) },
	} {
		h := holder()
		spoil(&h)
		if err := kit(t).Personalise(NewBlank([]byte("entropy of one chip")), h); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := kit(t).Personalise(personalised(t), holder()); err == nil {
		t.Error("a card was personalised twice")
	}
}
