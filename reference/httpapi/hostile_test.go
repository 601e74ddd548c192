package httpapi

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/web"
)

// patienceInTests is DefaultTimeouts in short.
var patienceInTests = Timeouts{Header: 150 * time.Millisecond, Read: 250 * time.Millisecond, Write: 350 * time.Millisecond, Idle: 250 * time.Millisecond}

// besieged is a service behind TLS that hostile senders come to.
type besieged struct {
	address string
	trusted *x509.CertPool
	changed sync.Map // path → *atomic.Int64: requests that came whole to a handler
	in, top atomic.Int64
}

func (b *besieged) changes(path string) *atomic.Int64 {
	n, _ := b.changed.LoadOrStore(path, new(atomic.Int64))
	return n.(*atomic.Int64)
}

func besiege(t *testing.T, max Connections, patience Timeouts) *besieged {
	t.Helper()
	b := &besieged{trusted: x509.NewCertPool()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	b.trusted.AddCert(parsed)
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}

	o := options()
	o.Now = time.Now
	s, err := build([]Route{
		{Name: "good", Method: "GET", Path: "/good", Roles: access.Anyone, Handler: web.Problem(ok)},
		{Name: "change", Method: "POST", Path: "/change/{case}", Roles: access.Anyone, Body: 4096, Handler: web.Problem(func(w http.ResponseWriter, r *http.Request) error {
			defer b.in.Add(-1)
			for n := b.in.Add(1); ; {
				if top := b.top.Load(); n <= top || b.top.CompareAndSwap(top, n) {
					break
				}
			}
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return err
			}
			b.changes(r.URL.Path).Add(1)
			return ok(w, r)
		})},
		{Name: "long", Method: "GET", Path: "/long", Roles: access.Anyone, Handler: web.Problem(func(w http.ResponseWriter, r *http.Request) error {
			_, err := w.Write(make([]byte, 1<<20))
			return err
		})},
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := Server(s, TLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }), patience)
	server.ErrorLog = log.New(io.Discard, "", 0)
	done := make(chan struct{})
	go func() { defer close(done); _ = server.ServeTLS(Bounded(l, max), "", "") }()
	t.Cleanup(func() { server.Close(); <-done })
	b.address = l.Addr().String()
	return b
}

func (b *besieged) dial(protocol string) (net.Conn, error) {
	c, err := net.Dial("tcp", b.address)
	if err != nil || protocol == "" {
		return c, err
	}
	secure := tls.Client(c, &tls.Config{RootCAs: b.trusted, ServerName: "localhost", NextProtos: []string{protocol}})
	_ = secure.SetDeadline(time.Now().Add(20 * time.Second))
	defer secure.SetDeadline(time.Time{})
	return secure, secure.Handshake()
}

// good asks for something ordinary on a connection of its own.
func (b *besieged) good() error {
	t := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: b.trusted, ServerName: "localhost"}}
	defer t.CloseIdleConnections()
	res, err := (&http.Client{Transport: t, Timeout: 20 * time.Second}).Get("https://" + b.address + "/good")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != 200 {
		return fmt.Errorf("%d: %w", res.StatusCode, err)
	}
	return nil
}

// speaker2 speaks HTTP/2 as it likes.
type speaker2 struct {
	*http2.Framer
	header bytes.Buffer
	coder  *hpack.Encoder
}

func speak2(c net.Conn) *speaker2 {
	_, _ = io.WriteString(c, http2.ClientPreface)
	s := &speaker2{Framer: http2.NewFramer(c, nil)}
	s.coder = hpack.NewEncoder(&s.header)
	return s
}

func (s *speaker2) fields(method, path string) []byte {
	s.header.Reset()
	for _, f := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", "localhost"}, {":path", path}} {
		_ = s.coder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return bytes.Clone(s.header.Bytes())
}

func (s *speaker2) request(stream uint32, method, path string, end bool) error {
	return s.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: s.fields(method, path), EndHeaders: true, EndStream: end})
}

// cut lets the first bytes through that somebody sends, and loses all others.
type cut struct {
	net.Conn
	left int
}

func (c *cut) Write(b []byte) (int, error) {
	n := min(len(b), c.left)
	c.left -= n
	if n > 0 {
		if _, err := c.Conn.Write(b[:n]); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func post(path, header, body string) string {
	return "POST /change/" + path + " HTTP/1.1\r\nHost: localhost\r\n" + header + "\r\n" + body
}

// Whoever sends in a hostile way is cut off in a stated time. Meanwhile others are
// answered, and afterwards nothing is left of it: no goroutine, no memory, and no
// change by what did not come whole. A machine that is busy with other things may cut
// off who is not hostile, or be late: then it is tried with more patience, and with
// fewer of each at the same time.
func TestHostileSendersAreCutOffInTimeAndNobodyElseWaits(t *testing.T) {
	var wrong []string
	for times, senders := time.Duration(1), 4; senders > 0; times, senders = 4*times, senders/2 {
		p := patienceInTests
		for _, d := range []*time.Duration{&p.Header, &p.Read, &p.Write, &p.Idle} {
			*d *= times
		}
		if wrong = assail(t, p, senders, times*700*time.Millisecond); len(wrong) == 0 {
			return
		}
		t.Logf("%d times the patience: %d complaints, as %s", times, len(wrong), wrong[0])
	}
	for _, w := range wrong {
		t.Error(w)
	}
}

// assail lets all hostile senders loose at once, so many of each kind, and is what went
// wrong.
func assail(t *testing.T, p Timeouts, senders int, slack time.Duration) (wrong []string) {
	const whole = "Content-Length: 5\r\n"
	var noting sync.Mutex
	note := func(format string, args ...any) {
		noting.Lock()
		defer noting.Unlock()
		wrong = append(wrong, fmt.Sprintf(format, args...))
	}
	say := func(text string) func(net.Conn) { return func(c net.Conn) { _, _ = io.WriteString(c, text) } }
	cases := []struct {
		name     string
		protocol string // "": bare TCP
		send     func(net.Conn)
		within   time.Duration
		changes  int64  // of each sender
		says     string // begins with
	}{
		{name: "says nothing", send: say(""), within: p.Header},
		{name: "half a hello", send: say("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), within: p.Header},
		{name: "hello and no more", send: func(c net.Conn) {
			_ = tls.Client(&cut{c, 100}, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}).Handshake()
		}, within: p.Header},
		{name: "never finishes TLS", send: func(c net.Conn) {
			_ = tls.Client(&cut{c, 1700}, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}).Handshake()
		}, within: p.Header},
		{name: "records of TLS drop by drop", send: func(c net.Conn) { drip(c, "\x16\x03\x01\x40\x00", "\x01") }, within: p.Header},
		{name: "old TLS", send: func(c net.Conn) {
			_ = tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake()
		}, within: p.Header},
		{name: "no TLS", send: say("GET /good HTTP/1.1\r\nHost: a\r\n\r\n"), within: p.Header, says: "HTTP/1.0 400"},
		{name: "noise", send: say(strings.Repeat("\x00\xff\x80", 500)), within: p.Header},

		{name: "stops in the header", protocol: "http/1.1", send: say("GET /good HTTP/1.1\r\nHost: a\r\nX-A: "), within: p.Header},
		{name: "header drop by drop", protocol: "http/1.1", send: func(c net.Conn) { drip(c, "GET /good HTTP/1.1\r\nHost: a\r\n", "X-A: b\r\n") }, within: p.Header},
		{name: "header without end", protocol: "http/1.1", send: flood("GET /good HTTP/1.1\r\nHost: a\r\n", "X-A: "+strings.Repeat("b", 100)+"\r\n"), within: p.Header},
		{name: "a long header", protocol: "http/1.1", send: say("GET /good HTTP/1.1\r\nHost: a\r\nX-A: " + strings.Repeat("a", 2*maxHeader) + "\r\n\r\n"), within: p.Header, says: "HTTP/1.1 431"},
		{name: "ten thousand headers", protocol: "http/1.1", send: say("GET /good HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A:b\r\n", 10_000) + "\r\n"), within: p.Header, says: "HTTP/1.1 431"},
		{name: "an address without end", protocol: "http/1.1", send: flood("GET /", strings.Repeat("a", 1000)), within: p.Header},
		{name: "body drop by drop", protocol: "http/1.1", send: func(c net.Conn) { drip(c, post("drip", "Content-Length: 4000\r\n", ""), "x") }, within: p.Read},
		{name: "less body than said", protocol: "http/1.1", send: say(post("less", "Content-Length: 20\r\n", "abc")), within: p.Read},
		{name: "less body than said, half closed", protocol: "http/1.1", send: func(c net.Conn) {
			_, _ = io.WriteString(c, post("half", "Content-Length: 20\r\n", "abc"))
			_ = c.(*tls.Conn).CloseWrite()
		}, within: p.Read},
		{name: "gone in the body", protocol: "http/1.1", send: func(c net.Conn) {
			_, _ = io.WriteString(c, post("gone", "Content-Length: 20\r\n", "abc"))
			_ = c.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0)
			_ = c.(*tls.Conn).NetConn().Close()
		}, within: p.Read},
		{name: "chunks drop by drop", protocol: "http/1.1", send: func(c net.Conn) {
			drip(c, post("chunks", "Transfer-Encoding: chunked\r\n", ""), "1\r\nx\r\n")
		}, within: p.Read},
		{name: "chunks without end", protocol: "http/1.1", send: flood(post("endless", "Transfer-Encoding: chunked\r\n", ""), "1000\r\n"+strings.Repeat("x", 4096)+"\r\n"), within: p.Read},
		{name: "a chunk's extension without end", protocol: "http/1.1", send: flood(post("extension", "Transfer-Encoding: chunked\r\n", "1;"), "a"), within: p.Read},
		{name: "trailers without end", protocol: "http/1.1", send: flood(post("trailers", "Transfer-Encoding: chunked\r\n", "0\r\n"), "X-A: bbbbbbbbbbbbbbbb\r\n"), within: p.Read},
		{name: "a chunk of negative size", protocol: "http/1.1", send: say(post("negative", "Transfer-Encoding: chunked\r\n", "-1\r\nx\r\n")), within: p.Read},
		{name: "a chunk too large to count", protocol: "http/1.1", send: say(post("uncounted", "Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nx")), within: p.Read},
		{name: "a body too large to count", protocol: "http/1.1", send: say(post("huge", "Content-Length: 99999999999999999999\r\n", "x")), within: p.Header, says: "HTTP/1.1 400"},
		{name: "a large body, announced", protocol: "http/1.1", send: say(post("announced", "Content-Length: 1099511627776\r\nExpect: 100-continue\r\n", "")), within: p.Read, says: "HTTP/1.1 413"},
		{name: "two lengths", protocol: "http/1.1", send: say(post("lengths", whole+"Content-Length: 50\r\n", "hello")), within: p.Header, says: "HTTP/1.1 400"},
		{name: "a list of lengths", protocol: "http/1.1", send: say(post("list", "Content-Length: 5, 50\r\n", "hello")), within: p.Header, says: "HTTP/1.1 400"},
		{name: "a signed length", protocol: "http/1.1", send: say(post("signed", "Content-Length: +5\r\n", "hello")), within: p.Header, says: "HTTP/1.1 400"},
		{name: "length and chunks: what follows is no request", protocol: "http/1.1", changes: 1,
			send: say(post("smuggled", "Content-Length: 200\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") + post("smuggled", whole, "hello")), within: p.Read, says: "HTTP/1.1 200"},
		{name: "an unknown coding", protocol: "http/1.1", send: say(post("coding", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")), within: p.Header, says: "HTTP/1.1 501"},
		{name: "two codings", protocol: "http/1.1", send: say(post("codings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n")), within: p.Header, says: "HTTP/1.1 501"},
		{name: "a space before the colon", protocol: "http/1.1", send: say(post("space", "Content-Length : 5\r\n", "hello")), within: p.Header, says: "HTTP/1.1 400"},
		{name: "a folded header", protocol: "http/1.1", send: say(post("folded", "X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "hello")), within: p.Idle, changes: 1, says: "HTTP/1.1 200"},
		{name: "more body than said", protocol: "http/1.1", changes: 1, send: say(post("more", whole, "hello, and this is no request\r\n\r\n")), within: p.Idle, says: "HTTP/1.1 200"},
		{name: "noise after a request", protocol: "http/1.1", send: say("GET /good HTTP/1.1\r\nHost: a\r\n\r\n" + strings.Repeat("\x00\xff\r\n", 100)), within: p.Idle, says: "HTTP/1.1 200"},
		{name: "two hosts", protocol: "http/1.1", send: say("GET /good HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), within: p.Header, says: "HTTP/1.1 400"},
		{name: "another version", protocol: "http/1.1", send: say("GET /good HTTP/3.0\r\nHost: a\r\n\r\n"), within: p.Header, says: "HTTP/1.1 505"},
		{name: "asks once and waits", protocol: "http/1.1", send: say("GET /good HTTP/1.1\r\nHost: a\r\n\r\n"), within: p.Idle, says: "HTTP/1.1 200"},

		{name: "HTTP/2: no preface", protocol: "h2", send: say("GET /good HTTP/1.1\r\nHost: a\r\n\r\n"), within: p.Header},
		{name: "HTTP/2: nothing after the preface", protocol: "h2", send: func(c net.Conn) { _ = speak2(c).WriteSettings() }, within: p.Idle},
		{name: "HTTP/2: a header without end", protocol: "h2", send: func(c net.Conn) {
			s := speak2(c)
			_ = s.WriteSettings()
			_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: s.fields("GET", "/good")})
		}, within: p.Idle},
		{name: "HTTP/2: continued without end", protocol: "h2", send: func(c net.Conn) {
			s := speak2(c)
			_ = s.WriteSettings()
			_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: s.fields("GET", "/good")})
			for s.WriteContinuation(1, false, bytes.Repeat([]byte{0x40, 1, 'a', 1, 'b'}, 200)) == nil {
			}
		}, within: p.Idle},
		{name: "HTTP/2: a frame that is too large", protocol: "h2", send: func(c net.Conn) {
			s := speak2(c)
			_ = s.WriteSettings()
			_, _ = c.Write([]byte{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1, 'a'})
		}, within: p.Idle},
		{name: "HTTP/2: bodies that never come", protocol: "h2", send: func(c net.Conn) {
			s := speak2(c)
			_ = s.WriteSettings()
			for i := range uint32(maxStreams) {
				_ = s.request(2*i+1, "POST", "/change/streams", false)
			}
		}, within: p.Read + p.Idle},
		{name: "HTTP/2: more streams than may be", protocol: "h2", send: func(c net.Conn) {
			s := speak2(c)
			_ = s.WriteSettings()
			for i := range uint32(20 * maxStreams) {
				if s.request(2*i+1, "POST", "/change/many", false) != nil {
					return
				}
			}
		}, within: p.Read + p.Idle},
		{name: "HTTP/2: asked and taken back at once", protocol: "h2", send: func(c net.Conn) {
			s := speak2(c)
			_ = s.WriteSettings()
			for i := range uint32(1000) { // ten times as many as may be open
				if s.request(2*i+1, "POST", "/change/reset", false) != nil || s.WriteRSTStream(2*i+1, http2.ErrCodeCancel) != nil {
					return
				}
			}
		}, within: p.Read + p.Idle},
		{name: "HTTP/2: answers that are never taken", protocol: "h2", send: func(c net.Conn) {
			s := speak2(c)
			_ = s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			for i := range uint32(10) {
				_ = s.request(2*i+1, "GET", "/long", true)
			}
		}, within: p.Write + p.Idle},
		{name: "HTTP/2: a window beyond all bounds", protocol: "h2", send: func(c net.Conn) {
			s := speak2(c)
			_ = s.WriteSettings()
			_ = s.WriteWindowUpdate(0, 1<<31-1)
			_ = s.WriteWindowUpdate(0, 1<<31-1)
		}, within: p.Idle},
		{name: "HTTP/2: HTTP/1's headers", protocol: "h2", send: func(c net.Conn) {
			s := speak2(c)
			_ = s.WriteSettings()
			block := s.fields("POST", "/change/smuggled2")
			_ = s.coder.WriteField(hpack.HeaderField{Name: "transfer-encoding", Value: "chunked"})
			_ = s.coder.WriteField(hpack.HeaderField{Name: "Upper", Value: "case"})
			block = append(block, s.header.Bytes()[len(block):]...)
			_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true, EndStream: true})
		}, within: p.Idle},
		{name: "HTTP/2: more body than said", protocol: "h2", send: func(c net.Conn) {
			s := speak2(c)
			_ = s.WriteSettings()
			block := s.fields("POST", "/change/more2")
			_ = s.coder.WriteField(hpack.HeaderField{Name: "content-length", Value: "3"})
			block = append(block, s.header.Bytes()[len(block):]...)
			_ = s.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
			_ = s.WriteData(1, true, []byte("hello"))
		}, within: p.Idle},
	}

	b := besiege(t, Connections{All: 10_000}, p)
	if err := b.good(); err != nil {
		t.Fatal(err)
	}
	settle()
	goroutines, memory := runtime.NumGoroutine(), heap()

	var all sync.WaitGroup
	var over atomic.Bool
	for _, c := range cases {
		for range senders {
			all.Go(func() {
				conn, err := b.dial(c.protocol)
				if err != nil {
					note("%s: %v", c.name, err)
					return
				}
				defer conn.Close()
				var sent sync.WaitGroup
				began := time.Now()
				sent.Go(func() { c.send(conn) })
				tcp := conn
				if c.protocol != "" {
					tcp = conn.(*tls.Conn).NetConn()
				}
				_ = tcp.SetReadDeadline(began.Add(c.within + 4*slack))
				var said []byte
				if !strings.Contains(c.name, "TLS") && !strings.Contains(c.name, "hello") || c.says != "" {
					said, err = io.ReadAll(conn)
				} else {
					sent.Wait() // the handshake reads
					_, err = io.Copy(io.Discard, tcp)
				}
				took := time.Since(began)
				if e, timeout := err.(net.Error); timeout && e.Timeout() || took > c.within+slack {
					note("%s: open after %v, want %v; it said %.80q", c.name, took, c.within, said)
				}
				if !bytes.HasPrefix(said, []byte(c.says)) {
					note("%s: it said %.200q, want %s", c.name, said, c.says)
				}
				_ = tcp.Close()
				sent.Wait()
			})
		}
	}
	var others sync.WaitGroup
	var slowest time.Duration
	asked := 0
	others.Go(func() {
		for !over.Load() {
			began := time.Now()
			if err := b.good(); err != nil {
				note("meanwhile: %v", err)
			}
			slowest = max(slowest, time.Since(began))
			asked++
		}
	})
	all.Wait()
	over.Store(true)
	others.Wait()
	if slowest > 3*slack {
		note("the slowest of %d ordinary requests took %v", asked, slowest)
	}
	t.Logf("%d senders; the slowest of %d ordinary requests meanwhile took %v; %d handlers at most", len(cases)*senders, asked, slowest, b.top.Load())

	wanted := map[string]int64{}
	for path, n := range map[string]int64{"smuggled": 1, "folded": 1, "more": 1} {
		wanted["/change/"+path] = n * int64(senders)
	}
	b.changed.Range(func(path, n any) bool {
		if got := n.(*atomic.Int64).Load(); got != wanted[path.(string)] {
			note("%s: %d requests came whole to the handler, want %d", path, got, wanted[path.(string)])
		}
		return true
	})
	for until := time.Now().Add(3 * time.Second); runtime.NumGoroutine() > goroutines+3 && time.Now().Before(until); {
		settle()
	}
	if n := runtime.NumGoroutine(); n > goroutines+3 {
		note("%d goroutines were there before, %d afterwards", goroutines, n)
	}
	if grown := heap() - memory; grown > 8<<20 {
		note("%d bytes are left of it", grown)
	}
	return wrong
}

// flood sends the beginning, and then the same as fast as it goes.
func flood(begin, more string) func(net.Conn) {
	many := []byte(strings.Repeat(more, 1+16<<10/len(more)))
	return func(c net.Conn) {
		if _, err := io.WriteString(c, begin); err != nil {
			return
		}
		for {
			if _, err := c.Write(many); err != nil {
				return
			}
		}
	}
}

func settle() { time.Sleep(20 * time.Millisecond); runtime.GC() }

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestIdleConnectionsMakeRoomForWhoAsks(t *testing.T) {
	const most = 50
	b := besiege(t, Connections{All: most}, DefaultTimeouts) // which do not help in time
	var idle []net.Conn
	for range 3 * most { // each asks once, and stays
		c, err := b.dial("http/1.1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = io.WriteString(c, "GET /good HTTP/1.1\r\nHost: a\r\n\r\n")
		line := make([]byte, 12)
		if _, err := io.ReadFull(c, line); err != nil || string(line) != "HTTP/1.1 200" {
			t.Fatalf("connection %d: %q %v", len(idle), line, err)
		}
		idle = append(idle, c)
	}
	if err := b.good(); err != nil {
		t.Error(err)
	}
}

func TestOneAddressHasOnlySoManyConnections(t *testing.T) {
	for _, proxied := range []bool{false, true} {
		max := Connections{All: 100, Address: 3}
		if proxied {
			max.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		}
		b := besiege(t, max, DefaultTimeouts)
		var held []net.Conn
		for range 3 {
			c, err := b.dial("http/1.1")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			held = append(held, c)
		}
		began := time.Now()
		err := b.good()
		if (err == nil) != proxied {
			t.Errorf("a fourth connection, from a proxy %v: %v", proxied, err)
		}
		if took := time.Since(began); took > 4*time.Second { // who says nothing, after five
			t.Errorf("it was closed after %v", took)
		}
		if err := held[0].Close(); err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(10 * time.Second); ; {
			if err = b.good(); err == nil || time.Now().After(until) {
				break
			}
		}
		if err != nil {
			t.Errorf("after one was closed: %v", err)
		}
	}
}
