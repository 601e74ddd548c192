// Package wallet emulates a wallet app on a phone, as it talks to the ID service
// over HTTP: it gets mobile cards by OpenID4VCI 1.0 and shows them by OpenID4VP
// 1.0, in the profile of HAIP 1.0.
//
// It knows the protocols from outside: URLs, JSON, tokens. Keys come from the
// phone's secure element; time, randomness and the HTTP client are handed in. It
// may not know the service's code, only the formats it speaks.
package wallet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/x5c"
)

// Provider makes wallet apps and vouches for them: its key stands under its root.
type Provider struct {
	*phone.Maker
	ClientID string // of all its wallets
}

// NewProvider founds a wallet provider from a seed.
func NewProvider(clientID string, seed []byte, from time.Time) (*Provider, error) {
	m, err := phone.NewMaker(clientID, append([]byte("wallet provider "), seed...), from)
	if err != nil {
		return nil, err
	}
	return &Provider{m, clientID}, nil
}

// Options are what a wallet needs.
type Options struct {
	HTTP     *http.Client
	Now      func() time.Time
	Random   io.Reader
	Maker    *phone.Maker // of the phone: attests its keys
	Provider *Provider    // of the app: attests the wallet
	Seed     []byte       // of the phone's secure element
	// KeyStatus and AppStatus are the entries of the lists in which maker and provider say
	// whether what they attest still stands; nil: they name none.
	KeyStatus, AppStatus *mdoc.StatusRef
	Redirect             string // where an authorization server sends its answer
	// Readers are the authorities of verifiers whose requests are answered; nil:
	// any verifier's, as a wallet that asks its holder each time. The list of revoked
	// certificates is fetched where a verifier's certificate says; if it says one.
	Readers *x5c.Anchors
	// Issuers are the authorities of cards: a card that comes from none of them is not
	// kept. nil: the wallet knows no list of trust, and looks at no issuer's signature.
	Issuers *mdoc.TrustAnchors
	// OneSignature: of copies that come together the issuer's signature is verified on the
	// first alone. For whoever emulates so many wallets that their work is in the way of
	// what is measured.
	OneSignature bool
}

// Wallet is one wallet on one phone. One goroutine at a time uses it.
type Wallet struct {
	o        Options
	phone    *phone.Phone
	instance *ecdsa.PrivateKey // proves which wallet it is
	proof    *ecdsa.PrivateKey // of DPoP
	issuers  map[string]*Issuer
	held     []Copy
	nonces   map[string]string // server → DPoP nonce
	revoked  map[string]listed // of verifiers, by where they are fetched

	mu sync.Mutex // of Random
}

// Copy is one copy of a mobile card.
type Copy struct {
	Config     string // the issuer's configuration
	Format     string
	Credential []byte // IssuerSigned, or an SD-JWT
	Key        *ecdsa.PrivateKey
	// Shown is how often it was shown, with the copies that stood at its place in the
	// status lists before it: who sees an index twice knows that it is one card's.
	Shown int

	place mdoc.StatusRef
}

// New is a wallet without cards.
func New(o Options) (*Wallet, error) {
	if o.HTTP == nil || o.Now == nil || o.Random == nil || o.Maker == nil || o.Provider == nil || len(o.Seed) == 0 {
		return nil, errors.New("a wallet needs a way out, a clock, randomness, a phone's maker, a provider and a seed")
	}
	if o.Redirect == "" {
		o.Redirect = "kr.rollcall.wallet://callback"
	}
	p := phone.New(o.Maker, o.Seed)
	keys := p.Keys(2)
	return &Wallet{o: o, phone: p, instance: keys[0], proof: keys[1], issuers: map[string]*Issuer{}, nonces: map[string]string{}, revoked: map[string]listed{}}, nil
}

// Phone is the phone the wallet runs on.
func (w *Wallet) Phone() *phone.Phone { return w.phone }

// ID names the wallet as issuers do: the thumbprint of its instance's key (RFC 7638).
func (w *Wallet) ID() string {
	k, err := jws.KeyOf(&w.instance.PublicKey)
	if err != nil {
		return "" // no key of a phone is on another curve
	}
	return k.ThumbprintText()
}

// Copies lists the copies held.
func (w *Wallet) Copies() []Copy { return w.held }

// Refused is an answer that refuses.
type Refused struct {
	Status      int
	Code        string
	Description string
}

func (r *Refused) Error() string {
	return fmt.Sprintf("HTTP %d: %s: %s", r.Status, r.Code, r.Description)
}

// maxAnswer limits what is read of an answer.
const maxAnswer = 8 << 20

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request; what is not a success is a *Refused.
func (w *Wallet) send(r *http.Request) (answer, error) {
	res, err := w.o.HTTP.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return answer{}, err
	}
	a := answer{res.StatusCode, res.Header, body}
	server := r.URL.Scheme + "://" + r.URL.Host
	if nonce := res.Header.Get("DPoP-Nonce"); nonce != "" {
		w.nonces[server] = nonce
	}
	if a.status/100 == 2 {
		return a, nil
	}
	refused := &Refused{Status: a.status, Code: http.StatusText(a.status)}
	var oauthError struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Type        string `json:"type"`
		Detail      string `json:"detail"`
	}
	if json.Unmarshal(body, &oauthError) == nil {
		if oauthError.Error != "" {
			refused.Code, refused.Description = oauthError.Error, oauthError.Description
		} else if oauthError.Type != "" {
			refused.Code, refused.Description = strings.TrimPrefix(oauthError.Type, "urn:rollcall:problem:"), oauthError.Detail
		}
	}
	return a, refused
}

// get fetches JSON.
func (w *Wallet) get(ctx context.Context, address, accept string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, err
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	return w.send(r)
}

func (w *Wallet) getJSON(ctx context.Context, address string, v any) error {
	a, err := w.get(ctx, address, "application/json")
	if err != nil {
		return err
	}
	return json.Unmarshal(a.body, v)
}

// random is fresh randomness as text.
func (w *Wallet) random() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b [24]byte
	if _, err := io.ReadFull(w.o.Random, b[:]); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// call is a request that proves who makes it.
type call struct {
	method, url string
	form        url.Values // or
	json        any
	jwt         string // encrypted
	token       string // bound to the DPoP key
	client      string // audience of the client attestation; empty: none is sent
	noProof     bool   // without DPoP
	header      http.Header
}

// proven sends a request with its proofs, and once more if the server wants a nonce
// of its own in them.
func (w *Wallet) proven(ctx context.Context, c call) (answer, error) {
	for attempt := 0; ; attempt++ {
		r, err := w.request(ctx, c)
		if err != nil {
			return answer{}, err
		}
		a, err := w.send(r)
		refused, ok := errors.AsType[*Refused](err)
		if ok && refused.Code == oauth.UseDPoPNonce && attempt == 0 {
			continue
		}
		return a, err
	}
}

func (w *Wallet) request(ctx context.Context, c call) (*http.Request, error) {
	var body io.Reader
	kind := ""
	switch {
	case c.form != nil:
		body, kind = strings.NewReader(c.form.Encode()), "application/x-www-form-urlencoded"
	case c.json != nil:
		b, err := json.Marshal(c.json)
		if err != nil {
			return nil, err
		}
		body, kind = bytes.NewReader(b), "application/json"
	case c.jwt != "":
		body, kind = strings.NewReader(c.jwt), "application/jwt"
	}
	r, err := http.NewRequestWithContext(ctx, c.method, c.url, body)
	if err != nil {
		return nil, err
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	now := w.o.Now()
	if !c.noProof {
		id, err := w.random()
		if err != nil {
			return nil, err
		}
		proof, err := oauth.DPoP{
			Method: c.method, URL: r.URL.Scheme + "://" + r.URL.Host + r.URL.Path, ID: id, IssuedAt: now, AccessToken: c.token,
			Nonce: w.nonces[r.URL.Scheme+"://"+r.URL.Host],
		}.Proof(w.proof)
		if err != nil {
			return nil, err
		}
		r.Header.Set("DPoP", proof)
		if c.token != "" {
			r.Header.Set("Authorization", "DPoP "+c.token)
		}
	}
	if c.client != "" {
		attestation, err := oauth.ClientAttestation{
			ClientID: w.o.Provider.ClientID, Key: &w.instance.PublicKey, IssuedAt: now, Expires: now.Add(time.Hour), Status: w.o.AppStatus,
		}.Sign(w.o.Provider.Sign, [][]byte{w.o.Provider.Attestation})
		if err != nil {
			return nil, err
		}
		id, err := w.random()
		if err != nil {
			return nil, err
		}
		pop, err := oauth.PoP{Audience: c.client, ID: id, IssuedAt: now}.Sign(w.instance)
		if err != nil {
			return nil, err
		}
		r.Header.Set(oauth.HeaderAttestation, attestation)
		r.Header.Set(oauth.HeaderPoP, pop)
	}
	return r, nil
}

// signer makes a jws.Sign of the provider's and the maker's keys.
var _ jws.Sign = (*phone.Maker)(nil).Sign
