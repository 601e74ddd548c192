package proximity

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/cose"
)

func asking(names ...string) DocumentRequest {
	d := DocumentRequest{DocType: mdoc.DocType}
	for _, n := range names {
		d.Elements = append(d.Elements, ElementRequest{mdoc.Namespace, n, false})
	}
	return d
}

func TestARequestReadsAsItWasMade(t *testing.T) {
	element := rapid.Custom(func(t *rapid.T) ElementRequest {
		return ElementRequest{rapid.SampledFrom([]string{"a", "b", "cc"}).Draw(t, "namespace"), rapid.StringN(1, 10, 30).Draw(t, "name"), rapid.Bool().Draw(t, "retain")}
	})
	document := rapid.Custom(func(t *rapid.T) DocumentRequest {
		return DocumentRequest{DocType: rapid.StringN(1, 20, 60).Draw(t, "type"),
			Elements: rapid.SliceOfNDistinct(element, 1, 20, func(e ElementRequest) string { return e.Namespace + "\x00" + e.Name }).Draw(t, "elements")}
	})
	r := newReaders(t)
	reader, _ := met(t)
	rapid.Check(t, func(rt *rapid.T) {
		documents := rapid.SliceOfN(document, 1, 8).Draw(rt, "documents")
		var signer mdoc.Signer
		if rapid.Bool().Draw(rt, "named") {
			signer = r.bank
		}
		encoded, err := NewRequest(reader.Transcript(), signer, documents...)
		if err != nil {
			rt.Fatal(err)
		}
		q, err := ParseRequest(encoded)
		if err != nil || len(q.Documents) != len(documents) {
			rt.Fatalf("%+v, %v", q, err)
		}
		sorted := func(elements []ElementRequest) []ElementRequest {
			elements = slices.Clone(elements)
			slices.SortFunc(elements, func(a, b ElementRequest) int {
				return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
			})
			return elements
		}
		for i := range documents {
			got := &q.Documents[i]
			if got.DocType != documents[i].DocType || !reflect.DeepEqual(sorted(got.Elements), sorted(documents[i].Elements)) {
				rt.Errorf("%+v was read as %+v", documents[i], got)
			}
			name, err := got.Reader(reader.Transcript(), r.anchors, noon)
			if signer != nil && (name != "Bank" || err != nil) || signer == nil && !errors.Is(err, ErrAnonymous) {
				rt.Errorf("asked by %q, %v", name, err)
			}
		}
	})
}

// A name is believed for what was signed: this request, in this session, while the
// certificate is good.
func TestAReadersNameIsForOneRequestInOneSession(t *testing.T) {
	r := newReaders(t)
	reader, _ := met(t)
	transcript := reader.Transcript()
	encoded, err := NewRequest(transcript, r.bank, asking("family_name"), asking("birth_date"))
	if err != nil {
		t.Fatal(err)
	}
	q, err := ParseRequest(encoded)
	if err != nil {
		t.Fatal(err)
	}
	d := q.Documents[0]
	swapped := d
	swapped.items = q.Documents[1].items
	unsigned := d
	unsigned.readerAuth = bytes.Clone(d.readerAuth)
	unsigned.readerAuth[len(unsigned.readerAuth)-1] ^= 1
	noMessage := d
	noMessage.readerAuth = []byte{0x80}
	carrying := d
	if carrying.readerAuth, err = cose.Sign1(r.bank, cose.Header{Chain: [][]byte{r.bank.Certificate()}}, readerAuthentication(transcript, d.items), false); err != nil {
		t.Fatal(err)
	}
	nameless := d
	if nameless.readerAuth, err = cose.Sign1(r.bank, cose.Header{}, readerAuthentication(transcript, d.items), true); err != nil {
		t.Fatal(err)
	}
	other := newReaders(t)
	if other.anchors, err = mdoc.NewTrustAnchors(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		err  func() error
		want error
	}{
		{"good", func() error { _, err := d.Reader(transcript, r.anchors, noon); return err }, nil},
		{"another session", func() error { _, err := d.Reader(Transcript(nil, nil, Handover{}), r.anchors, noon); return err }, ErrReaderSignature},
		{"other elements", func() error { _, err := swapped.Reader(transcript, r.anchors, noon); return err }, ErrReaderSignature},
		{"a changed signature", func() error { _, err := unsigned.Reader(transcript, r.anchors, noon); return err }, ErrReaderSignature},
		{"no COSE", func() error { _, err := noMessage.Reader(transcript, r.anchors, noon); return err }, ErrReaderSignature},
		{"a payload that is carried", func() error { _, err := carrying.Reader(transcript, r.anchors, noon); return err }, ErrReaderSignature},
		{"no certificate", func() error { _, err := nameless.Reader(transcript, r.anchors, noon); return err }, mdoc.ErrUntrusted},
		{"nobody trusted", func() error { _, err := d.Reader(transcript, other.anchors, noon); return err }, mdoc.ErrUntrusted},
		{"years later", func() error { _, err := d.Reader(transcript, r.anchors, noon.AddDate(3, 0, 0)); return err }, mdoc.ErrSignerExpired},
	} {
		if err := c.err(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestWhatIsNoRequestIsRefusedAndThePhoneSaysWhich(t *testing.T) {
	good, err := NewRequest(nil, nil, asking("family_name"))
	if err != nil {
		t.Fatal(err)
	}
	build := func(version string, items []byte) []byte {
		b := cose.AppendText(cose.AppendText(cose.AppendMap(nil, 2), "version"), version)
		b = cose.AppendArray(cose.AppendText(b, "docRequests"), 1)
		return append(cose.AppendText(cose.AppendMap(b, 1), "itemsRequest"), items...)
	}
	var many DocumentRequest
	for i := range maxElements + 1 {
		many.Elements = append(many.Elements, ElementRequest{"n", fmt.Sprint("e", i), false})
	}
	manyItems := cose.AppendMap(cose.AppendText(cose.AppendMap(cose.AppendText(cose.AppendText(cose.AppendText(cose.AppendMap(nil, 2), "docType"), "d"), "nameSpaces"), 1), "n"), len(many.Elements))
	for _, e := range many.Elements {
		manyItems = cose.AppendBool(cose.AppendText(manyItems, e.Name), false)
	}
	for _, c := range []struct {
		name   string
		data   []byte
		status mdoc.ResponseStatus
		says   string
	}{
		{"nothing", nil, mdoc.StatusNotCBOR, "too early"},
		{"no CBOR", []byte{0xff}, mdoc.StatusNotCBOR, "CBOR"},
		{"half of one", good[:len(good)-3], mdoc.StatusNotCBOR, "too early"},
		{"too long", make([]byte, MaxRequest+1), mdoc.StatusNotCBOR, "bytes"},
		{"nested without end", bytes.Repeat([]byte{0x81}, 1000), mdoc.StatusNotCBOR, "deep"},
		{"another thing", []byte{0x01}, mdoc.StatusNotARequest, "a map"},
		{"empty", []byte{0xa0}, mdoc.StatusNotARequest, "version"},
		{"for nothing", []byte("\xa1\x67version\x631.0"), mdoc.StatusNotARequest, "asks for nothing"},
		{"for no document", []byte("\xa2\x67version\x631.0\x6bdocRequests\x80"), mdoc.StatusNotARequest, "0 documents"},
		{"for nine documents", append([]byte("\xa2\x67version\x631.0\x6bdocRequests\x89"), bytes.Repeat([]byte{0xa0}, 9)...), mdoc.StatusNotARequest, "9 documents"},
		{"of another version", bytes.Replace(good, []byte("1.0"), []byte("2.0"), 1), mdoc.StatusNotARequest, "2.0"},
		{"items that are not wrapped", build("1.0", []byte{0xa0}), mdoc.StatusNotARequest, "not wrapped"},
		{"without elements", build("1.0", cose.Tag24([]byte("\xa2\x67docType\x61d\x6anameSpaces\xa1\x61n\xa0"))), mdoc.StatusNotARequest, "no element"},
		{"an intent that is no truth", build("1.0", cose.Tag24([]byte("\xa2\x67docType\x61d\x6anameSpaces\xa1\x61n\xa1\x61e\x01"))), mdoc.StatusNotARequest, "true or false"},
		{"an element twice", build("1.0", cose.Tag24([]byte("\xa2\x67docType\x61d\x6anameSpaces\xa1\x61n\xa2\x61e\xf4\x61e\xf5"))), mdoc.StatusNotARequest, "twice"},
		{"too many elements", build("1.0", cose.Tag24(manyItems)), mdoc.StatusNotARequest, "more than 128"},
	} {
		_, err := ParseRequest(c.data)
		if err == nil || !strings.Contains(err.Error(), c.says) || RequestStatus(err) != c.status {
			t.Errorf("%s: %v (status %d), want %q (status %d)", c.name, err, RequestStatus(err), c.says, c.status)
		}
	}
	for name, d := range map[string]DocumentRequest{"no type": {Elements: asking("a").Elements}, "no elements": {DocType: "d"},
		"one twice": asking("a", "a"), "no name": asking(""), "too many": {DocType: "d", Elements: many.Elements}} {
		if _, err := NewRequest(nil, nil, d); err == nil {
			t.Errorf("%s: it was made", name)
		}
	}
}
