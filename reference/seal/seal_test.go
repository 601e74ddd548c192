package seal

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2025, 3, 14, 9, 0, 0, 0, time.UTC)

type content struct {
	Person uint64
	Text   string
}

func keys(t testing.TB, first ...byte) *Keys {
	t.Helper()
	var all [][32]byte
	for _, b := range first {
		all = append(all, [32]byte{b})
	}
	k, err := NewKeys(all...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sealed(t testing.TB, k *Keys, kind string, v any) string {
	t.Helper()
	text, err := k.Seal([32]byte{9}, kind, now.Add(time.Minute), v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWhatWasSealedIsReadWithinItsTimeByAnyReplica(t *testing.T) {
	want := content{7, "소라"}
	text := sealed(t, keys(t, 1), "code", want)
	var got content
	s, err := keys(t, 1).Open("code", text, now.Add(59*time.Second), &got)
	if err != nil || got != want || !s.End.Equal(now.Add(time.Minute)) {
		t.Errorf("%+v %+v, %v", got, s, err)
	}
	if strings.Contains(text, "소라") {
		t.Error("its content can be read")
	}
}

func TestATextIsRefused(t *testing.T) {
	k := keys(t, 1)
	text := sealed(t, k, "code", content{})
	other := sealed(t, keys(t, 2), "code", content{})
	changed := []byte(text)
	changed[len(changed)/2] ^= 1
	for _, c := range []struct {
		name, kind, text string
		at               time.Time
		want             error
	}{
		{"of another kind", "token", text, now, ErrSeal},
		{"of another service", "code", other, now, ErrSeal},
		{"changed", "code", string(changed), now, ErrSeal},
		{"cut", "code", text[:20], now, ErrSeal},
		{"empty", "code", "", now, ErrSeal},
		{"with padding", "code", text + "=", now, ErrSeal},
		{"with a line break", "code", text[:8] + "\n" + text[8:], now, ErrSeal},
		{"too long", "code", strings.Repeat("A", MaxText+1), now, ErrSeal},
		{"at its end", "code", text, now.Add(time.Minute), ErrOver},
	} {
		var v content
		if _, err := k.Open(c.kind, c.text, c.at, &v); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestAKeyIsReplacedWithoutLosingWhatItSealed(t *testing.T) {
	text := sealed(t, keys(t, 1), "code", content{})
	var v content
	if _, err := keys(t, 2, 1).Open("code", text, now, &v); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	if _, err := keys(t, 1).Open("code", sealed(t, keys(t, 2, 1), "code", content{}), now, &v); err == nil {
		t.Error("the old key still seals")
	}
}

func TestNothingIsSealedThatWouldNotBeRead(t *testing.T) {
	if _, err := keys(t, 1).Seal([32]byte{}, "code", now, strings.Repeat("x", MaxText)); err == nil {
		t.Error("a text was made that is too long to be read")
	}
	if _, err := NewKeys(); err == nil {
		t.Error("no key was enough")
	}
}

func FuzzOpen(f *testing.F) {
	k := keys(f, 1)
	good := sealed(f, k, "code", content{7, "x"})
	f.Add(good)
	f.Add("")
	f.Add("AAAA")
	f.Add(good + "A")
	f.Fuzz(func(t *testing.T, text string) {
		var v content
		if _, err := k.Open("code", text, now, &v); err == nil && text != good {
			t.Errorf("%q was taken for ours", text)
		}
	})
}

func TestAStampIsKnownByAnyReplicaForWhatItWasGivenAndForNothingElse(t *testing.T) {
	old, next := [32]byte{1}, [32]byte{2}
	k, err := NewKeys(old)
	if err != nil {
		t.Fatal(err)
	}
	replica, err := NewKeys(next, old)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := NewKeys(next)
	if err != nil {
		t.Fatal(err)
	}
	stamp := k.Stamp([32]byte{9}, "this")
	if !k.Stamped(stamp[:], "this") || !replica.Stamped(stamp[:], "this") {
		t.Error("its own stamp is not known")
	}
	if k.Stamped(stamp[:], "that") || stranger.Stamped(stamp[:], "this") || k.Stamped(nil, "this") || k.Stamped(append(stamp[:], 0), "this") || k.Stamped(make([]byte, 32), "this") {
		t.Error("something else is taken for a stamp")
	}
	for i := range stamp {
		changed := stamp
		changed[i] ^= 1
		if k.Stamped(changed[:], "this") {
			t.Errorf("byte %d is changed, and it is still a stamp", i)
		}
	}
	if other := k.Stamp([32]byte{8}, "this"); other == stamp {
		t.Error("two stamps are the same")
	}
}
