package phone

import (
	"crypto/ecdh"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/proximity"
)

// What the phone's work takes [A]: an app that answers commands of a reader, and a
// secure element that agrees on keys and signs.
const (
	timeCommand = 2 * time.Millisecond
	timeSession = 30 * time.Millisecond // ECDH and keys of a session
	timeProof   = 60 * time.Millisecond // a signature or a MAC for a card
)

// Asked is what a reader wants to see of a card, as the phone tells its holder.
type Asked struct {
	// Reader is the name in the reader's certificate. Where it is empty Doubt says
	// why nobody is known to ask.
	Reader   string
	Doubt    error
	DocType  string
	Elements []proximity.ElementRequest
}

// Names are those of the elements asked for.
func (a Asked) Names() (names []string) {
	for _, e := range a.Elements {
		names = append(names, e.Name)
	}
	return names
}

// Decision is a holder's: the elements that may be seen, and how long it took to
// decide. None is a refusal.
type Decision struct {
	Allow []string
	After time.Duration
}

// Offer is how a phone lets itself be met.
type Offer struct {
	// Random makes the ephemeral key.
	Random io.Reader
	Now    func() time.Time
	// Readers are the authorities whose readers the phone knows by name.
	Readers *mdoc.TrustAnchors
	// Consent asks the holder, for each card that the reader wants to see.
	Consent func(Asked) Decision
	// MAC proves the card to the reader alone, instead of by a signature that the
	// reader could show to others.
	MAC bool
	// NFC are the largest commands and responses; zero: as large as there may be.
	NFC proximity.NFC
}

// Disclosure is what a holder can look up afterwards.
type Disclosure struct {
	Asked
	Disclosed []string
}

// Encounter is a phone that waits to be asked by a reader, once (ISO/IEC 18013-5). A
// reader reaches it over NFC as it would a card; it is an nfc.Card. It takes one
// session; with its end, or when the phone leaves the field within it, the encounter
// is over.
type Encounter struct {
	phone       *Phone
	offer       Offer
	key         *ecdh.PrivateKey
	engagement  *proximity.Engagement
	handover    proximity.Handover
	handed      way  // how the reader learns of the engagement
	tag         *tag // nil: the phone shows a QR code
	application string
	envelope    iso7816.Assembler
	out         []byte // of the answer, what was not fetched yet
	session     *proximity.Session
	over        bool
	busy        time.Duration
	disclosures []Disclosure
}

// way is how a reader learns of an engagement.
type way byte

const (
	byQR way = iota
	byStaticHandover
	byNegotiatedHandover
)

// EngageQR waits for a reader that reads a QR code, Encounter.URI, and then fetches
// data over NFC.
func (p *Phone) EngageQR(o Offer) (*Encounter, error) {
	e, err := p.encounter(o)
	if err != nil {
		return nil, err
	}
	e.engagement, err = proximity.NewEngagement(e.key.PublicKey(), &e.offer.NFC, nil)
	return e, err
}

// EngageNFC waits for a reader that the phone is held to: with static handover the
// reader finds all it needs, with negotiated handover it says first what it can.
func (p *Phone) EngageNFC(o Offer, negotiated bool) (*Encounter, error) {
	e, err := p.encounter(o)
	if err != nil {
		return nil, err
	}
	if e.engagement, err = proximity.NewEngagement(e.key.PublicKey(), nil, nil); err != nil {
		return nil, err
	}
	e.handed = byStaticHandover
	if negotiated {
		e.handed = byNegotiatedHandover
	} else if e.handover.Select, err = proximity.EncodeSelect(e.engagement, &e.offer.NFC, nil); err != nil {
		return nil, err
	}
	e.newTag()
	return e, nil
}

// newTag is the tag as a reader finds it that comes into the field.
func (e *Encounter) newTag() {
	switch e.handed {
	case byStaticHandover:
		e.tag = newTag(e.handover.Select, nil)
	case byNegotiatedHandover:
		n := &negotiation{agree: e.agree}
		e.handover = proximity.Handover{}
		e.tag = newTag(proximity.EncodeService(), n.write)
	}
}

func (p *Phone) encounter(o Offer) (*Encounter, error) {
	if o.Random == nil || o.Now == nil || o.Readers == nil || o.Consent == nil {
		return nil, errors.New("phone: a meeting needs randomness, a clock, known readers and the holder's consent")
	}
	if o.NFC == (proximity.NFC{}) {
		o.NFC = proximity.NFC{MaxCommand: iso7816.MaxData, MaxResponse: iso7816.MaxData + 1}
	}
	key, err := proximity.NewKey(o.Random)
	if err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	e := &Encounter{phone: p, offer: o, key: key}
	e.envelope.Limit = proximity.MaxRequestMessage + 8
	return e, nil
}

// agree answers a Handover Request: this phone can be reached over NFC.
func (e *Encounter) agree(request []byte) ([]byte, error) {
	q, err := proximity.ParseHandoverRequest(request)
	if err != nil {
		return nil, err
	}
	if !q.NFC {
		return nil, errors.New("phone: the reader offers no way that this phone has")
	}
	if e.handover.Select, err = proximity.EncodeSelect(e.engagement, &e.offer.NFC, nil); err != nil {
		return nil, err
	}
	e.handover.Request = slices.Clone(request)
	return e.handover.Select, nil
}

// URI is the text of the QR code that the phone shows.
func (e *Encounter) URI() string { return e.engagement.URI() }

// Over says whether the encounter has ended.
func (e *Encounter) Over() bool { return e.over }

// Disclosures are what readers asked for and saw.
func (e *Encounter) Disclosures() []Disclosure { return e.disclosures }

// Busy implements nfc.Card.
func (e *Encounter) Busy() time.Duration { return e.busy }

// CutPower implements nfc.Card: a phone has a battery.
func (e *Encounter) CutPower(int) {}

// Reset implements nfc.Card: a session does not outlive the field.
func (e *Encounter) Reset() {
	e.application, e.out = "", nil
	e.envelope.Reset()
	if e.session != nil {
		e.session.End()
		e.over = true
		return
	}
	e.newTag()
}

// Transmit implements nfc.Card.
func (e *Encounter) Transmit(raw []byte) []byte {
	e.busy = timeCommand
	c, err := iso7816.ParseCommand(raw)
	if err != nil {
		return iso7816.Response{Status: iso7816.WrongLength}.Bytes()
	}
	return e.command(c).Bytes()
}

func (e *Encounter) command(c iso7816.Command) iso7816.Response {
	status := func(s iso7816.Status) iso7816.Response { return iso7816.Response{Status: s} }
	if c.Class&^iso7816.ClassChained != 0 {
		return status(iso7816.ClassNotSupported)
	}
	if c.Instruction == iso7816.Select && c.P1 == 0x04 {
		name := string(c.Data)
		if name != proximity.DataTransfer && (name != tagApplication || e.tag == nil) {
			return status(iso7816.FileNotFound)
		}
		e.application = name
		return status(iso7816.OK)
	}
	switch e.application {
	case tagApplication:
		return e.tag.command(c)
	case proximity.DataTransfer:
		return e.transfer(c)
	}
	return status(iso7816.ConditionsNotSatisfied)
}

// transfer takes messages by ENVELOPE and gives the answers (§8.3.3.1.2).
func (e *Encounter) transfer(c iso7816.Command) iso7816.Response {
	status := func(s iso7816.Status) iso7816.Response { return iso7816.Response{Status: s} }
	switch c.Instruction {
	case iso7816.Envelope:
		e.out = nil
		whole, complete, s := e.envelope.Add(c)
		switch {
		case !complete:
			return status(s)
		case whole.P1 != 0 || whole.P2 != 0:
			return status(iso7816.WrongP1P2)
		case whole.Expected == 0:
			return status(iso7816.WrongLength)
		case e.over:
			return status(iso7816.ConditionsNotSatisfied)
		}
		message, err := proximity.ParseDataObject(whole.Data, proximity.MaxRequestMessage)
		if err != nil {
			return status(iso7816.WrongData)
		}
		e.out = proximity.DataObject(e.receive(message))
		return e.next(whole.Expected)
	case iso7816.GetResponse:
		switch {
		case c.P1 != 0 || c.P2 != 0:
			return status(iso7816.WrongP1P2)
		case c.Expected == 0:
			return status(iso7816.WrongLength)
		case len(e.out) == 0:
			return status(iso7816.ConditionsNotSatisfied)
		}
		return e.next(c.Expected)
	}
	return status(iso7816.InstructionNotSupported)
}

// next gives as much of the answer as is expected and fits.
func (e *Encounter) next(expected int) iso7816.Response {
	n := min(expected, e.offer.NFC.MaxResponse, len(e.out))
	r := iso7816.Response{Data: e.out[:n:n], Status: iso7816.OK}
	if e.out = e.out[n:]; len(e.out) > 0 {
		r.Status = iso7816.MoreData(len(e.out))
	}
	return r
}

// receive takes a session message and returns the answer to it; none to the last
// one.
func (e *Encounter) receive(message []byte) []byte {
	var request []byte
	var last bool
	var err error
	if e.session == nil {
		e.busy += timeSession
		e.session, request, err = proximity.Accept(e.engagement, e.handover, e.key, message)
	} else {
		request, last, err = e.session.Open(message)
	}
	switch {
	case errors.Is(err, proximity.ErrOtherSide):
		e.over = true
		return nil
	case err != nil:
		e.over = true
		return proximity.Refusal(err)
	case last:
		e.over = true
		return nil
	}
	answer, err := e.session.Seal(e.answer(request))
	if err != nil {
		e.over = true
		return proximity.Refusal(err)
	}
	return answer
}

// answer asks the holder and makes the DeviceResponse.
func (e *Encounter) answer(request []byte) []byte {
	q, err := proximity.ParseRequest(request)
	if err != nil {
		return mdoc.RespondStatus(proximity.RequestStatus(err))
	}
	var shown []mdoc.Showing
	var missing []string
	for i := range q.Documents {
		s, ok, err := e.show(&q.Documents[i])
		switch {
		case err != nil:
			return mdoc.RespondStatus(mdoc.StatusGeneralError)
		case ok:
			shown = append(shown, s)
		default:
			missing = append(missing, q.Documents[i].DocType)
		}
	}
	response, err := mdoc.Respond(e.session.Transcript(), shown, missing)
	if err != nil {
		return mdoc.RespondStatus(mdoc.StatusGeneralError)
	}
	return response
}

// show is what of one card the holder lets the reader see; ok is false if the phone
// has no such card or nothing of it may be seen, which the answer does not tell apart.
func (e *Encounter) show(d *proximity.DocumentRequest) (s mdoc.Showing, ok bool, err error) {
	p := e.phone
	if len(p.wallet) == 0 {
		return s, false, nil
	}
	held := &p.wallet[p.leastShown()]
	docType, namespace, names, err := mdoc.Contents(held.issuerSigned)
	if err != nil || docType != d.DocType {
		return s, false, err
	}
	asked := Asked{DocType: d.DocType, Elements: d.Elements}
	asked.Reader, asked.Doubt = d.Reader(e.session.Transcript(), e.offer.Readers, e.offer.Now())
	decision := e.offer.Consent(asked)
	e.busy += decision.After

	s.Card = held.issuerSigned
	for _, el := range d.Elements {
		switch {
		case el.Namespace != namespace:
		case slices.Contains(decision.Allow, el.Name) && slices.Contains(names, el.Name):
			s.Disclose = append(s.Disclose, el.Name)
		default:
			s.Withhold = append(s.Withhold, el.Name)
		}
	}
	e.disclosures = append(e.disclosures, Disclosure{asked, s.Disclose})
	if len(s.Disclose) == 0 {
		return s, false, nil
	}
	if e.offer.MAC {
		key, err := held.key.ECDH()
		if err != nil {
			return s, false, err
		}
		s.By = mdoc.ByMAC(key, e.session.Peer())
	} else {
		s.By = mdoc.BySignature(held.key)
		p.signed++
	}
	e.busy += timeProof
	held.shown++
	return s, true, nil
}
