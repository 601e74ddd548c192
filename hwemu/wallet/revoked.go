package wallet

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"rollcall.example/rollcall/reference/crl"
)

// listEvery is how long a list of revoked certificates is gone by before it is fetched
// again. If it cannot be had, the one held is gone by until its time is over.
const listEvery = time.Hour

// listed is a list of revoked certificates, and when it was fetched.
type listed struct {
	list *crl.List
	at   time.Time
}

// checkRevoked says whether a verifier's certificate, whose chain is good, was revoked
// (RFC 5280 §6.3). A wallet that cannot tell does not answer. A certificate
// that names no list cannot be revoked: its authority lets it end soon.
func (w *Wallet) checkRevoked(ctx context.Context, leaf *x509.Certificate) error {
	if len(leaf.CRLDistributionPoints) == 0 {
		return nil
	}
	place, now := leaf.CRLDistributionPoints[0], w.o.Now()
	held := w.revoked[place]
	if held.list == nil || now.Sub(held.at) >= listEvery || !now.Before(held.list.Until) {
		list, err := w.fetchRevoked(ctx, place, held.list)
		switch {
		case err == nil:
			held = listed{list, now}
			w.revoked[place] = held
		case held.list == nil || !now.Before(held.list.Until):
			return unacceptable("it cannot be told whether the certificate of %q was revoked: %v", leaf.Subject.CommonName, err)
		}
	}
	if err := held.list.Check(leaf); err != nil {
		return unacceptable("%w", err)
	}
	return nil
}

func (w *Wallet) fetchRevoked(ctx context.Context, place string, before *crl.List) (*crl.List, error) {
	a, err := w.get(ctx, place, "application/pkix-crl")
	if err != nil {
		return nil, err
	}
	list, err := w.o.Readers.Revocations(a.body, w.o.Now())
	if err == nil && !list.Follows(before) {
		err = errors.New("an older list than the one held was served")
	}
	return list, err
}
