package issuance_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/issuance"
)

// Nobody has the maker's key here: whatever comes in must be refused, as an
// attestation, and without reading more than its limits.
func FuzzAttestation(f *testing.F) {
	d := sha256.Sum256([]byte("maker"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		f.Fatal(err)
	}
	at := time.Date(2025, 3, 14, 0, 0, 0, 0, time.UTC)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotBefore: at.AddDate(-1, 0, 0), NotAfter: at.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(nil, root, root, &key.PublicKey, key)
	if err != nil {
		f.Fatal(err)
	}
	makers, err := issuance.NewMakers(der)
	if err != nil {
		f.Fatal(err)
	}
	part := base64.RawURLEncoding.EncodeToString
	f.Add("")
	f.Add("..")
	f.Add(part([]byte(`{"alg":"none"}`)) + ".e30.")
	f.Add(part([]byte(`{"alg":"ES256","typ":"key-attestation+jwt","x5c":["`+base64.StdEncoding.EncodeToString(der)+`"]}`)) +
		"." + part([]byte(`{"sub":"w","nonce":"n","attested_keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`)) + "." + part(make([]byte, 64)))
	f.Add(strings.Repeat("A", 40_000))
	f.Fuzz(func(t *testing.T, attestation string) {
		phone, err := makers.Check(attestation, "n", at)
		if !errors.Is(err, issuance.ErrAttestation) || phone.Keys != nil {
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
