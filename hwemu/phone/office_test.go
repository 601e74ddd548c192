package phone_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/camera"
	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
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
	// anchors are of cards and lists; iaca is their root, DER.
	anchors *mdoc.TrustAnchors
	iaca    []byte
	n       int // idempotency keys given
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
	o.iaca = iaca.Certificate()
	o.anchors = must(mdoc.NewTrustAnchors(o.iaca))(t)
	var err error
	o.Service, err = service.New(ctx, service.Config{
		Store: o.db, Now: func() time.Time { return noon }, Random: rand.NewChaCha8([32]byte{18}),
		Policy: &lifecycle.Policy{MinimumAge: 17, Opens: map[string]time.Time{sejong: opened}, AnyCentreFrom: opened,
			OfferLifetime: 90 * time.Second, CredentialValidity: 3 * 365 * 24 * time.Hour},
		Civil: time.UTC, Faces: face.Matcher{Threshold: threshold},
		Cards: must(card.NewVerifier(o.kit.CountryCA))(t), Phones: must(issuance.NewMakers(o.maker.Root))(t),
		DocumentSigner: must(mdoc.NewKeySigner(ds, must(mdoc.NewDocumentSigner(iaca, &ds.PublicKey, spec("DS", 1)))(t)))(t),
		StatusSigner:   must(mdoc.NewKeySigner(list, must(mdoc.NewStatusSigner(iaca, &list.PublicKey, spec("status", 1)))(t)))(t),
		Anchors:        o.anchors, Authority: "행정안전부",
		Copies: copies, ChallengeLifetime: 5 * time.Minute, Transaction: 5 * time.Minute, Nonces: func(time.Time) [32]byte { return [32]byte{1} }, Seals: must(seal.NewKeys([32]byte{2}))(t),
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
		Resident: store.Person{ID: id, RRN: fmt.Sprint(9001022234560 + uint64(id)), FamilyName: "홍", GivenName: "길동", BirthDate: born, Sex: 'F', Municipality: sejong},
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
