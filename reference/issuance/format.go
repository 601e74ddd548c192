package issuance

import (
	"crypto/ecdsa"
	"io"

	"rollcall.example/rollcall/reference/mdoc"
)

// Mdoc names the format of ISO/IEC 18013-5, as OpenID4VCI does (Appendix A.2.1).
const Mdoc = "mso_mdoc"

// Format makes mobile cards in one credential format.
type Format interface {
	// Batch prepares copies of one record, which differ in the phone's key and in
	// the place in the status lists. All are signed by the signer that is in force then,
	// and last no longer than its certificate.
	Batch(record mdoc.Card, validity mdoc.Validity) (Copy, error)
}

// Copy signs one copy.
type Copy func(key *ecdsa.PublicKey, status mdoc.StatusRef, random io.Reader) ([]byte, error)

// mdocs makes IssuerSigned structures.
type mdocs struct{ signer mdoc.Signer }

func (f mdocs) Batch(record mdoc.Card, validity mdoc.Validity) (Copy, error) {
	elements, err := record.Elements()
	if err != nil {
		return nil, err
	}
	signer := mdoc.InForce(f.signer)
	if validity, err = validity.Under(signer); err != nil {
		return nil, err
	}
	return func(key *ecdsa.PublicKey, status mdoc.StatusRef, random io.Reader) ([]byte, error) {
		return mdoc.Issue(signer, random, key, elements, validity, &status)
	}, nil
}
