package reports

// Loss is what came of a lost site whose stand-by site had copies of the register:
// what was acknowledged since the last copy is unknown there until the site is back.
type Loss struct {
	Copy   string `json:"copy"`   // RFC 3339, virtual: of when the stand-by's copy is
	Serves string `json:"serves"` // RFC 3339, virtual: the stand-by serves from then on
	Back   string `json:"back"`   // RFC 3339, virtual: the main site does again
	Window Num    `json:"window_s" unit:"s" def:"last copy of the register to the loss of the site: what was acknowledged in between is lost"`

	Acknowledged LossByKind  `json:"acknowledged"`
	People       int64       `json:"people" unit:"people" def:"people with an acknowledged change that was lost"`
	Refused      int64       `json:"refused" unit:"presentations" def:"presentations of rightful holders refused by what the stand-by site knew"`
	Accepted     int64       `json:"accepted" unit:"presentations" def:"presentations of suspended or ended cards accepted from their holders by what the stand-by site knew"`
	Misused      int64       `json:"misused" unit:"presentations" def:"presentations of suspended or ended cards accepted from somebody else by what the stand-by site knew"`
	ByPlace      []LossPlace `json:"by_place"`
	Exposed      LossTimes   `json:"exposed" def:"suspended or ended cards that the stand-by site took for good"`
	Unusable     LossTimes   `json:"unusable" def:"good cards that the stand-by site did not know or took for suspended"`
	Again        int64       `json:"reported_again" unit:"reports" def:"lost reports that were made again at the stand-by site"`
	NotTaken     int64       `json:"not_taken" unit:"requests" def:"reports and withdrawals that the stand-by site refused because it did not know of what"`
	Usable       int64       `json:"usable_again" unit:"cards" def:"cards that could be used again when the main site was back"`
}

// LossByKind are the acknowledged changes that were lost.
type LossByKind struct {
	Issuances int64 `json:"issuances" unit:"operations" def:"mobile cards issued, acknowledged and lost"`
	Cards     int64 `json:"cards" unit:"operations" def:"plastic cards brought into force, acknowledged and lost"`
	Reports   int64 `json:"reports" unit:"operations" def:"reports of a loss, acknowledged and lost"`
	Releases  int64 `json:"releases" unit:"operations" def:"withdrawals of a report, acknowledged and lost"`
}

// LossPlace is one kind of place.
type LossPlace struct {
	Place    string `json:"place"`
	Refused  int64  `json:"refused" unit:"presentations" def:"presentations of rightful holders refused at this kind of place by what the stand-by site knew"`
	Accepted int64  `json:"accepted" unit:"presentations" def:"presentations of suspended or ended cards accepted from their holders at this kind of place by what the stand-by site knew"`
	Misused  int64  `json:"misused" unit:"presentations" def:"presentations of suspended or ended cards accepted from somebody else at this kind of place by what the stand-by site knew"`
}

// LossTimes are how long that lasted, card by card.
type LossTimes struct {
	Cards int64 `json:"cards" unit:"cards" def:"how many cards"`
	P50   Num   `json:"p50_s" unit:"s" def:"half of them were in that state for this long at most, while the stand-by site served"`
	P95   Num   `json:"p95_s" unit:"s" def:"95 % of them were in that state for this long at most, while the stand-by site served"`
	Max   Num   `json:"max_s" unit:"s" def:"the longest that one of them was in that state while the stand-by site served"`
}

// PanelLoss is what the judge excused on the real service, because it was declared
// lost; whatever goes beyond it is a violation.
type PanelLoss struct {
	Declared int64 `json:"declared" unit:"operations" def:"acknowledged changes of the panel that were lost until the main site was back"`
	Refused  int64 `json:"refused" unit:"presentations" def:"presentations of rightful holders that the real stand-by site refused because of that"`
	Accepted int64 `json:"accepted" unit:"presentations" def:"presentations that it accepted because of that"`
}
