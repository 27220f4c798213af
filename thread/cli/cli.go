// Package cli is the OpenThread command line on a [thread.Engine]: the same words, arguments, output and error numbers as the
// engine from which Pymesh was built.
//
// Like the engine it is a state machine: whoever drives it brings lines, packets and the time, and fetches the text.
//
//	line ─────────► HandleLine ────┐               ┌─► PollOutput ──► text, lines end in "\r\n"
//	PollPacket ───► HandlePacket ──┼─ Interpreter ─┤
//	NextTimeout ──► HandleTimeout ─┘       │       └─► PollRequest ─► reset, factory reset, exit
//	                                  thread.Engine
//
// An Interpreter neither echoes nor prompts: that is the driver's part. Every line is answered by "Done" or "Error N: Name"; a ping's
// and a scan's answer may come later, after the text that they bring.
package cli

import (
	"time"

	"github.com/gopymesh/pymesh/thread"
)

// MaxLine is the number of bytes that a command line may have, its end not counted.
const MaxLine = 512

// Request is something that a command asks of the driver, because an Interpreter cannot do it.
type Request uint8

// Requests.
const (
	// RequestReset asks for a restart of the node: a new engine with the same store, a new Interpreter.
	RequestReset Request = iota + 1
	// RequestFactoryReset asks for the same with an empty store.
	RequestFactoryReset
	// RequestExit asks for the end of the program.
	RequestExit
)

// An Interpreter executes command lines on one engine. It is not safe for concurrent use, and calls the engine: after any of its
// Handle methods the engine's outputs must be fetched as after an input of the engine's own.
type Interpreter struct {
	engine *thread.Engine
}

// New returns an interpreter for engine. If the engine's settings say so (command autostart), the driver should call
// HandleLine with "ifconfig up" and "thread start", see [thread.Engine.AutoStart].
func New(engine *thread.Engine) *Interpreter { return &Interpreter{engine: engine} }

// HandleLine executes a command line. Its end ("\r", "\n") may be there or not; an empty line does nothing and has no answer.
func (i *Interpreter) HandleLine(now time.Time, line string) {}

// HandlePacket takes a datagram that the engine's PollPacket returned: answers to pings, UDP and CoAP messages. It reports
// whether the datagram was for the command line.
func (i *Interpreter) HandlePacket(now time.Time, datagram []byte) bool { return false }

// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
func (i *Interpreter) NextTimeout() (time.Time, bool) { return time.Time{}, false }

// HandleTimeout does what is due at now: the next of several pings.
func (i *Interpreter) HandleTimeout(now time.Time) {}

// PollOutput returns the text written since the last call, and false if there is none. It is the caller's to keep.
func (i *Interpreter) PollOutput() (text []byte, ok bool) { return nil, false }

// PollRequest returns the next request to the driver, and false if there is none.
func (i *Interpreter) PollRequest() (Request, bool) { return 0, false }
