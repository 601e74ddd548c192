package bench

import (
	"time"

	"rollcall.example/rollcall/hwemu/phone"
	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/keyproof"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/reference/x5c"
)

// tokens are the proofs that come with a wallet's requests.
func tokens() []benchmark {
	return []benchmark{
		{name: "Token/DPoP", floor: []part{{verify, 1}}, make: checkDPoP},
		{name: "Token/ClientAttestation", floor: []part{{verify, 2}}, make: checkClient},
		{name: "Token/KeyAttestation", floor: []part{{verify, 1}}, make: checkKeys},
		{name: "Token/Nonce", make: openNonce},
	}
}

const issuerID = "https://id.example"

func checkDPoP(*env) (*subject, error) {
	proof, err := oauth.DPoP{Method: "POST", URL: issuerID + "/oauth/token", ID: "some identifier", IssuedAt: at, Nonce: "n"}.Proof(key("wallet"))
	if err != nil {
		return nil, err
	}
	want := oauth.ExpectedDPoP{Method: "POST", URL: issuerID + "/oauth/token", At: at, Nonce: func(n string) bool { return n == "n" }}
	return &subject{run: each(func() error {
		_, err := oauth.CheckDPoP(proof, want)
		return err
	})}, nil
}

func checkClient(*env) (*subject, error) {
	p, err := wallet.NewProvider("https://wallet.example", []byte("provider"), signed.AddDate(-1, 0, 0))
	if err != nil {
		return nil, err
	}
	roots, err := x5c.NewAnchors("wallet provider", p.Root)
	if err != nil {
		return nil, err
	}
	attestation, err := oauth.ClientAttestation{ClientID: p.ClientID, Key: &key("instance").PublicKey, IssuedAt: at, Expires: at.Add(time.Hour)}.Sign(p.Sign, [][]byte{p.Attestation})
	if err != nil {
		return nil, err
	}
	pop, err := oauth.PoP{Audience: issuerID, ID: "some identifier", IssuedAt: at}.Sign(key("instance"))
	if err != nil {
		return nil, err
	}
	want := oauth.ExpectedClient{Providers: roots, ClientID: p.ClientID, Audience: issuerID, At: at}
	return &subject{run: each(func() error {
		_, err := oauth.CheckClient(attestation, pop, want)
		return err
	})}, nil
}

func checkKeys(*env) (*subject, error) {
	m, err := phone.NewMaker("Phones", []byte("maker"), signed.AddDate(-1, 0, 0))
	if err != nil {
		return nil, err
	}
	roots, err := x5c.NewAnchors("phone maker", m.Root)
	if err != nil {
		return nil, err
	}
	a := keyproof.Attestation{IssuedAt: at, Expires: at.Add(5 * time.Minute), Nonce: "n", KeyStorage: []keyproof.Resistance{keyproof.High}}
	for _, name := range []string{"a", "b", "c"} {
		a.Keys = append(a.Keys, &key(name).PublicKey)
	}
	text, err := a.Sign(m.Sign, [][]byte{m.Attestation})
	if err != nil {
		return nil, err
	}
	proofs := keyproof.Proofs{Attestation: []string{text}}
	want := keyproof.Expected{Audience: issuerID, At: at, Nonce: func(n string) bool { return n == "n" },
		Policy: keyproof.Policy{Attesters: roots, Required: true, KeyStorage: []keyproof.Resistance{keyproof.High}}}
	return &subject{run: each(func() error {
		_, err := proofs.Check(want)
		return err
	})}, nil
}

// openNonce opens a sealed text, which is what nonces and tokens are.
func openNonce(*env) (*subject, error) {
	keys, err := seal.NewKeys([32]byte{7})
	if err != nil {
		return nil, err
	}
	text, err := keys.Seal([32]byte{1}, "nonce", at.Add(time.Minute), struct{}{})
	if err != nil {
		return nil, err
	}
	return &subject{run: each(func() error {
		_, err := keys.Open("nonce", text, at, &struct{}{})
		return err
	})}, nil
}
