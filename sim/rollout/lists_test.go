package rollout

import (
	"testing"

	"pgregory.net/rapid"

	"rollcall.example/rollcall/sim/capacity"
)

// statusDown is announced with the status node down for a day; some verifiers
// refresh less often than that, some far more.
func statusDown(t testing.TB) (m *Model, from, to int64) {
	m = model(t, "announced",
		"faults=[{name: lists, kind: down, nodes: [status], at: 2025-02-10 06:00, for: 1d, severity: 100%}]",
		"demand.places.bank.refresh=20m", "demand.places.bank.ttl=1h")
	return m, at(t, m, "2025-02-10 06:00"), at(t, m, "2025-02-11 06:00")
}

func cachedPlaces(m *Model) (out []int) {
	for k, p := range m.demand.places {
		if p.Check == "cached" {
			out = append(out, k)
		}
	}
	return out
}

func TestAVerifierNeverSeesAPublicationLaterThanItsFetch(t *testing.T) {
	m, from, to := statusDown(t)
	places := cachedPlaces(m)
	if len(places) < 3 {
		t.Fatalf("places that cache: %v", places)
	}
	interval := m.Scenario.StatusLists.PublishInterval.Milliseconds()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(places).Draw(t, "place")
		pl := &m.demand.places[k]
		verifier := int32(rapid.IntRange(0, pl.Verifiers-1).Draw(t, "verifier"))
		now := rapid.Int64Range(to-20*day, to+20*day).Draw(t, "at")
		s := m.lists.seen(m, k, verifier, now)
		refresh := pl.Refresh.Milliseconds()
		switch {
		case s.fetched > now:
			t.Fatalf("fetched at %d, presented at %d", s.fetched, now)
		case s.published > s.fetched:
			t.Fatalf("published at %d, fetched at %d", s.published, s.fetched)
		case s.published%interval != 0:
			t.Fatalf("published at %d, off the interval", s.published)
		case s.expired != (now-s.fetched > pl.TTL.Milliseconds()):
			t.Fatalf("fetched %d ms ago, ttl %v, expired %v", now-s.fetched, pl.TTL, s.expired)
		case (s.fetched-m.phase(k, verifier))%refresh != 0:
			t.Fatal("fetched out of turn")
		}
		down := func(x int64) bool { return x >= from && x < to }
		if down(s.fetched) || down(s.published) {
			t.Fatalf("fetched at %d what was published at %d, while the node was down (%d to %d)", s.fetched, s.published, from, to)
		}
		if !down(now) && !down(now-refresh) && now-s.fetched >= refresh {
			t.Fatalf("in calm the list is %d ms old, refresh is %d", now-s.fetched, refresh)
		}
		if !down(s.fetched-interval) && s.fetched-s.published >= interval {
			t.Fatalf("in calm the newest list is %d ms older than its fetch", s.fetched-s.published)
		}
		later := m.lists.seen(m, k, verifier, now+rapid.Int64Range(0, day).Draw(t, "later"))
		if later.fetched < s.fetched || later.published < s.published {
			t.Fatal("a verifier goes back to an older list")
		}
	})
}

func TestExposureIsAtMostIntervalAndRefreshInCalm(t *testing.T) {
	m, _, to := statusDown(t)
	interval := m.Scenario.StatusLists.PublishInterval.Milliseconds()
	longest := map[int]int64{}
	rapid.Check(t, func(t *rapid.T) {
		c := &Citizen{ID: rapid.Uint32Range(0, 1<<25).Draw(t, "citizen"), nCard: rapid.Uint8().Draw(t, "n")}
		commit := rapid.Int64Range(to+day, to+20*day).Draw(t, "commit")
		for k, pl := range m.demand.places {
			e := m.exposed(c, k, commit)
			if pl.Check == "online" {
				if e != 0 {
					t.Fatalf("online place %s is exposed for %d ms", pl.Name, e)
				}
				continue
			}
			if e < 0 || e > interval+pl.Refresh.Milliseconds() {
				t.Fatalf("%s: %d ms until a list shows the suspension, more than interval and refresh", pl.Name, e)
			}
			longest[k] = max(longest[k], e)
		}
	})
	for k, e := range longest {
		if pl := m.demand.places[k]; e < pl.Refresh.Milliseconds()/2 {
			t.Errorf("%s: the longest exposure is %d ms of a possible %v", pl.Name, e, pl.Refresh)
		}
	}
}

func TestExposureLastsThroughAnOutageOfTheStatusNode(t *testing.T) {
	m, from, to := statusDown(t)
	for k, pl := range m.demand.places {
		if pl.Check != "cached" {
			continue
		}
		e := m.exposed(&Citizen{ID: 5}, k, from+minute)
		if e < to-from-minute || e > to-from+m.Scenario.StatusLists.PublishInterval.Milliseconds()+2*pl.Refresh.Milliseconds() {
			t.Errorf("%s: a suspension just after the node went down shows after %d ms, the node was down for %d", pl.Name, e, to-from)
		}
	}
}

// The mean exposure is that of a random phase: half a refresh and half an
// interval.
func TestMeanExposureIsHalfOfBoth(t *testing.T) {
	m, _, to := statusDown(t)
	for _, k := range cachedPlaces(m) {
		sum, square := 0.0, 0.0
		const n = 4000
		for i := range uint32(n) {
			x := float64(m.exposed(&Citizen{ID: i}, k, to+day+int64(i)*7_919_333%(10*day)))
			sum += x
			square += x * x
		}
		mean := sum / n
		want := float64(m.Scenario.StatusLists.PublishInterval.Milliseconds()+m.demand.places[k].Refresh.Milliseconds()) / 2
		se := (square/n - mean*mean) / n
		// Places with few verifiers share phases: allow for that.
		if v := float64(m.demand.places[k].Verifiers); v < n {
			se *= n / v
		}
		if d := mean - want; d*d > 9*se {
			t.Errorf("%s: mean exposure %.0f ms, want %.0f", m.demand.places[k].Name, mean, want)
		}
	}
}

func TestADelayedVerifierIsNotAskedOfTheServiceButOfItsList(t *testing.T) {
	m, _, _ := statusDown(t)
	service := m.lists.service
	var before capacity.Stats = service.Stats
	p := place(m, sejong, at(t, m, "2025-02-05 10:00"))
	p.Wallets = []Wallet{{Issued: 0, Expires: Never, Ended: Never, Lost: Never, Submitted: Never, Acked: Never, Serial: 1}}
	p.Wallets[0].push(0, 1)
	c := &Citizen{ID: 3, Wallet: 1, Flags: WalletHeld | PhoneHeld}
	m.presentCached(p, c, 1, OfDemand, cachedPlaces(m)[0], 0, p.Start)
	if len(p.Requests) != 0 || c.Flags&Busy != 0 || service.Stats.Attempts[0] != before.Attempts[0] {
		t.Error("a check of a cached list asked the service")
	}
	if p.T.Day[m.Cal.Day(p.Start)].Presentations != 1 {
		t.Error("it was not counted")
	}
}
