package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/reference/jws"
)

func tokenCommand() *cobra.Command {
	var at, key, ca string
	c := &cobra.Command{
		Use:   "token",
		Short: "Get an access token for a party whose key is in a file",
		Long: `Get an access token for a member of staff or a verifier from a service that
runs: sign an assertion with their key (private_key_jwt) and print the token.`,
		Example: `  curl --cacert rollcall-data/authority.pem -H "Authorization: Bearer $(rollcall token --key rollcall-data/admin.jwk)" https://localhost:8443/metrics`,
		Args:    none,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := trusting(ca)
			if err != nil {
				return usage(err)
			}
			token, err := getToken(c.Context(), client, strings.TrimSuffix(at, "/"), key)
			if err != nil {
				return usage(err)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), token)
			return err
		},
	}
	c.Flags().StringVar(&at, "url", "https://localhost:8443", "`URL` of the service")
	c.Flags().StringVar(&key, "key", "rollcall-data/admin.jwk", "`FILE` with the party's private key (JWK; its kid is the party's id)")
	c.Flags().StringVar(&ca, "ca", "rollcall-data/authority.pem", "`FILE` with the root of the service's certificate; if it is not there, the system's roots")
	return c
}

func getToken(ctx context.Context, client *http.Client, at, keyFile string) (string, error) {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return "", fmt.Errorf("--key: %w", err)
	}
	var k struct {
		ID string `json:"kid"`
		D  string `json:"d"`
	}
	if err := json.Unmarshal(text, &k); err != nil || k.ID == "" {
		return "", fmt.Errorf("--key: %s is no private key as a JWK with a kid", keyFile)
	}
	d, err := jws.Decode([]byte(k.D))
	if err != nil {
		return "", fmt.Errorf("--key: %s: %w", keyFile, err)
	}
	private, err := privateKey(d)
	if err != nil {
		return "", fmt.Errorf("--key: %s: %w", keyFile, err)
	}
	var id [16]byte
	if _, err := io.ReadFull(chance, id[:]); err != nil {
		return "", err
	}
	now := time.Now()
	assertion, err := jws.With(private).Token(jws.Header{Type: "client-authentication+jwt", KeyID: k.ID}, map[string]any{
		"iss": k.ID, "sub": k.ID, "aud": at + "/parties/token", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": hex.EncodeToString(id[:]),
	})
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/parties/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("--url: %w", err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := client.Do(q)
	if err != nil {
		return "", fmt.Errorf("the service cannot be asked (--url says where it is, --ca whose certificate it has): %w", err)
	}
	defer res.Body.Close()
	var answer struct {
		Token       string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&answer); err != nil {
		return "", fmt.Errorf("%s answers %s, and not with a token", at, res.Status)
	}
	if answer.Token == "" {
		return "", fmt.Errorf("%s refuses (%s): %s", at, answer.Error, answer.Description)
	}
	return answer.Token, nil
}

// trusting is a client that trusts the roots in a file, or the system's if there
// is none.
func trusting(ca string) (*http.Client, error) {
	client := &http.Client{Timeout: 30 * time.Second}
	text, err := os.ReadFile(ca)
	if errors.Is(err, os.ErrNotExist) {
		return client, nil
	}
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM: %v", ca, err)
	}
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	return client, nil
}
