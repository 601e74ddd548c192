package wallet

import (
	"encoding/json"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
)

// ahead is how long before its end an SD-JWT is signed anew [A], or half of its time if
// that is shorter; an mdoc says when.
const ahead = 30 * 24 * time.Hour

// kst is the time by which the dates on a card are given.
var kst = time.FixedZone("KST", 9*60*60)

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
	begin, end := moment(claims["iat"]), moment(claims["exp"])
	last, _ := claims["expiry_date"].(string)
	card, err := time.ParseInLocation(time.DateOnly, last, kst)
	return err == nil && !end.IsZero() && end.Before(card) && !now.Before(end.Add(-min(ahead, end.Sub(begin)/2)))
}

// moment is a NumericDate in whole seconds; zero: it is none.
func moment(claim any) time.Time {
	number, _ := claim.(json.Number)
	seconds, err := number.Int64()
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
