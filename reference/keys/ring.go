package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/p256"
)

// Opener opens a key that lies elsewhere. Its signatures are DER, as crypto.Signer
// has them.
type Opener func(name string) (crypto.Signer, error)

// Ring is the keys at work. It may be used by several goroutines.
type Ring struct {
	now func() time.Time
	// Signed is told of every signature, if it is set before the first.
	Signed func(Use)
	open   Opener
	at     atomic.Pointer[state]
}

// state is the keys of one reading of the file.
type state struct {
	all     []Key
	signers map[Use][]*signer // by the moment from which they sign
	readers sync.Map          // of verifiers, *signer by serial number
	revoked map[string]bool   // serial numbers
}

type signer struct {
	from        time.Time
	key         crypto.Signer
	certificate *x509.Certificate
	signed      func()
	revoked     []Revocation // by a root
	list        atomic.Pointer[madeList]
}

// Sign implements mdoc.Signer.
func (s *signer) Sign(digest []byte) ([]byte, error) {
	s.signed()
	return p256.Sign(s.key, digest)
}

// Certificate implements mdoc.Signer.
func (s *signer) Certificate() []byte { return s.certificate.Raw }

// Parsed saves package mdoc reading it again.
func (s *signer) Parsed() *x509.Certificate { return s.certificate }

// NewRing puts keys to work. open may be nil if none lies elsewhere.
func NewRing(all []Key, now func() time.Time, open Opener) (*Ring, error) {
	r := &Ring{now: now, open: open}
	return r, r.Load(all)
}

// Load takes the keys of another reading. If one of them is no good, all stays as
// it was.
func (r *Ring) Load(all []Key) error {
	if err := check(all); err != nil {
		return err
	}
	next := &state{all: slices.Clone(all), signers: map[Use][]*signer{}, revoked: map[string]bool{}}
	slices.SortStableFunc(next.all, func(a, b Key) int { return a.From.Compare(b.From) })
	for _, k := range next.all {
		for _, r := range k.Revoked {
			next.revoked[r.Serial] = true
		}
		if k.Certificate == nil || revoked(all, k) { // which signs no more
			continue
		}
		s, err := r.signer(k)
		if err != nil {
			return fmt.Errorf("the key %s of the %s: %w", k.ID(), k.Use, err)
		}
		next.signers[k.Use] = append(next.signers[k.Use], s)
	}
	now := r.now()
	for _, k := range kinds {
		if _, err := current(next.all, k.use, now); err != nil {
			return err
		}
	}
	r.at.Store(next)
	return nil
}

func (r *Ring) signer(k Key) (*signer, error) {
	c, err := k.Leaf()
	if err != nil {
		return nil, err
	}
	s := &signer{from: k.From, certificate: c, revoked: k.Revoked, signed: func() {
		if r.Signed != nil {
			r.Signed(k.Use)
		}
	}}
	if k.Elsewhere == "" {
		private, err := k.private()
		if err != nil {
			return nil, err
		}
		s.key = private
	} else {
		if r.open == nil {
			return nil, fmt.Errorf("it lies in hardware (%s), for which this program was not built (build it with -tags pkcs11)", k.Elsewhere)
		}
		if s.key, err = r.open(k.Elsewhere); err != nil {
			return nil, err
		}
	}
	if public, ok := s.key.Public().(*ecdsa.PublicKey); !ok || !public.Equal(c.PublicKey) {
		return nil, fmt.Errorf("its certificate (%s) is for another key", c.Subject.CommonName)
	}
	return s, nil
}

// inForce is the signer of a use that signs now.
func (r *Ring) inForce(use Use) *signer {
	all := r.at.Load().signers[use]
	now := r.now()
	for i := len(all) - 1; i >= 0; i-- {
		if !all[i].from.After(now) {
			return all[i]
		}
	}
	return all[0] // Load has seen one in force: the clock went back
}

// Signer signs for a use, always with the key in force.
func (r *Ring) Signer(use Use) mdoc.Signer { return rotating{r, use} }

type rotating struct {
	ring *Ring
	use  Use
}

var _ mdoc.Rotating = rotating{}

func (s rotating) InForce() mdoc.Signer { return s.ring.inForce(s.use) }

// Sign and Certificate are those of the moment; who needs both takes InForce.
func (s rotating) Sign(digest []byte) ([]byte, error) { return s.InForce().Sign(digest) }
func (s rotating) Certificate() []byte                { return s.InForce().Certificate() }

// Certificates are all of a use, the oldest first: those before the one in force,
// and the next.
func (r *Ring) Certificates(use Use) (out [][]byte) {
	for _, s := range r.at.Load().signers[use] {
		out = append(out, s.certificate.Raw)
	}
	return out
}

// Secrets are all of a use: the one in force first, then every other one whose
// texts may be about.
func (r *Ring) Secrets(use Use) (out [][32]byte) {
	all, now := r.at.Load().all, r.now()
	kind, err := kindOf(use)
	first, missing := current(all, use, now)
	if err != nil || missing != nil {
		return nil
	}
	out = append(out, [32]byte(first.Private))
	for i, k := range all {
		if k.Use != use || string(k.Private) == string(first.Private) {
			continue
		}
		// An earlier one has ended when the one after it began.
		ended := false
		for _, later := range all[i+1:] {
			if later.Use == use && later.From.Add(kind.linger).Before(now) {
				ended = true
			}
		}
		if !ended {
			out = append(out, [32]byte(k.Private))
		}
	}
	return out
}

// epochLength is how long a secret made by Epoch is used.
const epochLength = 10 * time.Minute

// Epoch is the secret of a use for what is begun at a moment. It is another one every
// ten minutes, derived (HKDF, RFC 5869) from the secret that was in force when these
// began: so whoever has the same keys finds the same for a moment that is over, and
// a new secret takes over between two of them.
func (r *Ring) Epoch(use Use, at time.Time) [32]byte {
	number := at.UnixMilli() / epochLength.Milliseconds()
	begin := time.UnixMilli(number * epochLength.Milliseconds())
	var of *Key
	for i, all := 0, r.at.Load().all; i < len(all); i++ {
		if k := &all[i]; k.Use == use && (of == nil || !k.From.After(begin)) {
			of = k
		}
	}
	// An Expand of one block fails for no key: Load has seen one of 32 bytes.
	secret, err := hkdf.Expand(sha256.New, of.Private, fmt.Sprintf("rollcall %s of %d", use, number), 32)
	if err != nil {
		panic(err)
	}
	return [32]byte(secret)
}

// TLSCertificate is the server's certificate in force, for tls.Config.
func (r *Ring) TLSCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s := r.inForce(TLS)
	return &tls.Certificate{Certificate: [][]byte{s.certificate.Raw}, PrivateKey: loud{s}, Leaf: s.certificate}, nil
}

// loud is a key for TLS whose signatures are counted.
type loud struct{ s *signer }

// Public implements crypto.Signer.
func (l loud) Public() crypto.PublicKey { return l.s.key.Public() }

// Sign implements crypto.Signer.
func (l loud) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	l.s.signed()
	return l.s.key.Sign(random, digest, o)
}

// Expiry is when the certificate in force of each use ends.
func (r *Ring) Expiry() map[Use]time.Time {
	out := map[Use]time.Time{}
	for use := range r.at.Load().signers {
		out[use] = r.inForce(use).certificate.NotAfter
	}
	return out
}

// Check says whether these uses have a key whose certificate is valid now.
func (r *Ring) Check(uses ...Use) error {
	now := r.now()
	for _, use := range uses {
		if c := r.inForce(use).certificate; now.Before(c.NotBefore) || now.After(c.NotAfter) {
			return fmt.Errorf("the certificate of the %s was valid from %s to %s: rotate its key", use, c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
		}
	}
	return nil
}
