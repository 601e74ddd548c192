//go:build !linux

package main

import (
	"context"
	"time"
)

// cores would be those on which this process may run; here nobody is asked, and
// nothing is kept apart.
func cores() []int { return nil }

func stayOn([]int) error { return nil }

func machineCPU() func() time.Duration { return nil }

// inMemory would say that files of a folder lie in memory.
func inMemory(string) bool { return false }

type alarm struct{}

func newAlarm() *alarm { return &alarm{} }

func (*alarm) until(ctx context.Context, at time.Time) error { return waitFor(ctx, time.Until(at)) }

func (*alarm) close() {}
