package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"rollcall.example/rollcall/reference/store"
)

// Options adjust a handle. The zero value is right for a service.
type Options struct {
	Readers  int // concurrent Views; default 8
	MaxBatch int // Updates that share a commit at most; default 60
	// Statement limits one statement; default 5 s.
	Statement time.Duration
	// Wait limits how long a batch waits for those of other replicas; default 5 s.
	Wait time.Duration
	// Commit limits a commit, and then how long it is asked what became of it;
	// default 10 s each.
	Commit time.Duration
	// Dial makes the connections; default: TCP or a Unix socket.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// MaxBatch stays below the 64 subtransactions that PostgreSQL keeps in shared
// memory for each session: beyond, every other session has to look them up.
const maxBatch = 60

func (o *Options) defaults() {
	if o.Readers <= 0 {
		o.Readers = 8
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = maxBatch
	}
	if o.Statement <= 0 {
		o.Statement = 5 * time.Second
	}
	if o.Wait <= 0 {
		o.Wait = 5 * time.Second
	}
	if o.Commit <= 0 {
		o.Commit = 10 * time.Second
	}
}

// grace is what a statement may take longer than the server allows it before the
// server is taken for dead.
const grace = time.Second

// configure reads the address and sets what every connection needs.
func configure(address string, o Options) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("this is not the address of a PostgreSQL database (postgres://user@host/database): %w", err)
	}
	c.MaxConns = int32(o.Readers)
	conn := c.ConnConfig
	if o.Dial != nil {
		conn.DialFunc = o.Dial
	}
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = 5 * time.Second
	}
	parameters := conn.RuntimeParams
	if parameters["application_name"] == "" {
		parameters["application_name"] = "rollcall"
	}
	parameters["statement_timeout"] = millisecondsOf(o.Statement)
	parameters["lock_timeout"] = millisecondsOf(o.Wait)
	// An export may be slow to be fetched between two pages.
	parameters["idle_in_transaction_session_timeout"] = millisecondsOf(10 * time.Minute)
	conn.ValidateConnect = promising
	c.AfterConnect = known
	return c, nil
}

func millisecondsOf(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// promising refuses a server that does not keep what the register promises. With
// several hosts in the address the next one is tried.
func promising(ctx context.Context, c *pgconn.PgConn) error {
	results, err := c.Exec(ctx, `
		-- remote_apply promises more than on, everything else less
		SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') <> 'remote_apply';
		SELECT current_setting('transaction_read_only'), current_setting('fsync'), current_setting('synchronous_commit'),
			current_setting('server_encoding'), current_setting('server_version_num'), coalesce(current_schema(), '')`).ReadAll()
	if err != nil {
		return err
	}
	var is [6]string
	for i, v := range results[len(results)-1].Rows[0] {
		is[i] = string(v)
	}
	standby, fsync, synchronous, encoding, version, schema := is[0], is[1], is[2], is[3], is[4], is[5]
	number, _ := strconv.Atoi(version)
	switch {
	case standby != "off":
		return errors.New("this server is a standby or read-only: name the primary (or several hosts, the primary among them)")
	case fsync != "on":
		return errors.New("this server runs with fsync = off and loses what it acknowledged when the machine fails: set fsync = on")
	case synchronous != "on" && synchronous != "remote_apply":
		return fmt.Errorf("synchronous_commit is %q on this connection and cannot be set: the server must wait until a commit is on disk", synchronous)
	case encoding != "UTF8":
		return fmt.Errorf("the database keeps text as %s: make it with ENCODING 'UTF8'", encoding)
	case number < 150000:
		return fmt.Errorf("this server is PostgreSQL %d: 15 or later is needed", number/10000)
	case schema == "":
		return errors.New("the first schema of search_path does not exist or may not be used: CREATE SCHEMA, or name another one in the address (?search_path=...)")
	}
	return nil
}

// code is the SQLSTATE of a server's error (PostgreSQL manual, appendix A); "" for
// errors of others.
func code(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// SQLSTATEs that we act upon.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	diskFull             = "53100"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
	readOnly             = "25006" // it has become a standby
	idleTooLong          = "25P03"
	noPrivilege          = "42501"
)

// troubles are the classes of SQLSTATEs that tell of the server's state, and not of
// what it was asked: connections, transactions undone, resources, interventions.
var troubles = []string{"08", "40", "53", "57"}

// hurt says whether a write failed for want of what the server needs for every one
// (class 53: room, memory, connections), or because it is going or coming (57P0x).
func hurt(err error) bool {
	c := code(err)
	return strings.HasPrefix(c, "53") || strings.HasPrefix(c, "57P0")
}

// lost says whether the connection is of no use any more.
func lost(c *pgx.Conn) bool { return c == nil || c.IsClosed() }

// undone says whether the server gave up the transaction for no fault of ours.
func undone(err error) bool {
	c := code(err)
	return c == serializationFailure || c == deadlockDetected
}

// plain names the errors that a caller can act upon. What it is given means that
// nothing was written.
func plain(err error) error {
	var scan pgx.ScanArgError
	for _, known := range []error{store.ErrUnavailable, store.ErrFull, store.ErrFenced, store.ErrUnknown} {
		if errors.Is(err, known) {
			return err
		}
	}
	if err == nil || errors.As(err, &scan) {
		return err
	}
	switch c := code(err); {
	case c == diskFull:
		return fmt.Errorf("%w (%w)", store.ErrFull, err)
	case c == lockNotAvailable:
		return fmt.Errorf("%w (another replica, or somebody who works on the tables, keeps them locked: %w)", store.ErrUnavailable, err)
	case c == queryCanceled:
		return fmt.Errorf("%w (a statement was cancelled or took too long: %w)", store.ErrUnavailable, err)
	case c == "" || slices.Contains(troubles, c[:2]) || c == readOnly || c == idleTooLong:
		return fmt.Errorf("%w (%w)", store.ErrUnavailable, err)
	}
	return err
}
