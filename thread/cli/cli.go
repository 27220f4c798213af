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
// An Interpreter neither echoes nor prompts: that is the driver's part. A line is answered by "Done" or "Error N: Name", except
// where OpenThread does not either: a ping is answered by its replies, and help, counter with an argument, reset, factoryreset and
// exit by nothing more than what they print. What the engine cannot do yet is answered by "Error 12: NotImplemented":
// coaps, diag.
package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/console"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// Limits of a command line.
const (
	// MaxLine is the number of bytes that a command line may have, its end not counted. A longer one is answered by
	// "Error 6: Parse". (Deviation: OpenThread executes the first 512 bytes.)
	MaxLine = 512

	maxWords = 32

	// maxOutput bounds what waits for PollOutput. Several times the longest answer fits.
	maxOutput = 256 << 10
)

// DefaultVersion is what the command version prints, unless Interpreter.Version says something else.
const DefaultVersion = "PYMESH; Thread 1.1"

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

func (r Request) String() string {
	switch r {
	case RequestReset:
		return "reset"
	case RequestFactoryReset:
		return "factoryreset"
	case RequestExit:
		return "exit"
	}
	return fmt.Sprintf("Request(%d)", uint8(r))
}

// An Interpreter executes command lines on one engine. It is not safe for concurrent use, and calls the engine: after any of its
// Handle methods the engine's outputs must be fetched as after an input of the engine's own.
type Interpreter struct {
	// EUI64 is what the command eui64 prints, the engine's extended address at the time of New unless it is changed.
	EUI64 ieee802154.ExtAddr
	// Version is what the command version prints, DefaultVersion unless it is changed.
	Version string

	// Radio, if set, is the node's.
	Radio Radio
	// Notify, if set, is called when an answer from the mesh has printed something, in an input of the engine's. It must not call the
	// Interpreter.
	Notify func()

	engine   *thread.Engine
	view     *console.View
	commands []command
	now      time.Time
	out      []byte
	lost     bool // some of it
	requests []Request
	err      error // of the last line
	ping     ping
	udp      udpSocket
	coap     coapService

	resolving, clock lookup // of dns and sntp

	groups []groupAddr
	draft  meshcop.Dataset // of the command dataset

	printsFrames    bool   // that the radio hears
	diagnosticQuery uint32 // the last one to a group

	lines   uint64 // executed
	awaited int    // answers that the last one still waits for
}

// New returns an interpreter for engine. Where [thread.Engine.AutoStart] reports true (command autostart), the driver should call
// the engine's Start.
func New(engine *thread.Engine) *Interpreter {
	return &Interpreter{
		EUI64: engine.ExtAddr(), Version: DefaultVersion, engine: engine, view: engine.Console(), commands: commands, ping: newPing(),
	}
}

// HandleLine executes a command line. Its end ("\r", "\n") may be there or not; an empty line does nothing and has no answer.
func (i *Interpreter) HandleLine(now time.Time, line string) {
	i.now, i.err = now, nil
	i.lines++
	i.awaited = 0
	i.view.Observe(now)
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return
	}
	if len(line) > MaxLine {
		i.answer(Parse)
		return
	}
	words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' })
	switch {
	case len(words) == 0:
		i.printf("Error: no given command.\r\n")
		i.err = InvalidArgs
	case len(words) > maxWords:
		i.printf("Error: too many args (max %d)\r\n", maxWords)
		i.err = InvalidArgs
	default:
		i.answer(i.execute(words[0], words[1:]))
	}
}

func (i *Interpreter) execute(name string, args []string) error {
	if full, ok := aliases[name]; ok {
		name = full
	}
	if c := slices.IndexFunc(i.commands, func(c command) bool { return c.name == name }); c >= 0 {
		return i.commands[c].run(i, args)
	}
	return Parse
}

// answer ends the output of a command.
func (i *Interpreter) answer(err error) {
	switch err {
	case nil:
		i.printf("Done\r\n")
	case errNoAnswer:
	default:
		i.err = errorOf(err)
		i.printf("%v\r\n", i.err)
	}
}

// Err returns the Error that answered the last line, and nil if none did.
func (i *Interpreter) Err() error { return i.err }

func (i *Interpreter) printf(format string, args ...any) {
	if len(i.out) >= maxOutput {
		i.lost = true
		return
	}
	i.out = fmt.Appendf(i.out, format, args...)
}

// PollOutput returns the text written since the last call, and false if there is none. It is the caller's to keep.
func (i *Interpreter) PollOutput() (text []byte, ok bool) {
	text, i.out = i.out, nil
	if i.lost {
		i.lost = false
		text = append(text, "\r\n(output lost: nobody fetched it)\r\n"...)
	}
	return text, len(text) > 0
}

func (i *Interpreter) request(r Request) error {
	if !slices.Contains(i.requests, r) {
		i.requests = append(i.requests, r)
	}
	return errNoAnswer
}

// PollRequest returns the next request to the driver, and false if there is none.
func (i *Interpreter) PollRequest() (Request, bool) {
	if len(i.requests) == 0 {
		return 0, false
	}
	r := i.requests[0]
	i.requests = i.requests[1:]
	return r, true
}

// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
func (i *Interpreter) NextTimeout() (time.Time, bool) {
	next := i.ping.timer
	if t, ok := i.coap.nextTimeout(); ok && (next.IsZero() || t.Before(next)) {
		next = t
	}
	for _, l := range i.lookups() {
		if l.active() && (next.IsZero() || l.timer.Before(next)) {
			next = l.timer
		}
	}
	return next, !next.IsZero()
}

// HandleTimeout does what is due at now: the next of several pings, retransmissions of CoAP, DNS and SNTP.
func (i *Interpreter) HandleTimeout(now time.Time) {
	i.now = now
	if t := i.ping.timer; !t.IsZero() && !t.After(now) {
		if err := i.sendPing(); err != nil {
			i.printf("%v\r\n", errorOf(err))
		}
	}
	if t, ok := i.coap.nextTimeout(); ok && !t.After(now) {
		i.coap.endpoint.HandleTimeout(now)
		i.drainCoAP()
	}
	i.lookupsDue()
}
