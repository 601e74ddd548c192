// Package store says what the ID service keeps, as an interface, and what it
// promises about it. It holds no rule of the country: those are in lifecycle,
// and package register applies them inside an Update.
//
// store/sqlite keeps a register in a file, for one process; store/postgres in a
// database, for several replicas at once. store/storetest holds the conformance
// suite that every implementation passes.
package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
)

var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("there is no such record in the register")
	// ErrTaken: a record with that key exists. Status indices, card numbers and
	// nonces are never given twice, so an Add finds out here.
	ErrTaken = errors.New("that key is taken in the register")
	// ErrFenced: the handle was fenced; what was asked was not acknowledged.
	// Whether it was committed is known only to whoever opens the database next:
	// ask again there with the same idempotency key.
	ErrFenced = errors.New("this register has been taken out of service: ask its successor, with the same idempotency key")
	// ErrClosed: the handle was closed.
	ErrClosed = errors.New("this register is closed")
	// ErrFull: there is no room for the transaction; nothing of it was written.
	ErrFull = errors.New("the register has no room left and wrote nothing: free space, then ask again with the same idempotency key")
	// ErrUnavailable: the database could not be reached, or did not answer in
	// time; nothing was written.
	ErrUnavailable = errors.New("the register's database is not available and nothing was written: ask again with the same idempotency key")
	// ErrUnknown: the database was lost, or the caller went away, while the
	// transaction was being committed.
	ErrUnknown = errors.New("it is not known whether the register has written this: ask again with the same idempotency key")
)

// Store is a register database.
type Store interface {
	// View runs f on one snapshot of the committed register. The snapshot holds
	// everything that any Update had acknowledged before View was called
	// (linearizable within one database), and nothing of an Update that is not
	// durable. f must not call the Store and must not keep the Reader.
	View(ctx context.Context, f func(Reader) error) error

	// Update runs f in a serializable transaction and returns nil only after
	// the transaction is committed and synced to stable storage: an Update that
	// has returned nil survives a crash of process or machine. If f returns an
	// error, nothing of f is written and Update returns that error. Any other
	// error means that f is not acknowledged; it is then not written, with the
	// exception of ErrFenced and ErrUnknown (see there).
	//
	// Updates of several callers may share one commit and one sync. Each runs
	// on the outcome of those before it, and the failure of one undoes that one
	// alone. f runs on another goroutine; it must not call the Store and must not
	// keep the Tx. Should the database undo what f did, f may run again, and only
	// its last run counts: what it leaves elsewhere must not depend on the others.
	Update(ctx context.Context, f func(Tx) error) error

	// Fence takes the handle out of service at once: when it has returned, no
	// Update can commit or be acknowledged on it any more, and no View answers.
	// Updates in flight return ErrFenced. It does not touch the files.
	Fence()

	// Ready says whether the register can be asked, and why not. It changes
	// nothing.
	Ready(ctx context.Context) error

	// Stats returns counters since the handle was opened.
	Stats() Stats

	// Close waits for Updates in flight and releases the files.
	Close() error
}

// Stats counts what a handle did. They depend on the wall clock and on the
// number of callers, so they never belong into a reproducible result, Commits
// excepted.
type Stats struct {
	Commits uint64 // Updates acknowledged
	Batches uint64 // commits of the database, each with one sync of its log
	Views   uint64
}

// Reader reads one snapshot of the register.
type Reader interface {
	Person(id PersonID) (Person, error)
	// PersonByRRN returns who was entered with a resident registration number
	// (AddRRN).
	PersonByRRN(rrn string) (PersonID, error)
	// SharedRRNs returns those who were entered with the number of somebody else, before
	// the register refused that, in order of their id, at most limit.
	SharedRRNs(limit int) ([]Shared, error)
	Card(number string) (Card, error)
	// Wallet returns what is known of a wallet as this person's. A wallet that
	// was never heard of is not an error: it is clean.
	Wallet(person PersonID, wallet string) (Wallet, error)
	Credential(id CredentialID) (Credential, error)
	// Due lists live credentials whose validity ends at or before the moment,
	// the earliest first, at most limit.
	Due(moment time.Time, limit int) ([]CredentialID, error)

	// Lists returns the status lists in order of their number.
	Lists() ([]List, error)
	// Entry returns what stands at an index of a status list.
	Entry(list uint32, index uint64) (Entry, error)
	// Free says whether nothing stands at any of these indices of a status list.
	Free(list uint32, indices []uint64) (bool, error)
	// EntriesOf returns the entries of one credential, in no particular order.
	EntriesOf(id CredentialID) ([]Entry, error)
	// NotPlainlyValid calls f for every entry of the list whose credential has
	// ended or is outdated, or whose person has a cause in force, in no
	// particular order.
	NotPlainlyValid(list uint32, f func(Entry) error) error

	Offer(hash []byte) (Offer, error)
	Challenge(value []byte) (Challenge, error)
	Ticket(kind string, key []byte) (Ticket, error)
	// Party returns a party that may call the service, ended ones too.
	Party(id string) (Party, error)
	// Parties returns all parties in order of their name.
	Parties() ([]Party, error)
	// Answer returns the stored answer to a request.
	Answer(scope, key string) (Answer, error)
	// NewestReport returns the latest report of a cause on a subject (a card
	// number, a wallet, or empty for administrative).
	NewestReport(person PersonID, cause lifecycle.Causes, subject string) (Report, error)
	// Reports returns all reports on a person, the oldest first.
	Reports(person PersonID) ([]Report, error)

	// Sequence is the number of the latest change of the register; 0 before the
	// first.
	Sequence() (uint64, error)
	// AuditHead returns the latest audit record; ErrNotFound before the first.
	AuditHead() (AuditRecord, error)
	// Audit calls f for the records with from <= sequence <= to, in order. The
	// byte slices are valid during the call only.
	Audit(from, to uint64, f func(AuditRecord) error) error
}

// Tx reads and writes. A read sees the writes before it.
type Tx interface {
	Reader
	PutPerson(Person) error
	// AddRRN notes whose a resident registration number is. ErrTaken: it was noted
	// before, whether or not the person still holds anything.
	AddRRN(rrn string, person PersonID) error
	// MoveRRN gives a number that is noted as one person's to another. ErrNotFound: it is not.
	MoveRRN(rrn string, from, to PersonID) error
	// FreeRRN forgets that a number is this person's: it can be noted as anybody's. If others
	// share it (SharedRRNs), it is noted as that of the lowest id among them. A number that is
	// somebody else's stays theirs, and the person shares it no longer.
	FreeRRN(rrn string, person PersonID) error
	AddCard(Card) error // ErrTaken: a number is never given twice
	PutCard(Card) error
	PutWallet(Wallet) error
	AddCredential(Credential) (CredentialID, error) // the ID field is ignored; ids ascend
	PutCredential(Credential) error
	// PutList opens a list, or changes how many of its places are given: its size and
	// its secret stay what they were.
	PutList(List) error
	// AddEntries puts a credential at indices of a list. ErrTaken: an index is never
	// reused; none of them is then given.
	AddEntries(list uint32, indices []uint64, id CredentialID) error
	AddOffer(Offer) error // ErrTaken
	PutOffer(Offer) error
	AddChallenge(Challenge) error
	PutChallenge(Challenge) error
	AddTicket(Ticket) error // ErrTaken
	PutTicket(Ticket) error // ErrNotFound
	PutParty(Party) error   // enters it, or changes it
	// UseNonce records that something was used that is good once; ErrTaken if it was
	// before. The moment, in milliseconds, is part of its name, so that what is used
	// at one time lies together: it must follow from the thing itself, for with
	// another moment the same hash is another nonce.
	UseNonce(hash []byte, expires time.Time) error
	// UseOnce is UseNonce for what does not say itself when it expires: its hash alone
	// is its name, and until is how long it is remembered at least. What it has
	// recorded is ErrTaken for UseNonce too, whatever the moment; not the other way
	// round.
	UseOnce(hash []byte, until time.Time) error
	PutAnswer(scope, key string, a Answer) error
	AddReport(Report) error
	// AppendAudit adds the next record; its Sequence must be Sequence()+1.
	AppendAudit(AuditRecord) error
	// Forget deletes nonces that expired before the moment, challenges, offers and
	// answers made before it, and tickets that were over by another moment; at most limit
	// of each kind.
	Forget(before, over time.Time, limit int) (int, error)
}

// PersonID is the resident's number, chosen by the registrar.
type PersonID uint64

// CredentialID numbers the mobile credentials in order of issue. It never
// leaves the service.
type CredentialID uint64

// Person is a resident.
type Person struct {
	ID           PersonID
	RRN          string // resident registration number, 13 digits
	FamilyName   string
	GivenName    string
	BirthDate    time.Time // midnight UTC of the civil date
	Sex          byte      // 'M', 'F'; 0 unknown
	Address      string
	Municipality string // five-digit code
	Centre       string // of the place of residence
	// State is the legal state by package lifecycle. It is the only place in
	// which causes in force are kept: plastic card and mobile credential cannot
	// disagree, and a cascade is one write.
	State lifecycle.State
	// Card is the number of the plastic card in force; set iff State has HasCard.
	Card string
	// Credential is the live mobile credential; set iff State has HasCredential.
	Credential CredentialID
	// Changed is the sequence number of the person's latest change.
	Changed uint64
}

// Shared is two residents with one registration number: one of both entries is wrong.
type Shared struct {
	Person PersonID // entered, or numbered, later
	First  PersonID // whose the number counts as
}

// Card is a plastic card, by document number. It is in force as long as its
// person's Card names it.
type Card struct {
	Number   string
	Person   PersonID
	Chip     bool   // an IC card: a phone can read it
	Template []byte // face template of the photo on record
	Portrait []byte // the photo, as it goes into a mobile credential
	Issued   time.Time
	Ended    uint64 // sequence number of the change that ended it; 0 in force
}

// Ticket is what a protocol keeps between two steps that may reach different
// replicas: a verifier's transaction, an issuance to be called for later. What
// the outside holds is a secret; here stands only its hash.
type Ticket struct {
	Kind    string // what it is for: each protocol has names of its own
	Key     []byte // TicketKey or TicketKeyAt of the secret
	Body    []byte // JSON
	Expires time.Time
}

// TicketKey is the key of the ticket that a secret opens.
func TicketKey(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// TicketKeyAt is TicketKey where whoever has the secret knows when the ticket expires:
// such tickets lie together in the order of their ends. The moment comes before the
// first 208 bits of the hash.
func TicketKeyAt(secret string, expires time.Time) []byte {
	moment := binary.BigEndian.AppendUint64(nil, uint64(expires.UnixMilli()))[2:]
	return append(moment, TicketKey(secret)[:32-len(moment)]...)
}

// Party is somebody other than a citizen who may call the service: a member of
// staff, a verifier, an administrator.
type Party struct {
	ID    string
	Role  string    // as package access names it
	Body  []byte    // JSON: what it is called, its keys, and what it may ask
	Ended time.Time // from then on it may do nothing; zero: in force
}

// Wallet is a phone's wallet as one person's.
type Wallet struct {
	ID     string
	Person PersonID
	// Lost is the sequence number of the report in force; 0: not reported. It
	// outlives the credential: who finds a phone again must release it before
	// it can hold a card (S6).
	Lost uint64
}

// Credential is one mobile credential: n copies in one wallet.
type Credential struct {
	ID     CredentialID
	Person PersonID
	Card   string // the number it hangs on
	Wallet string
	Issued time.Time
	Until  time.Time // end of validity: it is not accepted at or after it
	Ended  uint64    // sequence number of the change that ended it; 0 live
	// Outdated is the sequence number of the change after which what stands on it is
	// no longer right, as an address; 0: it is.
	Outdated uint64
	// Document is the number that stands on its copies, and Formats are what its places
	// are for, as many for each in the order of the list, with spaces between: by them its
	// copies are signed anew. Both are empty if it was issued before they were kept.
	Document, Formats string
}

// List is a status list.
type List struct {
	Number   uint32 // from 0, without a gap
	Size     uint64 // places
	Allotted uint64 // places given; none is given twice
	// Secret is the key of the order of the list's places (package places): a
	// credential whose places are neighbours in it is kept as one record. Lists that were
	// opened before there were secrets have none. Who reads the register may read it too:
	// here stands anyway whose each index is.
	Secret []byte
}

// Entry is one copy of a credential with what its status depends on.
type Entry struct {
	List       uint32 // number of the list
	Index      uint64 // place in it, from 0
	Credential CredentialID
	Person     PersonID
	State      lifecycle.State // of the person
	Ended      bool            // the credential has ended
	Outdated   bool            // what stands on it is no longer right
	Until      time.Time       // end of the credential's validity
}

// Verdict is what a verifier may learn of the entry's credential.
func (e Entry) Verdict() lifecycle.Verdict {
	if e.Ended {
		return lifecycle.NotValid
	}
	return lifecycle.Judge(e.State)
}

// Offer is a one-time code made by a clerk. The code itself is not kept.
type Offer struct {
	Hash   []byte // SHA-256 of the code
	Person PersonID
	Centre string // municipality code of the clerk's centre
	Clerk  string // who made it, as in the audit log
	Made   time.Time
	Used   uint64 // sequence number of the issuance; 0 unused
}

// Challenge is a random value a card must sign.
type Challenge struct {
	Value []byte
	Made  time.Time
	Used  uint64 // sequence number of the issuance; 0 unused
}

// Answer is a stored answer to a request with an idempotency key.
type Answer struct {
	Request []byte // fingerprint of the request
	Body    []byte // JSON of the answer
	At      time.Time
}

// Report is a report of loss or an administrative suspension. Sequence is the
// number of the register's change.
type Report struct {
	Sequence uint64
	Person   PersonID
	Cause    lifecycle.Causes // exactly one
	Subject  string           // what carries it: a card number, a wallet, or nothing
	Actor    string
	At       time.Time
}

// AuditRecord is one link of the audit chain (package audit).
type AuditRecord struct {
	Sequence uint64
	Body     []byte // the entry in its external form
	Hash     []byte // of the previous hash and the body
}
