package rollout

import "rollcall.example/rollcall/sim/capacity"

// Place is where a municipality keeps what is not a citizen's record, and the
// window in which its citizens act. An engine has one for each municipality.
type Place struct {
	M            *Model
	Municipality int
	Region       int
	First        uint32 // first citizen
	Start, End   int64  // of the window
	Earliest     int64  // arrivals at a centre may be announced for from then on
	Wallets      []Wallet
	T            *Tally
	Plant        *capacity.Plant
	Orders       int64 // to the plant, since the last day's end

	Visits   []Visit                  // announced in this window
	Requests []Request                // posted in this window
	Load     [][capacity.NumOps]int32 // of the worker: requests by second of the window
	Records  []Record                 // of pool citizens

	split      map[uint32]*split  // of those with a change that is lost, see standby.go
	lostIssues map[uint32][]int32 // their wallets that were issued then, +1
}

func (p *Place) day(t int64) *DayTally { return &p.T.Day[min(int(t/day), len(p.T.Day)-1)] }

// Request is a request to the service that waits for the barrier.
type Request struct {
	Citizen  uint32
	Op       capacity.Op
	At       int64
	From     Process
	verifier int32
	place    int16
	cut      bool  // never reaches the service
	until    int64 // ms: reaches it only then; 0: at once
}

// request posts a request at an instant of this window.
func (p *Place) request(c *Citizen, r Request, faces int) {
	r.Citizen = c.ID
	c.Flags |= Busy
	var fault int
	if fault, r.cut, r.until = p.M.cutOff(p.Region, &r); r.cut {
		t := &p.T.CutOff[fault]
		if n := t.Requests; n == [len(n)]int64{} || r.At < t.First {
			t.First = r.At
		}
		t.Requests[capacity.Of(r.Op)]++
		p.Requests = append(p.Requests, r)
		return
	}
	sec := r.At/second - p.Start/second // a window may begin within a second
	p.Load[sec][r.Op]++
	if faces > 1 {
		p.Load[sec][capacity.FaceAgain] += int32(faces - 1)
	}
	p.Requests = append(p.Requests, r)
}

// keep stores a record of a pool citizen.
func (p *Place) keep(c *Citizen, r Record) {
	if c.Flags&InPool != 0 {
		r.Citizen = c.ID
		if r.Submitted == 0 {
			r.Submitted = r.At
		}
		p.Records = append(p.Records, r)
	}
}

func (p *Place) peopleRetry(at int64) {
	p.day(at).PeopleRetry++
	*hourOf(p.T.Retries, at)++
}
