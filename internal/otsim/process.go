//go:build unix

package otsim

import (
	"bytes"
	"os"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim/program"
)

// Process is a program on the air: a simulated node of OpenThread, with its command
// line.
type Process struct {
	c   *Controller
	id  int
	p   *program.Program
	seq uint64 // of its alarm
}

// programVariable names the program for tests against real nodes.
const programVariable = "PYMESH_OT_CLI_VT"

// Program returns the path of the program for tests against real nodes, which the
// environment variable PYMESH_OT_CLI_VT holds. Without it the test is skipped.
func (c *Controller) Program() string {
	c.t.Helper()
	path := os.Getenv(programVariable)
	if path == "" {
		c.t.Skipf("%s is not set: no real nodes to test against", programVariable)
	}
	return path
}

// AddProcess starts a program as node id, 1 to 33. Nodes of one controller share a
// directory of settings, which is empty at the start: a node that is removed and added
// again finds its own.
func (c *Controller) AddProcess(path string, id int) *Process {
	c.t.Helper()
	p := &Process{c: c, id: id}
	c.add(p)
	transmit := func(data []byte) { c.transmit(p, bytes.Clone(data)) }
	var err error
	if p.p, err = c.host.Start(path, id, c.now, transmit, func() { p.seq = c.nextSeq() }); err != nil {
		c.t.Fatalf("otsim: %v", err)
	}
	return p
}

func (p *Process) nodeID() int { return p.id }

func (p *Process) alarm() (at time.Time, seq uint64, ok bool) {
	at, ok = p.p.Timeout()
	return at, p.seq, ok
}

func (p *Process) wake() { p.must(p.p.Wake(p.c.now)) }

func (p *Process) deliver(d delivery) { p.must(p.p.Hear(p.c.now, d.data)) }

func (p *Process) synchronize() {
	if p.p.Clock().Before(p.c.now) {
		p.wake()
	}
}

// must fails the test with an error, if there is one.
func (p *Process) must(err error) {
	p.c.t.Helper()
	if err != nil {
		p.c.t.Fatalf("otsim: %v", err)
	}
}
