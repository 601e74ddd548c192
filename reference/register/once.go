package register

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"rollcall.example/rollcall/reference/store"
)

var (
	// ErrNoKey: a request that changes the register needs an idempotency key.
	ErrNoKey = errors.New("the request has no idempotency key, or one longer than 200 bytes: choose a random one and use it again for every repetition")
	// ErrKeyReused: the key came before, with another request.
	ErrKeyReused = errors.New("this idempotency key belongs to another request: choose a new one for a new request")
)

// Request is what every request that changes the register carries. Key is the
// idempotency key: the same key and the same request have the effect of one,
// and get the same answer.
type Request struct {
	By  By
	Key string
}

// Fingerprint condenses a request, so that a key is not used for another one.
func Fingerprint(request any) ([]byte, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	h := sha256.Sum256(b)
	return h[:], nil
}

// Once answers a request exactly once, within Retention. If the key is known, it
// returns the stored answer; otherwise it runs f in a transaction and stores what
// it returns, refusals too, in the same commit. An error of f is not an answer:
// nothing is stored and the request may be repeated. The request is all that was
// asked, the part q included.
func Once[A any](ctx context.Context, r *Register, operation string, q Request, request any, f func(store.Tx, time.Time) (A, error)) (answer A, err error) {
	fingerprint, err := Fingerprint(request)
	if err != nil {
		return answer, err
	}
	return OnceAs(ctx, r, operation, q, fingerprint, f)
}

// OnceAs is Once for who has made the fingerprint already, as for Before.
func OnceAs[A any](ctx context.Context, r *Register, operation string, q Request, fingerprint []byte, f func(store.Tx, time.Time) (A, error)) (answer A, err error) {
	if q.Key == "" || !fits(q.Key) {
		return answer, ErrNoKey
	}
	err = r.Update(ctx, func(tx store.Tx) error {
		var none A // an earlier run may have left an answer
		answer = none
		found, err := stored(tx, operation, q, fingerprint, &answer)
		if found || err != nil {
			return err
		}
		now := r.Now()
		if answer, err = f(tx, now); err != nil {
			return err
		}
		body, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		return tx.PutAnswer(scope(operation, q.By), q.Key, store.Answer{Request: fingerprint, Body: body, At: now})
	})
	if err != nil {
		var none A
		return none, err
	}
	return answer, nil
}

// Before looks for a stored answer without a commit, for requests that are
// costly to work out.
func Before[A any](ctx context.Context, r *Register, operation string, q Request, fingerprint []byte) (answer A, found bool, err error) {
	if q.Key == "" || !fits(q.Key) {
		return answer, false, ErrNoKey
	}
	err = r.View(ctx, func(tx store.Reader) (err error) {
		found, err = stored(tx, operation, q, fingerprint, &answer)
		return err
	})
	return answer, found, err
}

func stored(tx store.Reader, operation string, q Request, fingerprint []byte, answer any) (bool, error) {
	a, err := tx.Answer(scope(operation, q.By), q.Key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if string(a.Request) != string(fingerprint) {
		return false, ErrKeyReused
	}
	return true, json.Unmarshal(a.Body, answer)
}

func scope(operation string, by By) string {
	return operation + " " + by.Role.String() + " " + by.Actor
}

// Retention is how long answers, challenges, offers and nonces are remembered
// at least: a request must not be repeated later than that.
const Retention = 7 * 24 * time.Hour

// lag is how far behind the clock of another replica may be for which a ticket that is
// over here is not.
const lag = 5 * time.Minute

// Forget deletes what is older than Retention, and tickets as soon as they are over, for in
// them stands what verifiers were shown; at most limit records of each kind. It returns
// how many.
func (r *Register) Forget(ctx context.Context, limit int) (n int, err error) {
	err = r.Update(ctx, func(tx store.Tx) (err error) {
		n, err = tx.Forget(r.Now().Add(-Retention), r.Now().Add(-lag), limit)
		return err
	})
	return n, err
}
