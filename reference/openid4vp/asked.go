package openid4vp

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"rollcall.example/rollcall/reference/dcql"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/reference/web"
)

// transaction is what a relying party asks. It travels in the identifier that is
// made of it.
type transaction struct {
	Party       string          `json:"p"`
	Certificate []byte          `json:"c"` // SHA-256 of that with which the request is signed
	Elements    []string        `json:"e,omitempty"`
	Retain      bool            `json:"i,omitempty"`
	Query       json.RawMessage `json:"q,omitempty"` // instead of elements
	Purpose     string          `json:"w,omitempty"`
	Redirect    string          `json:"r,omitempty"` // same device: where the wallet sends its user
	Progress    bool            `json:"f,omitempty"`

	id    string
	ends  time.Time // of the time to answer
	until time.Time // a result can be asked for
}

// key is that of the tickets with what came of it.
func (t *transaction) key() []byte { return store.TicketKeyAt(t.id, t.until) }

// Kinds of sealed texts, and of tickets by the transaction's identifier.
const (
	kindAsked    = "openid4vp asked"   // a transaction; a ticket if its text is too long
	kindAnswered = "openid4vp"         // the answer it has had
	kindFetched  = "openid4vp fetched" // if its party wants to know
)

const (
	// maxSealed is how long an identifier may be, so that the QR code in which it stands
	// can be read from a screen. Half a dozen elements fit.
	maxSealed = 270
	// keptSize is the length of the identifier of what is kept: no sealed text is as
	// short.
	keptSize = 43
)

// name gives a transaction its identifier.
func (e *Endpoints) name(ctx context.Context, t *transaction) error {
	seed, err := e.o.Register.Seed()
	if err != nil {
		return err
	}
	t.until = t.ends.Add(e.o.Kept)
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if seal.Length(len(body)) <= maxSealed {
		t.id, err = e.o.Keys.Seal(seed, kindAsked, t.until, json.RawMessage(body))
		return err
	}
	t.id = base64.RawURLEncoding.EncodeToString(seed[:])
	return e.o.Register.Update(ctx, func(tx store.Tx) error {
		return tx.AddTicket(store.Ticket{Kind: kindAsked, Key: store.TicketKey(t.id), Body: body, Expires: t.until})
	})
}

// open reads a transaction from the identifier in a path.
func (e *Endpoints) open(ctx context.Context, id string) (t transaction, err error) {
	now := e.o.Register.Now()
	if len(id) == keptSize {
		var ticket store.Ticket
		err = e.o.Register.View(ctx, func(r store.Reader) (err error) {
			ticket, err = r.Ticket(kindAsked, store.TicketKey(id))
			return err
		})
		if errors.Is(err, store.ErrNotFound) || err == nil && !now.Before(ticket.Expires) {
			return t, unknown()
		}
		if err == nil {
			err = json.Unmarshal(ticket.Body, &t)
		}
		t.until = ticket.Expires
	} else {
		var sealed seal.Sealed
		if sealed, err = e.o.Keys.Open(kindAsked, id, now, &t); err != nil {
			return t, unknown()
		}
		t.until = sealed.End
	}
	t.id, t.ends = id, t.until.Add(-e.o.Kept)
	return t, err
}

func unknown() error {
	return web.Refuse(http.StatusNotFound, "invalid_request", "There is no such transaction, or its time is over.")
}

func (t *transaction) clientID() string { return clientID(t.Certificate) }

// by says whether the request would still be signed with the same certificate.
func (t *transaction) by(r Reader) bool { return bytes.Equal(t.Certificate, r.hash()) }

// query is what is asked, as DCQL.
func (e *Endpoints) query(t *transaction) (*dcql.Query, error) {
	if t.Query != nil {
		return dcql.Parse(t.Query)
	}
	q, err := e.elements(t.Elements, t.Retain)
	return q.query, err
}

// queryText is what is asked, as a request says it.
func (e *Endpoints) queryText(t *transaction) (json.RawMessage, error) {
	if t.Query == nil {
		q, err := e.elements(t.Elements, t.Retain)
		return q.text, err
	}
	q, err := dcql.Parse(t.Query)
	if err != nil {
		return nil, err
	}
	return json.Marshal(q)
}

// answerKey is the key to which the answer of a transaction is encrypted.
func (e *Endpoints) answerKey(secret []byte) (*ecdh.PrivateKey, error) {
	for i := range byte(8) {
		d, err := hkdf.Expand(sha256.New, secret, "openid4vp answer "+string('0'+rune(i)), 32)
		if err != nil {
			return nil, err
		}
		if key, err := ecdh.P256().NewPrivateKey(d); err == nil { // all but one in 2^32
			return key, nil
		}
	}
	return nil, errors.New("no key can be derived for this transaction")
}

// answering is a transaction as package verification knows it, and the key to which
// its answer is encrypted.
type answering struct {
	verification.Transaction
	private *ecdh.PrivateKey
	public  jws.Key
	ends    time.Time
}

func (e *Endpoints) answering(t *transaction) (a answering, err error) {
	if a, ok := e.keys.Get(t.id); ok {
		return a, nil
	}
	a.ends = t.ends
	of := e.o.Secret(t.ends.Add(-e.o.Lifetime))
	secret, err := hkdf.Extract(sha256.New, of[:], store.TicketKey(t.id))
	if err != nil {
		return a, err
	}
	if a.private, err = e.answerKey(secret); err != nil {
		return a, err
	}
	if a.public, err = jws.KeyOfECDH(a.private.PublicKey()); err != nil {
		return a, err
	}
	name, err := hkdf.Expand(sha256.New, secret, "openid4vp nonce", verification.NameSize)
	if err != nil {
		return a, err
	}
	thumbprint := a.public.Thumbprint()
	v := verification.Verifier{ClientID: t.clientID(), ResponseURI: e.o.Base + "response/" + t.id, Thumbprint: thumbprint[:]}
	a.Transaction = e.o.Verification.Named(v, [verification.NameSize]byte(name), t.ends)
	e.keys.Put(t.id, a)
	return a, nil
}
