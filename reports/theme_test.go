package reports

import (
	"math"
	"strconv"
	"testing"
)

// luminance and contrast as WCAG 2.2 defines them.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	v, err := strconv.ParseUint(colour[1:], 16, 24)
	if err != nil || len(colour) != 7 {
		t.Fatalf("%q is no colour", colour)
	}
	linear := func(c uint64) float64 {
		x := float64(c&255) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(v>>16) + 0.7152*linear(v>>8) + 0.0722*linear(v)
}

func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

func TestTextIsLegibleInLightAndDark(t *testing.T) {
	for name, c := range map[string]theme{"light": light, "dark": dark} {
		for what, pair := range map[string][2]string{
			"text": {c.ink, c.paper}, "text on a panel": {c.ink, c.panel}, "second text": {c.muted, c.paper},
			"second text on a panel": {c.muted, c.panel}, "text of faults": {c.accent, c.paper},
		} {
			if got := contrast(t, pair[0], pair[1]); got < 4.5 {
				t.Errorf("%s: %s has contrast %.2f, want 4.5 (WCAG 1.4.3)", name, what, got)
			}
		}
	}
}

func TestPicturesStandOutFromTheirGround(t *testing.T) {
	for _, c := range []struct {
		name string
		theme
		categories [6]string
		ramps      [2][7]string
	}{
		{"light", light, categories.light, [2][7]string{mapRamp.light, waitRamp.light}},
		{"dark", dark, categories.dark, [2][7]string{mapRamp.dark, waitRamp.dark}},
	} {
		for i, k := range c.categories {
			if got := contrast(t, k, c.paper); got < 3 {
				t.Errorf("%s: category %d has contrast %.2f, want 3 (WCAG 1.4.11)", c.name, i, got)
			}
		}
		for _, ramp := range c.ramps {
			last := 0.0
			for i, q := range ramp {
				got := contrast(t, q, c.paper)
				if got <= last {
					t.Errorf("%s: step %d of %q does not stand out more than the one before", c.name, i, ramp)
				}
				last = got
			}
		}
	}
}

func TestTheRampIsEvenToTheEye(t *testing.T) {
	lightness := func(c string) float64 { // CIE L*
		y := luminance(t, c)
		if y <= 216.0/24389 {
			return y * 24389 / 27
		}
		return 116*math.Cbrt(y) - 16
	}
	for name, ramp := range map[string][7]string{
		"holders, light": mapRamp.light, "holders, dark": mapRamp.dark, "waits, light": waitRamp.light, "waits, dark": waitRamp.dark,
	} {
		whole := math.Abs(lightness(ramp[6]) - lightness(ramp[0]))
		for i := 1; i < 7; i++ {
			if step := math.Abs(lightness(ramp[i])-lightness(ramp[i-1])) / whole * 6; step < 0.85 || step > 1.15 {
				t.Errorf("%s: step %d is %.2f of an even one", name, i, step)
			}
		}
	}
}
