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

func TestWhatIsOverIsForgottenWhereverItStands(t *testing.T) {
	m := Memory[int, int]{Limit: 4}
	for i := range 6 { // the first four are old
		m.Put(i, i)
	}
	m.Get(1) // and this one stands among the young, too
	m.Forget(func(_, v int) bool { return v%2 == 1 })
	for i := range 6 {
		if _, ok := m.Get(i); ok != (i%2 == 0) {
			t.Errorf("%d is remembered: %v", i, ok)
		}
	}
}
