package demo

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// mutator changes messages by chance, from a seed. What it has seen in earlier ones it
// puts into later ones, so that tokens, codes and proofs of one session, wallet or
// audience turn up in another.
type mutator struct {
	*rand.Rand
	seen map[string][]string // name of a header or parameter → values
}

func newMutator(seed uint64) *mutator {
	return &mutator{rand.New(rand.NewPCG(seed, 7)), map[string][]string{}}
}

// learn keeps what a message of the day carries.
func (m *mutator) learn(g message) {
	keep := func(name, value string) {
		if value != "" && len(m.seen[name]) < 64 && !slices.Contains(m.seen[name], value) {
			m.seen[name] = append(m.seen[name], value)
		}
	}
	keep("path", g.target)
	for name, values := range g.header {
		keep(name, values[0])
	}
	keep("body", string(g.body))
	if form, err := url.ParseQuery(string(g.body)); err == nil && isForm(g) {
		for name, values := range form {
			keep(name, values[0])
		}
	}
	var object map[string]any
	if json.Unmarshal(g.body, &object) == nil {
		for name, v := range object {
			if text, ok := v.(string); ok {
				keep(name, text)
			}
		}
	}
}

func isForm(m message) bool { return m.is("application/x-www-form-urlencoded") }
func isJSON(m message) bool { return m.is("application/json") }

func (m message) is(media string) bool {
	got, _, err := mime.ParseMediaType(m.header.Get("Content-Type"))
	return err == nil && got == media
}

func pick[T any](m *mutator, of []T) T { return of[m.IntN(len(of))] }

// sorted are the names of a map, so that a seed decides alone.
func sorted[V any](of map[string]V) []string { return slices.Sorted(maps.Keys(of)) }

var (
	methods  = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "post"}
	noise    = []string{"", "\x00", "\xff\xfe", "\xed\xa0\x80", "\xc0\xaf", "..", "../../etc/passwd", "%00", "%2e%2e%2f", "null", "undefined", "[]", "{}", "'\" OR 1=1 --", "<script>", "홍길동", "\u202e", "０", "none", "*", "-1", "0", "1e309", "9223372036854775808", "18446744073709551616", "0x10", "1_000", " ", "\t", "a.b.c", "..", "e30.e30.", "a~b~"}
	numbers  = []string{"0", "-0", "-1", "1", "1.5", "1e2", "1e309", "-1e309", "1e-400", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "99999999999999999999999999999999999999999", "00", "0x1", "NaN", "+1"}
	values   = []string{"null", "true", "[]", "{}", `""`, `"x"`, "0", "-1", "1e309", `[null]`, `{"a":1}`, `[[]]`, `"\ud800"`, `"\u0000"`}
	contents = []string{"", "application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "application/cbor", "APPLICATION/JSON", "application/json;;", "*/*"}
	strange  = []string{"Content-Encoding", "Transfer-Encoding", "X-Http-Method-Override", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded", "Host", "Origin", "Referer", "Range", "If-None-Match", "If-Modified-Since", "Accept", "Accept-Language", "Expect", "Upgrade", "Cookie", "Authorization", "Dpop", "Idempotency-Key", "Traceparent", "Content-Type", "Sec-Fetch-Site", "Oauth-Client-Attestation", "Oauth-Client-Attestation-Pop"}
)

// mutate is another message made of a good one, and what was done to it.
func (m *mutator) mutate(good message) message {
	out := good.clone()
	for again := true; again; again = m.IntN(6) == 0 {
		switch n := m.IntN(20); {
		case n < 9 && len(out.body) > 0:
			m.body(&out)
		case n < 15 && len(out.header) > 0:
			m.changeHeader(&out)
		case n < 18:
			m.path(&out)
		case n < 19:
			out.method = pick(m, methods)
		default:
			out.header.Set(pick(m, strange), clean(m.value("", pick(m, noise))))
		}
	}
	return out
}

// clean is a header's value as a server lets it through.
func clean(v string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '?'
		}
		return r
	}, v))
}

func (m *mutator) changeHeader(g *message) {
	name := pick(m, sorted(g.header))
	switch m.IntN(8) {
	case 0:
		delete(g.header, name)
	case 1:
		g.header[name] = append(g.header[name], g.header[name]...)
	case 2:
		g.header[name] = append(g.header[name], clean(m.value(name, g.header[name][0])))
	case 3:
		if other := m.seen[name]; len(other) > 0 {
			g.header[name] = []string{pick(m, other)}
		}
	case 4:
		g.header.Set("Content-Type", pick(m, contents))
	default:
		scheme, rest, ok := strings.Cut(g.header[name][0], " ")
		if !ok {
			scheme, rest = "", g.header[name][0]
		} else {
			scheme += " "
		}
		if ok && m.IntN(6) == 0 {
			scheme = pick(m, []string{"DPoP ", "Bearer ", "Basic ", "dpop  ", "bearer ", ""})
		}
		g.header[name] = []string{clean(scheme + m.value(name, rest))}
	}
}

func (m *mutator) path(g *message) {
	path, query, has := strings.Cut(g.target, "?")
	parts := strings.Split(path, "/")
	i := m.IntN(len(parts))
	switch m.IntN(8) {
	case 0:
		parts[i] = url.PathEscape(pick(m, noise))
	case 1:
		parts[i] = m.bytes(parts[i])
	case 2:
		parts = append(parts[:i:i], parts[min(i+1, len(parts)):]...)
	case 3:
		parts = append(parts, pick(m, parts))
	case 4:
		g.target = pick(m, m.seen["path"])
		return
	case 5:
		if i < len(parts) {
			parts[i] = pick(m, []string{"me", "1", "2", "3", "9001", "0", "-1", "18446744073709551616", "..", ".", ""})
		}
	default:
		query, has = m.formText(query), true
	}
	g.target = strings.Join(parts, "/")
	if has {
		g.target += "?" + query
	}
	g.target = strings.ReplaceAll(g.target, " ", "%20")
}

func (m *mutator) body(g *message) {
	switch n := m.IntN(10); {
	case n < 6 && isJSON(*g):
		g.body = m.jsonText(g.body)
	case n < 6 && isForm(*g):
		g.body = []byte(m.formText(string(g.body)))
	case n < 7:
		if other := m.seen["body"]; len(other) > 0 {
			g.body = []byte(pick(m, other))
		}
	case n < 8 && m.IntN(50) == 0:
		g.body = bytes.Repeat(g.body, 1+(600<<10)/len(g.body)) // longer than most routes take
	default:
		g.body = []byte(m.bytes(string(g.body)))
	}
}

// bytes changes a text without knowing what it is.
func (m *mutator) bytes(text string) string {
	b := []byte(text)
	if len(b) == 0 {
		return pick(m, noise)
	}
	i := m.IntN(len(b))
	j := min(len(b), i+1+m.IntN(8))
	switch m.IntN(7) {
	case 0, 1:
		b[i] ^= 1 << m.IntN(8)
	case 2:
		b = b[:i]
	case 3:
		b = append(b[:i:i], b[j:]...)
	case 4:
		b = slices.Concat(b[:j], b[i:])
	case 5:
		b = slices.Concat(b[:i], []byte(pick(m, noise)), b[i:])
	case 6:
		b[i] = byte(m.IntN(256))
	}
	return string(b)
}

// value changes a value of a header or parameter as what it seems to be.
func (m *mutator) value(name, text string) string {
	switch n := m.IntN(10); {
	case n < 3 && strings.Count(text, ".") >= 2:
		return m.token(text)
	case n < 5 && len(text) > 16:
		if out, ok := m.encoded(text); ok {
			return out
		}
	case n < 6 && len(m.seen[name]) > 0:
		return pick(m, m.seen[name])
	case n < 7:
		return pick(m, noise)
	case n < 8 && m.IntN(20) == 0:
		return strings.Repeat(text+"a", 1+(20<<10)/(len(text)+1))
	}
	return m.bytes(text)
}

// token changes a part of a JWT, or what the parts say.
func (m *mutator) token(text string) string {
	parts := strings.Split(text, ".")
	i := m.IntN(len(parts))
	raw, err := base64.RawURLEncoding.DecodeString(parts[i])
	switch n := m.IntN(6); {
	case err != nil || n == 0:
		parts[i] = m.bytes(parts[i])
	case n == 1:
		parts[i] = ""
	case n == 2:
		parts[0] = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"alg":%q,"typ":"JWT"}`, pick(m, []string{"none", "HS256", "ES384", "RS256", "ES256", ""})))
	case json.Valid(raw) && n < 5:
		parts[i] = base64.RawURLEncoding.EncodeToString(m.jsonText(raw))
	default:
		parts[i] = base64.RawURLEncoding.EncodeToString([]byte(m.bytes(string(raw))))
	}
	return strings.Join(parts, ".")
}

// encoded changes what stands in base64.
func (m *mutator) encoded(text string) (string, bool) {
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		if raw, err := e.DecodeString(text); err == nil {
			return e.EncodeToString([]byte(m.bytes(string(raw)))), true
		}
	}
	return "", false
}

func (m *mutator) formText(text string) string {
	pairs := strings.Split(text, "&")
	i := m.IntN(len(pairs))
	name, escaped, _ := strings.Cut(pairs[i], "=")
	value, _ := url.QueryUnescape(escaped)
	switch m.IntN(8) {
	case 0:
		pairs = append(pairs[:i:i], pairs[i+1:]...)
	case 1:
		pairs = append(pairs, pairs[i])
	case 2:
		pairs = append(pairs, name+"="+url.QueryEscape(m.value(name, value)))
	case 3:
		if names := sorted(m.seen); len(names) > 0 {
			other := pick(m, names)
			pairs = append(pairs, url.QueryEscape(other)+"="+url.QueryEscape(pick(m, m.seen[other])))
		}
	case 4:
		pairs[i] = m.bytes(pairs[i])
	default:
		pairs[i] = name + "=" + url.QueryEscape(m.value(name, value))
	}
	return strings.Join(pairs, "&")
}

// jsonText changes a value somewhere in a text of JSON.
func (m *mutator) jsonText(text []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return []byte(m.bytes(string(text)))
	}
	// The place is marked, and the mark replaced by text, which need not be JSON.
	var raw string
	const mark = "\"the place of the change\""
	var walk func(v any, name string, depth int) any
	walk = func(v any, name string, depth int) any {
		if m.IntN(4) != 0 || depth == 0 {
			switch v := v.(type) {
			case map[string]any:
				if len(v) > 0 {
					one := pick(m, sorted(v))
					switch m.IntN(12) {
					case 0:
						delete(v, one)
						raw = " "
						return v
					case 1:
						v[m.bytes(one)] = v[one]
						raw = " "
						return v
					}
					v[one] = walk(v[one], one, depth+1)
					return v
				}
			case []any:
				if len(v) > 0 {
					i := m.IntN(len(v))
					if m.IntN(8) == 0 {
						raw = " "
						return slices.Concat(v, v)
					}
					v[i] = walk(v[i], name, depth+1)
					return v
				}
			}
		}
		switch m.IntN(7) {
		case 0:
			raw = pick(m, values)
		case 1:
			raw = pick(m, numbers)
		case 2:
			n := []int{10, 33, 100, 1000}[m.IntN(4)]
			raw = strings.Repeat("[", n) + strings.Repeat("]", n)
		case 3:
			raw = strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
		default:
			if s, ok := v.(string); ok {
				quoted, _ := json.Marshal(m.value(name, s))
				raw = string(quoted)
				if m.IntN(10) == 0 {
					raw = `"` + m.value(name, s) + `"`
				}
			} else {
				raw = pick(m, numbers)
			}
		}
		return "the place of the change"
	}
	v = walk(v, "", 0)
	out, err := json.Marshal(v)
	if err != nil {
		return []byte(m.bytes(string(text)))
	}
	out = bytes.Replace(out, []byte(mark), []byte(raw), 1)
	if m.IntN(10) == 0 { // a name comes twice
		if object, ok := v.(map[string]any); ok && len(object) > 0 {
			name, _ := json.Marshal(pick(m, sorted(object)))
			out = slices.Concat([]byte("{"), name, []byte(":"), []byte(pick(m, values)), []byte(","), out[1:])
		}
	}
	return out
}

// same says whether two messages carry the same of what nobody may change: proofs,
// codes, tokens, signed things. Whatever else is in a message, its sender chose.
func (m *mutator) same(good, other message) (string, bool) {
	// What was seen of the same sender and is not used yet is as good.
	fresh := func(name, value string) bool { return slices.Contains(m.seen[name], value) }
	for _, name := range []string{"Authorization", "Dpop", "Oauth-Client-Attestation", "Oauth-Client-Attestation-Pop", "Cookie"} {
		g, o := good.header[name], other.header[name]
		if len(g) == 0 || normal(g) == normal(o) || len(o) == 1 && fresh(name, o[0]) {
			continue
		}
		if name == "Dpop" && strings.HasPrefix(good.target, "/oauth/par") && (len(o) == 0 || o[0] == "") {
			continue // it may come with the token request only
		}
		return name, false
	}
	fixed := []string{"client_assertion", "code", "code_verifier", "pre-authorized_code", "tx_code", "refresh_token", "response", "csrf", "passphrase", "proofs", "proof",
		"challenge", "card", "request_uri"}
	fields := func(m message) map[string]string {
		out := map[string]string{}
		switch {
		case isForm(m):
			form, err := url.ParseQuery(string(m.body))
			if err != nil {
				return nil
			}
			for name := range form {
				out[name] = form.Get(name)
			}
		case isJSON(m):
			var object map[string]any
			if json.Unmarshal(m.body, &object) != nil {
				return nil
			}
			for name, v := range object {
				text, _ := json.Marshal(v)
				out[name] = string(text)
			}
		}
		return out
	}
	if !strings.HasPrefix(good.target, "/oauth/") && !strings.HasPrefix(good.target, "/v") && !strings.HasPrefix(good.target, "/parties/token") {
		return "", true // what staff ask for is signed by nobody
	}
	if fresh("body", string(other.body)) {
		return "", true // whoever lost an answer asks again
	}
	g, o := fields(good), fields(other)
	for _, name := range fixed {
		if g[name] != "" && g[name] != o[name] && !fresh(name, o[name]) {
			if what := difference(g[name], o[name]); what != "" {
				return name + what, false
			}
		}
	}
	return "", true
}

func normal(values []string) string {
	text := http.Header{"A": values}.Get("A")
	scheme, rest, ok := strings.Cut(text, " ")
	if !ok {
		return strings.TrimSpace(text)
	}
	return strings.ToLower(scheme) + " " + strings.TrimSpace(rest)
}

// difference is what of an object of JSON is another in the second. Names that
// nobody knows are passed over there, and what is optional may be missing.
func difference(a, b string) string {
	var one, two map[string]any
	if json.Unmarshal([]byte(a), &one) != nil || json.Unmarshal([]byte(b), &two) != nil {
		return " is another"
	}
	for _, name := range sorted(one) {
		v, w := one[name], two[name]
		if missing := w == nil || w == "" || fmt.Sprint(w) == "[]"; missing && name == "dg2" {
			continue
		}
		// What a base64 text has beyond its last byte means nothing.
		a, errA := base64.StdEncoding.DecodeString(fmt.Sprint(v))
		b, errB := base64.StdEncoding.DecodeString(fmt.Sprint(w))
		if fmt.Sprint(v) != fmt.Sprint(w) && (errA != nil || errB != nil || !bytes.Equal(a, b)) {
			return fmt.Sprintf(" at %s: %.60q", name, fmt.Sprint(w))
		}
	}
	return ""
}
