package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress is one line on a terminal, rewritten: what is done, how fast, how
// long it will take. Elsewhere it is silent.
type progress struct {
	w     io.Writer
	on    bool
	mu    sync.Mutex
	phase string
	began time.Time
	last  time.Time
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, on: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("CI") == ""}
}

// begin starts a phase of the work.
func (p *progress) begin(phase string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.phase, p.began, p.last = phase, time.Now(), time.Time{}
	if p.on {
		fmt.Fprintf(p.w, "\r\x1b[K%s", phase)
	}
}

// show says how far a phase is; what is the place it has reached.
func (p *progress) show(done, total int64, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on || total == 0 || time.Since(p.last) < 100*time.Millisecond && done < total {
		return
	}
	p.last = time.Now()
	took := time.Since(p.began)
	left := "…"
	if done > 0 {
		left = (time.Duration(float64(took) * float64(total-done) / float64(done))).Round(time.Second).String() + " left"
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s   %s   %d %%   %s", p.phase, what, 100*done/total, left)
}

// end clears the line.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
