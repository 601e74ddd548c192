package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cores are those on which this process may run.
func cores() (all []int) {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil
	}
	for i := 0; len(all) < set.Count(); i++ {
		if set.IsSet(i) {
			all = append(all, i)
		}
	}
	return all
}

func setOf(cores []int) *unix.CPUSet {
	var set unix.CPUSet
	for _, c := range cores {
		set.Set(c)
	}
	return &set
}

// stayOn keeps this process on some cores: each of its threads, from which those to
// come have it.
func stayOn(on []int) error {
	set := setOf(on)
	for range 3 { // threads may be made meanwhile
		threads, err := filepath.Glob("/proc/self/task/*")
		if err != nil {
			return err
		}
		for _, t := range threads {
			id, err := strconv.Atoi(filepath.Base(t))
			if err != nil {
				continue
			}
			if err := unix.SchedSetaffinity(id, set); err != nil && err != unix.ESRCH {
				return err
			}
		}
	}
	return nil
}

// machineCPU reads the processor time that the whole machine has used (proc_stat(5)):
// all but idle and waiting for input and output. nil: it cannot be read.
func machineCPU() func() time.Duration {
	const tick = time.Second / 100 // USER_HZ
	read := func() (used time.Duration, ok bool) {
		text, err := os.ReadFile("/proc/stat")
		if err != nil {
			return 0, false
		}
		line, _, _ := strings.Cut(string(text), "\n")
		fields := strings.Fields(line)
		if len(fields) < 9 || fields[0] != "cpu" {
			return 0, false
		}
		for _, i := range []int{1, 2, 3, 6, 7, 8} { // user, nice, system, irq, softirq, steal
			n, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				return 0, false
			}
			used += time.Duration(n) * tick
		}
		return used, true
	}
	if _, ok := read(); !ok {
		return nil
	}
	return func() time.Duration { used, _ := read(); return used }
}

// inMemory says that files of a folder lie in memory, where a sync costs nothing.
func inMemory(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Type == unix.TMPFS_MAGIC
}

// alarm waits for moments more exactly than a timer of the runtime does, which may be
// a millisecond late. It is for one goroutine.
type alarm struct {
	file *os.File
	fd   int
}

func newAlarm() *alarm {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return &alarm{}
	}
	return &alarm{file: os.NewFile(uintptr(fd), "timer"), fd: fd}
}

func (a *alarm) until(ctx context.Context, at time.Time) error {
	d := time.Until(at)
	if d <= 0 {
		return ctx.Err()
	}
	if a.file == nil || d > time.Second {
		return waitFor(ctx, d)
	}
	spec := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(d))}
	if unix.TimerfdSettime(a.fd, 0, &spec, nil) != nil {
		return waitFor(ctx, d)
	}
	var expired [8]byte
	if _, err := a.file.Read(expired[:]); err != nil {
		return waitFor(ctx, time.Until(at))
	}
	return ctx.Err()
}

func (a *alarm) close() {
	if a.file != nil {
		_ = a.file.Close()
	}
}
