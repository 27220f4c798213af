//go:build unix

package program

import (
	"fmt"
	"slices"
	"strings"
)

// prompt stands before the echo of a command, and now and then before an answer.
const prompt = "> "

// A CommandError is the program's own word that a command did not succeed.
type CommandError struct{ Command, Answer string }

func (e *CommandError) Error() string { return e.Command + ": " + e.Answer }

// Command gives the program a command that it answers at once, and returns the lines of the answer without the final Done. The error is
// a [*CommandError] if the program said so. The program's clock must be right.
func (p *Program) Command(line string) ([]string, error) {
	before := p.barriers
	first, err := p.write(line)
	if err != nil {
		return nil, err
	}
	last := -1
	err = p.await(func() bool {
		p.dropEcho(first, line)
		last = slices.IndexFunc(p.lines[first:], isFinal)
		return last >= 0 && p.barriers > before
	}, "the answer to "+line)
	if err != nil {
		return nil, err
	}
	last += first
	answer, final := slices.Clone(p.lines[first:last]), p.lines[last]
	p.lines = slices.Delete(p.lines, first, last+1)
	switch {
	case strings.HasPrefix(final, "Error"):
		return answer, &CommandError{line, final}
	case final != done: // "coap request: Done"
		answer = append(answer, final)
	}
	return answer, nil
}

// Send gives the program a command without waiting for an answer, for one that needs virtual time (ping, scan) or has none (reset). What
// it prints is left for Lines.
func (p *Program) Send(line string) error {
	before := p.barriers
	first, err := p.write(line)
	if err == nil {
		err = p.await(func() bool { return p.barriers > before }, "an alarm after "+line)
	}
	p.dropEcho(first, line)
	return err
}

// write writes a command and returns the number of lines that nobody has taken before it.
func (p *Program) write(line string) (int, error) {
	p.readOutput()
	if _, err := p.stdin.Write([]byte(line + "\n")); err != nil {
		return 0, fmt.Errorf("node %d: %s: %w", p.ID, line, err)
	}
	return len(p.lines), nil
}

// dropEcho forgets the echo of a command if it is the line at index i.
func (p *Program) dropEcho(i int, command string) {
	if i < len(p.lines) && p.lines[i] == command {
		p.lines = slices.Delete(p.lines, i, i+1)
	}
}

// Lines returns what the program has printed on its own since the last call.
func (p *Program) Lines() []string {
	lines := p.lines
	p.lines = nil
	return lines
}

// Printed returns what nobody has taken of what the program has printed.
func (p *Program) Printed() []string { return p.lines }

// Take takes a number of lines of what the program has printed.
func (p *Program) Take(n int) { p.lines = slices.Delete(p.lines, 0, n) }

// done is the line that ends an answer.
const done = "Done"

func isFinal(line string) bool {
	return line == done || strings.HasSuffix(line, ": "+done) || strings.HasPrefix(line, "Error ")
}
