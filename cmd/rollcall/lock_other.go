//go:build !unix

package main

import "os"

// lockFor keeps a file open; on this system it keeps nobody away.
func lockFor(path string) (*os.File, error) {
	return os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
}

// turn keeps a file open; on this system nobody waits for it.
func turn(path string) (done func(), err error) {
	f, err := lockFor(path)
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// private does nothing here: folders say who may read what is in them.
func private() {}
