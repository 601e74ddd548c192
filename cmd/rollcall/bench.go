package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rollcall.example/rollcall/reference/httpapi"
	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/scenarios"
	"rollcall.example/rollcall/sim/bench"
	"rollcall.example/rollcall/sim/demo"
)

func benchCommand() *cobra.Command {
	var out, run, baseline, figures, tolerance, cpuprofile, memprofile, peers string
	var took time.Duration
	var count int
	var list bool
	var empty string
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure the service, each figure beside its floor",
		Long: `Measure the service in the Go benchmark format, as benchstat reads it: parts by
themselves, and rollcall serve in a process of its own, loaded by emulated wallets.

Beside each figure stands what it is of its floor (x-floor), the cryptography
without which it cannot be done, measured in turns with it. Both are processor
time. x-allowed is what x-floor may be; x-wire counts requests and syncs as floor,
too; %generator is the share of processor time that making the load took.

With --baseline the figures are compared with earlier ones: exit code 99 says that
one is worse than the tolerance, with 95 % confidence, that there are fewer than
4 counts of it on either side, or that it is not there any more, though it was asked
for. What is new is named.`,
		Example: `  rollcall bench --out now.txt
  rollcall bench --run Card/mdoc --time 1s --count 10
  rollcall bench --baseline before.txt --tolerance 10%
  rollcall bench --baseline before.txt --figures now.txt`,
		Args: none,
		RunE: func(c *cobra.Command, _ []string) error {
			if empty != "" {
				return serveNothing(c.Context(), c.OutOrStdout(), empty)
			}
			if list {
				_, err := fmt.Fprintln(c.OutOrStdout(), strings.Join(bench.Names(), "\n"))
				return err
			}
			limit, err := percent(tolerance)
			if err != nil {
				return usage(fmt.Errorf("--tolerance: %w", err))
			}
			var before bench.Figures
			if baseline != "" {
				if before, err = readFigures("--baseline", baseline); err != nil {
					return err
				}
			} else if figures != "" {
				return usage(errors.New("--figures is compared with --baseline: give both"))
			} else if c.Flags().Changed("tolerance") {
				return usage(errors.New("--tolerance is how far from --baseline figures may be: give both"))
			}
			if count < 1 || took <= 0 {
				return usage(errors.New("--count and --time are above 0"))
			}
			var only *regexp.Regexp
			if run != "" {
				if only, err = regexp.Compile(run); err != nil {
					return usage(fmt.Errorf("--run: %w", err))
				}
			}
			var now bench.Figures
			if figures != "" {
				now, err = readFigures("--figures", figures)
			} else {
				var stop func() error
				if stop, err = profile(cpuprofile, memprofile); err != nil {
					return usage(err)
				}
				now, err = measure(c.Context(), c.OutOrStdout(), out, only, serviceProfile(cpuprofile), peers, took, count)
				if e := stop(); err == nil && e != nil {
					err = internal(e)
				}
				if before != nil {
					before = bench.Asked(before, only, peers != "")
				}
			}
			if err != nil || before == nil {
				return err
			}
			return compareFigures(c.OutOrStdout(), before, now, limit)
		},
	}
	c.Flags().StringVar(&out, "out", "", "write the figures to this `FILE`, too")
	c.Flags().StringVar(&run, "run", "", "only benchmarks whose name this `REGEXP` finds; one that takes minutes only so (--list shows all names)")
	c.Flags().DurationVar(&took, "time", 200*time.Millisecond, "how long each is measured")
	c.Flags().IntVar(&count, "count", 6, "how often each is measured")
	c.Flags().StringVar(&baseline, "baseline", "", "compare with the figures in this `FILE`")
	c.Flags().StringVar(&tolerance, "tolerance", "10%", "how much worse x-floor and allocs/op may be, in `PERCENT`")
	c.Flags().StringVar(&figures, "figures", "", "compare the figures in this `FILE` instead of measuring")
	c.Flags().StringVar(&peers, "peers", "", "measure other people's verifiers, too: `FILE` is readers/peers.mjs (Node.js)")
	c.Flags().StringVar(&cpuprofile, "cpuprofile", "", "write a CPU profile to `FILE` (go tool pprof; label benchmark); that of the service to the file of the same name with .service before its ending (label operation)")
	c.Flags().StringVar(&memprofile, "memprofile", "", "write a profile of allocations to `FILE`")
	c.Flags().BoolVar(&list, "list", false, "print the names of all benchmarks, and end")
	c.Flags().StringVar(&empty, "serve-nothing", "", "serve nothing, and keep the certificate in `DIR`: the floor of a request, and the bare service")
	_ = c.Flags().MarkHidden("serve-nothing") // it is there
	return c
}

// serviceProfile is the file for the CPU profile of the service that is loaded, beside
// that of who measures: cpu.service.pprof beside cpu.pprof.
func serviceProfile(own string) string {
	if own == "" {
		return ""
	}
	ending := filepath.Ext(own)
	return strings.TrimSuffix(own, ending) + ".service" + ending
}

// percent reads "10%" or "10".
func percent(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !(v >= 0 && v <= 1000) {
		return 0, fmt.Errorf("%q is no share such as 10%%", s)
	}
	return v / 100, nil
}

func readFigures(flag, name string) (bench.Figures, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %w", flag, err))
	}
	defer f.Close()
	all, err := bench.Read(f)
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %s: %w", flag, name, err))
	}
	return all, nil
}

func compareFigures(w io.Writer, before, now bench.Figures, tolerance float64) error {
	changes, err := bench.Compare(before, now, tolerance)
	if err != nil {
		return usage(err)
	}
	fmt.Fprintln(w)
	if err := bench.Write(w, changes, tolerance); err != nil {
		return internal(err)
	}
	var worse, few, gone []string
	known := false
	for _, c := range changes {
		switch {
		case c.New: // no harm
		case c.Gone:
			gone = append(gone, c.Figure())
		case !c.Known:
			few = append(few, c.Figure())
		case c.Worse:
			worse = append(worse, c.Figure())
		}
		known = known || c.Known
	}
	if !known { // however much worse, it could not be said
		return usage(errors.New("there are too few counts of any figure to be confident of a difference: 4 of each are needed (--count 4)"))
	}
	var wrong []string
	for _, w := range []struct {
		what    string
		figures []string
	}{{fmt.Sprintf("worse than the baseline by more than %.4g %%", 100*tolerance), worse}, {"not there any more", gone},
		{"of fewer than 4 counts, so that nothing can be said of it", few}} {
		if len(w.figures) > 0 {
			wrong = append(wrong, w.what+": "+strings.Join(w.figures, ", "))
		}
	}
	if len(wrong) > 0 {
		return &exit{exitExpect, errors.New(strings.Join(wrong, "; "))}
	}
	return nil
}

// measure measures, and writes the figures as they come.
func measure(ctx context.Context, stdout io.Writer, out string, run *regexp.Regexp, cpuprofile, peers string, took time.Duration, count int) (bench.Figures, error) {
	o := bench.Options{Now: time.Now, CPU: cpuOf(os.Getpid()), Time: took, Count: count, Processor: cpuName(), Run: run}
	if peers != "" {
		if _, err := os.Stat(peers); err != nil {
			return nil, usage(fmt.Errorf("--peers: %w (readers/peers.mjs is there to be named)", err))
		}
		o.Peers = func(ctx context.Context, sample string) (*bench.Peers, error) { return startPeers(ctx, peers, sample) }
	}
	dir, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return nil, internal(err)
	}
	defer os.RemoveAll(dir)
	o.Dir = dir
	self, err := os.Executable()
	if err != nil {
		return nil, internal(err)
	}
	o.Serve = func(ctx context.Context, data string) (*bench.Service, error) {
		return startService(ctx, self, data, cpuprofile)
	}
	o.Empty = func(ctx context.Context) (*bench.Service, error) {
		data := filepath.Join(dir, "empty")
		s, _, err := startChild(ctx, data, self, nil, "bench", "--serve-nothing", data)
		return s, err
	}
	debug.SetGCPercent(100) // as in any program
	var kept strings.Builder
	w := io.MultiWriter(stdout, &kept)
	if out != "" {
		f, err := os.Create(out)
		if err != nil {
			return nil, usage(fmt.Errorf("--out: %w", err))
		}
		defer f.Close()
		w = io.MultiWriter(w, f)
	}
	if err := bench.Run(ctx, w, o); errors.Is(err, bench.ErrNone) {
		return nil, usage(fmt.Errorf("--run: %w (--list shows them; Peer/... takes --peers)", err))
	} else if err != nil {
		return nil, internal(err)
	}
	return bench.Read(strings.NewReader(kept.String()))
}

// loaded is how many residents the service that is loaded has.
const loaded = 90

// anyRate are settings of a service that turns nobody away by rate: who measures it
// calls from one address.
var anyRate = []string{"--rate-address", "1000000000", "--rate-citizen", "1000000000", "--rate-staff", "1000000000", "--rate-verifier", "1000000000"}

// startService starts rollcall serve with a demonstration and without limits of rate,
// and with more settings.
func startService(ctx context.Context, self, data, cpuprofile string, settings ...string) (*bench.Service, error) {
	s, err := scenarios.Load("announced", nil)
	if err != nil {
		return nil, err
	}
	n, err := scenarios.LoadNation()
	if err != nil {
		return nil, err
	}
	town, err := demo.New(s, n, loaded)
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--all-open", "--demo", "--demo-residents", strconv.Itoa(loaded)}, anyRate...)
	args = append(args, settings...)
	if cpuprofile != "" {
		args = append(args, "--cpuprofile", cpuprofile)
	}
	out, _, err := startChild(ctx, data, self, nil, args...)
	if err != nil {
		return nil, err
	}
	roots, err := certificates([]string{filepath.Join(data, iacaFile)})
	if err == nil {
		town.Issuers, err = mdoc.NewTrustAnchors(roots...)
	}
	if err != nil {
		out.Stop()
		return nil, err
	}
	out.Town = town
	out.Token = func(ctx context.Context, party string) (string, error) {
		return getToken(ctx, out.Client, out.URL, filepath.Join(data, party+".jwk"))
	}
	return out, nil
}

// startChild starts a server as a process, and reads from what it says where it is, and
// where its operators ask, if the arguments have such a place.
func startChild(ctx context.Context, dir, self string, on []int, args ...string) (s *bench.Service, ops string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", err
	}
	log, err := os.Create(filepath.Join(dir, "stderr.log"))
	if err != nil {
		return nil, "", err
	}
	defer log.Close() // the child has its own
	child := exec.CommandContext(ctx, self, args...)
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
	child.WaitDelay = 20 * time.Second
	child.Args[0] = os.Args[0] // the same program under the same name
	child.Stderr = log
	child.Env = withoutSettings(os.Environ())
	at, err := startServing(ctx, child, on, slices.Contains(args, "--ops-listen"))
	if err != nil {
		return nil, "", err
	}
	s = &bench.Service{URL: at.url, CPU: cpuOf(child.Process.Pid), Stop: func() {
		if child.Process.Signal(os.Interrupt) != nil {
			_ = child.Process.Kill() // a system without signals
		}
		_ = child.Wait()
	}}
	if at.url == "" {
		s.Stop()
		why, _ := os.ReadFile(log.Name())
		return nil, "", fmt.Errorf("rollcall %s did not start: %s", args[0], strings.TrimSpace(string(why)))
	}
	if s.Client, err = trusting(filepath.Join(dir, authorityFile)); err != nil {
		s.Stop()
		return nil, "", err
	}
	if t, ok := s.Client.Transport.(*http.Transport); ok {
		t.MaxIdleConnsPerHost, t.MaxIdleConns = 256, 256
	}
	return s, at.operations, nil
}

// withoutSettings is an environment that says nothing of the service.
func withoutSettings(all []string) (left []string) {
	for _, v := range all {
		if !strings.HasPrefix(v, "ROLLCALL_") {
			left = append(left, v)
		}
	}
	return left
}

// serveNothing answers every request with nothing, until the context ends: the floor
// of a request. Below /bare/ it is the service that judges nothing. Its certificate is put where the service's is.
func serveNothing(ctx context.Context, stdout io.Writer, dir string) error {
	key := demo.Key("a server of nothing")
	now := time.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 1), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(chance, c, c, &key.PublicKey, key)
	if err != nil {
		return internal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, authorityFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return internal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return internal(err)
	}
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	bare, end, err := bench.Bare(filepath.Join(dir, "bare.db"), time.Now)
	if err != nil {
		return internal(err)
	}
	defer end()
	debug.SetGCPercent(serveGCPercent)
	mux := http.NewServeMux()
	mux.Handle("/bare/", bare)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	server := httpapi.Server(mux,
		httpapi.TLS(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &pair, nil }), httpapi.DefaultTimeouts)
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Fprintf(stdout, "Rollcall serves https://localhost:%d\n", l.Addr().(*net.TCPAddr).Port)
	return serveOn(server, l)
}
