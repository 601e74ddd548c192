package keys

import (
	"crypto/x509"
	"math/big"
	"net/http"
	"time"
)

// A list of revoked certificates is true for a week, and made anew by the hour: in
// one hour every replica gives the same bytes.
const (
	listLife  = 7 * day
	listEvery = time.Hour
)

// RevocationList is the list of revoked certificates of the IACA in force (ISO/IEC
// 18013-5 Table B.5), DER. No certificate has been revoked: there is no way yet to
// do so.
func (r *Ring) RevocationList() ([]byte, error) {
	s, at := r.inForce(IACA), r.now().UTC().Truncate(listEvery)
	return x509.CreateRevocationList(nil, &x509.RevocationList{
		Number: big.NewInt(at.Unix() / int64(listEvery/time.Second)), ThisUpdate: at, NextUpdate: at.Add(listLife), SignatureAlgorithm: x509.ECDSAWithSHA256,
	}, s.certificate, loud{s})
}

// Roots serves over HTTP what whoever trusts the IACA needs.
type Roots struct{ Ring *Ring }

// List answers with the list of revoked certificates: the place is named in the
// certificates.
func (r *Roots) List(w http.ResponseWriter, _ *http.Request) error {
	der, err := r.Ring.RevocationList()
	if err != nil {
		return err
	}
	return give(w, "application/pkix-crl", der)
}

// Certificate answers with the root certificate in force. It proves nothing by
// being here: compare its fingerprint.
func (r *Roots) Certificate(w http.ResponseWriter, _ *http.Request) error {
	return give(w, "application/pkix-cert", r.Ring.Signer(IACA).Certificate())
}

func give(w http.ResponseWriter, kind string, der []byte) error {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = w.Write(der)
	return nil
}
