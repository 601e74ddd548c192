package capacity

// Solve carries the load posted for the seconds [start, start+len(posted)) and
// writes the fates of those seconds for every operation that was posted.
func (sv *Service) Solve(start int64, posted [][NumOps]int32, fates [][NumOps]Fate) {
	if cap(sv.single) < len(posted) {
		sv.single = make([][NumOps]Fate, len(posted))
	}
	single := sv.single[:len(posted)]
	for i := range posted {
		sec := start + int64(i)
		sv.second(sec, &posted[i], &single[i])
	}
	end := start + int64(len(posted))
	for i := range posted {
		for op := range Op(NumOps) {
			if posted[i][op] > 0 {
				fates[i][op] = sv.fate(op, start+int64(i), start, end, single)
			}
		}
	}
}

// second lets one second pass: attempts meet the queues as the seconds before
// left them, then their work joins the queues.
func (sv *Service) second(sec int64, arrivals *[NumOps]int32, single *[NumOps]Fate) {
	retries := sv.due[sec]
	if retries != nil {
		delete(sv.due, sec)
	}
	calm := retries == nil && !sv.disturbed(sec)
	if calm {
		*single = sv.base
		idle := true
		for _, n := range arrivals {
			idle = idle && n == 0
		}
		if idle {
			return
		}
	}
	hour := sec / 3600
	var work [maxNodes]int64
	for op := range Op(NumOps) {
		if !calm {
			fail, latency := sv.attempt(op, sec, 0)
			single[op] = Fate{int32(fail), int32((latency + 999) / 1000)}
		}
		first := int64(arrivals[op])
		n := first
		if retries != nil {
			for _, k := range retries[op] {
				n += k
			}
		}
		if n == 0 {
			continue
		}
		sv.Stats.Requests[hour][op] += first
		sv.Stats.Attempts[hour][op] += n
		fail := int64(single[op].FailPermille)
		failed := int64(0)
		if fail > 0 {
			failed = sv.fail(op, sec, 0, first, fail)
			if retries != nil {
				for a, k := range retries[op] {
					failed += sv.fail(op, sec, a, k, fail)
				}
			}
		}
		sv.Stats.Served[hour][op] += n - failed
		if len(sv.faults) > 0 {
			sv.watch(op, sec, n, failed, fail)
		}
		// A request that fails at a node costs nothing behind it.
		pass := int64(1000)
		for _, h := range sv.path[op] {
			if !calm {
				f, _ := sv.down(h.node, sec)
				pass = pass * (1000 - f) / 1000
			}
			work[h.node] += n * h.work * pass / 1000
		}
	}
	for k := range sv.nodes {
		n := &sv.nodes[k]
		left := int64(1000)
		if !calm {
			_, left = sv.down(k, sec)
		}
		n.backlog = max(0, n.backlog+work[k]-n.capacity*left/1000)
	}
}

// attempt is the fate of a single attempt at a second, with the queues as they
// are after "ahead" further seconds of draining.
func (sv *Service) attempt(op Op, sec, ahead int64) (failPermille, latency int64) {
	pass := int64(1000)
	for _, h := range sv.path[op] {
		fail, left := sv.down(h.node, sec)
		pass = pass * (1000 - fail) / 1000
		n := &sv.nodes[h.node]
		capacity := n.capacity * left / 1000
		if capacity == 0 {
			return 1000, 0
		}
		waiting := max(0, n.backlog-ahead*capacity)
		latency += waiting*1_000_000/capacity + h.work*1000/left
	}
	if latency > sv.timeout {
		return 1000, sv.timeout
	}
	return 1000 - pass, latency
}

// fail lets permille of n attempts fail, and come back if they may. Fractions of
// an attempt are carried to the next second, so that few are failed as often as
// many.
func (sv *Service) fail(op Op, sec int64, attempt int, n, permille int64) int64 {
	rest := &sv.rest[op][attempt]
	failed := (n*permille + *rest) / 1000
	*rest += n*permille - failed*1000
	sv.retry(op, sec, attempt, failed)
	return failed
}

func (sv *Service) retry(op Op, sec int64, attempt int, n int64) {
	if n == 0 || attempt+1 >= sv.attempts {
		return
	}
	at := sec + sv.delay[attempt+1] - sv.delay[attempt]
	d := sv.due[at]
	if d == nil {
		d = new([NumOps][maxAttempts]int64)
		sv.due[at] = d
	}
	d[op][attempt+1] += n
}

// fate follows the requests of one second through their retries. Retries that
// fall behind the window meet the faults that are known for then, and the
// queues as the window left them, drained.
func (sv *Service) fate(op Op, sec, start, end int64, single [][NumOps]Fate) Fate {
	remaining := int64(1000) // permille that has not been served
	latency, told := int64(0), false
	for a := range sv.attempts {
		at := sec + sv.delay[a]
		var fail, ms int64
		if at < end {
			f := single[at-start][op]
			fail, ms = int64(f.FailPermille), int64(f.LatencyMs)
		} else {
			var us int64
			fail, us = sv.attempt(op, at, at-end)
			ms = (us + 999) / 1000
		}
		served := remaining * (1000 - fail) / 1000
		remaining -= served
		if !told && 1000-remaining >= 500 {
			latency, told = sv.delay[a]*1000+ms, true
		}
		if fail == 0 {
			break
		}
		if !told {
			latency = max(latency, sv.delay[a]*1000+ms)
		}
	}
	return Fate{int32(remaining), int32(latency)}
}
