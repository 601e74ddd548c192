package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/oracle"
)

// Finding is a violation with the few operations that show it.
type Finding struct {
	Property oracle.Property `json:"property"`
	Citizen  string          `json:"citizen,omitempty"`
	Sequence uint64          `json:"sequence,omitempty"`
	At       time.Time       `json:"at"`
	Sentence string          `json:"sentence"`
	// Found in a campaign of so many operations; Campaign is what is left of it.
	Found    int      `json:"found_in"`
	Campaign Campaign `json:"campaign"`
	Told     []string `json:"told"` // what came of each operation
	// History is what was seen, and what the properties demand.
	History []oracle.Line `json:"history"`
}

// newFinding tells the first violation of a property in an outcome.
func newFinding(c Campaign, o *Outcome, p oracle.Property, found int) *Finding {
	f := &Finding{Property: p, Found: found, Campaign: c}
	for _, x := range o.Verdict.Findings {
		if x.Property == p {
			f.Citizen, f.Sequence, f.At, f.Sentence = x.Citizen, x.Sequence, x.At, x.Sentence
			break
		}
	}
	for _, op := range c.Operations {
		f.Told = append(f.Told, o.Told[op.ID])
	}
	for _, line := range oracle.Timeline(o.History) {
		if f.Citizen == "" || line.Citizen == "" || line.Citizen == f.Citizen || line.Wrong {
			f.History = append(f.History, line)
		}
	}
	return f
}

// Replay runs a finding's campaign and tells the violation again; nil: the
// property holds now.
func Replay(ctx context.Context, p *Place, f *Finding) (*Finding, error) {
	o, err := Run(ctx, p, f.Campaign)
	if err != nil || o.Verdict.ByProperty[f.Property].Violations == 0 {
		return nil, err
	}
	return newFinding(f.Campaign, o, f.Property, f.Found), nil
}

// ReadFinding reads what was kept of a finding.
func ReadFinding(r io.Reader) (*Finding, error) {
	d := json.NewDecoder(io.LimitReader(r, 1<<28))
	d.DisallowUnknownFields()
	f := new(Finding)
	if err := d.Decode(f); err != nil {
		return nil, fmt.Errorf("this is not a finding of rollcall chaos: %w", err)
	}
	return f, nil
}

// Name names the finding's file.
func (f *Finding) Name() string {
	return fmt.Sprintf("finding-%s-seed-%d.json", strings.ToLower(string(f.Property)), f.Campaign.Seed)
}

// Print tells the finding to people.
func (f *Finding) Print(out io.Writer) error {
	fmt.Fprintf(out, "%s is violated", f.Property)
	if f.Citizen != "" {
		fmt.Fprintf(out, ", citizen %s", f.Citizen)
	}
	if f.Sequence != 0 {
		fmt.Fprintf(out, ", sequence %d", f.Sequence)
	}
	fmt.Fprintf(out, ": %s.\n\n%d of %d operations matter (seed %d):\n", f.Sentence, len(f.Campaign.Operations), f.Found, f.Campaign.Seed)
	for i, o := range f.Campaign.Operations {
		fmt.Fprintf(out, "  %2d. %s: %s\n", i+1, o, f.Told[i])
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  \ttime\tcitizen\twhat\tseen\tdemanded")
	for _, l := range f.History {
		mark := " "
		if l.Wrong {
			mark = "!"
		}
		fmt.Fprintf(w, "%s \t%s\t%s\t%s\t%s\t%s\n", mark, l.At.At.In(scenarios.KST).Format("2 Jan 15:04:05.000"), l.Citizen, l.What, l.Seen, l.Demanded)
	}
	return w.Flush()
}
