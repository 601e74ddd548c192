package sdjwt

import (
	"crypto"
	"errors"
	"fmt"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/jws"
)

// Binding is for whom, over which nonce and when a presentation is made.
type Binding struct {
	Audience string
	Nonce    string
	IssuedAt time.Time // whole seconds
}

type bindingClaims struct {
	IssuedAt int64  `json:"iat"`
	Audience string `json:"aud"`
	Nonce    string `json:"nonce"`
	Hash     string `json:"sd_hash"`
}

// Present shows the claims at the paths, with all that lies under them and what is
// needed to reach them, and of the rest only what the issuer left no choice
// about. The phone signs it for one verifier (RFC 9901 §4.3). The card does not know
// whether the key is its own: a verifier finds out.
func Present(card string, show []Path, b Binding, device crypto.Signer) (string, error) {
	if b.Audience == "" || b.Nonce == "" || b.IssuedAt.Unix() <= 0 {
		return "", errors.New("a presentation needs an audience, a nonce and a time")
	}
	p, claims, all, err := open(card)
	if err != nil {
		return "", err
	}
	for _, path := range show {
		if _, err := path.Select(claims); err != nil {
			return "", fmt.Errorf("the card cannot show it: %w", err)
		}
	}
	var text strings.Builder
	text.Write(p.signed)
	text.WriteByte('~')
	for _, d := range all {
		for _, path := range show {
			if path.meets(d.at) {
				text.Write(d.encoded)
				text.WriteByte('~')
				break
			}
		}
	}
	binding, err := jws.With(device).Token(jws.Header{Type: bindingType},
		bindingClaims{b.IssuedAt.Unix(), b.Audience, b.Nonce, digestOf([]byte(text.String()))})
	if err != nil {
		return "", fmt.Errorf("the phone's key: %w", err)
	}
	return text.String() + binding, nil
}

// Claims reads a card as its holder has it, without a look at who signed it: all
// claims, and the places of those that may be kept back.
func Claims(card string) (claims map[string]any, disclosable []Path, err error) {
	_, claims, all, err := open(card)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range all {
		disclosable = append(disclosable, d.at)
	}
	return claims, disclosable, nil
}

func open(card string) (*parts, map[string]any, []disclosure, error) {
	p, err := split([]byte(card))
	if err != nil {
		return nil, nil, nil, err
	}
	if len(p.binding) != 0 {
		return nil, nil, nil, refuse(ErrMalformed, "a key binding stands in it: it is a presentation and no card")
	}
	t, err := jws.Parse(p.signed)
	if err != nil {
		return nil, nil, nil, malformed("what the issuer signed", err)
	}
	payload, err := payloadOf(t)
	if err != nil {
		return nil, nil, nil, err
	}
	claims, all, err := resolve(payload, p.disclosures)
	return p, claims, all, err
}

func payloadOf(t *jws.Token) (map[string]any, error) {
	payload, err := t.Object(digests)
	if err != nil {
		return nil, malformed("what the issuer signed", err)
	}
	return payload, nil
}
