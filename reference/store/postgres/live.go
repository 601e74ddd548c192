package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// liveClass is the first half of the keys of the locks that say which replicas are
// there ("Rolr"); the second is that of lockClass. Everybody may hold one at once, and
// the server takes it back when the session ends, however it ends.
const liveClass = 0x526f6c72

var (
	present = fmt.Sprintf(`SELECT pg_advisory_lock_shared(%d, current_schema()::regnamespace::oid::int4)`, liveClass)
	count   = fmt.Sprintf(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = %d AND objsubid = 2
		AND objid = current_schema()::regnamespace::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, liveClass)
)

// Live counts the handles on this register that have called Live and are not closed,
// in all processes, this one among them. Nothing is written. A handle counts as long
// as its session lasts: one that was lost counts again from its next call.
func (db *DB) Live(ctx context.Context) (n int, err error) {
	db.presence.Lock()
	defer db.presence.Unlock()
	if err := db.usable(); err != nil {
		return 0, err
	}
	for range 2 { // a connection may have been lost since it was used last
		if n, err = db.census(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	return n, plain(err)
}

func (db *DB) census(ctx context.Context) (n int, err error) {
	defer func() {
		if err != nil {
			db.absent(ctx)
		}
	}()
	if lost(db.seat) {
		if db.seat, err = pgx.ConnectConfig(ctx, db.writer.config); err != nil {
			return 0, err
		}
		if _, err = db.seat.Exec(ctx, present); err != nil {
			return 0, err
		}
	}
	err = db.seat.QueryRow(ctx, count).Scan(&n)
	return n, err
}

// absent gives the seat up.
func (db *DB) absent(ctx context.Context) {
	if db.seat != nil {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		_ = db.seat.Close(end) // it is gone either way
		cancel()
	}
	db.seat = nil
}
