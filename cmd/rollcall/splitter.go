package main

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// splitter is a plain balancer on this machine: each connection goes to the next replica that
// takes it, and nothing on it is looked at.
type splitter struct {
	net.Listener
	next     atomic.Uint64
	replicas []string // HOST:PORT
}

func newSplitter() (*splitter, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	return &splitter{Listener: l}, err
}

// serve passes connections on until the splitter is closed.
func (s *splitter) serve() {
	for {
		c, err := s.Accept()
		if err != nil {
			return
		}
		go s.pass(c)
	}
}

func (s *splitter) pass(c net.Conn) {
	defer c.Close()
	for range s.replicas {
		to, err := net.DialTimeout("tcp", s.replicas[s.next.Add(1)%uint64(len(s.replicas))], time.Second)
		if err != nil {
			continue
		}
		defer to.Close()
		over := make(chan struct{}, 2)
		for _, pair := range [][2]net.Conn{{c, to}, {to, c}} {
			go func() { _, _ = io.Copy(pair[0], pair[1]); over <- struct{}{} }()
		}
		<-over // who has gone, has gone for both
		return
	}
}
