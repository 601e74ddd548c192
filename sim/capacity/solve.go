package capacity

// Solve carries the load posted for the seconds [start, start+len(posted)) and
// writes the fates of those seconds for every operation that was posted.
func (sv *Service) Solve(start int64, posted [][NumOps]int32, fates [][NumOps]Fate) {
	if cap(sv.single) < len(posted) {
		sv.single = make([]second, len(posted))
	}
	single := sv.single[:len(posted)]
	for i := range posted {
		sv.pass(start+int64(i), &posted[i], &single[i])
	}
	for i := range posted {
		for op := range Op(NumOps) {
			if posted[i][op] > 0 {
				fates[i][op] = sv.fate(op, start+int64(i), start, single)
			}
		}
	}
}

// calm is what single attempts meet when there is nothing to meet.
var calm = second{allowed: [numClients]int64{1000, 1000, 1000}}

// pass lets one second pass: attempts meet the queues as the seconds before left
// them, then their work joins the queues.
func (sv *Service) pass(sec int64, arrivals *[NumOps]int32, s *second) {
	retries := sv.due[sec]
	if retries == nil && !sv.disturbed(sec) && sv.quiet(sec, arrivals, s) {
		return
	}
	delete(sv.due, sec)
	hour := sec / 3600

	// tries are the attempts that are made, by their number in the life of a request.
	var tries [NumOps][maxAttempts]int64
	for op := range arrivals {
		if retries != nil {
			tries[op] = retries[op]
		}
		tries[op][0] = int64(arrivals[op])
	}
	sv.spend(sec, &tries, s)

	var all, sent, sends [NumOps]int64
	for op := range Op(NumOps) {
		sends[op] = sv.clients[clientOf[op]].sends(sec)
		for a, n := range tries[op] {
			all[op] += n
			sent[op] += share(&sv.rest[op][a].sent, n, sends[op])
		}
		sv.Stats.Held[hour][op] += all[op] - sent[op]
	}

	pass := sv.admit(&sent)
	var work [maxNodes]int64
	var faulty [NumOps]int64 // permille that faults let pass
	for op := range faulty {
		faulty[op] = 1000
	}
	for k := range sv.nodes {
		sv.meet(k, sec, &sent, &pass, &faulty, &work)
	}

	var tried, wrong [numClients]int64 // sent; of those, failed
	for op := range Op(NumOps) {
		latency, late := sv.waits(op, sec, 0)
		through := pass[op] * faulty[op] / 1000
		refused := sent[op] * (1000 - pass[op]) / 1000
		if late {
			sv.Stats.Late[hour][op] += sent[op] * through / 1000
			through = 0
		}
		fail := 1000 - sends[op]*through/1000
		s.fate[op] = Fate{int32(fail), int32((latency + 999) / 1000)}
		if all[op] == 0 {
			continue
		}
		failed := int64(0)
		if fail > 0 {
			for a, n := range tries[op] {
				k := share(&sv.rest[op][a].failed, n, fail)
				failed += k
				sv.retry(op, sec, a, k)
			}
		}
		st := &sv.Stats
		st.Requests[hour][op] += int64(arrivals[op])
		st.Attempts[hour][op] += all[op]
		st.Served[hour][op] += all[op] - failed
		st.Refused[hour][op] += refused
		if len(sv.faults) > 0 {
			sv.watch(op, sec, all[op], failed, fail)
		}
		tried[clientOf[op]] += sent[op]
		wrong[clientOf[op]] += max(0, sent[op]-(all[op]-failed))
	}
	for k := range sv.clients {
		sv.clients[k].saw(sec, tried[k], wrong[k])
	}
	for k := range sv.nodes {
		n := &sv.nodes[k]
		_, left := sv.down(k, sec)
		n.backlog = max(0, n.backlog+work[k]-n.capacity*left/1000)
	}
}

// quiet lets a second pass in which nothing is wrong, nobody waits and there is
// room for all; false if it is not one.
func (sv *Service) quiet(sec int64, arrivals *[NumOps]int32, s *second) bool {
	*s = calm
	s.fate = sv.base
	var work [maxNodes]int64
	total := int64(0)
	for op, n := range arrivals {
		if n > 0 {
			total += int64(n)
			for _, h := range sv.path[op] {
				work[h.node] += int64(n) * h.work
			}
		}
	}
	if total == 0 {
		return true
	}
	if sv.admits > 0 && total > sv.admits {
		return false
	}
	for k := range sv.nodes {
		if n := &sv.nodes[k]; n.shed > 0 && work[k] > n.capacity {
			return false
		}
	}
	hour := sec / 3600
	for op, n := range arrivals {
		n := int64(n)
		sv.Stats.Requests[hour][op] += n
		sv.Stats.Attempts[hour][op] += n
		sv.Stats.Served[hour][op] += n
		if n > 0 && len(sv.faults) > 0 {
			sv.watch(Op(op), sec, n, 0, 0)
		}
	}
	for k := range sv.nodes {
		n := &sv.nodes[k]
		n.backlog = max(0, work[k]-n.capacity)
	}
	for k := range sv.clients {
		if c := &sv.clients[k]; c.budget > 0 || c.failures > 0 {
			var first int64
			for op, n := range arrivals {
				if clientOf[op] == k {
					first += int64(n)
				}
			}
			*c.minute.at(sec) = [2]int64{first, 0}
			c.saw(sec, first, 0)
		}
	}
	return true
}

// spend takes the retries that budgets do not allow out of a second's tries.
func (sv *Service) spend(sec int64, tries *[NumOps][maxAttempts]int64, s *second) {
	for k := range sv.clients {
		var first, again int64
		for op := range tries {
			if clientOf[op] == k {
				first += tries[op][0]
				for _, n := range tries[op][1:] {
					again += n
				}
			}
		}
		s.allowed[k] = sv.clients[k].allows(sec, first, again)
		if s.allowed[k] == 1000 {
			continue
		}
		for op := range tries {
			if clientOf[op] != k {
				continue
			}
			for a := 1; a < maxAttempts; a++ {
				n := share(&sv.rest[op][a].allowed, tries[op][a], s.allowed[k])
				sv.Stats.GivenUp[sec/3600][op] += tries[op][a] - n
				tries[op][a] = n
			}
		}
	}
}

// admit is the permille of each operation that the gateway lets in: what comes
// first is served first, the rest shares what is left.
func (sv *Service) admit(sent *[NumOps]int64) (pass [NumOps]int64) {
	for op := range pass {
		pass[op] = 1000
	}
	if sv.admits == 0 {
		return pass
	}
	left := sv.admits
	ranked := [NumOps]bool{}
	let := func(of func(Op) bool) {
		total := int64(0)
		for op := range Op(NumOps) {
			if !ranked[op] && of(op) {
				total += sent[op]
			}
		}
		share := int64(1000)
		if total > left {
			share = left * 1000 / total
		}
		for op := range Op(NumOps) {
			if !ranked[op] && of(op) {
				ranked[op], pass[op] = true, share
			}
		}
		left = max(0, left-total)
	}
	for _, f := range sv.first {
		let(func(op Op) bool { return Of(op) == f })
	}
	let(func(Op) bool { return true })
	return pass
}

// meet lets a second's requests meet a node: faults fail some, what would wait for
// too long is shed, the others' work arrives. A request that fails at a node costs
// nothing behind it.
func (sv *Service) meet(k int, sec int64, sent, pass, faulty *[NumOps]int64, work *[maxNodes]int64) {
	n := &sv.nodes[k]
	fail, left := sv.down(k, sec)
	for op := range sv.path {
		for _, h := range sv.path[op] {
			if h.node == k {
				faulty[op] = faulty[op] * (1000 - fail) / 1000
				work[k] += sent[op] * h.work * pass[op] / 1000 * faulty[op] / 1000
			}
		}
	}
	if n.shed == 0 || work[k] == 0 {
		return
	}
	capacity := n.capacity * left / 1000
	room := max(0, capacity+n.shed*capacity/1_000_000-n.backlog)
	if work[k] <= room {
		return
	}
	kept := room * 1000 / work[k]
	for op := range sv.path {
		for _, h := range sv.path[op] {
			if h.node == k {
				pass[op] = pass[op] * kept / 1000
			}
		}
	}
	work[k] = work[k] * kept / 1000
}

// waits is how long (µs) an attempt takes that gets through at a second, with the
// queues as they are after "ahead" further seconds of draining, and whether that
// is longer than its client waits.
func (sv *Service) waits(op Op, sec, ahead int64) (latency int64, late bool) {
	for _, h := range sv.path[op] {
		_, left := sv.down(h.node, sec)
		n := &sv.nodes[h.node]
		capacity := n.capacity * left / 1000
		if capacity == 0 {
			return 0, true
		}
		waiting := max(0, n.backlog-ahead*capacity)
		latency += waiting*1_000_000/capacity + h.work*1000/left
	}
	if timeout := sv.clients[clientOf[op]].timeout; latency > timeout {
		return timeout, true
	}
	return latency, false
}

// attempt is the fate of a single attempt at a second behind the window.
func (sv *Service) attempt(op Op, sec, ahead int64) (failPermille, latency int64) {
	pass := sv.clients[clientOf[op]].sends(sec)
	for _, h := range sv.path[op] {
		fail, _ := sv.down(h.node, sec)
		pass = pass * (1000 - fail) / 1000
	}
	latency, late := sv.waits(op, sec, ahead)
	if late {
		pass = 0
	}
	return 1000 - pass, latency
}

// retry lets n requests whose attempt failed come back, if their client does.
func (sv *Service) retry(op Op, sec int64, attempt int, n int64) {
	c := &sv.clients[clientOf[op]]
	if n == 0 || attempt+1 >= c.attempts {
		return
	}
	if !c.jitter {
		sv.comeBack(op, attempt+1, sec+c.wait[attempt+1], n)
		return
	}
	// Evenly over the seconds; what does not divide is scattered.
	seconds := c.wait[attempt+1]
	for d := range seconds {
		sv.comeBack(op, attempt+1, sec+1+d, n/seconds)
	}
	next := &sv.rest[op][attempt].spread
	for range n % seconds {
		*next++
		d := uint64(scatter(uint32(*next))) * uint64(seconds) >> 32
		sv.comeBack(op, attempt+1, sec+1+int64(d), 1)
	}
}

// scatter is the finaliser of MurmurHash3: neighbours end up anywhere.
func scatter(x uint32) uint32 {
	x = (x ^ x>>16) * 0x85ebca6b
	x = (x ^ x>>13) * 0xc2b2ae35
	return x ^ x>>16
}

func (sv *Service) comeBack(op Op, attempt int, sec, n int64) {
	if n == 0 {
		return
	}
	at := sv.due[sec]
	if at == nil {
		at = new([NumOps][maxAttempts]int64)
		sv.due[sec] = at
	}
	at[op][attempt] += n
}

// fate follows the requests of one second through their retries. Retries that
// fall behind the window meet the faults that are known for then, and the
// queues as the window left them, drained.
func (sv *Service) fate(op Op, sec, start int64, single []second) Fate {
	c := &sv.clients[clientOf[op]]
	end := start + int64(len(single))
	remaining := int64(1000) // permille that has not been served
	lost := int64(0)         // permille that has given up
	latency, told := int64(0), false
	for a := range c.attempts {
		at := sec + c.delay[a]
		var fail, ms int64
		allowed := single[min(at, end-1)-start].allowed[clientOf[op]]
		if at < end {
			f := single[at-start].fate[op]
			fail, ms = int64(f.FailPermille), int64(f.LatencyMs)
		} else {
			var us int64
			fail, us = sv.attempt(op, at, at-end)
			ms = (us + 999) / 1000
		}
		if a > 0 && allowed < 1000 {
			gives := remaining * (1000 - allowed) / 1000
			lost += gives
			remaining -= gives
		}
		served := remaining * (1000 - fail) / 1000
		remaining -= served
		if !told && 1000-remaining-lost >= 500 {
			latency, told = c.delay[a]*1000+ms, true
		}
		if fail == 0 {
			break
		}
		if !told {
			latency = max(latency, c.delay[a]*1000+ms)
		}
	}
	return Fate{int32(remaining + lost), int32(latency)}
}
