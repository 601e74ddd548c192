package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// What of a text must not stand in a log: whatever is quoted (to the end of the text, if
// the quotation has none, and past a quotation mark in it that %q has marked), long numbers, long
// words without a space as tokens and keys are, addresses of mail, and letters
// beyond ASCII, as names have them.
var personal = regexp.MustCompile(`"(?:[^"\\]|(?s:\\.))*\\?(?:"|$)|\B'[^']*'\B|` + "`[^`]*`" + `|[0-9][0-9-]{3,}[0-9]|[A-Za-z0-9_.+/=~-]{33,}|\S+@\S+|[^\x00-\x7f]+|[\x00-\x1f\x7f]+`)

const maxReason = 600

// scrub is a text as it may stand in a log.
func scrub(text string) string {
	if len(text) > 8*maxReason {
		text = text[:8*maxReason]
	}
	text = personal.ReplaceAllString(text, "…")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return text
}

// method is a request's method; what is not one may be anything.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// write writes down how a request went: which operation, how it ended, and for a
// refusal why. Neither path nor query nor body, nor who called: these are
// personal data, and what was done to whom stands in the audit log.
func (x *exchange) write(log *slog.Logger, took time.Duration) {
	level := slog.LevelInfo
	attributes := []slog.Attr{
		slog.String("id", x.id), slog.String("route", x.name()), slog.String("method", method(x.request)), slog.Int("status", x.status),
		slog.String("role", x.role.String()), slog.Int64("bytes", x.bytes), slog.Float64("ms", float64(took.Microseconds())/1000),
	}
	if x.trace != "" {
		attributes = append(attributes, slog.String("trace", x.trace))
	}
	if e := x.failed; e != nil {
		attributes = append(attributes, slog.String("error", scrub(e.Code)), slog.String("why", scrub(e.Description)))
		if e.Status >= http.StatusInternalServerError && e.Cause != nil {
			attributes = append(attributes, slog.String("cause", scrub(e.Cause.Error())))
			if p, ok := errors.AsType[*panicked](e.Cause); ok {
				attributes = append(attributes, slog.String("at", p.at))
			}
		}
	}
	if x.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	log.LogAttrs(x.request.Context(), level, "request", attributes...)
}
