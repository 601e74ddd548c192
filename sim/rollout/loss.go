package rollout

import (
	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/capacity"
	"rollcall.example/rollcall/sim/rng"
)

// What reports of a lost card (card.go) and of a lost phone (phone.go) have in
// common: their way, their record, their account.

// reportBy draws the way of a report.
func reportBy(w uint32, ch *scenarios.ReportChannels, app bool) ReportBy {
	u := rng.Uniform(w) * (ch.Call + ch.Portal + ch.App + ch.Centre)
	switch {
	case u < ch.Portal:
		return ByPortal
	case u < ch.Portal+ch.Centre:
		return ByCentre
	case u < ch.Portal+ch.Centre+ch.App && app:
		return ByApp
	}
	return ByCall
}

// lossRecord is the record of a report or, by portal, of its withdrawal.
func lossRecord(r Request, report, release Act, by ReportBy, centre uint16, at int64) Record {
	switch {
	case r.Op == capacity.Release:
		return Record{Act: release, At: at, Centre: -1, Channel: ByPortal}
	case by == ByCentre:
		return Record{Act: report, At: at, Centre: int32(centre), Channel: by}
	}
	return Record{Act: report, At: at, Centre: -1, Channel: by}
}

// reported is a report that the service has decided.
func (m *Model) reported(p *Place, c *Citizen, rec Record, reason lifecycle.Reason) {
	rec.Decided = uint8(reason)
	if c.Wallet != 0 {
		if s := p.Wallets[c.Wallet-1].Submitted; s != Never {
			rec.Submitted = s
		}
	}
	p.keep(c, rec)
	p.T.done(ReportLoss, rec.At)
	physical := rec.Act == ActReportPhysical
	if physical {
		p.day(rec.At).ReportsPhysical++
	} else {
		p.day(rec.At).ReportsMobile++
	}
	if reason == lifecycle.Granted {
		m.suspended(p, c, rec.At, physical)
	}
}

// withdrawn is a withdrawal that the service has decided.
func (m *Model) withdrawn(p *Place, c *Citizen, rec Record, reason lifecycle.Reason) {
	rec.Decided = uint8(reason)
	p.keep(c, rec)
	p.T.done(ReleaseLoss, rec.At)
	if rec.Act == ActReleasePhysical {
		p.day(rec.At).ReleasesPhysical++
	} else {
		p.day(rec.At).ReleasesMobile++
	}
	p.released(c)
}
