package parties

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// Limits of an assertion.
const (
	maxAssertion  = 8 << 10
	assertionLife = 5 * time.Minute
	skew          = 30 * time.Second // between the clocks of two sides
)

// audience is one string, or a list of one: an assertion that is meant for others,
// too, could be used there by whoever receives it here.
type audience string

func (a *audience) UnmarshalJSON(b []byte) error {
	var list []string
	if err := json.Unmarshal(b, &list); err == nil {
		if len(list) != 1 {
			return errors.New("aud names several audiences, or none")
		}
		*a = audience(list[0])
		return nil
	}
	return json.Unmarshal(b, (*string)(a))
}

type assertion struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	Not      int64    `json:"nbf"`
	ID       string   `json:"jti"`
}

// Types that a client assertion may say it is of; most say none.
var assertionTypes = []string{"", "JWT", "client-authentication+jwt"}

// Authenticate is the party that signed a client assertion (RFC 7523 §3): for this
// service alone, for five minutes at most, and used once, whichever replica it
// comes to.
func (p *Parties) Authenticate(ctx context.Context, text string) (access.Caller, error) {
	one, _, err := p.authenticate(ctx, text)
	return one.caller(), err
}

// authenticate also says by which of its keys the party has signed.
func (p *Parties) authenticate(ctx context.Context, text string) (one Party, by jws.Key, _ error) {
	now := p.register.Now()
	token, header, claims, err := readAssertion(text)
	if err != nil {
		return Party{}, by, denied("The client assertion cannot be read: %v.", err)
	}
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	switch {
	case claims.Issuer == "" || claims.Issuer != claims.Subject:
		return Party{}, by, denied("iss and sub of the client assertion must both be the client's id.")
	case string(claims.Audience) != p.o.Issuer && string(claims.Audience) != p.o.TokenEndpoint:
		return Party{}, by, denied("aud of the client assertion must be %s.", p.o.Issuer)
	case !now.Before(at(claims.Expires)):
		return Party{}, by, denied("The client assertion has expired.")
	case at(claims.Expires).Sub(now) > assertionLife+skew:
		return Party{}, by, denied("exp of the client assertion must be within five minutes.")
	case at(claims.Issued).Sub(now) > skew || at(claims.Not).Sub(now) > skew:
		return Party{}, by, denied("The client assertion is from the future.")
	case claims.ID == "" || len(claims.ID) > 200:
		return Party{}, by, denied("The client assertion needs a jti of at most 200 bytes.")
	}
	one, err = p.Party(ctx, claims.Issuer)
	if isUnknown(err) || err == nil && !one.inForce(now) {
		return Party{}, by, denied("The client assertion is not one of a client that is known here.")
	}
	if err != nil {
		return Party{}, by, err
	}
	signed := slices.IndexFunc(one.Keys, func(k jws.Key) bool {
		key, err := k.Public()
		return err == nil && (header.KeyID == "" || k.KeyID == "" || header.KeyID == k.KeyID) && token.Verify(key)
	})
	if signed < 0 {
		return Party{}, by, denied("The client assertion is not one of a client that is known here.")
	}
	once := sha256.Sum256([]byte("client assertion\x00" + claims.Issuer + "\x00" + claims.ID))
	err = p.register.Update(ctx, func(tx store.Tx) error {
		return tx.UseNonce(once[:], at(claims.Expires))
	})
	if errors.Is(err, store.ErrTaken) {
		return Party{}, by, denied("The client assertion was used before: sign a new one, with another jti, for every request.")
	}
	return one, one.Keys[signed], err
}

func readAssertion(text string) (token *jws.Token, header jws.Header, claims assertion, err error) {
	if len(text) > maxAssertion {
		return nil, header, claims, fmt.Errorf("it has more than %d bytes", maxAssertion)
	}
	if token, err = jws.Parse([]byte(text)); err != nil {
		return nil, header, claims, err
	}
	for _, typ := range assertionTypes {
		if header, err = token.ReadHeader(typ); err == nil {
			break
		}
	}
	if err == nil {
		err = token.Claims(&claims)
	}
	return token, header, claims, err
}

func denied(format string, args ...any) error {
	return web.Refuse(http.StatusUnauthorized, "invalid_client", format, args...)
}

func isUnknown(err error) bool { return errors.Is(err, ErrUnknown) }
