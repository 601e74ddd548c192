package httpapi

import (
	"crypto/tls"
	"net/http"
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

// maxStreams limits the requests on one connection of HTTP/2 at the same time.
const maxStreams = 100

// Server is a server for a handler with everything limited. config may be nil:
// then it speaks plain HTTP. On a listener of Bounded it says which connections
// are idle.
func Server(h http.Handler, config *tls.Config, t Timeouts) *http.Server {
	return &http.Server{
		Handler: alone(h), TLSConfig: config, MaxHeaderBytes: maxHeader, ConnState: tell,
		ReadHeaderTimeout: t.Header, ReadTimeout: t.Read, WriteTimeout: t.Write, IdleTimeout: t.Idle,
		// Over HTTP/2 the others hold for each request. Who takes nothing, or is gone,
		// is found out by these.
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, WriteByteTimeout: t.Write, SendPingTimeout: t.Read, PingTimeout: t.Header},
	}
}

// alone ends a connection of HTTP/1 after a body of unknown length: where a request
// ends must not be a matter of opinion between us and a proxy that also read a
// Content-Length (RFC 9112 §6.1), so nothing follows such a body.
func alone(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 1 && len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
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
