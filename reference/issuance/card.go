package issuance

import "rollcall.example/rollcall/reference/card"

// CardEvidence is what a phone read from an IC card, and CardRead what is known
// of the card once that is found good (package card).
type (
	CardEvidence = card.Evidence
	CardRead     = card.Card
)

// ChallengeSize is what a card signs to answer the service (package card).
const ChallengeSize = card.ChallengeSize
