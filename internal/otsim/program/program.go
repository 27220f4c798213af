//go:build unix

package program

import (
	"bytes"
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

// A Program is a simulated node.
type Program struct {
	ID int

	host     *Host
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	stdout   *os.File
	raw      syscall.RawConn // of stdout
	stderr   bytes.Buffer
	transmit func(data []byte)
	alarm    func()

	clock    time.Time // the time of the event delivered last
	barriers int       // alarms so far
	timeout  time.Time
	armed    bool

	partial []byte   // output that has no end of line yet
	lines   []string // output that nobody has taken
}

// Start starts a program as node id, 1 to 33, at a time. A node that is ended and started again finds its settings. Transmit is called with
// the channel and the PSDU of what it sends, which are valid during the call only, and alarm whenever it sets its timer.
func (h *Host) Start(path string, id int, now time.Time, transmit func(data []byte), alarm func()) (*Program, error) {
	if id < 1 || id > wire.MaxNodeID {
		return nil, fmt.Errorf("program: node id %d is not in 1 to %d", id, wire.MaxNodeID)
	}
	p := &Program{ID: id, host: h, clock: now, transmit: transmit, alarm: alarm}
	p.cmd = exec.Command(path, strconv.Itoa(id))
	p.cmd.Dir = h.dir
	p.cmd.Env = append(os.Environ(), "PORT_OFFSET="+strconv.Itoa(h.Group.Offset), "VIRTUAL_TIME=1")
	p.cmd.Stderr = &p.stderr
	if err := p.open(); err != nil {
		return nil, fmt.Errorf("node %d: %w", id, err)
	}
	h.programs[id] = p
	return p, p.await(func() bool { return p.barriers > 0 }, "its first alarm")
}

// open runs the program with pipes, of which the output can be read without waiting.
func (p *Program) open() error {
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
	if p.raw, err = stdout.SyscallConn(); err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		stdout.Close()
	}
	return err
}

// Kill ends the program at once.
func (p *Program) Kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	if p.host.programs[p.ID] == p {
		delete(p.host.programs, p.ID)
	}
	p.cmd.Process.Kill()
	p.cmd.Wait() // killed: its status says no more than that
	p.stdout.Close()
}

// Clock returns the time of the event that was delivered last.
func (p *Program) Clock() time.Time { return p.clock }

// Timeout returns when the program wants to be woken.
func (p *Program) Timeout() (time.Time, bool) { return p.timeout, p.armed }

// Wake tells the program that it is a time later than its clock: that its timer is due, perhaps.
func (p *Program) Wake(now time.Time) error { return p.send(now, wire.EventAlarm, nil) }

// Hear delivers a frame, channel and PSDU, or the echo of the program's own.
func (p *Program) Hear(now time.Time, data []byte) error { return p.send(now, wire.EventRadio, data) }

// send delivers an event and waits until the program has handled it.
func (p *Program) send(now time.Time, typ wire.EventType, data []byte) error {
	p.armed = p.armed && typ != wire.EventAlarm
	delay := now.Sub(p.clock).Truncate(time.Microsecond)
	p.clock = p.clock.Add(delay)
	b, err := wire.Event{Delay: uint64(delay / time.Microsecond), Type: typ, Data: data}.AppendBinary(nil)
	if err != nil {
		return fmt.Errorf("node %d: %w", p.ID, err)
	}
	addr := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p.host.Group.Port(p.ID)}
	before := p.barriers
	if _, err := p.host.conn.WriteToUDP(b, addr); err != nil {
		return fmt.Errorf("node %d: %w", p.ID, err)
	}
	return p.await(func() bool { return p.barriers > before }, "an alarm")
}

// await receives from all programs until done, and then until this one sleeps.
func (p *Program) await(done func() bool, what string) error {
	deadline := time.Now().Add(patience)
	for !done() {
		p.readOutput()
		if done() {
			break
		}
		received, err := p.host.receive(deadline)
		if err != nil {
			return err
		}
		if !received && (time.Now().After(deadline) || p.gone()) {
			p.Kill()
			return fmt.Errorf("node %d: waited for %s in vain; last lines %q; standard error: %s", p.ID, what, p.lines, p.stderr.Bytes())
		}
	}
	for {
		asleep := p.asleep()
		received, err := p.host.receivePending()
		if err != nil {
			return err
		}
		if read := p.readOutput(); asleep && !received && !read {
			return nil
		}
	}
}

// handle takes an event from the program.
func (p *Program) handle(e wire.Event) {
	switch e.Type {
	case wire.EventAlarm:
		p.barriers++
		delay, ok := e.Timer()
		p.timeout, p.armed = p.clock.Add(delay), ok
		p.alarm()
	case wire.EventRadio:
		if len(e.Data) > 1 { // a channel and something after it
			p.transmit(e.Data)
		}
	case wire.EventUART:
		p.output(e.Data)
	}
}

// readOutput takes what the program has printed, and reports whether there was any.
func (p *Program) readOutput() bool {
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
func (p *Program) output(b []byte) {
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

// asleep reports whether the program waits for input. Where the system does not tell, it is given a moment to have done with the last.
func (p *Program) asleep() bool {
	state := p.state()
	if state == 0 {
		time.Sleep(time.Millisecond)
	}
	return state == 0 || state == 'S' || state == 'Z'
}

// gone reports whether the program has ended, as far as the system tells.
func (p *Program) gone() bool { return p.cmd.ProcessState != nil || p.state() == 'Z' }

// state returns the letter that stands for the state of the program's process; 0 where the system does not tell.
func (p *Program) state() byte {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// pid (name) state …, of which the name may hold anything
	_, rest, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return (rest + "\x00")[0]
}
