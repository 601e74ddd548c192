package keys

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/authorization"
	"rollcall.example/rollcall/reference/mdoc"
)

var start = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

func maker() Maker {
	return Maker{Random: rand.NewChaCha8([32]byte{1}), URL: "https://id.example", Hosts: []string{"id.example", "127.0.0.1"}}
}

func found(t testing.TB) []Key {
	t.Helper()
	all, err := maker().Found(start)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var cheap = Cost{8, 1}

func TestAServiceIsFoundedWithAKeyForEveryUse(t *testing.T) {
	all := found(t)
	uses := map[Use]int{}
	for _, k := range all {
		uses[k.Use]++
	}
	for _, k := range kinds {
		if uses[k.use] != 1 {
			t.Errorf("%d keys of the %s", uses[k.use], k.use)
		}
	}
	again := found(t)
	if !reflect.DeepEqual(all, again) {
		t.Error("the same randomness founds another service")
	}
}

func TestTheCertificatesStandUnderTheirRoots(t *testing.T) {
	ring, err := NewRing(found(t), func() time.Time { return start }, nil)
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := mdoc.NewTrustAnchors(ring.Certificates(IACA)[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := anchors.DocumentSigner([][]byte{ring.Signer(Document).Certificate()}, start); err != nil {
		t.Error(err)
	}
	if _, err := anchors.StatusSigner([][]byte{ring.Signer(Status).Certificate()}, start); err != nil {
		t.Error(err)
	}
	roots := x509.NewCertPool()
	root, err := x509.ParseCertificate(ring.Certificates(Authority)[0])
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(root)
	for _, use := range []Use{TLS, Issuer, Verifier} {
		c, err := x509.ParseCertificate(ring.Signer(use).Certificate())
		if err != nil {
			t.Fatal(err)
		}
		o := x509.VerifyOptions{Roots: roots, CurrentTime: start, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
		if use == TLS {
			o.DNSName, o.KeyUsages = "id.example", []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}
		if _, err := c.Verify(o); err != nil {
			t.Errorf("%s: %v", use, err)
		}
		if len(c.SubjectKeyId) != 20 {
			t.Errorf("%s: subject key identifier %x", use, c.SubjectKeyId)
		}
	}
}

// The server's certificate is accepted by a client that knows the authority.
func TestTheServersCertificateServes(t *testing.T) {
	now := time.Now()
	all, err := maker().Found(now)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := NewRing(all, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed := 0
	ring.Signed = func(u Use) {
		if u == TLS {
			signed++
		}
	}
	roots := x509.NewCertPool()
	root, _ := x509.ParseCertificate(ring.Certificates(Authority)[0])
	roots.AddCert(root)
	ours, theirs := net.Pipe()
	server := tls.Server(ours, &tls.Config{GetCertificate: ring.TLSCertificate})
	go server.Handshake()
	if err := tls.Client(theirs, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}).Handshake(); err != nil {
		t.Error(err)
	}
	if signed != 1 {
		t.Errorf("%d signatures were counted", signed)
	}
}

func locks(t *testing.T, dir string) map[string]Lock {
	return map[string]Lock{
		"a passphrase": {Passphrase: "correct horse", Cost: cheap},
		"a key file":   {KeyFile: filepath.Join(dir, "rollcall.key")},
	}
}

func TestAFileOfKeysReadsBackUnderItsLock(t *testing.T) {
	all := found(t)
	for what, l := range locks(t, t.TempDir()) {
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := Write(path, l, all, rand.NewChaCha8([32]byte{2}), true); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path, l)
		if err != nil || !reflect.DeepEqual(got, all) {
			t.Errorf("%s: %v", what, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", what, info.Mode(), err)
		}
		text, _ := os.ReadFile(path)
		for _, k := range all {
			if bytes.Contains(text, k.Private) || bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString(k.Private))) {
				t.Errorf("%s: the key of the %s stands in the file as it is", what, k.Use)
			}
		}
		if err := Write(path, l, all, rand.NewChaCha8([32]byte{3}), true); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: a file was made over another: %v", what, err)
		}
		if err := Write(path, l, all, rand.NewChaCha8([32]byte{3}), false); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); left != nil {
			t.Errorf("left over: %v", left)
		}
	}
}

func TestAFileThatCannotBeReadSaysWhy(t *testing.T) {
	all := found(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "keys.json")
	lock := Lock{Passphrase: "correct horse", Cost: cheap}
	if err := Write(path, lock, all, rand.NewChaCha8([32]byte{2}), true); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, Lock{Passphrase: "wrong horse"}); !errors.Is(err, ErrLocked) {
		t.Errorf("a wrong passphrase: %v", err)
	}
	if _, err := Read(path, Lock{}); err == nil || !strings.Contains(err.Error(), "needs its passphrase") {
		t.Errorf("no passphrase: %v", err)
	}
	for what, c := range map[string]struct {
		change func(map[string]any)
		want   error
	}{
		"a newer version":      {func(m map[string]any) { m["version"] = version + 1 }, ErrNewer},
		"another format":       {func(m map[string]any) { m["format"] = "x" }, nil},
		"no version":           {func(m map[string]any) { delete(m, "version") }, ErrBroken},
		"a cheaper passphrase": {func(m map[string]any) { m["passes"] = 2 }, ErrLocked},
		"a ruinous cost":       {func(m map[string]any) { m["memory_kib"] = 4 << 20 }, ErrBroken},
		"no salt":              {func(m map[string]any) { m["salt"] = "" }, ErrBroken},
		"no nonce":             {func(m map[string]any) { m["nonce"] = "" }, ErrBroken},
		"another content":      {func(m map[string]any) { m["sealed"] = "AAAA" + m["sealed"].(string)[4:] }, ErrBroken},
	} {
		var m map[string]any
		if err := json.Unmarshal(whole, &m); err != nil {
			t.Fatal(err)
		}
		c.change(m)
		data, _ := json.Marshal(m)
		bad := filepath.Join(dir, "bad.json")
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(bad, lock); err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for n := 0; n < len(whole)-2; n += 97 { // cut off
		bad := filepath.Join(dir, "cut.json")
		if err := os.WriteFile(bad, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(bad, lock); !errors.Is(err, ErrBroken) {
			t.Errorf("cut after %d bytes: %v", n, err)
		}
	}
}

func TestAKeyFileIsForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	lock := Lock{KeyFile: filepath.Join(dir, "rollcall.key")}
	path := filepath.Join(dir, "keys.json")
	if err := Write(path, lock, found(t), rand.NewChaCha8([32]byte{2}), true); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(lock.KeyFile, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, lock); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Error(err)
	}
	if err := os.Chmod(lock.KeyFile, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lock.KeyFile, []byte("AAAA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, lock); err == nil || !strings.Contains(err.Error(), "32 bytes") {
		t.Error(err)
	}
	if _, err := Read(path, Lock{KeyFile: lock.KeyFile, Passphrase: "x"}); err == nil || !strings.Contains(err.Error(), "not with a passphrase") {
		t.Error(err)
	}
}

func TestANewKeySignsFromItsMomentAndTheOldCertificateStillVerifies(t *testing.T) {
	now := start
	all := found(t)
	ring, err := NewRing(all, func() time.Time { return now }, nil)
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := mdoc.NewTrustAnchors(ring.Certificates(IACA)[0])
	if err != nil {
		t.Fatal(err)
	}
	before := ring.Signer(Document).Certificate()
	m := maker()
	m.Random = rand.NewChaCha8([32]byte{9})
	all, err = m.Rotate(all, Document, now, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Load(all); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ring.Signer(Document).Certificate(), before) {
		t.Error("the new key signs before its moment")
	}
	now = now.Add(time.Hour)
	after := ring.Signer(Document).Certificate()
	if bytes.Equal(after, before) || len(ring.Certificates(Document)) != 2 {
		t.Error("the new key does not sign at its moment")
	}
	for _, c := range [][]byte{before, after} {
		if _, err := anchors.DocumentSigner([][]byte{c}, now); err != nil {
			t.Error(err)
		}
	}
	if _, err := m.Rotate(all, Document, now, now.Add(-time.Second)); err == nil {
		t.Error("a key signs before it was made")
	}
	if _, err := m.Rotate(all, "nothing", now, now); err == nil {
		t.Error("a key for nothing")
	}
}

func TestKeysThatAreNoGoodLeaveTheRingAsItWas(t *testing.T) {
	all := found(t)
	ring, err := NewRing(all, func() time.Time { return start }, nil)
	if err != nil {
		t.Fatal(err)
	}
	was := ring.Signer(Document).Certificate()
	place := map[Use]int{}
	for i, k := range all {
		place[k.Use] = i
	}
	for what, wrong := range map[string]func([]Key) []Key{
		"none":                  func([]Key) []Key { return nil },
		"one use missing":       func(k []Key) []Key { return k[1:] },
		"another's certificate": func(k []Key) []Key { k[place[Document]].Certificate = k[place[Status]].Certificate; return k },
		"no scalar":             func(k []Key) []Key { k[place[Document]].Private = make([]byte, 32); return k },
		"a short secret":        func(k []Key) []Key { k[place[Seal]].Private = make([]byte, 31); return k },
		"a secret to come":      func(k []Key) []Key { k[place[Seal]].From = start.Add(time.Hour); return k },
		"a signer to come":      func(k []Key) []Key { k[place[Document]].From = start.Add(time.Hour); return k },
		"no certificate":        func(k []Key) []Key { k[place[TLS]].Certificate = nil; return k },
		"in hardware":           func(k []Key) []Key { k[place[TLS]].Private, k[place[TLS]].Elsewhere = nil, "pkcs11:object=x"; return k },
		"an unknown use":        func(k []Key) []Key { return append(k, Key{Use: "x", From: start}) },
	} {
		if err := ring.Load(wrong(append([]Key(nil), all...))); err == nil {
			t.Errorf("%s: it was taken", what)
		}
		if !bytes.Equal(ring.Signer(Document).Certificate(), was) {
			t.Errorf("%s: the ring has changed", what)
		}
	}
}

func TestASecretToComeOpensAlreadyAndOneGoneOpensForAWhile(t *testing.T) {
	now := start
	all := found(t)
	m := maker()
	m.Random = rand.NewChaCha8([32]byte{9})
	all, err := m.Rotate(all, Seal, now, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := NewRing(all, func() time.Time { return now }, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := ring.Secrets(Seal)
	if len(first) != 2 {
		t.Fatalf("%d secrets", len(first))
	}
	now = now.Add(time.Hour)
	if second := ring.Secrets(Seal); len(second) != 2 || second[0] != first[1] || second[1] != first[0] {
		t.Error("the next does not seal at its moment, or the old one does not open")
	}
	// A refresh token lives longest of all that is sealed.
	now = now.Add(authorization.RefreshLife)
	if kept := ring.Secrets(Seal); len(kept) != 2 {
		t.Errorf("%d are left while what the old one sealed may still be used", len(kept))
	}
	now = now.Add(time.Second)
	if last := ring.Secrets(Seal); len(last) != 1 || last[0] != first[1] {
		t.Errorf("long afterwards %d are left", len(last))
	}
}

func TestTheSecretsOfEpochsFollowFromThoseOfTheFile(t *testing.T) {
	now := start
	all := found(t)
	ring, err := NewRing(all, func() time.Time { return now }, nil)
	if err != nil {
		t.Fatal(err)
	}
	first := ring.Epoch(Nonce, start)
	if ring.Epoch(Nonce, start.Add(10*time.Minute-1)) != first || ring.Epoch(Nonce, start.Add(10*time.Minute)) == first || ring.Epoch(Nonce, start.Add(-1)) == first {
		t.Error("an epoch does not last ten minutes")
	}
	if ring.Epoch(Seal, start) == first || ring.Secrets(Nonce)[0] == first {
		t.Error("another secret is the same")
	}
	// A replica with the next secret, and another clock.
	m := maker()
	m.Random = rand.NewChaCha8([32]byte{9})
	next, err := m.Rotate(all, Nonce, start, start.Add(25*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewRing(next, func() time.Time { return start.Add(time.Hour) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	for minute := range 60 {
		at := start.Add(time.Duration(minute) * time.Minute)
		// The next takes over when an epoch begins, not amid one.
		if same := ring.Epoch(Nonce, at) == other.Epoch(Nonce, at); same != (minute < 30) {
			t.Errorf("after %d minutes: %t", minute, same)
		}
	}
}

// Whoever signs while keys change gives certificate and signature that belong
// together.
func TestCertificateAndSignatureBelongTogetherWhileKeysChange(t *testing.T) {
	var mu sync.Mutex
	now := start
	all := found(t)
	ring, err := NewRing(all, func() time.Time { mu.Lock(); defer mu.Unlock(); return now }, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := ring.Signer(Document)
	done := make(chan bool)
	var signers sync.WaitGroup
	for range 2 {
		signers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				one := mdoc.InForce(s)
				digest := [32]byte{1}
				rs, err := one.Sign(digest[:])
				if err != nil {
					t.Error(err)
					return
				}
				if !signedBy(one.Certificate(), digest[:], rs) {
					t.Error("the certificate is not that of the signature")
					return
				}
			}
		})
	}
	m := maker()
	m.Random = rand.NewChaCha8([32]byte{9})
	for range 30 {
		mu.Lock()
		at := now
		mu.Unlock()
		if all, err = m.Rotate(all, Document, at, at.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if err := ring.Load(all); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		now = at.Add(time.Second)
		mu.Unlock()
	}
	close(done)
	signers.Wait()
}

func TestAKeyElsewhereSignsAsIfItWereHere(t *testing.T) {
	all := found(t)
	hidden := map[string]crypto.Signer{}
	for i := range all {
		if all[i].Use == Document {
			private, err := all[i].private()
			if err != nil {
				t.Fatal(err)
			}
			hidden["pkcs11:object=document"] = private
			all[i].Private, all[i].Elsewhere = nil, "pkcs11:object=document"
		}
	}
	ring, err := NewRing(all, func() time.Time { return start }, func(name string) (crypto.Signer, error) {
		if s := hidden[name]; s != nil {
			return s, nil
		}
		return nil, errNotFound
	})
	if err != nil {
		t.Fatal(err)
	}
	one := mdoc.InForce(ring.Signer(Document))
	rs, err := one.Sign(make([]byte, 32))
	if err != nil || !signedBy(one.Certificate(), make([]byte, 32), rs) {
		t.Error(err)
	}
}

func TestExpiredCertificatesAreFound(t *testing.T) {
	now := start
	ring, err := NewRing(found(t), func() time.Time { return now }, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Check(IACA, Document, TLS); err != nil {
		t.Error(err)
	}
	now = start.Add(398 * day)
	if err := ring.Check(IACA, Document); err != nil {
		t.Error(err)
	}
	if err := ring.Check(IACA, TLS); err == nil || !strings.Contains(err.Error(), "rotate its key") {
		t.Error(err)
	}
	if ends := ring.Expiry(); len(ends) != 7 || !ends[TLS].After(start) {
		t.Errorf("%v", ends)
	}
}

func TestAVerifiersCertificateNamesItAndIsTheSameAtEveryReplica(t *testing.T) {
	all := found(t)
	var made [2][]byte
	for i := range made {
		ring, err := NewRing(all, func() time.Time { return start }, nil)
		if err != nil {
			t.Fatal(err)
		}
		bank, err := ring.Reader("bank", "First Bank")
		if err != nil {
			t.Fatal(err)
		}
		rs, err := bank.Sign(make([]byte, 32))
		if err != nil || !signedBy(bank.Certificate(), make([]byte, 32), rs) {
			t.Error(err)
		}
		made[i] = bank.Certificate()
		shop, err := ring.Reader("shop", "First Bank")
		if err != nil || bytes.Equal(shop.Certificate(), made[i]) {
			t.Errorf("two verifiers have one certificate: %v", err)
		}
		c, _ := x509.ParseCertificate(made[i])
		root, _ := x509.ParseCertificate(ring.Certificates(Authority)[0])
		if err := c.CheckSignatureFrom(root); err != nil || c.Subject.CommonName != "First Bank" {
			t.Errorf("%v %v", c.Subject, err)
		}
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("two replicas name one verifier by two certificates")
	}
}

func TestTheListOfRevokedCertificatesStandsUnderTheRoot(t *testing.T) {
	now := start
	ring, err := NewRing(found(t), func() time.Time { return now }, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := (&Roots{ring}).List(w, httptest.NewRequest("GET", "/iaca.crl", nil)); err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(ring.Certificates(IACA)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(root); err != nil || len(list.RevokedCertificateEntries) != 0 || !list.NextUpdate.After(now.Add(6*day)) {
		t.Errorf("%v %+v", err, list)
	}
	if len(root.CRLDistributionPoints) != 1 || root.CRLDistributionPoints[0] != "https://id.example/iaca.crl" {
		t.Errorf("it is looked for at %v", root.CRLDistributionPoints)
	}
	again, _ := ring.RevocationList(IACA, "")
	if !bytes.Equal(again, w.Body.Bytes()) {
		t.Error("two replicas give two lists in one hour")
	}
	now = now.Add(listEvery)
	later, _ := ring.RevocationList(IACA, "")
	next, err := x509.ParseRevocationList(later)
	if err != nil || next.Number.Cmp(list.Number) <= 0 {
		t.Errorf("the next list does not follow: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "keys.json")
	lock := Lock{KeyFile: filepath.Join(dir, "rollcall.key")}
	all, err := maker().Found(start)
	if err != nil {
		f.Fatal(err)
	}
	if err := Write(path, lock, all, rand.NewChaCha8([32]byte{2}), true); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"format":"rollcall-keys","version":1,"kdf":"none","check":"AAAAAAAAAAAAAAAAAAAAAA=="}`))
	key, err := readKeyFile(lock.KeyFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decode(data, key)
		if err == nil && !reflect.DeepEqual(got, all) {
			t.Error("a changed file gives other keys")
		}
	})
}
