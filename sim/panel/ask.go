package panel

import (
	"context"

	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/sim/world"
)

// ask sends a request and writes down what an observer sees. A citizen who is
// chosen for it has this request in flight when the service is dropped, and
// repeats it with the same key afterwards.
func (r *run) ask(c *citizen, q world.Request) world.Answer {
	if f := c.flight; f != nil {
		c.flight = nil
		f.answer = r.SendUnanswered(context.WithValue(r.ctx, inFlight, f), q)
	}
	return r.askOnce(c, q)
}

// askOnce sends a request, and keeps what was acknowledged.
func (r *run) askOnce(c *citizen, q world.Request) world.Answer {
	a := r.Send(r.ctx, q)
	r.site.take(c, q, a)
	if a.Granted() && a.Sequence != 0 {
		r.acknowledged = append(r.acknowledged, change{a.Sequence, q.Call.Citizen})
	}
	if body, is := q.Body.(suspension.ReportRequest); is && a.Granted() {
		r.reported = append(r.reported, reported{body, a.Sequence})
	}
	return a
}
