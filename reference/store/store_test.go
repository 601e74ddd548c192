package store_test

import (
	"bytes"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/store"
)

func TestKeysOfTicketsThatExpireSortByTheirEnds(t *testing.T) {
	at := time.UnixMilli(1764000000000)
	var before []byte
	for i := range 1000 {
		end := at.Add(time.Duration(i) * 977 * time.Millisecond)
		key := store.TicketKeyAt("secret", end)
		if len(key) != 32 || bytes.Compare(before, key) >= 0 {
			t.Fatalf("%x does not follow %x", key, before)
		}
		if other := store.TicketKeyAt("another secret", end); bytes.Equal(other[6:], key[6:]) || !bytes.Equal(other[:6], key[:6]) {
			t.Fatalf("keys of two secrets with one end: %x, %x", key, other)
		}
		before = key
	}
}
