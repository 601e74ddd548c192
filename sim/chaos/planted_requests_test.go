package chaos

import (
	"context"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/sim/world"
)

// bugsOfRequests answer requests wrongly.
var bugsOfRequests = []bug{
	{name: "lists come from a cache that nobody limits", breaks: "S4", seeds: 10, left: 4,
		plant: func() world.Plant {
			c := &listCache{}
			return world.Plant{
				Config: func(s *service.Config) { c.now = s.Now },
				Front:  func(f world.Front) world.Front { return cachedLists{f, c} },
			}
		}},
	{name: "requests are told apart by what they say, not by their key", breaks: "S9", seeds: 10, left: 2,
		plant: func() world.Plant {
			seen := map[suspension.ReportRequest]suspension.Receipt{}
			return world.Plant{Front: func(f world.Front) world.Front { return byBody{f, seen} }}
		}},
}

// listCache holds published lists for longer than anybody was told.
type listCache struct {
	now   func() time.Time
	at    time.Time
	lists []suspension.Published
}

type cachedLists struct {
	world.Front
	*listCache
}

func (c cachedLists) Publish(ctx context.Context) ([]suspension.Published, bool, error) {
	if c.lists != nil && c.now().Sub(c.at) < 6*time.Hour {
		return c.lists, false, nil
	}
	lists, fresh, err := c.Front.Publish(ctx)
	if err == nil {
		c.lists, c.at = lists, c.now()
	}
	return lists, fresh, err
}

// byBody gives a report the answer of an earlier one that says the same.
type byBody struct {
	world.Front
	seen map[suspension.ReportRequest]suspension.Receipt
}

func (b byBody) Report(ctx context.Context, q suspension.ReportRequest) (suspension.Receipt, error) {
	body := q
	body.Request = register.Request{By: q.By}
	if a, seen := b.seen[body]; seen {
		return a, nil
	}
	a, err := b.Front.Report(ctx, q)
	if err == nil && a.Reason == lifecycle.Granted {
		b.seen[body] = a
	}
	return a, err
}
