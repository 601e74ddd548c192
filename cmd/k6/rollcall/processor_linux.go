package rollcall

import (
	"time"

	"golang.org/x/sys/unix"
)

// processorTime reads the processor time that this process has used.
func processorTime() func() time.Duration {
	return func() time.Duration {
		var t unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t)
		return time.Duration(t.Nano())
	}
}
