package mdoc

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc/cose"
)

func TestAPresentationShowsOnlyWhatWasChosen(t *testing.T) {
	w := newWorld(t)
	response := w.present(t, "age_over_19", "family_name")
	p, err := Verify(response, w.transcript, w.anchors, w.at)
	if err != nil {
		t.Fatal(err)
	}
	want := []Element{{"family_name", "김"}, {"age_over_19", true}}
	if !reflect.DeepEqual(p.Elements, want) {
		t.Errorf("elements %v, want %v", p.Elements, want)
	}
	if p.Status == nil || *p.Status != (StatusRef{"https://rollcall.example/status/1", 4711}) {
		t.Errorf("status %v", p.Status)
	}
	if !p.DeviceKey.Equal(&w.phone.PublicKey) || p.Validity != cardFor3 || p.DocType != DocType {
		t.Errorf("presented %+v", p)
	}
	for _, secret := range []string{"900102", "하늘", "birth_date"} {
		if bytes.Contains(response, []byte(secret)) {
			t.Errorf("the response carries %q, which was not asked for", secret)
		}
	}
}

func TestEveryElementComesBackAsItWasIssued(t *testing.T) {
	w := newWorld(t)
	w.elements = append(w.elements,
		Element{"issued_at", signedAt},
		Element{"addresses", []any{map[string]any{"since": Date("2020-02-29"), "line": "세종"}, int64(-3)}})
	w.card = w.issue(t, cardFor3)
	var names []string
	for _, e := range w.elements {
		names = append(names, e.Name)
	}
	p, err := Verify(w.present(t, names...), w.transcript, w.anchors, w.at)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p.Elements, w.elements) {
		t.Errorf("elements\n got %v\nwant %v", p.Elements, w.elements)
	}
	if v, ok := p.Element("resident_registration_number_masked"); !ok || v != "900102-2******" {
		t.Errorf("masked number %v", v)
	}
}

func TestNothingDisclosedIsStillAPresentation(t *testing.T) {
	w := newWorld(t)
	p, err := Verify(w.present(t), w.transcript, w.anchors, w.at)
	if err != nil || len(p.Elements) != 0 {
		t.Errorf("%v, %v", p, err)
	}
}

func TestWhatTheCardHasNotCannotBeShown(t *testing.T) {
	w := newWorld(t)
	if _, err := Present(w.card, []string{"blood_type"}, w.transcript, w.phone); err == nil || !strings.Contains(err.Error(), "blood_type") {
		t.Errorf("error %v does not name the element", err)
	}
}

// A verifier maps each refusal to what it tells the citizen.
func TestRefusalsAreToldApart(t *testing.T) {
	w := newWorld(t)
	shown := []string{"family_name", "age_over_19"}
	good := w.present(t, shown...)
	other, err := NewTrustAnchors(testIACA(t, "Another IACA").Certificate())
	if err != nil {
		t.Fatal(err)
	}
	signer := func(from time.Time, days int) *KeySigner {
		c, err := NewDocumentSigner(w.iaca, &testKey("ds").PublicKey, spec("Rollcall DS 2", from, days))
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewKeySigner(testKey("ds"), c)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	statusCertificate, err := NewStatusSigner(w.iaca, &testKey("ds").PublicKey, spec("Rollcall status", signedAt.AddDate(0, -1, 0), 457))
	if err != nil {
		t.Fatal(err)
	}
	statusSigner, err := NewKeySigner(testKey("ds"), statusCertificate)
	if err != nil {
		t.Fatal(err)
	}
	// with presents a card made by another signer or of another kind.
	with := func(s Signer, docType, namespace string, v Validity, tamper func(items [][]byte)) []byte {
		item := cose.AppendMap(nil, 4)
		item = cose.AppendBytes(cose.AppendText(item, "random"), make([]byte, 16))
		item = cose.AppendUint(cose.AppendText(item, "digestID"), 0)
		item = cose.AppendText(cose.AppendText(item, "elementValue"), "김")
		item = cose.AppendText(cose.AppendText(item, "elementIdentifier"), "family_name")
		items := [][]byte{cose.Tag24(item)}
		object, err := encodeMSO(docType, namespace, [][sha256.Size]byte{sha256.Sum256(items[0])}, &w.phone.PublicKey, v, nil)
		if err != nil {
			t.Fatal(err)
		}
		auth, err := cose.Sign1(s, cose.Header{Chain: [][]byte{s.Certificate()}}, cose.Tag24(object), false)
		if err != nil {
			t.Fatal(err)
		}
		if tamper != nil {
			tamper(items)
		}
		response, err := Present(appendIssuerSigned(nil, auth, namespace, items), []string{"family_name"}, w.transcript, w.phone)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	stolen, err := Present(w.card, shown, w.transcript, testKey("another phone"))
	if err != nil {
		t.Fatal(err)
	}
	forged := &forger{&KeySigner{key: testKey("forger")}, w.signer.Certificate()}

	for name, c := range map[string]struct {
		response   []byte
		transcript []byte
		anchors    *TrustAnchors
		at         time.Time
		want       error
	}{
		"as it should be":                      {good, nil, nil, w.at, nil},
		"a card like it":                       {with(w.signer, DocType, Namespace, cardFor3, nil), nil, nil, w.at, nil},
		"an element changed":                   {bytes.Replace(good, []byte("김"), []byte("박"), 1), nil, nil, w.at, ErrDigest},
		"another session":                      {good, OpenID4VPTranscript("x509_hash:abc", "nonce-2", nil, "https://bank.example/response"), nil, w.at, ErrDeviceAuth},
		"another phone":                        {stolen, nil, nil, w.at, ErrDeviceAuth},
		"an authority that is not trusted":     {good, nil, other, w.at, ErrUntrusted},
		"a key that is not the certificate's":  {with(forged, DocType, Namespace, cardFor3, nil), nil, nil, w.at, ErrIssuerSignature},
		"a status signer that signs cards":     {with(statusSigner, DocType, Namespace, cardFor3, nil), nil, nil, w.at, ErrUntrusted},
		"signed after the certificate's end":   {with(signer(signedAt.AddDate(0, -2, 0), 30), DocType, Namespace, cardFor3, nil), nil, nil, w.at, ErrUntrusted},
		"a certificate that has expired since": {with(signer(signedAt.AddDate(0, 0, -1), 30), DocType, Namespace, cardFor3, nil), nil, nil, signedAt.AddDate(0, 2, 0), ErrSignerExpired},
		"a moment before it is valid":          {with(w.signer, DocType, Namespace, Validity{Signed: signedAt, From: signedAt.Add(time.Hour), Until: signedAt.Add(2 * time.Hour)}, nil), nil, nil, signedAt.Add(time.Hour - 1), ErrNotYetValid},
		"its last moment":                      {with(w.signer, DocType, Namespace, Validity{Signed: signedAt, From: signedAt, Until: signedAt.Add(2 * time.Hour)}, nil), nil, nil, signedAt.Add(2 * time.Hour), nil},
		"a moment after its end":               {with(w.signer, DocType, Namespace, Validity{Signed: signedAt, From: signedAt, Until: signedAt.Add(2 * time.Hour)}, nil), nil, nil, signedAt.Add(2*time.Hour + 1), ErrExpired},
		"a driving licence":                    {with(w.signer, "org.iso.18013.5.1.mDL", "org.iso.18013.5.1", cardFor3, nil), nil, nil, w.at, ErrDocType},
		"foreign elements on a card":           {with(w.signer, DocType, "org.iso.18013.5.1", cardFor3, nil), nil, nil, w.at, ErrDocType},
		"another name for the document type":   {bytes.Replace(good, []byte("kr.go.rollcall.rrc.1"), []byte("kr.go.rollcall.rrc.2"), 1), nil, nil, w.at, ErrDocType},
		"an element put in":                    {with(w.signer, DocType, Namespace, cardFor3, func(items [][]byte) { items[0] = bytes.Replace(items[0], []byte("김"), []byte("이"), 1) }), nil, nil, w.at, ErrDigest},
		"an MSO that is no MSO":                {brokenMSO(t, w), nil, nil, w.at, ErrMalformed},
		"bytes after the end":                  {append(bytes.Clone(good), 0), nil, nil, w.at, ErrMalformed},
		"the end cut off":                      {good[:len(good)-1], nil, nil, w.at, ErrMalformed},
		"nothing":                              {nil, nil, nil, w.at, ErrMalformed},
		"too much":                             {make([]byte, MaxResponse+1), nil, nil, w.at, ErrMalformed},
		"a transcript that is none":            {good, []byte{0x83, 0xf6, 0xf6}, nil, w.at, ErrMalformed},
		"no document":                          {[]byte("\xa2\x66status\x00\x67version\x631.0"), nil, nil, w.at, ErrMalformed},
		"a phone that refuses":                 {[]byte("\xa2\x66status\x0a\x67version\x631.0"), nil, nil, w.at, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if c.transcript == nil {
				c.transcript = w.transcript
			}
			if c.anchors == nil {
				c.anchors = w.anchors
			}
			for _, visit := range []string{"first", "second"} { // the second time from memory
				p, err := Verify(c.response, c.transcript, c.anchors, c.at)
				if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || (p == nil) != (err != nil) {
					t.Errorf("the %s time: %v, want %v", visit, err, c.want)
				}
			}
		})
	}
}

// forger has the certificate, and a key that is not its.
type forger struct {
	key         *KeySigner
	certificate []byte
}

func (f *forger) Sign(digest []byte) ([]byte, error) { return f.key.Sign(digest) }
func (f *forger) Certificate() []byte                { return f.certificate }

// brokenMSO is a response whose issuer signed something else than an MSO.
func brokenMSO(t *testing.T, w *world) []byte {
	t.Helper()
	auth, err := cose.Sign1(w.signer, cose.Header{Chain: [][]byte{w.signer.Certificate()}}, cose.Tag24([]byte{0xa0}), false)
	if err != nil {
		t.Fatal(err)
	}
	good := w.present(t, "family_name")
	d, err := readOne(good)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Replace(good, d.issuer.issuerAuth, auth, 1)
}

// With any one bit changed a response is refused, or has lost its elements (their
// list under another name is not read).
func TestAChangedResponseShowsNothing(t *testing.T) {
	w := newWorld(t)
	response := w.present(t, "family_name", "portrait")
	changed := bytes.Clone(response)
	for i := range response {
		changed[i] ^= 1 << (i % 8)
		if p, err := Verify(changed, w.transcript, w.anchors, w.at); err == nil && len(p.Elements) > 0 {
			t.Errorf("byte %d changed from %#x to %#x: accepted with %v", i, response[i], changed[i], p.Elements)
		}
		changed[i] = response[i]
	}
}

func TestACardMustBeSignedWithinItsSignersCertificate(t *testing.T) {
	w := newWorld(t)
	late := w.signer.certificate.NotAfter.Add(time.Second)
	_, err := Issue(w.signer, testRandom("late"), &w.phone.PublicKey, w.elements, Validity{Signed: late, From: late, Until: late.AddDate(3, 0, 0)}, nil)
	if !errors.Is(err, ErrSignerExpired) {
		t.Errorf("%v, want %v", err, ErrSignerExpired)
	}
}

func TestIssuingIsRepeatable(t *testing.T) {
	a, b := newWorld(t), newWorld(t)
	if !bytes.Equal(a.card, b.card) {
		t.Error("the same keys, times and random stream give different cards")
	}
	if !bytes.Equal(a.present(t, "sex"), b.present(t, "sex")) {
		t.Error("the same card and session give different presentations")
	}
	c, err := Issue(a.signer, testRandom("other"), &a.phone.PublicKey, a.elements, cardFor3, nil)
	if err != nil || bytes.Equal(a.card, c) {
		t.Error("another random stream gives the same card")
	}
}

// Numbers of digests in the order of the elements would tell which were left out.
func TestDigestNumbersSayNothingOfTheElements(t *testing.T) {
	w := newWorld(t)
	const cards = 400
	counts := make([]int, len(w.elements))
	for i := range cards {
		card, err := Issue(w.signer, testRandom(fmt.Sprint("order", i)), &w.phone.PublicKey, w.elements, cardFor3, nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseIssuerSigned(card)
		if err != nil {
			t.Fatal(err)
		}
		counts[s.items[0].digestID]++
	}
	expected := float64(cards) / float64(len(counts))
	chi2 := 0.0
	for _, n := range counts {
		chi2 += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	if chi2 > 48.3 { // 22 degrees of freedom, 0.1 %
		t.Errorf("family_name has digest numbers %v: χ² = %.1f", counts, chi2)
	}
}

func TestSaltsDiffer(t *testing.T) {
	w := newWorld(t)
	a, b := Element{"left", "same"}, Element{"right", "same"}
	card, err := Issue(w.signer, testRandom("salt"), &w.phone.PublicKey, []Element{a, b}, cardFor3, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseIssuerSigned(card)
	if err != nil {
		t.Fatal(err)
	}
	salt := func(it item) []byte { _, after, _ := bytes.Cut(it.raw, []byte("random")); return after[1:17] }
	if bytes.Equal(salt(s.items[0]), salt(s.items[1])) {
		t.Error("two elements have one salt")
	}
}

func TestCardsThatMakeNoSenseAreNotIssued(t *testing.T) {
	w := newWorld(t)
	one := []Element{{"family_name", "김"}}
	for name, c := range map[string]struct {
		elements []Element
		validity Validity
	}{
		"no element":              {nil, cardFor3},
		"an element twice":        {append(one, one...), cardFor3},
		"a value of unknown kind": {[]Element{{"x", struct{}{}}}, cardFor3},
		"a date that is none":     {[]Element{{"x", Date("2025-02-30")}}, cardFor3},
		"too many elements":       {make([]Element, maxElements+1), cardFor3},
		"an end before the start": {one, Validity{Signed: signedAt, From: signedAt, Until: signedAt}},
		"valid before signed":     {one, Validity{Signed: signedAt, From: signedAt.Add(-time.Hour), Until: signedAt.Add(time.Hour)}},
	} {
		if _, err := Issue(w.signer, testRandom(name), &w.phone.PublicKey, c.elements, c.validity, nil); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
	if _, err := Issue(w.signer, strings.NewReader("too short"), &w.phone.PublicKey, one, cardFor3, nil); err == nil {
		t.Error("issued without enough randomness")
	}
}

func TestAgesAreThoseCompletedOnTheDayOfIssue(t *testing.T) {
	for _, c := range []struct {
		born Date
		want bool
	}{{"2006-03-14", true}, {"2006-03-15", false}} {
		elements, err := Card{BirthDate: c.born, IssueDate: "2025-03-14", ExpiryDate: "2028-03-14"}.Elements()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range elements {
			if e.Name == "age_over_19" && e.Value != c.want {
				t.Errorf("born %s: age_over_19 is %v", c.born, e.Value)
			}
		}
	}
	if _, err := (Card{BirthDate: "14.3.2006", IssueDate: "2025-03-14"}).Elements(); err == nil {
		t.Error("a birth date of another form is taken")
	}
}

func TestManyMayVerifyAtOnce(t *testing.T) {
	w := newWorld(t)
	w.anchors.objects.Limit = 2
	var responses [][]byte
	for i := range 6 {
		card, err := Issue(w.signer, testRandom(fmt.Sprint(i)), &w.phone.PublicKey, w.elements, cardFor3, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := Present(card, []string{"sex"}, w.transcript, w.phone)
		if err != nil {
			t.Fatal(err)
		}
		responses = append(responses, response)
	}
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 40 {
				if _, err := Verify(responses[(g+i)%len(responses)], w.transcript, w.anchors, w.at); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

// The same authority may sign documents of other types: the phone cannot show one of them as
// this card.
func TestADocumentOfAnotherTypeIsNotShownAsThisCard(t *testing.T) {
	w := newWorld(t)
	response := w.present(t, "family_name")
	d, err := readOne(response)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(docType string) []byte {
		wrapped, _ := w.object(t)
		object := bytes.Replace(wrapped, []byte(DocType), []byte(docType), 1)
		auth, err := cose.Sign1(w.signer, cose.Header{Chain: [][]byte{w.signer.Certificate()}}, object, false)
		if err != nil || len(auth) != len(d.issuer.issuerAuth) {
			t.Fatal(err)
		}
		return bytes.Replace(response, d.issuer.issuerAuth, auth, 1)
	}
	if _, err := Verify(signed(DocType), w.transcript, w.anchors, w.at); err != nil {
		t.Fatalf("the card, signed again: %v", err)
	}
	if _, err := Verify(signed("kr.go.rollcall.rrc.2"), w.transcript, w.anchors, w.at); !errors.Is(err, ErrDocType) {
		t.Errorf("another document: %v", err)
	}
}

// A phone may sign elements of its own (§8.3.2.1.2.2), which no issuer has said: they are refused, though they are
// signed well.
func TestElementsThatThePhoneSignedAreRefused(t *testing.T) {
	w := newWorld(t)
	shown := func(nameSpaces []byte) error {
		response := rebuilt(t, w, func(parts map[string][]byte) {
			agreed := deviceAuthentication(w.transcript, DocType, nameSpaces)
			kind, message, err := BySignature(w.phone).authenticate(w.transcript, agreed)
			if err != nil {
				t.Fatal(err)
			}
			parts["deviceNameSpaces"] = nameSpaces
			parts["deviceAuth"] = append(cose.AppendText([]byte{0xa1}, kind), message...)
		})
		_, err := Verify(response, w.transcript, w.anchors, w.at)
		return err
	}
	if err := shown(noNameSpaces); err != nil {
		t.Fatalf("none: %v", err)
	}
	own := cose.AppendText(cose.AppendMap(nil, 1), Namespace)
	own = cose.AppendBool(cose.AppendText(cose.AppendMap(own, 1), "age_over_19"), true)
	if err := shown(cose.Tag24(own)); !errors.Is(err, ErrMalformed) {
		t.Errorf("an age: %v", err)
	}
}

// What is signed is a list that the transcript stands in as one item: with another number of
// items in it, what follows would be read as part of it.
func TestATranscriptIsAnArrayOfThree(t *testing.T) {
	w := newWorld(t)
	response := w.present(t, "family_name")
	for name, transcript := range map[string][]byte{
		"none": {}, "two": {0x82, null, null}, "four": {0x84, null, null, null, null}, "text": {0x60}, "one more after it": append(bytes.Clone(w.transcript), null),
		"huge": append([]byte{0x83, null, null}, cose.AppendBytes(nil, make([]byte, 20<<10))...),
	} {
		if _, err := Verify(response, transcript, w.anchors, w.at); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
