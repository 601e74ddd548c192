package iccard

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/smallstep/pkcs7"
	"pgregory.net/rapid"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/mrtd"
)

// A protected chip: what it tells to whom, and how it is opened.

const (
	can         = "246813"
	setCAN      = "0022C1A4 0F 800A04007F00070202040202 830102"
	setPIN      = "0022C1A4 0F 800A04007F00070202040202 830103"
	setChip     = "002241A4 0C 800A04007F00070202030202"
	askNonce    = "10860000 02 7C00 00"
	askBAC      = "00840000 08"
	cardAccess  = "00B09C00 00"
	aPoint      = "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
	sendPoint   = "10860000 45 7C438141" + aPoint + "00"
	resetByCode = "002C0181 08"
)

func protected(t testing.TB) *Card {
	t.Helper()
	h := holder()
	h.CAN = can
	c := NewBlank([]byte("entropy of one chip"))
	if err := kit(t).Personalise(c, h); err != nil {
		t.Fatal(err)
	}
	c.Reset()
	return c
}

// reader speaks to a card as an inspection system does.
type reader struct {
	t       testing.TB
	card    *Card
	channel *mrtd.Channel
	draws   byte
}

var errLost = errors.New("the card is gone")

func (r *reader) transmit(cmd iso7816.Command) (iso7816.Response, error) {
	sent := cmd
	if r.channel != nil {
		sent = r.channel.SealCommand(cmd)
	}
	raw := r.card.Transmit(sent.Bytes())
	if raw == nil {
		return iso7816.Response{}, errLost
	}
	a, err := iso7816.ParseResponse(raw)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.channel == nil {
		return a, nil
	}
	if len(a.Data) == 0 {
		r.channel = nil
		return a, nil
	}
	if a, err = r.channel.OpenResponse(cmd.Instruction, a); err != nil {
		r.t.Fatal(err)
	}
	return a, nil
}

// send is transmit of hex.
func (r *reader) send(command string) iso7816.Response {
	r.t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(command, " ", ""))
	if err != nil {
		r.t.Fatal(err)
	}
	cmd, err := iso7816.ParseCommand(raw)
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := r.transmit(cmd)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *reader) random(n int) []byte {
	r.draws++
	var out []byte
	for i := byte(0); len(out) < n; i++ {
		h := sha256.Sum256([]byte{r.draws, i})
		out = append(out, h[:]...)
	}
	return out[:n]
}

// pace opens the card, and returns the status of the first step that fails.
func (r *reader) pace(curve mrtd.Curve, password mrtd.Password, secret []byte) (iso7816.Status, error) {
	r.t.Helper()
	a, err := r.transmit(iso7816.Command{Instruction: iso7816.ManageSecurity, P1: 0xC1, P2: 0xA4,
		Data: append(iso7816.Encode(0x80, mrtd.OIDPACE()), 0x83, 1, byte(password), 0x84, 1, byte(curve))})
	if _, warned := a.Status.Tries(); err != nil || a.Status != iso7816.OK && !warned {
		return a.Status, err
	}
	var value []byte
	step := func(class byte, inner ...[]byte) (iso7816.Status, error) {
		a, err := r.transmit(iso7816.Command{Class: class, Instruction: iso7816.GeneralAuthenticate, Data: iso7816.Encode(0x7C, inner...), Expected: 256})
		if err != nil || a.Status != iso7816.OK {
			return a.Status, err
		}
		objects, err := iso7816.ParseObjects(a.Data)
		if err != nil {
			r.t.Fatal(err)
		}
		value = objects[0].Children[0].Value
		return a.Status, nil
	}
	if s, err := step(iso7816.ClassChained); s != iso7816.OK {
		return s, err
	}
	nonce, err := mrtd.DecryptNonce(secret, value)
	if err != nil {
		r.t.Fatal(err)
	}
	p := mrtd.NewPACE(curve, nonce, curve.Scalar(r.random(mrtd.ScalarRandom)), curve.Scalar(r.random(mrtd.ScalarRandom)))
	point, err := p.MappingPoint()
	if err != nil {
		r.t.Fatal(err)
	}
	if s, err := step(iso7816.ClassChained, iso7816.Encode(0x81, point)); s != iso7816.OK {
		return s, err
	}
	if point, err = p.Map(value); err != nil {
		r.t.Fatal(err)
	}
	if s, err := step(iso7816.ClassChained, iso7816.Encode(0x83, point)); s != iso7816.OK {
		return s, err
	}
	if err := p.Agree(value); err != nil {
		r.t.Fatal(err)
	}
	if s, err := step(0, iso7816.Encode(0x85, p.Token())); s != iso7816.OK {
		return s, err
	}
	if err := p.Check(value); err != nil {
		r.t.Fatal(err)
	}
	r.channel = p.Channel()
	return iso7816.OK, nil
}

// opened is a reader that has opened a card with the CAN.
func opened(t testing.TB, c *Card) *reader {
	t.Helper()
	r := &reader{t: t, card: c}
	if s, err := r.pace(mrtd.P256, mrtd.FromCAN, []byte(can)); s != iso7816.OK {
		t.Fatal(s, err)
	}
	return r
}

// The card's answers in the clear, as in the table of iccard_test.go.
func TestAProtectedChipAnswersInTheClear(t *testing.T) {
	wrongBAC := "00820000 28" + strings.Repeat("00", 40) + "28"
	for _, c := range []struct {
		name  string
		steps []string
	}{
		{"what everybody may read", []string{
			cardAccess, "9000", "00B09E00 00", "9000", "00B08100 00", "9000", "00A4020C 02 011C", "9000",
			"00B09D00 00", "6982", "00A4020C 02 011D", "6982",
		}},
		{"what it guards", []string{
			selectEMRTD, "9000", "00B09E00 00", "6982", "00B08100 04", "6982", "00A4020C 02 0101", "6982", "00B1010F 03 540100 06", "6982",
			"00880000 08 0102030405060708 00", "6982",
			selectResident, "9000", rightPIN, "6982", askTries, "6982", "00B08200 00", "6982", statement, "6982",
			resetByCode + "0000000000000000", "6982", "00240081 0C 313335373930 323436383130", "6982",
		}},
		{"MSE:SET AT", []string{
			setCAN, "9000", setPIN, "9000", setCAN, "9000",
			"0022C1A4 12 800A04007F00070202040202 830102 84010D", "9000",
			"0022C1A4 12 800A04007F00070202040202 830102 84010B", "6A88",
			"0022C1A4 0F 800A04007F00070202040202 830104", "6A88",
			"0022C1A4 0F 800A04007F00070202040201 830102", "6A80",
			"0022C1A4 0C 800A04007F00070202040202", "6A80",
			"0022C1A4 01 80", "6A80", "0022C1A4", "6A80",
			"0022C1B6 0F 800A04007F00070202040202 830102", "6A86",
			setChip, "6982",
		}},
		{"PACE out of turn", []string{
			askNonce, "6985",
			setCAN, "9000", sendPoint, "6A80",
			setCAN, "9000", askNonce, "9000", askNonce, "6A80", askNonce, "6985",
			setCAN, "9000", askNonce, "9000", cardAccess, "9000", sendPoint, "6985",
			setCAN, "9000", "00860000 02 7C00 00", "6985",
			setCAN, "9000", "10860000 02 7C00", "6700",
			setCAN, "9000", "10860001 02 7C00 00", "6A86",
			setCAN, "9000", "10860000 01 7C 00", "6A80",
			setCAN, "9000", askNonce, "9000", sendPoint, "9000", "00860000 0C 7C0A85080000000000000000 00", "6A80",
		}},
		{"PACE with a point that is none", []string{
			setCAN, "9000", askNonce, "9000", "10860000 05 7C03810100 00", "6300",
			setCAN, "9000", askNonce, "9000", "10860000 45 7C438141" + aPoint[:126] + "0000 00", "6300",
		}},
		{"BAC out of turn", []string{
			"00820000 28" + strings.Repeat("00", 40) + "28", "6D00",
			selectEMRTD, "9000",
			wrongBAC, "6985",
			askBAC, "9000", wrongBAC, "6300", wrongBAC, "6985",
			askBAC, "9000", selectEMRTD, "9000", wrongBAC, "6985",
			"00840000 10", "9000", wrongBAC, "6985",
			askBAC, "9000", "00820000 08 0000000000000000 28", "6700",
			askBAC, "9000", "00820100 28" + strings.Repeat("00", 40) + "28", "6A86",
		}},
		{"secure messaging without keys", []string{
			"0CB09C00 0D 970104 8E080000000000000000 00", "6988", "08B09C00 00", "6882", "04B09C00 00", "6882",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := protected(t)
			for i := 0; i < len(c.steps); i += 2 {
				if _, status := send(t, card, c.steps[i]); status.Error()[:4] != c.steps[i+1] {
					t.Fatalf("step %d, %s: %v, want %s", i/2+1, c.steps[i], status, c.steps[i+1])
				}
			}
		})
	}
}

func TestAChipInTheClearKnowsNothingOfPasswords(t *testing.T) {
	c := personalised(t)
	for _, x := range []string{setCAN, askNonce, cardAccess, "00A4020C 02 011C", selectEMRTD, "00820000 28" + strings.Repeat("00", 40) + "28"} {
		want := iso7816.InstructionNotSupported
		switch x {
		case cardAccess, "00A4020C 02 011C":
			want = iso7816.FileNotFound
		case selectEMRTD:
			want = iso7816.OK
		}
		if _, s := send(t, c, x); s != want {
			t.Errorf("%s: %v", x, s)
		}
	}
}

func TestPACEOpensTheChipWithEachPasswordOnEachCurve(t *testing.T) {
	h := holder()
	mrz, _ := MRZ(h)
	secret, err := mrtd.MRZSecret(mrz)
	if err != nil {
		t.Fatal(err)
	}
	for _, curve := range mrtd.Curves {
		for password, secret := range map[mrtd.Password][]byte{mrtd.FromCAN: []byte(can), mrtd.FromMRZ: secret, mrtd.FromPIN: []byte(h.PIN)} {
			r := &reader{t: t, card: protected(t)}
			if s, err := r.pace(curve, password, secret); s != iso7816.OK {
				t.Fatalf("%v, password %d: %v %v", curve, password, s, err)
			}
			r.send(selectResident)
			want := iso7816.SecurityNotSatisfied
			if password == mrtd.FromPIN {
				want = iso7816.OK // shown already
			}
			if a := r.send("00B08200 DF"); a.Status != want {
				t.Errorf("%v, password %d: the template %v", curve, password, a.Status)
			}
			// Odd instruction, and an answer of extended length.
			r.send(selectEMRTD)
			if a := r.send("00B10001 03 540100 00"); a.Status != iso7816.OK || !bytes.HasPrefix(a.Data, []byte{0x53}) {
				t.Errorf("odd READ BINARY: %v %X", a.Status, a.Data)
			}
			if a := r.send("00B08200 000800"); a.Status != iso7816.OK && a.Status != iso7816.EndOfFile || len(a.Data) < 500 {
				t.Errorf("extended READ BINARY: %v, %d bytes", a.Status, len(a.Data))
			}
			if a := r.send("00B08200 00"); a.Status != iso7816.OK || len(a.Data) != 223 {
				t.Errorf("a short answer holds %d bytes: %v", len(a.Data), a.Status)
			}
			if a := r.send("00B00000 E0"); a.Status != iso7816.WrongLength {
				t.Errorf("more than a short answer can hold: %v", a.Status)
			}
		}
	}
}

// A command that is wrong, in the clear, or repeated ends secure messaging and all
// that it allowed.
func TestAnErrorOfSecureMessagingEndsTheSession(t *testing.T) {
	for name, spoil := range map[string]struct {
		send func(r *reader) iso7816.Status
		want iso7816.Status
	}{
		"in the clear": {func(r *reader) iso7816.Status { _, s := send(r.t, r.card, "00B08100 00"); return s }, iso7816.SecurityNotSatisfied},
		"no MAC":       {func(r *reader) iso7816.Status { _, s := send(r.t, r.card, "0CB08100 03 970100 00"); return s }, iso7816.SecureObjectMissing},
		"a wrong MAC": {func(r *reader) iso7816.Status {
			_, s := send(r.t, r.card, "0CB08100 0D 970100 8E080000000000000000 00")
			return s
		}, iso7816.SecureObjectWrong},
		"an unknown object": {func(r *reader) iso7816.Status {
			_, s := send(r.t, r.card, "0CB08100 10 810100 970100 8E080000000000000000 00")
			return s
		}, iso7816.SecureObjectWrong},
	} {
		r := opened(t, protected(t))
		r.send(selectResident)
		r.send(rightPIN)
		if a := r.send("00B08200 10"); a.Status != iso7816.OK {
			t.Fatal(a.Status)
		}
		if s := spoil.send(r); s != spoil.want {
			t.Errorf("%s: %v, want %v", name, s, spoil.want)
		}
		if a := r.send("00B08200 10"); a.Status != iso7816.SecureObjectWrong {
			t.Errorf("%s: the session goes on: %v", name, a.Status)
		}
		again := opened(t, r.card)
		again.send(selectResident)
		if a := again.send("00B08200 10"); a.Status != iso7816.SecurityNotSatisfied {
			t.Errorf("%s: the PIN counts in the next session: %v", name, a.Status)
		}
	}
}

func TestThePINOfPACEIsSuspendedThenBlockedUntilAClerkResetsIt(t *testing.T) {
	c := protected(t)
	try := func(r *reader, pin string) string {
		s, err := r.pace(mrtd.P256, mrtd.FromPIN, []byte(pin))
		if err != nil {
			t.Fatal(err)
		}
		return s.Error()[:4]
	}
	fresh := func() *reader { c.Reset(); return &reader{t: t, card: c} }
	for i, x := range []struct {
		r    *reader
		pin  string
		want string
	}{
		{fresh(), "000000", "63C2"}, {fresh(), "135790", "9000"}, // gives the tries back
		{fresh(), "000000", "63C2"}, {fresh(), "000000", "63C1"},
		{fresh(), "135790", "6985"}, // suspended: in passing nobody takes the last try
	} {
		x.r = fresh()
		if got := try(x.r, x.pin); got != x.want {
			t.Fatalf("try %d: %s, want %s", i+1, got, x.want)
		}
	}
	c.Reset()
	if got := try(opened(t, c), "135790"); got != "9000" { // resumed by the CAN
		t.Fatalf("with the CAN: %s", got)
	}
	for _, want := range []string{"63C2", "63C1", "63C0", "6983"} {
		c.Reset()
		if got := try(opened(t, c), "000000"); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	if a := (&reader{t: t, card: c}).send(setPIN); a.Status != iso7816.TriesLeft(0) {
		t.Errorf("MSE:SET AT says %v of a blocked PIN", a.Status)
	}
	c.Reset()
	r := opened(t, c)
	r.send(selectResident)
	if a := r.send(rightPIN); a.Status != iso7816.MethodBlocked {
		t.Errorf("VERIFY: %v", a.Status)
	}
	if a := r.send(resetByCode + hex.EncodeToString(kit(t).ResettingCode("R12345678"))); a.Status != iso7816.OK {
		t.Fatal(a.Status)
	}
	c.Reset()
	if got := try(fresh(), "135790"); got != "9000" {
		t.Errorf("after the reset: %s", got)
	}
}

// The power fails at every byte that a run of PACE writes.
func TestAWrongPINOfPACETornAnywhereNeverGivesATryBack(t *testing.T) {
	points := 0
	for ; ; points++ {
		c := protected(t)
		r := &reader{t: t, card: c}
		r.card.CutPower(points)
		_, err := r.pace(mrtd.P256, mrtd.FromPIN, []byte("000000"))
		c.Reset()
		if left := c.tries.number(); left != 2 && (left != 3 || err == nil) {
			t.Fatalf("%d tries after a cut at %d (%v)", left, points, err)
		}
		if err == nil {
			break
		}
	}
	if points == 0 {
		t.Error("nothing was written, so nothing was torn")
	}
}

// However taps are torn, three guesses of the PIN are all there are, and each
// guess of the CAN that was answered has made the next one slower.
func TestTornRunsOfPACESaveNobodyATryOrADelay(t *testing.T) {
	whole := protected(t)
	rapid.Check(t, func(rt *rapid.T) {
		c := *whole
		c.tries, c.failures = whole.tries.clone(), whole.failures.clone()
		guesses, failed := 0, 0
		for range rapid.IntRange(1, 12).Draw(rt, "taps") {
			c.Reset()
			byPIN := rapid.Bool().Draw(rt, "PIN")
			r := &reader{t: t, card: &c}
			if rapid.Bool().Draw(rt, "torn") {
				c.CutPower(rapid.IntRange(0, 20).Draw(rt, "at"))
			}
			password := mrtd.FromCAN
			if byPIN {
				password = mrtd.FromPIN
			}
			s, err := r.pace(mrtd.P256, password, []byte("000000"))
			switch _, counted := s.Tries(); {
			case err != nil:
			case byPIN && counted:
				guesses++
			case !byPIN && s == iso7816.VerificationFailed:
				failed++
			case byPIN && (s == iso7816.ConditionsNotSatisfied || s == iso7816.MethodBlocked):
			default:
				rt.Fatalf("a wrong password is answered with %v", s)
			}
			if guesses > maxTries || c.failures.number() < min(failed, longestDelay) || guesses+c.tries.number() > maxTries {
				rt.Fatalf("%d guesses, %d tries left; %d failures, %d counted", guesses, c.tries.number(), failed, c.failures.number())
			}
		}
	})
}

func TestChipAuthenticationRekeysAndFailsWithAClone(t *testing.T) {
	genuine := protected(t)
	for c, want := range map[*Card]bool{genuine: true, genuine.CloneWithoutKey([]byte("a forger's own chip")): false} {
		r := opened(t, c)
		r.send(selectEMRTD)
		dg14 := r.send("00B08E00 000180").Data
		header, _, err := iso7816.HeaderLength(dg14)
		if err != nil {
			t.Fatal(err)
		}
		able, err := mrtd.ParseSecurityInfos(dg14[header:])
		if err != nil || able.ChipKey == nil || !able.Chip || len(able.Curves) != 2 {
			t.Fatalf("DG14 says %+v: %v", able, err)
		}
		scalar := mrtd.P256.Scalar(r.random(mrtd.ScalarRandom))
		point, _ := mrtd.P256.Public(scalar)
		chip, _ := able.ChipKey.Bytes()
		secret, err := mrtd.P256.Agree(scalar, chip)
		if err != nil {
			t.Fatal(err)
		}
		if a := r.send(setChip); a.Status != iso7816.OK {
			t.Fatal(a.Status)
		}
		if a := r.send("00860000 45 7C438041" + hex.EncodeToString(point) + "00"); a.Status != iso7816.OK || hex.EncodeToString(a.Data) != "7c00" {
			t.Fatal(a)
		}
		r.channel = mrtd.Authenticated(secret)
		if a := r.send("00B08100 04"); (a.Status == iso7816.OK) != want {
			t.Errorf("genuine %v: %v", want, a.Status)
		}
	}
}

func TestEFCardSecurityIsSignedAndSaysWhatEFCardAccessSays(t *testing.T) {
	c := protected(t)
	free := (&reader{t: t, card: c}).send(cardAccess).Data
	r := opened(t, c)
	p, err := pkcs7.Parse(r.send("00B09D00 000800").Data)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	country, _ := x509.ParseCertificate(kit(t).CountryCA)
	roots.AddCert(country)
	if err := p.VerifyWithChainAtTime(roots, day.AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	signed, err := mrtd.ParseSecurityInfos(p.Content)
	if err != nil {
		t.Fatal(err)
	}
	said, err := mrtd.ParseSecurityInfos(free)
	if err != nil || len(said.Curves) != 2 || !bytes.Equal([]byte{byte(said.Curves[0]), byte(said.Curves[1])}, []byte{byte(signed.Curves[0]), byte(signed.Curves[1])}) || signed.ChipKey == nil {
		t.Errorf("%+v and %+v: %v", said, signed, err)
	}
}

func TestBACOpensTheChip(t *testing.T) {
	c := protected(t)
	mrz, _ := MRZ(holder())
	secret, _ := mrtd.MRZSecret(mrz)
	r := &reader{t: t, card: c}
	r.send(selectEMRTD)
	nonce := bytes.Clone(r.send(askBAC).Data)
	side := mrtd.NewBAC(secret, r.random(mrtd.BACNonce), r.random(mrtd.BACKey))
	a := r.send("00820000 28" + hex.EncodeToString(side.Request(nonce)) + "28")
	channel, err := side.Finish(nonce, a.Data)
	if err != nil {
		t.Fatal(a.Status, err)
	}
	r.channel = channel
	if a := r.send("00B08100 04"); a.Status != iso7816.OK || a.Data[0] != 0x61 {
		t.Errorf("%v %X", a.Status, a.Data)
	}
	// Where the chip is open, BAC has no place.
	r.send(askBAC)
	if a := r.send("00820000 28" + strings.Repeat("00", 40) + "28"); a.Status != iso7816.ConditionsNotSatisfied {
		t.Error(a.Status)
	}
}

func TestACANHasSixDigits(t *testing.T) {
	for _, bad := range []string{"12345", "1234567", "12345a"} {
		h := holder()
		h.CAN = bad
		if err := kit(t).Personalise(NewBlank([]byte("entropy of one chip")), h); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// Whatever is sent in place of a step, the chip does not open and answers with a
// status word.
func FuzzGeneralAuthenticate(f *testing.F) {
	unhex := func(s string) []byte {
		raw, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		return raw
	}
	for _, s := range []string{"7C00", "7C438141" + aPoint, "7C438341" + aPoint, "7C0A85080000000000000000", "7C03810100", "7C7C"} {
		for step := range byte(4) {
			f.Add(step, unhex(s), false)
			f.Add(step, unhex(s), true)
		}
	}
	whole := protected(f)
	f.Fuzz(func(t *testing.T, after byte, data []byte, chained bool) {
		if len(data) > 1024 {
			return
		}
		c := *whole
		c.Reset()
		c.tries, c.failures = whole.tries.clone(), whole.failures.clone()
		r := &reader{t: t, card: &c}
		for _, s := range []string{setCAN, askNonce, sendPoint, strings.Replace(sendPoint, "8141", "8341", 1)}[:1+after%4] {
			r.send(s)
		}
		cmd := iso7816.Command{Instruction: iso7816.GeneralAuthenticate, Data: data, Expected: 256}
		if chained {
			cmd.Class = iso7816.ClassChained
		}
		a, err := r.transmit(cmd)
		if err != nil || a.Status>>12 != 6 && a.Status>>12 != 9 {
			t.Fatal(err, a.Status)
		}
		if c.session.channel != nil {
			t.Fatalf("%X opened the chip", data)
		}
	})
}
