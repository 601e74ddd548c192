package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"rollcall.example/rollcall/reference/httpapi"
)

// watched is a day whose logs, traces and counts are kept, with everything that went
// to and fro in it.
type watched struct {
	*day
	log     bytes.Buffer
	spans   *tracetest.InMemoryExporter
	metrics *httpapi.Metrics
	private map[string]string // a value that must not be told → what it is
}

// keep takes note of a value that must not be told. Short ones would be found
// everywhere.
func (w *watched) keep(what, value string) {
	if len([]rune(value)) >= 6 || value != "" && value[0] >= 0x80 {
		w.private[value] = what
	}
}

// keepStrings keeps what stands in JSON under names that are not for everybody.
func (w *watched) keepStrings(text []byte) {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return
	}
	public := []string{"municipality", "centre", "role", "cause", "verdict", "state", "why", "purpose", "credential_configuration_id", "event", "type", "error", "title", "detail", "token_type",
		"error_description", "elements", "alg", "kty", "crv", "enc", "use", "kid", "scope", "issuer", "authorization_servers", "format", "reason", "expires", "at", "name", "online", "everywhere", "causes", "plastic", "mobile"}
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case string:
			if !slices.Contains(public, name) {
				w.keep(name, v)
			}
		case []any:
			for _, one := range v {
				walk(name, one)
			}
		case map[string]any:
			for n, one := range v {
				walk(n, one)
			}
		}
	}
	walk("", v)
}

func watch(t *testing.T) *watched {
	w := &watched{day: newDay(t, newStreet(t)), spans: tracetest.NewInMemoryExporter(), metrics: httpapi.NewMetrics("test"), private: map[string]string{}}
	w.serve(func(o *httpapi.Options) {
		o.Log = slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Traces = sdk.NewTracerProvider(sdk.WithSyncer(w.spans))
		o.Metrics = w.metrics
	})
	for _, r := range w.town.Residents {
		w.keep("a resident's number", strings.ReplaceAll(r.person.RRN, "-", ""))
		w.keep("a resident's number", r.person.RRN)
		w.keep("a resident's name", r.person.FamilyName+r.person.GivenName)
		w.keep("a resident's given name", r.person.GivenName)
		w.keep("a resident's address", r.person.Address)
		w.keep("a resident's romanised name", r.Romanised)
		w.keep("a card's number", r.Document)
	}
	for id := range dayParties {
		w.keep("a passphrase", dayPassphrase(id))
	}
	w.day.sent = func(m message, a *httptest.ResponseRecorder) {
		if strings.HasPrefix(m.target, "/.well-known/") || strings.HasPrefix(m.target, "/openapi") {
			return // everybody may read it
		}
		for _, name := range []string{"Authorization", "Dpop", "Oauth-Client-Attestation", "Oauth-Client-Attestation-Pop", "Cookie", "Idempotency-Key"} {
			for _, v := range m.header[name] {
				_, credential, ok := strings.Cut(v, " ")
				if !ok {
					credential = v
				}
				w.keep(name, credential)
				for part := range strings.SplitSeq(credential, ".") {
					w.keep("a part of "+name, part)
				}
			}
		}
		if isForm(m) {
			form, _ := url.ParseQuery(string(m.body))
			for _, name := range []string{"client_assertion", "code", "code_verifier", "code_challenge", "state", "refresh_token", "pre-authorized_code", "tx_code", "response", "passphrase", "csrf", "key", "number"} {
				w.keep(name, form.Get(name))
			}
		}
		if isJSON(m) {
			w.keepStrings(m.body)
		}
		if strings.Contains(a.Header().Get("Content-Type"), "json") {
			w.keepStrings(a.Body.Bytes())
		}
		for _, name := range []string{"Dpop-Nonce", "Set-Cookie", "Oauth-Client-Attestation-Challenge"} {
			w.keep(name, a.Header().Get(name))
		}
		if path, _, _ := strings.Cut(m.target, "?"); strings.Count(path, "/") > 1 {
			w.keep("the end of a path", path[strings.LastIndex(path, "/")+1:])
		}
	}
	return w
}

// told is all that the service tells its operators.
func (w *watched) told() map[string]string {
	var spans strings.Builder
	for _, s := range w.spans.GetSpans() {
		fmt.Fprintln(&spans, s.Name, s.Attributes, s.Events, s.Status.Description, s.Links)
	}
	counts := httptest.NewRecorder()
	w.metrics.Handler().ServeHTTP(counts, httptest.NewRequest("GET", "/metrics", nil))
	return map[string]string{"the log": w.log.String(), "a trace": spans.String(), "a count": counts.Body.String()}
}

// The whole day, at the level at which most is told, and then every message of it
// changed so that it is refused or fails: nobody's name, number or address, no token,
// code, proof, key or passphrase stands in what operators read.
func TestADayLeavesNothingPrivateInLogsTracesAndCounts(t *testing.T) {
	w := watch(t)
	inner, change := w.day.sent, newMutator(3)
	w.day.sent = func(m message, a *httptest.ResponseRecorder) {
		inner(m, a)
		change.learn(m)
		for range 10 {
			if r, ok := change.mutate(m).request(); ok && (r.Method != "GET" && !strings.HasPrefix(r.URL.Path, "/residents") && !strings.HasPrefix(r.URL.Path, "/parties/") && !strings.HasPrefix(r.URL.Path, "/console")) {
				w.router.ServeHTTP(httptest.NewRecorder(), r) // no change that the rest of the day would miss
			}
		}
	}
	w.live()
	if len(w.private) < 200 || strings.Count(w.log.String(), "\n") < 200 || len(w.spans.GetSpans()) < 200 {
		t.Fatalf("%d private values, %d lines, %d spans", len(w.private), strings.Count(w.log.String(), "\n"), len(w.spans.GetSpans()))
	}
	// What names an operation is no secret, even where a path ends with it.
	operations := regexp.MustCompile(`^[a-z_-]+(\.[a-z]+)?$`)
	for where, text := range w.told() {
		for value, what := range w.private {
			if operations.MatchString(value) {
				continue
			}
			if i := strings.Index(text, value); i >= 0 {
				t.Errorf("%s tells %s %q: %s", where, what, value, text[max(0, i-100):min(len(text), i+100)])
			}
		}
	}
	t.Logf("%d private values in none of %d lines and %d spans", len(w.private), strings.Count(w.log.String(), "\n"), len(w.spans.GetSpans()))
}

// Whatever is wrong with a card, a verifier is told by the same words: not that it was
// lost, ended, or never there, nor who reported it.
func TestAVerifierIsNeverToldWhy(t *testing.T) {
	d := newDay(t, newStreet(t))
	d.token = map[string]string{}
	d.arrive("shop")
	d.arrive("operator")
	d.arrive("registrar")
	answers := map[string]string{}
	look := func(name, card string) {
		m := message{"POST", "/cards/check", http.Header{"Authorization": {"Bearer " + d.token["shop"]}, "Content-Type": {"application/json"}}, []byte(fmt.Sprintf(`{"card":%q}`, card))}
		w := d.exchange(m)
		answers[name] = fmt.Sprintf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
	}
	one, two, three := d.town.Residents[0], d.town.Residents[1], d.town.Residents[2]
	look("in force", one.Document)
	look("never there", "NOBODY1")
	d.as("operator", "POST", "/residents/1/reports", map[string]any{"cause": "physical-lost", "why": "a drunken night"})
	look("lost", one.Document)
	d.as("registrar", "POST", "/residents/2/reports", map[string]any{"cause": "administrative", "why": "a court's order"})
	look("by the registrar", two.Document)
	d.as("registrar", "POST", "/residents/3/removal", map[string]any{"why": "dead"})
	look("dead", three.Document)
	if answers["lost"] != answers["by the registrar"] {
		t.Errorf("causes differ: %q, %q", answers["lost"], answers["by the registrar"])
	}
	if answers["never there"] != answers["dead"] {
		t.Errorf("a card that ended, and one that never was: %q, %q", answers["dead"], answers["never there"])
	}
	for name, a := range answers {
		for _, why := range []string{"lost", "administrative", "dead", "court", "drunken", "removed", "operator", "registrar", "sequence"} {
			if strings.Contains(a, why) {
				t.Errorf("%s: %s", name, a)
			}
		}
	}
}
