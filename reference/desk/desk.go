// Package desk is the service as people at desks and on the phone see it: JSON
// over HTTP for clerks at centres, operators of the loss line, the registrar,
// auditors, and citizens who report a loss or take it back.
//
// It decides nothing. Which roles a route is open to is package httpapi's table;
// what a role may cause in the register is lifecycle's. Everything that changes the
// register needs an Idempotency-Key
// (draft-ietf-httpapi-idempotency-key-header-07): the same key and the same
// request have the effect of one.
//
// A registration number leaves the service masked, whoever asks.
package desk

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/reference/web"
)

// Options are what the desk needs.
type Options struct {
	Register     *register.Register
	Issuance     *issuance.Service
	Suspension   *suspension.Service
	Verification *verification.Service
	Parties      *parties.Parties
	// Published is the longest time until every verifier that keeps status
	// lists for as long as it may knows of a change: publish interval + ttl.
	Published time.Duration
	// Scan makes of a clerk's one-time code what the citizen's phone scans, as
	// an OpenID4VCI credential offer; nil: the code itself.
	Scan func(context.Context, issuance.Offer) (Scan, error)
	// Checkpoint signs the head of the audit log; nil: no checkpoints are given.
	Checkpoint func(audit.Checkpoint) (string, error)
}

// Desk answers desks.
type Desk struct{ o Options }

// New returns a desk.
func New(o Options) (*Desk, error) {
	if o.Register == nil || o.Issuance == nil || o.Suspension == nil || o.Verification == nil || o.Parties == nil || o.Published <= 0 {
		return nil, errors.New("the desk needs a register, its use cases, its parties, and how long published status lists take to reach everybody")
	}
	return &Desk{o}, nil
}

// request is what a change needs: who asks, and the key.
func request(r *http.Request) (register.Request, error) {
	keys := r.Header.Values("Idempotency-Key")
	if len(keys) != 1 || keys[0] == "" {
		return register.Request{}, web.Refuse(http.StatusBadRequest, "no-idempotency-key", "Send one Idempotency-Key: a random text for each request, the same when you repeat it.")
	}
	return register.Request{By: access.From(r.Context()).By(), Key: keys[0]}, nil
}

// person reads the resident's number from the path. A citizen's own number is
// also written "me".
func person(r *http.Request) (store.PersonID, error) {
	caller, text := access.From(r.Context()), r.PathValue("id")
	if caller.Role == access.Citizen && text == "me" {
		return caller.Person, nil
	}
	id, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, notFound()
	}
	if caller.Role == access.Citizen && store.PersonID(id) != caller.Person {
		// As if there were nobody: a citizen does not learn which numbers exist.
		return 0, notFound()
	}
	return store.PersonID(id), nil
}

// about reads what a change of a resident needs: whom, by whom and with which key,
// and the body.
func about[B any](r *http.Request) (id store.PersonID, q register.Request, body B, err error) {
	if id, err = person(r); err != nil {
		return id, q, body, err
	}
	if q, err = request(r); err != nil {
		return id, q, body, err
	}
	return id, q, body, web.ReadKnown(r, &body)
}

// reasoned refuses a change by staff that does not say why: it is all that the audit log
// has of whoever asked for it. A citizen needs no words to report the own loss.
func reasoned(by register.By, why string) error {
	if by.Role != lifecycle.Citizen && strings.TrimSpace(why) == "" {
		return noWhy()
	}
	return nil
}

func noWhy() error {
	return web.Refuse(http.StatusBadRequest, "no-why", "Say why, in the words of whoever asks for it: it goes into the audit log.")
}

func notFound() error {
	return web.Refuse(http.StatusNotFound, "no-such-resident", "The register has no such resident.")
}

// explain turns what the use cases say into an answer.
func explain(err error) error {
	var taken register.RRNTaken
	switch {
	case err == nil:
		return nil
	case errors.As(err, &taken):
		return web.Refuse(http.StatusConflict, "resident-number-taken", "Resident %d was entered with this resident registration number: see whether it is the same person, or correct the number.", taken.By)
	case errors.Is(err, register.ErrUnknownPerson), errors.Is(err, store.ErrNotFound):
		return notFound()
	case errors.Is(err, register.ErrNoKey):
		return web.Refuse(http.StatusBadRequest, "no-idempotency-key", "The Idempotency-Key is empty or longer than %d bytes.", register.MaxText)
	case errors.Is(err, register.ErrKeyReused):
		return web.Refuse(http.StatusUnprocessableEntity, "idempotency-key-reused", "This Idempotency-Key belongs to another request: choose a new one.")
	case errors.Is(err, register.ErrTooLong):
		return web.Refuse(http.StatusBadRequest, "too-long", "A text is longer than %d bytes.", register.MaxText)
	case errors.Is(err, suspension.ErrNotYet):
		return web.Refuse(http.StatusConflict, "unknown-sequence", "There is no report of this number yet: look at the reports, and name the newest.")
	case errors.Is(err, register.ErrPersonExists), errors.Is(err, issuance.ErrNumberTaken):
		return web.Refuse(http.StatusConflict, "number-taken", "This number was given before.")
	case errors.Is(err, issuance.ErrBusy):
		return web.Refuse(http.StatusServiceUnavailable, "busy", "The register is too busy: ask again with the same Idempotency-Key.").With("Retry-After", "1")
	}
	return err
}

// refused answers a change that the rulebook refuses: 403 where the role may not,
// 409 where the state does not allow it.
func refused(reason lifecycle.Reason) error {
	status := http.StatusConflict
	if reason == lifecycle.NotAuthorised {
		status = http.StatusForbidden
	}
	return web.Refuse(status, reason.String(), "%s", why[reason])
}

// why says each refusal to the person at the desk.
var why = map[lifecycle.Reason]string{
	lifecycle.NotOpenYet:       "Mobile cards are not issued yet to residents of this municipality.",
	lifecycle.TooYoung:         "The resident is too young for a card.",
	lifecycle.NoPlasticCard:    "The resident has no plastic card in force.",
	lifecycle.CardSuspended:    "The plastic card is reported lost: release it first, or issue a new one.",
	lifecycle.PersonSuspended:  "The registrar has suspended the resident's cards.",
	lifecycle.WrongCentre:      "The resident is registered in another municipality, and centres do not serve others' residents yet.",
	lifecycle.NothingToSuspend: "There is no card of this kind in force that could be suspended.",
	lifecycle.NothingToRelease: "No such report is in force.",
	lifecycle.NothingToEnd:     "There is nothing in force that could end.",
	lifecycle.OlderThanReport:  "There is a newer report than the one named: look at it before you release.",
	lifecycle.NotAuthorised:    "Your role may not do this.",
	lifecycle.NoLongerResident: "The resident was removed from the register, by death or emigration: nothing is issued, reported or released any more.",
}

// State is what is in force for a resident.
type State struct {
	PlasticCard bool     `json:"plastic_card"`     // there is one in force
	MobileCard  bool     `json:"mobile_card"`      // there is one in force
	Plastic     string   `json:"plastic"`          // verdict on it
	Mobile      string   `json:"mobile"`           // verdict on it
	Causes      []string `json:"causes,omitempty"` // why something is suspended
	// Removed: by death or emigration. Nothing is issued, reported or released any more.
	Removed bool `json:"removed,omitempty"`
}

func stateOf(s lifecycle.State) State {
	out := State{
		PlasticCard: s&lifecycle.HasCard != 0, MobileCard: s&lifecycle.HasCredential != 0,
		Plastic: lifecycle.JudgePlastic(s).String(), Mobile: lifecycle.Judge(s).String(), Removed: s&lifecycle.Removed != 0,
	}
	for _, c := range lifecycle.AllCauses {
		if s.Causes()&c != 0 {
			out.Causes = append(out.Causes, c.String())
		}
	}
	return out
}

// Resident is what a desk sees of a resident.
type Resident struct {
	ID             uint64     `json:"id"`
	Name           string     `json:"name"`
	ResidentNumber string     `json:"resident_number"` // masked
	BirthDate      string     `json:"birth_date"`
	Municipality   string     `json:"municipality"`
	Centre         string     `json:"centre"`
	Card           string     `json:"card,omitempty"` // number of the plastic card in force
	CardSince      *time.Time `json:"card_since,omitempty"`
	Chip           bool       `json:"chip"`
	Wallet         string     `json:"wallet,omitempty"`           // that holds the mobile card
	Since          *time.Time `json:"since,omitempty"`            // when the mobile card was issued
	Until          *time.Time `json:"until,omitempty"`            // end of the mobile card's validity
	Renew          bool       `json:"renewal_required,omitempty"` // something on the mobile card is outdated
	State          State      `json:"state"`
	Sequence       uint64     `json:"sequence"` // of the latest change
}

// Look answers who a resident is and what they hold.
func (d *Desk) Look(w http.ResponseWriter, r *http.Request) error {
	id, err := person(r)
	if err != nil {
		return err
	}
	out, err := d.Resident(r.Context(), id)
	if err == nil {
		web.JSON(w, http.StatusOK, out)
	}
	return explain(err)
}

// Find answers whose plastic card a number is, in force or ended.
func (d *Desk) Find(w http.ResponseWriter, r *http.Request) error {
	q, err := web.ReadQuery(r)
	if err != nil {
		return err
	}
	if q.Get("card") == "" {
		return web.Refuse(http.StatusBadRequest, "no-number", "Say by ?card= which plastic card's number it is.")
	}
	id, err := d.HolderOf(r.Context(), q.Get("card"))
	if err != nil {
		return explain(err)
	}
	out, err := d.Resident(r.Context(), id)
	if err == nil {
		web.JSON(w, http.StatusOK, out)
	}
	return explain(err)
}

// HolderOf is whose plastic card a number is, in force or ended.
func (d *Desk) HolderOf(ctx context.Context, number string) (id store.PersonID, err error) {
	err = d.o.Register.View(ctx, func(r store.Reader) error {
		c, err := r.Card(number)
		id = c.Person
		return err
	})
	return id, err
}

// Resident reads a resident as of now.
func (d *Desk) Resident(ctx context.Context, id store.PersonID) (out Resident, err error) {
	now := d.o.Register.Now()
	err = d.o.Register.View(ctx, func(r store.Reader) error {
		p, err := r.Person(id)
		if err != nil {
			return err
		}
		out = Resident{
			ID: uint64(p.ID), Name: p.FamilyName + p.GivenName, ResidentNumber: mdoc.Masked(mdoc.Hyphenated(p.RRN)), BirthDate: p.BirthDate.Format(time.DateOnly),
			Municipality: p.Municipality, Centre: p.Centre, Card: p.Card, Sequence: p.Changed,
		}
		if p.Card != "" {
			c, err := r.Card(p.Card)
			if err != nil {
				return err
			}
			out.Chip, out.CardSince = c.Chip, &c.Issued
		}
		if p.Credential != 0 {
			c, err := r.Credential(p.Credential)
			if err != nil {
				return err
			}
			if now.Before(c.Until) {
				out.Wallet, out.Since, out.Until, out.Renew = c.Wallet, &c.Issued, &c.Until, c.Outdated != 0
			} else {
				p.State &^= lifecycle.HasCredential | lifecycle.State(lifecycle.MobileLost)
			}
		}
		out.State = stateOf(p.State)
		return nil
	})
	return out, err
}

// Report is a report of loss, or an order of the registrar, as it stands in the
// register.
type Report struct {
	Sequence uint64    `json:"sequence"`
	Cause    string    `json:"cause"`
	Subject  string    `json:"subject,omitempty"` // a card number or a wallet
	Actor    string    `json:"actor"`
	At       time.Time `json:"at"`
}

// Reports answers the reports on a resident, the oldest first.
func (d *Desk) Reports(w http.ResponseWriter, r *http.Request) error {
	id, err := person(r)
	if err != nil {
		return err
	}
	all, err := d.ReportsOn(r.Context(), access.From(r.Context()).By(), id)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, struct {
		Reports []Report `json:"reports"`
	}{all})
	return nil
}

// ReportsOn is Reports for the console.
func (d *Desk) ReportsOn(ctx context.Context, by register.By, id store.PersonID) ([]Report, error) {
	all, err := d.o.Suspension.Reports(ctx, by, id)
	if err != nil {
		return nil, explain(err)
	}
	out := []Report{}
	for _, one := range all {
		out = append(out, Report{one.Sequence, one.Cause.String(), one.Subject, one.Actor, one.At})
	}
	return out, nil
}

// LostWallet is a phone's wallet that is reported lost and holds no card any more: it
// gets none again before the report is lifted.
type LostWallet struct {
	Wallet   string
	Sequence uint64 // of the newest report of it
	At       time.Time
}

// LostWallets are those of a resident, for the console of somebody who may lift such a
// report. They are named by the reports that were seen.
func (d *Desk) LostWallets(ctx context.Context, by register.By, id store.PersonID, reports []Report) (out []LostWallet, err error) {
	if !by.May(lifecycle.ReleaseMobile, id) {
		return nil, nil
	}
	err = d.o.Register.View(ctx, func(r store.Reader) error {
		out = nil
		p, err := r.Person(id)
		if err != nil || p.State&lifecycle.Removed != 0 {
			return err
		}
		seen := map[string]bool{} // the wallet that holds the card is released as the cause in force
		if p.Credential != 0 {
			c, err := r.Credential(p.Credential)
			if err != nil {
				return err
			}
			seen[c.Wallet] = true
		}
		for _, one := range reports {
			if one.Cause != lifecycle.MobileLost.String() || seen[one.Subject] {
				continue
			}
			seen[one.Subject] = true
			w, err := r.Wallet(id, one.Subject)
			if err != nil {
				return err
			}
			if w.Lost != 0 {
				out = append(out, LostWallet{one.Subject, one.Sequence, one.At})
			}
		}
		return nil
	})
	return out, err
}

// Receipt is what the author of a report or a release is told.
type Receipt struct {
	Sequence uint64    `json:"sequence"`
	At       time.Time `json:"at"`
	State    State     `json:"state"`
	// Online is from when on verifiers that ask the service know it, Everywhere
	// by when those know it that keep status lists for as long as they may.
	Online     time.Time `json:"online"`
	Everywhere time.Time `json:"everywhere"`
}

func (d *Desk) receipt(a suspension.Receipt, err error) (Receipt, error) {
	if err != nil {
		return Receipt{}, explain(err)
	}
	if a.Reason != lifecycle.Granted {
		return Receipt{}, refused(a.Reason)
	}
	return Receipt{a.Sequence, a.At, stateOf(a.State), a.At, a.At.Add(d.o.Published)}, nil
}

func cause(name string) (lifecycle.Causes, error) {
	for _, c := range lifecycle.AllCauses {
		if c.String() == name {
			return c, nil
		}
	}
	return 0, web.Refuse(http.StatusBadRequest, "unknown-cause", "The cause is physical-lost, mobile-lost or administrative.")
}

// Suspend takes a report of loss, or an order of the registrar: a body
// {"cause", "why"}.
func (d *Desk) Suspend(w http.ResponseWriter, r *http.Request) error {
	id, q, body, err := about[struct {
		Cause string `json:"cause"`
		Why   string `json:"why"`
	}](r)
	if err != nil {
		return err
	}
	out, err := d.TakeReport(r.Context(), q, id, body.Cause, body.Why)
	if err == nil {
		web.JSON(w, http.StatusOK, out)
	}
	return err
}

// TakeReport is Suspend for the console.
func (d *Desk) TakeReport(ctx context.Context, q register.Request, id store.PersonID, causeName, why string) (Receipt, error) {
	c, err := cause(causeName)
	if err == nil {
		err = reasoned(q.By, why)
	}
	if err != nil {
		return Receipt{}, err
	}
	return d.receipt(d.o.Suspension.Report(ctx, suspension.ReportRequest{Request: q, Person: id, Cause: c, Why: why}))
}

// Release lifts a cause: a body {"cause", "sequence", "wallet", "why"}, where
// sequence is that of the newest report that the author has seen.
func (d *Desk) Release(w http.ResponseWriter, r *http.Request) error {
	id, q, body, err := about[struct {
		Cause    string `json:"cause"`
		Sequence uint64 `json:"sequence"`
		Wallet   string `json:"wallet"`
		Why      string `json:"why"`
	}](r)
	if err != nil {
		return err
	}
	// Whoever holds a phone could take back the report that it is lost.
	if caller := access.From(r.Context()); caller.Role == access.Citizen && !caller.Fresh {
		return web.Refuse(http.StatusForbidden, "prove-yourself", "Prove by card and face who you are, then release.")
	}
	out, err := d.TakeRelease(r.Context(), q, id, Withdrawal{body.Cause, body.Sequence, body.Wallet, body.Why})
	if err == nil {
		web.JSON(w, http.StatusOK, out)
	}
	return err
}

// Withdrawal is a release as its author asks for it.
type Withdrawal struct {
	Cause    string
	Sequence uint64 // of the newest report that the author has seen
	Wallet   string // empty: the one that holds the mobile card
	Why      string
}

// TakeRelease is Release for the console, whose callers are no citizens.
func (d *Desk) TakeRelease(ctx context.Context, q register.Request, id store.PersonID, wd Withdrawal) (Receipt, error) {
	c, err := cause(wd.Cause)
	if err == nil {
		err = reasoned(q.By, wd.Why)
	}
	if err != nil {
		return Receipt{}, err
	}
	return d.receipt(d.o.Suspension.Release(ctx, suspension.ReleaseRequest{
		Request: q, Person: id, Cause: c, Sequence: wd.Sequence, Wallet: wd.Wallet, Why: wd.Why,
	}))
}

// Scan is what the citizen is shown and told at the counter.
type Scan struct {
	URI     string    `json:"uri"`               // what stands in the QR code
	TxCode  string    `json:"tx_code,omitempty"` // what the clerk says
	Expires time.Time `json:"expires"`
	Code    string    `json:"-"` // the clerk's one-time code: by it the console asks how far it has come
}

// Offer makes a one-time code for a resident at the clerk's centre.
func (d *Desk) Offer(w http.ResponseWriter, r *http.Request) error {
	id, err := person(r)
	if err != nil {
		return err
	}
	q, err := request(r)
	if err != nil {
		return err
	}
	out, err := d.MakeOffer(r.Context(), q, id, access.From(r.Context()).Centre)
	if err == nil {
		web.JSON(w, http.StatusCreated, out)
	}
	return err
}

// MakeOffer is Offer for the console. Who asks again with the same key is shown the same
// offer, until its time is over.
func (d *Desk) MakeOffer(ctx context.Context, q register.Request, id store.PersonID, centre string) (Scan, error) {
	a, err := d.o.Issuance.CreateOffer(ctx, issuance.OfferRequest{Request: q, Person: id, Centre: centre})
	if err != nil {
		return Scan{}, explain(err)
	}
	if a.Reason != lifecycle.Granted {
		return Scan{}, refused(a.Reason)
	}
	over := web.Refuse(http.StatusConflict, "offer-over", "The time of the offer that this Idempotency-Key has made is over: ask for a new one with a new key.")
	if !d.o.Register.Now().Before(a.Expires) {
		return Scan{}, over
	}
	if d.o.Scan == nil {
		return Scan{URI: a.Code, Expires: a.Expires, Code: a.Code}, nil
	}
	out, err := d.o.Scan(ctx, a)
	if err != nil && !d.o.Register.Now().Before(a.Expires) { // it had been good for a moment
		return Scan{}, over.Because(err)
	}
	out.Code = a.Code
	return out, err
}

// entry is the answer to what the registrar enters.
type entry struct {
	Sequence uint64 `json:"sequence"`
}

func entered(w http.ResponseWriter, a issuance.Entered, err error) error {
	seq, err := changed(a, err)
	if err == nil {
		web.JSON(w, http.StatusCreated, entry{seq})
	}
	return err
}

func changed(a issuance.Entered, err error) (sequence uint64, _ error) {
	if err != nil {
		return 0, explain(err)
	}
	if a.Reason != lifecycle.Granted {
		return 0, refused(a.Reason)
	}
	return a.Sequence, nil
}

// Card is a plastic card to be put into force.
type Card struct {
	Number   string `json:"number"`
	Chip     bool   `json:"chip"`
	Template []byte `json:"template"` // of the photo on record, base64
	Portrait []byte `json:"portrait"` // JPEG or JPEG 2000, base64
}

func (c Card) card() (issuance.NewCard, error) {
	if err := checkNumber(c.Number); err != nil {
		return issuance.NewCard{}, err
	}
	if len(c.Portrait) > issuance.MaxPortrait {
		return issuance.NewCard{}, web.Refuse(http.StatusBadRequest, "bad-portrait", "A portrait has at most %d bytes.", issuance.MaxPortrait)
	}
	t, err := face.ParseTemplate(c.Template)
	if err != nil {
		return issuance.NewCard{}, web.Refuse(http.StatusBadRequest, "bad-template", "The face template is not one of %d bytes in base64.", base64.StdEncoding.EncodedLen(face.Dimensions))
	}
	return issuance.NewCard{Number: c.Number, Chip: c.Chip, Template: t, Portrait: c.Portrait}, nil
}

// Enter enters a resident.
func (d *Desk) Enter(w http.ResponseWriter, r *http.Request) error {
	q, err := request(r)
	if err != nil {
		return err
	}
	var body struct {
		ID             uint64 `json:"id"`
		ResidentNumber string `json:"resident_number"`
		FamilyName     string `json:"family_name"`
		GivenName      string `json:"given_name"`
		BirthDate      string `json:"birth_date"`
		Sex            string `json:"sex"` // M, F or nothing
		Address        string `json:"address"`
		Municipality   string `json:"municipality"`
		Centre         string `json:"centre"`
		Card           *Card  `json:"card"`
		Why            string `json:"why"`
	}
	if err := web.ReadKnown(r, &body); err != nil {
		return err
	}
	birth, err := time.Parse(time.DateOnly, body.BirthDate)
	if err != nil || body.ID == 0 || body.ID >= 1<<63 || body.FamilyName == "" || body.Municipality == "" || body.Sex != "" && body.Sex != "M" && body.Sex != "F" {
		return web.Refuse(http.StatusBadRequest, "incomplete", "A resident needs an id, a family_name, a birth_date as 2006-01-02, a municipality, and M, F or nothing as sex.")
	}
	if err := municipality(body.Municipality); err != nil {
		return err
	}
	if birth.After(d.o.Register.Now()) {
		return web.Refuse(http.StatusBadRequest, "bad-birth-date", "The birth_date has not come yet.")
	}
	if n := body.ResidentNumber; n != "" {
		if err := residentNumber(n, birth); err != nil {
			return err
		}
	}
	if err := reasoned(q.By, body.Why); err != nil {
		return err
	}
	e := issuance.ResidentRequest{Request: q, Why: body.Why, Resident: store.Person{
		ID: store.PersonID(body.ID), RRN: body.ResidentNumber, FamilyName: body.FamilyName, GivenName: body.GivenName, BirthDate: birth,
		Address: body.Address, Municipality: body.Municipality, Centre: body.Centre,
	}}
	if body.Sex != "" {
		e.Resident.Sex = body.Sex[0]
	}
	if body.Card != nil {
		c, err := body.Card.card()
		if err != nil {
			return err
		}
		e.Card = &c
	}
	a, err := d.o.Issuance.RegisterResident(r.Context(), e)
	return entered(w, a, err)
}

// residentNumber says what is wrong with the registration number of somebody born then.
func residentNumber(n string, birth time.Time) error {
	if len(n) != 13 || strings.Trim(n, "0123456789") != "" || n[:6] != birth.Format("060102") {
		return web.Refuse(http.StatusBadRequest, "bad-resident-number", "A resident registration number has 13 digits, the first six of which are the birth date.")
	}
	return nil
}

// EnterCard puts a plastic card into force; the one before ends with all that
// hung on it.
func (d *Desk) EnterCard(w http.ResponseWriter, r *http.Request) error {
	id, q, body, err := about[struct {
		Card
		Why string `json:"why"`
	}](r)
	if err != nil {
		return err
	}
	c, err := body.Card.card()
	if err == nil {
		err = reasoned(q.By, body.Why)
	}
	if err != nil {
		return err
	}
	a, err := d.o.Issuance.RegisterCard(r.Context(), issuance.CardRequest{Request: q, Person: id, Card: c, Why: body.Why})
	return entered(w, a, err)
}

// Amend changes what the register says of a resident: a body with those of
// {"resident_number", "family_name", "given_name", "address", "municipality", "centre"}
// that change, and "why".
func (d *Desk) Amend(w http.ResponseWriter, r *http.Request) error {
	id, q, body, err := about[struct {
		ResidentNumber *string `json:"resident_number"`
		FamilyName     *string `json:"family_name"`
		GivenName      *string `json:"given_name"`
		Address        *string `json:"address"`
		Municipality   *string `json:"municipality"`
		Centre         *string `json:"centre"`
		Why            string  `json:"why"`
	}](r)
	if err != nil {
		return err
	}
	if (body.Municipality == nil) != (body.Centre == nil) || body.FamilyName != nil && *body.FamilyName == "" || body.Municipality != nil && *body.Municipality == "" {
		return web.Refuse(http.StatusBadRequest, "incomplete", "A municipality comes with its centre, and neither it nor a family name is empty.")
	}
	to := register.Amendment{RRN: body.ResidentNumber, FamilyName: body.FamilyName, GivenName: body.GivenName, Address: body.Address, Municipality: body.Municipality, Centre: body.Centre}
	if to == (register.Amendment{}) {
		return web.Refuse(http.StatusBadRequest, "incomplete", "Say what changes: a resident_number, family_name, given_name, address, or municipality with its centre.")
	}
	seq, err := d.Change(r.Context(), q, id, to, body.Why)
	if err == nil {
		web.JSON(w, http.StatusCreated, entry{seq})
	}
	return err
}

// municipality says what is wrong with the code of one.
func municipality(code string) error {
	if len(code) != 5 || strings.Trim(code, "0123456789") != "" {
		return web.Refuse(http.StatusBadRequest, "bad-municipality", "A municipality is a code of five digits.")
	}
	return nil
}

// Remove ends everything that a resident holds: death or emigration.
func (d *Desk) Remove(w http.ResponseWriter, r *http.Request) error {
	id, q, body, err := about[struct {
		Why string `json:"why"`
	}](r)
	if err != nil {
		return err
	}
	seq, err := d.End(r.Context(), q, id, body.Why)
	if err == nil {
		web.JSON(w, http.StatusCreated, entry{seq})
	}
	return err
}

// Plastic answers a verifier or a clerk who holds a plastic card whether it is
// good. It never tells why not.
func (d *Desk) Plastic(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Card string `json:"card"`
	}
	if err := web.ReadKnown(r, &body); err != nil {
		return err
	}
	v, err := d.CheckPlastic(r.Context(), body.Card)
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, struct {
		Verdict string `json:"verdict"`
	}{v.String()})
	return nil
}

// CheckPlastic is Plastic for the console.
func (d *Desk) CheckPlastic(ctx context.Context, number string) (lifecycle.Verdict, error) {
	v, err := d.o.Verification.Plastic(ctx, number)
	if err != nil {
		return v, explain(err)
	}
	return v, nil
}
