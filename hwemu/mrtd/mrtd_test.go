package mrtd

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"rollcall.example/rollcall/hwemu/iso7816"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func same(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if w := unhex(t, want); !bytes.Equal(got, w) {
		t.Errorf("%s is\n%X, want\n%X", what, got, w)
	}
}

func TestCMACOfRFC4493(t *testing.T) {
	key := unhex(t, "2b7e151628aed2a6abf7158809cf4f3c")
	message := unhex(t, "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	for n, want := range map[int]string{
		0: "bb1d6929e95937287fa37d129b756746", 16: "070a16b46b4d4144f79bdd9dd04a287c",
		40: "dfa66747de9ae63030ca32611497c827", 64: "51f0bebf7e3b9d92fc49741779363cfe",
	} {
		same(t, "the MAC", cmac(key, message[:n]), want)
	}
}

// Doc 9303-11 appendix D.2 to D.4: keys, authentication and secure messaging of
// one specimen.
func TestBACOfDoc9303AppendixD(t *testing.T) {
	mrz := "I<UTOL898902C<3<<<<<<<<<<<<<<<" + "6908061F9406236UTO<<<<<<<<<<<0" + "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"
	secret, err := MRZSecret(mrz)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the key seed", secret[:16], "239AB9CB282DAF66231DC5A4DF6BFBAE")
	nonceIC := unhex(t, "4608F91988702212")
	reader := NewBAC(secret, unhex(t, "781723860C06C226"), unhex(t, "0B795240CB7049B01C19B33E32804F0B"))
	same(t, "the key for encryption", reader.enc, "AB94FDECF2674FDFB9B391F85D7F76F2")
	same(t, "the key for MACs", reader.mac, "7962D9ECE03D1ACD4C76089DCE131543")
	request := reader.Request(nonceIC)
	same(t, "the request", request, "72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A7")
	chip := NewBAC(secret, nonceIC, unhex(t, "0B4F80323EB3191CB04970CB4052790B"))
	answer, chipSide, err := chip.Answer(request)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the answer", answer, "46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449")
	readerSide, err := reader.Finish(nonceIC, answer)
	if err != nil {
		t.Fatal(err)
	}

	// Secure messaging of the same appendix: SELECT EF.COM, its first four bytes,
	// the other eighteen.
	for _, x := range []struct{ plain, sealed, answer, data string }{
		{"00A4020C 02 011E", "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800", "990290008E08FA855A5D4C50A8ED9000", ""},
		{"00B00000 04", "0CB000000D9701048E08ED6705417E96BA5500", "8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000", "60145F01"},
		{"00B00004 12", "0CB000040D9701128E082EA28A70F3C7B53500", "871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000",
			"04303130365F36063034303030305C026175"},
	} {
		plain, err := iso7816.ParseCommand(unhex(t, x.plain))
		if err != nil {
			t.Fatal(err)
		}
		sealed := readerSide.SealCommand(plain)
		same(t, "the sealed command", sealed.Bytes(), x.sealed)
		opened, err := chipSide.OpenCommand(sealed)
		if err != nil || !bytes.Equal(opened.Bytes(), plain.Bytes()) {
			t.Fatalf("%X opens as %X: %v", sealed.Bytes(), opened.Bytes(), err)
		}
		r := chipSide.SealResponse(plain.Instruction, iso7816.Response{Data: unhex(t, x.data), Status: iso7816.OK})
		same(t, "the sealed answer", r.Bytes(), x.answer)
		if r, err = readerSide.OpenResponse(plain.Instruction, r); err != nil || r.Status != iso7816.OK {
			t.Fatal(err, r.Status)
		}
		same(t, "the data", r.Data, x.data)
	}
}

// appendixG is the worked example of Doc 9303-11 appendix G.1: ECDH with generic
// mapping over brainpoolP256r1, password from the MRZ T22000129 640812 101031.
var appendixG = struct {
	secret, kPi, nonce, encrypted                 string
	mapIFD, mapIC, ifd, ic                        string
	mapPointIFD, mapPointIC, generator            string
	pointIFD, pointIC, enc, mac, tokenIFD, token_ string
}{
	secret: "7E2D2A41C74EA0B38CD36F863939BFA8E9032AAD", kPi: "89DED1B26624EC1E634C1989302849DD",
	nonce: "3F00C4D39D153F2B2A214A078D899B22", encrypted: "95A3A016522EE98D01E76CB6B98B42C3",
	mapIFD: "7F4EF07B9EA82FD78AD689B38D0BC78CF21F249D953BC46F4C6E19259C010F99", mapIC: "498FF49756F2DC1587840041839A85982BE7761D14715FB091EFA7BCE9058560",
	ifd: "A73FB703AC1436A18E0CFA5ABB3F7BEC7A070E7A6788486BEE230C4A22762595", ic: "107CF58696EF6155053340FD633392BA81909DF7B9706F226F32086C7AFF974A",
	mapPointIFD: "047ACF3EFC982EC45565A4B155129EFBC74650DCBFA6362D896FC70262E0C2CC5E544552DCB6725218799115B55C9BAA6D9F6BC3A9618E70C25AF71777A9C4922D",
	mapPointIC:  "04824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F5730D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C54",
	generator:   "048CED63C91426D4F0EB1435E7CB1D74A46723A0AF21C89634F65A9AE87A9265E28C879506743F8611AC33645C5B985C80B5F09A0B83407C1B6A4D857AE76FE522",
	pointIFD:    "042DB7A64C0355044EC9DF190514C625CBA2CEA48754887122F3A5EF0D5EDD301C3556F3B3B186DF10B857B58F6A7EB80F20BA5DC7BE1D43D9BF850149FBB36462",
	pointIC:     "049E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9EC65DF6DB7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F094",
	enc:         "F5F0E35C0D7161EE6724EE513A0D9A7F", mac: "FE251C7858B356B24514B3BD5F4297D1",
	tokenIFD: "C2B0BD78D94BA866", token_: "3ABB9674BCE93C08",
}

func TestPACEOfDoc9303AppendixG(t *testing.T) {
	g := appendixG
	secret, err := MRZSecret("I<D<<T220001293<<<<<<<<<<<<<<<" + "6408125M1010318D<<<<<<<<<<<<<0" + strings.Repeat("<", 30))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the password", secret, g.secret)
	same(t, "the key of the password", derive(secret, forPassword), g.kPi)
	same(t, "the encrypted nonce", EncryptNonce(secret, unhex(t, g.nonce)), g.encrypted)
	nonce, err := DecryptNonce(secret, unhex(t, g.encrypted))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the nonce", nonce, g.nonce)

	reader := NewPACE(BrainpoolP256r1, nonce, unhex(t, g.mapIFD), unhex(t, g.ifd))
	chip := NewPACE(BrainpoolP256r1, nonce, unhex(t, g.mapIC), unhex(t, g.ic))
	pr, pc := must(reader.MappingPoint())(t), must(chip.MappingPoint())(t)
	same(t, "the reader's mapping point", pr, g.mapPointIFD)
	same(t, "the chip's mapping point", pc, g.mapPointIC)
	ar, ac := must(reader.Map(pc))(t), must(chip.Map(pr))(t)
	same(t, "the mapped generator", reader.generator, g.generator)
	same(t, "the reader's point", ar, g.pointIFD)
	same(t, "the chip's point", ac, g.pointIC)
	if err := errors.Join(reader.Agree(ac), chip.Agree(ar)); err != nil {
		t.Fatal(err)
	}
	same(t, "the key for encryption", chip.encryption, g.enc)
	same(t, "the key for MACs", chip.macOf, g.mac)
	same(t, "the reader's token", reader.Token(), g.tokenIFD)
	same(t, "the chip's token", chip.Token(), g.token_)
	if err := errors.Join(reader.Check(chip.Token()), chip.Check(reader.Token())); err != nil {
		t.Error(err)
	}
}

func must(b []byte, err error) func(testing.TB) []byte {
	return func(t testing.TB) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// The worked example of BSI TR-03110 for MSE:SET DST, and what a German health
// card's reader expects (gematik, its tests of secure messaging): every case of
// a command, from the counter 0.
func TestSecureMessagingWithAESAgreesWithOthers(t *testing.T) {
	channel := func(counter uint64) *Channel {
		c := newAES(unhex(t, "68406B4162100563D9C901A6154D2901"), unhex(t, "73FF268784F72AF833FDC9464049AFC9"))
		c.counter = counter
		return c
	}
	for _, x := range []struct {
		name    string
		counter uint64
		cmd     iso7816.Command
		objects string
	}{
		{"MSE:SET DST", 4, iso7816.Command{Instruction: 0x22, P1: 0x81, P2: 0xB6, Data: unhex(t, "830D44455445535444564445303139")},
			"871101A7BB8F230FFF9221162AD673B9F319A88E08D8713E9B7A600B49"},
		{"case 1", 0, iso7816.Command{Class: 1, Instruction: 2, P1: 3, P2: 4}, "8E08D92B4FDDC2BBED8C"},
		{"case 2", 0, iso7816.Command{Class: 1, Instruction: 2, P1: 3, P2: 4, Expected: 127}, "97017F8E0871D8E0418DAE20F3"},
		{"case 2 extended", 0, iso7816.Command{Class: 1, Instruction: 2, P1: 3, P2: 4, Expected: 257}, "970201018E089F3EDDFBB1D3971D"},
		{"case 3", 0, iso7816.Command{Class: 1, Instruction: 2, P1: 3, P2: 4, Data: unhex(t, "05060708090A")}, "871101496C26D36306679609665A385C54DB378E08E7AAD918F260D8EF"},
		{"case 4", 0, iso7816.Command{Class: 1, Instruction: 2, P1: 3, P2: 4, Data: unhex(t, "05060708090A"), Expected: 127},
			"871101496C26D36306679609665A385C54DB3797017F8E0863D541F262BD445A"},
	} {
		sealed := channel(x.counter).SealCommand(x.cmd)
		same(t, x.name, sealed.Data, x.objects)
		if opened, err := channel(x.counter).OpenCommand(sealed); err != nil || !bytes.Equal(opened.Bytes(), x.cmd.Bytes()) {
			t.Errorf("%s opens as %X: %v", x.name, opened.Bytes(), err)
		}
	}
	for _, x := range []struct {
		counter uint64
		answer  string
		data    string
	}{
		{5, "990290008E08C8488F79FEF386C79000", ""},
		{0, "990290008E08087631D746F872729000", ""},
		{0, "871101496C26D36306679609665A385C54DB37990290008E08B7E9ED2A0C89FB3A9000", "05060708090A"},
	} {
		r, err := iso7816.ParseResponse(unhex(t, x.answer))
		if err != nil {
			t.Fatal(err)
		}
		opened, err := channel(x.counter).OpenResponse(0, r)
		if err != nil {
			t.Errorf("%s: %v", x.answer, err)
			continue
		}
		same(t, "the answer", opened.Data, x.data)
		same(t, "the sealed answer", channel(x.counter).SealResponse(0, opened).Bytes(), x.answer)
	}
}

func TestEveryErrorEndsAChannel(t *testing.T) {
	fresh := func() *Channel { return newAES(make([]byte, 16), make([]byte, 16)) }
	cmd := iso7816.Command{Instruction: iso7816.ReadBinary, P1: 0x9E, Data: []byte{1, 2, 3}, Expected: 4}
	good := fresh().SealCommand(cmd)
	with := func(data ...[]byte) iso7816.Command {
		c := good
		c.Data = bytes.Join(data, nil)
		return c
	}
	mac := good.Data[len(good.Data)-10:]
	body := good.Data[:len(good.Data)-10]
	otherHeader := good
	otherHeader.P1++
	for name, x := range map[string]struct {
		cmd  iso7816.Command
		want iso7816.Status
	}{
		"no objects":           {with(), iso7816.SecureObjectMissing},
		"no MAC":               {with(body), iso7816.SecureObjectMissing},
		"a MAC not at the end": {with(mac, body), iso7816.SecureObjectWrong},
		"half a MAC":           {with(body, []byte{0x8E, 4}, mac[2:6]), iso7816.SecureObjectWrong},
		"another header":       {otherHeader, iso7816.SecureObjectWrong},
		"no TLV":               {with([]byte{0x87, 0x7F}), iso7816.SecureObjectWrong},
	} {
		c := fresh()
		if _, err := c.OpenCommand(x.cmd); err == nil || Status(err) != x.want {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
		if _, err := c.OpenCommand(good); err == nil {
			t.Errorf("%s: the channel goes on", name)
		}
	}
	// A command of before is none.
	c := fresh()
	if _, err := c.OpenCommand(good); err != nil {
		t.Fatal(err)
	}
	if _, err := c.OpenCommand(good); err == nil {
		t.Error("a command was taken twice")
	}
}

// A point that is none, at infinity, of another curve, or one's own sent back.
func TestPointsThatGiveEverythingAwayAreRefused(t *testing.T) {
	for _, curve := range Curves {
		key := curve.Scalar(bytes.Repeat([]byte{7}, ScalarRandom))
		own := must(curve.Public(key))(t)
		other := P256
		if curve == P256 {
			other = BrainpoolP256r1
		}
		foreign := must(other.Public(key))(t)
		compressed := append([]byte{2 + own[64]&1}, own[1:33]...)
		tooLarge := append([]byte{4}, bytes.Repeat([]byte{0xFF}, 64)...)
		for name, point := range map[string][]byte{
			"nothing": nil, "infinity": {0}, "zeros": append([]byte{4}, make([]byte, 64)...), "compressed": compressed, "another curve's": foreign, "too large": tooLarge,
		} {
			if _, err := curve.Agree(key, point); !errors.Is(err, ErrPoint) {
				t.Errorf("%v, %s: %v", curve, name, err)
			}
		}
		p := NewPACE(curve, make([]byte, 15, 16), key, key)
		p.nonce = append(p.nonce, 1)
		mine, err := p.Map(own)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Agree(mine); !errors.Is(err, ErrPoint) {
			t.Errorf("%v: one's own point sent back: %v", curve, err)
		}
		// The generator can be mapped to infinity by who knows the nonce: -s·G.
		opposite := must(curve.Public([]byte{31: 1}))(t)
		y := opposite[33:]
		prime := curve.params().P.Bytes()
		borrow := 0
		for i := 31; i >= 0; i-- {
			v := int(prime[i]) - int(y[i]) - borrow
			borrow = 0
			if v < 0 {
				v, borrow = v+256, 1
			}
			y[i] = byte(v)
		}
		q := NewPACE(curve, append(make([]byte, 15), 1), append(make([]byte, 31), 1), key)
		if _, err := q.Map(opposite); !errors.Is(err, ErrPoint) {
			t.Errorf("%v: a generator at infinity: %v", curve, err)
		}
	}
}

func TestSecurityInfosOfDoc9303(t *testing.T) {
	// EF.CardAccess of appendix G.1.
	same(t, "EF.CardAccess", SecurityInfos(PACEInfos(BrainpoolP256r1)...), "31143012060A04007F0007020204020202010202010D")
	c, err := ParseSecurityInfos(unhex(t, "31283012060A04007F0007020204020202010202010D3012060A04007F0007020204060202010202010D")) // a German card: with chip authentication mapping
	if err != nil || len(c.Curves) != 1 || c.Curves[0] != BrainpoolP256r1 || c.Chip {
		t.Errorf("%+v %v", c, err)
	}
	for _, bad := range []string{"", "3003020101", "3103020101", "31023000", "31143012060A"} {
		if c, err := ParseSecurityInfos(unhex(t, bad)); err == nil {
			t.Errorf("%s is read as %+v", bad, c)
		}
	}
}

// A command that opens is one that the other side sealed: sealing what was opened
// gives the same objects.
func FuzzOpenCommand(f *testing.F) {
	key := make([]byte, 16)
	for _, cmd := range []iso7816.Command{
		{Instruction: iso7816.ReadBinary, P1: 0x9E, Expected: 4}, {Instruction: iso7816.Select, P1: 4, Data: []byte("ROLLCALL")},
		{Instruction: iso7816.ReadBinaryOdd, Data: []byte{0x54, 1, 0}, Expected: 65536},
	} {
		f.Add(newAES(key, key).SealCommand(cmd).Bytes(), true)
		f.Add(newTripleDES(key, key, 0).SealCommand(cmd).Bytes(), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, aes bool) {
		channel := func() *Channel {
			if aes {
				return newAES(key, key)
			}
			return newTripleDES(key, key, 0)
		}
		cmd, err := iso7816.ParseCommand(raw)
		if err != nil {
			return
		}
		c := channel()
		plain, err := c.OpenCommand(cmd)
		if err != nil {
			if _, err := c.OpenCommand(cmd); err == nil {
				t.Fatal("an ended channel goes on")
			}
			return
		}
		if cmd.Class&iso7816.ClassSecure != iso7816.ClassSecure {
			return
		}
		if r, err := channel().OpenCommand(channel().SealCommand(plain)); err != nil || !bytes.Equal(r.Data, plain.Data) {
			t.Fatalf("%X opened as %X does not close again: %v", raw, plain.Bytes(), err)
		}
	})
}

func FuzzSecurityInfos(f *testing.F) {
	f.Add(SecurityInfos(PACEInfos(Curves...)...))
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := ParseSecurityInfos(der)
		if err != nil && (c.Curves != nil || c.ChipKey != nil || c.Chip) {
			t.Fatal("an error with capabilities")
		}
	})
}
