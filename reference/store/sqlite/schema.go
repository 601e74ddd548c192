package sqlite

// applicationID marks a database file as a Rollcall register ("Roll").
const applicationID = 0x526f6c6c

// migrations lead from one schema version to the next; the version of a file
// (PRAGMA user_version) is the number of those it has seen. Append only.
//
// Moments are milliseconds since 1970 UTC; a moment, sequence or number that is
// not there is 0, as in package store.
var migrations = []string{
	`
CREATE TABLE person (
	id           INTEGER PRIMARY KEY,
	rrn          TEXT NOT NULL,
	family_name  TEXT NOT NULL,
	given_name   TEXT NOT NULL,
	birth_date   TEXT NOT NULL,
	sex          INTEGER NOT NULL,
	address      TEXT NOT NULL,
	municipality TEXT NOT NULL,
	centre       TEXT NOT NULL,
	state        INTEGER NOT NULL, -- lifecycle.State
	card         TEXT NOT NULL,
	credential   INTEGER NOT NULL,
	changed      INTEGER NOT NULL
) STRICT;
CREATE INDEX person_with_cause ON person(id) WHERE state & 7 <> 0;

CREATE TABLE card (
	number   TEXT PRIMARY KEY,
	person   INTEGER NOT NULL,
	chip     INTEGER NOT NULL,
	template BLOB,
	portrait BLOB,
	issued   INTEGER NOT NULL,
	ended    INTEGER NOT NULL
) STRICT;

CREATE TABLE wallet (
	id     TEXT NOT NULL,
	person INTEGER NOT NULL,
	lost   INTEGER NOT NULL,
	PRIMARY KEY (person, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
	id     INTEGER PRIMARY KEY,
	person INTEGER NOT NULL,
	card   TEXT NOT NULL,
	wallet TEXT NOT NULL,
	issued INTEGER NOT NULL,
	until  INTEGER NOT NULL,
	ended  INTEGER NOT NULL
) STRICT;
CREATE INDEX credential_due ON credential(until) WHERE ended = 0;
CREATE INDEX credential_ended ON credential(id) WHERE ended <> 0;

CREATE TABLE list (
	number   INTEGER PRIMARY KEY,
	size     INTEGER NOT NULL,
	allotted INTEGER NOT NULL
) STRICT;

CREATE TABLE entry (
	list       INTEGER NOT NULL,
	idx        INTEGER NOT NULL,
	credential INTEGER NOT NULL,
	PRIMARY KEY (list, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_of ON entry(credential);

CREATE TABLE offer (
	hash   BLOB PRIMARY KEY,
	person INTEGER NOT NULL,
	centre TEXT NOT NULL,
	clerk  TEXT NOT NULL,
	made   INTEGER NOT NULL,
	used   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE challenge (
	value BLOB PRIMARY KEY,
	made  INTEGER NOT NULL,
	used  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX challenge_made ON challenge(made);
CREATE INDEX offer_made ON offer(made);

CREATE TABLE nonce (
	hash    BLOB PRIMARY KEY,
	expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX nonce_expires ON nonce(expires);

CREATE TABLE answer (
	scope   TEXT NOT NULL,
	key     TEXT NOT NULL,
	request BLOB NOT NULL,
	body    BLOB NOT NULL,
	at      INTEGER NOT NULL,
	UNIQUE (scope, key)
) STRICT;
CREATE INDEX answer_at ON answer(at);

CREATE TABLE report (
	sequence INTEGER PRIMARY KEY,
	person   INTEGER NOT NULL,
	cause    INTEGER NOT NULL,
	subject  TEXT NOT NULL,
	actor    TEXT NOT NULL,
	at       INTEGER NOT NULL
) STRICT;
CREATE INDEX report_on ON report(person, cause, subject, sequence);

CREATE TABLE audit (
	sequence INTEGER PRIMARY KEY,
	body     BLOB NOT NULL,
	hash     BLOB NOT NULL
) STRICT;
`,
	`
CREATE TABLE ticket (
	kind    TEXT NOT NULL,
	key     BLOB NOT NULL,
	body    BLOB NOT NULL,
	expires INTEGER NOT NULL,
	PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX ticket_expires ON ticket(expires);

CREATE TABLE party (
	id    TEXT PRIMARY KEY,
	role  TEXT NOT NULL,
	body  BLOB NOT NULL,
	ended INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
	`
ALTER TABLE credential ADD COLUMN outdated INTEGER NOT NULL DEFAULT 0;
CREATE INDEX credential_outdated ON credential(id) WHERE outdated <> 0;
`,
	// Random keys change a page each; those that begin with a moment share one.
	`
ALTER TABLE nonce RENAME TO once;
CREATE TABLE used (
	expires INTEGER NOT NULL,
	hash    BLOB NOT NULL,
	PRIMARY KEY (expires, hash)
) STRICT, WITHOUT ROWID;
`,
	// Bodies lie in the order in which they were written, away from the keys; keys of
	// transactions begin with the moment (store.TicketKeyAt).
	`
CREATE TABLE ticket_apart (
	kind    TEXT NOT NULL,
	key     BLOB NOT NULL,
	body    BLOB NOT NULL,
	expires INTEGER NOT NULL,
	UNIQUE (kind, key)
) STRICT;
INSERT INTO ticket_apart SELECT kind,
	CASE WHEN kind IN ('openid4vp', 'openid4vp fetched') THEN unhex(printf('%012x', expires) || substr(hex(key), 1, 52)) ELSE key END,
	body, expires FROM ticket ORDER BY expires;
DROP TABLE ticket;
ALTER TABLE ticket_apart RENAME TO ticket;
CREATE INDEX ticket_expires ON ticket(expires);
`,
	// A row of entry is a run: so many places from one on, in the order of the list's
	// secret (package places). Runs don't overlap. Without a secret the order is that of
	// the indices, and a row of before is a run of one.
	`
ALTER TABLE list ADD COLUMN secret BLOB NOT NULL DEFAULT x'';
ALTER TABLE entry RENAME COLUMN idx TO place;
ALTER TABLE entry ADD COLUMN copies INTEGER NOT NULL DEFAULT 1;
`,
	// Whose a registration number is: apart from person, so that what changes of a
	// resident later writes no page of it. Until then a number could be entered for
	// several: it is the lowest id's, and shared_rrn names the others.
	`
CREATE TABLE rrn (
	number TEXT PRIMARY KEY,
	person INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO rrn SELECT rrn, min(id) FROM person WHERE rrn <> '' GROUP BY rrn;
CREATE TABLE shared_rrn (
	person INTEGER PRIMARY KEY,
	first  INTEGER NOT NULL
) STRICT;
INSERT INTO shared_rrn SELECT p.id, r.person FROM person p JOIN rrn r ON r.number = p.rrn WHERE r.person <> p.id;
`,
	// Who was removed before the state had a bit for it (lifecycle.Removed, 32) is found in
	// the audit log, and gets it unless a card (lifecycle.HasCard, 8) has been issued since.
	// A quotation mark within a text has a backslash before it, so no reason looks like the
	// event.
	`
UPDATE person SET state = 32 WHERE state & 8 = 0 AND id IN (
	SELECT json_extract(CAST(body AS TEXT), '$.person') FROM audit WHERE instr(body, CAST('"event":"person-removed"' AS BLOB)) > 0);
`,
	// What a card's copies are signed anew by. Of a card that was issued before, neither
	// is known: its copies last as long as it.
	`
ALTER TABLE credential ADD COLUMN document TEXT NOT NULL DEFAULT '';
ALTER TABLE credential ADD COLUMN formats TEXT NOT NULL DEFAULT '';
`,
}
