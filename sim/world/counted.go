package world

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/store"
)

// countedSigner counts signatures made.
type countedSigner struct {
	mdoc.Signer
	n *Counts
}

func (s countedSigner) Sign(digest []byte) ([]byte, error) {
	s.n.Made++
	return s.Signer.Sign(digest)
}

// countedCards counts signatures verified: security object and statement.
type countedCards struct {
	*card.Verifier
	by *Authorities
	n  *Counts
}

func (c countedCards) Verify(e card.Evidence, challenge []byte, at time.Time) (card.Card, error) {
	if err := c.by.fetchList(at); err != nil {
		return card.Card{}, err
	}
	read, err := c.Verifier.Verify(e, challenge, at)
	switch {
	case err == nil, errors.Is(err, card.ErrNotTheChip):
		c.n.Verified += 2
	case errors.Is(err, card.ErrChanged):
		c.n.Verified++
	}
	return read, err
}

// countedStore counts commits.
type countedStore struct {
	store.Store
	n *Counts
}

type contextKey int

const uncounted contextKey = iota // any

// Uncounted is a context whose commits are not counted: for requests from many
// goroutines at once.
func Uncounted(ctx context.Context) context.Context { return context.WithValue(ctx, uncounted, true) }

func (s *countedStore) Update(ctx context.Context, f func(store.Tx) error) error {
	err := s.Store.Update(ctx, f)
	if err == nil && ctx.Value(uncounted) == nil {
		s.n.Commits++
	}
	return err
}

// countedCard counts what a chip does. It is what lies in the field.
type countedCard struct {
	*iccard.Card
	n *Counts
}

const internalAuthenticate = 0x88

func (c countedCard) Transmit(command []byte) []byte {
	answer := c.Card.Transmit(command)
	if answer != nil {
		c.n.APDUs++
		if k := len(answer); len(command) > 1 && command[1] == internalAuthenticate && binary.BigEndian.Uint16(answer[k-2:]) == 0x9000 {
			c.n.Made++
		}
	}
	return answer
}
