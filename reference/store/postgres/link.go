package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// link is a connection on which statements that need no answer wait for the next
// one that does: they travel together.
type link struct {
	ctx   context.Context
	c     *pgx.Conn
	limit time.Duration // of one journey
	queue []statement
}

type statement struct {
	query string
	args  []any
}

// later puts a statement into the queue. Its failure is that of the one with which
// it travels.
func (l *link) later(query string, args ...any) {
	l.queue = append(l.queue, statement{query, args})
}

// flush sends what waits.
func (l *link) flush() error {
	if len(l.queue) == 0 {
		return nil
	}
	return l.journey(func(pgx.BatchResults) error { return nil })
}

// row runs a statement that returns one row; pgx.ErrNoRows if there is none.
func (l *link) row(query string, args []any, to ...any) error {
	l.later(query, args...)
	return l.answered(func(r pgx.BatchResults) error { return r.QueryRow().Scan(to...) })
}

// rows calls f for every row; f scans, and asks for nothing else.
func (l *link) rows(query string, args []any, f func(pgx.Rows) error) error {
	l.later(query, args...)
	return l.answered(func(r pgx.BatchResults) error {
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
	})
}

// exec runs a statement and says how many rows it changed.
func (l *link) exec(query string, args ...any) (changed int64, err error) {
	l.later(query, args...)
	err = l.answered(func(r pgx.BatchResults) error {
		tag, err := r.Exec()
		changed = tag.RowsAffected()
		return err
	})
	return changed, err
}

// answered sends the queue, whose last statement is read by f.
func (l *link) answered(f func(pgx.BatchResults) error) error {
	return l.journey(f)
}

func (l *link) journey(last func(pgx.BatchResults) error) (err error) {
	ctx, cancel := context.WithTimeout(l.ctx, l.limit)
	defer cancel()
	var batch pgx.Batch
	for _, s := range l.queue {
		batch.Queue(s.query, s.args...)
	}
	n := len(l.queue)
	l.queue = l.queue[:0]
	results := l.c.SendBatch(ctx, &batch)
	for range n - 1 {
		if _, err = results.Exec(); err != nil {
			break
		}
	}
	if err == nil {
		err = last(results)
	}
	if e := results.Close(); err == nil {
		err = e
	}
	if ctx.Err() != nil && l.ctx.Err() == nil {
		err = fmt.Errorf("the server has not answered for %v: %w", l.limit, err)
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
