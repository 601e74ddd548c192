package world

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"rollcall.example/rollcall/hwemu/camera"
	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/oracle"
	"rollcall.example/rollcall/sim/population"
	"rollcall.example/rollcall/sim/rng"
)

// Occurrences of population.ForService (subject 0). Each time the service is
// opened it has randomness of its own, from seedRandom on.
const (
	seedKeys uint32 = iota
	seedRandom
)

// Kinds of draws of population.ForDevice (subject: the citizen); the occurrence
// is the kind and a number.
const (
	kindShift = 16

	ofTemplate uint32 = iota << kindShift
	ofChip
	ofPhone
	ofCapture
	ofPIN
	ofTap
	ofVerifier
	ofFraud
)

// Clock is virtual time, in nanoseconds since 1970.
type Clock struct{ at atomic.Int64 }

// Now is the virtual time.
func (c *Clock) Now() time.Time { return time.Unix(0, c.at.Load()).In(scenarios.KST) }

// Set sets it.
func (c *Clock) Set(at time.Time) { c.at.Store(at.UnixNano()) }

// Counts is the work done, counted at the seams. One goroutine at a time uses it.
type Counts struct {
	Operations, Issued, Presentations, Reports, Releases int64
	APDUs, Made, Verified                                int64 // signatures made and verified
	Commits, Lists                                       int64
}

// What a world fixes for the service, where a scenario does not.
const (
	Copies            = 3 // of a mobile card [A]
	ChallengeLifetime = 5 * time.Minute
	transaction       = 5 * time.Minute
	authority         = "행정안전부"
	listBase          = "https://status.rollcall.example/lists/"
	// before the start lie the making of keys and the registration of residents.
	before = 30 * 24 * time.Hour
	// documentSigner is the longest life of the signer's certificate (ISO/IEC
	// 18013-5 Table B.3).
	documentSigner = 457 * 24 * time.Hour
)

// World is the service with its surroundings, and what was seen of it. Not for
// concurrent use, but for the clock.
type World struct {
	// Access protects the cards that are printed and is how phones open them. Zero:
	// cards are read in the clear.
	Access phone.Access

	Scenario *scenarios.Scenario
	Source   rng.Source
	Policy   lifecycle.Policy // what the service is told
	Clock    Clock
	N        Counts
	*Authorities

	// Seam stands between the service and its store, if it is set before Open.
	Seam func(store.Store) store.Store
	// Plant puts a wrong service in the place of the real one, if it is set
	// before Open: tests show with it that what is wrong is found.
	Plant Plant

	Service *service.Service
	Front   Front // how people reach it
	DB      *sqlite.DB
	Opened  uint32 // how often the register was opened anew at another path

	// History is what an outside observer saw, but for the audit export.
	History oracle.History
	// Current are the lists as published now.
	Current []Listing
	// Dirty: something may have changed since they were.
	Dirty bool

	dir      string
	faces    face.Matcher
	listSize uint64
	validity time.Duration // of a status list
	ttl      time.Duration
	resign   time.Time // when the lists must be signed again at the latest
	recorder oracle.Recorder
	seen     [2]map[Ref]bool // mobile cards whose issuer's signature was verified: by the service, by verifiers
	batches  uint64
}

// Plant is where a wrong service differs from the real one. The zero value is
// the real one.
type Plant struct {
	Config   func(*service.Config)              // what it is told
	Store    func(store.Store) store.Store      // what it keeps
	Front    func(Front) Front                  // what it answers
	Verifier func(*verification.OfflineOptions) // what verifiers with cached lists are told
	// Checker is told what a verifier with cached lists is told as well.
	Checker func(Checker, verification.OfflineOptions) Checker // what they do
	// Crash is told the file of the register as a crash has left it, before it is
	// opened.
	Crash func(path string) error
}

// Ref is a place in a status list.
type Ref struct {
	URI   string
	Index uint64
}

// Status is the place as the oracle names it.
func (r Ref) Status() oracle.StatusRef { return oracle.StatusRef{URI: r.URI, Index: r.Index} }

// Authorities sign and are trusted: the issuing authority with its signers, the
// card plant and the country that signs for it, the maker of phones. They are
// never changed once made.
type Authorities struct {
	IACA       *mdoc.IACA
	DS, Status []byte             // certificates, DER
	Readers    *mdoc.TrustAnchors // the verifiers'
	anchors    *mdoc.TrustAnchors // the service's
	signers    [2]*mdoc.KeySigner // of documents, of lists
	kit        *iccard.IssuerKit
	cards      *card.Verifier
	listing    sync.Mutex
	listed     time.Time // when the country's newest list was made
	maker      *phone.Maker
	makers     *issuance.Makers
	portraits  [][]byte
	founded    time.Time
}

const portraitsKept = 32

// New makes everything but the register, which will be kept in dir and has room
// for so many copies of mobile cards.
func New(s *scenarios.Scenario, policy lifecycle.Policy, dir string, entries int) (*World, error) {
	a, err := Found(s)
	if err != nil {
		return nil, err
	}
	return NewWith(a, s, policy, dir, entries), nil
}

// NewWith is New with authorities that were founded before, for the same
// scenario or one that differs in its seed alone.
func NewWith(a *Authorities, s *scenarios.Scenario, policy lifecycle.Policy, dir string, entries int) *World {
	w := &World{Scenario: s, Source: rng.New(s.Seed), Policy: policy, Authorities: a, dir: dir,
		faces: face.Matcher{Threshold: s.Face.Threshold}, seen: [2]map[Ref]bool{{}, {}}}
	w.Clock.Set(a.founded)
	w.measureLists(entries)
	return w
}

// measureLists chooses what the service needs to know of its status lists: they
// are valid long enough for the slowest verifier, and have four places for each
// copy that may be issued, so that all stand in one.
func (w *World) measureLists(entries int) {
	s := w.Scenario
	longest := time.Hour
	for _, p := range s.Demand.Places {
		longest = max(longest, p.TTL, p.Refresh)
	}
	w.ttl = longest
	reach := 2*longest + s.StatusLists.PublishInterval + 24*time.Hour
	for _, f := range s.Faults {
		reach += f.Felt().Sub(f.At.Time)
	}
	w.validity = (2 * reach).Round(time.Hour)
	for w.listSize = 1 << 12; w.listSize < uint64(4*entries); w.listSize *= 2 {
	}
}

// secret draws 32 bytes that nobody else has.
func secret(source rng.Source, name string) []byte {
	h := sha256.New()
	h.Write([]byte(name))
	_, _ = io.CopyN(h, source.Stream(0, population.ForService, seedKeys), 32) // a Stream never fails
	return h.Sum(nil)
}

// Found makes the authorities of a scenario, some time before its start.
func Found(s *scenarios.Scenario) (*Authorities, error) {
	from := s.Start.Add(-before)
	if s.End.Sub(from) > documentSigner {
		return nil, fmt.Errorf("the scenario lasts until %s: the certificate of the document signer ends %d days after %s, and no signer follows yet",
			s.End.Format(time.DateOnly), int(documentSigner.Hours()/24), from.Format(time.DateOnly))
	}
	source := rng.New(s.Seed)
	a := &Authorities{founded: from}
	spec := func(name string, days int) mdoc.CertificateSpec {
		return mdoc.CertificateSpec{Serial: secret(source, "serial of "+name)[:16], CommonName: name, NotBefore: from, NotAfter: from.AddDate(0, 0, days)}
	}
	var keys [3]*ecdsa.PrivateKey
	var err error
	for i, name := range []string{"iaca", "document signer", "status signer"} {
		if keys[i], err = ecdsa.ParseRawPrivateKey(elliptic.P256(), secret(source, name)); err != nil {
			return nil, err
		}
	}
	if a.IACA, err = mdoc.NewIACA(keys[0], mdoc.IACASpec{
		CertificateSpec: spec("Rollcall IACA", 15*365), Country: "KR",
		Contact: "https://rollcall.example/contact", CRL: "https://rollcall.example/iaca.crl",
	}); err != nil {
		return nil, err
	}
	if a.DS, err = mdoc.NewDocumentSigner(a.IACA, &keys[1].PublicKey, spec("Rollcall Document Signer", 457)); err != nil {
		return nil, err
	}
	if a.Status, err = mdoc.NewStatusSigner(a.IACA, &keys[2].PublicKey, spec("Rollcall Status List Signer", 457)); err != nil {
		return nil, err
	}
	for i, certificate := range [][]byte{a.DS, a.Status} {
		if a.signers[i], err = mdoc.NewKeySigner(keys[1+i], certificate); err != nil {
			return nil, err
		}
	}
	if a.anchors, err = mdoc.NewTrustAnchors(a.IACA.Certificate()); err != nil {
		return nil, err
	}
	if a.Readers, err = mdoc.NewTrustAnchors(a.IACA.Certificate()); err != nil {
		return nil, err
	}
	if a.kit, err = iccard.NewIssuerKit(secret(source, "card plant"), from); err != nil {
		return nil, err
	}
	if a.cards, err = card.NewVerifier(a.kit.CountryCA); err != nil {
		return nil, err
	}
	a.cards.RequireLists()
	if a.maker, err = phone.NewMaker("Phones of the Panel", secret(source, "phone maker"), from); err != nil {
		return nil, err
	}
	if a.makers, err = issuance.NewMakers(a.maker.Root); err != nil {
		return nil, err
	}
	random := source.Stream(0, population.ForDevice, ofTemplate)
	for range portraitsKept {
		a.portraits = append(a.portraits, camera.Portrait(random))
	}
	return a, nil
}

// fetchList hands the service the country's list of revoked document signers, of which
// there is none, once a month.
func (a *Authorities) fetchList(at time.Time) error {
	const every = 30 * 24 * time.Hour
	made := at.Truncate(every)
	a.listing.Lock()
	defer a.listing.Unlock()
	if !made.After(a.listed) {
		return nil
	}
	list, err := a.kit.RevocationList(made)
	if err != nil {
		return err
	}
	a.listed = made
	_, err = a.cards.Revoked(list, at)
	return err
}

// Path names the register's file; when it was opened anew elsewhere it is
// another one.
func (w *World) Path() string { return PathIn(w.dir, w.Opened) }

// PathIn names the file of the register that was opened so many times.
func PathIn(dir string, opened uint32) string {
	return filepath.Join(dir, fmt.Sprintf("register-%d.db", opened))
}

// Open opens the register at Path and puts the service on it.
func (w *World) Open(ctx context.Context) error {
	db, err := sqlite.Open(w.Path(), sqlite.Options{Readers: 2})
	if err != nil {
		return err
	}
	if err := w.checkPragmas(db); err != nil {
		return errors.Join(err, db.Close())
	}
	nonces := [32]byte(secret(w.Source, "nonces"))
	seals, err := seal.NewKeys([32]byte(secret(w.Source, "seals")))
	if err != nil {
		return errors.Join(err, db.Close())
	}
	c := service.Config{
		Store: &countedStore{db, &w.N}, Now: w.Clock.Now, Random: w.Source.Stream(0, population.ForService, seedRandom+w.Opened),
		Policy: &w.Policy, Civil: scenarios.KST, Cards: countedCards{w.cards, w.Authorities, &w.N}, Faces: w.faces, Phones: w.makers,
		DocumentSigner: countedSigner{w.signers[0], &w.N}, StatusSigner: countedSigner{w.signers[1], &w.N}, Anchors: w.anchors, Authority: authority,
		Copies: Copies, ChallengeLifetime: ChallengeLifetime, Transaction: transaction, Nonces: func(time.Time) [32]byte { return nonces }, Seals: seals,
		Lists: register.Lists{Base: listBase, Size: w.listSize}, TTL: w.ttl, Validity: w.validity,
	}
	if w.Seam != nil {
		c.Store = w.Seam(c.Store)
	}
	if w.Plant.Store != nil {
		c.Store = w.Plant.Store(c.Store)
	}
	if w.Plant.Config != nil {
		w.Plant.Config(&c)
	}
	svc, err := service.New(ctx, c)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.DB, w.Service, w.Front = db, svc, reach(svc)
	if w.Plant.Front != nil {
		w.Front = w.Plant.Front(w.Front)
	}
	return nil
}

// checkPragmas sees to it that every connection syncs its commits.
func (w *World) checkPragmas(db *sqlite.DB) error {
	pragmas, err := db.Pragmas()
	if err != nil {
		return err
	}
	for _, p := range pragmas {
		if p.Synchronous != sqlite.Full || p.JournalMode != "wal" {
			return fmt.Errorf("a connection to %s does not sync its commits: %+v", w.Path(), p)
		}
	}
	return nil
}

// Close closes the register.
func (w *World) Close() error {
	if w.DB == nil {
		return nil
	}
	w.batches += w.DB.Stats().Batches
	err := w.DB.Close()
	w.DB = nil
	return err
}

// Batches is how many commits of the database there were, of all registers.
func (w *World) Batches() uint64 {
	if w.DB == nil {
		return w.batches
	}
	return w.batches + w.DB.Stats().Batches
}

// Validity is how long a signed status list is valid.
func (w *World) Validity() time.Duration { return w.validity }

// Stamp is the moment as the observer's clock shows it.
func (w *World) Stamp() oracle.Stamp { return w.recorder.Stamp(w.Clock.Now()) }

// OraclePolicy is what the oracle is told of a scenario: the scenario's own,
// whatever the service is told.
func OraclePolicy(s *scenarios.Scenario, p *lifecycle.Policy) oracle.Policy {
	out := oracle.Policy{
		Opens: p.Opens, AnyCentreFrom: p.AnyCentreFrom, MinimumAge: p.MinimumAge, OfferLifetime: p.OfferLifetime,
		FaceThreshold: s.Face.Threshold, PublishInterval: s.StatusLists.PublishInterval, Allowance: s.StatusLists.Allowance,
		TTL: map[string]time.Duration{},
	}
	for _, place := range s.Demand.Places {
		out.TTL[place.Name] = place.TTL
	}
	return out
}
