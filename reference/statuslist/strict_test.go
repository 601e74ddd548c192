package statuslist

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// What is here is signed by the right signer: its form alone is the reason.

func TestJWTsThatTwoReadersCouldReadInTwoWaysAreRefused(t *testing.T) {
	w := newWorld(t)
	encode := base64.RawURLEncoding.EncodeToString
	header := fmt.Sprintf(`{"alg":"ES256","typ":"statuslist+jwt","x5c":[%q]}`, base64.StdEncoding.EncodeToString(w.signer.Certificate()))
	list := encode(filled(t, 2, 100, 0.5).Pack())
	good := fmt.Sprintf(`{"sub":"u","iat":%d,"register_seq":7,"status_list":{"bits":2,"lst":%q}}`, issuedAt.Unix(), list)
	parse := func(header, claims string) error {
		text := encode([]byte(header)) + "." + encode([]byte(claims))
		digest := sha256.Sum256([]byte(text))
		rs, err := w.signer.Sign(digest[:])
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseJWT([]byte(text+"."+encode(rs)), w.anchors, issuedAt)
		return err
	}
	if err := parse(header, good); err != nil {
		t.Fatalf("the token that all are made from: %v", err)
	}
	with := func(more string) string { return strings.Replace(good, "{", "{"+more+",", 1) }
	instead := func(old, new string) string {
		if strings.Count(good, old) != 1 {
			t.Fatalf("%q stands %d times in %s", old, strings.Count(good, old), good)
		}
		return strings.Replace(good, old, new, 1)
	}
	for name, claims := range map[string]string{
		"a claim twice":                     with(`"sub":"v"`),
		"no uri":                            instead(`"sub":"u",`, ""),
		"an empty uri":                      instead(`"sub":"u"`, `"sub":""`),
		"no time":                           instead(fmt.Sprintf(`"iat":%d,`, issuedAt.Unix()), ""),
		"the list twice":                    with(`"status_list":{"bits":1,"lst":"eJwDAAAAAAE"}`),
		"the bits twice":                    instead(`"bits":2`, `"bits":1,"bits":2`),
		"an unknown claim with one twice":   with(`"x":{"y":1,"y":2}`),
		"a claim in two cases":              with(`"SUB":"v"`),
		"no end":                            good[:len(good)-1],
		"two objects":                       good + good,
		"nested deep":                       with(`"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)),
		"a huge time":                       instead(fmt.Sprint(issuedAt.Unix()), strings.Repeat("9", 400)),
		"a huge number of a change":         instead(`"register_seq":7`, `"register_seq":18446744073709551616`),
		"a negative number of a change":     instead(`"register_seq":7`, `"register_seq":-7`),
		"a huge ttl":                        with(`"ttl":9223372036854775807`),
		"bits that no list has":             instead(`"bits":2`, `"bits":3`),
		"huge bits":                         instead(`"bits":2`, `"bits":4294967298`),
		"bits as text":                      instead(`"bits":2`, `"bits":"2"`),
		"a list in base64 with padding":     instead(list, list+"=="),
		"a list in base64 of two alphabets": instead(list, "+/"+list),
		"a list that is cut off":            instead(list, list[:len(list)-4]),
		"no list":                           instead(list, ""),
	} {
		if err := parse(header, claims); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, changed := range map[string]string{
		"the algorithm twice": strings.Replace(header, "{", `{"alg":"none",`, 1),
		"the chain twice":     strings.Replace(header, "{", `{"x5c":[],`, 1),
		"another type":        strings.Replace(header, "statuslist+jwt", "JWT", 1),
		"a critical header":   strings.Replace(header, "{", `{"crit":["exp"],`, 1),
	} {
		if err := parse(changed, good); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCWTsThatTwoReadersCouldReadInTwoWaysAreRefused(t *testing.T) {
	w := newWorld(t)
	packed := filled(t, 2, 100, 0.5).Pack()
	entry := func(label int64, value []byte) []byte { return append(cose.AppendInt(nil, label), value...) }
	text := func(s string) []byte { return cose.AppendText(nil, s) }
	number := func(n int64) []byte { return cose.AppendInt(nil, n) }
	list := func(entries ...[]byte) []byte {
		return append(cose.AppendMap(nil, len(entries)), strings.Join(strs(entries), "")...)
	}
	bits := append(text("bits"), number(2)...)
	lst := cose.AppendBytes(text("lst"), packed)
	// claims are those of a good token, with some in the place of others, and more.
	claims := func(instead map[int64][]byte, more ...[]byte) []byte {
		all := [][]byte{}
		for _, c := range []struct {
			label int64
			value []byte
		}{{claimSubject, text("u")}, {claimIssuedAt, number(issuedAt.Unix())}, {claimStatusList, list(bits, lst)}, {claimRegisterSeq, number(7)}} {
			if v, ok := instead[c.label]; ok {
				c.value = v
			}
			all = append(all, entry(c.label, c.value))
		}
		return list(append(all, more...)...)
	}
	sign := func(payload []byte) []byte {
		m, err := cose.Sign1(w.signer, cose.Header{Type: cwtType, Chain: [][]byte{w.signer.Certificate()}}, payload, false)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	parse := func(token []byte) error {
		_, err := ParseCWT(token, w.anchors, issuedAt)
		return err
	}
	good := claims(nil)
	if err := parse(cose.Tag18(sign(good))); err != nil {
		t.Fatalf("the token that all are made from: %v", err)
	}
	for _, kind := range []string{"", "statuslist+cwt", "application/statuslist+jwt", "application/cwt"} {
		m, err := cose.Sign1(w.signer, cose.Header{Type: kind, Chain: [][]byte{w.signer.Certificate()}}, good, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := parse(cose.Tag18(m)); !errors.Is(err, ErrMalformed) {
			t.Errorf("of type %q: %v", kind, err)
		}
	}
	raw := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, payload := range map[string][]byte{
		"a claim twice":                 claims(nil, entry(claimSubject, text("v"))),
		"an unknown claim twice":        claims(nil, entry(99, number(1)), entry(99, number(2))),
		"the bits twice":                claims(map[int64][]byte{claimStatusList: list(bits, bits, lst)}),
		"a claim with one twice":        claims(nil, entry(99, raw("a201010102"))),
		"a label that is text":          claims(nil, append(text("sub"), text("v")...)),
		"claims without end":            append(append([]byte{0xbf}, good[1:]...), 0xff),
		"a claim without end":           claims(nil, entry(99, raw("9fff"))),
		"a list in pieces":              claims(map[int64][]byte{claimStatusList: list(bits, append(append(append(text("lst"), 0x5f), cose.AppendBytes(nil, packed)...), 0xff))}),
		"nested deep":                   claims(nil, entry(99, raw(strings.Repeat("81", 1000)+"00"))),
		"tags nested deep":              claims(nil, entry(99, raw(strings.Repeat("c1", 1000)+"00"))),
		"a huge list":                   claims(map[int64][]byte{claimStatusList: list(bits, append(text("lst"), raw("5b7fffffffffffffff")...))}),
		"a huge array":                  claims(nil, entry(99, raw("9b7fffffffffffffff"))),
		"a huge map":                    claims(nil, entry(99, raw("bb7fffffffffffffff"))),
		"a huge number of claims":       append(raw("bb7fffffffffffffff"), good[1:]...),
		"huge bits":                     claims(map[int64][]byte{claimStatusList: list(append(text("bits"), raw("1b0000000100000002")...), lst)}),
		"a huge time":                   claims(map[int64][]byte{claimIssuedAt: raw("1bffffffffffffffff")}),
		"a time in a tag":               claims(map[int64][]byte{claimIssuedAt: append([]byte{0xc1}, number(issuedAt.Unix())...)}),
		"a time with a fraction":        claims(map[int64][]byte{claimIssuedAt: raw("fb41d9f60a14000000")}),
		"a list in a tag":               claims(map[int64][]byte{claimStatusList: append([]byte{0xc2}, list(bits, lst)...)}),
		"a subject of bytes":            claims(map[int64][]byte{claimSubject: raw("4175")}),
		"a number longer than it is":    claims(map[int64][]byte{claimRegisterSeq: raw("1807")}),
		"a negative number of a change": claims(map[int64][]byte{claimRegisterSeq: number(-7)}),
		"bytes that follow":             append(claims(nil), 0),
		"cut off":                       good[:len(good)-1],
		"an array":                      append([]byte{0x81}, good...),
		"nothing":                       {},
	} {
		if err := parse(cose.Tag18(sign(payload))); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	message := sign(good)
	for name, token := range map[string][]byte{
		"no tag":            message,
		"tag 17":            append([]byte{0xd1}, message...),
		"tag 18 twice":      cose.Tag18(cose.Tag18(message)),
		"tag 61 around it":  append([]byte{0xd8, 0x3d}, cose.Tag18(message)...),
		"tag 18 in 2 bytes": append([]byte{0xd8, 0x12}, message...),
		"bytes that follow": append(cose.Tag18(message), 0),
	} {
		if err := parse(token); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func strs(parts [][]byte) (all []string) {
	for _, p := range parts {
		all = append(all, string(p))
	}
	return all
}
