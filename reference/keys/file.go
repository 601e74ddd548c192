package keys

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"rollcall.example/rollcall/wholefile"
)

var (
	// ErrLocked: the passphrase or the key file is not the one it was locked with.
	ErrLocked = errors.New("it is locked with another passphrase or key file")
	// ErrBroken: the file is not whole, or was changed.
	ErrBroken = errors.New("it is damaged: part is missing or was changed; take it from a backup")
	// ErrNewer: a newer version of rollcall wrote it.
	ErrNewer = errors.New("a newer version of rollcall wrote it: use that one")
)

// Lock is what a file is locked with: a passphrase, or a key file beside it.
type Lock struct {
	Passphrase string
	// KeyFile holds 32 bytes; it is made with the file if it is not there, and may
	// be read by nobody else.
	KeyFile string
	// Cost of a guess at the passphrase; the zero value is the default.
	Cost Cost
}

// Cost is argon2id's (RFC 9106).
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
}

// defaultCost is the second recommended option of RFC 9106 §4.
var defaultCost = Cost{64 << 10, 3}

// What a file may ask for before it is known to be ours.
var maxCost = Cost{1 << 20, 16}

const (
	format  = "rollcall-keys"
	version = 2 // 1 where nothing has been revoked: an older rollcall must not forget it
	maxFile = 2 << 20
)

// header says how the rest is locked. It is authenticated with it.
type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	KDF     string `json:"kdf"` // "argon2id", or "none" with a key file
	Memory  uint32 `json:"memory_kib,omitempty"`
	Passes  uint32 `json:"passes,omitempty"`
	Salt    []byte `json:"salt,omitempty"`
	// Check tells a wrong passphrase from a damaged file.
	Check []byte `json:"check"`
}

type envelope struct {
	header
	Nonce  []byte `json:"nonce"`
	Sealed []byte `json:"sealed"`
}

// Read reads a file of keys.
func Read(path string, l Lock) ([]Key, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := l.open(data, path)
	if err != nil {
		return nil, fmt.Errorf("the keys in %s cannot be read: %w", path, err)
	}
	all, err := decode(data, key)
	if err != nil {
		return nil, fmt.Errorf("the keys in %s cannot be read: %w", path, err)
	}
	return all, nil
}

// Write replaces a file of keys at once, or makes it: whenever the machine stops,
// the old one is there or the new one. With create, one that is there is left and
// the error is fs.ErrExist.
func Write(path string, l Lock, all []Key, random io.Reader, create bool) error {
	if err := check(all); err != nil {
		return err
	}
	h := header{Format: format, Version: 1, KDF: "none"}
	if slices.ContainsFunc(all, func(k Key) bool { return len(k.Revoked) > 0 }) {
		h.Version = version
	}
	var key []byte
	var err error
	if l.Passphrase != "" {
		cost := l.Cost
		if cost == (Cost{}) {
			cost = defaultCost
		}
		h.KDF, h.Memory, h.Passes, h.Salt = "argon2id", cost.Memory, cost.Passes, make([]byte, 16)
		if _, err := io.ReadFull(random, h.Salt); err != nil {
			return err
		}
		key = argon2.IDKey([]byte(l.Passphrase), h.Salt, h.Passes, h.Memory, 1, 32)
	} else if key, err = readKeyFile(l.KeyFile); errors.Is(err, fs.ErrNotExist) {
		key, err = makeKeyFile(l.KeyFile, random)
	}
	if err != nil {
		return err
	}
	data, err := encode(h, key, all, random)
	if err != nil {
		return err
	}
	return wholefile.Write(wholefile.OS, wholefile.File{Path: path, Data: data, New: create})
}

// open is the key with which the file was sealed.
func (l Lock) open(data []byte, path string) ([]byte, error) {
	h, err := readHeader(data)
	if err != nil {
		return nil, err
	}
	switch {
	case h.KDF == "argon2id" && l.Passphrase == "":
		return nil, errors.New("it needs its passphrase")
	case h.KDF == "argon2id":
		return argon2.IDKey([]byte(l.Passphrase), h.Salt, h.Passes, h.Memory, 1, 32), nil
	case l.Passphrase != "":
		return nil, fmt.Errorf("it is locked with the key file %s and not with a passphrase", l.KeyFile)
	}
	return readKeyFile(l.KeyFile)
}

func readHeader(data []byte) (header, error) {
	var e envelope
	if len(data) > maxFile {
		return e.header, fmt.Errorf("it has more than %d bytes", maxFile)
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return e.header, fmt.Errorf("%w (%v)", ErrBroken, err)
	}
	switch {
	case e.Format != format:
		return e.header, errors.New("it is no file of keys")
	case e.Version > version:
		return e.header, fmt.Errorf("it has version %d: %w", e.Version, ErrNewer)
	case e.Version < 1, len(e.Check) != 16, e.KDF != "argon2id" && e.KDF != "none":
		return e.header, ErrBroken
	case e.KDF == "argon2id" && (len(e.Salt) != 16 || e.Memory == 0 || e.Passes == 0 || e.Memory > maxCost.Memory || e.Passes > maxCost.Passes):
		return e.header, ErrBroken
	}
	return e.header, nil
}

func encode(h header, key []byte, all []Key, random io.Reader) ([]byte, error) {
	h.Check = proof(key)
	plain, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	bound, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, a.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, err
	}
	data, err := json.MarshalIndent(envelope{h, nonce, a.Seal(nil, nonce, plain, bound)}, "", "  ")
	return append(data, '\n'), err
}

func decode(data, key []byte) ([]Key, error) {
	h, err := readHeader(data)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(h.Check, proof(key)) {
		return nil, ErrLocked
	}
	var e envelope
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, ErrBroken
	}
	bound, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	if len(e.Nonce) != a.NonceSize() {
		return nil, ErrBroken
	}
	plain, err := a.Open(nil, e.Nonce, e.Sealed, bound)
	if err != nil {
		return nil, ErrBroken
	}
	var all []Key
	if err := json.Unmarshal(plain, &all); err != nil {
		return nil, ErrBroken
	}
	return all, check(all)
}

// proof tells whether a key is the right one, and nothing else of it.
func proof(key []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("rollcall keys: the right key"))
	return h.Sum(nil)[:16]
}

func readKeyFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others may read the key file %s (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	if info.Size() > 1<<10 {
		return nil, fmt.Errorf("%s is no key file", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("the key file %s does not hold 32 bytes in base64", path)
	}
	return key, nil
}

func makeKeyFile(path string, random io.Reader) ([]byte, error) {
	key := make([]byte, 32)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, err
	}
	return key, wholefile.Write(wholefile.OS, wholefile.File{Path: path, Data: []byte(base64.StdEncoding.EncodeToString(key) + "\n"), New: true})
}
