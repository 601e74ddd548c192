package panel

import (
	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/rollout"
)

// metrics are the outcomes that are counted on both sides for the result's
// comparison: what the same citizens came to in nation's model and at the real
// service.
var metrics = [...]struct {
	name string
	acts []rollout.Act
	is   func(outcome string) bool
}{
	{"mobile cards issued to the panel", issuing, outcome("granted")},
	{"applications of the panel refused", issuing, func(o string) bool { return o != "granted" && !environmental[o] }},
	{"presentations of the panel accepted", presenting, outcome("accepted")},
	{"presentations of the panel refused as suspended", presenting, outcome("suspended")},
	{"presentations of the panel not answered", presenting, func(o string) bool { return o == "cannot-tell" || environmental[o] }},
	{"reports of the panel acknowledged", []rollout.Act{rollout.ActReportPhysical, rollout.ActReportMobile}, outcome("granted")},
	{"reports of the panel released", []rollout.Act{rollout.ActReleasePhysical, rollout.ActReleaseMobile}, outcome("granted")},
	{"plastic cards registered for the panel", []rollout.Act{rollout.ActRegisterCard}, outcome("granted")},
}

var (
	issuing    = []rollout.Act{rollout.ActIssueTap, rollout.ActIssueCentre}
	presenting = []rollout.Act{rollout.ActPresent, rollout.ActFinderPresents}

	environmental = map[string]bool{
		rollout.Unavailable.String(): true, rollout.TagLost.String(): true, rollout.PINWrong.String(): true,
	}
)

func outcome(want string) func(string) bool { return func(o string) bool { return o == want } }

// agreed counts outcomes by metric, in nation and in the panel.
type agreed [len(metrics)]struct{ nation, panel int64 }

func (a *agreed) count(act rollout.Act, nation, panel string) {
	for i := range metrics {
		m := &metrics[i]
		for _, x := range m.acts {
			if x != act {
				continue
			}
			if m.is(nation) {
				a[i].nation++
			}
			if m.is(panel) {
				a[i].panel++
			}
		}
	}
}

// rows are the comparison as the result shows it: the same lives, so no margin.
func (a *agreed) rows() []reports.Agreement {
	out := make([]reports.Agreement, 0, len(a))
	for i, n := range a {
		out = append(out, reports.Agreement{Metric: metrics[i].name, Nation: reports.Num(n.nation), Panel: reports.Num(n.panel),
			Live: reports.None(), Margin: 0, Agrees: n.nation == n.panel})
	}
	return out
}
