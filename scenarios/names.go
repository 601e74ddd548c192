package scenarios

import (
	"regexp"
	"strings"
)

// elementForm is how an element of the mobile card is spelled.
var elementForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// checkForm checks text that names something.
func (f *field) checkForm(s string) *mistake {
	if s == "" && f.path != "description" {
		return &mistake{"is empty", f.example()}
	}
	switch f.form {
	case "region", "municipality", "centre":
		n, err := LoadNation()
		if err != nil {
			return &mistake{"the built-in population cannot be read: " + err.Error(), "this is a fault of the program"}
		}
		switch f.form {
		case "region":
			return n.checkRegion(s)
		case "centre":
			return n.checkCentre(s)
		}
		return n.checkMunicipality(s)
	case "element":
		if !elementForm.MatchString(s) {
			return &mistake{quote(s) + " is not a data element", "write family_name, age_over_19, ..."}
		}
	case "expectation":
		if _, err := ParseExpectation(s); err != nil {
			return &mistake{err.Error(), "write a comparison such as suspension.violations == 0"}
		}
	}
	return nil
}

func (n *Nation) checkRegion(s string) *mistake {
	if _, ok := n.RegionIndex(s); ok {
		return nil
	}
	var codes, names []string
	for _, r := range n.Regions {
		if strings.EqualFold(s, r.NameEn) || s == r.NameKo {
			return &mistake{quote(s) + " is a name; regions are written by code", "write " + r.ISO}
		}
		if strings.EqualFold(s, r.ISO) {
			return &mistake{quote(s) + " is not a region", "write " + r.ISO}
		}
		codes, names = append(codes, r.ISO), append(names, r.NameEn)
	}
	hint := "known are " + strings.Join(codes, ", ")
	if i := closest(s, names); i >= 0 {
		hint = "did you mean " + codes[i] + ", " + names[i] + "?"
	}
	return &mistake{quote(s) + " is not a region", hint}
}

func (n *Nation) checkCentre(s string) *mistake {
	if _, ok := n.CentreIndex(s); ok {
		return nil
	}
	for _, c := range n.Centres {
		if s == c.NameKo {
			return &mistake{quote(s) + " is a name; centres are written by code", "write \"" + c.Code + "\" if you mean the one of " + n.Municipalities[c.Municipality].NameEn}
		}
	}
	return &mistake{quote(s) + " is not a centre", "data/centres.csv lists the 3,553 codes"}
}

func (n *Nation) checkMunicipality(s string) *mistake {
	if _, ok := n.MunicipalityIndex(s); ok {
		return nil
	}
	var names []string
	for _, m := range n.Municipalities {
		short := strings.TrimRight(m.NameEn, "abcdefghijklmnopqrstuvwxyz")
		if strings.EqualFold(s, m.NameEn) || strings.EqualFold(s, strings.TrimSuffix(short, "-")) || s == m.NameKo {
			return &mistake{quote(s) + " is a name; municipalities are written by code", "write " + m.Code}
		}
		names = append(names, m.NameEn)
	}
	if len(s) == 5 && s[4] != '0' {
		if i, ok := n.MunicipalityIndex(s[:4] + "0"); ok {
			m := n.Municipalities[i]
			return &mistake{quote(s) + " is a gu of " + m.NameEn, "a city is one municipality: write " + m.Code}
		}
	}
	hint := "data/municipalities.csv lists the 229 codes"
	if i := closest(s, names); i >= 0 && !numberForm.MatchString(s) {
		hint = "did you mean " + n.Municipalities[i].Code + ", " + names[i] + "?"
	}
	return &mistake{quote(s) + " is not a municipality", hint}
}
