//go:build pkcs11

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"sync"

	p11 "github.com/miekg/pkcs11"

	"rollcall.example/rollcall/reference/p256"
)

// Modules opens keys on hardware modules, each of which is loaded once.
type Modules struct {
	pin string

	mu     sync.Mutex
	loaded map[string]*p11.Ctx
}

// New returns modules whose tokens are opened with this PIN.
func New(pin string) *Modules { return &Modules{pin: pin, loaded: map[string]*p11.Ctx{}} }

// Close unloads the modules.
func (m *Modules) Close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for path, c := range m.loaded {
		_ = c.Finalize()
		c.Destroy()
		delete(m.loaded, path)
	}
}

// Open opens the key that a URI names.
func (m *Modules) Open(text string) (crypto.Signer, error) {
	u, err := Parse(text)
	if err != nil {
		return nil, err
	}
	c, err := m.module(u.Module)
	if err != nil {
		return nil, err
	}
	s := &signer{uri: u, ctx: c, pin: m.pin, idle: make(chan session, sessions)}
	first, err := s.begin()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u, err)
	}
	defer s.giveBack(first)
	if s.public, err = first.public(u); err != nil {
		return nil, fmt.Errorf("%s: %w", u, err)
	}
	return s, nil
}

func (m *Modules) module(path string) (*p11.Ctx, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.loaded[path]; c != nil {
		return c, nil
	}
	c := p11.New(path)
	if c == nil {
		return nil, fmt.Errorf("the PKCS #11 module %s cannot be loaded", path)
	}
	if err := c.Initialize(); err != nil && !errors.Is(err, p11.Error(p11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		c.Destroy()
		return nil, fmt.Errorf("the PKCS #11 module %s: %w", path, err)
	}
	m.loaded[path] = c
	return c, nil
}

// sessions is how many wait for the next signature; a session makes one at a time.
const sessions = 8

// signer is a key on a token.
type signer struct {
	uri    URI
	ctx    *p11.Ctx
	pin    string
	public *ecdsa.PublicKey
	idle   chan session
}

type session struct {
	ctx     *p11.Ctx
	handle  p11.SessionHandle
	private p11.ObjectHandle
}

// Public implements crypto.Signer.
func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign implements crypto.Signer. The module draws its own randomness. A session
// that was lost, with the token or its login, is begun anew once.
func (s *signer) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	if len(digest) > 32 {
		digest = digest[:32] // as ECDSA does with a longer hash (FIPS 186-5 §6.4.1)
	}
	var rs []byte
	var err error
	for range 2 {
		var one session
		if one, err = s.take(); err != nil {
			continue
		}
		if rs, err = one.sign(digest); err == nil {
			s.giveBack(one)
			break
		}
		_ = s.ctx.CloseSession(one.handle)
		s.drop()
	}
	if err != nil {
		return nil, fmt.Errorf("%s does not sign: %w", s.uri, err)
	}
	if len(rs) != p256.SignatureSize {
		return nil, fmt.Errorf("%s gives signatures of %d bytes, not those of P-256", s.uri, len(rs))
	}
	return p256.AppendASN1(nil, rs), nil
}

func (s *signer) take() (session, error) {
	select {
	case one := <-s.idle:
		return one, nil
	default:
		return s.begin()
	}
}

func (s *signer) giveBack(one session) {
	select {
	case s.idle <- one:
	default:
		_ = s.ctx.CloseSession(one.handle)
	}
}

// drop closes the sessions that wait: they were lost with the one that failed.
func (s *signer) drop() {
	for {
		select {
		case one := <-s.idle:
			_ = s.ctx.CloseSession(one.handle)
		default:
			return
		}
	}
}

// begin opens a session on the token, logs in, and finds the key.
func (s *signer) begin() (session, error) {
	slots, err := s.ctx.GetSlotList(true)
	if err != nil {
		return session{}, err
	}
	for _, slot := range slots {
		info, err := s.ctx.GetTokenInfo(slot)
		if err != nil || info.Label != s.uri.Token {
			continue
		}
		handle, err := s.ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION)
		if err != nil {
			return session{}, err
		}
		one := session{ctx: s.ctx, handle: handle}
		if err = s.ctx.Login(handle, p11.CKU_USER, s.pin); errors.Is(err, p11.Error(p11.CKR_USER_ALREADY_LOGGED_IN)) {
			err = nil
		}
		if err == nil {
			one.private, err = one.find(s.uri, p11.CKO_PRIVATE_KEY)
		}
		if err != nil {
			_ = s.ctx.CloseSession(handle)
			return session{}, err
		}
		return one, nil
	}
	return session{}, errors.New("there is no such token: is it plugged in?")
}

// find finds the one object of a class that the URI names.
func (one session) find(u URI, class uint) (p11.ObjectHandle, error) {
	wanted := []*p11.Attribute{p11.NewAttribute(p11.CKA_CLASS, class)}
	if u.Object != "" {
		wanted = append(wanted, p11.NewAttribute(p11.CKA_LABEL, u.Object))
	}
	if len(u.ID) > 0 {
		wanted = append(wanted, p11.NewAttribute(p11.CKA_ID, u.ID))
	}
	if err := one.ctx.FindObjectsInit(one.handle, wanted); err != nil {
		return 0, err
	}
	found, _, err := one.ctx.FindObjects(one.handle, 2)
	if err := errors.Join(err, one.ctx.FindObjectsFinal(one.handle)); err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("there are %d such keys (0, or 2 and more), not one", len(found))
	}
	return found[0], nil
}

// public reads the public half, which lies beside the private one.
func (one session) public(u URI) (*ecdsa.PublicKey, error) {
	object, err := one.find(u, p11.CKO_PUBLIC_KEY)
	if err != nil {
		return nil, fmt.Errorf("its public half: %w", err)
	}
	got, err := one.ctx.GetAttributeValue(one.handle, object, []*p11.Attribute{p11.NewAttribute(p11.CKA_EC_POINT, nil)})
	if err != nil || len(got) != 1 {
		return nil, fmt.Errorf("its public half cannot be read: %w", err)
	}
	point := got[0].Value // an OCTET STRING, in DER
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("it is no P-256 key: %w", err)
	}
	return key, nil
}

func (one session) sign(digest []byte) ([]byte, error) {
	if err := one.ctx.SignInit(one.handle, []*p11.Mechanism{p11.NewMechanism(p11.CKM_ECDSA, nil)}, one.private); err != nil {
		return nil, err
	}
	return one.ctx.Sign(one.handle, digest)
}
