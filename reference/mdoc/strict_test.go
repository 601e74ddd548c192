package mdoc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

// response builds a DeviceResponse of parts that are as they should be, changed
// by f; nil leaves a part out.
func rebuilt(t *testing.T, w *world, f func(parts map[string][]byte)) []byte {
	t.Helper()
	d, err := readOne(w.present(t, "family_name"))
	if err != nil {
		t.Fatal(err)
	}
	item := d.issuer.items[0].raw
	text := func(s string) []byte { return cose.AppendText(nil, s) }
	parts := map[string][]byte{
		"version": text(version), "status": {0}, "docType": text(DocType), "issuerAuth": d.issuer.issuerAuth,
		"items": append([]byte{0x81}, item...), "namespace": text(Namespace), "deviceNameSpaces": noNameSpaces,
		"deviceAuth": append(append([]byte{0xa1}, text("deviceSignature")...), d.deviceAuth...), "more": nil, "moreIssued": nil,
	}
	f(parts)
	mapping := func(extra []byte, pairs ...string) []byte {
		var body []byte
		n := 0
		for i := 0; i < len(pairs); i += 2 {
			if v := pairs[i+1]; v != "" {
				body = append(append(body, text(pairs[i])...), v...)
				n++
			}
		}
		if extra != nil {
			body, n = append(body, extra...), n+1
		}
		return append(cose.AppendMap(nil, n), body...)
	}
	spaces := append(append([]byte{0xa1}, parts["namespace"]...), parts["items"]...)
	document := mapping(nil, "docType", string(parts["docType"]),
		"issuerSigned", string(mapping(parts["moreIssued"], "nameSpaces", string(spaces), "issuerAuth", string(parts["issuerAuth"]))),
		"deviceSigned", string(mapping(nil, "nameSpaces", string(parts["deviceNameSpaces"]), "deviceAuth", string(parts["deviceAuth"]))))
	return mapping(parts["more"], "version", string(parts["version"]), "documents", string(append([]byte{0x81}, document...)), "status", string(parts["status"]))
}

func TestResponsesThatTwoReadersCouldReadInTwoWaysAreRefused(t *testing.T) {
	w := newWorld(t)
	verify := func(response []byte) error {
		_, err := Verify(response, w.transcript, w.anchors, w.at)
		return err
	}
	if err := verify(rebuilt(t, w, func(map[string][]byte) {})); err != nil {
		t.Fatalf("the response that all are made from: %v", err)
	}
	huge := binary.BigEndian.AppendUint64([]byte{0x9b}, 1<<62)
	set := func(key string, value []byte) func(map[string][]byte) {
		return func(p map[string][]byte) { p[key] = value }
	}
	text := func(s string) []byte { return cose.AppendText(nil, s) }
	pair := func(k string, v ...byte) []byte { return append(text(k), v...) }
	for name, change := range map[string]func(map[string][]byte){
		"the status twice":               set("more", pair("status", 0)),
		"an unknown key with two of one": set("more", pair("x", 0xa2, 1, 1, 1, 2)),
		"an unknown key too deep":        set("more", append(pair("x"), append(bytes.Repeat([]byte{0x81}, 12), 0)...)),
		"an unknown key of no end":       set("more", pair("x", 0x9f, 0xff)),
		"an unknown key of huge length":  set("more", append(pair("x"), huge...)),
		"an unknown key in issuerSigned": set("moreIssued", pair("namespaces", 0xa0)),
		"issuerAuth twice":               set("moreIssued", pair("issuerAuth", 0x80)),
		"a version of another kind":      set("version", []byte{1}),
		"another version":                set("version", text("1.1")),
		"another status":                 set("status", []byte{10}),
		"a status that is longer":        set("status", []byte{0x18, 0}),
		"a negative status":              set("status", []byte{0x20}),
		"no status":                      set("status", nil),
		"no version":                     set("version", nil),
		"another docType":                set("docType", text("org.iso.18013.5.1.mDL")),
		"no docType":                     set("docType", nil),
		"another namespace":              set("namespace", text("org.iso.18013.5.1")),
		"no elements":                    set("items", []byte{0x80}),
		"elements of huge number":        set("items", huge),
		"elements without end":           func(p map[string][]byte) { p["items"] = append(append([]byte{0x9f}, p["items"][1:]...), 0xff) },
		"an element twice": func(p map[string][]byte) {
			p["items"] = append(append([]byte{0x82}, p["items"][1:]...), p["items"][1:]...)
		},
		"an element with another tag":   func(p map[string][]byte) { p["items"] = append([]byte{0x81, 0xd8, 0x19}, p["items"][3:]...) },
		"an element without a tag":      func(p map[string][]byte) { p["items"] = append([]byte{0x81}, p["items"][3:]...) },
		"elements signed by the device": set("deviceNameSpaces", cose.Tag24([]byte{0xa1, 0x61, 'x', 0xa0})),
		"no device namespaces":          set("deviceNameSpaces", nil),
		"no device authentication":      set("deviceAuth", nil),
		"an empty one":                  set("deviceAuth", []byte{0xa0}),
		"a signature and a MAC": func(p map[string][]byte) {
			p["deviceAuth"] = append(append([]byte{0xa2}, p["deviceAuth"][1:]...), pair("deviceMac", 0x80)...)
		},
		"a signature called MAC": func(p map[string][]byte) {
			p["deviceAuth"] = append(append([]byte{0xa1}, text("deviceMac")...), p["deviceAuth"][1+len(text("deviceSignature")):]...)
		},
		"issuerAuth with tag 18": func(p map[string][]byte) { p["issuerAuth"] = cose.Tag18(p["issuerAuth"]) },
		"no issuerAuth":          set("issuerAuth", nil),
	} {
		if err := verify(rebuilt(t, w, change)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	good := w.present(t, "family_name")
	for name, response := range map[string][]byte{
		"nothing": nil, "bytes that follow": append(bytes.Clone(good), 0), "cut off": good[:len(good)-1], "a response in a tag": append([]byte{0xd8, 0x18}, good...),
		"an array": append([]byte{0x81}, good...), "too large": make([]byte, MaxResponse+1),
	} {
		if err := verify(response); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMobileSecurityObjectsThatAreNotStrictAreRefused(t *testing.T) {
	w := newWorld(t)
	wrapped, inner := w.object(t)
	replace := func(old, new string) []byte {
		if strings.Count(string(inner), old) != 1 {
			t.Fatalf("%q stands %d times in it", old, strings.Count(string(inner), old))
		}
		return cose.Tag24([]byte(strings.Replace(string(inner), old, new, 1)))
	}
	if inner[0]&0xe0 != 0xa0 || inner[0]&0x1f >= 0x17 {
		t.Fatalf("the object begins with %#x", inner[0])
	}
	// more has one pair more at the end.
	more := func(key string, value ...byte) []byte {
		return cose.Tag24(append(append(append([]byte{inner[0] + 1}, inner[1:]...), cose.AppendText(nil, key)...), value...))
	}
	if _, err := decodeMSO(more("x", 0)); err != nil {
		t.Fatalf("an unknown key is passed over: %v", err)
	}
	for name, payload := range map[string][]byte{
		"a name twice":                     more("docType", append([]byte{0x60 + 20}, DocType...)...),
		"an unknown name twice within":     more("x", 0xa2, 0x61, 'y', 1, 0x61, 'y', 2),
		"a digest twice":                   replace("\x01\x58\x20", "\x00\x58\x20"),
		"no end":                           cose.Tag24(append(append([]byte{0xbf}, inner[1:]...), 0xff)),
		"a part without end":               more("x", 0x9f, 0xff),
		"a text in pieces":                 more("x", 0x7f, 0x61, 'y', 0xff),
		"nested deep":                      more("x", append(bytes.Repeat([]byte{0x81}, 12), 0)...),
		"tags nested deep":                 more("x", append(bytes.Repeat([]byte{0xc1}, 12), 0)...),
		"a huge array":                     more("x", 0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"a huge map":                       more("x", 0xbb, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"a huge string":                    more("x", 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"a wrapper that says 4 GiB":        append([]byte{0xd8, 0x18, 0x5a, 0xff, 0xff, 0xff, 0xff}, inner...),
		"a wrapper without end":            append(append([]byte{0xd8, 0x18, 0x5f}, wrapped[2:]...), 0xff),
		"a tag within":                     replace("gversionc1.0", "gversion\xc1c1.0"),
		"without its wrapper":              inner,
		"in another tag":                   append([]byte{0xd8, 0x19}, wrapped[2:]...),
		"bytes after the wrapper":          append(bytes.Clone(wrapped), 0),
		"bytes within the wrapper":         cose.Tag24(append(bytes.Clone(inner), 0)),
		"wrapped twice":                    cose.Tag24(wrapped),
		"another version":                  replace("gversionc1.0", "gversionc2.0"),
		"another digest":                   replace("gSHA-256", "gSHA-512"),
		"a name in another case":           replace("gdocType", "gDocType"),
		"one name for two":                 replace("gversionc1.0", "gdocTypec1.0"),
		"a moment with a fraction":         replace("ivalidFrom\xc0\x742025-03-14T09:00:00Z", "ivalidFrom\xc0\x782025-03-14T09:00:00.0Z"),
		"a moment without a tag":           replace("ivalidFrom\xc0", "ivalidFrom"),
		"a moment with another tag":        replace("ivalidFrom\xc0", "ivalidFrom\xc1"),
		"a key of another curve":           replace("\xa4\x01\x02\x20\x01\x21", "\xa4\x01\x02\x20\x02\x21"),
		"a key of another kind":            replace("\xa4\x01\x02\x20\x01\x21", "\xa4\x01\x01\x20\x01\x21"),
		"a key whose label comes twice":    replace("\xa4\x01\x02\x20\x01\x21", "\xa4\x01\x02\x01\x02\x21"),
		"a digest shorter than SHA-256":    replace("\x00\x58\x20", "\x00\x58\x1f"),
		"a status index below zero":        replace("cidx\x19", "cidx\x39"),
		"a status without its list's name": replace("curi", "curl"),
	} {
		if m, err := decodeMSO(payload); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
}
