package world

import (
	"context"
	"io"

	"rollcall.example/rollcall/reference/audit"
	"rollcall.example/rollcall/reference/issuance"
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/reference/service"
	"rollcall.example/rollcall/reference/store"
	"rollcall.example/rollcall/reference/suspension"
	"rollcall.example/rollcall/reference/verification"
)

// Front is the service as everybody outside reaches it. The real one is a
// service.Service; a wrong one wraps it.
type Front interface {
	RegisterResident(context.Context, issuance.ResidentRequest) (issuance.Entered, error)
	RegisterCard(context.Context, issuance.CardRequest) (issuance.Entered, error)
	Remove(context.Context, issuance.RemovalRequest) (issuance.Entered, error)
	ExpireDue(ctx context.Context, limit int) (int, error)

	Challenge(context.Context) ([]byte, error)
	CreateOffer(context.Context, issuance.OfferRequest) (issuance.Offer, error)
	IssueByTap(context.Context, issuance.TapRequest) (issuance.Issued, error)
	IssueByOffer(context.Context, issuance.RedeemRequest) (issuance.Issued, error)
	// IssueAgain signs the copies of a mobile card anew.
	IssueAgain(context.Context, issuance.AgainRequest) (copies [][]byte, reason lifecycle.Reason, err error)

	Report(context.Context, suspension.ReportRequest) (suspension.Receipt, error)
	Release(context.Context, suspension.ReleaseRequest) (suspension.Receipt, error)

	Begin(verification.Verifier) (verification.Transaction, error)
	Verify(context.Context, verification.Transaction, []byte) (verification.Answer, error)
	Plastic(ctx context.Context, number string) (lifecycle.Verdict, error)

	Publish(context.Context) (lists []suspension.Published, fresh bool, err error)
	Export(context.Context, io.Writer) error // of the audit log
}

type (
	issuing    = issuance.Service
	suspending = suspension.Service
	verifying  = verification.Service
	publishing = suspension.Publisher
)

// front joins the use cases.
type front struct {
	*issuing
	*suspending
	*verifying
	*publishing
	register store.Store
}

func (f front) Export(ctx context.Context, w io.Writer) error {
	return audit.Export(ctx, f.register, 1, w)
}

func reach(s *service.Service) Front {
	return front{s.Issuance, s.Suspension, s.Verification, s.Publisher, s.Register}
}
