package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	pprofile "github.com/google/pprof/profile"
	"github.com/jackc/pgx/v5"
)

// loadedService is a service under load: a process of its own, or several behind a
// balancer, that can be killed and started again at the same addresses.
type loadedService struct {
	url, controlURL string
	program         program
	args            []string
	env             []string
	log             *os.File
	hook            *http.Server
	balancer        *splitter // nil before one alone

	mu       sync.Mutex // of what follows
	replicas []*loadedReplica
	next     int // who is killed next
}

// loadedReplica is one of its processes.
type loadedReplica struct {
	listen, ops string // where it listens, and where its operators ask
	child       *exec.Cmd
	ended       chan struct{}
	cpu         func() time.Duration
	spent       time.Duration // by those that were killed
}

// program is a rollcall that can be started: its file, and the name under which it is.
type program struct{ path, name string }

// thisProgram is a rollcall as it runs here.
func thisProgram() (program, error) {
	path, err := os.Executable()
	return program{path, os.Args[0]}, err
}

// startLoaded starts serve of a program, with a demonstration and without limits of
// rate: all citizens come from one address. database is a PostgreSQL's address, if it is to
// have one.
func startLoaded(ctx context.Context, p program, f *liveFlags, database, scenario, log string) (*loadedService, error) {
	data, err := filepath.Abs(f.data)
	if err != nil {
		return nil, err
	}
	f.data = data
	s := &loadedService{program: p, env: withoutSettings(os.Environ()), args: []string{"serve", "--data", data, "--scenario", scenario, "--all-open", "--demo", "--demo-residents", "1", "--pprof", "--log-level", "warn",
		"--copies", strconv.Itoa(f.copies), "--status-every", f.statusEvery.String(), "--status-ttl", f.ttl.String(),
		"--connections-address", "10000", "--concurrent-address", "2048"}}
	s.args = append(s.args, anyRate...)
	if database != "" {
		s.env = append(s.env, "ROLLCALL_DATABASE="+database) // not among the arguments, which everybody on the machine can read
	}
	if s.log, err = os.Create(log); err != nil {
		return nil, err
	}
	if err = s.startAll(ctx, f.replicas); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// startAll starts replicas, one after the other, since the first one makes keys and register.
func (s *loadedService) startAll(ctx context.Context, n int) error {
	if n > 1 {
		var err error
		if s.balancer, err = newSplitter(); err != nil {
			return err
		}
		_, port, _ := net.SplitHostPort(s.balancer.Addr().String())
		s.args = append(s.args, "--public-url", "https://localhost:"+port)
	}
	for range n {
		r := &loadedReplica{listen: "127.0.0.1:0", ops: "127.0.0.1:0"}
		if err := s.start(ctx, r); err != nil {
			return err
		}
		s.replicas = append(s.replicas, r)
	}
	if s.balancer != nil {
		for _, r := range s.replicas {
			s.balancer.replicas = append(s.balancer.replicas, r.listen)
		}
		go s.balancer.serve()
	}
	return nil
}

// ownSchema is the address of an empty schema in a PostgreSQL, and what removes it.
func ownSchema(ctx context.Context, database string) (address string, drop func(), err error) {
	u, err := url.Parse(database)
	if err != nil {
		return "", nil, errors.New("--database is no address of a PostgreSQL")
	}
	name := "rollcall_live_" + strings.ToLower(rand.Text())
	run := func(ctx context.Context, statement string) error {
		c, err := pgx.Connect(ctx, database)
		if err != nil {
			return fmt.Errorf("--database: %w", err)
		}
		defer c.Close(ctx)
		if _, err = c.Exec(ctx, statement); err != nil {
			return fmt.Errorf("--database: %w", err)
		}
		return nil
	}
	if err := run(ctx, "CREATE SCHEMA "+name); err != nil {
		return "", nil, err
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = run(ctx, "DROP SCHEMA "+name+" CASCADE") // a database that has gone keeps it
	}, nil
}

// start starts a process and reads from what it says where it is. It outlives
// ctx, so that it can be stopped in order, but not this program.
func (s *loadedService) start(ctx context.Context, r *loadedReplica) error {
	child := exec.Command(s.program.path, append(s.args[:len(s.args):len(s.args)], "--listen", r.listen, "--ops-listen", r.ops)...)
	child.Args[0] = s.program.name
	child.Stderr, child.Env = s.log, s.env
	at, err := startServing(ctx, child, nil, true)
	if err != nil {
		return err
	}
	if at.url == "" || at.operations == "" {
		_ = child.Process.Kill()
		_ = child.Wait()
		why, _ := os.ReadFile(s.log.Name())
		return fmt.Errorf("the service did not start: %s", strings.TrimSpace(string(why)))
	}
	if r.child == nil { // started again, it is where it was; who takes profiles reads that meanwhile
		_, own, _ := strings.Cut(at.url, "://")
		s.url, r.listen = at.url, cmp.Or(at.listens, strings.Replace(own, "localhost", "127.0.0.1", 1))
		r.ops = strings.TrimPrefix(at.operations, "http://")
	}
	r.child, r.ended, r.cpu = child, make(chan struct{}), cpuOf(child.Process.Pid)
	go func() {
		_ = child.Wait()
		close(r.ended)
	}()
	return nil
}

// restart kills a process, another one than the time before, and after a time starts it
// again on its data, at the same addresses.
func (s *loadedService) restart(ctx context.Context, down time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.replicas[s.next%len(s.replicas)]
	s.next++
	if r.cpu != nil {
		r.spent += r.cpu()
	}
	if err := r.child.Process.Kill(); err != nil {
		return err
	}
	<-r.ended
	time.Sleep(down)
	return s.start(ctx, r)
}

// used is the processor time of the service's processes so far.
func (s *loadedService) used() (all time.Duration, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.replicas {
		if r.cpu == nil {
			return 0, false
		}
		all += r.spent + r.cpu()
	}
	return all, true
}

// control serves those who make the load: POST /WORD/restart?down=1s, POST /WORD/cpu. The
// word is known to nobody else.
func (s *loadedService) control() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	word := rand.Text()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /"+word+"/restart", func(w http.ResponseWriter, r *http.Request) {
		down, err := time.ParseDuration(cmp.Or(r.FormValue("down"), "0s"))
		if err == nil && (down < 0 || down > time.Minute) {
			err = fmt.Errorf("a service is down for a minute at most, not %v", down)
		}
		if err == nil {
			err = s.restart(context.WithoutCancel(r.Context()), down)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /"+word+"/cpu", func(w http.ResponseWriter, _ *http.Request) {
		if d, ok := s.used(); ok {
			fmt.Fprint(w, d)
		}
	})
	s.hook = &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	s.controlURL = "http://" + l.Addr().String() + "/" + word
	go func() { _ = s.hook.Serve(l) }()
	return nil
}

// piece is how long a profile is taken at most before it is looked whether the load is over. Go
// leaves out up to 0.1 s between two.
const piece = 2 * time.Second

// profiles takes one CPU profile after the other, of each process, of a length each; the
// last is as long as the load was still. What it returns ends that, and says how many there
// are, or why there is none.
func (s *loadedService) profiles(ctx context.Context, dir string, each time.Duration) (stop func() (int, error)) {
	if each == 0 {
		return func() (int, error) { return 0, nil }
	}
	over := make(chan struct{})
	kept, why := make([]int, len(s.replicas)), make([]error, len(s.replicas))
	var all sync.WaitGroup
	for n, r := range s.replicas {
		name := "service"
		if len(s.replicas) > 1 {
			name = fmt.Sprintf("replica-%d", n+1)
		}
		all.Go(func() { kept[n], why[n] = r.profiles(ctx, over, filepath.Join(dir, name), each) })
	}
	return func() (sum int, _ error) {
		close(over)
		all.Wait()
		for _, n := range kept {
			sum += n
		}
		if sum > 0 {
			return sum, nil
		}
		return 0, errors.Join(why...)
	}
}

// profiles are those of one process until the load is over, in files whose names begin
// alike.
func (r *loadedReplica) profiles(ctx context.Context, over <-chan struct{}, name string, each time.Duration) (kept int, why error) {
	for ended := false; !ended; {
		var parts []*pprofile.Profile
		for left := each; left > 0 && !ended; {
			part, err := r.profile(ctx, min(left, piece))
			if err == nil {
				parts, left = append(parts, part), left-piece
			} else {
				why = err
			}
			select {
			case <-over:
				ended = true
			case <-ctx.Done():
				ended = true
			default:
				if err != nil { // the service is being started again
					time.Sleep(time.Second / 4)
				}
			}
		}
		if len(parts) == 0 {
			continue
		}
		if err := keepProfile(fmt.Sprintf("%s-%03d.pprof", name, kept+1), parts); err != nil {
			return kept, err
		}
		kept++
	}
	return kept, why
}

// profile is a process's CPU profile for a time from now on.
func (r *loadedReplica) profile(ctx context.Context, took time.Duration) (*pprofile.Profile, error) {
	at := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", r.ops, int(max(took, time.Second).Seconds()))
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, errors.New(res.Status)
	}
	return pprofile.Parse(io.LimitReader(res.Body, maxProfileBytes))
}

// keepProfile writes the parts of a profile as one.
func keepProfile(file string, parts []*pprofile.Profile) error {
	whole, err := pprofile.Merge(parts)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := whole.Write(&b); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o666)
}

// stop ends the service in order.
func (s *loadedService) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hook != nil {
		_ = s.hook.Close()
	}
	for _, r := range s.replicas {
		if r.child.Process.Signal(os.Interrupt) != nil {
			_ = r.child.Process.Kill() // a system without signals
		}
	}
	late := time.After(20 * time.Second)
	for _, r := range s.replicas {
		select {
		case <-r.ended:
		case <-late:
			_ = r.child.Process.Kill()
			<-r.ended
		}
	}
	if s.balancer != nil {
		_ = s.balancer.Close()
	}
	s.log.Close()
}
