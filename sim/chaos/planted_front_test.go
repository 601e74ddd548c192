package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/sim/world"
)

// bugsOfFront stand between people and a service that is right, or are
// verifiers' own.
var bugsOfFront = []bug{
	{name: "a breaker opens at the first failure and stays open for an hour", breaks: "S12", seeds: 10, left: 5,
		plant: timed(func(f world.Front, c *service.Config) world.Front { return &breaker{Front: f, now: c.Now} })},
	{name: "for half an hour after a restart nobody is accepted", breaks: "S12", seeds: 10, left: 4,
		plant: func() world.Plant {
			var starts int
			var started time.Time
			var now func() time.Time
			return world.Plant{
				Config: func(c *service.Config) { now, started, starts = c.Now, c.Now(), starts+1 },
				Front: func(f world.Front) world.Front {
					if starts == 1 {
						return f
					}
					return &breaker{f, now, started.Add(30 * time.Minute)}
				},
			}
		}},
	{name: "lists in which nothing is worse than before are not published", breaks: "S12", seeds: 10, left: 6,
		plant: timed(func(f world.Front, c *service.Config) world.Front {
			return &sleepy{Front: f, told: c}
		})},
	{name: "the export leaves out an entry that looks like the one before", breaks: "S10", seeds: 10, left: 2,
		plant: exports(func(before, l *audit.Entry, line []byte) []byte {
			if l.Event == before.Event && l.Person == before.Person && l.At.Equal(before.At) {
				return nil
			}
			return line
		})},
	{name: "the export veils the reason of an order", breaks: "S10", seeds: 5, left: 1,
		plant: exports(func(_, l *audit.Entry, line []byte) []byte {
			if l.Event == lifecycle.SuspendAdministrative.String() {
				return bytes.Replace(line, []byte(l.Reason), []byte("-"), 1)
			}
			return line
		})},
	{name: "a verifier keeps a list for as long as the list allows, not as it has promised", breaks: "S4", seeds: 5, left: 3,
		plant: func() world.Plant {
			return world.Plant{Verifier: func(o *verification.OfflineOptions) { o.MaxAge = 0 }}
		}},
	{name: "an older list replaces one that is past its ttl", breaks: "S4", seeds: 10, left: 7,
		plant: func() world.Plant {
			return world.Plant{Checker: func(c world.Checker, o verification.OfflineOptions) world.Checker {
				return &forgetful{Checker: c, told: o}
			}}
		}},
	{name: "an answer is known by role and key, whoever asks", breaks: "S9", seeds: 50, left: 2,
		plant: func() world.Plant {
			seen := map[roleAndKey]suspension.Receipt{}
			return world.Plant{Front: func(f world.Front) world.Front { return byKey{f, seen} }}
		}},
	{name: "a verifier's clock is an hour slow", breaks: "E5", seeds: 10, left: 4,
		plant: func() world.Plant {
			return world.Plant{Verifier: func(o *verification.OfflineOptions) {
				now := o.Now
				o.Now = func() time.Time { return now().Add(-time.Hour) }
			}}
		}},
}

// timed is a front that needs to know what the service is told, the time of day
// among it. It is made anew at every start.
func timed(wrap func(world.Front, *service.Config) world.Front) func() world.Plant {
	return func() world.Plant {
		var told service.Config
		return world.Plant{
			Config: func(c *service.Config) { told = *c },
			Front:  func(f world.Front) world.Front { return wrap(f, &told) },
		}
	}
}

// breaker judges nothing until a moment. A failure of the service puts that
// moment off.
type breaker struct {
	world.Front
	now  func() time.Time
	open time.Time
}

func (b *breaker) Verify(ctx context.Context, t verification.Transaction, response []byte) (verification.Answer, error) {
	if b.now().Before(b.open) {
		return verification.Answer{}, nil
	}
	a, err := b.Front.Verify(ctx, t, response)
	if err != nil {
		b.open = b.now().Add(time.Hour)
	}
	return a, err
}

// sleepy goes on with the lists it has published as long as what is new is good
// news: nobody is suspended, nothing has ended.
type sleepy struct {
	world.Front
	told *service.Config
	last []suspension.Published
}

func (s *sleepy) Publish(ctx context.Context) ([]suspension.Published, bool, error) {
	lists, fresh, err := s.Front.Publish(ctx)
	if err != nil || len(lists) == len(s.last) && s.told.Now().Before(s.last[0].IssuedAt.Add(s.told.Validity/2)) && !s.bad(lists) {
		return s.last, false, err
	}
	s.last = lists
	return lists, fresh, nil
}

// bad says whether some card is worse off than in the last lists.
func (s *sleepy) bad(lists []suspension.Published) bool {
	for i := range lists {
		var both [2]*statuslist.List
		for k, jwt := range [][]byte{s.last[i].JWT, lists[i].JWT} {
			t, err := statuslist.ParseJWT(jwt, s.told.Anchors, s.told.Now())
			if err != nil {
				return true
			}
			both[k] = t.List
		}
		for index := range both[1].Len() {
			was, _ := both[0].Get(index)
			if is, _ := both[1].Get(index); is != was && is != statuslist.Valid {
				return true
			}
		}
	}
	return false
}

// forgetful does not hold an older list against one that it may not go by any
// more.
type forgetful struct {
	world.Checker
	told verification.OfflineOptions
	at   time.Time // of the list it holds
}

func (f *forgetful) Fetched(token []byte) error {
	now := f.told.Now()
	err := f.Checker.Fetched(token)
	if err != nil && now.Sub(f.at) > f.told.MaxAge {
		if f.Checker, err = verification.NewOffline(f.told); err != nil {
			return err
		}
		err = f.Checker.Fetched(token)
	}
	if err == nil {
		f.at = now
	}
	return err
}

// byKey gives a report the answer of another one with its key.
type byKey struct {
	world.Front
	seen map[roleAndKey]suspension.Receipt
}

type roleAndKey struct {
	role lifecycle.Role
	key  string
	what lifecycle.Causes
}

func (b byKey) Report(ctx context.Context, q suspension.ReportRequest) (suspension.Receipt, error) {
	k := roleAndKey{q.By.Role, q.Key, q.Cause}
	if a, seen := b.seen[k]; seen {
		return a, nil
	}
	a, err := b.Front.Report(ctx, q)
	if err == nil && a.Reason == lifecycle.Granted {
		b.seen[k] = a
	}
	return a, err
}

// exports is a service whose audit export is edited: edit is told the entry
// before and what the line says, and returns the line, or nil.
func exports(edit func(before, l *audit.Entry, line []byte) []byte) func() world.Plant {
	return func() world.Plant {
		return world.Plant{Front: func(f world.Front) world.Front { return edited{f, edit} }}
	}
}

type edited struct {
	world.Front
	edit func(before, l *audit.Entry, line []byte) []byte
}

func (e edited) Export(ctx context.Context, w io.Writer) error {
	var real bytes.Buffer
	if err := e.Front.Export(ctx, &real); err != nil {
		return err
	}
	var before audit.Entry
	for line := range bytes.Lines(real.Bytes()) {
		var l audit.Line
		var entry audit.Entry
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		if err := json.Unmarshal(l.Entry, &entry); err != nil {
			return err
		}
		if _, err := w.Write(e.edit(&before, &entry, line)); err != nil {
			return err
		}
		before = entry
	}
	return nil
}
