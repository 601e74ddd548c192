package main

import (
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/keys"
)

// Cards last no longer than their signer's certificate, so that it is followed by another
// long before its end.
func TestTheLogSaysWhichCertificatesEndSoon(t *testing.T) {
	founded := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	all, err := keys.Maker{Random: rand.NewChaCha8([32]byte{1}), URL: "https://id.example", Hosts: []string{"id.example"}}.Found(founded)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.NewRing(all, func() time.Time { return founded }, nil)
	if err != nil {
		t.Fatal(err)
	}
	ends := ring.Expiry()
	for _, c := range []struct {
		what string
		at   time.Time
		told []keys.Use
	}{
		{"at first", founded, nil},
		{"four months before the document signer's end", ends[keys.Document].Add(-120 * 24 * time.Hour), nil},
		{"within them", ends[keys.Document].Add(-120*24*time.Hour + time.Second), []keys.Use{keys.Document}},
		{"within a month of the status signer's end", ends[keys.Status].Add(-30*24*time.Hour + time.Second), []keys.Use{keys.Document, keys.Status, keys.TLS, keys.Issuer, keys.Verifier}},
	} {
		var log strings.Builder
		(&running{ring: ring, log: slog.New(slog.NewTextHandler(&log, nil))}).tellEnds(c.at)
		if n := strings.Count(log.String(), "ends soon"); n != len(c.told) {
			t.Errorf("%s: %s", c.what, &log)
		}
		for _, use := range c.told {
			if !strings.Contains(log.String(), "use="+string(use)) {
				t.Errorf("%s nothing is told of %s: %s", c.what, use, &log)
			}
		}
	}
}
