package oauth

import (
	"net/url"
	"strings"
)

// Redirects says whether a redirect URI is one of those that are registered: the scheme,
// the host with its port, and the path are the same, scheme and host in any case, the rest letter by letter (RFC 6749 §3.1.2.3,
// RFC 9700 §2.1); the query is its own, the fragment and a user are none. An empty path is
// "/".
func Redirects(registered []string, text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Fragment != "" {
		return false
	}
	for _, one := range registered {
		r, err := url.Parse(one)
		if err == nil && r.Opaque == u.Opaque && strings.EqualFold(r.Scheme, u.Scheme) && strings.EqualFold(r.Host, u.Host) && path(r) == path(u) {
			return true
		}
	}
	return false
}

func path(u *url.URL) string {
	if u.Host != "" && u.Path == "" {
		return "/"
	}
	return u.EscapedPath()
}
