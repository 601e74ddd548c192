package parties

import "sync"

// known is what was read of parties, by id, since one was changed last. Those who get
// a party from it must not write to it.
type known struct {
	mu      sync.RWMutex
	changes uint64
	parties map[string]Party
}

// maxKnown bounds what is remembered; beyond it, it begins anew.
const maxKnown = 10_000

// get also says as of which change a party that has to be read is worth remembering.
func (k *known) get(id string) (one Party, there bool, changes uint64) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	one, there = k.parties[id]
	return one, there, k.changes
}

// put remembers a party, unless one was changed since it was looked for.
func (k *known) put(one Party, as uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changes != as {
		return
	}
	if k.parties == nil || len(k.parties) >= maxKnown {
		k.parties = map[string]Party{}
	}
	k.parties[one.ID] = one
}

// forget is called after each attempt at a change, before its answer is given: even one
// that failed may have been written.
func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	k.parties = nil
}
