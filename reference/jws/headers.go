package jws

import "sync"

// readHeader is a header that was found good, as ReadHeader reads it.
type readHeader struct {
	header Header
	kept   bool // among the headers; never changed from then on
}

// headerMemory remembers headers by their text. What a text means never changes, so
// nothing in it grows stale: whether the certificates in it are trusted, at what time,
// and what they signed is judged at each use. Only headers of tokens whose signature was
// good get in, so that nobody fills it with what they made up, and none that names one
// wallet's key.
type headerMemory struct {
	mu         sync.RWMutex
	young, old map[string]*readHeader // at most maxHeaders each
}

const (
	maxHeaders    = 64
	maxHeaderText = 8 << 10
)

var headers headerMemory

func (m *headerMemory) get(text []byte) *readHeader {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if h := m.young[string(text)]; h != nil {
		return h
	}
	return m.old[string(text)]
}

func (m *headerMemory) keep(text []byte, h *readHeader) {
	if len(text) > maxHeaderText {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.young) >= maxHeaders || m.young == nil {
		m.old, m.young = m.young, map[string]*readHeader{}
	}
	h.kept = true
	m.young[string(text)] = h
}
