package sdjwt

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
)

// How old a key binding may be, and how far ahead a phone's or an issuer's clock
// may go [A].
const (
	MaxBindingAge = 5 * time.Minute
	MaxClockSkew  = time.Minute
)

// Expected is what a verifier asked for, and when it reads the answer.
type Expected struct {
	Types    []string // vct: one of these
	Audience string
	Nonce    string
	At       time.Time
}

// Presented is what a verifier may believe of a presentation. Whether the card is
// suspended stands at Status.
type Presented struct {
	Type     string
	Claims   map[string]any // all that is shown, the registered claims (vct, cnf, exp, ...) among them; numbers are json.Number
	Issued   time.Time      // zero: not said, as for the two that follow
	From     time.Time
	Until    time.Time
	Status   *mdoc.StatusRef
	Holder   *ecdsa.PublicKey
	Binding  Binding // of a presentation
	Disclose []Path  // which of the claims were disclosed, and not shown to everybody
	// Authority is the key identifier of the root that signed for the issuer.
	Authority []byte
}

// Verify checks a presentation: form, chain, issuer's signature, disclosures,
// type and times (RFC 9901 §7.1), and that the phone made it for this request
// (§7.3). That a nonce is used once is for the caller to see.
func Verify(presentation []byte, anchors *mdoc.TrustAnchors, want Expected) (*Presented, error) {
	p, err := split(presentation)
	if err != nil {
		return nil, err
	}
	if len(p.binding) == 0 {
		return nil, refuse(ErrBinding, "it has no key binding")
	}
	shown, err := p.verify(want, trusting(anchors, want.At))
	if err != nil {
		return nil, err
	}
	if err := p.checkBinding(shown, want); err != nil {
		return nil, err
	}
	return shown, nil
}

// VerifyCard checks a card as its holder got it from the issuer: Verify without a
// key binding.
func VerifyCard(card string, anchors *mdoc.TrustAnchors, types []string, at time.Time) (*Presented, error) {
	p, err := splitCard(card)
	if err != nil {
		return nil, err
	}
	return p.verify(Expected{Types: types, At: at}, trusting(anchors, at))
}

// CheckCard is VerifyCard without a look at who signed the card: form, disclosures, type
// and times. It is for holders; a verifier may believe nothing of it.
func CheckCard(card string, types []string, at time.Time) (*Presented, error) {
	p, err := splitCard(card)
	if err != nil {
		return nil, err
	}
	t, _, err := p.issued()
	if err != nil {
		return nil, err
	}
	return p.shown(t, Expected{Types: types, At: at}, nil)
}

// splitCard takes a card apart, with which no phone has done anything yet.
func splitCard(card string) (*parts, error) {
	p, err := split([]byte(card))
	if err == nil && len(p.binding) != 0 {
		err = refuse(ErrMalformed, "a key binding stands in it: it is a presentation and no card")
	}
	return p, err
}

// trust returns the signer with this chain, or why there is none.
type trust func(chain [][]byte) (*mdoc.SignerCertificate, error)

func trusting(anchors *mdoc.TrustAnchors, at time.Time) trust {
	return func(chain [][]byte) (*mdoc.SignerCertificate, error) { return anchors.DocumentSigner(chain, at) }
}

// issued is what the issuer signed, with the signer's certificates.
func (p *parts) issued() (*jws.Token, [][]byte, error) {
	t, err := jws.Parse(p.signed)
	if err != nil {
		return nil, nil, malformed("what the issuer signed", err)
	}
	header, err := t.ReadHeader(Format)
	if err != nil {
		return nil, nil, malformed("what the issuer signed", err)
	}
	return t, header.Chain, nil
}

// verify checks all but the key binding.
func (p *parts) verify(want Expected, trusted trust) (*Presented, error) {
	t, chain, err := p.issued()
	if err != nil {
		return nil, err
	}
	signer, err := trusted(chain)
	if err != nil {
		return nil, err
	}
	p.hashed, p.hashedSize = sha256.New(), t.SignedSize()
	if !t.VerifyHashing(p.hashed, signer.Key) {
		return nil, refuse(ErrIssuerSignature, "it is not by %q", signer.Name)
	}
	shown, err := p.shown(t, want, signer)
	if err != nil {
		return nil, err
	}
	shown.Authority = signer.Authority
	return shown, nil
}

// shown reads what was signed and disclosed, and checks type and times: those of who
// signed it, too, if that was looked at.
func (p *parts) shown(t *jws.Token, want Expected, signer *mdoc.SignerCertificate) (*Presented, error) {
	payload, err := payloadOf(t)
	if err != nil {
		return nil, err
	}
	claims, all, err := resolve(payload, p.disclosures)
	if err != nil {
		return nil, err
	}
	shown := &Presented{Claims: claims}
	shown.Disclose = slices.Grow(shown.Disclose, len(all))
	for i := range all {
		d := &all[i]
		if len(d.at) == 1 && slices.Contains(reserved, d.name) && d.name != "iat" {
			return nil, refuse(ErrDisclosure, "%s must always be shown", d.name)
		}
		shown.Disclose = append(shown.Disclose, d.at)
	}
	if err := shown.registered(); err != nil {
		return nil, malformed("claims", err)
	}
	switch {
	case !slices.Contains(want.Types, shown.Type):
		return nil, refuse(ErrType, "%.80q", shown.Type)
	case signer != nil && !shown.Issued.IsZero() && (shown.Issued.Before(signer.From) || shown.Issued.After(signer.Until)):
		return nil, fmt.Errorf("%w: issued %s, outside the validity of the certificate of %q", mdoc.ErrUntrusted, shown.Issued.Format(time.RFC3339), signer.Name)
	case shown.Issued.After(want.At.Add(MaxClockSkew)):
		return nil, refuse(ErrNotYetValid, "it was issued %s, now it is %s", shown.Issued.Format(time.RFC3339), want.At.UTC().Format(time.RFC3339))
	case shown.From.After(want.At):
		return nil, refuse(ErrNotYetValid, "it is valid from %s, now it is %s", shown.From.Format(time.RFC3339), want.At.UTC().Format(time.RFC3339))
	case !shown.Until.IsZero() && !want.At.Before(shown.Until):
		return nil, refuse(ErrExpired, "it was valid until %s, now it is %s", shown.Until.Format(time.RFC3339), want.At.UTC().Format(time.RFC3339))
	}
	return shown, nil
}

// checkBinding checks the key binding JWT (RFC 9901 §7.3).
func (p *parts) checkBinding(shown *Presented, want Expected) error {
	if want.Audience == "" || want.Nonce == "" {
		return refuse(ErrBinding, "no audience or no nonce is expected: whoever asks must say for whom and over what")
	}
	if len(p.binding) > maxBinding {
		return refuse(ErrBinding, "the key binding has %d bytes; at most %d are read", len(p.binding), maxBinding)
	}
	t, err := jws.Parse(p.binding)
	if err != nil {
		return refuse(ErrBinding, "the key binding: %v", err)
	}
	if _, err := t.ReadHeader(bindingType); err != nil {
		return refuse(ErrBinding, "the key binding: %v", err)
	}
	if !t.Verify(shown.Holder) {
		return refuse(ErrBinding, "it is signed with another key than the card's")
	}
	c, err := bindingOf(t)
	if err != nil {
		return refuse(ErrBinding, "the key binding: %v", err)
	}
	made, err := moment(c.IssuedAt)
	switch {
	case err != nil:
		return refuse(ErrBinding, "iat: %v", err)
	case c.Audience != want.Audience:
		return refuse(ErrBinding, "it is for %.80q", c.Audience)
	case !same(c.Nonce, want.Nonce):
		return refuse(ErrBinding, "its nonce is another")
	case made.After(want.At.Add(MaxClockSkew)):
		return refuse(ErrBinding, "it was made %s, now it is %s", made.Format(time.RFC3339), want.At.UTC().Format(time.RFC3339))
	case made.Before(want.At.Add(-MaxBindingAge - MaxClockSkew)):
		return refuse(ErrBinding, "it was made %s, which is too long ago", made.Format(time.RFC3339))
	case !same(c.Hash, p.boundDigest()):
		return refuse(ErrBinding, "sd_hash is of another presentation")
	}
	shown.Binding = Binding{c.Audience, c.Nonce, made}
	return nil
}

// boundDigest is sd_hash (RFC 9901 §4.3.1). What the issuer signed, most of the text, has
// been hashed for its signature, and is not again.
func (p *parts) boundDigest() string {
	if p.hashed == nil {
		return digestOf(p.bound)
	}
	p.hashed.Write(p.bound[p.hashedSize:])
	p.hashedSize = len(p.bound)
	return digestText(p.hashed.Sum(make([]byte, 0, sha256.Size)))
}

// bindingOf reads the claims of a key binding.
func bindingOf(t *jws.Token) (c bindingClaims, err error) {
	claims, err := t.Object("")
	if err != nil {
		return c, err
	}
	for _, claim := range []struct {
		name string
		to   *string
	}{{"aud", &c.Audience}, {"nonce", &c.Nonce}, {"sd_hash", &c.Hash}} {
		if v, there := claims[claim.name]; there {
			text, ok := v.(string)
			if !ok {
				return c, fmt.Errorf("%s is no string", claim.name)
			}
			*claim.to = text
		}
	}
	if v, there := claims["iat"]; there {
		if c.IssuedAt, err = integer(v); err != nil {
			return c, fmt.Errorf("iat: %w", err)
		}
	}
	return c, nil
}

// registered reads the claims that every SD-JWT VC has or may have.
func (s *Presented) registered() (err error) {
	var ok bool
	if s.Type, ok = s.Claims["vct"].(string); !ok || s.Type == "" {
		return fmt.Errorf("vct is missing or no string")
	}
	for _, c := range []struct {
		name string
		to   *time.Time
	}{{"iat", &s.Issued}, {"nbf", &s.From}, {"exp", &s.Until}} {
		v, there := s.Claims[c.name]
		if !there {
			continue
		}
		n, err := integer(v)
		if err == nil {
			*c.to, err = moment(n)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if iss, there := s.Claims["iss"]; there {
		if _, ok := iss.(string); !ok {
			return fmt.Errorf("iss is no string")
		}
	}
	if s.Holder, err = holderKey(s.Claims["cnf"]); err != nil {
		return fmt.Errorf("cnf: %w", err)
	}
	if status, there := s.Claims["status"]; there {
		if s.Status, err = statusRef(status); err != nil {
			return fmt.Errorf("status: %w", err)
		}
	}
	return nil
}

func holderKey(cnf any) (*ecdsa.PublicKey, error) {
	object, _ := cnf.(map[string]any)
	jwk, ok := object["jwk"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("there is no jwk")
	}
	if _, private := jwk["d"]; private {
		return nil, fmt.Errorf("a private key stands where a public one is expected")
	}
	text := func(name string) string { s, _ := jwk[name].(string); return s }
	return jws.Key{Kty: text("kty"), Crv: text("crv"), X: text("x"), Y: text("y")}.Public()
}

// statusRef reads the reference of a Token Status List. Another mechanism is not
// known here, and a card with one is refused: it could be suspended.
func statusRef(status any) (*mdoc.StatusRef, error) {
	object, _ := status.(map[string]any)
	list, ok := object["status_list"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("there is no status_list, and nothing else is known here")
	}
	uri, ok := list["uri"].(string)
	if !ok || uri == "" {
		return nil, fmt.Errorf("uri is missing or no string")
	}
	index, err := integer(list["idx"])
	if err != nil || index < 0 {
		return nil, fmt.Errorf("idx is missing or no index")
	}
	return &mdoc.StatusRef{URI: uri, Index: uint64(index)}, nil
}

func integer(v any) (int64, error) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, fmt.Errorf("it is no number")
	}
	i, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40s is no whole number", n)
	}
	return i, nil
}

func moment(unix int64) (time.Time, error) {
	const latest = 253402300799 // the end of the year 9999
	if unix <= 0 || unix > latest {
		return time.Time{}, fmt.Errorf("%d is no time", unix)
	}
	return time.Unix(unix, 0).UTC(), nil
}

// same compares in constant time.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
