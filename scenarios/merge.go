package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// merge lays a checked document over another. by says who changes it.
func (l *loader) merge(f *field, base, over *tree, path, by string) *tree {
	if base == nil || over == nil {
		return cmp.Or(over, base)
	}
	note := cmp.Or(over.note, base.note.changed(by))
	base.place = over.place // the last who touched it
	switch {
	case f.kind == section, f.kind == mapping, f.kind == ages:
		for _, e := range over.entries {
			child := f.elem
			if f.kind == section {
				child = f.child(e.key)
			}
			base.set(e.key, e.place, l.merge(child, base.get(e.key), e.value, join(path, e.key), by))
		}
	case f.kind == list && over.shape == mappingShape:
		l.mergeElements(f, base, over, path, by)
	default:
		base = over
	}
	base.note = note
	return base
}

// changed is the note of a value that another scenario or a setting replaced:
// no longer what a source says, but its plausible range stands.
func (n *note) changed(by string) *note {
	if n == nil {
		return nil
	}
	return &note{mark: "A", source: "changed " + by, low: n.low, high: n.high, another: true}
}

// mergeElements changes some elements of a list, found by name or by index.
func (l *loader) mergeElements(f *field, base, over *tree, path, by string) {
	names := make([]string, len(base.items))
	for i, x := range base.items {
		if n := x.get("name"); n != nil && f.byName {
			names[i] = n.text
		}
	}
	for _, e := range over.entries {
		i := slices.Index(names, e.key)
		m := &mistake{"there is none of this name", didYouMean(e.key, names)}
		step := "." + e.key
		if over.byIndex {
			i, _ = strconv.Atoi(e.key)
			step = "[" + e.key + "]"
			m = &mistake{fmt.Sprintf("the list has %d elements", len(names)), "count from 0"}
			if i == len(names) { // one more than there are
				base.items = append(base.items, e.value)
				names = append(names, "")
				continue
			}
		}
		if i < 0 || i >= len(names) {
			if len(names) == 0 {
				m.instead = "the list is empty; write it as a list"
			}
			l.problems = append(l.problems, e.place.problem(path+step, m))
			continue
		}
		base.items[i] = l.merge(f.elem, base.items[i], e.value, path+step, by)
	}
}
