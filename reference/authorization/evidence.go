package authorization

import (
	"net/http"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/web"
)

// Evidence is what a phone read from an IC card, in base64, as it is on the chip.
type Evidence struct {
	SOD       []byte `json:"sod"`
	DG1       []byte `json:"dg1"`
	DG2       []byte `json:"dg2,omitempty"`
	DG13      []byte `json:"dg13"`
	DG15      []byte `json:"dg15"`
	Template  []byte `json:"template,omitempty"` // missing where the PIN was not entered
	Signature []byte `json:"signature"`          // of the chip's statement
	PIN       []byte `json:"pin_status"`         // the statement's status byte
}

func (e Evidence) evidence() card.Evidence {
	return card.Evidence{SOD: e.SOD, DG1: e.DG1, DG2: e.DG2, DG13: e.DG13, DG15: e.DG15, Template: e.Template, Signature: e.Signature, PIN: e.PIN}
}

// capture reads a capture of a face.
func capture(data []byte) (face.Probe, error) {
	probe, err := face.ParseProbe(data)
	if err != nil {
		return probe, web.Refuse(http.StatusBadRequest, "invalid_request", "The capture is not one: %v.", err)
	}
	return probe, nil
}

// denied tells a citizen why they are not authorised, in the words of the rulebook.
func denied(reason lifecycle.Reason) error {
	return web.Refuse(http.StatusForbidden, "access_denied", "%s", reason)
}
