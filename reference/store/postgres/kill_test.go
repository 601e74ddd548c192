package postgres_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"

	"rollcall.example/rollcall/reference/store/postgres"
)

const victim = "ROLLCALL_TEST_VICTIM"

func TestMain(m *testing.M) {
	if address := os.Getenv(victim); address != "" {
		acknowledgeForEver(address)
	}
	os.Exit(m.Run())
}

// acknowledgeForEver changes the register from several goroutines, and writes to
// standard output what was acknowledged.
func acknowledgeForEver(address string) {
	db, err := postgres.Open(ctx, address, postgres.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex // a line is whole, or it is not there
	for w := range 4 {
		wg.Go(func() {
			draw := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(w)))
			for {
				e, err := enter(db, draw)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				mu.Lock()
				fmt.Println(e.sequence, e.credential, e.index)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestAKilledReplicaLosesNothingAcknowledgedAndHoldsUpNobody(t *testing.T) {
	address := schema(t, t.TempDir())
	survivor := open(t, address, postgres.Options{})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	type outcome struct {
		acknowledged []entered
		errs         []error
	}
	done := make(chan outcome, 1)
	go func() {
		a, e := load([]*postgres.DB{survivor}, 4, 1_000_000, 0, stop)
		done <- outcome{a, e}
	}()
	var acknowledged []entered
	const kills = 3
	for round := range kills {
		child := exec.Command(self)
		child.Env = append(os.Environ(), victim+"="+address)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var e entered
			if _, err := fmt.Sscan(lines.Text(), &e.sequence, &e.credential, &e.index); err != nil {
				t.Fatal(err)
			}
			acknowledged = append(acknowledged, e)
			if n == 20+15*round {
				if err := child.Process.Kill(); err != nil { // and read on what it had said
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
	}
	close(stop)
	o := <-done
	for _, err := range o.errs {
		t.Errorf("the survivor was refused: %v", err)
	}
	if len(o.acknowledged) == 0 {
		t.Error("the survivor has done nothing")
	}
	// Each had at most its four callers' changes committed and not said.
	judge(t, survivor, append(acknowledged, o.acknowledged...), kills*4)
	t.Logf("%d changes of those that were killed, %d of the survivor", len(acknowledged), len(o.acknowledged))
}
