package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// languageCookie remembers which language somebody chose.
const languageCookie = "__Host-rollcall-language"

var languages = []string{"ko", "en"}

func known(lang string) bool { return lang == "ko" || lang == "en" }

// Language is that of a page: the one that was just chosen, the one that was chosen
// before, or the one that the browser prefers; else Korean. A choice is remembered.
func Language(w http.ResponseWriter, r *http.Request) string {
	if chosen := r.URL.Query().Get("lang"); known(chosen) {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: chosen, Path: "/", MaxAge: 365 * 24 * 60 * 60, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		return chosen
	}
	if before, err := r.Cookie(languageCookie); err == nil && known(before.Value) {
		return before.Value
	}
	return preferred(r.Header.Get("Accept-Language"))
}

// preferred is the language that an Accept-Language header (RFC 9110 §12.5.4) likes
// best of those there are.
func preferred(header string) string {
	best, weight := languages[0], 0.0
	for part := range strings.SplitSeq(header, ",") {
		tag, parameter, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if text, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		if known(tag) && q > weight {
			best, weight = tag, q
		}
	}
	return best
}

// Words is a language in which pages speak.
type Words struct {
	Lang  string
	civil *time.Location
}

// Other is the language that is not spoken.
func (w Words) Other() string {
	if w.Lang == "ko" {
		return "en"
	}
	return "ko"
}

// T is a word or sentence of the table. A word that is missing shows itself: a test
// finds none.
func (w Words) T(word string, args ...any) string {
	both, ok := words[word]
	if !ok {
		return "⟨" + word + "⟩"
	}
	text := both.en
	if w.Lang == "ko" {
		text = both.ko
	}
	if len(args) > 0 {
		text = fmt.Sprintf(text, args...)
	}
	return text
}

// Short is what stands before the colon of a sentence.
func (w Words) Short(word string) string {
	short, _, _ := strings.Cut(w.T(word), ":")
	return short
}

// Maybe is a word of the table, or the text itself where there is none: names of
// elements and events are open sets.
func (w Words) Maybe(prefix, text string) string {
	if _, ok := words[prefix+text]; ok {
		return w.T(prefix + text)
	}
	return text
}

// Time is a moment as people read it.
func (w Words) Time(t time.Time) string {
	t = t.In(w.civil)
	if w.Lang == "ko" {
		return t.Format("2006. 1. 2. 15:04:05")
	}
	return t.Format("2 Jan 2006 15:04:05")
}

// Day is a day as people read it.
func (w Words) Day(t time.Time) string {
	t = t.In(w.civil)
	if w.Lang == "ko" {
		return t.Format("2006. 1. 2.")
	}
	return t.Format("2 Jan 2006")
}

// Date is a civil date of the register, "2006-01-02".
func (w Words) Date(text string) string {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return text
	}
	return Words{w.Lang, time.UTC}.Day(t)
}

// ISO is a moment as machines read it.
func (w Words) ISO(t time.Time) string { return t.UTC().Format(time.RFC3339) }
