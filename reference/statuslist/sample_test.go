package statuslist

import (
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
)

// With ROLLCALL_SAMPLE=DIR a card, a presentation of it and its status list are
// written as `rollcall journey` writes them, for the independent readers in
// readers/.
func TestSampleForIndependentReaders(t *testing.T) {
	w := newWorld(t)
	const index = 654321
	list := filled(t, 2, 1<<20, 0.02)
	if err := list.Set(index, Suspended); err != nil {
		t.Fatal(err)
	}
	token := Token{Subject: "https://rollcall.example/status/7", IssuedAt: issuedAt.Add(time.Hour), Expires: issuedAt.Add(24 * time.Hour), TTL: 15 * time.Minute, RegisterSeq: 42, List: list}
	elements, err := mdoc.Card{
		FamilyName: "김", GivenName: "하늘", BirthDate: "1990-01-02", Sex: 2, ResidentNumber: "900102-2345670",
		Address: "세종특별자치시 한누리대로 2130", Municipality: "36110", Portrait: []byte{0xff, 0xd8, 0xff, 0xd9},
		IssueDate: "2025-03-14", ExpiryDate: "2028-03-14", IssuingAuthority: "행정안전부", DocumentNumber: "M-0001", PlasticCardNumber: "P-0001",
	}.Elements()
	if err != nil {
		t.Fatal(err)
	}
	ds, phone := signerOf(t, w.iaca, "ds", mdoc.NewDocumentSigner), testKey("phone")
	card, err := mdoc.Issue(ds, rand.NewChaCha8(sha256.Sum256([]byte("sample"))), &phone.PublicKey, elements,
		mdoc.Validity{Signed: issuedAt, From: issuedAt, Until: issuedAt.AddDate(3, 0, 0)}, &mdoc.StatusRef{URI: token.Subject, Index: index})
	if err != nil {
		t.Fatal(err)
	}
	transcript := mdoc.OpenID4VPTranscript("x509_hash:bank", "nonce", nil, "https://bank.example/response")
	response, err := mdoc.Present(card, []string{"family_name", "birth_date", "age_over_19", "portrait", "sex"}, transcript, phone)
	if err != nil {
		t.Fatal(err)
	}
	jwt, err := token.SignJWT(w.signer)
	if err != nil {
		t.Fatal(err)
	}
	cwt, err := token.SignCWT(w.signer)
	if err != nil {
		t.Fatal(err)
	}

	// What a verifier does: the presentation names the list, the list the status.
	presented, err := mdoc.Verify(response, transcript, w.anchors, token.IssuedAt)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		signed []byte
		parse  func([]byte, *mdoc.TrustAnchors, time.Time) (*Token, error)
	}{{jwt, ParseJWT}, {cwt, ParseCWT}} {
		got, err := f.parse(f.signed, w.anchors, token.IssuedAt)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := got.List.Get(presented.Status.Index); err != nil || s != Suspended || got.Subject != presented.Status.URI {
			t.Errorf("%s says %s, %v; want %s", got.Subject, s, err, Suspended)
		}
	}

	dir := os.Getenv("ROLLCALL_SAMPLE")
	if dir == "" {
		return
	}
	journey, err := json.Marshal(map[string]any{"status_index": index, "status_value": Suspended})
	if err != nil {
		t.Fatal(err)
	}
	certificate := func(der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	for name, data := range map[string][]byte{
		"iaca.pem": certificate(w.iaca.Certificate()), "ds.pem": certificate(ds.Certificate()), "device_response.cbor": response,
		"session_transcript.cbor": transcript, "status_list.jwt": jwt, "status_list.cwt": cwt, "journey.json": journey,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
