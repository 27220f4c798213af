//go:build unix

package otsim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim/program"
)

// Command gives the program a command that it answers at once, and returns the lines
// of the answer without the final Done. An answer of Error fails the test.
func (p *Process) Command(format string, args ...any) []string {
	p.c.t.Helper()
	lines, err := p.TryCommand(format, args...)
	if err != nil {
		p.c.t.Fatalf("otsim: node %d: %v", p.id, err)
	}
	return lines
}

// TryCommand is Command for one that may fail. The error is the program's own words.
func (p *Process) TryCommand(format string, args ...any) ([]string, error) {
	p.c.t.Helper()
	p.c.synchronize() // a test may have called a station's methods
	lines, err := p.p.Command(fmt.Sprintf(format, args...))
	if _, own := err.(*program.CommandError); !own {
		p.must(err)
	}
	return lines, err
}

// SetNetwork gives a node a network key, in hex, and what else Pymesh's nodes have by default. OpenThread of today takes it, and all that it needs
// to form a network, in a dataset.
func (p *Process) SetNetwork(key string) {
	p.c.t.Helper()
	if _, err := p.TryCommand("masterkey %s", key); err == nil {
		p.Command("panid 0x1234")
		return
	}
	p.Command("dataset clear")
	p.Command("dataset networkkey %s", key)
	for _, line := range [...]string{
		"panid 0x1234", "channel 11", "extpanid dead00beef00cafe", "networkname OpenThread", "meshlocalprefix fdde:ad00:beef::",
		// A joiner router of today has nobody join before it knows these.
		"channelmask 0x07fff800", "pskc 00112233445566778899aabbccddeeff", "securitypolicy 672 onrc",
		"activetimestamp 1", "commit active",
	} {
		p.Command("dataset %s", line)
	}
}

// Send gives the program a command without waiting for an answer, for one that needs
// virtual time (ping, scan) or has none (reset). What it prints is left for Await and
// Lines.
func (p *Process) Send(format string, args ...any) {
	p.c.t.Helper()
	p.c.synchronize() // a test may have called a station's methods
	p.must(p.p.Send(fmt.Sprintf(format, args...)))
}

// Lines returns what the program has printed on its own since the last call.
func (p *Process) Lines() []string { return p.p.Lines() }

// Await lets virtual time pass until the program has printed a line that contains
// text, and returns that line, taking it and all before it. It returns false when
// the time given is over.
func (p *Process) Await(text string, limit time.Duration) (string, bool) {
	p.c.t.Helper()
	contains := func(line string) bool { return strings.Contains(line, text) }
	ok := p.c.RunUntil(limit, func() bool { return slices.ContainsFunc(p.p.Printed(), contains) })
	if !ok {
		return "", false
	}
	i := slices.IndexFunc(p.p.Printed(), contains)
	line := p.p.Printed()[i]
	p.p.Take(i + 1)
	return line, true
}

// AwaitState lets virtual time pass until the program's role is one of those named, and
// returns it. It returns false when the time given is over.
func (p *Process) AwaitState(limit time.Duration, states ...string) (string, bool) {
	p.c.t.Helper()
	const interval = time.Second
	for end := p.c.now.Add(limit); ; p.c.Run(interval) {
		state := strings.Join(p.Command("state"), " ")
		if slices.Contains(states, state) {
			return state, true
		}
		if !p.c.now.Before(end) {
			return state, false
		}
	}
}

// Ping sends one echo request of size bytes and reports whether the reply came within
// the time given.
func (p *Process) Ping(addr string, size int, limit time.Duration) bool {
	p.c.t.Helper()
	p.Lines()
	p.Send("ping %s %d", addr, size)
	_, ok := p.Await("icmp_seq=", limit)
	return ok
}
