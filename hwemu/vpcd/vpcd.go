// Package vpcd lays an emulated card into the virtual reader of vsmartcard (vpcd):
// a driver of PC/SC that waits on a TCP port for a card, so that programs which
// know nothing of us read it as they would read plastic.
//
// Both sides send frames: a length of two bytes, most significant first, and that
// many bytes. From the reader a frame of one byte is a control (power off, power
// on, reset, ask for the answer to reset), and any other one a command; the card
// sends answers to commands and to the last of the controls.
//
// It may not know what commands say.
package vpcd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Card is what can be laid into the reader.
type Card interface {
	// Transmit takes a command and gives the answer; nil if there is none.
	Transmit(command []byte) []byte
	// Reset is the power going and coming back.
	Reset()
}

// Controls.
const (
	powerOff = 0
	powerOn  = 1
	reset    = 2
	getATR   = 4
)

const maxFrame = 1<<16 - 1

// ErrFrame means that the other side is no reader of this protocol.
var ErrFrame = errors.New("vpcd: this is no frame of a virtual reader")

// silent is the answer of a card that gives none: no precise diagnosis (ISO/IEC
// 7816-4 table 6).
var silent = []byte{0x6F, 0x00}

// Serve lets the card lie in the reader at the other end of a connection until the
// reader ends it, which is no error. answerToReset is what the reader is told of
// the card when it is powered.
func Serve(reader io.ReadWriter, card Card, answerToReset []byte) error {
	for {
		frame, err := readFrame(reader)
		if errors.Is(err, io.EOF) {
			card.Reset()
			return nil
		}
		if err != nil {
			return err
		}
		var answer []byte
		switch {
		case len(frame) > 1:
			if answer = card.Transmit(frame); answer == nil {
				answer = silent
			}
		case frame[0] == powerOff || frame[0] == powerOn || frame[0] == reset:
			card.Reset()
			continue
		case frame[0] == getATR:
			answer = answerToReset
		default:
			return fmt.Errorf("%w: control %02X", ErrFrame, frame[0])
		}
		if err := writeFrame(reader, answer); err != nil {
			return err
		}
	}
}

// readFrame reads a frame of at least a byte. io.EOF means that the connection
// ended between two frames.
func readFrame(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint16(length[:]))
	if len(frame) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrFrame)
	}
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, fmt.Errorf("%w: it breaks off", ErrFrame)
	}
	return frame, nil
}

func writeFrame(w io.Writer, b []byte) error {
	if len(b) > maxFrame {
		return fmt.Errorf("vpcd: an answer of %d bytes does not fit into a frame (at most %d)", len(b), maxFrame)
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	return err
}
