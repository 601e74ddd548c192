package iccard

import (
	"encoding/hex"
	"strings"
	"testing"

	"rollcall.example/rollcall/hwemu/iso7816"
)

// The field vanishes between any two bytes written.

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
