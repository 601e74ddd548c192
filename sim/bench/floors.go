package bench

import (
	"bytes"
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
	// The bare service, which judges nothing.
	barePresent = "Bare/Present/callers=16"
	bareIssue   = "Bare/Issue/callers=16"
)

func floors() []benchmark {
	return []benchmark{
		{name: verify, make: primitive((*primitives).verify)},
		{name: sign, make: primitive((*primitives).sign)},
		{name: agree, make: primitive((*primitives).agree)},
		{name: newKey, make: primitive((*primitives).newKey)},
		{name: hash, make: makeHash},
		{name: gcm, make: makeGCM},
		{name: "Floor/CBORDecode", make: makeCBOR},
		{name: "Floor/JSONDecode", make: makeJSON},
		{name: "Floor/JWEDecrypt-4KiB", floor: []part{{agree, 1}, {gcm, 1}}, make: makeJWE},
		{name: sync, make: makeSync},
		{name: request, make: makeRequest(1)},
		{name: requestMany, make: makeRequest(16)},
		{name: barePresent, floor: presenting, may: allowed, make: bare("present", 16)},
		{name: bareIssue, floor: issuing, may: allowed, make: bare("issue", 16)},
	}
}

// primitive makes a benchmark of one of them.
func primitive(do func(p *primitives, i int) error) func(*env) (*subject, error) {
	return func(*env) (*subject, error) {
		p, err := newPrimitives()
		if err != nil {
			return nil, err
		}
		i := 0
		return &subject{run: each(func() error {
			i++
			return do(p, i)
		})}, nil
	}
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
	p, err := newPrimitives()
	if err != nil {
		return nil, err
	}
	room := make([]byte, 0, 4<<10)
	return &subject{run: each(func() error { return p.open(room) })}, nil
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
