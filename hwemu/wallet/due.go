package wallet

import (
	"encoding/json"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
)

// ahead is how long before its end an SD-JWT is signed anew [A]; an mdoc says when.
const ahead = 30 * 24 * time.Hour

// Due lists the configurations whose copies the issuer signs anew by now: an mdoc says from
// when on (expectedUpdate, ISO/IEC 18013-5 §9.1.2.4), and an SD-JWT ends soon (exp), though
// the card does not. The wallet fetches them by Issue on a refreshed token.
func (w *Wallet) Due() (configs []string) {
	for _, c := range w.held {
		if !slices.Contains(configs, c.Config) && c.due(w.o.Now()) {
			configs = append(configs, c.Config)
		}
	}
	return configs
}

func (c Copy) due(now time.Time) bool {
	if c.Format != sdjwt.Format {
		held, err := mdoc.Inspect(c.Credential)
		return err == nil && !held.Validity.Update.IsZero() && !now.Before(held.Validity.Update)
	}
	claims, _, err := sdjwt.Claims(string(c.Credential))
	if err != nil {
		return false
	}
	seconds, _ := claims["exp"].(json.Number)
	exp, err := seconds.Int64()
	if err != nil {
		return false
	}
	end := time.Unix(exp, 0)
	last, _ := claims["expiry_date"].(string)
	card, err := time.Parse(time.DateOnly, last)
	return err == nil && end.Before(card) && !now.Before(end.Add(-ahead))
}
