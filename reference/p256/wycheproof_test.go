package p256

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// vectors calls f for each test of a Wycheproof file.
func vectors(t *testing.T, file string, f func(key *ecdsa.PublicKey, msg, sig []byte, valid bool, name string)) {
	t.Helper()
	raw, err := os.ReadFile("testdata/wycheproof/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		NumberOfTests int
		Groups        []struct {
			Key   string
			Tests []struct {
				TcID                      int
				Comment, Msg, Sig, Result string
			}
		}
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		t.Fatal(err)
	}
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	n := 0
	for _, g := range set.Groups {
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), unhex(g.Key))
		if err != nil {
			t.Fatalf("a key of the vectors is refused: %v", err)
		}
		for _, c := range g.Tests {
			n++
			if c.Result != "valid" && c.Result != "invalid" {
				t.Fatalf("test %d has the result %q", c.TcID, c.Result)
			}
			f(key, unhex(c.Msg), unhex(c.Sig), c.Result == "valid", c.Comment)
		}
	}
	if n != set.NumberOfTests || n < 250 {
		t.Errorf("%d tests were read of %d", n, set.NumberOfTests)
	}
}

// ways are those in which a signature is verified here.
var ways = map[string]func(key *ecdsa.PublicKey, digest, rs []byte) bool{
	"once":         Verify,
	"a new key":    func(key *ecdsa.PublicKey, digest, rs []byte) bool { return known(key).Verify(digest, rs) },
	"with a table": func(key *ecdsa.PublicKey, digest, rs []byte) bool { return settledKey(key).Verify(digest, rs) },
}

func known(key *ecdsa.PublicKey) *Key {
	k, err := NewKey(key)
	if err != nil {
		panic(err)
	}
	return k
}

func TestWycheproofsPlainSignatures(t *testing.T) {
	vectors(t, "ecdsa_secp256r1_sha256_p1363_test.json", func(key *ecdsa.PublicKey, msg, sig []byte, valid bool, name string) {
		digest := sha256.Sum256(msg)
		for way, verify := range ways {
			if got := verify(key, digest[:], sig); got != valid {
				t.Errorf("%s, %s: %x accepted: %v, want %v", way, name, sig, got, valid)
			}
		}
	})
}

// DER is what certificates and a card's security object are signed in.
func TestWycheproofsDERSignatures(t *testing.T) {
	vectors(t, "ecdsa_secp256r1_sha256_test.json", func(key *ecdsa.PublicKey, msg, sig []byte, valid bool, name string) {
		digest := sha256.Sum256(msg)
		if got := ecdsa.VerifyASN1(key, digest[:], sig); got != valid {
			t.Errorf("the library, %s: %x accepted: %v, want %v", name, sig, got, valid)
		}
		for way, verify := range ways {
			rs, ok := Plain(sig)
			if got := ok && verify(key, digest[:], rs); got != valid {
				t.Errorf("%s, %s: %x accepted: %v, want %v", way, name, sig, got, valid)
			}
		}
	})
}

// The second form of a signature, s' = n − s, is one too: nothing may be known
// by its signature.
func TestTheSecondFormOfASignatureIsAccepted(t *testing.T) {
	digest := sha256.Sum256([]byte("payload"))
	rs, err := Sign(key("a"), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	for way, verify := range ways {
		if !verify(&key("a").PublicKey, digest[:], secondForm(rs)) {
			t.Error(way, "refused")
		}
	}
}

// secondForm is the signature with n − s in place of s.
func secondForm(rs []byte) []byte {
	out, borrow := bytes.Clone(rs), 0
	order := elliptic.P256().Params().N.FillBytes(make([]byte, 32))
	for i := 31; i >= 0; i-- {
		d := int(order[i]) - int(rs[32+i]) - borrow
		borrow = 0
		if d < 0 {
			d, borrow = d+256, 1
		}
		out[32+i] = byte(d)
	}
	return out
}

func TestAKeyThatIsNoPointOfTheCurveIsRefused(t *testing.T) {
	good, err := key("a").PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p := elliptic.P256().Params().P.FillBytes(make([]byte, 32))
	off := bytes.Clone(good)
	off[64] ^= 1
	for name, point := range map[string][]byte{
		"off the curve": off, "infinity": {0}, "x and y zero": append([]byte{4}, make([]byte, 64)...), "x not below p": append(append([]byte{4}, p...), good[33:]...),
		"compressed": append([]byte{2 + good[64]&1}, good[1:33]...), "hybrid": append([]byte{6 + good[64]&1}, good[1:]...), "a byte less": good[:64],
	} {
		if _, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err == nil {
			t.Errorf("%s was taken for a key", name)
		}
	}
}
