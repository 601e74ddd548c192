package openid4vci

import (
	"errors"
	"net/http"

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
