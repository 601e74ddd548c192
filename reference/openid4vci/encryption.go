package openid4vci

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/jwe"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/web"
)

// encryption is how a wallet wants its response encrypted (§8.2, §10).
type encryption struct {
	Key jws.Key        `json:"jwk"`
	Enc jwe.Encryption `json:"enc"`
	Zip string         `json:"zip,omitempty"`
}

// maxKeyID is how long the name of a key may be that is repeated in the header of a
// response, which readers take only so long.
const maxKeyID = 256

func wrongEncryption(format string, args ...any) error {
	return web.Refuse(http.StatusBadRequest, invalidEncryption, format, args...)
}

// check says whether a response can be encrypted so, before anything is issued. The
// request must have been encrypted: otherwise somebody on its way could have put a key
// of their own there (§8.2).
func (e *encryption) check(encrypted bool) error {
	switch {
	case e == nil:
		return nil
	case !encrypted:
		return wrongEncryption("Whoever wants an encrypted response encrypts the request: the key is in the metadata.")
	case e.Enc != jwe.A128GCM && e.Enc != jwe.A256GCM:
		return wrongEncryption("Responses are encrypted by A128GCM or A256GCM, not %.40q.", e.Enc)
	case e.Zip != "":
		return wrongEncryption("Responses are not compressed.")
	case e.Key.Algorithm != "ECDH-ES":
		return wrongEncryption("The key's alg must be ECDH-ES.")
	case len(e.Key.KeyID) > maxKeyID:
		return wrongEncryption("The key's kid is longer than %d bytes.", maxKeyID)
	}
	if _, err := e.Key.Public(); err != nil {
		return wrongEncryption("The key to encrypt to: %v.", err)
	}
	return nil
}

// encrypt draws what it needs from a fresh seed.
func (i *Issuer) encrypt(to jwe.Recipient, plain []byte) (string, error) {
	seed, err := i.o.Register.Seed()
	if err != nil {
		return "", err
	}
	return to.Encrypt(rand.NewChaCha8(seed), nil, nil, plain)
}

// keyLife is how long a key to which requests are encrypted stands in the metadata. It is
// read for as long again: who has the metadata may keep them so long.
const keyLife = 24 * time.Hour

// requestKey is the key to which requests are encrypted that are begun at a moment, the
// same at every replica, and its name.
func (i *Issuer) requestKey(at time.Time) (*ecdh.PrivateKey, string, error) {
	begin := at.UTC().Truncate(keyLife)
	secret := i.o.Secret(begin)
	for n := range byte(8) {
		d, err := hkdf.Expand(sha256.New, secret[:], "openid4vci request "+string('0'+rune(n)), 32)
		if err != nil {
			return nil, "", err
		}
		if key, err := ecdh.P256().NewPrivateKey(d); err == nil { // all but one in 2^32
			return key, begin.Format(time.DateOnly), nil
		}
	}
	return nil, "", errors.New("no key can be derived to which requests are encrypted")
}

// requestEncryption describes how requests are encrypted (§12.2.4).
func (i *Issuer) requestEncryption() (map[string]any, error) {
	private, name, err := i.requestKey(i.o.Register.Now())
	if err != nil {
		return nil, err
	}
	key, err := jws.KeyOfECDH(private.PublicKey())
	if err != nil {
		return nil, err
	}
	key.KeyID, key.Use, key.Algorithm = name, "enc", "ECDH-ES"
	return map[string]any{
		"jwks": map[string]any{"keys": []jws.Key{key}}, "enc_values_supported": []jwe.Encryption{jwe.A128GCM, jwe.A256GCM}, "encryption_required": false,
	}, nil
}

// read reads a credential request or a deferred one, in JSON or encrypted (§10).
func (i *Issuer) read(r *http.Request, v any) (encrypted bool, err error) {
	if encrypted = strings.HasPrefix(r.Header.Get("Content-Type"), "application/jwt"); encrypted {
		err = i.decrypt(r, v)
	} else {
		err = web.ReadJSON(r, v)
	}
	return encrypted, named(err, invalidRequest)
}

func (i *Issuer) decrypt(r *http.Request, v any) error {
	body, err := web.Body(r, "application/jwt")
	if err != nil {
		return err
	}
	name, err := jwe.KeyID(string(body))
	if err != nil {
		return wrongEncryption("The request: %v.", err)
	}
	now := i.o.Register.Now()
	for _, at := range []time.Time{now, now.Add(-keyLife), now.Add(keyLife)} { // another replica's clock may be ahead
		key, of, err := i.requestKey(at)
		if err != nil {
			return err
		}
		if name != of {
			continue
		}
		m, err := jwe.Open(string(body), key, jwe.A128GCM, jwe.A256GCM)
		if err != nil {
			return wrongEncryption("The request: %v.", err)
		}
		return web.Unmarshal(m.Plaintext, v)
	}
	return wrongEncryption("The request is encrypted to a key that is not in the metadata (any more): read them again.")
}
