package main

import (
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
	"sync/atomic"
	"time"

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
	_, own, _ := strings.Cut(at.url, "://")
	s.url, r.listen = at.url, cmp.Or(at.listens, strings.Replace(own, "localhost", "127.0.0.1", 1)) // where it will be again
	r.ops = strings.TrimPrefix(at.operations, "http://")
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

// profiles takes one CPU profile after the other, of all processes at once. What it
// returns ends that, and says how many there are.
func (s *loadedService) profiles(ctx context.Context, dir string, each time.Duration) (stop func() int) {
	if each == 0 {
		return func() int { return 0 }
	}
	ctx, cancel := context.WithCancel(ctx)
	var kept atomic.Int64
	var all sync.WaitGroup
	for n, r := range s.replicas {
		name := "service"
		if len(s.replicas) > 1 {
			name = fmt.Sprintf("replica-%d", n+1)
		}
		all.Go(func() {
			for i := 1; ctx.Err() == nil; {
				if err := r.profile(ctx, filepath.Join(dir, fmt.Sprintf("%s-%03d.pprof", name, i)), each); err == nil {
					i++
					kept.Add(1)
				} else if ctx.Err() == nil {
					select { // the service is being started again
					case <-time.After(time.Second / 4):
					case <-ctx.Done():
					}
				}
			}
		})
	}
	return func() int { cancel(); all.Wait(); return int(kept.Load()) }
}

func (r *loadedReplica) profile(ctx context.Context, file string, each time.Duration) error {
	at := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", r.ops, int(each.Seconds()))
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o666)
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
