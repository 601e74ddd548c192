package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/sim/demo"
)

func serveCommand() *cobra.Command {
	var printOnly bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the ID service over HTTPS",
		Long: `Serve the ID service over HTTPS. With nothing else it makes its data folder:
register, keys, certificates, and a first administrator, whose credential is
printed once.

Each setting may be given by a flag, by an environment variable (ROLLCALL_LISTEN)
or in a YAML file (--config, or ROLLCALL_CONFIG; listen: ...). A flag counts
before a variable, a variable before the file.

SIGTERM and Ctrl-C end it when the requests that it handles are answered; a second
one ends it at once. SIGHUP makes it read its keys and lists of
revoked certificates again.`,
		Example: `  rollcall serve --demo
  rollcall serve --database postgres://rollcall@db.internal/rollcall --listen :8443 --public-url https://id.example
  rollcall serve --print-config`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			settled, err := configure(c.Flags(), os.Environ())
			if err != nil {
				return usage(err)
			}
			if printOnly {
				return settled.print(c.OutOrStdout())
			}
			return serve(c.Context(), settled, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	addFlags(c.Flags())
	c.Flags().BoolVar(&printOnly, "print-config", false, "print all settings and where each was said, secrets masked, and end")
	return c
}

// serveGCPercent suits a small heap of short-lived requests, unlike a nation's.
const serveGCPercent = 400

// serve serves until the context ends, and then until what was begun is answered.
func serve(ctx context.Context, c configuration, stdout, stderr io.Writer) (err error) {
	debug.SetGCPercent(serveGCPercent)
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.text("log-level"))) // the table has seen to it
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	for _, name := range unread(os.Environ()) {
		log.Warn("an environment variable looks like a setting and is none: rollcall serve --print-config prints all of them", "variable", name)
	}

	endProfile, err := profile(c.text("cpuprofile"), "")
	if err != nil {
		return usage(err)
	}
	defer func() { err = errors.Join(err, endProfile()) }()
	listener, err := net.Listen("tcp", c.text("listen"))
	if err != nil {
		return usage(cannotListen("--listen", c.text("listen"), err))
	}
	defer listener.Close()
	ops, err := listenOps(c)
	if err != nil {
		return usage(err)
	}
	if ops != nil {
		defer ops.Close()
	}
	traces, endTraces, err := traces(context.WithoutCancel(ctx))
	if err != nil {
		return usage(err)
	}
	defer func() { endTraces(c.duration("shutdown-grace")) }()

	s, err := open(ctx, c, publicURL(c, listener.Addr()), log, traces)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	stopped := make(chan error, 2)
	quiet := slog.NewLogLogger(log.Handler(), slog.LevelDebug) // what clients do wrong on connections
	server := httpapi.Server(s.router, s.tls, httpapi.DefaultTimeouts)
	server.ErrorLog = quiet
	bounded := httpapi.Bounded(listener, httpapi.Connections{All: c.number("connections"), Address: c.number("connections-address"), Proxies: s.proxies})
	go func() { stopped <- serveOn(server, bounded) }()
	if ops != nil {
		o := httpapi.Server(opsHandler(s, c.yes("pprof")), nil, httpapi.DefaultTimeouts)
		o.ErrorLog, o.WriteTimeout = quiet, 0 // a profile takes as long as it is asked to
		go func() { stopped <- serveOn(o, ops) }()
		defer o.Close()
	}
	background, endLoops := context.WithCancel(context.WithoutCancel(ctx))
	defer endLoops()
	s.loops(background)
	log.Info("serving", "listening", listener.Addr().String(), "url", s.url, "version", version)
	s.announce(stdout, listener.Addr(), ops)

	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-hangup:
			s.keysRead(background, s.reload()) // at once: servers of lists may take their time
			if s.cardLists != nil {
				s.takeCardLists(background, true)
				s.log.Info("the lists of revoked IC card signers were read again")
			}
		case err := <-stopped:
			return internal(err)
		case <-ctx.Done():
			log.Info("stopping", "delay", c.text("shutdown-delay"), "grace", c.text("shutdown-grace"))
			s.leaving.Store(true)
			time.Sleep(c.duration("shutdown-delay"))
			patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.duration("shutdown-grace"))
			defer cancel()
			if err := server.Shutdown(patience); err != nil {
				log.Warn("not every request was answered in time", "error", err.Error())
				_ = server.Close()
			}
			endLoops()
			s.wait.Wait()
			log.Info("stopped")
			return nil
		}
	}
}

func serveOn(s *http.Server, l net.Listener) error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func cannotListen(what, address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: the port of %s is taken (choose another one; port 0 takes a free one)", what, address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: the port of %s is not for this user (choose one above 1023)", what, address)
	}
	return fmt.Errorf("%s: %s is no address to listen at (write HOST:PORT): %w", what, address, err)
}

// publicURL is where others reach the service, without a slash at its end.
func publicURL(c configuration, at net.Addr) string {
	if u := c.text("public-url"); u != "" {
		return strings.TrimSuffix(u, "/")
	}
	scheme := "https"
	if !c.yes("tls") {
		scheme = "http"
	}
	host, port, _ := net.SplitHostPort(at.String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

func listenOps(c configuration) (net.Listener, error) {
	address := c.text("ops-listen")
	if address == "" {
		if !c.yes("pprof") {
			return nil, nil
		}
		address = "127.0.0.1:6060"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, cannotListen("--ops-listen", address, err)
	}
	return l, nil
}

// opsHandler is what operators ask from inside.
func opsHandler(s *running, profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.Handle("GET /healthz", s.router)
	mux.Handle("GET /readyz", s.router)
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return mux
}

// announce says where the service is, and what is said once, in one piece: who waits for
// the first line has the others, too.
func (s *running) announce(to io.Writer, at net.Addr, ops net.Listener) {
	w := &bytes.Buffer{}
	defer func() { _, _ = to.Write(w.Bytes()) }() // where nobody reads, it serves all the same
	fmt.Fprintf(w, "Rollcall serves %s\n", s.url)
	if _, port, _ := net.SplitHostPort(at.String()); !strings.HasSuffix(s.url, ":"+port) {
		fmt.Fprintf(w, "  %-12s %s\n", "listens", at)
	}
	fmt.Fprintf(w, "  %-12s %s\n", "console", s.url+"/console/")
	fmt.Fprintf(w, "  %-12s %s\n", "data", s.data)
	if s.tls != nil && s.ownTLS {
		fmt.Fprintf(w, "  %-12s %s\n", "trust", filepath.Join(s.data, authorityFile))
	}
	if ops != nil {
		fmt.Fprintf(w, "  %-12s http://%s/metrics\n", "operations", ops.Addr())
	}
	for _, a := range s.first {
		fmt.Fprintf(w, "\nAdministrator %s, shown once:\n  %-12s %s\n  %-12s %s\n", a.id, "passphrase", a.passphrase, "key", a.key)
	}
	if s.town != nil {
		fmt.Fprintf(w, "\nDemonstration: %d residents of %s; nothing here is secret.\n", len(s.town.Residents), "Sejong")
		fmt.Fprintf(w, "  %-14s %s\n", "phones", s.url+demo.PhonesPath)
		for _, p := range demoParties {
			fmt.Fprintf(w, "  %-14s %-12s", p.id, p.role.String())
			if p.passphrase != "" {
				fmt.Fprintf(w, " passphrase %s", p.passphrase)
			}
			fmt.Fprintln(w)
		}
	}
}

// tlsConfig is the server's: with a certificate from files, or the ring's own.
func (s *running) tlsConfig(c configuration) (*tls.Config, error) {
	if !c.yes("tls") {
		return nil, nil
	}
	certificate, key := c.text("tls-certificate"), c.text("tls-key")
	if (certificate == "") != (key == "") {
		return nil, errors.New("tls-certificate and tls-key belong together: give both, or none")
	}
	if certificate == "" {
		s.ownTLS = true
		return httpapi.TLS(s.ring.TLSCertificate), nil
	}
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("tls-certificate: %w", err)
	}
	return httpapi.TLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }), nil
}

// every calls f at once and then in each interval, until the context ends.
func (s *running) every(ctx context.Context, interval time.Duration, f func(context.Context)) {
	s.wait.Go(func() {
		t := time.NewTicker(interval)
		defer t.Stop()
		for {
			f(ctx)
			select {
			case <-t.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// chance is where the service's randomness comes from.
var chance io.Reader = rand.Reader
