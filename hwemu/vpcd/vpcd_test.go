package vpcd

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// echo answers what it was sent, and notes resets.
type echo struct{ resets int }

func (e *echo) Reset() { e.resets++ }

func (e *echo) Transmit(command []byte) []byte {
	if command[0] == 0xFF {
		return nil
	}
	return append(bytes.Clone(command), 0x90, 0x00)
}

type connection struct {
	io.Reader
	io.Writer
}

func serve(t *testing.T, said string) (answered string, card *echo, err error) {
	t.Helper()
	in, err := hex.DecodeString(strings.ReplaceAll(said, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	card = &echo{}
	err = Serve(connection{bytes.NewReader(in), &out}, card, []byte{0x3B, 0x80})
	return fmt.Sprintf("%x", out.Bytes()), card, err
}

func TestAReaderPowersTheCardAsksWhoItIsAndSendsCommands(t *testing.T) {
	out, card, err := serve(t, "0001 01  0001 04  0004 00A40000  0001 02  0002 FFFF  0001 00")
	if err != nil || out != "00023b80"+"000600a400009000"+"00026f00" || card.resets != 4 {
		t.Errorf("%s, %d resets: %v", out, card.resets, err)
	}
}

func TestWhatIsNoFrameEndsTheCard(t *testing.T) {
	for name, said := range map[string]string{"an empty frame": "0000", "half a frame": "0005 00A4", "an unknown control": "0001 07"} {
		if _, _, err := serve(t, said); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := serve(t, "00"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a length: %v", err)
	}
}

// Whatever is said, what comes back is frames.
func FuzzServe(f *testing.F) {
	f.Add([]byte("\x00\x01\x01\x00\x01\x04\x00\x04\x00\xa4\x00\x00"))
	f.Add([]byte("\x00\x00"))
	f.Fuzz(func(t *testing.T, said []byte) {
		var out bytes.Buffer
		_ = Serve(connection{bytes.NewReader(said), &out}, &echo{}, []byte{0x3B})
		for out.Len() > 0 {
			if _, err := readFrame(&out); err != nil {
				t.Fatal(err)
			}
		}
	})
}
