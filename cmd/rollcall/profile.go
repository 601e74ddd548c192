package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
)

// profile begins a CPU profile, and at stop writes it and that of the memory in
// use. An empty name means none.
func profile(cpu, mem string) (stop func() error, err error) {
	var c *os.File
	if cpu != "" {
		if c, err = os.Create(cpu); err != nil {
			return nil, fmt.Errorf("--cpuprofile: %w (name a file that can be written)", err)
		}
		if err := pprof.StartCPUProfile(c); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	var m *os.File
	if mem != "" {
		if m, err = os.Create(mem); err != nil {
			return nil, fmt.Errorf("--memprofile: %w (name a file that can be written)", err)
		}
	}
	return func() (err error) {
		if c != nil {
			pprof.StopCPUProfile()
			err = c.Close()
		}
		if m != nil {
			runtime.GC() // what is in use, not what is garbage
			err = errors.Join(err, pprof.WriteHeapProfile(m), m.Close())
		}
		return err
	}, nil
}
