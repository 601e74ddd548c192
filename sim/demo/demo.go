// Package demo is a town for trying the service: residents who are made up, with
// the IC cards, faces and phones that they hold, all of it emulated and in memory.
// Its keys are known to everybody, so whoever trusts them trusts anybody: a
// service with a demonstration is no service for real people.
//
// The same number of residents is the same everywhere and at every start, so that
// a second replica, or the next start, finds them in the register.
package demo

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
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
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Municipality is where the residents live: Sejong, whose code this is.
const Municipality = "36110"

// MaxResidents limits how many may be made.
const MaxResidents = 10_000

// founded is when authorities were made and cards printed.
var founded = time.Date(2025, 1, 2, 0, 0, 0, 0, scenarios.KST)

// registrar enters the residents.
var registrar = register.By{Actor: "demo", Role: lifecycle.Registrar}

// Town is the residents, with those who make their cards and phones.
type Town struct {
	Residents []*Resident
	// CountryCA is the certificate of the authority under which cards are signed,
	// PhoneMaker the root of the phones' key attestations, WalletProvider that of
	// the wallets; DER.
	CountryCA, PhoneMaker, WalletProvider []byte
	// Country prints the cards, and says which document signers it has taken back.
	Country *iccard.IssuerKit
	// Issuers are the authorities of mobile cards that the residents' wallets trust. nil:
	// they know no list of trust.
	Issuers *mdoc.TrustAnchors

	maker    *phone.Maker
	provider *wallet.Provider
}

// Resident is one of them.
type Resident struct {
	ID        store.PersonID
	Name      string // in Korean
	Romanised string
	PIN       string // of the IC card
	Document  string // number of the plastic card

	town     *Town
	number   int        // from 0
	mu       sync.Mutex // a chip does one thing at a time
	chip     *iccard.Card
	identity camera.Identity
	template camera.Template
	portrait []byte
	taken    uint64
	live     float64
	person   population.Person
	centre   string
}

// secret derives 32 bytes that everybody can derive.
func secret(name string, n int) []byte {
	h := sha256.Sum256(fmt.Appendf(nil, "rollcall demonstration: known to everybody: %s %d", name, n))
	return h[:]
}

func random(name string, n int) io.Reader { return rand.NewChaCha8([32]byte(secret(name, n))) }

// Key is the key of a party of the demonstration.
func Key(party string) *ecdsa.PrivateKey {
	for n := 0; ; n++ {
		if k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), secret("key of "+party, n)); err == nil {
			return k
		}
	}
}

// Makers are who makes the town's cards, phones and wallets. What they make for
// others is believed by a service with a demonstration as well.
func Makers() (*iccard.IssuerKit, *phone.Maker, *wallet.Provider, error) {
	kit, err := iccard.NewIssuerKit(secret("country", 0), founded)
	if err != nil {
		return nil, nil, nil, err
	}
	maker, err := phone.NewMaker("Phones of the Demonstration", secret("phone maker", 0), founded)
	if err != nil {
		return nil, nil, nil, err
	}
	provider, err := wallet.NewProvider("https://wallet.example", secret("wallet provider", 0), founded)
	return kit, maker, provider, err
}

// New makes a town with so many residents, of which every fifth holds a card
// without a chip.
func New(s *scenarios.Scenario, nation *scenarios.Nation, residents int) (*Town, error) {
	if residents < 1 || residents > MaxResidents {
		return nil, fmt.Errorf("a demonstration has 1 to %d residents, not %d", MaxResidents, residents)
	}
	kit, maker, provider, err := Makers()
	if err != nil {
		return nil, err
	}
	town := &Town{CountryCA: kit.CountryCA, PhoneMaker: maker.Root, WalletProvider: provider.Root, Country: kit, maker: maker, provider: provider}
	people := population.New(nation)
	draws := population.NewDrawer(rng.New(1), nation, &s.Phones)
	home, ok := nation.MunicipalityIndex(Municipality)
	if !ok {
		return nil, errors.New("the municipality of the demonstration is not in the data")
	}
	m := &nation.Municipalities[home]
	var portraits [8][]byte
	for i := range portraits {
		portraits[i] = camera.Portrait(random("portrait", i))
	}
	for n := range residents {
		centre := m.First + n%(m.End-m.First)
		first, end := people.AgeRange(centre, 17+(n*7)%60)
		if first == end {
			first, end = people.Range(centre)
		}
		id := first + uint32(n)%(end-first)
		p := people.Person(draws, id, founded) // in large towns somebody's double
		p.Numbered(uint32(n))
		r := &Resident{
			ID: store.PersonID(n + 1), Name: p.FamilyName + p.GivenName, Romanised: p.Romanised, PIN: "123456",
			Document: "D" + strings.ToUpper(strconv.FormatUint(uint64(1_000_000+n), 36)),
			town:     town, number: n, person: p, centre: nation.Centres[centre].Code, live: s.Face.Live,
			portrait: portraits[n%len(portraits)],
		}
		faces := random("face", n)
		r.identity = camera.Model{Dimension: s.Face.Dimension}.Identity(faces)
		r.template = r.identity.Enrol(s.Face.Live, faces)
		if n%5 != 4 {
			if err := r.print(kit, n); err != nil {
				return nil, err
			}
		}
		town.Residents = append(town.Residents, r)
	}
	return town, nil
}

func (r *Resident) sex() byte {
	if r.person.Male {
		return 'M'
	}
	return 'F'
}

// print personalises the resident's IC card.
func (r *Resident) print(kit *iccard.IssuerKit, n int) error {
	r.chip = iccard.NewBlank(secret("chip", n))
	return kit.Personalise(r.chip, r.holder())
}

func (r *Resident) holder() iccard.Holder {
	return iccard.Holder{
		DocumentNumber: r.Document, Surname: r.person.FamilyName, GivenName: r.person.GivenName, BirthDate: r.person.Birth,
		Sex: r.sex(), Issued: founded, Expires: founded.AddDate(10, 0, 0), Address: r.person.Address,
		PersonalNumber: r.person.MaskedRRN(), Portrait: r.portrait, Template: r.template, PIN: r.PIN,
	}
}

// Plastic is a resident's IC card once more, the same but that it is protected
// where it is given a card access number; and the machine readable zone on it.
func (t *Town) Plastic(r *Resident, can string) (chip *iccard.Card, mrz string, err error) {
	if !r.Chip() {
		return nil, "", fmt.Errorf("the card of resident %d has no chip", r.ID)
	}
	h := r.holder()
	h.CAN = can
	if mrz, err = iccard.MRZ(h); err != nil {
		return nil, "", err
	}
	chip = iccard.NewBlank(secret("chip", int(r.ID)-1))
	return chip, mrz, t.Country.Personalise(chip, h)
}

// Chip says whether the resident's plastic card is an IC card.
func (r *Resident) Chip() bool { return r.chip != nil }

// Centre is the code of the centre of the resident's place.
func (r *Resident) Centre() string { return r.centre }

// Born is the resident's date of birth.
func (r *Resident) Born() time.Time { return r.person.Birth }

// Wallet is a wallet without cards on the resident's phone, which talks to a service
// by a client. The same resident's is the same wallet.
func (r *Resident) Wallet(client *http.Client, now func() time.Time, random io.Reader) (*wallet.Wallet, error) {
	return wallet.New(wallet.Options{
		HTTP: client, Now: now, Random: random, Maker: r.town.maker, Provider: r.town.provider, Seed: secret("phone", r.number),
		Issuers: r.town.Issuers,
	})
}

// Enter enters the residents who are not in the register yet.
func (t *Town) Enter(ctx context.Context, s *issuance.Service) error {
	for _, r := range t.Residents {
		a, err := s.RegisterResident(ctx, issuance.ResidentRequest{
			Request: register.Request{By: registrar, Key: fmt.Sprintf("resident %d of the demonstration", r.ID)},
			Resident: store.Person{
				ID: r.ID, RRN: strings.ReplaceAll(r.person.RRN, "-", ""), FamilyName: r.person.FamilyName, GivenName: r.person.GivenName,
				BirthDate: r.person.Birth, Sex: r.sex(), Address: r.person.Address, Municipality: Municipality, Centre: r.centre,
			},
			Card: &issuance.NewCard{Number: r.Document, Chip: r.Chip(), Template: face.Template(r.template), Portrait: r.portrait},
			Why:  "demonstration",
		})
		if errors.Is(err, register.ErrPersonExists) {
			continue // entered so long ago that the answer is forgotten
		}
		if err != nil || a.Reason != lifecycle.Granted {
			return fmt.Errorf("resident %d of the demonstration was not entered (%v): %w", r.ID, a.Reason, err)
		}
	}
	return nil
}

// Resident finds one of the residents.
func (t *Town) Resident(id store.PersonID) (*Resident, bool) {
	if id < 1 || int(id) > len(t.Residents) {
		return nil, false
	}
	return t.Residents[id-1], true
}

// Tap holds the resident's card to a phone, which reads it and enters the PIN.
func (r *Resident) Tap(challenge []byte, pin string) (*phone.Tap, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.chip == nil {
		return nil, fmt.Errorf("the card of resident %d has no chip", r.ID)
	}
	return phone.ReadCard(nfc.New(r.chip), challenge, pin, false)
}

// Capture takes a picture of the resident's face.
func (r *Resident) Capture() face.Probe {
	r.mu.Lock()
	r.taken++
	n := r.taken
	r.mu.Unlock()
	var seed bytes.Buffer
	seed.Write(secret("capture", int(r.ID)))
	_ = binary.Write(&seed, binary.BigEndian, n) // into memory
	return face.Probe(r.identity.Capture(r.live, rand.NewChaCha8(sha256.Sum256(seed.Bytes()))))
}
