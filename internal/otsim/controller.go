//go:build unix

package otsim

import (
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim/program"
	"github.com/gopymesh/pymesh/internal/otsim/wire"
	"github.com/gopymesh/pymesh/internal/runner"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// What the wire fixes.
const (
	// RSSI is the strength of every frame in dBm.
	RSSI = wire.RSSI
	// flightTime is the time from a transmission to its reception and its end.
	flightTime = time.Microsecond
)

// What this implementation chose.
const (
	// Channel is that of all stations. Programs use it unless told otherwise.
	Channel = 11
	// quiet is the power in dBm that stations measure where nobody sends.
	quiet = -98
)

// Epoch is the virtual time at which every controller starts.
var Epoch = time.Date(2018, time.December, 14, 0, 0, 0, 0, time.UTC)

// Controller is one virtual air and its clock. Its methods may be called by the
// goroutine of the test alone. What goes wrong fails the test.
type Controller struct {
	t    testing.TB
	host *program.Host

	now    time.Time
	seq    uint64 // orders what happens at the same time
	queue  []delivery
	nodes  []node // in the order in which they were added
	filter Filter
	sent   []Sent
}

// delivery is a frame on its way to one node.
type delivery struct {
	at   time.Time
	seq  uint64
	to   node
	data []byte // channel and PSDU
	echo bool   // to its own sender
}

// node is a participant: a process or a station.
type node interface {
	nodeID() int
	// alarm returns when the node wants to be woken, and its place among the events
	// of that time.
	alarm() (at time.Time, seq uint64, ok bool)
	// wake tells the node that its alarm is due.
	wake()
	// deliver hands the node a frame, or the end of its own transmission.
	deliver(delivery)
	// synchronize brings the node's clock to the controller's.
	synchronize()
}

// NewController returns an air without nodes. It ends, with all that belongs to it,
// when the test does.
func NewController(t testing.TB) *Controller {
	t.Helper()
	c := &Controller{t: t, now: Epoch}
	var err error
	if c.host, err = program.NewHost(t.TempDir()); err != nil {
		t.Fatalf("otsim: %v", err)
	}
	t.Cleanup(func() {
		c.keepEvidence()
		c.host.Close()
	})
	return c
}

// Now returns the virtual time.
func (c *Controller) Now() time.Time { return c.now }

// SetFilter decides which frames arrive from now on. Frames on their way still do. With
// nil, as at the start, all nodes hear each other.
func (c *Controller) SetFilter(f Filter) { c.filter = f }

// AddStation puts a state machine of this process on the air as node id, 1 to 33.
func (c *Controller) AddStation(id int, s lorasim.Station) {
	c.t.Helper()
	c.add(&station{c: c, id: id, machine: s, energy: runner.Energy{Floor: quiet}})
}

func (c *Controller) add(n node) {
	c.t.Helper()
	id := n.nodeID()
	if id < 1 || id > wire.MaxNodeID {
		c.t.Fatalf("otsim: node id %d is not in 1 to %d", id, wire.MaxNodeID)
	}
	if c.node(id) != nil {
		c.t.Fatalf("otsim: node id %d is taken", id)
	}
	c.nodes = append(c.nodes, n)
}

// Remove takes a node off the air at once, without a word to the others. A program is
// ended.
func (c *Controller) Remove(id int) {
	c.t.Helper()
	n := c.node(id)
	if n == nil {
		c.t.Fatalf("otsim: no node %d", id)
	}
	c.nodes = slices.DeleteFunc(c.nodes, func(other node) bool { return other == n })
	c.queue = slices.DeleteFunc(c.queue, func(d delivery) bool { return d.to == n })
	if p, ok := n.(*Process); ok {
		p.p.Kill()
	}
}

func (c *Controller) node(id int) node {
	for _, n := range c.nodes {
		if n.nodeID() == id {
			return n
		}
	}
	return nil
}

// Run lets virtual time pass.
func (c *Controller) Run(d time.Duration) {
	c.t.Helper()
	c.RunUntil(d, func() bool { return false })
}

// RunUntil lets virtual time pass until done returns true, which is asked after every
// event, and at most for the time given. It returns what done returned last.
func (c *Controller) RunUntil(limit time.Duration, done func() bool) bool {
	c.t.Helper()
	end := c.now.Add(limit)
	c.synchronize() // a test may have called a station's methods
	finished := done()
	for !finished {
		at, happen := c.next()
		if happen == nil || at.After(end) {
			c.now = end
			break
		}
		if at.After(c.now) {
			c.now = at
		}
		happen()
		finished = done()
	}
	c.synchronize()
	return finished
}

// next returns the event that comes next, and nil for its function if there is none.
func (c *Controller) next() (at time.Time, happen func()) {
	var seq uint64
	if len(c.queue) > 0 {
		d := c.queue[0]
		at, seq, happen = d.at, d.seq, c.deliverFirst
	}
	for _, n := range c.nodes {
		nodeAt, nodeSeq, ok := n.alarm()
		if ok && (happen == nil || nodeAt.Before(at) || nodeAt.Equal(at) && nodeSeq < seq) {
			at, seq, happen = nodeAt, nodeSeq, n.wake
		}
	}
	return at, happen
}

func (c *Controller) deliverFirst() {
	d := c.queue[0]
	c.queue = slices.Delete(c.queue, 0, 1)
	d.to.deliver(d)
}

func (c *Controller) synchronize() {
	for _, n := range slices.Clone(c.nodes) {
		n.synchronize()
	}
}

func (c *Controller) nextSeq() uint64 {
	c.seq++
	return c.seq
}

// transmit puts a frame on the air: to all that hear it, then back to its sender. The
// data are the channel and the PSDU; they are kept.
func (c *Controller) transmit(from node, data []byte) {
	at := c.now.Add(flightTime)
	psdu := data[1:]
	c.sent = append(c.sent, Sent{at, from.nodeID(), psdu})
	for _, to := range c.nodes {
		if to != from && (c.filter == nil || c.filter(from.nodeID(), to.nodeID(), psdu)) {
			c.queue = append(c.queue, delivery{at: at, seq: c.nextSeq(), to: to, data: data})
		}
	}
	// All frames have the same time of flight, so the queue is in order of time.
	c.queue = append(c.queue, delivery{at: at, seq: c.nextSeq(), to: from, data: data, echo: true})
}
