package face

import (
	"bytes"
	"math"
	"testing"
)

func ramp() (t Template, p Probe) {
	for i := range t {
		t[i] = int8(i%255 - 127)
		p[i] = float32(t[i])
	}
	return t, p
}

func TestScoreIsTheCosine(t *testing.T) {
	var a Template
	var same, opposite, orthogonal, slanted Probe
	a[3] = 100
	same[3], opposite[3], orthogonal[4] = 0.25, -7, 1
	slanted[3], slanted[9] = 0.6, 0.8
	for _, c := range []struct {
		name string
		p    Probe
		want float64
	}{{"same", same, 1}, {"opposite", opposite, -1}, {"orthogonal", orthogonal, 0}, {"slanted", slanted, 0.6}, {"none", Probe{}, 0}} {
		if got := Score(a, c.p); math.Abs(got-c.want) > 1e-7 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAScoreAtTheThresholdMatchesAndOneBelowDoesNot(t *testing.T) {
	var a Template
	var p Probe
	a[0] = 1
	p[0], p[1] = 3, 4
	if s, ok := (Matcher{Threshold: 0.6}).Match(a, p); !ok || s != 0.6 {
		t.Errorf("score %v refused at 0.6", s)
	}
	if _, ok := (Matcher{Threshold: math.Nextafter(0.6, 1)}).Match(a, p); ok {
		t.Error("matched below the threshold")
	}
}

func TestNothingMatchesAnEmptyTemplateAtAPositiveThreshold(t *testing.T) {
	_, p := ramp()
	if _, ok := (Matcher{Threshold: 0.1}).Match(Template{}, p); ok {
		t.Error("matched")
	}
}

func TestTemplateAndProbeSurviveTheirBytes(t *testing.T) {
	a, p := ramp()
	if b, err := ParseTemplate(a.Bytes()); err != nil || b != a {
		t.Error(err)
	}
	if q, err := ParseProbe(p.Bytes()); err != nil || q != p {
		t.Error(err)
	}
}

func TestFaceDataOfAnotherSizeEmptyOrNotFiniteIsRefused(t *testing.T) {
	for name, b := range map[string][]byte{"none": nil, "short": make([]byte, 511), "long": make([]byte, 513), "empty": make([]byte, 512)} {
		if _, err := ParseTemplate(b); err == nil {
			t.Errorf("template %s was taken", name)
		}
	}
	_, p := ramp()
	nan, huge := p, p
	nan[7], huge[7] = float32(math.NaN()), float32(math.Inf(1))
	for name, b := range map[string][]byte{"short": p.Bytes()[1:], "NaN": nan.Bytes(), "infinite": huge.Bytes(), "empty": make([]byte, ProbeSize)} {
		if _, err := ParseProbe(b); err == nil {
			t.Errorf("probe %s was taken", name)
		}
	}
}

func FuzzParseProbe(f *testing.F) {
	_, p := ramp()
	f.Add(p.Bytes())
	f.Add(bytes.Repeat([]byte{0xFF}, ProbeSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseProbe(b)
		if err != nil {
			return
		}
		a, _ := ramp()
		if s := Score(a, p); !(s >= -1.0000001 && s <= 1.0000001) {
			t.Fatalf("score %v", s)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	a, p := ramp()
	m := Matcher{Threshold: 0.42}
	for b.Loop() {
		m.Match(a, p)
	}
}
