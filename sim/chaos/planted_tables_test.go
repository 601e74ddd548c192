package chaos

import "rollcall.example/rollcall/reference/lifecycle"

// bugsOfTables have a wrong rulebook.
var bugsOfTables = []bug{
	{name: "a lost phone suspends the plastic card too", breaks: "S2", seeds: 10, left: 3,
		tables: func() { lifecycle.Reach[lifecycle.MobileLost] |= lifecycle.Plastic }},
	{name: "a release of the plastic card lifts the phone's report too", breaks: "S6", seeds: 10, left: 5,
		tables: func() {
			lifecycle.Rulebook[lifecycle.ReleasePhysical].Clears |= lifecycle.State(lifecycle.MobileLost)
		}},
	{name: "a removal leaves no mark, and cards are issued after it", breaks: "S7", seeds: 30, left: 2,
		tables: func() { lifecycle.Rulebook[lifecycle.PersonRemoved].Sets = 0 }},
}
