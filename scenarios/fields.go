package scenarios

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// A kind is how a parameter is written.
type kind int

const (
	section  kind = iota // a struct
	list                 // of anything
	mapping              // name: value
	ages                 // ByAge: first age: value
	hours                // Hours
	text                 // a string
	integer              // int, uint64
	number               // float64
	boolean              // true, false
	share                // Share
	won                  // Won
	rate                 // PerDay
	moment               // Moment
	duration             // time.Duration
)

// kinds are those of the types with a spelling of their own; of the others the
// kind follows from what Go makes of them.
var kinds = map[reflect.Type]kind{
	reflect.TypeFor[ByAge]():         ages,
	reflect.TypeFor[Hours]():         hours,
	reflect.TypeFor[Share]():         share,
	reflect.TypeFor[Won]():           won,
	reflect.TypeFor[PerDay]():        rate,
	reflect.TypeFor[Moment]():        moment,
	reflect.TypeFor[time.Duration](): duration,
}

// field is one parameter or section: its kind from the struct, its limits and
// meaning from the rules.
type field struct {
	key   string
	kind  kind
	index int // of the struct's field
	rule
	fields []*field // of a section
	elem   *field   // of a list, a mapping, ages
	byName bool     // a list whose elements have a name
	// natural is an integer without a sign and, with it, a limit.
	natural bool
}

// scenarioFields is the tree of everything a scenario file may say.
var scenarioFields = sync.OnceValue(func() *field {
	used := map[string]bool{}
	f := fieldOf(reflect.TypeFor[Scenario](), "", used)
	for _, x := range rules {
		if !used[x.path] {
			panic("scenarios: a rule for " + x.path + ", which Scenario does not have")
		}
	}
	return f
})

func fieldOf(t reflect.Type, path string, used map[string]bool) *field {
	f := &field{rule: ruleFor(path, used)}
	if k, ok := kinds[t]; ok {
		f.kind = k
		if k == ages {
			f.elem = &field{kind: number, rule: f.rule}
		}
		return f
	}
	switch t.Kind() {
	case reflect.Struct:
		f.kind = section
		for i := range t.NumField() {
			sf := t.Field(i)
			key, _, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
			switch key {
			case "-":
				continue
			case "":
				key = strings.ToLower(sf.Name)
			}
			child := fieldOf(sf.Type, strings.TrimPrefix(path+"."+key, "."), used)
			child.key, child.index = key, i
			f.fields = append(f.fields, child)
		}
	case reflect.Slice:
		f.kind, f.elem = list, fieldOf(t.Elem(), path+"[]", used)
		f.byName = f.elem.kind == section && f.elem.child("name") != nil
	case reflect.Map:
		f.kind, f.elem = mapping, fieldOf(t.Elem(), path+"{}", used)
	case reflect.String:
		f.kind = text
	case reflect.Int, reflect.Uint64:
		f.kind, f.natural = integer, t.Kind() == reflect.Uint64
	case reflect.Float64:
		f.kind = number
	case reflect.Bool:
		f.kind = boolean
	default:
		panic(fmt.Sprintf("scenarios: %s has type %s, which cannot be written", path, t))
	}
	return f
}

// ruleFor finds the rule of a path. A section that is a list's or map's element
// needs none.
func ruleFor(path string, used map[string]bool) rule {
	for _, x := range rules {
		if x.path == path || strings.Contains(x.path, "*") && matches(x.path, path) {
			used[x.path] = true
			return x
		}
	}
	if path == "" || strings.HasSuffix(path, "[]") || strings.HasSuffix(path, "{}") {
		return rule{path: path}
	}
	panic("scenarios: no rule for " + path)
}

// matches compares a path with a pattern in which one * stands for some letters.
func matches(pattern, path string) bool {
	before, after, _ := strings.Cut(pattern, "*")
	middle, ok := strings.CutPrefix(path, before)
	middle, ok2 := strings.CutSuffix(middle, after)
	return ok && ok2 && middle != "" && !strings.ContainsAny(middle, "._[{")
}

func (f *field) child(key string) *field {
	for _, c := range f.fields {
		if c.key == key {
			return c
		}
	}
	return nil
}

func (f *field) childKeys() []string {
	var keys []string
	for _, c := range f.fields {
		keys = append(keys, c.key)
	}
	return keys
}

// leaf tells that the parameter is one value on its own.
func (f *field) leaf() bool { return f.kind > mapping && f.kind != ages && f.kind != hours }

// noteable tells that the parameter can be annotated as a whole.
func (f *field) noteable() bool {
	return f.kind != section && !(f.kind == mapping && !f.elem.leaf())
}

// outOfLimits says how a number breaks the limits.
func (f *field) outOfLimits(x float64, written string) *mistake {
	switch {
	case f.min != nil && f.over && x <= *f.min:
		return &mistake{written + " is too little", "write more than " + shortNumber(*f.min)}
	case f.min != nil && x < *f.min:
		if x < 0 && *f.min == 0 {
			return &mistake{written + " is negative", "write at least 0"}
		}
		return &mistake{written + " is too little", "write at least " + shortNumber(*f.min)}
	case f.max != nil && x > *f.max:
		return &mistake{written + " is too much", "write at most " + shortNumber(*f.max)}
	}
	return nil
}

func shortNumber(x float64) string { return fmt.Sprintf("%.12g", x) }

// parse reads a scalar of this kind; the value is of the struct's type, or one
// that converts to it.
func (f *field) parse(s string) (any, *mistake) {
	switch f.kind {
	case text:
		if f.oneOf != nil && !slices.Contains(f.oneOf, s) {
			hint := didYouMean(s, f.oneOf)
			return nil, &mistake{quote(s) + " is not known", hint}
		}
		return s, f.checkForm(s)
	case integer:
		if f.natural {
			return orMistake(parseNatural(s))
		}
		n, m := parseInteger(s)
		if m == nil && f.min == nil && n < 0 {
			m = &mistake{s + " is negative", "write at least 0"}
		}
		if m == nil {
			m = f.outOfLimits(float64(n), s)
		}
		return n, m
	case number:
		var x float64
		var m *mistake
		if f.key == "" && percentForm.MatchString(s) { // ages
			x, m = parseShare(s)
		} else {
			x, m = parseNumber(s)
		}
		if m == nil {
			m = f.outOfLimits(x, s)
		}
		return x, m
	case boolean:
		switch s {
		case "true", "false":
			return s == "true", nil
		}
		return nil, &mistake{quote(s) + " is neither true nor false", "write true or false"}
	case share:
		return orMistake(parseShare(s))
	case won:
		return orMistake(parseWon(s))
	case rate:
		return orMistake(parseRate(s))
	case moment:
		return orMistake(parseMoment(s))
	case duration:
		d, m := parseDuration(s)
		if f.form == "clock" {
			d, m = parseClock(s)
		}
		return d, m
	}
	return nil, &mistake{"cannot be one value", "see `rollcall scenario schema`"}
}

func orMistake[V any](v V, m *mistake) (any, *mistake) { return v, m }
