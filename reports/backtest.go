package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"rollcall.example/rollcall/wholefile"
)

// BacktestSchema is the version of Backtest's form.
const BacktestSchema = 1

// Names of the files that a backtest leaves.
const (
	BacktestFile       = "backtest.json"
	BacktestReportFile = "backtest.html"
)

// Backtest is the model beside what really happened.
type Backtest struct {
	Schema     int                 `json:"schema"`
	Version    string              `json:"version"`
	Command    string              `json:"command"`
	Seeds      int                 `json:"seeds"` // of runs that are about single municipalities
	Settings   []string            `json:"settings,omitempty"`
	Targets    []BacktestTarget    `json:"targets"`
	Curves     []BacktestCurve     `json:"curves"`
	Parameters []BacktestParameter `json:"parameters"` // that were set with targets in view
	Unknown    []string            `json:"unknown"`    // what nobody has published
	Verdict    BacktestVerdict     `json:"verdict"`
}

// BacktestTarget is a published figure and the model's answer.
type BacktestTarget struct {
	ID        string `json:"id"`
	Item      string `json:"item"`
	Published Num    `json:"published"`
	Unit      string `json:"unit"`
	Date      string `json:"date"`
	Source    string `json:"source"`
	Mark      string `json:"mark"`
	Tolerance string `json:"tolerance"`
	Use       string `json:"use"` // fitted, predicted, input, shown
	Run       string `json:"run"`
	Measure   string `json:"measure"`
	Model     Num    `json:"model"` // the median where several seeds answered
	Low       Num    `json:"low"`   // least and largest of the seeds
	High      Num    `json:"high"`
	Error     Num    `json:"error"`
	ErrorKind string `json:"error_kind,omitempty"` // factor, share, amount
	Verdict   string `json:"verdict"`
	Why       string `json:"why,omitempty"` // it is not answered
}

// The verdicts.
const (
	Within      = "within"
	Off         = "off"
	ShownOnly   = "shown"
	NotAnswered = "not answered"
)

// BacktestCurve is another wallet's users and the laws that were fitted to them.
type BacktestCurve struct {
	Wallet string          `json:"wallet"`
	Opened string          `json:"opened"`
	Source string          `json:"source"`
	Unit   string          `json:"unit"`
	Points []BacktestPoint `json:"points"`
	Fits   []BacktestFit   `json:"fits"` // from the fewest parameters to the most
}

// BacktestPoint is a published figure.
type BacktestPoint struct {
	Days      Num    `json:"days"` // since the wallet opened
	Date      string `json:"date"`
	Published Num    `json:"published"`
}

// BacktestFit is a law with its parameters and what it leaves.
type BacktestFit struct {
	Law        string           `json:"law"`
	RMSE       Num              `json:"rmse"`
	Figures    int              `json:"figures"`
	Parameters []BacktestFitted `json:"parameters"`
	Residuals  []Num            `json:"residuals"` // fitted less published
	Line       [][2]Num         `json:"line"`      // days, users
}

// BacktestFitted is a fitted parameter.
type BacktestFitted struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"` // four digits
	Unit    string  `json:"unit"`
	AtLimit bool    `json:"at_limit"` // the figures do not hold it
}

// BacktestParameter is a parameter of the scenario that was set with targets in view.
type BacktestParameter struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Mark    string `json:"mark"`
	Targets string `json:"targets"`
	Source  string `json:"source"`
}

// BacktestVerdict counts the targets.
type BacktestVerdict struct {
	Claimed     int  `json:"claimed"` // that the model says it meets
	Within      int  `json:"within"`
	Off         int  `json:"off"`
	Shown       int  `json:"shown"`
	NotAnswered int  `json:"not_answered"`
	Holds       bool `json:"holds"` // none is off
}

// Significant rounds to four digits that count.
func Significant(x float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'e', 3, 64), 64)
	return r
}

// Count fills the verdict.
func (b *Backtest) Count() {
	v := BacktestVerdict{}
	for _, t := range b.Targets {
		switch t.Verdict {
		case Within:
			v.Within++
		case Off:
			v.Off++
		case ShownOnly:
			v.Shown++
		default:
			v.NotAnswered++
		}
	}
	v.Claimed = v.Within + v.Off
	v.Holds = v.Off == 0
	b.Verdict = v
}

// EncodeBacktest writes it as JSON.
func EncodeBacktest(b *Backtest) ([]byte, error) {
	var w bytes.Buffer
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(b)
	return w.Bytes(), err
}

// WriteBacktest writes the page and the figures into a folder.
func WriteBacktest(dir string, b *Backtest) error {
	data, err := EncodeBacktest(b)
	if err != nil {
		return err
	}
	page, err := renderBacktest(b)
	if err != nil {
		return fmt.Errorf("the report cannot be made: %w", err)
	}
	return folder{dir, wholefile.OS}.write([]file{{BacktestReportFile, page}, {BacktestFile, data}})
}

// PrintBacktest writes the table, what was fitted, and the verdict last. Where the
// terminal is too narrow for all columns, each target has a line for what it is, and
// one below it for the figures.
func PrintBacktest(out io.Writer, b *Backtest, t Terminal) error {
	var s strings.Builder
	b.table(&s)
	if t.Width > 0 && widest(s.String()) > t.Width {
		s.Reset()
		b.folded(&s, t.Width)
	}
	say := func(indent, format string, args ...any) { wrap(&s, fmt.Sprintf(format, args...), indent, t.Width) }
	for _, c := range b.Curves {
		say("", "\n%s (%s)", c.Wallet, c.Source)
		for _, f := range c.Fits {
			say("  ", "%s: rmse %s of %d figures; %s", f.Law, spell(f.RMSE), f.Figures, f.parameters())
			say("  ", "residuals %s %s", f.residuals(), c.Unit)
		}
	}
	if len(b.Parameters) > 0 {
		say("", "\nset with these targets in view, the same for every place:")
		for _, p := range b.Parameters {
			say("  ", "%s = %s (%s)", p.Key, p.Value, p.Targets)
		}
	}
	unanswered := false
	for _, t := range b.Targets {
		if t.Verdict == NotAnswered {
			if !unanswered {
				say("", "\nnot answered:")
				unanswered = true
			}
			say("  ", "%s %s: %s", t.ID, t.Item, t.Why)
		}
	}
	say("", "\nnot known, because nobody has published it:")
	for _, u := range b.Unknown {
		say("  ", "%s", u)
	}
	v := b.Verdict
	verdict := fmt.Sprintf("%d of %d claimed targets within their tolerance, %d off; %d shown without a claim, %d not answered", v.Within, v.Claimed, v.Off, v.Shown, v.NotAnswered)
	if t.Report != "" {
		verdict += "   report: " + t.Report
	}
	say("", "\n%s", verdict)
	_, err := io.WriteString(out, s.String())
	return err
}

// table has a line for each target.
func (b *Backtest) table(s *strings.Builder) {
	w := tabwriter.NewWriter(s, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "target\twhat\tpublished\tmodel\tseeds\terror\ttolerance\tuse\tverdict\tsource")
	before := ""
	for _, t := range b.Targets {
		id := t.ID
		if id == before {
			id = ""
		}
		before = t.ID
		fmt.Fprintf(w, "%s\t%s, %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s [%s]\n", id, t.Item, t.Date, t.published(), t.model(), t.seeds(), t.off(), t.Tolerance, t.Use, t.verdict(), t.Source, t.Mark)
	}
	w.Flush() // into a builder, which never fails
}

// folded has two. Sources and what single seeds said are on the page.
func (b *Backtest) folded(s *strings.Builder, width int) {
	rows := [][]string{{"published", "model", "error", "tolerance", "use", "verdict"}}
	for _, t := range b.Targets {
		rows = append(rows, []string{t.published(), t.model(), t.off(), t.Tolerance, t.Use, t.verdict()})
	}
	columns := widths(rows)
	line := func(row []string) {
		var l strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", columns[i]-utf8.RuneCountInString(cell))
			if i < 2 { // numbers
				cell, pad = pad+cell, ""
			}
			l.WriteString("  " + cell + pad)
		}
		s.WriteString("  " + strings.TrimRight(l.String(), " ") + "\n")
	}
	line(rows[0])
	for i, t := range b.Targets {
		wrap(s, fmt.Sprintf("%-4s%s, %s", t.ID, t.Item, t.Date), "", width)
		line(rows[i+1])
	}
}

// widest is the length of the longest line.
func widest(text string) (n int) {
	for l := range strings.SplitSeq(text, "\n") {
		n = max(n, utf8.RuneCountInString(l))
	}
	return n
}

// wrap writes a paragraph in lines of some width, the following ones further in; 0:
// in one line.
func wrap(s *strings.Builder, text, indent string, width int) {
	if strings.HasPrefix(text, "\n") {
		s.WriteString("\n")
		text = text[1:]
	}
	s.WriteString(indent)
	used := len(indent)
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case width > 0 && word != "" && used+1+n > width:
			s.WriteString("\n" + indent + "    ")
			used = len(indent) + 4
		default:
			s.WriteString(" ")
			used++
		}
		s.WriteString(word)
		used += n
	}
	s.WriteString("\n")
}

func (t *BacktestTarget) published() string { return spell(t.Published) + " " + t.Unit }

func (t *BacktestTarget) model() string {
	if !t.Model.Known() {
		return "-"
	}
	return spell(t.Model) + " " + t.Unit
}

func (t *BacktestTarget) seeds() string {
	if !t.Low.Known() {
		return ""
	}
	return spell(t.Low) + " to " + spell(t.High)
}

// off says the error in the tolerance's terms.
func (t *BacktestTarget) off() string {
	if !t.Error.Known() {
		return "-"
	}
	e := float64(t.Error)
	switch t.ErrorKind {
	case "factor":
		return fmt.Sprintf("factor %.2f", e)
	case "share":
		return fmt.Sprintf("%+.1f %%", 100*e)
	}
	unit := t.Unit
	if unit == "%" {
		unit = "points"
	}
	digits := max(0, min(2, 2-int(math.Floor(math.Log10(math.Abs(e)+0.001)))))
	return strings.Replace(fmt.Sprintf("%+.*f %s", digits, e, unit), "-0.00 ", "+0.00 ", 1)
}

func (t *BacktestTarget) verdict() string {
	if t.Verdict == Off {
		return "OFF"
	}
	return t.Verdict
}

func (f *BacktestFit) parameters() string {
	var s []string
	for _, p := range f.Parameters {
		limit := ""
		if p.AtLimit {
			limit = " (at its limit: the figures do not hold it)"
		}
		s = append(s, fmt.Sprintf("%s %v %s%s", p.Name, p.Value, p.Unit, limit))
	}
	return strings.Join(s, ", ")
}

func (f *BacktestFit) residuals() string {
	var s []string
	for _, r := range f.Residuals {
		s = append(s, fmt.Sprintf("%+.2f", float64(r)))
	}
	return strings.Join(s, " ")
}

// spell writes a figure with three digits that count, whole numbers from a hundred
// on in groups.
func spell(n Num) string {
	x := float64(n)
	switch a := math.Abs(x); {
	case !n.Known():
		return "-"
	case a >= 100 || x == math.Trunc(x):
		s := strconv.FormatFloat(math.Round(x), 'f', 0, 64)
		from := 0
		if x < 0 {
			from = 1
		}
		for i := len(s) - 3; i > from; i -= 3 {
			s = s[:i] + "," + s[i:]
		}
		return s
	default:
		return strconv.FormatFloat(x, 'f', max(0, 2-int(math.Floor(math.Log10(a)))), 64)
	}
}
