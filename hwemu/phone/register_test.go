package phone_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/camera"
	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// Here card, phone and service meet, so that somebody can stand between card and
// phone: the only place below hwemu where the service may be imported.

var (
	ctx    = context.Background()
	opened = time.Date(2024, 12, 27, 0, 0, 0, 0, time.UTC)
	noon   = time.Date(2025, 2, 14, 3, 0, 0, 0, time.UTC)
)

const (
	pin       = "135790"
	sejong    = "36110"
	threshold = 0.4
	copies    = 2
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// office is a running service with the card plant and the phone maker that it
// trusts.
type office struct {
	*service.Service
	t     testing.TB
	db    *sqlite.DB
	rows  *sql.DB // a connection of its own to the same file
	kit   *iccard.IssuerKit
	maker *phone.Maker
	n     int // idempotency keys given
}

func newOffice(t testing.TB) *office {
	t.Helper()
	path := filepath.Join(t.TempDir(), "register.db")
	o := &office{
		t: t, db: must(sqlite.Open(path, sqlite.Options{}))(t), rows: must(sql.Open("sqlite", "file:"+path+"?mode=ro"))(t),
		kit:   must(iccard.NewIssuerKit([]byte("a seed for tests"), opened))(t),
		maker: must(phone.NewMaker("Test Phones", []byte("maker's seed"), opened))(t),
	}
	t.Cleanup(func() { o.rows.Close(); o.db.Close() })

	spec := func(name string, years int) mdoc.CertificateSpec {
		serial := sha256.Sum256([]byte(name))
		return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: opened, NotAfter: opened.AddDate(years, 0, 0)}
	}
	iaca := must(mdoc.NewIACA(phone.KeyForTests("iaca"), mdoc.IACASpec{
		CertificateSpec: spec("IACA", 10), Country: "KR", Contact: "https://rollcall.example/", CRL: "https://rollcall.example/crl"}))(t)
	ds, list := phone.KeyForTests("document signer"), phone.KeyForTests("status signer")
	var err error
	o.Service, err = service.New(ctx, service.Config{
		Store: o.db, Now: func() time.Time { return noon }, Random: rand.NewChaCha8([32]byte{18}),
		Policy: &lifecycle.Policy{MinimumAge: 17, Opens: map[string]time.Time{sejong: opened}, AnyCentreFrom: opened,
			OfferLifetime: 90 * time.Second, CredentialValidity: 3 * 365 * 24 * time.Hour},
		Civil: time.UTC, Faces: face.Matcher{Threshold: threshold},
		Cards: must(card.NewVerifier(o.kit.CountryCA))(t), Phones: must(issuance.NewMakers(o.maker.Root))(t),
		DocumentSigner: must(mdoc.NewKeySigner(ds, must(mdoc.NewDocumentSigner(iaca, &ds.PublicKey, spec("DS", 1)))(t)))(t),
		StatusSigner:   must(mdoc.NewKeySigner(list, must(mdoc.NewStatusSigner(iaca, &list.PublicKey, spec("status", 1)))(t)))(t),
		Anchors:        must(mdoc.NewTrustAnchors(iaca.Certificate()))(t), Authority: "행정안전부",
		Copies: copies, ChallengeLifetime: 5 * time.Minute, Transaction: 5 * time.Minute, NonceKey: [32]byte{1},
		Lists: register.Lists{Base: "https://status.example/lists/", Size: 1 << 10}, TTL: time.Hour, Validity: 24 * time.Hour,
	})
	must(0, err)(t)
	return o
}

func (o *office) request(by register.By) register.Request {
	o.n++
	return register.Request{By: by, Key: fmt.Sprint("key-", o.n)}
}

// holder is a resident with an IC card and a phone.
type holder struct {
	id    store.PersonID
	chip  *iccard.Card
	probe face.Probe // a capture well above the threshold
	phone *phone.Phone
}

func (o *office) holder(id store.PersonID) *holder {
	o.t.Helper()
	random := rand.NewChaCha8([32]byte{byte(id)})
	template := camera.Model{Dimension: 128}.Identity(random).Enrol(0.53, random)
	number, born := fmt.Sprintf("R%08d", id), time.Date(1990, 1, 2, 0, 0, 0, 0, time.UTC)
	h := &holder{id: id, chip: iccard.NewBlank(fmt.Appendf(nil, "entropy of chip %d", id)),
		phone: phone.New(o.maker, fmt.Appendf(nil, "phone %d", id)), probe: face.Probe(camera.CaptureWithScore(template, 0.9, random))}
	portrait := camera.Portrait(random)
	must(0, o.kit.Personalise(h.chip, iccard.Holder{
		DocumentNumber: number, Surname: "홍", GivenName: "길동", Sex: 'F', BirthDate: born, Issued: opened, Expires: opened.AddDate(10, 0, 0),
		PersonalNumber: "900102-2******", Portrait: portrait, Template: template, PIN: pin,
	}))(o.t)
	entered := must(o.Issuance.RegisterResident(ctx, issuance.ResidentRequest{
		Request: o.request(register.By{Actor: "registrar-1", Role: lifecycle.Registrar}), Why: "seed",
		Resident: store.Person{ID: id, RRN: "9001022234560", FamilyName: "홍", GivenName: "길동", BirthDate: born, Sex: 'F', Municipality: sejong},
		Card:     &issuance.NewCard{Number: number, Chip: true, Template: face.Template(template), Portrait: portrait},
	}))(o.t)
	if entered.Reason != lifecycle.Granted {
		o.t.Fatal(entered.Reason)
	}
	return h
}

// tap is a tap for one challenge, up to the request.
type tap struct {
	o           *office
	h           *holder
	challenge   []byte
	attestation string
}

func (o *office) begin(h *holder) tap {
	o.t.Helper()
	challenge := must(o.Issuance.Challenge(ctx))(o.t)
	return tap{o, h, challenge, must(h.phone.Attest(base64.RawURLEncoding.EncodeToString(challenge), copies, noon))(o.t)}
}

// read is the phone reading a card, portrait included.
func (p tap) read(chip nfc.Card) (*phone.Tap, error) {
	return phone.ReadCard(nfc.New(chip), p.challenge, pin, true)
}

// apply is the phone asking for a mobile card on what it read.
func (p tap) apply(e phone.Evidence) (issuance.Issued, error) {
	return p.o.Issuance.IssueByTap(ctx, issuance.TapRequest{
		Request: p.o.request(register.Citizen(p.h.id)), Person: p.h.id, Challenge: p.challenge,
		Card: card.Evidence(e), Probe: p.h.probe, Attestation: p.attestation,
	})
}

// between stands between phone and chip: the chip gets each command, and the
// phone gets what change makes of the answer with that number.
type between struct {
	*iccard.Card
	change func(number int, answer []byte) []byte
	number int
}

func (b *between) Transmit(command []byte) []byte {
	answer := b.change(b.number, b.Card.Transmit(command))
	b.number++
	return answer
}

// answers are the chip's in a tap that nobody disturbs.
func (p tap) answers(chip nfc.Card) (all [][]byte, e phone.Evidence) {
	p.o.t.Helper()
	read := must(p.read(chip))(p.o.t)
	for _, x := range read.Log {
		all = append(all, x.Response)
	}
	return all, read.Evidence
}

// content is all that the register knows of anybody, with the head of its audit
// log; which requests and challenges there were is left out.
func (o *office) content() (sum [32]byte) {
	o.t.Helper()
	h := sha256.New()
	for _, table := range []string{"person", "card", "wallet", "credential", "list", "entry", "offer", "report", "audit"} {
		rows := must(o.rows.Query("SELECT * FROM " + table + " ORDER BY 1, 2"))(o.t)
		row := make([]any, len(must(rows.Columns())(o.t)))
		for i := range row {
			row[i] = new(sql.RawBytes)
		}
		fmt.Fprintln(h, table)
		for rows.Next() {
			must(0, rows.Scan(row...))(o.t)
			for _, v := range row {
				fmt.Fprintf(h, "%q ", *v.(*sql.RawBytes))
			}
		}
		must(0, rows.Err())(o.t)
		must(0, rows.Close())(o.t)
	}
	head := must(audit.Verify(ctx, o.db))(o.t)
	fmt.Fprintf(h, "%+v", head)
	return [32]byte(h.Sum(nil))
}

// alteration is an answer put in place of another one.
type alteration struct {
	what   string
	number int // of the answer
	bytes  []byte
}

// alterations are the ways in which one answer of a session is changed: every
// byte, every length, every status word, every form of a length, and answers that
// were given at another time. With thorough every byte is changed in all its bits.
func alterations(number int, session [][]byte, others map[string][][]byte, thorough bool) (all []alteration) {
	answer := session[number]
	n := len(answer) - 2
	data, status := answer[:n:n], answer[n:]
	add := func(what string, b []byte) {
		if !bytes.Equal(b, answer) {
			all = append(all, alteration{what, number, b})
		}
	}
	with := func(data []byte, status ...byte) []byte { return append(bytes.Clone(data), status...) }

	masks := []byte{0x80, 0x01, 0xFF}
	if !thorough {
		masks = masks[:1]
	}
	for _, mask := range masks {
		for i := range answer {
			b := bytes.Clone(answer)
			b[i] ^= mask
			add("byte changed", b)
		}
	}
	for i := range answer {
		add("cut off", answer[:i])
		if i < n {
			add("cut off before the status", with(data[:i], status...))
			add("first bytes missing", answer[i+1:])
			add("byte missing", slices.Delete(bytes.Clone(answer), i, i+1))
			add("byte doubled", slices.Insert(bytes.Clone(answer), i, answer[i]))
		}
	}
	for _, more := range []int{1, 2, 8, 0xDF, 256, 4096, iso7816.MaxData + 1 - n, iso7816.MaxData + 2} {
		if more > 0 {
			add("longer", with(append(bytes.Clone(data), make([]byte, more)...), status...))
			add("longer than it says", append(bytes.Clone(answer), make([]byte, more)...))
			add("something before it", append(bytes.Repeat([]byte{0x30}, more), answer...))
		}
	}
	add("twice", append(bytes.Clone(answer), answer...))
	add("nothing", nil)

	// ISO/IEC 7816-4 tables 5 and 6: what the profile knows and what it does not,
	// with the data and without.
	words := []iso7816.Status{0x0000, 0x9001, 0x6200, 0x6281, iso7816.EndOfFile, 0x6283, iso7816.VerificationFailed, 0x63C0, 0x63C1, 0x63CF,
		iso7816.MemoryFailure, 0x6600, iso7816.WrongLength, 0x6801, iso7816.SecureNotSupported, iso7816.LastOfChainExpected, iso7816.ChainingNotSupported,
		iso7816.SecurityNotSatisfied, iso7816.MethodBlocked, 0x6984, iso7816.ConditionsNotSatisfied, iso7816.NoCurrentFile, iso7816.WrongData,
		iso7816.FileNotFound, iso7816.WrongP1P2, iso7816.OffsetOutside, iso7816.InstructionNotSupported, iso7816.ClassNotSupported,
		iso7816.NoDiagnosis, iso7816.OK, 0x91AF, 0xFFFF}
	for rest := range 256 { // more data is there, ask with GET RESPONSE; ask again for so many
		if thorough || rest%64 == 0 || rest == n {
			words = append(words, 0x6100|iso7816.Status(rest), iso7816.WrongExpected(rest))
		}
	}
	for _, w := range words {
		add("another status", with(data, byte(w>>8), byte(w)))
		add("a status alone", []byte{byte(w >> 8), byte(w)})
		add("half of the data, then a status", with(data[:n/2], byte(w>>8), byte(w)))
	}

	// ISO/IEC 8825-1 §8.1.3: the same length written otherwise, other lengths, no
	// length, and lengths beyond any file; other tags.
	if header, length, err := iso7816.HeaderLength(data); err == nil && header <= n {
		first := 1
		if data[0]&0x1F == 0x1F {
			first = 2
		}
		high, low := byte(length>>8), byte(length)
		for _, l := range []struct {
			what  string
			bytes []byte
		}{
			{"length in two bytes", []byte{0x81, low}}, {"length in three bytes", []byte{0x82, high, low}},
			{"length in four bytes", []byte{0x83, 0, high, low}}, {"length in five bytes", []byte{0x84, 0, 0, high, low}},
			{"indefinite length", []byte{0x80}}, {"no length", nil}, {"length 0", []byte{0}}, {"length 127", []byte{0x7F}},
			{"length 32 KiB", []byte{0x82, 0x80, 0}}, {"length 64 KiB less one", []byte{0x82, 0xFF, 0xFF}}, {"length 64 KiB", []byte{0x83, 1, 0, 0}},
			{"length 16 MiB", []byte{0x83, 0xFF, 0xFF, 0xFF}}, {"length 4 GiB", []byte{0x84, 0xFF, 0xFF, 0xFF, 0xFF}},
			{"length of 126 bytes", []byte{0xFE, 1}}, {"length reserved", []byte{0xFF, 1}},
			{"one byte more", []byte{0x82, byte((length + 1) >> 8), byte(length + 1)}}, {"one byte less", []byte{0x82, byte((length - 1) >> 8), byte(length - 1)}},
		} {
			b := slices.Concat(data[:first], l.bytes, data[header:])
			add(l.what, with(b, status...))
			add(l.what+", no longer than asked for", with(b[:min(n, len(b))], status...))
		}
		for _, tag := range [][]byte{{0x00}, {0xFF}, {0x30}, {0x61}, {0x6D}, {0x77}, {0x7C}, {0x80}, {0x5F, 0x1F}, {0x7F, 0x61}, {0x1F, 0x80, 0x01}, {0x7F, 0xFF, 0xFF, 0x01}} {
			add("another tag", with(slices.Concat(tag, data[first:]), status...))
		}
		nested := data
		for range 3 * iso7816.MaxDepth {
			nested = iso7816.Encode(0x30, nested)
			add("nested", with(nested, status...))
		}
		add("there twice", with(slices.Concat(data, data), status...))
	}

	for at, other := range session {
		if at != number {
			add("another answer of this tap", other)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		if other := others[name]; number < len(other) {
			add("the answer of "+name, other[number])
		}
	}
	return all
}

// Every answer of an IC card to a phone, changed in every way that alterations
// knows, one at a time, against a running register: either the phone has read the
// same all the same, or no mobile card is issued and nothing changes. In a
// campaign all of them.
func TestChangedAnswersOfACardGetNoMobileCardAndChangeNothing(t *testing.T) {
	thorough := os.Getenv("ROLLCALL_CAMPAIGN") == "1"
	o := newOffice(t)
	h, stranger := o.holder(1), o.holder(2)
	first := o.begin(stranger) // holds a mobile card, so that there is something to change
	_, theirs := first.answers(stranger.chip)
	if a, err := first.apply(theirs); err != nil || a.Reason != lifecycle.Granted {
		t.Fatalf("the other resident: %v, %v", a.Reason, err)
	}

	earlier, _ := o.begin(h).answers(h.chip)
	p := o.begin(h)
	session, good := p.answers(h.chip)
	if len(session) < 12 || len(session) != len(earlier) {
		t.Fatalf("a tap of %d answers, an earlier one of %d", len(session), len(earlier))
	}
	otherCard, _ := p.answers(stranger.chip)
	clone, _ := p.answers(h.chip.CloneWithoutKey([]byte("a forger's own chip")))
	others := map[string][][]byte{"an earlier tap": earlier, "another card": otherCard, "a clone": clone}

	before := o.content()
	lists, _, err := o.Publisher.Publish(ctx)
	must(0, err)(t)

	outcome := map[string]int{}
	counted := 0
	judge := func(what string, chip nfc.Card) {
		t.Helper()
		counted++
		read, err := p.read(chip)
		end := "read and "
		switch {
		case err != nil:
			end = "broken off and " // a phone may send what it has until then
		case reflect.DeepEqual(read.Evidence, good):
			outcome["read the same"]++
			return
		}
		switch a, err := p.apply(read.Evidence); {
		case err != nil:
			t.Errorf("%s: the service fails: %v", what, err)
		case a.Reason == lifecycle.Granted || len(a.Copies) > 0 || a.Sequence != 0:
			t.Fatalf("%s: a mobile card was issued", what)
		case a.Reason != lifecycle.CardNotGenuine: // not even what another card says in earnest
			t.Errorf("%s: refused as %v", what, a.Reason)
		default:
			outcome[end+"refused"]++
		}
	}
	alone := func(number int, b []byte) func(int, []byte) []byte {
		return func(n int, answer []byte) []byte {
			if n == number {
				return b
			}
			return answer
		}
	}
	for number := range session {
		all := alterations(number, session, others, thorough)
		step := 1
		if !thorough {
			step = max(1, len(all)/40) | 1
		}
		for i := 0; i < len(all); i += step {
			a := all[i]
			judge(fmt.Sprintf("answer %d: %s: %X", number, a.what, clip(a.bytes)), &between{Card: h.chip, change: alone(number, a.bytes)})
		}
		for other := range number { // two answers in each other's place
			judge(fmt.Sprintf("answers %d and %d swapped", other, number), &between{Card: h.chip, change: func(n int, answer []byte) []byte {
				switch n {
				case number:
					return session[other]
				case other:
					return session[number]
				}
				return answer
			}})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(others)) { // from some answer on, or up to it, all of another tap
		for from := range session {
			for _, late := range []bool{true, false} {
				judge(fmt.Sprintf("answers of %s from %d on: %v", name, from, late), &between{Card: h.chip, change: func(n int, answer []byte) []byte {
					if (n >= from) == late && n < len(others[name]) {
						return others[name][n]
					}
					return answer
				}})
			}
		}
	}
	t.Logf("%d changed answers of a tap of %d: %v", counted, len(session), outcome)
	if outcome["read and refused"] < counted/4 || outcome["broken off and refused"] < counted/4 || outcome["read the same"] == 0 {
		t.Error("too few of a kind to show anything")
	}

	if o.content() != before {
		t.Error("the register changed")
	}
	if again, _, err := o.Publisher.Publish(ctx); err != nil || !reflect.DeepEqual(again, lists) {
		t.Errorf("the status lists changed: %v", err)
	}
	// The same challenge, the same attestation, the answers as the chip gave them.
	a, err := p.apply(must(p.read(h.chip))(t).Evidence)
	if err != nil || a.Reason != lifecycle.Granted || h.phone.Accept(a.Copies) != nil {
		t.Errorf("unchanged: %v, %v", a.Reason, err)
	}
	if o.content() == before {
		t.Error("an issue leaves no trace: the comparison sees nothing")
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 64)] }
