package chaos

// kind is what an operation can be.
type kind struct {
	name   string
	weight int                // how often it is drawn, beside the others
	inside int                // the same, for what comes between the steps of another
	calls  int                // of the store, while it runs; 0: it makes none worth a cut
	draw   func(*drawer, *Op) // its fields
	// do does it, and says what came of it; empty: there was nothing to do.
	do func(*run, *Op) (string, error)
}

// kinds are all operations.
var kinds []kind

func init() { // a variable cannot be initialised by functions that look into it
	kinds = []kind{
		{"issue-tap", 110, 40, 4, (*drawer).issueTap, (*run).issueTap},
		{"offer", 90, 10, 1, (*drawer).offer, (*run).offer},
		{"redeem", 80, 40, 3, (*drawer).redeem, (*run).redeem},
		{"renew", 0, 0, 1, (*drawer).renew, (*run).renew}, // see renewals
		{"report", 70, 300, 1, (*drawer).report, (*run).report},
		{"release", 150, 80, 1, (*drawer).release, (*run).release},
		{"new-card", 20, 30, 1, (*drawer).newCard, (*run).newCard},
		{"remove", 1, 1, 1, (*drawer).remove, (*run).remove},
		{"show", 200, 200, 1, (*drawer).show, (*run).show},
		{"show-plastic", 70, 150, 1, (*drawer).showPlastic, (*run).showPlastic},
		{"show-both", 40, 250, 1, (*drawer).showBoth, (*run).showBoth},
		{"show-cached", 90, 30, 0, (*drawer).showCached, (*run).showCached},
		{"fetch", 20, 5, 0, (*drawer).fetch, (*run).fetch},
		{"publish", 20, 60, 1, nil, (*run).turnPublisher},
		{"repeat", 50, 100, 3, (*drawer).again, (*run).repeat},
		{"again", 15, 20, 1, (*drawer).again, (*run).again},
		{"sweep", 8, 10, 1, nil, (*run).sweep},
		{"audit", 5, 5, 1, nil, (*run).exportAudit},
		{"pass", 150, 60, 0, (*drawer).pass, (*run).pass},
		{"outage", 6, 5, 0, (*drawer).outage, (*run).outage},
		{"restart", 6, 10, 0, (*drawer).restart, (*run).restart},
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
