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
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// loadedService is a service under load, as a process of its own, that can be killed
// and started again at the same addresses.
type loadedService struct {
	url, ops   string
	controlURL string
	program    program
	args       []string
	log        *os.File
	hook       *http.Server

	mu    sync.Mutex // of what follows
	child *exec.Cmd
	ended chan struct{}
	cpu   func() time.Duration
	spent time.Duration // by those that were killed
}

// program is a rollcall that can be started: its file, and the name under which it is.
type program struct{ path, name string }

// thisProgram is a rollcall as it runs here.
func thisProgram() (program, error) {
	path, err := os.Executable()
	return program{path, os.Args[0]}, err
}

// startLoaded starts serve of a program, with a demonstration and without
// limits of rate: all citizens come from one address.
func startLoaded(ctx context.Context, p program, f *liveFlags, scenario, log string) (*loadedService, error) {
	data, err := filepath.Abs(f.data)
	if err != nil {
		return nil, err
	}
	f.data = data
	s := &loadedService{program: p, args: []string{"serve", "--data", data, "--scenario", scenario, "--all-open", "--demo", "--demo-residents", "1", "--pprof", "--log-level", "warn",
		"--copies", strconv.Itoa(f.copies), "--status-every", f.statusEvery.String(), "--status-ttl", f.ttl.String(),
		"--connections-address", "10000", "--concurrent-address", "2048"}}
	s.args = append(s.args, anyRate...)
	if s.log, err = os.Create(log); err != nil {
		return nil, err
	}
	if err := s.start(ctx, "127.0.0.1:0", "127.0.0.1:0"); err != nil {
		s.log.Close()
		return nil, err
	}
	return s, nil
}

// start starts the process and reads from what it says where it is. It outlives
// ctx, so that it can be stopped in order, but not this program.
func (s *loadedService) start(ctx context.Context, listen, ops string) error {
	child := exec.Command(s.program.path, append(s.args[:len(s.args):len(s.args)], "--listen", listen, "--ops-listen", ops)...)
	child.Args[0] = s.program.name
	child.Stderr, child.Env = s.log, withoutSettings(os.Environ())
	url, operations, err := startServing(ctx, child, nil, true)
	if err != nil {
		return err
	}
	if url == "" || operations == "" {
		_ = child.Process.Kill()
		_ = child.Wait()
		why, _ := os.ReadFile(s.log.Name())
		return fmt.Errorf("the service did not start: %s", strings.TrimSpace(string(why)))
	}
	if s.url == "" { // started again, it is where it was
		s.url, s.ops = url, operations
	}
	s.child, s.ended, s.cpu = child, make(chan struct{}), cpuOf(child.Process.Pid)
	go func() {
		_ = child.Wait()
		close(s.ended)
	}()
	return nil
}

// restart kills the process and, after a time, starts it again on its data, at the
// same addresses.
func (s *loadedService) restart(ctx context.Context, down time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cpu != nil {
		s.spent += s.cpu()
	}
	if err := s.child.Process.Kill(); err != nil {
		return err
	}
	<-s.ended
	time.Sleep(down)
	address := func(url string) string {
		_, at, _ := strings.Cut(url, "://")
		return strings.Replace(at, "localhost", "127.0.0.1", 1)
	}
	return s.start(ctx, address(s.url), address(s.ops))
}

// used is the processor time of the service so far.
func (s *loadedService) used() (time.Duration, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cpu == nil {
		return 0, false
	}
	return s.spent + s.cpu(), true
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

// profiles takes one CPU profile after the other. What it returns ends that, and says
// how many there are.
func (s *loadedService) profiles(ctx context.Context, dir string, each time.Duration) (stop func() int) {
	if each == 0 {
		return func() int { return 0 }
	}
	ctx, cancel := context.WithCancel(ctx)
	kept, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := s.profile(ctx, filepath.Join(dir, fmt.Sprintf("service-%03d.pprof", kept+1)), each); err == nil {
				kept++
			} else if ctx.Err() == nil {
				select { // the service is being started again
				case <-time.After(time.Second / 4):
				case <-ctx.Done():
				}
			}
		}
	}()
	return func() int { cancel(); <-done; return kept }
}

func (s *loadedService) profile(ctx context.Context, file string, each time.Duration) error {
	at := fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", s.ops, int(each.Seconds()))
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
	if s.child.Process.Signal(os.Interrupt) != nil {
		_ = s.child.Process.Kill() // a system without signals
	}
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		_ = s.child.Process.Kill()
		<-s.ended
	}
	s.log.Close()
}
