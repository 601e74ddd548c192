// Package web is what every HTTP handler of the service does alike: it reads a
// body within limits and strictly, and answers with JSON, with an error of OAuth
// (RFC 6749 §5.2), or with a problem (RFC 9457).
//
// It knows no route and no rule. Who calls is package access's business, which
// routes there are and who may call them package httpapi's.
package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/store"
)

// Error is an answer that refuses.
type Error struct {
	Status      int
	Code        string // of OAuth, OpenID4VCI or OpenID4VP, or the end of a problem's type: "invalid_proof"
	Description string // a sentence for the developer of the other side, without personal data
	Header      http.Header
	// Cause is for the log alone.
	Cause error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Description, e.Cause)
	}
	return e.Code + ": " + e.Description
}

func (e *Error) Unwrap() error { return e.Cause }

// Refuse makes an answer that refuses.
func Refuse(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Description: fmt.Sprintf(format, args...)}
}

// Because adds what goes into the log.
func (e *Error) Because(cause error) *Error { e.Cause = cause; return e }

// With adds a header to the answer.
func (e *Error) With(name, value string) *Error {
	if e.Header == nil {
		e.Header = http.Header{}
	}
	e.Header.Set(name, value)
	return e
}

// gone is the status of a request whose caller did not wait for the answer. Nobody
// reads it but the log and the counts, where it is no failure of the service.
const gone = 499

// judge makes an Error of any error. What a handler did not foresee is never
// told to the caller.
func judge(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, store.ErrFull):
		return Refuse(http.StatusServiceUnavailable, "temporarily_unavailable", "The register has no room left and has changed nothing. Ask again later with the same idempotency key.").With("Retry-After", "5").Because(err)
	case errors.Is(err, store.ErrFenced), errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrUnknown):
		return Refuse(http.StatusServiceUnavailable, "temporarily_unavailable", "The register cannot be asked now. Ask again with the same idempotency key.").With("Retry-After", "1").Because(err)
	case errors.Is(err, context.Canceled):
		return Refuse(gone, "canceled", "The caller has gone; nothing is known to have changed.").Because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return Refuse(http.StatusServiceUnavailable, "temporarily_unavailable", "The service is too slow now. Ask again with the same idempotency key.").With("Retry-After", "1").Because(err)
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Refuse(http.StatusRequestEntityTooLarge, "invalid_request", "The body is longer than %d bytes.", tooLarge.Limit).Because(err)
	}
	return Refuse(http.StatusInternalServerError, "server_error", "The service failed. The request's id is in the answer's X-Request-Id.").Because(err)
}

// Handler handles a request, or returns why not; then it must have written
// nothing.
type Handler func(http.ResponseWriter, *http.Request) error

// Failed is told of every error before it is answered; httpapi sets it in the
// context of a request to log and count it.
type Failed func(*Error)

type failedKey struct{}

// WithFailed puts it into a request.
func WithFailed(r *http.Request, f Failed) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), failedKey{}, f))
}

type addressKey struct{}

// WithAddress puts into a context whose address a request came from.
func WithAddress(ctx context.Context, from string) context.Context {
	return context.WithValue(ctx, addressKey{}, from)
}

// Address is whose address a request came from, as the limits know it: of IPv6 the
// network. Empty: nobody has said.
func Address(ctx context.Context) string {
	from, _ := ctx.Value(addressKey{}).(string)
	return from
}

// OAuth answers errors as RFC 6749 §5.2 does, and so OpenID4VCI and OpenID4VP.
func OAuth(h Handler) http.Handler {
	return handle(h, func(w http.ResponseWriter, e *Error) {
		JSON(w, e.Status, struct {
			Error       string `json:"error"`
			Description string `json:"error_description,omitempty"`
		}{e.Code, e.Description})
	})
}

// Problem answers errors as problem details (RFC 9457).
func Problem(h Handler) http.Handler {
	return handle(h, func(w http.ResponseWriter, e *Error) {
		w.Header().Set("Content-Type", "application/problem+json")
		write(w, e.Status, struct {
			Type   string `json:"type"`
			Title  string `json:"title"`
			Status int    `json:"status"`
			Detail string `json:"detail,omitempty"`
		}{"urn:rollcall:problem:" + e.Code, http.StatusText(e.Status), e.Status, e.Description})
	})
}

// Refuser is a handler that also knows how an error of its protocol is answered
// when the request never reaches it.
type Refuser interface {
	http.Handler
	Refuse(http.ResponseWriter, *http.Request, error)
}

type styled struct {
	h      Handler
	answer func(http.ResponseWriter, *Error)
}

func handle(h Handler, answer func(http.ResponseWriter, *Error)) http.Handler {
	return &styled{h, answer}
}

func (s *styled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.h(w, r); err != nil {
		s.Refuse(w, r, err)
	}
}

// Refuse implements Refuser.
func (s *styled) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.answer(w, Report(w, r, err))
}

// Report makes an Error of any error, tells the request's Failed of it, and sets
// its headers. It is for handlers that answer errors in a form of their own.
func Report(w http.ResponseWriter, r *http.Request, err error) *Error {
	e := judge(err)
	if f, ok := r.Context().Value(failedKey{}).(Failed); ok {
		f(e)
	}
	for name, values := range e.Header {
		w.Header()[name] = values
	}
	return e
}

// JSON answers with a value as JSON that nobody may keep.
func JSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	write(w, status, v)
}

func write(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		http.Error(w, "the answer cannot be written as JSON", http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Cache-Control") == "" {
		w.Header().Set("Cache-Control", "no-store")
	}
	w.Header().Set("Content-Length", strconv.Itoa(body.Len())) // not in chunks
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // nobody is left to be told
}

// Body reads a body of one of the media types; httpapi has limited its size.
func Body(r *http.Request, types ...string) ([]byte, error) {
	got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	known := false
	for _, t := range types {
		known = known || err == nil && got == t
	}
	if !known {
		return nil, Refuse(http.StatusUnsupportedMediaType, "invalid_request", "Content-Type must be %s.", types[0])
	}
	if r.ContentLength < 0 || r.ContentLength > maxRoom {
		return io.ReadAll(r.Body)
	}
	body := bytes.NewBuffer(make([]byte, 0, r.ContentLength+bytes.MinRead)) // with room for the end
	_, err = body.ReadFrom(r.Body)
	return body.Bytes(), err
}

// maxRoom is how much room, in bytes, is made for a body because its sender said how
// long it would be.
const maxRoom = 64 << 10

// ReadJSON reads a body of JSON into a struct: UTF-8, one value, no name twice,
// nested at most so deep as package jws reads.
func ReadJSON(r *http.Request, v any) error {
	body, err := Body(r, "application/json")
	if err != nil {
		return err
	}
	return Unmarshal(body, v)
}

// Unmarshal is ReadJSON for a body that has been read, and perhaps decrypted.
func Unmarshal(body []byte, v any) error { return notExpected(jws.Unmarshal(body, v)) }

// notExpected says to the caller what is wrong with a body of JSON.
func notExpected(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return Refuse(http.StatusBadRequest, "invalid_request", "The body is not the JSON expected here: %.80q cannot be a %.40s.", wrong.Field, wrong.Value)
	}
	if err != nil {
		return Refuse(http.StatusBadRequest, "invalid_request", "The body is not the JSON expected here: %v.", err)
	}
	return nil
}

// ReadKnown is ReadJSON for routes of our own, which protocols do not extend: a member
// that the struct does not have is refused, for a name that was misspelt would be passed
// over in silence.
func ReadKnown(r *http.Request, v any) error {
	body, err := Body(r, "application/json")
	if err != nil {
		return err
	}
	sent, err := jws.UnmarshalObject(body, v)
	if err != nil {
		return notExpected(err)
	}
	known := members(reflect.TypeOf(v).Elem())
	misspelt := ""
	for name := range sent { // the first by name: the same body gives the same answer
		if !slices.Contains(known, name) && (misspelt == "" || name < misspelt) {
			misspelt = name
		}
	}
	if misspelt != "" {
		return Refuse(http.StatusBadRequest, "unknown-member", "There is no member %.40q here; there are %s.", misspelt, strings.Join(known, ", "))
	}
	return nil
}

var membersOf sync.Map // reflect.Type to []string

// members are the names that a struct has in JSON, those of its embedded ones too.
func members(t reflect.Type) []string {
	if names, ok := membersOf.Load(t); ok {
		return names.([]string)
	}
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			names = append(names, members(f.Type)...)
		} else if name != "-" {
			names = append(names, name)
		}
	}
	membersOf.Store(t, names)
	return names
}

// ReadForm reads a form. A parameter may stand in it only once (RFC 6749 §3.2).
func ReadForm(r *http.Request) (url.Values, error) {
	body, err := Body(r, "application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	return form(string(body))
}

// ReadQuery reads the query in the same way.
func ReadQuery(r *http.Request) (url.Values, error) { return form(r.URL.RawQuery) }

func form(text string) (url.Values, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, Refuse(http.StatusBadRequest, "invalid_request", "The parameters are not a form: %v.", err)
	}
	for name, all := range values {
		if len(all) > 1 {
			return nil, Refuse(http.StatusBadRequest, "invalid_request", "The parameter %.40q comes %d times.", name, len(all))
		}
		if !Plain(name) || !Plain(all[0]) {
			return nil, Refuse(http.StatusBadRequest, "invalid_request", "A parameter is not UTF-8, or has a NUL in it.")
		}
	}
	return values, nil
}

// Plain says whether a text from outside is UTF-8 without a NUL, which no database
// server takes.
func Plain(text string) bool { return utf8.ValidString(text) && strings.IndexByte(text, 0) < 0 }
