package card

import (
	"fmt"
	"strings"
)

// documentNumber is the number in DG1, the machine readable zone of a TD1 card
// (Doc 9303-5 §4.2), with its check digits.
func documentNumber(dg1 []byte) (string, error) {
	content, err := object(dg1, 1, true)
	if err != nil {
		return "", err
	}
	text, err := object(content, 31, false)
	if err != nil {
		return "", err
	}
	mrz := string(text)
	wrong := func(what string) (string, error) {
		return "", fmt.Errorf("%w: the machine readable zone %s", ErrMalformed, what)
	}
	if len(mrz) != 90 || strings.Trim(mrz, mrzLetters) != "" {
		return wrong("is not three lines of 30 letters")
	}
	line1, line2 := mrz[:30], mrz[30:60]
	if line1[0] != 'I' || line1[2:5] != "KOR" {
		return wrong("is not that of a Korean identity card")
	}
	for _, field := range []struct{ name, text, check string }{
		{"birth date", line2[0:6], line2[6:7]},
		{"expiry date", line2[8:14], line2[14:15]},
		{"whole", line1[5:30] + line2[0:7] + line2[8:15] + line2[18:29], line2[29:30]},
	} {
		if checkDigit(field.text) != field.check {
			return wrong("has a wrong check digit: " + field.name)
		}
	}
	number, check := strings.TrimRight(line1[5:14], "<"), line1[14:15]
	field := line1[5:14]
	if check == "<" { // note j: the rest of a longer number in 16-28, its check digit, a filler
		rest, _, ended := strings.Cut(line1[15:30], "<")
		if len(rest) < 2 || !ended {
			return wrong("breaks off in the document number")
		}
		number = line1[5:14] + rest[:len(rest)-1]
		field, check = number, rest[len(rest)-1:]
	}
	if number == "" || strings.Contains(number, "<") || checkDigit(field) != check {
		return wrong("has a wrong document number")
	}
	return number, nil
}

const mrzLetters = "<0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// checkDigit is that of Doc 9303-3 §4.9: weights 7, 3, 1; A is 10, < is 0.
func checkDigit(s string) string {
	sum := 0
	for i := range len(s) {
		value := max(strings.IndexByte(mrzLetters, s[i])-1, 0)
		sum += value * [...]int{7, 3, 1}[i%3]
	}
	return string(rune('0' + sum%10))
}
