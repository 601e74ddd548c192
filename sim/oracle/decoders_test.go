package oracle

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// issuerSigned builds an mdoc as ISO/IEC 18013-5 §9.1.2 says, signature aside.
func issuerSigned(t testing.TB, ref StatusRef, until time.Time) []byte {
	enc := func(v any) []byte {
		m, _ := cbor.EncOptions{Time: cbor.TimeRFC3339, TimeTag: cbor.EncTagRequired}.EncMode()
		b, err := m.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	mso := enc(map[string]any{
		"version": "1.0", "digestAlgorithm": "SHA-256", "docType": "kr.go.rollcall.rrc.1",
		"valueDigests":  map[string]any{"kr.go.rollcall.rrc.1": map[uint64][]byte{0: make([]byte, 32)}},
		"deviceKeyInfo": map[string]any{"deviceKey": map[int]any{1: 2, -1: 1, -2: bytes.Repeat([]byte{1}, 32), -3: bytes.Repeat([]byte{2}, 32)}},
		"validityInfo":  map[string]any{"signed": day0, "validFrom": day0, "validUntil": until},
		"status":        map[string]any{"status_list": map[string]any{"idx": ref.Index, "uri": ref.URI}},
	})
	payload := enc(cbor.Tag{Number: 24, Content: mso})
	return enc(map[string]any{
		"nameSpaces": map[string]any{"kr.go.rollcall.rrc.1": []any{}},
		"issuerAuth": []any{enc(map[int]int{1: -7}), map[int]any{33: []byte{0x30, 0x00}}, payload, make([]byte, 64)},
	})
}

func TestIssuedDocumentTellsItsStatusEntryValidityAndDeviceKey(t *testing.T) {
	ref, until := StatusRef{"https://status.example/lists/0", 14}, day0.AddDate(3, 0, 0)
	got, err := parseIssuerSigned(issuerSigned(t, ref, until))
	if err != nil {
		t.Fatal(err)
	}
	if got.status != ref || !got.until.Equal(until) || !got.from.Equal(day0) ||
		got.deviceKey != strings.Repeat("\x01", 32)+strings.Repeat("\x02", 32) {
		t.Errorf("%+v", got)
	}
}

func TestIssuedBytesWinOverWhatTheDriverSays(t *testing.T) {
	w := newWorld()
	card := w.holders("1")[0]
	a := &w.h.Applications[0]
	a.Copies = nil
	for i, c := range card.copies {
		a.Copies = append(a.Copies, Copy{IssuerSigned: issuerSigned(t, c.Status, card.until), Status: StatusRef{"elsewhere", uint64(i)}})
	}
	w.lose("1", MobileLost)
	w.show(card, Accepted)
	if v := Judge(w.history(), Options{}); v.ByProperty["S3"].Violations != 1 || v.Violations() != 1 {
		t.Error(sentences(v))
	}
	a.Copies[0].IssuerSigned = a.Copies[0].IssuerSigned[:100]
	if v := Judge(w.history(), Options{}); v.ByProperty["S11"].Violations == 0 {
		t.Error("an issued document that can't be read passes")
	}
}

func TestBitsRunFromTheLeastSignificant(t *testing.T) {
	// Token Status List, example of two bits: 0xC9 is 1, 2, 0, 3.
	for i, want := range []byte{1, 2, 0, 3} {
		if got, ok := entry([]byte{0xC9}, uint64(i)); !ok || got != want {
			t.Errorf("entry %d is %d, want %d", i, got, want)
		}
	}
	if _, ok := entry([]byte{0xC9}, 4); ok {
		t.Error("an entry beyond the list was read")
	}
}

func TestDraftsExampleOfTwoBitsIsRead(t *testing.T) {
	const lst = "eNo76fITAAPfAgc" // the draft's own example: C9 44 F9
	l := &statusToken{lst: lst, bits: 2}
	bits, err := l.inflate()
	if err != nil || !bytes.Equal(bits, []byte{0xC9, 0x44, 0xF9}) {
		t.Errorf("% X, %v", bits, err)
	}
}

func TestBombIsRefused(t *testing.T) {
	tok, err := parseToken(token("u", day0, 1, 2, make([]byte, maxListBytes+1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tok.inflate(); err == nil {
		t.Error("a list beyond the limit was decompressed")
	}
}

func TestWrongTokensSayWhatIsWrong(t *testing.T) {
	good := string(token("u", day0, 1, 2, make([]byte, 8)))
	for what, bad := range map[string]string{
		"three parts": "x.y", "base64url": "!." + strings.SplitN(good, ".", 2)[1], "typ": "e30." + strings.SplitN(good, ".", 2)[1],
	} {
		if _, err := parseToken([]byte(bad)); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestHistoryWithUnknownMembersIsRefused(t *testing.T) {
	for _, bad := range []string{`{"policy":{},"surprise":1}`, `{}{}`, `[`} {
		if _, err := Decode(strings.NewReader(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add(token("u", day0, 1, 2, make([]byte, 8)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if tok, err := parseToken(b); err == nil {
			if bits, err := tok.inflate(); err == nil && len(bits) > maxListBytes {
				t.Error("beyond the limit")
			}
		}
	})
}

func FuzzIssuerSigned(f *testing.F) {
	f.Add(issuerSigned(f, StatusRef{"u", 1}, day0))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := parseIssuerSigned(b); err == nil && m.deviceKey == "" {
			t.Error("no device key")
		}
	})
}

func FuzzAudit(f *testing.F) {
	w := newWorld()
	w.holders("1")
	f.Add(w.history().Audit)
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, _ := parseAudit(b)
		for i := range lines {
			link(lines, i)
		}
	})
}

// FuzzHistory: whatever a history says, the judge gives a verdict.
func FuzzHistory(f *testing.F) {
	w := newWorld()
	cards := w.holders("1", "2")
	w.lose("1", PhysicalLost)
	w.find("1", PhysicalLost)
	w.reissue("2", "M2-2")
	w.inquire("1")
	w.showPlastic("2")
	list := w.publish()
	w.showCached(cards[0], list, w.stamp())
	w.crash()
	w.show(cards[1])
	var b bytes.Buffer
	if err := w.history().Encode(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	for _, from := range []string{`"citizen": "1"`, `"n": 7`, `"sequence": 5`, `"list": 0`, `"document": "M2-2"`, `"granted": true,`} {
		to := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '8' {
				return r + 1
			}
			return r
		}, from)
		if strings.HasSuffix(from, ",") {
			to = ""
		}
		f.Add(bytes.Replace(b.Bytes(), []byte(from), []byte(to), 1))
		f.Add(bytes.ReplaceAll(b.Bytes(), []byte(from), []byte(to)))
	}
	var two bytes.Buffer
	if err := ofAFire().history().Encode(&two); err != nil {
		f.Fatal(err)
	}
	f.Add(two.Bytes())
	for _, swap := range [][2]string{{`"citizen": "1"`, `"citizen": "2"`}, {`"list": 0`, `"list": 7`}, {`"granted": true,`, ``}, {`"sequence": 4`, `"sequence": 3`}} {
		f.Add(bytes.ReplaceAll(two.Bytes(), []byte(swap[0]), []byte(swap[1])))
		f.Add(bytes.Replace(two.Bytes(), []byte(swap[0]), []byte(swap[1]), 1))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Decode(bytes.NewReader(b))
		if err != nil {
			return
		}
		v := Judge(h, Options{})
		if fmt.Sprint(Judge(h, Options{}).ByProperty) != fmt.Sprint(v.ByProperty) {
			t.Error("judged twice, the verdict differs")
		}
	})
}
