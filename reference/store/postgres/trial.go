package postgres

import (
	"context"
	"fmt"

	"rollcall.example/rollcall/reference/store"
)

// roomNeeded is how much room is tried for when there was none, in rows of a table of
// one number: a mebibyte, more than a batch of requests takes.
const roomNeeded = 29_000

var (
	takeRoom = fmt.Sprintf(`CREATE TABLE room AS SELECT generate_series(1, %d) AS n`, roomNeeded)
	giveRoom = `DROP TABLE room`
)

// recovered says why the server can still not write, if it could not; nil if it can. It
// tries by a batch as any other, with a table of its own that the same commit drops:
// the tables of the register may have free places in them on a disk without any.
func (db *DB) recovered(ctx context.Context) error {
	if !db.hurt.Load() {
		return nil
	}
	db.trial.Lock()
	defer db.trial.Unlock()
	if !db.hurt.Load() { // whoever came first has found out
		return nil
	}
	return db.Update(ctx, func(s store.Tx) error {
		t := s.(*tx)
		l := t.link
		l.later("SAVEPOINT room")
		l.later(takeRoom)
		_, err := l.exec(giveRoom)
		if code(err) == noPrivilege { // to make tables, which others may have made
			_, err = l.exec("ROLLBACK TO room")
		}
		if err != nil {
			return t.fail(err)
		}
		return nil
	})
}
