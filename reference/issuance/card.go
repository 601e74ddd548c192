package issuance

import "rollcall.example/rollcall/reference/face"

// CardEvidence is what a phone read from an IC card, as it is on the chip.
type CardEvidence struct {
	SOD, DG1, DG2, DG13, DG15, Template []byte
	Signature                           []byte // of the chip over the challenge
	PIN                                 []byte // the chip's proof that the PIN was right
}

// CardRead is what is known of a card once its evidence is found good.
type CardRead struct {
	DocumentNumber string
	Template       face.Template
	PINVerified    bool
}
