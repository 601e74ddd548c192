// Package wholefile writes files that are there whole or not at all: whoever looks, and
// whenever the machine stops, finds the old file or the new one, never a part of it.
//
// A file is written and synced under another name in its folder, and gets its own name
// at the end (rename and link of POSIX.1-2017 are atomic). Keys, results and kept lists
// are written so; logs and databases, which grow, are not.
//
// The package may not know what stands in the files, and rests on nothing of ours, so
// that everybody may rest on it.
package wholefile

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// File is a file to write. What its zero values mean is right for secrets.
type File struct {
	Path string
	Data []byte
	// Mode is what it may be read by, whatever the process's umask; 0 is 0600: this user alone.
	Mode fs.FileMode
	// New leaves what is there under this name, and fails with fs.ErrExist. Otherwise it is replaced.
	New bool
}

// Disk is where files are written: OS, or one that fails in a test.
type Disk interface {
	// Create makes a file with mode 0600 under a name that nobody has, as os.CreateTemp does.
	Create(folder, pattern string) (Unnamed, error)
	Rename(from, to string) error // replaces what is there
	Link(from, to string) error   // fs.ErrExist if something is there
	Remove(name string) error
	// Sync makes the names in a folder last.
	Sync(folder string) error
}

// Unnamed is a file that does not have its own name yet.
type Unnamed interface {
	io.WriteCloser
	Chmod(fs.FileMode) error
	Sync() error
	Name() string
}

// Error says which file could not be written. Files that came before it in the same
// Write may have got their names, none after it has.
type Error struct {
	Path string
	Err  error
}

func (e *Error) Error() string { return e.Path + " cannot be written: " + e.Err.Error() }

// Unwrap is what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// Write writes files to a disk. They get their names in the order in which they are given, and
// none does before all are complete: the last one tells that the others are there. When it returns
// nil, they outlast a loss of power; when it fails, nothing unfinished is left. The error is an *Error.
func Write(to Disk, files ...File) (err error) {
	var unnamed []string
	defer func() {
		for _, name := range unnamed {
			_ = to.Remove(name) // one that was renamed is gone
		}
	}()
	for _, f := range files {
		name, err := write(to, f)
		if name != "" {
			unnamed = append(unnamed, name)
		}
		if err != nil {
			return &Error{f.Path, err}
		}
	}
	for i, f := range files {
		name := to.Rename
		if f.New {
			name = to.Link
		}
		if err := name(unnamed[i], f.Path); err != nil {
			return &Error{f.Path, err}
		}
	}
	for i, f := range files {
		folder := filepath.Dir(f.Path)
		if i > 0 && folder == filepath.Dir(files[i-1].Path) {
			continue
		}
		if err := to.Sync(folder); err != nil {
			return &Error{f.Path, err}
		}
	}
	return nil
}

// write writes one file under another name.
func write(to Disk, f File) (name string, err error) {
	u, err := to.Create(filepath.Dir(f.Path), "."+filepath.Base(f.Path)+".*")
	if err != nil {
		return "", err
	}
	_, err = u.Write(f.Data)
	if err == nil {
		err = u.Chmod(cmp.Or(f.Mode, 0o600))
	}
	if err == nil {
		err = u.Sync()
	}
	return u.Name(), errors.Join(err, u.Close())
}

// OS is the operating system's disk.
var OS Disk = system{}

type system struct{}

func (system) Create(folder, pattern string) (Unnamed, error) { return os.CreateTemp(folder, pattern) }
func (system) Rename(from, to string) error                   { return os.Rename(from, to) }
func (system) Link(from, to string) error                     { return os.Link(from, to) }
func (system) Remove(name string) error                       { return os.Remove(name) }

func (system) Sync(folder string) error {
	if runtime.GOOS == "windows" { // which syncs no folders
		return nil
	}
	d, err := os.Open(folder)
	if errors.Is(err, fs.ErrPermission) { // one may write into it and not read it
		return nil
	}
	if err != nil {
		return err
	}
	if err = d.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) { // some file systems sync no folders either
		err = nil
	}
	return errors.Join(err, d.Close())
}
