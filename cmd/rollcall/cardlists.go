package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"rollcall.example/rollcall/hwemu/iccard"
	"rollcall.example/rollcall/reference/card"
	"rollcall.example/rollcall/reference/crl"
	"rollcall.example/rollcall/reference/keys"
	"rollcall.example/rollcall/reference/register"
	"rollcall.example/rollcall/wholefile"
)

// Files of the data folder of a demonstration: the authority of its IC cards, and the list
// of their signers that were revoked.
const (
	countryFile     = "csca.pem"
	countryListFile = "csca.crl"
)

// How often the lists of revoked signers of IC cards are read: files as the keys are;
// what is fetched, seldom, unless it could not be had.
const (
	listsFetched = 10 * time.Minute
	listPatience = 10 * time.Second
	listsWarn    = 7 * 24 * time.Hour // before a list's time is over
)

// cardLists keep the verifier of IC cards by the lists of revoked signers.
type cardLists struct {
	verifier *card.Verifier
	client   *http.Client
	now      func() time.Time
	folder   string // where lists that were fetched are kept
	disk     wholefile.Disk

	mu      sync.Mutex // of what was fetched: a signal may come while the loop is at it
	sources []*listSource
}

// listSource is a file or a URL.
type listSource struct {
	place string
	again time.Time // a URL: when it is fetched again
	der   []byte    // a URL: its list, or the newer one that another replica has kept
	list  *crl.List // the same; nil: none yet
}

func (l *listSource) remote() bool {
	u, err := url.Parse(l.place)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

func newCardLists(v *card.Verifier, places []string, folder string, now func() time.Time) *cardLists {
	c := &cardLists{verifier: v, client: &http.Client{Timeout: listPatience}, now: now, folder: folder, disk: wholefile.OS}
	for _, p := range places {
		c.sources = append(c.sources, &listSource{place: p})
	}
	return c
}

// readFiles reads the lists that are files, and says what is wrong with them: what could be
// had is in force.
func (c *cardLists) readFiles() (err error) {
	for _, s := range c.sources {
		if !s.remote() {
			text, wrong := readLimited(s.place)
			_, _, wrong = c.takeOne(s, text, wrong)
			err = errors.Join(err, wrong)
		}
	}
	return err
}

// errUnkept: a list is in force, and would be missing if the service started without its server.
var errUnkept = errors.New("the list is in force, but could not be kept for a start without its server")

// fetchDue fetches the lists that are due, all of them if asked to. The others are held
// against what is kept of them each time: so a newer one that another replica has fetched
// is in force here, and one that was written over by an older is back, by the next
// time and not the next fetch.
func (c *cardLists) fetchDue(ctx context.Context, all bool) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sources {
		if !s.remote() {
			continue
		}
		if all || !c.now().Before(s.again) {
			text, wrong := c.fetch(ctx, s.place)
			der, list, wrong := c.takeOne(s, text, wrong)
			if wrong == nil {
				s.again, s.der, s.list = c.now().Add(listsFetched), der, list
			}
			err = errors.Join(err, wrong)
		}
		if s.list == nil {
			continue
		}
		if wrong := c.keep(s); wrong != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w: %w", place(s.place), errUnkept, wrong))
		}
	}
	return err
}

// takeOne goes by a list, DER or PEM, unless it could not be had.
func (c *cardLists) takeOne(s *listSource, text []byte, err error) (der []byte, list *crl.List, _ error) {
	der = text
	if err == nil {
		if block, _ := pem.Decode(text); block != nil && block.Type == "X509 CRL" {
			der = block.Bytes
		}
		list, err = c.verifier.Revoked(der, c.now())
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", place(s.place), err)
	}
	return der, list, nil
}

// maxListText is how long a list may be in PEM.
const maxListText = 2 * crl.MaxSize

func readLimited(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return limited(f)
}

func limited(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxListText+1))
	if err == nil && len(b) > maxListText {
		err = fmt.Errorf("it has more than %d bytes", maxListText)
	}
	return b, err
}

func (c *cardLists) fetch(ctx context.Context, from string) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Accept", "application/pkix-crl")
	a, err := c.client.Do(q)
	if wrong, ok := errors.AsType[*url.Error](err); ok {
		err = wrong.Err // the rest of it is the URL, with what is secret in it
	}
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", a.Status)
	}
	return limited(a.Body)
}

// openCardLists makes the verifier of IC cards go by lists of revoked signers: those of the
// settings, and the demonstration's own.
func (s *running) openCardLists(ctx context.Context, v *card.Verifier) error {
	places := s.c.list("card-revocations")
	if s.town != nil {
		places = append(places, filepath.Join(s.data, countryListFile))
	}
	alone := len(s.c.list("card-authorities")) == 0 // the demonstration's cards are the only ones
	switch {
	case !alone && len(s.c.list("card-revocations")) == 0:
		s.log.Warn("no list of revoked signers of IC cards is configured (card-revocations): a card by a signer that was revoked is taken for good")
	case s.c.text("card-revocations-late") == "refuse":
		v.RequireLists()
	}
	if s.town != nil {
		root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.town.CountryCA})
		if err := wholefile.Write(wholefile.OS, wholefile.File{Path: filepath.Join(s.data, countryFile), Data: root}); err != nil {
			return err
		}
	}
	s.cardLists = newCardLists(v, places, filepath.Join(s.data, keptFolder), time.Now)
	s.metrics.WatchCardLists(func() time.Time { until, _ := v.Listed(time.Now()); return until })
	if err := s.renewCountryList(); err != nil {
		return usage(err)
	}
	if err := s.cardLists.readFiles(); err != nil {
		return usage(fmt.Errorf("card-revocations: %w", err))
	}
	if err := s.cardLists.restore(); err != nil {
		s.log.Warn("not every list of revoked signers of IC cards that was kept is good: it is fetched anew", "error", err.Error())
	}
	s.cardListsTaken(s.cardLists.fetchDue(ctx, true))
	return nil
}

// takeCardLists reads the lists again.
func (s *running) takeCardLists(ctx context.Context, all bool) {
	if s.cardLists == nil {
		return
	}
	err := s.renewCountryList()
	s.cardListsTaken(errors.Join(err, s.cardLists.readFiles(), s.cardLists.fetchDue(ctx, all)))
	s.tellRevocations(ctx)
}

// noteCardLists enters what the lists have revoked into the audit log, once in all replicas.
func (s *running) noteCardLists(ctx context.Context) error {
	if s.cardLists == nil {
		return nil
	}
	for _, l := range s.cardLists.verifier.Held() {
		if s.listed[l] {
			continue
		}
		root := sha256.Sum256(l.Root.Raw)
		note := register.RevocationList{
			Authority: cmp.Or(l.Root.Subject.CommonName, l.Root.Subject.String()), Names: hex.EncodeToString(l.Root.RawSubject), Root: hex.EncodeToString(root[:]),
			Number: l.Number.String(), Made: l.From,
		}
		for _, e := range l.Entries {
			note.Revoked = append(note.Revoked, register.ListedCertificate{Serial: e.Serial.Text(16), At: e.At, Reason: keys.Reason(e.Reason).String()})
		}
		if err := s.service.Register.NoteList(ctx, itself.ID, itself.Role.String(), note); err != nil {
			return err
		}
		for old := range s.listed { // one whose place another has taken
			if old.Root.Equal(l.Root) {
				delete(s.listed, old)
			}
		}
		s.listed[l] = true
	}
	return nil
}

// cardListsTaken tells the log what an operator has to see to.
func (s *running) cardListsTaken(err error) {
	switch {
	case errors.Is(err, errUnkept):
		s.log.Error("not every list of revoked signers of IC cards is taken and kept", "error", err.Error())
	case err != nil:
		s.log.Error("a list of revoked signers of IC cards was not taken: what was known before stays in force", "error", err.Error())
	}
	if len(s.cardLists.sources) == 0 {
		return
	}
	until, err := s.cardLists.verifier.Listed(time.Now())
	switch {
	case err != nil:
		s.log.Error("the list of revoked signers of IC cards is missing or too old: get the newest one from their authority", "then", s.c.text("card-revocations-late"), "error", err.Error())
	case time.Until(until) < listsWarn:
		s.log.Warn("a list of revoked signers of IC cards is soon too old: get the newest one from their authority", "until", until.UTC().Format(time.RFC3339))
	}
}

// distrusted tells the log of a card that was refused for its signer.
func (s *running) distrusted(_ context.Context, err error) {
	why := "unlisted"
	switch {
	case errors.Is(err, card.ErrSignerRevoked):
		why = "revoked"
	case errors.Is(err, card.ErrSignerExpired):
		why = "expired"
	}
	s.metrics.CardRefused(why)
	s.log.Warn("an IC card was refused for its signer", "signer", why, "error", err.Error())
}

// renewCountryList keeps the demonstration's list in its time.
func (s *running) renewCountryList() error {
	if s.town == nil {
		return nil
	}
	_, err := writeCountryList(filepath.Join(s.data, countryListFile), s.town.Country, time.Now(), nil)
	return err
}

// countryList answers with the demonstration's list.
func (s *running) countryList(w http.ResponseWriter, _ *http.Request) error {
	list, err := readLimited(filepath.Join(s.data, countryListFile))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	w.Header().Set("Cache-Control", "public, max-age=60")
	_, _ = w.Write(list)
	return nil
}

// writeCountryList writes the list of the demonstration's country anew, with all that it
// named before, if another signer is added or half of its time is over. It says whether
// the signer stood on it already.
func writeCountryList(path string, country *iccard.IssuerKit, now time.Time, add *x509.RevocationListEntry) (already bool, err error) {
	before, err := readCountryList(path, country, now)
	if err != nil {
		return false, err
	}
	var entries []x509.RevocationListEntry
	if before != nil {
		entries = before.RevokedCertificateEntries
		if add == nil && now.Before(before.ThisUpdate.Add(iccard.ListLife/2)) {
			return false, nil
		}
	}
	if add != nil {
		for _, e := range entries {
			if e.SerialNumber.Cmp(add.SerialNumber) == 0 {
				return true, nil
			}
		}
		entries = append(entries, *add)
	}
	for i := range entries { // as they are written, not as they were read
		entries[i] = x509.RevocationListEntry{SerialNumber: entries[i].SerialNumber, RevocationTime: entries[i].RevocationTime, ReasonCode: entries[i].ReasonCode}
	}
	list, err := country.RevocationList(now, entries...)
	if err != nil {
		return false, err
	}
	return false, wholefile.Write(wholefile.OS, wholefile.File{Path: path, Data: list})
}

// readCountryList reads the list of the demonstration's country; nil: there is none yet.
func readCountryList(path string, country *iccard.IssuerKit, now time.Time) (*x509.RevocationList, error) {
	list, err := readLimited(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	root, err := x509.ParseCertificate(country.CountryCA)
	if err != nil {
		return nil, err
	}
	if _, err := crl.ReadPast(list, []*x509.Certificate{root}, now); err != nil {
		return nil, fmt.Errorf("%s is not the list of the demonstration's country (remove it, and an empty one is made): %w", path, err)
	}
	return x509.ParseRevocationList(list)
}
