package httpapi

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"rollcall.example/rollcall/reference/access"
	"rollcall.example/rollcall/reference/web"
)

// Options are what the router needs from outside.
type Options struct {
	Now            func() time.Time
	Random         io.Reader // for ids of requests; safe for concurrent use
	Authentication Authentication
	Limits         Limits
	// Proxies may say for whom they speak (X-Forwarded-For), and which trace a
	// request belongs to.
	Proxies []netip.Prefix

	Log     *slog.Logger         // nil: nothing is logged
	Metrics *Metrics             // nil: nothing is counted
	Traces  trace.TracerProvider // nil: nothing is traced
}

// Router serves a table of routes.
type Router struct {
	o       Options
	mux     http.ServeMux
	meter   *meter
	tracer  trace.Tracer // nil: nothing is traced
	serving atomic.Int64
	crowd   crowd
}

// New builds the router from the table of an API.
func New(a *API, o Options) (*Router, error) { return build(a.table(), o) }

// Replicas says how many replicas serve, this one among them. Each allows its share of
// the rates, so that nobody is served more by asking all of them.
func (s *Router) Replicas(n int) { s.meter.replicas.Store(int64(max(n, 1))) }

func build(table []Route, o Options) (*Router, error) {
	if o.Now == nil || o.Random == nil {
		return nil, errors.New("the router needs a clock and randomness")
	}
	if err := check(table); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Limits.Remembered <= 0 {
		o.Limits.Remembered = DefaultLimits.Remembered
	}
	s := &Router{o: o, crowd: crowd{of: map[string]int{}}, meter: newMeter(o.Now, o.Limits.Remembered)}
	if _, off := o.Traces.(noop.TracerProvider); !off && o.Traces != nil {
		s.tracer = o.Traces.Tracer("rollcall")
	}
	paths := map[string]*place{}
	for i := range table {
		r := &table[i]
		p := paths[r.Path]
		if p == nil {
			p = &place{s, map[string]*Route{}}
			paths[r.Path] = p
			s.mux.Handle(r.Path, p)
		}
		p.routes[r.Method] = r
	}
	if paths["/"] == nil {
		s.mux.Handle("/", web.Problem(func(http.ResponseWriter, *http.Request) error {
			return web.Refuse(http.StatusNotFound, "not_found", "There is nothing at this address.")
		}))
	}
	return s, nil
}

// exchange is a request with its answer, as it is logged and counted.
type exchange struct {
	http.ResponseWriter
	request *http.Request
	id      string
	trace   string
	from    string // whose address it came from
	route   *Route // nil: none
	role    access.Role
	status  int // 0: nothing is answered yet
	bytes   int64
	failed  *web.Error
}

func (x *exchange) name() string {
	if x.route == nil {
		return "none"
	}
	return x.route.Name
}

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	n, err := x.ResponseWriter.Write(b)
	x.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

type exchangeKey struct{}

// RequestID is the id under which a request is logged, for handlers that tell it
// to whoever asks for help.
func RequestID(ctx context.Context) string {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x.id
	}
	return ""
}

// securityHeaders go with every answer. Pages of the console replace the
// content security policy by one that lets in their own style and script. The values are
// shared by all answers: they may be replaced, and not written into.
var securityHeaders = http.Header{
	"Strict-Transport-Security":    {"max-age=63072000; includeSubDomains"},
	"Content-Security-Policy":      {"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
	"X-Content-Type-Options":       {"nosniff"},
	"X-Frame-Options":              {"DENY"},
	"Referrer-Policy":              {"no-referrer"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Permissions-Policy":           {"camera=(), geolocation=(), microphone=()"},
}

// ServeHTTP implements http.Handler.
func (s *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.o.Now()
	var id [12]byte
	if _, err := io.ReadFull(s.o.Random, id[:]); err != nil {
		http.Error(w, "the source of randomness failed", http.StatusInternalServerError)
		return
	}
	x := &exchange{ResponseWriter: w, id: hex.EncodeToString(id[:]), role: access.Anyone}
	maps.Copy(w.Header(), securityHeaders)
	w.Header().Set("X-Request-Id", x.id)
	x.request = web.WithFailed(r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)), func(e *web.Error) { x.failed = e })

	s.o.Metrics.begin()
	defer func() {
		took := s.o.Now().Sub(began)
		if x.status == 0 {
			x.status = http.StatusOK // an empty answer
		}
		x.write(s.o.Log, took)
		s.o.Metrics.end(x, took)
	}()
	defer x.recovered()
	s.mux.ServeHTTP(x, x.request)
}

// recovered answers for a handler that panicked. The value of the panic may be
// anything: the log gets what may stand there, and where it was.
func (x *exchange) recovered() {
	p := recover()
	if p == nil {
		return
	}
	cause := &panicked{p, culprit()}
	if p == http.ErrAbortHandler || x.status != 0 {
		// What was begun cannot be taken back: the connection is cut.
		x.failed = web.Refuse(http.StatusInternalServerError, "server_error", "The handler gave up in the middle of its answer.").Because(cause)
		x.status = http.StatusInternalServerError
		panic(http.ErrAbortHandler)
	}
	x.refuse(x.request, cause)
}

// panicked is a handler's panic.
type panicked struct {
	value any
	at    string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// culprit is the first place of a panic that is not the runtime's.
func culprit() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			name := f.Function[strings.LastIndexByte(f.Function, '/')+1:]
			return fmt.Sprintf("%s:%d", name, f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

// refuse answers an error in the form of the route's protocol.
func (x *exchange) refuse(r *http.Request, err error) {
	if x.route != nil {
		x.route.Handler.(web.Refuser).Refuse(x, r, err)
		return
	}
	web.Problem(func(http.ResponseWriter, *http.Request) error { return err }).ServeHTTP(x, r)
}

// place is a path with its routes by method.
type place struct {
	router *Router
	routes map[string]*Route
}

func (p *place) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := r.Context().Value(exchangeKey{}).(*exchange)
	route := p.routes[r.Method]
	if route == nil && r.Method == http.MethodHead {
		route = p.routes[http.MethodGet]
	}
	if route == nil {
		var allowed []string
		for m := range p.routes {
			allowed = append(allowed, m)
			if m == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
		slices.Sort(allowed)
		one := p.routes[allowed[0]]
		err := web.Refuse(http.StatusMethodNotAllowed, "invalid_request", "The method must be one of these: %s.", strings.Join(allowed, ", ")).
			With("Allow", strings.Join(allowed, ", "))
		one.Handler.(web.Refuser).Refuse(w, r, err)
		return
	}
	x.route = route
	// A profile splits by operation.
	pprof.Do(r.Context(), pprof.Labels("operation", route.Name), func(ctx context.Context) {
		p.router.serve(ctx, x, r)
	})
}

// serve takes a request through all that stands before its handler.
func (s *Router) serve(ctx context.Context, x *exchange, r *http.Request) {
	route := x.route
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && contains(s.o.Proxies, at.Addr().Unmap()) {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	if s.tracer != nil {
		var end func()
		ctx, end = s.traced(ctx, x)
		defer end()
	}
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		x.trace = c.TraceID().String()
	}
	x.from = address(r, s.o.Proxies)
	r = r.WithContext(web.WithAddress(ctx, x.from))

	if n := s.serving.Add(1); s.o.Limits.Concurrent > 0 && n > int64(s.o.Limits.Concurrent) {
		s.serving.Add(-1)
		x.refuse(r, web.Refuse(http.StatusServiceUnavailable, "temporarily_unavailable", "The service is busy: ask again.").With("Retry-After", "1"))
		return
	}
	defer s.serving.Add(-1)
	if !s.crowd.enter(x.from, s.o.Limits.Each) {
		x.refuse(r, web.Refuse(http.StatusTooManyRequests, "too_many_requests", "Too many requests at the same time: wait for the answers.").With("Retry-After", "1"))
		return
	}
	defer s.crowd.leave(x.from)
	defer s.charge(x)

	r, err := s.admit(x, r)
	if err != nil {
		x.refuse(x.request.WithContext(ctx), err)
		return
	}
	if route.Long {
		_ = http.NewResponseController(x).SetWriteDeadline(s.o.Now().Add(longAnswer)) // where there is a connection
	}
	route.Handler.ServeHTTP(x, r)
}

// traced begins the span of a request, which end ends.
func (s *Router) traced(ctx context.Context, x *exchange) (_ context.Context, end func()) {
	ctx, span := s.tracer.Start(ctx, x.route.Name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", x.request.Method), attribute.String("http.route", x.route.Path), attribute.String("rollcall.request.id", x.id)))
	return ctx, func() {
		span.SetAttributes(attribute.Int("http.response.status_code", x.status), attribute.String("rollcall.role", x.role.String()))
		if x.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// longAnswer is how long a long answer may take.
const longAnswer = time.Hour

// charge makes guessing slow: a credential that was refused, here or by a handler,
// counts for many requests of its address. Who brought none, or has to come back
// with a nonce, has guessed nothing.
func (s *Router) charge(x *exchange) {
	e := x.failed
	if e == nil || e.Status != http.StatusUnauthorized || s.o.Limits.Failed <= 0 || e.Code == "use_dpop_nonce" || errors.Is(e, errNobody) {
		return
	}
	s.meter.take("address "+x.from, s.o.Limits.Address, s.o.Limits.Failed, true)
}

// admit limits a request by its address, its size and its caller, and is it with
// its caller.
func (s *Router) admit(x *exchange, r *http.Request) (*http.Request, error) {
	route := x.route
	if wait := s.meter.take("address "+x.from, s.o.Limits.Address, 1, false); wait > 0 {
		return nil, tooMany(wait)
	}
	if !web.Plain(r.URL.Path) {
		return nil, web.Refuse(http.StatusBadRequest, "invalid_request", "The path is not UTF-8, or has a NUL in it.")
	}
	if r.ContentLength > route.Body {
		return nil, &http.MaxBytesError{Limit: route.Body}
	}
	r.Body = http.MaxBytesReader(x, r.Body, route.Body)
	r, err := s.o.Authentication.admit(r, route)
	if r == nil {
		return nil, err
	}
	// Who may not is known, too: it stands in the log, and counts for them.
	caller := access.From(r.Context())
	x.role = caller.Role
	if caller.Role != access.Anyone {
		if wait := s.meter.take(caller.Role.String()+" "+caller.ID, s.o.Limits.of(caller), 1, false); wait > 0 {
			return nil, tooMany(wait)
		}
	}
	return r, err
}
