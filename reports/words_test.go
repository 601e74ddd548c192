package reports

import (
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"unicode"
)

var messagePlace = regexp.MustCompile(`\{[a-z0-9]+\}`)

func hasHangul(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.Hangul, r) }) >= 0
}

func hasLatinWord(s string) bool { return regexp.MustCompile(`[A-Za-z]{2,}`).MatchString(s) }

func TestEveryMessageIsSaidInBothLanguages(t *testing.T) {
	places := func(s string) string {
		p := messagePlace.FindAllString(s, -1)
		sort.Strings(p)
		return strings.Join(p, " ")
	}
	for key, m := range messages {
		if m.en == "" || m.ko == "" {
			t.Errorf("%s: %q, %q", key, m.en, m.ko)
		}
		if hasHangul(m.en) {
			t.Errorf("%s: %q is not English", key, m.en)
		}
		if hasLatinWord(messagePlace.ReplaceAllString(m.en, "")) && !hasHangul(m.ko) {
			t.Errorf("%s: %q is not Korean", key, m.ko)
		}
		if places(m.en) != places(m.ko) {
			t.Errorf("%s: places %s in English, %s in Korean", key, places(m.en), places(m.ko))
		}
	}
	for en, ko := range own {
		if !hasHangul(ko) || hasHangul(en) {
			t.Errorf("%q: %q is not its Korean", en, ko)
		}
	}
}

func TestNoTextOfThePageIsUntranslated(t *testing.T) {
	for name, got := range all(t) {
		t.Run(name, func(t *testing.T) { untranslated(t, got.files[ReportFile], got.r.Meta.Scenario) })
	}
}

// untranslated finds text that one of both readers cannot read; names are the same
// for both.
func untranslated(t *testing.T, page []byte, names ...string) {
	t.Helper()
	// What is quoted: commands, expressions, paths, and what is marked as English.
	quoted := func(x *node) bool {
		return x.name == "code" || x.name == "pre" || x.attr["lang"] == "en" && x.name != "html"
	}
	parsePage(t, page).walk(func(n *node) {
		for _, s := range n.texts {
			s = strings.TrimSpace(s)
			ko, swapped := n.attr["data-ko"]
			switch {
			case s == "" || n.within(quoted):
			case isKorean(n):
				for _, name := range names {
					s = strings.ReplaceAll(s, name, "")
				}
				for _, word := range regexp.MustCompile(`[A-Za-z]{3,}`).FindAllString(s, -1) {
					if !inMessages(word) {
						t.Errorf("Korean readers are shown %q", word)
					}
				}
			case hasHangul(s):
				t.Errorf("English readers are shown %q", s)
			case n.within(func(x *node) bool { return x.attr["class"] == "en" }):
			case hasLatinWord(s) && !swapped && n.attr["data-as"] == "" && n.name != "svg":
				t.Errorf("<%s> shows Korean readers %q", n.name, s)
			case swapped && ko == "":
				t.Errorf("<%s> %q has an empty translation", n.name, s)
			}
		}
		for _, a := range []string{"aria-label", "data-label"} {
			if v := n.attr[a]; v != "" && !slices.Contains(names, v) && !hasHangul(n.attr["data-ko-"+a]) {
				t.Errorf("%s=%q is not translated", a, v)
			}
		}
	})
}

// inMessages says whether a Latin word stands in a Korean message: QR, IC card,
// result.json.
func inMessages(word string) bool {
	for _, m := range messages {
		if strings.Contains(m.ko, word) {
			return true
		}
	}
	for _, ko := range own {
		if strings.Contains(ko, word) {
			return true
		}
	}
	// A date or duration never holds a word; the sample's own names do.
	return strings.HasPrefix(word, "Sample") || word == "Gwangju" || word == "friends"
}

func TestKoreansReadNumbersAndDatesAsTheyWriteThem(t *testing.T) {
	plain := strings.NewReplacer("\u00a0", " ")
	for _, c := range []struct {
		form string
		v    Num
		want string
	}{
		{"count", 0, "0"}, {"count", 3402, "3,402"}, {"count", 612480, "61만 2천"}, {"count", 610000, "61만"}, {"count", 9999, "9,999"}, {"count", 19999, "2만"},
		{"count", 44765276, "4,477만"}, {"count", 123000000, "1억 2,300만"}, {"count", 99999999, "1억"}, {"count", -20000, "−2만"}, {"count", None(), "–"},
		{"duration", 6720, "1시간 52분"}, {"duration", 840, "14분"}, {"duration", 0, "0초"}, {"duration", 90, "1분 30초"}, {"duration", 183600, "2일 3시간"}, {"duration", 0.4, "0.4초"},
		{"share", 0.41, "41%"}, {"times", 3.42, "3.42배"}, {"won", 10000, "10,000원"}, {"perthousand", 13.68, "13.7"},
	} {
		if got := plain.Replace(sayKo(c.form, c.v)); got != c.want {
			t.Errorf("%v as %s: %q, want %q", float64(c.v), c.form, got, c.want)
		}
	}
	for got, want := range map[string]string{
		sayDateKo("2025-03-14"): "2025. 3. 14.(금)", sayDayKo("2025-03-16"): "3. 16.(일)", sayHourKo("2025-03-14T09:00:00+09:00"): "3. 14.(금) 09:00", sayDayKo("soon"): "soon",
	} {
		if plain.Replace(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRegionsHaveShortNamesOnTheMap(t *testing.T) {
	for code, want := range map[string]phrase{
		"KR-11": {"Seoul", "서울"}, "KR-50": {"Sejong", "세종"}, "KR-43": {"N. Chungcheong", "충북"}, "KR-46": {"S. Jeolla", "전남"},
		"KR-45": {"Jeonbuk", "전북"}, "KR-42": {"Gangwon", "강원"}, "KR-41": {"Gyeonggi", "경기"}, "KR-49": {"Jeju", "제주"}, "KR-47": {"N. Gyeongsang", "경북"},
	} {
		g := realMap(t).Regions[code]
		if got := shortRegion(g.Name, g.NameKo); got != want {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
	}
	if shortRegion("Elsewhere", "") != (phrase{"Elsewhere", "Elsewhere"}) {
		t.Error("a region without a Korean name keeps its own")
	}
}

func TestAParticleStaysWithItsFigure(t *testing.T) {
	if got := joined("{a}는 {b}, {a}", "{a}", "41%"); got != "41%\u2060는 {b}, 41%" {
		t.Errorf("%q", got)
	}
}
