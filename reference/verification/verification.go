// Package verification answers verifiers: may this presentation be accepted?
//
// Online, the service answers from the committed register: a verification that
// begins after a report was acknowledged never accepts (S3). Offline, a
// verifier answers for itself from a status list that it has fetched (Offline),
// with a stated bound on how old that may be (S4).
//
// A presentation is that of ISO/IEC 18013-5 over the session of OpenID4VP 1.0
// (appendix B.2.6), whose nonce is made here and used up by the answer; or over the
// session of a Meeting in person.
//
// The answer never tells why: a verifier has no business with who lost what. The
// package may not know how a card came to be issued or suspended.
package verification

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/store"
)

var (
	// ErrTransaction: the transaction is not this verifier's, or it was made up.
	ErrTransaction = errors.New("this is not a transaction that was begun here by this verifier: begin a new one")
	// ErrTransactionOver: its time is over.
	ErrTransactionOver = errors.New("the time of this transaction is over: begin a new one")
	// ErrReplayed: there was a presentation in this transaction before.
	ErrReplayed = errors.New("this transaction has had its presentation: begin a new one")
)

// Verifier is who asks to see a card, as OpenID4VP names them.
type Verifier struct {
	ClientID    string
	ResponseURI string
	Thumbprint  []byte // of the key the answer is encrypted to; nil if it is not
}

// Transaction is one request to see a card. The phone signs over it.
type Transaction struct {
	Verifier
	Nonce string
}

// Transcript is the session transcript (OpenID4VP 1.0 Appendix B.2.6.1).
func (t Transaction) Transcript() []byte {
	return mdoc.OpenID4VPTranscript(t.ClientID, t.Nonce, t.Thumbprint, t.ResponseURI)
}

// Answer is what the verifier learns.
type Answer struct {
	Verdict  lifecycle.Verdict
	Elements []mdoc.Element // what was disclosed; only if accepted
	// Renew says that the card is good, and that something on it is outdated.
	Renew bool
	// Stale says that an offline verifier accepted on a list past its ttl, by
	// its stated policy.
	Stale bool
}

// Options are the service's.
type Options struct {
	// Nonces is the secret that authenticates the nonces of transactions begun at a
	// moment. It is asked for again as long as they last, and every replica must give
	// the same.
	Nonces func(begun time.Time) [32]byte
	// Lifetime is how long a transaction may take.
	Lifetime time.Duration
	// Anchors are the authorities that sign cards.
	Anchors *mdoc.TrustAnchors
}

// Service verifies online.
type Service struct {
	register *register.Register
	options  Options
}

// New returns the service of a register.
func New(r *register.Register, o Options) (*Service, error) {
	if o.Anchors == nil || o.Lifetime <= 0 || o.Nonces == nil {
		return nil, errors.New("online verification needs trust anchors, secrets for its nonces, and a lifetime of transactions")
	}
	return &Service{r, o}, nil
}

// NameSize is the length of a transaction's name.
const NameSize = 16

// A nonce is 16 random bytes, the moment it expires (ms), and the first 16
// bytes of a MAC over these and the verifier. No replica needs to remember it
// before it is used.
const (
	nonceRandom = NameSize
	nonceMAC    = 16
	nonceSize   = nonceRandom + 8 + nonceMAC
)

func (s *Service) mac(head []byte, v Verifier) []byte {
	end := time.UnixMilli(int64(binary.BigEndian.Uint64(head[nonceRandom:])))
	key := s.options.Nonces(end.Add(-s.options.Lifetime))
	h := hmac.New(sha256.New, key[:])
	h.Write(head)
	for _, part := range []string{v.ClientID, v.ResponseURI, string(v.Thumbprint)} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:nonceMAC]
}

// Begin makes a transaction for a verifier.
func (s *Service) Begin(v Verifier) (Transaction, error) {
	seed, err := s.register.Seed()
	if err != nil {
		return Transaction{}, err
	}
	return s.Named(v, [NameSize]byte(seed[:]), s.register.Now().Add(s.options.Lifetime)), nil
}

// Named is the transaction of a verifier that has such a name and end. Whoever can
// find the name again need not keep the transaction. It is as hard to guess as its
// name.
func (s *Service) Named(v Verifier, name [NameSize]byte, end time.Time) Transaction {
	head := binary.BigEndian.AppendUint64(name[:], uint64(end.UnixMilli()))
	return Transaction{v, base64.RawURLEncoding.EncodeToString(append(head, s.mac(head, v)...))}
}

// Verify judges a presentation. An error means that nothing was judged: the
// transaction is not good, or the register could not be asked (then the verdict
// is CannotTell). Whatever is wrong with the presentation itself is NotValid.
//
// The transaction is used up in the same commit in which the state is read, so
// that an answer is never given twice and never from a state that is not
// durable.
func (s *Service) Verify(ctx context.Context, t Transaction, response []byte) (Answer, error) {
	now := s.register.Now()
	n, err := s.open(t, now)
	if err != nil {
		return Answer{}, err
	}
	presented, wrong := mdoc.Verify(response, t.Transcript(), s.options.Anchors, now)
	return s.judgeOne(ctx, n.use, presented, wrong, now)
}

// judgeOne judges the only card of a transaction, which use uses up; wrong is what is
// wrong with its presentation.
func (s *Service) judgeOne(ctx context.Context, use func(store.Tx) error, presented *mdoc.Presented, wrong error, now time.Time) (Answer, error) {
	var status *mdoc.StatusRef
	if wrong == nil {
		status = presented.Status
	}
	var answer Answer
	if err := s.judge(ctx, use, []*mdoc.StatusRef{status}, now, func(_ store.Tx, found []finding) error {
		answer.Verdict = found[0].verdict
		answer.Renew = found[0].outdated && answer.Verdict == lifecycle.Accepted
		return nil
	}); err != nil {
		return Answer{}, err
	}
	if answer.Verdict == lifecycle.Accepted {
		answer.Elements = presented.Elements
	}
	return answer, nil
}

// nonce is one of ours.
type nonce struct {
	hash    [sha256.Size]byte
	expires time.Time
}

// use uses it up. Its end is authenticated with it.
func (n nonce) use(tx store.Tx) error { return replayed(tx.UseNonce(n.hash[:], n.expires)) }

func replayed(err error) error {
	if errors.Is(err, store.ErrTaken) {
		return ErrReplayed
	}
	return err
}

// open says whether a transaction was begun here by this verifier and lasts.
func (s *Service) open(t Transaction, now time.Time) (nonce, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(t.Nonce)
	if err != nil || len(raw) != nonceSize || !hmac.Equal(raw[nonceRandom+8:], s.mac(raw[:nonceRandom+8], t.Verifier)) {
		return nonce{}, ErrTransaction
	}
	n := nonce{sha256.Sum256(raw), time.UnixMilli(int64(binary.BigEndian.Uint64(raw[nonceRandom:])))}
	if now.After(n.expires) {
		return nonce{}, ErrTransactionOver
	}
	return n, nil
}

// finding is what the register says of one presentation.
type finding struct {
	verdict  lifecycle.Verdict
	outdated bool
}

// judge uses up the transaction and reads what the register says of each
// presentation, in one commit. One that is not good has no status here.
func (s *Service) judge(ctx context.Context, use func(store.Tx) error, shown []*mdoc.StatusRef, now time.Time, then func(store.Tx, []finding) error) error {
	return s.register.Update(ctx, func(tx store.Tx) error {
		found := make([]finding, len(shown))
		if err := use(tx); err != nil {
			return err
		}
		for i, status := range shown {
			found[i].verdict = lifecycle.NotValid
			entry, err := s.entry(tx, status)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if now.Before(entry.Until) {
				found[i] = finding{entry.Verdict(), entry.Outdated}
			}
		}
		return then(tx, found)
	})
}

func (s *Service) entry(r store.Reader, ref *mdoc.StatusRef) (store.Entry, error) {
	if ref == nil {
		return store.Entry{}, store.ErrNotFound
	}
	list, ours := s.register.Lists.Number(ref.URI)
	if !ours {
		return store.Entry{}, store.ErrNotFound
	}
	return r.Entry(list, ref.Index)
}

// Plastic judges a plastic card by its number, for a clerk who holds it.
func (s *Service) Plastic(ctx context.Context, number string) (v lifecycle.Verdict, err error) {
	err = s.register.View(ctx, func(r store.Reader) error {
		v = lifecycle.NotValid
		card, err := r.Card(number)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		p, err := r.Person(card.Person)
		if err != nil {
			return fmt.Errorf("the holder of card %s: %w", number, err)
		}
		if p.Card == number { // or else this number has ended
			v = lifecycle.JudgePlastic(p.State)
		}
		return nil
	})
	if err != nil {
		v = lifecycle.CannotTell
	}
	return v, err
}
