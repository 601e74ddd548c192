package openid4vci

import (
	"errors"
	"math/rand/v2"
	"net/http"

	"rollcall.example/rollcall/reference/jwe"
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

// encrypt draws what it needs from a fresh seed.
func (i *Issuer) encrypt(to jwe.Recipient, plain []byte) (string, error) {
	seed, err := i.o.Register.Seed()
	if err != nil {
		return "", err
	}
	return to.Encrypt(rand.NewChaCha8(seed), nil, nil, plain)
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
