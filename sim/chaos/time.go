package chaos

import (
	"time"

	"rollcall.example/rollcall/sim/oracle"
)

// out says whether something is out of order now.
func (r *run) out(what string) bool { return r.Clock.Now().Before(r.outages[what]) }

// backAt is when nothing is out of order any more.
func (r *run) backAt() time.Time {
	back := r.outages["service"]
	if status := r.outages["status"]; status.After(back) {
		back = status
	}
	return back
}

// breakDown puts something out of order for so long.
func (r *run) breakDown(what string, d time.Duration) {
	now := r.Clock.Now()
	if to := now.Add(d); to.After(r.outages[what]) {
		r.outages[what] = to
		r.History.Faults = append(r.History.Faults, oracle.Fault{Name: what, From: now, To: to})
	}
}

// publish publishes the lists if they can be, and there is need to.
func (r *run) publish() error {
	if r.lists || r.out("service") || r.out("status") || !r.Due() {
		return nil
	}
	r.lists = true
	_, err := r.Publish(r.ctx)
	r.lists = false
	if err != nil {
		r.Dirty = true // the service failed between its steps; it tries again
	}
	return nil
}

// advance lets time pass until a moment. Lists are published at every multiple of
// the interval at which there is need to, and at once when an outage ends.
func (r *run) advance(to time.Time) error {
	interval := r.Scenario.StatusLists.PublishInterval
	for now := r.Clock.Now(); now.Before(to); now = r.Clock.Now() {
		next := to
		turn := func(t time.Time) {
			if t.After(now) && t.Before(next) {
				next = t
			}
		}
		if r.Due() {
			turn(now.Truncate(interval).Add(interval))
		} else {
			turn(r.Resign().Truncate(interval).Add(interval))
		}
		back := r.backAt()
		turn(back)
		r.Clock.Set(next)
		if next.Equal(next.Truncate(interval)) || next.Equal(back) {
			if err := r.publish(); err != nil {
				return err
			}
		}
	}
	return nil
}
