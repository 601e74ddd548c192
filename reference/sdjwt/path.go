package sdjwt

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Path points to claims (OpenID4VP 1.0 §7): a string is the name of a member, an
// int the place of an element, nil every element of an array.
type Path []any

func (p Path) check() error {
	if len(p) == 0 {
		return errors.New("a path to a claim is empty")
	}
	for _, step := range p {
		switch step := step.(type) {
		case string, nil:
		case int:
			if step < 0 {
				return fmt.Errorf("path %s: places are counted from 0", p)
			}
		default:
			return fmt.Errorf("path %s: a step is a name, a place or nil, not a %T", p, step)
		}
	}
	return nil
}

func (p Path) String() string {
	steps := make([]string, len(p))
	for i, step := range p {
		switch step := step.(type) {
		case string:
			steps[i] = strconv.Quote(step)
		case nil:
			steps[i] = "null"
		default:
			steps[i] = fmt.Sprint(step)
		}
	}
	return "[" + strings.Join(steps, ", ") + "]"
}

// Select returns what the path points to, in order (OpenID4VP 1.0 §7.1.1). It is an
// error if there is nothing, or if a step does not fit what it is applied to.
func (p Path) Select(claims map[string]any) ([]any, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	selected := []any{claims}
	for i, step := range p {
		var inner []any
		for _, v := range selected {
			name, named := step.(string)
			if named {
				object, ok := v.(map[string]any)
				if !ok {
					return nil, fmt.Errorf("path %s: there is no object at %s", p, p[:i])
				}
				if member, there := object[name]; there {
					inner = append(inner, member)
				}
				continue
			}
			array, ok := v.([]any)
			if !ok {
				return nil, fmt.Errorf("path %s: there is no array at %s", p, p[:i])
			}
			if place, one := step.(int); !one {
				inner = append(inner, array...)
			} else if place < len(array) {
				inner = append(inner, array[place])
			}
		}
		if selected = inner; len(selected) == 0 {
			return nil, fmt.Errorf("path %s: there is no such claim", p)
		}
	}
	return selected, nil
}

// meets says whether one of two paths leads to the other, or both to the same.
func (p Path) meets(other Path) bool {
	for i := range min(len(p), len(other)) {
		a, b := p[i], other[i]
		_, aNamed := a.(string)
		_, bNamed := b.(string)
		if a != b && (aNamed || bNamed || a != nil && b != nil) {
			return false
		}
	}
	return true
}
