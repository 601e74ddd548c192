package rollout

import "rollcall.example/rollcall/reference/lifecycle"

// How long a credential can still be used after its card or phone is lost, from
// the loss to the last acceptance. The newest wallet carries the three instants
// from which it is measured: lost, submitted, acknowledged.

// Exposure is one suspension of a credential, measured.
type Exposure struct {
	Physical bool
	// ByKind is the time (ms) from the acknowledgement until a verifier of each
	// kind of place would refuse; index as scenario.Demand.Places.
	ByKind [MaxPlaces]int64
	// Last acceptance of the credential after the loss, the submission and the
	// acknowledgement (ms); 0 where there was none.
	FromLoss, FromSubmission, FromAck int64
}

// lost notes that a card or phone was lost; the first loss counts.
func (p *Place) lost(c *Citizen, at int64) {
	if c.Wallet != 0 {
		if w := &p.Wallets[c.Wallet-1]; w.Lost == Never {
			w.Lost = at
		}
	}
}

// notLost forgets a loss that came to an end before anybody was told.
func (p *Place) notLost(c *Citizen) {
	if c.Wallet != 0 {
		if w := &p.Wallets[c.Wallet-1]; w.Acked == Never {
			w.Lost = Never
		}
	}
}

// submitted notes that somebody was told.
func (p *Place) submitted(c *Citizen, at int64) {
	if c.Wallet != 0 {
		if w := &p.Wallets[c.Wallet-1]; w.Acked == Never {
			w.Submitted = at
		}
	}
}

// suspended begins to measure the exposure of a credential whose suspension
// was acknowledged.
func (m *Model) suspended(p *Place, c *Citizen, at int64, physical bool) {
	c.Flags &^= KnowsSuspended
	if c.Law&lifecycle.HasCredential == 0 {
		return
	}
	w := &p.Wallets[c.Wallet-1]
	if w.Acked != Never {
		return // suspended already
	}
	w.Acked = at
	if w.Submitted == Never {
		w.Submitted = at
	}
	e := Exposure{Physical: physical}
	for k := range m.demand.places {
		e.ByKind[k] = m.exposed(c, k, at)
	}
	p.T.Exposure = append(p.T.Exposure, e)
	w.exposure = int32(len(p.T.Exposure))
}

// released ends a suspension, if no other cause is left.
func (p *Place) released(c *Citizen) {
	c.Flags &^= KnowsSuspended
	if c.Wallet != 0 && c.Law.MobileActive() {
		p.settle(&p.Wallets[c.Wallet-1])
	}
}

// settle closes the measurement of a suspension: the last acceptance after the
// loss, the submission and the acknowledgement.
func (p *Place) settle(w *Wallet) {
	if w.Acked == Never {
		return
	}
	e := &p.T.Exposure[w.exposure-1]
	last := func(from int64) int64 {
		if from == Never || w.LastAccepted <= from {
			return 0
		}
		return w.LastAccepted - from
	}
	e.FromLoss, e.FromSubmission, e.FromAck = last(w.Lost), last(w.Submitted), last(w.Acked)
	w.Lost, w.Submitted, w.Acked = Never, Never, Never
	w.LastAccepted = 0
}

// Finish closes what is open at the end of the run.
func (p *Place) Finish() {
	p.closeLoss()
	for i := range p.Wallets {
		p.settle(&p.Wallets[i])
	}
}
