package wallet

import (
	"crypto/ecdsa"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
)

// ErrUnusable: what the issuer sent is not what was asked for, or could not be shown to
// anybody. Nothing of it is kept, and the issuer was told so if it can be.
var ErrUnusable = errors.New("the card that came is not kept")

func unusable(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrUnusable}, args...)...)
}

// clockSkew is how far ahead an issuer's clock may go [A].
const clockSkew = time.Minute

// received is a copy as it came, read.
type received struct {
	credential []byte
	holder     *ecdsa.PublicKey
	status     *mdoc.StatusRef
	person     map[string]any // what it says of its holder
}

// check reads the copies that came for keys of this wallet. All must be usable: an issuer
// that is wrong in one is not believed in the others, and it can be told of all together
// only (OpenID4VCI 1.0 §11.1: an error in part is one of the whole).
func (w *Wallet) check(config string, c Configuration, came []string, keys []*ecdsa.PrivateKey) ([]Copy, error) {
	if len(came) != len(keys) {
		return nil, unusable("%d copies came for %d keys", len(came), len(keys))
	}
	var got []Copy
	var all []*received
	for i, text := range came {
		one, err := w.open(c, text, w.o.Issuers != nil && (i == 0 || !w.o.OneSignature))
		if err == nil {
			err = one.beside(all)
		}
		n := -1
		if err == nil {
			n = slices.IndexFunc(keys, func(k *ecdsa.PrivateKey) bool { return k.PublicKey.Equal(one.holder) })
			if n < 0 {
				err = errors.New("it is bound to a key that this wallet did not prove")
			}
		}
		if err != nil {
			return nil, unusable("copy %d of %d: %w", i+1, len(came), err)
		}
		all = append(all, one)
		got = append(got, Copy{Config: config, Format: c.Format, Credential: one.credential, Key: keys[n], Shown: w.shown(*one.status), place: *one.status})
	}
	return got, nil
}

// shown is how often copies that stand there were shown.
func (w *Wallet) shown(place mdoc.StatusRef) int {
	n := slices.IndexFunc(w.held, func(c Copy) bool { return c.place == place })
	if n < 0 {
		return 0
	}
	return w.held[n].Shown
}

// open reads one copy, and verifies who signed it if that is wanted.
func (w *Wallet) open(c Configuration, text string, signature bool) (*received, error) {
	one, err := w.openAt(c, text, signature, w.o.Now())
	if errors.Is(err, mdoc.ErrNotYetValid) || errors.Is(err, sdjwt.ErrNotYetValid) {
		one, err = w.openAt(c, text, signature, w.o.Now().Add(clockSkew))
	}
	if err == nil && one.status == nil {
		err = errors.New("it says nowhere whether it is suspended: no verifier of this profile accepts it")
	}
	return one, err
}

func (w *Wallet) openAt(c Configuration, text string, signature bool, at time.Time) (*received, error) {
	if c.Format == sdjwt.Format {
		var p *sdjwt.Presented
		var err error
		if signature {
			p, err = sdjwt.VerifyCard(text, w.o.Issuers, []string{c.Type}, at)
		} else {
			p, err = sdjwt.CheckCard(text, []string{c.Type}, at)
		}
		if err != nil {
			return nil, err
		}
		for _, name := range ofTheCopy {
			delete(p.Claims, name)
		}
		return &received{[]byte(text), p.Holder, p.Status, p.Claims}, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("it is not base64url: %w", err)
	}
	var p *mdoc.Presented
	if signature {
		p, err = mdoc.VerifyCard(raw, w.o.Issuers, at)
	} else {
		p, err = mdoc.CheckCard(raw, at)
	}
	if err != nil {
		return nil, err
	}
	if p.DocType != c.DocType {
		return nil, fmt.Errorf("%w: %q was asked for, %q came", mdoc.ErrDocType, c.DocType, p.DocType)
	}
	one := &received{raw, p.DeviceKey, p.Status, map[string]any{}}
	for _, e := range p.Elements {
		one.person[e.Name] = e.Value
	}
	return one, nil
}

// ofTheCopy are claims of an SD-JWT VC that are not of its holder.
var ofTheCopy = []string{"cnf", "exp", "iat", "iss", "nbf", "status", "vct"}

// beside says why a copy may not be held with those that came before it: each has a key
// and an index of its own, so that who sees two does not know that they are one card's,
// and all are of one person.
func (r *received) beside(others []*received) error {
	for i, o := range others {
		switch {
		case r.holder.Equal(o.holder):
			return fmt.Errorf("it is bound to the key of copy %d", i+1)
		case *r.status == *o.status:
			return fmt.Errorf("it has the status index of copy %d", i+1)
		}
	}
	if len(others) > 0 && !reflect.DeepEqual(r.person, others[0].person) {
		return fmt.Errorf("it says otherwise than copy 1: %s", strings.Join(differing(r.person, others[0].person), ", "))
	}
	return nil
}

// differing are the names under which two copies do not say the same.
func differing(a, b map[string]any) (names []string) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		x, inA := a[name]
		y, inB := b[name]
		if inA != inB || !reflect.DeepEqual(x, y) {
			names = append(names, name)
		}
	}
	return names
}
