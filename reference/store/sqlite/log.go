package sqlite

import (
	"bufio"
	"context"
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

// empty moves the log into the database and truncates it.
func (db *DB) empty() error {
	db.gate.Lock()
	defer db.gate.Unlock()
	return db.emptyAlone()
}

// emptyAlone is empty for who holds the gate.
func (db *DB) emptyAlone() error {
	if why := db.broken.Load(); why != nil {
		return *why
	}
	return db.moveLog()
}

func (db *DB) moveLog() error {
	db.commit.Lock()
	defer db.commit.Unlock()
	if db.fenced.Load() {
		return store.ErrFenced
	}
	var busy, frames, moved int
	if err := db.writer.c.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return fmt.Errorf("the log cannot be moved into the database: %w", err)
	}
	if busy != 0 {
		return errors.New("the log cannot be emptied: another process has this register open")
	}
	length, err := fileLength(db.path + "-wal")
	db.acknowledgedLog = length
	return err
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
