package parties

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/web"
)

// Cost is what a guess at a passphrase costs (argon2id, RFC 9106).
type Cost struct {
	Memory uint32 // KiB
	Passes uint32
}

// DefaultCost is 19 MiB and two passes: tens of milliseconds.
var DefaultCost = Cost{19 << 10, 2}

// MinPassphrase is the least length of a passphrase, in bytes.
const MinPassphrase, maxPassphrase = 12, 256

// Passphrase makes a passphrase of 100 bits from a seed, to be written down once.
func Passphrase(seed [32]byte) string {
	text := strings.ToLower(base32.StdEncoding.EncodeToString(seed[:]))
	return text[:5] + "-" + text[5:10] + "-" + text[10:15] + "-" + text[15:20]
}

// hash is a passphrase as it is kept: the text names its own cost.
func (p *Parties) hash(ctx context.Context, passphrase string) (string, error) {
	if len(passphrase) < MinPassphrase || len(passphrase) > maxPassphrase {
		return "", fmt.Errorf("%w: a passphrase has %d to %d bytes", ErrProfile, MinPassphrase, maxPassphrase)
	}
	seed, err := p.register.Seed()
	if err != nil {
		return "", err
	}
	sum, err := p.stretch(ctx, passphrase, seed[:16], p.o.Cost)
	if err != nil {
		return "", err
	}
	encode := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, p.o.Cost.Memory, p.o.Cost.Passes, encode(seed[:16]), encode(sum)), nil
}

// stretch waits for one of the few slots: memory that is guessed with is limited.
func (p *Parties) stretch(ctx context.Context, passphrase string, salt []byte, c Cost) ([]byte, error) {
	select {
	case p.guesses <- struct{}{}:
		defer func() { <-p.guesses }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(passphrase), salt, c.Passes, c.Memory, 1, 32), nil
}

// same says whether the passphrase is the one that was kept. Without one it takes
// as long.
func (p *Parties) same(ctx context.Context, kept, passphrase string) (bool, error) {
	var version int
	cost, salt, sum := p.o.Cost, make([]byte, 16), []byte(nil)
	if parts := strings.Split(kept, "$"); len(parts) == 6 && parts[1] == "argon2id" {
		if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=1", &version, &cost.Memory, &cost.Passes); err != nil || version != argon2.Version {
			return false, fmt.Errorf("a passphrase was kept in a way that is not known here: %s", parts[3])
		}
		var err error
		if salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
			return false, err
		}
		if sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
			return false, err
		}
	}
	if len(passphrase) > maxPassphrase {
		passphrase = ""
	}
	got, err := p.stretch(ctx, passphrase, salt, cost)
	return err == nil && subtle.ConstantTimeCompare(got, sum) == 1, err
}

const accessDenied = "access_denied"

// SignIn is the member of staff with this id and passphrase. Who is wrong does not
// learn in what. Known is the cookie that Known has made for the browser, if it has one:
// guesses are counted by it, else by the id.
func (p *Parties) SignIn(ctx context.Context, id, passphrase, known string) (access.Caller, error) {
	of := p.counted(id, known)
	counted, wait := p.tried.take(of, p.register.Now())
	if wait > 0 {
		return access.Caller{}, tooManyGuesses(wait)
	}
	caller, err := p.signIn(ctx, id, passphrase)
	if e, ok := errors.AsType[*web.Error](err); !ok || e.Code != accessDenied {
		p.tried.right(of, counted) // or nobody has looked
	}
	return caller, err
}

func (p *Parties) signIn(ctx context.Context, id, passphrase string) (access.Caller, error) {
	one, err := p.Party(ctx, id)
	known := err == nil && one.inForce(p.register.Now()) && one.passphrase != ""
	if err != nil && !isUnknown(err) {
		return access.Caller{}, err
	}
	kept := ""
	if known {
		kept = one.passphrase
	}
	same, err := p.same(ctx, kept, passphrase)
	if err != nil {
		return access.Caller{}, err
	}
	if !known || !same {
		return access.Caller{}, web.Refuse(401, accessDenied, "The name or the passphrase is wrong.")
	}
	return one.caller(), nil
}

// mark names a passphrase without telling anything of it: a session ends with the
// passphrase it began with.
func mark(kept string) string {
	h := sha256.Sum256([]byte("mark" + kept))
	return base64.RawURLEncoding.EncodeToString(h[:12])
}
