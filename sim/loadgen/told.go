package loadgen

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/sim/oracle"
)

// told is what a verifier is told of a card that was shown.
type told struct {
	Verdict string      `json:"verdict"`
	Shown   []toldShown `json:"credentials"`
}

type toldShown struct {
	Format  string         `json:"format"`
	Verdict string         `json:"verdict"`
	Claims  map[string]any `json:"claims"`
}

// pathOf is where an element stands in a card of a format; empty: nowhere.
func pathOf(format, element string) []string {
	if format != sdjwt.Format {
		return []string{mdoc.Namespace, element}
	}
	var path []string
	steps, _ := sdjwt.PathOf(element)
	for _, step := range steps {
		path = append(path, fmt.Sprint(step))
	}
	return path
}

// beyond says what a request to a wallet wants other than what the verifier asked for.
func beyond(format string, wants, asked []string) string {
	var should []string
	for _, name := range asked {
		should = append(should, dcql.Names(pathOf(format, name)...).String())
	}
	if slices.Equal(slices.Sorted(slices.Values(wants)), slices.Sorted(slices.Values(should))) {
		return ""
	}
	return fmt.Sprintf("the wallet is asked for %s, and the verifier asked for %s", strings.Join(wants, ", "), strings.Join(asked, ", "))
}

// misled says why a verifier that asked for elements may not be told this: of a card that is
// accepted it is told each of them as it is, and no other; of one that is not, nothing.
func (c *Citizen) misled(got *told, asked []string) string {
	accepted := got.Verdict == string(oracle.Accepted)
	if accepted && len(got.Shown) == 0 {
		return "the verifier is told that the card is accepted, and nothing of what it asked for"
	}
	for _, one := range got.Shown {
		switch {
		case accepted != (one.Verdict == string(oracle.Accepted)):
			return fmt.Sprintf("the verifier is told that the card is %s, and of the same card that it is %s", got.Verdict, one.Verdict)
		case !accepted && len(one.Claims) > 0:
			return fmt.Sprintf("the verifier is told what stands on a card that is %s: %s", got.Verdict, named(one.Claims))
		case !accepted:
			continue
		}
		left := one.Claims
		if one.Format == sdjwt.Format { // its type comes with every SD-JWT
			left = maps.Clone(left)
			delete(left, "vct")
		}
		for _, name := range asked {
			value, ok := take(&left, pathOf(one.Format, name))
			if !ok {
				return fmt.Sprintf("the verifier is not told %s, for which it asked", name)
			}
			switch should := c.shows(one.Format, name); {
			case should == nil || value == should:
			case name == "portrait": // neither can be read in a sentence
				return "the verifier is told a portrait that is not the citizen's"
			default:
				return fmt.Sprintf("the verifier is told that %s is %v, and it is %v", name, value, should)
			}
		}
		if len(left) > 0 {
			return fmt.Sprintf("the verifier is told what it did not ask for: %s", named(left))
		}
	}
	return ""
}

// shows is what stands on the citizen's card in a format, as JSON; nil: the crowd does not know it.
func (c *Citizen) shows(format, element string) any {
	p := &c.person
	switch element {
	case "family_name":
		return p.FamilyName
	case "given_name":
		return p.GivenName
	case "birth_date":
		return string(mdoc.DateOf(p.Birth))
	case "resident_registration_number":
		return p.RRN
	case "resident_registration_number_masked":
		return p.MaskedRRN()
	case "resident_address":
		return p.Address
	case "portrait":
		image := base64.StdEncoding.EncodeToString(c.portrait)
		if format == sdjwt.Format {
			return "data:image/jpeg;base64," + image
		}
		return image
	case "age_over_19":
		// A card says what was so on the day of its issue, where it was issued.
		if left := p.Birth.AddDate(19, 0, 0).Sub(c.crowd.o.Now()); left.Abs() > 48*time.Hour {
			return left < 0
		}
	}
	return nil
}

// take takes a value out of a tree: what is left has no empty branches.
func take(tree *map[string]any, path []string) (value any, ok bool) {
	if len(path) == 0 {
		return nil, false
	}
	if value, ok = (*tree)[path[0]]; !ok {
		return nil, false
	}
	rest := maps.Clone(*tree)
	delete(rest, path[0])
	if len(path) > 1 {
		below, _ := value.(map[string]any)
		if value, ok = take(&below, path[1:]); !ok {
			return nil, false
		}
		if len(below) > 0 {
			rest[path[0]] = below
		}
	}
	*tree = rest
	return value, true
}

// named are the names in a tree, without their values: those are somebody's.
func named(tree map[string]any) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		if below, ok := tree[name].(map[string]any); ok {
			name += " (" + named(below) + ")"
		}
		all = append(all, name)
	}
	return strings.Join(all, ", ")
}
