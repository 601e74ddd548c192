package loadgen

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/sim/oracle"
)

// place is a verifier at work.
type place struct {
	Place
	desk *desk

	mu      sync.Mutex // of what follows; a place that keeps lists does one thing at a time
	offline *verification.Offline
	held    map[string]int // list in the history, by URI
	fetched oracle.Stamp
	blind   map[string]time.Time // since when a list, asked for anew, has not told
}

func (c *Crowd) openPlace(p *Place) error {
	one := &place{Place: *p, desk: &desk{Party: p.Party, crowd: c}, held: map[string]int{}, blind: map[string]time.Time{}}
	c.places[p.Name] = one
	if !p.Cached {
		return nil
	}
	past := verification.Refuse
	if p.AcceptsExpired {
		past = verification.Accept
	}
	thumbprint := sha256.Sum256([]byte(p.Name))
	var err error
	one.offline, err = verification.NewOffline(verification.OfflineOptions{
		Verifier: verification.Verifier{ClientID: "x509_san_dns:" + p.Name + ".example", ResponseURI: "https://" + p.Name + ".example/response", Thumbprint: thumbprint[:]},
		Anchors:  c.anchors, MaxAge: p.TTL, FromIssue: p.FromIssue, PastTTL: past, Lifetime: time.Minute, Now: c.o.Now, Random: c.random,
	})
	return err
}

// Present shows the citizen's mobile card at a place, as their phone has it.
func (c *Citizen) Present(ctx context.Context, at string) Result {
	p, ok := c.crowd.places[at]
	if !ok {
		return Result{Citizen: c.Name, Did: "present at " + at, Unknown: true, Err: fmt.Errorf("there is no place %q", at)}
	}
	c.hands.Lock()
	defer c.hands.Unlock()
	return c.present(ctx, p, c.current())
}

// PresentOld shows what is on the phone before the one in use.
func (c *Citizen) PresentOld(ctx context.Context, at string) Result {
	p, ok := c.crowd.places[at]
	if !ok {
		return Result{Citizen: c.Name, Did: "present at " + at, Unknown: true, Err: fmt.Errorf("there is no place %q", at)}
	}
	c.hands.Lock()
	defer c.hands.Unlock()
	c.mu.Lock()
	n := len(c.wallets)
	if n < 2 {
		c.mu.Unlock()
		return Result{Citizen: c.Name, Did: "present at " + at, Reason: nothingToShow}
	}
	old := c.wallets[n-2]
	c.mu.Unlock()
	return c.present(ctx, p, old)
}

const nothingToShow = "nothing-to-show"

func (c *Citizen) present(ctx context.Context, at *place, on *phoneOf) Result {
	out := Result{Citizen: c.Name, Did: "present at " + at.Name}
	if len(on.Copies()) == 0 {
		out.Reason = nothingToShow
		return out
	}
	if at.Cached {
		return c.presentCached(ctx, at, on, out)
	}
	var begun struct {
		ID      string `json:"transaction"`
		Request string `json:"authorization_request"`
	}
	fail := func(err error) Result {
		out.Unknown, out.Err = true, err
		if how, _ := ended(err); how == refused {
			out.Unknown, out.Wrong = false, fmt.Sprintf("the presentation was not taken: %v", err)
		}
		return c.crowd.done(out)
	}
	if err := at.desk.ask(ctx, "POST", "/vp/transactions", map[string]any{"elements": at.Asks}, "", &begun); err != nil {
		return fail(err)
	}
	wrong := func(why string) Result { out.Wrong = why; return c.crowd.done(out) }
	request, err := on.Open(ctx, begun.Request)
	if errors.Is(err, wallet.ErrRequest) {
		return wrong(err.Error())
	}
	if err != nil {
		return fail(err)
	}
	choices, err := on.Choose(request)
	if err == nil && len(choices) == 0 {
		err = dcql.ErrNone
	}
	if errors.Is(err, dcql.ErrNone) {
		return wrong(err.Error())
	}
	if err != nil {
		return fail(err)
	}
	if why := beyond(on.Copies()[choices[0].Copy].Format, choices[0].Claims, at.Asks); why != "" {
		return wrong(why)
	}
	ref, err := refOf(on.Copies()[choices[0].Copy])
	if err != nil {
		return fail(err)
	}
	knew, lost, live := c.before(), on.lost, on.live
	look := oracle.Presentation{Citizen: c.Name, Verifier: at.desk.ID, Kind: at.Name, Status: ref, Entitled: true, Begin: c.crowd.Stamp(), Outcome: oracle.TurnedAway}
	_, answered := on.Answer(ctx, request, choices) // a card that is not good may be refused at once
	var got told
	err = at.desk.ask(ctx, "GET", "/vp/transactions/"+begun.ID, nil, "", &got)
	look.End = c.crowd.Stamp()
	if err == nil && got.Verdict != "" {
		look.Outcome, out.Verdict = oracle.Outcome(got.Verdict), got.Verdict
	}
	c.crowd.note(func(h *oracle.History) { h.Presentations = append(h.Presentations, look) })
	should, known := expected(knew, lost, live), knew.held(c)
	if out.Verdict == "" {
		if how, reason := ended(answered); how == refused && known && should == string(oracle.Accepted) {
			return wrong(fmt.Sprintf("the wallet's answer was refused (%s), although the card should be accepted", reason))
		}
		if err != nil {
			return fail(err)
		}
		return fail(fmt.Errorf("the verifier has no verdict; the wallet: %v", answered))
	}
	if out.Wrong = c.misled(&got, at.Asks); out.Wrong == "" && known && out.Verdict != should {
		out.Wrong = fmt.Sprintf("the card is %s, and should be %s (report on the plastic card in force: %d; on the phone: %d; live: %t)", out.Verdict, should, knew.physical, lost, live)
	}
	return c.crowd.done(out)
}

// expected is the verdict that the citizen's own history allows.
func expected(k knowledge, lost uint64, live bool) string {
	switch {
	case !live:
		return string(oracle.NotValid)
	case k.physical != 0 || k.ordered != 0 || lost != 0:
		return string(oracle.Suspended)
	}
	return string(oracle.Accepted)
}

func refOf(held wallet.Copy) (oracle.StatusRef, error) {
	if held.Format == sdjwt.Format {
		one, err := copyOf(held)
		return one.Status, err
	}
	read, err := mdoc.Inspect(held.Credential)
	if err != nil || read.Status == nil {
		return oracle.StatusRef{}, fmt.Errorf("a card without a place in a status list: %v", err)
	}
	return oracle.StatusRef{URI: read.Status.URI, Index: read.Status.Index}, nil
}

// presentCached shows the card in person to somebody who goes by the lists they have.
func (c *Citizen) presentCached(ctx context.Context, at *place, on *phoneOf, out Result) Result {
	fail := func(err error) Result {
		out.Unknown, out.Err = true, err
		if how, reason := ended(err); how == refused {
			out.Unknown, out.Wrong = false, fmt.Sprintf("the status lists are not given to who asks for them (%s)", reason)
		}
		return c.crowd.done(out)
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	fetched, missed := false, error(nil)
	if at.fetched.IsZero() || c.crowd.o.Now().Sub(at.fetched.At) >= at.TTL {
		if missed = at.fetch(ctx, c.crowd); missed != nil && at.fetched.IsZero() {
			return fail(missed)
		}
		fetched = true
	}
	which := -1
	for i, held := range on.Copies() {
		if held.Format != sdjwt.Format && (which < 0 || held.Shown < on.Copies()[which].Shown) {
			which = i
		}
	}
	if which < 0 {
		out.Reason = nothingToShow
		return out
	}
	held := &on.Copies()[which]
	ref, err := refOf(*held)
	if err != nil {
		return fail(err)
	}
	look := oracle.Presentation{Citizen: c.Name, Verifier: at.Name, Kind: at.Name, Status: ref, Entitled: true, Begin: c.crowd.Stamp()}
	a, err := at.check(held)
	if err == nil && a.Verdict == lifecycle.CannotTell && (!fetched || at.FromIssue) { // it was old when it was fetched, or there is one more
		if missed = at.fetch(ctx, c.crowd); missed == nil {
			a, err = at.check(held)
		}
	}
	if err != nil {
		return fail(err)
	}
	list, ok := at.held[ref.URI]
	if !ok {
		list = -1
	}
	look.End, look.Outcome = c.crowd.Stamp(), oracle.Outcome(a.Verdict.String())
	look.Cached = &oracle.CachedCheck{List: list, Fetched: at.fetched, TTL: at.TTL, AcceptsExpired: at.AcceptsExpired, FromIssue: at.FromIssue}
	out.Verdict = string(look.Outcome)
	c.crowd.note(func(h *oracle.History) { h.Presentations = append(h.Presentations, look) })
	switch since := at.blind[ref.URI]; {
	case a.Verdict != lifecycle.CannotTell || missed != nil:
		delete(at.blind, ref.URI)
	case since.IsZero():
		at.blind[ref.URI] = look.End.At
	case on.live && look.End.At.Sub(since) > c.crowd.o.StatusEvery+c.crowd.o.Allowance:
		out.Wrong = fmt.Sprintf("for %v nobody could tell by the lists that are published whether the card is good (%s)", look.End.At.Sub(since).Round(time.Second/10), ref.URI)
	}
	return c.crowd.done(out)
}

// check has the place look at a copy of the card.
func (p *place) check(held *wallet.Copy) (verification.Answer, error) {
	t, err := p.offline.Begin()
	if err != nil {
		return verification.Answer{}, err
	}
	response, err := mdoc.Present(held.Credential, p.Asks, t.Transcript(), held.Key)
	if err != nil {
		return verification.Answer{}, err
	}
	held.Shown++
	return p.offline.Verify(t, response)
}

// fetch takes the lists as they are published.
func (p *place) fetch(ctx context.Context, c *Crowd) error {
	lists, err := c.FetchLists(ctx)
	if err != nil {
		return err
	}
	for _, l := range lists {
		// An older list than the one held is no news.
		if p.offline.Fetched(l.token) == nil {
			p.held[l.uri] = l.index
		}
	}
	p.fetched = c.Stamp()
	return nil
}

// fetched is a list as it was fetched.
type fetched struct {
	uri   string
	token []byte
	index int // in the history
}

// FetchLists fetches all status lists, and keeps those that are new in the history.
func (c *Crowd) FetchLists(ctx context.Context) ([]fetched, error) { return c.fetchLists(ctx, 1) }

// fetchLists asks for each list so often at most.
func (c *Crowd) fetchLists(ctx context.Context, tries int) ([]fetched, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, c.o.Service+"/status-lists", nil)
	if err != nil {
		return nil, err
	}
	var all struct {
		Lists []string `json:"status_lists"`
	}
	if err := c.again(ctx, tries, func() error { return c.do(q, &all) }); err != nil {
		return nil, err
	}
	var out []fetched
	for _, uri := range all.Lists {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
		if err != nil {
			return nil, err
		}
		q.Header.Set("Accept", "application/statuslist+jwt")
		var token []byte
		if err := c.again(ctx, tries, func() error { return c.do(q, &token) }); err != nil {
			return nil, err
		}
		at := c.Stamp()
		one := fetched{uri: uri, token: token}
		c.note(func(h *oracle.History) {
			i, ok := c.held[uri+" "+string(token)]
			if !ok {
				i = len(h.Lists)
				h.Lists = append(h.Lists, oracle.PublishedList{Published: at, Token: token})
				c.held[uri+" "+string(token)] = i
			}
			one.index = i
		})
		out = append(out, one)
	}
	return out, nil
}

// ShowPlastic shows the plastic card to a clerk, who asks the service.
func (c *Citizen) ShowPlastic(ctx context.Context) Result {
	out := Result{Citizen: c.Name, Did: "show plastic card"}
	knew := c.before()
	var got struct {
		Verdict string `json:"verdict"`
	}
	look := oracle.Presentation{Citizen: c.Name, Kind: "counter", Document: knew.document, Entitled: true, Begin: c.crowd.Stamp(), Outcome: oracle.TurnedAway}
	err := c.crowd.clerk.ask(ctx, "POST", "/cards/check", map[string]string{"card": knew.document}, "", &got)
	look.End = c.crowd.Stamp()
	if err == nil {
		look.Outcome, out.Verdict = oracle.Outcome(got.Verdict), got.Verdict
	}
	c.crowd.note(func(h *oracle.History) { h.Presentations = append(h.Presentations, look) })
	if err != nil {
		out.Unknown, out.Err = true, err
		if how, reason := ended(err); how == refused && knew.held(c) {
			out.Unknown, out.Wrong = false, fmt.Sprintf("the plastic card was not checked (%s)", reason)
		}
		return c.crowd.done(out)
	}
	if knew.held(c) {
		want := string(oracle.Accepted)
		if knew.physical != 0 || knew.ordered != 0 {
			want = string(oracle.Suspended)
		}
		if out.Verdict != want {
			out.Wrong = fmt.Sprintf("the plastic card is %s, and should be %s (report in force: %d)", out.Verdict, want, knew.physical)
		}
	}
	return c.crowd.done(out)
}

// Look has somebody at a desk look the citizen up: one answer that shows both cards.
func (c *Citizen) Look(ctx context.Context) Result {
	out := Result{Citizen: c.Name, Did: "look up"}
	var got struct {
		State state `json:"state"`
	}
	begin := c.crowd.Stamp()
	if err := c.crowd.operator.ask(ctx, "GET", "/residents/"+c.Name, nil, "", &got); err != nil {
		out.Unknown, out.Err = true, err
		if how, reason := ended(err); how == refused {
			out.Unknown, out.Wrong = false, fmt.Sprintf("a resident who was entered was not looked up (%s)", reason)
		}
		return c.crowd.done(out)
	}
	end := c.crowd.Stamp()
	c.crowd.note(func(h *oracle.History) {
		h.Inquiries = append(h.Inquiries, oracle.Inquiry{Citizen: c.Name, Begin: begin, End: end, Plastic: oracle.Outcome(got.State.Plastic), Mobile: oracle.Outcome(got.State.Mobile)})
	})
	out.Granted = true
	return c.crowd.done(out)
}
