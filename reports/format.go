package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A number is shown as people say it. The names of the forms stand in the
// page's data-as attributes, so that a test can format the figure again.
var forms = map[string]func(Num) string{
	"count":       sayCount,
	"exact":       sayCount, // also in Korean, where two figures are compared
	"duration":    sayDuration,
	"share":       sayShare,
	"perthousand": func(n Num) string { return sayDecimal(n, 1) },
	"times":       func(n Num) string { return "×\u202f" + sayDecimal(n, 2) },
	"ms":          func(n Num) string { return sayUnit(n, "ms") },
	"won":         func(n Num) string { return sayCount(n) + "\u00a0won" },
	"change":      sayChange,
	"correlation": sayCorrelation,
	"plain":       func(n Num) string { return string(n.append(nil)) },
	"id":          func(n Num) string { return strconv.FormatInt(int64(n), 10) },
	"bytes":       sayBytes,
}

const missing = "–" // a figure that is not there

// say formats a figure in one of the forms; "signed" before a form is a difference
// of two such figures.
func say(form string, n Num) string {
	if of, ok := strings.CutPrefix(form, "signed "); ok {
		return signed(of, n, say)
	}
	if !n.Known() {
		return missing
	}
	return forms[form](n)
}

// signed is a difference; of shares in points, as a percentage of a percentage is
// misread.
func signed(form string, n Num, say func(form string, n Num) string) string {
	switch {
	case !n.Known():
		return missing
	case n == 0:
		return "0"
	}
	sign := "+"
	if n < 0 {
		sign, n = "−", -n
	}
	switch form {
	case "share":
		return sign + twoDigits(n*100) + " pt"
	case "times", "count", "exact":
		return sign + twoDigits(n)
	case "ms":
		return sign + twoDigits(n) + " ms"
	}
	return sign + say(form, n)
}

// twoDigits keeps two digits of what is small.
func twoDigits(n Num) string {
	digits := 0
	if n < 10 {
		digits = 1 - int(math.Floor(math.Log10(float64(n))))
	}
	text := strconv.FormatFloat(float64(n), 'f', digits, 64)
	if n >= 1000 {
		return sayCount(n)
	}
	if strings.Contains(text, ".") {
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	return text
}

func sayCount(n Num) string {
	s := strconv.FormatFloat(math.Round(math.Abs(float64(n))), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if n < 0 {
		s = "−" + s
	}
	return s
}

func sayDecimal(n Num, digits int) string {
	s := strconv.FormatFloat(float64(n), 'f', digits, 64)
	if strings.Contains(s, ".") && math.Abs(float64(n)) >= 100 {
		return sayCount(n)
	}
	return s
}

func sayUnit(n Num, unit string) string {
	f := float64(n)
	if f != 0 && math.Abs(f) < 10 {
		return strconv.FormatFloat(f, 'f', 1, 64) + "\u00a0" + unit
	}
	return sayCount(n) + "\u00a0" + unit
}

// sayDuration: 0 s, 0.4 s, 12 s, 1 min 30 s, 14 min, 1 h 52 min, 2 d 3 h.
func sayDuration(n Num) string {
	f := math.Abs(float64(n))
	if f > 0 && f < 9.5 {
		return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + "\u00a0s"
	}
	two := func(whole, small int64, a, b string) string {
		if small == 0 {
			return fmt.Sprintf("%d\u00a0%s", whole, a)
		}
		return fmt.Sprintf("%d\u00a0%s %d\u00a0%s", whole, a, small, b)
	}
	s := int64(math.Round(f))
	if s < 60 {
		return fmt.Sprintf("%d\u00a0s", s)
	}
	if s < 300 {
		return two(s/60, s%60, "min", "s")
	}
	min := int64(math.Round(f / 60))
	if min < 60 {
		return fmt.Sprintf("%d\u00a0min", min)
	}
	if min < 48*60 {
		return two(min/60, min%60, "h", "min")
	}
	h := int64(math.Round(f / 3600))
	return two(h/24, h%24, "d", "h")
}

// sayShare never rounds something to nothing, nor almost all to all.
func sayShare(n Num) string {
	p := float64(n) * 100
	near := math.Min(math.Abs(p), math.Abs(100-p))
	digits := 0
	switch {
	case near == 0 || near >= 9.95:
	case near >= 0.095:
		digits = 1
	default:
		digits = min(6, int(math.Ceil(-math.Log10(near))))
	}
	return strconv.FormatFloat(p, 'f', digits, 64) + "\u00a0%"
}

// sayChange is a share that something has changed by; from ten times as much on that.
func sayChange(n Num) string {
	sign := "+"
	switch {
	case n >= 9:
		return "×\u202f" + sayCount(n+1)
	case n == 0:
		sign = ""
	case n < 0:
		sign, n = "−", -n
	}
	return sign + sayShare(n)
}

// sayCorrelation has its sign, and two digits.
func sayCorrelation(n Num) string {
	return strings.Replace(strconv.FormatFloat(float64(n), 'f', 2, 64), "-", "−", 1)
}

func sayBytes(n Num) string {
	const gib, mib = 1 << 30, 1 << 20
	if n >= gib {
		return fmt.Sprintf("%.1f\u00a0GiB", float64(n)/gib)
	}
	return fmt.Sprintf("%.0f\u00a0MiB", float64(n)/mib)
}

// sayEvents: 310 M, 1.2 G.
func sayEvents(n int64) string {
	switch f := float64(n); {
	case f >= 1e9:
		return fmt.Sprintf("%.1f G", f/1e9)
	case f >= 1e6:
		return fmt.Sprintf("%.0f M", f/1e6)
	}
	return sayCount(Num(n))
}

// sayDay: Fri 14 Mar. sayDate: 14 Mar 2025. sayHour: Fri 14 Mar 09:00.
func sayDay(date string) string  { return sayTime(date, "Mon 2 Jan") }
func sayDate(date string) string { return sayTime(date, "2 Jan 2006") }
func sayHour(at string) string   { return sayTime(at, "Mon 2 Jan 15:04") }

func sayTime(s, form string) string {
	t, ok := parseTime(s)
	if !ok {
		return s
	}
	return t.Format(form)
}

// parseTime reads a day or a moment, in the civil time it is written in.
func parseTime(s string) (time.Time, bool) {
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// ---- Korean ----

// sayKo is say as Koreans write it in a sentence.
func sayKo(form string, n Num) string {
	if of, ok := strings.CutPrefix(form, "signed "); ok {
		return strings.Replace(signed(of, n, sayKo), " pt", "%p", 1)
	}
	if !n.Known() {
		return missing
	}
	switch form {
	case "count":
		return sayMan(n)
	case "duration":
		return durationKo.Replace(sayDuration(n))
	case "share", "change":
		return strings.Replace(say(form, n), "\u00a0", "", 1)
	case "times":
		return sayDecimal(n, 2) + "배"
	case "won":
		return sayCount(n) + "원"
	}
	return say(form, n)
}

var durationKo = strings.NewReplacer("\u00a0d", "일", "\u00a0h", "시간", "\u00a0min", "분", "\u00a0s", "초", " ", "\u00a0")

// sayMan: 3,402 · 61만 2천 · 4,477만 · 1억 2,300만. From ten thousand on it is
// rounded to thousands, from a hundred million on to ten thousands.
func sayMan(n Num) string {
	const man, eok = 1e4, 1e8
	f := math.Abs(float64(n))
	if f < man {
		return sayCount(n)
	}
	sign := ""
	if n < 0 {
		sign = "−"
	}
	unit := 1e3
	if f >= eok/10 {
		unit = man
	}
	r := int64(math.Round(f/unit) * unit)
	var parts []string
	if r >= eok {
		parts = append(parts, sayCount(Num(r/eok))+"억")
	}
	if m := r % eok / man; m > 0 {
		parts = append(parts, sayCount(Num(m))+"만")
	}
	if c := r % man / 1e3; c > 0 {
		parts = append(parts, sayCount(Num(c))+"천")
	}
	return sign + strings.Join(parts, "\u00a0")
}

// 3. 14.(금) · 2025. 3. 14.(금) · 3. 14.(금) 09:00 · 3. 14.
func sayDayKo(date string) string  { return sayTimeKo(date, "1. 2.", true, "") }
func sayDateKo(date string) string { return sayTimeKo(date, "2006. 1. 2.", true, "") }
func sayHourKo(at string) string   { return sayTimeKo(at, "1. 2.", true, " 15:04") }

func sayTimeKo(s, form string, weekday bool, after string) string {
	t, ok := parseTime(s)
	if !ok {
		return s
	}
	day := strings.ReplaceAll(t.Format(form), " ", "\u00a0")
	if weekday {
		day += "(" + string([]rune("일월화수목금토")[t.Weekday()]) + ")"
	}
	if after != "" {
		day += t.Format(after)
	}
	return day
}
