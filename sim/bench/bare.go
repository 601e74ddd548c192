package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/sqlite"
)

// The bare service answers a presentation's four requests, and an issuance's seven, with
// texts of the same length as the real one's. It does the cryptography to texts that are
// always the same, keeps of each operation as many commits, and reads what was kept. It
// judges nothing: no JSON, no roles, no limits, no log, no metrics. What it takes is the
// least that a service in Go with net/http and this register could take, and says what
// of x-floor is the service's own.

// A bareStep is one request.
type bareStep struct {
	name     string
	asks     int // bytes of the request's body, as emulated wallets send them
	answers  int // and of the answer's, as the service was seen to send them
	verifies int
	signs    int
	keys     bool // makes the answer's key
	opens    bool // agrees on a key, and decrypts
	// A commit, if there is one, notes what the protocols want to be used once (nonces,
	// proofs, a code, a card's challenge), and keeps records of so many bytes.
	notes int
	keeps []int
	reads bool // what the operation has kept so far
}

var (
	barePresenting = []bareStep{
		{name: "ask", asks: 40, answers: 845},
		{name: "request", asks: 64, answers: 3426, signs: 1, keys: true, reads: true},
		{name: "presentation", asks: 4 << 10, answers: 3, verifies: 2, opens: true, notes: 1, keeps: []int{300}},
		{name: "outcome", answers: 175, reads: true},
	}
	bareIssuing = []bareStep{
		{name: "push", asks: 2 << 10, answers: 553, verifies: 3, notes: 2},
		{name: "challenge", asks: 256, answers: 61, keeps: []int{100}},
		{name: "evidence", asks: 4 << 10, answers: 1022, verifies: 2, reads: true},
		{name: "token", asks: 2 << 10, answers: 1202, verifies: 3, notes: 3},
		{name: "nonce", answers: 82},
		{name: "credential", asks: 2 << 10, answers: 9300, verifies: 2, signs: 1, notes: 3, keeps: []int{300, 100, 9300}, reads: true}, // a card, its places, the answer
		{name: "notification", asks: 128, verifies: 1, notes: 1, keeps: []int{300}},
	}
	bareOperations = map[string][]bareStep{"present": barePresenting, "issue": bareIssuing}
)

const bareKind = "bare"

func (s bareStep) commits() bool { return s.notes > 0 || len(s.keeps) > 0 }

// Bare is the bare service, with its register in a file; close ends it.
func Bare(file string, now func() time.Time) (_ http.Handler, close func() error, err error) {
	p, err := newPrimitives()
	if err != nil {
		return nil, nil, err
	}
	db, err := sqlite.Open(file, sqlite.Options{})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	var turn atomic.Int64
	for operation, steps := range bareOperations {
		for _, step := range steps {
			answer := text(step.answers + 16)[:step.answers]
			mux.HandleFunc("POST /bare/"+operation+"/"+step.name+"/{number}", func(w http.ResponseWriter, r *http.Request) {
				number, err := strconv.ParseUint(r.PathValue("number"), 10, 63)
				if err == nil {
					_, err = io.Copy(io.Discard, r.Body)
				}
				if err == nil {
					err = step.do(r.Context(), p, db, int(turn.Add(1)), number, now().Add(time.Minute))
				}
				if err != nil {
					http.Error(w, err.Error(), http.StatusInternalServerError)
					return
				}
				w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
				_, _ = w.Write(answer)
			})
		}
	}
	return mux, db.Close, nil
}

// do is what a request makes the service do. The number is the operation's.
func (s bareStep) do(ctx context.Context, p *primitives, db store.Store, turn int, number uint64, until time.Time) error {
	for i := range s.verifies {
		if err := p.verify(turn + i); err != nil {
			return err
		}
	}
	for range s.signs {
		if err := p.sign(turn); err != nil {
			return err
		}
	}
	if s.keys {
		if err := p.newKey(turn); err != nil {
			return err
		}
	}
	if s.opens {
		if err := errors.Join(p.agree(turn), p.open(nil)); err != nil {
			return err
		}
	}
	key := store.TicketKey(strconv.FormatUint(number, 10))
	if s.reads {
		if err := db.View(ctx, func(r store.Reader) error {
			if _, err := r.Ticket(bareKind, key); !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if !s.commits() {
		return nil
	}
	return db.Update(ctx, func(tx store.Tx) error {
		for i := range s.notes {
			var used [32]byte
			copy(used[:16], s.name)
			binary.BigEndian.PutUint64(used[16:], number)
			binary.BigEndian.PutUint64(used[24:], uint64(i))
			if err := tx.UseNonce(used[:], until); err != nil {
				return err
			}
		}
		for i, n := range s.keeps {
			key := key
			if i > 0 {
				key = store.TicketKey(fmt.Sprint(number, i))
			}
			ticket := store.Ticket{Kind: bareKind, Key: key, Body: text(n + 16)[:n], Expires: until}
			err := tx.AddTicket(ticket)
			if errors.Is(err, store.ErrTaken) { // of a step before
				err = tx.PutTicket(ticket)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// bare is a benchmark of the bare service.
func bare(operation string, callers int) func(*env) (*subject, error) {
	return func(e *env) (*subject, error) {
		s, err := e.nothing()
		if s == nil {
			return nil, err
		}
		steps := bareOperations[operation]
		return &subject{remote: true, cpu: s.CPU, run: func(n int) error {
			from := e.numbers
			e.numbers += n
			return share(n, callers, func(_, i int) error {
				for _, step := range steps {
					if err := s.bare(e.ctx, operation, step, from+i); err != nil {
						return err
					}
				}
				return nil
			})
		}}, nil
	}
}

func (s *Service) bare(ctx context.Context, operation string, step bareStep, number int) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("%s/bare/%s/%s/%d", s.URL, operation, step.name, number), bytes.NewReader(text(step.asks + 16)[:step.asks]))
	if err != nil {
		return err
	}
	res, err := s.Client.Do(q)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || len(answer) != step.answers) {
		err = fmt.Errorf("%s %s: %s, %d bytes: %.200s", operation, step.name, res.Status, len(answer), answer)
	}
	return err
}
