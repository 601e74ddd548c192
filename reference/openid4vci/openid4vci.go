// Package openid4vci issues mobile cards to wallets: OpenID for Verifiable
// Credential Issuance 1.0 in the profile of HAIP 1.0 §4, with nonce, credential,
// deferred and notification endpoints, batches of copies, key attestations, and
// encrypted responses.
//
// Who applies, and on which evidence, is in the grant of the access token (package
// authorization). Whether a card is issued is decided by package issuance at the
// commit. Both formats of a grant are copies of one card: the first request issues
// it, later ones fetch what was kept for them, and asking again with the same keys
// gets the same answer. A refreshed token has its wallet's copies signed anew, as they end
// with the certificate of their signer.
package openid4vci

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/standing"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// Configurations of the issuer, by their ids.
const (
	MdocID  = "rrc_mdoc"
	SDJWTID = "rrc_sd_jwt"
)

// Scopes are the scopes by which the configurations are asked for.
var Scopes = map[string]string{MdocID: "rrc_mdoc", SDJWTID: "rrc_sd_jwt"}

// formats are the formats of the configurations.
var formats = map[string]string{MdocID: issuance.Mdoc, SDJWTID: sdjwt.Format}

// Options are what the issuer needs.
type Options struct {
	Register *register.Register
	Issuance *issuance.Service
	Keys     *seal.Keys
	// Issuer is its URL, without a slash at the end; Path is where the endpoints
	// lie, as "/vci/".
	Issuer, Path string
	// Name is what people know the issuer as, by language.
	Name map[string]string
	// Copies is how many copies of each format a wallet may have.
	Copies int
	// Proofs says what is demanded of keys.
	Proofs keyproof.Policy
	// Standing says whether key attestations that name a status list still stand; nil:
	// nobody can tell, and they are not taken.
	Standing *standing.Lists
	// Secret is that of a day, by its begin, and the same at every replica: of it is
	// made the key to which wallets encrypt their requests.
	Secret func(begin time.Time) [32]byte
	// Signer signs the metadata, with the key that is in force; nil: only unsigned
	// ones are served.
	Signer func() (sign jws.Sign, chain [][]byte)
	// Patience is how long a wallet waits for an answer before it is told to come
	// again; Interval when.
	Patience, Interval time.Duration
	// Nonces gives the wallet a nonce for its next DPoP proof.
	Nonces func(http.ResponseWriter) error
}

// Issuer is the credential issuer.
type Issuer struct{ o Options }

// New returns the issuer.
func New(o Options) (*Issuer, error) {
	switch {
	case o.Register == nil || o.Issuance == nil || o.Keys == nil || o.Secret == nil || o.Nonces == nil:
		return nil, errors.New("the credential issuer needs a register, issuance, keys, a secret and nonces for proofs")
	case !strings.HasPrefix(o.Issuer, "https://") || strings.HasSuffix(o.Issuer, "/"):
		return nil, fmt.Errorf("the issuer is an https URL without a slash at its end, not %q", o.Issuer)
	case o.Copies < 1 || o.Patience <= 0 || o.Interval < time.Second:
		return nil, errors.New("the credential issuer needs at least one copy of each format, a patience, and an interval of at least a second")
	}
	return &Issuer{o}, nil
}

func (i *Issuer) endpoint(name string) string { return i.o.Issuer + i.o.Path + name }

// Kinds of sealed texts, and how long they live.
const (
	kindNonce    = "c_nonce"
	kindDeferred = "deferred issuance"
	kindNotify   = "notification"

	nonceLife    = 5 * time.Minute
	deferredLife = 24 * time.Hour
	notifyLife   = 30 * 24 * time.Hour
)

func (i *Issuer) seal(kind string, life time.Duration, v any) (string, error) {
	seed, err := i.o.Register.Seed()
	if err != nil {
		return "", err
	}
	return i.o.Keys.Seal(seed, kind, i.o.Register.Now().Add(life), v)
}

// Nonce gives a wallet a nonce for its proofs (§7).
func (i *Issuer) Nonce(w http.ResponseWriter, r *http.Request) error {
	nonce, err := i.seal(kindNonce, nonceLife, struct{}{})
	if err != nil {
		return err
	}
	if err := i.o.Nonces(w); err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, map[string]string{"c_nonce": nonce})
	return nil
}

// asked is a credential request.
type asked struct {
	ConfigID   string          `json:"credential_configuration_id"`
	Identifier string          `json:"credential_identifier"`
	Proofs     keyproof.Proofs `json:"proofs"`
	Proof      json.RawMessage `json:"proof"` // of drafts; refused
	Encryption *encryption     `json:"credential_response_encryption"`
}

// Codes of §8.3.1.2 and §9.3.
const (
	invalidRequest    = "invalid_credential_request"
	unknownConfig     = "unknown_credential_configuration"
	unknownIdentifier = "unknown_credential_identifier"
	invalidEncryption = "invalid_encryption_parameters"
	requestDenied     = "credential_request_denied"
	invalidTransfer   = "invalid_transaction_id"
	invalidNotice     = "invalid_notification_id"
	invalidNoticeBody = "invalid_notification_request"
)

// order is a request whose proofs were found good.
type order struct {
	Grant      authorization.Grant `json:"grant"`
	Config     string              `json:"config"`
	Keys       []jws.Key           `json:"keys"`
	Encryption *encryption         `json:"-"`                // of the response to this very request
	Nonces     []nonce             `json:"nonces,omitempty"` // of the proofs
	Deferred   bool                `json:"-"`                // it was looked at before, and its nonces are its transaction's
	Status     *mdoc.StatusRef     `json:"status,omitempty"` // of the key attestation
}

// nonce is one of ours that was used: what it is called, and when it ends.
type nonce struct {
	ID  []byte    `json:"id"`
	End time.Time `json:"end"`
}

// Credential issues (§8).
func (i *Issuer) Credential(w http.ResponseWriter, r *http.Request) error {
	g, ok := authorization.Granted(r.Context())
	if !ok {
		return web.Refuse(http.StatusUnauthorized, "invalid_token", "A credential needs an access token of this server.")
	}
	var q asked
	encrypted, err := i.read(r, &q)
	if err != nil {
		return err
	}
	o, err := i.check(g, q, encrypted)
	if err != nil {
		return err
	}
	if err := i.stands(r.Context(), o, keyproof.InvalidProof); err != nil {
		return err
	}
	out, err := i.fill(r.Context(), o)
	if err != nil {
		return err
	}
	if err := i.o.Register.Settle(r.Context()); err != nil {
		return err
	}
	if err := i.o.Nonces(w); err != nil {
		return err
	}
	return i.answer(w, out, o.Encryption)
}

// check reads a credential request.
func (i *Issuer) check(g authorization.Grant, q asked, encrypted bool) (o order, err error) {
	o = order{Grant: g, Config: q.ConfigID, Encryption: q.Encryption}
	switch {
	case q.Proof != nil:
		return o, web.Refuse(http.StatusBadRequest, invalidRequest, "The parameter proof is of drafts: send proofs.")
	case (q.ConfigID == "") == (q.Identifier == ""):
		return o, web.Refuse(http.StatusBadRequest, invalidRequest, "Name either a credential_configuration_id or a credential_identifier.")
	case q.Identifier != "":
		n := slices.IndexFunc(g.Configs, func(id string) bool { return authorization.Identifier(id) == q.Identifier })
		if !g.ByID || n < 0 {
			return o, web.Refuse(http.StatusBadRequest, unknownIdentifier, "The token gives no credential_identifier %.80q.", q.Identifier)
		}
		o.Config = g.Configs[n]
	case g.ByID:
		return o, web.Refuse(http.StatusBadRequest, invalidRequest, "The token gives credential_identifiers: ask by one of them.")
	case formats[q.ConfigID] == "":
		return o, web.Refuse(http.StatusBadRequest, unknownConfig, "There is no credential_configuration_id %.80q.", q.ConfigID)
	}
	if !slices.Contains(g.Configs, o.Config) {
		return o, web.Refuse(http.StatusForbidden, "insufficient_scope", "The token does not allow %s to be issued.", o.Config)
	}
	if err := o.Encryption.check(encrypted); err != nil {
		return o, err
	}
	return o, i.prove(&o, q.Proofs)
}

// prove checks the proofs of the keys.
func (i *Issuer) prove(o *order, proofs keyproof.Proofs) error {
	now := i.o.Register.Now()
	opened := map[string]nonce{}
	proven, err := proofs.Check(keyproof.Expected{
		Audience: i.o.Issuer, ClientID: o.Grant.Client, At: now, Policy: i.o.Proofs,
		Nonce: func(text string) bool {
			s, err := i.o.Keys.Open(kindNonce, text, now, &struct{}{})
			opened[text] = nonce{s.ID[:], s.End}
			return err == nil
		},
	})
	if err != nil {
		return refused(err)
	}
	if len(proven.Keys) > i.o.Copies {
		return web.Refuse(http.StatusBadRequest, keyproof.InvalidProof, "There are %d keys; a card has at most %d copies of each format.", len(proven.Keys), i.o.Copies)
	}
	for _, key := range proven.Keys {
		k, err := jws.KeyOf(key)
		if err != nil {
			return err
		}
		o.Keys = append(o.Keys, k)
	}
	for _, text := range proven.Nonces {
		o.Nonces = append(o.Nonces, opened[text])
	}
	if proven.Attestation != nil {
		o.Status = proven.Attestation.Status
	}
	return nil
}

// stands refuses an order, with this code, whose keys are no longer vouched for.
func (i *Issuer) stands(ctx context.Context, o order, code string) error {
	err := i.o.Standing.Check(ctx, o.Status)
	switch {
	case errors.Is(err, standing.ErrNotValid):
		return web.Refuse(http.StatusBadRequest, code, "The key attestation: %v.", err)
	case errors.Is(err, standing.ErrUnknown):
		return web.Refuse(http.StatusServiceUnavailable, "temporarily_unavailable", "The status list of the key attestation cannot be had now: ask again later.").
			With("Retry-After", "10").Because(err)
	}
	return err
}

// kept is what is remembered of a grant once its card is issued.
type kept struct {
	Credential store.CredentialID      `json:"credential"`
	Document   string                  `json:"document"`
	Spare      []audit.Copy            `json:"spare"`              // places for the configurations that were not given
	Given      map[string][]audit.Copy `json:"given"`              // configuration and keys → places
	Notified   map[string]string       `json:"notified,omitempty"` // configuration → the wallet's last word
}

const ticketGrant = "issued on a grant"

// take gives an order the places for its copies, once for each configuration. There are
// places for each copies of every one that was not given yet, in the grant's order.
func (k *kept) take(o order, each int) ([]audit.Copy, error) {
	had := map[string]bool{}
	for given := range k.Given {
		config, _, _ := strings.Cut(given, " ")
		had[config] = true
	}
	if had[o.Config] {
		return nil, web.Refuse(http.StatusBadRequest, requestDenied, "This token has had its copies of %s.", o.Config)
	}
	from := 0
	for _, id := range o.Grant.Configs {
		if id == o.Config {
			break
		}
		if !had[id] {
			from += each
		}
	}
	to := from + len(o.Keys)
	if to > len(k.Spare) {
		return nil, web.Refuse(http.StatusBadRequest, requestDenied, "There are no copies left on this token.")
	}
	places := k.Spare[from:to]
	k.Given[o.name()], k.Spare = places, slices.Concat(k.Spare[:from], k.Spare[min(from+each, len(k.Spare)):])
	return places, nil
}

// response is a credential response (§8.3).
type response struct {
	Credentials []credential `json:"credentials,omitempty"`
	Notice      string       `json:"notification_id,omitempty"`
	Transaction string       `json:"transaction_id,omitempty"`
	Interval    int          `json:"interval,omitempty"`
}

type credential struct {
	Credential string `json:"credential"`
}

// fill issues, or tells the wallet to come again if that takes too long.
func (i *Issuer) fill(ctx context.Context, o order) (response, error) {
	patient, cancel := context.WithTimeout(ctx, i.o.Patience)
	defer cancel()
	copies, err := i.issue(patient, o)
	slow := errors.Is(err, issuance.ErrBusy) || errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if slow {
		if o.Grant.Refreshed() && !o.Deferred { // nothing that is written later says that these proofs were used
			if err := i.o.Register.Update(ctx, o.spend); err != nil {
				return response{}, err
			}
		}
		transaction, err := i.seal(kindDeferred, deferredLife, o)
		if err != nil {
			return response{}, err
		}
		return response{Transaction: transaction, Interval: int(i.o.Interval.Seconds())}, nil
	}
	if err != nil {
		return response{}, err
	}
	out := response{}
	for _, c := range copies {
		text := string(c)
		if formats[o.Config] == issuance.Mdoc {
			text = base64.RawURLEncoding.EncodeToString(c)
		}
		out.Credentials = append(out.Credentials, credential{text})
	}
	if !o.Grant.Refreshed() { // of what was signed anew nothing is kept
		out.Notice, err = i.seal(kindNotify, notifyLife, notice{o.Grant.ID, o.Config})
	}
	return out, err
}

// name names an order among those of its grant.
func (o order) name() string {
	name := o.Config
	for _, k := range o.Keys {
		name += " " + k.ThumbprintText()
	}
	return name
}

func (o order) phone() (issuance.Phone, error) {
	p := issuance.Phone{Wallet: o.Grant.Wallet}
	for _, k := range o.Keys {
		key, err := k.Public()
		if err != nil {
			return p, err
		}
		p.Keys = append(p.Keys, key)
	}
	return p, nil
}

// spend marks the nonces of an order as used.
func (o order) spend(tx store.Tx) error {
	for _, n := range o.Nonces {
		if err := tx.UseNonce(n.ID, n.End); errors.Is(err, store.ErrTaken) {
			return web.Refuse(http.StatusBadRequest, keyproof.InvalidNonce, "The nonce was used before: fetch a new one.")
		} else if err != nil {
			return err
		}
	}
	return nil
}

// issue gives out the copies of an order: of a new card, or of the card that the
// grant has led to already.
func (i *Issuer) issue(ctx context.Context, o order) ([][]byte, error) {
	phone, err := o.phone()
	if err != nil {
		return nil, err
	}
	if o.Grant.Refreshed() {
		return i.again(ctx, o, phone)
	}
	before, err := i.kept(ctx, o.Grant.ID)
	if err == nil {
		return i.more(ctx, o, phone, before)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	var others []string
	for _, id := range o.Grant.Configs {
		if id != o.Config {
			others = append(others, formats[id])
		}
	}
	a, err := i.o.Issuance.IssueApproved(ctx, issuance.ApprovedRequest{
		Request:  register.Request{By: register.Citizen(o.Grant.Approval.Person), Key: o.key()},
		Approval: *o.Grant.Approval, Phone: phone, Format: formats[o.Config], Others: others, Each: i.o.Copies,
		Then: func(tx store.Tx, a issuance.Issued) error {
			now := i.o.Register.Now()
			if err := o.spend(tx); err != nil {
				return err
			}
			body, err := json.Marshal(kept{Credential: a.Credential, Document: a.Document, Spare: a.Spare, Given: map[string][]audit.Copy{o.name(): a.Indices}})
			if err != nil {
				return err
			}
			return tx.AddTicket(store.Ticket{Kind: ticketGrant, Key: store.TicketKey(o.Grant.ID), Body: body, Expires: now.Add(notifyLife)})
		},
	})
	if errors.Is(err, store.ErrTaken) || err == nil && a.Reason != lifecycle.Granted {
		// Perhaps another request of the grant was faster.
		before, keptErr := i.kept(ctx, o.Grant.ID)
		switch {
		case keptErr == nil:
			return i.more(ctx, o, phone, before)
		case !errors.Is(keptErr, store.ErrNotFound):
			return nil, keptErr
		case err == nil:
			return nil, denied(a.Reason)
		}
	}
	return a.Copies, err
}

// key is the idempotency key of an order: whoever asks again with fresh proofs asks
// anew.
func (o order) key() string {
	h := sha256.New()
	h.Write([]byte(o.Grant.ID + " " + o.name()))
	for _, n := range o.Nonces {
		h.Write(n.ID)
	}
	return "vci " + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (i *Issuer) kept(ctx context.Context, grant string) (k kept, err error) {
	var ticket store.Ticket
	if err = i.o.Register.View(ctx, func(r store.Reader) (err error) {
		ticket, err = r.Ticket(ticketGrant, store.TicketKey(grant))
		return err
	}); err != nil {
		return k, err
	}
	return k, json.Unmarshal(ticket.Body, &k)
}

// more signs further copies of the grant's card.
func (i *Issuer) more(ctx context.Context, o order, phone issuance.Phone, k kept) ([][]byte, error) {
	places, again := k.Given[o.name()]
	if !again {
		if err := i.o.Register.Update(ctx, func(tx store.Tx) error {
			t, err := tx.Ticket(ticketGrant, store.TicketKey(o.Grant.ID))
			if err != nil {
				return err
			}
			var now kept
			if err := json.Unmarshal(t.Body, &now); err != nil {
				return err
			}
			if places, err = now.take(o, i.o.Copies); err != nil {
				return err
			}
			if err := o.spend(tx); err != nil {
				return err
			}
			if t.Body, err = json.Marshal(now); err != nil {
				return err
			}
			return tx.PutTicket(t)
		}); err != nil {
			return nil, err
		}
	}
	return signed(i.o.Issuance.IssueMore(ctx, issuance.MoreRequest{
		Person: o.Grant.Approval.Person, Credential: k.Credential, Document: k.Document, Phone: phone, Format: formats[o.Config], Places: places,
	}))
}

// again signs the copies anew of the card that the grant's wallet has.
func (i *Issuer) again(ctx context.Context, o order, phone issuance.Phone) ([][]byte, error) {
	q := issuance.AgainRequest{Person: store.PersonID(o.Grant.Person), Phone: phone, Format: formats[o.Config]}
	if !o.Deferred {
		q.Then = o.spend
	}
	return signed(i.o.Issuance.IssueAgain(ctx, q))
}

// signed are copies of a card that was issued, or what a wallet is told that gets none.
func signed(copies [][]byte, reason lifecycle.Reason, err error) ([][]byte, error) {
	switch {
	case errors.Is(err, issuance.ErrNoCard) || errors.Is(err, store.ErrNotFound): // ended, or forgotten since
		return nil, web.Refuse(http.StatusBadRequest, requestDenied, "The card of this token has ended.").Because(err)
	case errors.Is(err, issuance.ErrOutdated):
		return nil, web.Refuse(http.StatusBadRequest, requestDenied, "What stands on the card is no longer right: apply for a new one.")
	case errors.Is(err, issuance.ErrNotIssued):
		return nil, web.Refuse(http.StatusBadRequest, requestDenied, "%v", err)
	case errors.Is(err, issuance.ErrTooMany):
		return nil, web.Refuse(http.StatusBadRequest, keyproof.InvalidProof, "%v", err)
	case err == nil && reason != lifecycle.Granted:
		return nil, denied(reason)
	}
	return copies, err
}

// denied tells a wallet why no card is issued, in the words of the rulebook.
func denied(reason lifecycle.Reason) error {
	return web.Refuse(http.StatusBadRequest, requestDenied, "%s", reason)
}

// answer writes a response, encrypted if the wallet wants it.
func (i *Issuer) answer(w http.ResponseWriter, out response, e *encryption) error {
	status := http.StatusOK
	if out.Transaction != "" {
		status = http.StatusAccepted
	}
	if e == nil {
		web.JSON(w, status, out)
		return nil
	}
	key, err := e.Key.Public()
	if err != nil {
		return err
	}
	plain, err := json.Marshal(out)
	if err != nil {
		return err
	}
	text, err := i.encrypt(jwe.Recipient{Key: key, KeyID: e.Key.KeyID, Encryption: e.Enc}, plain)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
	return nil
}

// Deferred answers a wallet that was told to come again (§9).
func (i *Issuer) Deferred(w http.ResponseWriter, r *http.Request) error {
	g, ok := authorization.Granted(r.Context())
	if !ok {
		return web.Refuse(http.StatusUnauthorized, "invalid_token", "A credential needs an access token of this server.")
	}
	var body struct {
		Transaction string      `json:"transaction_id"`
		Encryption  *encryption `json:"credential_response_encryption"`
	}
	encrypted, err := i.read(r, &body)
	if err != nil {
		return err
	}
	var o order
	if _, err := i.o.Keys.Open(kindDeferred, body.Transaction, i.o.Register.Now(), &o); err != nil || o.Grant.Wallet != g.Wallet || o.Grant.Person != g.Person {
		return web.Refuse(http.StatusBadRequest, invalidTransfer, "There is no such transaction of this wallet, or its time is over.")
	}
	// A wallet that lost the answer may call again; one that has the card has no use for it.
	switch before, err := i.kept(r.Context(), o.Grant.ID); {
	case o.Grant.Refreshed(): // nothing is kept of what is signed anew
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return err
	case before.Notified[o.Config] == accepted || before.Notified[o.Config] == deleted:
		return web.Refuse(http.StatusBadRequest, invalidTransfer, "The card of this transaction was fetched.")
	}
	o.Deferred = true
	// However the first response was wanted: the wallet may have another key by now (§9.1).
	o.Encryption = body.Encryption
	if err := o.Encryption.check(encrypted); err != nil {
		return err
	}
	if err := i.stands(r.Context(), o, requestDenied); err != nil { // it may have been revoked meanwhile
		return err
	}
	out, err := i.fill(r.Context(), o)
	if err != nil {
		return err
	}
	if err := i.o.Register.Settle(r.Context()); err != nil {
		return err
	}
	if out.Transaction != "" {
		out.Transaction = body.Transaction
	}
	if err := i.o.Nonces(w); err != nil {
		return err
	}
	return i.answer(w, out, o.Encryption)
}

// Events of a notification (§11.1).
const (
	accepted = "credential_accepted"
	failure  = "credential_failure"
	deleted  = "credential_deleted"
)

// notice is what a notification_id stands for.
type notice struct {
	Grant  string `json:"grant"`
	Config string `json:"config"`
}

// Notify takes a wallet's word on what became of a card (§11).
func (i *Issuer) Notify(w http.ResponseWriter, r *http.Request) error {
	g, ok := authorization.Granted(r.Context())
	if !ok {
		return web.Refuse(http.StatusUnauthorized, "invalid_token", "A notification needs an access token of this server.")
	}
	var body struct {
		ID          string `json:"notification_id"`
		Event       string `json:"event"`
		Description string `json:"event_description"`
	}
	if err := web.ReadJSON(r, &body); err != nil {
		return named(err, invalidNoticeBody)
	}
	if !slices.Contains([]string{accepted, failure, deleted}, body.Event) || len(body.Description) > register.MaxText {
		return web.Refuse(http.StatusBadRequest, invalidNoticeBody, "The event is credential_accepted, credential_failure or credential_deleted, its description at most %d bytes.", register.MaxText)
	}
	var n notice
	if _, err := i.o.Keys.Open(kindNotify, body.ID, i.o.Register.Now(), &n); err != nil || n.Grant != g.ID {
		return web.Refuse(http.StatusBadRequest, invalidNotice, "There is no such notification of this token.")
	}
	err := i.o.Register.Update(r.Context(), func(tx store.Tx) error {
		t, err := tx.Ticket(ticketGrant, store.TicketKey(n.Grant))
		if errors.Is(err, store.ErrNotFound) {
			return web.Refuse(http.StatusBadRequest, invalidNotice, "There is no such notification of this token.")
		}
		if err != nil {
			return err
		}
		var k kept
		if err := json.Unmarshal(t.Body, &k); err != nil {
			return err
		}
		if k.Notified == nil {
			k.Notified = map[string]string{}
		}
		k.Notified[n.Config] = body.Event
		if t.Body, err = json.Marshal(k); err != nil {
			return err
		}
		return tx.PutTicket(t)
	})
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// Metadata describes the issuer (§12.2), signed where the caller wants it so.
func (i *Issuer) Metadata(w http.ResponseWriter, r *http.Request) error {
	metadata, err := i.metadata()
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Vary", "Accept")
	if i.o.Signer == nil || !accepts(r, "application/jwt") {
		web.JSON(w, http.StatusOK, metadata)
		return nil
	}
	now := i.o.Register.Now()
	metadata["sub"], metadata["iss"], metadata["iat"], metadata["exp"] = i.o.Issuer, i.o.Issuer, now.Unix(), now.Add(24*time.Hour).Unix()
	sign, chain := i.o.Signer()
	text, err := sign.Token(jws.Header{Type: "openidvci-issuer-metadata+jwt", Chain: chain}, metadata)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jwt")
	_, _ = w.Write([]byte(text))
	return nil
}

func (i *Issuer) metadata() (map[string]any, error) {
	requests, err := i.requestEncryption()
	if err != nil {
		return nil, err
	}
	var languages []string
	for l := range i.o.Name {
		languages = append(languages, l)
	}
	sort.Strings(languages)
	var display []map[string]string
	for _, l := range languages {
		display = append(display, map[string]string{"name": i.o.Name[l], "locale": l})
	}
	proof := map[string]any{"proof_signing_alg_values_supported": []string{"ES256"}}
	if i.o.Proofs.Required {
		required := map[string]any{}
		if i.o.Proofs.KeyStorage != nil {
			required["key_storage"] = i.o.Proofs.KeyStorage
		}
		if i.o.Proofs.UserAuthentication != nil {
			required["user_authentication"] = i.o.Proofs.UserAuthentication
		}
		proof["key_attestations_required"] = required
	}
	card := []map[string]string{{"name": "모바일 주민등록증", "locale": "ko"}, {"name": "Mobile resident registration card", "locale": "en"}}
	config := func(id string, more map[string]any) map[string]any {
		out := map[string]any{
			"format": formats[id], "scope": Scopes[id],
			"proof_types_supported": map[string]any{"jwt": proof, "attestation": proof},
			"credential_metadata":   map[string]any{"display": card, "claims": claims(id)},
		}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	out := map[string]any{
		"credential_issuer":             i.o.Issuer,
		"credential_endpoint":           i.endpoint("credential"),
		"nonce_endpoint":                i.endpoint("nonce"),
		"deferred_credential_endpoint":  i.endpoint("deferred"),
		"notification_endpoint":         i.endpoint("notification"),
		"credential_request_encryption": requests,
		"credential_response_encryption": map[string]any{
			"alg_values_supported": []string{"ECDH-ES"}, "enc_values_supported": []jwe.Encryption{jwe.A128GCM, jwe.A256GCM}, "encryption_required": false,
		},
		"credential_configurations_supported": map[string]any{
			MdocID: config(MdocID, map[string]any{
				"doctype": mdoc.DocType, "cryptographic_binding_methods_supported": []string{"cose_key"}, "credential_signing_alg_values_supported": []int{-7},
			}),
			SDJWTID: config(SDJWTID, map[string]any{
				"vct": sdjwt.Type, "cryptographic_binding_methods_supported": []string{"jwk"}, "credential_signing_alg_values_supported": []string{"ES256"},
			}),
		},
	}
	if i.o.Copies > 1 {
		out["batch_credential_issuance"] = map[string]int{"batch_size": i.o.Copies}
	}
	if display != nil {
		out["display"] = display
	}
	return out, nil
}
