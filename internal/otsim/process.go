//go:build unix

package otsim

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim/wire"
)

// Process is a program on the air: a simulated node of OpenThread, with its command
// line.
type Process struct {
	c      *Controller
	id     int
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *os.File
	raw    syscall.RawConn // of stdout
	stderr bytes.Buffer

	clock    time.Time // controller's time of the event delivered last
	barriers int       // alarms so far
	timeout  time.Time
	armed    bool
	seq      uint64

	partial []byte   // output that has no end of line yet
	lines   []string // output that nobody has taken
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
	p := &Process{c: c, id: id, clock: c.now}
	c.add(p)
	p.cmd = exec.Command(path, strconv.Itoa(id))
	p.cmd.Dir = c.dir
	p.cmd.Env = append(os.Environ(), "PORT_OFFSET="+strconv.Itoa(c.group.Offset), "VIRTUAL_TIME=1")
	p.cmd.Stderr = &p.stderr
	if err := p.start(); err != nil {
		c.t.Fatalf("otsim: node %d: %v", id, err)
	}
	c.t.Cleanup(p.kill)
	p.await(func() bool { return p.barriers > 0 }, "its first alarm")
	return p
}

// start runs the program with pipes, of which the output can be read without waiting.
func (p *Process) start() error {
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, output, err := os.Pipe()
	if err != nil {
		return err
	}
	defer output.Close()
	p.stdin, p.stdout, p.cmd.Stdout = stdin, stdout, output
	if p.raw, err = stdout.SyscallConn(); err != nil {
		return err
	}
	return p.cmd.Start()
}

func (p *Process) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	p.cmd.Process.Kill()
	p.cmd.Wait() // killed: its status says no more than that
	p.stdout.Close()
}

func (p *Process) nodeID() int { return p.id }

func (p *Process) alarm() (time.Time, uint64, bool) { return p.timeout, p.seq, p.armed }

func (p *Process) wake() {
	p.armed = false
	p.send(wire.EventAlarm, nil)
}

func (p *Process) deliver(d delivery) { p.send(wire.EventRadio, d.data) }

func (p *Process) synchronize() {
	if p.clock.Before(p.c.now) {
		p.send(wire.EventAlarm, nil)
	}
}

// send delivers an event and waits until the program has handled it.
func (p *Process) send(typ wire.EventType, data []byte) {
	delay := p.c.now.Sub(p.clock).Truncate(time.Microsecond)
	p.clock = p.clock.Add(delay)
	b, err := wire.Event{Delay: uint64(delay / time.Microsecond), Type: typ, Data: data}.AppendBinary(nil)
	if err != nil {
		p.c.t.Fatalf("otsim: node %d: %v", p.id, err)
	}
	addr := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p.c.group.Port(p.id)}
	before := p.barriers
	if _, err := p.c.conn.WriteToUDP(b, addr); err != nil {
		p.c.t.Fatalf("otsim: node %d: %v", p.id, err)
	}
	p.await(func() bool { return p.barriers > before }, "an alarm")
}

// await receives from all programs until done, and then until this one sleeps.
func (p *Process) await(done func() bool, what string) {
	deadline := time.Now().Add(patience)
	for !done() {
		p.readOutput()
		if done() {
			break
		}
		if p.c.receive(deadline) {
			continue
		}
		if time.Now().After(deadline) {
			p.kill()
			p.c.t.Fatalf("otsim: node %d: waited for %s in vain; last lines %q; standard error: %s",
				p.id, what, p.lines, p.stderr.Bytes())
		}
	}
	for {
		asleep := p.asleep()
		received := p.c.receivePending()
		if read := p.readOutput(); asleep && !received && !read {
			return
		}
	}
}

// handle takes an event from the program.
func (p *Process) handle(e wire.Event) {
	switch e.Type {
	case wire.EventAlarm:
		p.barriers++
		delay, ok := e.Timer()
		p.timeout, p.armed, p.seq = p.clock.Add(delay), ok, p.c.nextSeq()
	case wire.EventRadio:
		if len(e.Data) > 1 { // a channel and something after it
			p.c.transmit(p, bytes.Clone(e.Data))
		}
	case wire.EventUART:
		p.output(e.Data)
	}
}

// readOutput takes what the program has printed, and reports whether there was any.
func (p *Process) readOutput() bool {
	var buf [4096]byte
	n := 0
	err := p.raw.Read(func(fd uintptr) bool {
		n, _ = syscall.Read(int(fd), buf[:]) // does not wait: the pipe is non-blocking
		return true
	})
	if err != nil || n <= 0 {
		return false
	}
	p.output(buf[:n])
	return true
}

// output splits printed text into lines. The prompt is left out.
func (p *Process) output(b []byte) {
	p.partial = append(p.partial, b...)
	for {
		line, rest, ok := bytes.Cut(p.partial, []byte("\n"))
		if !ok {
			return
		}
		text := strings.TrimRight(string(line), "\r")
		for {
			shorter, ok := strings.CutPrefix(text, prompt)
			if !ok {
				break
			}
			text = shorter
		}
		if text != "" {
			p.lines = append(p.lines, text)
		}
		p.partial = append(p.partial[:0], rest...)
	}
}

// receive waits for one event of any program, and reports whether one came.
func (c *Controller) receive(deadline time.Time) bool {
	const interval = time.Millisecond // after which output is looked for again
	if soon := time.Now().Add(interval); soon.Before(deadline) {
		deadline = soon
	}
	var buf [wire.HeaderSize + wire.MaxData]byte
	if err := c.conn.SetReadDeadline(deadline); err != nil {
		c.t.Fatalf("otsim: %v", err)
	}
	n, from, err := c.conn.ReadFromUDPAddrPort(buf[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	if err != nil {
		c.t.Fatalf("otsim: %v", err)
	}
	c.handle(buf[:n], int(from.Port()))
	return true
}

// receivePending takes the events that have arrived, and reports whether there were any.
func (c *Controller) receivePending() bool {
	if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
		c.t.Fatalf("otsim: %v", err)
	}
	received := false
	for {
		var buf [wire.HeaderSize + wire.MaxData]byte
		n, port := -1, 0
		err := c.raw.Read(func(fd uintptr) bool {
			var from syscall.Sockaddr
			var err error
			n, from, err = syscall.Recvfrom(int(fd), buf[:], syscall.MSG_DONTWAIT)
			if addr, ok := from.(*syscall.SockaddrInet4); ok && err == nil {
				port = addr.Port
			}
			return true
		})
		if err != nil || n < 0 || port == 0 {
			return received
		}
		received = true
		c.handle(buf[:n], port)
	}
}

// handle gives a datagram to the program that it came from. One of a program that was
// removed is dropped.
func (c *Controller) handle(b []byte, port int) {
	p, ok := c.node(port - c.group.Port(0)).(*Process)
	if !ok {
		return
	}
	e, err := wire.ParseEvent(b)
	if err != nil {
		c.t.Fatalf("otsim: node %d: %v: %x", p.id, err, b)
	}
	p.handle(e)
}

// asleep reports whether the program waits for input. Where the system does not tell,
// it is given a moment to have done with the last.
func (p *Process) asleep() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		time.Sleep(time.Millisecond)
		return true
	}
	// pid (name) state …, of which the name may hold anything
	_, rest, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return strings.HasPrefix(rest, "S") || strings.HasPrefix(rest, "Z")
}
