package sdjwt

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/p256"
)

// example reads an example of RFC 9901, and trust in its issuer.
func example(t testing.TB, name string) (string, trust) {
	t.Helper()
	text, err := os.ReadFile("testdata/rfc9901/" + name)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := os.ReadFile("testdata/rfc9901/issuer.jwk.json")
	if err != nil {
		t.Fatal(err)
	}
	var k jws.Key
	if err := jws.Unmarshal(jwk, &k); err != nil {
		t.Fatal(err)
	}
	key, err := k.Public()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := p256.NewKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\n", ""), func([][]byte) (*mdoc.SignerCertificate, error) {
		return &mdoc.SignerCertificate{Name: "RFC 9901", Key: signer, Until: time.Unix(2000000000, 0)}, nil
	}
}

// The examples of the RFC are no credentials of a type, two of them: they are read
// as the RFC reads them, step by step.
func TestTheExamplesOfTheRFCAreRead(t *testing.T) {
	for name, want := range map[string]string{
		"simple.txt": `{"iss": "https://issuer.example.com", "iat": 1683000000, "exp": 1883000000, "sub": "user_42",
			"given_name": "John", "family_name": "Doe", "email": "johndoe@example.com", "phone_number": "+1-202-555-0101", "phone_number_verified": true,
			"address": {"street_address": "123 Main St", "locality": "Anytown", "region": "Anystate", "country": "US"},
			"birthdate": "1940-01-01", "updated_at": 1570000000, "nationalities": ["US", "DE"],
			"cnf": {"jwk": {"kty": "EC", "crv": "P-256", "x": "TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc", "y": "ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ"}}}`,
		"structured.txt": `{"iss": "https://issuer.example.com", "iat": 1683000000, "exp": 1883000000,
			"verified_claims": {"verification": {"trust_framework": "de_aml", "time": "2012-04-23T18:25Z", "evidence": [{"method": "pipp"}]},
			"claims": {"given_name": "Max", "family_name": "Müller",
			"address": {"locality": "Maxstadt", "postal_code": "12344", "country": "DE", "street_address": "Weidenstraße 22"}}}}`,
		"pid-kb.txt": `{"iss": "https://pid-issuer.bund.de.example", "iat": 1683000000, "exp": 1883000000, "vct": "urn:eudi:pid:de:1",
			"age_equal_or_over": {"18": true}, "nationalities": ["DE"],
			"cnf": {"jwk": {"kty": "EC", "crv": "P-256", "x": "TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc", "y": "ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ"}}}`,
	} {
		text, trusted := example(t, name)
		p, err := split([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		token, err := jws.Parse(p.signed)
		if err != nil {
			t.Fatal(err)
		}
		signer, _ := trusted(nil)
		if !token.VerifyBy(signer.Key) {
			t.Errorf("%s: the issuer's signature is wrong", name)
		}
		payload, err := payloadOf(token)
		if err != nil {
			t.Fatal(err)
		}
		claims, _, err := resolve(payload, p.disclosures)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		expected, err := jws.Object([]byte(want))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(claims, expected) {
			got, _ := json.Marshal(claims)
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Appendix A.3 is a whole SD-JWT VC with a key binding.
func TestTheExampleWithKeyBindingIsVerified(t *testing.T) {
	text, trusted := example(t, "pid-kb.txt")
	want := Expected{Types: []string{"urn:eudi:pid:de:1"}, Audience: "https://verifier.example.org", Nonce: "1234567890", At: time.Unix(1748454271, 0)}
	verify := func(text string, want Expected) (*Presented, error) {
		p, err := split([]byte(text))
		if err != nil {
			return nil, err
		}
		shown, err := p.verify(want, trusted)
		if err != nil {
			return nil, err
		}
		return shown, p.checkBinding(shown, want)
	}
	if shown, err := verify(text, want); err != nil || shown.Binding.Nonce != "1234567890" {
		t.Fatalf("%+v, %v", shown, err)
	}
	for i := range text {
		if c := text[i]; c == '~' || c == '.' {
			continue
		}
		changed := []byte(text)
		if changed[i] = 'A'; text[i] == 'A' {
			changed[i] = 'B'
		}
		if _, err := verify(string(changed), want); err == nil {
			t.Errorf("letter %d may be changed", i)
		}
	}
}
