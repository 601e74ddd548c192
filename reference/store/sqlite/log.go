package sqlite

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"rollcall.example/rollcall/reference/store"
)

// A logged set is what a write-ahead log holds, up to its last whole commit.
type logged struct {
	pages map[uint32]bool
	count uint32 // pages of the database after that commit; 0: there is none
}

// readLog reads the log of a database as SQLite does when it recovers
// (https://www.sqlite.org/fileformat.html §4): frames count as long as salts and
// check sums are right, and only those up to the last one that ends a commit.
func readLog(path string) (l logged, err error) {
	f, err := os.Open(path)
	if err != nil {
		return l, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	whole := func(b []byte) (bool, error) {
		_, err := io.ReadFull(in, b)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		return err == nil, err
	}
	const magic = 0x377f0682 // and 1 more where check sums are big-endian
	head := make([]byte, 32)
	if ok, err := whole(head); !ok {
		return l, err
	}
	be := binary.BigEndian
	var order binary.ByteOrder = binary.LittleEndian
	switch be.Uint32(head) {
	case magic:
	case magic + 1:
		order = be
	default:
		return l, nil
	}
	size := be.Uint32(head[8:])
	sum := logSum{}.add(order, head[:24])
	if size < 512 || size > 65536 || sum != (logSum{be.Uint32(head[24:]), be.Uint32(head[28:])}) {
		return l, nil
	}
	l.pages = map[uint32]bool{}
	var open []uint32 // pages since the last commit
	frame := make([]byte, 24+size)
	for {
		if ok, err := whole(frame); !ok {
			return l, err
		}
		sum = sum.add(order, frame[:8]).add(order, frame[24:])
		if string(frame[8:16]) != string(head[16:24]) || sum != (logSum{be.Uint32(frame[16:]), be.Uint32(frame[20:])}) {
			return l, nil
		}
		open = append(open, be.Uint32(frame))
		if count := be.Uint32(frame[4:]); count != 0 {
			for _, p := range open {
				l.pages[p] = true
			}
			l.count, open = count, open[:0]
		}
	}
}

// logSum is the running check sum of a log.
type logSum [2]uint32

func (s logSum) add(order binary.ByteOrder, b []byte) logSum {
	for ; len(b) >= 8; b = b[8:] {
		s[0] += order.Uint32(b) + s[1]
		s[1] += order.Uint32(b[4:]) + s[0]
	}
	return s
}

// empty moves the log into the database and cuts it to nothing.
func (db *DB) empty() error {
	db.gate.Lock()
	defer db.gate.Unlock()
	return db.emptyAlone(fileCut)
}

// emptyAlone is empty for who holds the gate, and says what is left of the file.
func (db *DB) emptyAlone(left leftover) error {
	if why := db.broken.Load(); why != nil {
		return *why
	}
	return db.moveLog(left)
}

// A leftover says what is left of the file of a log that was moved into the database.
type leftover string

const (
	// The file keeps its length, and is written from its beginning again. That takes a
	// fifth less processor time for an Update than a file that grows from nothing each
	// time, and on a disk a sync has no length and no blocks to write down.
	fileKept leftover = "RESTART"
	fileCut  leftover = "TRUNCATE"
)

// patience is for how many milliseconds SQLite waits for who else has the register open:
// sqlite3 makes a copy, say.
const patience = 2000

func (db *DB) moveLog(left leftover) error {
	db.commit.Lock()
	defer db.commit.Unlock()
	if db.fenced.Load() {
		return store.ErrFenced
	}
	if left == fileKept { // writers wait, and there is no hurry: nobody else is waited for
		wait := func(ms int) error { return db.writer.exec(fmt.Sprintf("PRAGMA busy_timeout = %d", ms)) }
		if err := wait(0); err != nil {
			return err
		}
		defer func() { _ = wait(patience) }()
	}
	var busy, frames, moved int
	if err := db.writer.ask("PRAGMA wal_checkpoint("+string(left)+")", &busy, &frames, &moved); err != nil {
		return fmt.Errorf("the log cannot be moved into the database: %w", err)
	}
	if busy != 0 {
		return errors.New("the log cannot be emptied: another process has this register open")
	}
	db.acknowledgedLog = 0
	return nil
}

// logLength is how much of the log's file holds commits, in bytes. The file may be
// longer: what follows is of before the log was last moved into the database. SQLite
// keeps that count in the index beside the log
// (https://www.sqlite.org/walformat.html §2.1).
func (db *DB) logLength() (int64, error) {
	var head [48]byte
	if _, err := db.index.ReadAt(head[:], 0); err != nil {
		return 0, err
	}
	is := binary.NativeEndian
	if version, ready := is.Uint32(head[:]), head[12]; version != 3007000 || ready == 0 {
		return 0, fmt.Errorf("%s is of another form (%d): it is not SQLite's", db.index.Name(), version)
	}
	page, frames := int64(is.Uint16(head[14:])), int64(is.Uint32(head[16:]))
	if page == 1 {
		page = 65536
	}
	if frames == 0 {
		return 0, nil
	}
	return 32 + frames*(24+page), nil
}

func fileLength(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
