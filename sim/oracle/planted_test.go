package oracle

import (
	"bytes"
	"fmt"
	"testing"
)

// planted holds a wrong history and its right twin against the judge: silent on
// the right one, exactly property p broken in the wrong one, and nothing found
// with the check of p taken out.
func planted(t *testing.T, p Property, build func(w *world, wrong bool)) {
	t.Helper()
	right := newWorld()
	build(right, false)
	if v := Judge(right.history(), Options{}); v.Violations() != 0 {
		t.Fatalf("the right history is condemned: %s", sentences(v))
	} else if v.ByProperty[p].Opportunities == 0 {
		t.Errorf("%s had no opportunity in the right history", p)
	}
	wrong := newWorld()
	build(wrong, true)
	h := wrong.history()
	v := Judge(h, Options{})
	if v.ByProperty[p].Violations == 0 {
		t.Fatalf("not found by %s: %s", p, sentences(v))
	}
	if n := v.ByProperty[p]; n.Violations > 0 && n.Opportunities == 0 {
		t.Errorf("%s was broken without an opportunity", p)
	}
	for _, f := range v.Findings {
		if f.Property != p {
			t.Errorf("%s was found too: %s", f.Property, f.Sentence)
		}
		if f.Sentence == "" || f.Excerpt == nil {
			t.Errorf("a finding of %s says nothing", f.Property)
		}
		if f.Citizen == "" {
			continue // only the whole history shows it
		}
		if again := Judge(f.Excerpt, Options{}); again.ByProperty[p].Violations == 0 {
			t.Errorf("judged alone, the excerpt does not show it: %s", f.Sentence)
		}
	}
	if v := Judge(h, Options{Without: []Property{p}}); v.Violations() != 0 {
		t.Errorf("found without the check of %s: %s", p, sentences(v))
	}
	var form bytes.Buffer
	if err := h.Encode(&form); err != nil {
		t.Fatal(err)
	}
	again, err := Decode(&form)
	if err != nil {
		t.Fatal(err)
	}
	if got := Judge(again, Options{}); sentences(got) != sentences(v) {
		t.Errorf("judged again from its JSON form, the history gives\n%s\ninstead of\n%s", sentences(got), sentences(v))
	}
}

func sentences(v *Verdict) string {
	var b bytes.Buffer
	for _, f := range v.Findings {
		fmt.Fprintf(&b, "\n  %s citizen %s sequence %d: %s", f.Property, f.Citizen, f.Sequence, f.Sentence)
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}
