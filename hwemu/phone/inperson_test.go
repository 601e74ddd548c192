package phone_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"rollcall.example/rollcall/hwemu/iso7816"
	"rollcall.example/rollcall/hwemu/nfc"
	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/hwemu/terminal"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/mdoc/proximity"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
)

func random(seed string) *rand.ChaCha8 { return rand.NewChaCha8(sha256.Sum256([]byte(seed))) }

// bank is a verifier with a terminal, under an authority of readers.
type bank struct {
	readers *mdoc.TrustAnchors
	signer  *mdoc.KeySigner
	root    []byte
}

func newBank(t testing.TB) bank {
	t.Helper()
	spec := func(name string) mdoc.CertificateSpec {
		serial := sha256.Sum256([]byte(name))
		return mdoc.CertificateSpec{Serial: serial[:16], CommonName: name, NotBefore: opened, NotAfter: opened.AddDate(2, 0, 0)}
	}
	root := must(mdoc.NewIACA(phone.KeyForTests("readers"), mdoc.IACASpec{CertificateSpec: spec("Readers"), Country: "KR",
		Contact: "https://readers.example/", CRL: "https://readers.example/crl"}))(t)
	key := phone.KeyForTests("bank")
	return bank{must(mdoc.NewTrustAnchors(root.Certificate()))(t),
		must(mdoc.NewKeySigner(key, must(mdoc.NewReader(root, &key.PublicKey, spec("Bank of Sejong")))(t)))(t), root.Certificate()}
}

// yes is a holder who shows known readers all that they ask for.
func yes(a phone.Asked) phone.Decision {
	if a.Doubt != nil {
		return phone.Decision{After: time.Second}
	}
	return phone.Decision{Allow: a.Names(), After: 3 * time.Second}
}

func ask(names ...string) proximity.DocumentRequest {
	d := proximity.DocumentRequest{DocType: mdoc.DocType}
	for _, n := range names {
		d.Elements = append(d.Elements, proximity.ElementRequest{Namespace: mdoc.Namespace, Name: n})
	}
	return d
}

// From the card at the phone to the verdict at the bank, in every way in which a
// phone and a terminal meet: with the register, and with a list when the register is
// far; after the phone is lost, and after it is found.
func TestAMobileCardIsShownInPersonFromTapToVerdict(t *testing.T) {
	o, b := newOffice(t), newBank(t)
	h := o.holder(1)
	p := o.begin(h)
	read := must(p.read(h.chip))(t)
	issued := must(p.apply(read.Evidence))(t)
	if issued.Reason != lifecycle.Granted {
		t.Fatal(issued.Reason)
	}
	must(0, h.phone.Accept(issued.Copies))(t)

	desk := must(verification.NewOffline(verification.OfflineOptions{Verifier: verification.Verifier{ClientID: "bank"}, Anchors: o.anchors,
		Lifetime: time.Minute, Now: func() time.Time { return noon }, Random: random("desk")}))(t)
	fetch := func() {
		all, _, err := o.Publisher.Publish(ctx)
		must(0, err)(t)
		for _, l := range all {
			must(0, desk.Fetched(l.JWT))(t)
		}
	}
	seeds := 0
	meet := func(way int, mac bool) (*terminal.Meeting, verification.Meeting) {
		t.Helper()
		seeds++
		seed := string(rune(seeds))
		offer := phone.Offer{Random: random("phone" + seed), Now: func() time.Time { return noon }, Readers: b.readers, Consent: yes, MAC: mac}
		term := terminal.New(b.signer, random("terminal"+seed))
		request := ask("family_name", "age_over_19", "portrait")
		var m *terminal.Meeting
		var err error
		if way == 0 {
			e := must(h.phone.EngageQR(offer))(t)
			m, err = term.AskByQR(e.URI(), nfc.New(e), request)
		} else {
			e := must(h.phone.EngageNFC(offer, way == 2))(t)
			m, err = term.AskByNFC(nfc.New(e), request)
		}
		must(0, err)(t)
		return m, verification.Meeting{Transcript: m.Transcript, Reader: m.Reader}
	}
	// verdicts are those of the register and of the bank's list.
	verdicts := func(way int, mac bool) (online, offline lifecycle.Verdict) {
		t.Helper()
		m, v := meet(way, mac)
		on := must(o.Verification.VerifyMeeting(ctx, v, m.Response))(t)
		off := must(desk.VerifyMeeting(v, m.Response))(t)
		for _, a := range []verification.Answer{on, off} {
			if a.Verdict == lifecycle.Accepted && (len(a.Elements) != 3 || a.Elements[0].Value != "홍") {
				t.Errorf("accepted with %v", a.Elements)
			}
			if a.Verdict != lifecycle.Accepted && a.Elements != nil {
				t.Errorf("%v, and yet shown %v", a.Verdict, a.Elements)
			}
		}
		if _, err := o.Verification.VerifyMeeting(ctx, v, m.Response); !errors.Is(err, verification.ErrReplayed) {
			t.Errorf("the same meeting again: %v", err)
		}
		return on.Verdict, off.Verdict
	}
	expect := func(what string, online, offline lifecycle.Verdict) {
		t.Helper()
		for way := range 3 {
			for _, mac := range []bool{false, true} {
				if on, off := verdicts(way, mac); on != online || off != offline {
					t.Errorf("%s, way %d, MAC %v: online %v, offline %v; want %v, %v", what, way, mac, on, off, online, offline)
				}
			}
		}
	}

	expect("before a list was fetched", lifecycle.Accepted, lifecycle.CannotTell)
	fetch()
	expect("issued", lifecycle.Accepted, lifecycle.Accepted)
	by := register.By{Actor: "call-1", Role: lifecycle.CallCentre}
	receipt := must(o.Suspension.Report(ctx, suspension.ReportRequest{Request: o.request(by), Person: h.id, Cause: lifecycle.MobileLost, Why: "lost"}))(t)
	expect("lost, with the old list", lifecycle.Suspended, lifecycle.Accepted)
	fetch()
	expect("lost", lifecycle.Suspended, lifecycle.Suspended)
	must(o.Suspension.Release(ctx, suspension.ReleaseRequest{Request: o.request(register.Citizen(h.id)), Person: h.id, Cause: lifecycle.MobileLost, Sequence: receipt.Sequence, Why: "found"}))(t)
	fetch()
	expect("found", lifecycle.Accepted, lifecycle.Accepted)

	// What was said in one meeting is good in no other.
	first, one := meet(0, false)
	_, two := meet(0, false)
	two.Reader = one.Reader
	if a := must(o.Verification.VerifyMeeting(ctx, two, first.Response))(t); a.Verdict != lifecycle.NotValid {
		t.Errorf("a response in another meeting: %v", a.Verdict)
	}
	if a := must(desk.VerifyMeeting(two, first.Response))(t); a.Verdict != lifecycle.NotValid {
		t.Errorf("a response in another meeting, offline: %v", a.Verdict)
	}
	// A MAC cannot be checked without the terminal's key.
	m, v := meet(1, true)
	v.Reader = nil
	if a := must(o.Verification.VerifyMeeting(ctx, v, m.Response))(t); a.Verdict != lifecycle.NotValid {
		t.Errorf("a MAC without the terminal's key: %v", a.Verdict)
	}
}

// waiting makes encounters of a phone that waits for a reader.
func waiting(t testing.TB) func(t testing.TB, negotiated bool) *phone.Encounter {
	t.Helper()
	b := newBank(t)
	p := phone.New(must(phone.NewMaker("Test Phones", []byte("maker"), opened))(t), []byte("a phone"))
	return func(t testing.TB, negotiated bool) *phone.Encounter {
		return must(p.EngageNFC(phone.Offer{Random: random("phone"), Now: func() time.Time { return noon }, Readers: b.readers, Consent: yes}, negotiated))(t)
	}
}

func TestThePhoneAnswersCommandsAsTheStandardSays(t *testing.T) {
	engage := waiting(t)
	type step struct {
		command string
		status  iso7816.Status
	}
	const (
		tag  = "00A4040007D276000085010100"
		cc   = "00A4000C02E103"
		ndef = "00A4000C02E104"
		data = "00A4040007A0000002480400"
	)
	for _, c := range []struct {
		name       string
		negotiated bool
		steps      []step
	}{
		{"nothing is selected", false, []step{{"00B0000002", iso7816.ConditionsNotSatisfied}, {"00C3000002530000", iso7816.ConditionsNotSatisfied}}},
		{"another application", false, []step{{"00A4040007A0000002471001", iso7816.FileNotFound}}},
		{"another class", false, []step{{"80A4040007D276000085010100", iso7816.ClassNotSupported}}},
		{"lengths that do not add up", false, []step{{"00A4040009D27600", iso7816.WrongLength}, {"00", iso7816.WrongLength}}},
		{"a tag without a file", false, []step{{tag, iso7816.OK}, {"00B0000002", iso7816.NoCurrentFile}, {"00D6000002ABCD", iso7816.NoCurrentFile}, {"00CA000000", iso7816.InstructionNotSupported}}},
		{"files of the tag", false, []step{{tag, iso7816.OK}, {"00A4000C02E105", iso7816.FileNotFound}, {"00A4020C02E104", iso7816.WrongP1P2}, {cc, iso7816.OK}, {"00B000000F", iso7816.OK}, {"00B0001001", iso7816.OffsetOutside}, {"00B00000", iso7816.WrongLength}}},
		{"a tag that is read only", false, []step{{tag, iso7816.OK}, {ndef, iso7816.OK}, {"00D60000020000", iso7816.SecurityNotSatisfied}}},
		{"a write out of order", true, []step{{tag, iso7816.OK}, {ndef, iso7816.OK}, {"00D6000201AA", iso7816.ConditionsNotSatisfied}, {"00D60000020000", iso7816.OK}, {"00D6000301AA", iso7816.ConditionsNotSatisfied}, {"00D6000000", iso7816.WrongLength}}},
		{"a write that is longer than it says", true, []step{{tag, iso7816.OK}, {ndef, iso7816.OK}, {"00D60000020000", iso7816.OK}, {"00D6000201AA", iso7816.OK}, {"00D60000020002", iso7816.WrongLength}}},
		{"a write beyond the file", true, []step{{tag, iso7816.OK}, {ndef, iso7816.OK}, {"00D6FFFF01AA", iso7816.OffsetOutside}}},
		{"a message that is no selection", true, []step{{tag, iso7816.OK}, {ndef, iso7816.OK}, {"00D60000060004D1010054", iso7816.WrongData}}},
		{"data transfer", false, []step{{data, iso7816.OK}, {"00C00000FF", iso7816.ConditionsNotSatisfied}, {"00B0000002", iso7816.InstructionNotSupported},
			{"00C3000001530000", iso7816.WrongLength}, {"00C30000025300", iso7816.WrongLength}, {"00C300000253017F", iso7816.WrongData}, {"00C3000102530000", iso7816.WrongP1P2}, {"00C3000002540000", iso7816.WrongData}}},
		{"a chain that another command breaks", false, []step{{data, iso7816.OK}, {"10C300000153", iso7816.OK}, {"00C000000A", iso7816.ConditionsNotSatisfied}, {"00C3000001A1" + "00", iso7816.WrongData}}},
	} {
		e := engage(t, c.negotiated)
		for i, s := range c.steps {
			raw := make([]byte, len(s.command)/2)
			for j := range raw {
				raw[j] = unhex(s.command[2*j])<<4 | unhex(s.command[2*j+1])
			}
			r := must(iso7816.ParseResponse(e.Transmit(raw)))(t)
			if r.Status != s.status {
				t.Errorf("%s, step %d (%s): %v, want %v", c.name, i+1, s.command, r.Status, s.status)
			}
		}
	}
}

func unhex(c byte) byte {
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}

// What is no session message is refused by its status, and the phone waits for
// nobody any more.
func TestAPhoneThatCannotReadARequestSaysSoAndIsDone(t *testing.T) {
	e := waiting(t)(t, false)
	selectData := iso7816.Command{Instruction: iso7816.Select, P1: 0x04, Data: []byte(proximity.DataTransfer)}
	e.Transmit(selectData.Bytes())
	envelope := iso7816.Command{Instruction: iso7816.Envelope, Data: proximity.DataObject([]byte{0xff}), Expected: 256}
	r := must(iso7816.ParseResponse(e.Transmit(envelope.Bytes())))(t)
	said := must(proximity.ParseDataObject(r.Data, 100))(t)
	if r.Status != iso7816.OK || !bytes.Equal(said, proximity.Refusal(proximity.ErrMessage)) || !e.Over() {
		t.Errorf("%v %x, over %v", r.Status, said, e.Over())
	}
	if r := must(iso7816.ParseResponse(e.Transmit(envelope.Bytes())))(t); r.Status != iso7816.ConditionsNotSatisfied {
		t.Errorf("once more: %v", r.Status)
	}
}

// Whatever a reader sends, the phone answers a status, and shows nobody anything
// without a session.
func FuzzEncounter(f *testing.F) {
	for _, s := range []string{"00A4040007D276000085010100", "00A4000C02E104", "00B0000002", "00D60000020000", "00A4040007A0000002480400", "10C300000153", "00C3000002530000"} {
		raw := make([]byte, len(s)/2)
		for j := range raw {
			raw[j] = unhex(s[2*j])<<4 | unhex(s[2*j+1])
		}
		f.Add(append([]byte{byte(len(raw))}, raw...))
	}
	f.Add([]byte("\x0d\x00\xA4\x04\x00\x07\xD2\x76\x00\x00\x85\x01\x01\x00\x07\x00\xA4\x00\x0C\x02\xE1\x04\x05\x00\xB0\x00\x00\x02"))
	engage := waiting(f)
	f.Fuzz(func(t *testing.T, script []byte) {
		e := engage(t, true)
		for len(script) > 0 {
			n := min(int(script[0]), len(script)-1)
			if r, err := iso7816.ParseResponse(e.Transmit(script[1 : 1+n])); err != nil {
				t.Errorf("%x is answered by %v", script[1:1+n], err)
			} else if r.Status == 0 {
				t.Errorf("%x is answered by no status", script[1:1+n])
			}
			script = script[1+n:]
		}
		if len(e.Disclosures()) > 0 {
			t.Error("something was shown")
		}
	})
}
