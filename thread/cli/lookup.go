package cli

import (
	"net/netip"
	"time"
)

// How long a server outside the mesh has for its answer.
const (
	// lookupTimeout is the reference's, and the number of tries, too.
	lookupTimeout = 3 * time.Second
	lookupTries   = 3
	// lookupFrames is the timeout in airtimes of the longest frame, where those are long: two fragments each way over eight hops, each with as
	// much again for the others on the air.
	lookupFrames = 64
)

// A lookup asks a server for something, and again while there is no answer.
//
//	command ─► start ─► request ─► answer of the server ─► done
//	             ▲  └─ timeout, three times ────────────────┘
type lookup struct {
	read func(payload []byte) (over bool) // takes an answer of the server, and prints it
	fail func(Error)                      // prints that there is none
	done func()                           // ends the wait for this command

	from, server netip.AddrPort
	request      []byte
	tries        int
	timer        time.Time // zero if nothing is asked
}

func (l *lookup) active() bool { return !l.timer.IsZero() }

// parseServer parses an address and a port, of which the first or both may be left out.
func parseServer(args []string, otherwise netip.AddrPort) (netip.AddrPort, error) {
	if len(args) == 0 {
		return otherwise, nil
	}
	a, err := parseAddr(args[0])
	port := int64(otherwise.Port())
	if err == nil && len(args) > 1 {
		port, err = parseLong(args[1])
	}
	return netip.AddrPortFrom(a, uint16(port)), err
}

// startLookup sends the first request. Nothing but errors is answered at once.
func (i *Interpreter) startLookup(l *lookup, server netip.AddrPort, request []byte) error {
	l.server, l.request, l.tries = server, request, 0
	// RFC 5452 §9.2: a port that others cannot foresee.
	l.from = netip.AddrPortFrom(netip.IPv6Unspecified(), firstEphemeral+uint16(i.engine.Rand().UintN(1<<16-firstEphemeral)))
	if err := i.askAgain(l); err != nil {
		l.timer = time.Time{}
		return err
	}
	l.done = i.await()
	return errNoAnswer
}

// askAgain sends the request once more.
//
// Deviation: the reference waits 3 s each time. On LoRa an answer over some hops takes longer.
func (i *Interpreter) askAgain(l *lookup) error {
	l.tries++
	l.timer = i.now.Add(max(lookupTimeout, lookupFrames*i.view.FrameTime))
	i.engine.ExpectAnswer(i.now, 0)
	return i.sendUDP(l.from, l.server, l.request)
}

// lookups are all that there are.
func (i *Interpreter) lookups() [2]*lookup { return [...]*lookup{&i.resolving, &i.clock} }

// handleAnswer takes a datagram if it is from a server that was asked, to where it was asked from.
func (i *Interpreter) handleAnswer(port uint16, from netip.AddrPort, payload []byte) bool {
	for _, l := range i.lookups() {
		if l.active() && l.from.Port() == port && l.server == from {
			if l.read(payload) {
				l.timer = time.Time{}
				l.done()
			}
			return true
		}
	}
	return false
}

// lookupsDue asks again, or gives up.
func (i *Interpreter) lookupsDue() {
	for _, l := range i.lookups() {
		if !l.active() || l.timer.After(i.now) {
			continue
		}
		err := error(ResponseTimeout)
		if l.tries < lookupTries {
			err = i.askAgain(l)
		}
		if err != nil {
			l.timer = time.Time{}
			l.fail(errorOf(err))
			l.done()
		}
	}
}
