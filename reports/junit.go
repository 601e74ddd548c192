package reports

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// renderJUnit writes junit.xml: each expectation, each property and the panel
// is a test case. Its figures are properties whose names are their JSON
// pointers. There are no times: they would be of the wall clock.
func renderJUnit(r *Result, doc *Document) ([]byte, error) {
	j := &junit{doc: doc, class: "rollcall." + r.Meta.Scenario}

	expectations := suite{Name: "expectations"}
	for i, e := range r.Expectations {
		at := fmt.Sprintf("/expectations/%d/value", i)
		c := j.test(e.Text, at)
		if !e.Holds {
			c.Failure = &message{Type: "expectation", Message: fmt.Sprintf("does not hold: came to %s", say("plain", e.Value))}
		}
		expectations.add(c)
	}

	judgement, under := r.Suspension.ByProperty, "/suspension/by_property/"
	if r.Live != nil {
		judgement, under = r.Live.ByProperty, "/live/by_property/"
	}
	properties := suite{Name: "properties"}
	for _, name := range PropertyNames {
		p, judged := judgement[name]
		title := name + " " + english(name)
		if !judged {
			c := j.test(title)
			c.Skipped = &message{Message: "not judged in this run"}
			properties.add(c)
			continue
		}
		at := under + name
		c := j.test(title, at+"/opportunities", at+"/violations")
		switch {
		case p.Violations > 0:
			c.Failure = &message{Type: "violation", Message: fmt.Sprintf("%d violations in %d checks", p.Violations, p.Opportunities)}
		case p.Opportunities == 0 && r.Live != nil:
			c.Skipped = &message{Message: "this load gave the property no opportunity to fail"}
		case p.Opportunities == 0:
			c.Failure = &message{Type: "untested", Message: "the run gave this property no opportunity to fail, so it proves nothing"}
		}
		properties.add(c)
	}

	panel := suite{Name: "panel"}
	const equal = "every life goes the same way in the model and on the real service"
	if r.Live != nil {
		panel = r.Live.junit(j)
	} else if r.Panel == nil {
		c := j.test(equal)
		c.Skipped = &message{Message: "the panel was off"}
		panel.add(c)
	} else {
		c := j.test(equal, "/panel/citizens", "/panel/trajectories_equal")
		if r.Panel.TrajectoriesEqual != r.Panel.Citizens || len(r.Panel.TrajectoriesDifferent) > 0 {
			c.Failure = &message{Type: "difference", Message: fmt.Sprintf("%d of %d lives are equal", r.Panel.TrajectoriesEqual, r.Panel.Citizens)}
		}
		panel.add(c)
		for i, d := range r.Panel.TrajectoriesDifferent {
			at := fmt.Sprintf("/panel/trajectories_different/%d", i)
			c := j.test(fmt.Sprintf("citizen %d", d.Citizen), at+"/citizen", at+"/step")
			c.Failure = &message{
				Type: "difference", Message: fmt.Sprintf("outcome %d differs", d.Step),
				Text: "nation:\n" + strings.Join(d.Nation, "\n") + "\npanel:\n" + strings.Join(d.Panel, "\n") + "\n",
			}
			panel.add(c)
		}
	}
	if j.err != nil {
		return nil, j.err
	}

	all := suites{Name: "rollcall " + r.Meta.Scenario, Suites: []suite{expectations, properties, panel}}
	for _, s := range all.Suites {
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Skipped += s.Skipped
	}
	b, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}

type junit struct {
	doc   *Document
	class string
	err   error
}

func (j *junit) test(name string, pointers ...string) testCase {
	c := testCase{Class: j.class, Name: name}
	if len(pointers) > 0 {
		c.Properties = new(caseProperties)
	}
	for _, p := range pointers {
		n, err := j.doc.Number(p)
		if err != nil && j.err == nil {
			j.err = err
		}
		v := ""
		if n.Known() {
			v = say("plain", n)
		}
		c.Properties.List = append(c.Properties.List, caseProperty{p, v})
	}
	return c
}

func (s *suite) add(c testCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	if c.Failure != nil {
		s.Failures++
	}
	if c.Skipped != nil {
		s.Skipped++
	}
}

type suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Suites   []suite  `xml:"testsuite"`
}

type suite struct {
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Errors   int        `xml:"errors,attr"`
	Skipped  int        `xml:"skipped,attr"`
	Cases    []testCase `xml:"testcase"`
}

type testCase struct {
	Class      string          `xml:"classname,attr"`
	Name       string          `xml:"name,attr"`
	Properties *caseProperties `xml:"properties"`
	Failure    *message        `xml:"failure"`
	Skipped    *message        `xml:"skipped"`
}

type caseProperties struct {
	List []caseProperty `xml:"property"`
}

type caseProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type message struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}
