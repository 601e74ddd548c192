package iccard

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"rollcall.example/rollcall/hwemu/iso7816"
)

// tapSession is what a phone sends when it reads a card.
func tapSession(t testing.TB) (commands [][]byte) {
	t.Helper()
	for _, s := range []string{
		selectEMRTD, "00B09D0008", "00B00008DF", "00B0810008", "00B08D0000", "00B08F0000", "0088000008 0102030405060708 00",
		selectResident, "00B0820000", askTries, rightPIN, "00B0820000", "00B000DFDF", "00B1000004 54020100 00", statement, "0084000008",
	} {
		raw, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		commands = append(commands, raw)
	}
	return commands
}

// mutateCommand changes a command as a hostile or broken reader might.
func mutateCommand(raw []byte, draw *rand.Rand) []byte {
	out := bytes.Clone(raw)
	for range 1 + draw.IntN(3) {
		if len(out) == 0 {
			return out
		}
		at := draw.IntN(len(out))
		if draw.IntN(2) == 0 {
			at = draw.IntN(min(6, len(out))) // header and lengths
		}
		switch draw.IntN(8) {
		case 0:
			out[at] ^= 1 << draw.IntN(8)
		case 1:
			out[at] = byte(draw.IntN(256))
		case 2: // an instruction that the card knows, or a class
			instructions := []byte{0x20, 0x24, 0x2C, 0x44, 0x46, 0x84, 0x88, 0xA4, 0xB0, 0xB1, 0xD6, 0x60, 0x90}
			out[min(1, len(out)-1)] = instructions[draw.IntN(len(instructions))]
		case 3:
			classes := []byte{0x10, 0x04, 0x0C, 0x03, 0x80, 0xFF}
			out[0] = classes[draw.IntN(len(classes))]
		case 4:
			out = append(out[:at], out[at+1:]...)
		case 5:
			out = append(out[:at:at], append([]byte{byte(draw.IntN(256))}, out[at:]...)...)
		case 6:
			out = out[:at]
		case 7:
			extra := make([]byte, draw.IntN(300))
			for i := range extra {
				extra[i] = byte(draw.IntN(256))
			}
			out = append(out, extra...)
		}
	}
	return out
}

// lasting is what a card keeps without power.
func (c *Card) lasting() [32]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%x %x %x", c.active.value(), c.pin.value(), c.resetCode.value())
	for a := range c.files {
		for _, f := range c.files[a] {
			fmt.Fprintf(h, "%d %d %x\n", f.id, f.size, f.content)
		}
	}
	private, err := c.key.Bytes()
	if err != nil {
		panic(err)
	}
	h.Write(private)
	return [32]byte(h.Sum(nil))
}

// Changed commands against a card in use, each amid a tap: the card answers each
// with a status word, writes nothing but its counters, tells the face template
// and says "PIN verified" only to who has entered the PIN, and signs only
// statements of the challenge that it got. In a campaign 10^5.
func TestChangedCommandsGetAStatusWordAndNothingElse(t *testing.T) {
	n := 2_000
	if os.Getenv("ROLLCALL_CAMPAIGN") == "1" {
		n = 100_000
	}
	card := personalised(t)
	before := card.lasting()
	commands := tapSession(t)
	right := []byte(holder().PIN)
	draw := rand.New(rand.NewPCG(7816, 4))
	statuses := map[iso7816.Status]int{}
	statements, templates := 0, 0
	for i := range n {
		c := *card
		c.Reset()
		c.tries, c.codeTries = card.tries.clone(), card.codeTries.clone()
		changed := draw.IntN(len(commands))
		knowsPIN := false
		for k, raw := range commands {
			if k == changed {
				raw = mutateCommand(raw, draw)
			}
			tries := c.tries.number()
			r, err := iso7816.ParseResponse(c.Transmit(raw))
			if err != nil {
				t.Fatalf("%d: %X is answered with no status word: %v", i, raw, err)
			}
			if sw1 := r.Status >> 12; sw1 != 6 && sw1 != 9 {
				t.Fatalf("%d: %X is answered with %04X", i, raw, uint16(r.Status))
			}
			if k == changed {
				statuses[r.Status]++
			}
			cmd, err := iso7816.ParseCommand(raw)
			if err != nil {
				if r.Status != iso7816.WrongLength || len(r.Data) > 0 {
					t.Fatalf("%d: %X is no command and is answered with %v", i, raw, r.Status)
				}
				continue
			}
			entered := cmd.Instruction == iso7816.Verify && bytes.Equal(cmd.Data, right) && r.Status == iso7816.OK
			switch {
			case entered:
				knowsPIN = true
			case c.tries.number() > tries:
				t.Fatalf("%d: %X gave tries back", i, raw)
			}
			if !c.session.pinVerified {
				knowsPIN = false
			} else if !knowsPIN {
				t.Fatalf("%d: the PIN counts as entered after %X", i, raw)
			}
			if bytes.Contains(r.Data, card.find(resident, func(f *file) bool { return f.read == afterPIN }).content[:32]) {
				if templates++; !knowsPIN {
					t.Fatalf("%d: the template is told to %X", i, raw)
				}
			}
			if cmd.Instruction == iso7816.InternalAuthenticate && !cmd.Chained() && r.Status == iso7816.OK && c.session.application == resident && k >= changed {
				statements++
				checkStatement(t, &card.key.PublicKey, cmd.Data, r.Data, knowsPIN)
			}
		}
		if c.lasting() != before {
			t.Fatalf("%d: %X changed the card", i, commands[changed])
		}
	}
	t.Logf("%d changed commands amid taps of %d: %d statements, %d templates told, answers %v", n, len(commands), statements, templates, statuses)
	if len(statuses) < 10 || statements < n/4 || templates < n/4 {
		t.Error("too few to show anything")
	}
}

func checkStatement(t *testing.T, key *ecdsa.PublicKey, challenge, data []byte, knowsPIN bool) {
	t.Helper()
	objects, err := iso7816.ParseObjects(data)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := iso7816.Find(objects, 0x7C)
	status, _ := s.Child(0x80)
	signature, _ := s.Child(0x81)
	if len(status.Value) != 1 || status.Value[0]&PINVerified != 0 != knowsPIN {
		t.Fatalf("the card states %X, PIN entered: %v", status.Value, knowsPIN)
	}
	digest := sha256.Sum256(append(append([]byte(StatementLabel), challenge...), status.Value...))
	rs := signature.Value
	if len(rs) != 64 || !ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(rs[:32]), new(big.Int).SetBytes(rs[32:])) {
		t.Fatal("the card signed something else than this challenge and status")
	}
}

func TestAResponseOfAnyLengthIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		raw  []byte
		good bool
	}{
		"nothing": {nil, false}, "one byte": {[]byte{0x90}, false}, "a status": {[]byte{0x90, 0}, true},
		"the longest": {make([]byte, iso7816.MaxData+3), true}, "too long": {make([]byte, iso7816.MaxData+4), false},
	} {
		if _, err := iso7816.ParseResponse(c.raw); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
