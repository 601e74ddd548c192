package mdoc

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestTheHolderVerifiesTheCard(t *testing.T) {
	w := newWorld(t)
	p, err := VerifyCard(w.card, w.anchors, w.at)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p.Elements, w.elements) || !p.DeviceKey.Equal(&w.phone.PublicKey) || p.Status == nil || p.Validity != cardFor3 || p.Authority == nil {
		t.Errorf("%+v", p)
	}
	unseen, err := CheckCard(w.card, w.at)
	if err != nil || unseen.Authority != nil || !reflect.DeepEqual(unseen.Elements, p.Elements) || !unseen.DeviceKey.Equal(p.DeviceKey) || *unseen.Status != *p.Status {
		t.Errorf("%+v, %v", unseen, err)
	}
}

func TestACardThatIsNotAsItWasIssued(t *testing.T) {
	w := newWorld(t)
	foreign, err := NewTrustAnchors(testIACA(t, "another authority").Certificate())
	if err != nil {
		t.Fatal(err)
	}
	changed := func(from, to string) []byte { return bytes.Replace(w.card, []byte(from), []byte(to), 1) }
	auth, elements := bytes.Index(w.card, []byte("\x6aissuerAuth")), bytes.Index(w.card, []byte("\x6anameSpaces"))
	alone := append([]byte{0xa1}, w.card[auth:]...)
	if elements > auth {
		alone = append([]byte{0xa1}, w.card[auth:elements]...)
	}
	for name, c := range map[string]struct {
		card     []byte
		anchors  *TrustAnchors
		at       time.Time
		verified error
		checked  error // without a look at who signed it
	}{
		"as it was issued":     {w.card, w.anchors, w.at, nil, nil},
		"cut off":              {w.card[:len(w.card)-1], w.anchors, w.at, ErrMalformed, ErrMalformed},
		"with another name":    {changed("하늘", "바다"), w.anchors, w.at, ErrDigest, ErrDigest},
		"with another index":   {changed("status/1", "status/2"), w.anchors, w.at, ErrIssuerSignature, nil},
		"of another type":      {changed("docType\x74"+DocType, "docType\x74kr.go.rollcall.rrc.2"), w.anchors, w.at, ErrIssuerSignature, ErrDocType},
		"of another authority": {w.card, foreign, w.at, ErrUntrusted, nil},
		"whose time is over":   {w.card, w.anchors, cardFor3.Until.Add(time.Second), ErrSignerExpired, ErrExpired},
		"before its time":      {w.card, w.anchors, cardFor3.From.Add(-time.Second), ErrNotYetValid, ErrNotYetValid},
		"a presentation of it": {w.present(t, "family_name"), w.anchors, w.at, ErrMalformed, ErrMalformed},
		"without any elements": {alone, w.anchors, w.at, ErrMalformed, ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := VerifyCard(c.card, c.anchors, c.at); !errors.Is(err, c.verified) {
				t.Errorf("verified: %v, want %v", err, c.verified)
			}
			if _, err := CheckCard(c.card, c.at); !errors.Is(err, c.checked) {
				t.Errorf("checked: %v, want %v", err, c.checked)
			}
		})
	}
}
