package rollcall_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// conformanceCases are the cases of the OpenID conformance suite.
var conformanceCases = strings.Fields(`
	HappyFlow AdditionalRequests MultipleClients SkipNotification BatchIssuance Metadata MetadataSigned
	FailOnClientAttestationExpInPast FailOnClientAttestationNoSub FailOnPopWrongAud FailOnInvalidPopSignature
	FailOnInvalidClientAttestationSignature FailOnMismatchedPopKey FailOnInvalidJwtProofSignature FailOnInvalidKeyAttestationSignature
	FailOnInvalidNonce FailOnMissingProof FailOnAccessTokenInQuery FailOnUnknownCredentialConfigurationId
	FailOnUnknownCredentialIdentifier FailOnUnsupportedEncryptionAlgorithm
	InvalidCredentialSignature InvalidKbJwtAud InvalidKbJwtNonce InvalidKbJwtSignature InvalidSdHash InvalidSessionTranscript
	KbJwtIatFuture KbJwtIatPast RequestUriFetchedTwice RequestUriMethodPost`)

func TestEveryConformanceCaseHasItsTest(t *testing.T) {
	text, err := os.ReadFile("docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (\\w+) \\| `([^`]+)` \\| (\\S+) \\|$").FindAllStringSubmatch(string(text), -1) {
		name, test, file := row[1], row[2], row[3]
		listed[name] = true
		if strings.HasPrefix(test, "Test") {
			test = "func " + test + "("
		}
		if source, err := os.ReadFile(file); err != nil || !strings.Contains(string(source), test) {
			t.Errorf("%s: there is no %s in %s (%v)", name, test, file, err)
		}
	}
	for _, name := range conformanceCases {
		if !listed[name] {
			t.Errorf("docs/conformance.md does not say where %s is tested", name)
		}
	}
}
