package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/wholefile"
)

// BesideID names the version of results side by side; the rule is that of SchemaID.
const BesideID = "rollcall-beside/1"

// MostBeside is how many results can be told apart in a picture.
const MostBeside = 6

// Names of the files that results side by side are written to.
const (
	BesideFile       = "compare.json"
	BesideReportFile = "compare.html"
)

// A Side is a result to lay beside others.
type Side struct {
	Name   string // short, and its own
	Result *Result
	// Parameters are those of its whole scenario, in order; nil where they are not
	// known.
	Parameters []Parameter
	// OtherInputs says that a scenario was there which is not the one that the
	// figures came from.
	OtherInputs bool
}

// Parameter is a value of a scenario, as a scenario writes it.
type Parameter struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

// Beside is several results side by side: each against the first. Everything that
// the page shows stands here; whatever has a place for each result has it in their
// order.
type Beside struct {
	Schema    string         `json:"schema"` // BesideID
	Command   string         `json:"command"`
	Tolerance []string       `json:"tolerance"` // as it was stated
	Results   []BesideResult `json:"results"`
	// WholeScenarios says that all parameters were compared, not only those with a
	// source.
	WholeScenarios bool              `json:"whole_scenarios"`
	Parameters     []BesideParameter `json:"parameters"` // that differ
	Alike          int               `json:"parameters_alike"`
	Figures        []BesideFigure    `json:"figures"`
	Faults         []BesideFault     `json:"faults"`
	Days           []BesideDay       `json:"days"` // all that any of them has
	Notes          []string          `json:"notes"`
	Differ         int               `json:"differ"`      // figures that differ from the first's, all results together
	Beyond         int               `json:"beyond"`      // of them, beyond the tolerance
	Comparisons    []*Comparison     `json:"comparisons"` // of the second with the first, of the third, ...
	remarks        []remark
	loads          bool     // of the service that runs
	closed         []string // days on which centres are closed in all of them
}

// BesideResult is one of the results.
type BesideResult struct {
	Name string `json:"name"`
	Compared
	Title        string `json:"title"`
	Start        string `json:"start"`
	End          string `json:"end"`
	Replications int64  `json:"replications"` // by chance
}

// BesideParameter is a parameter that is not the same in all.
type BesideParameter struct {
	Path   string   `json:"path"`
	Values []string `json:"values"` // empty: it has none, as of a fault of another one
}

// BesideFigure is one headline figure of each run itself.
type BesideFigure struct {
	Metric     string `json:"metric"`
	Way        string `json:"way"`
	Unit       string `json:"unit"`
	Definition string `json:"definition"`
	Values     []Num  `json:"values"`
	Has        []bool `json:"has"` // the result has such a figure; where it has and there is no value, it was not reached or nothing was counted
	form       string
	never      bool
}

// BesideFault is one fault of one of the results.
type BesideFault struct {
	Result int `json:"result"` // index of the result
	Recovery
	First int     `json:"first_hour"`   // of the time line, counted from the hour in which the fault begins
	More  []int64 `json:"more_waiting"` // by hour of the time line: intents waiting beyond those of the run without the fault
}

// BesideDay is one day of each result; null where it has no such day, or nobody
// came.
type BesideDay struct {
	Date    string `json:"date"`
	Holders []Num  `json:"holders"`
	Wait    []Num  `json:"wait_p95_s"`
	Done    []Num  `json:"done"` // cards issued, presentations answered, losses reported and withdrawn
}

// LayBeside lays results side by side. The error says why they cannot be.
func LayBeside(sides []Side, tolerances Tolerances, command string) (*Beside, error) {
	if len(sides) < 2 || len(sides) > MostBeside {
		return nil, fmt.Errorf("%d results cannot be laid side by side (name 2 to %d)", len(sides), MostBeside)
	}
	b := &Beside{Schema: BesideID, Command: command, Tolerance: tolerances.stated, Parameters: []BesideParameter{},
		Figures: []BesideFigure{}, Faults: []BesideFault{}, Days: []BesideDay{}, Notes: []string{}}
	base := sides[0]
	b.loads = base.Result.Live != nil
	for i, s := range sides {
		r := s.Result
		row := BesideResult{Name: s.Name, Compared: compared(r), Title: r.Meta.Title, Start: r.Meta.Start, End: r.Meta.End}
		if r.Uncertainty != nil {
			row.Replications = r.Uncertainty.Chance.Runs
		}
		b.Results = append(b.Results, row)
		if i == 0 {
			continue
		}
		c, err := Compare(base.Result, r, tolerances)
		if err != nil {
			return nil, fmt.Errorf("BASE is %s and HEAD is %s: %w", base.Name, s.Name, err)
		}
		b.Comparisons = append(b.Comparisons, c)
		b.Differ += c.Differ
		b.Beyond += c.Beyond
		for _, n := range c.remarks {
			b.remark(named(n, base.Name, s.Name))
		}
	}
	b.layFigures(sides)
	b.layParameters(sides)
	b.layDays(sides)
	b.layFaults(sides)
	return b, nil
}

func (b *Beside) remark(n remark) {
	text := n.english()
	if !slices.Contains(b.Notes, text) {
		b.remarks, b.Notes = append(b.remarks, n), append(b.Notes, text)
	}
}

// named is a remark about BASE and HEAD with the names that they have here.
func named(n remark, base, head string) remark {
	args := slices.Clone(n.args)
	for i := 1; i < len(args); i += 2 {
		switch args[i] {
		case "BASE":
			args[i] = base
		case "HEAD":
			args[i] = head
		}
	}
	switch n.key {
	case "note.single", "note.interrupted", "note.missing": // about one of them
		return remark{n.key, args}
	}
	return remark{n.key + ".named", append(args, "first", base, "other", head)}
}

func (b *Beside) layFigures(sides []Side) {
	for k, s := range sides {
		for _, h := range Headlines(s.Result) {
			i := slices.IndexFunc(b.Figures, func(f BesideFigure) bool { return f.Metric == h.Metric })
			if i < 0 {
				f := BesideFigure{Metric: h.Metric, Way: h.Definition.Way, Unit: h.Definition.Unit, Definition: h.Definition.Definition,
					Values: make([]Num, len(sides)), Has: make([]bool, len(sides)), form: h.form, never: h.Never}
				for j := range f.Values {
					f.Values[j] = None()
				}
				i, b.Figures = len(b.Figures), append(b.Figures, f)
			}
			b.Figures[i].Values[k], b.Figures[i].Has[k] = h.Value, true
		}
	}
}

// layParameters finds what the scenarios do not have in common. Where one of them is
// not known, what each result says of its assumptions has to do.
func (b *Beside) layParameters(sides []Side) {
	b.WholeScenarios = true
	for _, s := range sides {
		if s.Parameters == nil {
			b.WholeScenarios = false
			key := "note.unresolved"
			if s.OtherInputs {
				key = "note.otherinputs"
			}
			if s.Result.Live == nil {
				b.remark(remark{key, []any{"which", s.Name}})
			}
		}
	}
	var paths []string
	values := make([]map[string]string, len(sides))
	for k, s := range sides {
		values[k] = map[string]string{}
		all := s.Parameters
		if !b.WholeScenarios {
			m := s.Result.Meta
			all = []Parameter{{"seed", fmt.Sprint(m.Seed)}, {"start", m.Start}, {"end", m.End}}
			for _, a := range s.Result.Trust.Assumptions {
				all = append(all, Parameter{a.Path, a.Value})
			}
		}
		for _, p := range all {
			if p.Path == "title" || p.Path == "description" {
				continue
			}
			values[k][p.Path] = p.Value
			if k == 0 || !slices.ContainsFunc(values[:k], func(m map[string]string) bool { _, ok := m[p.Path]; return ok }) {
				paths = append(paths, p.Path)
			}
		}
	}
	for _, path := range paths {
		row := BesideParameter{Path: path}
		for k := range sides {
			row.Values = append(row.Values, values[k][path])
		}
		switch {
		case !b.WholeScenarios && slices.Contains(row.Values, ""): // one of them does not say
		case len(slices.Compact(slices.Clone(row.Values))) == 1:
			b.Alike++
		default:
			b.Parameters = append(b.Parameters, row)
		}
	}
}

func (b *Beside) layDays(sides []Side) {
	at := map[string]int{}
	for _, s := range sides {
		for _, d := range s.Result.Nation.ByDay {
			at[d.Date] = 0
		}
	}
	none := func() []Num {
		row := make([]Num, len(sides))
		for i := range row {
			row[i] = None()
		}
		return row
	}
	for date := range at {
		b.Days = append(b.Days, BesideDay{date, none(), none(), none()})
	}
	slices.SortFunc(b.Days, func(x, y BesideDay) int { return strings.Compare(x.Date, y.Date) })
	for i, d := range b.Days {
		at[d.Date] = i
	}
	closed := map[string]int{}
	for k, s := range sides {
		for _, d := range s.Result.Nation.ByDay {
			day := &b.Days[at[d.Date]]
			day.Holders[k], day.Wait[k] = Num(d.Holders), d.WaitP95
			day.Done[k] = Num(d.IssuedTap + d.IssuedCentre + d.Verifications - d.TurnedAway + d.ReportsPhysical + d.ReportsMobile + d.Releases)
		}
		for _, date := range s.Result.Meta.Closed {
			closed[date]++
		}
	}
	for _, d := range b.Days {
		if closed[d.Date] == len(sides) {
			b.closed = append(b.closed, d.Date)
		}
	}
}

func (b *Beside) layFaults(sides []Side) {
	for k, s := range sides {
		for _, f := range s.Result.Recovery {
			row := BesideFault{Result: k, Recovery: f, More: []int64{}}
			for _, h := range f.Timeline {
				row.More = append(row.More, h.Backlog-h.BacklogTwin)
			}
			if from, ok := parseTime(f.From); ok && len(f.Timeline) > 0 {
				if first, ok := parseTime(f.Timeline[0].T); ok {
					row.First = int(math.Floor(first.Sub(from.Truncate(time.Hour)).Hours() + 0.5))
				}
			}
			b.Faults = append(b.Faults, row)
		}
	}
}

// against is the comparison of a result's figure with the first's, and its place;
// nil where one of them has not got it.
func (b *Beside) against(k int, metric string) (*ComparedFigure, int) {
	if k == 0 {
		return nil, 0
	}
	figures := b.Comparisons[k-1].Figures
	if i := slices.IndexFunc(figures, func(f ComparedFigure) bool { return f.Metric == metric }); i >= 0 {
		return &figures[i], i
	}
	return nil, 0
}

// EncodeBeside returns compare.json.
func EncodeBeside(b *Beside) ([]byte, error) {
	var w bytes.Buffer
	enc := json.NewEncoder(&w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(b); err != nil {
		return nil, fmt.Errorf("the comparison cannot be written as JSON: %w", err)
	}
	return layout(w.Bytes(), 2), nil
}

// WriteBeside writes compare.html and compare.json into a folder, which it makes
// when there is none.
func WriteBeside(dir string, b *Beside) error {
	data, err := EncodeBeside(b)
	if err != nil {
		return err
	}
	doc, err := ParseDocument(data)
	if err != nil {
		return err
	}
	var page []byte
	if b.loads {
		page, err = renderLoads(b)
	} else {
		page, err = renderBeside(b, doc)
	}
	if err != nil {
		return fmt.Errorf("the page cannot be made: %w", err)
	}
	return folder{dir, wholefile.OS}.write([]file{{BesideReportFile, page}, {BesideFile, data}})
}
