package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// migrations lead from one schema version to the next; the table schema_version
// names those that a register has seen. Append only: none is ever undone.
//
// Moments are milliseconds since 1970 UTC; a moment, sequence or number that is
// not there is 0, as in package store. Text is compared by its bytes.
var migrations = []string{
	`
CREATE TABLE person (
	id           bigint PRIMARY KEY,
	rrn          text NOT NULL,
	family_name  text NOT NULL,
	given_name   text NOT NULL,
	birth_date   date NOT NULL,
	sex          smallint NOT NULL,
	address      text NOT NULL,
	municipality text NOT NULL,
	centre       text NOT NULL,
	state        smallint NOT NULL, -- lifecycle.State
	card         text NOT NULL,
	credential   bigint NOT NULL,
	changed      bigint NOT NULL
);
CREATE INDEX person_with_cause ON person (id) WHERE state & 7 <> 0;

CREATE TABLE card (
	number   text COLLATE "C" PRIMARY KEY,
	person   bigint NOT NULL,
	chip     boolean NOT NULL,
	template bytea,
	portrait bytea,
	issued   bigint NOT NULL,
	ended    bigint NOT NULL
);

CREATE TABLE wallet (
	id     text COLLATE "C" NOT NULL,
	person bigint NOT NULL,
	lost   bigint NOT NULL,
	PRIMARY KEY (person, id)
);

CREATE TABLE credential (
	id     bigint PRIMARY KEY,
	person bigint NOT NULL,
	card   text NOT NULL,
	wallet text NOT NULL,
	issued bigint NOT NULL,
	until  bigint NOT NULL,
	ended  bigint NOT NULL
);
CREATE INDEX credential_due ON credential (until, id) WHERE ended = 0;
CREATE INDEX credential_ended ON credential (id) WHERE ended <> 0;

CREATE TABLE list (
	number   bigint PRIMARY KEY,
	size     bigint NOT NULL,
	allotted bigint NOT NULL
);

CREATE TABLE entry (
	list       bigint NOT NULL,
	idx        bigint NOT NULL,
	credential bigint NOT NULL,
	PRIMARY KEY (list, idx)
);
CREATE INDEX entry_of ON entry (credential);

CREATE TABLE offer (
	hash   bytea PRIMARY KEY,
	person bigint NOT NULL,
	centre text NOT NULL,
	clerk  text NOT NULL,
	made   bigint NOT NULL,
	used   bigint NOT NULL
);
CREATE INDEX offer_made ON offer (made);

CREATE TABLE challenge (
	value bytea PRIMARY KEY,
	made  bigint NOT NULL,
	used  bigint NOT NULL
);
CREATE INDEX challenge_made ON challenge (made);

CREATE TABLE nonce (
	hash    bytea PRIMARY KEY,
	expires bigint NOT NULL
);
CREATE INDEX nonce_expires ON nonce (expires);

CREATE TABLE answer (
	scope   text COLLATE "C" NOT NULL,
	key     text COLLATE "C" NOT NULL,
	request bytea NOT NULL,
	body    bytea NOT NULL,
	at      bigint NOT NULL,
	PRIMARY KEY (scope, key)
);
CREATE INDEX answer_at ON answer (at);

CREATE TABLE report (
	sequence bigint PRIMARY KEY,
	person   bigint NOT NULL,
	cause    smallint NOT NULL,
	subject  text COLLATE "C" NOT NULL,
	actor    text NOT NULL,
	at       bigint NOT NULL
);
CREATE INDEX report_on ON report (person, cause, subject, sequence);

CREATE TABLE audit (
	sequence bigint PRIMARY KEY,
	body     bytea NOT NULL,
	hash     bytea NOT NULL
);

CREATE TABLE ticket (
	kind    text COLLATE "C" NOT NULL,
	key     bytea NOT NULL,
	body    bytea NOT NULL,
	expires bigint NOT NULL,
	PRIMARY KEY (kind, key)
);
CREATE INDEX ticket_expires ON ticket (expires);

CREATE TABLE party (
	id    text COLLATE "C" PRIMARY KEY,
	role  text NOT NULL,
	body  bytea NOT NULL,
	ended bigint NOT NULL
);

-- One row for each batch of a replica. It is written by the batch's own
-- transaction, so it is there if and only if that was committed: whoever lost the
-- connection in the middle of a commit looks here.
CREATE TABLE batch (
	replica uuid NOT NULL,
	number  bigint NOT NULL,
	made    timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (replica, number)
);
`,
	`
ALTER TABLE credential ADD COLUMN outdated bigint NOT NULL DEFAULT 0;
CREATE INDEX credential_outdated ON credential (id) WHERE outdated <> 0;
`,
	// A replica of an older version, which does not look into used, fails for want of
	// the table nonce.
	`
ALTER TABLE nonce RENAME TO once;
CREATE TABLE used (
	expires bigint NOT NULL,
	hash    bytea NOT NULL,
	PRIMARY KEY (expires, hash)
);
`,
	// Keys of transactions begin with the moment (store.TicketKeyAt).
	`
UPDATE ticket SET key = decode(lpad(to_hex(expires), 12, '0') || substr(encode(key, 'hex'), 1, 52), 'hex') WHERE kind IN ('openid4vp', 'openid4vp fetched');
`,
	// A row of entry is a run: so many places from one on, in the order of the list's
	// secret (package places). Runs don't overlap: who writes holds the lock and has
	// looked. Without a secret the order is that of the indices, and a row of before is a
	// run of one.
	`
ALTER TABLE list ADD COLUMN secret bytea NOT NULL DEFAULT '';
ALTER TABLE entry RENAME COLUMN idx TO place;
ALTER TABLE entry ADD COLUMN copies bigint NOT NULL DEFAULT 1;
`,
	// Whose a registration number is: apart from person, so that what changes of a
	// resident later writes no page of it. Until then a number could be entered for
	// several: it is the lowest id's, and shared_rrn names the others.
	`
CREATE TABLE rrn (
	number text COLLATE "C" PRIMARY KEY,
	person bigint NOT NULL
);
INSERT INTO rrn SELECT rrn, min(id) FROM person WHERE rrn <> '' GROUP BY rrn;
CREATE TABLE shared_rrn (
	person bigint PRIMARY KEY,
	first  bigint NOT NULL
);
INSERT INTO shared_rrn SELECT p.id, r.person FROM person p JOIN rrn r ON r.number = p.rrn WHERE r.person <> p.id;
`,
	// Who was removed before the state had a bit for it (lifecycle.Removed, 32) is found in
	// the audit log, and gets it unless a card (lifecycle.HasCard, 8) has been issued since.
	// A quotation mark within a text has a backslash before it, so no reason looks like the
	// event. A replica of an older version, which does not know the bit, fails when it would
	// issue a card to them.
	`
UPDATE person SET state = 32 WHERE state & 8 = 0 AND id IN (
	SELECT (convert_from(body, 'UTF8')::json ->> 'person')::bigint FROM audit WHERE position('"event":"person-removed"'::bytea IN body) > 0);
ALTER TABLE person ADD CONSTRAINT removed_holds_nothing CHECK (state & 32 = 0 OR state = 32);
`,
	// What a card's copies are signed anew by. Of a card that was issued before, neither
	// is known: its copies last as long as it.
	`
ALTER TABLE credential ADD COLUMN document text NOT NULL DEFAULT '';
ALTER TABLE credential ADD COLUMN formats text NOT NULL DEFAULT '';
`,
}

// lockClass is the first half of the keys of our advisory locks ("Roll"); the
// second is the number of the schema, so that registers in one database do not
// wait for each other.
const lockClass = 0x526f6c6c

// lock is waited for by everybody who writes: replicas, and whoever changes the
// schema. It is given back with the transaction's end, after the commit is
// visible.
var lock = fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d, current_schema()::regnamespace::oid::int4)`, lockClass)

// migrate brings the schema up to date. Several may try at once: one does it,
// the others wait and find it done.
func migrate(ctx context.Context, c *pgx.Conn) error {
	tx, err := c.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // after a commit there is nothing to undo
	for _, s := range []string{`SET LOCAL statement_timeout = 0`, `SET LOCAL lock_timeout = 0`, lock} {
		if _, err := tx.Exec(ctx, s); err != nil {
			return err
		}
	}
	var ours bool
	var tables int
	if err := tx.QueryRow(ctx, `SELECT count(*), coalesce(bool_or(relname = 'schema_version'), false) FROM pg_class
		WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')`).Scan(&tables, &ours); err != nil {
		return err
	}
	version := 0
	switch {
	case ours:
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`).Scan(&version); err != nil {
			return fmt.Errorf("the table schema_version is not a register's: %w", err)
		}
	case tables > 0:
		return errors.New("this schema holds the tables of another program: make one for the register (CREATE SCHEMA rollcall) and name it in the address (?search_path=rollcall)")
	default:
		if _, err := tx.Exec(ctx, `CREATE TABLE schema_version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`); err != nil {
			return err
		}
	}
	if version > len(migrations) {
		return newer(version)
	}
	for version < len(migrations) {
		if _, err := tx.Conn().PgConn().Exec(ctx, migrations[version]).ReadAll(); err != nil {
			return fmt.Errorf("the schema cannot be brought to version %d: %w", version+1, err)
		}
		version++
		if _, err := tx.Exec(ctx, `INSERT INTO schema_version (version) VALUES ($1)`, version); err != nil {
			return err
		}
	}
	return tx.Commit(ctx)
}

func newer(version int) error {
	return fmt.Errorf("this register was written by a newer version (schema %d, this one knows %d): use that version", version, len(migrations))
}

// known refuses a connection to a register whose schema has moved on since this
// program was started.
func known(ctx context.Context, c *pgx.Conn) error {
	var version int
	if err := c.QueryRow(ctx, `SELECT max(version) FROM schema_version`).Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return newer(version)
	}
	return nil
}
