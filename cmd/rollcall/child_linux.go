package main

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// startBound starts a child that does not outlive this program, however it ends, on these
// cores and no others if any are named: it has them from the thread that starts it.
func startBound(child *exec.Cmd, on []int) error {
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	starter() <- func() { started <- startHere(child, on) }
	return <-started
}

// starter runs what it is given on a thread that is never given up: the kernel takes the
// end of the thread that started a child for the end of its parent.
var starter = sync.OnceValue(func() chan<- func() {
	todo := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range todo {
			f()
		}
	}()
	return todo
})

func startHere(child *exec.Cmd, on []int) error {
	if len(on) == 0 {
		return child.Start()
	}
	before := setOf(cores())
	if err := unix.SchedSetaffinity(0, setOf(on)); err != nil {
		return err
	}
	defer func() { _ = unix.SchedSetaffinity(0, before) }()
	return child.Start()
}
