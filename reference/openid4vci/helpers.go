package openid4vci

import (
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/oauth"
	"rollcall.example/rollcall/reference/sdjwt"
	"rollcall.example/rollcall/reference/web"
)

// refused turns what packages keyproof and oauth say into an answer.
func refused(err error) error {
	if r, ok := errors.AsType[*oauth.Refusal](err); ok {
		return web.Refuse(http.StatusBadRequest, r.Code, "%s", r.Reason)
	}
	return err
}

// named gives the refusal of a body that cannot be read the code of its endpoint.
func named(err error, code string) error {
	if e, ok := errors.AsType[*web.Error](err); ok && e.Status == http.StatusBadRequest && e.Code == oauth.InvalidRequest {
		e.Code = code
	}
	return err
}

// accepts says whether a caller names a media type among those that it takes (RFC 9110
// §12.5.1).
func accepts(r *http.Request, kind string) bool {
	for one := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		named, parameters, err := mime.ParseMediaType(one)
		if err != nil || named != kind {
			continue
		}
		weight, said := parameters["q"]
		if q, err := strconv.ParseFloat(weight, 64); !said || err == nil && q > 0 {
			return true
		}
	}
	return false
}

// claims describes the claims of a configuration (Appendix B.2).
func claims(config string) (out []map[string]any) {
	for _, name := range mdoc.ElementNames() {
		path := any([]string{mdoc.Namespace, name})
		if config == SDJWTID {
			p, ok := sdjwt.PathOf(name)
			if !ok {
				continue
			}
			path = p
		}
		out = append(out, map[string]any{"path": path})
	}
	return out
}
