package sdjwt

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"strings"

	"rollcall.example/rollcall/reference/mdoc"
)

// Type is the vct of the card. It is our own.
const Type = "urn:kr:go:rollcall:rrc:1"

// metadata describes the type for wallets and verifiers
// (draft-ietf-oauth-sd-jwt-vc-19, type metadata).
//
//go:embed type.json
var metadata []byte

// Metadata is the type metadata document of the card, JSON.
func Metadata() []byte { return bytes.Clone(metadata) }

// places says where an element of the mdoc stands among the claims: under the name
// that is registered for JWTs where there is one, else under its own. An age is
// age_equal_or_over with the years: those that the card has, of two digits (ISO/IEC 18013-5
// §7.2.5).
var places = withAges(map[string]Path{
	"family_name":                         {"family_name"},
	"given_name":                          {"given_name"},
	"birth_date":                          {"birthdate"},
	"sex":                                 {"sex"},
	"nationality":                         {"nationalities", 0},
	"resident_registration_number":        {"resident_registration_number"},
	"resident_registration_number_masked": {"resident_registration_number_masked"},
	"resident_address":                    {"address", "formatted"},
	"resident_municipality":               {"address", "municipality"},
	"portrait":                            {"picture"},
	"issue_date":                          {"issue_date"},
	"expiry_date":                         {"expiry_date"},
	"issuing_authority":                   {"issuing_authority"},
	"issuing_country":                     {"issuing_country"},
	"document_number":                     {"document_number"},
	"plastic_card_number":                 {"plastic_card_number"},
})

func withAges(places map[string]Path) map[string]Path {
	for _, name := range mdoc.ElementNames() {
		if years, ok := strings.CutPrefix(name, "age_over_"); ok {
			places[name] = Path{"age_equal_or_over", years}
		}
	}
	return places
}

// PathOf is where an element of the mdoc stands among the claims of the card, and
// whether it does.
func PathOf(element string) (Path, bool) {
	p, ok := places[element]
	return p, ok
}

// CardClaims makes the claims of a card from the record that mdoc.Card.Elements
// makes elements of, and the paths by which each of them is disclosed by itself.
func CardClaims(c mdoc.Card) (map[string]any, []Path, error) {
	elements, err := c.Elements()
	if err != nil {
		return nil, nil, err
	}
	claims := map[string]any{}
	disclosable := make([]Path, len(elements))
	for i, e := range elements {
		p, ok := PathOf(e.Name)
		if !ok {
			return nil, nil, fmt.Errorf("the element %s has no place among the claims: give it one in places", e.Name)
		}
		v, err := plain(e.Value)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		disclosable[i] = p
		top := p[0].(string)
		switch {
		case len(p) == 1:
			claims[top] = v
		case p[1] == 0:
			claims[top] = []any{v}
		default:
			if claims[top] == nil {
				claims[top] = map[string]any{}
			}
			claims[top].(map[string]any)[p[1].(string)] = v
		}
	}
	return claims, disclosable, nil
}

// plain is an element's value as JSON has it.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case string, bool, int64:
		return v, nil
	case mdoc.Date:
		return string(v), nil
	case []byte:
		return dataURL(v), nil
	}
	return nil, fmt.Errorf("a %T cannot stand in an SD-JWT", v)
}

// dataURL is a portrait as picture holds it: a URL (OpenID Connect Core §5.1) that
// carries the image (RFC 2397).
func dataURL(image []byte) string {
	kind := "image/jpeg"
	if jp2 := []byte("\x00\x00\x00\x0cjP  "); bytes.HasPrefix(image, jp2) {
		kind = "image/jp2"
	}
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(image)
}
