package nfc

import (
	"fmt"
	"strings"
	"time"
)

// Exchange is one command and its answer, as a log keeps them.
type Exchange struct {
	What              string // for people: "SELECT eMRTD"
	Command, Response []byte // Response is nil where the card was lost
	Took              time.Duration
}

// String writes an exchange as a line pair of an APDU log.
func (e Exchange) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s (%v)\n> % X\n", e.What, e.Took.Round(10*time.Microsecond), e.Command)
	if e.Response == nil {
		b.WriteString("< (the card left the field)")
	} else {
		fmt.Fprintf(&b, "< % X", e.Response)
	}
	return b.String()
}
