package proximity

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

func TestWhatOneSideSealsTheOtherOpensInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		reader, phone := met(t)
		for i := range rapid.IntRange(0, 8).Draw(rt, "messages") {
			from, to := reader, phone
			if rapid.Bool().Draw(rt, "the phone speaks") {
				from, to = phone, reader
			}
			said := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(rt, "data")
			message, err := from.Seal(said)
			if err != nil {
				rt.Fatal(err)
			}
			heard, last, err := to.Open(message)
			if err != nil || last || !bytes.Equal(heard, said) {
				rt.Fatalf("message %d: %x was heard as %x, %v", i, said, heard, err)
			}
		}
		message, err := phone.SealLast([]byte("bye"))
		if err != nil || !phone.Ended() {
			rt.Fatal(err)
		}
		heard, last, err := reader.Open(message)
		if err != nil || !last || string(heard) != "bye" || !reader.Ended() {
			rt.Errorf("%q, %v, %v", heard, last, err)
		}
		if _, err := reader.Seal(nil); !errors.Is(err, ErrEnded) {
			rt.Errorf("said after the end: %v", err)
		}
	})
}

// Each of these ends the session at whom it reaches, and the other side learns why.
func TestAMessageThatIsNotTheNextOneEndsTheSession(t *testing.T) {
	seal := func(s *Session, data string) []byte {
		b, err := s.Seal([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name   string
		bytes  func(reader, phone *Session) []byte
		kind   error
		status uint64
	}{
		{"repeated", func(reader, phone *Session) []byte {
			b := seal(reader, "a")
			if _, _, err := phone.Open(b); err != nil {
				t.Fatal(err)
			}
			return b
		}, ErrEncryption, 10},
		{"out of order", func(reader, _ *Session) []byte { seal(reader, "a"); return seal(reader, "b") }, ErrEncryption, 10},
		{"sent back", func(_, phone *Session) []byte { return seal(phone, "a") }, ErrEncryption, 10},
		{"longer than any", func(*Session, *Session) []byte {
			return cose.AppendBytes(cose.AppendText(cose.AppendMap(nil, 1), "data"), make([]byte, MaxRequestMessage))
		}, ErrMessage, 11},
		{"of another session", func(*Session, *Session) []byte {
			e, _ := engaged(t, "another phone")
			other, err := Engage(e, Handover{}, testKey(t, "another reader"))
			if err != nil {
				t.Fatal(err)
			}
			seal(other, "a")
			return seal(other, "b")
		}, ErrEncryption, 10},
		{"changed", func(reader, _ *Session) []byte { b := seal(reader, "a"); b[len(b)-1] ^= 1; return b }, ErrEncryption, 10},
		{"too short for its tag", func(*Session, *Session) []byte {
			return cose.AppendBytes(cose.AppendText(cose.AppendMap(nil, 1), "data"), []byte("short"))
		}, ErrEncryption, 10},
		{"no CBOR", func(*Session, *Session) []byte { return []byte{0xff} }, ErrMessage, 11},
		{"empty", func(*Session, *Session) []byte { return []byte{0xa0} }, ErrMessage, 11},
		{"nothing", func(*Session, *Session) []byte { return nil }, ErrMessage, 11},
		{"twice established", func(*Session, *Session) []byte {
			e, _ := engaged(t, "phone")
			other, err := Engage(e, Handover{}, testKey(t, "reader"))
			if err != nil {
				t.Fatal(err)
			}
			return seal(other, "a")
		}, ErrMessage, 11},
		{"too large", func(*Session, *Session) []byte { return make([]byte, MaxRequestMessage+1) }, ErrMessage, 11},
		{"nested without end", func(*Session, *Session) []byte {
			return append([]byte("\xa1\x64data"), bytes.Repeat([]byte{0x81}, 1000)...)
		}, ErrMessage, 11},
	} {
		reader, phone := met(t)
		b := c.bytes(reader, phone)
		_, last, err := phone.Open(b)
		if !errors.Is(err, c.kind) || !last || !phone.Ended() {
			t.Errorf("%s: %v, ended %v", c.name, err, phone.Ended())
			continue
		}
		if _, _, err := phone.Open(b); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: the phone listens on: %v", c.name, err)
		}
		if _, _, err := reader.Open(Refusal(err)); !errors.Is(err, ErrOtherSide) || !reader.Ended() {
			t.Errorf("%s: the reader is told %x: %v", c.name, Refusal(err), err)
		}
		if want := statusMessage(c.status); !bytes.Equal(Refusal(err), want) {
			t.Errorf("%s: refused by %x, want %x", c.name, Refusal(err), want)
		}
	}
}

func TestASessionIsEstablishedByAKeyAndARequestAlone(t *testing.T) {
	e, key := engaged(t, "phone")
	reader, err := Engage(e, Handover{}, testKey(t, "reader"))
	if err != nil {
		t.Fatal(err)
	}
	good, err := reader.Seal([]byte("a request"))
	if err != nil {
		t.Fatal(err)
	}
	later, err := reader.Seal([]byte("another"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := parseMessage(good, MaxRequestMessage)
	if err != nil {
		t.Fatal(err)
	}
	offCurve := bytes.Clone(m.readerKey)
	offCurve[len(offCurve)-1] ^= 1
	build := func(readerKey, data []byte, status bool) []byte {
		b := cose.AppendMap(nil, 1)
		b = cose.AppendBytes(cose.AppendText(b, "data"), data)
		if status {
			b[0]++
			b = cose.AppendUint(cose.AppendText(b, "status"), 20)
		}
		b[0]++
		return cose.AppendTag24(cose.AppendText(b, "eReaderKey"), readerKey)
	}
	another := mustKey(t, testKey(t, "another reader"))
	for _, c := range []struct {
		name  string
		bytes []byte
		h     Handover
		kind  error
	}{
		{"no key", later, Handover{}, ErrMessage},
		{"a point off the curve", build(offCurve, m.data, false), Handover{}, ErrMessage},
		{"another reader's key", build(another, m.data, false), Handover{}, ErrEncryption},
		{"another handover", good, Handover{Select: []byte{1}}, ErrEncryption},
		{"with the word that it is the last", build(m.readerKey, m.data, true), Handover{}, ErrMessage},
		{"changed data", build(m.readerKey, append(bytes.Clone(m.data), 0), false), Handover{}, ErrEncryption},
	} {
		if s, request, err := Accept(e, c.h, key, c.bytes); !errors.Is(err, c.kind) || s != nil || request != nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.kind)
		}
	}
	// Another phone cannot open it.
	_, other := engaged(t, "another phone")
	if _, _, err := Accept(e, Handover{}, other, good); !errors.Is(err, ErrEncryption) {
		t.Errorf("another phone's key: %v", err)
	}
	if s, _, err := Accept(e, Handover{}, key, good); err != nil || !s.Peer().Equal(testKey(t, "reader").PublicKey()) {
		t.Errorf("the good one: %v", err)
	}
}

func TestNoNonceComesTwice(t *testing.T) {
	reader, _ := met(t)
	reader.out.counter = math.MaxUint32 - 1
	if _, err := reader.Seal(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Seal(nil); !errors.Is(err, ErrEnded) || !reader.Ended() {
		t.Errorf("after the last number: %v", err)
	}
}

func TestKeysAreMadeOfRandomnessAlone(t *testing.T) {
	if !testKey(t, "a").Equal(testKey(t, "a")) || testKey(t, "a").Equal(testKey(t, "b")) {
		t.Error("the same randomness gave another key, or other randomness the same")
	}
	if _, err := NewKey(bytes.NewReader(make([]byte, 1<<10))); err == nil {
		t.Error("a key of zeros")
	}
	if _, err := NewKey(bytes.NewReader(nil)); err == nil {
		t.Error("a key of nothing")
	}
}
