package loadgen

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"rollcall.example/rollcall/hwemu/camera"
	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Citizen is a resident with what they have in their pockets. What they do with
// their phone they do one after the other; reports and releases may be made
// meanwhile.
type Citizen struct {
	Name string // the registrar's number, in decimal

	crowd  *Crowd
	number uint32
	person population.Person
	home   string // code of the municipality
	centre string
	pin    string
	hands  sync.Mutex // hold one thing at a time: phone, card, what both show

	portrait   []byte
	plastic    plastic // the newest
	older      plastic // the one before; its number is empty if there was none
	generation uint32  // of plastic cards
	phones     uint32  // how many they have had
	draws      uint32
	wallets    []*phoneOf // the last is the one in use
	used       code       // the last at a centre on which a card was issued

	mu      sync.Mutex // of what follows
	knows   knowledge
	pending []*change
}

// plastic is a plastic card.
type plastic struct {
	number   string
	chip     *iccard.Card // nil: it has none
	template camera.Template
}

// phoneOf is a phone with its wallet.
type phoneOf struct {
	*wallet.Wallet
	lost uint64 // sequence of the report on it that is in force; 0: none
	live bool   // holds the mobile card in force
}

// knowledge is what the citizen knows of the register by the answers they had.
type knowledge struct {
	document string
	physical uint64 // sequence of the report in force; 0: none
	ordered  uint64 // of the registrar's order in force; 0: none
	version  uint64 // changes that have begun or ended
	open     int    // changes without an end
	muddled  bool   // several changes overlapped: what came of them is not known, until a card is issued
}

// numbers of the crowd's citizens in the register begin here: far above those of a
// demonstration, far below 2^53, which JSON can still write.
const numbersFrom = 100_000_000

// Kinds of draws of population.ForDevice; the occurrence is kind and number.
const (
	kindShift = 16

	ofFace uint32 = iota << kindShift
	ofChip
	ofPhone
	ofCapture
	ofPIN
)

func (c *Citizen) stream(kind, n uint32) *rng.Stream {
	return c.crowd.source.Stream(c.number, population.ForDevice, kind|n)
}

func (c *Citizen) entropy(kind, n uint32) []byte {
	b := make([]byte, 32)
	_, _ = c.stream(kind, n).Read(b) // a Stream never fails
	return b
}

func (c *Crowd) citizen(number uint32, p population.Person, home, centre string) (*Citizen, error) {
	one := &Citizen{Name: strconv.FormatUint(numbersFrom+uint64(number), 10), crowd: c, number: number, person: p, home: home, centre: centre, portrait: c.portraits[number%uint32(len(c.portraits))]}
	one.pin = fmt.Sprintf("%06d", one.stream(ofPIN, 0).Uint32()%1_000_000)
	if err := one.print(); err != nil {
		return nil, err
	}
	return one, one.NewPhone()
}

func (c *Citizen) sex() byte {
	if c.person.Male {
		return 'M'
	}
	return 'F'
}

// document is the number of the citizen's plastic card of a generation.
func (c *Citizen) document(generation uint32) string {
	return "L" + strings.ToUpper(strconv.FormatUint((numbersFrom+uint64(c.number))*64+uint64(generation%64), 36))
}

// print makes a plastic card of the citizen's, with a photo that is taken for it.
func (c *Citizen) print() error {
	o, random := &c.crowd.o, c.stream(ofFace, c.generation)
	card := plastic{number: c.document(c.generation), template: camera.Model{Dimension: o.Scenario.Face.Dimension}.Identity(random).Enrol(o.Scenario.Face.Live, random)}
	c.older, c.plastic = c.plastic, card
	if c.is(withoutChip) {
		return nil
	}
	c.plastic.chip = iccard.NewBlank(c.entropy(ofChip, c.generation))
	now := o.Now()
	return o.Kit.Personalise(c.plastic.chip, iccard.Holder{
		DocumentNumber: card.number, Surname: c.person.FamilyName, GivenName: c.person.GivenName, BirthDate: c.person.Birth, Sex: c.sex(),
		Issued: now.AddDate(0, 0, -1), Expires: now.AddDate(10, 0, 0), Address: c.person.Address, PersonalNumber: c.person.MaskedRRN(),
		Portrait: c.portrait, Template: card.template, PIN: c.pin,
	})
}

// card is the plastic card as it is entered.
func (c *Citizen) card() map[string]any {
	return map[string]any{"number": c.plastic.number, "chip": c.plastic.chip != nil, "template": face.Template(c.plastic.template).Bytes(), "portrait": c.portrait}
}

// NewPhone gives the citizen another phone, with an empty wallet.
func (c *Citizen) NewPhone() error {
	c.hands.Lock()
	defer c.hands.Unlock()
	o := &c.crowd.o
	w, err := wallet.New(wallet.Options{
		HTTP: o.HTTP, Now: o.Now, Random: c.crowd.random, Maker: o.Maker, Provider: o.Provider, Seed: c.entropy(ofPhone, c.phones),
		Issuers: c.crowd.issuers, OneSignature: true,
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.phones++
	c.wallets = append(c.wallets, &phoneOf{Wallet: w})
	return nil
}

func (c *Citizen) enter(ctx context.Context) error {
	p := &c.person
	key := "enter " + c.Name
	body := map[string]any{
		"id": numbersFrom + uint64(c.number), "resident_number": strings.ReplaceAll(p.RRN, "-", ""), "family_name": p.FamilyName, "given_name": p.GivenName,
		"birth_date": p.Birth.Format(time.DateOnly), "sex": string(c.sex()), "address": p.Address, "municipality": c.home, "centre": c.centre,
		"card": c.card(), "why": "resident of a load test",
	}
	for attempt := 0; ; attempt++ {
		err := c.crowd.registrar.ask(ctx, "POST", "/residents", body, key, nil)
		how, _ := ended(err)
		switch {
		case how == granted:
			c.knows.document = c.document(0)
			c.crowd.note(func(h *oracle.History) {
				h.Residents = append(h.Residents, oracle.Resident{Citizen: c.Name, Municipality: c.home, Document: c.knows.document})
			})
			return nil
		case how == refused || attempt == 20:
			return fmt.Errorf("resident %s was not entered: %w", c.Name, err)
		}
		if err := c.crowd.o.Wait(ctx, time.Second/4); err != nil {
			return err
		}
	}
}

// tap holds a card of the citizen's to their phone.
func (c *Citizen) tap(with plastic, challenge []byte) (*phone.Tap, error) {
	return phone.ReadCard(nfc.New(with.chip), challenge, c.pin, false)
}

// capture takes a picture with a score against the photo on a card.
func (c *Citizen) capture(of plastic, score float64) []byte {
	c.draws++
	probe := face.Probe(camera.CaptureWithScore(of.template, score, c.stream(ofCapture, c.draws)))
	return probe.Bytes()
}

// Age in completed years.
func (c *Citizen) age(at time.Time) int {
	b, d := c.person.Birth, at
	years := d.Year() - b.Year()
	if d.Month() < b.Month() || d.Month() == b.Month() && d.Day() < b.Day() {
		years--
	}
	return years
}

// current is the phone in use.
func (c *Citizen) current() *phoneOf {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wallets[len(c.wallets)-1]
}

// copyOf is a copy of a card as the oracle names it.
func copyOf(held wallet.Copy) (oracle.Copy, error) {
	if held.Format != sdjwt.Format {
		return oracle.Copy{IssuerSigned: held.Credential}, nil
	}
	token, err := jws.Parse([]byte(strings.SplitN(string(held.Credential), "~", 2)[0]))
	if err != nil {
		return oracle.Copy{}, err
	}
	var v struct {
		Until  int64 `json:"exp"`
		Status struct {
			List struct {
				Index uint64 `json:"idx"`
				URI   string `json:"uri"`
			} `json:"status_list"`
		} `json:"status"`
	}
	if err := token.Claims(&v); err != nil {
		return oracle.Copy{}, err
	}
	out := oracle.Copy{Status: oracle.StatusRef{URI: v.Status.List.URI, Index: v.Status.List.Index}}
	if v.Until != 0 {
		out.Until = time.Unix(v.Until, 0).UTC()
	}
	return out, nil
}
