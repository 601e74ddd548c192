package rollout

import (
	"testing"

	"rollcall.example/rollcall/reference/lifecycle"
	"rollcall.example/rollcall/sim/capacity"
)

// works and fails are what the service makes of a request.
var works, fails = capacity.Fate{LatencyMs: 5}, capacity.Fate{FailPermille: 1000}

// aHolder is a resident of Sejong with a plastic card and a mobile card on the
// phone, both in their hands.
func aHolder(m *Model, p *Place, id uint32) *Citizen {
	c := &Citizen{ID: id, Age: 30, Centre: uint16(m.Nation.Municipalities[p.Municipality].First),
		Card: Never, Phone: Never, Affair: Never, Finder: Never, Demand: Never,
		Law:   lifecycle.HasCard | lifecycle.HasCredential,
		Flags: HasPhone | PhoneHeld | PlasticHeld | WalletHeld | InPool}
	p.Wallets = append(p.Wallets, Wallet{Expires: Never, Ended: Never, Lost: Never, Submitted: Never, Acked: Never, Serial: 1})
	c.Wallet = int32(len(p.Wallets))
	p.Wallets[c.Wallet-1].push(0, lifecycle.Accepted)
	return c
}

// anApplicant is one who wants a mobile card and has none.
func anApplicant(m *Model, p *Place, id uint32) *Citizen {
	c := aHolder(m, p, id)
	c.Law, c.Wallet = lifecycle.HasCard, 0
	c.Flags = c.Flags&^WalletHeld | WantsMobile
	return c
}

func (p *Place) at(t int64) *Place {
	p.Start, p.End, p.Earliest = floorTo(t, hour), floorTo(t, hour)+hour, floorTo(t, hour)+2*hour
	return p
}

func TestAReportOfThePlasticCardSuspendsTheMobileCardAtItsCommit(t *testing.T) {
	m := model(t, "announced")
	p := place(m, sejong, 20*day)
	c := aHolder(m, p, 1)
	c.CardStep, c.cardBy = ReportCardReady, ByCall
	p.T.post(ReportLoss, p.Start)
	m.Answer(p, c, Request{Citizen: 1, Op: capacity.Report, From: OfCard, At: p.Start + minute}, works)

	if want := lifecycle.HasCard | lifecycle.HasCredential | lifecycle.State(lifecycle.PhysicalLost); c.Law != want {
		t.Fatalf("state %v, want %v", c.Law, want)
	}
	rec := p.Records[0]
	if rec.Act != ActReportPhysical || rec.Env != Reached || lifecycle.Reason(rec.Decided) != lifecycle.Granted || rec.At <= p.Start+minute {
		t.Errorf("record %+v", rec)
	}
	w := &p.Wallets[0]
	if w.verdictAt(rec.At-1) != lifecycle.Accepted || w.verdictAt(rec.At) != lifecycle.Suspended {
		t.Errorf("verdict %v just before the commit, %v at it", w.verdictAt(rec.At-1), w.verdictAt(rec.At))
	}
	if len(p.T.Exposure) != 1 || !p.T.Exposure[0].Physical || w.Acked != rec.At {
		t.Errorf("exposure %+v, acknowledged at %d", p.T.Exposure, w.Acked)
	}
	if x := p.T.Intents[ReportLoss]; x.Posted != 1 || x.Done != 1 {
		t.Errorf("intents %+v", x)
	}
	if c.Next() <= rec.At {
		t.Error("the next step comes before the answer")
	}
}

func TestAReportThatDoesNotGetThroughChangesNothingAndIsRepeated(t *testing.T) {
	m := model(t, "announced")
	p := place(m, sejong, 20*day)
	c := aHolder(m, p, 1)
	before := c.Law
	c.PhoneStep, c.phoneBy, c.Flags = ReportPhoneReady, ByCall, c.Flags|Busy
	m.Answer(p, c, Request{Citizen: 1, Op: capacity.Report, From: OfPhone, At: p.Start}, fails)
	if c.Law != before || c.Flags&Busy != 0 || len(p.T.Exposure) != 0 {
		t.Errorf("state %v, flags %b", c.Law, c.Flags)
	}
	if r := p.Records[0]; r.Env != Unavailable || r.Act != ActReportMobile {
		t.Errorf("record %+v", r)
	}
	if c.PhoneStep != ReportPhoneReady || c.Phone == Never {
		t.Error("nobody tries again")
	}
	if x := &p.T.Day[20]; x.Unavailable != 1 || x.PeopleRetry != 1 || p.T.Retries[20*24] != 1 || p.T.Intents[ReportLoss].Done != 0 {
		t.Errorf("unavailable %d, retries %d, %d in their hour, done %d", x.Unavailable, x.PeopleRetry, p.T.Retries[20*24], p.T.Intents[ReportLoss].Done)
	}

	p.at(c.Phone)
	m.Act(p, c)
	if len(p.Requests) != 1 || p.Requests[0].Op != capacity.Report || c.Flags&Busy == 0 {
		t.Fatalf("the retry posts %+v", p.Requests)
	}
	m.Answer(p, c, p.Requests[0], works)
	if c.Law.MobileActive() || !c.Law.CardActive() {
		t.Errorf("after a report of the phone: %v", c.Law)
	}
}

// The reasons of refusal come in the rulebook's order, whatever else is wrong.
func TestApplicationsAreJudgedByTheRulebook(t *testing.T) {
	m := model(t, "announced", "face.threshold=0.1") // every face matches
	opened := at(t, m, "2025-01-20 10:00")
	anyCentre := at(t, m, "2025-03-31 10:00")
	far := uint16(0) // a centre in Seoul
	for _, c := range []struct {
		name   string
		when   int64
		change func(*Place, *Citizen)
		want   lifecycle.Reason
	}{
		{"everything right", opened, func(*Place, *Citizen) {}, lifecycle.Granted},
		{"another municipality's centre", opened, func(_ *Place, c *Citizen) { c.affairAt = far }, lifecycle.WrongCentre},
		{"the same, once any centre serves", anyCentre, func(_ *Place, c *Citizen) { c.affairAt = far }, lifecycle.Granted},
		{"plastic card reported lost", opened, func(_ *Place, c *Citizen) { c.Law |= lifecycle.State(lifecycle.PhysicalLost) }, lifecycle.CardSuspended},
		{"no plastic card", opened, func(_ *Place, c *Citizen) { c.Law = 0 }, lifecycle.NoPlasticCard},
		{"not open yet, and lost, and elsewhere", opened, func(p *Place, c *Citizen) {
			m.opens[p.Municipality] = anyCentre
			m.Policy.Opens[m.Nation.Municipalities[p.Municipality].Code] = m.Cal.Time(anyCentre)
			c.Law |= lifecycle.State(lifecycle.PhysicalLost)
			c.affairAt = far
		}, lifecycle.NotOpenYet},
	} {
		p := place(m, sejong, c.when)
		opens := m.opens[p.Municipality]
		x := anApplicant(m, p, 77)
		x.affairAt = x.Centre
		c.change(p, x)
		p.T.post(GetMobile, c.when)
		m.Answer(p, x, Request{Citizen: 77, Op: capacity.IssueCentre, From: OfAffair, At: c.when}, works)
		m.opens[p.Municipality] = opens
		m.Policy.Opens[m.Nation.Municipalities[p.Municipality].Code] = m.Cal.Time(opens)

		rec := p.Records[len(p.Records)-1]
		if got := lifecycle.Reason(rec.Decided); got != c.want || rec.Act != ActIssueCentre {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if granted := x.Law&lifecycle.HasCredential != 0; granted != (c.want == lifecycle.Granted) || granted != (p.T.Day[m.Cal.Day(c.when)].Issued[lifecycle.Counter] == 1) {
			t.Errorf("%s: holds a mobile card: %v, counted %d", c.name, granted, p.T.Day[m.Cal.Day(c.when)].Issued[lifecycle.Counter])
		}
		if open := x.Flags&WantsMobile != 0; open == (c.want == lifecycle.Granted) {
			t.Errorf("%s: still wants it: %v", c.name, open)
		}
	}
}

func TestASecondIssuanceEndsTheWalletBefore(t *testing.T) {
	m := model(t, "announced", "face.threshold=0.1")
	p := place(m, sejong, 30*day)
	c := aHolder(m, p, 5)
	c.Flags |= WantsMobile
	c.Device, c.affairAt = 1, c.Centre
	m.Answer(p, c, Request{Citizen: 5, Op: capacity.IssueCentre, From: OfAffair, At: p.Start}, works)
	if len(p.Wallets) != 2 || c.Wallet != 2 {
		t.Fatalf("wallet %d of %d", c.Wallet, len(p.Wallets))
	}
	old, now := &p.Wallets[0], &p.Wallets[1]
	commit := now.Issued
	if old.Ended != commit || old.verdictAt(commit) != lifecycle.NotValid || now.verdictAt(commit) != lifecycle.Accepted || now.Serial != 2 || now.Prev != 1 {
		t.Errorf("old %+v, new %+v", old, now)
	}
	if d := &p.T.Day[30]; d.Ended != 1 || d.Holders != 0 || d.First != 0 {
		t.Errorf("ended %d, holders change by %d, first cards %d", d.Ended, d.Holders, d.First)
	}
}

func TestANewPlasticCardComesFromACentreOrByPost(t *testing.T) {
	m := model(t, "announced")
	for _, x := range []struct {
		at      uint16
		centre  int32
		channel ReportBy
	}{{77, 77, ByCentre}, {noCentre, -1, ByPost}} {
		p := place(m, sejong, 30*day)
		c := aHolder(m, p, 5)
		c.Order, c.CardStep, c.cardAt = OrderLost, ActivateCard, x.at
		m.Answer(p, c, Request{Citizen: 5, Op: capacity.RegisterCard, From: OfCard, At: p.Start}, works)
		if r := p.Records[0]; r.Act != ActRegisterCard || r.Centre != x.centre || r.Channel != x.channel {
			t.Errorf("handed out at %d: record %+v", x.at, r)
		}
	}
}

// What a verifier without a connection says follows the list that it holds, not
// the register.
func TestAVerifierWithAnOldListAcceptsUntilItsListShowsTheSuspension(t *testing.T) {
	m := model(t, "announced")
	k := -1
	for i, pl := range m.demand.places {
		if pl.Name == "bank" {
			k = i
		}
	}
	report := at(t, m, "2025-02-03 10:17")
	p := place(m, sejong, report)
	c := aHolder(m, p, 9)
	if r := m.move(p, c, lifecycle.ReportMobileLost, report); r != lifecycle.Granted {
		t.Fatal(r)
	}
	var seenAt int64
	accepted := 0
	for now := report - day; now < report+day; now += 7 * minute {
		c.Flags &^= KnowsSuspended
		p.Records = nil
		m.presentCached(p, c, c.Wallet, OfDemand, k, 3, now)
		rec := p.Records[0]
		old := rec.Published < report
		if v := lifecycle.Verdict(rec.Decided); (v == lifecycle.Accepted) != old || (v == lifecycle.Suspended) == old {
			t.Fatalf("at %d with a list of %d: %v (reported at %d)", now, rec.Published, v, report)
		}
		if old && now >= report {
			accepted++
		}
		if !old && seenAt == 0 {
			seenAt = now
		}
	}
	pl := &m.demand.places[k]
	bound := report + m.Scenario.StatusLists.PublishInterval.Milliseconds() + pl.Refresh.Milliseconds() + 7*minute
	if accepted == 0 || seenAt > bound {
		t.Errorf("%d acceptances after the report, first refusal %d ms after it", accepted, seenAt-report)
	}
}

func TestVisitsKeepTheCalendarAndTheMunicipalityRule(t *testing.T) {
	m := model(t, "announced", "channels.wrong_centre=0%")
	for _, c := range []struct {
		from string
		away bool
	}{{"2025-02-21 16:00", false}, {"2025-03-31 16:00", true}} {
		start := at(t, m, c.from)
		p := place(m, sejong, start)
		p.Municipality = -1
		for i := range m.Nation.Municipalities { // one with neighbours
			if m.Nation.Municipalities[i].NameEn == "Ulju-gun" {
				p.Municipality, p.Region = i, m.Nation.Municipalities[i].Region
			}
		}
		mu := &m.Nation.Municipalities[p.Municipality]
		away := 0
		for id := range uint32(2000) {
			m.visit(p, &Citizen{ID: id, Centre: uint16(mu.First)}, start, ToIssue, OfAffair, day)
		}
		for _, v := range p.Visits {
			d := m.Cal.Day(v.Arrive)
			of := v.Arrive - int64(d)*day
			if v.Arrive < p.Earliest || !m.Cal.Open[d] || of < 9*hour || of >= 18*hour || v.Deadline <= v.Arrive || v.Service < 1 {
				t.Fatalf("%+v (earliest %d, open %v)", v, p.Earliest, m.Cal.Open[d])
			}
			to := &m.Nation.Municipalities[m.Nation.Centres[v.Centre].Municipality]
			if to != mu {
				if away++; to.Region != mu.Region {
					t.Fatalf("a visit to %s", to.NameEn)
				}
			}
		}
		if (away > 0) != c.away || len(p.Visits) < 1900 {
			t.Errorf("from %s: %d of %d visits to other municipalities", c.from, away, len(p.Visits))
		}
	}
}
