package oracle

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// world is a correct service with its surroundings, in a few lines of its own:
// it makes the histories on which the judge must be silent, and in which the
// tests plant what is wrong.
type world struct {
	h      *History
	now    time.Time
	rec    Recorder
	people map[string]*person
	held   []*held // every credential ever issued
	seq    uint64
	log    []AuditEntry
	index  uint64
	keys   int
	uri    string

	published uint64          // the number at which the latest list stands
	answer    map[string]Call // by key
	copies    map[string][]Copy
	used      map[string]bool // offers
}

type person struct {
	document        string
	physical, admin uint64 // sequence of the newest report in force
	wallets         map[string]uint64
	cred            *held
	removed         bool
}

type held struct {
	citizen, wallet string
	copies          []Copy
	until           time.Time
	ended           bool
}

var day0 = time.Date(2025, 3, 10, 9, 0, 0, 0, time.UTC)

func newWorld() *world {
	return &world{
		now: day0, people: map[string]*person{}, uri: "https://status.example/lists/0",
		answer: map[string]Call{}, copies: map[string][]Copy{}, used: map[string]bool{},
		h: &History{Policy: Policy{
			Opens:         map[string]time.Time{"open": day0.AddDate(0, 0, -10), "later": day0.Add(4 * time.Hour)},
			AnyCentreFrom: day0.AddDate(0, 0, 18),
			MinimumAge:    17, OfferLifetime: 90 * time.Second, FaceThreshold: 0.5,
			PublishInterval: 5 * time.Minute, Allowance: time.Minute,
			TTL: map[string]time.Duration{"bank": time.Hour},
		}},
	}
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// stamp lets a millisecond pass and returns the moment.
func (w *world) stamp() Stamp {
	w.pass(time.Millisecond)
	return w.rec.Stamp(w.now)
}

func (w *world) citizens(names ...string) {
	for _, c := range names {
		w.h.Residents = append(w.h.Residents, Resident{Citizen: c, Municipality: "open", Document: "M" + c + "-1"})
		w.people[c] = &person{document: "M" + c + "-1", wallets: map[string]uint64{}}
		w.enter(ResidentRegistered, c, Call{Actor: "registrar", Role: "registrar"}, AuditEntry{Card: "M" + c + "-1"})
	}
}

func (w *world) key() string {
	w.keys++
	return fmt.Sprintf("key-%d", w.keys)
}

func (w *world) enter(event, citizen string, by Call, e AuditEntry) uint64 {
	w.seq++
	e.Sequence, e.At, e.Event, e.Actor, e.Role = w.seq, w.now, event, by.Actor, by.Role
	e.Person, _ = strconv.ParseUint(citizen, 10, 64)
	if e.Reason == "" {
		e.Reason = "by request"
	}
	w.log = append(w.log, e)
	return w.seq
}

// call runs one request: sent, decided, answered.
func (w *world) call(c *Call, decide func()) {
	if c.Key == "" {
		c.Key = w.key()
	}
	if c.Role == "" {
		c.Role = "citizen"
	}
	c.Actor = c.Role + " " + c.Citizen
	c.Begin = w.stamp()
	w.pass(time.Millisecond)
	decide()
	c.End = w.stamp()
}

// once gives a repeated key its old answer.
func (w *world) once(c *Call, decide func() (reason string, seq uint64)) {
	if old, ok := w.answer[c.Key]; ok {
		c.Granted, c.Reason, c.Sequence = old.Granted, old.Reason, old.Sequence
		return
	}
	c.Reason, c.Sequence = decide()
	c.Granted = c.Sequence != 0
	w.answer[c.Key] = *c
}

func (w *world) decideReport(r *Report) {
	w.once(&r.Call, func() (string, uint64) {
		p := w.people[r.Citizen]
		e := AuditEntry{Cause: string(r.Cause)}
		if p.removed {
			return "no-longer-resident", 0
		}
		switch r.Cause {
		case PhysicalLost:
			if p.document == "" {
				return "nothing-to-suspend", 0
			}
			e.Subject = p.document
			p.physical = w.enter(ReportPhysicalLost, r.Citizen, r.Call, e)
			return "", p.physical
		case MobileLost:
			if p.cred == nil {
				return "nothing-to-suspend", 0
			}
			e.Subject = p.cred.wallet
			p.wallets[p.cred.wallet] = w.enter(ReportMobileLost, r.Citizen, r.Call, e)
			return "", p.wallets[p.cred.wallet]
		}
		p.admin = w.enter(SuspendAdministrative, r.Citizen, r.Call, e)
		return "", p.admin
	})
}

func (w *world) decideRelease(r *Release) {
	w.once(&r.Call, func() (string, uint64) {
		p := w.people[r.Citizen]
		var at *uint64
		wallet := r.Wallet
		if wallet == "" && p.cred != nil {
			wallet = p.cred.wallet
		}
		lost := p.wallets[wallet]
		switch r.Cause {
		case PhysicalLost:
			at = &p.physical
		case MobileLost:
			at = &lost
		default:
			at = &p.admin
		}
		switch {
		case r.Role == "call-centre", r.Cause == Administrative && r.Role != "registrar":
			return "not-authorised", 0
		case p.removed:
			return "no-longer-resident", 0
		case *at == 0:
			return "nothing-to-release", 0
		case r.Names != 0 && r.Names < *at:
			return ReasonOlder, 0
		}
		*at = 0
		if r.Cause == MobileLost {
			delete(p.wallets, wallet)
		}
		return "", w.enter(releaseEvent[r.Cause], r.Citizen, r.Call, AuditEntry{Cause: string(r.Cause)})
	})
}

func (w *world) decideRegistration(r *Registration) {
	w.once(&r.Call, func() (string, uint64) {
		p := w.people[r.Citizen]
		if p.removed {
			return "no-longer-resident", 0
		}
		p.document, p.physical = r.Document, 0
		if p.cred != nil {
			p.cred.ended, p.cred = true, nil
		}
		return "", w.enter(CardIssued, r.Citizen, r.Call, AuditEntry{Card: r.Document})
	})
}

func (w *world) decideRemoval(e *Ending) {
	w.once(&e.Call, func() (string, uint64) {
		p := w.people[e.Citizen]
		if p.removed {
			return "no-longer-resident", 0
		}
		if p.cred != nil {
			p.cred.ended, p.cred = true, nil
		}
		p.physical, p.admin, p.removed = 0, 0, true
		return "", w.enter(PersonRemoved, e.Citizen, e.Call, AuditEntry{})
	})
}

func (w *world) refuses(a *Application) string {
	p, policy := w.people[a.Citizen], &w.h.Policy
	opens, ever := policy.Opens[a.Municipality]
	switch {
	case p.removed:
		return "no-longer-resident"
	case !ever || w.now.Before(opens):
		return "not-open-yet"
	case a.Age < policy.MinimumAge:
		return "too-young"
	case p.document == "" || a.Document != p.document:
		return "no-plastic-card"
	case p.physical != 0:
		return "card-suspended"
	case p.admin != 0:
		return "person-suspended"
	case a.Channel == Centre && a.Centre != a.Municipality && w.now.Before(policy.AnyCentreFrom):
		return "wrong-centre"
	case p.wallets[a.Wallet] != 0:
		return "wallet-reported-lost"
	case a.NoFace || a.FaceScore < policy.FaceThreshold:
		return "face-not-matched"
	}
	if a.Channel == Centre {
		for i := range w.h.Offers {
			if o := &w.h.Offers[i]; o.ID == a.Offer && w.now.Sub(o.Begin.At) > policy.OfferLifetime {
				return "offer-expired"
			}
		}
		if w.used[a.Offer] {
			return "offer-used"
		}
	}
	return ""
}

func (w *world) decideApplication(a *Application, refuses string) {
	w.once(&a.Call, func() (string, uint64) {
		if refuses != "" {
			return refuses, 0
		}
		p := w.people[a.Citizen]
		if p.cred != nil {
			p.cred.ended = true
		}
		p.cred = &held{citizen: a.Citizen, wallet: a.Wallet, until: w.now.AddDate(3, 0, 0)}
		for range 2 {
			w.index += 7
			p.cred.copies = append(p.cred.copies, Copy{Status: StatusRef{w.uri, w.index}, From: w.now, Until: p.cred.until})
		}
		w.held = append(w.held, p.cred)
		w.copies[a.Key] = p.cred.copies
		w.used[a.Offer] = true
		e := AuditEntry{Wallet: a.Wallet, Card: p.document, Until: p.cred.until.Format(time.RFC3339)}
		for _, c := range p.cred.copies {
			e.Copies = append(e.Copies, AuditCopy{0, c.Status.Index})
		}
		return "", w.enter(CredentialIssued, a.Citizen, a.Call, e)
	})
	if a.Granted {
		a.Copies = w.copies[a.Key]
	}
}

func (w *world) report(r Report) *Report {
	w.call(&r.Call, func() { w.decideReport(&r) })
	w.h.Reports = append(w.h.Reports, r)
	return &w.h.Reports[len(w.h.Reports)-1]
}

func (w *world) lose(citizen string, cause Cause) *Report {
	role := "citizen"
	if cause == Administrative {
		role = "registrar"
	}
	return w.report(Report{Call: Call{Citizen: citizen, Role: role}, Cause: cause})
}

func (w *world) release(r Release) *Release {
	w.call(&r.Call, func() { w.decideRelease(&r) })
	w.h.Releases = append(w.h.Releases, r)
	return &w.h.Releases[len(w.h.Releases)-1]
}

func (w *world) find(citizen string, cause Cause) *Release {
	return w.release(Release{Call: Call{Citizen: citizen, Role: "registrar"}, Cause: cause})
}

func (w *world) reissue(citizen, document string) *Registration {
	r := Registration{Call: Call{Citizen: citizen, Role: "clerk"}, Document: document}
	w.call(&r.Call, func() { w.decideRegistration(&r) })
	w.h.Registrations = append(w.h.Registrations, r)
	return &w.h.Registrations[len(w.h.Registrations)-1]
}

func (w *world) remove(citizen string) *Ending {
	e := Ending{Call: Call{Citizen: citizen, Role: "registrar"}, Event: PersonRemoved}
	w.call(&e.Call, func() { w.decideRemoval(&e) })
	w.h.Endings = append(w.h.Endings, e)
	return &w.h.Endings[len(w.h.Endings)-1]
}

func (w *world) offer(citizen, centre string) string {
	o := Offer{Call: Call{Citizen: citizen, Role: "clerk"}, Centre: centre, ID: w.key()}
	w.call(&o.Call, func() { o.Granted = true })
	w.h.Offers = append(w.h.Offers, o)
	return o.ID
}

// tap is an application that nothing stands against.
func (w *world) tap(citizen, wallet string) Application {
	return Application{Call: Call{Citizen: citizen}, Channel: Tap, Municipality: "open", Age: 40,
		Wallet: wallet, Document: w.people[citizen].document, FaceScore: 0.8}
}

// apply decides by the rules, or against them if wrong.
func (w *world) apply(a Application, wrong bool) *Application {
	w.call(&a.Call, func() {
		refuses := w.refuses(&a)
		if wrong {
			refuses = ""
		}
		w.decideApplication(&a, refuses)
	})
	w.h.Applications = append(w.h.Applications, a)
	return &w.h.Applications[len(w.h.Applications)-1]
}

func (w *world) issue(citizen, wallet string) *held {
	w.apply(w.tap(citizen, wallet), false)
	return w.people[citizen].cred
}

// decideRenewal decides by the rules, or against them if wrong, and then gives copies of
// the card that the citizen had last.
func (w *world) decideRenewal(r *Renewal, wrong bool) {
	p := w.people[r.Citizen]
	card := p.cred
	switch {
	case card == nil || card.wallet != r.Wallet || !w.now.Before(card.until):
		r.Reason = ReasonNoCard
	case w.status(card) != Accepted:
		r.Reason = "card-suspended"
	}
	if r.Granted = r.Reason == "" || wrong; !r.Granted {
		return
	}
	r.Reason = ""
	for _, c := range w.held {
		if c.citizen == r.Citizen {
			card = c
		}
	}
	r.Copies = slices.Clone(card.copies)
}

// renew asks for fresh copies.
func (w *world) renew(citizen, wallet string, wrong bool) *Renewal {
	r := Renewal{Citizen: citizen, Wallet: wallet, Begin: w.stamp()}
	w.pass(time.Millisecond)
	w.decideRenewal(&r, wrong)
	r.End = w.stamp()
	w.h.Renewals = append(w.h.Renewals, r)
	return &w.h.Renewals[len(w.h.Renewals)-1]
}

// holders are citizens with a credential each.
func (w *world) holders(names ...string) []*held {
	w.citizens(names...)
	var out []*held
	for _, c := range names {
		out = append(out, w.issue(c, "phone-"+c))
	}
	return out
}

func (w *world) status(c *held) Outcome {
	p := w.people[c.citizen]
	switch {
	case c.ended:
		return NotValid
	case p.physical != 0 || p.admin != 0 || p.wallets[c.wallet] != 0:
		return Suspended
	case w.now.After(c.until):
		return Refused
	}
	return Accepted
}

func (w *world) plasticStatus(citizen, document string) Outcome {
	p := w.people[citizen]
	switch {
	case document != p.document, p.removed:
		return NotValid
	case p.physical != 0 || p.admin != 0:
		return Suspended
	}
	return Accepted
}

// show presents a mobile card online; the outcome is the right one, or o.
func (w *world) show(c *held, o ...Outcome) *Presentation {
	p := Presentation{Citizen: c.citizen, Kind: "office", Status: c.copies[0].Status, Entitled: true}
	p.Begin = w.stamp()
	w.pass(time.Millisecond)
	p.Outcome = w.status(c)
	if len(o) > 0 {
		p.Outcome = o[0]
	}
	p.End = w.stamp()
	w.h.Presentations = append(w.h.Presentations, p)
	return &w.h.Presentations[len(w.h.Presentations)-1]
}

func (w *world) showPlastic(citizen string, o ...Outcome) *Presentation {
	doc := w.people[citizen].document
	p := Presentation{Citizen: citizen, Kind: "office", Document: doc, Entitled: true, Outcome: w.plasticStatus(citizen, doc)}
	if len(o) > 0 {
		p.Outcome = o[0]
	}
	p.Begin, p.End = w.stamp(), w.stamp()
	w.h.Presentations = append(w.h.Presentations, p)
	return &w.h.Presentations[len(w.h.Presentations)-1]
}

func (w *world) inquire(citizen string) *Inquiry {
	q := Inquiry{Citizen: citizen, Begin: w.stamp()}
	p := w.people[citizen]
	q.Plastic, q.Mobile = w.plasticStatus(citizen, p.document), NotValid
	if p.cred != nil {
		q.Mobile = w.status(p.cred)
	}
	q.End = w.stamp()
	w.h.Inquiries = append(w.h.Inquiries, q)
	return &w.h.Inquiries[len(w.h.Inquiries)-1]
}

// publish returns the number of the list in the history.
func (w *world) publish() int { return w.publishBits(w.seq, w.bits(1<<10)) }

func (w *world) bits(size int) []byte {
	bits := make([]byte, size)
	for _, c := range w.held {
		v := map[Outcome]byte{NotValid: statusInvalid, Suspended: statusSuspended}[w.status(c)]
		for _, copy := range c.copies {
			setEntry(bits, copy.Status.Index, v)
		}
	}
	return bits
}

func (w *world) publishBits(seq uint64, bits []byte) int {
	w.h.Lists = append(w.h.Lists, PublishedList{Published: w.stamp(), Token: token(w.uri, w.now, seq, 2, bits)})
	return len(w.h.Lists) - 1
}

func token(uri string, at time.Time, seq uint64, size int, bits []byte) []byte {
	var z bytes.Buffer
	c := zlib.NewWriter(&z)
	c.Write(bits)
	c.Close()
	part := func(v any) string {
		b, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return []byte(part(map[string]any{"alg": "ES256", "typ": "statuslist+jwt"}) + "." + part(map[string]any{
		"sub": uri, "iat": at.Unix(), "ttl": 3600, "exp": at.Add(24 * time.Hour).Unix(), "register_seq": seq,
		"status_list": map[string]any{"bits": size, "lst": base64.RawURLEncoding.EncodeToString(z.Bytes())},
	}) + ".c2lnbmF0dXJl")
}

// showCached presents to a bank that goes by a list it fetched.
func (w *world) showCached(c *held, list int, fetched Stamp, o ...Outcome) *Presentation {
	p := Presentation{Citizen: c.citizen, Kind: "bank", Status: c.copies[0].Status, Entitled: true,
		Cached: &CachedCheck{List: list, Fetched: fetched}, Begin: w.stamp()}
	t, _ := parseToken(w.h.Lists[list].Token)
	l := listing{token: t}
	switch {
	case w.now.Sub(fetched.At) > time.Hour:
		p.Outcome = CannotTell
	case l.shows(p.Status) == statusSuspended:
		p.Outcome = Suspended
	case l.shows(p.Status) == statusInvalid:
		p.Outcome = NotValid
	case w.now.After(c.until):
		p.Outcome = Refused
	default:
		p.Outcome = Accepted
	}
	if len(o) > 0 {
		p.Outcome = o[0]
	}
	p.End = w.stamp()
	w.h.Presentations = append(w.h.Presentations, p)
	return &w.h.Presentations[len(w.h.Presentations)-1]
}

// crash lets the service go down and come back; restore what keep kept.
func (w *world) crash() {
	r := Restart{Down: w.stamp()}
	w.pass(time.Minute)
	r.Up = w.stamp()
	w.h.Restarts = append(w.h.Restarts, r)
}

// kept is the register as it was.
type kept struct {
	people map[string]person
	seq    uint64
	log    int
}

func (w *world) keep() kept {
	k := kept{map[string]person{}, w.seq, len(w.log)}
	for c, p := range w.people {
		q := *p
		q.wallets = map[string]uint64{}
		for x, y := range p.wallets {
			q.wallets[x] = y
		}
		k.people[c] = q
	}
	return k
}

func (w *world) restore(k kept) {
	for c, p := range k.people {
		q := p
		w.people[c] = &q
	}
	w.seq, w.log = k.seq, w.log[:k.log]
	clear(w.answer)
}

// history closes the log and returns all.
func (w *world) history() *History {
	w.h.Audit = export(w.log)
	return w.h
}

func export(log []AuditEntry) []byte {
	prev := make([]byte, sha256.Size)
	var out []byte
	for _, e := range log {
		body, _ := json.Marshal(e)
		sum := sha256.Sum256(append(slices.Clone(prev), body...))
		line, _ := json.Marshal(AuditLine{hex.EncodeToString(prev), hex.EncodeToString(sum[:]), body})
		out = append(append(out, line...), '\n')
		prev = sum[:]
	}
	return out
}

// or returns the wrong outcome if the history is to be wrong.
func or(wrong bool, o Outcome) []Outcome {
	if wrong {
		return []Outcome{o}
	}
	return nil
}
