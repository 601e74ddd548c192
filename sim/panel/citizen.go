package panel

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rollcall.example/rollcall/hwemu/camera"
	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/population"
)

// citizen is a member of the panel with what they have in their pockets.
type citizen struct {
	Member
	number uint32 // the subject of their streams
	id     store.PersonID
	name   string // as in the oracle's history
	person population.Person
	home   string // municipality

	document   string // number of the plastic card in force; empty: none
	generation uint32 // of plastic cards
	template   camera.Template
	chip       *iccard.Card // nil: the card carries none
	pin        string
	old        []string // numbers that have ended

	devices map[uint8]*device
	issued  int // mobile cards
	newest  map[lifecycle.Causes]uint64
	offers  map[int]offered // by record
	draws   uint32          // captures

	nation, panel []string // histories
	step          int      // first that differs; -1
	flight        *flight  // their next request is in flight when the service is dropped
}

// device is one of their phones with the mobile card on it.
type device struct {
	*phone.Phone
	serial uint8 // which of their issuances; 0: none
	refs   []ref
	until  time.Time
}

// offered is what came of asking for a QR code.
type offered struct {
	code   string
	reason lifecycle.Reason
	failed string // no answer that decides
}

// newCitizen says who a resident is, without any card yet.
func (w *world) newCitizen(m Member, id store.PersonID, p population.Person, home string) *citizen {
	random := w.stream(m.Citizen, ofPIN, 0)
	c := &citizen{Member: m, number: m.Citizen, id: id, name: strconv.FormatUint(uint64(id), 10), person: p, home: home,
		pin: fmt.Sprintf("%06d", random.Uint32()%1_000_000), devices: map[uint8]*device{},
		newest: map[lifecycle.Causes]uint64{}, offers: map[int]offered{}, step: -1}
	return c
}

// resident is the citizen as the registrar enters them.
func (c *citizen) resident(centre string) store.Person {
	p := &c.person
	sex := byte('F')
	if p.Male {
		sex = 'M'
	}
	return store.Person{ID: c.id, RRN: strings.ReplaceAll(p.RRN, "-", ""), FamilyName: p.FamilyName, GivenName: p.GivenName,
		BirthDate: p.Birth, Sex: sex, Address: p.Address, Municipality: c.home, Centre: centre}
}

// age in completed years on the civil date.
func (c *citizen) age(at time.Time) int {
	b, d := c.person.Birth, at.In(scenarios.KST)
	years := d.Year() - b.Year()
	if d.Month() < b.Month() || d.Month() == b.Month() && d.Day() < b.Day() {
		years--
	}
	return years
}

// plastic is a plastic card that was made and is not in force yet.
type plastic struct {
	number   string
	template camera.Template
	portrait []byte
	chip     *iccard.Card
}

// print makes the citizen's next plastic card, with a new photo.
func (w *world) print(c *citizen, chip bool) (plastic, error) {
	c.generation++
	// Nine letters and digits at most, as a machine readable zone holds them.
	number := "R" + strings.ToUpper(strconv.FormatUint(uint64(c.id)*64+uint64(c.generation), 36))
	p := plastic{number: number, template: w.enrol(c.number, c.generation), portrait: w.portrait(c.number, c.generation)}
	if !chip {
		return p, nil
	}
	entropy := make([]byte, 32)
	_, _ = w.stream(c.number, ofChip, c.generation).Read(entropy)
	p.chip = iccard.NewBlank(entropy)
	now := w.clock.Now()
	sex := byte('F')
	if c.person.Male {
		sex = 'M'
	}
	err := w.kit.Personalise(p.chip, iccard.Holder{
		DocumentNumber: number, Surname: c.person.FamilyName, GivenName: c.person.GivenName, BirthDate: c.person.Birth,
		Sex: sex, Issued: now, Expires: now.AddDate(10, 0, 0), Address: c.person.Address, PersonalNumber: c.person.MaskedRRN(),
		Portrait: p.portrait, Template: p.template, PIN: c.pin,
	})
	w.n.made++ // the security object
	return p, err
}

func (p plastic) card() issuance.NewCard {
	return issuance.NewCard{Number: p.number, Chip: p.chip != nil, Template: face.Template(p.template), Portrait: p.portrait}
}

// take puts a plastic card into the citizen's hands; the old one is gone.
func (c *citizen) take(p plastic) {
	if c.document != "" {
		c.old = append(c.old, c.document)
	}
	c.document, c.template, c.chip = p.number, p.template, p.chip
}

// device is the citizen's n-th phone, from 0.
func (w *world) device(c *citizen, n uint8) *device {
	d := c.devices[n]
	if d == nil {
		d = &device{Phone: w.phone(c, uint32(n))}
		c.devices[n] = d
	}
	return d
}

// phone is a phone out of the box; numbers from 1<<8 on are those of frauds.
func (w *world) phone(c *citizen, n uint32) *phone.Phone {
	seed := make([]byte, 32)
	_, _ = w.stream(c.number, ofPhone, n).Read(seed)
	return phone.New(w.maker, seed)
}

// capture takes a picture of the citizen that has a score against their photo
// on record.
func (w *world) capture(c *citizen, score float64) face.Probe {
	c.draws++
	return face.Probe(camera.CaptureWithScore(c.template, score, w.stream(c.number, ofCapture, c.draws)))
}

// Where a tap breaks off, in bytes on the air: after the chip was found, and
// before the PIN.
const tearFrom, tearTo = 80, 1400

// tear holds a card to a phone and loses it.
func (w *world) tear(c *citizen) error {
	c.draws++
	random := w.stream(c.number, ofTap, c.draws)
	challenge := make([]byte, card.ChallengeSize)
	_, _ = random.Read(challenge)
	link := nfc.New(countedCard{c.chip, &w.n})
	link.Tear(tearFrom+int(random.Uint32()%(tearTo-tearFrom)), 0)
	if _, err := phone.ReadCard(link, challenge, c.pin, false); !errors.Is(err, nfc.ErrTagLost) {
		return fmt.Errorf("a torn tap ended otherwise: %v", err)
	}
	return nil
}

// read holds a card to a phone and reads it.
func (w *world) read(chip *iccard.Card, challenge []byte, pin string, portrait bool) (*phone.Tap, error) {
	return phone.ReadCard(nfc.New(countedCard{chip, &w.n}), challenge, pin, portrait)
}

// tapEvidence is what a phone hands over of a tap.
func tapEvidence(t *phone.Tap) card.Evidence { return card.Evidence(t.Evidence) }

// mistype enters a wrong PIN.
func (w *world) mistype(c *citizen) (iso7816.Status, error) {
	c.draws++
	random := w.stream(c.number, ofTap, c.draws)
	challenge := make([]byte, card.ChallengeSize)
	_, _ = random.Read(challenge)
	wrong := []byte(c.pin)
	k := random.Uint32() % uint32(len(wrong))
	wrong[k] = '0' + (wrong[k]-'0'+1+byte(random.Uint32()%9))%10
	tap, err := w.read(c.chip, challenge, string(wrong), false)
	if err != nil {
		return 0, err
	}
	return tap.PIN, nil
}

// accept puts an issued mobile card into a phone's wallet.
func (w *world) accept(c *citizen, d *device, a issuance.Issued) error {
	if err := d.Accept(a.Copies); err != nil {
		return err
	}
	c.issued++
	d.serial, d.refs, d.until = uint8(c.issued), nil, a.Until
	for _, at := range a.Indices {
		d.refs = append(d.refs, ref{w.svc.Register.Lists.URI(at.List), at.Index})
	}
	return nil
}

func (r ref) status() oracle.StatusRef { return oracle.StatusRef{URI: r.uri, Index: r.index} }
