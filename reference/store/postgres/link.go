package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"rollcall.example/rollcall/reference/places"
)

// link is a connection on which statements that need no answer wait for the next
// one that does: they travel together.
type link struct {
	ctx   context.Context
	c     *pgx.Conn
	limit time.Duration // of one journey
	first time.Duration // of the next one, if it may take longer
	queue []statement
	// orders are those of the lists that were met on this connection: a list keeps its
	// own, unless its opening is undone.
	orders map[uint32]places.Order
}

// ordersOf are those of a connection. Another one may lead to another server, which
// has taken over with less than the one before had.
func ordersOf(c *pgx.Conn) map[uint32]places.Order {
	const key = "orders"
	known := c.PgConn().CustomData()
	orders, ok := known[key].(map[uint32]places.Order)
	if !ok {
		orders = map[uint32]places.Order{}
		known[key] = orders
	}
	return orders
}

type statement struct {
	query string
	args  []any
	// read reads the answer; nil: there is none of interest.
	read func(pgx.BatchResults) error
}

// later puts a statement into the queue. Its failure is that of the one with which
// it travels.
func (l *link) later(query string, args ...any) {
	l.queue = append(l.queue, statement{query, args, nil})
}

// reading puts a statement into the queue whose answer is read when it has
// travelled.
func (l *link) reading(read func(pgx.BatchResults) error, query string, args ...any) {
	l.queue = append(l.queue, statement{query, args, read})
}

// drop takes a statement that has not travelled, and those after it, out of the
// queue; false if it has.
func (l *link) drop(query string) bool {
	i := slices.IndexFunc(l.queue, func(s statement) bool { return s.query == query })
	if i >= 0 {
		l.queue = l.queue[:i]
	}
	return i >= 0
}

// row runs a statement that returns one row; pgx.ErrNoRows if there is none.
func (l *link) row(query string, args []any, to ...any) error {
	l.reading(func(r pgx.BatchResults) error { return r.QueryRow().Scan(to...) }, query, args...)
	return l.flush()
}

// rows calls f for every row; f scans, and asks for nothing else.
func (l *link) rows(query string, args []any, f func(pgx.Rows) error) error {
	l.reading(func(r pgx.BatchResults) error {
		rows, err := r.Query()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := f(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	}, query, args...)
	return l.flush()
}

// exec runs a statement and says how many rows it changed.
func (l *link) exec(query string, args ...any) (changed int64, err error) {
	l.reading(func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		changed = tag.RowsAffected()
		return err
	}, query, args...)
	err = l.flush()
	return changed, err
}

// flush sends what waits.
func (l *link) flush() (err error) {
	if len(l.queue) == 0 {
		return nil
	}
	limit := max(l.limit, l.first)
	l.first = 0
	ctx, cancel := context.WithTimeout(l.ctx, limit)
	defer cancel()
	var batch pgx.Batch
	for _, s := range l.queue {
		batch.Queue(s.query, s.args...)
	}
	results := l.c.SendBatch(ctx, &batch)
	for _, s := range l.queue {
		if s.read == nil {
			_, err = results.Exec()
		} else {
			err = s.read(results)
		}
		if err != nil {
			break
		}
	}
	l.queue = l.queue[:0]
	if e := results.Close(); err == nil {
		err = e
	}
	if ctx.Err() != nil && l.ctx.Err() == nil {
		err = fmt.Errorf("the server has not answered for %v: %w", limit, err)
	}
	return err
}

// once runs a statement by itself, without preparing it, and returns its tag.
func (l *link) once(ctx context.Context, query string) (pgconn.CommandTag, error) {
	results, err := l.c.PgConn().Exec(ctx, query).ReadAll()
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	if len(results) == 0 {
		return pgconn.CommandTag{}, errors.New("the server gave no answer")
	}
	last := results[len(results)-1]
	return last.CommandTag, last.Err
}
