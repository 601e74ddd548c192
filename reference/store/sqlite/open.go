package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// magic begins every SQLite database (https://www.sqlite.org/fileformat.html
// §1.3).
var magic = []byte("SQLite format 3\x00")

// header reads the first 100 bytes of a database file.
func header(f *os.File) (head []byte, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a file: name the register's database file", f.Name())
	}
	head = make([]byte, 100)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, err
	}
	return head[:n], info.Size(), nil
}

// inspect refuses a file that is not ours before SQLite touches it. SQLite must not have
// it open: its locks would go with the file that is closed here.
func inspect(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return alone(path, "is missing")
	}
	if err != nil {
		return err
	}
	defer f.Close()
	head, size, err := header(f)
	switch {
	case err != nil:
		return err
	case size == 0:
		return alone(path, "is empty")
	case !bytes.HasPrefix(head, magic[:min(len(magic), len(head))]):
		return fmt.Errorf("%s is not a register: it is not an SQLite database (name another file, or move this one away)", path)
	case len(head) < 100:
		return cut(path, size, 100)
	}
	// The header of a register whose first commits are still in the log bears
	// no mark yet; migrate judges it from inside.
	if id := binary.BigEndian.Uint32(head[68:]); id != 0 && id != applicationID {
		return fmt.Errorf("%s is not a register: it is the database of another program (application id %#x)", path, id)
	}
	if v := binary.BigEndian.Uint32(head[60:]); v > uint32(len(migrations)) {
		return newer(path, int(v))
	}
	return complete(f)
}

// alone refuses a log whose database is gone: SQLite would delete it.
func alone(path, what string) error {
	log, err := fileLength(path + "-wal")
	if err == nil && log > 0 {
		err = fmt.Errorf("%s %s, but its log %s-wal holds changes (restore both from a copy, or move the log away to begin a new register)", path, what, path)
	}
	return err
}

// complete refuses a file that is shorter than its header says, unless the log
// holds all that is missing: the log may be on its way into the database.
func complete(f *os.File) error {
	path := f.Name()
	head, size, err := header(f)
	if err != nil || size == 0 {
		return err
	}
	if len(head) < 100 {
		return cut(path, size, 100)
	}
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	pages := int64(binary.BigEndian.Uint32(head[28:]))
	// The page count is good only if it was written with the last change.
	if page == 0 || binary.BigEndian.Uint32(head[24:]) != binary.BigEndian.Uint32(head[92:]) || size >= pages*page {
		return nil
	}
	log, err := readLog(path + "-wal")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if log.count != 0 {
		pages = int64(log.count)
	}
	for p := size/page + 1; p <= pages; p++ {
		if !log.pages[uint32(p)] {
			return cut(path, size, pages*page)
		}
	}
	return nil
}

func cut(path string, is, want int64) error {
	return fmt.Errorf("%s has been cut short: it has %d bytes and should have %d (restore it from a copy; together with its -wal file, if there was one)", path, is, want)
}

func newer(path string, version int) error {
	return fmt.Errorf("%s was written by a newer version (schema %d, this one knows %d): open it with that version", path, version, len(migrations))
}

// migrate brings the schema up to date, one version per transaction.
func migrate(c *conn) error {
	var id, version, tables int
	for query, to := range map[string]*int{
		"PRAGMA application_id":              &id,
		"PRAGMA user_version":                &version,
		"SELECT count(*) FROM sqlite_schema": &tables,
	} {
		if err := c.ask(query, to); err != nil {
			return err
		}
	}
	switch {
	case id != applicationID && (id != 0 || tables != 0):
		return errors.New("this is not a register: it is the database of another program")
	case version > len(migrations):
		return newer("the register", version)
	}
	for ; version < len(migrations); version++ {
		if err := c.exec("BEGIN IMMEDIATE;" + migrations[version] +
			fmt.Sprintf(";PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", applicationID, version+1)); err != nil {
			return fmt.Errorf("the schema cannot be brought to version %d: %w", version+1, err)
		}
	}
	return nil
}
