package httpapi

import (
	"container/list"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// Connections is how many there may be at the same time.
type Connections struct {
	// All of them. When there are so many, the one that has been idle for longest is
	// closed for the next; while none is idle, others wait in the system's queue until
	// one is closed, which the timeouts see to.
	All int
	// Address is how many one address may have, of IPv6 one network; more are closed
	// at once. 0: any number.
	Address int
	// Proxies speak for many: Address does not count for them.
	Proxies []netip.Prefix
}

// Bounded is a listener that lets in so many connections at the same time.
func Bounded(l net.Listener, max Connections) net.Listener {
	b := &bounded{Listener: l, max: max, of: map[string]int{}}
	b.left.L = &b.mu
	return b
}

type bounded struct {
	net.Listener
	max Connections

	mu     sync.Mutex
	left   sync.Cond      // one was closed, became idle, or the listener is closed
	open   int            // connections, and the one that is waited for
	of     map[string]int // by address; none is 0
	idle   list.List      // of *counted, the one that was used longest ago first
	closed bool
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		if !b.enter() {
			return nil, net.ErrClosed
		}
		c, err := b.Listener.Accept()
		if err != nil {
			b.leave("")
			return nil, err
		}
		if from, ok := b.admit(c); ok {
			return &counted{Conn: c, b: b, from: from}, nil
		}
		_ = c.Close()
		b.leave("")
	}
}

// enter waits until there is room for one more; false if the listener is closed.
func (b *bounded) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.open >= b.max.All && !b.closed {
		oldest := b.idle.Front()
		if oldest == nil {
			b.left.Wait()
			continue
		}
		c := oldest.Value.(*counted)
		b.used(c)
		b.mu.Unlock()
		_ = c.Close()
		b.mu.Lock()
	}
	b.open++
	return !b.closed
}

// admit counts a connection for its address, if that may have one more.
func (b *bounded) admit(c net.Conn) (from string, ok bool) {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil || b.max.Address <= 0 || contains(b.max.Proxies, at.Addr().Unmap()) {
		return "", true
	}
	from = subscriber(at.Addr())
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.of[from] >= b.max.Address {
		return "", false
	}
	b.of[from]++
	return from, true
}

// leave gives back what a connection has taken.
func (b *bounded) leave(from string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	if n := b.of[from]; n > 1 {
		b.of[from] = n - 1
	} else {
		delete(b.of, from)
	}
	b.left.Broadcast()
}

// used takes a connection out of those that are idle. The caller holds the lock.
func (b *bounded) used(c *counted) {
	if c.place != nil {
		b.idle.Remove(c.place)
		c.place = nil
	}
}

// Close implements net.Listener.
func (b *bounded) Close() error {
	b.mu.Lock()
	b.closed = true
	b.left.Broadcast()
	b.mu.Unlock()
	return b.Listener.Close()
}

// counted is a connection that counts until it is closed.
type counted struct {
	net.Conn
	b     *bounded
	from  string // whose it is; empty: counted for nobody
	once  sync.Once
	place *list.Element // among those that are idle; nil: it is none. The listener's lock guards it.
}

// Close implements net.Conn.
func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() {
		c.b.mu.Lock()
		c.b.used(c)
		c.b.mu.Unlock()
		c.b.leave(c.from)
	})
	return err
}

// tell is told by a server how a connection stands.
func tell(conn net.Conn, state http.ConnState) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	c, ok := conn.(*counted)
	if !ok {
		return
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.used(c)
	if state == http.StateIdle {
		c.place = c.b.idle.PushBack(c)
		c.b.left.Broadcast()
	}
}
