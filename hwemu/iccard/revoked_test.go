package iccard

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"
)

func TestTheCountrysListIsOneThatCountriesPublish(t *testing.T) {
	k := kit(t)
	country, err := x509.ParseCertificate(k.CountryCA)
	if err != nil {
		t.Fatal(err)
	}
	at := day.Add(300 * time.Millisecond)
	before, err := k.RevocationList(at)
	if err != nil {
		t.Fatal(err)
	}
	der, err := k.RevocationList(at.Add(time.Second), x509.RevocationListEntry{SerialNumber: k.Serial(), RevocationTime: day, ReasonCode: 1})
	if err != nil {
		t.Fatal(err)
	}
	first, err := x509.ParseRevocationList(before)
	if err != nil {
		t.Fatal(err)
	}
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	for what, right := range map[string]bool{
		"the country signs it":       l.CheckSignatureFrom(country) == nil,
		"it names the country's key": bytes.Equal(l.AuthorityKeyId, country.SubjectKeyId) && len(l.AuthorityKeyId) > 0,
		"its number ascends":         l.Number.Cmp(first.Number) > 0,
		"it is good for 90 days":     l.NextUpdate.Sub(l.ThisUpdate) == 90*24*time.Hour,
		"it starts when it is made":  !l.ThisUpdate.After(at.Add(time.Second)),
		"it names the signer":        len(l.RevokedCertificateEntries) == 1 && l.RevokedCertificateEntries[0].SerialNumber.Cmp(k.Serial()) == 0,
		"the one before nobody":      len(first.RevokedCertificateEntries) == 0,
	} {
		if !right {
			t.Errorf("it does not hold that %s", what)
		}
	}
}

func TestTheNextSignerIsAnotherUnderTheSameAuthority(t *testing.T) {
	k := kit(t)
	next, err := k.Next(day)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(k.CountryCA, next.CountryCA) || k.Serial().Cmp(next.Serial()) == 0 || k.signer.Equal(next.signer) {
		t.Error("authority, number and key should be the same, another, another")
	}
	country, _ := x509.ParseCertificate(next.CountryCA)
	c, err := x509.ParseCertificate(next.DocumentSigner)
	if err != nil || c.CheckSignatureFrom(country) != nil {
		t.Errorf("the next signer's certificate: %v", err)
	}
	if !bytes.Equal(k.ResettingCode("R1"), next.ResettingCode("R1")) {
		t.Error("the plant's resetting codes have changed")
	}
}
