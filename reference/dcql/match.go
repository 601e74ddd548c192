package dcql

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Held is a credential that a wallet holds, or one that was shown.
type Held struct {
	Format string
	Type   string // doctype or vct
	// AuthorityKeyIDs are those in its issuer's chain, in base64url.
	AuthorityKeyIDs []string
	// Claims are a tree of map[string]any, []any and other values; of an mdoc
	// namespace → element → value.
	Claims any
	// HolderBound: the holder can prove, or has proven, that it is theirs.
	HolderBound bool
}

// Choice answers one of the credentials asked for.
type Choice struct {
	Query  string // its id
	Held   int    // which of those held
	Claims []Claim
}

var (
	// ErrNone: what is held does not answer the query.
	ErrNone = errors.New("the wallet holds nothing that answers the query")
	// ErrUnasked: more was shown than was asked for.
	ErrUnasked = errors.New("a credential was shown that was not asked for")
)

// Choose picks what answers the query and must be asked of the holder: of each
// credential the first that fits, of sets and claims the first choice that can be
// answered (§6.4).
func (q *Query) Choose(held []Held) ([]Choice, error) {
	answers := map[string][]Choice{}
	for _, c := range q.Credentials {
		for i, h := range held {
			claims, ok := c.match(h)
			if !ok {
				continue
			}
			answers[c.ID] = append(answers[c.ID], Choice{c.ID, i, claims})
			if !c.Multiple {
				break
			}
		}
	}
	wanted, err := q.wanted(func(id string) bool { return answers[id] != nil })
	if err != nil {
		return nil, err
	}
	var out []Choice
	for _, c := range q.Credentials {
		if slices.Contains(wanted, c.ID) {
			out = append(out, answers[c.ID]...)
		}
	}
	return out, nil
}

// Answered says whether what was shown under each id is an answer to the query
// (§6.4, §8.6): as many, of the kind, from the authorities and with the claims that
// were asked for. That they are genuine is for somebody else to say.
func (q *Query) Answered(shown map[string][]Held) error {
	known := map[string]bool{}
	for _, c := range q.Credentials {
		known[c.ID] = true
		all := shown[c.ID]
		if len(all) > 1 && !c.Multiple {
			return fmt.Errorf("%w: %d for %q, of which one was asked for", ErrUnasked, len(all), c.ID)
		}
		for _, h := range all {
			if _, ok := c.match(h); !ok {
				return fmt.Errorf("%w: what was shown for %q is not what was asked for", ErrNone, c.ID)
			}
		}
	}
	for id := range shown {
		if !known[id] {
			return fmt.Errorf("%w: %.40q", ErrUnasked, id)
		}
	}
	_, err := q.wanted(func(id string) bool { return len(shown[id]) > 0 })
	return err
}

// wanted lists the credentials to show, if they can be.
func (q *Query) wanted(can func(id string) bool) (out []string, err error) {
	if len(q.Sets) == 0 {
		for _, c := range q.Credentials {
			if !can(c.ID) {
				return nil, fmt.Errorf("%w: nothing for %q", ErrNone, c.ID)
			}
			out = append(out, c.ID)
		}
		return out, nil
	}
	for i, set := range q.Sets {
		n := slices.IndexFunc(set.Options, func(option []string) bool {
			return !slices.ContainsFunc(option, func(id string) bool { return !can(id) })
		})
		if n >= 0 {
			out = append(out, set.Options[n]...)
		} else if set.needed() {
			return nil, fmt.Errorf("%w: none of the choices of credential_sets[%d]", ErrNone, i)
		}
	}
	return out, nil
}

// match says whether a credential answers, and by which of the claims.
func (c *Credential) match(h Held) ([]Claim, bool) {
	if h.Format != c.Format || !h.HolderBound && (c.HolderBinding == nil || *c.HolderBinding) {
		return nil, false
	}
	if h.Type != c.Meta.DocType && !slices.Contains(c.Meta.VCT, h.Type) {
		return nil, false
	}
	if len(c.Authorities) > 0 && !slices.ContainsFunc(c.Authorities, func(a Authority) bool {
		return a.Type == AuthorityKeyID && slices.ContainsFunc(a.Values, func(v string) bool { return slices.Contains(h.AuthorityKeyIDs, v) })
	}) {
		return nil, false
	}
	if c.ClaimSets == nil {
		for _, claim := range c.Claims {
			if !claim.match(h.Claims) {
				return nil, false
			}
		}
		return c.Claims, true
	}
	for _, set := range c.ClaimSets {
		var claims []Claim
		for _, claim := range c.Claims {
			if slices.Contains(set, claim.ID) && claim.match(h.Claims) {
				claims = append(claims, claim)
			}
		}
		if len(claims) == len(slices.Compact(slices.Sorted(slices.Values(set)))) {
			return claims, true
		}
	}
	return nil, false
}

// Asked is what of a tree of claims is asked for, and nothing else of it: nil if that
// is nothing.
func (c *Credential) Asked(tree any) map[string]any {
	paths := make([]Path, len(c.Claims))
	for i, claim := range c.Claims {
		paths[i] = claim.Path
	}
	if kept, ok := keep(tree, paths); ok {
		object, _ := kept.(map[string]any)
		return object
	}
	return nil
}

// keep leaves of a value what the paths point to, and says whether that is anything.
func keep(v any, paths []Path) (any, bool) {
	for _, p := range paths {
		if len(p) == 0 {
			return v, true
		}
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(paths))
		for i, p := range paths {
			member, there := v[p[0].name]
			if p[0].kind != name || !there || slices.ContainsFunc(paths[:i], func(q Path) bool { return q[0] == p[0] }) {
				continue
			}
			if kept, ok := keep(member, below(paths[i:], func(s Step) bool { return s == p[0] })); ok {
				out[p[0].name] = kept
			}
		}
		return out, len(out) > 0
	case []any:
		var out []any
		for i, element := range v {
			if kept, ok := keep(element, below(paths, func(s Step) bool { return s.kind == all || s == Index(i) })); ok {
				out = append(out, kept)
			}
		}
		return out, out != nil
	}
	return nil, false
}

// below are the rests of the paths that begin with such a step.
func below(paths []Path, begins func(Step) bool) (rests []Path) {
	for _, p := range paths {
		if begins(p[0]) {
			rests = append(rests, p[1:])
		}
	}
	return rests
}

func (c Claim) match(tree any) bool {
	found := c.Path.Select(tree)
	if len(c.Values) == 0 {
		return len(found) > 0
	}
	return slices.ContainsFunc(found, func(v any) bool {
		return slices.ContainsFunc(c.Values, func(want any) bool { return same(v, want) })
	})
}

// same compares a claim with a value asked for; whole numbers come in several Go
// types.
func same(v, want any) bool {
	number, ok := want.(float64)
	if !ok {
		return v == want
	}
	switch n := v.(type) {
	case json.Number:
		f, err := n.Float64()
		return err == nil && f == number
	case float64:
		return n == number
	case int:
		return float64(n) == number
	case int64:
		return float64(n) == number
	case uint64:
		return float64(n) == number
	}
	return false
}
