package oracle

import "time"

// Property names one of the properties judged: "S1" to "S12", "E1" to "E5".
type Property string

// Properties lists all, in order.
var Properties = [...]Property{
	"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11", "S12",
	"E1", "E2", "E3", "E4", "E5",
}

// Count is how often a property could have been broken, and was.
type Count struct {
	Opportunities int `json:"opportunities"`
	Violations    int `json:"violations"`
}

// Finding is one violation.
type Finding struct {
	Property Property  `json:"property"`
	Citizen  string    `json:"citizen,omitempty"`
	Sequence uint64    `json:"sequence,omitempty"` // of the change that was broken, where there is one
	At       time.Time `json:"at,omitzero"`
	Sentence string    `json:"sentence"`
	// Excerpt holds the citizen's own records and what else bears on them. It
	// can be judged again.
	Excerpt *History `json:"excerpt,omitempty"`
}

// Exposure is how long after one report its cards were still accepted by one
// kind of verifier. Zero: never after that moment.
type Exposure struct {
	Citizen  string `json:"citizen"`
	Sequence uint64 `json:"sequence"`
	Cause    Cause  `json:"cause"`
	Kind     string `json:"kind"`
	Cached   bool   `json:"cached"`
	// Tries counts presentations to that kind from the loss on, while the
	// cause was in force; Accepts those accepted after the acknowledgement.
	Tries   int `json:"tries"`
	Accepts int `json:"accepts"`
	// From loss, submission and acknowledgement to the last acceptance.
	FromLoss            time.Duration `json:"from_loss"`
	FromSubmission      time.Duration `json:"from_submission"`
	FromAcknowledgement time.Duration `json:"from_acknowledgement"`
}

// Verdict is the judgement on a history.
type Verdict struct {
	ByProperty map[Property]Count `json:"by_property"`
	Findings   []Finding          `json:"findings,omitempty"`
	Exposures  []Exposure         `json:"exposures,omitempty"`

	FalseAccepts int    `json:"false_accepts"`  // accepted though the presenter was not entitled
	TurnedAway   int    `json:"turned_away"`    // presentations turned away for load
	PastTTL      int    `json:"past_ttl"`       // accepted on an expired list by a verifier whose policy is to accept
	RefusedByTTL int    `json:"refused_by_ttl"` // refused on an expired list by a verifier whose policy is to refuse
	DeclaredLost int    `json:"declared_lost"`  // acknowledged changes that the service declared lost
	LostRefused  int    `json:"lost_refused"`   // presentations of rightful holders refused because a change was declared lost
	LostAccepted int    `json:"lost_accepted"`  // presentations accepted because a change was declared lost
	Unjudged     int    `json:"unjudged"`       // presentations of credentials whose issuance was not seen
	ListsJudged  int    `json:"lists_judged"`   // status lists compared
	Transitions  int    `json:"transitions"`    // changes of the register seen
	LastSequence uint64 `json:"last_sequence"`  // highest sequence number seen
}

// Violations returns the number of violations of all properties.
func (v *Verdict) Violations() int {
	n := 0
	for _, c := range v.ByProperty {
		n += c.Violations
	}
	return n
}

// Untested lists the properties that had no opportunity.
func (v *Verdict) Untested() []Property {
	var out []Property
	for _, p := range Properties {
		if v.ByProperty[p].Opportunities == 0 {
			out = append(out, p)
		}
	}
	return out
}

// Options of a judgement. The zero value judges everything.
type Options struct {
	// Without lists properties whose check is taken out: neither their
	// opportunities nor their violations are counted.
	Without []Property
	// MaxFindings kept per property (all are counted); 0: 20.
	MaxFindings int
}
