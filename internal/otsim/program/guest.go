package program

import (
	"fmt"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

const (
	// channel is the one on which a program is unless it was told otherwise.
	channel = 11
	// longestFrame is what a program can take.
	longestFrame = 127
	// queueLength is how many frames wait for a board's radio.
	queueLength = 7
)

// A Guest is a program as a station of a simulated air (lorasim.Station), beside others. What it sends takes its time there, may have to wait
// for a free channel, and may collide; "transmission done" comes when the frame has left the antenna. Acknowledgments too are frames on the
// air: the program sends them the moment it has received a frame, and the manners of its antenna say how long that takes in truth.
//
// What goes wrong ends the guest: it is silent then, and Err tells.
type Guest struct {
	*Program
	// Heard, if not nil, is called after each input, to look at what the program has printed.
	Heard func()

	queue   [][]byte // channel and PSDU
	sending []byte
	err     error
	dropped int
}

// Err returns what ended the guest, if anything did.
func (g *Guest) Err() error { return g.err }

// Dropped returns how many acknowledgments were dropped because too much waited for the radio, and how many frames because they were too long.
func (g *Guest) Dropped() int { return g.dropped }

// Guest starts a program as a station. For path, id and now see Start.
func (h *Host) Guest(path string, id int, now time.Time) (*Guest, error) {
	g := new(Guest)
	var err error
	g.Program, err = h.Start(path, id, now, g.transmit, func() {})
	return g, err
}

// transmit takes a frame of the program.
func (g *Guest) transmit(data []byte) {
	if len(g.queue) >= queueLength && acknowledgment(data[1:]) {
		g.dropped++
		return
	}
	g.queue = append(g.queue, slices.Clone(data))
}

func acknowledgment(psdu []byte) bool {
	const typeMask = 0x07
	return len(psdu) > 0 && ieee802154.FrameType(psdu[0]&typeMask) == ieee802154.Ack
}

// NextTimeout is part of lorasim.Station, as are the other methods that begin with Handle and Poll.
func (g *Guest) NextTimeout() (time.Time, bool) {
	if g.err != nil {
		return time.Time{}, false
	}
	return g.Timeout()
}

// HandleTimeout wakes the program.
func (g *Guest) HandleTimeout(now time.Time) { g.try(func() error { return g.Wake(now) }) }

// HandleFrame hands a frame to the program.
func (g *Guest) HandleFrame(now time.Time, psdu []byte, _ int) {
	if len(psdu) > longestFrame {
		g.dropped++
		return
	}
	g.try(func() error { return g.Hear(now, append([]byte{channel}, psdu...)) })
}

// PollTransmit returns the next frame of the program.
func (g *Guest) PollTransmit() (psdu []byte, ok bool) {
	if g.err != nil || len(g.queue) == 0 {
		return nil, false
	}
	g.sending = g.queue[0]
	g.queue = slices.Delete(g.queue, 0, 1)
	return g.sending[1:], true
}

// HandleTransmitDone tells the program that its frame has left the antenna. One that the air refused is given to it again. No program hears
// its own acknowledgment: it could take it for one that it awaits.
func (g *Guest) HandleTransmitDone(now time.Time, err error) {
	switch {
	case err != nil:
		g.queue = slices.Insert(g.queue, 0, g.sending)
	case !acknowledgment(g.sending[1:]):
		g.try(func() error { return g.Hear(now, g.sending) })
	}
}

// Order gives the program a command at a time, as Command does. Afterwards the air has to be told, as after each input that is not its own.
func (g *Guest) Order(now time.Time, line string) (answer []string, err error) {
	g.ready(now)
	if g.err != nil {
		return nil, g.err
	}
	answer, err = g.Command(line)
	if _, own := err.(*CommandError); !own {
		g.fail(err)
	}
	return answer, err
}

// Begin gives the program a command at a time that it answers later, as Send does.
func (g *Guest) Begin(now time.Time, line string) error {
	g.ready(now)
	if g.err == nil {
		g.fail(g.Send(line))
	}
	return g.err
}

// ready brings the program's clock to a time.
func (g *Guest) ready(now time.Time) {
	if g.err == nil && g.Clock().Before(now) {
		g.fail(g.Wake(now))
	}
}

// try gives the program an input.
func (g *Guest) try(input func() error) {
	if g.err != nil {
		return
	}
	g.fail(input())
	if g.Heard != nil && g.err == nil {
		g.Heard()
	}
}

func (g *Guest) fail(err error) {
	if err != nil && g.err == nil {
		g.err = fmt.Errorf("program: %w", err)
	}
}
