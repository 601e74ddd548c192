package terminal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"testing"

	"rollcall.example/rollcall/hwemu/nfc"
)

// A whole meeting: both sides, and the verification. Its floor is what it cannot do
// without: two ephemeral keys, two agreements, the signatures of terminal and phone,
// and both of them verified (the issuer's was seen before).
func BenchmarkMeeting(b *testing.B) {
	s := newStreet(b, 2000)
	for b.Loop() {
		_, m, err := s.meet(b, "negotiated handover", s.offer(allow("family_name", "portrait")), s.terminal(), nfc.New, asking("family_name", "portrait"))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.verify(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFloorP256OfAMeeting(b *testing.B) {
	one, other := key(b, "one"), key(b, "other")
	mine, yours := must(one.ECDH())(b), must(other.ECDH())(b)
	digest := sha256.Sum256([]byte("floor"))
	raw := must(one.Bytes())(b)
	for b.Loop() {
		for range 2 {
			must(ecdsa.ParseRawPrivateKey(one.Curve, raw))(b)
			must(mine.ECDH(yours.PublicKey()))(b)
			signature := must(one.Sign(nil, digest[:], crypto.SHA256))(b)
			if !ecdsa.VerifyASN1(&one.PublicKey, digest[:], signature) {
				b.Fatal("not verified")
			}
		}
	}
}
