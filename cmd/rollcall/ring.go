package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/reference/seal"
	"rollcall.example/rollcall/wholefile"
)

// lock is what the keys are locked with.
func (c configuration) lock() (keys.Lock, error) {
	l := keys.Lock{Passphrase: c.text("passphrase"), KeyFile: filepath.Join(c.text("data"), lockFile)}
	if file := c.text("passphrase-file"); file != "" {
		if l.Passphrase != "" {
			return l, errors.New("give passphrase or passphrase-file, not both")
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return l, fmt.Errorf("passphrase-file: %w", err)
		}
		line, _, _ := strings.Cut(string(b), "\n")
		if l.Passphrase = strings.TrimSuffix(line, "\r"); l.Passphrase == "" {
			return l, fmt.Errorf("passphrase-file: the first line of %s is empty", file)
		}
	}
	return l, nil
}

// openKeys reads the keys, or founds the service's authorities and makes them.
func (s *running) openKeys(host string) error {
	path := filepath.Join(s.data, keysFile)
	lock, err := s.c.lock()
	if err != nil {
		return err
	}
	m := keys.Maker{Random: chance, URL: s.url, Hosts: hosts(host, s.c.text("listen"))}
	done, err := turn(path) // the server's certificate may have to be renewed
	if err != nil {
		return err
	}
	defer done()
	all, err := keys.Read(path, lock)
	if errors.Is(err, fs.ErrNotExist) {
		if _, exists := os.Stat(path); !errors.Is(exists, fs.ErrNotExist) {
			return fmt.Errorf("the key file is missing with which the keys are locked: %w", err)
		}
		if all, err = m.Found(time.Now()); err == nil {
			err = keys.Write(path, lock, all, chance, true)
		}
		if errors.Is(err, fs.ErrExist) { // another replica was first
			all, err = keys.Read(path, lock)
		}
	}
	if err != nil {
		return err
	}
	if s.ring, err = keys.NewRing(all, time.Now, openElsewhere); err != nil {
		return fmt.Errorf("the keys in %s: %w", path, err)
	}
	if renew, err := s.serverCertificateEnds(m.Hosts); err != nil || renew {
		now := time.Now()
		if all, err = m.Rotate(all, keys.TLS, now, now); err == nil {
			err = errors.Join(keys.Write(path, lock, all, chance, false), s.ring.Load(all))
		}
		if err != nil {
			return fmt.Errorf("the server's certificate cannot be renewed: %w", err)
		}
	}
	if seen, err := os.Stat(path); err == nil {
		s.keysSeen.Store(&seen)
	}
	s.ring.Signed = s.metrics.Signed
	s.metrics.WatchKeys(s.ring)
	if s.seals, err = seal.NewKeys(s.ring.Secrets(keys.Seal)...); err != nil {
		return err
	}
	return s.writeRoots()
}

// tellEnds tells the log of certificates that end soon. That of the document signer does
// earlier: no card that it signs lasts longer.
func (s *running) tellEnds(now time.Time) {
	for use, end := range s.ring.Expiry() {
		soon := renewTLS
		if use == keys.Document {
			soon = renewDocument
		}
		if end.Sub(now) < soon {
			s.log.Warn("a certificate ends soon: rotate its key", "use", string(use), "ends", end.Format(time.DateOnly))
		}
	}
}

// writeRoots writes the certificates of all roots into the data folder, also of those that
// are yet to take over: whoever checks what they have signed finds them there.
func (s *running) writeRoots() error {
	for file, use := range map[string]keys.Use{authorityFile: keys.Authority, iacaFile: keys.IACA} {
		var text []byte
		for _, c := range s.ring.Certificates(use) {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
		}
		if err := wholefile.Write(wholefile.OS, wholefile.File{Path: filepath.Join(s.data, file), Data: text}); err != nil {
			return err
		}
	}
	return nil
}

// hosts are the names for which the server's own certificate stands.
func hosts(public, listen string) []string {
	out := []string{public}
	at, _, _ := net.SplitHostPort(listen)
	for _, h := range []string{at, "localhost", "127.0.0.1", "::1"} {
		if ip := net.ParseIP(h); h != "" && (ip == nil || !ip.IsUnspecified()) && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	return out
}

// serverCertificateEnds says whether the server's own certificate has to be
// renewed: it ends soon, or stands for other hosts.
func (s *running) serverCertificateEnds(hosts []string) (bool, error) {
	c, err := x509.ParseCertificate(s.ring.Signer(keys.TLS).Certificate())
	if err != nil {
		return false, err
	}
	for _, h := range hosts {
		if c.VerifyHostname(h) != nil {
			return true, nil
		}
	}
	return time.Until(c.NotAfter) < renewTLS, nil
}

// nonces is the secret of nonces and answers of what was begun at a moment.
func (s *running) nonces(begun time.Time) [32]byte { return s.ring.Epoch(keys.Nonce, begun) }

// takeRevocations makes the service itself go by its lists of revoked certificates.
func (s *running) takeRevocations() error {
	lists, err := s.ring.RevocationLists(keys.IACA)
	if err != nil {
		return err
	}
	for _, list := range lists {
		err = errors.Join(err, s.anchors.Revoked(list, time.Now()))
	}
	return err
}

// noteRevocations enters what was revoked into the audit log, once in all replicas: by the
// file of keys, and by the lists of the IC cards' authority.
func (s *running) noteRevocations(ctx context.Context) error {
	s.noting.Lock()
	defer s.noting.Unlock()
	return errors.Join(s.noteOwn(ctx), s.noteCardLists(ctx))
}

// noteOwn enters what the file of keys revokes.
func (s *running) noteOwn(ctx context.Context) error {
	all := s.ring.Revoked()
	if len(all) == s.noted { // none is ever taken out of the file
		return nil
	}
	var noted []register.Revoked
	for _, one := range all {
		noted = append(noted, register.Revoked{
			Root: string(one.Root.Use) + " " + one.Root.ID(), Serial: one.Serial,
			Why: fmt.Sprintf("%s, revoked at %s under the %s", one.Reason, one.At.UTC().Format(time.RFC3339), one.Root.Use),
		})
	}
	err := s.service.Register.NoteRevoked(ctx, itself.ID, itself.Role.String(), noted)
	if err == nil {
		s.noted = len(all)
	}
	return err
}

// tellRevocations is noteRevocations of a loop, which comes by again.
func (s *running) tellRevocations(ctx context.Context) {
	if err := s.noteRevocations(ctx); err != nil && ctx.Err() == nil {
		s.log.Error("a revocation is in force and not in the audit log yet: it is tried again within a minute", "error", err.Error())
	}
}

// reload reads the keys again.
func (s *running) reload() error {
	lock, err := s.c.lock()
	if err != nil {
		return err
	}
	path := filepath.Join(s.data, keysFile)
	seen, err := os.Stat(path) // before it is read: what is written meanwhile is another change
	if err != nil {
		return err
	}
	all, err := keys.Read(path, lock)
	if err != nil {
		return err
	}
	if err := s.ring.Load(all); err != nil {
		return err
	}
	s.keysSeen.Store(&seen)
	return errors.Join(s.seals.Replace(s.ring.Secrets(keys.Seal)...), s.writeRoots())
}

// keysRead does what other keys than before call for, and tells the log: what was revoked
// is refused from now on, and status lists by it are signed by the next signer.
func (s *running) keysRead(ctx context.Context, err error) {
	if err != nil {
		s.log.Error("the keys were not read again: the ones before stay in use", "error", err.Error())
		return
	}
	if err := s.takeRevocations(); err != nil {
		s.log.Error("not every list of revoked certificates is gone by here: start this replica anew", "error", err.Error())
	}
	if err := s.publish(ctx); err != nil {
		s.log.Error("the status lists were not published: those before are served on", "error", err.Error())
	}
	s.tellRevocations(ctx)
	s.log.Info("the keys were read again")
}

// reloadIfChanged reads the keys again if their file is another one than was read.
func (s *running) reloadIfChanged() (changed bool, err error) {
	now, err := os.Stat(filepath.Join(s.data, keysFile))
	if err != nil {
		return false, err
	}
	if seen := s.keysSeen.Load(); seen != nil && (*seen).ModTime().Equal(now.ModTime()) && (*seen).Size() == now.Size() && os.SameFile(*seen, now) {
		return false, nil
	}
	return true, s.reload()
}
