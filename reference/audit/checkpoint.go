package audit

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"rollcall.example/rollcall/reference/jws"
	"rollcall.example/rollcall/reference/store"
)

// Checkpoint is a head that was signed at a moment: whoever keeps it can tell later
// whether the log up to there is still the same, and whether its end was cut off.
type Checkpoint struct {
	Head
	At time.Time // whole seconds
}

// maxCheckpoint limits a checkpoint, in bytes.
const maxCheckpoint = 16 << 10

const checkpointType = "audit-checkpoint+jwt"

type checkpointClaims struct {
	Sequence uint64 `json:"sequence"`
	Hash     string `json:"hash"`
	IssuedAt int64  `json:"iat"`
}

// Now is the head of a register as of now. It does not walk the chain.
func Now(ctx context.Context, s store.Store) (head Head, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		last, err := r.AuditHead()
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		head.Sequence = last.Sequence
		copy(head.Hash[:], last.Hash)
		return err
	})
	return head, err
}

// Sign signs the checkpoint as a JWT, with the signer's chain.
func (c Checkpoint) Sign(sign jws.Sign, chain [][]byte) (string, error) {
	return sign.Token(jws.Header{Type: checkpointType, Chain: chain}, checkpointClaims{c.Sequence, hex.EncodeToString(c.Hash[:]), c.At.Unix()})
}

// ParseCheckpoint reads a checkpoint. Signer is the key of a chain that is trusted
// to have signed at that moment.
func ParseCheckpoint(token []byte, signer func(chain [][]byte, at time.Time) (*ecdsa.PublicKey, error)) (c Checkpoint, err error) {
	wrong := func(err error) (Checkpoint, error) { return Checkpoint{}, fmt.Errorf("the checkpoint: %w", err) }
	if len(token) > maxCheckpoint {
		return wrong(fmt.Errorf("it has %d bytes; at most %d are read", len(token), maxCheckpoint))
	}
	t, err := jws.Parse(token)
	if err != nil {
		return wrong(err)
	}
	header, err := t.ReadHeader(checkpointType)
	if err != nil {
		return wrong(err)
	}
	var claims checkpointClaims
	if err := t.Claims(&claims); err != nil {
		return wrong(err)
	}
	hash, err := hex.DecodeString(claims.Hash)
	if err != nil || len(hash) != len(c.Hash) || claims.IssuedAt <= 0 || claims.IssuedAt > 1<<40 {
		return wrong(errors.New("its hash or its time is none"))
	}
	c.Sequence, c.At = claims.Sequence, time.Unix(claims.IssuedAt, 0).UTC()
	copy(c.Hash[:], hash)
	key, err := signer(header.Chain, c.At)
	if err != nil {
		return wrong(err)
	}
	if !t.Verify(key) {
		return wrong(errors.New("its signature is wrong"))
	}
	return c, nil
}
