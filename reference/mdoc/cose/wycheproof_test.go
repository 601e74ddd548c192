package cose

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

func TestWycheproofsPlainSignatures(t *testing.T) {
	vectors(t, "ecdsa_secp256r1_sha256_p1363_test.json", func(key *ecdsa.PublicKey, msg, sig []byte, valid bool, name string) {
		digest := sha256.Sum256(msg)
		if got := VerifyDigest(key, digest[:], sig); got != valid {
			t.Errorf("%s: %x accepted: %v, want %v", name, sig, got, valid)
		}
	})
}

// DER is what certificates and a card's security object are signed in; they are
// verified by crypto/ecdsa itself. A signature that it accepts is accepted in
// plain format too, and no other.
func TestWycheproofsDERSignatures(t *testing.T) {
	vectors(t, "ecdsa_secp256r1_sha256_test.json", func(key *ecdsa.PublicKey, msg, sig []byte, valid bool, name string) {
		digest := sha256.Sum256(msg)
		if got := ecdsa.VerifyASN1(key, digest[:], sig); got != valid {
			t.Errorf("%s: %x accepted: %v, want %v", name, sig, got, valid)
		}
	})
}

// The same as whole messages: the vectors' messages cannot be chosen, so that
// here only what the message itself adds is tried.
func TestAMessageWithASignatureOfAnotherLengthOrOutOfRangeIsRefused(t *testing.T) {
	n := elliptic.P256().Params().N
	order, above := n.FillBytes(make([]byte, 32)), new(bytes.Buffer)
	above.Write(order[:31])
	above.WriteByte(order[31] + 1)
	one := append(make([]byte, 31), 1)
	good, err := Sign1(signer{key("a")}, Header{}, []byte("payload"), false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	rs := bytes.Clone(m.Signature)
	if !m.VerifySignature(&key("a").PublicKey, nil) {
		t.Fatal("refused as it was signed")
	}
	r, s := rs[:32], rs[32:]
	zero := make([]byte, 32)
	for name, sig := range map[string][]byte{
		"r zero": append(bytes.Clone(zero), s...), "s zero": append(bytes.Clone(r), zero...), "both zero": make([]byte, 64),
		"r the order": append(bytes.Clone(order), s...), "s the order": append(bytes.Clone(r), order...),
		"r above the order": append(above.Bytes(), s...), "s above the order": append(bytes.Clone(r), above.Bytes()...),
		"both one": append(bytes.Clone(one), one...), "changed places": append(bytes.Clone(s), r...),
		"all ones": bytes.Repeat([]byte{0xff}, 64), "a byte less": rs[:63], "a byte more": append(bytes.Clone(rs), 0),
		"a zero before": append([]byte{0}, rs...), "only r": r, "none": {}, "DER": appendASN1(nil, rs),
	} {
		m.Signature = sig
		if m.VerifySignature(&key("a").PublicKey, nil) {
			t.Errorf("%s: %x accepted", name, sig)
		}
	}
}

// The second form of a signature, s' = n − s, is one too: nothing may be known
// by its signature.
func TestTheSecondFormOfASignatureIsAccepted(t *testing.T) {
	digest := sha256.Sum256([]byte("payload"))
	rs, err := SignDigest(key("a"), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	if !VerifyDigest(&key("a").PublicKey, digest[:], secondForm(rs)) {
		t.Error("refused")
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
