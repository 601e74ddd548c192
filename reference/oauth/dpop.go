package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/jws"
)

const dpopType = "dpop+jwt"

// DPoP is what a wallet says with a request: that the holder of a key makes it.
type DPoP struct {
	Method      string // htm: "POST"
	URL         string // htu: without query and fragment
	ID          string // jti: never used before
	IssuedAt    time.Time
	AccessToken string // whose hash is ath; empty: the request has none
	Nonce       string // the server's; empty: it has given none
}

type dpopClaims struct {
	ID              string `json:"jti"`
	Method          string `json:"htm"`
	URL             string `json:"htu"`
	IssuedAt        int64  `json:"iat"`
	AccessTokenHash string `json:"ath,omitempty"`
	Nonce           string `json:"nonce,omitempty"`
}

// Proof signs it (RFC 9449 §4.2).
func (d DPoP) Proof(key crypto.Signer) (string, error) {
	if d.Method == "" || d.ID == "" || d.IssuedAt.Unix() <= 0 {
		return "", errors.New("a DPoP proof needs a method, an identifier and a time")
	}
	if _, err := target(d.URL); err != nil || strings.ContainsAny(d.URL, "?#") {
		return "", fmt.Errorf("%q is no URL without query and fragment", d.URL)
	}
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return "", errors.New("a DPoP proof needs a P-256 key")
	}
	jwk, err := jws.KeyOf(public)
	if err != nil {
		return "", err
	}
	c := dpopClaims{ID: d.ID, Method: d.Method, URL: d.URL, IssuedAt: d.IssuedAt.Unix(), Nonce: d.Nonce}
	if d.AccessToken != "" {
		c.AccessTokenHash = Challenge(d.AccessToken) // the same hash, by §4.2
	}
	return jws.With(key).Token(jws.Header{Type: dpopType, Key: &jwk}, c)
}

// ExpectedDPoP is the request that a proof came with.
type ExpectedDPoP struct {
	Method      string
	URL         string
	AccessToken string // empty: the request has none
	Thumbprint  string // of the key that the token is bound to (cnf.jkt); empty: any key
	At          time.Time
	Nonce       func(nonce string) bool // whether it is a nonce of this server that still lives; nil: nonces are not asked for
}

// Proven is what a proof proves.
type Proven struct {
	Key        *ecdsa.PublicKey
	Thumbprint string // to bind tokens to (cnf.jkt)
	ID         string // to be remembered until the proof is too old
	IssuedAt   time.Time
}

// CheckDPoP checks a proof by the list of RFC 9449 §4.3; that there is one DPoP
// header and no more (rule 1), and that ID is new (§11.1), is for the caller to
// see. A proof without a nonce, or with an old one, is refused with
// use_dpop_nonce, every other with invalid_dpop_proof.
func CheckDPoP(proof string, want ExpectedDPoP) (*Proven, error) {
	refuse := func(format string, args ...any) (*Proven, error) {
		return nil, Refuse(InvalidDPoPProof, format, args...)
	}
	if len(proof) > maxToken {
		return refuse("the proof has %d bytes; at most %d are read", len(proof), maxToken)
	}
	t, err := jws.Parse([]byte(proof))
	if err != nil {
		return refuse("%v", err)
	}
	h, err := t.ReadHeader(dpopType)
	if err != nil {
		return refuse("%v", err)
	}
	if h.Key == nil {
		return refuse("header: jwk is missing")
	}
	key, err := h.Key.Public()
	if err != nil {
		return refuse("header: %v", err)
	}
	if !t.Verify(key) {
		return refuse("its signature is wrong")
	}
	var c dpopClaims
	if err := t.Claims(&c); err != nil {
		return refuse("%v", err)
	}
	made, err := Moment(c.IssuedAt)
	if err != nil {
		return refuse("iat: %v", err)
	}
	switch {
	case c.ID == "" || len(c.ID) > maxText:
		return refuse("jti is missing or longer than %d bytes", maxText)
	case c.Method != want.Method:
		return refuse("it is for the method %.20q, the request is %s", c.Method, want.Method)
	case !sameTarget(c.URL, want.URL):
		return refuse("it is for %.200q, the request is for %s", c.URL, want.URL)
	}
	if err := CheckFresh(made, want.At); err != nil {
		return refuse("iat: %v", err)
	}
	switch sum := sha256.Sum256([]byte(want.AccessToken)); {
	case want.AccessToken == "" && c.AccessTokenHash != "":
		return refuse("ath is of an access token, and the request has none")
	case want.AccessToken != "" && !Same(c.AccessTokenHash, base64.RawURLEncoding.EncodeToString(sum[:])):
		return refuse("ath is missing or of another access token")
	}
	thumbprint := h.Key.ThumbprintText()
	if want.Thumbprint != "" && !Same(want.Thumbprint, thumbprint) {
		return refuse("it is signed with another key than the one that the token is bound to")
	}
	if want.Nonce != nil {
		switch {
		case c.Nonce == "":
			return nil, Refuse(UseDPoPNonce, "the proof has no nonce of this server")
		case len(c.Nonce) > maxToken/2 || !want.Nonce(c.Nonce):
			return nil, Refuse(UseDPoPNonce, "the proof's nonce is not of this server, or too old")
		}
	}
	return &Proven{key, thumbprint, c.ID, made}, nil
}

// target is a URL in the form in which two that mean the same are the same (RFC
// 3986 §6.2.2, §6.2.3), without query and fragment.
func target(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if scheme != "https" && scheme != "http" || host == "" || u.User != nil || u.Opaque != "" {
		return "", fmt.Errorf("%q is no URL of a service", text)
	}
	host = strings.TrimSuffix(host, map[string]string{"https": ":443", "http": ":80"}[scheme])
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	// What is escaped without need is unescaped; what is, in capitals.
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		escaped := strings.ToUpper(path[i : i+3])
		if c, err := url.PathUnescape(escaped); err == nil && len(c) == 1 && strings.Contains(unreserved, c) {
			escaped = c
		}
		b.WriteString(escaped)
		i += 2
	}
	return scheme + "://" + host + b.String(), nil
}

func sameTarget(a, b string) bool {
	x, err := target(a)
	if err != nil {
		return false
	}
	y, err := target(b)
	return err == nil && x == y
}
