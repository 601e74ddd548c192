package reports

import (
	"maps"
	"slices"
	"strings"
)

// derive fills the figures that are arithmetic on the others.
func derive(r *Result) {
	r.Meta.Schema = SchemaID
	r.Definitions = Definitions()
	// What is not there needs no definition.
	undefine := func(below string) {
		maps.DeleteFunc(r.Definitions, func(pointer string, _ Definition) bool { return strings.HasPrefix(pointer, below) })
	}
	if r.Uncertainty == nil {
		undefine("/uncertainty/")
	}
	if r.Live == nil {
		undefine("/live/")
	} else {
		r.Live.derive()
		for _, at := range []string{"/expectations/*/value", "/verdict/expectations", "/verdict/failed"} {
			d := r.Definitions[at]
			d.Way, d.Clock = "live", "wall"
			r.Definitions[at] = d
		}
	}
	if !slices.ContainsFunc(r.Recovery, func(f Recovery) bool { return f.Cards != nil }) {
		undefine("/recovery/*/cards/")
		undefine("/recovery/*/functions/card_delivery/")
	}

	r.Verdict = Verdict{Expectations: int64(len(r.Expectations)), Holds: true}
	for _, e := range r.Expectations {
		if !e.Holds {
			r.Verdict.Failed++
			r.Verdict.Holds = false
		}
	}

	n := &r.Nation
	n.Issued.TapShare = ratio(n.Issued.Tap, n.Issued.Total, 1)
	n.Issued.CentreShare = ratio(n.Issued.Centre, n.Issued.Total, 1)
	v := &n.Verification
	v.RefusedShare = ratio(v.RejectedSuspended+v.RejectedOther, v.Count, 1)
	citizens := map[string]int64{"": n.Citizens}
	for i := range n.ByRegion {
		row := &n.ByRegion[i]
		citizens[row.Region] = row.Citizens
		row.PerThousand = ratio(row.Holders, row.Citizens, 1000)
	}
	x := &n.Exclusion
	x.Total.derive()
	for _, rows := range [][]ExclusionRow{x.ByAge, x.ByPhone, x.ByRegion, x.Cells} {
		for i := range rows {
			rows[i].derive()
		}
	}
	for _, rows := range [][]DayRow{n.ByDay, n.Series} {
		for i := range rows {
			rows[i].PerThousand = ratio(rows[i].Holders, citizens[rows[i].Region], 1000)
		}
	}

	if r.Uncertainty != nil {
		r.Uncertainty.mark(r)
	}

	s := &r.Suspension
	s.Opportunities, s.Properties = 0, 0
	for _, p := range s.ByProperty {
		s.Opportunities += p.Opportunities
		if p.Opportunities > 0 {
			s.Properties++
		}
	}

	for i := range r.Recovery {
		f := &r.Recovery[i]
		f.PeakBacklog, f.PeakBacklogTwin, f.EndBacklog = 0, 0, 0
		for _, p := range f.Timeline {
			f.PeakBacklog = max(f.PeakBacklog, p.Backlog)
			f.PeakBacklogTwin = max(f.PeakBacklogTwin, p.BacklogTwin)
			f.EndBacklog = p.Backlog
		}
		for _, fn := range []*Function{&f.Functions.Issuance, &f.Functions.OnlineVerification, &f.Functions.OfflineVerification, &f.Functions.Suspension, f.Functions.CardDelivery} {
			if fn == nil {
				continue
			}
			fn.Share = ratio(fn.Succeeded, fn.Attempts, 1)
		}
	}
}

func (r *ExclusionRow) derive() { r.Share = ratio(r.Excluded, r.Wanted, 1) }

func ratio(part, whole int64, per float64) Num {
	if whole == 0 {
		return None()
	}
	return Num(float64(part) * per / float64(whole))
}
