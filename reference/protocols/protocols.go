// Package protocols puts what wallets, verifiers and desks speak to before a service:
// authorization, OpenID4VCI, OpenID4VP and the desks, with keys from a ring. Whoever
// serves, for people or for tests, gets the same.
//
// It may not know where settings come from, nor who is let in: the router asks that
// (reference/httpapi).
package protocols

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/desk"
	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/openid4vp"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/standing"
	"rollcall.example/rollcall/reference/x5c"
)

// How long things live.
const (
	// Transaction is how long a verifier's question may wait for its answer.
	Transaction = 5 * time.Minute

	resultKept = 10 * time.Minute
	patience   = 5 * time.Second // until a wallet is told to come for its card later
	comeAgain  = 5 * time.Second
)

// Options are what the protocols need.
type Options struct {
	Service *service.Service
	Parties *parties.Parties
	Ring    *keys.Ring
	Seals   *seal.Keys

	URL       string            // where the service is, without a slash at the end
	Name      map[string]string // of the issuer, by language
	Copies    int               // of a mobile card, at most
	Published time.Duration     // until a change is in the lists of every verifier

	Providers, Makers *x5c.Anchors // of wallets, and of phones
	// Fetch gets their status lists; nil: an attestation that names one is not taken.
	Fetch standing.Fetch
	// NoList is told of each that could not be had; nil: nobody is.
	NoList func(uri string, err error)
}

// standing is whose attestations of those still stand.
func (o Options) standing(of *x5c.Anchors) *standing.Lists {
	if o.Fetch == nil {
		return nil
	}
	return standing.New(standing.Options{Anchors: of, Fetch: o.Fetch, Now: o.Service.Register.Now, Failed: o.NoList})
}

// New returns the parts of the service's API that are protocols.
func New(o Options) (api httpapi.API, err error) {
	r, i := o.Service.Register, o.Service.Issuance
	api.Parties, api.Roots = o.Parties, &keys.Roots{Ring: o.Ring}
	if api.Authorization, err = authorization.New(authorization.Options{
		Register: r, Issuance: i, Keys: o.Seals, Issuer: o.URL, Path: "/oauth/", Providers: o.Providers, Standing: o.standing(o.Providers), Scopes: openid4vci.Scopes,
	}); err != nil {
		return api, err
	}
	if api.OpenID4VCI, err = openid4vci.New(openid4vci.Options{
		Register: r, Issuance: i, Keys: o.Seals, Issuer: o.URL, Path: "/vci/", Name: o.Name,
		Copies: o.Copies, Proofs: keyproof.Policy{Attesters: o.Makers, Required: true, KeyStorage: []keyproof.Resistance{keyproof.High}},
		Standing: o.standing(o.Makers),
		Secret: func(begin time.Time) [32]byte {
			secret := o.Ring.Epoch(keys.Nonce, begin)
			return sha256.Sum256(append([]byte("rollcall requests of wallets "), secret[:]...))
		},
		Signer: func() (jws.Sign, [][]byte) {
			signer := mdoc.InForce(o.Ring.Signer(keys.Issuer))
			return signer.Sign, [][]byte{signer.Certificate()}
		},
		Patience: patience, Interval: comeAgain, Nonces: api.Authorization.GiveNonce,
	}); err != nil {
		return api, err
	}
	authorities, err := o.authorities()
	if err != nil {
		return api, err
	}
	if api.OpenID4VP, err = openid4vp.New(openid4vp.Options{
		Register: r, Verification: o.Service.Verification, Base: o.URL + "/vp/", Authorities: authorities, Keys: o.Seals,
		Secret: func(begun time.Time) [32]byte {
			secret := o.Ring.Epoch(keys.Nonce, begun)
			return sha256.Sum256(append([]byte("rollcall answers of wallets "), secret[:]...))
		},
		Lifetime: Transaction, Kept: resultKept,
		Revoked: o.Ring.ReadersRevoked, Reader: o.reader,
	}); err != nil {
		return api, err
	}
	server := api.Authorization
	api.Desk, err = desk.New(desk.Options{
		Register: r, Issuance: i, Suspension: o.Service.Suspension, Verification: o.Service.Verification, Parties: o.Parties, Published: o.Published,
		Scan: func(ctx context.Context, offer issuance.Offer) (desk.Scan, error) {
			scan, err := server.Offer(ctx, offer)
			return desk.Scan{URI: scan.URI, TxCode: scan.TxCode, Expires: scan.Expires}, err
		},
		Checkpoint: func(c audit.Checkpoint) (string, error) {
			signer := mdoc.InForce(o.Ring.Signer(keys.Status))
			return c.Sign(signer.Sign, [][]byte{signer.Certificate()})
		},
	})
	return api, err
}

// authorities are the key identifiers of the roots of cards.
func (o Options) authorities() (ids [][]byte, err error) {
	for _, der := range o.Ring.Certificates(keys.IACA) {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		ids = append(ids, c.SubjectKeyId)
	}
	return ids, nil
}

// reader signs requests in a party's name.
func (o Options) reader(ctx context.Context, id string) (openid4vp.Reader, error) {
	p, err := o.Parties.Party(ctx, id)
	if err != nil {
		return openid4vp.Reader{}, err
	}
	signer, err := o.Ring.Reader(id, p.Name)
	if errors.Is(err, keys.ErrRevoked) {
		err = fmt.Errorf("%w: %w", openid4vp.ErrRevoked, err)
	}
	if err != nil {
		return openid4vp.Reader{}, err
	}
	return openid4vp.Reader{Sign: signer.Sign, Chain: [][]byte{signer.Certificate()}}, nil
}
