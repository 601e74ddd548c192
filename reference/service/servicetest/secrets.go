package servicetest

import (
	"net/url"
	"slices"
	"strings"
)

// Secrets are long texts that stand under a short name in messages that a fuzzer changes:
// "~code~". So it spends its time on what they stand in, and puts one where another
// belongs, which no change of single bytes would do.
type Secrets struct{ show, hide []string }

// Add names a secret, and is it.
func (s *Secrets) Add(name, value string) string {
	s.show = append(s.show, "~"+name+"~", value)
	s.hide = append(s.hide, value, "~"+name+"~")
	if escaped := url.QueryEscape(value); escaped != value {
		s.hide = slices.Insert(s.hide, 0, escaped, "~"+name+"~")
	}
	return value
}

// Hide puts names in the place of secrets; in forms, too.
func (s *Secrets) Hide(text string) string { return strings.NewReplacer(s.hide...).Replace(text) }

// Show puts them back.
func (s *Secrets) Show(text string) string { return strings.NewReplacer(s.show...).Replace(text) }
