// Package publication is where verifiers fetch status lists over HTTP
// (draft-ietf-oauth-status-list-21 §8, §9): as JWT or CWT by Accept, with an ETag,
// and a document that names all lists.
//
// What is served was signed by suspension.Publisher at the last publication. It is
// kept in memory, because it can be made again from the register at any time: two
// replicas may serve lists of different moments, each of which says which. A cache
// on the way may keep a list until the next publication is due and no longer, so that
// a verifier that keeps it for its ttl is within interval + ttl (S4).
//
// The package may not know what a status means, nor who asks.
package publication

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/web"
)

// Media types of the two forms (draft §8.1).
const (
	JWT = "application/statuslist+jwt"
	CWT = "application/statuslist+cwt"
)

// Options are what is needed to publish.
type Options struct {
	Publisher *suspension.Publisher
	Now       func() time.Time
	Interval  time.Duration // between two publications
}

// Lists are the status lists as they are served.
type Lists struct {
	o Options

	mu        sync.RWMutex
	current   []suspension.Published
	published time.Time // of the last publication
}

// New returns lists that are not published yet.
func New(o Options) (*Lists, error) {
	if o.Publisher == nil || o.Now == nil || o.Interval < time.Second {
		return nil, errors.New("publishing status lists needs a publisher, a clock, and an interval of at least a second")
	}
	return &Lists{o: o}, nil
}

// Publish makes what is served what the register says now.
func (l *Lists) Publish(ctx context.Context) error {
	began := l.o.Now()
	all, _, err := l.o.Publisher.Publish(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current, l.published = all, began
	return nil
}

// Sequence is the number of the register's change up to which the lists are true.
func (l *Lists) Sequence() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if len(l.current) == 0 {
		return 0
	}
	return l.current[0].RegisterSeq
}

// late is how many intervals may pass without a publication.
const late = 3

// Ready says why the lists must not be served: nothing was published, or not for
// some time.
func (l *Lists) Ready() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.published.IsZero() {
		return errors.New("no status list has been published yet")
	}
	if age := l.o.Now().Sub(l.published); age > late*l.o.Interval {
		return fmt.Errorf("the status lists are of %v ago; they are published every %v", age.Round(time.Second), l.o.Interval)
	}
	return nil
}

// List answers with a list, by its number in the path. With a time in the query it
// answers with the list as it stood then, to those whom the route lets ask.
func (l *Lists) List(w http.ResponseWriter, r *http.Request) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	form, err := accepted(r)
	if err != nil {
		return err
	}
	query, err := web.ReadQuery(r) // one that cannot be read may ask for the past
	if err != nil {
		return err
	}
	if query.Has("time") {
		return web.Refuse(http.StatusNotImplemented, "not-implemented", "Lists of the past are not served here.")
	}
	l.mu.RLock()
	var list suspension.Published
	// Whoever keeps it on the way keeps it until the next publication is due.
	left := max(0, l.o.Interval-l.o.Now().Sub(l.published))
	found := uint64(n) < uint64(len(l.current))
	if found {
		list = l.current[n]
	}
	l.mu.RUnlock()
	if !found {
		if err := l.Ready(); err != nil {
			return web.Refuse(http.StatusServiceUnavailable, "not-ready", "The status lists are not published yet.").With("Retry-After", "1").Because(err)
		}
		return unknown()
	}
	w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", left/time.Second))
	serve(w, r, form, list)
	return nil
}

// latest is the last second that can be asked for, at the end of the year 9999.
const latest = 253402300799

// number is the number of the list in the path. It is written in one way only.
func number(r *http.Request) (uint32, error) {
	text := r.PathValue("list")
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, unknown()
	}
	return uint32(n), nil
}

// Past answers with a list as it stood at the time in the query (draft §8.4).
func (l *Lists) Past(w http.ResponseWriter, r *http.Request) error {
	n, err := number(r)
	if err != nil {
		return err
	}
	form, err := accepted(r)
	if err != nil {
		return err
	}
	query, err := web.ReadQuery(r)
	if err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(query.Get("time"), 10, 64)
	if err != nil || seconds < 0 || seconds > latest {
		return web.Refuse(http.StatusBadRequest, "bad-time", "The time is a number of seconds since 1970.")
	}
	list, err := l.o.Publisher.At(r.Context(), n, time.Unix(seconds, 0))
	if errors.Is(err, suspension.ErrNoList) {
		return web.Refuse(http.StatusNotFound, "no-such-list", "There was no such status list at that time.")
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "private, no-store")
	serve(w, r, form, list)
	return nil
}

func unknown() error {
	return web.Refuse(http.StatusNotFound, "no-such-list", "There is no such status list.")
}

func serve(w http.ResponseWriter, r *http.Request, form string, list suspension.Published) {
	token := list.JWT
	if form == CWT {
		token = list.CWT
	}
	hash := sha256.Sum256(token)
	tag := `"` + base64.RawURLEncoding.EncodeToString(hash[:18]) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Vary", "Accept")
	h.Set("Access-Control-Allow-Origin", "*") // draft §8.1: lists are public, and read by pages too
	for _, known := range strings.Split(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		if known = strings.TrimPrefix(strings.TrimSpace(known), "W/"); known == tag || known == "*" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", form)
	h.Set("Last-Modified", list.IssuedAt.UTC().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.Itoa(len(token)))
	_, _ = w.Write(token)
}

// accepted is the form that the caller wants most; JWT where they do not say. What stands
// in Accept about a form by its name counts before what stands there about all (RFC 9110
// §12.5.1).
func accepted(r *http.Request) (string, error) {
	text := strings.Join(r.Header.Values("Accept"), ",")
	if text == "" {
		return JWT, nil
	}
	weights := map[string]float64{} // by media range
	for _, part := range strings.Split(text, ",") {
		media, rest, _ := strings.Cut(part, ";")
		weight := 1.0
		for _, p := range strings.Split(rest, ";") {
			if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "q="); ok {
				w, err := strconv.ParseFloat(q, 64)
				if err != nil || !(w >= 0 && w <= 1) {
					w = 0
				}
				weight = w
			}
		}
		media = strings.ToLower(strings.TrimSpace(media))
		weights[media] = max(weights[media], weight)
	}
	best, form := 0.0, ""
	for _, own := range []string{JWT, CWT} {
		for _, media := range []string{own, "application/*", "*/*"} {
			if weight, said := weights[media]; said {
				if weight > best {
					best, form = weight, own
				}
				break
			}
		}
	}
	if form == "" {
		return "", web.Refuse(http.StatusNotAcceptable, "not-acceptable", "Status lists come as %s or %s.", JWT, CWT)
	}
	return form, nil
}

// All names all lists (draft §9.3).
func (l *Lists) All(w http.ResponseWriter, r *http.Request) error {
	if err := l.Ready(); err != nil {
		return web.Refuse(http.StatusServiceUnavailable, "not-ready", "The status lists are not published.").With("Retry-After", "1").Because(err)
	}
	l.mu.RLock()
	out := struct {
		Lists []string `json:"status_lists"`
	}{make([]string, len(l.current))}
	for i, list := range l.current {
		out.Lists[i] = list.URI
	}
	l.mu.RUnlock()
	w.Header().Set("Access-Control-Allow-Origin", "*")
	web.JSON(w, http.StatusOK, out)
	return nil
}
