package service_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/face"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/service/servicetest"
	"rollcall.example/rollcall/reference/store"
)

// mutate changes bytes as a hostile or broken phone might: single bits and bytes,
// heads of CBOR, ranges cut out, doubled, moved or taken from another message.
func mutate(message, other []byte, draw *rand.Rand) []byte {
	out := bytes.Clone(message)
	for range 1 + draw.IntN(3) {
		if len(out) == 0 {
			return out
		}
		at := draw.IntN(len(out))
		n := min(1+draw.IntN(1<<draw.IntN(10)), len(out)-at)
		switch draw.IntN(9) {
		case 0:
			out[at] ^= 1 << draw.IntN(8)
		case 1:
			out[at] = byte(draw.IntN(256))
		case 2: // indefinite lengths, breaks, huge lengths, null, empty, tags
			heads := [][]byte{{0x5f}, {0x7f}, {0x9f}, {0xbf}, {0xff}, {0xf6}, {0xa0}, {0x80}, {0x40}, {0xd8, 0x18}, {0xd2}, {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0xba, 0x7f, 0xff, 0xff, 0xff}, {0x1b}}
			copy(out[at:], heads[draw.IntN(len(heads))])
		case 3:
			out[at] += byte(1 + draw.IntN(2)*254) // a length, a count, a number: one more, one less
		case 4:
			out = append(out[:at], out[at+n:]...)
		case 5:
			out = bytes.Join([][]byte{out[:at], out[at : at+n], out[at:]}, nil)
		case 6:
			out = out[:at]
		case 7:
			if at < len(other) {
				copy(out[at:at+n], other[at:])
			}
		case 8:
			from := draw.IntN(len(out) - n + 1)
			copy(out[from:], bytes.Clone(out[at:at+n]))
		}
	}
	return out
}

// Changed presentations against a running register: nobody panics, nothing that
// the register knows of anybody changes, and what is accepted is what the issuer
// signed and this phone disclosed, or less of it, of a card that is in force. In a campaign 10^5.
func TestChangedPresentationsAreNotAcceptedAndChangeNothing(t *testing.T) {
	n := 2_000
	if campaign() {
		n = 100_000
	}
	path := filepath.Join(t.TempDir(), "register.db")
	w := onFile(t, path, 1<<12)
	holder, stranger, suspendedOne, endedOne := w.holder(), w.holder(), w.holder(), w.holder()
	suspendedOne.report(callCentre, lifecycle.MobileLost)
	old := *endedOne.phone
	endedOne.tap() // ends what the phone held before
	reading := direct(t, path, "?mode=ro")
	before, sequence := condensed(t, reading, whoHoldsWhat)
	lists := w.publish()

	disclose := []string{"family_name", "birth_date", "age_over_19", "resident_address"}
	var kinds = []struct {
		name string
		held held
		want lifecycle.Verdict // of the unchanged presentation
	}{
		{"in force", holder.phone.held[0], accepted},
		{"suspended", suspendedOne.phone.held[0], suspended},
		{"ended", old.held[0], notValid},
	}
	var mu sync.Mutex
	verdicts := map[string]int{}
	var wg sync.WaitGroup
	const workers = 8 // so that several share a commit
	for worker := range workers {
		wg.Go(func() {
			draw := rand.New(rand.NewPCG(18013, uint64(worker)))
			for i := worker; i < n; i += workers {
				k := kinds[0]
				if i%5 == 0 {
					k = kinds[1+i/5%2]
				}
				tr, err := w.Verification.Begin(bank)
				if err != nil {
					t.Error(err)
					return
				}
				good, err := mdoc.Present(k.held.card, disclose, tr.Transcript(), k.held.key)
				if err != nil {
					t.Error(err)
					return
				}
				other, err := mdoc.Present(stranger.phone.held[i%copies].card, disclose, tr.Transcript(), stranger.phone.held[i%copies].key)
				if err != nil {
					t.Error(err)
					return
				}
				sent, changed := good, i%100 != 0 // some are not changed: they must be judged as ever
				if changed {
					sent = mutate(good, other, draw)
					changed = !bytes.Equal(sent, good)
				}
				a, err := w.Verification.Verify(context.Background(), tr, sent)
				if err != nil {
					t.Errorf("%d: %v", i, err)
					return
				}
				switch {
				case !changed && a.Verdict != k.want:
					t.Errorf("%d: %s and unchanged: %v, want %v", i, k.name, a.Verdict, k.want)
				case changed && a.Verdict == accepted && k.want != accepted && !bytes.Equal(sent, other):
					t.Errorf("%d: %s: accepted when changed to %x", i, k.name, sent)
				case changed && a.Verdict == accepted && !bytes.Equal(sent, other) && !partOf(a.Elements, good, tr.Transcript()):
					t.Errorf("%d: accepted with %v when changed to %x", i, a.Elements, sent)
				}
				mu.Lock()
				verdicts[fmt.Sprintf("%s, changed %v: %v", k.name, changed, a.Verdict)]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d presentations: %v", n, verdicts)
	// To take an element away well, three counts and lengths must be changed to
	// fit: chance does not do it. Any other byte matters.
	if got := verdicts["in force, changed true: "+accepted.String()]; got > 3 {
		t.Errorf("%d changed presentations were accepted: in our messages every byte should matter", got)
	}
	if verdicts["in force, changed true: "+notValid.String()] < n/2 || verdicts["in force, changed false: "+accepted.String()] == 0 {
		t.Error("too few to show anything")
	}

	after, last := condensed(t, reading, whoHoldsWhat)
	if after != before || last != sequence {
		t.Errorf("the register changed: change %d before, %d after", sequence, last)
	}
	if again := w.publish(); !reflect.DeepEqual(again, lists) {
		t.Error("the status lists changed")
	}
	holder.shows(accepted, accepted)
	suspendedOne.shows(accepted, suspended)
}

// partOf says whether these elements are among those of that presentation. The
// phone's signature does not cover which elements are shown (ISO/IEC 18013-5
// §9.1.3.4): whoever stands between can take some away, never add or change one.
func partOf(elements []mdoc.Element, presentation, transcript []byte) bool {
	p, err := mdoc.Verify(presentation, transcript, authority().Anchors, servicetest.Noon)
	for _, e := range elements {
		if v, shown := p.Element(e.Name); err != nil || !shown || !reflect.DeepEqual(v, e.Value) {
			return false
		}
	}
	return err == nil
}

// What was read from an IC card, changed on the way, against a running register
// that checks it in earnest: no mobile card is issued, until the evidence comes as
// it was read.
func TestChangedEvidenceOfACardGetsNoMobileCardAndChangesNothing(t *testing.T) {
	n := 500
	if campaign() {
		n = 20_000
	}
	raw, err := os.ReadFile("../card/testdata/specimen.json")
	must(t, err)
	var specimen struct {
		CountryCA, Challenge []byte
		At                   time.Time
		Evidence             card.Evidence
	}
	must(t, json.Unmarshal(raw, &specimen))
	path := filepath.Join(t.TempDir(), "register.db")
	w := onFile(t, path, 1<<12)
	w.Set(specimen.At)
	w.cards, err = card.NewVerifier(specimen.CountryCA)
	must(t, err)
	template, err := face.ParseTemplate(specimen.Evidence.Template)
	must(t, err)
	c := w.resident(func(q *issuance.ResidentRequest) { q.Card.Number, q.Card.Template = "R12345678", template })
	c.Face = template
	must(t, w.db.Update(ctx, func(tx store.Tx) error {
		return tx.AddChallenge(store.Challenge{Value: specimen.Challenge, Made: specimen.At})
	}))
	attestation, _ := c.phone.attest(base64.RawURLEncoding.EncodeToString(specimen.Challenge), w.Now(), copies)
	apply := func(e card.Evidence) (issuance.Issued, error) {
		return w.Issuance.IssueByTap(ctx, issuance.TapRequest{
			Request: w.Request(me(c.ID)), Person: c.ID, Challenge: specimen.Challenge, Card: e, Probe: c.Capture(), Attestation: attestation,
		})
	}
	reading := direct(t, path, "?mode=ro")
	before, _ := condensed(t, reading, whoHoldsWhat)
	draw := rand.New(rand.NewPCG(9303, 1))
	refused := map[string]int{}
	for i := range n {
		e := specimen.Evidence
		fields := []*[]byte{&e.SOD, &e.DG1, &e.DG2, &e.DG13, &e.DG15, &e.Template, &e.Signature, &e.PIN}
		k := draw.IntN(len(fields))
		good := *fields[k]
		if *fields[k] = mutate(good, *fields[draw.IntN(len(fields))], draw); bytes.Equal(*fields[k], good) || k == 2 && len(e.DG2) == 0 {
			continue // nothing changed; and the portrait need not be read
		}
		switch a, err := apply(e); {
		case err != nil:
			refused["error"]++
		case a.Reason == lifecycle.Granted || len(a.Copies) > 0:
			t.Fatalf("%d: a mobile card for evidence whose part %d was changed: %x", i, k, *fields[k])
		default:
			refused[a.Reason.String()]++
		}
	}
	t.Logf("%d times changed evidence, refused as %v", n, refused)
	if after, _ := condensed(t, reading, whoHoldsWhat); after != before {
		t.Error("the register changed")
	}
	if a, err := apply(specimen.Evidence); err != nil || a.Reason != lifecycle.Granted {
		t.Errorf("as it was read: %v, %v", a.Reason, err)
	}
}
