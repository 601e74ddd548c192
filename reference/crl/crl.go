// Package crl reads lists of revoked certificates (RFC 5280 §5), as the authorities
// of cards and of verifiers' requests publish them.
//
// A list is read for one moment: by one of the roots, in its time, whole, with nothing
// critical that is not understood. Any other is no answer (ErrList): whoever
// depends on it cannot tell. What a list names stays revoked when its time is over
// (ReadPast).
//
// The package may not know what the certificates are for, and keeps nothing. Roots and
// time are passed in.
package crl

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// MaxSize is how long a list may be that is read: some twenty thousand revocations.
const MaxSize = 1 << 20

// maxSkew is how far ahead the clock of an authority may be: a list that is minutes
// old must not be lost to it.
const maxSkew = time.Minute

var (
	// ErrList: it is no list of one of the authorities, or not one for now.
	ErrList = errors.New("the list of revoked certificates is not accepted")
	// ErrOlder: a newer list is known, whose place it may not take.
	ErrOlder = fmt.Errorf("%w: it is older than the one that is known", ErrList)
	// ErrRevoked: the authority has taken the certificate back.
	ErrRevoked = errors.New("the certificate was revoked")
)

// List is a list of one authority that was found good.
type List struct {
	Root *x509.Certificate
	// Number ascends: of two lists the one with the higher number counts.
	Number *big.Int
	// From is when it was made, Until when the next list is out at the latest.
	From, Until time.Time
	// Entries are what was revoked, each once, by serial number.
	Entries []Entry
	revoked map[string]bool // by the bytes of the serial number
}

// Entry is a certificate that was revoked: since when, and why (RFC 5280 §5.3.1).
type Entry struct {
	Serial *big.Int
	At     time.Time
	Reason int
}

// maxNumber is how many octets the number of a list may have (§5.2.3).
const maxNumber = 20

// Understood are the extensions of a list, or of an entry, that may be critical: the
// number of the list, the key of its authority, the reason (§5.2.1, §5.2.3, §5.3.1). A list for part of the
// certificates alone, or one that says how another one changed, says so by others.
var understood = []asn1.ObjectIdentifier{{2, 5, 29, 20}, {2, 5, 29, 35}, {2, 5, 29, 21}}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrList, fmt.Sprintf(format, args...))
}

// Read reads a list, DER, which one of the roots must have signed and which must be
// good at this time (§6.3.3).
func Read(der []byte, roots []*x509.Certificate, at time.Time) (*List, error) {
	l, err := ReadPast(der, roots, at)
	if err == nil && !at.Before(l.Until) {
		return nil, l.refuse(at)
	}
	return l, err
}

func (l *List) refuse(at time.Time) error {
	return refuse("it is good from %s to %s, now it is %s", l.From.Format(time.RFC3339), l.Until.Format(time.RFC3339), at.UTC().Format(time.RFC3339))
}

// ReadPast is Read, and takes a list whose time is over, too: what it names stays revoked. Who
// depends on its being complete looks at Until.
func ReadPast(der []byte, roots []*x509.Certificate, at time.Time) (*List, error) {
	if len(der) > MaxSize {
		return nil, refuse("it has %d bytes; at most %d are read", len(der), MaxSize)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, refuse("%v", err)
	}
	root, err := signedBy(list, roots)
	switch {
	case err != nil:
		return nil, err
	case list.Number == nil || list.Number.Sign() < 0:
		return nil, refuse("it has no number")
	case list.Number.BitLen() > 8*maxNumber:
		return nil, refuse("its number has more than %d octets", maxNumber)
	}
	l := &List{Root: root, Number: list.Number, From: list.ThisUpdate, Until: list.NextUpdate, revoked: make(map[string]bool, len(list.RevokedCertificateEntries))}
	if at.Before(l.From.Add(-maxSkew)) {
		return nil, l.refuse(at)
	}
	for _, e := range list.Extensions {
		if e.Critical && !known(e.Id) {
			return nil, refuse("it has a critical extension %s, which is not understood", e.Id)
		}
	}
	for _, entry := range list.RevokedCertificateEntries {
		for _, e := range entry.Extensions {
			if e.Critical && !known(e.Id) {
				return nil, refuse("an entry has a critical extension %s, which is not understood", e.Id)
			}
		}
		if serial := string(entry.SerialNumber.Bytes()); entry.ReasonCode != removed && !l.revoked[serial] {
			l.revoked[serial] = true
			l.Entries = append(l.Entries, Entry{entry.SerialNumber, entry.RevocationTime, entry.ReasonCode})
		}
	}
	slices.SortFunc(l.Entries, func(a, b Entry) int { return a.Serial.Cmp(b.Serial) })
	return l, nil
}

// removed is the reason of an entry that says that it counts no more (§5.3.1).
const removed = 8

func known(id asn1.ObjectIdentifier) bool {
	for _, u := range understood {
		if id.Equal(u) {
			return true
		}
	}
	return false
}

func signedBy(list *x509.RevocationList, roots []*x509.Certificate) (*x509.Certificate, error) {
	for _, root := range roots {
		if string(list.RawIssuer) == string(root.RawSubject) && list.CheckSignatureFrom(root) == nil {
			return root, nil
		}
	}
	return nil, refuse("%q is no authority that is trusted here, or did not sign it", list.Issuer.CommonName)
}

// Check says whether the list's authority, which must have signed it, has revoked a
// certificate: ErrRevoked. About others' it cannot tell: ErrList.
func (l *List) Check(c *x509.Certificate) error {
	switch {
	case c.CheckSignatureFrom(l.Root) != nil:
		return refuse("it is by %q, who did not sign the certificate of %q", l.Root.Subject.CommonName, c.Subject.CommonName)
	case l.Has(c.SerialNumber):
		return fmt.Errorf("%w: that of %q, number %x, by %q", ErrRevoked, c.Subject.CommonName, c.SerialNumber, l.Root.Subject.CommonName)
	}
	return nil
}

// Follows says whether the list may take the place of another one: nobody may undo
// a revocation by an older list. Of two with the same number, which no authority should
// make, the one that was made later counts. Any list may take the place of none, or of another authority's.
func (l *List) Follows(before *List) bool {
	if before == nil || !before.Root.Equal(l.Root) {
		return true
	}
	c := before.Number.Cmp(l.Number)
	return c < 0 || c == 0 && !l.From.Before(before.From)
}

// Has says whether the certificate with this serial number was revoked.
func (l *List) Has(serial *big.Int) bool { return l.revoked[string(serial.Bytes())] }

// Len is how many certificates were revoked.
func (l *List) Len() int { return len(l.Entries) }
