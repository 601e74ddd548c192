package dcql

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	doctype   = "kr.go.rollcall.rrc.1"
	vct       = "urn:kr:go:rollcall:rrc:1"
	authority = "s9tIpPmhxdiuNkHMEWNpYim8S8Y"
)

// wallet holds the same card in both formats.
func wallet() []Held {
	return []Held{
		{Format: Mdoc, Type: doctype, AuthorityKeyIDs: []string{authority}, HolderBound: true, Claims: map[string]any{
			doctype: map[string]any{"family_name": "김", "age_over_19": true, "sex": 2},
		}},
		{Format: SDJWT, Type: vct, AuthorityKeyIDs: []string{authority}, HolderBound: true, Claims: map[string]any{
			"family_name": "김", "age_equal_or_over": map[string]any{"19": true},
			"address": map[string]any{"locality": "세종"}, "nationalities": []any{"KR", "FI"}, "sex": json.Number("2"),
		}},
	}
}

func query(t testing.TB, text string) *Query {
	t.Helper()
	q, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return q
}

// picked writes a choice as "id:held(paths)".
func picked(choices []Choice) string {
	var out []string
	for _, c := range choices {
		var paths []string
		for _, claim := range c.Claims {
			paths = append(paths, claim.Path.String())
		}
		out = append(out, fmt.Sprintf("%s:%d(%s)", c.Query, c.Held, strings.Join(paths, " ")))
	}
	return strings.Join(out, " ")
}

const (
	mdocAge = `{"id":"m","format":"mso_mdoc","meta":{"doctype_value":"kr.go.rollcall.rrc.1"},"claims":[{"path":["kr.go.rollcall.rrc.1","age_over_19"]}]}`
	jwtAge  = `{"id":"s","format":"dc+sd-jwt","meta":{"vct_values":["urn:kr:go:rollcall:rrc:1"]},"claims":[{"path":["age_equal_or_over","19"]}]}`
	passer  = `{"id":"p","format":"dc+sd-jwt","meta":{"vct_values":["urn:passport"]}}`
)

func with(credential, member string) string {
	return strings.TrimSuffix(credential, "}") + "," + member + "}"
}

func TestAWalletChoosesWhatAnswersTheQuery(t *testing.T) {
	const mdocPath, jwtPath = `["kr.go.rollcall.rrc.1","age_over_19"]`, `["age_equal_or_over","19"]`
	claims := func(list, rest string) string {
		return `{"id":"s","format":"dc+sd-jwt","meta":{"vct_values":["urn:other","urn:kr:go:rollcall:rrc:1"]},"claims":` + list + rest + `}`
	}
	for _, c := range []struct{ name, credentials, sets, want string }{
		{"one", mdocAge, "", "m:0(" + mdocPath + ")"},
		{"both are needed without sets", mdocAge + "," + jwtAge, "", "m:0(" + mdocPath + ") s:1(" + jwtPath + ")"},
		{"one that is not held, without sets", mdocAge + "," + passer, "", "none"},
		{"one of two formats, the first of the set", mdocAge + "," + jwtAge, `[{"options":[["s"],["m"]]}]`, "s:1(" + jwtPath + ")"},
		{"the second where the first is not held", mdocAge + "," + passer, `[{"options":[["p"],["m"]]}]`, "m:0(" + mdocPath + ")"},
		{"a combination of which one is not held", mdocAge + "," + passer, `[{"options":[["p","m"]]}]`, "none"},
		{"a set that is not required", mdocAge + "," + passer, `[{"options":[["m"]]},{"options":[["p"]],"required":false}]`, "m:0(" + mdocPath + ")"},
		{"only sets that are not required", mdocAge + "," + passer, `[{"options":[["p"]],"required":false}]`, ""},
		{"no claims: nothing that can be left out", `{"id":"s","format":"dc+sd-jwt","meta":{"vct_values":["urn:kr:go:rollcall:rrc:1"]}}`, "", "s:1()"},
		{"a claim that is not there", claims(`[{"path":["shoe_size"]}]`, ""), "", "none"},
		{"all elements of an array", claims(`[{"path":["nationalities",null],"values":["FI"]}]`, ""), "", `s:1(["nationalities",null])`},
		{"an element of an array", claims(`[{"path":["nationalities",1],"values":["FI"]}]`, ""), "", `s:1(["nationalities",1])`},
		{"an element with another value", claims(`[{"path":["nationalities",0],"values":["FI"]}]`, ""), "", "none"},
		{"an element beyond the array", claims(`[{"path":["nationalities",2]}]`, ""), "", "none"},
		{"a name in an array", claims(`[{"path":["nationalities","KR"]}]`, ""), "", "none"},
		{"a number", claims(`[{"path":["sex"],"values":[1,2]}]`, ""), "", `s:1(["sex"])`},
		{"true is not the word", claims(`[{"path":["age_equal_or_over","19"],"values":["true"]}]`, ""), "", "none"},
		{"true", claims(`[{"path":["age_equal_or_over","19"],"values":[true]}]`, ""), "", `s:1(["age_equal_or_over","19"])`},
		{"the first claim set that is there", claims(`[{"id":"a","path":["shoe_size"]},{"id":"b","path":["family_name"]},{"id":"c","path":["address","locality"]}]`,
			`,"claim_sets":[["a","b"],["c","b"],["b"]]`), "", `s:1(["family_name"] ["address","locality"])`},
		{"no claim set that is there", claims(`[{"id":"a","path":["shoe_size"]},{"id":"b","path":["family_name"]}]`, `,"claim_sets":[["a","b"]]`), "", "none"},
		{"of this authority", with(mdocAge, `"trusted_authorities":[{"type":"etsi_tl","values":["x"]},{"type":"aki","values":["`+authority+`"]}]`), "", "m:0(" + mdocPath + ")"},
		{"of another authority", with(mdocAge, `"trusted_authorities":[{"type":"aki","values":["AAAA"]}]`), "", "none"},
		{"an authority of an unknown type", with(mdocAge, `"trusted_authorities":[{"type":"unheard","values":["`+authority+`"]}]`), "", "none"},
	} {
		text := `{"credentials":[` + c.credentials + `]`
		if c.sets != "" {
			text += `,"credential_sets":` + c.sets
		}
		got, err := query(t, text+"}").Choose(wallet())
		result := picked(got)
		if errors.Is(err, ErrNone) {
			result = "none"
		} else if err != nil {
			t.Fatal(err)
		}
		if result != c.want {
			t.Errorf("%s: %s, want %s", c.name, result, c.want)
		}
	}
}

func TestSeveralAnswersOnlyWhereSeveralWereAskedFor(t *testing.T) {
	two := append(wallet(), wallet()...)
	for text, want := range map[string]int{mdocAge: 1, with(mdocAge, `"multiple":true`): 2} {
		got, err := query(t, `{"credentials":[`+text+`]}`).Choose(two)
		if err != nil || len(got) != want {
			t.Errorf("%d, %v; want %d", len(got), err, want)
		}
	}
}

func TestACredentialThatAnybodyCouldShowIsChosenOnlyWhereThatIsEnough(t *testing.T) {
	loose := wallet()
	loose[0].HolderBound = false
	for text, want := range map[string]bool{mdocAge: false, with(mdocAge, `"require_cryptographic_holder_binding":true`): false, with(mdocAge, `"require_cryptographic_holder_binding":false`): true} {
		if _, err := query(t, `{"credentials":[`+text+`]}`).Choose(loose); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAnAnswerIsHeldAgainstTheQuery(t *testing.T) {
	q := query(t, `{"credentials":[`+mdocAge+`,`+jwtAge+`],"credential_sets":[{"options":[["m"],["s"]]}]}`)
	w := wallet()
	without := w[0]
	without.Claims = map[string]any{doctype: map[string]any{"family_name": "김"}}
	for _, c := range []struct {
		name  string
		shown map[string][]Held
		want  error
	}{
		{"one of the set", map[string][]Held{"m": {w[0]}}, nil},
		{"the other", map[string][]Held{"s": {w[1]}}, nil},
		{"nothing", nil, ErrNone},
		{"an unknown id", map[string][]Held{"m": {w[0]}, "x": {w[1]}}, ErrUnasked},
		{"two for one", map[string][]Held{"m": {w[0], w[0]}}, ErrUnasked},
		{"under the wrong id", map[string][]Held{"m": {w[1]}}, ErrNone},
		{"without the claim", map[string][]Held{"m": {without}}, ErrNone},
	} {
		if err := q.Answered(c.shown); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestAQueryIsRefused(t *testing.T) {
	credential := func(from, to string) string { return `{"credentials":[` + strings.Replace(mdocAge, from, to, 1) + `]}` }
	many := strings.TrimSuffix(strings.Repeat(mdocAge+",", 65), ",")
	for name, text := range map[string]string{
		"not JSON":                        `{`,
		"no credentials":                  `{"credentials":[]}`,
		"an id twice":                     `{"credentials":[` + mdocAge + `,` + mdocAge + `]}`,
		"an id with a space":              credential(`"m"`, `"m m"`),
		"no claims in claims":             credential(`[{"path":["kr.go.rollcall.rrc.1","age_over_19"]}]`, `[]`),
		"no sets in sets":                 `{"credentials":[` + mdocAge + `],"credential_sets":[]}`,
		"no values in values":             credential(`"age_over_19"]`, `"age_over_19"],"values":[]`),
		"no authorities in authorities":   `{"credentials":[` + with(mdocAge, `"trusted_authorities":[]`) + `]}`,
		"no id":                           credential(`"m"`, `""`),
		"no format":                       credential(`"mso_mdoc"`, `""`),
		"an mdoc by vct":                  credential(`"doctype_value":"kr.go.rollcall.rrc.1"`, `"vct_values":["x"]`),
		"an SD-JWT by doctype":            credential(`mso_mdoc`, `dc+sd-jwt`),
		"an mdoc's path of one step":      credential(`,"age_over_19"]`, `]`),
		"an mdoc's path with an index":    credential(`"age_over_19"]`, `0]`),
		"an empty path":                   credential(`["kr.go.rollcall.rrc.1","age_over_19"]`, `[]`),
		"a negative index":                credential(`"age_over_19"]`, `-1]`),
		"a broken index":                  credential(`"age_over_19"]`, `1.5]`),
		"an object in a path":             credential(`"age_over_19"]`, `{}]`),
		"a claim twice":                   credential(`}]`, `},{"path":["kr.go.rollcall.rrc.1","age_over_19"]}]`),
		"claim sets without claims":       `{"credentials":[` + with(passer, `"claim_sets":[["a"]]`) + `]}`,
		"claim sets without ids":          `{"credentials":[` + with(mdocAge, `"claim_sets":[["a"]]`) + `]}`,
		"an empty claim set":              `{"credentials":[` + with(strings.Replace(mdocAge, `{"path"`, `{"id":"a","path"`, 1), `"claim_sets":[[]]`) + `]}`,
		"a set of unknown credentials":    `{"credentials":[` + mdocAge + `],"credential_sets":[{"options":[["x"]]}]}`,
		"a set without options":           `{"credentials":[` + mdocAge + `],"credential_sets":[{"options":[]}]}`,
		"an authority without a value":    `{"credentials":[` + with(mdocAge, `"trusted_authorities":[{"type":"aki","values":[]}]`) + `]}`,
		"a value that is a list":          credential(`"age_over_19"]`, `"age_over_19"],"values":[[1]]`),
		"a value that is a fraction":      credential(`"age_over_19"]`, `"age_over_19"],"values":[1.5]`),
		"a member twice":                  credential(`"id":"m"`, `"id":"m","id":"m"`),
		"more credentials than are read":  `{"credentials":[` + many + `]}`,
		"a path with more steps than are": `{"credentials":[` + strings.Replace(jwtAge, `"19"`, `"19"`+strings.Repeat(`,"x"`, 16), 1) + `]}`,
		"longer than is read":             `{"credentials":[` + mdocAge + `]` + strings.Repeat(" ", MaxQuery) + `}`,
	} {
		if q, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s was read as %+v", name, q)
		}
	}
}

func TestAQueryIsWrittenAsItWasRead(t *testing.T) {
	q := query(t, `{"credentials":[`+with(mdocAge, `"multiple":true`)+`,`+jwtAge+`,`+passer+`],"credential_sets":[{"options":[["m"],["s","p"]],"required":false}]}`)
	text, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	if again := query(t, string(text)); !reflect.DeepEqual(q, again) {
		t.Errorf("%+v\n%+v", q, again)
	}
}

// Whatever a wallet chooses must be an answer, if it shows exactly what it chose.
func TestWhatAWalletChoosesIsAnAnswer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		elements := []string{"family_name", "age_over_19", "sex", "shoe_size"}
		q := &Query{}
		for i := range rapid.IntRange(1, 4).Draw(t, "credentials") {
			c := Credential{ID: fmt.Sprint("c", i), Format: Mdoc, Meta: Meta{DocType: doctype}, Multiple: rapid.Bool().Draw(t, "multiple")}
			for _, e := range rapid.SliceOfNDistinct(rapid.SampledFrom(elements), 1, 3, rapid.ID[string]).Draw(t, "claims") {
				c.Claims = append(c.Claims, Claim{ID: e, Path: Names(doctype, e)})
			}
			if rapid.Bool().Draw(t, "sets") {
				for range rapid.IntRange(1, 2).Draw(t, "claim sets") {
					claim := c.Claims[rapid.IntRange(0, len(c.Claims)-1).Draw(t, "claim")]
					c.ClaimSets = append(c.ClaimSets, []string{claim.ID})
				}
			}
			q.Credentials = append(q.Credentials, c)
		}
		for range rapid.IntRange(0, 2).Draw(t, "credential sets") {
			c := q.Credentials[rapid.IntRange(0, len(q.Credentials)-1).Draw(t, "member")]
			needed := rapid.Bool().Draw(t, "needed")
			q.Sets = append(q.Sets, Set{Options: [][]string{{c.ID}}, Required: &needed})
		}
		if err := q.Valid(); err != nil {
			t.Fatal(err)
		}
		held := append(wallet(), wallet()[0])
		choices, err := q.Choose(held)
		shown := map[string][]Held{}
		for _, c := range choices {
			h := held[c.Held]
			disclosed := map[string]any{}
			for _, claim := range c.Claims {
				disclosed[claim.Path[1].name] = claim.Path.Select(h.Claims)[0]
			}
			h.Claims = map[string]any{doctype: disclosed}
			shown[c.Query] = append(shown[c.Query], h)
		}
		if got := q.Answered(shown); (got == nil) != (err == nil) {
			t.Fatalf("chosen %s (%v), judged %v", picked(choices), err, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, c := range []string{mdocAge, jwtAge, passer} {
		f.Add([]byte(`{"credentials":[` + c + `]}`))
	}
	f.Add([]byte(`{"credentials":[` + mdocAge + `],"credential_sets":[{"options":[["m"]]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := Parse(data)
		if err != nil {
			return
		}
		choices, err := q.Choose(wallet())
		if err == nil && slices.ContainsFunc(choices, func(c Choice) bool { return c.Held >= 2 }) {
			t.Error(choices)
		}
		text, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(text); err != nil && len(text) <= MaxQuery {
			t.Errorf("%s\nwas written as\n%s\n%v", data, text, err)
		}
	})
}

func TestOfTheClaimsOnlyWhatIsAskedForIsLeft(t *testing.T) {
	tree := map[string]any{"a": map[string]any{"b": 1, "c": []any{"x", map[string]any{"d": 2, "e": 3}}, "f": map[string]any{"g": 4}}, "h": "i"}
	for _, c := range []struct{ paths, want string }{
		{`["h"]`, `{"h":"i"}`},
		{`["a","b"]`, `{"a":{"b":1}}`},
		{`["a","b"],["a","f","g"]`, `{"a":{"b":1,"f":{"g":4}}}`},
		{`["a","f","g"],["a","f"]`, `{"a":{"f":{"g":4}}}`},
		{`["a","c",1]`, `{"a":{"c":[{"d":2,"e":3}]}}`},
		{`["a","c",null,"d"]`, `{"a":{"c":[{"d":2}]}}`},
		{`["a","c",0],["a","c",1,"e"]`, `{"a":{"c":["x",{"e":3}]}}`},
		{`["a"]`, `{"a":{"b":1,"c":["x",{"d":2,"e":3}],"f":{"g":4}}}`},
		{`["a","z"]`, `null`},
		{`["a","c",2]`, `null`},
		{`["h","i"]`, `null`},
		{`[0]`, `null`},
		{`[null]`, `null`},
		{``, `null`},
	} {
		var credential Credential
		var paths []Path
		if err := json.Unmarshal([]byte(`[`+c.paths+`]`), &paths); err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			credential.Claims = append(credential.Claims, Claim{Path: p})
		}
		left, err := json.Marshal(credential.Asked(tree))
		if err != nil || string(left) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.paths, left, err, c.want)
		}
	}
}
