package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"rollcall.example/rollcall/wholefile"
)

// PlanSchema is the version of Plan's form.
const PlanSchema = 1

// Names of the files that a plan leaves.
const (
	PlanFile         = "plan.json"
	PlanTableFile    = "plan.csv"
	PlanReportFile   = "plan.html"
	PlanScenarioFile = "plan.yaml"
)

// Plan is a decision that meets a target, with its price and what it was checked by.
type Plan struct {
	Schema      int               `json:"schema"`
	Version     string            `json:"version"`
	Command     string            `json:"command"`
	Scenario    string            `json:"scenario"`
	Title       string            `json:"title"`
	Seed        uint64            `json:"seed"`
	By          string            `json:"by"` // counters, appointments, opening
	Target      string            `json:"target"`
	Limits      []PlanLimit       `json:"limits"`
	Verdict     PlanVerdict       `json:"verdict"`
	Cost        PlanCost          `json:"cost"`
	Regions     []PlanRegion      `json:"regions"`
	Opening     []PlanOpening     `json:"opening,omitempty"`
	Centres     []PlanCentre      `json:"centres"`
	Unmet       []PlanUnmet       `json:"unmet"`
	Checks      []PlanCheck       `json:"checks"`
	Definitions map[string]string `json:"definitions"`
}

// PlanLimit is one comparison of the target.
type PlanLimit struct {
	Text        string     `json:"text"`
	Definition  string     `json:"definition"`
	Unit        string     `json:"unit"` // s, share
	Limit       Num        `json:"limit"`
	Before      PlanFigure `json:"before"` // as the scenario is
	After       PlanFigure `json:"after"`  // in a full run of the plan
	MetByItself bool       `json:"met_by_itself"`
}

// PlanFigure is a limited figure: of the nation, or the largest of its parts.
type PlanFigure struct {
	Value  Num    `json:"value"`
	Where  string `json:"where,omitempty"` // code of the part with the largest
	Name   string `json:"name,omitempty"`
	Parts  int    `json:"parts"`  // for which it was judged
	Beyond int    `json:"beyond"` // of them over the limit
}

// PlanVerdict says whether the plan meets the target, and if not why.
type PlanVerdict struct {
	Holds bool   `json:"holds"`
	Why   string `json:"why,omitempty"`
}

// PlanCost prices the plan.
type PlanCost struct {
	CountersNow     int64  `json:"counters_now"`
	CountersPlanned int64  `json:"counters_planned"`
	CentresChanged  int    `json:"centres_changed"`
	OpenDays        int    `json:"open_days"`
	PeopleDays      int64  `json:"people_days"`
	Wage            int64  `json:"wage_won"`
	WageSource      string `json:"wage_source"`
	Won             int64  `json:"won"`
	Budget          int64  `json:"budget_won,omitempty"`
	Most            int    `json:"at_most"`
	WaitedBefore    Num    `json:"waited_before_h"`
	WaitedAfter     Num    `json:"waited_after_h"`
	PutOff          int64  `json:"put_off,omitempty"`
	PutOffDays      int64  `json:"put_off_days,omitempty"`
	PutOffLongest   int64  `json:"put_off_longest_days,omitempty"`
	LongestAllowed  int    `json:"put_off_at_most_days,omitempty"`
	DelayNow        int64  `json:"holder_days_later_now,omitempty"`
	Delay           int64  `json:"holder_days_later_planned,omitempty"`
}

// PlanOpening is when a region opens.
type PlanOpening struct {
	Region            string `json:"region"`
	Name              string `json:"name"`
	NameKo            string `json:"name_ko"`
	OpensNow          string `json:"opens_now"`
	OpensPlanned      string `json:"opens_planned"`
	HoldersNow        int64  `json:"holders_now"` // at the end of the run
	HoldersPlanned    int64  `json:"holders_planned"`
	HolderDaysNow     int64  `json:"holder_days_now"`
	HolderDaysPlanned int64  `json:"holder_days_planned"`
	HolderDaysBest    int64  `json:"holder_days_earliest"`
	WaitBefore        Num    `json:"wait_p95_before_s"`
	WaitAfter         Num    `json:"wait_p95_after_s"`
}

// PlanRegion is the plan of a region.
type PlanRegion struct {
	Region          string `json:"region"`
	Name            string `json:"name"`
	NameKo          string `json:"name_ko"`
	CountersNow     int64  `json:"counters_now"`
	CountersPlanned int64  `json:"counters_planned"`
	CentresChanged  int    `json:"centres_changed"`
	PeopleDays      int64  `json:"people_days"`
	Won             int64  `json:"won"`
	WaitBefore      Num    `json:"wait_p95_before_s"`
	WaitAfter       Num    `json:"wait_p95_after_s"`
	LeftBefore      int64  `json:"left_before"`
	LeftAfter       int64  `json:"left_after"`
}

// PlanCentre is the plan of a centre.
type PlanCentre struct {
	Code            string `json:"code"`
	Name            string `json:"name"`
	Municipality    string `json:"municipality"`
	MunicipalName   string `json:"municipality_name"`
	Region          string `json:"region"`
	CountersNow     int    `json:"counters_now"`
	CountersPlanned int    `json:"counters_planned"`
	Visits          int64  `json:"visits"` // in the run of the plan
	WaitBefore      Num    `json:"wait_p95_before_s"`
	WaitAfter       Num    `json:"wait_p95_after_s"`
	MaxBefore       Num    `json:"wait_max_before_s"`
	MaxAfter        Num    `json:"wait_max_after_s"`
	LeftBefore      int64  `json:"left_before"`
	LeftAfter       int64  `json:"left_after"`
	Won             int64  `json:"won"`
	Appointments    int    `json:"appointments,omitempty"` // visits in an hour; 0: as many as come, or as the scenario says
	PutOff          int64  `json:"put_off,omitempty"`
	PutOffDays      int64  `json:"put_off_days,omitempty"`
	PutOffLongest   int64  `json:"put_off_longest_days,omitempty"`
}

// PlanUnmet is a part of the nation for which the target cannot be met.
type PlanUnmet struct {
	Limit string `json:"limit"`
	Code  string `json:"code,omitempty"` // empty: the nation
	Name  string `json:"name"`
	Value Num    `json:"value"` // what it comes to with all that may be done
	Why   string `json:"why"`
}

// PlanCheck is a full run of the plan.
type PlanCheck struct {
	Seed   uint64       `json:"seed"`
	Holds  bool         `json:"holds"`
	Limits []PlanFigure `json:"limits"`
}

// planDefinitions are of the figures whose names do not say it.
var planDefinitions = map[string]string{
	"counters_now":              "counters as the scenario has them",
	"people_days":               "counters more than now times the days on which centres are open within the run; less than 0: they are saved",
	"won":                       "people_days times wage_won",
	"wage_won":                  "centres.counter_wage: what an official at a counter costs for an open day",
	"visits":                    "arrivals for mobile and plastic cards and losses; other business waits in the same queues and is not counted",
	"wait_p95_before_s":         "arrival to counter of those served, 95th percentile, upper end of its bucket, in the run of the scenario as it is",
	"wait_p95_after_s":          "the same in a full run of the plan with the same seed",
	"left_before":               "visits that ended without service: turned round, left, sent home at closing time",
	"holder_days_now":           "holders of mobile cards, day by day, added up over the run",
	"holder_days_earliest":      "holder days if the region opened on the best of the days for it",
	"holder_days_later_planned": "holder days fewer than if each region opened on the best of the days for it: the price of waiting",
	"appointments":              "visits for cards and losses that a centre takes in an hour; who would come to a full hour is given the same time of the next open day with room",
	"put_off":                   "visits that were given another day, in the run of the plan",
	"put_off_days":              "days by which they were put off, together",
	"waited_before_h":           "hours that people stood before the counters, other business too",
	"limits.value":              "of the nation, or the largest of its parts where each is judged by itself",
	"limits.beyond":             "parts over the limit",
	"checks":                    "full runs of the plan: first with the scenario's seed, for which it was made, then with others",
}

// EncodePlan writes plan.json: one row of a table on a line.
func EncodePlan(p *Plan) ([]byte, error) {
	p.Schema, p.Definitions = PlanSchema, planDefinitions
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("the plan cannot be written as JSON: %w", err)
	}
	return layout(b.Bytes(), 2), nil
}

// WritePlan writes a plan into a folder: the table, the page, the figures, and
// scenario, the file that runs it.
func WritePlan(dir string, p *Plan, scenario []byte) error {
	data, err := EncodePlan(p)
	if err != nil {
		return err
	}
	page, err := renderPlan(p)
	if err != nil {
		return fmt.Errorf("the report cannot be made: %w", err)
	}
	return folder{dir, wholefile.OS}.write([]file{{PlanTableFile, planTable(p)}, {PlanScenarioFile, scenario}, {PlanReportFile, page}, {PlanFile, data}})
}

// planTable is a row for each centre, or for each region that opens.
func planTable(p *Plan) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if len(p.Opening) > 0 {
		w.Write([]string{"region", "name", "opens_now", "opens_planned", "holders_now", "holders_planned", "holder_days_now", "holder_days_planned", "holder_days_earliest"})
		for _, r := range p.Opening {
			row := []string{r.Region, r.Name, r.OpensNow, r.OpensPlanned}
			for _, n := range []int64{r.HoldersNow, r.HoldersPlanned, r.HolderDaysNow, r.HolderDaysPlanned, r.HolderDaysBest} {
				row = append(row, strconv.FormatInt(n, 10))
			}
			w.Write(row)
		}
		w.Flush()
		return b.Bytes()
	}
	w.Write([]string{"code", "name", "municipality", "municipality_name", "region", "counters_now", "counters_planned", "extra", "visits",
		"wait_p95_before_s", "wait_p95_after_s", "wait_max_before_s", "wait_max_after_s", "left_before", "left_after", "won", "appointments", "put_off", "put_off_days", "put_off_longest_days"})
	num := func(n Num) string {
		if !n.Known() {
			return ""
		}
		return string(n.append(nil))
	}
	for _, c := range p.Centres {
		w.Write([]string{c.Code, c.Name, c.Municipality, c.MunicipalName, c.Region, strconv.Itoa(c.CountersNow), strconv.Itoa(c.CountersPlanned),
			strconv.Itoa(c.CountersPlanned - c.CountersNow), strconv.FormatInt(c.Visits, 10), num(c.WaitBefore), num(c.WaitAfter), num(c.MaxBefore), num(c.MaxAfter),
			strconv.FormatInt(c.LeftBefore, 10), strconv.FormatInt(c.LeftAfter, 10), strconv.FormatInt(c.Won, 10), strconv.Itoa(c.Appointments),
			strconv.FormatInt(c.PutOff, 10), strconv.FormatInt(c.PutOffDays, 10), strconv.FormatInt(c.PutOffLongest, 10)})
	}
	w.Flush()
	return b.Bytes()
}

// PrintPlan writes the plan for people: what it takes, by region, what cannot be
// met, how it was checked.
func PrintPlan(out io.Writer, p *Plan, report string) error {
	var s strings.Builder
	c := &p.Cost
	fmt.Fprintf(&s, "%s   target %s\n", p.Scenario, p.Target)
	for _, l := range p.Limits {
		fmt.Fprintf(&s, "  %s\n    as it is: %s\n", l.Text, l.tell(l.Before))
		if !l.MetByItself {
			fmt.Fprintf(&s, "    planned:  %s\n", l.tell(l.After))
		}
	}
	fmt.Fprintf(&s, "\n%s\n", p.Headline())
	if p.By == "appointments" {
		w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', tabwriter.AlignRight)
		shown := 0
		for _, x := range p.Centres {
			if x.Appointments == 0 {
				continue
			}
			if shown == 0 {
				fmt.Fprintln(w, "centre\tcounters\tvisits an hour\tput off\tdays\tlongest\twait p95\tplanned\t")
			}
			if shown++; shown > maxUnmetShown {
				fmt.Fprintf(w, "and others, in %s\t\t\t\t\t\t\t\t\n", PlanTableFile)
				break
			}
			fmt.Fprintf(w, "%s %s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t\n", x.MunicipalName, x.Name, x.CountersNow, x.Appointments, Grouped(x.PutOff), Grouped(x.PutOffDays),
				several(x.PutOffLongest, "day"), PlanValue("s", x.WaitBefore), PlanValue("s", x.WaitAfter))
		}
		w.Flush()
	} else if c.CentresChanged > 0 {
		w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "region\tcounters\tplanned\tcentres changed\tpeople-days\twon\twait p95\tplanned\t")
		for _, r := range p.Regions {
			if r.CentresChanged == 0 {
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t\n", r.Name, Grouped(r.CountersNow), Grouped(r.CountersPlanned), r.CentresChanged,
				Grouped(r.PeopleDays), Grouped(r.Won), PlanValue("s", r.WaitBefore), PlanValue("s", r.WaitAfter))
		}
		fmt.Fprintf(w, "all\t%s\t%s\t%s\t%s\t%s\t\t\t\n", Grouped(c.CountersNow), Grouped(c.CountersPlanned), Grouped(int64(c.CentresChanged)), Grouped(c.PeopleDays), Grouped(c.Won))
		w.Flush()
	}
	if len(p.Opening) > 0 {
		w := tabwriter.NewWriter(&s, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "region\topens\tplanned\tholders at the end\tplanned\tholders' days\tplanned\twait p95\tplanned\t")
		for _, r := range p.Opening {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Name, r.OpensNow, r.OpensPlanned, Grouped(r.HoldersNow), Grouped(r.HoldersPlanned),
				Grouped(r.HolderDaysNow), Grouped(r.HolderDaysPlanned), PlanValue("s", r.WaitBefore), PlanValue("s", r.WaitAfter))
		}
		w.Flush()
	}
	for i, u := range p.Unmet {
		if i == 0 {
			s.WriteString("\ncannot be met:\n")
		}
		if i == maxUnmetShown {
			fmt.Fprintf(&s, "  and %d more, in %s\n", len(p.Unmet)-i, PlanFile)
			break
		}
		fmt.Fprintf(&s, "  %s\n", u.tell())
	}
	fmt.Fprintf(&s, "\n%s\n", p.Checked())
	if report != "" {
		fmt.Fprintf(&s, "report: %s\n", report)
	}
	_, err := io.WriteString(out, s.String())
	return err
}

// maxUnmetShown is how many parts that cannot meet the target are named.
const maxUnmetShown = 12

// Headline says in a sentence what the plan takes.
func (p *Plan) Headline() string {
	c := &p.Cost
	extra := c.CountersPlanned - c.CountersNow
	var s string
	switch {
	case p.By == "opening":
		moved := 0
		for _, r := range p.Opening {
			if r.OpensNow != r.OpensPlanned {
				moved++
			}
		}
		s = fmt.Sprintf("%d of %s on another day than now. That costs %s holders' days of delay against the best day for each region, %s as it is.",
			moved, several(int64(len(p.Opening)), "region"), Grouped(c.Delay), Grouped(c.DelayNow))
	case p.By == "appointments" && c.CentresChanged > 0:
		s = fmt.Sprintf("Appointments at %s: %s given another day, %s in all, at most %s.", several(int64(c.CentresChanged), "centre"),
			several(c.PutOff, "visit"), several(c.PutOffDays, "day"), several(c.PutOffLongest, "day"))
	case c.CentresChanged == 0 && p.Verdict.Holds:
		s = "The target is met with the counters that there are: nothing is to be done."
	case extra >= 0:
		s = fmt.Sprintf("%s more at %s: %s people-days, %s won at %s won a day [A].", several(extra, "counter"), several(int64(c.CentresChanged), "centre"), Grouped(c.PeopleDays), Grouped(c.Won), Grouped(c.Wage))
	default:
		s = fmt.Sprintf("%s fewer, %s changed: %s people-days and %s won saved, at %s won a day [A].", several(-extra, "counter"), several(int64(c.CentresChanged), "centre"), Grouped(-c.PeopleDays), Grouped(-c.Won), Grouped(c.Wage))
	}
	if c.CentresChanged > 0 {
		s += fmt.Sprintf(" People stand before the counters for %s hours instead of %s, other business too.", spell(c.WaitedAfter), spell(c.WaitedBefore))
	}
	if !p.Verdict.Holds {
		s += "\nThe target is not met: " + p.Verdict.Why + "."
	}
	return s
}

// Checked says how the plan was checked.
func (p *Plan) Checked() string {
	if len(p.Checks) == 0 {
		return "not checked by a full run"
	}
	s := fmt.Sprintf("verified by a full run with seed %d: %s", p.Checks[0].Seed, p.told(p.Checks[0]))
	others := p.Checks[1:]
	for _, c := range others {
		s += fmt.Sprintf("\n  with seed %d, for which it was not made: %s", c.Seed, p.told(c))
	}
	if len(others) == 0 {
		s += "; with no other seed (--seeds)"
	}
	return s
}

func (p *Plan) told(c PlanCheck) string {
	word := "met"
	if !c.Holds {
		word = "not met"
	}
	var each []string
	for i, f := range c.Limits {
		each = append(each, p.Limits[i].Text+": "+p.Limits[i].tell(f))
	}
	return word + " (" + strings.Join(each, "; ") + ")"
}

func (l *PlanLimit) tell(f PlanFigure) string {
	if f.Parts == 0 {
		return "nobody came"
	}
	s := PlanValue(l.Unit, f.Value)
	if f.Parts == 1 && f.Where == "" {
		return s
	}
	s += " at most, at " + f.Name
	if f.Beyond == 0 {
		return s + fmt.Sprintf("; all %s within", Grouped(int64(f.Parts)))
	}
	return s + fmt.Sprintf("; %s of %s over the limit", Grouped(int64(f.Beyond)), Grouped(int64(f.Parts)))
}

// PlanValue is a limited figure as people say it; the unit is s or share.
func PlanValue(unit string, n Num) string {
	return say(map[string]string{"share": "share", "s": "duration", "count": "count"}[unit], n)
}

func (u *PlanUnmet) tell() string {
	s := u.Name
	if u.Code != "" {
		s += " (" + u.Code + ")"
	}
	return s + ": " + u.Why
}

// several is a number of things.
func several(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return Grouped(n) + " " + thing
}

// Grouped is a whole number as people write it.
func Grouped(n int64) string { return spell(Num(n)) }
