package calibrate

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
)

// Off names the quantiles of predictions that lie off by more than the tolerance.
func (p *Profile) Off() (off []string) {
	for i := range p.Checks {
		c := &p.Checks[i]
		p50, p95, p99 := c.All.Holds()
		for _, q := range []struct {
			name  string
			holds bool
		}{{"p50", p50}, {"p95", p95}, {"p99", p99}} {
			if !q.holds {
				off = append(off, fmt.Sprintf("%s at %.0f a second", q.name, c.PerSecond))
			}
		}
	}
	return off
}

// Print tells a profile to people.
func Print(w io.Writer, p *Profile) error {
	var b strings.Builder
	ms := func(s float64) string { return fmt.Sprintf("%.3f", 1000*s) }
	within := func(e Estimate) string { return fmt.Sprintf("%s (%s-%s)", ms(e.Value), ms(e.Low), ms(e.High)) }
	m := p.Machine
	fmt.Fprintf(&b, "%s, %d cores: %d for the service, %d for the generator", m.CPU, m.Cores, m.ServiceCores, m.GeneratorCores)
	if !m.Apart {
		b.WriteString(", shared")
	}
	fmt.Fprintf(&b, "\n%s\n\n", p.Service.Store)

	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "operation\tn\tprocessor, ms (95 %)\theld, ms\tgenerator, ms\talone p50\tp99\tlaw of its time\tdistance\tp")
	for _, o := range p.Operations {
		law, distance, chance := "-", "-", "-"
		if len(o.Laws) > 0 {
			law, distance, chance = o.Laws[0].Name, fmt.Sprintf("%.3f", o.Laws[0].Distance), fmt.Sprintf("%.2f", o.Laws[0].P)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.Name, o.Count, within(o.Processor), ms(o.Held.Value), ms(o.Generator.Value), ms(o.Alone.P50), ms(o.Alone.P99), law, distance, chance)
	}
	t.Flush()
	fmt.Fprintf(&b, "\nDemands explain %.1f %% of the processor time of %d intervals (off by %.1f %% of it); %.1f %% of a core is busy with nothing asked.\n",
		100*p.Fit.R2, p.Fit.Intervals, 100*p.Fit.Residual, 100*p.Fit.Background.Value)

	fmt.Fprintln(&b, "\nWhat the capacity model is given, ms:")
	fmt.Fprintln(t, "operation\tnode\tdemand (95 %)")
	for _, op := range slices.Sorted(maps.Keys(p.Demands)) {
		for _, node := range nodes {
			if e, ok := p.Demands[op][node]; ok {
				fmt.Fprintf(t, "%s\t%s\t%s\n", op, node, within(e))
			}
		}
	}
	t.Flush()
	if s := p.Scaling; s != nil {
		fmt.Fprintf(&b, "\nN callers get %.1f·N / (1 + %.4f·(N-1) + %.6f·N·(N-1)) a second (R² %.3f)", s.Single.Value, s.Contention.Value, s.Coherence.Value, s.R2)
		if s.Peak > 0 {
			fmt.Fprintf(&b, "; no more beyond %.0f", s.Peak)
		}
		fmt.Fprintf(&b, ". The service kept %.2f cores busy at most.\n", p.Busy.Value)
	}
	if len(p.Saturation) > 0 {
		fmt.Fprintln(&b)
		fmt.Fprintln(t, "offered a second\tdone\tservice busy\tgenerator busy\tothers\tpauses\tp50, ms\tp95\tp99")
		for _, o := range p.Saturation {
			fmt.Fprintf(t, "%.1f\t%.1f\t%.0f %%\t%.0f %%\t%.0f %%\t%.1f %%\t%s\t%s\t%s\n", o.PerSecond, o.Done, 100*o.ServiceBusy, 100*o.GeneratorBusy, 100*o.OthersBusy, 100*sum(o.Pauses)/o.Seconds, ms(o.Latency.P50), ms(o.Latency.P95), ms(o.Latency.P99))
		}
		t.Flush()
	}
	if m := p.Model; m != nil && len(m.Paces) > 0 {
		first, last := m.Paces[0], m.Paces[len(m.Paces)-1]
		fmt.Fprintf(&b, "\nFrom these rates: an operation takes %.2f of its processor time alone at %.0f a second, %.2f at %.0f.\n", first.Service, first.PerSecond, last.Service, last.PerSecond)
		fmt.Fprintf(&b, "Pauses (for %s ms or more nobody is answered): %.2f of 1000 operations and %.2f a second besides, of %s ms on average; the processor works in %.0f %% (%.0f-%.0f) of their time.\n",
			ms(m.Longest), 1000*m.PausesPerOperation, m.PausesPerSecond, ms(m.PauseMean), 100*m.PauseWorks.Value, 100*m.PauseWorks.Low, 100*m.PauseWorks.High)
		fmt.Fprintf(&b, "Predicted with that, with nothing fitted to latencies, those of these rates are off by %.0f %%.\n", 100*m.Error)
	}
	if len(p.Checks) > 0 {
		fmt.Fprintln(&b, "\nLoads that were not used in fitting, predicted before they were measured:")
		fmt.Fprintln(t, "load a second\tservice busy\tothers\tof\tn\tquantile\tpredicted, ms\tmeasured, ms (95 %)\terror\t")
		for i := range p.Checks {
			c := &p.Checks[i]
			rows := []struct {
				name string
				c    Compared
			}{{"all", c.All}}
			for _, name := range slices.SortedFunc(maps.Keys(c.Operations), func(a, b string) int {
				return cmp.Or(c.Operations[b].Count-c.Operations[a].Count, strings.Compare(a, b))
			}) {
				rows = append(rows, struct {
					name string
					c    Compared
				}{name, c.Operations[name]})
			}
			for _, r := range rows {
				p50, p95, p99 := r.c.Holds()
				for _, q := range []struct {
					name      string
					predicted float64
					measured  Estimate
					holds     bool
				}{{"p50", r.c.Predicted.P50, Estimate{r.c.Measured.P50, r.c.Low.P50, r.c.High.P50}, p50},
					{"p95", r.c.Predicted.P95, Estimate{r.c.Measured.P95, r.c.Low.P95, r.c.High.P95}, p95},
					{"p99", r.c.Predicted.P99, Estimate{r.c.Measured.P99, r.c.Low.P99, r.c.High.P99}, p99}} {
					verdict := "holds"
					if !q.holds {
						verdict = "does not hold"
					}
					if c.OthersBusy > disturbed {
						verdict += " (disturbed)"
					}
					if r.name != "all" && q.name == "p99" && r.c.Count < 500 {
						continue // a handful of measurements
					}
					off := Off(q.predicted, q.measured.Value)
					if math.IsNaN(off) {
						continue
					}
					fmt.Fprintf(t, "%.1f\t%.0f %%\t%.0f %%\t%s\t%d\t%s\t%s\t%s\t%+.1f %%\t%s\n", c.PerSecond, 100*c.ServiceBusy, 100*c.OthersBusy, r.name, r.c.Count, q.name, ms(q.predicted), within(q.measured), 100*off, verdict)
				}
			}
		}
		t.Flush()
		if off := p.Off(); len(off) > 0 {
			fmt.Fprintf(&b, "Off by more than %.0f %% of all operations together: %s.\n", 100*Tolerance, strings.Join(off, ", "))
		} else {
			fmt.Fprintf(&b, "All within %.0f %% for all operations together.\n", 100*Tolerance)
		}
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "\nNote: %s", n)
	}
	if p.Partial != "" {
		fmt.Fprintf(&b, "\nNote: %s", p.Partial)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
