package loadgen

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/jws"
)

// desk is a party at work: it gets access tokens and asks with them.
type desk struct {
	Party
	crowd *Crowd

	mu    sync.Mutex
	token string
	ends  time.Time
}

// maxAnswer limits what is read of an answer; an audit export may be long.
const maxAnswer, maxExport = 8 << 20, 1 << 30

// access is a token that holds for a while.
func (d *desk) access(ctx context.Context) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.crowd.o.Now()
	if d.token != "" && now.Before(d.ends) {
		return d.token, nil
	}
	id, err := d.crowd.nonce()
	if err != nil {
		return "", err
	}
	assertion, err := jws.With(d.Key).Token(jws.Header{Type: "client-authentication+jwt", KeyID: d.ID}, map[string]any{
		"iss": d.ID, "sub": d.ID, "aud": d.crowd.o.Service + "/parties/token", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": id,
	})
	if err != nil {
		return "", err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, d.crowd.o.Service+"/parties/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var v struct {
		Token string `json:"access_token"`
		Life  int    `json:"expires_in"`
	}
	if err := d.crowd.do(q, &v); err != nil {
		return "", fmt.Errorf("%s gets no access token: %w", d.ID, err)
	}
	d.token, d.ends = v.Token, now.Add(time.Duration(v.Life)*time.Second/2)
	return d.token, nil
}

// ask sends JSON and reads JSON. What refuses is a *wallet.Refused.
func (d *desk) ask(ctx context.Context, method, path string, body any, key string, out any) error {
	for attempt := 0; ; attempt++ {
		token, err := d.access(ctx)
		if err != nil {
			return err
		}
		var text io.Reader
		if body != nil {
			b, err := json.Marshal(body)
			if err != nil {
				return err
			}
			text = bytes.NewReader(b)
		}
		q, err := http.NewRequestWithContext(ctx, method, d.crowd.o.Service+path, text)
		if err != nil {
			return err
		}
		q.Header.Set("Authorization", "Bearer "+token)
		if body != nil {
			q.Header.Set("Content-Type", "application/json")
		}
		if key != "" {
			q.Header.Set("Idempotency-Key", key)
		}
		err = d.crowd.do(q, out)
		if r, ok := errors.AsType[*wallet.Refused](err); ok && r.Status == http.StatusUnauthorized && attempt == 0 {
			d.mu.Lock()
			d.token = ""
			d.mu.Unlock()
			continue
		}
		return err
	}
}

// do sends a request. out is JSON to be read, or a *[]byte.
func (c *Crowd) do(q *http.Request, out any) error {
	res, err := c.o.HTTP.Do(q)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	limit := int64(maxAnswer)
	raw, isRaw := out.(*[]byte)
	if isRaw {
		limit = maxExport
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit))
	if err != nil {
		return err
	}
	if res.StatusCode/100 == 2 {
		switch {
		case isRaw:
			*raw = body
			return nil
		case out == nil:
			return nil
		}
		return json.Unmarshal(body, out)
	}
	refused := &wallet.Refused{Status: res.StatusCode, Code: http.StatusText(res.StatusCode)}
	var problem struct {
		Type        string `json:"type"`
		Detail      string `json:"detail"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &problem) == nil {
		switch {
		case problem.Error != "":
			refused.Code, refused.Description = problem.Error, problem.Description
		case problem.Type != "":
			refused.Code, refused.Description = strings.TrimPrefix(problem.Type, "urn:rollcall:problem:"), problem.Detail
		}
	}
	return refused
}

// nonce is fresh randomness as text.
func (c *Crowd) nonce() (string, error) {
	var b [16]byte
	_, err := io.ReadFull(c.random, b[:])
	return base64.RawURLEncoding.EncodeToString(b[:]), err
}

// shared is randomness for many at a time.
type shared struct {
	mu sync.Mutex
	r  io.Reader
}

func (s *shared) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Read(p)
}

// how an attempt ended.
type ending int

const (
	granted ending = iota
	refused        // a decision
	away           // an answer that decides nothing: shed, out of order
	silent         // no answer
)

// ended says how a request ended, and by which reason it was refused.
func ended(err error) (ending, string) {
	r, ok := errors.AsType[*wallet.Refused](err)
	switch {
	case err == nil || errors.Is(err, wallet.ErrUnusable): // issued, though as no card that is of use
		return granted, ""
	case !ok:
		return silent, ""
	case r.Status == http.StatusTooManyRequests || r.Status >= 500:
		return away, r.Code
	case reasons[r.Description]:
		return refused, r.Description
	}
	return refused, r.Code
}

// reasons are those of the rulebook that a wallet is told as a description.
var reasons = map[string]bool{
	"not-open-yet": true, "too-young": true, "no-plastic-card": true, "card-suspended": true, "person-suspended": true, "wrong-centre": true, "no-longer-resident": true,
	"offer-used": true, "offer-expired": true, "card-not-genuine": true, "pin-not-verified": true, "wallet-reported-lost": true, "face-not-matched": true,
}
