package panel

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/statuslist"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
	"rollcall.example/rollcall/sim/rollout"
	"rollcall.example/rollcall/sim/world"
)

// Channels of a journey.
const (
	ByTap    = "tap"
	ByCentre = "centre"
)

// JourneyOptions say whose life is told, and where the files go.
type JourneyOptions struct {
	Scenario *scenarios.Scenario
	Nation   *scenarios.Nation
	Citizen  *uint32 // nil: somebody of the first region that opens
	Channel  string  // ByTap or ByCentre; empty: ByTap
	PACE     bool    // the plastic card is opened by PACE; otherwise it is read in the clear
	Out      string  // folder; empty: no files
}

// Story is one citizen's life with a mobile card, every message kept: what
// journey.json holds.
type Story struct {
	Scenario     string `json:"scenario"`
	Seed         uint64 `json:"seed"`
	Citizen      uint32 `json:"citizen"`
	Name         string `json:"name"`
	Romanised    string `json:"romanised"`
	Municipality string `json:"municipality"`
	Channel      string `json:"channel"`
	Steps        []Step `json:"steps"`
	// StatusList and StatusIndex are where the presented copy stands; StatusValue
	// is what the list at the end says there (0 valid, 1 invalid, 2 suspended).
	StatusList  string `json:"status_list"`
	StatusIndex uint64 `json:"status_index"`
	StatusValue uint8  `json:"status_value"`
	// Judged is how often each property could have been violated. None was.
	Judged map[oracle.Property]int `json:"judged"`

	apdus []phone.Exchange
	files []journeyFile
}

// Step is one thing that happened.
type Step struct {
	At       string    `json:"at"` // RFC 3339, virtual
	Who      string    `json:"who"`
	What     string    `json:"what"`
	Outcome  string    `json:"outcome,omitempty"`
	Rule     string    `json:"rule"` // what it rests on
	TookMS   float64   `json:"took_ms,omitempty"`
	Messages []Message `json:"messages,omitempty"`
}

// Message went from one to another.
type Message struct {
	From string `json:"from"`
	To   string `json:"to"`
	What string `json:"what"`
	Size int    `json:"size"`
	Body []byte `json:"bytes"` // base64 in JSON
}

// journey is a panel of one.
type journey struct {
	*run
	c      *citizen
	story  *Story
	centre string
	bank   *world.Offline
}

// Journey lets one citizen live: a mobile card is issued and shown, the plastic
// card is lost and found, and the mobile card goes with it. Everything is real,
// and the oracle judges it like any panel.
func Journey(ctx context.Context, o JourneyOptions) (_ *Story, err error) {
	if o.Channel == "" {
		o.Channel = ByTap
	}
	if o.Channel != ByTap && o.Channel != ByCentre {
		return nil, fmt.Errorf("%q is no way to a mobile card: write %s or %s", o.Channel, ByTap, ByCentre)
	}
	m, err := rollout.New(o.Scenario, o.Nation)
	if err != nil {
		return nil, err
	}
	id, err := chosen(m, o.Citizen)
	if err != nil {
		return nil, err
	}
	person := m.Pop.Person(m.Draws, id, o.Scenario.Start.Time)
	municipality := &o.Nation.Municipalities[o.Nation.Centres[person.Centre].Municipality]
	opens := m.Opens(o.Nation.Centres[person.Centre].Municipality)
	if opens == rollout.Never {
		return nil, fmt.Errorf("citizen %d lives in %s, which never opens in this scenario: choose another one", id, municipality.NameEn)
	}
	dir, err := os.MkdirTemp("", "rollcall-journey-")
	if err != nil {
		return nil, fmt.Errorf("the register needs a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	w, err := world.New(o.Scenario, m.Policy, dir, 64)
	if err != nil {
		return nil, err
	}
	if o.PACE {
		seed := sha256.Sum256(fmt.Appendf(nil, "a phone's keys for PACE, seed %d", o.Scenario.Seed))
		w.Access = phone.Access{CAN: fmt.Sprintf("%06d", binary.BigEndian.Uint32(seed[:])%1_000_000), Random: rand.NewChaCha8(seed)}
	}
	j := &journey{run: &run{World: w, ctx: ctx, end: m.End}, centre: o.Nation.Centres[person.Centre].Code,
		story: &Story{Scenario: o.Scenario.Name, Seed: o.Scenario.Seed, Citizen: id, Name: person.FamilyName + person.GivenName, Romanised: person.Romanised,
			Municipality: municipality.NameEn, Channel: o.Channel}}
	j.c = newCitizen(w, Member{Citizen: id}, person, municipality.Code)
	j.History.Policy = world.OraclePolicy(o.Scenario, &m.Policy)

	first := m.Cal.Day(max(opens, 0))
	for first < len(m.Cal.Open)-1 && !m.Cal.Open[first] {
		first++
	}
	start := m.Cal.Date(first)
	if err := j.live(start); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	if err := errors.Join(j.judge(), w.Close()); err != nil {
		return nil, err
	}
	if err := j.story.render(w); err != nil {
		return nil, err
	}
	if o.Out == "" {
		return j.story, nil
	}
	return j.story, writeFiles(o.Out, j.story.files)
}

// chosen is the citizen named, or one drawn from the first municipality that
// opens: of age, with a phone that reads cards.
func chosen(m *rollout.Model, named *uint32) (uint32, error) {
	if named != nil {
		if *named >= m.Pop.Len() {
			return 0, fmt.Errorf("there is no citizen %d: they are numbered from 0 to %d", *named, m.Pop.Len()-1)
		}
		return *named, nil
	}
	first := 0
	for i := range m.Nation.Municipalities {
		if m.Opens(i) < m.Opens(first) {
			first = i
		}
	}
	mu := &m.Nation.Municipalities[first]
	low, _ := m.Pop.Range(mu.First)
	_, high := m.Pop.Range(mu.End - 1)
	for k := uint32(0); ; k++ {
		id := low + uint32(rng.Uniform(m.Source.Draw(k, population.ForPanel, drawJourney)[0])*float64(high-low))
		_, age := m.Pop.Home(id)
		if age >= 19 && age < 65 && m.Draws.Traits(id, first, age).Phone == population.PhoneWithNFC {
			return id, nil
		}
	}
}

func (j *journey) now() string { return j.Clock.Now().Format("2006-01-02T15:04:05.000Z07:00") }

// step writes down what happened.
func (j *journey) step(who, what, outcome, rule string, messages ...Message) *Step {
	j.story.Steps = append(j.story.Steps, Step{At: j.now(), Who: who, What: what, Outcome: outcome, Rule: rule, Messages: messages})
	return &j.story.Steps[len(j.story.Steps)-1]
}

func message(from, to, what string, body []byte) Message {
	return Message{from, to, what, len(body), body}
}

func asJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs
	}
	return b
}

const (
	aRegistrar = "registrar"
	aCitizen   = "citizen"
	aPhone     = "phone"
	aChip      = "IC card"
	aService   = "ID service"
	aBank      = "bank"
	aClerk     = "clerk"
	anOperator = "operator of the loss line"
)

// live is the life from the first day of their place on.
func (j *journey) live(day time.Time) error {
	at := func(days int, clock string) {
		t, err := time.Parse("15:04:05", clock)
		if err != nil {
			panic(err) // ours
		}
		j.Clock.Set(day.AddDate(0, 0, days).Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second))
	}
	if err := j.Open(j.ctx); err != nil {
		return err
	}
	at(0, "08:00:00")
	e, err := j.Entry(j.c.Citizen, j.centre, true, false)
	if err != nil {
		return err
	}
	if err := j.enter([]world.Entry{e}); err != nil {
		return err
	}
	j.step(aRegistrar, "enters "+j.c.Person.FamilyName+j.c.Person.GivenName+" into the register, with plastic card "+j.c.Document+", which carries no chip",
		"granted", "lifecycle.Rulebook, card-issued; every change of the register has one audit entry (S10)",
		message(aRegistrar, aService, "resident", asJSON(j.c.Resident(j.centre))))
	at(0, "09:00:00")
	if err := j.publishList("the list is there before the first card, so that verifiers can fetch it"); err != nil {
		return err
	}

	if j.story.Channel == ByTap {
		at(0, "09:40:00")
		if err = j.newCard(); err == nil {
			at(0, "10:05:00")
			err = j.tap()
		}
	} else {
		at(0, "10:05:00")
		err = j.visit()
	}
	if err != nil {
		return err
	}

	at(0, "14:00:00")
	if err := j.fetchAtBank(); err != nil {
		return err
	}
	at(0, "14:05:00")
	if err := j.show("opens an account: the bank asks the service", lifecycle.Accepted); err != nil {
		return err
	}
	at(0, "14:06:00")
	if err := j.showAtBank("shows the card again: this time the bank goes by the list in its hand", lifecycle.Accepted); err != nil {
		return err
	}

	at(1, "09:12:00")
	lost, err := j.lose()
	if err != nil {
		return err
	}
	at(1, "09:12:01")
	if err := j.show("tries to use the mobile card: the bank asks the service", lifecycle.Suspended); err != nil {
		return err
	}
	at(1, "09:13:00")
	if err := j.publishList("the suspension reaches the list; the next verifier to fetch it knows"); err != nil {
		return err
	}
	at(1, "09:14:00")
	if err := j.fetchAtBank(); err != nil {
		return err
	}
	at(1, "09:15:00")
	if err := j.showAtBank("tries once more: the bank goes by its list", lifecycle.Suspended); err != nil {
		return err
	}
	at(1, "17:30:00")
	if err := j.release(world.CallCentre, anOperator, "is told that the card is found: but a call is not enough to release it", lost, lifecycle.NotAuthorised); err != nil {
		return err
	}
	at(1, "17:41:00")
	if err := j.release(world.ClerkOf(j.centre), aClerk, "sees the card that was found, and releases it", lost, lifecycle.Granted); err != nil {
		return err
	}
	at(1, "17:42:00")
	if err := j.show("shows the mobile card: the bank asks the service", lifecycle.Accepted); err != nil {
		return err
	}
	at(1, "17:45:00")
	if err := j.publishList("the release reaches the list: files status_list.jwt and status_list.cwt"); err != nil {
		return err
	}
	return j.readStatus()
}

// newCard makes a card with a chip, by APDUs, and puts it into force.
func (j *journey) newCard() error {
	p, err := j.Print(j.c.Citizen, true)
	if err != nil {
		return err
	}
	a := j.ask(j.c, j.RegisterCard(j.c.Citizen, world.ClerkOf(j.centre), "new card", p, "re-issued with a chip"))
	if !a.Granted() {
		return fmt.Errorf("the new card is not in force: %s", a)
	}
	was := j.c.Document
	j.c.Take(p)
	j.step(aClerk, fmt.Sprintf("hands over plastic card %s with a chip; number %s has ended", p.Number, was), a.String(),
		"lifecycle.Rulebook, card-issued: a new number ends the old one and all that hung on it; chip: ICAO Doc 9303-10 and -11, ISO/IEC 7816-4")
	return nil
}

// tap is the issue by tapping the card.
func (j *journey) tap() error {
	challenge, nonce, err := j.Challenge(j.ctx)
	if err != nil {
		return err
	}
	j.step(aPhone, "asks for a challenge, which the chip has to sign", "", "the server's challenge makes an old or copied answer worthless (ICAO Doc 9303-11 §6.1)",
		message(aService, aPhone, "challenge", challenge))
	tap, err := j.Read(j.c.Chip, challenge, j.c.PIN, true)
	if err != nil {
		return err
	}
	opens := ""
	if j.Access.CAN != "" {
		opens = "PACE with the number on the card opens it, all that follows goes through secure messaging (ICAO Doc 9303-11 §4.4, §9.8); "
	}
	s := j.step(aCitizen, "holds the card to the phone and enters the PIN", fmt.Sprintf("PIN: %v", tap.PIN),
		opens+"EF.SOD is signed by the country (passive authentication), the statement by this very chip (active authentication); the chip itself says that the PIN was verified")
	s.TookMS = float64(tap.Took.Microseconds()) / 1000
	for _, x := range tap.Log {
		s.Messages = append(s.Messages, message(aPhone, aChip, x.What, x.Command), message(aChip, aPhone, "answer", x.Response))
	}
	j.story.apdus = tap.Log
	d := j.Device(j.c.Citizen, 0)
	attestation, err := j.Attest(d, nonce)
	if err != nil {
		return err
	}
	evidence := world.Evidence(tap)
	sent := j.capturesFace(d, attestation)
	q := j.ByTap(j.c.Citizen, "issue", challenge, evidence, sent)
	return j.issued(d, q, message(aPhone, aService, "evidence: EF.SOD, DG1, DG2, DG13, DG15, template, statement", asJSON(evidence)), attestation, sent)
}

// visit is the issue at a centre.
func (j *journey) visit() error {
	a := j.ask(j.c, j.MakeOffer(j.c.Citizen, world.ClerkOf(j.centre), "code", j.c.Home))
	if !a.Granted() {
		return fmt.Errorf("the clerk can make no code: %s", a)
	}
	j.step(aClerk, "checks the citizen and the plastic card, and shows a one-time QR code", a.String(),
		fmt.Sprintf("the region is open (E1), 17 or over with a card in force (E2), a centre of one's own municipality (E3); the code is good once and for %s (E4)", j.Policy.OfferLifetime),
		message(aClerk, aPhone, "one-time code", []byte(a.Offer.Code)))
	j.Clock.Set(j.Clock.Now().Add(25 * time.Second))
	d := j.Device(j.c.Citizen, 0)
	attestation, err := j.Attest(d, a.Offer.Code)
	if err != nil {
		return err
	}
	sent := j.capturesFace(d, attestation)
	q := j.ByOffer(j.c.Citizen, "issue", a.Offer.Code, j.c.Home, sent)
	return j.issued(d, q, message(aPhone, aService, "one-time code", []byte(a.Offer.Code)), attestation, sent)
}

func (j *journey) capturesFace(d *world.Device, attestation string) world.Shown {
	const score = 0.61
	return world.Shown{Device: d, Attestation: attestation, Score: score, Probe: j.Capture(j.c.Citizen, score)}
}

func (j *journey) issued(d *world.Device, q world.Request, evidence Message, attestation string, sent world.Shown) error {
	a := j.ask(j.c, q)
	s := j.step(aPhone, "applies: evidence, attested keys, a capture of the face", a.String(),
		fmt.Sprintf("lifecycle.Admission, judged in the commit (S8); the face must reach %g (E5); keys live in the secure element (OpenID4VCI 1.0 appendix D.1)", j.Scenario.Face.Threshold),
		evidence, message(aPhone, aService, "key attestation (JWT)", []byte(attestation)),
		message(aPhone, aService, fmt.Sprintf("face capture, score %.4f", sent.Score), sent.Probe.Bytes()))
	if !a.Granted() {
		return fmt.Errorf("the mobile card is not issued: %s", a)
	}
	for i, signed := range a.Issued.Copies {
		s.Messages = append(s.Messages, message(aService, aPhone, fmt.Sprintf("copy %d of the mobile card (IssuerSigned, ISO/IEC 18013-5 §9.1.2), status index %d", i+1, a.Issued.Indices[i].Index), signed))
	}
	return j.Accept(j.c.Citizen, d, a.Issued)
}

func (j *journey) publishList(why string) error {
	j.Current = nil
	lists, err := j.Publish(j.ctx)
	if err != nil {
		return err
	}
	var messages []Message
	for _, l := range lists {
		messages = append(messages, message(aService, "everybody", "status list (JWT)", l.JWT), message(aService, "everybody", "status list (CWT)", l.CWT))
	}
	j.story.keepLists(lists)
	j.step(aService, fmt.Sprintf("publishes the status list as of change %d: %s", lists[0].RegisterSeq, why), "",
		"Token Status List, two bits an entry; a list equals the register at the number it states (S11)", messages...)
	return nil
}

// theBank asks online, or goes by the list it has.
var theBank = world.Verifier("bank", 1)

var bankWants = []string{"family_name", "given_name", "birth_date", "document_number", "portrait"}

func (j *journey) fetchAtBank() error {
	if j.bank == nil {
		place := -1
		for i, p := range j.Scenario.Demand.Places {
			if p.Check == "cached" && (place < 0 || p.Name == "bank") {
				place = i
			}
		}
		if place < 0 {
			return errors.New("the scenario has no verifier with a cached list (demand.places)")
		}
		v, err := j.NewOffline(place, 1, j.Scenario.StatusLists.Expired)
		if err != nil {
			return err
		}
		j.bank = v
	}
	if err := j.Fetch(j.bank, j.Current); err != nil {
		return err
	}
	j.step(aBank, "fetches the status list", "", fmt.Sprintf("it may go by it for %s; past that it refuses (S4)", j.bank.TTL))
	return nil
}

func (j *journey) show(what string, want lifecycle.Verdict) error {
	d := j.Device(j.c.Citizen, 0)
	s, err := j.ShowOnline(j.ctx, j.c.Citizen, d, theBank, "bank", bankWants, true)
	if err != nil {
		return err
	}
	j.step(aCitizen, what, s.Outcome,
		"the phone signs over this very session (ISO/IEC 18013-5 §9.1.3, OpenID4VP 1.0 B.2.6); an online answer that begins after an acknowledged report never accepts (S3)",
		append(shownMessages(s), message(aBank, aService, "the same DeviceResponse", s.Response), message(aService, aBank, "verdict", []byte(s.Outcome)))...)
	j.story.keepPresentation(s)
	return expect(what, want.String(), s.Outcome)
}

func shownMessages(s world.Session) []Message {
	return []Message{message(aPhone, aBank, "session transcript", s.Transaction.Transcript()),
		message(aPhone, aBank, "DeviceResponse: "+strings.Join(bankWants, ", "), s.Response)}
}

func (j *journey) showAtBank(what string, want lifecycle.Verdict) error {
	s, err := j.ShowCached(j.c.Citizen, j.Device(j.c.Citizen, 0), j.bank, bankWants, true)
	if err != nil {
		return err
	}
	j.step(aCitizen, what, s.Outcome, "a cached list may be behind by publish interval, ttl and allowance, no more (S4)", shownMessages(s)...)
	return expect(what, want.String(), s.Outcome)
}

func (j *journey) lose() (seq uint64, err error) {
	a := j.ask(j.c, j.Report(j.c.Citizen, world.CallCentre, "lost", lifecycle.PhysicalLost, "the plastic card is lost", j.Clock.Now().Add(-2*time.Minute)))
	j.Receipt(j.c.Citizen, a, j.Stamp())
	j.step(anOperator, "takes the call: the plastic card is lost", fmt.Sprintf("%s, change %d: now %s", a, a.Sequence, a.State),
		"a lost plastic card suspends both cards in one commit (lifecycle.Reach, S1); acknowledged means durable (S5)",
		message(anOperator, aService, "report", []byte("physical-lost")))
	return a.Sequence, expect("report", lifecycle.Granted.String(), a.String())
}

func (j *journey) release(by register.By, who, what string, names uint64, want lifecycle.Reason) error {
	a := j.ask(j.c, j.Release(j.c.Citizen, by, "found by "+by.Role.String(), lifecycle.PhysicalLost, names, ""))
	outcome := a.String()
	if a.Granted() {
		j.Receipt(j.c.Citizen, a, j.Stamp())
		outcome = fmt.Sprintf("%s, change %d: now %s", a, a.Sequence, a.State)
	}
	j.step(who, what, outcome, "only a release of the same cause, by a role that may, naming the newest report (lifecycle.Authority, S6, S9)",
		message(who, aService, "release", []byte(fmt.Sprintf("physical-lost, report %d", names))))
	return expect(what, want.String(), a.String())
}

func expect(what, want, got string) error {
	if want != got {
		return fmt.Errorf("%s: %s, and it should be %s", what, got, want)
	}
	return nil
}

// readStatus reads the presented copy's entry from the list as published.
func (j *journey) readStatus() error {
	t, err := statuslist.ParseJWT(j.Current[0].JWT, j.Readers, j.Clock.Now())
	if err != nil {
		return err
	}
	v, err := t.List.Get(j.story.StatusIndex)
	j.story.StatusValue = uint8(v)
	return err
}

// judge has the oracle judge the life.
func (j *journey) judge() error {
	var export bytes.Buffer
	if err := j.Front.Export(j.ctx, &export); err != nil {
		return err
	}
	j.History.Audit = export.Bytes()
	v := oracle.Judge(&j.History, oracle.Options{})
	for _, f := range v.Findings {
		return fmt.Errorf("the oracle finds that %s is violated: %s", f.Property, f.Sentence)
	}
	j.story.Judged = map[oracle.Property]int{}
	for _, p := range oracle.Properties {
		j.story.Judged[p] = v.ByProperty[p].Opportunities
	}
	return nil
}

// journeyFile is one of the files of a journey.
type journeyFile struct {
	name string
	data []byte
}

func (s *Story) keep(name string, data []byte) {
	for i := range s.files {
		if s.files[i].name == name {
			s.files[i].data = data
			return
		}
	}
	s.files = append(s.files, journeyFile{name, data})
}

func (s *Story) keepLists(lists []suspension.Published) {
	s.keep("status_list.jwt", lists[0].JWT)
	s.keep("status_list.cwt", lists[0].CWT)
}

func (s *Story) keepPresentation(p world.Session) {
	s.keep("device_response.cbor", p.Response)
	s.keep("session_transcript.cbor", p.Transaction.Transcript())
	s.StatusList, s.StatusIndex = p.Ref.URI, p.Ref.Index
}

// render makes the files that people and readers want. journey.json comes last.
func (s *Story) render(w *world.World) error {
	certificate := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }
	s.keep("iaca.pem", certificate(w.IACA.Certificate()))
	s.keep("ds.pem", certificate(w.DS))
	log := "# No card was tapped: the mobile card was issued at a centre, by QR code.\n"
	if len(s.apdus) > 0 {
		var b strings.Builder
		for _, x := range s.apdus {
			b.WriteString(x.String() + "\n")
		}
		log = b.String()
	}
	s.keep("apdu.log", []byte(log))
	s.keep("journey.md", s.markdown())
	encoded, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	s.keep("journey.json", append(encoded, '\n'))
	return nil
}
