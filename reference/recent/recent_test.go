package recent

import "testing"

func TestTheOldestIsForgottenFirst(t *testing.T) {
	m := Memory[int, int]{Limit: 10}
	for i := range 100 {
		m.Put(i, i)
		if _, ok := m.Get(0); !ok {
			t.Fatalf("0 is used all the time and forgotten after %d", i)
		}
	}
	if n := len(m.young) + len(m.old); n > 20 {
		t.Errorf("%d are remembered, 20 at most are allowed", n)
	}
	if _, ok := m.Get(99); !ok {
		t.Error("the newest is forgotten")
	}
	if _, ok := m.Get(1); ok {
		t.Error("one of the oldest is remembered")
	}
}

func TestAKeyOfBytesIsTheSameKey(t *testing.T) {
	m := Memory[string, int]{Limit: 2}
	m.Put("a", 1)
	m.Put("b", 2)
	m.Put("c", 3)                            // a and b are old now
	for _, key := range []string{"a", "a"} { // and a is new again
		if v, ok := GetBytes(&m, []byte(key)); !ok || v != 1 {
			t.Fatalf("%q: %d %v", key, v, ok)
		}
	}
	if _, ok := GetBytes(&m, []byte("d")); ok {
		t.Error("what was never kept is found")
	}
}
