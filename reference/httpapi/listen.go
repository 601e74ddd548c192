package httpapi

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// Timeouts are how long the service waits for somebody on a connection.
type Timeouts struct {
	Header time.Duration // for a request's header, TLS handshake included
	Read   time.Duration // for a whole request
	Write  time.Duration // until the answer is taken
	Idle   time.Duration // for the next request
}

// DefaultTimeouts suit phones on bad networks and stop those who hold
// connections open to exhaust them.
var DefaultTimeouts = Timeouts{Header: 5 * time.Second, Read: 20 * time.Second, Write: 30 * time.Second, Idle: 60 * time.Second}

// maxHeader limits a request's header: an access token, a proof and two wallet
// attestations fit in.
const maxHeader = 32 << 10

// Server is a server for a handler with everything limited. config may be nil:
// then it speaks plain HTTP.
func Server(h http.Handler, config *tls.Config, t Timeouts) *http.Server {
	return &http.Server{
		Handler: h, TLSConfig: config, MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: t.Header, ReadTimeout: t.Read, WriteTimeout: t.Write, IdleTimeout: t.Idle,
	}
}

// TLS is the configuration for a certificate: TLS 1.2 with modern suites, or
// 1.3. Clients may bring a certificate of their own; who they are is decided by
// request (RFC 8705).
func TLS(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		GetCertificate: certificate, MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos: []string{"h2", "http/1.1"},
	}
}

// Bounded is a listener that lets in so many connections at the same time. Others
// wait in the system's queue until one is closed, which the timeouts see to.
func Bounded(l net.Listener, connections int) net.Listener {
	return &bounded{l, make(chan struct{}, connections), make(chan struct{}), sync.Once{}}
}

type bounded struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &counted{Conn: c, leave: sync.OnceFunc(func() { <-b.slots })}, nil
}

// Close implements net.Listener.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

type counted struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
