package console

import (
	"io/fs"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/openid4vp"
)

var verb = regexp.MustCompile(`%(\[\d\])?[sdv]`)

func TestEveryWordIsSaidInBothLanguages(t *testing.T) {
	hangul := regexp.MustCompile(`[가-힣]`)
	for word, both := range words {
		if both.en == "" || both.ko == "" {
			t.Errorf("%s is empty in a language", word)
		}
		if a, b := len(verb.FindAllString(both.en, -1)), len(verb.FindAllString(both.ko, -1)); a != b {
			t.Errorf("%s takes %d values in English and %d in Korean", word, a, b)
		}
		if word == "language.other" {
			continue // each is written in its own
		}
		if hangul.MatchString(both.en) {
			t.Errorf("%s is Korean in English: %s", word, both.en)
		}
		if word != "signed-in" && !hangul.MatchString(both.ko) {
			t.Errorf("%s is not Korean: %s", word, both.ko)
		}
	}
}

// open are sets of words of which each is found by a name from elsewhere.
var open = []string{"element.", "event.", "problem."}

func TestEveryWordThatPagesUseIsThereAndNoOtherIs(t *testing.T) {
	used := map[string]bool{}
	use := func(word, where string) {
		used[word] = true
		if _, ok := words[word]; !ok {
			t.Errorf("%s says %q, which is no word", where, word)
		}
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	literal := regexp.MustCompile(`(?:\.T|\.Picture) "([a-z0-9.-]+)"`)
	for _, f := range files {
		text, err := fs.ReadFile(templateFiles, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllStringSubmatch(string(text), -1) {
			use(m[1], f)
		}
	}
	sources, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	inCode := regexp.MustCompile(`(?:\.T\(|Word: |"layout", |view\(w, r, |page, )"([a-z0-9.-]+\.[a-z0-9.-]+)"`)
	for _, s := range sources {
		if !strings.HasSuffix(s.Name(), ".go") || strings.HasSuffix(s.Name(), "_test.go") || s.Name() == "words.go" {
			continue
		}
		text, err := os.ReadFile(s.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inCode.FindAllStringSubmatch(string(text), -1) {
			use(m[1], s.Name())
		}
	}
	// Names from elsewhere.
	for _, n := range navigation {
		use(n.word, "the navigation")
	}
	for _, role := range append(enterable, access.Citizen) {
		use("role."+role.String(), "a role")
	}
	for _, cause := range lifecycle.AllCauses {
		use("cause."+cause.String(), "a cause")
		if cause != lifecycle.Administrative { // it has a form of its own
			use("report."+cause.String(), "a cause")
		}
	}
	for _, v := range []lifecycle.Verdict{lifecycle.Accepted, lifecycle.Suspended, lifecycle.NotValid} {
		use("state."+v.String(), "a verdict")
		use("verify."+v.String(), "a verdict")
		use("check."+v.String(), "a verdict")
	}
	for _, p := range []authorization.Progress{authorization.Waiting, authorization.Scanned, authorization.Checked, authorization.Issued, authorization.Spent, "over"} {
		use("offer."+string(p), "progress")
	}
	for _, s := range []openid4vp.State{openid4vp.Waiting, openid4vp.Fetched, openid4vp.Declined, openid4vp.Answered, "over"} {
		use("verify."+string(s), "a state")
	}
	for e := range lifecycle.Event(lifecycle.NumEvents) {
		use("event."+e.String(), "an event")
	}
	for r := lifecycle.NotOpenYet; r < lifecycle.NumReasons; r++ {
		switch r {
		case lifecycle.OfferExpired, lifecycle.OfferUsed, lifecycle.CardNotGenuine, lifecycle.PINNotVerified, lifecycle.FaceNotMatched, lifecycle.WalletReportedLost:
			continue // told to phones
		}
		use("problem."+r.String(), "a refusal")
	}
	for word := range words {
		if !used[word] && !slices.ContainsFunc(open, func(set string) bool { return strings.HasPrefix(word, set) }) &&
			!strings.HasSuffix(word, ".title") && !strings.HasPrefix(word, "told.") {
			t.Errorf("nothing says %q", word)
		}
	}
}

func TestTheBrowsersLanguageIsSpokenAndAChoiceIsRemembered(t *testing.T) {
	for header, want := range map[string]string{
		"": "ko", "en": "en", "en-GB,en;q=0.9": "en", "ko-KR,ko;q=0.9,en-US;q=0.8": "ko", "de, en;q=0.5, ko;q=0.4": "en", "fr": "ko",
		"EN": "en", "en, ko": "en", "ko, en": "ko", "en;q=0, ko;q=0.1": "ko", "en;q=wrong": "ko", ";;;,,,": "ko", "*": "ko",
	} {
		if got := preferred(header); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	r, w := httptest.NewRequest("GET", "/console/?lang=en", nil), httptest.NewRecorder()
	r.Header.Set("Accept-Language", "ko")
	if Language(w, r) != "en" || len(w.Result().Cookies()) != 1 {
		t.Fatal("a choice is not remembered")
	}
	next := httptest.NewRequest("GET", "/console/", nil)
	next.Header.Set("Accept-Language", "ko")
	next.AddCookie(w.Result().Cookies()[0])
	if Language(httptest.NewRecorder(), next) != "en" {
		t.Error("a choice is forgotten")
	}
	wrong := httptest.NewRequest("GET", "/console/?lang=xx", nil)
	if w := httptest.NewRecorder(); Language(w, wrong) != "ko" || len(w.Result().Cookies()) != 0 {
		t.Error("a language that there is not is remembered")
	}
}

func FuzzAcceptLanguage(f *testing.F) {
	for _, seed := range []string{"", "en", "ko-KR,ko;q=0.9,en-US;q=0.8", "*;q=0.1", ";q=,,;", "en;q=1e400"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if got := preferred(header); !known(got) {
			t.Errorf("%q: %q", header, got)
		}
	})
}
