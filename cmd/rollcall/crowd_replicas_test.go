package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rollcall.example/rollcall/reference/mdoc"
	"rollcall.example/rollcall/reference/statuslist"
)

// database runs .ci/postgres on the server that tests have.
func database(t *testing.T, what string) {
	t.Helper()
	script := filepath.Join("..", "..", ".ci", "postgres")
	if out, err := exec.Command(script, what, os.Getenv("ROLLCALL_POSTGRES_DIR")).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", script, what, err, out)
	}
}

// publishedBy are the lists that one replica serves, in its own words.
func publishedBy(p *process, public string, anchors *mdoc.TrustAnchors) (map[string]*statuslist.Token, error) {
	get := func(path string) ([]byte, error) {
		q, err := http.NewRequest("GET", p.url+path, nil)
		if err != nil {
			return nil, err
		}
		q.Header.Set("Accept", "application/statuslist+jwt, application/json")
		res, err := p.client.Do(q)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		return io.ReadAll(res.Body)
	}
	text, err := get("/status-lists")
	if err != nil {
		return nil, err
	}
	out := map[string]*statuslist.Token{}
	for _, part := range strings.Split(string(text), `"`) {
		path, ok := strings.CutPrefix(part, public)
		if !ok {
			continue
		}
		if text, err = get(path); err == nil {
			out[path], err = statuslist.ParseJWT(text, anchors, time.Now())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return out, nil
}

// agree has two replicas that are at rest publish the same.
func agree(t *testing.T, a, b *process, public string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(a.dir, "rollcall-data", iacaFile))
	if err != nil {
		t.Fatal(err)
	}
	root, _ := pem.Decode(text)
	anchors, err := mdoc.NewTrustAnchors(root.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	of := func(p *process) map[string]*statuslist.Token {
		lists, err := publishedBy(p, public, anchors)
		if err != nil {
			t.Errorf("%s: %v", p.url, err)
		}
		return lists
	}
	// Each publishes by its own clock, once a second, and signs anew only what has
	// changed: the sequence in a list may be an older one.
	var different string
	for range 20 {
		mine, theirs := of(a), of(b)
		different = ""
		if len(mine) == 0 || len(mine) != len(theirs) {
			different = fmt.Sprintf("%d and %d lists", len(mine), len(theirs))
		}
		for path, one := range mine {
			if other := theirs[path]; other == nil || !one.List.Equal(other.List) {
				different = fmt.Sprintf("%s: %+v, %+v", path, one, other)
			}
		}
		if different == "" || t.Failed() {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	if different != "" {
		t.Errorf("the replicas do not come to publish the same: %s", different)
	}
}

// With two replicas behind a balancer, on one PostgreSQL, either replica, both and the
// database server are killed amid a thousand issuances and reports: what was
// acknowledged stands, at whichever replica one asks.
func TestACrowdLosesNothingWhenReplicasAndTheirDatabaseAreKilled(t *testing.T) {
	address := schema(t)
	if os.Getenv("ROLLCALL_POSTGRES_DIR") == "" {
		t.Skip("the database server cannot be killed: put the folder that .ci/postgres start was given into ROLLCALL_POSTGRES_DIR")
	}
	const first, second, server = 1, 2, 4 // who is killed
	citizens, between := 8, 500*time.Millisecond
	kills := []int{first, server}
	if os.Getenv("ROLLCALL_CAMPAIGN") != "" {
		citizens, between = 500, 3*time.Second
		kills = []int{first, server, second, first | second, first | server, second, server, first | second | server}
	}
	const seed = 2
	b, err := newSplitter()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dir := t.TempDir()
	_, port, _ := net.SplitHostPort(b.Addr().String())
	public := "https://localhost:" + port
	flags := append(slices.Clone(crowdFlags), "--database", address, "--public-url", public)
	said := &output{}
	var replicas [2]*process
	for n := range replicas {
		p, err := replica(dir, n, flags...)
		if err != nil {
			t.Fatal(err)
		}
		p.err.also(said)
		replicas[n] = p
		b.replicas = append(b.replicas, strings.TrimPrefix(p.url, "https://"))
		defer func() { _ = replicas[n].cmd.Process.Kill(); <-replicas[n].ended }()
	}
	go b.serve()
	whole := &process{url: public, dir: replicas[0].dir, client: replicas[0].client, err: said}
	began := time.Now()
	c := crowd(t, whole, seed, citizens)
	t.Logf("%d citizens entered in %v", citizens, time.Since(began).Round(time.Millisecond))
	moments := rand.New(rand.NewPCG(seed, 1))
	peace(t, c)
	rush, stop, all := rushing(c, seed)
	for _, whom := range kills {
		time.Sleep(between/4 + time.Duration(moments.Int64N(int64(between))))
		down := c.Stamp()
		for n, p := range replicas {
			if whom&(1<<n) != 0 {
				_ = p.cmd.Process.Signal(syscall.SIGKILL)
			}
		}
		if whom&server != 0 {
			database(t, "crash")
			time.Sleep(time.Duration(moments.Int64N(int64(between) / 4)))
			database(t, "start")
		}
		var starts sync.WaitGroup
		for n, p := range replicas {
			if whom&(1<<n) == 0 {
				continue
			}
			starts.Go(func() {
				<-p.ended
				again, err := replica(dir, n, append(slices.Clone(flags), "--listen", b.replicas[n])...)
				if err != nil {
					t.Errorf("replica %d does not start again: %v", n, err)
					return
				}
				again.err.also(said)
				replicas[n] = again
			})
		}
		starts.Wait()
		if t.Failed() {
			break
		}
		c.Restarted(down, c.Stamp())
	}
	time.Sleep(between)
	close(stop)
	all.Wait()
	tested(t, judged(t, c, whole))
	report(t, c, rush)
	agree(t, replicas[0], replicas[1], public)
	chainHolds(t, "--database", address)
}
