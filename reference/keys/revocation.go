package keys

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/web"
)

// Where the lists of revoked certificates of the two roots lie.
const (
	iacaList      = "/iaca.crl"
	authorityList = "/authority.crl"
)

// A list of revoked certificates is true for a week, and made anew by the hour, and
// when one is revoked: from the same file every replica makes the same bytes.
const (
	listLife  = 7 * day
	listEvery = time.Hour
)

// maxRevoked is how many a root revokes at most: the file and the list stay short.
const maxRevoked = 5000

// ReadersRevoked says whether any verifier's certificate was revoked.
func (r *Ring) ReadersRevoked() bool {
	return slices.ContainsFunc(r.at.Load().signers[Authority], func(s *signer) bool { return len(s.revoked) > 0 })
}

// ErrRevoked: the certificate was revoked.
var ErrRevoked = errors.New("the certificate was revoked")

// Revocation is a certificate that its root has taken back.
type Revocation struct {
	Serial string    `json:"serial"` // hexadecimal, without leading zeros
	At     time.Time `json:"at"`
	Reason Reason    `json:"reason,omitempty"`
}

// RevokedUnder is a revocation with the root that gave the certificate its number.
type RevokedUnder struct {
	Root Key
	Revocation
}

// Revoked are all revocations in force.
func (r *Ring) Revoked() (all []RevokedUnder) {
	for _, k := range r.at.Load().all {
		for _, one := range k.Revoked {
			all = append(all, RevokedUnder{k, one})
		}
	}
	return all
}

// Reason is why a certificate was revoked (RFC 5280 §5.3.1).
type Reason int

// Reasons are those that can be given, by name.
var Reasons = map[string]Reason{"unspecified": 0, "key-compromise": 1, "affiliation-changed": 3, "superseded": 4, "cessation-of-operation": 5}

func (r Reason) String() string {
	for name, is := range Reasons {
		if is == r {
			return name
		}
	}
	return fmt.Sprintf("reason %d", int(r))
}

func (k kind) checkRevoked(all []Revocation) error {
	switch {
	case len(all) > 0 && (k.secret() || k.under != k.use):
		return fmt.Errorf("the %s is no root and cannot have revoked certificates", k.use)
	case len(all) > maxRevoked:
		return fmt.Errorf("the %s has revoked %d certificates; at most %d are kept", k.use, len(all), maxRevoked)
	}
	for _, r := range all {
		b, err := hex.DecodeString(r.Serial)
		if err != nil || len(b) == 0 || len(b) > 20 || serialText(b) != r.Serial || r.At.IsZero() || r.Reason < 0 || r.Reason == 7 || r.Reason > 10 {
			return fmt.Errorf("the %s has revoked a certificate %.50q, which cannot be one's number, or without time or with another reason than there are", k.use, r.Serial)
		}
	}
	return nil
}

// serialText is how a serial number is written here: as bytes, the first not zero.
func serialText(b []byte) string { return fmt.Sprintf("%x", new(big.Int).SetBytes(b).Bytes()) }

// revoked says whether a key's certificate was.
func revoked(all []Key, k Key) bool {
	_, ok := RevokedBy(all, k)
	return ok
}

// RevokedBy is the revocation of a key's certificate by a root among the keys, if there is
// one.
func RevokedBy(all []Key, k Key) (Revocation, bool) {
	kind, err := kindOf(k.Use)
	if err != nil || k.Certificate == nil {
		return Revocation{}, false
	}
	var serial string
	for _, root := range all {
		if root.Use != kind.under || len(root.Revoked) == 0 {
			continue
		}
		if serial == "" {
			leaf, err := k.Leaf()
			if err != nil {
				return Revocation{}, false // Load says so
			}
			serial = serialText(leaf.SerialNumber.Bytes())
		}
		for _, r := range root.Revoked {
			if r.Serial == serial {
				return r, true
			}
		}
	}
	return Revocation{}, false
}

// Revoke takes back the certificate of a signer of cards or of status lists, or the one
// with which requests of a verifier are signed. It is named by its serial number in
// hexadecimal, that of a signer also by its key's ID. If the signer is in force, the
// next one is made, which takes over at once.
func (m Maker) Revoke(all []Key, what string, reason Reason, now time.Time) ([]Key, Revocation, error) {
	r := Revocation{At: now.UTC().Truncate(time.Second), Reason: reason}
	root, signer, err := find(all, what)
	if err != nil {
		return nil, r, err
	}
	if signer != nil {
		leaf, err := signer.Leaf()
		if err != nil {
			return nil, r, err
		}
		r.Serial = serialText(leaf.SerialNumber.Bytes())
	} else {
		r.Serial = readSerial(what)
	}
	for _, before := range all[root].Revoked {
		if before.Serial == r.Serial {
			return nil, r, fmt.Errorf("%w on %s already", ErrRevoked, before.At.Format(time.RFC3339))
		}
	}
	inForce := false
	if signer != nil {
		now, err := current(all, signer.Use, now)
		inForce = err == nil && now.ID() == signer.ID()
	}
	if inForce && signer.Elsewhere != "" && m.Elsewhere == "" {
		return nil, r, fmt.Errorf("the key %s lies in hardware and is in force: let another one take over first (rollcall keys rotate %s --in 1s --elsewhere ...)", signer.ID(), signer.Use)
	}
	all = slices.Clone(all)
	all[root].Revoked = append(slices.Clip(all[root].Revoked), r)
	if inForce {
		if all, err = m.Rotate(all, signer.Use, now, now); err != nil {
			return nil, r, err
		}
	}
	return all, r, check(all)
}

// find is the root that has signed a certificate, and its key; none where it is a
// verifier's, which are made when they are needed.
func find(all []Key, what string) (root int, signer *Key, err error) {
	serial := readSerial(what)
	for i := range all {
		k := &all[i]
		if k.Certificate == nil {
			continue
		}
		leaf, err := k.Leaf()
		if err != nil {
			return 0, nil, err
		}
		named := k.ID() == what || serialText(leaf.SerialNumber.Bytes()) == serial
		if named && k.Use != Document && k.Use != Status {
			return 0, nil, fmt.Errorf("%s is the certificate of the %s: those of document and status signers can be revoked, and the one for each verifier's requests; let another key of the %s take over (rollcall keys rotate %s)", what, k.Use, k.Use, k.Use)
		}
		if named {
			root, err = rootOf(all, IACA, leaf)
			return root, k, err
		}
		if k.Use == Verifier && isReader(serial, k.Certificate) {
			root, err = rootOf(all, Authority, leaf)
			return root, nil, err
		}
	}
	return 0, nil, fmt.Errorf("no certificate was made here that has the number %s, and no key this name (rollcall keys list shows both; the number of the one with which a verifier's requests are signed stands in it)", what)
}

func readSerial(text string) string {
	b, err := hex.DecodeString(strings.TrimPrefix(strings.ToLower(strings.ReplaceAll(text, ":", "")), "0x"))
	if err != nil {
		return ""
	}
	return serialText(b)
}

// isReader says whether a verifier has a certificate with this number.
func isReader(serial string, certificate []byte) bool {
	b, err := hex.DecodeString(serial)
	return err == nil && len(b) == 16 && string(b[12:]) == string(tail([12]byte(b), certificate))
}

func rootOf(all []Key, use Use, leaf *x509.Certificate) (int, error) {
	for i, k := range all {
		if k.Use != use {
			continue
		}
		root, err := k.Leaf()
		if err != nil {
			return 0, err
		}
		if leaf.CheckSignatureFrom(root) == nil {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the root of the certificate of %q is not among the keys any more", leaf.Subject.CommonName)
}

// listPlace is the path of the list of a root with this serial number. The first root of
// a use has the plain one, and each that follows its own: what the earlier ones have
// signed goes about for years.
func listPlace(all []Key, root Use, serial []byte) string {
	path := iacaList
	if root == Authority {
		path = authorityList
	}
	first := true
	for _, k := range all {
		if k.Use != root {
			continue
		}
		leaf, err := k.Leaf()
		if err == nil && serialText(leaf.SerialNumber.Bytes()) == serialText(serial) {
			break
		}
		first = false
	}
	if first {
		return path
	}
	return path + "?root=" + serialText(serial)
}

// RevocationList is the list of revoked certificates of a root, DER: of an IACA (ISO/IEC
// 18013-5 Annex B, its CRL profile), or of an authority of verifiers' requests. The root is
// named by its serial number; empty: the first one. nil: there is no such root.
func (r *Ring) RevocationList(root Use, number string) ([]byte, error) {
	for _, s := range r.at.Load().signers[root] {
		if number == "" || serialText(s.certificate.SerialNumber.Bytes()) == number {
			return r.list(s)
		}
	}
	return nil, nil
}

// RevocationLists are those of all roots of a use, also of such as are no longer in
// force and may have signed what still goes about.
func (r *Ring) RevocationLists(root Use) (all [][]byte, err error) {
	for _, s := range r.at.Load().signers[root] {
		list, err := r.list(s)
		if err != nil {
			return nil, err
		}
		all = append(all, list)
	}
	return all, nil
}

// madeList is the list of a root for an hour.
type madeList struct {
	hour time.Time
	der  []byte
}

// list makes a list, once an hour: anybody may ask for it, and none shall cost a
// signature.
func (r *Ring) list(s *signer) ([]byte, error) {
	now := r.now().UTC()
	hour := now.Truncate(listEvery)
	if made := s.list.Load(); made != nil && made.hour.Equal(hour) {
		return made.der, nil
	}
	l := &x509.RevocationList{
		// It ascends by the hour, and within it by each revocation.
		Number:     big.NewInt(hour.Unix()/int64(listEvery/time.Second)<<16 + int64(len(s.revoked))),
		ThisUpdate: hour, NextUpdate: hour.Add(listLife), SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	for _, one := range s.revoked {
		b, err := hex.DecodeString(one.Serial)
		if err != nil {
			return nil, err
		}
		if one.At.After(l.ThisUpdate) && !one.At.After(now) { // another machine's clock may be ahead
			l.ThisUpdate = one.At
		}
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: new(big.Int).SetBytes(b), RevocationTime: one.At, ReasonCode: int(one.Reason),
		})
	}
	der, err := x509.CreateRevocationList(nil, l, s.certificate, loud{s})
	if err == nil {
		s.list.Store(&madeList{hour, der})
	}
	return der, err
}

// authorityList is where verifiers' certificates by a root say that its list lies: beside
// the IACA's.
func (s *state) authorityList(by *signer) []string {
	for _, root := range s.signers[IACA] {
		for _, place := range root.certificate.CRLDistributionPoints {
			if url, _, ok := strings.Cut(place, iacaList); ok {
				return []string{url + listPlace(s.all, Authority, by.certificate.SerialNumber.Bytes())}
			}
		}
	}
	return nil
}

// Roots serves over HTTP what whoever trusts the roots needs.
type Roots struct{ Ring *Ring }

// List answers with an IACA's list of revoked certificates: the place is named in
// the certificates.
func (r *Roots) List(w http.ResponseWriter, q *http.Request) error { return r.list(w, q, IACA) }

// AuthorityList answers with that of an authority of verifiers' requests, for
// wallets.
func (r *Roots) AuthorityList(w http.ResponseWriter, q *http.Request) error {
	return r.list(w, q, Authority)
}

func (r *Roots) list(w http.ResponseWriter, q *http.Request, root Use) error {
	der, err := r.Ring.RevocationList(root, q.URL.Query().Get("root"))
	if err != nil {
		return err
	}
	if der == nil {
		return web.Refuse(http.StatusNotFound, "no-such-root", "This service has no root of this number.")
	}
	return give(w, "application/pkix-crl", der, "public, max-age=300")
}

// Certificate answers with the root certificate in force. It proves nothing by
// being here: compare its fingerprint.
func (r *Roots) Certificate(w http.ResponseWriter, _ *http.Request) error {
	return give(w, "application/pkix-cert", r.Ring.Signer(IACA).Certificate(), "public, max-age=3600")
}

func give(w http.ResponseWriter, kind string, der []byte, cached string) error {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", cached)
	_, _ = w.Write(der)
	return nil
}
