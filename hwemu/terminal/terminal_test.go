package terminal

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/proximity"
	"rollcall.example/rollcall/reference/p256"
)

func TestACardIsShownByQRCodeAndByBothHandovers(t *testing.T) {
	s := newStreet(t, 2000)
	for _, way := range ways {
		for _, mac := range []bool{false, true} {
			for _, size := range []proximity.NFC{{MaxCommand: 255, MaxResponse: 256}, {MaxCommand: 300, MaxResponse: 1000}, {MaxCommand: 65535, MaxResponse: 65536}} {
				name := fmt.Sprintf("%s, MAC %v, %+v", way, mac, size)
				o := s.offer(allow("family_name", "portrait", "age_over_19"))
				o.MAC, o.NFC = mac, size
				signed := s.holder.Signatures()
				e, m, err := s.meet(t, way, o, s.terminal(), nfc.New, asking("family_name", "portrait"))
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				r, err := s.verify(m)
				if err != nil || len(r.Documents) != 1 || len(r.Missing) != 0 {
					t.Errorf("%s: %+v, %v", name, r, err)
					continue
				}
				p := r.Documents[0]
				if v, _ := p.Element("portrait"); len(p.Elements) != 2 || !bytes.Equal(v.([]byte), s.portrait) || p.Withheld != nil || p.Status == nil {
					t.Errorf("%s: shown %+v", name, p)
				}
				if made := s.holder.Signatures() - signed; made != map[bool]int{false: 1, true: 0}[mac] {
					t.Errorf("%s: %d signatures were made", name, made)
				}
				// A MAC convinces nobody but this terminal.
				if _, err := mdoc.VerifyResponse(m.Response, m.Transcript, s.cards, noon, nil); (err == nil) == mac {
					t.Errorf("%s: without the terminal's key: %v", name, err)
				}
				h := m.Handover
				if (h.Select != nil) != (way != "QR code") || (h.Request != nil) != (way == "negotiated handover") {
					t.Errorf("%s: handover %x, %x", name, h.Select, h.Request)
				}
				if !e.Over() || len(e.Disclosures()) != 1 || e.Disclosures()[0].Reader != "Bank of Sejong" {
					t.Errorf("%s: the phone remembers %+v", name, e.Disclosures())
				}
			}
		}
	}
}

func TestOnlyWhatIsAskedPermittedAndHeldIsShown(t *testing.T) {
	s := newStreet(t, 10)
	for _, c := range []struct {
		name            string
		asked, allowed  []string
		shown, withheld []string
		missing         []string
	}{
		{"permitted", []string{"family_name"}, []string{"family_name"}, []string{"family_name"}, nil, nil},
		{"more is permitted than asked", []string{"family_name"}, []string{"family_name", "birth_date", "sex"}, []string{"family_name"}, nil, nil},
		{"less is permitted than asked", []string{"family_name", "resident_registration_number"}, []string{"family_name"}, []string{"family_name"}, []string{"resident_registration_number"}, nil},
		{"not on the card", []string{"family_name", "blood_type"}, []string{"family_name", "blood_type"}, []string{"family_name"}, []string{"blood_type"}, nil},
		{"nothing is permitted", []string{"family_name"}, nil, nil, nil, []string{mdoc.DocType}},
		{"nothing asked is on the card", []string{"blood_type"}, []string{"blood_type"}, nil, nil, []string{mdoc.DocType}},
	} {
		_, m, err := s.meet(t, "static handover", s.offer(allow(c.allowed...)), s.terminal(), nfc.New, asking(c.asked...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		r, err := s.verify(m)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var shown, withheld []string
		for _, p := range r.Documents {
			withheld = append(withheld, p.Withheld...)
			for _, e := range p.Elements {
				shown = append(shown, e.Name)
			}
		}
		if !slices.Equal(shown, c.shown) || !slices.Equal(withheld, c.withheld) || !slices.Equal(r.Missing, c.missing) {
			t.Errorf("%s: shown %q, withheld %q, missing %q", c.name, shown, withheld, r.Missing)
		}
	}

	// Elements by another namespace, and documents that the phone has not, are not
	// there; two requests for the card are two decisions and two copies.
	other := asking("family_name")
	other.Elements[0].Namespace = "org.iso.18013.5.1"
	licence := asking("family_name")
	licence.DocType = "org.iso.18013.5.1.mDL"
	e, m, err := s.meet(t, "QR code", s.offer(allow("family_name", "birth_date")), s.terminal(), nfc.New, asking("family_name"), licence, other, asking("birth_date"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.verify(m)
	if err != nil || len(r.Documents) != 2 || !reflect.DeepEqual(r.Missing, []string{"org.iso.18013.5.1.mDL", mdoc.DocType}) {
		t.Fatalf("%+v, %v", r, err)
	}
	if r.Documents[0].DeviceKey.Equal(r.Documents[1].DeviceKey) || len(e.Disclosures()) != 3 {
		t.Errorf("one copy was shown twice, or %d decisions", len(e.Disclosures()))
	}
}

func TestAReaderThatNobodyKnowsIsDoubted(t *testing.T) {
	s := newStreet(t, 10)
	stranger := authority(t, "somebody else's readers")
	forged := must(mdoc.NewKeySigner(key(t, "bank"), must(mdoc.NewReader(stranger, &key(t, "bank").PublicKey, spec("Bank of Sejong")))(t)))(t)
	for _, c := range []struct {
		name   string
		reader mdoc.Signer
		now    time.Time
		doubt  error
	}{
		{"known", s.bank, noon, nil},
		{"nameless", nil, noon, proximity.ErrAnonymous},
		{"under another authority", forged, noon, mdoc.ErrUntrusted},
		{"with a certificate that is over", s.bank, noon.AddDate(2, 0, 0), mdoc.ErrSignerExpired},
		{"with somebody else's certificate", borrowed{s.bank, key(t, "thief")}, noon, proximity.ErrReaderSignature},
	} {
		o := s.offer(allow("family_name"))
		o.Now = func() time.Time { return c.now }
		e, m, err := s.meet(t, "QR code", o, New(c.reader, random("terminal")), nfc.New, asking("family_name"))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		r, err := s.verify(m)
		d := e.Disclosures()
		if err != nil || len(d) != 1 || !errors.Is(d[0].Doubt, c.doubt) || (d[0].Reader != "") != (c.doubt == nil) {
			t.Errorf("%s: %+v, %v", c.name, d, err)
			continue
		}
		if shown := len(r.Documents) == 1; shown != (c.doubt == nil) {
			t.Errorf("%s: shown %v", c.name, shown)
		}
	}
}

// borrowed shows another's certificate and signs with its own key.
type borrowed struct {
	certificate mdoc.Signer
	own         *ecdsa.PrivateKey
}

func (b borrowed) Certificate() []byte                { return b.certificate.Certificate() }
func (b borrowed) Sign(digest []byte) ([]byte, error) { return p256.Sign(b.own, digest) }

func TestBytesAndTimesAreCounted(t *testing.T) {
	s := newStreet(t, 20_000)
	took := map[int]time.Duration{}
	for _, rate := range []int{106, 424, 848} {
		o := s.offer(allow("portrait"))
		o.NFC = proximity.NFC{MaxCommand: 255, MaxResponse: 256}
		var l *nfc.Link
		_, m, err := s.meet(t, "negotiated handover", o, s.terminal(), func(c nfc.Card) *nfc.Link { l = nfc.New(c); l.BitRate = rate; return l }, asking("portrait"))
		if err != nil {
			t.Fatal(err)
		}
		var sum time.Duration
		for _, e := range m.Log {
			sum += e.Took
		}
		bits := time.Duration(9*l.Bytes()) * time.Second / time.Duration(1000*rate)
		// The holder took four seconds; the phone's work and the software's delays are
		// the rest.
		if m.Took < sum || m.Took < 4*time.Second+bits || l.Bytes() < 20_000 {
			t.Errorf("%d kbit/s: %v in all, %v in the log, %d bytes are %v", rate, m.Took, sum, l.Bytes(), bits)
		}
		took[rate] = m.Took
		t.Logf("%d kbit/s: %v, %d bytes, %d frames, %d commands", rate, m.Took, l.Bytes(), l.Frames(), len(m.Log))
	}
	if took[106] < took[424]+time.Second || took[424] < took[848]+200*time.Millisecond {
		t.Errorf("a slower link takes longer: %v", took)
	}
}

// Wherever the phone leaves the field, there is no answer, or a good one; a session
// that broke off does not go on.
func TestAPhoneThatIsTakenAwayShowsAllOrNothing(t *testing.T) {
	s := newStreet(t, 500)
	whole := 0
	_, _, err := s.meet(t, "negotiated handover", s.offer(allow("portrait")), s.terminal(), func(c nfc.Card) *nfc.Link { l := nfc.New(c); return l }, asking("portrait"))
	if err != nil {
		t.Fatal(err)
	}
	good, broken := 0, 0
	for at := 0; ; at += 37 {
		var l *nfc.Link
		e, m, err := s.meet(t, "negotiated handover", s.offer(allow("portrait")), s.terminal(), func(c nfc.Card) *nfc.Link { l = nfc.New(c); l.Tear(at, 0); return l }, asking("portrait"))
		switch {
		case err == nil:
			if r, err := s.verify(m); err != nil || len(r.Documents) != 1 {
				t.Errorf("torn at %d: %v", at, err)
			}
			good++
		case !errors.Is(err, ErrLost) || m.Response != nil:
			t.Errorf("torn at %d: %v", at, err)
		default:
			broken++
		}
		if e.Over() && err != nil {
			again, err := s.terminal().AskByNFC(nfc.New(e), asking("portrait"))
			if err == nil || again.Response != nil {
				t.Errorf("torn at %d, the encounter goes on: %v", at, err)
			}
		} else if err != nil {
			// Before the session began, the phone can be held there again.
			if _, err := s.terminal().AskByNFC(nfc.New(e), asking("portrait")); err != nil {
				t.Errorf("torn at %d, held there again: %v", at, err)
			}
		}
		if l.Bytes() < at {
			whole = l.Bytes()
			break
		}
	}
	if good < 2 || broken < 20 {
		t.Errorf("%d good, %d broken, %d bytes in all", good, broken, whole)
	}
}

// interferer changes what goes between terminal and phone.
type interferer struct {
	nfc.Card
	command, answer func(n int, b []byte) []byte
	n               int
}

func (i *interferer) Transmit(c []byte) []byte {
	i.n++
	if i.command != nil {
		c = i.command(i.n, bytes.Clone(c))
	}
	a := i.Card.Transmit(c)
	if i.answer != nil {
		a = i.answer(i.n, bytes.Clone(a))
	}
	return a
}

// Whoever changes any byte between the two is shown nothing that the holder did not
// permit and the card does not say: the session, the signature over it or the
// handover's place in it tells. With ROLLCALL_CAMPAIGN every byte is changed, in
// several ways.
func TestChangedMessagesShowNothing(t *testing.T) {
	stride, masks := 12, []byte{0x21}
	if os.Getenv("ROLLCALL_CAMPAIGN") != "" {
		stride, masks = 0, []byte{0x01, 0x80, 0xFF}
	} else {
		t.Log("every twelfth of each message; all bytes with ROLLCALL_CAMPAIGN=1 (.ci/run hostile)")
	}
	s := newStreet(t, 200)
	changes, told := 0, 0
	for _, way := range ways {
		_, m, err := s.meet(t, way, s.offer(allow("family_name")), s.terminal(), nfc.New, asking("family_name"))
		if err != nil {
			t.Fatal(err)
		}
		good := must(s.verify(m))(t)
		try := func(what string, i *interferer) {
			changes++
			e, m, err := s.meet(t, way, s.offer(allow("family_name")), s.terminal(), func(c nfc.Card) *nfc.Link { i.Card = c; return nfc.New(i) }, asking("family_name"))
			for _, d := range e.Disclosures() {
				if len(d.Disclosed) > 0 && d.Doubt != nil {
					t.Errorf("%s, %s: shown to somebody unknown: %v", way, what, d.Doubt)
				}
			}
			if err != nil {
				told++
				return
			}
			r, err := s.verify(m)
			if err != nil {
				told++
				return
			}
			// Some changes are of no consequence, such as one of the termination.
			if len(r.Documents) > 0 && !reflect.DeepEqual(r.Documents[0].Elements, good.Documents[0].Elements) {
				t.Errorf("%s, %s: shown %+v", way, what, r.Documents[0])
			}
		}
		for n, e := range m.Log {
			for _, mask := range masks {
				change := func(at int) func(int, []byte) []byte {
					return func(i int, b []byte) []byte {
						if i == n+1 && at < len(b) {
							b[at] ^= mask
						}
						return b
					}
				}
				for at := 0; at < len(e.Command); at += step(len(e.Command), stride) {
					try(fmt.Sprintf("byte %d of command %d (%s)", at, n+1, e.What), &interferer{command: change(at)})
				}
				for at := 0; at < len(e.Response); at += step(len(e.Response), stride) {
					try(fmt.Sprintf("byte %d of answer %d (%s)", at, n+1, e.What), &interferer{answer: change(at)})
				}
			}
		}
	}
	if told < changes*3/4 {
		t.Errorf("%d of %d changes were noticed", told, changes)
	}
	t.Logf("%d changed messages of meetings, %d noticed", changes, told)
}

// step is how far apart changes are: so many to a message, or 0 for all bytes.
func step(n, parts int) int {
	if parts == 0 {
		return 1
	}
	return 1 + n/parts
}

// A request that is heard twice is answered once.
func TestARepeatedRequestEndsTheSession(t *testing.T) {
	s := newStreet(t, 10)
	e := must(s.holder.EngageQR(s.offer(allow("family_name"))))(t)
	m, err := s.terminal().AskByQR(e.URI(), nfc.New(e), asking("family_name"))
	if err != nil {
		t.Fatal(err)
	}
	// The whole conversation once more, to a phone with the same keys.
	e = must(s.holder.EngageQR(s.offer(allow("family_name"))))(t)
	var last iso7816.Response
	for _, c := range m.Log {
		last = must(iso7816.ParseResponse(e.Transmit(c.Command)))(t)
	}
	if last.Status != iso7816.OK || !e.Over() {
		t.Fatalf("%v, over %v", last.Status, e.Over())
	}
	shown := len(e.Disclosures())
	for _, c := range m.Log[1:] {
		if r := must(iso7816.ParseResponse(e.Transmit(c.Command)))(t); r.Status != iso7816.ConditionsNotSatisfied {
			t.Errorf("%s again: %v", c.What, r.Status)
		}
	}
	// A request within a session that goes on: its number is used.
	e = must(s.holder.EngageQR(s.offer(allow("family_name"))))(t)
	e.Transmit(m.Log[0].Command)
	e.Transmit(m.Log[1].Command)
	r := must(iso7816.ParseResponse(e.Transmit(m.Log[1].Command)))(t)
	refusal := must(proximity.ParseDataObject(r.Data, 100))(t)
	if !bytes.Equal(refusal, proximity.Refusal(proximity.ErrMessage)) || !e.Over() || len(e.Disclosures()) != shown {
		t.Errorf("the request again: %x, over %v, %d shown", refusal, e.Over(), len(e.Disclosures()))
	}
}

func TestTheSameSeedsMeetInTheSameBytes(t *testing.T) {
	run := func() string {
		s := newStreet(t, 100)
		_, m, err := s.meet(t, "negotiated handover", s.offer(allow("family_name")), s.terminal(), nfc.New, asking("family_name"))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, e := range m.Log {
			fmt.Fprintln(&b, e)
		}
		return b.String()
	}
	if first, second := run(), run(); first != second {
		t.Error("two meetings with the same seeds differ")
	}
}

func TestAPhoneThatCannotBeReachedIsToldApart(t *testing.T) {
	s := newStreet(t, 10)
	ble := &proximity.BLE{CentralClient: true, CentralUUID: make([]byte, 16)}
	far := must(proximity.NewEngagement(must(proximity.NewKey(random("x")))(t).PublicKey(), nil, ble))(t)
	e := must(s.holder.EngageQR(s.offer(allow())))(t)
	for uri, says := range map[string]string{far.URI(): "no retrieval over NFC", "https://bank.example/": "QR code"} {
		if _, err := s.terminal().AskByQR(uri, nfc.New(e), asking("family_name")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", uri, err)
		}
	}
	// A phone that shows a QR code is no tag.
	if _, err := s.terminal().AskByNFC(nfc.New(e), asking("family_name")); !errors.Is(err, iso7816.FileNotFound) {
		t.Errorf("no tag: %v", err)
	}
	if _, err := s.holder.EngageQR(phone.Offer{}); err == nil {
		t.Error("a phone waits without anybody to ask for consent")
	}
}
