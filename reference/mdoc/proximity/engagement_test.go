package proximity

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

func mustKey(t testing.TB, key *ecdh.PrivateKey) []byte {
	t.Helper()
	encoded, err := appendKey(nil, key.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func drawNFC() *rapid.Generator[*NFC] {
	return rapid.Custom(func(t *rapid.T) *NFC {
		if rapid.Bool().Draw(t, "no NFC") {
			return nil
		}
		return &NFC{rapid.IntRange(255, 65535).Draw(t, "command"), rapid.IntRange(256, 65536).Draw(t, "response")}
	})
}

func drawBLE(oneService bool) *rapid.Generator[*BLE] {
	return rapid.Custom(func(t *rapid.T) *BLE {
		b := &BLE{PeripheralServer: rapid.Bool().Draw(t, "server"), CentralClient: rapid.Bool().Draw(t, "client")}
		uuid := rapid.SliceOfN(rapid.Byte(), 16, 16)
		if b.PeripheralServer {
			b.PeripheralUUID = uuid.Draw(t, "peripheral")
		}
		if b.CentralClient {
			b.CentralUUID = uuid.Draw(t, "central")
		}
		if b.PeripheralServer && b.CentralClient && oneService {
			b.CentralUUID = b.PeripheralUUID
		}
		if rapid.Bool().Draw(t, "addressed") {
			b.Address = rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, "address")
		}
		if !b.PeripheralServer && !b.CentralClient {
			return nil
		}
		return b
	})
}

func TestAnEngagementReadsAsItWasMade(t *testing.T) {
	key := testKey(t, "phone").PublicKey()
	rapid.Check(t, func(rt *rapid.T) {
		e, err := NewEngagement(key, drawNFC().Draw(rt, "NFC"), drawBLE(false).Draw(rt, "Bluetooth"))
		if err != nil {
			rt.Fatal(err)
		}
		read, err := ParseURI(e.URI())
		if err != nil || !reflect.DeepEqual(read, e) {
			rt.Errorf("%+v was read as %+v, %v", e, read, err)
		}
	})
}

func TestWhatIsNoEngagementIsRefusedWithASentence(t *testing.T) {
	e, _ := engaged(t, "phone")
	good := e.Bytes()
	key := mustKey(t, testKey(t, "phone"))
	build := func(version string, suite uint64, key []byte, more ...byte) []byte {
		b := cose.AppendMap(nil, 2)
		b = cose.AppendText(cose.AppendUint(b, 0), version)
		b = cose.AppendArray(cose.AppendUint(b, 1), 2)
		b = append(cose.AppendUint(b, suite), key...)
		if more != nil {
			b[0]++
		}
		return append(b, more...)
	}
	wrapped := cose.Tag24(key)
	off := bytes.Clone(key)
	off[len(off)-1] ^= 1
	for _, c := range []struct {
		name string
		data []byte
		says string
	}{
		{"nothing", nil, "too early"},
		{"another version", build("2.0", 1, wrapped), `version "2.0"`},
		{"no security", []byte("\xa1\x00\x631.0"), "has no key"},
		{"a key that is not wrapped", build("1.0", 1, key), "tag"},
		{"a point off the curve", build("1.0", 1, cose.Tag24(off)), "P-256"},
		{"bytes after it", append(bytes.Clone(good), 0), "follow"},
		{"a key of the map twice", build("1.0", 1, wrapped, 0, 0x63, '1', '.', '0'), "twice"},
		{"too long", make([]byte, maxEngagement+1), "2049 bytes"},
		{"nested without end", build("1.0", 1, wrapped, append([]byte{0x07}, bytes.Repeat([]byte{0x81}, 100)...)...), "deep"},
		{"nine ways", build("1.0", 1, wrapped, append([]byte{0x02, 0x89}, bytes.Repeat([]byte{0x80}, 9)...)...), "9 ways"},
		{"NFC twice", build("1.0", 1, wrapped, []byte("\x02\x82\x83\x01\x01\xa2\x00\x18\xff\x01\x19\x01\x00\x83\x01\x01\xa2\x00\x18\xff\x01\x19\x01\x00")...), "twice"},
		{"NFC with commands too small", build("1.0", 1, wrapped, []byte("\x02\x81\x83\x01\x01\xa2\x00\x18\xfe\x01\x19\x01\x00")...), "254"},
		{"Bluetooth in no role", build("1.0", 1, wrapped, []byte("\x02\x81\x83\x02\x01\xa2\x00\xf4\x01\xf4")...), "neither role"},
		{"Bluetooth with a number for a truth", build("1.0", 1, wrapped, []byte("\x02\x81\x83\x02\x01\xa1\x00\xf9\x00\x15")...), "true or false"},
	} {
		if _, err := ParseEngagement(c.data); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	if _, err := ParseEngagement(build("1.0", 2, wrapped)); !errors.Is(err, ErrCipherSuite) {
		t.Errorf("another cipher suite: %v", err)
	}
	// What later editions and other ways add is passed over.
	if read, err := ParseEngagement(build("1.0", 1, wrapped, []byte("\x02\x81\x83\x03\x01\xa0")...)); err != nil || read.NFC != nil || read.BLE != nil {
		t.Errorf("Wi-Fi Aware: %+v, %v", read, err)
	}
	for _, uri := range []string{"", "https://rollcall.example/", "mdoc:=", "mdoc:" + strings.Repeat("A", 4<<10), "MDOC:" + e.URI()[5:]} {
		if _, err := ParseURI(uri); err == nil || !strings.Contains(err.Error(), "QR code") {
			t.Errorf("%.20s: %v", uri, err)
		}
	}
}
