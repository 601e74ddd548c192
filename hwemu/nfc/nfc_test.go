package nfc

import (
	"errors"
	"testing"
	"time"
)

// echo answers every command with the same number of bytes, and notes what
// happened to it.
type echo struct {
	busy             time.Duration
	got, resets, cut int
}

func (e *echo) Transmit(c []byte) []byte { e.got++; return append([]byte(nil), c...) }
func (e *echo) Busy() time.Duration      { return e.busy }
func (e *echo) Reset()                   { e.resets++; e.cut = -1 }
func (e *echo) CutPower(n int)           { e.cut = n }

func activated(t *testing.T, e *echo, rate int) *Link {
	l := New(e)
	l.BitRate = rate
	if _, err := l.Activate(); err != nil {
		t.Fatal(err)
	}
	e.resets = 0
	return l
}

func TestTimeOfAnExchangeByHand(t *testing.T) {
	// 10 bytes to the card, 10 back, each in one block of 13 bytes: 2 + 9·13 =
	// 119 bits of 128 periods at 106 kbit/s.
	l := activated(t, &echo{busy: time.Millisecond}, 106)
	_, took, err := l.Exchange(make([]byte, 10))
	if err != nil {
		t.Fatal(err)
	}
	carrier := 2*119*128 + 1236 + 1172
	want := time.Duration(float64(carrier)/13.56e6*1e9) + time.Millisecond + Latency
	if d := took - want; d < -2 || d > 2 {
		t.Errorf("%v, want %v", took, want)
	}
}

func TestEachDoublingOfTheBitRateHalvesTheTimeOnTheAir(t *testing.T) {
	var before time.Duration
	for _, rate := range []int{106, 212, 424, 848} {
		l := activated(t, &echo{}, rate)
		_, took, _ := l.Exchange(make([]byte, 200))
		fixed := Latency + (delayCard + delayReader).duration()
		air := took - fixed
		if before != 0 && (before < 2*air-10 || before > 2*air+10) {
			t.Errorf("%d kbit/s: %v on the air, before %v", rate, air, before)
		}
		before = air
	}
}

func TestLongDataTravelsInAcknowledgedBlocks(t *testing.T) {
	e := &echo{}
	l := activated(t, e, 106)
	bytes, frames := l.Bytes(), l.Frames()
	l.Exchange(make([]byte, 600)) // 253 + 253 + 94
	if got := l.Bytes() - bytes; got != 2*(600+3*3+2*3) {
		t.Errorf("%d bytes on the air", got)
	}
	if got := l.Frames() - frames; got != 2*5 {
		t.Errorf("%d frames", got)
	}
}

func TestASlowChipAsksForMoreTime(t *testing.T) {
	l := activated(t, &echo{busy: 200 * time.Millisecond}, 424)
	frames := l.Frames()
	l.Exchange(make([]byte, 1))
	if got := l.Frames() - frames; got != 4 {
		t.Errorf("%d frames, want command, answer and one extension", got)
	}
	if got := l.waiting(); got < 77300*time.Microsecond || got > 77400*time.Microsecond {
		t.Errorf("frame waiting time %v", got)
	}
}

func TestATornCommandNeverReachesTheChip(t *testing.T) {
	e := &echo{}
	l := activated(t, e, 106)
	l.Tear(l.Bytes()+5, 0)
	if _, _, err := l.Exchange(make([]byte, 10)); !errors.Is(err, ErrTagLost) {
		t.Fatal(err)
	}
	if e.got != 0 || e.resets != 1 {
		t.Errorf("%d commands, %d resets", e.got, e.resets)
	}
}

func TestATearAtTheLastByteOfACommandCutsThePowerAtWork(t *testing.T) {
	e := &echo{cut: -1}
	l := activated(t, e, 106)
	l.Tear(l.Bytes()+13, 7)
	cut := -1
	l.card = &watcher{echo: e, cut: &cut}
	if _, _, err := l.Exchange(make([]byte, 10)); !errors.Is(err, ErrTagLost) {
		t.Fatal(err)
	}
	if e.got != 1 || cut != 7 {
		t.Errorf("%d commands, power cut after %d bytes", e.got, cut)
	}
}

type watcher struct {
	*echo
	cut *int
}

func (w *watcher) CutPower(n int) { *w.cut = n }

func TestATornAnswerWasGivenAllTheSame(t *testing.T) {
	e := &echo{}
	l := activated(t, e, 106)
	l.Tear(l.Bytes()+13+4, 0)
	if _, _, err := l.Exchange(make([]byte, 10)); !errors.Is(err, ErrTagLost) {
		t.Fatal(err)
	}
	if e.got != 1 || e.resets != 1 {
		t.Errorf("%d commands, %d resets", e.got, e.resets)
	}
	if _, err := l.Activate(); err != nil {
		t.Errorf("the card cannot be tapped again: %v", err)
	}
	if _, _, err := l.Exchange(make([]byte, 10)); err != nil {
		t.Errorf("a tear is torn once: %v", err)
	}
}

func TestEveryByteCanBeTorn(t *testing.T) {
	whole := activated(t, &echo{}, 106)
	whole.Exchange(make([]byte, 300))
	for at := range whole.Bytes() {
		l := New(&echo{})
		l.BitRate = 106
		l.Tear(at, 0)
		_, err := l.Activate()
		if err == nil {
			_, _, err = l.Exchange(make([]byte, 300))
		}
		if !errors.Is(err, ErrTagLost) {
			t.Fatalf("byte %d: %v", at, err)
		}
		if l.Bytes() != at {
			t.Fatalf("torn at %d instead of %d", l.Bytes(), at)
		}
	}
}

func TestParametersOutsideTheStandardAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Link){
		"bit rate": func(l *Link) { l.BitRate = 100 }, "frame size": func(l *Link) { l.FrameSize = 8 }, "waiting": func(l *Link) { l.FrameWaiting = 15 },
	} {
		l := New(&echo{})
		spoil(l)
		if _, err := l.Activate(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
