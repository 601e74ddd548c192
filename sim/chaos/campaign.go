package chaos

import (
	"fmt"
	"strings"
	"time"
)

// Campaign is what happens to a small world. It is data: Run does the same
// with it every time, and any part of its lists is a campaign again.
type Campaign struct {
	Scenario   string     `json:"scenario,omitempty"` // name or file; empty: the one that is built in
	Seed       uint64     `json:"seed"`
	Residents  []Resident `json:"residents"`
	Operations []Op       `json:"operations"`
}

// Resident is somebody of the small world.
type Resident struct {
	Number uint32 `json:"number"`
	Age    int    `json:"age"`
	Away   bool   `json:"away,omitempty"`    // of the municipality that opens later
	NoCard bool   `json:"no_card,omitempty"` // without a plastic card
	Chip   bool   `json:"chip,omitempty"`    // the card has a chip
}

// Op is one operation. Which fields count depends on what is done (see kinds).
type Op struct {
	// ID names it, also when other operations are left out.
	ID int    `json:"id"`
	Do string `json:"do"`

	Who   uint32 `json:"who,omitempty"`   // a resident
	Of    uint32 `json:"of,omitempty"`    // another one, whose code is used
	Phone uint8  `json:"phone,omitempty"` // one of theirs, from 0; for showing a card: of those that hold one
	Role  string `json:"role,omitempty"`  // who asks
	Cause string `json:"cause,omitempty"`
	Names string `json:"names,omitempty"` // the report that a release means: newest, older or none
	Flaw  string `json:"flaw,omitempty"`  // of an application
	Away  bool   `json:"away,omitempty"`  // at the centre of the municipality that opens later
	Chip  bool   `json:"chip,omitempty"`
	Back  int    `json:"back,omitempty"` // how many requests back, from 0

	Verifier int  `json:"verifier,omitempty"`
	Fetch    bool `json:"fetch,omitempty"` // fetches its lists first

	For   Duration `json:"for,omitempty"`
	To    string   `json:"to,omitempty"`    // a date of the calendar
	Nodes string   `json:"nodes,omitempty"` // what is out: service or status

	// Lost on the way: the request, or the answer. The citizen then knows
	// nothing, and may repeat it.
	Lost string `json:"lost,omitempty"`
	// Cut says what comes between its steps.
	Cut *Cut `json:"cut,omitempty"`
}

// Cut is a place between the steps of an operation: before or after a call of
// the store, counted from 1. There other operations run, or the service crashes,
// for so long.
type Cut struct {
	Call  int      `json:"call"`
	After bool     `json:"after,omitempty"`
	Then  []Op     `json:"then,omitempty"`
	Crash bool     `json:"crash,omitempty"`
	For   Duration `json:"for,omitempty"`
}

// Duration is written as people write it.
type Duration time.Duration

// MarshalText writes it as "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads it.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

func (d Duration) String() string { return time.Duration(d).String() }

// String says what the operation is, for people.
func (o Op) String() string {
	var b strings.Builder
	b.WriteString(o.Do)
	say := func(format string, args ...any) { fmt.Fprintf(&b, " "+format, args...) }
	if o.Who != 0 {
		say("%d", o.Who)
	}
	if o.Of != 0 && o.Of != o.Who {
		say("with the code of %d", o.Of)
	}
	if o.Cause != "" {
		say("%s", o.Cause)
	}
	if o.Role != "" {
		say("by %s", o.Role)
	}
	if o.Names != "" {
		say("naming %s", o.Names)
	}
	if o.Phone != 0 {
		say("phone %d", o.Phone)
	}
	if o.Flaw != "" {
		say("(%s)", o.Flaw)
	}
	if o.Away {
		say("at the other municipality's centre")
	}
	if o.Back != 0 && o.Do != "show-both" {
		say("%d back", o.Back)
	}
	switch o.Do {
	case "show-both":
		if o.Back != 0 {
			say("the mobile card first")
		}
	case "show-cached", "fetch":
		say("verifier %d", o.Verifier)
		if o.Do == "show-cached" && o.Fetch {
			say("that fetches first")
		}
	case "new-card":
		if o.Chip {
			say("with a chip")
		}
	}
	if o.Nodes != "" {
		say("of %s", o.Nodes)
	}
	if o.For != 0 {
		say("%s", o.For)
	}
	if o.To != "" {
		say("to %s", o.To)
	}
	if o.Lost != "" {
		say("[%s lost]", o.Lost)
	}
	if c := o.Cut; c != nil {
		where := "before"
		if c.After {
			where = "after"
		}
		say("{%s its call %d of the store:", where, c.Call)
		for _, then := range c.Then {
			say("%s;", then)
		}
		if c.Crash {
			say("crash, back after %s", c.For)
		}
		b.WriteString("}")
	}
	return b.String()
}
