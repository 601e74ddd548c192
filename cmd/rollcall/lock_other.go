//go:build !unix

package main

import "os"

// lockFor keeps a file open; on this system it keeps nobody away.
func lockFor(path string) (*os.File, error) {
	return os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
}

// private does nothing here: folders say who may read what is in them.
func private() {}
