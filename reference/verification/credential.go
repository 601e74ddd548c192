package verification

import (
	"context"
	"fmt"
	"slices"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/store"
)

// Shown is one presentation, in one of the formats of OpenID4VP 1.0 Appendix B.
type Shown struct {
	Format       string // FormatMdoc or sdjwt.Format
	Presentation []byte // a DeviceResponse, or an SD-JWT with its key binding
}

// FormatMdoc names the format of ISO/IEC 18013-5.
const FormatMdoc = "mso_mdoc"

// maxShown limits how many presentations one transaction may have.
const maxShown = 16

// Credential is what a verifier learns of one presentation.
type Credential struct {
	Verdict lifecycle.Verdict
	Format  string
	// The rest is known of an accepted one only.
	Type      string         // doctype or vct
	Authority []byte         // key identifier of the root that signed for the issuer
	Claims    map[string]any // what was disclosed, dates as text; of an mdoc namespace → element → value
	Renew     bool           // it is good, and something on it is outdated
	// Elements are those of an mdoc, in the card's order.
	Elements []mdoc.Element
}

// VerifyShown judges all presentations of one transaction as Verify does one, in
// one commit. What then writes belongs to the same commit; it may be nil.
func (s *Service) VerifyShown(ctx context.Context, t Transaction, shown []Shown, then func(store.Tx, []Credential) error) ([]Credential, error) {
	if len(shown) == 0 || len(shown) > maxShown {
		return nil, fmt.Errorf("%d presentations in one transaction; 1 to %d are read", len(shown), maxShown)
	}
	now := s.register.Now()
	n, err := s.open(t, now)
	if err != nil {
		return nil, err
	}
	out := make([]Credential, len(shown))
	status := make([]*mdoc.StatusRef, len(shown))
	for i, one := range shown {
		out[i].Format = one.Format
		switch one.Format {
		case FormatMdoc:
			p, err := mdoc.Verify(one.Presentation, t.Transcript(), s.options.Anchors, now)
			if err != nil {
				continue
			}
			elements := map[string]any{}
			for _, e := range p.Elements {
				if date, ok := e.Value.(mdoc.Date); ok {
					elements[e.Name] = string(date)
				} else {
					elements[e.Name] = e.Value
				}
			}
			status[i] = p.Status
			out[i].Type, out[i].Authority, out[i].Elements = p.DocType, p.Authority, p.Elements
			out[i].Claims = map[string]any{mdoc.Namespace: elements}
		case sdjwt.Format:
			p, err := sdjwt.Verify(one.Presentation, s.options.Anchors, sdjwt.Expected{
				Types: []string{sdjwt.Type}, Audience: t.ClientID, Nonce: t.Nonce, At: now,
			})
			if err != nil {
				continue
			}
			status[i] = p.Status
			out[i].Type, out[i].Authority, out[i].Claims = p.Type, p.Authority, p.Claims
		}
	}
	var judged []Credential
	err = s.judge(ctx, n.use, status, now, func(tx store.Tx, found []finding) error {
		judged = slices.Clone(out)
		for i, f := range found {
			if f.verdict != lifecycle.Accepted {
				judged[i] = Credential{Format: out[i].Format}
			}
			judged[i].Verdict, judged[i].Renew = f.verdict, f.outdated && f.verdict == lifecycle.Accepted
		}
		if then == nil {
			return nil
		}
		return then(tx, judged)
	})
	if err != nil {
		return nil, err
	}
	return judged, nil
}
