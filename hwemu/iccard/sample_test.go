package iccard

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
)

// With ROLLCALL_SAMPLE=DIR a card's security object is written as OpenSSL reads
// it: the CMS SignedData inside EF.SOD, the country's certificate, one data
// group whose hash the object holds, the signer's certificate, and the country's list of revoked
// signers before and after it stands on it.
//
//	openssl cms -verify -inform DER -in ef_sod.cms -CAfile csca.pem -purpose any
//	openssl verify -crl_check -CAfile csca.pem -CRLfile revoked.pem ds.pem
func TestSampleForOpenSSL(t *testing.T) {
	dir := os.Getenv("ROLLCALL_SAMPLE")
	c := personalised(t)
	send(t, c, selectEMRTD)
	var sod asn1.RawValue
	if rest, err := asn1.Unmarshal(read(t, c, 0x1D), &sod); err != nil || len(rest) > 0 || sod.Tag != 23 {
		t.Fatalf("EF.SOD: %v, %d bytes behind it, tag %d", err, len(rest), sod.Tag)
	}
	if dir == "" {
		t.Skip("nothing to write: ROLLCALL_SAMPLE names no folder")
	}
	k := kit(t)
	list := func(entries ...x509.RevocationListEntry) []byte {
		der, err := k.RevocationList(day, entries...)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	}
	for name, content := range map[string][]byte{
		"none.pem":    list(),
		"revoked.pem": list(x509.RevocationListEntry{SerialNumber: k.Serial(), RevocationTime: day, ReasonCode: 1}),
		"ds.pem":      pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.DocumentSigner}),
		"ef_sod.cms":  sod.Bytes,
		"dg2.bin":     read(t, c, 2),
		"csca.pem":    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: kit(t).CountryCA}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
