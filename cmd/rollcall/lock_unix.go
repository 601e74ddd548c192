//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lockFor keeps other processes away from a file of the register, until this one
// ends, however it does.
func lockFor(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("%w the register %s (several replicas need PostgreSQL: --database postgres://...)", errServed, path)
		}
		return nil, err
	}
	return f, nil
}

// turn waits until no other process is changing a file, and has others wait until it is
// done, which it is when this process ends, too.
func turn(path string) (done func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// private makes what is written from now on this user's alone: registers hold
// personal data, wherever they are kept.
func private() { unix.Umask(0o077) }
