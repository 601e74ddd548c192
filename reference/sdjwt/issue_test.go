package sdjwt

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
)

func TestTheSameInputsGiveTheSameBytes(t *testing.T) {
	w := newWorld(t)
	if w.issue(t, w.credential) != w.card {
		t.Error("two cards from the same randomness differ")
	}
	first := w.present(t, Path{"family_name"})
	if second := w.present(t, Path{"family_name"}); second != first {
		t.Error("two presentations for the same request differ")
	}
	other, err := Issue(w.signer, testRandom("other"), w.credential)
	if err != nil || slices.ContainsFunc(strings.Split(other, "~")[1:], func(d string) bool { return d != "" && strings.Contains(w.card, d) }) {
		t.Errorf("other randomness gives the same disclosures: %v", err)
	}
}

func TestElementsMembersAndWhatLiesInThemMayBeKeptBack(t *testing.T) {
	w := newWorld(t)
	w.credential.Claims = map[string]any{
		"open": "o", "list": []any{"a", map[string]any{"b": 1, "c": []any{true, nil}}},
		"outer": map[string]any{"inner": map[string]any{"core": "x", "shell": "y"}, "<&>": "z"},
	}
	w.credential.Disclosure = []Path{{"list", 0}, {"list", 1}, {"list", 1, "c", nil}, {"outer"}, {"outer", "inner"}, {"outer", "inner", "core"}}
	w.card = w.issue(t, w.credential)
	for _, c := range []struct {
		show []Path
		want string
		n    int
	}{
		{nil, `{"open": "o", "list": []}`, 0},
		{[]Path{{"list", 1, "b"}}, `{"open": "o", "list": [{"b": 1, "c": []}]}`, 1},
		{[]Path{{"list", 1, "c", 0}}, `{"open": "o", "list": [{"b": 1, "c": [true]}]}`, 2},
		{[]Path{{"list", nil, "c"}, {"outer", "<&>"}}, `{"open": "o", "list": ["a", {"b": 1, "c": [true, null]}], "outer": {"<&>": "z"}}`, 5},
		{[]Path{{"outer", "inner", "core"}}, `{"open": "o", "list": [], "outer": {"<&>": "z", "inner": {"core": "x", "shell": "y"}}}`, 3},
	} {
		shown, err := w.verify(w.presentAny(t, c.show))
		if err != nil {
			t.Errorf("%v: %v", c.show, err)
			continue
		}
		for _, name := range reserved {
			delete(shown.Claims, name)
		}
		want, err := jws.Object([]byte(c.want))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(shown.Claims, want) || len(shown.Disclose) != c.n {
			got, _ := json.Marshal(shown.Claims)
			t.Errorf("%v: %s, %d disclosures", c.show, got, len(shown.Disclose))
		}
	}
}

// presentAny shows the paths without asking whether the card has them.
func (w *world) presentAny(t *testing.T, show []Path) string {
	t.Helper()
	p, _, all, err := open(w.card)
	if err != nil {
		t.Fatal(err)
	}
	text := string(p.signed) + "~"
	for _, d := range all {
		if slices.ContainsFunc(show, func(s Path) bool { return s.meets(d.at) }) {
			text += string(d.encoded) + "~"
		}
	}
	return w.bind(t, text, nil)
}

func TestDecoysCannotBeToldFromDigests(t *testing.T) {
	w := newWorld(t)
	count := func(decoys int) int {
		w.credential.Decoys = decoys
		p, err := split([]byte(w.issue(t, w.credential)))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jws.Parse(p.signed)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := payloadOf(token)
		if err != nil {
			t.Fatal(err)
		}
		all := payload[digests].([]string)
		for _, d := range all {
			if len(d) != 43 {
				t.Errorf("digest %q", d)
			}
		}
		return len(all)
	}
	if a, b := count(0), count(5); b != a+5 {
		t.Errorf("%d digests without decoys, %d with five", a, b)
	}
}

func TestACardThatNobodyWouldReadIsNotIssued(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change  func(*Credential)
		because string
	}{
		"no type":              {func(c *Credential) { c.Type = "" }, "vct"},
		"no time":              {func(c *Credential) { c.Issued = c.Issued.AddDate(-100, 0, 0) }, "iat"},
		"expires before":       {func(c *Credential) { c.Expires = c.Issued }, "follow each other"},
		"no holder":            {func(c *Credential) { c.Holder = nil }, "holder"},
		"a status of no list":  {func(c *Credential) { c.Status = &mdoc.StatusRef{} }, "URI"},
		"a registered claim":   {func(c *Credential) { c.Claims = map[string]any{"exp": 1} }, "exp"},
		"a claim _sd":          {func(c *Credential) { c.Claims = map[string]any{"a": map[string]any{"_sd": 1}} }, "not free"},
		"a claim ...":          {func(c *Credential) { c.Claims = map[string]any{"...": 1} }, "not free"},
		"a path to nothing":    {func(c *Credential) { c.Disclosure = []Path{{"family_nam"}} }, "no such claim"},
		"an empty path":        {func(c *Credential) { c.Disclosure = []Path{{}} }, "empty"},
		"a path of fractions":  {func(c *Credential) { c.Disclosure = []Path{{1.5}} }, "float64"},
		"a place below zero":   {func(c *Credential) { c.Disclosure = []Path{{"list", -1}} }, "from 0"},
		"a claim of no kind":   {func(c *Credential) { c.Claims = map[string]any{"a": struct{}{}}; c.Disclosure = nil }, "struct"},
		"too many decoys":      {func(c *Credential) { c.Decoys = 65 }, "decoys"},
		"outside of the chain": {func(c *Credential) { c.Issued = c.Issued.AddDate(-1, 0, 0) }, "certificate"},
		"too deep": {func(c *Credential) {
			deep := any("x")
			for range maxDepth + 1 {
				deep = []any{deep}
			}
			c.Claims, c.Disclosure = map[string]any{"a": deep}, nil
		}, "deep"},
		"too many to disclose": {func(c *Credential) {
			c.Claims, c.Disclosure = map[string]any{"a": make([]any, maxDisclosures+1)}, []Path{{"a", nil}}
		}, "at most 256"},
		"too large": {func(c *Credential) { c.Claims = map[string]any{"a": strings.Repeat("x", MaxSize)}; c.Disclosure = nil }, "bytes"},
	} {
		credential := w.credential
		c.change(&credential)
		if _, err := Issue(w.signer, testRandom("x"), credential); err == nil || !strings.Contains(err.Error(), c.because) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Issue(w.signer, strings.NewReader("short"), w.credential); err == nil || !strings.Contains(err.Error(), "randomness") {
		t.Errorf("randomness that ends: %v", err)
	}
}

func TestAPresentationOfWhatIsNotThereIsNotMade(t *testing.T) {
	w := newWorld(t)
	b := Binding{"a", "n", w.want.At}
	for name, err := range map[string]error{
		"no such claim":  second(Present(w.card, []Path{{"shoe_size"}}, b, w.phone)),
		"no such place":  second(Present(w.card, []Path{{"nationalities", 1}}, b, w.phone)),
		"a step too far": second(Present(w.card, []Path{{"family_name", "x"}}, b, w.phone)),
		"no nonce":       second(Present(w.card, nil, Binding{"a", "", w.want.At}, w.phone)),
		"a presentation": second(Present(w.present(t), nil, b, w.phone)),
		"no card":        second(Present("x~", nil, b, w.phone)),
	} {
		if err == nil {
			t.Errorf("%s is presented", name)
		}
	}
}

func second(_ string, err error) error { return err }

func TestPathsSelectAsOpenID4VPSays(t *testing.T) {
	claims, err := jws.Object([]byte(`{"name": "Arthur Dent", "address": {"street_address": "42 Market Street"},
		"degrees": [{"type": "Bachelor"}, {"type": "Master"}, {}], "nationalities": ["British", "Betelgeusian"],
		"mixed": ["text", {"type": 1}, ["first"]]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path Path
		want []any // nil: an error
	}{
		{Path{"name"}, []any{"Arthur Dent"}},
		{Path{"address"}, []any{map[string]any{"street_address": "42 Market Street"}}},
		{Path{"address", "street_address"}, []any{"42 Market Street"}},
		{Path{"degrees", nil, "type"}, []any{"Bachelor", "Master"}},
		{Path{"nationalities", 1}, []any{"Betelgeusian"}},
		{Path{"mixed", nil, "type"}, nil}, {Path{"mixed", nil, 0}, nil}, {Path{"mixed", 2, 0}, []any{"first"}},
		{Path{"nationalities", 2}, nil}, {Path{"nationalities", "x"}, nil}, {Path{"name", nil}, nil}, {Path{"nobody"}, nil}, {Path{}, nil}, {Path{"nationalities", -1}, nil},
	} {
		got, err := c.path.Select(claims)
		if (err != nil) != (c.want == nil) || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v", c.path, got, err)
		}
	}
}

func TestEveryElementOfTheCardIsAClaimThatTheTypeDescribes(t *testing.T) {
	claims, disclosable, err := CardClaims(record)
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Type   string `json:"vct"`
		Claims []struct {
			Path      []any  `json:"path"`
			Mandatory bool   `json:"mandatory"`
			SD        string `json:"sd"`
			Display   []struct {
				Locale string `json:"locale"`
				Label  string `json:"label"`
			} `json:"display"`
		} `json:"claims"`
	}
	if err := json.Unmarshal(Metadata(), &document); err != nil || document.Type != Type || len(document.Claims) != len(disclosable) {
		t.Fatalf("%v: type %q, %d claims described, %d there", err, document.Type, len(document.Claims), len(disclosable))
	}
	for i, c := range document.Claims {
		p := Path(c.Path)
		if !p.meets(disclosable[i]) || len(p) != len(disclosable[i]) || !c.Mandatory || c.SD != "always" {
			t.Errorf("claim %d is described as %s, and is %s", i, p, disclosable[i])
		}
		if len(c.Display) != 2 || c.Display[0].Locale != "ko" || c.Display[1].Locale != "en" || c.Display[0].Label == "" || c.Display[1].Label == "" {
			t.Errorf("%s: %+v", p, c.Display)
		}
	}
	elements, err := record.Elements()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range elements {
		p, _ := PathOf(e.Name)
		v, err := p.Select(claims)
		want, _ := plain(e.Value)
		if err != nil || len(v) != 1 || v[0] != want {
			t.Errorf("%s at %s: %v, %v", e.Name, p, v, err)
		}
	}
	if claims["picture"] != "data:image/jpeg;base64,/9j/2Q==" || claims["resident_registration_number_masked"] != "900102-2******" {
		t.Errorf("%v", claims)
	}
	for _, unknown := range []string{"blood_type", "age_over_", "age_over_abc", "age_over_7", "age_over_019", "age_over_190", "age_over_21"} {
		if p, ok := PathOf(unknown); ok {
			t.Errorf("%s, which no card has, stands at %s", unknown, p)
		}
	}
	if _, _, err := CardClaims(mdoc.Card{}); err == nil {
		t.Error("an empty record becomes a card")
	}
}

func TestErrorsTellOneFromAnother(t *testing.T) {
	kinds := []error{ErrMalformed, ErrType, ErrIssuerSignature, ErrDisclosure, ErrNotYetValid, ErrExpired, ErrBinding}
	for i, a := range kinds {
		for j, b := range kinds {
			if (i == j) != errors.Is(refuse(a, "x"), b) {
				t.Errorf("%v and %v", a, b)
			}
		}
	}
}
