//go:build pkcs11

package pkcs11

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/mdoc"
)

// module is SoftHSM's library where Debian puts it.
func module(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("there is no SoftHSM here: apt-get install softhsm2")
	return ""
}

const pin = "1234"

// token is a token with a key of this name, and the key's URI.
func token(t *testing.T, object string) (*Modules, string) {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\nobjectstore.backend = file\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	if out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "rollcall", "--so-pin", "5678", "--pin", pin).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m := New(pin)
	t.Cleanup(m.Close)
	path := module(t)
	c, err := m.module(path)
	if err != nil {
		t.Fatal(err)
	}
	slots, err := c.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.OpenSession(slots[0], p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Login(s, p11.CKU_USER, pin); err != nil {
		t.Fatal(err)
	}
	p256 := []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	if _, _, err := c.GenerateKeyPair(s, []*p11.Mechanism{p11.NewMechanism(p11.CKM_EC_KEY_PAIR_GEN, nil)},
		[]*p11.Attribute{p11.NewAttribute(p11.CKA_EC_PARAMS, p256), p11.NewAttribute(p11.CKA_LABEL, object), p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_VERIFY, true)},
		[]*p11.Attribute{p11.NewAttribute(p11.CKA_LABEL, object), p11.NewAttribute(p11.CKA_TOKEN, true), p11.NewAttribute(p11.CKA_SIGN, true), p11.NewAttribute(p11.CKA_SENSITIVE, true), p11.NewAttribute(p11.CKA_EXTRACTABLE, false)},
	); err != nil {
		t.Fatal(err)
	}
	return m, "pkcs11:token=rollcall;object=" + object + "?module-path=" + path
}

func TestAKeyOnATokenSignsForManyAtOnce(t *testing.T) {
	m, uri := token(t, "document")
	s, err := m.Open(uri)
	if err != nil {
		t.Fatal(err)
	}
	public := s.Public().(*ecdsa.PublicKey)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for k := range 20 {
				digest := sha256.Sum256([]byte{byte(n), byte(k)})
				sig, err := s.Sign(nil, digest[:], nil)
				if err != nil || !ecdsa.VerifyASN1(public, digest[:], sig) {
					t.Errorf("%v", err)
				}
			}
		})
	}
	all.Wait()
}

func TestALostLoginIsBegunAnew(t *testing.T) {
	m, uri := token(t, "document")
	s, err := m.Open(uri)
	if err != nil {
		t.Fatal(err)
	}
	c := s.(*signer).ctx
	slots, err := c.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CloseAllSessions(slots[0]); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("after"))
	sig, err := s.Sign(nil, digest[:], nil)
	if err != nil || !ecdsa.VerifyASN1(s.Public().(*ecdsa.PublicKey), digest[:], sig) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	m, uri := token(t, "document")
	for what, wrong := range map[string][2]string{
		"object=document": {"object=nothing", "0 such keys"}, "token=rollcall": {"token=other", "no such token"}, "libsofthsm2.so": {"nothing.so", "cannot be loaded"},
	} {
		if _, err := m.Open(strings.Replace(uri, what, wrong[0], 1)); err == nil || !strings.Contains(err.Error(), wrong[1]) {
			t.Errorf("%s: %v", wrong[0], err)
		}
	}
	other := New("0000")
	m.Close()
	defer other.Close()
	if _, err := other.Open(uri); err == nil || !strings.Contains(err.Error(), "PIN") {
		t.Errorf("a wrong PIN: %v", err)
	}
}

// A document signer on a token takes over from one in the file, and what it signs
// is accepted.
func TestADocumentSignerOnATokenTakesOver(t *testing.T) {
	m, uri := token(t, "document")
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	maker := keys.Maker{Random: rand.NewChaCha8([32]byte{1}), URL: "https://id.example", Hosts: []string{"id.example"}}
	all, err := maker.Found(now)
	if err != nil {
		t.Fatal(err)
	}
	maker.Elsewhere, maker.Open = uri, m.Open
	if _, err := maker.Rotate(all, keys.IACA, now, now); err == nil {
		t.Error("a root was made elsewhere")
	}
	if all, err = maker.Rotate(all, keys.Document, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	ring, err := keys.NewRing(all, func() time.Time { return now }, m.Open)
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := mdoc.NewTrustAnchors(ring.Certificates(keys.IACA)...)
	if err != nil {
		t.Fatal(err)
	}
	s := mdoc.InForce(ring.Signer(keys.Document))
	if _, err := anchors.DocumentSigner([][]byte{s.Certificate()}, now); err != nil {
		t.Error(err)
	}
	device, err := m.Open(uri)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := mdoc.Issue(ring.Signer(keys.Document), rand.NewChaCha8([32]byte{2}), device.Public().(*ecdsa.PublicKey),
		[]mdoc.Element{{Name: "family_name", Value: "김"}}, mdoc.Validity{Signed: now, From: now, Until: now.Add(24 * time.Hour)}, nil)
	if err != nil || len(issued) == 0 {
		t.Errorf("%v", err)
	}
	if _, err := keys.NewRing(all, func() time.Time { return now }, nil); err == nil || !strings.Contains(err.Error(), "-tags pkcs11") {
		t.Errorf("a program without PKCS #11: %v", err)
	}
}
