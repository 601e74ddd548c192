package scenarios

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDurationsAreReadAsPeopleWriteThem(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"6h": 6 * time.Hour, "90s": 90 * time.Second, "14d": 14 * 24 * time.Hour, "2h 30m": 150 * time.Minute,
		"2h30m": 150 * time.Minute, "1 week": 7 * 24 * time.Hour, "2 hours 30 minutes": 150 * time.Minute, "45 min": 45 * time.Minute,
		"0.4ms": 400 * time.Microsecond, "1.5 days": 36 * time.Hour, "0": 0, "0s": 0, "250us": 250 * time.Microsecond,
	} {
		if got, m := parseDuration(s); m != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, m)
		}
	}
	for _, s := range []string{"", "6", "h", "6 H", "-6h", "6h-", "1e3s", "6h,30m", "five minutes", "1000000000d", "6hh"} {
		if got, m := parseDuration(s); m == nil {
			t.Errorf("%q is read as %v", s, got)
		}
	}
}

func TestSharesRatesAndMoney(t *testing.T) {
	for s, want := range map[string]float64{"95%": 0.95, "0.95": 0.95, "3.6 %": 0.036, "0%": 0, "100%": 1, "1": 1, "0.5%": 0.005, "38.6%": 0.386} {
		if got, m := parseShare(s); m != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, m)
		}
	}
	for s, want := range map[string]float64{"0.05/day": 0.05, "3.6%/year": 0.036 / 365, "7/week": 1, "2 / hour": 48, "365/year": 1, "0": 0, "5%/day": 0.05, "1e-3/day": 0.001} {
		if got, m := parseRate(s); m != nil || math.Abs(got-want) > 1e-15 {
			t.Errorf("%s: %v, %v", s, got, m)
		}
	}
	for s, want := range map[string]int64{"10000 KRW": 10000, "10,000 KRW": 10000, "5000 won": 5000, "0": 0} {
		if got, m := parseWon(s); m != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, m)
		}
	}
	for _, s := range []string{"101%", "-1%", "1.01", "half", "%", "0,5", "NaN", "1e999"} {
		if got, m := parseShare(s); m == nil {
			t.Errorf("%q is a share of %v", s, got)
		}
	}
	for _, s := range []string{"0.05", "-1/day", "5/fortnight", "1e30/day", "day"} {
		if got, m := parseRate(s); m == nil {
			t.Errorf("%q is a rate of %v", s, got)
		}
	}
	for _, s := range []string{"10000", "10000 EUR", "-5 KRW", "1,00 KRW", "9999999999999999999 KRW"} {
		if got, m := parseWon(s); m == nil {
			t.Errorf("%q is %v won", s, got)
		}
	}
}

func TestMomentsAreCivilTimeInKorea(t *testing.T) {
	m, err := parseMoment("2025-03-14 09:00")
	if err != nil || !m.Equal(time.Date(2025, 3, 14, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", m, err)
	}
	for _, s := range []string{"2025-03-14", "2025-03-14 09:00", "2025-03-14 09:00:30"} {
		if m, err := parseMoment(s); err != nil || formatMoment(m) != s {
			t.Errorf("%s: %v, %v", s, m, err)
		}
	}
	for _, s := range []string{"2025-13-01", "2025-02-29", "14.3.2025", "2025-03-14 25:00", "1025-03-14", "2025-3-14", ""} {
		if m, err := parseMoment(s); err == nil {
			t.Errorf("%q is %v", s, m)
		}
	}
}

func TestHourProfiles(t *testing.T) {
	for s, want := range map[string][2]int{"9-12": {9, 12}, "9": {9, 10}, "0-24": {0, 24}, "22-24": {22, 24}} {
		if from, to, m := parseHourRange(s); m != nil || from != want[0] || to != want[1] {
			t.Errorf("%s: %d to %d, %v", s, from, to, m)
		}
	}
	for _, s := range []string{"12-9", "9-9", "24", "-3", "9-25", "9 - 12", "noon"} {
		if from, to, m := parseHourRange(s); m == nil {
			t.Errorf("%q is %d to %d", s, from, to)
		}
	}
}

// What is written can be read, and is the same to the last bit.
func TestUnitsSurviveBeingWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(0, 1).Draw(t, "share")
		if got, m := parseShare(formatShare(x)); m != nil || got != x {
			t.Fatalf("share %v is written %s and read %v, %v", x, formatShare(x), got, m)
		}
		x = rapid.Float64Range(0, 1e8).Draw(t, "rate")
		if got, m := parseRate(formatRate(x)); m != nil || got != x {
			t.Fatalf("rate %v is written %s and read %v, %v", x, formatRate(x), got, m)
		}
		x = rapid.Float64Range(-1e12, 1e12).Draw(t, "number")
		if got, m := parseNumber(formatNumber(x)); m != nil || got != x {
			t.Fatalf("number %v is written %s and read %v, %v", x, formatNumber(x), got, m)
		}
		d := time.Duration(rapid.Int64Range(0, int64(longest)).Draw(t, "duration"))
		if d > 1000*time.Hour {
			d = d.Truncate(time.Millisecond)
		}
		if got, m := parseDuration(formatDuration(d)); m != nil || got != d {
			t.Fatalf("duration %v is written %s and read %v, %v", d, formatDuration(d), got, m)
		}
	})
}

func TestDidYouMean(t *testing.T) {
	for word, want := range map[string]string{
		"adoptoin": "did you mean adoption?", "lvel": "did you mean level?", "xyz": "known are adoption, level, keen_decay",
		"keen-decay": "did you mean keen_decay?", "KEEN_DECAY": "did you mean keen_decay?",
	} {
		if got := didYouMean(word, []string{"adoption", "level", "keen_decay"}); got != want {
			t.Errorf("%s: %s", word, got)
		}
	}
}
