// Package dcql is the Digital Credentials Query Language of OpenID4VP 1.0 (§6, §7):
// what a verifier asks for, which of the credentials held answer it (Choose), and
// whether what was shown is an answer (Answered).
//
// It is pure, and used by wallet and verifier alike. It may not know how a
// credential is made or verified: it sees formats, types, authorities and claims.
package dcql

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"rollcall.example/rollcall/reference/jws"
)

// Formats that queries can name here.
const (
	Mdoc  = "mso_mdoc"  // OpenID4VP 1.0 Appendix B.2
	SDJWT = "dc+sd-jwt" // Appendix B.3
)

// Limits of a query from outside.
const (
	MaxQuery = 64 << 10 // bytes
	maxItems = 64       // credentials, claims, sets, values: of each list
	maxPath  = 16       // steps of a claim's path
)

// Query is what a verifier asks for.
type Query struct {
	Credentials []Credential `json:"credentials"`
	Sets        []Set        `json:"credential_sets,omitempty"` // none: all credentials
}

// Credential asks for a credential (§6.1).
type Credential struct {
	ID       string `json:"id"`
	Format   string `json:"format"`
	Multiple bool   `json:"multiple,omitempty"` // several may answer
	Meta     Meta   `json:"meta"`
	// Authorities are those who may have issued it; none: any.
	Authorities []Authority `json:"trusted_authorities,omitempty"`
	// HolderBinding is nil or true, or false where the holder need not prove that
	// it is theirs.
	HolderBinding *bool   `json:"require_cryptographic_holder_binding,omitempty"`
	Claims        []Claim `json:"claims,omitempty"` // none: nothing that can be left out
	// ClaimSets are choices among the claims, by their ids, the most wanted first.
	ClaimSets [][]string `json:"claim_sets,omitempty"`
}

// Meta says which type of credential (Appendices B.2.3 and B.3.5).
type Meta struct {
	DocType string   `json:"doctype_value,omitempty"` // Mdoc
	VCT     []string `json:"vct_values,omitempty"`    // SDJWT
}

// AuthorityKeyID is the type of authorities that are named by the key identifier
// in the issuer's certificate, in base64url (§6.1.1.1).
const AuthorityKeyID = "aki"

// Authority names authorities (§6.1.1).
type Authority struct {
	Type   string   `json:"type"`
	Values []string `json:"values"`
}

// Claim asks for a claim (§6.3).
type Claim struct {
	ID     string `json:"id,omitempty"` // needed if there are claim sets
	Path   Path   `json:"path"`
	Values []any  `json:"values,omitempty"` // string, number or boolean: one of them it must be
	// IntentToRetain is for Mdoc (Appendix B.2.4).
	IntentToRetain bool `json:"intent_to_retain,omitempty"`
}

// Set asks for one of several combinations of credentials (§6.2).
type Set struct {
	Options  [][]string `json:"options"` // ids of credentials, the most wanted first
	Required *bool      `json:"required,omitempty"`
}

// needed says whether the set must be answered.
func (s Set) needed() bool { return s.Required == nil || *s.Required }

// Parse reads a query from outside and checks it.
func Parse(data []byte) (*Query, error) {
	if len(data) > MaxQuery {
		return nil, fmt.Errorf("the query has %d bytes; at most %d are read", len(data), MaxQuery)
	}
	var q Query
	if err := jws.Unmarshal(data, &q); err != nil {
		return nil, fmt.Errorf("the query is not DCQL: %w", err)
	}
	return &q, q.Valid()
}

// Valid says what is wrong with a query.
func (q *Query) Valid() error {
	if n := len(q.Credentials); n == 0 || n > maxItems {
		return fmt.Errorf("credentials: %d are asked for; 1 to %d may be", n, maxItems)
	}
	ids := map[string]bool{}
	for i, c := range q.Credentials {
		if !identifier(c.ID) || ids[c.ID] {
			return fmt.Errorf("credentials[%d].id: %.40q is not a name of its own, of letters, digits, _ and -", i, c.ID)
		}
		ids[c.ID] = true
		if err := c.check(); err != nil {
			return fmt.Errorf("credentials[%d] %q: %w", i, c.ID, err)
		}
	}
	if q.Sets != nil && len(q.Sets) == 0 || len(q.Sets) > maxItems {
		return fmt.Errorf("credential_sets: %d; 1 to %d may be, or the member is left out", len(q.Sets), maxItems)
	}
	for i, s := range q.Sets {
		if err := options(s.Options, ids); err != nil {
			return fmt.Errorf("credential_sets[%d].options: %w", i, err)
		}
	}
	return nil
}

func (c *Credential) check() error {
	switch c.Format {
	case Mdoc:
		if c.Meta.DocType == "" || c.Meta.VCT != nil {
			return errors.New("meta: an mdoc is asked for by doctype_value alone")
		}
	case SDJWT:
		if n := len(c.Meta.VCT); n == 0 || n > maxItems || c.Meta.DocType != "" {
			return errors.New("meta: an SD-JWT VC is asked for by vct_values alone, and at least one")
		}
	case "":
		return errors.New("format: it is missing")
	}
	if c.Authorities != nil && len(c.Authorities) == 0 || len(c.Authorities) > maxItems {
		return fmt.Errorf("trusted_authorities: %d are named; 1 to %d may be, or the member is left out", len(c.Authorities), maxItems)
	}
	for i, a := range c.Authorities {
		if a.Type == "" || len(a.Values) == 0 || len(a.Values) > maxItems {
			return fmt.Errorf("trusted_authorities[%d]: a type and 1 to %d values are needed", i, maxItems)
		}
	}
	if c.Claims != nil && len(c.Claims) == 0 || len(c.Claims) > maxItems {
		return fmt.Errorf("claims: %d are asked for; 1 to %d may be, or the member is left out", len(c.Claims), maxItems)
	}
	if c.ClaimSets != nil && c.Claims == nil {
		return errors.New("claim_sets: there are no claims to choose from")
	}
	ids, paths := map[string]bool{}, map[string]bool{}
	for i, claim := range c.Claims {
		if err := claim.check(c.Format); err != nil {
			return fmt.Errorf("claims[%d]: %w", i, err)
		}
		if claim.ID != "" || c.ClaimSets != nil {
			if !identifier(claim.ID) || ids[claim.ID] {
				return fmt.Errorf("claims[%d].id: %.40q is not a name of its own, of letters, digits, _ and -", i, claim.ID)
			}
			ids[claim.ID] = true
		}
		if p := claim.Path.String(); paths[p] {
			return fmt.Errorf("claims[%d].path: %.80s is asked for twice", i, p)
		} else {
			paths[p] = true
		}
	}
	if c.ClaimSets != nil {
		if err := options(c.ClaimSets, ids); err != nil {
			return fmt.Errorf("claim_sets: %w", err)
		}
	}
	return nil
}

func (c *Claim) check(format string) error {
	if n := len(c.Path); n == 0 || n > maxPath {
		return fmt.Errorf("path: %d steps; 1 to %d may be", n, maxPath)
	}
	if format == Mdoc {
		if len(c.Path) != 2 || c.Path[0].kind != name || c.Path[1].kind != name {
			return errors.New("path: of an mdoc, it is a namespace and an element")
		}
	}
	if c.Values != nil && len(c.Values) == 0 || len(c.Values) > maxItems {
		return fmt.Errorf("values: %d; 1 to %d may be, or the member is left out", len(c.Values), maxItems)
	}
	for _, v := range c.Values {
		switch v := v.(type) {
		case string, bool:
		case float64:
			if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
				return fmt.Errorf("values: %v is not a whole number", v)
			}
		default:
			return errors.New("values: only strings, whole numbers and booleans can be asked for")
		}
	}
	return nil
}

func options(all [][]string, ids map[string]bool) error {
	if len(all) == 0 || len(all) > maxItems {
		return fmt.Errorf("%d choices; 1 to %d may be", len(all), maxItems)
	}
	for i, option := range all {
		if len(option) == 0 || len(option) > maxItems {
			return fmt.Errorf("choice %d has %d members; 1 to %d may be", i, len(option), maxItems)
		}
		for _, id := range option {
			if !ids[id] {
				return fmt.Errorf("choice %d names %.40q, which is not asked for", i, id)
			}
		}
	}
	return nil
}

// identifier is a non-empty string of letters, digits, underscores and hyphens.
func identifier(s string) bool {
	return s != "" && len(s) <= 100 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// Path points to claims (§7): a name selects a member of an object, an index an
// element of an array, null all elements of one.
type Path []Step

// Step is one step of a path. Make it by Name, Index or All.
type Step struct {
	kind  stepKind
	name  string
	index int
}

type stepKind uint8

const (
	all stepKind = iota
	name
	index
)

// Name selects a member of an object.
func Name(s string) Step { return Step{kind: name, name: s} }

// Index selects an element of an array, from 0.
func Index(i int) Step { return Step{kind: index, index: i} }

// All selects all elements of an array.
func All() Step { return Step{} }

// Names is a path of names.
func Names(names ...string) Path {
	p := make(Path, len(names))
	for i, n := range names {
		p[i] = Name(n)
	}
	return p
}

// MarshalJSON writes a step as a string, a number or null.
func (s Step) MarshalJSON() ([]byte, error) {
	switch s.kind {
	case name:
		return json.Marshal(s.name)
	case index:
		return json.Marshal(s.index)
	}
	return []byte("null"), nil
}

// MarshalJSON writes all steps in one piece; each by itself takes several times as long.
func (p Path) MarshalJSON() ([]byte, error) {
	if p == nil {
		return []byte("null"), nil
	}
	b := []byte{'['}
	for i, s := range p {
		if i > 0 {
			b = append(b, ',')
		}
		step, err := s.MarshalJSON()
		if err != nil {
			return nil, err
		}
		b = append(b, step...)
	}
	return append(b, ']'), nil
}

// UnmarshalJSON reads a string, a number that is not negative, or null.
func (s *Step) UnmarshalJSON(data []byte) error {
	text := string(data)
	switch {
	case text == "null":
		*s = All()
	case strings.HasPrefix(text, `"`):
		*s = Step{kind: name}
		return json.Unmarshal(data, &s.name)
	default:
		i, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return fmt.Errorf("a step of a path is a name, an index from 0, or null, not %.40s", text)
		}
		*s = Index(int(i))
	}
	return nil
}

// String writes a path as JSON.
func (p Path) String() string {
	b, err := p.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Select gives the claims to which the path points in a tree of
// map[string]any, []any and other values; none if it points to nothing.
func (p Path) Select(tree any) []any {
	selected := []any{tree}
	for _, step := range p {
		var next []any
		for _, v := range selected {
			switch step.kind {
			case name:
				if object, ok := v.(map[string]any); ok {
					if member, ok := object[step.name]; ok {
						next = append(next, member)
					}
				}
			case index:
				if array, ok := v.([]any); ok && step.index < len(array) {
					next = append(next, array[step.index])
				}
			case all:
				if array, ok := v.([]any); ok {
					next = append(next, array...)
				}
			}
		}
		selected = next
	}
	return selected
}
