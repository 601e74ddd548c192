package statuslist

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/cose"
)

// Why a token is refused (errors.Is). A signer's certificate that is not trusted,
// revoked or out of its time, is mdoc.ErrUntrusted, mdoc.ErrSignerRevoked or
// mdoc.ErrSignerExpired.
var (
	// ErrMalformed: the bytes are not what the draft says.
	ErrMalformed = errors.New("the status list token is malformed")
	// ErrSignature: the signer named in it did not sign it.
	ErrSignature = errors.New("the status list token's signature is wrong")
	// ErrExpired: its time (exp) is over.
	ErrExpired = errors.New("the status list token has expired")
)

// MaxToken is the largest token that is read.
const MaxToken = 8 << 20

// Token says that at IssuedAt the list published at Subject was List.
type Token struct {
	Subject     string        // URI of the list, as it stands in the cards
	IssuedAt    time.Time     // iat; whole seconds
	Expires     time.Time     // exp; zero: none
	TTL         time.Duration // how long it may be cached; zero: not said; whole seconds
	RegisterSeq uint64        // the register's sequence number whose state this is
	Aggregation string        // URI of the document that names all lists (§9); empty: not said
	List        *List

	signer string
}

// Signer is the certificate, DER, of who has signed a token that was read.
func (t *Token) Signer() []byte { return []byte(t.signer) }

// Types of the two forms (§5.1, §5.2) and the media types of the HTTP answer
// (§8.1), which are "application/" and the type.
const (
	jwtType = "statuslist+jwt"
	cwtType = "application/statuslist+cwt"
)

// Claims of the CWT (RFC 8392 §3.1; draft §14.3; register_seq is private).
const (
	claimSubject     = 2
	claimExpires     = 4
	claimIssuedAt    = 6
	claimStatusList  = 65533
	claimTTL         = 65534
	claimRegisterSeq = -65537
)

type jwtHeader struct {
	Algorithm string   `json:"alg"`
	Type      string   `json:"typ"`
	Chain     [][]byte `json:"x5c"`
}

type jwtClaims struct {
	Subject     string  `json:"sub"`
	IssuedAt    int64   `json:"iat"`
	Expires     int64   `json:"exp,omitempty"`
	TTL         int64   `json:"ttl,omitempty"`
	RegisterSeq uint64  `json:"register_seq"`
	StatusList  jwtList `json:"status_list"`
}

type jwtList struct {
	Bits        int    `json:"bits"`
	List        string `json:"lst"`
	Aggregation string `json:"aggregation_uri,omitempty"`
}

func (t Token) check() error {
	switch {
	case t.Subject == "":
		return errors.New("a status list token needs its URI (sub)")
	case t.List == nil:
		return errors.New("a status list token needs its list")
	case t.IssuedAt.Unix() <= 0:
		return errors.New("a status list token needs its time (iat)")
	case !t.Expires.IsZero() && !t.Expires.After(t.IssuedAt):
		return errors.New("a status list token must not expire before it is issued")
	case t.TTL < 0 || t.TTL%time.Second != 0:
		return fmt.Errorf("the ttl %s is not in whole seconds", t.TTL)
	}
	return nil
}

// SignJWT signs the token as a JWT, with the signer's certificate in x5c.
func (t Token) SignJWT(s mdoc.Signer) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	s = mdoc.InForce(s)
	header, err := json.Marshal(jwtHeader{Algorithm: "ES256", Type: jwtType, Chain: [][]byte{s.Certificate()}})
	if err != nil {
		return nil, err
	}
	claims := jwtClaims{
		Subject: t.Subject, IssuedAt: t.IssuedAt.Unix(), TTL: int64(t.TTL / time.Second), RegisterSeq: t.RegisterSeq,
		StatusList: jwtList{int(t.List.bits), base64.RawURLEncoding.EncodeToString(t.List.Pack()), t.Aggregation},
	}
	if !t.Expires.IsZero() {
		claims.Expires = t.Expires.Unix()
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, (len(header)+len(payload)+64)*4/3+16)
	b = base64.RawURLEncoding.AppendEncode(b, header)
	b = base64.RawURLEncoding.AppendEncode(append(b, '.'), payload)
	digest := sha256.Sum256(b)
	rs, err := s.Sign(digest[:])
	if err != nil {
		return nil, fmt.Errorf("signing the status list: %w", err)
	}
	return base64.RawURLEncoding.AppendEncode(append(b, '.'), rs), nil
}

// SignCWT signs the token as a CWT: a tagged COSE_Sign1 without the tag of a CWT,
// the signer's certificate in x5chain.
func (t Token) SignCWT(s mdoc.Signer) ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	s = mdoc.InForce(s)
	packed := t.List.Pack()
	n := 4
	if !t.Expires.IsZero() {
		n++
	}
	if t.TTL > 0 {
		n++
	}
	b := cose.AppendMap(make([]byte, 0, len(packed)+len(t.Subject)+96), n)
	b = cose.AppendText(cose.AppendUint(b, claimSubject), t.Subject)
	if !t.Expires.IsZero() {
		b = cose.AppendUint(cose.AppendUint(b, claimExpires), uint64(t.Expires.Unix()))
	}
	b = cose.AppendUint(cose.AppendUint(b, claimIssuedAt), uint64(t.IssuedAt.Unix()))
	fields := 2
	if t.Aggregation != "" {
		fields++
	}
	b = cose.AppendMap(cose.AppendUint(b, claimStatusList), fields)
	b = cose.AppendBytes(cose.AppendText(b, "lst"), packed)
	b = cose.AppendUint(cose.AppendText(b, "bits"), uint64(t.List.bits))
	if t.Aggregation != "" {
		b = cose.AppendText(cose.AppendText(b, "aggregation_uri"), t.Aggregation)
	}
	if t.TTL > 0 {
		b = cose.AppendUint(cose.AppendUint(b, claimTTL), uint64(t.TTL/time.Second))
	}
	b = cose.AppendUint(cose.AppendInt(b, claimRegisterSeq), t.RegisterSeq)
	message, err := cose.Sign1(s, cose.Header{Type: cwtType, Chain: [][]byte{s.Certificate()}}, b, false)
	if err != nil {
		return nil, fmt.Errorf("the status list: %w", err)
	}
	return cose.Tag18(message), nil
}

// ParseJWT reads a JWT and checks that a status signer under the anchors signed it
// and that it has not expired at this time. That the list is the one a card names
// (Subject), and whether ttl has run out, is for the caller to see.
func ParseJWT(token []byte, anchors *mdoc.TrustAnchors, at time.Time) (*Token, error) {
	return parsed(parseJWT, token, anchors, at)
}

// ParseJWTBy is ParseJWT for lists that are by others than those who issue cards: key is
// that of the signer with this chain, or why they are not believed.
func ParseJWTBy(token []byte, at time.Time, key func(chain [][]byte) (*ecdsa.PublicKey, error)) (*Token, error) {
	return parseJWT(token, at, key)
}

// ParseCWT is ParseJWT for a CWT.
func ParseCWT(token []byte, anchors *mdoc.TrustAnchors, at time.Time) (*Token, error) {
	return parsed(parseCWT, token, anchors, at)
}

func parsed(parse func([]byte, time.Time, trust) (*Token, error), token []byte, anchors *mdoc.TrustAnchors, at time.Time) (*Token, error) {
	signer := ""
	t, err := parse(token, at, func(chain [][]byte) (*ecdsa.PublicKey, error) {
		key, err := anchors.StatusSigner(chain, at)
		if err == nil {
			signer = string(chain[0])
		}
		return key, err
	})
	if err == nil {
		t.signer = signer
	}
	return t, err
}

// trust returns the key of the signer with this chain, or why there is none.
type trust func(chain [][]byte) (*ecdsa.PublicKey, error)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

func parseJWT(token []byte, at time.Time, trusted trust) (*Token, error) {
	if len(token) > MaxToken {
		return nil, malformed("%d bytes; at most %d are read", len(token), MaxToken)
	}
	signed, err := jws.Parse(token)
	if err != nil {
		return nil, malformed("%w", err)
	}
	var h jwtHeader
	if err := signed.Header(jwtType, &h); err != nil {
		return nil, malformed("%w", err)
	}
	key, err := trusted(h.Chain)
	if err != nil {
		return nil, err
	}
	if !signed.Verify(key) {
		return nil, ErrSignature
	}
	var c jwtClaims
	if err := signed.Claims(&c); err != nil {
		return nil, malformed("%w", err)
	}
	packed, err := jws.Decode([]byte(c.StatusList.List))
	if err != nil {
		return nil, malformed("lst: %w", err)
	}
	return claims{c.Subject, c.IssuedAt, c.Expires, c.TTL, c.RegisterSeq, c.StatusList.Bits, packed, c.StatusList.Aggregation}.token(at)
}

func parseCWT(token []byte, at time.Time, trusted trust) (*Token, error) {
	if len(token) > MaxToken {
		return nil, malformed("%d bytes; at most %d are read", len(token), MaxToken)
	}
	untagged, err := cose.Untag18(token)
	if err != nil {
		return nil, malformed("%w", err)
	}
	m, err := cose.Parse(untagged)
	switch {
	case err != nil:
		return nil, malformed("%w", err)
	case m.Type != cwtType:
		return nil, malformed("type %q, not %q", m.Type, cwtType)
	}
	key, err := trusted(m.Chain)
	if err != nil {
		return nil, err
	}
	if !m.VerifySignature(key, nil) {
		return nil, ErrSignature
	}
	return readCWTClaims(m.Payload, at)
}

func readCWTClaims(payload []byte, at time.Time) (*Token, error) {
	var c claims
	r := cose.NewReader(payload)
	r.Labels(func(label int64) {
		switch label {
		case claimSubject:
			c.subject = string(r.Text())
		case claimExpires:
			c.expires = r.Int()
		case claimIssuedAt:
			c.issuedAt = r.Int()
		case claimTTL:
			c.ttl = r.Int()
		case claimRegisterSeq:
			c.registerSeq = r.Uint()
		case claimStatusList:
			r.Fields(func(key []byte) {
				switch string(key) {
				case "bits":
					c.bits = int(min(r.Uint(), math.MaxInt32))
				case "lst":
					c.packed = r.Bytes()
				case "aggregation_uri":
					c.aggregation = string(r.Text())
				default:
					r.Skip()
				}
			})
		default:
			r.Skip()
		}
	})
	if err := r.End(); err != nil {
		return nil, malformed("claims: %w", err)
	}
	return c.token(at)
}

// claims are what both forms say.
type claims struct {
	subject                string
	issuedAt, expires, ttl int64
	registerSeq            uint64
	bits                   int
	packed                 []byte
	aggregation            string
}

func (c claims) token(at time.Time) (*Token, error) {
	const latest = 253402300799 // the end of the year 9999
	t := &Token{Subject: c.subject, RegisterSeq: c.registerSeq, Aggregation: c.aggregation}
	switch {
	case c.subject == "":
		return nil, malformed("sub is missing")
	case c.issuedAt <= 0 || c.issuedAt > latest:
		return nil, malformed("iat is missing or no time: %d", c.issuedAt)
	case c.expires < 0 || c.expires > latest:
		return nil, malformed("exp is no time: %d", c.expires)
	case c.ttl < 0 || c.ttl > math.MaxInt64/int64(time.Second):
		return nil, malformed("ttl is no duration: %d", c.ttl)
	}
	t.IssuedAt = time.Unix(c.issuedAt, 0).UTC()
	t.TTL = time.Duration(c.ttl) * time.Second
	if c.expires != 0 {
		t.Expires = time.Unix(c.expires, 0).UTC()
		if !at.Before(t.Expires) {
			return nil, fmt.Errorf("%w: at %s, now it is %s", ErrExpired, t.Expires.Format(time.RFC3339), at.UTC().Format(time.RFC3339))
		}
	}
	var err error
	if t.List, err = Unpack(c.bits, c.packed); err != nil {
		return nil, malformed("%w", err)
	}
	return t, nil
}
