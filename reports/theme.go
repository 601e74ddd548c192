package reports

import (
	"fmt"
	"strings"
)

// THE COLOURS OF THE REPORT. Change them here and nowhere else.
//
// mapRamp colours the regions by holders, waitRamp all that is a wait, from little
// to much: each one hue family, with the same even steps of lightness (OKLCH 0.94
// to 0.40 in light, 0.32 to 0.89 in dark). They are blue and ochre because they lie
// on one another on the map, and stay apart for those who see fewer colours. categories are Okabe and Ito's colour-blind safe hues,
// darkened for light paper until they stand out 3:1. accent is for faults and
// violations only. A test computes the contrasts.

var mapRamp = struct{ light, dark [7]string }{
	light: [7]string{"#d6f1f8", "#b0d5e1", "#8cb9cb", "#6a9db6", "#4982a2", "#27668e", "#114b75"},
	dark:  [7]string{"#18354d", "#26506c", "#336d8d", "#3f8cae", "#59aac9", "#7ec9e0", "#a4e7f8"},
}

var waitRamp = struct{ light, dark [7]string }{
	light: [7]string{"#f7ecbe", "#e5cc84", "#d1ac54", "#b98d2f", "#9f7113", "#835600", "#663d00"},
	dark:  [7]string{"#432e14", "#62451b", "#825f21", "#a07b2d", "#be9940", "#d9b95a", "#f1da84"},
}

var categories = struct{ light, dark [6]string }{
	//               blue       orange     green      purple     sky        ink
	light: [6]string{"#0072b2", "#c98400", "#009e73", "#c4659a", "#3a9ad4", "#5b6066"},
	dark:  [6]string{"#4aa3df", "#e69f00", "#2bb98d", "#d98bb6", "#8fd0f5", "#a8b0b8"},
}

type theme struct {
	paper, panel, ink, muted, rule string // ground, raised ground, text, second text, lines
	closed, absent                 string // closed days, regions that were not run
	accent                         string // faults and violations
}

var (
	light = theme{
		paper: "#fcfcfa", panel: "#f2f3f0", ink: "#1b1f23", muted: "#596069", rule: "#cfd3d6",
		closed: "#ecedea", absent: "#e4e5e2", accent: "#c24e00",
	}
	dark = theme{
		paper: "#14181b", panel: "#1d2226", ink: "#e6e8ea", muted: "#a3abb3", rule: "#3a4147",
		closed: "#1f2428", absent: "#262b30", accent: "#ff7a33",
	}
)

// themeCSS declares the colours as custom properties, for light, dark and print.
func themeCSS() string {
	declare := func(t theme, ramp, waits [7]string, cat [6]string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "--paper:%s;--panel:%s;--ink:%s;--muted:%s;--rule:%s;--closed:%s;--absent:%s;--accent:%s;",
			t.paper, t.panel, t.ink, t.muted, t.rule, t.closed, t.absent, t.accent)
		for i, c := range ramp {
			fmt.Fprintf(&b, "--q%d:%s;--w%d:%s;", i, c, i, waits[i])
		}
		for i, c := range cat {
			fmt.Fprintf(&b, "--c%d:%s;", i, c)
		}
		return b.String()
	}
	l := declare(light, mapRamp.light, waitRamp.light, categories.light)
	d := declare(dark, mapRamp.dark, waitRamp.dark, categories.dark)
	return ":root{color-scheme:light dark;" + l + "}\n" +
		"@media (prefers-color-scheme:dark){:root{" + d + "}}\n" +
		"@media print{:root{color-scheme:light;" + l + "}}\n"
}
