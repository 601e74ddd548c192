package bench

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/fxamacker/cbor/v2"

	"rollcall.example/rollcall/reference/jwe"
)

// Floors: what the standard library takes for each primitive, and the kernel and
// net/http for what is no cryptography.
const (
	verify  = "Floor/P256Verify"
	sign    = "Floor/P256Sign" // deterministic (RFC 6979), as the service signs
	agree   = "Floor/ECDH"
	newKey  = "Floor/P256Key" // a multiplication of the base point
	hash    = "Floor/SHA256-4KiB"
	gcm     = "Floor/AES128GCM-4KiB"
	sync    = "Floor/Sync"       // a page is written and synced
	request = "Floor/TLSRequest" // of a server with an empty handler
	// The same from sixteen callers at once: fewer of them must be woken.
	requestMany = "Floor/TLSRequest/callers=16"
)

func floors() []benchmark {
	return []benchmark{
		{name: verify, make: makeVerify},
		{name: sign, make: makeSign},
		{name: agree, make: makeAgree},
		{name: newKey, make: makeKey},
		{name: hash, make: makeHash},
		{name: gcm, make: makeGCM},
		{name: "Floor/CBORDecode", make: makeCBOR},
		{name: "Floor/JSONDecode", make: makeJSON},
		{name: "Floor/JWEDecrypt-4KiB", floor: []part{{agree, 1}, {gcm, 1}}, make: makeJWE},
		{name: sync, make: makeSync},
		{name: request, make: makeRequest(1)},
		{name: requestMany, make: makeRequest(16)},
	}
}

// signatures are many, by two keys: no table in the processor learns them.
func makeVerify(*env) (*subject, error) {
	keys := []*ecdsa.PrivateKey{key("issuer"), key("phone")}
	var digests [256][sha256.Size]byte
	var signatures [256][]byte
	for i := range signatures {
		digests[i] = sha256.Sum256([]byte{byte(i)})
		var err error
		if signatures[i], err = keys[i%2].Sign(nil, digests[i][:], crypto.SHA256); err != nil {
			return nil, err
		}
	}
	i := 0
	return &subject{run: each(func() error {
		if !ecdsa.VerifyASN1(&keys[i%2].PublicKey, digests[i][:], signatures[i]) {
			return errors.New("a signature does not verify")
		}
		i = (i + 1) % len(signatures)
		return nil
	})}, nil
}

func makeSign(*env) (*subject, error) {
	k, i := key("issuer"), byte(0)
	return &subject{run: each(func() error {
		i++
		digest := sha256.Sum256([]byte{i})
		_, err := k.Sign(nil, digest[:], crypto.SHA256)
		return err
	})}, nil
}

func makeAgree(*env) (*subject, error) {
	private, err := key("verifier").ECDH()
	if err != nil {
		return nil, err
	}
	var publics [16]*ecdh.PublicKey
	for i := range publics {
		if publics[i], err = key("wallet " + string(rune('a'+i))).PublicKey.ECDH(); err != nil {
			return nil, err
		}
	}
	i := 0
	return &subject{run: each(func() error {
		i = (i + 1) % len(publics)
		_, err := private.ECDH(publics[i])
		return err
	})}, nil
}

func makeKey(*env) (*subject, error) {
	d := sha256.Sum256([]byte("some key"))
	return &subject{run: each(func() error {
		d[31]++
		_, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
		return err
	})}, nil
}

func text(n int) []byte { return bytes.Repeat([]byte("0123456789abcdef"), n/16) }

func makeHash(*env) (*subject, error) {
	data, sum := text(4<<10), byte(0)
	return &subject{run: each(func() error {
		h := sha256.Sum256(data)
		sum ^= h[0]
		return nil
	})}, nil
}

func makeGCM(*env) (*subject, error) {
	block, err := aes.NewCipher(make([]byte, 16))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	sealed := aead.Seal(nil, nonce, text(4<<10), nil)
	out := make([]byte, 0, len(sealed))
	return &subject{run: each(func() error {
		_, err := aead.Open(out, nonce, sealed, nil)
		return err
	})}, nil
}

func makeCBOR(e *env) (*subject, error) {
	w, err := e.world()
	if err != nil {
		return nil, err
	}
	response, err := w.present(w.card)
	if err != nil {
		return nil, err
	}
	return &subject{run: each(func() error {
		var v any
		return cbor.Unmarshal(response, &v)
	})}, nil
}

func makeJSON(e *env) (*subject, error) {
	w, err := e.world()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(w.credential.Claims)
	if err != nil {
		return nil, err
	}
	return &subject{run: each(func() error {
		var v any
		return json.Unmarshal(data, &v)
	})}, nil
}

func makeJWE(*env) (*subject, error) {
	k := key("verifier")
	message, err := jwe.Recipient{Key: &k.PublicKey, KeyID: "k", Encryption: jwe.A128GCM}.Encrypt(chance("message"), nil, nil, text(4<<10))
	if err != nil {
		return nil, err
	}
	private, err := k.ECDH()
	if err != nil {
		return nil, err
	}
	return &subject{run: each(func() error {
		_, err := jwe.Open(message, private)
		return err
	})}, nil
}

func makeSync(e *env) (*subject, error) {
	f, err := os.Create(filepath.Join(e.o.Dir, "sync"))
	if err != nil {
		return nil, err
	}
	e.atEnd(func() { _ = f.Close() })
	page, at := text(4<<10), int64(0)
	return &subject{run: each(func() error {
		at = (at + 1) % 4096
		if _, err := f.WriteAt(page, at*int64(len(page))); err != nil {
			return err
		}
		return f.Sync()
	})}, nil
}

func makeRequest(callers int) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		s, err := e.nothing()
		if s == nil {
			return nil, err
		}
		body := text(1 << 10)
		return &subject{remote: true, cpu: s.CPU, run: func(n int) error {
			return share(n, callers, func(_, _ int) error {
				res, err := s.Client.Post(s.URL, "application/octet-stream", bytes.NewReader(body))
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, res.Body)
				return errors.Join(err, res.Body.Close())
			})
		}}, nil
	}
}

// nothing starts the server with an empty handler, once.
func (e *env) nothing() (*Service, error) {
	if e.empty == nil && e.o.Empty != nil {
		s, err := e.o.Empty(e.ctx)
		if err != nil {
			return nil, err
		}
		e.empty = s
		e.atEnd(s.Stop)
	}
	return e.empty, nil
}
