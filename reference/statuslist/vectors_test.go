package statuslist

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

func vector(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "token-status-list", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var spaces = regexp.MustCompile(`\s+`)

// vectorJSON reads the JSON form of a list; the examples wrap the string.
func vectorJSON(t testing.TB, name string) *List {
	t.Helper()
	text := vector(t, name)
	var v jwtList
	if err := json.Unmarshal([]byte(spaces.ReplaceAllString(text[strings.Index(text, "{"):], "")), &v); err != nil {
		t.Fatal(name, err)
	}
	packed, err := base64.RawURLEncoding.DecodeString(v.List)
	if err != nil {
		t.Fatal(name, err)
	}
	l, err := Unpack(v.Bits, packed)
	if err != nil {
		t.Fatal(name, err)
	}
	return l
}

func vectorCBOR(t testing.TB, name string) *List {
	t.Helper()
	text := vector(t, name)
	if i := strings.Index(text, "encoded:"); i >= 0 {
		text = text[i+len("encoded:"):]
	}
	raw, err := hex.DecodeString(spaces.ReplaceAllString(text, ""))
	if err != nil {
		t.Fatal(name, err)
	}
	var v struct {
		Bits int    `cbor:"bits"`
		List []byte `cbor:"lst"`
	}
	if err := cose.Unmarshal(raw, &v); err != nil {
		t.Fatal(name, err)
	}
	l, err := Unpack(v.Bits, v.List)
	if err != nil {
		t.Fatal(name, err)
	}
	return l
}

// published reads statuses.txt: what Appendix C says each list contains.
func published(t testing.TB) map[int]map[uint64]Status {
	t.Helper()
	out := map[int]map[uint64]Status{}
	for _, block := range strings.Split(strings.TrimSpace(vector(t, "statuses.txt")), "\n\n") {
		fields := strings.Fields(block)
		bits, err := strconv.Atoi(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		out[bits] = map[uint64]Status{}
		for _, f := range fields[1:] {
			var index uint64
			var s Status
			if _, err := fmt.Sscanf(f, "%d=%d", &index, &s); err != nil {
				t.Fatal(f, err)
			}
			out[bits][index] = s
		}
	}
	return out
}

func TestPublishedListsDecodeToThePublishedBits(t *testing.T) {
	for bits, want := range published(t) {
		suffix := map[int]string{1: "1_long", 2: "2_long", 4: "4", 8: "8"}[bits]
		for form, l := range map[string]*List{
			"JSON": vectorJSON(t, "status_list_encoding"+suffix+"_json.md"),
			"CBOR": vectorCBOR(t, "status_list_encoding"+suffix+"_cbor.md"),
		} {
			if l.Bits() != bits || l.Len() != 1<<20 {
				t.Errorf("%s: %d entries of %d bits, want 2^20 of %d", form, l.Len(), l.Bits(), bits)
				continue
			}
			for i := range l.Len() {
				if got, err := l.Get(i); err != nil || got != want[i] {
					t.Errorf("%s of %d bits: status[%d] = %d, %v, want %d", form, bits, i, got, err, want[i])
				}
			}
		}
	}
}

func TestShortPublishedListsDecodeToTheirBytes(t *testing.T) {
	for name, want := range map[string]*List{
		"status_list_encoding":  newList(1, []byte{0xb9, 0xa3}),
		"status_list_encoding2": newList(2, []byte{0xc9, 0x44, 0xf9}),
	} {
		if got := vectorJSON(t, name+"_json.md"); !got.Equal(want) {
			t.Errorf("%s: JSON %v", name, got)
		}
		if got := vectorCBOR(t, name+"_cbor.md"); !got.Equal(want) {
			t.Errorf("%s: CBOR %v", name, got)
		}
	}
}

// The example CWT has no certificate, so that its form is checked up to trust, and
// its claims by a key that does not exist.
func TestThePublishedCWTIsReadUpToItsSignature(t *testing.T) {
	raw, err := hex.DecodeString(spaces.ReplaceAllString(vector(t, "status_list_cwt.md"), ""))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1686920170, 0)
	_, err = parseCWT(raw, at, func([][]byte) (*ecdsa.PublicKey, error) { return &testKey("any").PublicKey, nil })
	if !errors.Is(err, ErrSignature) {
		t.Errorf("%v, want %v", err, ErrSignature)
	}
	untagged, err := cose.Untag18(raw)
	if err != nil {
		t.Fatal(err)
	}
	m, err := cose.Parse(untagged)
	if err != nil {
		t.Fatal(err)
	}
	token, err := readCWTClaims(m.Payload, at)
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject != "https://example.com/statuslists/1" || token.TTL != 43200*time.Second || !token.IssuedAt.Equal(at) ||
		token.Expires.Unix() != 2291720170 || !token.List.Equal(newList(1, []byte{0xb9, 0xa3})) {
		t.Errorf("token %+v", token)
	}
}
