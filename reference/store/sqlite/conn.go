package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	sqlite3 "modernc.org/sqlite"

	"rollcall.example/rollcall/reference/places"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/store/internal/row"
)

// conn is one connection with its prepared statements. One goroutine uses it at a time.
//
// It is a connection of SQLite's driver itself: database/sql in between keeps a pool,
// which is not needed here, and takes two fifths of a read for its locks and for
// conversions of any value to any.
type conn struct {
	c          driver.Conn
	statements map[string]*statement
	// orders are those of the lists that were met: a list keeps its own, unless its
	// opening is undone.
	orders map[uint32]places.Order
}

// connect opens a connection as the driver's Open describes it.
func connect(name string) (*conn, error) {
	connector, err := sqlite3.NewConnector(name)
	if err != nil {
		return nil, err
	}
	c, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	return &conn{c, map[string]*statement{}, map[uint32]places.Order{}}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.statements {
		errs = append(errs, s.Close())
	}
	clear(c.statements)
	return errors.Join(append(errs, c.c.Close())...)
}

// undo rolls back what may have opened a list.
func (c *conn) undo(query string) error {
	clear(c.orders)
	return c.control(query)
}

// control runs a statement without arguments that is run again and again.
func (c *conn) control(query string) error {
	s, err := c.prepare(query)
	if err == nil {
		_, err = s.run(nil)
	}
	return err
}

// exec runs a script.
func (c *conn) exec(query string) error {
	_, err := c.c.(driver.ExecerContext).ExecContext(context.Background(), query, nil)
	return err
}

// ask scans the only row of a query that is seldom asked.
func (c *conn) ask(query string, to ...any) error {
	s, err := prepare(c.c, query)
	if err != nil {
		return err
	}
	return errors.Join(s.row(nil, to), s.Close())
}

// prepare returns the connection's statement of a query.
func (c *conn) prepare(query string) (*statement, error) {
	if s := c.statements[query]; s != nil {
		return s, nil
	}
	s, err := prepare(c.c, query)
	if err == nil {
		c.statements[query] = s
	}
	return s, err
}

// statement is a prepared statement, with room for what goes in and comes out.
type statement struct {
	driver.Stmt
	in  []driver.NamedValue
	out []driver.Value
	// reading: rows are under way. Asked again meanwhile it would begin anew.
	reading bool
}

func prepare(c driver.Conn, query string) (*statement, error) {
	s, err := c.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	return &statement{Stmt: s}, nil
}

var errReading = errors.New("a query is asked while its rows are still read")

// bind are the arguments as the driver takes them.
func (s *statement) bind(args []any) ([]driver.NamedValue, error) {
	if s.reading {
		return nil, errReading
	}
	s.in = s.in[:0]
	for i, a := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		s.in = append(s.in, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s.in, nil
}

// run returns how many rows the statement changed.
func (s *statement) run(args []any) (changed int64, err error) {
	in, err := s.bind(args)
	if err != nil {
		return 0, err
	}
	r, err := s.Stmt.(driver.StmtExecContext).ExecContext(context.Background(), in)
	clear(in)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// query begins to read rows; whoever calls it ends that with done.
func (s *statement) query(args []any) (driver.Rows, error) {
	in, err := s.bind(args)
	if err != nil {
		return nil, err
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(context.Background(), in)
	clear(in)
	if err != nil {
		return nil, err
	}
	if n := len(rows.Columns()); len(s.out) != n {
		s.out = make([]driver.Value, n)
	}
	s.reading = true
	return rows, nil
}

// done ends the reading of rows, which failed if err is not nil.
func (s *statement) done(rows driver.Rows, err error) error {
	s.reading = false
	clear(s.out)
	if e := rows.Close(); err == nil {
		err = e
	}
	return err
}

// row scans the first row, and returns store.ErrNotFound if there is none.
func (s *statement) row(args, to []any) error {
	rows, err := s.query(args)
	if err != nil {
		return err
	}
	if err = rows.Next(s.out); err == io.EOF {
		err = store.ErrNotFound
	}
	if err == nil {
		err = s.scan(to...)
	}
	return s.done(rows, err)
}

// each calls f for every row; f scans.
func (s *statement) each(args []any, f func(row.Scan) error) error {
	rows, err := s.query(args)
	if err != nil {
		return err
	}
	defer func() { // also when f panics
		if s.reading {
			_ = s.done(rows, nil)
		}
	}()
	for {
		if err = rows.Next(s.out); err == nil {
			err = f(s.scan)
		} else if err == io.EOF {
			return s.done(rows, nil)
		}
		if err != nil {
			return s.done(rows, err)
		}
	}
}

// scan stores the row at hand. Texts and bytes are the caller's.
func (s *statement) scan(to ...any) error {
	if len(to) != len(s.out) {
		return fmt.Errorf("%d columns are scanned into %d places", len(s.out), len(to))
	}
	for i, v := range s.out {
		if err := assign(to[i], v); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

// assign stores what SQLite keeps (https://www.sqlite.org/datatype3.html §2) behind a
// pointer to an integer, a bool, a text, bytes, or a day (a text). NULL is for bytes alone.
func assign(to any, v driver.Value) error {
	switch v := v.(type) {
	case int64:
		return assignInteger(to, v)
	case string:
		switch to := to.(type) {
		case *string:
			*to = v
			return nil
		case *[]byte:
			*to = []byte(v)
			return nil
		case *time.Time:
			day, err := time.Parse(time.DateOnly, v)
			if err == nil {
				*to = day
			}
			return err
		}
		if to := reflect.ValueOf(to).Elem(); to.Kind() == reflect.String {
			to.SetString(v)
			return nil
		}
	case []byte:
		switch to := to.(type) {
		case *[]byte:
			*to = v
			return nil
		case *string:
			*to = string(v)
			return nil
		}
	case nil:
		if to, ok := to.(*[]byte); ok {
			*to = nil
			return nil
		}
	}
	return fmt.Errorf("%T does not fit %T", v, to)
}

func assignInteger(to any, v int64) error {
	switch to := to.(type) {
	case *int64:
		*to = v
		return nil
	case *bool:
		if v == 0 || v == 1 {
			*to = v == 1
			return nil
		}
	default:
		switch to := reflect.ValueOf(to).Elem(); {
		case to.CanInt() && !to.OverflowInt(v):
			to.SetInt(v)
			return nil
		case to.CanUint() && v >= 0 && !to.OverflowUint(uint64(v)):
			to.SetUint(uint64(v))
			return nil
		}
	}
	return fmt.Errorf("%d does not fit %T", v, to)
}
