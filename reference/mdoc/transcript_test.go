package mdoc

import (
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"
)

// published reads the examples of SessionTranscript in Appendix B.2.6.
func published(t *testing.T) [][]byte {
	t.Helper()
	text, err := os.ReadFile("testdata/openid4vp-1.0/appendix-B.2.6-handover-and-transcript.md")
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	for _, m := range regexp.MustCompile("(?s)example of the `SessionTranscript` structure:\n```\nHex:\n\n(.*?)\n\n").FindAllSubmatch(text, -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(string(m[1]), "\n", ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

func TestTranscriptsAreThoseOfOpenID4VP(t *testing.T) {
	examples := published(t)
	if len(examples) != 2 {
		t.Fatalf("%d examples, want 2", len(examples))
	}
	thumbprint, err := hex.DecodeString("4283ec927ae0f208daaa2d026a814f2b22dca52cf85ffa8f3f8626c6bd669047")
	if err != nil {
		t.Fatal(err)
	}
	const nonce = "exc7gBkxjx1rdc9udRrveKvSsJIq80avlXeLHhGwqtA"
	for i, got := range [][]byte{
		OpenID4VPTranscript("x509_san_dns:example.com", nonce, thumbprint, "https://example.com/response"),
		OpenID4VPDCAPITranscript("https://example.com", nonce, thumbprint),
	} {
		if string(got) != string(examples[i]) {
			t.Errorf("transcript %d\n got %x\nwant %x", i, got, examples[i])
		}
	}
}

func TestTranscriptBindsEveryParameter(t *testing.T) {
	seen := map[string]string{}
	for name, transcript := range map[string][]byte{
		"as is":                 OpenID4VPTranscript("client", "nonce", []byte("key"), "https://a.example"),
		"another client":        OpenID4VPTranscript("clienu", "nonce", []byte("key"), "https://a.example"),
		"another nonce":         OpenID4VPTranscript("client", "noncf", []byte("key"), "https://a.example"),
		"another key":           OpenID4VPTranscript("client", "nonce", []byte("kez"), "https://a.example"),
		"no encryption":         OpenID4VPTranscript("client", "nonce", nil, "https://a.example"),
		"another place":         OpenID4VPTranscript("client", "nonce", []byte("key"), "https://b.example"),
		"text moved to a field": OpenID4VPTranscript("clientnonce", "", []byte("key"), "https://a.example"),
	} {
		if before, ok := seen[string(transcript)]; ok {
			t.Errorf("%s and %s have the same transcript", name, before)
		}
		seen[string(transcript)] = name
	}
}
