package reports

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Terminal is what Summary writes to.
type Terminal struct {
	Width  int    // columns; 0: do not fold
	Colour bool   // never the only carrier of a meaning
	Report string // path of the report, the last thing said
}

// Summary writes the run in a few aligned lines, the verdict and the report's
// path last.
func Summary(w io.Writer, r *Result, t Terminal) error {
	derive(r)
	s := summary{r: r, t: t, text: english}
	if r.Live != nil {
		s.liveLines()
	} else {
		s.lines()
	}
	_, err := io.WriteString(w, s.b.String())
	return err
}

type summary struct {
	r    *Result
	t    Terminal
	text func(string) string
	b    strings.Builder
}

const (
	bold  = "1"
	faint = "2"
	green = "32"
	red   = "31"
)

func (s *summary) paint(code, text string) string {
	if !s.t.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// say formats a figure with plain spaces.
func (s *summary) say(form string, n Num) string {
	return strings.NewReplacer("\u00a0", " ", "\u202f", "").Replace(say(form, n))
}

func (s *summary) count(n int64) string { return s.say("count", Num(n)) }

// line writes a label and what belongs to it, parted by three spaces, folded
// between the parts when the terminal is narrow. The last part names the way.
func (s *summary) line(label, way string, parts ...string) {
	indent := max(12, utf8.RuneCountInString(s.r.Meta.Scenario)+2)
	used := indent
	fmt.Fprintf(&s.b, "%s", s.paint(bold, label)+strings.Repeat(" ", max(1, indent-utf8.RuneCountInString(label))))
	first := true
	put := func(p, code string) {
		n := utf8.RuneCountInString(p)
		switch {
		case first:
		case s.t.Width > 0 && used+3+n > s.t.Width:
			s.b.WriteString("\n" + strings.Repeat(" ", indent))
			used = indent
		default:
			s.b.WriteString("   ")
			used += 3
		}
		if code != "" {
			p = s.paint(code, p)
		}
		s.b.WriteString(p)
		used, first = used+n, false
	}
	for _, p := range parts {
		if p != "" {
			put(p, "")
		}
	}
	if way != "" {
		put(way, faint)
	}
	s.b.WriteByte('\n')
}

func (s *summary) lines() {
	r, n := s.r, &s.r.Nation
	t := func(key string) string { return s.text(key) }
	d := func(v Num) string { return s.say("duration", v) }

	s.line(r.Meta.Scenario, "", s.count(n.Citizens)+" "+t("term.residents"),
		sayDate(r.Meta.Start)+" to "+sayDate(r.Meta.End), fmt.Sprintf("seed %d", r.Meta.Seed))
	s.line(t("term.issued"), t("way.nation"), s.count(n.Issued.Total),
		"tap "+s.say("share", n.Issued.TapShare)+"  centre "+s.say("share", n.Issued.CentreShare),
		s.count(n.Holders)+" holders")

	wait := []string{"p50 " + d(n.Visits.WaitP50), "p95 " + d(n.Visits.WaitP95)}
	if l := n.Visits.Longest; n.Visits.WaitMax.Known() && n.Visits.WaitMax > 0 {
		place := waitPlace(r).en
		wait = append(wait, "longest "+d(l.Wait)+", "+place+", "+sayTime(l.Date, "2 Jan"))
	}
	s.line(t("term.waits"), t("way.nation"), wait...)

	s.excluded()

	v := n.Verification
	verified := []string{s.count(v.Count), "refused " + s.say("share", v.RefusedShare) + ", of them suspended " + s.count(v.RejectedSuspended)}
	if v.TurnedAway > 0 {
		verified = append(verified, s.count(v.TurnedAway)+" not answered")
	}
	s.line(t("term.verified"), t("way.nation"), verified...)

	s.line(t("term.lost"), t("way.nation"),
		s.count(n.Losses.PlasticLost)+" plastic, "+s.count(n.Losses.PhonesLost)+" phones", "last acceptance after report: "+s.lastAcceptances())

	for _, f := range r.Recovery {
		drain := "backlog gone after " + d(f.Drain)
		if !f.Drain.Known() {
			drain = "backlog not gone within the run"
		}
		s.line(t("term.fault"), t("way.nation"), f.Fault+", "+strings.Join(f.Nodes, " ")+" "+f.Kind,
			"detected after "+d(f.Detected), "restored after "+d(f.Restored), drain,
			s.say("times", f.RetryAmplification)+" attempts", s.count(f.TurnedAway)+" turned away", s.lateCards(f.Cards))
		if l := f.Loss; l != nil {
			unusable := s.count(l.Unusable.Cards) + " cards unusable"
			if l.Unusable.Cards > 0 {
				unusable += ", half for " + d(l.Unusable.P50) + " or less"
			}
			s.line("", t("way.nation"), s.count(f.LostAcknowledged)+" acknowledged in the "+d(l.Window)+" before and lost", unusable,
				s.count(l.Refused)+" holders refused", s.count(l.Accepted+l.Misused)+" times a suspended card accepted, "+s.count(l.Misused)+" from somebody else")
		}
	}

	if r.Panel == nil {
		s.line(t("term.panel"), "", "off: suspension was not judged on the real service")
	} else {
		x := r.Suspension
		s.line(t("term.suspension"), "oracle", fmt.Sprintf("%d properties, %s opportunities, %s violations", x.Properties, s.count(x.Opportunities), s.count(x.Violations)))
		for _, name := range PropertyNames {
			if p := x.ByProperty[name]; p.Violations > 0 {
				s.line("", "", s.paint(red, "✗ "+name)+" "+s.text(name)+": "+s.count(p.Violations)+" of "+s.count(p.Opportunities))
			}
		}
		p := r.Panel
		s.line(t("term.panel"), "", fmt.Sprintf("%s of %s lives equal on the real service", s.count(p.TrajectoriesEqual), s.count(p.Citizens)),
			s.count(p.APDUs)+" APDUs", s.count(p.SignaturesMade+p.SignaturesVerified)+" signatures", s.count(p.Commits)+" commits")
		for i, d := range p.TrajectoriesDifferent {
			if i == 3 {
				s.line("", "", fmt.Sprintf("and %d more in the report", len(p.TrajectoriesDifferent)-i))
				break
			}
			s.line("", "", s.paint(red, "✗")+fmt.Sprintf(" citizen %d, outcome %d: nation %q, panel %q", d.Citizen, d.Step, at(d.Nation, d.Step), at(d.Panel, d.Step)))
		}
	}

	s.uncertain()

	if r.Verdict.Holds {
		s.line(t("term.expect"), "", s.paint(green, "✓")+" "+strings.ReplaceAll(t("verdict.ok"), "{all}", s.count(r.Verdict.Expectations)))
	} else {
		for _, e := range r.Expectations {
			if !e.Holds {
				s.line(t("term.expect"), "", s.paint(red, "✗ does not hold: "+e.Text)+", "+t("came.to")+" "+s.say("plain", e.Value))
			}
		}
	}

	h := r.Meta.Host
	last := []string{sayEvents(h.Events) + " events", s.say("bytes", Num(h.PeakRSSBytes))}
	if s.t.Report != "" {
		last = append(last, "report: "+s.t.Report)
	}
	s.line(d(h.WallSeconds), "", last...)
}

// lateCards is what a fault of the plant did; nothing where it was another one.
func (s *summary) lateCards(c *LateCards) string {
	switch {
	case c == nil:
		return ""
	case c.Late == 0:
		return "no plastic card late"
	}
	return s.count(c.Late) + " plastic cards late, by up to " + s.say("duration", c.Longest)
}

// excluded says how many wanted a card and could not get it, and why most of them.
func (s *summary) excluded() {
	x := &s.r.Nation.Exclusion.Total
	if x.Wanted == 0 {
		return
	}
	most := ""
	if i := x.mainReason(); i >= 0 {
		r := exclusionReasons[i]
		most = "most often " + s.text("left."+r.column) + ", " + s.count(*r.of(x))
	}
	s.line(s.text("term.excluded"), s.text("way.nation"), s.count(x.Excluded)+" of "+s.count(x.Wanted)+" who wanted a card, "+s.say("share", x.Share), most)
}

// lastAcceptances is, for each kind of check, the longest time from an
// acknowledged report to the last acceptance.
func (s *summary) lastAcceptances() string {
	longest := map[string]Num{}
	for _, c := range s.r.Suspension.Curves {
		if c.Since == "acknowledgement" {
			v := Num(0)
			if c.Max.Known() {
				v = c.Max
			}
			longest[c.Check] = max(longest[c.Check], v)
		}
	}
	var out []string
	for _, check := range []string{"online", "cached"} {
		if v, ok := longest[check]; ok {
			out = append(out, check+" "+s.say("duration", v))
		}
	}
	if len(out) == 0 {
		return missing
	}
	return strings.Join(out, ", ")
}

func at(history []string, i int) string {
	if i >= 0 && i < len(history) {
		return history[i]
	}
	return "nothing"
}
