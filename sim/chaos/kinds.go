package chaos

// kind is what an operation can be.
type kind struct {
	name   string
	weight int                // how often it is drawn, beside the others
	calls  int                // of the store, while it runs; 0: it makes none worth a cut
	draw   func(*drawer, *Op) // its fields
	// do does it, and says what came of it; empty: there was nothing to do.
	do func(*run, *Op) (string, error)
}

// kinds are all operations.
var kinds []kind

func init() { // a variable cannot be initialised by functions that look into it
	kinds = []kind{
		{"issue-tap", 110, 4, (*drawer).issueTap, (*run).issueTap},
		{"offer", 90, 1, (*drawer).offer, (*run).offer},
		{"redeem", 80, 3, (*drawer).redeem, (*run).redeem},
		{"report", 70, 1, (*drawer).report, (*run).report},
		{"release", 110, 1, (*drawer).release, (*run).release},
		{"new-card", 20, 1, (*drawer).newCard, (*run).newCard},
		{"remove", 1, 1, (*drawer).remove, (*run).remove},
		{"show", 200, 1, (*drawer).show, (*run).show},
		{"show-plastic", 70, 1, (*drawer).showPlastic, (*run).showPlastic},
		{"show-cached", 90, 0, (*drawer).showCached, (*run).showCached},
		{"fetch", 20, 0, (*drawer).fetch, (*run).fetch},
		{"publish", 20, 1, nil, (*run).turnPublisher},
		{"repeat", 50, 3, (*drawer).again, (*run).repeat},
		{"again", 15, 1, (*drawer).again, (*run).again},
		{"sweep", 8, 1, nil, (*run).sweep},
		{"audit", 5, 1, nil, (*run).exportAudit},
		{"pass", 150, 0, (*drawer).pass, (*run).pass},
		{"outage", 6, 0, (*drawer).outage, (*run).outage},
		{"restart", 6, 0, (*drawer).restart, (*run).restart},
	}
}

func kindOf(name string) *kind {
	for i := range kinds {
		if kinds[i].name == name {
			return &kinds[i]
		}
	}
	return nil
}
