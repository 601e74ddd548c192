//go:build !linux

package rollcall

import "time"

// processorTime is not known on this system.
func processorTime() func() time.Duration { return nil }
