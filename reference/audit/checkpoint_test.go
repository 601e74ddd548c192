package audit_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/store/sqlite"
)

func signer(t testing.TB) (jws.Sign, func([][]byte, time.Time) (*ecdsa.PublicKey, error)) {
	t.Helper()
	d := sha256.Sum256([]byte("auditor"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	return jws.With(key), func(chain [][]byte, at time.Time) (*ecdsa.PublicKey, error) {
		if len(chain) != 1 || at.Year() != 2025 {
			return nil, errors.New("not trusted")
		}
		return &key.PublicKey, nil
	}
}

func TestACheckpointTellsThatTheLogIsStillTheSame(t *testing.T) {
	path, head := chain(t, 5)
	sign, trusted := signer(t)
	at := time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)
	text, err := audit.Checkpoint{Head: head, At: at}.Sign(sign, [][]byte{{1}})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := audit.ParseCheckpoint([]byte(text), trusted)
	if err != nil || kept.Head != head || !kept.At.Equal(at) {
		t.Fatalf("%+v, %v", kept, err)
	}
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if now, err := audit.Now(ctx, db); err != nil || now != head {
		t.Errorf("%+v, %v", now, err)
	}
	if _, err := audit.Verify(ctx, db, kept.Head); err != nil {
		t.Error(err)
	}
	later := kept.Head
	later.Sequence++
	var fault *audit.Fault
	if _, err := audit.Verify(ctx, db, later); !errors.As(err, &fault) || fault.Sequence != 6 {
		t.Errorf("an end that was cut off: %v", err)
	}
}

func TestACheckpointThatIsNoneIsRefused(t *testing.T) {
	_, head := chain(t, 1)
	sign, trusted := signer(t)
	at := time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)
	good, err := audit.Checkpoint{Head: head, At: at}.Sign(sign, [][]byte{{1}})
	if err != nil {
		t.Fatal(err)
	}
	old, err := audit.Checkpoint{Head: head, At: at.AddDate(-1, 0, 0)}.Sign(sign, [][]byte{{1}})
	if err != nil {
		t.Fatal(err)
	}
	other, err := sign.Token(jws.Header{Type: "JWT", Chain: [][]byte{{1}}}, map[string]any{"sequence": 1, "hash": strings.Repeat("00", 32), "iat": at.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	short, err := sign.Token(jws.Header{Type: "audit-checkpoint+jwt", Chain: [][]byte{{1}}}, map[string]any{"sequence": 1, "hash": "00", "iat": at.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"nothing": "", "garbage": "a.b.c", "of another type": other, "with a short hash": short, "by a signer who was not trusted then": old,
		"with a changed signature": good[:len(good)-10] + "AAAAAAAAAA", "too long": good + strings.Repeat("A", 20<<10),
	} {
		if c, err := audit.ParseCheckpoint([]byte(text), trusted); err == nil {
			t.Errorf("%s was read as %+v", name, c)
		}
	}
}
