package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/term"
)

const (
	prompt = "> "
	// maxInput bounds a line of input; what is longer is cut. The command line's own bound is lower, so it will notice.
	maxInput = 1024

	interrupt = 0x03 // Ctrl-C
	endOfFile = 0x04 // Ctrl-D
)

// console is where commands come from and answers go: a terminal with editing and history, or standard input and
// output as they are.
type console struct {
	editor  *term.Terminal // nil without editing
	restore func()
}

// openConsole takes standard input and output. A terminal is made raw: lines end in CR LF and nothing is echoed, as on a pipe,
// unless lines can be edited.
func openConsole(edit bool) (*console, error) {
	c := &console{restore: func() {}}
	in := int(os.Stdin.Fd())
	if !term.IsTerminal(in) {
		return c, nil
	}
	state, err := term.MakeRaw(in)
	if err != nil {
		return nil, err
	}
	c.restore = func() { _ = term.Restore(in, state) } // nothing is left to do about it
	if edit && term.IsTerminal(int(os.Stdout.Fd())) {
		c.editor = term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{os.Stdin, os.Stdout}, prompt)
	}
	return c, nil
}

func (c *console) close() { c.restore() }

// welcome tells a person at a terminal what to type. alone says that the node is not one of a simulation that others watch.
func (c *console) welcome(alone bool) {
	if c.editor != nil && alone {
		_, _ = c.Write([]byte("OpenThread's command line. To join a mesh, or found one:\n  ifconfig up\n  thread start\n" +
			"Then: state, ipaddr, neighbor table, router table, ping ADDRESS. All commands: help. The end: exit.\n"))
	}
}

// prompt asks for a line; the editor does so by itself.
func (c *console) prompt() {
	if c.editor == nil {
		_, _ = os.Stdout.WriteString(prompt) // who does not read does not need it
	}
}

// Write prints text. It may be called while a line is being edited.
func (c *console) Write(b []byte) (int, error) {
	if c.editor == nil {
		return os.Stdout.Write(b)
	}
	// The editor makes CR LF of LF.
	if _, err := c.editor.Write(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// log returns where a log goes: beside the answers, and not into a line that is being edited.
func (c *console) log() io.Writer {
	if c.editor == nil {
		return os.Stderr
	}
	return c
}

// readLines calls handle for each line, without its end, until it returns false or the input ends.
func (c *console) readLines(handle func(line string) bool) {
	if c.editor != nil {
		for {
			line, err := c.editor.ReadLine()
			if err != nil && !errors.Is(err, term.ErrPasteIndicator) || !handle(line) {
				return
			}
		}
	}
	readPlain(os.Stdin, handle)
}

// readPlain reads lines that end in CR, LF or both.
func readPlain(in io.Reader, handle func(line string) bool) {
	r := bufio.NewReader(in)
	var line []byte
	last := byte(0)
	for {
		b, err := r.ReadByte()
		if err != nil {
			return
		}
		switch {
		case b == '\n' && last == '\r': // the second half of a line's end
		case b == '\r' || b == '\n':
			if !handle(string(line)) {
				return
			}
			line = line[:0]
		case b == interrupt || b == endOfFile && len(line) == 0:
			return
		case len(line) < maxInput:
			line = append(line, b)
		}
		last = b
	}
}
