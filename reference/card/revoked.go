package card

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"rollcall.example/rollcall/reference/crl"
)

// Signer names a document signer's certificate, in hexadecimal: by the hash of the
// authority's, shortened, and its own serial number. It is small enough to be kept beside
// what rests on it.
type Signer struct {
	Authority string `json:"authority"`
	Serial    string `json:"serial"`
}

func (s signer) name() Signer { return Signer{Authority(s.root), s.certificate.SerialNumber.Text(16)} }

// Authority names an authority as Signer does.
func Authority(root *x509.Certificate) string {
	h := sha256.Sum256(root.Raw)
	return hex.EncodeToString(h[:16])
}

// Revoked takes a list of revoked document signers, DER, by one of the authorities, and
// gives it back as it was read. What it names is refused from now on, also where the chain was
// found good before. A list whose time is over is taken, too: a revocation is not undone by
// waiting. One that is older than the list held is left: crl.ErrOlder.
func (v *Verifier) Revoked(list []byte, at time.Time) (*crl.List, error) {
	l, err := crl.ReadPast(list, v.roots, at)
	if err != nil {
		return nil, err
	}
	v.listing.Lock()
	defer v.listing.Unlock()
	next := []*crl.List{l}
	for _, held := range v.Held() {
		switch {
		case !l.Follows(held):
			return nil, fmt.Errorf("%w: number %v of %q, made at %s, where number %v of %s is known", crl.ErrOlder, l.Number, l.Root.Subject.CommonName,
				l.From.UTC().Format(time.RFC3339), held.Number, held.From.UTC().Format(time.RFC3339))
		case !held.Root.Equal(l.Root):
			next = append(next, held)
		}
	}
	v.lists.Store(&next)
	return l, nil
}

// RequireLists makes the verifier refuse a card (ErrUnlisted) of whose authority there
// is no list in its time. It is called before the first card.
func (v *Verifier) RequireLists() { v.demanded = true }

// Listed says of which authority there is no list in its time, and until when all of
// them are listed.
func (v *Verifier) Listed(at time.Time) (until time.Time, err error) {
	for _, root := range v.roots {
		end, err := v.listed(root, at)
		if err != nil {
			return time.Time{}, err
		}
		if until.IsZero() || end.Before(until) {
			until = end
		}
	}
	return until, nil
}

// Good says whether a signer whose cards were found good still is: nothing that rests
// on one outlives its revocation.
func (v *Verifier) Good(by Signer, at time.Time) error {
	for _, root := range v.roots {
		if serial, ok := new(big.Int).SetString(by.Serial, 16); ok && Authority(root) == by.Authority {
			return v.good(root, serial, at, root)
		}
	}
	return fmt.Errorf("%w: its authority is not known", ErrUntrusted)
}

// good says whether what an authority has certified under a number is good now, by its
// lists and by the time of certificates.
func (v *Verifier) good(root *x509.Certificate, serial *big.Int, at time.Time, certificates ...*x509.Certificate) error {
	for _, l := range v.Held() {
		if sameAuthority(l, root) && l.Has(serial) {
			return fmt.Errorf("%w by %q, number %x (list %v): its cards are good for nothing until they are printed anew; a centre issues without them", ErrSignerRevoked, root.Subject.CommonName, serial, l.Number)
		}
	}
	for _, c := range certificates {
		if at.Before(c.NotBefore) || at.After(c.NotAfter) {
			return fmt.Errorf("%w: %s is valid from %s to %s", ErrSignerExpired, c.Subject.CommonName,
				c.NotBefore.Format(time.DateOnly), c.NotAfter.Format(time.DateOnly))
		}
	}
	if !v.demanded {
		return nil
	}
	_, err := v.listed(root, at)
	return err
}

// listed is until when an authority's list is good, the newest if there are several.
func (v *Verifier) listed(root *x509.Certificate, at time.Time) (until time.Time, err error) {
	for _, l := range v.Held() {
		if sameAuthority(l, root) && l.Until.After(until) {
			until = l.Until
		}
	}
	switch {
	case until.IsZero():
		return until, fmt.Errorf("%w: there is no list of revoked certificates by %q", ErrUnlisted, root.Subject.CommonName)
	case !at.Before(until):
		return until, fmt.Errorf("%w: the newest list by %q was good until %s", ErrUnlisted, root.Subject.CommonName, until.UTC().Format(time.RFC3339))
	}
	return until, nil
}

// Held are the lists that the verifier goes by, the newest of each authority.
func (v *Verifier) Held() []*crl.List {
	if l := v.lists.Load(); l != nil {
		return *l
	}
	return nil
}

// sameAuthority says whether a list speaks of what a root has certified. An authority that
// follows itself with another key keeps its name and makes one list of all that it has ever
// certified, by the newest key.
func sameAuthority(l *crl.List, root *x509.Certificate) bool {
	return bytes.Equal(l.Root.RawSubject, root.RawSubject)
}
