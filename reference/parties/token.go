package parties

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/web"
)

// TokenLife is how long an access token of a party lives.
const TokenLife = 10 * time.Minute

const (
	tokenKind     = "party token"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// granted is what stands sealed in a party's access token.
type granted struct {
	Party string `json:"p"`
	// Certificate is the thumbprint of the connection it was given on, and may be
	// used on (RFC 8705 §3).
	Certificate string `json:"c,omitempty"`
	// Key is the one by which it was asked for; without one that was the certificate. It
	// holds as long as the party keeps that.
	Key string `json:"k,omitempty"`
}

// holds says whether that by which the token was asked for is still the party's.
func (g granted) holds(one Party) bool {
	if g.Key != "" {
		return slices.ContainsFunc(one.Keys, func(k jws.Key) bool { return nameOf(k) == g.Key })
	}
	return g.Certificate != "" && slices.Contains(one.Certificates, g.Certificate)
}

// nameOf names a key by 128 bits of it.
func nameOf(k jws.Key) string { return k.X[:min(len(k.X), 22)] }

// Token is the token endpoint of parties: the client credentials grant (RFC 6749
// §4.4), by private_key_jwt or by mutual TLS.
func (p *Parties) Token(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ReadForm(r)
	if err != nil {
		return err
	}
	if form.Get("grant_type") != "client_credentials" {
		return web.Refuse(http.StatusBadRequest, "unsupported_grant_type", "The grant type here is client_credentials.")
	}
	var one Party
	g := granted{}
	certificate := peer(r)
	switch {
	case form.Has("client_assertion"):
		if form.Get("client_assertion_type") != assertionType {
			return denied("client_assertion_type must be %s.", assertionType)
		}
		var by jws.Key
		if one, by, err = p.authenticate(r.Context(), form.Get("client_assertion")); err != nil {
			return err
		}
		g.Key = nameOf(by)
		if id := form.Get("client_id"); form.Has("client_id") && id != one.ID {
			return denied("client_id is not that of the client assertion.")
		}
	case certificate != nil:
		if one, err = p.certified(r.Context(), certificate); err != nil {
			return err
		}
		if form.Get("client_id") != one.ID {
			return denied("client_id is not that of the certificate.")
		}
	default:
		return denied("Say who you are by a client assertion or a client certificate.")
	}
	if certificate != nil {
		g.Certificate = thumbprint(certificate)
	}
	g.Party = one.ID
	seed, err := p.register.Seed()
	if err != nil {
		return err
	}
	text, err := p.o.Keys.Seal(seed, tokenKind, p.register.Now().Add(TokenLife), g)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, struct {
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
	}{text, "Bearer", int(TokenLife / time.Second)})
	return nil
}

// Bearer is the party of an access token, as httpapi asks for it.
func (p *Parties) Bearer(r *http.Request, token string) (context.Context, error) {
	var g granted
	now := p.register.Now()
	if _, err := p.o.Keys.Open(tokenKind, token, now, &g); err != nil {
		return nil, web.Refuse(http.StatusUnauthorized, "invalid_token", "The access token is not one of a party, or its time is over.")
	}
	if g.Certificate != "" {
		c := peer(r)
		if c == nil || subtle.ConstantTimeCompare([]byte(thumbprint(c)), []byte(g.Certificate)) != 1 {
			return nil, web.Refuse(http.StatusUnauthorized, "invalid_token", "The access token belongs to a connection with another certificate.")
		}
	}
	one, err := p.Party(r.Context(), g.Party)
	if err != nil && !isUnknown(err) {
		return nil, err
	}
	if err != nil || !one.inForce(now) {
		return nil, web.Refuse(http.StatusUnauthorized, "invalid_token", "The party of this access token has been ended.")
	}
	if !g.holds(one) {
		return nil, web.Refuse(http.StatusUnauthorized, "invalid_token", "The key or certificate of this access token is no longer the party's.")
	}
	return access.With(r.Context(), one.caller()), nil
}

// Certificate is the party of a mutual TLS connection, as httpapi asks for it.
func (p *Parties) Certificate(r *http.Request, c *x509.Certificate) (context.Context, error) {
	one, err := p.certified(r.Context(), c)
	if err != nil {
		return nil, err
	}
	return access.With(r.Context(), one.caller()), nil
}

// certified is the party that entered the certificate (RFC 8705 §2.2): whoever
// issued it, it counts because it was entered.
func (p *Parties) certified(ctx context.Context, c *x509.Certificate) (Party, error) {
	now := p.register.Now()
	one, err := p.Party(ctx, c.Subject.CommonName)
	if err != nil && !isUnknown(err) {
		return Party{}, err
	}
	found := 0
	for _, kept := range one.Certificates {
		found |= subtle.ConstantTimeCompare([]byte(kept), []byte(thumbprint(c)))
	}
	if err != nil || found == 0 || !one.inForce(now) || now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return Party{}, denied("The client certificate is not one of a party: its common name must be the party's id, and its thumbprint entered.")
	}
	return one, nil
}

func peer(r *http.Request) *x509.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return r.TLS.PeerCertificates[0]
}

// thumbprint names a certificate (x5t#S256).
func thumbprint(c *x509.Certificate) string {
	h := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(h[:])
}
