package places

import (
	"crypto/aes"
	"encoding/hex"
	"testing"
)

// The samples of NIST for FF1, of ten decimal digits (those to the base 36 have halves
// of more than 32 bits):
// https://csrc.nist.gov/CSRC/media/Projects/Cryptographic-Standards-and-Guidelines/documents/examples/FF1samples.pdf
func TestFF1GivesTheSamplesOfNIST(t *testing.T) {
	const key = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
	for _, s := range []struct {
		bytes int
		tweak string
		want  uint64
	}{
		{16, "", 2433477484},
		{16, "39383736353433323130", 6124200773},
		{24, "", 2830668132},
		{24, "39383736353433323130", 2496655549},
		{32, "", 6657667009},
		{32, "39383736353433323130", 1001623463},
	} {
		k, _ := hex.DecodeString(key[:2*s.bytes])
		tweak, _ := hex.DecodeString(s.tweak)
		block, err := aes.NewCipher(k)
		if err != nil {
			t.Fatal(err)
		}
		f, err := newFF1(block, 10, 10, tweak)
		if err != nil {
			t.Fatal(err)
		}
		const text = 123456789
		if got := f.encrypt(text); got != s.want {
			t.Errorf("AES-%d, tweak %q: %010d, want %010d", 8*s.bytes, s.tweak, got, s.want)
		}
		if back := f.decrypt(s.want); back != text {
			t.Errorf("AES-%d, tweak %q: decrypted to %010d", 8*s.bytes, s.tweak, back)
		}
	}
}
