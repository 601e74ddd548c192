package panel

import (
	"fmt"
	"time"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/world"
)

// Result is what a panel run found.
type Result struct {
	Citizens  int
	Different []Difference
	Probes    int // adversarial requests and looks, beside the lives
	Verdict   *oracle.Verdict
	History   *oracle.History

	restart restart
	agreed  agreed
	n       world.Counts
	batches uint64
}

// Difference is a life that went otherwise on the real service.
type Difference struct {
	Citizen       uint64
	Step          int // index of the first outcome that differs
	Nation, Panel []string
}

// fullPanel is the size from which every property must have had an opportunity:
// a smaller panel may miss one by chance.
const fullPanel = 100

// Equal is the number of citizens whose every outcome equals nation's.
func (r *Result) Equal() int {
	n := r.Citizens
	for _, d := range r.Different {
		if d.Citizen < firstOfCast {
			n--
		}
	}
	return n
}

// Failures are the sentences that fail the run; none if all is well.
func (r *Result) Failures() (out []string) {
	for _, d := range r.Different {
		out = append(out, fmt.Sprintf("citizen %d lived otherwise on the real service:\n  nation: %s\n  panel:  %s", d.Citizen, d.Nation[d.Step], d.Panel[d.Step]))
	}
	for _, f := range r.Verdict.Findings {
		out = append(out, fmt.Sprintf("%s: %s (citizen %s)", f.Property, f.Sentence, f.Citizen))
	}
	if n := r.Verdict.Violations() - len(r.Verdict.Findings); n > 0 {
		out = append(out, fmt.Sprintf("and %d further violations", n))
	}
	if r.Citizens >= fullPanel {
		for _, p := range r.Verdict.Untested() {
			out = append(out, fmt.Sprintf("%s had no opportunity: the panel has not tested it", p))
		}
	}
	if r.restart.Missing > 0 {
		out = append(out, fmt.Sprintf("%d acknowledged changes were missing after the restart", r.restart.Missing))
	}
	if r.restart.Twice > 0 {
		out = append(out, fmt.Sprintf("%d repeated requests took effect twice", r.restart.Twice))
	}
	if r.Citizens >= fullPanel && r.restart.InFlight == 0 {
		out = append(out, "the service was never dropped with a request in flight")
	}
	return out
}

// Fill writes the panel's figures into a result.
func (r *Result) Fill(out *reports.Result) {
	n := &r.n
	p := &reports.Panel{
		Citizens: int64(r.Citizens), Operations: n.Operations, Issued: n.Issued, Presentations: n.Presentations,
		Reports: n.Reports, Releases: n.Releases, APDUs: n.APDUs, SignaturesMade: n.Made, SignaturesVerified: n.Verified,
		Commits: n.Commits, StatusLists: n.Lists, TrajectoriesEqual: int64(r.Equal()),
		TrajectoriesDifferent: []reports.Trajectory{},
		Restart: reports.Restart{InFlight: int64(r.restart.InFlight), Acknowledged: int64(r.restart.Acknowledged),
			Missing: int64(r.restart.Missing), Twice: int64(r.restart.Twice)},
	}
	if !r.restart.At.IsZero() {
		p.Restart.At = r.restart.At.Format(time.RFC3339)
	}
	for _, d := range r.Different {
		p.TrajectoriesDifferent = append(p.TrajectoriesDifferent, reports.Trajectory{Citizen: d.Citizen, Step: d.Step, Nation: d.Nation, Panel: d.Panel})
	}
	if v := r.Verdict; r.History.Failover != nil {
		p.Lost = &reports.PanelLoss{Declared: int64(v.DeclaredLost), Refused: int64(v.LostRefused), Accepted: int64(v.LostAccepted)}
	}
	out.Panel = p
	out.Agreement = r.agreed.rows()
	out.Suspension.ByProperty = reports.Properties{}
	for _, name := range oracle.Properties {
		c := r.Verdict.ByProperty[name]
		out.Suspension.ByProperty[string(name)] = reports.Property{Opportunities: int64(c.Opportunities), Violations: int64(c.Violations)}
	}
	out.Suspension.Violations = int64(r.Verdict.Violations())
	out.Meta.Host.Batches = int64(r.batches)
	out.Meta.Host.Fsyncs = int64(r.batches) // each batch is one sync of the log
}
