// Command irmago is a wallet by irmago (github.com/privacybydesign/irmago), as far as
// that goes together with Rollcall: its OpenID4VP client reads requests and answers them, and
// its SD-JWT VC and status list packages judge cards. It gets no card itself: of OpenID4VCI
// it knows neither DPoP nor attestations of wallets and keys (1.3.0). Its wallet's database is
// left out: the card to show is handed in.
//
// It is a module of its own: nothing of irmago is linked to Rollcall.
//
//	go run . <COMMAND
//
// It reads one command as JSON and prints what came of it as JSON; exit code 1 if that is
// not an answer. Connections trust the roots in SSL_CERT_FILE.
package main

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/privacybydesign/irmago/common/clientmodels"
	"github.com/privacybydesign/irmago/eudi"
	"github.com/privacybydesign/irmago/eudi/credentials/sdjwtvc"
	"github.com/privacybydesign/irmago/eudi/credentials/statuslist"
	eudi_jwt "github.com/privacybydesign/irmago/eudi/jwt"
	"github.com/privacybydesign/irmago/eudi/openid4vp"
	"github.com/privacybydesign/irmago/eudi/openid4vp/dcql"
	"github.com/privacybydesign/irmago/eudi/sdjwt"
	"github.com/privacybydesign/irmago/eudi/utils"
	"github.com/sirupsen/logrus"
)

// command is what irmago shall do.
type command struct {
	Do    string // "card", "request" or "show"
	Root  string // file, PEM, of the authority that is trusted
	Lists string // URL of its list of revoked certificates

	Card    string          // an SD-JWT: to judge, to show
	Request string          // a signed request: to judge
	Link    string          // to a request: to answer
	Key     json.RawMessage // of the card, a private JWK

	// What is wrong with the answer; empty: nothing.
	Nonce, Audience string
}

// outcome is what came of it.
type outcome struct {
	Refused  string         `json:"refused,omitempty"` // why
	Claims   map[string]any `json:"claims,omitempty"`
	Verifier string         `json:"verifier,omitempty"`
}

func main() {
	eudi.Logger = logrus.New()
	eudi.Logger.SetOutput(io.Discard)
	var c command
	out, err := outcome{}, json.NewDecoder(os.Stdin).Decode(&c)
	if err == nil {
		out, err = c.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "irmago:", err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(out)
}

func (c command) run() (outcome, error) {
	trusted, err := c.trusted()
	if err != nil {
		return outcome{}, err
	}
	switch c.Do {
	case "card":
		return c.card(trusted), nil
	case "request":
		_, leaf, _, err := validator(trusted).ParseAndVerifyAuthorizationRequest(c.Request)
		if err != nil {
			return outcome{Refused: err.Error()}, nil
		}
		return outcome{Verifier: leaf.Subject.CommonName}, nil
	case "show":
		return c.show(trusted)
	}
	return outcome{}, fmt.Errorf("it knows nothing to do called %q", c.Do)
}

// trusted is a root with the list of what it revoked, whose signature irmago checks.
func (c command) trusted() (*eudi_jwt.StaticVerificationContext, error) {
	text, err := os.ReadFile(c.Root)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s has no certificate", c.Root)
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	res, err := http.Get(c.Lists)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	der, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	lists := []*x509.RevocationList{list}
	if len(utils.GetRevocationListsForIssuer(root.SubjectKeyId, root.Subject, lists)) == 1 { // a stranger has none here
		if err := utils.VerifyRevocationListsSignatures(root, lists); err != nil {
			return nil, err
		}
	}
	return &eudi_jwt.StaticVerificationContext{
		VerifyOpts:      x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}},
		RevocationLists: lists,
	}, nil
}

// card judges a card as its holder does when it is issued: its signer, its disclosures, its
// times, and its status by the list that it fetches.
func (c command) card(trusted eudi_jwt.X509VerificationContext) outcome {
	verified, err := sdjwtvc.NewHolderVerificationProcessor(sdjwtvc.SdJwtVcVerificationContext{
		X509VerificationContext: trusted, Clock: eudi_jwt.NewSystemClock(), JwtVerifier: sdjwt.NewJwxJwtVerifier(),
		StatusChecker: statuslist.NewChecker(statuslist.VerificationContext{X509Context: trusted}, nil),
	}).ParseAndVerifySdJwtVc(sdjwtvc.SdJwtVcKb(c.Card))
	if err != nil {
		return outcome{Refused: err.Error()}
	}
	return outcome{Claims: verified.ProcessedSdJwtPayload}
}

func validator(trusted eudi_jwt.X509VerificationContext) openid4vp.VerifierValidator {
	return openid4vp.NewRequestorCertificateStoreVerifierValidator(trusted, &openid4vp.DefaultQueryValidatorFactory{})
}

// show lets irmago's client answer a request.
func (c command) show(trusted eudi_jwt.X509VerificationContext) (outcome, error) {
	var key ecdsa.PrivateKey
	if err := jwk.ParseRawKey(c.Key, &key); err != nil {
		return outcome{}, err
	}
	keys := sdjwt.NewInMemoryKeyBindingStorage()
	if err := keys.StorePrivateKeys([]*ecdsa.PrivateKey{&key}); err != nil {
		return outcome{}, err
	}
	held := &held{card: sdjwt.SdJwt(c.Card), binder: sdjwt.NewDefaultKeyBinder(keys), nonce: c.Nonce, audience: c.Audience}
	client, err := openid4vp.NewClient(nil, []dcql.DcqlCredentialQueryHandler{held}, validator(trusted), clientmodels.NewCurrentLocale("en"))
	if err != nil {
		return outcome{}, err
	}
	s := &session{held: held, done: make(chan outcome, 1)}
	client.NewSession(c.Link, s)
	return <-s.done, nil
}

// held is the one card of the wallet. Packages of irmago make its presentations.
type held struct {
	card            sdjwt.SdJwt
	binder          sdjwt.KeyBinder
	asked           dcql.CredentialQuery
	nonce, audience string
}

const hash = "the card"

func (h *held) CanHandleCredentialQuery(q dcql.CredentialQuery) bool { return q.Format == "dc+sd-jwt" }

func (h *held) FindCandidates(q dcql.CredentialQuery) (*dcql.CredentialQueryResult, error) {
	h.asked = q
	return &dcql.CredentialQueryResult{OwnedCandidates: []*clientmodels.SelectableCredentialInstance{{CredentialId: q.VctValues()[0], Hash: hash}}}, nil
}

func (h *held) PrepareDisclosure(chosen []dcql.DisclosureSelection, nonce, audience string) (*dcql.PreparedDisclosure, error) {
	if h.nonce != "" {
		nonce = h.nonce
	}
	if h.audience != "" {
		audience = h.audience
	}
	out := &dcql.PreparedDisclosure{}
	for _, one := range chosen {
		shown, err := sdjwt.CreatePresentation(h.card, one.ClaimPaths)
		if err != nil {
			return nil, err
		}
		binding, err := sdjwt.CreateKbJwt(shown, h.binder, nonce, audience)
		if err != nil {
			return nil, err
		}
		out.QueryResponses = append(out.QueryResponses, dcql.QueryResponse{QueryId: one.QueryId, Credentials: []string{string(sdjwt.AddKeyBindingJwt(shown, binding))}})
	}
	return out, nil
}

// session is the wallet's user, who agrees.
type session struct {
	held     *held
	verifier string
	done     chan outcome
}

func (s *session) RequestVerificationPermission(plan *clientmodels.DisclosurePlan, by *clientmodels.TrustedParty, queries map[string]string, answer openid4vp.PermissionHandler) {
	s.verifier = by.Name
	if len(plan.DisclosureChoicesOverview) != 1 || len(plan.DisclosureChoicesOverview[0].OwnedOptions) != 1 {
		answer(false, nil)
		return
	}
	var paths [][]any
	for _, claim := range s.held.asked.Claims {
		paths = append(paths, claim.Path)
	}
	answer(true, []dcql.DisclosureSelection{{QueryId: queries[hash], CredentialHash: hash, ClaimPaths: paths}})
}

func (s *session) Failure(err *clientmodels.SessionError) {
	s.done <- outcome{Refused: err.WrappedError}
}
func (s *session) Cancelled() { s.done <- outcome{Refused: "cancelled"} }
func (s *session) DeliverDcApiResponse(string) {
	s.done <- outcome{Refused: "not over a browser's interface"}
}
func (s *session) Success(string, []clientmodels.LogCredential) {
	s.done <- outcome{Verifier: s.verifier}
}
