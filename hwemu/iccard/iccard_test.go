package iccard

import (
	"bytes"
	"encoding/hex"
	"image"
	"image/jpeg"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
)

var day = time.Date(2024, 12, 27, 0, 0, 0, 0, time.UTC)

func kit(t testing.TB) *IssuerKit {
	k, err := NewIssuerKit([]byte("a seed for tests"), day)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func holder() Holder {
	var picture bytes.Buffer
	jpeg.Encode(&picture, image.NewGray(image.Rect(0, 0, 90, 120)), nil)
	h := Holder{
		DocumentNumber: "R12345678", Surname: "홍", GivenName: "길동", Sex: 'M', BirthDate: time.Date(1990, 1, 2, 0, 0, 0, 0, time.UTC),
		Issued: day, Expires: day.AddDate(10, 0, 0), Address: "세종특별자치시 한누리대로 411", PersonalNumber: "900102-1******",
		Portrait: picture.Bytes(), PIN: "135790",
	}
	for i := range h.Template {
		h.Template[i] = int8(i*7 - 100)
	}
	return h
}

func personalised(t testing.TB) *Card {
	c := NewBlank([]byte("entropy of one chip"))
	if err := kit(t).Personalise(c, holder()); err != nil {
		t.Fatal(err)
	}
	c.Reset()
	return c
}

// send transmits hex and returns data and status.
func send(t testing.TB, c *Card, command string) ([]byte, iso7816.Status) {
	t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(command, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	r, err := iso7816.ParseResponse(c.Transmit(raw))
	if err != nil {
		t.Fatal(err)
	}
	return r.Data, r.Status
}

// read returns a whole file by short identifier.
func read(t testing.TB, c *Card, short byte) []byte {
	t.Helper()
	r, err := iso7816.ParseResponse(c.Transmit(iso7816.Command{Instruction: iso7816.ReadBinary, P1: 0x80 | short, Expected: 65536}.Bytes()))
	if err != nil || r.Status != iso7816.OK {
		t.Fatalf("file %02X: %v %v", short, r.Status, err)
	}
	whole := bytes.Clone(r.Data)
	for len(r.Data) == bufferSize {
		n := len(whole)
		r, _ = iso7816.ParseResponse(c.Transmit(iso7816.Command{Instruction: iso7816.ReadBinary, P1: byte(n >> 8), P2: byte(n), Expected: 65536}.Bytes()))
		whole = append(whole, r.Data...)
	}
	return whole
}

const (
	selectEMRTD    = "00A4040C 07 A0000002471001"
	selectResident = "00A4040C 0A F0524F4C4C43414C4C01"
	rightPIN       = "00200081 06 313335373930"
	wrongPIN       = "00200081 06 303030303030"
	askTries       = "00200081"
	statement      = "00880000 20 000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F 00"
)

// A card's answers as a table: what is sent, in order, in one session, and the
// status words that come back. This is the card's specification; no flag
// rewrites it.
func TestTheCardAnswersWithTheStatusWordsOfISO7816(t *testing.T) {
	clerk := "002C0181 08" + hex.EncodeToString(kit(t).ResettingCode("R12345678"))
	for _, c := range []struct {
		name  string
		steps []string // command → status
	}{
		{"select", []string{
			selectEMRTD, "9000",
			"00A4040C 07 A0000002471002", "6A82",
			"00A4020C 02 011D", "9000",
			"00A4020C 02 0110", "6A82",
			"00A4020C 01 01", "6700",
			"00A4090C 02 011D", "6A86",
			"00A40410 07 A0000002471001", "6A86",
			"00A4000C 02 3F00", "9000",
			"00A4020C 02 2F00", "9000",
		}},
		{"a SELECT that fails leaves the selection", []string{
			selectEMRTD, "9000",
			"00A4020C 02 011E", "9000",
			"00A4040C 02 DEAD", "6A82",
			"00B00000 04", "9000",
		}},
		{"read", []string{
			"00B00000 04", "6986",
			selectEMRTD, "9000",
			"00B00000 04", "6986",
			"00B09E00 04", "9000",
			"00B00004 04", "9000",
			"00B00000 FF", "6282",
			"00B00000 00", "9000",
			"00B00100 01", "6B00",
			"00B09E00", "6700",
			"00B08000 01", "6A86",
			"00B0FE00 01", "6A86",
			"00B09000 01", "6A82",
			"00B19E00 04", "6700",
			"00B1011E 03 540100 06", "9000",
			"00B1011E 03 540100 FF", "6282",
			"00B1001D 04 54020100 00", "9000",
			"00B1011E 03 550100 06", "6A80",
			"00B1011E 04 54027000 06", "6B00",
			"00B10110 03 540100 06", "6A82",
		}},
		{"class and instruction", []string{
			"80A40000", "6E00",
			"0CA4040C 07 A0000002471001", "6882",
			"01A4040C 07 A0000002471001", "6881",
			"00FE0000", "6D00",
			"00600000", "6D00",
			"00A40000 05", "6C06",
			"00A4040C 07 A000", "6700",
			"10A4040C 03 A00000", "9000",
			"00A4040C 04 02471001", "9000",
			"10A4040C 03 A00000", "9000",
			"00B09E00 04", "6883",
			"00B09E00 04", "9000",
		}},
		{"the PIN opens the template", []string{
			selectResident, "9000",
			"00B08100 00", "9000",
			"00B08200 00", "6982",
			"00A4020C 02 0002", "9000",
			"00B00000 00", "6982",
			askTries, "63C3",
			rightPIN, "9000",
			askTries, "9000",
			"00B08200 00", "9000",
			"00B00100 00", "9000",
		}},
		{"selecting again, another application or a wrong PIN closes it", []string{
			selectResident, "9000", rightPIN, "9000",
			selectResident, "9000", "00B08200 00", "6982",
			rightPIN, "9000",
			selectEMRTD, "9000", selectResident, "9000", "00B08200 00", "6982",
			rightPIN, "9000", wrongPIN, "63C2", "00B08200 00", "6982",
			rightPIN, "9000", askTries, "9000",
		}},
		{"three wrong PINs block it until a clerk resets it", []string{
			selectResident, "9000",
			wrongPIN, "63C2", wrongPIN, "63C1", wrongPIN, "63C0",
			rightPIN, "6983", askTries, "6983",
			"002C0181 08 0000000000000000", "63C9",
			clerk, "9000",
			askTries, "63C3",
			"00B08200 00", "6982",
			rightPIN, "9000",
		}},
		{"a right PIN gives the tries back", []string{
			selectResident, "9000", wrongPIN, "63C2", wrongPIN, "63C1", rightPIN, "9000", wrongPIN, "63C2",
		}},
		{"what is no PIN costs no try", []string{
			selectResident, "9000",
			"00200081 03 313233", "6700", "00200081 09 313233343536373839", "6700",
			"00200082 06 313335373930", "6A88", "00200181 06 313335373930", "6A86",
			askTries, "63C3",
		}},
		{"the holder changes the PIN", []string{
			selectResident, "9000",
			"00240081 0C 303030303030 323436383130", "63C2",
			"00240081 0C 313335373930 323436383A30", "6A80",
			"00240081 0C 313335373930 323436383130", "9000",
			rightPIN, "63C2",
			"00200081 06 323436383130", "9000",
			"00240182 08 0000000000000000", "6A88",
		}},
		{"signing", []string{
			"00880000 08 0102030405060708 00", "6D00",
			selectEMRTD, "9000",
			"00880000 08 0102030405060708 00", "9000",
			"00880000 08 0102030405060708 40", "9000",
			"00880000 08 0102030405060708 20", "6C40",
			"00880000 08 0102030405060708", "6700",
			"00880000 07 01020304050607 00", "6700",
			"00880001 08 0102030405060708 00", "6A86",
			statement, "6700",
			selectResident, "9000",
			statement, "9000",
			"00880000 08 0102030405060708 00", "6700",
		}},
		{"challenge", []string{
			"00840000 08", "9000", "00840000 00", "9000", "00840000", "6700", "00840100 08", "6A86", "00840000 41", "6700",
		}},
		{"nothing is written after personalisation", []string{
			selectEMRTD, "9000", "00A4020C 02 0101", "9000",
			"00D60000 01 00", "6985",
			"00468000 00", "6985",
			"00440000", "6985",
			selectResident, "9000",
			"00240181 06 313131313131", "6A86",
		}},
		{"the resident commands belong to the resident application", []string{
			selectEMRTD, "9000", rightPIN, "6D00", clerk, "6D00",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := personalised(t)
			for i := 0; i < len(c.steps); i += 2 {
				if _, status := send(t, card, c.steps[i]); status.Error()[:4] != c.steps[i+1] {
					t.Fatalf("step %d, %s: %v, want %s", i/2+1, c.steps[i], status, c.steps[i+1])
				}
			}
		})
	}
}

func TestABlankChipSignsNothingAndVerifiesNobody(t *testing.T) {
	c := NewBlank([]byte("entropy of one chip"))
	send(t, c, selectResident)
	for _, command := range []string{rightPIN, statement} {
		if _, s := send(t, c, command); s != iso7816.ConditionsNotSatisfied {
			t.Errorf("%s: %v", command, s)
		}
	}
	if _, s := send(t, c, "00440000"); s != iso7816.ConditionsNotSatisfied {
		t.Errorf("an empty chip was activated: %v", s)
	}
}

func TestTheFieldGoneTheSessionIsGone(t *testing.T) {
	c := personalised(t)
	send(t, c, selectResident)
	send(t, c, rightPIN)
	c.Reset()
	if _, s := send(t, c, "00B08200 00"); s != iso7816.FileNotFound {
		t.Errorf("still in the application: %v", s)
	}
	send(t, c, selectResident)
	if _, s := send(t, c, "00B08200 00"); s != iso7816.SecurityNotSatisfied {
		t.Errorf("the PIN is still open: %v", s)
	}
}

func FuzzTransmit(f *testing.F) {
	unhex := func(s string) []byte {
		raw, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		return raw
	}
	for _, application := range []string{selectEMRTD, selectResident} { // every command of a tap, where it belongs
		for _, raw := range tapSession(f) {
			f.Add(unhex(application), raw)
		}
	}
	for _, s := range []string{wrongPIN, "00B09E0000", "00B1011E0354010006", "002C0181080000000000000000", "10A4040C03A00000"} {
		f.Add(unhex(s), unhex(s))
	}
	card := personalised(f)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		c := *card
		c.Reset()
		c.tries, c.codeTries, c.pin = card.tries.clone(), card.codeTries.clone(), card.pin.clone()
		c.Transmit(first)
		raw := c.Transmit(second)
		r, err := iso7816.ParseResponse(raw)
		if err != nil {
			t.Fatalf("%X, %X: %v", first, second, err)
		}
		if sw1 := r.Status >> 12; sw1 != 6 && sw1 != 9 {
			t.Fatalf("status %04X", uint16(r.Status))
		}
	})
}

func BenchmarkPersonalise(b *testing.B) {
	k, h := kit(b), holder()
	for b.Loop() {
		if err := k.Personalise(NewBlank([]byte("entropy of one chip")), h); err != nil {
			b.Fatal(err)
		}
	}
}
