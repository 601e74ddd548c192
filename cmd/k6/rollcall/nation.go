package rollcall

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/grafana/sobek"
	"go.k6.io/k6/lib"
	"go.k6.io/k6/metrics"

	"rollcall.example/rollcall/reports"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/loadgen"
	"rollcall.example/rollcall/sim/oracle"
)

// shared is a nation as all virtual users have it.
type shared struct {
	settings
	scenario *scenarios.Scenario
	client   *http.Client

	opening sync.Mutex
	crowd   *loadgen.Crowd // nil: not entered yet
	free    chan *loadgen.Citizen

	record record
}

// Nation is a nation in the hands of one virtual user.
type Nation struct {
	*user
	shared *shared
	held   []*loadgen.Citizen // of this iteration
	during int64              // the iteration
	part   string             // of the load
}

func newShared(o settings) (*shared, error) {
	s := &shared{settings: o}
	var err error
	if s.scenario, err = scenarios.Load(o.Scenario, nil); err != nil {
		return nil, err
	}
	config := &tls.Config{}
	if o.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(o.CA)) {
			return nil, errors.New("ca holds no certificate in PEM (give the text of the service's authority.pem: ca: open('/path/to/authority.pem'))")
		}
	}
	s.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 512}}
	s.Service = strings.TrimSuffix(o.Service, "/")
	s.record.start(time.Now())
	return s, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter looks at the service, makes the citizens with their cards, phones and faces,
// and enters them. The first who needs it does it; all others wait.
func (s *shared) enter(ctx context.Context, together int) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.crowd != nil {
		return nil
	}
	if err := s.probe(ctx); err != nil {
		return err
	}
	nation, err := scenarios.LoadNation()
	if err != nil {
		return err
	}
	staff, places := loadgen.Demonstration(s.ttl)
	crowd, err := loadgen.Open(ctx, loadgen.Options{
		Service: s.Service, HTTP: s.client, Scenario: s.scenario, Nation: nation, Seed: uint64(s.Seed), First: s.First, Citizens: s.Citizens,
		Staff: staff, Places: places, Now: time.Now, Random: rand.Reader, Wait: wait,
		StatusEvery: s.statusEvery, Allowance: s.allowance, AuditSkew: time.Second, Settled: s.record.aside,
	})
	if err != nil {
		return err
	}
	if err := crowd.Enter(ctx, together); err != nil {
		first, more, _ := strings.Cut(err.Error(), "\n")
		if n := strings.Count(more, "\n"); more != "" {
			first += fmt.Sprintf(" (and %d more)", n+1)
		}
		return fmt.Errorf("%s: does the service run with --demo, and has no other run entered the same citizens? (Another register, or first: %d, begins behind them.)", first, s.First+s.Citizens)
	}
	s.free = make(chan *loadgen.Citizen, len(crowd.Citizens))
	for _, one := range crowd.Citizens {
		s.free <- one
	}
	s.crowd = crowd
	return nil
}

// skew is how far the service's clock may be off before nothing can be judged by it.
const skew = 5 * time.Second

// probe finds out, before anything else, whether this is a service that can be loaded.
func (s *shared) probe(ctx context.Context) error {
	const tries = 20
	for attempt := 1; ; attempt++ {
		at, began := s.Service+"/.well-known/openid-credential-issuer", time.Now()
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return fmt.Errorf("%s is no URL of a service: %w", s.Service, err)
		}
		res, err := s.client.Do(q)
		if err != nil {
			var unknown x509.UnknownAuthorityError
			var name x509.HostnameError
			var invalid x509.CertificateInvalidError
			if errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid) {
				return fmt.Errorf("the certificate of %s is not to be trusted: %w (give the service's own authority.pem: -e CA=/path/to/authority.pem)", s.Service, err)
			}
			return fmt.Errorf("nothing answers at %s: %w (start rollcall serve --demo, and say where it is: -e SERVICE=https://localhost:8443)", s.Service, err)
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		res.Body.Close()
		if err != nil {
			return fmt.Errorf("%s breaks off its answers: %w", s.Service, err)
		}
		if res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests {
			if attempt == tries {
				return fmt.Errorf("%s answers HTTP %d, %d times in a row: it is overloaded or out of order, so there is nothing to load", s.Service, res.StatusCode, tries)
			}
			if err := wait(ctx, time.Second/4); err != nil {
				return err
			}
			continue
		}
		var issuer struct {
			Configs map[string]struct {
				Format string `json:"format"`
			} `json:"credential_configurations_supported"`
		}
		if err := json.Unmarshal(body, &issuer); res.StatusCode != http.StatusOK || err != nil || len(issuer.Configs) == 0 {
			return fmt.Errorf("%s is no Rollcall service, or one of another version: %s answers HTTP %d and names no mobile card (k6 and rollcall serve must be of one version)", s.Service, at, res.StatusCode)
		}
		if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
			if off := date.Sub(began); off > skew || off < -skew-time.Since(began) {
				return fmt.Errorf("the clock of %s is %s off this machine's: what its log says could not be judged (set both clocks, by NTP)", s.Service, off.Round(time.Second))
			}
		}
		return nil
	}
}

// Enter enters the citizens, in setup(): it is no part of the load. With issue, "tap"
// or "centre", each gets a mobile card, too.
func (n *Nation) Enter(given sobek.Value) {
	var o struct {
		Issue    string `js:"issue"`
		Together int    `js:"together"`
	}
	o.Together = 16
	if given != nil && !sobek.IsUndefined(given) && !sobek.IsNull(given) {
		if err := n.vu.Runtime().ExportTo(given, &o); err != nil {
			n.abort(err)
			return
		}
	}
	if err := n.enter(o.Issue, o.Together); err != nil {
		n.abort(err)
	}
}

func (n *Nation) enter(issue string, together int) error {
	s, ctx := n.shared, n.vu.Context()
	issues := map[string]func(*loadgen.Citizen, context.Context) loadgen.Result{
		"": nil, "tap": (*loadgen.Citizen).IssueByTap, "centre": (*loadgen.Citizen).IssueAtCentre}
	how, ok := issues[issue]
	switch {
	case !ok:
		return fmt.Errorf("enter: there is no way %q to get a card (write tap or centre)", issue)
	case together < 1:
		return errors.New("enter: together is 1 or more")
	}
	if err := n.enough(); err != nil {
		return err
	}
	if err := s.enter(ctx, together); err != nil {
		return err
	}
	if how != nil {
		var all sync.WaitGroup
		todo, errs := make(chan *loadgen.Citizen), make([]error, together)
		for i := range together {
			all.Go(func() {
				for one := range todo {
					r := how(one, ctx)
					for try := 0; r.Unknown && try < 20 && ctx.Err() == nil; try++ {
						if one.Settle(ctx) == nil {
							r.Unknown = false
						}
					}
					if r.Wrong != "" {
						s.record.aside(r)
					}
					if r.Unknown || r.Wrong != "" || r.Reason != "" {
						errs[i] = errors.New(r.String())
					}
				}
			})
		}
		for _, one := range s.crowd.Citizens {
			todo <- one
		}
		close(todo)
		all.Wait()
		n.aside()
		for _, err := range errs {
			if err != nil {
				return fmt.Errorf("not everybody got a card before the load: %w", err)
			}
		}
	}
	s.record.begin(time.Now(), s.serverCPU(ctx))
	return nil
}

// enough says when there are more virtual users than citizens.
func (n *Nation) enough() error {
	state := n.vu.State()
	if state == nil {
		return errors.New("citizens are entered in setup(), not while the script is loaded")
	}
	tuple, err := lib.NewExecutionTuple(state.Options.ExecutionSegment, state.Options.ExecutionSegmentSequence)
	if err != nil {
		return err
	}
	if most := lib.GetMaxPossibleVUs(state.Options.Scenarios.GetFullExecutionRequirements(tuple)); most > uint64(n.shared.Citizens) {
		return fmt.Errorf("there may be %d virtual users and there are %d citizens: nobody is in two places at once (give citizens: %d or more, or fewer maxVUs)", most, n.shared.Citizens, most)
	}
	return nil
}

// Citizen gives this virtual user a citizen until its next iteration; with a number,
// the citizen of that number, whoever else has them.
func (n *Nation) Citizen(number ...int) *Citizen {
	s := n.shared
	if err := n.ready(); err != nil {
		n.abort(err)
		return nil
	}
	if len(number) > 0 {
		if i := number[0]; i < 0 || i >= len(s.crowd.Citizens) {
			n.abort(fmt.Errorf("there is no citizen %d: there are %d, from 0", i, len(s.crowd.Citizens)))
			return nil
		}
		return &Citizen{nation: n, one: s.crowd.Citizens[number[0]]}
	}
	if i := n.vu.State().Iteration; i != n.during {
		for _, one := range n.held {
			s.free <- one
		}
		n.held, n.during = nil, i
	}
	select {
	case one := <-s.free:
		n.held = append(n.held, one)
		return &Citizen{nation: n, one: one}
	default:
		n.abort(fmt.Errorf("all %d citizens are taken: there are more virtual users than citizens (give more citizens)", s.Citizens))
		return nil
	}
}

// ready enters the citizens if no setup() has.
func (n *Nation) ready() error {
	if n.vu.State() == nil {
		return errors.New("citizens are for the functions of a test, not for the loading of the script")
	}
	n.shared.opening.Lock()
	there := n.shared.crowd != nil
	n.shared.opening.Unlock()
	if there {
		return nil
	}
	return n.enter("", 16)
}

// Size is how many citizens there are.
func (n *Nation) Size() int { return n.shared.Citizens }

// Part says to which part of the load the answers of this virtual user belong from
// now on; each part has figures of its own.
func (n *Nation) Part(name string) { n.part = name }

// Restart has whoever started the service kill it, leave it down for some seconds,
// and start it again.
func (n *Nation) Restart(down ...float64) {
	s, ctx := n.shared, n.vu.Context()
	if err := n.ready(); err != nil {
		n.abort(err)
		return
	}
	if s.Control == "" {
		n.abort(errors.New("restart needs somebody who kills the service: run this load by rollcall live, which gives CONTROL"))
		return
	}
	what := "restart"
	if len(down) > 0 {
		what += "?down=" + time.Duration(down[0]*float64(time.Second)).String()
	}
	from := s.crowd.Stamp()
	if _, err := s.control(ctx, what); err != nil {
		n.abort(fmt.Errorf("the service was not restarted: %w", err))
		return
	}
	s.crowd.Restarted(from, s.crowd.Stamp())
	s.record.restarted()
}

// control asks whoever started the service.
func (s *shared) control(ctx context.Context, what string) (string, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Control+"/"+what, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, strings.TrimSpace(string(text)))
	}
	return strings.TrimSpace(string(text)), err
}

// serverCPU is the processor time of the service, where somebody knows it.
func (s *shared) serverCPU(ctx context.Context) time.Duration {
	if s.Control == "" {
		return -1
	}
	text, err := s.control(ctx, "cpu")
	d, bad := time.ParseDuration(text)
	if err != nil || bad != nil {
		return -1
	}
	return d
}

// Judge asks again for what has had no answer, has the oracle judge all that was
// seen, and returns how many violations there are, wrong answers included.
func (n *Nation) Judge() int {
	s, ctx := n.shared, n.vu.Context()
	if s.crowd == nil {
		return 0 // nothing was entered: it has been said why
	}
	s.record.end(s.serverCPU(ctx))
	if err := s.crowd.Settle(ctx, 16); err != nil {
		n.doubt(fmt.Sprintf("what had no answer has none in the end: %v", err))
	}
	n.aside()
	v, _, err := s.crowd.Judge(ctx)
	if err != nil {
		n.doubt(fmt.Sprintf("the history could not be judged: %v", err))
		return 0
	}
	s.record.judged(v)
	for i, f := range v.Findings {
		if i == maxFindings {
			break
		}
		n.vu.State().Logger.Error(told(f))
	}
	for name, c := range v.ByProperty {
		n.push(n.metrics.violations, float64(c.Violations), map[string]string{"property": string(name)})
	}
	n.push(n.metrics.doubts, float64(len(n.doubts(s.record.live(), n.unheld()))), nil)
	n.vu.State().Logger.Infof("rollcall: judged %d transitions and %d lists: %d violations, %d wrong answers", v.Transitions, v.ListsJudged, v.Violations(), len(s.crowd.Wrong()))
	return v.Violations() + len(s.crowd.Wrong())
}

func told(f oracle.Finding) string {
	return fmt.Sprintf("%s: citizen %s, sequence %d: %s", f.Property, f.Citizen, f.Sequence, f.Sentence)
}

// aside counts wrong answers that no call of a script has returned.
func (n *Nation) aside() {
	if wrong := n.shared.record.untold(); len(wrong) > 0 {
		n.push(n.metrics.violations, float64(len(wrong)), nil)
		for _, r := range wrong[:min(maxFindings, len(wrong))] {
			n.vu.State().Logger.Errorf("rollcall: wrong answer: %s", r)
		}
	}
}

// doubt writes down why the figures say nothing about the service.
func (n *Nation) doubt(why string) {
	n.vu.State().Logger.Error("rollcall: " + why)
	n.shared.record.doubt(why)
	n.push(n.metrics.doubts, 1, nil)
}

// abort ends the whole test with a sentence, which the result shows, too.
func (n *Nation) abort(err error) {
	if n.vu.Context().Err() == nil {
		n.shared.record.doubt("the load was given up: " + err.Error())
	}
	n.user.abort(err)
}

// timed sends how long something took.
func (n *Nation) timed(operation string, ms float64, tags map[string]string) {
	n.shared.record.sampled(n.metrics.durations[operation].Name, n.push(n.metrics.durations[operation], ms, tags))
}

// unheld are the thresholds on times of ours of which there is none: k6 takes them for kept.
// Unlike those of Summary they are known before the end, so that they count as doubts.
func (n *Nation) unheld() (all []string) {
	for _, m := range n.metrics.durations {
		all = append(all, idle(m, func(of *metrics.Metric) bool {
			return n.shared.record.has(m.Name, of.Sub)
		})...)
	}
	slices.Sort(all)
	return all
}

// failing is the share of requests without an answer from which on it is the service's doing
// that something never happened.
const failing = 0.01

// doubts are those of a load. A service that does not answer crosses the limit of that, if there
// is one, and is no reason to doubt the load.
func (n *Nation) doubts(l *reports.Live, unheld []string) []string {
	if len(n.metrics.unknown.Thresholds.Thresholds) > 0 && float64(l.Unknown) > failing*float64(l.Unknown+l.Answers) {
		unheld = nil
	}
	return doubts(l, unheld)
}

// push sends a sample with the tags of the virtual user and its own, and returns them.
func (i *user) push(m *metrics.Metric, value float64, tags map[string]string) *metrics.TagSet {
	state := i.vu.State()
	now := state.Tags.GetCurrentValues()
	set := now.Tags
	for k, v := range tags {
		set = set.With(k, v)
	}
	metrics.PushIfNotDone(i.vu.Context(), state.Samples, metrics.Sample{
		TimeSeries: metrics.TimeSeries{Metric: m, Tags: set}, Time: time.Now(), Value: value, Metadata: now.Metadata})
	return set
}
