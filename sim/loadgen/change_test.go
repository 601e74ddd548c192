package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/oracle"
)

var begin = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

// alone is a citizen with an empty phone whose crowd talks to nobody: a clock that goes
// on by a millisecond whenever it is read, and no waiting.
func alone() *Citizen {
	at := begin
	c := &Crowd{o: Options{
		Now: func() time.Time { at = at.Add(time.Millisecond); return at }, Wait: func(context.Context, time.Duration) error { return nil },
		Rules: &lifecycle.Policy{MinimumAge: 17, Opens: map[string]time.Time{"36110": {}}}, Municipality: "36110", StatusEvery: time.Second,
	}, random: &shared{r: nothing{}}, places: map[string]*place{}, held: map[string]int{}, counts: map[string]int{}}
	one := &Citizen{Name: "1", crowd: c, home: "36110", wallets: []*phoneOf{{live: true}}, knows: knowledge{document: "A"}}
	c.Citizens = []*Citizen{one}
	return one
}

type nothing struct{}

func (nothing) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// answers are what a change gets, in turn: a receipt or an error.
func answers(all ...any) func(context.Context) (receipt, error) {
	n := 0
	return func(context.Context) (receipt, error) {
		a := all[min(n, len(all)-1)]
		n++
		if err, ok := a.(error); ok {
			return receipt{}, err
		}
		return a.(receipt), nil
	}
}

// reported is a report of the plastic card that gets these answers.
func (c *Citizen) reported(t *testing.T, all ...any) *change {
	t.Helper()
	c.crowd.operator, c.crowd.clerk = &desk{crowd: c.crowd, Party: Party{ID: "op"}}, &desk{crowd: c.crowd, Party: Party{ID: "clerk"}}
	ch, err := c.report(PhysicalLost)
	if err != nil {
		t.Fatal(err)
	}
	ch.send = answers(all...)
	return ch
}

var (
	lost       = &wallet.Refused{Status: 409, Code: "not-in-force"}
	shed       = &wallet.Refused{Status: 503, Code: "not-ready"}
	errSilence = errors.New("connection reset")
)

func TestWhatAnAnswerDecides(t *testing.T) {
	for _, x := range []struct {
		err    error
		how    ending
		reason string
	}{
		{nil, granted, ""},
		{fmt.Errorf("issue: %w", errors.Join(wallet.ErrUnusable, &wallet.Refused{Status: 400, Code: "invalid_notification_id"})), granted, ""},
		{errors.New("connection refused"), silent, ""},
		{context.DeadlineExceeded, silent, ""},
		{&wallet.Refused{Status: 429, Code: "too-many"}, away, "too-many"},
		{&wallet.Refused{Status: 500, Code: "internal"}, away, "internal"},
		{&wallet.Refused{Status: 503, Code: "full"}, away, "full"},
		{&wallet.Refused{Status: 400, Code: "invalid_grant"}, refused, "invalid_grant"},
		{&wallet.Refused{Status: 400, Code: "access_denied", Description: "card-suspended"}, refused, "card-suspended"},
		{&wallet.Refused{Status: 400, Code: "access_denied", Description: "something else"}, refused, "access_denied"},
		{fmt.Errorf("the wallet says: %w", &wallet.Refused{Status: 403, Code: "forbidden"}), refused, "forbidden"},
	} {
		if how, reason := ended(x.err); how != x.how || reason != x.reason {
			t.Errorf("%v: ended as %d, %q; want %d, %q", x.err, how, reason, x.how, x.reason)
		}
	}
}

func TestTheVerdictThatAHistoryAllows(t *testing.T) {
	for _, x := range []struct {
		knows knowledge
		lost  uint64
		live  bool
		want  string
	}{
		{knowledge{}, 0, true, "accepted"},
		{knowledge{physical: 3}, 0, true, "suspended"},
		{knowledge{ordered: 3}, 0, true, "suspended"},
		{knowledge{}, 3, true, "suspended"},
		{knowledge{}, 0, false, "not-valid"},
		{knowledge{physical: 3}, 3, false, "not-valid"},
	} {
		if got := expected(x.knows, x.lost, x.live); got != x.want {
			t.Errorf("%+v, phone %d, live %t: %s, want %s", x.knows, x.lost, x.live, got, x.want)
		}
	}
}

// The service has issued something, so its register has changed; that no wallet could keep it
// is a wrong answer, whatever else is under way.
func TestACardThatNoWalletKeepsIsAWrongAnswer(t *testing.T) {
	for _, muddled := range []bool{false, true} {
		c := alone()
		c.knows.muddled = muddled
		ch := c.reported(t, fmt.Errorf("%w: copy 2 of 3: the card has expired", wallet.ErrUnusable))
		if r := c.make(t.Context(), ch); !r.Granted || r.Unknown || c.Pending() || !strings.Contains(r.Wrong, "copy 2 of 3: the card has expired") {
			t.Errorf("%+v", r)
		}
	}
}

func TestAnAcknowledgedReportIsKnownAndWrittenDown(t *testing.T) {
	c := alone()
	r := c.make(t.Context(), c.reported(t, receipt{Sequence: 7, At: begin, State: &state{Plastic: "suspended", Mobile: "suspended"}}))
	if !r.Granted || r.Wrong != "" || c.knows.physical != 7 || c.Pending() {
		t.Errorf("%+v, %+v", r, c.knows)
	}
	h := &c.crowd.history
	if len(h.Reports) != 1 || h.Reports[0].Sequence != 7 || !h.Reports[0].Granted || !h.Reports[0].Begin.Before(h.Reports[0].End) || len(h.Inquiries) != 1 {
		t.Errorf("%+v", h)
	}
	if c.crowd.Counts()["report physical-lost: granted"] != 1 {
		t.Errorf("%v", c.crowd.Counts())
	}
}

func TestARightfulReportThatIsRefusedIsWrong(t *testing.T) {
	c := alone()
	r := c.make(t.Context(), c.reported(t, lost))
	if r.Granted || !strings.Contains(r.Wrong, "the report was refused (not-in-force), although there is something in force to suspend") || len(c.crowd.Wrong()) != 1 {
		t.Errorf("%+v", r)
	}
	if s := r.String(); !strings.HasPrefix(s, "citizen 1, report physical-lost: the report was refused") {
		t.Error(s)
	}
}

func TestAReleaseIsHeldAgainstTheReportInForce(t *testing.T) {
	for _, x := range []struct {
		name     string
		stands   uint64
		names    uint64
		role     string
		answer   any
		rightful bool
	}{
		{"of the newest report", 7, 7, "clerk", receipt{Sequence: 8}, true},
		{"of the newest report, refused", 7, 7, "clerk", lost, false},
		{"of an older report", 7, 6, "clerk", receipt{Sequence: 8}, false},
		{"of an older report, refused", 7, 6, "clerk", lost, true},
		{"by who has not seen the card", 7, 7, "call-centre", receipt{Sequence: 8}, false},
		{"by who has not seen the card, refused", 7, 7, "call-centre", lost, true},
		{"of nothing", 0, 0, "clerk", receipt{Sequence: 8}, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			c := alone()
			c.knows.physical = x.stands
			c.crowd.o.HTTP = answering(func(*http.Request) (int, any) {
				if r, ok := x.answer.(receipt); ok {
					return 200, r
				}
				return lost.Status, map[string]string{"type": "urn:rollcall:problem:" + lost.Code}
			})
			by := &desk{Party: Party{ID: x.role}, crowd: c.crowd, token: "t", ends: begin.Add(time.Hour)}
			r := c.release(t.Context(), PhysicalLost, x.names, by, x.role)
			if (r.Wrong == "") != x.rightful || r.Unknown {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestWithoutAnAnswerOneAsksAgainWithTheSameKey(t *testing.T) {
	c := alone()
	ch := c.reported(t, errSilence, shed, receipt{Sequence: 7})
	if r := c.make(t.Context(), ch); !r.Unknown || r.Wrong != "" || !c.Pending() || c.knows.physical != 0 {
		t.Errorf("%+v, %+v", r, c.knows)
	}
	if err := c.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.Pending() || c.knows.physical != 7 || c.knows.open != 0 {
		t.Errorf("%+v", c.knows)
	}
	all := c.crowd.history.Reports
	if len(all) != 3 || !all[0].End.IsZero() || !all[1].TurnedAway || !all[2].Granted || all[0].Key != all[1].Key || all[1].Key != all[2].Key {
		t.Errorf("%+v", all)
	}
}

func TestWhoeverGetsNoAnswerGivesUpAtLast(t *testing.T) {
	c := alone()
	c.make(t.Context(), c.reported(t, errSilence))
	err := c.Settle(t.Context())
	if err == nil || !strings.Contains(err.Error(), "citizen 1, report physical-lost: no answer after 200 attempts: connection reset") {
		t.Error(err)
	}
}

func TestChangesThatOverlapAccuseNobody(t *testing.T) {
	c := alone()
	slow := c.reported(t)
	slow.send = func(ctx context.Context) (receipt, error) { // meanwhile a report is refused, perhaps rightly
		if r := c.make(ctx, c.reported(t, lost)); r.Wrong != "" {
			t.Errorf("%+v", r)
		}
		return receipt{}, lost
	}
	before := c.before()
	if r := c.make(t.Context(), slow); r.Wrong != "" || !c.knows.muddled {
		t.Errorf("%+v, %+v", r, c.knows)
	}
	if before.held(c) {
		t.Error("a presentation that ran meanwhile would be held against what was known before")
	}
	// A card that is issued tells again what is in force.
	issued := &change{call: c.call("citizen", Party{}, "k"), send: answers(receipt{}), note: func(*oracle.History, oracle.Call) {}, known: func(receipt) {}}
	if c.make(t.Context(), issued); c.knows.muddled || !c.before().held(c) {
		t.Errorf("%+v", c.knows)
	}
}

func TestWhatHasLapsedIsNeitherGrantedNorRefused(t *testing.T) {
	c := alone()
	r := c.make(t.Context(), c.reported(t, errors.Join(errLapsed, lost)))
	if !r.Unknown || r.Wrong != "" || c.Pending() || !c.knows.muddled || !c.crowd.history.Reports[0].End.IsZero() {
		t.Errorf("%+v, %+v", r, c.knows)
	}
}
