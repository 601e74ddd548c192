package card

import (
	"errors"
	"strings"
	"testing"
)

func TestMachineReadableZonesByHand(t *testing.T) {
	dg1 := func(mrz string) []byte {
		return append([]byte{0x61, byte(len(mrz) + 3), 0x5F, 0x1F, byte(len(mrz))}, mrz...)
	}
	// The specimen of Doc 9303-5 appendix B, but for the state.
	const good = "I<KORD231458907<<<<<<<<<<<<<<<" + "7408122F1204159KOR<<<<<<<<<<<6" + "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"
	if got, err := documentNumber(dg1(good)); err != nil || got != "D23145890" {
		t.Errorf("%q, %v", got, err)
	}
	change := func(at int, to string) string { return good[:at] + to + good[at+len(to):] }
	// Note j of Doc 9303-5 §4.2.2: of a number of more than nine, the rest stands in
	// 16-28, with its check digit and a filler behind it.
	long := func(rest string) string {
		number := good[5:14] + rest
		line1 := (good[:14] + "<" + rest + checkDigit(number) + strings.Repeat("<", 15))[:30]
		line2 := good[30:59]
		return line1 + line2 + checkDigit(line1[5:30]+line2[0:7]+line2[8:15]+line2[18:29]) + good[60:]
	}
	for _, rest := range []string{"7", "734", "1234567890123"} {
		if got, err := documentNumber(dg1(long(rest))); err != nil || got != good[5:14]+rest {
			t.Errorf("long number: %q, %v", got, err)
		}
	}
	for name, mrz := range map[string]string{
		"passport":               change(0, "P"),
		"another state":          change(2, "UTO"),
		"number":                 change(5, "E"),
		"check of the number":    change(14, "8"),
		"birth date":             change(30, "75"),
		"expiry":                 change(38, "13"),
		"whole":                  change(59, "7"),
		"lower case":             change(60, "e"),
		"two lines":              good[:60],
		"long number cut off":    change(14, "<"),
		"no room for the filler": long("12345678901234"),
		"no number":              change(5, "<<<<<<<<<0"),
	} {
		if got, err := documentNumber(dg1(mrz)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for name, b := range map[string][]byte{"none": nil, "more": append(dg1(good), 0), "another group": append([]byte{0x62}, dg1(good)[1:]...)} {
		if _, err := documentNumber(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
