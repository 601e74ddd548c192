package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf reads the processor time that a process has used (clock_gettime(2): the clock
// of a process is the complement of its id, in bits 3 and up, and 2 for all that
// its threads ran). nil: it cannot be read.
func cpuOf(pid int) func() time.Duration {
	clock := int32(^pid<<3 | 2)
	read := func() (time.Duration, error) {
		var t unix.Timespec
		err := unix.ClockGettime(clock, &t)
		return time.Duration(t.Nano()), err
	}
	if _, err := read(); err != nil {
		return nil
	}
	return func() time.Duration { d, _ := read(); return d }
}
