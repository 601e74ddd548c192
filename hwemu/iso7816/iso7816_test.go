package iso7816

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func TestTheSevenCasesOfACommand(t *testing.T) {
	long := bytes.Repeat([]byte{0xAA}, 300)
	for _, c := range []struct {
		name string
		hex  string
		want Command
	}{
		{"1", "00A40004", Command{0, 0xA4, 0, 4, nil, 0}},
		{"2 short", "00B0000004", Command{0, 0xB0, 0, 0, nil, 4}},
		{"2 short, all", "00B0000000", Command{0, 0xB0, 0, 0, nil, 256}},
		{"3 short", "00A4020C 02 011E", Command{0, 0xA4, 2, 0xC, unhex("011E"), 0}},
		{"4 short", "00880000 08 0102030405060708 00", Command{0, 0x88, 0, 0, unhex("0102030405060708"), 256}},
		{"2 extended", "00B00000 00 0400", Command{0, 0xB0, 0, 0, nil, 1024}},
		{"2 extended, all", "00B00000 00 0000", Command{0, 0xB0, 0, 0, nil, 65536}},
		{"3 extended", "00D60000 00 012C" + hex.EncodeToString(long), Command{0, 0xD6, 0, 0, long, 0}},
		{"4 extended", "00880000 00 0002 0102 0200", Command{0, 0x88, 0, 0, unhex("0102"), 512}},
		{"4 extended, all", "00880000 00 0002 0102 0000", Command{0, 0x88, 0, 0, unhex("0102"), 65536}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseCommand(unhex(c.hex))
			if err != nil {
				t.Fatal(err)
			}
			if got.Class != c.want.Class || got.Instruction != c.want.Instruction || got.P1 != c.want.P1 || got.P2 != c.want.P2 ||
				!bytes.Equal(got.Data, c.want.Data) || got.Expected != c.want.Expected {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
			if again := got.Bytes(); !bytes.Equal(again, unhex(c.hex)) {
				t.Fatalf("encoded again as %X", again)
			}
		})
	}
}

func TestACommandWhoseLengthsDoNotAddUpIsRefused(t *testing.T) {
	for name, s := range map[string]string{
		"nothing": "", "one byte": "00", "half a header": "00A400",
		"less data than Lc says": "00A40000 0201", "more than Lc and Le": "00A40000 02010203FF",
		"half an extended length": "00A40000 0001", "an extended length of 0 with data": "00A40000 000000 01",
		"less data than the extended Lc says": "00A40000 000002 01", "half an extended Le": "00A40000 000001 0102",
		"the largest short length of no data": "00A40000 FF01", "a huge length of no data": "00A40000 00FFFF 01",
		"a huge length of no data, with Le": "00A40000 00FFFF 01 FFFF", "a length in four bytes": "00A40000 00000001 AA 00",
	} {
		if c, err := ParseCommand(unhex(s)); !errors.Is(err, ErrCommandLength) {
			t.Errorf("%s: %q became %+v, %v", name, s, c, err)
		}
	}
	if _, err := ParseCommand(make([]byte, MaxCommand+1)); err == nil {
		t.Error("a command longer than any was taken")
	}
}

func TestAChainArrivesWhole(t *testing.T) {
	data := make([]byte, 1000)
	for i := range data {
		data[i] = byte(i)
	}
	whole := Command{Instruction: UpdateBinary, P1: 1, Data: data, Expected: 7}
	chain := whole.Chain(ShortData)
	if len(chain) != 4 {
		t.Fatalf("%d commands", len(chain))
	}
	a := Assembler{Limit: 1000}
	for i, part := range chain {
		got, complete, status := a.Add(part)
		if status != OK {
			t.Fatal(status)
		}
		if last := i == len(chain)-1; complete != last {
			t.Fatalf("part %d complete: %v", i, complete)
		} else if last && (!bytes.Equal(got.Data, data) || got.Expected != 7 || got.Chained()) {
			t.Fatalf("assembled %+v", got)
		}
	}
}

func TestABrokenChainIsForgotten(t *testing.T) {
	a := Assembler{Limit: 10}
	part := Command{Class: ClassChained, Instruction: UpdateBinary, Data: make([]byte, 6)}
	if _, _, status := a.Add(part); status != OK {
		t.Fatal(status)
	}
	if _, _, status := a.Add(Command{Instruction: ReadBinary}); status != LastOfChainExpected {
		t.Fatal(status)
	}
	if _, complete, status := a.Add(Command{Instruction: ReadBinary}); !complete || status != OK {
		t.Fatal("the next command was refused as well:", status)
	}
	a.Add(part)
	if _, _, status := a.Add(part); status != WrongLength {
		t.Fatal("beyond the limit:", status)
	}
}

func TestStatusWordsReadAsSentences(t *testing.T) {
	for s, want := range map[Status]string{
		TriesLeft(2):         "63C2: verification failed, 2 tries left",
		MethodBlocked:        "6983: blocked: no tries are left",
		SecurityNotSatisfied: "6982: security status not satisfied",
		0x6FFF:               "6FFF",
	} {
		if s.Error() != want {
			t.Errorf("%04X reads %q", uint16(s), s.Error())
		}
	}
	if OK.Err() != nil {
		t.Error("9000 is an error")
	}
	if n, ok := TriesLeft(3).Tries(); n != 3 || !ok {
		t.Error("63C3 has no three tries")
	}
}

// EF.COM of Doc 9303 part 10 §4.6.1: version 1.7, Unicode 4.0.0, DG1 and DG2.
func TestTheExampleEFCOMOfDoc9303(t *testing.T) {
	raw := unhex("60 16 5F01 04 30313037 5F36 06 303430303030 5C 04 61757671")
	objects, err := ParseObjects(raw)
	if err != nil {
		t.Fatal(err)
	}
	com, ok := Find(objects, 0x60)
	if !ok || len(com.Children) != 3 {
		t.Fatalf("%+v", objects)
	}
	if v, _ := com.Child(0x5F01); string(v.Value) != "0107" {
		t.Errorf("version %q", v.Value)
	}
	if tags, _ := com.Child(0x5C); !bytes.Equal(tags.Value, unhex("61757671")) {
		t.Errorf("tag list %X", tags.Value)
	}
	again := Encode(0x60, Encode(0x5F01, []byte("0107")), Encode(0x5F36, []byte("040000")), Encode(0x5C, unhex("61757671")))
	if !bytes.Equal(again, raw) {
		t.Errorf("encoded as %X", again)
	}
}

func TestDataObjectsOutsideTheLimitsAreRefused(t *testing.T) {
	deep := []byte{0x04, 0x00}
	for range MaxDepth {
		deep = Encode(0x30, deep)
	}
	many := bytes.Repeat([]byte{0x04, 0x00}, MaxObjects+1)
	for name, raw := range map[string][]byte{
		"too deep":            deep,
		"too many":            many,
		"indefinite length":   unhex("30 80 0000"),
		"indefinite within":   unhex("30 04 30 80 0000"),
		"length over limit":   unhex("04 83 FFFFFF"),
		"huge length":         unhex("04 88 7FFFFFFFFFFFFFFF"),
		"reserved length":     unhex("04 FF"),
		"length of a length":  unhex("04 84 00000001 00"),
		"value breaks off":    unhex("04 05 0102"),
		"tag breaks off":      unhex("5F"),
		"four-byte tag":       unhex("5F 81 81 01 00"),
		"length is missing":   unhex("5F 1F"),
		"leading zero in tag": unhex("5F 80 01 00"),
		"padding":             unhex("00 00"),
		"padding of ones":     unhex("FF 00"),
		"too long":            make([]byte, MaxObject+6),
	} {
		if o, err := ParseObjects(raw); err == nil {
			t.Errorf("%s: became %+v", name, o)
		}
	}
}

// The first bytes of a file say how much to read: never more than an object may hold.
func TestAFileThatSaysItIsLongerThanAnyIsNotRead(t *testing.T) {
	if header, value, err := HeaderLength(unhex("7F61 83 010000")); header != 6 || value != MaxObject || err != nil {
		t.Errorf("the longest: %d, %d, %v", header, value, err)
	}
	for _, s := range []string{"61 83 010001", "61 83 FFFFFF", "61 84 00000001", "61 84 FFFFFFFF", "61 88 7FFFFFFFFFFFFFFF", "61 80", "61 FF", "61 82 01", "61", "7F", "00 01", ""} {
		if header, value, err := HeaderLength(unhex(s)); err == nil {
			t.Errorf("%q: %d, %d", s, header, value)
		}
	}
}

func FuzzCommand(f *testing.F) {
	for _, s := range []string{"00A40004", "00B0000000", "00A4020C02011E", "00B00000000400", "0088000000000201020000"} {
		f.Add(unhex(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseCommand(raw)
		if err != nil {
			return
		}
		again, err := ParseCommand(c.Bytes())
		if err != nil || again.Expected != c.Expected && !(c.Expected == 256 || c.Expected == 65536) || !bytes.Equal(again.Data, c.Data) {
			t.Fatalf("%X: %+v became %+v (%v)", raw, c, again, err)
		}
		var joined []byte
		for _, part := range c.Chain(16) {
			joined = append(joined, part.Data...)
		}
		if !bytes.Equal(joined, c.Data) {
			t.Fatal("a chain lost bytes")
		}
	})
}

func FuzzObjects(f *testing.F) {
	f.Add(unhex("60165F0104303130375F36063034303030305C0461757671"))
	f.Add(unhex("30820003040100"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if tag, value, rest, err := Next(raw); err == nil { // a reader learns the same from the first bytes
			if header, length, err := HeaderLength(raw[:min(len(raw), 8)]); err != nil || length != len(value) || header+length+len(rest) != len(raw) {
				t.Fatalf("%X: object %X of %d and %d bytes, %v", raw, uint32(tag), header, length, err)
			}
		}
		objects, err := ParseObjects(raw)
		if err != nil {
			return
		}
		var encode func([]Object) []byte
		encode = func(objects []Object) (out []byte) {
			for _, o := range objects {
				if o.Tag.Constructed() {
					out = append(out, Encode(o.Tag, encode(o.Children))...)
				} else {
					out = append(out, Encode(o.Tag, o.Value)...)
				}
			}
			return out
		}
		canonical := encode(objects)
		again, err := ParseObjects(canonical)
		if err != nil || !bytes.Equal(encode(again), canonical) {
			t.Fatalf("%X is read as %X, which is not read the same (%v)", raw, canonical, err)
		}
	})
}
