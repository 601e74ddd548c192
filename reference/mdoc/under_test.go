package mdoc

import (
	"errors"
	"testing"
	"time"
)

// What is signed ends with its signer's certificate, and says when it is to be signed anew:
// a month before, or half-way if that is later; a signer whose certificate
// has ended is named as the cause, and not the order of the times that would follow.
func TestNothingLastsLongerThanItsSignersCertificate(t *testing.T) {
	w := newWorld(t)
	const day = 24 * time.Hour
	end := w.signer.certificate.NotAfter
	for _, c := range []struct {
		what          string
		signed        time.Time
		lasts         time.Duration
		until, update time.Duration // before the certificate's end; update 0: none
		err           error
	}{
		{"a card that ends before", end.Add(-100 * day), 99 * day, day, 0, nil},
		{"a card that ends then", end.Add(-100 * day), 100 * day, 0, 0, nil},
		{"a certificate of months", end.Add(-100 * day), 101 * day, 0, 30 * day, nil},
		{"a certificate of weeks", end.Add(-40 * day), 101 * day, 0, 20 * day, nil},
		{"a certificate of hours", end.Add(-4 * time.Hour), 101 * day, 0, 2 * time.Hour, nil},
		{"one that has ended", end.Add(time.Second), 101 * day, 0, 0, ErrSignerExpired},
		{"one that has not begun", w.signer.certificate.NotBefore.Add(-time.Second), 101 * day, 0, 0, ErrSignerExpired},
	} {
		got, err := Validity{Signed: c.signed, From: c.signed, Until: c.signed.Add(c.lasts)}.Under(w.signer)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.what, err, c.err)
		}
		if err != nil {
			continue
		}
		want := Validity{Signed: c.signed, From: c.signed, Until: end.Add(-c.until)}
		if c.update != 0 {
			want.Update = end.Add(-c.update)
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", c.what, got, want)
		}
	}
}
