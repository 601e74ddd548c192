package sdjwt

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
)

const (
	// Format is the identifier of the format in OpenID4VCI and OpenID4VP, and the typ
	// of what the issuer signs.
	Format = "dc+sd-jwt"

	bindingType = "kb+jwt"
	sha256Name  = "sha-256"
	saltSize    = 16 // bytes (RFC 9901 §9.3 asks for 128 bits)
	maxDecoys   = 64
)

// Credential is what an issuer signs. Times are in whole seconds.
type Credential struct {
	Type       string           // vct
	Issuer     string           // iss; may be empty: the certificate names the issuer
	Issued     time.Time        // iat
	NotBefore  time.Time        // nbf; zero: none
	Expires    time.Time        // exp; zero: none
	Holder     *ecdsa.PublicKey // cnf: the phone's key
	Status     *mdoc.StatusRef  // status.status_list; nil: none
	Claims     map[string]any   // of string, bool, int, int64, json.Number, nil, []any, map[string]any
	Disclosure []Path           // what the holder may show or keep back; the rest is always shown
	Decoys     int              // digests of nothing, so that their number tells nothing (RFC 9901 §4.2.5)
}

// reserved are the claims that Issue sets itself, and that may not be disclosed
// selectively (draft-ietf-oauth-sd-jwt-vc-19, registered claims; iat is always
// shown here, too).
var reserved = []string{"iss", "iat", "nbf", "exp", "cnf", "vct", "vct#integrity", "status", "_sd_alg"}

// Issue signs the credential. The salts and decoys come from random. The time of
// issue must lie within the signer's certificate, which alone stands in x5c: the
// root is the verifier's to know.
func Issue(s mdoc.Signer, random io.Reader, c Credential) (string, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	s = mdoc.InForce(s)
	if err := mdoc.CheckSigner(s, c.Issued); err != nil {
		return "", err
	}
	holder, err := jws.KeyOf(c.Holder)
	if err != nil {
		return "", fmt.Errorf("the holder's key: %w", err)
	}
	plan := &choice{}
	for _, p := range c.Disclosure {
		if err := plan.add(p); err != nil {
			return "", err
		}
	}
	b := builder{random: random}
	payload, err := b.object(c.Claims, plan, nil, c.Decoys)
	if err != nil {
		return "", err
	}
	if p := plan.unused(nil); p != nil {
		return "", fmt.Errorf("path %s: there is no such claim to be disclosed", p)
	}
	payload["vct"], payload["iat"], payload["_sd_alg"] = c.Type, c.Issued.Unix(), sha256Name
	payload["cnf"] = map[string]any{"jwk": holder}
	if c.Issuer != "" {
		payload["iss"] = c.Issuer
	}
	if !c.NotBefore.IsZero() {
		payload["nbf"] = c.NotBefore.Unix()
	}
	if !c.Expires.IsZero() {
		payload["exp"] = c.Expires.Unix()
	}
	if c.Status != nil {
		payload["status"] = map[string]any{"status_list": map[string]any{"idx": c.Status.Index, "uri": c.Status.URI}}
	}
	signed, err := jws.Sign(s.Sign).Token(jws.Header{Type: Format, Chain: [][]byte{s.Certificate()}}, payload)
	if err != nil {
		return "", err
	}
	text := signed + "~" + strings.Join(append(b.disclosures, ""), "~")
	if len(text) > MaxSize {
		return "", fmt.Errorf("the card has %d bytes; at most %d are read", len(text), MaxSize)
	}
	return text, nil
}

func (c *Credential) check() error {
	switch {
	case c.Type == "":
		return errors.New("a credential needs its type (vct)")
	case c.Issued.Unix() <= 0:
		return errors.New("a credential needs its time (iat)")
	case c.Status != nil && c.Status.URI == "":
		return errors.New("a credential's status needs the URI of its list")
	case !c.Expires.IsZero() && !c.Expires.After(c.Issued) || !c.NotBefore.IsZero() && !c.Expires.IsZero() && !c.Expires.After(c.NotBefore):
		return fmt.Errorf("issued %s, valid from %s until %s: the times must follow each other",
			c.Issued.UTC().Format(time.RFC3339), c.NotBefore.UTC().Format(time.RFC3339), c.Expires.UTC().Format(time.RFC3339))
	case c.Decoys < 0 || c.Decoys > maxDecoys:
		return fmt.Errorf("%d decoys; 0 to %d are possible", c.Decoys, maxDecoys)
	}
	for _, name := range reserved {
		if _, there := c.Claims[name]; there {
			return fmt.Errorf("the claim %q is not for the holder's claims: it is set otherwise", name)
		}
	}
	return nil
}

// choice is a tree of the claims that may be kept back.
type choice struct {
	alone bool // may itself be kept back
	met   bool // lies on the way to a claim that exists
	steps map[any]*choice
}

func (c *choice) add(p Path) error {
	if err := p.check(); err != nil {
		return err
	}
	for _, step := range p {
		if c.steps == nil {
			c.steps = map[any]*choice{}
		}
		if c.steps[step] == nil {
			c.steps[step] = &choice{}
		}
		c = c.steps[step]
	}
	c.alone = true
	return nil
}

// at is the choice for a member or an element, nil if there is none. A place
// that is named counts before nil, every place.
func (c *choice) at(step any) *choice {
	if c == nil {
		return nil
	}
	inner := c.steps[step]
	if _, place := step.(int); inner == nil && place {
		inner = c.steps[nil]
	}
	if inner != nil {
		inner.met = true
	}
	return inner
}

// unused finds a path that leads nowhere.
func (c *choice) unused(to Path) Path {
	for step, inner := range c.steps {
		p := append(slices.Clone(to), step)
		if !inner.met {
			return p
		}
		if p := inner.unused(p); p != nil {
			return p
		}
	}
	return nil
}

// builder turns claims into digests and disclosures.
type builder struct {
	random      io.Reader
	disclosures []string
}

func (b *builder) value(v any, c *choice, at Path) (any, error) {
	if len(at) > maxDepth {
		return nil, fmt.Errorf("claim %s lies more than %d deep", at, maxDepth)
	}
	switch v := v.(type) {
	case map[string]any:
		return b.object(v, c, at, 0)
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			inner := c.at(i)
			e, err := b.value(element, inner, append(slices.Clone(at), i))
			if err != nil {
				return nil, err
			}
			if inner != nil && inner.alone {
				digest, err := b.disclose(e)
				if err != nil {
					return nil, err
				}
				e = map[string]any{"...": digest}
			}
			out[i] = e
		}
		return out, nil
	case string, bool, int, int64, uint64, json.Number, nil:
		return v, nil
	}
	return nil, fmt.Errorf("claim %s: a %T cannot stand on a card", at, v)
}

func (b *builder) object(members map[string]any, c *choice, at Path, decoys int) (map[string]any, error) {
	out := make(map[string]any, len(members)+10)
	var hidden []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		p := append(slices.Clone(at), name)
		if name == "_sd" || name == "..." {
			return nil, fmt.Errorf("claim %s: the name is not free (RFC 9901 §4.1)", p)
		}
		inner := c.at(name)
		v, err := b.value(members[name], inner, p)
		if err != nil {
			return nil, err
		}
		if inner == nil || !inner.alone {
			out[name] = v
			continue
		}
		digest, err := b.disclose(name, v)
		if err != nil {
			return nil, err
		}
		hidden = append(hidden, digest)
	}
	for range decoys {
		var word [sha256.Size]byte
		if _, err := io.ReadFull(b.random, word[:]); err != nil {
			return nil, fmt.Errorf("no randomness for the decoys: %w", err)
		}
		hidden = append(hidden, digestOf(base64.RawURLEncoding.AppendEncode(nil, word[:])))
	}
	if hidden != nil {
		slices.Sort(hidden) // their order must not be the claims' (RFC 9901 §4.2.4.1)
		out[digests] = hidden
	}
	return out, nil
}

// disclose keeps a disclosure of these parts, with a new salt, and returns its
// digest.
func (b *builder) disclose(parts ...any) (string, error) {
	if len(b.disclosures) == maxDisclosures {
		return "", fmt.Errorf("a card has at most %d claims to be disclosed", maxDisclosures)
	}
	var salt [saltSize]byte
	if _, err := io.ReadFull(b.random, salt[:]); err != nil {
		return "", fmt.Errorf("no randomness for the salts: %w", err)
	}
	text, err := jws.Marshal(append([]any{base64.RawURLEncoding.EncodeToString(salt[:])}, parts...))
	if err != nil {
		return "", err
	}
	encoded := base64.RawURLEncoding.EncodeToString(text)
	b.disclosures = append(b.disclosures, encoded)
	return digestOf([]byte(encoded)), nil
}

// digestOf is the digest of a disclosure, over its letters (RFC 9901 §4.2.3).
func digestOf(disclosure []byte) string {
	sum := sha256.Sum256(disclosure)
	return digestText(sum[:])
}

func digestText(sum []byte) string {
	var text [43]byte
	base64.RawURLEncoding.Encode(text[:], sum)
	return string(text[:])
}
