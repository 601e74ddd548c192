package authorization

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/web"
)

// Scan is what a citizen is shown and told at a counter.
type Scan struct {
	URI     string // what stands in the QR code
	TxCode  string // what the clerk says: six digits
	Expires time.Time
}

const txDigits = 6

// maxTries is how often a tx_code may be wrong; with six digits, a guess succeeds
// once in 200,000 offers.
const maxTries = 5

// offered is what a pre-authorized code stands for.
type offered struct {
	Code string `json:"code"` // the clerk's
	Tx   string `json:"tx"`
}

// kept is what the register keeps of an offer until its time is over. The code that a clerk
// tells stands in what is sealed, and nowhere else.
type kept struct {
	Sealed string `json:"sealed"`
}

// Offer makes of a clerk's one-time code a credential offer (OpenID4VCI 1.0 §4.1),
// by reference, so that the QR code is small. The same code gives the same offer, whichever
// replica is asked and as often as it is, until its time is over.
func (s *Server) Offer(ctx context.Context, o issuance.Offer) (Scan, error) {
	seed, err := s.o.Register.Seed()
	if err != nil {
		return Scan{}, err
	}
	fresh := offered{o.Code, fmt.Sprintf("%0*d", txDigits, binary.BigEndian.Uint64(seed[:])%1_000_000)}
	sealed, err := s.seal(kindOfferURI, o.Expires.Sub(s.o.Register.Now()), fresh)
	if err != nil {
		return Scan{}, err
	}
	body, err := json.Marshal(kept{sealed})
	if err != nil {
		return Scan{}, err
	}
	ticket := store.Ticket{Kind: ticketShown, Key: store.TicketKey(o.Code), Body: body, Expires: o.Expires}
	var first store.Ticket
	if err := s.update(ctx, func(tx store.Tx) (err error) {
		if first, err = tx.Ticket(ticketShown, ticket.Key); errors.Is(err, store.ErrNotFound) {
			first, err = ticket, tx.AddTicket(ticket)
		}
		return err
	}); err != nil {
		return Scan{}, err
	}
	var k kept
	if err := json.Unmarshal(first.Body, &k); err != nil {
		return Scan{}, err
	}
	var shown offered
	if _, err := s.open(kindOfferURI, k.Sealed, &shown); err != nil {
		return Scan{}, fmt.Errorf("the offer that this code has made: %w", err)
	}
	uri := "openid-credential-offer://?" + url.Values{"credential_offer_uri": {s.endpoint("offers/") + k.Sealed}}.Encode()
	return Scan{URI: uri, TxCode: shown.Tx, Expires: o.Expires}, nil
}

// FetchOffer answers a wallet that has scanned the QR code.
func (s *Server) FetchOffer(w http.ResponseWriter, r *http.Request) error {
	var o offered
	if _, err := s.open(kindOfferURI, r.PathValue("offer"), &o); err != nil {
		return web.Refuse(http.StatusNotFound, oauth.InvalidRequest, "There is no such offer, or its time is over: ask the clerk for a new one.")
	}
	if err := s.scanned(r.Context(), o.Code); err != nil {
		return err
	}
	// Who has scanned in time may still need a moment for the face.
	sealed, err := s.seal(kindOffer, checkLife, o)
	if err != nil {
		return err
	}
	var ids []string
	for id := range s.o.Scopes {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	web.JSON(w, http.StatusOK, map[string]any{
		"credential_issuer":            s.o.Issuer,
		"credential_configuration_ids": ids,
		"grants": map[string]any{grantPreAuthorized: map[string]any{
			"pre-authorized_code": sealed,
			"tx_code":             map[string]any{"length": txDigits, "input_mode": "numeric", "description": "창구 직원이 알려 주는 여섯 자리 숫자 · The six digits that the clerk tells you"},
		}},
	})
	return nil
}

const (
	ticketShown = "offer shown"
	ticketTries = "tx code"
	ticketFace  = "face check"
	ticketScan  = "offer scanned"
)

// openOffer reads a pre-authorized code and holds the tx_code against it. Wrong
// ones are counted, whichever replica they come to.
func (s *Server) openOffer(ctx context.Context, code, tx string) (offered, error) {
	var o offered
	if _, err := s.open(kindOffer, code, &o); err != nil {
		return o, web.Refuse(http.StatusBadRequest, oauth.InvalidGrant, "The pre-authorized_code is not one of this server, or its time is over.")
	}
	if tx == "" {
		return o, web.Refuse(http.StatusBadRequest, oauth.InvalidRequest, "The tx_code is missing.")
	}
	var tries struct {
		Wrong int `json:"wrong"`
	}
	read := func(r store.Reader) error {
		t, err := r.Ticket(ticketTries, store.TicketKey(o.Code))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(t.Body, &tries)
	}
	if err := s.o.Register.View(ctx, read); err != nil {
		return o, err
	}
	spent := web.Refuse(http.StatusBadRequest, oauth.InvalidGrant, "The tx_code was wrong too often: ask the clerk for a new offer.")
	if tries.Wrong >= maxTries {
		return o, spent
	}
	right := subtle.ConstantTimeCompare([]byte(tx), []byte(o.Tx)) == 1
	// Guesses that come all at once wait for each other here, and so does the right one:
	// otherwise there would be as many tries as requests fit into a moment.
	if err := s.update(ctx, func(w store.Tx) error {
		tries.Wrong = 0
		if err := read(w); err != nil {
			return err
		}
		if tries.Wrong >= maxTries {
			return spent
		}
		if right {
			return nil
		}
		tries.Wrong++
		body, err := json.Marshal(tries)
		if err != nil {
			return err
		}
		t := store.Ticket{Kind: ticketTries, Key: store.TicketKey(o.Code), Body: body, Expires: s.o.Register.Now().Add(2 * checkLife)}
		if tries.Wrong == 1 {
			return w.AddTicket(t)
		}
		return w.PutTicket(t)
	}); err != nil {
		return o, err
	}
	if !right {
		return o, web.Refuse(http.StatusBadRequest, oauth.InvalidGrant, "The tx_code is wrong.")
	}
	return o, nil
}

// FaceCheck holds a capture against the photo on record, before the code is
// redeemed: a body {"pre-authorized_code", "tx_code", "capture"}. It is ours:
// OpenID4VCI leaves open how the citizen is authenticated.
func (s *Server) FaceCheck(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Code    string `json:"pre-authorized_code"`
		TxCode  string `json:"tx_code"`
		Capture []byte `json:"capture"`
	}
	if err := web.ReadJSON(r, &body); err != nil {
		return err
	}
	o, err := s.openOffer(r.Context(), body.Code, body.TxCode)
	if err != nil {
		return err
	}
	probe, err := capture(body.Capture)
	if err != nil {
		return err
	}
	approval, reason, err := s.o.Issuance.ApproveOffer(r.Context(), o.Code, probe)
	if errors.Is(err, issuance.ErrNoOffer) {
		return web.Refuse(http.StatusBadRequest, oauth.InvalidGrant, "There is no such offer.")
	}
	if err != nil {
		return err
	}
	if reason != 0 {
		return denied(reason)
	}
	text, err := json.Marshal(approval)
	if err != nil {
		return err
	}
	t := store.Ticket{Kind: ticketFace, Key: store.TicketKey(o.Code), Body: text, Expires: s.o.Register.Now().Add(checkLife)}
	if err := s.update(r.Context(), func(tx store.Tx) error {
		if err := tx.PutTicket(t); !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return tx.AddTicket(t)
	}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// checked is the approval that a face check has left.
func (s *Server) checked(r store.Reader, code string) (a issuance.Approval, err error) {
	t, err := r.Ticket(ticketFace, store.TicketKey(code))
	if errors.Is(err, store.ErrNotFound) || err == nil && !s.o.Register.Now().Before(t.Expires) {
		return a, web.Refuse(http.StatusBadRequest, oauth.InvalidGrant, "The face has not been checked: do that first at %s.", s.endpoint("face-check"))
	}
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(t.Body, &a)
}

// Progress is how far an offer has come, as the clerk sees it.
type Progress string

const (
	Waiting Progress = "waiting" // nobody has scanned it
	Scanned Progress = "scanned" // a wallet has fetched the offer
	Checked Progress = "checked" // the face was held against the photo on record
	Issued  Progress = "issued"  // a card was issued by it
	Spent   Progress = "spent"   // the tx_code was wrong too often
)

// scanned marks an offer as scanned, for the clerk who waits for it.
func (s *Server) scanned(ctx context.Context, code string) error {
	err := s.o.Register.View(ctx, func(r store.Reader) error {
		_, err := r.Ticket(ticketScan, store.TicketKey(code))
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	err = s.update(ctx, func(tx store.Tx) error {
		return tx.AddTicket(store.Ticket{Kind: ticketScan, Key: store.TicketKey(code), Body: []byte("{}"), Expires: s.o.Register.Now().Add(2 * checkLife)})
	})
	if errors.Is(err, store.ErrTaken) {
		return nil
	}
	return err
}

// Progress says how far a clerk's one-time code has come. Whether its time is over
// is for who knows its end to say.
func (s *Server) Progress(ctx context.Context, code string) (p Progress, err error) {
	err = s.o.Register.View(ctx, func(r store.Reader) error {
		o, err := r.Offer(store.TicketKey(code))
		if err != nil {
			return err
		}
		there := func(kind string) (store.Ticket, bool, error) {
			t, err := r.Ticket(kind, store.TicketKey(code))
			if errors.Is(err, store.ErrNotFound) {
				return t, false, nil
			}
			return t, err == nil, err
		}
		face, checked, err := there(ticketFace)
		if err != nil {
			return err
		}
		tries, tried, err := there(ticketTries)
		if err != nil {
			return err
		}
		var wrong struct {
			Wrong int `json:"wrong"`
		}
		if tried {
			if err := json.Unmarshal(tries.Body, &wrong); err != nil {
				return err
			}
		}
		_, scanned, err := there(ticketScan)
		switch {
		case err != nil:
			return err
		case o.Used != 0:
			p = Issued
		case wrong.Wrong >= maxTries:
			p = Spent
		case checked && s.o.Register.Now().Before(face.Expires):
			p = Checked
		case scanned:
			p = Scanned
		default:
			p = Waiting
		}
		return nil
	})
	return p, err
}
