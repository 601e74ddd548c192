package panel

import (
	"bytes"
	"cmp"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/world"
)

// A site that is lost, with the real service: at the instant of the last copy the
// database is copied; when the stand-by site serves, it is the service on that copy,
// which issues nothing; when the main site is back, its database is opened again and is
// told, in order, the reports and releases that the stand-by granted.

// site is what is kept of that.
type site struct {
	standby bool // serves
	turns   int  // how often the register that serves has changed
	taken   []taken
	numbers map[named]uint64 // that the main register gave to reports the stand-by took
}

// taken is a report or release that the stand-by granted.
type taken struct {
	c   *citizen
	q   world.Request
	seq uint64
}

// named is a report as its holder names it: by the number that the stand-by gave.
type named struct {
	person uint32
	cause  lifecycle.Causes
	seq    uint64
}

// siteFaults are where tests have a site go wrong.
type siteFaults struct {
	copiesEarlier int64 // ms: the copy is older than it is said to be
	forgets       int   // of what the stand-by took, that the main register is not told
}

// planSite lays out what happens to the site.
func (r *run) planSite() []event {
	copied, on, back, ok := r.outcome.Model.Standby()
	if !ok {
		return nil
	}
	return []event{
		{at: copied - r.wrongSite.copiesEarlier, class: copies, what: doCopy, who: -1},
		{at: on, class: turn, what: doLose, who: -1},
		{at: back, class: turn, what: doReturn, who: -1},
	}
}

// undisturbed says whether the register that is asked at an instant keeps what it is
// told within reach of it: no site is lost, or not yet copied for the last time.
func (r *run) undisturbed(at int64) bool {
	copied, _, _, ok := r.outcome.Model.Standby()
	return !ok || at+reachMs < copied
}

func (r *run) giveCopy() error {
	copied := r.Stamp()
	copied.At = copied.At.Add(time.Duration(r.wrongSite.copiesEarlier) * time.Millisecond)
	r.History.Failover = &oracle.Failover{Copied: copied, Up: oracle.Stamp{At: r.at(r.end)}, Back: oracle.Stamp{At: r.at(r.end)}}
	return r.GiveCopy()
}

func (r *run) loseSite() error {
	r.site.standby = true
	r.site.turns++
	r.site.numbers = map[named]uint64{}
	r.History.Failover.Up = r.Stamp()
	return r.LoseSite(r.ctx)
}

// siteBack takes the stand-by's audit and tells the main register what it took.
func (r *run) siteBack() error {
	if err := r.standbysAudit(); err != nil {
		return err
	}
	r.site.standby = false
	r.site.turns++
	r.History.Failover.Back = r.Stamp()
	if err := r.SiteBack(r.ctx); err != nil {
		return err
	}
	for _, t := range r.site.taken[min(r.wrongSite.forgets, len(r.site.taken)):] {
		q := t.q
		switch body := q.Body.(type) {
		case suspension.ReleaseRequest: // names a report by the stand-by's number
			names := cmp.Or(r.site.numbers[named{t.c.Number, body.Cause, body.Sequence}], body.Sequence)
			q = r.Release(t.c.Citizen, body.By, body.Key, body.Cause, names, body.Wallet)
			r.Send(r.ctx, q)
		case suspension.ReportRequest:
			a := r.Send(r.ctx, q)
			if !a.Granted() {
				continue // there is nothing any more that it could suspend
			}
			r.site.numbers[named{t.c.Number, body.Cause, t.seq}] = a.Sequence
			if t.c.newest[body.Cause] == t.seq {
				t.c.newest[body.Cause] = a.Sequence // holders are told the new number
			}
		}
	}
	return nil
}

func (r *run) standbysAudit() error {
	var export bytes.Buffer
	if err := r.Front.Export(r.ctx, &export); err != nil {
		return err
	}
	r.History.Failover.Audit = export.Bytes()
	return nil
}

// take keeps what the stand-by granted, once.
func (s *site) take(c *citizen, q world.Request, a world.Answer) {
	if !s.standby || !a.Granted() {
		return
	}
	switch q.Body.(type) {
	case suspension.ReportRequest, suspension.ReleaseRequest:
		for _, t := range s.taken {
			if t.q.Call.Citizen == q.Call.Citizen && t.q.Call.Key == q.Call.Key && t.q.Call.Role == q.Call.Role {
				return
			}
		}
		s.taken = append(s.taken, taken{c, q, a.Sequence})
	}
}
