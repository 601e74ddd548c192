package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rollcall.example/rollcall/reference/issuance"
)

// An asynchronous stand-by site: it is given a copy of the register's database, and
// serves from it while the site of the main one is lost.

// ErrIssuingClosed: nothing is issued at the stand-by site.
var ErrIssuingClosed = errors.New("nothing is issued at the stand-by site: apply again when the main site is back")

// closed is a service that issues nothing.
type closed struct{ Front }

func (closed) RegisterCard(context.Context, issuance.CardRequest) (issuance.Entered, error) {
	return issuance.Entered{}, ErrIssuingClosed
}

func (closed) CreateOffer(context.Context, issuance.OfferRequest) (issuance.Offer, error) {
	return issuance.Offer{}, ErrIssuingClosed
}

func (closed) IssueByTap(context.Context, issuance.TapRequest) (issuance.Issued, error) {
	return issuance.Issued{}, ErrIssuingClosed
}

func (closed) IssueByOffer(context.Context, issuance.RedeemRequest) (issuance.Issued, error) {
	return issuance.Issued{}, ErrIssuingClosed
}

// copied and lost are where the stand-by's copy lies, and the main register while its
// site is lost.
func (w *World) copied() string { return filepath.Join(w.dir, "copy.db") }
func (w *World) lost() string   { return filepath.Join(w.dir, "lost.db") }

// GiveCopy gives the stand-by site a copy of the register as it is now.
func (w *World) GiveCopy() error { return w.DB.Copy(w.copied()) }

// LoseSite has the stand-by site serve from its copy. It issues nothing.
func (w *World) LoseSite(ctx context.Context) error {
	main := w.Path()
	if err := w.Close(); err != nil {
		return err
	}
	if err := errors.Join(move(main, w.lost()), w.openAt(ctx, w.copied())); err != nil {
		return fmt.Errorf("the stand-by site: %w", err)
	}
	w.Front = closed{w.Front}
	return nil
}

// SiteBack has the main register serve again, as it was when its site was lost.
func (w *World) SiteBack(ctx context.Context) error {
	if err := w.Close(); err != nil {
		return err
	}
	if err := w.openAt(ctx, w.lost()); err != nil {
		return fmt.Errorf("the main site: %w", err)
	}
	return nil
}

// openAt opens the database at a path as the next one, whose randomness is its own.
func (w *World) openAt(ctx context.Context, path string) error {
	w.Opened++
	w.Current, w.Dirty = nil, true
	if err := move(path, w.Path()); err != nil {
		return err
	}
	return w.Open(ctx)
}

// move moves a database that nobody has open.
func move(from, to string) error {
	for _, suffix := range []string{"", "-wal"} {
		if err := os.Rename(from+suffix, to+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
