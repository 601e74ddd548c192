package sdjwt

import (
	"fmt"
	"slices"
	"strings"

	"rollcall.example/rollcall/reference/jws"
)

// Limits of what is read.
const (
	// MaxSize is the largest card or presentation: a portrait of 200 KB, twice in
	// base64, and the rest.
	MaxSize = 512 << 10

	maxDisclosures = 256
	maxDigests     = 1024
	maxDepth       = 12 // nesting of the claims, disclosures put in their places
	maxBinding     = 4 << 10
)

// parts are those of the compact serialisation (RFC 9901 §4).
type parts struct {
	signed      string
	disclosures []string
	bound       string // all before the key binding, over which sd_hash is
	binding     string // the key binding JWT, or nothing
}

func split(text string) (*parts, error) {
	if len(text) > MaxSize {
		return nil, refuse(ErrMalformed, "%d bytes; at most %d are read", len(text), MaxSize)
	}
	end := strings.LastIndexByte(text, '~')
	if end < 0 {
		return nil, refuse(ErrMalformed, "there is no ~ in it: it is no SD-JWT")
	}
	if n := strings.Count(text, "~"); n > maxDisclosures+1 {
		return nil, refuse(ErrMalformed, "%d disclosures; at most %d are read", n-1, maxDisclosures)
	}
	p := &parts{bound: text[:end+1], binding: text[end+1:]}
	all := strings.Split(text[:end], "~")
	p.signed, p.disclosures = all[0], all[1:]
	return p, nil
}

// disclosure is one that was sent, and where it belongs.
type disclosure struct {
	encoded string
	element bool   // of an array: it has no name
	name    string // of a member
	value   any
	used    bool
	at      Path // its place, once it is used
}

func parseDisclosure(encoded string) (*disclosure, error) {
	text, err := jws.Decode([]byte(encoded))
	if err != nil {
		return nil, err
	}
	v, err := jws.Value(text)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok || len(list) != 2 && len(list) != 3 {
		return nil, fmt.Errorf("it is not an array of salt, name and value, or of salt and value")
	}
	if _, ok := list[0].(string); !ok {
		return nil, fmt.Errorf("its salt is no string")
	}
	d := &disclosure{encoded: encoded, element: len(list) == 2, value: list[len(list)-1]}
	if !d.element {
		if d.name, ok = list[1].(string); !ok {
			return nil, fmt.Errorf("its name is no string")
		}
		if d.name == "_sd" || d.name == "..." || d.name == "_sd_alg" {
			return nil, fmt.Errorf("its name is %q, which is not free", d.name)
		}
	}
	return d, nil
}

// resolver puts disclosures in the places of their digests (RFC 9901 §7.1, step 3).
type resolver struct {
	sent map[string]*disclosure
	seen map[string]bool // digests met so far
}

// resolve turns a payload, which it changes, into the claims that are disclosed.
func resolve(payload map[string]any, encoded []string) (map[string]any, []*disclosure, error) {
	if alg, there := payload["_sd_alg"]; there && alg != sha256Name {
		return nil, nil, refuse(ErrMalformed, "_sd_alg is %.40q, not %q", fmt.Sprint(alg), sha256Name)
	}
	delete(payload, "_sd_alg")
	r := resolver{make(map[string]*disclosure, len(encoded)), make(map[string]bool, 64)}
	all := make([]*disclosure, len(encoded))
	for i, e := range encoded {
		d, err := parseDisclosure(e)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrDisclosure, malformed(fmt.Sprintf("disclosure %d", i+1), err))
		}
		digest := digestOf(e)
		if r.sent[digest] != nil {
			return nil, nil, refuse(ErrDisclosure, "disclosure %d is sent twice", i+1)
		}
		r.sent[digest], all[i] = d, d
	}
	if err := r.object(payload, nil); err != nil {
		return nil, nil, err
	}
	for i, d := range all {
		if !d.used {
			return nil, nil, refuse(ErrDisclosure, "disclosure %d belongs to no digest that was signed", i+1)
		}
	}
	return payload, all, nil
}

// take returns the disclosure of a digest, nil if it was not sent.
func (r *resolver) take(v any, at Path) (*disclosure, error) {
	digest, ok := v.(string)
	switch {
	case !ok:
		return nil, refuse(ErrMalformed, "a digest at %s is no string", at)
	case r.seen[digest]:
		return nil, refuse(ErrDisclosure, "a digest stands at %s that stands elsewhere, too", at)
	case len(r.seen) == maxDigests:
		return nil, refuse(ErrMalformed, "more than %d digests", maxDigests)
	}
	r.seen[digest] = true
	d := r.sent[digest]
	if d != nil {
		d.used = true
	}
	return d, nil
}

func (r *resolver) value(v any, at Path) (any, error) {
	if len(at) > maxDepth {
		return nil, refuse(ErrMalformed, "claims lie more than %d deep", maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		return v, r.object(v, at)
	case []any:
		return r.array(v, at)
	}
	return v, nil
}

func (r *resolver) object(members map[string]any, at Path) error {
	digests, hidden := members["_sd"]
	delete(members, "_sd")
	if _, there := members["..."]; there {
		return refuse(ErrMalformed, `there is a claim "..." at %s`, at)
	}
	var inner []string
	for name, v := range members {
		switch v.(type) {
		case map[string]any, []any:
			inner = append(inner, name)
		}
	}
	slices.Sort(inner) // the same faults give the same error
	for _, name := range inner {
		v, err := r.value(members[name], append(slices.Clip(at), name))
		if err != nil {
			return err
		}
		members[name] = v
	}
	if !hidden {
		return nil
	}
	list, ok := digests.([]any)
	if !ok {
		return refuse(ErrMalformed, "_sd at %s is no array", at)
	}
	for _, digest := range list {
		d, err := r.take(digest, at)
		if err != nil {
			return err
		}
		if d == nil {
			continue
		}
		d.at = append(slices.Clip(at), d.name)
		switch _, there := members[d.name]; {
		case d.element:
			return refuse(ErrDisclosure, "an element of an array is disclosed at %s, where members are", at)
		case there:
			return refuse(ErrDisclosure, "the claim %s is there already", d.at)
		}
		if members[d.name], err = r.value(d.value, d.at); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) array(elements []any, at Path) ([]any, error) {
	out := make([]any, 0, len(elements))
	for _, e := range elements {
		p := append(slices.Clip(at), len(out))
		if object, ok := e.(map[string]any); ok {
			if digest, hidden := object["..."]; hidden {
				if len(object) != 1 {
					return nil, refuse(ErrMalformed, `more than "..." stands in an element at %s`, at)
				}
				d, err := r.take(digest, p)
				if err != nil {
					return nil, err
				}
				if d == nil {
					continue
				}
				if !d.element {
					return nil, refuse(ErrDisclosure, "a member %.40q is disclosed at %s, where elements are", d.name, at)
				}
				d.at, e = p, d.value
			}
		}
		v, err := r.value(e, p)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
