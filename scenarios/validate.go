package scenarios

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// validator checks what goes beyond one value: order of dates, sums, references.
type validator struct {
	*loader
	tree *tree
}

func (v *validator) fail(path, what, instead string) {
	t, _ := v.find(path)
	v.problems = append(v.problems, t.place.problem(path, &mistake{what, instead}))
}

var everyIndex = regexp.MustCompile(`\[[0-9]+\]`)

// find finds a parameter in the document, or what is nearest above it.
func (v *validator) find(path string) (t *tree, written bool) {
	t = v.tree
	segments, m := splitPath(path)
	if m != nil {
		return t, false
	}
	for _, s := range segments {
		var next *tree
		if s.index {
			if i := number64(s.key); i < len(t.items) {
				next = t.items[i]
			}
		} else {
			next = t.get(s.key)
		}
		if next == nil {
			return t, false
		}
		t = next
	}
	return t, true
}

// maxWindow is the longest run.
const maxWindow = 5 * 366 * 24 * time.Hour

func (v *validator) scenario(s *Scenario) error {
	n, err := LoadNation()
	if err != nil {
		return err
	}
	v.window(s)
	v.phases(s, n)
	v.calendar(s)
	v.positives(scenarioFields(), v.tree, "")
	v.whole("service.detect", s.Service.Detect)
	v.whole("status_lists.publish_interval", s.StatusLists.PublishInterval)
	v.whole("cards.handling", s.Cards.Handling)
	v.profiles(s)
	v.centres(s, n)
	v.places(s)
	v.losses(s)
	v.service(s)
	v.faults(s)
	v.unique("population.regions", s.Population.Regions)
	v.unique("population.centres", s.Population.Centres)
	if len(s.Population.Regions) > 0 && len(s.Population.Centres) > 0 {
		v.fail("population.centres", "stand beside regions", "write one of the two")
	}
	return nil
}

func (v *validator) window(s *Scenario) {
	switch length := s.End.Sub(s.Start.Time); {
	case formatMoment(s.Start) != s.Start.Format(time.DateOnly):
		v.fail("start", formatMoment(s.Start)+" is not the beginning of a day", "write YYYY-MM-DD")
	case length <= 0:
		v.fail("end", formatMoment(s.End)+" is not after the start, "+formatMoment(s.Start), "write a later date")
	case length > maxWindow:
		v.fail("end", fmt.Sprintf("the run is %.0f days long", length.Hours()/24), "write an end within five years of the start")
	}
}

func (v *validator) phases(s *Scenario, n *Nation) {
	if len(s.Phases) == 0 {
		v.fail("phases", "nothing ever opens", "write at least one phase")
	}
	var names []string
	opened := map[string]string{} // code -> phase
	for i, p := range s.Phases {
		path := fmt.Sprintf("phases[%d]", i)
		names = append(names, p.Name)
		if i > 0 && p.From.Before(s.Phases[i-1].From.Time) {
			v.fail(path+".from", formatMoment(p.From)+" is before "+s.Phases[i-1].Name+", "+formatMoment(s.Phases[i-1].From), "write the phases in the order of their dates")
		}
		if len(p.Regions)+len(p.Municipalities) == 0 {
			v.fail(path, "opens no region and no municipality", "write regions: [KR-50] or municipalities: [41280]")
		}
		for j, code := range append(slices.Clone(p.Regions), p.Municipalities...) {
			at := fmt.Sprintf("%s.regions[%d]", path, j)
			by := opened[code]
			if j >= len(p.Regions) {
				at = fmt.Sprintf("%s.municipalities[%d]", path, j-len(p.Regions))
				if m, ok := n.MunicipalityIndex(code); ok && by == "" {
					by = opened[n.Regions[n.Municipalities[m].Region].ISO]
				}
			}
			if by != "" {
				v.fail(at, code+" is open already, by phase "+by, "leave it out of one of them")
				continue
			}
			opened[code] = p.Name
		}
	}
	v.uniqueNames("phases", names)
}

func (v *validator) calendar(s *Scenario) {
	c := s.Calendar
	if c.Opens >= c.Closes {
		v.fail("calendar.closes", "centres close before they open", "write a later time")
	} else if c.LunchFrom > c.LunchTo || c.LunchFrom < c.Opens || c.LunchTo > c.Closes {
		v.fail("calendar.lunch_from", "lunch does not lie between opening and closing", "write times between "+formatClock(c.Opens)+" and "+formatClock(c.Closes)+"; equal ones for no lunch")
	}
	for i, d := range c.Holidays {
		if formatMoment(d) != d.Format(time.DateOnly) {
			v.fail(fmt.Sprintf("calendar.holidays[%d]", i), formatMoment(d)+" is not a whole day", "write YYYY-MM-DD")
		}
		if i > 0 && !d.After(c.Holidays[i-1].Time) {
			v.fail(fmt.Sprintf("calendar.holidays[%d]", i), formatMoment(d)+" is not after the holiday before it", "write each day once, in order")
		}
	}
}

// positives checks durations that must not be 0.
func (v *validator) positives(f *field, t *tree, path string) {
	switch {
	case t == nil:
	case f.kind == section:
		for _, c := range f.fields {
			v.positives(c, t.get(c.key), join(path, c.key))
		}
	case f.kind == list:
		for i, x := range t.items {
			v.positives(f.elem, x, fmt.Sprintf("%s[%d]", path, i))
		}
	case f.kind == mapping:
		for _, e := range t.entries {
			v.positives(f.elem, e.value, join(path, e.key))
		}
	case f.kind == duration && f.positive:
		if d, m := parseDuration(t.text); m == nil && d == 0 {
			v.fail(path, "is 0; "+f.doc, "write more than 0")
		}
	}
}

// wholeUnits are the units of durations that the model counts in larger ones
// than it reads.
var wholeUnits = map[string]time.Duration{
	"service.clients.wallet.backoff":        time.Second,
	"service.clients.wallet.breaker.open":   time.Second,
	"service.clients.terminal.backoff":      time.Second,
	"service.clients.terminal.breaker.open": time.Second,
	"service.clients.verifier.backoff":      time.Second,
	"service.clients.verifier.breaker.open": time.Second,
	"service.detect":                        time.Second,
	"status_lists.publish_interval":         time.Millisecond,
	"cards.handling":                        24 * time.Hour,
	"faults[].restore.gateway":              time.Second, "faults[].restore.register": time.Second, "faults[].restore.face": time.Second,
	"faults[].restore.signing": time.Second, "faults[].restore.status": time.Second,
	"faults[].restore.network": time.Second, "faults[].restore.terminals": time.Second, "faults[].restore.verifiers": time.Second,
	"faults[].restore.plant": time.Second,
	"faults[].for":           time.Second, "faults[].standby_after": time.Second,
	"service.standby.copies_every": time.Second,
}

// whole checks a duration that the model counts in larger units.
func (v *validator) whole(path string, d time.Duration) {
	unit := wholeUnits[everyIndex.ReplaceAllString(path, "[]")]
	if d%unit == 0 {
		return
	}
	name := map[time.Duration]string{time.Millisecond: "milliseconds", time.Second: "seconds", 24 * time.Hour: "days"}[unit]
	v.fail(path, formatDuration(d)+" is not a number of whole "+name, "write "+formatDuration(d.Truncate(unit)+unit))
}

func (v *validator) profiles(s *Scenario) {
	for path, h := range map[string]Hours{"channels.tap_hours": s.Channels.TapHours, "centres.hours": s.Centres.Hours} {
		if h.sum() == 0 {
			v.fail(path, "is 0 at every hour", "give some hour a weight")
		}
	}
	open := 0.0
	for i, w := range s.Centres.Hours {
		if from := time.Duration(i) * time.Hour; from >= s.Calendar.Opens.Truncate(time.Hour) && from < s.Calendar.Closes {
			open += w
		}
	}
	if s.Centres.Hours.sum() > 0 && open == 0 && s.Calendar.Opens < s.Calendar.Closes {
		v.fail("centres.hours", "nobody comes while centres are open", "give an opening hour a weight")
	}
	for path, b := range map[string]ByAge{
		"adoption.by_age": s.Adoption.ByAge, "channels.chip_upgrade": s.Channels.ChipUpgrade, "phones.owned": s.Phones.Owned,
		"face.photo": s.Face.Photo, "face.old_share": s.Face.OldShare,
	} {
		if len(b) == 0 {
			v.fail(path, "has no band", "write {17: 0.5, 40: 0.6}")
		} else if b[0].From > FirstAge {
			v.fail(path, fmt.Sprintf("begins at %d; there are residents of %d", b[0].From, FirstAge), fmt.Sprintf("begin at %d", FirstAge))
		}
	}
	if !slices.ContainsFunc(s.Adoption.ByAge, func(a AgeValue) bool { return a.Value > 0 }) && len(s.Adoption.ByAge) > 0 {
		v.fail("adoption.by_age", "is 0 at every age", "give some age a propensity; for nobody at all, write level: 0%")
	}
}

func (h Hours) sum() float64 {
	sum := 0.0
	for _, w := range h {
		sum += w
	}
	return sum
}

func (v *validator) centres(s *Scenario, n *Nation) {
	for key, m := range map[string]map[string]int{"counters": s.Centres.Counters, "appointments": s.Centres.Appointments} {
		for code := range m {
			path := "centres." + key + "." + code
			if strings.HasPrefix(code, "KR-") {
				if m := n.checkRegion(code); m != nil {
					v.fail(path, m.what, m.instead)
				}
			} else if _, ok := n.CentreIndex(code); !ok {
				v.fail(path, code+" is not a centre", "data/centres.csv lists the 3,553 codes")
			}
		}
	}
	c := s.Centres
	for path, t := range map[string]ServiceTime{
		"other": c.OtherService, "issue": c.IssueService, "card": c.CardService, "pickup": c.PickupService, "loss": c.LossService,
	} {
		if t.Law == "lognormal" && t.CV == 0 {
			v.fail("centres."+path+"_service.cv", "a lognormal without spread", "write cv: 0.6, or law: fixed")
		}
	}
	v.counters(&c, n)
}

// maxCounters is how many one centre has at most.
const maxCounters = 1000

// counters checks what staffing makes of the largest centre of each kind.
func (v *validator) counters(c *Centres, n *Nation) {
	largest := map[string]float64{}
	for i := range n.Centres {
		x := &n.Centres[i]
		largest[x.Kind] = max(largest[x.Kind], x.Everybody())
	}
	for _, k := range []struct {
		kind string
		per  float64
	}{{"dong", c.ResidentsPerOfficial.Dong}, {"eup", c.ResidentsPerOfficial.Eup}, {"myeon", c.ResidentsPerOfficial.Myeon}} {
		if k.per <= 0 {
			continue // said already
		}
		counters := largest[k.kind] / k.per * float64(c.CounterShare)
		path, written := "centres.residents_per_official."+k.kind, k.per
		if counters <= maxCounters {
			path, written = "centres.counter_factor", c.CounterFactor
		}
		if counters *= c.CounterFactor; counters > maxCounters {
			v.fail(path, fmt.Sprintf("%s gives the largest %s, of %.0f residents, %.3g counters; a centre has at most %d", shortNumber(written), k.kind, largest[k.kind], counters, maxCounters),
				"write more residents per official, or a smaller counter_share or counter_factor")
			return
		}
	}
}

func (v *validator) places(s *Scenario) {
	var names []string
	for i, p := range s.Demand.Places {
		path := fmt.Sprintf("demand.places[%d]", i)
		names = append(names, p.Name)
		if p.Rate > 0 && p.Weekday.sum()+p.Weekend.sum() == 0 {
			v.fail(path+".weekday", "is 0 at every hour, and so is the weekend", "give some hour a weight, or write rate: 0/day")
		}
		if p.Check == "cached" {
			if p.TTL == 0 {
				v.fail(path+".ttl", "a cached list needs a time for which it may be used", "write ttl: 12h")
			}
			if p.Refresh == 0 {
				v.fail(path+".refresh", "a cached list needs an interval at which it is fetched", "write refresh: 6h")
			}
		}
		if len(p.Disclosure) == 0 {
			v.fail(path+".disclosure", "asks for nothing", "write disclosure: [family_name, birth_date]")
		}
		v.unique(path+".disclosure", p.Disclosure)
	}
	if len(names) == 0 {
		v.fail("demand.places", "there is no place", "write at least one; for no demand, rate: 0/day")
	}
	if len(names) > MaxPlaces {
		v.fail("demand.places", fmt.Sprintf("%d kinds of places are more than %d", len(names), MaxPlaces), "put similar ones together")
	}
	v.uniqueNames("demand.places", names)
}

func (v *validator) losses(s *Scenario) {
	for path, c := range map[string]ReportChannels{"losses.plastic.channels": s.Losses.Plastic.Channels, "losses.phone.channels": s.Losses.Phone.Channels} {
		if c.Call+c.Portal+c.App+c.Centre == 0 {
			v.fail(path, "no way to report has a weight", "give one of call, portal, app, centre a weight")
		}
	}
	for i, w := range s.Losses.Waves {
		if !w.From.Before(s.End.Time) || !w.From.Add(w.For).After(s.Start.Time) {
			v.fail(fmt.Sprintf("losses.waves[%d].from", i), formatMoment(w.From)+" lies outside the run", "it runs from "+formatMoment(s.Start)+" to "+formatMoment(s.End))
		}
	}
	if m := s.Losses.Misuse; m.Phone > 0 && m.Attempts == 0 {
		v.fail("losses.misuse.attempts", "finders try, but 0 times", "write attempts: 3, or phone: 0%")
	}
}

func (v *validator) service(s *Scenario) {
	for _, name := range Nodes {
		if _, ok := s.Service.Nodes[name]; !ok {
			v.fail("service.nodes", "there is no "+name, "write "+name+": {replicas: 2, workers: 16}")
		}
	}
	for _, op := range Operations {
		if len(s.Service.Demands[op]) == 0 {
			v.fail("service.demands", "nothing is said of "+op, "write "+op+": {register: 1ms}")
		}
	}
	v.answerable(s)
	for _, c := range []struct {
		name string
		Client
	}{{"wallet", s.Service.Clients.Wallet}, {"terminal", s.Service.Clients.Terminal}, {"verifier", s.Service.Clients.Verifier}} {
		path := "service.clients." + c.name
		v.whole(path+".backoff", c.Backoff)
		v.whole(path+".breaker.open", c.Breaker.Open)
		if b := c.Breaker; (b.Failures > 0) != (b.Open > 0) {
			v.fail(path+".breaker", "failures and open belong together", "write breaker: {failures: 50%, open: 30s}, or neither")
		}
	}
	v.unique("service.admission.first", s.Service.Admission.First)
	if a := s.Service.Admission; len(a.First) > 0 && a.Rate == 0 {
		v.fail("service.admission.first", "comes first, but everything is let through", "write rate: 2000")
	}
	v.whole("service.standby.copies_every", s.Service.Standby.CopiesEvery)
	if b := s.Service.Standby; b.At > 0 && b.CopiesEvery == 0 {
		v.fail("service.standby.at", "a stand-by site without copies has nothing to serve from", "write copies_every: 24h beside it, or leave standby out")
	}
	if size := s.StatusLists.Size; size&(size-1) != 0 {
		v.fail("status_lists.size", strconv.Itoa(size)+" is not a power of two", "write 1048576")
	}
}

// asks says which clients ask for an operation. With an issue comes the first capture
// of a face.
var asks = []struct {
	operation, with string
	clients         []string
}{
	{"issue", "face", []string{"wallet", "terminal"}},
	{"verify", "", []string{"verifier"}},
	{"report", "", []string{"wallet"}},
	{"release", "", []string{"wallet"}},
	{"register-card", "", []string{"terminal"}},
}

// answerable wants every operation to be answered before its client stops waiting, when
// nobody else is there.
func (v *validator) answerable(s *Scenario) {
	timeouts := map[string]time.Duration{"wallet": s.Service.Clients.Wallet.Timeout, "terminal": s.Service.Clients.Terminal.Timeout, "verifier": s.Service.Clients.Verifier.Timeout}
	for _, a := range asks {
		takes := time.Duration(0)
		for _, op := range []string{a.operation, a.with} {
			for _, at := range s.Service.Demands[op] {
				takes += at
			}
		}
		for _, c := range a.clients {
			if takes > timeouts[c] {
				v.fail("service.demands."+a.operation, fmt.Sprintf("takes %s in all where nobody waits, and the %s waits %s: it would never be answered in time", formatDuration(takes), c, formatDuration(timeouts[c])),
					"write less, or a longer service.clients."+c+".timeout")
				break
			}
		}
	}
}

func (v *validator) faults(s *Scenario) {
	var names []string
	for i, f := range s.Faults {
		path := fmt.Sprintf("faults[%d]", i)
		names = append(names, f.Name)
		if f.At.Before(s.Start.Time) || !f.At.Before(s.End.Time) {
			v.fail(path+".at", formatMoment(f.At)+" lies outside the run", "it runs from "+formatMoment(s.Start)+" to "+formatMoment(s.End))
		} else if f.End().After(s.End.Time) {
			v.fail(path+".for", "the fault outlasts the run, which ends on "+formatMoment(s.End), "shorten the fault or write a later end")
		}
		if _, written := v.find(path + ".severity"); !written {
			s.Faults[i].Severity = 1
		} else if f.Severity == 0 {
			v.fail(path+".severity", "a fault of 0% breaks nothing", "write more, or leave the fault out")
		}
		if len(f.Nodes) == 0 {
			v.fail(path+".nodes", "hits nothing", "write one of "+strings.Join(Nodes, ", "))
		}
		v.unique(path+".nodes", f.Nodes)
		v.whole(path+".for", f.For)
		v.edges(path, &s.Faults[i], s)
		v.site(path, &s.Faults[i], s)
		for _, n := range faultNodes {
			if d, ok := f.Restore[n]; ok {
				v.whole(path+".restore."+n, d)
				if !slices.Contains(f.Nodes, n) {
					v.fail(path+".restore."+n, n+" is none of the fault's nodes", "add it to nodes, or leave it out")
				}
			}
		}
		if slices.Equal(f.Nodes, []string{"status"}) && (f.Kind == "slow" || s.Faults[i].Severity < 0.5) {
			v.fail(path+".nodes", "status publishes its lists or does not: slow, or failing for less than half, it breaks nothing", "write kind: down, with a severity of 50% or more")
		}
	}
	v.uniqueNames("faults", names)
}

// site checks what may be said of the loss of the register's site, and only of that.
func (v *validator) site(path string, f *Fault, s *Scenario) {
	if f.Kind != SiteLost {
		for key, written := range map[string]bool{"standby_after": f.StandbyAfter > 0, "report_again": f.ReportAgain > 0, "report_again_after": f.ReportAgainAfter > 0} {
			if written {
				v.fail(path+"."+key, "is only said of a lost site", "write kind: site-lost, or leave it out")
			}
		}
		return
	}
	v.whole(path+".standby_after", f.StandbyAfter)
	timeout := max(s.Service.Clients.Wallet.Timeout, s.Service.Clients.Terminal.Timeout, s.Service.Clients.Verifier.Timeout)
	switch every := s.Service.Standby.CopiesEvery; {
	case every == 0:
		v.fail(path+".kind", "the site is lost, and there is no stand-by site that has copies", "write service: {standby: {copies_every: 24h, at: \"01:00\"}}, or kind: down")
	case !f.At.Before(s.Start.Time) && s.LastCopy(f.At.Time).Before(s.Start.Time):
		v.fail(path+".at", formatMoment(f.At)+" is before the first copy of the run", "write a later moment, or copies more often")
	}
	switch {
	case f.StandbyAfter == 0:
		v.fail(path+".standby_after", "nothing is said of when the stand-by site serves", "write standby_after: 6h")
	case f.StandbyAfter <= timeout:
		v.fail(path+".standby_after", formatDuration(f.StandbyAfter)+" is no longer than clients wait for an answer, "+formatDuration(timeout), "write more")
	case f.For <= f.StandbyAfter:
		v.fail(path+".for", "the site is back before the stand-by site serves", "write more than standby_after, "+formatDuration(f.StandbyAfter)+", or kind: down")
	}
	if f.Severity < 1 {
		v.fail(path+".severity", "a site is lost or it is not", "leave severity out")
	}
	for _, n := range []string{"register", "signing"} {
		if len(f.Nodes) > 0 && !slices.Contains(f.Nodes, n) {
			v.fail(path+".nodes", "the register's site is lost, but not its "+n, "add "+n+": the stand-by site issues nothing")
		}
	}
	if _, written := f.Restore["register"]; written {
		v.fail(path+".restore.register", "the register is back when the stand-by site serves", "write standby_after, and leave it out here")
	}
	for _, n := range Nodes {
		d, written := f.Restore[n]
		switch {
		case !written || n == "register":
		case slices.Contains(atStandby, n) && d < f.StandbyAfter:
			v.fail(path+".restore."+n, n+" is back before the stand-by site serves", "write "+formatDuration(f.StandbyAfter)+" or more, or leave it out")
		case !slices.Contains(atStandby, n) && d < f.For:
			v.fail(path+".restore."+n, n+" is back before its site: the stand-by site issues nothing", "write "+formatDuration(f.For)+" or more, or leave it out")
		}
	}
	if (f.ReportAgain > 0) != (f.ReportAgainAfter > 0) {
		v.fail(path+".report_again", "report_again and report_again_after belong together", "write both, or neither")
	}
	for i := range s.Faults {
		g := &s.Faults[i]
		if g == f {
			continue
		}
		other := fmt.Sprintf("faults[%d]", i)
		edge := slices.ContainsFunc(g.Nodes, func(n string) bool { return slices.Contains(Edges, n) })
		switch {
		case g.Kind == SiteLost && &s.Faults[i] != s.LostSite():
			v.fail(other+".kind", "the site is lost twice in a run", "leave one of the two out")
		case edge && g.At.Before(f.End()) && f.At.Before(g.End()):
			v.fail(other+".at", "a way to the service is cut while the register's site is lost", "leave one of the two out, or move it")
		}
	}
}

// edges checks what may be said of the ways to the service.
func (v *validator) edges(path string, f *Fault, s *Scenario) {
	edge := slices.ContainsFunc(f.Nodes, func(n string) bool { return slices.Contains(Edges, n) })
	v.unique(path+".regions", f.Regions)
	v.unique(path+".places", f.Places)
	switch {
	case !edge && len(f.Regions) > 0:
		v.fail(path+".regions", "the service's own nodes serve the whole nation", "leave regions out, or write nodes: [network]")
	case edge && (f.Kind == "slow" || f.Severity < 1):
		v.fail(path+".kind", "a way to the service is cut or it is not", "write kind: down, without severity")
	case len(f.Places) > 0 && !slices.Contains(f.Nodes, "verifiers"):
		v.fail(path+".places", "only verifiers are told apart by place", "add verifiers to nodes, or leave places out")
	}
	for k, name := range f.Places {
		if !slices.ContainsFunc(s.Demand.Places, func(p Place) bool { return p.Name == name }) {
			v.fail(fmt.Sprintf("%s.places[%d]", path, k), quote(name)+" is the name of no kind of place", "write one of demand.places")
		}
	}
}

func (v *validator) unique(path string, values []string) {
	for i, x := range values {
		if slices.Index(values, x) < i {
			v.fail(fmt.Sprintf("%s[%d]", path, i), quote(x)+" stands twice", "write it once")
		}
	}
}

func (v *validator) uniqueNames(path string, names []string) {
	for i, x := range names {
		if slices.Index(names, x) < i {
			v.fail(fmt.Sprintf("%s[%d].name", path, i), quote(x)+" is the name of two", "name each differently")
		}
		if strings.ContainsAny(x, ".[]=") {
			v.fail(fmt.Sprintf("%s[%d].name", path, i), quote(x)+" cannot be used in a path", "write it without . [ ] =")
		}
	}
}
