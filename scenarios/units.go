package scenarios

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mistake is what is wrong with a value, and what to write instead.
type mistake struct{ what, instead string }

func (m *mistake) Error() string { return m.what + " (" + m.instead + ")" }

// How values with units are spelled. The JSON Schema uses the same patterns.
const (
	numberPattern   = `[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?`
	percentPattern  = `^(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)([eE]-[0-9]+)? ?%$`
	anyPercent      = `^` + numberPattern + ` ?%$`
	wonPattern      = `^[0-9]{1,3}(,[0-9]{3})+ ?(KRW|won)$|^[0-9]+ ?(KRW|won)$`
	ratePattern     = `^` + numberPattern + ` ?%? ?/ ?(hour|day|week|month|year)$`
	momentPattern   = `^[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$`
	unitPattern     = `(us|ms|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)`
	durationPattern = `^[0-9]+(\.[0-9]+)? ?` + unitPattern + `( ?[0-9]+(\.[0-9]+)? ?` + unitPattern + `)*$`
	clockPattern    = `^([01][0-9]|2[0-4]):[0-5][0-9]$`
	rangePattern    = `^([0-9]|1[0-9]|2[0-4])(-([0-9]|1[0-9]|2[0-4]))?$`
	agePattern      = `^(100|[1-9]?[0-9])$`
)

var (
	numberForm   = regexp.MustCompile(`^-?(0|[1-9][0-9_]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	integerForm  = regexp.MustCompile(`^-?(0|[1-9][0-9_]*)$`)
	percentForm  = regexp.MustCompile(anyPercent)
	wonForm      = regexp.MustCompile(wonPattern)
	rateForm     = regexp.MustCompile(ratePattern)
	momentForm   = regexp.MustCompile(momentPattern)
	durationForm = regexp.MustCompile(durationPattern)
	durationPart = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?) ?([a-z]+)`)
	clockForm    = regexp.MustCompile(clockPattern)
	rangeForm    = regexp.MustCompile(rangePattern)
	ageForm      = regexp.MustCompile(agePattern)
)

func parseNumber(s string) (float64, *mistake) {
	if !numberForm.MatchString(s) {
		if percentForm.MatchString(s) {
			return 0, &mistake{s + " is a percentage, not a plain number", "write it without %"}
		}
		return 0, &mistake{quote(s) + " is not a number", "write 3 or 0.25"}
	}
	x, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
	if err != nil || math.IsInf(x, 0) {
		return 0, &mistake{s + " is too large a number", "write one below 1e300"}
	}
	return x, nil
}

func parseInteger(s string) (int64, *mistake) {
	if !integerForm.MatchString(s) {
		return 0, &mistake{quote(s) + " is not a whole number", "write 12, without unit or decimals"}
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err != nil {
		return 0, &mistake{s + " is too large", "write a number below 9e18"}
	}
	return n, nil
}

// parseNatural reads an integer of 64 bits without a sign.
func parseNatural(s string) (uint64, *mistake) {
	n, err := strconv.ParseUint(strings.ReplaceAll(s, "_", ""), 10, 64)
	switch {
	case !integerForm.MatchString(s):
		return 0, &mistake{quote(s) + " is not a whole number", "write 12, without unit or decimals"}
	case strings.HasPrefix(s, "-"):
		return 0, &mistake{s + " is negative", "write at least 0"}
	case err != nil:
		return 0, &mistake{s + " is too large", "write a number up to 18446744073709551615"}
	}
	return n, nil
}

func parseShare(s string) (float64, *mistake) {
	if percentForm.MatchString(s) {
		x, _ := strconv.ParseFloat(percentToNumber(s), 64)
		if x > 1 {
			return 0, &mistake{s + " is more than the whole", "write at most 100%"}
		}
		return x, nil
	}
	x, m := parseNumber(s)
	switch {
	case strings.HasPrefix(s, "-"):
		return 0, &mistake{s + " is negative; a share is not", "write 0% to 100%"}
	case m != nil:
		return 0, &mistake{quote(s) + " is not a share", "write 95% or 0.95"}
	case x > 1:
		return 0, &mistake{s + " is more than the whole", "write " + s + "% or a number up to 1"}
	}
	return x, nil
}

// percentToNumber writes "3.6%" as 3.6e-2, so that the nearest float64 is taken
// once.
func percentToNumber(s string) string {
	s = strings.TrimSpace(strings.TrimSuffix(s, "%"))
	digits, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	e, _ := strconv.Atoi(exponent)
	return digits + "e" + strconv.Itoa(e-2)
}

func formatShare(x float64) string {
	if x == 0 {
		return "0%"
	}
	// The shortest decimal of x, its point moved by two.
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', -1, 64), "e")
	e, _ := strconv.Atoi(exponent)
	e += 2
	digits = strings.Replace(digits, ".", "", 1)
	switch {
	case e < -6:
		return digits[:1] + strings.TrimSuffix("."+digits[1:], ".") + "e" + strconv.Itoa(e) + "%"
	case e < 0:
		return "0." + strings.Repeat("0", -e-1) + digits + "%"
	case len(digits) <= e+1:
		return digits + strings.Repeat("0", e+1-len(digits)) + "%"
	}
	return digits[:e+1] + "." + digits[e+1:] + "%"
}

func parseWon(s string) (int64, *mistake) {
	if s == "0" {
		return 0, nil
	}
	if !wonForm.MatchString(s) {
		if strings.HasPrefix(s, "-") {
			return 0, &mistake{s + " is negative; a price is not", "write 10000 KRW"}
		}
		if integerForm.MatchString(s) {
			return 0, &mistake{s + " has no currency", "write " + s + " KRW"}
		}
		return 0, &mistake{quote(s) + " is not an amount of money", "write 10000 KRW"}
	}
	digits := strings.TrimRight(strings.ReplaceAll(s, ",", ""), " KRWwon")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > 1e15 {
		return 0, &mistake{s + " is too much money", "write less than 1e15 KRW"}
	}
	return n, nil
}

// daysPer is how many days the units of a rate have.
var daysPer = map[string]float64{"hour": 1.0 / 24, "day": 1, "week": 7, "month": 365.0 / 12, "year": 365}

func parseRate(s string) (float64, *mistake) {
	if s == "0" {
		return 0, nil
	}
	if !rateForm.MatchString(s) {
		switch {
		case strings.HasPrefix(s, "-"):
			return 0, &mistake{s + " is negative; a rate is not", "write 0.05/day or 3.6%/year"}
		case numberForm.MatchString(s) || percentForm.MatchString(s):
			return 0, &mistake{s + " has no unit of time", "write " + s + "/day, or per hour, week, month or year"}
		}
		return 0, &mistake{quote(s) + " is not a rate", "write 0.05/day or 3.6%/year"}
	}
	number, unit, _ := strings.Cut(s, "/")
	number, unit = strings.TrimSpace(number), strings.TrimSpace(unit)
	if strings.HasSuffix(number, "%") {
		number = percentToNumber(number)
	}
	x, err := strconv.ParseFloat(number, 64)
	if x /= daysPer[unit]; err != nil || x > 1e9 {
		return 0, &mistake{s + " is too fast", "write less than 1e9/day"}
	}
	return x, nil
}

func formatRate(x float64) string {
	return strconv.FormatFloat(x, 'g', -1, 64) + "/day"
}

func parseMoment(s string) (Moment, *mistake) {
	instead := `write YYYY-MM-DD or "YYYY-MM-DD HH:MM"`
	if !momentForm.MatchString(s) {
		return Moment{}, &mistake{quote(s) + " is not a date", instead}
	}
	layout := "2006-01-02 15:04:05"[:len(s)]
	t, err := time.ParseInLocation(layout, strings.Replace(s, "T", " ", 1), KST)
	if err != nil {
		return Moment{}, &mistake{s + " is not a date of the calendar", instead}
	}
	if t.Year() < 2000 || t.Year() > 2100 {
		return Moment{}, &mistake{s + " is not in this century", "write a year from 2000 to 2100"}
	}
	return Moment{t}, nil
}

func formatMoment(m Moment) string {
	t := m.In(KST)
	switch {
	case t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0:
		return t.Format("2006-01-02")
	case t.Second() == 0:
		return t.Format("2006-01-02 15:04")
	}
	return t.Format("2006-01-02 15:04:05")
}

var unitLength = map[string]time.Duration{
	"us": time.Microsecond, "ms": time.Millisecond,
	"s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hour": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour,
}

// longest is the longest duration that is understood.
const longest = 100 * 365 * 24 * time.Hour

func parseDuration(s string) (time.Duration, *mistake) {
	if s == "0" {
		return 0, nil
	}
	if !durationForm.MatchString(s) {
		switch {
		case strings.HasPrefix(s, "-"):
			return 0, &mistake{s + " is negative; a duration is not", "write 6h, 90s or 14d"}
		case numberForm.MatchString(s):
			return 0, &mistake{s + " has no unit of time", "write " + s + "s, " + s + "m, " + s + "h or " + s + "d"}
		}
		return 0, &mistake{quote(s) + " is not a duration", "write 6h, 90s, 14d or 2h 30m"}
	}
	var sum time.Duration
	for _, part := range durationPart.FindAllStringSubmatch(s, -1) {
		unit, ok := unitLength[part[2]]
		if !ok {
			unit = unitLength[strings.TrimSuffix(part[2], "s")]
		}
		x, _ := strconv.ParseFloat(part[1], 64)
		if x *= float64(unit); x <= float64(longest) {
			sum += time.Duration(math.Round(x))
		}
		if x > float64(longest) || sum > longest {
			return 0, &mistake{s + " is too long", "write at most 36500d"}
		}
	}
	return sum, nil
}

func parseClock(s string) (time.Duration, *mistake) {
	if !clockForm.MatchString(s) {
		d, m := parseDuration(s)
		switch {
		case m != nil:
			return 0, &mistake{quote(s) + " is not a time of day", "write 09:00 or 9h"}
		case d > 24*time.Hour:
			return 0, &mistake{s + " is after the end of the day", "write at most 24h"}
		}
		return d, nil
	}
	h, _ := strconv.Atoi(s[:2])
	m, _ := strconv.Atoi(s[3:])
	if d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute; d <= 24*time.Hour {
		return d, nil
	}
	return 0, &mistake{s + " is after the end of the day", "write at most 24:00"}
}

func formatClock(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

func formatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	var parts []string
	for _, u := range []struct {
		name   string
		length time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / u.length; n > 0 {
			parts = append(parts, strconv.FormatInt(int64(n), 10)+u.name)
			d -= n * u.length
		}
	}
	if d > 0 {
		parts = append(parts, strconv.FormatFloat(float64(d)/1000, 'f', -1, 64)+"us")
	}
	return strings.Join(parts, " ")
}

// parseHourRange reads "9-12", the hours 9, 10 and 11, or "9".
func parseHourRange(s string) (from, to int, m *mistake) {
	instead := "write 9-12 for the hours from 9:00 to 12:00"
	if !rangeForm.MatchString(s) {
		return 0, 0, &mistake{quote(s) + " is not a range of hours", instead}
	}
	a, b, ok := strings.Cut(s, "-")
	from, _ = strconv.Atoi(a)
	to = from + 1
	if ok {
		to, _ = strconv.Atoi(b)
	}
	if from >= to || to > 24 {
		return 0, 0, &mistake{s + " is an empty range of hours", instead}
	}
	return from, to, nil
}

// quote shows a value as it was written, cut short.
func quote(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "..."
	}
	return strconv.Quote(s)
}

// parseHours reads 24 weights, or weights for ranges of hours; the others are 0.
func parseHours(t *tree) (h Hours, m *mistake, at place) {
	weight := func(x *tree) (float64, *mistake) {
		if x.shape != scalar || x.style != plainNumber {
			return 0, &mistake{x.describe() + " is not a number", "write 24 numbers, or {9-12: 3, 12-14: 1}"}
		}
		w, m := parseNumber(x.text)
		if m == nil && (w < 0 || w > 1e9) {
			m = &mistake{x.text + " is no weight of an hour", "write 0 or more, up to 1e9"}
		}
		return w, m
	}
	switch {
	case t.shape == listShape:
		if len(t.items) != 24 {
			return h, &mistake{fmt.Sprintf("has %d numbers, not 24", len(t.items)), "write one for each hour of the day, or {9-12: 3, 12-14: 1}"}, t.place
		}
		for i, x := range t.items {
			if h[i], m = weight(x); m != nil {
				return h, m, x.place
			}
		}
	case t.shape == mappingShape && !t.byIndex:
		var taken [24]bool
		for _, e := range t.entries {
			from, to, m := parseHourRange(e.key)
			if m != nil {
				return h, m, e.place
			}
			w, m := weight(e.value)
			if m != nil {
				return h, m, e.value.place
			}
			for i := from; i < to; i++ {
				if taken[i] {
					return h, &mistake{fmt.Sprintf("the hour from %d:00 stands twice", i), "let the ranges not overlap"}, e.place
				}
				h[i], taken[i] = w, true
			}
		}
	default:
		return h, &mistake{t.describe() + " is no profile of hours", "write 24 numbers, or {9-12: 3, 12-14: 1}"}, t.place
	}
	return h, nil, t.place
}

// ParseWon reads an amount of money as scenarios write it: "10000 KRW".
func ParseWon(s string) (Won, error) {
	n, m := parseWon(s)
	if m != nil {
		return 0, m
	}
	return Won(n), nil
}
