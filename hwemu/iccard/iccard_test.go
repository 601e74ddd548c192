package iccard

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"image"
	"image/jpeg"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/smallstep/pkcs7"

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

// chipKey reads DG15.
func chipKey(t testing.TB, c *Card) *ecdsa.PublicKey {
	send(t, c, selectEMRTD)
	_, spki, _, err := iso7816.Next(read(t, c, 15))
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PublicKey)
}

func verifies(key *ecdsa.PublicKey, message, plain []byte) bool {
	digest := sha256.Sum256(message)
	return len(plain) == 64 && ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(plain[:32]), new(big.Int).SetBytes(plain[32:]))
}

func TestActiveAuthenticationSucceedsWithTheChipAndFailsWithItsClone(t *testing.T) {
	genuine := personalised(t)
	clone := genuine.CloneWithoutKey([]byte("a forger's own chip"))
	key := chipKey(t, genuine)
	if other := chipKey(t, clone); !other.Equal(key) {
		t.Fatal("the clone shows another key: passive authentication would find it, which is not the point")
	}
	challenge := []byte{1, 2, 3, 4, 5, 6, 7, 8}
	for c, want := range map[*Card]bool{genuine: true, clone: false} {
		signature, status := send(t, c, "00880000 08 0102030405060708 00")
		if status != iso7816.OK || verifies(key, challenge, signature) != want {
			t.Errorf("status %v, genuine %v", status, !want)
		}
	}
}

func TestAStatementTellsThePINTruthfully(t *testing.T) {
	c := personalised(t)
	key := chipKey(t, c)
	state := func() byte {
		answer, status := send(t, c, statement)
		objects, err := iso7816.ParseObjects(answer)
		if err != nil || status != iso7816.OK {
			t.Fatal(err, status)
		}
		o, _ := iso7816.Find(objects, 0x7C)
		flags, _ := o.Child(0x80)
		signature, _ := o.Child(0x81)
		challenge := make([]byte, 32)
		for i := range challenge {
			challenge[i] = byte(i)
		}
		message := append(append([]byte(StatementLabel), challenge...), flags.Value[0])
		if !verifies(key, message, signature.Value) {
			t.Fatal("the statement is not signed by the chip")
		}
		if message[len(message)-1] ^= PINVerified; verifies(key, message, signature.Value) {
			t.Fatal("the statement says both")
		}
		return flags.Value[0]
	}
	send(t, c, selectResident)
	for _, step := range []struct {
		command string
		want    byte
	}{{askTries, 0}, {wrongPIN, 0}, {rightPIN, PINVerified}, {selectResident, 0}, {wrongPIN, 0}, {wrongPIN, 0}, {wrongPIN, PINBlocked}} {
		send(t, c, step.command)
		if got := state(); got != step.want {
			t.Errorf("after %s: status %02X, want %02X", step.command, got, step.want)
		}
	}
}

func TestChallengesDiffer(t *testing.T) {
	c := personalised(t)
	a, _ := send(t, c, "00840000 08")
	c.Reset()
	b, _ := send(t, c, "00840000 08")
	if len(a) != 8 || bytes.Equal(a, b) {
		t.Errorf("%X and %X", a, b)
	}
}

// tries asks a card for the PIN's tries in a fresh session.
func tries(t *testing.T, c *Card) int {
	t.Helper()
	c.Reset()
	send(t, c, selectResident)
	_, s := send(t, c, askTries)
	if s == iso7816.MethodBlocked {
		return 0
	}
	n, ok := s.Tries()
	if !ok {
		t.Fatalf("the counter is not readable: %v", s)
	}
	return n
}

// tearEverywhere performs a command on a fresh card once for every byte of
// memory that it writes, the power failing before that byte, and at last without
// a tear.
func tearEverywhere(t *testing.T, prepare []string, command string, judge func(c *Card, answered bool)) (points int) {
	raw, _ := hex.DecodeString(strings.ReplaceAll(command, " ", ""))
	for ; ; points++ {
		c := personalised(t)
		send(t, c, selectResident)
		for _, p := range prepare {
			send(t, c, p)
		}
		c.CutPower(points)
		answered := c.Transmit(raw) != nil
		c.Reset()
		judge(c, answered)
		if answered {
			return points
		}
	}
}

func TestAWrongPINTornAnywhereNeverGivesATryBack(t *testing.T) {
	points := tearEverywhere(t, []string{wrongPIN}, wrongPIN, func(c *Card, answered bool) {
		got := tries(t, c)
		if got != 1 && (got != 2 || answered) {
			t.Errorf("%d tries left (answered: %v)", got, answered)
		}
	})
	if points == 0 {
		t.Error("nothing was written, so nothing was torn")
	}
}

func TestARightPINTornAnywhereLeavesADefinedCounter(t *testing.T) {
	seen := map[int]bool{}
	tearEverywhere(t, []string{wrongPIN, wrongPIN}, rightPIN, func(c *Card, answered bool) {
		got := tries(t, c)
		seen[got] = true
		if answered && got != maxTries {
			t.Errorf("%d tries after a right PIN", got)
		}
	})
	// 1 before, 0 while the comparison is made, 3 after.
	if len(seen) != 3 || !seen[0] || !seen[1] || !seen[3] {
		t.Errorf("counters seen: %v", seen)
	}
}

func TestGuessingWithTornTapsGetsThreeGuesses(t *testing.T) {
	// The power is cut at every point of VERIFY in turn; no point may be found at
	// which the comparison was made and the try not taken.
	for point := range 40 {
		c := personalised(t)
		guesses := 0
		for range 20 {
			c.Reset()
			send(t, c, selectResident)
			c.CutPower(point)
			raw, _ := hex.DecodeString(strings.ReplaceAll(wrongPIN, " ", ""))
			if r, err := iso7816.ParseResponse(c.Transmit(raw)); err == nil && r.Status != iso7816.MethodBlocked {
				guesses++
			}
		}
		if guesses > maxTries {
			t.Fatalf("%d guesses with the power cut after %d bytes", guesses, point)
		}
	}
}

func TestAClerksResetTornAnywhereIsDoneOrNot(t *testing.T) {
	code := hex.EncodeToString(kit(t).ResettingCode("R12345678"))
	newPIN := "00200081 04 34343434"
	tearEverywhere(t, []string{wrongPIN, wrongPIN, wrongPIN}, "002C0081 0C"+code+"34343434", func(c *Card, answered bool) {
		switch got := tries(t, c); {
		case got != 0 && got != maxTries, answered && got == 0:
			t.Errorf("%d tries (answered: %v)", got, answered)
		case got == maxTries:
			if _, s := send(t, c, newPIN); s != iso7816.OK {
				t.Errorf("reset, but the new PIN is %v", s)
			}
		}
	})
}

func TestAPINChangeTornAnywhereLeavesTheOldOrTheNewPIN(t *testing.T) {
	tearEverywhere(t, nil, "00240081 0A 313335373930 34343434", func(c *Card, answered bool) {
		send(t, c, selectResident)
		_, old := send(t, c, rightPIN)
		_, new := send(t, c, "00200081 04 34343434")
		if (old == iso7816.OK) == (new == iso7816.OK) || answered && new != iso7816.OK {
			t.Errorf("old PIN %v, new PIN %v (answered: %v)", old, new, answered)
		}
	})
}

func TestATornPersonalisationCanBeDoneAgain(t *testing.T) {
	k, h := kit(t), holder()
	for _, point := range []int{0, 1, 50, 700, 2000, 3000, 4000, 4500} {
		c := NewBlank([]byte("entropy of one chip"))
		// Powered as one: the budget runs across commands.
		c.CutPower(point)
		if err := k.Personalise(c, h); err == nil {
			continue
		}
		c.Reset()
		if c.personalised() {
			t.Fatalf("torn after %d bytes, active", point)
		}
		if err := k.Personalise(c, h); err != nil {
			t.Fatalf("torn after %d bytes: %v", point, err)
		}
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

func FuzzTransmit(f *testing.F) {
	for _, s := range []string{selectEMRTD, selectResident, rightPIN, wrongPIN, statement, "00B09E0000", "00B1011E0354010006", "002C0181080000000000000000", "10A4040C03A00000"} {
		raw, _ := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		f.Add(raw, raw)
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
