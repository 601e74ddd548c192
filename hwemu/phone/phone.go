package phone

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"

	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/mdoc"
)

// Maker is a phone maker: its secure elements attest keys with a key that stands
// under its root.
type Maker struct {
	// Root and Attestation are certificates, DER.
	Root, Attestation []byte

	signer *mdoc.KeySigner
}

// NewMaker founds a phone maker from a seed; its certificates are valid for
// fifteen years from a day on.
func NewMaker(name string, seed []byte, from time.Time) (*Maker, error) {
	from = from.UTC().Truncate(time.Second)
	rootKey, key := keyFrom("maker's root", seed, 0), keyFrom("maker's attestation", seed, 0)
	serial := func(label string) *big.Int {
		h := sha256.Sum256(append([]byte(label), seed...))
		h[0] = h[0]&0x7F | 0x40
		return new(big.Int).SetBytes(h[:16])
	}
	root := &x509.Certificate{
		SerialNumber: serial("root"), Subject: pkix.Name{Organization: []string{name}, CommonName: name + " Secure Element Root"},
		NotBefore: from, NotAfter: from.AddDate(15, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	rootDER, err := x509.CreateCertificate(nil, root, root, &rootKey.PublicKey, rootKey)
	if err != nil {
		return nil, fmt.Errorf("phone: the maker's root certificate: %w", err)
	}
	if root, err = x509.ParseCertificate(rootDER); err != nil {
		return nil, fmt.Errorf("phone: the maker's root certificate: %w", err)
	}
	leaf := &x509.Certificate{
		SerialNumber: serial("attestation"), Subject: pkix.Name{Organization: []string{name}, CommonName: name + " Key Attestation"},
		NotBefore: from, NotAfter: from.AddDate(15, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true, SignatureAlgorithm: x509.ECDSAWithSHA256,
	}
	leafDER, err := x509.CreateCertificate(nil, leaf, root, &key.PublicKey, rootKey)
	if err != nil {
		return nil, fmt.Errorf("phone: the maker's attestation certificate: %w", err)
	}
	signer, err := mdoc.NewKeySigner(key, leafDER)
	if err != nil {
		return nil, fmt.Errorf("phone: the maker's attestation certificate: %w", err)
	}
	return &Maker{Root: rootDER, Attestation: leafDER, signer: signer}, nil
}

// Phone is one phone. It is not safe for concurrent use.
type Phone struct {
	maker *Maker
	seed  []byte
	made  uint64 // keys, ever
	// keys are those that no credential uses yet, from the last attestation.
	keys   []*ecdsa.PrivateKey
	wallet []copyHeld
	signed int
}

// copyHeld is one copy of a mobile card and the key it is bound to.
type copyHeld struct {
	issuerSigned []byte
	key          *ecdsa.PrivateKey
	shown        int
}

// New is a phone out of the box. The seed is all the randomness of its secure
// element.
func New(maker *Maker, seed []byte) *Phone {
	return &Phone{maker: maker, seed: append([]byte(nil), seed...)}
}

// Wallet names this wallet instance, the same in all its attestations.
func (p *Phone) Wallet() string {
	sum := sha256.Sum256(append([]byte("wallet instance\x00"), p.seed...))
	return hex.EncodeToString(sum[:16])
}

// Signatures is how many the phone has made, of presentations and attestations.
func (p *Phone) Signatures() int { return p.signed }

// attestationLifetime is how long an attestation may be used [A].
const attestationLifetime = 5 * time.Minute

// Attest makes n fresh keys and the attestation for them, over the issuer's
// nonce. Accept binds the credentials that come back to these keys; keys of an
// earlier attestation that were not used are dropped.
func (p *Phone) Attest(nonce string, n int, now time.Time) (jwt string, err error) {
	if n < 1 {
		return "", errors.New("phone: an attestation needs at least one key")
	}
	keys := p.Keys(n)
	attested := make([]*ecdsa.PublicKey, n)
	for i := range keys {
		attested[i] = &keys[i].PublicKey
	}
	if jwt, err = (keyproof.Attestation{
		Issuer: "https://phones.example", Wallet: p.Wallet(), IssuedAt: now, Expires: now.Add(attestationLifetime), Nonce: nonce, Keys: attested,
		KeyStorage: []keyproof.Resistance{keyproof.High}, UserAuthentication: []keyproof.Resistance{keyproof.High},
	}).Sign(p.maker.signer.Sign, [][]byte{p.maker.Attestation}); err != nil {
		return "", fmt.Errorf("phone: %w", err)
	}
	p.signed++
	p.keys = keys
	return jwt, nil
}

// Keys makes n fresh keys in the secure element, for whoever uses them by itself.
func (p *Phone) Keys(n int) []*ecdsa.PrivateKey {
	keys := make([]*ecdsa.PrivateKey, n)
	for i := range keys {
		keys[i] = keyFrom("device key", p.seed, p.made)
		p.made++
	}
	return keys
}

// Sign signs as the maker, with the key whose certificate is Attestation.
func (m *Maker) Sign(digest []byte) ([]byte, error) { return m.signer.Sign(digest) }

// Accept puts the copies of a mobile card into the wallet, one for each key of
// the last attestation, in order. They take the place of those held before.
func (p *Phone) Accept(copies [][]byte) error {
	if len(copies) == 0 || len(copies) != len(p.keys) {
		return fmt.Errorf("phone: %d copies came for %d attested keys", len(copies), len(p.keys))
	}
	p.wallet = p.wallet[:0]
	for i, c := range copies {
		p.wallet = append(p.wallet, copyHeld{issuerSigned: c, key: p.keys[i]})
	}
	p.keys = nil
	return nil
}

// Copies is how many copies the wallet holds.
func (p *Phone) Copies() int { return len(p.wallet) }

// ErrNoCard: the wallet is empty.
var ErrNoCard = errors.New("there is no mobile card on this phone")

// Present shows the named elements from one copy, for the session with this
// transcript, and says which copy. It takes the copy shown least often, so that
// no two verifiers can compare until all copies were used.
func (p *Phone) Present(disclose []string, transcript []byte) (response []byte, which int, err error) {
	if len(p.wallet) == 0 {
		return nil, 0, ErrNoCard
	}
	which = p.leastShown()
	c := &p.wallet[which]
	if response, err = mdoc.Present(c.issuerSigned, disclose, transcript, c.key); err != nil {
		return nil, 0, fmt.Errorf("phone: %w", err)
	}
	c.shown++
	p.signed++
	return response, which, nil
}

// leastShown is the copy that was shown least often, in a wallet that has some.
func (p *Phone) leastShown() (which int) {
	for i := range p.wallet {
		if p.wallet[i].shown < p.wallet[which].shown {
			which = i
		}
	}
	return which
}

// keyFrom makes a P-256 key of a seed and a number, the same every time.
func keyFrom(label string, seed []byte, number uint64) *ecdsa.PrivateKey {
	for i := byte(0); ; i++ {
		h := sha256.New()
		h.Write([]byte(label))
		h.Write([]byte{0, i})
		h.Write(binary.BigEndian.AppendUint64(nil, number))
		h.Write(seed)
		// Fails for 0 and numbers above the order of the curve: once in 2^32.
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), h.Sum(nil)); err == nil {
			return key
		}
	}
}
