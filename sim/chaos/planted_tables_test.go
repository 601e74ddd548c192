package chaos

import "rollcall.example/rollcall/reference/lifecycle"

// bugsOfTables have a wrong rulebook or are told the wrong policy.
var bugsOfTables = []bug{
	{name: "a release of the plastic card lifts the phone's report too", breaks: "S6", seeds: 10, left: 5,
		tables: func() {
			lifecycle.Rulebook[lifecycle.ReleasePhysical].Clears |= lifecycle.State(lifecycle.MobileLost)
		}},
}
