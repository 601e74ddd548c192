package panel

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
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
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/reference/verification"
	"rollcall.example/rollcall/scenarios"
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

// clock is virtual time, in nanoseconds since 1970.
type clock struct{ at atomic.Int64 }

func (c *clock) Now() time.Time   { return time.Unix(0, c.at.Load()).In(scenarios.KST) }
func (c *clock) set(at time.Time) { c.at.Store(at.UnixNano()) }

// tally counts at the seams. One goroutine at a time uses it.
type tally struct {
	operations, issued, presentations, reports, releases int64
	apdus, made, verified, commits, lists                int64
}

// What the panel fixes for the service, where a scenario does not.
const (
	copies            = 3 // of a mobile card [A]
	challengeLifetime = 5 * time.Minute
	transaction       = 5 * time.Minute
	authority         = "행정안전부"
	listBase          = "https://status.rollcall.example/lists/"
	// before the start lie the making of keys and the registration of residents.
	before = 30 * 24 * time.Hour
	// documentSigner is the longest life of the signer's certificate (ISO/IEC
	// 18013-5 Table B.3).
	documentSigner = 457 * 24 * time.Hour
)

// world is the ID service with all that stands around it: authorities, card
// plant, phone maker, clock.
type world struct {
	scenario *scenarios.Scenario
	source   rng.Source
	policy   lifecycle.Policy
	faces    face.Matcher
	clock    clock
	n        tally

	iaca       *mdoc.IACA
	ds, status []byte // certificates, DER
	dsSigner   mdoc.Signer
	listSigner mdoc.Signer
	anchors    *mdoc.TrustAnchors // the service's
	readers    *mdoc.TrustAnchors // the verifiers'
	kit        *iccard.IssuerKit
	cards      *card.Verifier
	maker      *phone.Maker
	makers     *issuance.Makers
	portraits  [][]byte
	seen       [2]map[ref]bool // mobile cards whose issuer's signature was verified: by the service, by verifiers

	dir      string
	listSize uint64
	validity time.Duration // of a status list
	ttl      time.Duration
	wrap     func(store.Store) store.Store // tests plant faults here
	opened   uint32
	db       *sqlite.DB
	svc      *service.Service
	batches  uint64
}

// ref is a place in a status list.
type ref struct {
	uri   string
	index uint64
}

const portraitsKept = 32

// newWorld makes everything but the register.
func newWorld(s *scenarios.Scenario, policy lifecycle.Policy, dir string, entries int) (*world, error) {
	w := &world{scenario: s, source: rng.New(s.Seed), policy: policy, dir: dir,
		faces: face.Matcher{Threshold: s.Face.Threshold}, seen: [2]map[ref]bool{{}, {}}}
	founded := s.Start.Add(-before)
	if s.End.Sub(founded) > documentSigner {
		return nil, fmt.Errorf("the scenario lasts until %s: the certificate of the document signer ends %d days after %s, and no signer follows yet",
			s.End.Format(time.DateOnly), int(documentSigner.Hours()/24), founded.Format(time.DateOnly))
	}
	w.clock.set(founded)
	w.measureLists(entries)
	return w, w.found(founded)
}

// measureLists chooses what the service needs to know of its status lists: they
// are valid long enough for the slowest verifier, and have four places for each
// copy that may be issued, so that all stand in one.
func (w *world) measureLists(entries int) {
	s := w.scenario
	longest := time.Hour
	for _, p := range s.Demand.Places {
		longest = max(longest, p.TTL, p.Refresh)
	}
	w.ttl = longest
	reach := 2*longest + s.StatusLists.PublishInterval + 24*time.Hour
	for _, f := range s.Faults {
		reach += f.For
	}
	w.validity = (2 * reach).Round(time.Hour)
	for w.listSize = 1 << 12; w.listSize < uint64(4*entries); w.listSize *= 2 {
	}
}

// key draws a signing key of the service.
func (w *world) key(name string) (*ecdsa.PrivateKey, error) {
	h := sha256.New()
	h.Write([]byte(name))
	if _, err := io.CopyN(h, w.source.Stream(0, population.ForService, seedKeys), 32); err != nil {
		return nil, err
	}
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), h.Sum(nil))
}

func (w *world) seed(name string) []byte {
	h := sha256.New()
	h.Write([]byte(name))
	_, _ = io.CopyN(h, w.source.Stream(0, population.ForService, seedKeys), 32) // a Stream never fails
	return h.Sum(nil)
}

func (w *world) found(from time.Time) error {
	spec := func(name string, days int) mdoc.CertificateSpec {
		return mdoc.CertificateSpec{Serial: w.seed("serial of " + name)[:16], CommonName: name, NotBefore: from, NotAfter: from.AddDate(0, 0, days)}
	}
	var keys [3]*ecdsa.PrivateKey
	var err error
	for i, name := range []string{"iaca", "document signer", "status signer"} {
		if keys[i], err = w.key(name); err != nil {
			return err
		}
	}
	if w.iaca, err = mdoc.NewIACA(keys[0], mdoc.IACASpec{
		CertificateSpec: spec("Rollcall IACA", 15*365), Country: "KR",
		Contact: "https://rollcall.example/contact", CRL: "https://rollcall.example/iaca.crl",
	}); err != nil {
		return err
	}
	if w.ds, err = mdoc.NewDocumentSigner(w.iaca, &keys[1].PublicKey, spec("Rollcall Document Signer", 457)); err != nil {
		return err
	}
	if w.status, err = mdoc.NewStatusSigner(w.iaca, &keys[2].PublicKey, spec("Rollcall Status List Signer", 457)); err != nil {
		return err
	}
	ds, err := mdoc.NewKeySigner(keys[1], w.ds)
	if err != nil {
		return err
	}
	list, err := mdoc.NewKeySigner(keys[2], w.status)
	if err != nil {
		return err
	}
	w.dsSigner, w.listSigner = countedSigner{ds, &w.n}, countedSigner{list, &w.n}
	if w.anchors, err = mdoc.NewTrustAnchors(w.iaca.Certificate()); err != nil {
		return err
	}
	if w.readers, err = mdoc.NewTrustAnchors(w.iaca.Certificate()); err != nil {
		return err
	}
	if w.kit, err = iccard.NewIssuerKit(w.seed("card plant"), from); err != nil {
		return err
	}
	if w.cards, err = card.NewVerifier(w.kit.CountryCA); err != nil {
		return err
	}
	if w.maker, err = phone.NewMaker("Phones of the Panel", w.seed("phone maker"), from); err != nil {
		return err
	}
	if w.makers, err = issuance.NewMakers(w.maker.Root); err != nil {
		return err
	}
	random := w.source.Stream(0, population.ForDevice, ofTemplate)
	for range portraitsKept {
		w.portraits = append(w.portraits, camera.Portrait(random))
	}
	return nil
}

// path names the register's file; after a drop it is another one.
func (w *world) path() string { return filepath.Join(w.dir, fmt.Sprintf("register-%d.db", w.opened)) }

// open opens the register at path() and puts the service on it.
func (w *world) open(ctx context.Context) error {
	db, err := sqlite.Open(w.path(), sqlite.Options{Readers: 2})
	if err != nil {
		return err
	}
	if err := w.checkPragmas(db); err != nil {
		return errors.Join(err, db.Close())
	}
	var st store.Store = db
	if w.wrap != nil {
		st = w.wrap(st)
	}
	svc, err := service.New(ctx, service.Config{
		Store: &countedStore{st, &w.n}, Now: w.clock.Now, Random: w.source.Stream(0, population.ForService, seedRandom+w.opened),
		Policy: &w.policy, Civil: scenarios.KST, Cards: countedCards{w.cards, &w.n}, Faces: w.faces, Phones: w.makers,
		DocumentSigner: w.dsSigner, StatusSigner: w.listSigner, Anchors: w.anchors, Authority: authority,
		Copies: copies, ChallengeLifetime: challengeLifetime, Transaction: transaction, NonceKey: [32]byte(w.seed("nonces")),
		Lists: register.Lists{Base: listBase, Size: w.listSize}, TTL: w.ttl, Validity: w.validity,
	})
	if err != nil {
		return errors.Join(err, db.Close())
	}
	w.db, w.svc = db, svc
	return nil
}

// checkPragmas sees to it that every connection syncs its commits.
func (w *world) checkPragmas(db *sqlite.DB) error {
	pragmas, err := db.Pragmas()
	if err != nil {
		return err
	}
	for _, p := range pragmas {
		if p.Synchronous != sqlite.Full || p.JournalMode != "wal" {
			return fmt.Errorf("a connection to %s does not sync its commits: %+v", w.path(), p)
		}
	}
	return nil
}

// close closes the register.
func (w *world) close() error {
	if w.db == nil {
		return nil
	}
	w.batches += w.db.Stats().Batches
	err := w.db.Close()
	w.db = nil
	return err
}

// stream is the randomness of one kind of a citizen's things.
func (w *world) stream(citizen uint32, kind, n uint32) *rng.Stream {
	return w.source.Stream(citizen, population.ForDevice, kind|n)
}

// enrol takes a citizen's n-th photo for the record.
func (w *world) enrol(citizen uint32, n uint32) camera.Template {
	random := w.stream(citizen, ofTemplate, n)
	f := &w.scenario.Face
	return camera.Model{Dimension: f.Dimension}.Identity(random).Enrol(f.Live, random)
}

func (w *world) portrait(citizen, n uint32) []byte {
	return w.portraits[(uint64(citizen)*7+uint64(n))%portraitsKept]
}

// verifier names who checks: one of the scenario's places.
func verifier(kind string, number int32) verification.Verifier {
	name := fmt.Sprintf("%s-%d.example", kind, number)
	thumbprint := sha256.Sum256([]byte(name))
	return verification.Verifier{ClientID: "x509_san_dns:" + name, ResponseURI: "https://" + name + "/response", Thumbprint: thumbprint[:]}
}

// countedSigner counts signatures made.
type countedSigner struct {
	mdoc.Signer
	n *tally
}

func (s countedSigner) Sign(digest []byte) ([]byte, error) {
	s.n.made++
	return s.Signer.Sign(digest)
}

// countedCards counts signatures verified: security object and statement.
type countedCards struct {
	*card.Verifier
	n *tally
}

func (c countedCards) Verify(e card.Evidence, challenge []byte, at time.Time) (card.Card, error) {
	read, err := c.Verifier.Verify(e, challenge, at)
	switch {
	case err == nil, errors.Is(err, card.ErrNotTheChip):
		c.n.verified += 2
	case errors.Is(err, card.ErrChanged):
		c.n.verified++
	}
	return read, err
}

// countedStore counts commits, and holds requests in flight when the service is
// dropped.
type countedStore struct {
	store.Store
	n *tally
}

type contextKey int

const (
	inFlight  contextKey = iota // a *flight
	uncounted                   // any
)

func (s *countedStore) Update(ctx context.Context, f func(store.Tx) error) error {
	if fl, ok := ctx.Value(inFlight).(*flight); ok {
		return fl.update(ctx, s, f)
	}
	err := s.Store.Update(ctx, f)
	if err == nil && ctx.Value(uncounted) == nil {
		s.n.commits++
	}
	return err
}

// countedCard counts what a chip does. It is what lies in the field.
type countedCard struct {
	*iccard.Card
	n *tally
}

const internalAuthenticate = 0x88

func (c countedCard) Transmit(command []byte) []byte {
	answer := c.Card.Transmit(command)
	if answer != nil {
		c.n.apdus++
		if k := len(answer); len(command) > 1 && command[1] == internalAuthenticate && binary.BigEndian.Uint16(answer[k-2:]) == 0x9000 {
			c.n.made++
		}
	}
	return answer
}
