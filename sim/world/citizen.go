package world

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
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Citizen is a resident with what they have in their pockets.
type Citizen struct {
	Number uint32 // the subject of their streams
	ID     store.PersonID
	Name   string // as in the oracle's history
	Person population.Person
	Home   string // municipality

	Document string       // number of the plastic card in force; empty: none
	Chip     *iccard.Card // nil: the card carries none
	PIN      string
	Old      []string // numbers that have ended

	Devices map[uint8]*Device
	Issued  int // mobile cards

	generation uint32 // of plastic cards
	template   camera.Template
	draws      uint32 // captures
}

// Device is one of their phones with the mobile card on it.
type Device struct {
	*phone.Phone
	Serial uint8 // which of their issuances; 0: none
	Refs   []Ref
	Until  time.Time
}

// NewCitizen says who a resident is, without any card yet.
func (w *World) NewCitizen(number uint32, p population.Person, home string) *Citizen {
	random := w.stream(number, ofPIN, 0)
	return &Citizen{Number: number, ID: store.PersonID(number), Name: strconv.FormatUint(uint64(number), 10), Person: p, Home: home,
		PIN: fmt.Sprintf("%06d", random.Uint32()%1_000_000), Devices: map[uint8]*Device{}}
}

// Resident is the citizen as the registrar enters them.
func (c *Citizen) Resident(centre string) store.Person {
	p := &c.Person
	return store.Person{ID: c.ID, RRN: strings.ReplaceAll(p.RRN, "-", ""), FamilyName: p.FamilyName, GivenName: p.GivenName,
		BirthDate: p.Birth, Sex: c.sex(), Address: p.Address, Municipality: c.Home, Centre: centre}
}

func (c *Citizen) sex() byte {
	if c.Person.Male {
		return 'M'
	}
	return 'F'
}

// Age in completed years on the civil date.
func (c *Citizen) Age(at time.Time) int {
	b, d := c.Person.Birth, at.In(scenarios.KST)
	years := d.Year() - b.Year()
	if d.Month() < b.Month() || d.Month() == b.Month() && d.Day() < b.Day() {
		years--
	}
	return years
}

// stream is the randomness of one kind of a citizen's things.
func (w *World) stream(citizen uint32, kind, n uint32) *rng.Stream {
	return w.Source.Stream(citizen, population.ForDevice, kind|n)
}

// Entropy draws 32 bytes for what frauds make of a citizen's plastic card.
func (w *World) Entropy(c *Citizen) []byte {
	entropy := make([]byte, 32)
	_, _ = w.stream(c.Number, ofFraud, c.generation).Read(entropy)
	return entropy
}

// enrol takes a citizen's n-th photo for the record.
func (w *World) enrol(citizen uint32, n uint32) camera.Template {
	random := w.stream(citizen, ofTemplate, n)
	f := &w.Scenario.Face
	return camera.Model{Dimension: f.Dimension}.Identity(random).Enrol(f.Live, random)
}

func (w *World) portrait(citizen, n uint32) []byte {
	return w.portraits[(uint64(citizen)*7+uint64(n))%portraitsKept]
}

// Plastic is a plastic card that was made and is not in force yet.
type Plastic struct {
	Number   string
	Chip     *iccard.Card
	template camera.Template
	portrait []byte
}

// Print makes the citizen's next plastic card, with a new photo.
func (w *World) Print(c *Citizen, chip bool) (Plastic, error) {
	c.generation++
	// Nine letters and digits at most, as a machine readable zone holds them.
	number := "R" + strings.ToUpper(strconv.FormatUint(uint64(c.ID)*64+uint64(c.generation), 36))
	p := Plastic{Number: number, template: w.enrol(c.Number, c.generation), portrait: w.portrait(c.Number, c.generation)}
	if !chip {
		return p, nil
	}
	entropy := make([]byte, 32)
	_, _ = w.stream(c.Number, ofChip, c.generation).Read(entropy)
	p.Chip = iccard.NewBlank(entropy)
	now := w.Clock.Now()
	err := w.kit.Personalise(p.Chip, iccard.Holder{
		DocumentNumber: number, Surname: c.Person.FamilyName, GivenName: c.Person.GivenName, BirthDate: c.Person.Birth,
		Sex: c.sex(), Issued: now, Expires: now.AddDate(10, 0, 0), Address: c.Person.Address, PersonalNumber: c.Person.MaskedRRN(),
		Portrait: p.portrait, Template: p.template, PIN: c.PIN, CAN: w.Access.CAN,
	})
	w.N.Made++ // the security object
	return p, err
}

// Card is the card as it is entered into the register.
func (p Plastic) Card() issuance.NewCard {
	return issuance.NewCard{Number: p.Number, Chip: p.Chip != nil, Template: face.Template(p.template), Portrait: p.portrait}
}

// Take puts a plastic card into the citizen's hands; the old one is gone.
func (c *Citizen) Take(p Plastic) {
	if c.Document != "" {
		c.Old = append(c.Old, c.Document)
	}
	c.Document, c.template, c.Chip = p.Number, p.template, p.Chip
}

// Device is the citizen's n-th phone, from 0.
func (w *World) Device(c *Citizen, n uint8) *Device {
	d := c.Devices[n]
	if d == nil {
		d = &Device{Phone: w.phone(c, uint32(n))}
		c.Devices[n] = d
	}
	return d
}

// StrangersDevice is a phone that the citizen never had, the n-th.
func (w *World) StrangersDevice(c *Citizen, n uint32) *Device {
	return &Device{Phone: w.phone(c, 1<<8+n)}
}

// AnotherDevice is StrangersDevice with a number that changes with each capture.
func (w *World) AnotherDevice(c *Citizen) *Device { return w.StrangersDevice(c, c.draws) }

// phone is a phone out of the box; numbers from 1<<8 on are those of frauds.
func (w *World) phone(c *Citizen, n uint32) *phone.Phone {
	seed := make([]byte, 32)
	_, _ = w.stream(c.Number, ofPhone, n).Read(seed)
	return phone.New(w.maker, seed)
}

// Phones lists the phones in the order in which the citizen had them.
func (c *Citizen) Phones() (out []*Device) {
	for n := 0; len(out) < len(c.Devices); n++ {
		if d := c.Devices[uint8(n)]; d != nil {
			out = append(out, d)
		}
	}
	return out
}

// Current is the phone with the newest mobile card.
func (c *Citizen) Current() *Device {
	for _, d := range c.Devices {
		if d.Serial != 0 && int(d.Serial) == c.Issued {
			return d
		}
	}
	return nil
}

// Capture takes a picture of the citizen that has a score against their photo
// on record.
func (w *World) Capture(c *Citizen, score float64) face.Probe {
	c.draws++
	return face.Probe(camera.CaptureWithScore(c.template, score, w.stream(c.Number, ofCapture, c.draws)))
}

// Where a tap breaks off, in bytes on the air: after the chip was found, and
// before the PIN.
const tearFrom, tearTo = 80, 1400

// tapping draws for a tap: its randomness, and a challenge that no server made.
func (w *World) tapping(c *Citizen) (*rng.Stream, []byte) {
	c.draws++
	random := w.stream(c.Number, ofTap, c.draws)
	challenge := make([]byte, card.ChallengeSize)
	_, _ = random.Read(challenge)
	return random, challenge
}

// Tear holds a card to a phone and loses it.
func (w *World) Tear(c *Citizen) error {
	random, challenge := w.tapping(c)
	link := nfc.New(countedCard{c.Chip, &w.N})
	link.Tear(tearFrom+int(random.Uint32()%(tearTo-tearFrom)), 0)
	if _, err := w.Access.ReadCard(link, challenge, c.PIN, false); !errors.Is(err, nfc.ErrTagLost) {
		return fmt.Errorf("a torn tap ended otherwise: %v", err)
	}
	return nil
}

// Read holds a card to a phone and reads it.
func (w *World) Read(chip *iccard.Card, challenge []byte, pin string, portrait bool) (*phone.Tap, error) {
	return w.Access.ReadCard(nfc.New(countedCard{chip, &w.N}), challenge, pin, portrait)
}

// Evidence is what a phone hands over of a tap.
func Evidence(t *phone.Tap) card.Evidence { return card.Evidence(t.Evidence) }

// Mistype enters a wrong PIN.
func (w *World) Mistype(c *Citizen) (iso7816.Status, error) {
	random, challenge := w.tapping(c)
	wrong := []byte(c.PIN)
	k := random.Uint32() % uint32(len(wrong))
	wrong[k] = '0' + (wrong[k]-'0'+1+byte(random.Uint32()%9))%10
	tap, err := w.Read(c.Chip, challenge, string(wrong), false)
	if err != nil {
		return 0, err
	}
	return tap.PIN, nil
}

// Accept puts an issued mobile card into a phone's wallet.
func (w *World) Accept(c *Citizen, d *Device, a issuance.Issued) error {
	if err := d.Phone.Accept(a.Copies); err != nil {
		return err
	}
	w.N.Issued++
	c.Issued++
	d.Serial, d.Refs, d.Until = uint8(c.Issued), nil, a.Until
	for _, at := range a.Indices {
		d.Refs = append(d.Refs, Ref{w.Service.Register.Lists.URI(at.List), at.Index})
	}
	return nil
}

// Replace puts copies that were signed anew into the place of those that a phone holds.
func (w *World) Replace(d *Device, copies [][]byte) error {
	refs := make([]Ref, len(copies))
	for i, signed := range copies {
		held, err := mdoc.Inspect(signed)
		if err != nil {
			return err
		}
		if held.Status == nil {
			return errors.New("a copy signed anew names no place in a status list")
		}
		refs[i] = Ref{held.Status.URI, held.Status.Index}
		for _, seen := range w.seen {
			delete(seen, refs[i]) // another signature
		}
	}
	d.Refs = refs
	return d.Phone.Accept(copies)
}
