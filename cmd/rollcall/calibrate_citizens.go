package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"rollcall.example/rollcall/sim/calibrate"
	"rollcall.example/rollcall/sim/loadgen"
)

// traced is a way out to the service that writes down how long each request of an
// operation took.
type traced struct {
	under http.RoundTripper
	now   func() time.Time
}

// spans are the requests of one operation, by its context.
type spans struct {
	mu  sync.Mutex
	all []calibrate.Span
}

type spansKey struct{}

func (t *traced) RoundTrip(q *http.Request) (*http.Response, error) {
	s, ok := q.Context().Value(spansKey{}).(*spans)
	if !ok {
		return t.under.RoundTrip(q)
	}
	from := t.now()
	res, err := t.under.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	res.Body = &tracedBody{ReadCloser: res.Body, end: func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all = append(s.all, calibrate.Span{From: from, To: t.now()})
	}}
	return res, nil
}

// tracedBody ends its request when it has been read, or is closed.
type tracedBody struct {
	io.ReadCloser
	once sync.Once
	end  func()
}

func (b *tracedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.once.Do(b.end)
	}
	return n, err
}

func (b *tracedBody) Close() error {
	b.once.Do(b.end)
	return b.ReadCloser.Close()
}

// pool is citizens of whom nobody wants anything at the moment.
type pool struct {
	mu   sync.Mutex
	free []*loadgen.Citizen
}

func (p *pool) put(c *loadgen.Citizen) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, c)
}

// take takes the one who has waited longest.
func (p *pool) take() *loadgen.Citizen {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return nil
	}
	c := p.free[0]
	p.free = p.free[1:]
	return c
}

func (p *pool) some() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free) > 0
}

// livers are what citizens do while the service is measured: those whose plastic card
// is in order, and those who have reported it lost.
type livers struct {
	crowd      *loadgen.Crowd
	now        func() time.Time
	well, lost pool
}

// act is an operation of theirs: who does it, and where they are afterwards.
type act struct {
	name     string
	from, to *pool
	do       func(context.Context, *loadgen.Citizen) loadgen.Result
}

func (l *livers) acts() []act {
	return []act{
		{calibrate.IssueTap, &l.well, &l.well, func(ctx context.Context, c *loadgen.Citizen) loadgen.Result { return c.IssueByTap(ctx) }},
		{calibrate.IssueQR, &l.well, &l.well, func(ctx context.Context, c *loadgen.Citizen) loadgen.Result { return c.IssueAtCentre(ctx) }},
		{calibrate.Present, &l.well, &l.well, func(ctx context.Context, c *loadgen.Citizen) loadgen.Result { return c.Present(ctx, "shop") }},
		{calibrate.FetchLists, nil, nil, nil},
		{calibrate.Report, &l.well, &l.lost, func(ctx context.Context, c *loadgen.Citizen) loadgen.Result {
			return c.ReportLost(ctx, loadgen.PhysicalLost)
		}},
		{calibrate.Release, &l.lost, &l.well, func(ctx context.Context, c *loadgen.Citizen) loadgen.Result {
			return c.Release(ctx, loadgen.PhysicalLost)
		}},
	}
}

// ready says whether there is somebody who can do an operation.
func (a *act) ready() bool { return a.from == nil || a.from.some() }

// run does an operation once. An answer that is wrong, or none, is an error: a service
// that fails is not measured.
func (l *livers) run(a *act) func(context.Context) (calibrate.Trace, error) {
	return func(ctx context.Context) (t calibrate.Trace, err error) {
		s := &spans{}
		ctx = context.WithValue(ctx, spansKey{}, s)
		if a.from == nil {
			t.From = l.now()
			_, err = l.crowd.FetchLists(ctx)
			t.To = l.now()
			t.Requests = s.all
			return t, err
		}
		one := a.from.take()
		if one == nil {
			return t, calibrate.ErrNobody
		}
		t.From = l.now()
		r := a.do(ctx, one)
		t.To = l.now()
		t.Requests = s.all
		switch {
		case r.Wrong != "" || r.Unknown:
			return t, fmt.Errorf("%s", r)
		case !r.Granted && r.Verdict != "accepted":
			return t, fmt.Errorf("%s: a rightful citizen was turned away", r)
		}
		a.to.put(one)
		return t, nil
	}
}
