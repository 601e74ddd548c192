package issuance

import (
	"crypto/ecdsa"
	"io"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/sdjwt"
)

// SDJWT issues mobile cards as SD-JWT VCs, from the record of which mdocs are made.
// Issuer is the URL of the issuer; empty: the certificate names it.
func SDJWT(signer mdoc.Signer, issuer string) Format { return sdJWTs{signer, issuer} }

type sdJWTs struct {
	signer mdoc.Signer
	issuer string
}

func (f sdJWTs) Batch(record mdoc.Card, validity mdoc.Validity) (Copy, error) {
	claims, disclosable, err := sdjwt.CardClaims(record)
	if err != nil {
		return nil, err
	}
	signer := mdoc.InForce(f.signer)
	if validity, err = validity.Under(signer); err != nil {
		return nil, err
	}
	return func(key *ecdsa.PublicKey, status mdoc.StatusRef, random io.Reader) ([]byte, error) {
		signed, err := sdjwt.Issue(signer, random, sdjwt.Credential{
			Type: sdjwt.Type, Issuer: f.issuer, Issued: validity.Signed, NotBefore: validity.From, Expires: validity.Until,
			Holder: key, Status: &status, Claims: claims, Disclosure: disclosable,
		})
		return []byte(signed), err
	}, nil
}
