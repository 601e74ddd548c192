package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	gosync "sync"
	"time"

	"rollcall.example/rollcall/hwemu/wallet"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/openid4vci"
	"rollcall.example/rollcall/reference/parties"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
	"rollcall.example/rollcall/sim/demo"
)

// allowed is how many times the sum of its primitives an operation may cost end to
// end: the primitives are to be at least 0.6 of it.
const allowed = 1 / 0.6

// Primitives, step by step; each counts what cannot be left out, and a certificate
// that was seen before is not verified again.
var (
	// A request is signed, with a key of its own for the answer; the answer is
	// decrypted; the issuer's and the phone's signature are verified.
	presenting = []part{{sign, 1}, {newKey, 1}, {agree, 1}, {gcm, 1}, {verify, 2}}
	// The DPoP proofs of the request and of the notification that follows it, and
	// the key attestation; the card is signed.
	requesting = []part{{verify, 3}, {sign, 1}}
	// PAR and token each with client attestation, its proof and DPoP (3 + 3); the
	// country's signature on the chip's data, and the chip's (2); the credential
	// request (2, and the card's signature); DPoP of the notification (1).
	issuing = []part{{verify, 11}, {sign, 1}}
)

func endToEnd() []benchmark {
	return []benchmark{
		{name: "Service/Present/mdoc", floor: presenting, may: allowed, wire: []part{{request, 4}, {sync, 1}}, make: present(openid4vci.MdocID)},
		{name: "Service/Present/sdjwt", floor: presenting, may: allowed, wire: []part{{request, 4}, {sync, 1}}, make: present(openid4vci.SDJWTID)},
		{name: "Service/Present/callers=16", floor: presenting, may: allowed, wire: []part{{requestMany, 4}, {sync, 1. / 16}}, bare: barePresent, make: presentAtOnce(16)},
		{name: "Service/Issue/mdoc", floor: issuing, may: allowed, wire: []part{{request, 7}, {sync, 5}}, make: issue(openid4vci.MdocID)},
		{name: "Service/Issue/sdjwt", floor: issuing, may: allowed, wire: []part{{request, 7}, {sync, 5}}, make: issue(openid4vci.SDJWTID)},
		{name: "Service/Issue/callers=16", floor: issuing, may: allowed, wire: []part{{requestMany, 7}, {sync, 5. / 16}}, bare: bareIssue, make: issueAtOnce(16)},
		{name: "Service/Credential/mdoc", floor: requesting, may: allowed, wire: []part{{request, 2}, {sync, 2}}, make: credential(openid4vci.MdocID)},
		{name: "Service/Suspend/callers=1", wire: []part{{request, 1}, {sync, 1}}, make: suspend(1)},
		{name: "Service/Suspend/callers=8", wire: []part{{request, 1}, {sync, 1}}, make: suspend(8)},
		{name: "Service/Restart", slow: true, make: restart},
	}
}

// service starts the service that is loaded, once.
func (e *env) service() (*Service, error) {
	if e.s == nil && e.o.Serve != nil {
		s, err := e.o.Serve(e.ctx, filepath.Join(e.o.Dir, "service"))
		if err != nil {
			return nil, err
		}
		e.s = s
		e.atEnd(s.Stop)
	}
	return e.s, nil
}

// holders are the residents whose card has a chip.
func (s *Service) holders() (all []*demo.Resident) {
	for _, r := range s.Town.Residents {
		if r.Chip() {
			all = append(all, r)
		}
	}
	return all
}

// authorise holds a card and a face to the service, for one configuration.
func (e *env) authorise(s *Service, r *demo.Resident, w *wallet.Wallet, config string) (*wallet.Token, error) {
	a, err := w.Apply(e.ctx, s.URL, config)
	if err != nil {
		return nil, fmt.Errorf("applying: %w", err)
	}
	challenge, err := a.Challenge(e.ctx)
	if err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	tap, err := r.Tap(challenge, r.PIN)
	if err != nil {
		return nil, err
	}
	token, err := a.Prove(e.ctx, challenge, tap.Evidence, r.Capture().Bytes())
	if err != nil {
		return nil, fmt.Errorf("proving: %w", err)
	}
	return token, nil
}

// wallets gives some residents a wallet each.
func (e *env) wallets(s *Service, of span, purpose string) (rs []*demo.Resident, ws []*wallet.Wallet, err error) {
	rs = s.holders()[of.from:of.to]
	for _, r := range rs {
		w, err := r.Wallet(s.Client, e.o.Now, chance(fmt.Sprint(purpose, r.ID, e.o.Now().UnixNano())))
		if err != nil {
			return nil, nil, err
		}
		ws = append(ws, w)
	}
	return rs, ws, nil
}

// Residents are shared out, so that no benchmark ends or suspends the cards of
// another, whatever came before and however often it is measured.
var (
	presentMdoc  = span{0, 4}
	presentSDJWT = span{4, 8} // a new card ends the one before
	presentMany  = span{8, 24}
	issued       = span{24, 36}
	suspended    = span{36, 48} // and stay so
	issuedMany   = span{48, 64}
)

// span is some of the residents whose card has a chip.
type span struct{ from, to int }

const copies = 5

// ready gives residents a wallet each, with a card in it.
func (e *env) ready(s *Service, of span, config string) ([]*wallet.Wallet, error) {
	rs, ws, err := e.wallets(s, of, "present "+config)
	if err != nil {
		return nil, err
	}
	for i, r := range rs {
		token, err := e.authorise(s, r, ws[i], config)
		if err != nil {
			return nil, err
		}
		if _, err := token.Issue(e.ctx, config, wallet.Ask{Copies: copies}); err != nil {
			return nil, fmt.Errorf("issuing: %w", err)
		}
	}
	return ws, nil
}

// bearer is a party's access token, renewed before it ends.
func (e *env) bearer(s *Service, party string) func() (string, error) {
	var mu gosync.Mutex
	var token string
	var since time.Time
	return func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if token != "" && e.o.Now().Sub(since) < parties.TokenLife/2 {
			return token, nil
		}
		var err error
		token, err = s.Token(e.ctx, party)
		since = e.o.Now()
		return token, err
	}
}

// kept reads what the register has done from the service's metrics.
func (e *env) kept(s *Service) func() (tally, error) {
	bearer := e.bearer(s, "demo-auditor")
	return func() (t tally, err error) {
		token, err := bearer()
		if err != nil {
			return t, err
		}
		q, err := http.NewRequestWithContext(e.ctx, "GET", s.URL+"/metrics", nil)
		if err != nil {
			return t, err
		}
		q.Header.Set("Authorization", "Bearer "+token)
		res, err := s.Client.Do(q)
		if err != nil {
			return t, err
		}
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), " ")
			switch name {
			case "rollcall_store_commits_total":
				t.commits, err = strconv.ParseFloat(value, 64)
			case "rollcall_store_batches_total":
				t.syncs, err = strconv.ParseFloat(value, 64)
			}
			if err != nil {
				return t, err
			}
		}
		if t.syncs == 0 {
			return t, fmt.Errorf("the metrics say nothing of the register: %s", res.Status)
		}
		return t, nil
	}
}

// share lets so many callers do n operations between them; the first error of each
// ends its own.
func share(n, callers int, do func(caller, i int) error) error {
	var wg gosync.WaitGroup
	errs := make([]error, callers)
	for c := range callers {
		wg.Go(func() {
			for i := c; i < n && errs[c] == nil; i += callers {
				errs[c] = do(c, i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// present is a whole presentation: a shop's backend asks, the wallet fetches the
// request and answers it, the backend reads the verdict.
func present(config string) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		s, err := e.service()
		if s == nil {
			return nil, err
		}
		of := presentMdoc
		if config != openid4vci.MdocID {
			of = presentSDJWT
		}
		ws, err := e.ready(s, of, config)
		if err != nil {
			return nil, err
		}
		bearer := e.bearer(s, "demo-shop")
		i := 0
		return &subject{remote: true, cpu: s.CPU, kept: e.kept(s), run: each(func() error {
			i++
			return s.show(e.ctx, bearer, ws[i%len(ws)])
		})}, nil
	}
}

// presentAtOnce is presentations by so many residents at the same time.
func presentAtOnce(callers int) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		s, err := e.service()
		if s == nil {
			return nil, err
		}
		ws, err := e.ready(s, span{presentMany.from, presentMany.from + callers}, openid4vci.MdocID)
		if err != nil {
			return nil, err
		}
		bearer := e.bearer(s, "demo-shop")
		return &subject{remote: true, cpu: s.CPU, kept: e.kept(s), run: func(n int) error {
			return share(n, callers, func(c, _ int) error { return s.show(e.ctx, bearer, ws[c]) })
		}}, nil
	}
}

// show is a presentation that must be accepted.
func (s *Service) show(ctx context.Context, by func() (string, error), w *wallet.Wallet) error {
	bearer, err := by()
	if err != nil {
		return err
	}
	var begun struct {
		ID      string `json:"transaction"`
		Request string `json:"authorization_request"`
	}
	if err := s.ask(ctx, bearer, "POST", "/vp/transactions", "", map[string]any{"elements": []string{"age_over_19"}}, &begun); err != nil {
		return err
	}
	r, err := w.Open(ctx, begun.Request)
	if err != nil {
		return err
	}
	choices, err := w.Choose(r)
	if err != nil {
		return err
	}
	if _, err := w.Answer(ctx, r, choices); err != nil {
		return err
	}
	var out struct {
		Verdict string `json:"verdict"`
	}
	if err := s.ask(ctx, bearer, "GET", "/vp/transactions/"+begun.ID, "", nil, &out); err != nil {
		return err
	}
	if out.Verdict != "accepted" {
		return fmt.Errorf("a good card is %q", out.Verdict)
	}
	return nil
}

// ask sends JSON in a party's name, and reads JSON.
func (s *Service) ask(ctx context.Context, bearer, method, path, key string, body, out any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	q, err := http.NewRequestWithContext(ctx, method, s.URL+path, sent)
	if err != nil {
		return err
	}
	q.Header.Set("Authorization", "Bearer "+bearer)
	q.Header.Set("Content-Type", "application/json")
	if key != "" {
		q.Header.Set("Idempotency-Key", key)
	}
	res, err := s.Client.Do(q)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, answer)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(answer, out)
	}
	return err
}

// issue is a whole issuance by card and face: PAR, challenge, evidence, token, nonce,
// credential, notification.
func issue(config string) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		s, err := e.service()
		if s == nil {
			return nil, err
		}
		rs, ws, err := e.wallets(s, issued, "issue "+config)
		if err != nil {
			return nil, err
		}
		i := 0
		return &subject{remote: true, cpu: s.CPU, kept: e.kept(s), run: each(func() error {
			i++
			return e.getCard(s, rs[i%len(rs)], ws[i%len(ws)], config)
		})}, nil
	}
}

// issueAtOnce is whole issuances to so many residents at the same time.
func issueAtOnce(callers int) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		s, err := e.service()
		if s == nil {
			return nil, err
		}
		rs, ws, err := e.wallets(s, span{issuedMany.from, issuedMany.from + callers}, "issue at once")
		if err != nil {
			return nil, err
		}
		return &subject{remote: true, cpu: s.CPU, kept: e.kept(s), run: func(n int) error {
			return share(n, callers, func(c, _ int) error { return e.getCard(s, rs[c], ws[c], openid4vci.MdocID) })
		}}, nil
	}
}

// getCard is a whole issuance to a resident.
func (e *env) getCard(s *Service, r *demo.Resident, w *wallet.Wallet, config string) error {
	token, err := e.authorise(s, r, w, config)
	if err != nil {
		return err
	}
	_, err = token.Issue(e.ctx, config, wallet.Ask{Copies: 1})
	return err
}

// credential is the credential request alone, with its notification; all that leads
// to it is done before.
func credential(config string) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		s, err := e.service()
		if s == nil {
			return nil, err
		}
		rs, ws, err := e.wallets(s, issued, "credential "+config)
		if err != nil {
			return nil, err
		}
		var ready []*wallet.Prepared
		i := 0
		return &subject{remote: true, cpu: s.CPU, kept: e.kept(s),
			prepare: func(n int) error {
				ready = ready[:0]
				for range n {
					i++
					token, err := e.authorise(s, rs[i%len(rs)], ws[i%len(ws)], config)
					if err != nil {
						return err
					}
					p, err := token.Prepare(e.ctx, config, wallet.Ask{Copies: 1})
					if err != nil {
						return err
					}
					ready = append(ready, p)
				}
				return nil
			},
			run: func(n int) error {
				for _, p := range ready[:n] {
					if _, err := p.Ask(e.ctx); err != nil {
						return err
					}
				}
				return nil
			}}, nil
	}
}

// suspend is reports of loss by so many operators, each acknowledged when it is
// durable. Whom it is about is suspended after the first: all the others are as much
// to write.
func suspend(callers int) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		s, err := e.service()
		if s == nil {
			return nil, err
		}
		operator := e.bearer(s, "demo-operator")
		rs := s.holders()[suspended.from:suspended.to]
		var mu gosync.Mutex
		var took []time.Duration
		count := 0
		report := func(r *demo.Resident) error {
			mu.Lock()
			count++
			id := fmt.Sprintf("bench %d %d %d", callers, e.o.Now().UnixNano(), count)
			mu.Unlock()
			token, err := operator()
			if err != nil {
				return err
			}
			began := e.o.Now()
			err = s.ask(e.ctx, token, "POST", fmt.Sprintf("/residents/%d/reports", r.ID), id, map[string]string{"cause": lifecycle.PhysicalLost.String(), "why": "measured"}, nil)
			d := e.o.Now().Sub(began)
			mu.Lock()
			took = append(took, d)
			mu.Unlock()
			return err
		}
		return &subject{remote: true, cpu: s.CPU, kept: e.kept(s),
			run: func(n int) error {
				return share(n, callers, func(_, i int) error { return report(rs[i%len(rs)]) })
			},
			figures: func() []figure {
				slices.Sort(took)
				out := make([]figure, 0, 3)
				for _, p := range []struct {
					share float64
					unit  string
				}{{0.5, "p50-ms"}, {0.95, "p95-ms"}, {0.99, "p99-ms"}} {
					if len(took) > 0 {
						out = append(out, figure{float64(took[min(int(p.share*float64(len(took))), len(took)-1)]) / float64(time.Millisecond), p.unit})
					}
				}
				took = took[:0]
				return out
			}}, nil
	}
}

// credentials are so many in the register that is opened again.
const credentials = 1_000_000

// restart starts the service on a register of a million credentials, one in fifty of
// them suspended, until it says that it is ready.
func restart(e *env) (*subject, error) {
	if e.o.Serve == nil {
		return nil, nil
	}
	data := filepath.Join(e.o.Dir, "restart")
	s, err := e.o.Serve(e.ctx, data) // makes keys and lists
	if err != nil {
		return nil, err
	}
	s.Stop()
	if err := fill(e.ctx, filepath.Join(data, "register.db"), e.o.Now()); err != nil {
		return nil, fmt.Errorf("filling the register: %w", err)
	}
	return &subject{remote: true, fixed: 1, run: each(func() error {
		s, err := e.o.Serve(e.ctx, data)
		if err != nil {
			return err
		}
		defer s.Stop()
		res, err := s.Client.Get(s.URL + "/readyz")
		if err != nil {
			return err
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("it is not ready: %s (%v)", res.Status, err)
		}
		return nil
	})}, nil
}

func fill(ctx context.Context, path string, now time.Time) error {
	db, err := sqlite.Open(path, sqlite.Options{})
	if err != nil {
		return err
	}
	const batch = 20_000
	for from := 0; from < credentials && err == nil; from += batch {
		err = db.Update(ctx, func(tx store.Tx) error {
			for i := from; i < from+batch; i++ {
				id := store.PersonID(1_000_000 + i)
				c, err := tx.AddCredential(store.Credential{Person: id, Card: "x", Wallet: "w", Issued: now, Until: now.AddDate(3, 0, 0)})
				if err != nil {
					return err
				}
				state := lifecycle.HasCard | lifecycle.HasCredential
				if i%50 == 0 {
					state |= lifecycle.State(lifecycle.MobileLost)
				}
				if err := tx.PutPerson(store.Person{ID: id, State: state, Card: "x", Credential: c}); err != nil {
					return err
				}
				// Scattered over the list as if drawn.
				if err := tx.AddEntries(0, []uint64{uint64(i) * 2654435761 % (1 << 20)}, c); err != nil && !errors.Is(err, store.ErrTaken) {
					return err
				}
			}
			return nil
		})
	}
	return errors.Join(err, db.Close())
}
