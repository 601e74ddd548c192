package standing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// maxHops is how many redirections of a list are followed (draft-ietf-oauth-status-list-21
// §8.1 lets servers redirect).
const maxHops = 3

// HTTPS fetches lists by GET, over https alone, also where it is sent on. The transport
// decides whose certificates are believed, and about proxies.
func HTTPS(transport http.RoundTripper) Fetch {
	client := &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if r.URL.Scheme != "https" || len(via) > maxHops {
			return fmt.Errorf("it is sent on more than %d times, or not to https", maxHops)
		}
		return nil
	}}
	return func(ctx context.Context, uri string) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Accept", "application/statuslist+jwt")
		a, err := client.Do(r)
		if wrong, ok := errors.AsType[*url.Error](err); ok {
			err = wrong.Err // the rest of it is the URL, which whoever asked knows
		}
		if err != nil {
			return nil, err
		}
		defer a.Body.Close()
		if a.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("it answers %s", a.Status)
		}
		return io.ReadAll(io.LimitReader(a.Body, MaxList+1))
	}
}
