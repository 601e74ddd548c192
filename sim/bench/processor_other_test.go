//go:build !unix

package bench

import "time"

// processor is not told: time on the wall is measured instead.
var processor func() time.Duration
