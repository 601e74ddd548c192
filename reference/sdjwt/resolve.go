package sdjwt

import (
	"bytes"
	"fmt"
	"hash"
	"slices"
	"sync"

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
	signed      []byte
	disclosures [][]byte
	bound       []byte    // all before the key binding, over which sd_hash is
	binding     []byte    // the key binding JWT, or nothing
	hashed      hash.Hash // of the beginning of bound; nil: of nothing
	hashedSize  int
}

// split takes a text apart, of which everything is a piece: it must not be changed.
func split(text []byte) (*parts, error) {
	if len(text) > MaxSize {
		return nil, refuse(ErrMalformed, "%d bytes; at most %d are read", len(text), MaxSize)
	}
	end := bytes.LastIndexByte(text, '~')
	if end < 0 {
		return nil, refuse(ErrMalformed, "there is no ~ in it: it is no SD-JWT")
	}
	if n := bytes.Count(text, tilde); n > maxDisclosures+1 {
		return nil, refuse(ErrMalformed, "%d disclosures; at most %d are read", n-1, maxDisclosures)
	}
	p := &parts{bound: text[:end+1], binding: text[end+1:]}
	pieces := bytes.Split(text[:end], tilde)
	p.signed, p.disclosures = pieces[0], pieces[1:]
	return p, nil
}

var tilde = []byte{'~'}

// disclosure is one that was sent, and where it belongs.
type disclosure struct {
	encoded []byte
	element bool   // of an array: it has no name
	name    string // of a member
	value   any
	used    bool
	at      Path // its place, once it is used
}

func (d *disclosure) parse(encoded []byte, list *[3]any) error {
	n, err := jws.ReadElements(encoded, digests, list[:])
	if err != nil {
		return err
	}
	if n != 2 && n != 3 {
		return fmt.Errorf("it is not an array of salt, name and value, or of salt and value")
	}
	if _, ok := list[0].(string); !ok {
		return fmt.Errorf("its salt is no string")
	}
	d.encoded, d.element, d.value = encoded, n == 2, list[n-1]
	if !d.element {
		var ok bool
		if d.name, ok = list[1].(string); !ok {
			return fmt.Errorf("its name is no string")
		}
		if d.name == "_sd" || d.name == "..." || d.name == "_sd_alg" {
			return fmt.Errorf("its name is %q, which is not free", d.name)
		}
	}
	return nil
}

// digests is the name of the members that hold digests.
const digests = "_sd"

// resolver puts disclosures in the places of their digests (RFC 9901 §7.1, step 3).
type resolver struct {
	of   map[string]*disclosure // by digest: those sent, and nil for one that was met and not sent
	seen int                    // digests met so far
	list [3]any                 // of the disclosure that is read
}

// resolvers are used again: most of what resolving takes is the room of the map.
var resolvers = sync.Pool{New: func() any { return &resolver{of: make(map[string]*disclosure, 64)} }}

func (r *resolver) done() {
	if len(r.of) <= 128 {
		clear(r.of)
		r.seen, r.list = 0, [3]any{}
		resolvers.Put(r)
	}
}

// place is where a claim stands, from the inside out, so that on the way to it nothing
// is made; nil is the outermost object.
type place struct {
	up      *place
	name    string
	element int // place in an array; -1: it is a member
	depth   int
}

func (p *place) deep() int {
	if p == nil {
		return 0
	}
	return p.depth
}

func (p *place) member(name string) place { return place{p, name, -1, p.deep() + 1} }

func (p *place) at(element int) place { return place{p, "", element, p.deep() + 1} }

func (p *place) path() Path {
	out := make(Path, p.deep())
	for ; p != nil; p = p.up {
		if p.element < 0 {
			out[p.depth-1] = p.name
		} else {
			out[p.depth-1] = p.element
		}
	}
	return out
}

// resolve turns a payload, which it changes, into the claims that are disclosed.
func resolve(payload map[string]any, encoded [][]byte) (map[string]any, []disclosure, error) {
	if alg, there := payload["_sd_alg"]; there && alg != sha256Name {
		return nil, nil, refuse(ErrMalformed, "_sd_alg is %.40q, not %q", fmt.Sprint(alg), sha256Name)
	}
	delete(payload, "_sd_alg")
	r := resolvers.Get().(*resolver)
	defer r.done()
	all := make([]disclosure, len(encoded))
	for i, e := range encoded {
		if err := all[i].parse(e, &r.list); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", ErrDisclosure, malformed(fmt.Sprintf("disclosure %d", i+1), err))
		}
		digest := digestOf(e)
		if r.of[digest] != nil {
			return nil, nil, refuse(ErrDisclosure, "disclosure %d is sent twice", i+1)
		}
		r.of[digest] = &all[i]
	}
	if err := r.object(payload, nil); err != nil {
		return nil, nil, err
	}
	for i := range all {
		if !all[i].used {
			return nil, nil, refuse(ErrDisclosure, "disclosure %d belongs to no digest that was signed", i+1)
		}
	}
	return payload, all, nil
}

// take returns the disclosure of a digest, nil if it was not sent.
func (r *resolver) take(digest string, at *place) (*disclosure, error) {
	d, known := r.of[digest]
	switch {
	case known && (d == nil || d.used):
		return nil, refuse(ErrDisclosure, "a digest stands at %s that stands elsewhere, too", at.path())
	case r.seen == maxDigests:
		return nil, refuse(ErrMalformed, "more than %d digests", maxDigests)
	}
	r.seen++
	if d == nil {
		r.of[digest] = nil
		return nil, nil
	}
	d.used = true
	return d, nil
}

func (r *resolver) value(v any, at *place) (any, error) {
	if at.deep() > maxDepth {
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

func (r *resolver) object(members map[string]any, at *place) error {
	hidden, hides := members[digests]
	delete(members, digests)
	if _, there := members["..."]; there {
		return refuse(ErrMalformed, `there is a claim "..." at %s`, at.path())
	}
	var room [8]string
	inner := room[:0]
	for name, v := range members {
		switch v.(type) {
		case map[string]any, []any:
			inner = append(inner, name)
		}
	}
	slices.Sort(inner) // the same faults give the same error
	for _, name := range inner {
		here := at.member(name)
		v, err := r.value(members[name], &here)
		if err != nil {
			return err
		}
		if list, ok := v.([]any); ok { // an object is changed where it is
			members[name] = list
		}
	}
	if !hides {
		return nil
	}
	switch list := hidden.(type) {
	case []string:
		for _, digest := range list {
			if err := r.reveal(members, digest, at); err != nil {
				return err
			}
		}
	case []any: // not of strings alone, or none
		for _, v := range list {
			digest, ok := v.(string)
			if !ok {
				return refuse(ErrMalformed, "a digest at %s is no string", at.path())
			}
			if err := r.reveal(members, digest, at); err != nil {
				return err
			}
		}
	default:
		return refuse(ErrMalformed, "_sd at %s is no array", at.path())
	}
	return nil
}

// reveal puts the member whose digest this is, if it was sent, among the members.
func (r *resolver) reveal(members map[string]any, digest string, at *place) error {
	d, err := r.take(digest, at)
	if d == nil || err != nil {
		return err
	}
	here := at.member(d.name)
	d.at = here.path()
	switch _, there := members[d.name]; {
	case d.element:
		return refuse(ErrDisclosure, "an element of an array is disclosed at %s, where members are", at.path())
	case there:
		return refuse(ErrDisclosure, "the claim %s is there already", d.at)
	}
	members[d.name], err = r.value(d.value, &here)
	return err
}

// array is made in the room of the elements.
func (r *resolver) array(elements []any, at *place) ([]any, error) {
	out := elements[:0]
	for _, e := range elements {
		here := at.at(len(out))
		if object, ok := e.(map[string]any); ok {
			if v, hidden := object["..."]; hidden {
				if len(object) != 1 {
					return nil, refuse(ErrMalformed, `more than "..." stands in an element at %s`, at.path())
				}
				digest, ok := v.(string)
				if !ok {
					return nil, refuse(ErrMalformed, "a digest at %s is no string", here.path())
				}
				d, err := r.take(digest, &here)
				if err != nil {
					return nil, err
				}
				if d == nil {
					continue
				}
				if !d.element {
					return nil, refuse(ErrDisclosure, "a member %.40q is disclosed at %s, where elements are", d.name, at.path())
				}
				d.at, e = here.path(), d.value
			}
		}
		v, err := r.value(e, &here)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
