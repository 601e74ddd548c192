package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/crl"
	"rollcall.example/rollcall/wholefile"
)

// keptFolder holds, in the data folder, the last lists that were fetched: a service that starts
// while their server is down goes by them. Each is kept by where it came from and by its
// authority, so that a server that answers with another authority's list takes nobody's
// away, and no more are kept than there are URLs and authorities.
const keptFolder = "card-revocations"

// keptEnding is that of a list's file; whatever else lies in the folder is removed.
const keptEnding = ".crl"

func (c *cardLists) keptName(place string, root *x509.Certificate) string {
	return placeName(place) + "-" + card.Authority(root) + keptEnding
}

func placeName(place string) string {
	h := sha256.Sum256([]byte(place))
	return hex.EncodeToString(h[:16])
}

// restore goes by the lists that were kept, as if they were fetched again: by one that is
// no list of an authority, or is older than what is known, it does not. What was kept of
// places that are no longer named is removed, and what a stop has left unfinished.
func (c *cardLists) restore() error {
	all, err := os.ReadDir(c.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	of := map[string]bool{}
	for _, s := range c.sources {
		if s.remote() {
			of[placeName(s.place)] = true
		}
	}
	for _, e := range all {
		path := filepath.Join(c.folder, e.Name())
		place, _, _ := strings.Cut(e.Name(), "-")
		if !of[place] || filepath.Ext(path) != keptEnding {
			err = errors.Join(err, c.disk.Remove(path))
			continue
		}
		list, wrong := readLimited(path)
		if wrong == nil {
			_, wrong = c.verifier.Revoked(list, c.now())
		}
		if wrong != nil && !errors.Is(wrong, crl.ErrOlder) {
			err = errors.Join(err, fmt.Errorf("%s: %w", path, wrong))
		}
	}
	return err
}

// keep keeps the list of a place. Where one as new is kept already, by another replica on
// the same folder, it goes by that one. (Should two write at the same instant and the older
// list stay, whoever has the newer one mends it when it looks again.)
func (c *cardLists) keep(s *listSource) error {
	path := filepath.Join(c.folder, c.keptName(s.place, s.list.Root))
	before, err := readLimited(path)
	if err == nil {
		if bytes.Equal(before, s.der) {
			return nil
		}
		if kept, err := crl.ReadPast(before, []*x509.Certificate{s.list.Root}, c.now()); err == nil && kept.Follows(s.list) {
			s.der, s.list = before, kept
			if _, err := c.verifier.Revoked(before, c.now()); !errors.Is(err, crl.ErrOlder) { // than what another place has given
				return err
			}
			return nil
		}
	}
	if err := os.MkdirAll(c.folder, 0o700); err != nil {
		return err
	}
	return wholefile.Write(c.disk, wholefile.File{Path: path, Data: s.der})
}
