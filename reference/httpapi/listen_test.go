package httpapi

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/web"
)

// hasty is short patience.
var hasty = Timeouts{Header: 100 * time.Millisecond, Read: 200 * time.Millisecond, Write: 300 * time.Millisecond, Idle: 200 * time.Millisecond}

// listening serves, and tells where.
func listening(t *testing.T, h web.Handler, patience Timeouts) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := Server(router(t, options(), h), nil, patience)
	server.ErrorLog = log.New(io.Discard, "", 0)
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

// closed says whether the other side closes within twenty seconds, and what it said
// before.
func closed(t *testing.T, c net.Conn) (said string, is bool) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	b, err := io.ReadAll(c)
	e, timeout := err.(net.Error)
	return string(b), err == nil || !(timeout && e.Timeout())
}

func TestWhoHoldsAConnectionWithoutAskingIsCutOff(t *testing.T) {
	address := listening(t, ok, hasty)
	for what, send := range map[string]func(net.Conn){
		"says nothing":            func(net.Conn) {},
		"stops in the header":     func(c net.Conn) { io.WriteString(c, "GET /public HTTP/1.1\r\nHost: a\r\nX-A: ") },
		"sends a header for ever": func(c net.Conn) { drip(c, "GET /public HTTP/1.1\r\nHost: a\r\n", "X-A: b\r\n") },
		"stops in the body": func(c net.Conn) {
			io.WriteString(c, "POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nabc")
		},
		"sends a body for ever": func(c net.Conn) { drip(c, "POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: 32\r\n\r\n", "x") },
		"asks once and waits":   func(c net.Conn) { io.WriteString(c, "GET /public HTTP/1.1\r\nHost: a\r\n\r\n") },
		"closes its half":       func(c net.Conn) { io.WriteString(c, "GET /pub"); c.(*net.TCPConn).CloseWrite() },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			go send(c)
			if said, is := closed(t, c); !is {
				t.Errorf("the connection is still open; it said %q", said)
			}
		})
	}
}

// drip sends the beginning at once and the rest byte by byte.
func drip(c net.Conn, begin, more string) {
	if _, err := io.WriteString(c, begin); err != nil {
		return
	}
	for {
		for i := range len(more) {
			if _, err := c.Write([]byte{more[i]}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

func TestWhoNeverTakesTheAnswerIsCutOff(t *testing.T) {
	ended := make(chan error, 1)
	address := listening(t, func(w http.ResponseWriter, _ *http.Request) error {
		chunk := make([]byte, 1<<20)
		for {
			if _, err := w.Write(chunk); err != nil {
				ended <- err
				return nil
			}
		}
	}, hasty)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "GET /public HTTP/1.1\r\nHost: a\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the handler writes for ever")
	}
}

func TestALongHeaderIsRefused(t *testing.T) {
	address := listening(t, ok, DefaultTimeouts)
	for length, want := range map[int]string{maxHeader / 2: "200", 2 * maxHeader: "431"} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, "GET /public HTTP/1.1\r\nHost: a\r\nX-A: "+strings.Repeat("a", length)+"\r\n\r\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		if !strings.Contains(line, want) {
			t.Errorf("%d bytes: %q, want %s", length, line, want)
		}
		c.Close()
	}
}

func TestALongAnswerMayTakeItsTime(t *testing.T) {
	slow := func(w http.ResponseWriter, _ *http.Request) error {
		for range 5 {
			time.Sleep(100 * time.Millisecond)
			if _, err := io.WriteString(w, "part\n"); err != nil {
				return nil
			}
			_ = http.NewResponseController(w).Flush()
		}
		return nil
	}
	o := options()
	o.Now = time.Now
	s, err := build([]Route{
		{Name: "short", Method: "GET", Path: "/short", Roles: access.Anyone, Handler: web.Problem(slow)},
		{Name: "long", Method: "GET", Path: "/long", Roles: access.Anyone, Long: true, Handler: web.Problem(slow)},
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(s)
	server.Config.WriteTimeout = 200 * time.Millisecond
	server.Start()
	defer server.Close()
	for path, want := range map[string]bool{"/long": true, "/short": false} {
		res, err := http.Get(server.URL + path)
		var b []byte
		if err == nil {
			b, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if whole := err == nil && strings.Count(string(b), "part") == 5; whole != want {
			t.Errorf("%s: %q %v", path, b, err)
		}
	}
}

func TestThereAreOnlySoManyConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := Server(router(t, options(), ok), nil, Timeouts{Header: 300 * time.Millisecond, Read: 300 * time.Millisecond, Write: time.Second, Idle: 300 * time.Millisecond})
	server.ErrorLog = log.New(io.Discard, "", 0)
	done := make(chan error, 1)
	go func() { done <- server.Serve(Bounded(l, Connections{All: 2})) }()
	began := time.Now() // before they come: a slow machine must not make the wait look short
	for range 2 {       // who says nothing
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	res, err := http.Get("http://" + l.Addr().String() + "/public")
	if err != nil || res.StatusCode != 200 {
		t.Fatalf("%v %v", res, err)
	}
	res.Body.Close()
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("a third connection was let in after %v", took)
	}
	for range 2 { // fill it again: it must end all the same
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	server.Close()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("a full listener does not end")
	}
}
