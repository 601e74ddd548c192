package issuance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/p256"
)

// One attestation is good. Whatever else comes in must be refused, as an
// attestation, and without reading more than its limits, or say the same.
func FuzzAttestation(f *testing.F) {
	d := sha256.Sum256([]byte("maker"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		f.Fatal(err)
	}
	at := time.Date(2025, 3, 14, 0, 0, 0, 0, time.UTC)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Maker"}, KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(nil, root, root, &key.PublicKey, key)
	if err != nil {
		f.Fatal(err)
	}
	makers, err := issuance.NewMakers(der)
	if err != nil {
		f.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Attestations"}, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: root.NotBefore, NotAfter: root.NotAfter}
	if der, err = x509.CreateCertificate(nil, leaf, root, &key.PublicKey, key); err != nil {
		f.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	f.Add("")
	f.Add("..")
	f.Add(part([]byte(`{"alg":"none"}`)) + ".e30.")
	f.Add(part([]byte(`{"alg":"ES256","typ":"key-attestation+jwt","x5c":["`+base64.StdEncoding.EncodeToString(der)+`"]}`)) +
		"." + part([]byte(`{"sub":"w","nonce":"n","attested_keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`)) + "." + part(make([]byte, 64)))
	f.Add(strings.Repeat("A", 40_000))
	point, err := key.PublicKey.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	text := part([]byte(`{"alg":"ES256","typ":"key-attestation+jwt","x5c":["`+base64.StdEncoding.EncodeToString(der)+`"]}`)) +
		"." + part([]byte(`{"sub":"w","iat":1741910400,"nonce":"n","attested_keys":[{"kty":"EC","crv":"P-256","x":"`+part(point[1:33])+`","y":"`+part(point[33:])+`"}]}`))
	digest := sha256.Sum256([]byte(text))
	rs, err := p256.Sign(key, digest[:])
	if err != nil {
		f.Fatal(err)
	}
	good := text + "." + part(rs)
	if phone, err := makers.Check(good, "n", at); err != nil || phone.Wallet != "w" {
		f.Fatalf("%+v, %v", phone, err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, attestation string) {
		phone, err := makers.Check(attestation, "n", at)
		switch {
		case err == nil && (phone.Wallet != "w" || len(phone.Keys) != 1 || !phone.Keys[0].Equal(&key.PublicKey)):
			t.Errorf("%q: %v", attestation, phone)
		case err != nil && (!errors.Is(err, issuance.ErrAttestation) || phone.Keys != nil):
			t.Errorf("%q: %v, %v", attestation, phone, err)
		}
	})
}

func TestMakersNeedARoot(t *testing.T) {
	if _, err := issuance.NewMakers(); err == nil {
		t.Error("nobody was trusted and nothing said")
	}
	if _, err := issuance.NewMakers([]byte("no certificate")); err == nil || !strings.Contains(err.Error(), "root certificate 1") {
		t.Error(err)
	}
}
