package phone_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/lifecycle"
)

// between stands between phone and chip: the chip gets each command, and the
// phone gets what change makes of the answer with that number.
type between struct {
	*iccard.Card
	change func(number int, answer []byte) []byte
	number int
}

func (b *between) Transmit(command []byte) []byte {
	answer := b.change(b.number, b.Card.Transmit(command))
	b.number++
	return answer
}

// answers are the chip's in a tap that nobody disturbs.
func (p tap) answers(chip nfc.Card) (all [][]byte, e phone.Evidence) {
	p.o.t.Helper()
	read := must(p.read(chip))(p.o.t)
	for _, x := range read.Log {
		all = append(all, x.Response)
	}
	return all, read.Evidence
}

// alteration is an answer put in place of another one.
type alteration struct {
	what   string
	number int // of the answer
	bytes  []byte
}

// alterations are the ways in which one answer of a session is changed: every
// byte, every length, every status word, every form of a length, and answers that
// were given at another time. With thorough every byte is changed in all its bits.
func alterations(number int, session [][]byte, others map[string][][]byte, thorough bool) (all []alteration) {
	answer := session[number]
	n := len(answer) - 2
	data, status := answer[:n:n], answer[n:]
	add := func(what string, b []byte) {
		if !bytes.Equal(b, answer) {
			all = append(all, alteration{what, number, b})
		}
	}
	with := func(data []byte, status ...byte) []byte { return append(bytes.Clone(data), status...) }

	masks := []byte{0x80, 0x01, 0xFF}
	if !thorough {
		masks = masks[:1]
	}
	for _, mask := range masks {
		for i := range answer {
			b := bytes.Clone(answer)
			b[i] ^= mask
			add("byte changed", b)
		}
	}
	for i := range answer {
		add("cut off", answer[:i])
		if i < n {
			add("cut off before the status", with(data[:i], status...))
			add("first bytes missing", answer[i+1:])
			add("byte missing", slices.Delete(bytes.Clone(answer), i, i+1))
			add("byte doubled", slices.Insert(bytes.Clone(answer), i, answer[i]))
		}
	}
	for _, more := range []int{1, 2, 8, 0xDF, 256, 4096, iso7816.MaxData + 1 - n, iso7816.MaxData + 2} {
		if more > 0 {
			add("longer", with(append(bytes.Clone(data), make([]byte, more)...), status...))
			add("longer than it says", append(bytes.Clone(answer), make([]byte, more)...))
			add("something before it", append(bytes.Repeat([]byte{0x30}, more), answer...))
		}
	}
	add("twice", append(bytes.Clone(answer), answer...))
	add("nothing", nil)

	// ISO/IEC 7816-4 tables 5 and 6: what the profile knows and what it does not,
	// with the data and without.
	words := []iso7816.Status{0x0000, 0x9001, 0x6200, 0x6281, iso7816.EndOfFile, 0x6283, iso7816.VerificationFailed, 0x63C0, 0x63C1, 0x63CF,
		iso7816.MemoryFailure, 0x6600, iso7816.WrongLength, 0x6801, iso7816.SecureNotSupported, iso7816.LastOfChainExpected, iso7816.ChainingNotSupported,
		iso7816.SecurityNotSatisfied, iso7816.MethodBlocked, 0x6984, iso7816.ConditionsNotSatisfied, iso7816.NoCurrentFile, iso7816.WrongData,
		iso7816.FileNotFound, iso7816.WrongP1P2, iso7816.OffsetOutside, iso7816.InstructionNotSupported, iso7816.ClassNotSupported,
		iso7816.NoDiagnosis, iso7816.OK, 0x91AF, 0xFFFF}
	for rest := range 256 { // more data is there, ask with GET RESPONSE; ask again for so many
		if thorough || rest%64 == 0 || rest == n {
			words = append(words, 0x6100|iso7816.Status(rest), iso7816.WrongExpected(rest))
		}
	}
	for _, w := range words {
		add("another status", with(data, byte(w>>8), byte(w)))
		add("a status alone", []byte{byte(w >> 8), byte(w)})
		add("half of the data, then a status", with(data[:n/2], byte(w>>8), byte(w)))
	}

	// ISO/IEC 8825-1 §8.1.3: the same length written otherwise, other lengths, no
	// length, and lengths beyond any file; other tags.
	if header, length, err := iso7816.HeaderLength(data); err == nil && header <= n {
		first := 1
		if data[0]&0x1F == 0x1F {
			first = 2
		}
		high, low := byte(length>>8), byte(length)
		for _, l := range []struct {
			what  string
			bytes []byte
		}{
			{"length in two bytes", []byte{0x81, low}}, {"length in three bytes", []byte{0x82, high, low}},
			{"length in four bytes", []byte{0x83, 0, high, low}}, {"length in five bytes", []byte{0x84, 0, 0, high, low}},
			{"indefinite length", []byte{0x80}}, {"no length", nil}, {"length 0", []byte{0}}, {"length 127", []byte{0x7F}},
			{"length 32 KiB", []byte{0x82, 0x80, 0}}, {"length 64 KiB less one", []byte{0x82, 0xFF, 0xFF}}, {"length 64 KiB", []byte{0x83, 1, 0, 0}},
			{"length 16 MiB", []byte{0x83, 0xFF, 0xFF, 0xFF}}, {"length 4 GiB", []byte{0x84, 0xFF, 0xFF, 0xFF, 0xFF}},
			{"length of 126 bytes", []byte{0xFE, 1}}, {"length reserved", []byte{0xFF, 1}},
			{"one byte more", []byte{0x82, byte((length + 1) >> 8), byte(length + 1)}}, {"one byte less", []byte{0x82, byte((length - 1) >> 8), byte(length - 1)}},
		} {
			b := slices.Concat(data[:first], l.bytes, data[header:])
			add(l.what, with(b, status...))
			add(l.what+", no longer than asked for", with(b[:min(n, len(b))], status...))
		}
		for _, tag := range [][]byte{{0x00}, {0xFF}, {0x30}, {0x61}, {0x6D}, {0x77}, {0x7C}, {0x80}, {0x5F, 0x1F}, {0x7F, 0x61}, {0x1F, 0x80, 0x01}, {0x7F, 0xFF, 0xFF, 0x01}} {
			add("another tag", with(slices.Concat(tag, data[first:]), status...))
		}
		nested := data
		for range 3 * iso7816.MaxDepth {
			nested = iso7816.Encode(0x30, nested)
			add("nested", with(nested, status...))
		}
		add("there twice", with(slices.Concat(data, data), status...))
	}

	for at, other := range session {
		if at != number {
			add("another answer of this tap", other)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		if other := others[name]; number < len(other) {
			add("the answer of "+name, other[number])
		}
	}
	return all
}

// Every answer of an IC card to a phone, changed in every way that alterations
// knows, one at a time, against a running register: either the phone has read the
// same all the same, or no mobile card is issued and nothing changes. In a
// campaign all of them.
func TestChangedAnswersOfACardGetNoMobileCardAndChangeNothing(t *testing.T) {
	thorough := os.Getenv("ROLLCALL_CAMPAIGN") == "1"
	o := newOffice(t)
	h, stranger := o.holder(1), o.holder(2)
	first := o.begin(stranger) // holds a mobile card, so that there is something to change
	_, theirs := first.answers(stranger.chip)
	if a, err := first.apply(theirs); err != nil || a.Reason != lifecycle.Granted {
		t.Fatalf("the other resident: %v, %v", a.Reason, err)
	}

	earlier, _ := o.begin(h).answers(h.chip)
	p := o.begin(h)
	session, good := p.answers(h.chip)
	if len(session) < 12 || len(session) != len(earlier) {
		t.Fatalf("a tap of %d answers, an earlier one of %d", len(session), len(earlier))
	}
	otherCard, _ := p.answers(stranger.chip)
	clone, _ := p.answers(h.chip.CloneWithoutKey([]byte("a forger's own chip")))
	others := map[string][][]byte{"an earlier tap": earlier, "another card": otherCard, "a clone": clone}

	before := o.content()
	lists, _, err := o.Publisher.Publish(ctx)
	must(0, err)(t)

	outcome := map[string]int{}
	counted := 0
	judge := func(what string, chip nfc.Card) {
		t.Helper()
		counted++
		read, err := p.read(chip)
		end := "read and "
		switch {
		case err != nil:
			end = "broken off and " // a phone may send what it has until then
		case reflect.DeepEqual(read.Evidence, good):
			outcome["read the same"]++
			return
		}
		switch a, err := p.apply(read.Evidence); {
		case err != nil:
			t.Errorf("%s: the service fails: %v", what, err)
		case a.Reason == lifecycle.Granted || len(a.Copies) > 0 || a.Sequence != 0:
			t.Fatalf("%s: a mobile card was issued", what)
		case a.Reason != lifecycle.CardNotGenuine: // not even what another card says in earnest
			t.Errorf("%s: refused as %v", what, a.Reason)
		default:
			outcome[end+"refused"]++
		}
	}
	alone := func(number int, b []byte) func(int, []byte) []byte {
		return func(n int, answer []byte) []byte {
			if n == number {
				return b
			}
			return answer
		}
	}
	for number := range session {
		all := alterations(number, session, others, thorough)
		step := 1
		if !thorough {
			step = max(1, len(all)/40) | 1
		}
		for i := 0; i < len(all); i += step {
			a := all[i]
			judge(fmt.Sprintf("answer %d: %s: %X", number, a.what, clip(a.bytes)), &between{Card: h.chip, change: alone(number, a.bytes)})
		}
		for other := range number { // two answers in each other's place
			judge(fmt.Sprintf("answers %d and %d swapped", other, number), &between{Card: h.chip, change: func(n int, answer []byte) []byte {
				switch n {
				case number:
					return session[other]
				case other:
					return session[number]
				}
				return answer
			}})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(others)) { // from some answer on, or up to it, all of another tap
		for from := range session {
			for _, late := range []bool{true, false} {
				judge(fmt.Sprintf("answers of %s from %d on: %v", name, from, late), &between{Card: h.chip, change: func(n int, answer []byte) []byte {
					if (n >= from) == late && n < len(others[name]) {
						return others[name][n]
					}
					return answer
				}})
			}
		}
	}
	t.Logf("%d changed answers of a tap of %d: %v", counted, len(session), outcome)
	if outcome["read and refused"] < counted/4 || outcome["broken off and refused"] < counted/4 || outcome["read the same"] == 0 {
		t.Error("too few of a kind to show anything")
	}

	if o.content() != before {
		t.Error("the register changed")
	}
	if again, _, err := o.Publisher.Publish(ctx); err != nil || !reflect.DeepEqual(again, lists) {
		t.Errorf("the status lists changed: %v", err)
	}
	// The same challenge, the same attestation, the answers as the chip gave them.
	a, err := p.apply(must(p.read(h.chip))(t).Evidence)
	if err != nil || a.Reason != lifecycle.Granted || h.phone.Accept(a.Copies) != nil {
		t.Errorf("unchanged: %v, %v", a.Reason, err)
	}
	if o.content() == before {
		t.Error("an issue leaves no trace: the comparison sees nothing")
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 64)] }
