package reports

import (
	"fmt"
	"html/template"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The page holds both languages. What is only text stands there in English and
// carries its Korean in data-ko, which the switch puts in its place; a sentence
// with figures in it stands there twice, and the style sheet shows one of them.
// Without script the page is English.

// both is a piece of a sentence in both languages.
type both struct{ en, ko template.HTML }

func escape(s string) string { return template.HTMLEscapeString(s) }

func plain(en, ko string) both { return both{template.HTML(escape(en)), template.HTML(escape(ko))} }

// swap is an element whose text the switch replaces; without a difference the
// Korean need not be said.
func swap(tag, attrs, en, ko string) template.HTML {
	if ko != en {
		attrs += ` data-ko="` + escape(ko) + `"`
	}
	return template.HTML("<" + tag + attrs + ">" + escape(en) + "</" + tag + ">")
}

func (p *page) phrase(key string) phrase {
	f, ok := messages[key]
	if !ok && p.err == nil {
		p.err = fmt.Errorf("no message %q", key)
	}
	return f
}

// t is a message without places.
func (p *page) t(key string) template.HTML {
	f := p.phrase(key)
	return swap("span", "", f.en, f.ko)
}

// attribute is a message as an attribute.
func (p *page) attribute(name, key string) template.HTMLAttr {
	f := p.phrase(key)
	return template.HTMLAttr(name + `="` + escape(f.en) + `" data-ko-` + name + `="` + escape(f.ko) + `"`)
}

// say is a message with pieces in its places: name, piece, name, piece.
func (p *page) say(key string, args ...any) template.HTML {
	b := p.fill(key, args...)
	// Sentences are kept apart also where space between elements is not read.
	space := template.HTML("")
	if strings.HasSuffix(p.phrase(key).en, ".") {
		space = " "
	}
	return `<span class="en">` + b.en + space + `</span><span class="ko" lang="ko">` + b.ko + space + `</span>`
}

func (p *page) fill(key string, args ...any) both {
	f := p.phrase(key)
	en, ko := escape(f.en), escape(f.ko)
	for i := 0; i+1 < len(args); i += 2 {
		place := "{" + args[i].(string) + "}"
		b, ok := args[i+1].(both)
		if !ok {
			b = plain(fmt.Sprint(args[i+1]), fmt.Sprint(args[i+1]))
		}
		en, ko = strings.ReplaceAll(en, place, string(b.en)), joined(ko, place, string(b.ko))
	}
	return both{template.HTML(en), template.HTML(ko)}
}

// joined fills a place of a Korean sentence. A particle stays on the line of
// what it belongs to: U+2060 is the word joiner.
func joined(s, place, with string) string {
	parts := strings.Split(s, place)
	for i := 1; i < len(parts); i++ {
		if r, _ := utf8.DecodeRuneInString(parts[i]); unicode.Is(unicode.Hangul, r) {
			parts[i] = "\u2060" + parts[i]
		}
	}
	return strings.Join(parts, with)
}

// fig shows the figure at a pointer in one of the forms of format.go; arg is
// the same within a sentence.
func (p *page) fig(pointer, form string) template.HTML {
	n := p.number(pointer)
	return swap("b", attrs(pointer, form), say(form, n), sayKo(form, n))
}

func (p *page) arg(pointer, form string) both {
	n := p.number(pointer)
	of := func(s string) template.HTML {
		return template.HTML("<b" + attrs(pointer, form) + ">" + escape(s) + "</b>")
	}
	return both{of(say(form, n)), of(sayKo(form, n))}
}

// known is fig, or a message where there is no figure.
func (p *page) known(pointer, form, otherwise string) template.HTML {
	if p.number(pointer).Known() {
		return p.fig(pointer, form)
	}
	return p.t(otherwise)
}

// caption names a table for those who do not see what stands above it.
func (p *page) caption(key string) template.HTML {
	return `<caption class="vh">` + p.t(key) + `</caption>`
}

// td is the figure as a cell of a table, where counts are not rounded.
func (p *page) td(pointer, form string) template.HTML { return p.cell(pointer, form, "") }

// Cell is td with the name of its column, for phones, where a row is stacked.
func (p *page) Cell(column, pointer, form string) template.HTML {
	return p.cell(pointer, form, " "+string(p.attribute("data-label", column)))
}

func (p *page) cell(pointer, form, more string) template.HTML {
	n := p.number(pointer)
	en, ko := say(form, n), sayKo(form, n)
	if form == "count" {
		ko = en
	}
	return swap("td", more+attrs(pointer, form), en, ko)
}

// point makes a shape say its figure when it is pointed at or reached by key.
func (p *page) point(pointer, form string) template.HTML {
	n := p.number(pointer)
	en, ko := say(form, n), sayKo(form, n)
	s := attrs(pointer, form) + ` data-v="` + escape(en) + `"`
	if form != "count" && ko != en {
		s += ` data-kv="` + escape(ko) + `"`
	}
	return template.HTML(s)
}

func attrs(pointer, form string) string {
	return ` data-pointer="` + escape(pointer) + `" data-as="` + form + `"`
}

// moment is a way to write a date in both languages.
type moment struct{ en, ko func(string) string }

var (
	onDay  = moment{sayDay, sayDayKo}
	onDate = moment{sayDate, sayDateKo}
	atHour = moment{sayHour, sayHourKo}

	onShort = moment{
		func(s string) string { return sayTime(s, "2 Jan") },
		func(s string) string { return sayTimeKo(s, "1. 2.", false, "") },
	}
)

func (m moment) element(s string) template.HTML {
	return swap("time", ` datetime="`+escape(s)+`"`, m.en(s), m.ko(s))
}

func (m moment) arg(s string) both {
	of := func(text string) template.HTML {
		return template.HTML(`<time datetime="` + escape(s) + `">` + escape(text) + `</time>`)
	}
	return both{of(m.en(s)), of(m.ko(s))}
}

// translated finds the Korean of a word that the result brought along.
func translated(s string) (ko string, ok bool) {
	if ko, ok = own[s]; ok {
		return ko, true
	}
	if m := numberedPhase.FindStringSubmatch(s); m != nil {
		return strings.ReplaceAll(messages["phase"].ko, "{n}", m[1]), true
	}
	return s, !latin.MatchString(s)
}

var (
	numberedPhase = regexp.MustCompile(`^phase ([0-9]+)$`)
	latin         = regexp.MustCompile(`[A-Za-z]`)
)

// own shows such a word. What has no Korean is marked as English.
func (p *page) own(s string) template.HTML {
	if ko, ok := translated(s); ok {
		return swap("span", "", s, ko)
	}
	return template.HTML(`<span lang="en">` + escape(s) + `</span>`)
}

func ownArg(s string) both {
	if ko, ok := translated(s); ok {
		return plain(s, ko)
	}
	return both{template.HTML(escape(s)), template.HTML(`<span lang="en">` + escape(s) + `</span>`)}
}

// codeArg is a name that is the same in both languages.
func codeArg(s string) both {
	code := template.HTML(`<code>` + escape(s) + `</code>`)
	return both{code, code}
}

func ownList(a []string) both {
	var b both
	for i, s := range a {
		x := ownArg(s)
		if i > 0 {
			b.en, b.ko = b.en+", ", b.ko+", "
		}
		b.en, b.ko = b.en+x.en, b.ko+x.ko
	}
	return b
}

// dataKo is the Korean of an element that shows such a word.
func (p *page) dataKo(s string) template.HTMLAttr {
	ko, _ := translated(s)
	return dataKo(phrase{s, ko})
}

// region names a region.
func (p *page) region(i int) template.HTML {
	n := regionName(p.Nation.ByRegion[i].Name, p.Nation.ByRegion[i].NameKo)
	return swap("span", "", n.en, n.ko)
}

// shortRegion is its name for a picture.
func (p *page) shortRegion(i int) template.HTML {
	n := shortRegion(p.Nation.ByRegion[i].Name, p.Nation.ByRegion[i].NameKo)
	return swap("span", "", n.en, n.ko)
}

func (p *page) regionArg(i int) both {
	n := regionName(p.Nation.ByRegion[i].Name, p.Nation.ByRegion[i].NameKo)
	return plain(n.en, n.ko)
}

func regionName(en, ko string) phrase {
	if ko == "" {
		ko = en
	}
	return phrase{en, ko}
}

// shortRegion is a name for a map: N. Chungcheong, 충북.
func shortRegion(en, ko string) phrase {
	n := regionName(en, ko)
	n.en = strings.NewReplacer("North ", "N. ", "South ", "S. ").Replace(n.en)
	for _, kind := range []string{"특별자치시", "특별자치도", "특별시", "광역시", "도"} {
		if s, ok := strings.CutSuffix(n.ko, kind); ok {
			n.ko = s
			break
		}
	}
	if r := []rune(n.ko); len(r) == 3 && (r[2] == '북' || r[2] == '남') { // 충청북 is 충북
		n.ko = string([]rune{r[0], r[2]})
	}
	return n
}

// tickHTML is a number of an axis.
func tickHTML(s string) template.HTML {
	return template.HTML(`<span class="tick">` + escape(s) + `</span>`)
}
