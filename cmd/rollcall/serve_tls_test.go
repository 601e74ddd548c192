package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"
)

// clientCertificate is a certificate that a party made by itself.
func clientCertificate(t *testing.T, id string) tls.Certificate {
	t.Helper()
	seed := sha256.Sum256([]byte(t.Name() + id))
	key, err := privateKey(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: id}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(nil, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: (*ecdsa.PrivateKey)(key)}
}

// An administrator enters a hospital with its certificate; from then on its
// connections say who it is, until it is ended.
func TestAPartyIsKnownByItsCertificate(t *testing.T) {
	p, err := start(t.TempDir(), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	mine, stranger := clientCertificate(t, "hospital"), clientCertificate(t, "stranger")
	sum := sha256.Sum256(mine.Certificate[0])
	if _, err := p.ask("admin", "POST", "/parties", map[string]any{
		"id": "hospital", "role": "verifier", "name": "University Hospital", "elements": []string{"birth_date"},
		"certificates": []string{base64.RawURLEncoding.EncodeToString(sum[:])}, "why": "contract",
	}, nil); err != nil {
		t.Fatal(err)
	}
	by := func(c *tls.Certificate) *http.Client {
		config := p.client.Transport.(*http.Transport).TLSClientConfig.Clone()
		if c != nil {
			config.Certificates = []tls.Certificate{*c}
		}
		return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
	}
	check := func(what string, c *tls.Certificate, want int) {
		t.Helper()
		res, err := by(c).Get(p.url + "/vp/transactions/unknown")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, _ := io.ReadAll(res.Body); res.StatusCode != want {
			t.Errorf("%s: %d, want %d: %s", what, res.StatusCode, want, body)
		}
	}
	check("without a certificate", nil, 401)
	check("with a stranger's", &stranger, 401)
	check("with the one that was entered", &mine, 404) // it may ask; there is no such transaction

	// A token that was got on such a connection is good on none without.
	res, err := by(&mine).PostForm(p.url+"/parties/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"hospital"}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var token string
	if text, _ := io.ReadAll(res.Body); res.StatusCode == 200 {
		_, _ = fmt.Sscanf(string(text), `{"access_token":%q`, &token)
	}
	for what, c := range map[string]struct {
		certificate *tls.Certificate
		want        int
	}{"the same connection": {&mine, 404}, "none": {nil, 401}, "another": {&stranger, 401}} {
		q, err := http.NewRequest("GET", p.url+"/vp/transactions/unknown", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+token)
		res, err := by(c.certificate).Do(q)
		if err != nil || res.StatusCode != c.want {
			t.Errorf("the token, by %s: %v %v, want %d", what, res, err, c.want)
		}
	}
	if _, err := p.ask("admin", "POST", "/parties/hospital/end", map[string]string{"why": "contract over"}, nil); err != nil {
		t.Fatal(err)
	}
	check("after its end", &mine, 401)
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	p, err := start(t.TempDir(), os.Environ())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill(); <-p.ended }()
	for version, want := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		config := p.client.Transport.(*http.Transport).TLSClientConfig.Clone()
		config.MinVersion, config.MaxVersion = version, version
		res, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: config}}).Get(p.url + "/healthz")
		if (err == nil) != want {
			t.Errorf("TLS %x: %v %v", version, res, err)
		}
	}
}
