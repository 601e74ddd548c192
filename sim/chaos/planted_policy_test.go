package chaos

import (
	"maps"
	"time"

	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/sim/world"
)

// bugsOfPolicy are told the rules of the country wrongly.
var bugsOfPolicy = []bug{
	{name: "a municipality opens a day early", breaks: "E1", seeds: 5, left: 1,
		plant: toldPolicy(func(p *lifecycle.Policy) {
			p.Opens = maps.Clone(p.Opens)
			for code, opens := range p.Opens {
				p.Opens[code] = opens.AddDate(0, 0, -1)
			}
		})},
	{name: "years of age are counted that have begun, not that are over", breaks: "E2", seeds: 10, left: 1,
		plant: toldPolicy(func(p *lifecycle.Policy) { p.MinimumAge-- })},
	{name: "any centre serves everybody a day early", breaks: "E3", seeds: 20, left: 3,
		plant: toldPolicy(func(p *lifecycle.Policy) { p.AnyCentreFrom = p.AnyCentreFrom.AddDate(0, 0, -1) })},
	{name: "a code is good for ten seconds more, for slow phones", breaks: "E4", seeds: 50, left: 3,
		plant: toldPolicy(func(p *lifecycle.Policy) { p.OfferLifetime += 10 * time.Second })},
	{name: "the likeness of faces is rounded before it is judged", breaks: "E5", seeds: 5, left: 2,
		plant: func() world.Plant {
			return world.Plant{Config: func(c *service.Config) {
				m := c.Faces.(face.Matcher)
				m.Threshold -= 0.0005
				c.Faces = m
			}}
		}},
	{name: "a call is enough to release the plastic card", breaks: "S6", seeds: 5, left: 2,
		tables: func() { lifecycle.Authority[lifecycle.ReleasePhysical] |= lifecycle.CallCentre }},
}

// toldPolicy is a service that is told another policy than the scenario's.
func toldPolicy(change func(*lifecycle.Policy)) func() world.Plant {
	return func() world.Plant {
		return world.Plant{Config: func(c *service.Config) {
			p := *c.Policy
			change(&p)
			c.Policy = &p
		}}
	}
}
