// Package recent remembers what was met last, so much of it and no more: for what is
// dear to work out and never changes once it was. Whoever remembers judges at each use
// whether it still holds. It knows neither the clock nor what it keeps.
package recent

import (
	"maps"
	"sync"
)

// Memory keeps the newest entries, at least Limit of them and at most twice that: when
// young is full it becomes old, and what was old is forgotten. Many may use it at once.
type Memory[K comparable, V any] struct {
	Limit int // set before it is used

	mu         sync.Mutex
	young, old map[K]V
}

// Get is what was kept under a key. What is asked for is as good as new.
func (m *Memory[K, V]) Get(k K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.young[k]
	if !ok {
		if v, ok = m.old[k]; ok {
			m.keep(k, v)
		}
	}
	return v, ok
}

// GetBytes is Get that copies the key only if it has to be kept.
func GetBytes[V any](m *Memory[string, V], k []byte) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.young[string(k)]
	if !ok {
		if v, ok = m.old[string(k)]; ok {
			m.keep(string(k), v)
		}
	}
	return v, ok
}

// Put keeps something.
func (m *Memory[K, V]) Put(k K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(k, v)
}

// Forget forgets what is over. Others wait meanwhile.
func (m *Memory[K, V]) Forget(over func(K, V) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.young, over)
	maps.DeleteFunc(m.old, over)
}

func (m *Memory[K, V]) keep(k K, v V) {
	if len(m.young) >= m.Limit || m.young == nil {
		m.old, m.young = m.young, m.old
		clear(m.young) // its room is used again
		if m.young == nil {
			m.young = make(map[K]V)
		}
	}
	m.young[k] = v
}
