package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	pprofile "github.com/google/pprof/profile"
)

// nodeOf says to which node of the capacity model work belongs, by the functions it is
// done for: the innermost that is named here. The rest is the gateway's: HTTP, TLS,
// tokens, proofs.
var nodeOf = []struct{ function, node string }{
	{"/reference/face.", "face"},
	{"/reference/issuance.(*Service).sign", "signing"},
	{"/reference/register.", "register"},
	{"/reference/store", "register"},
	{"/reference/audit.", "register"},
	{"modernc.org/sqlite", "register"},
	{"github.com/jackc/pgx", "register"},
	{"/reference/", "gateway"},
	{"net/http.", "gateway"},
	{"crypto/tls.", "gateway"},
}

// maxProfileBytes limits a CPU profile.
const maxProfileBytes = 64 << 20

// cpuShares takes a CPU profile of a service by its operations listener, and shares it
// out among the nodes. Work for nobody in particular (scheduler, garbage collector)
// goes to all in proportion.
func cpuShares(ctx context.Context, ops string, d time.Duration) (map[string]float64, int, error) {
	seconds := max(1, int(d.Round(time.Second)/time.Second))
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", ops, seconds), nil)
	if err != nil {
		return nil, 0, err
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("%s gives no CPU profile: %s (start it with --pprof)", ops, res.Status)
	}
	p, err := pprofile.Parse(io.LimitReader(res.Body, maxProfileBytes))
	if err != nil {
		return nil, 0, fmt.Errorf("the CPU profile of %s: %w", ops, err)
	}
	shares, samples := sharesOf(p)
	return shares, samples, nil
}

func sharesOf(p *pprofile.Profile) (shares map[string]float64, samples int) {
	shares = map[string]float64{}
	total := 0.0
	for _, s := range p.Sample {
		samples += int(s.Value[0])
		if node := nodeOfStack(s); node != "" {
			shares[node] += float64(s.Value[len(s.Value)-1])
			total += float64(s.Value[len(s.Value)-1])
		}
	}
	for node := range shares {
		shares[node] /= total
	}
	return shares, samples
}

func nodeOfStack(s *pprofile.Sample) string {
	for _, at := range s.Location { // the innermost first
		for _, l := range at.Line {
			if l.Function == nil {
				continue
			}
			for _, n := range nodeOf {
				if strings.Contains(l.Function.Name, n.function) {
					return n.node
				}
			}
		}
	}
	return ""
}

// cpuAt reads the processor time of a service from its operations listener. Later, what
// cannot be read is as it was.
func cpuAt(ctx context.Context, ops string) (func() time.Duration, error) {
	const name = "process_cpu_seconds_total "
	read := func() (time.Duration, error) {
		q, err := http.NewRequestWithContext(ctx, http.MethodGet, ops+"/metrics", nil)
		if err != nil {
			return 0, err
		}
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			if v, ok := strings.CutPrefix(line, name); ok {
				s, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
				return time.Duration(s * float64(time.Second)), err
			}
		}
		return 0, fmt.Errorf("%s/metrics has no %s(%s)", ops, name, res.Status)
	}
	last, err := read()
	if err != nil {
		return nil, err
	}
	return func() time.Duration {
		if d, err := read(); err == nil {
			last = d
		}
		return last
	}, nil
}
