package transceiver

import (
	"fmt"
	"math"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// Listen is how the driver listens before it talks. Besides, a packet waits while the modem receives
// one, however weak.
//
// In the first four fields zero means the value of [PycomListen], in the others none.
type Listen struct {
	// Threshold is the strength, in dBm, from which on the channel is busy.
	Threshold int
	// Time is how long the channel must have been free.
	Time time.Duration
	// Backoff bounds the random pause after a busy channel while little is heard. It grows up to four times as long with the
	// share of the time in which the channel is in use, and is divided into slots in which the start of a packet can be noticed.
	Backoff time.Duration
	// Wait is how long a packet waits for a free channel before Send gives up with
	// [lora.ErrChannelBusy].
	Wait time.Duration
	// Turnaround is the shortest time from the end of a packet received to the start of one's own,
	// such as its acknowledgment.
	Turnaround time.Duration
	// Gap is the shortest time from the end of a packet of one's own to the start of the next.
	Gap time.Duration
	// Window is how long all packets but answers wait after the end of another one's packet, so that its acknowledgment has begun and
	// can be noticed. Answers are what is given to Answer ([lora.Answerer]), and acknowledgments, by their length of 5 bytes at most.
	Window time.Duration
	// Activity adds one channel activity detection, of two symbols, before a packet for which the receiver has not been on long
	// enough to have heard the beginning of every other one: after a packet of one's own.
	Activity bool
	// MaxAirtime is the longest packet that may be sent.
	MaxAirtime time.Duration
}

const (
	// meshPacket is the longest packet of a mesh, in bytes.
	meshPacket = 127
	// pycomDeaf is how long Pycom's firmware hears nothing after each packet, sent or received:
	// it takes 2 to 4 ms, through sleep, until it listens again. The wide bandwidths have preambles
	// that would be over by then.
	pycomDeaf = 5 * time.Millisecond
	// pycomAck is how long it takes at most until its acknowledgment begins.
	pycomAck = 8 * time.Millisecond
)

// Unheard returns how long the start of a packet stays unnoticed: until a receiver has found 5 symbols of its preamble, and a
// transmitter has started.
func Unheard(c lora.Config) time.Duration { return 5*c.SymbolTime() + startTime }

// startTime is how long a driver takes from its last look at the channel until its packet is on the air.
const startTime = time.Millisecond

// PycomListen returns what Pycom's firmware does, 1 ms below -85 dBm, but with a random pause after
// a busy channel: up to four preambles, so that those who waited for the same packet to end do not
// all start at once. A packet waits one and a half times the longest packet of a mesh.
//
// Turnaround and Gap are 5 ms, because Pycom's nodes are deaf for up to 4 ms after each packet. Among nodes
// with this driver both can be zero. Window leaves Pycom's nodes the 8 ms that they take until an acknowledgment begins, and then 5
// symbols in which it cannot be noticed yet.
func PycomListen(c lora.Config) Listen {
	return Listen{
		Threshold: -85,
		Time:      time.Millisecond,
		Backoff:   4 * c.PreambleTime(),
		Wait:      c.Airtime(meshPacket) * 3 / 2,

		Turnaround: pycomDeaf,
		Gap:        pycomDeaf,
		Window:     pycomAck + Unheard(c),
		Activity:   true,
	}
}

// PoliteListen returns the parameters of polite spectrum access, which in Europe takes the place of
// a duty cycle: EN 300 220-1, section 5.21, at up to 100 mW. It asks for a threshold 15 dB above
// the sensitivity limit of the bandwidth, transmissions of at most 1 s, and 100 ms between them. Its
// limit of 100 s in an hour for 200 kHz is not kept here. Not every sub-band allows polite access,
// and nobody has certified this implementation.
func PoliteListen(c lora.Config) Listen {
	const limit16kHz, above = -107, 15 // dBm, dB
	l := PycomListen(c)
	bandwidth := float64(c.WithDefaults().Bandwidth)
	l.Threshold = int(math.Floor(limit16kHz + 10*math.Log10(bandwidth/16_000) + above))
	l.Gap = 100 * time.Millisecond
	l.MaxAirtime = time.Second
	return l
}

// WithDefaults returns l with the values of [PycomListen] in place of zeros that stand for them.
func (l Listen) WithDefaults(c lora.Config) Listen {
	d := PycomListen(c)
	if l.Threshold == 0 {
		l.Threshold = d.Threshold
	}
	if l.Time == 0 {
		l.Time = d.Time
	}
	if l.Backoff == 0 {
		l.Backoff = d.Backoff
	}
	if l.Wait == 0 {
		l.Wait = d.Wait
	}
	return l
}

// Validate returns nil, or an error that names the field that is wrong.
func (l Listen) Validate() error {
	switch {
	case l.Threshold > -20 || l.Threshold < -150:
		return fmt.Errorf("WithListen: Threshold %d dBm is not in -150 to -20", l.Threshold)
	case l.Time < 0 || l.Backoff < 0 || l.Wait < 0 || l.Turnaround < 0 || l.Gap < 0 || l.Window < 0 || l.MaxAirtime < 0:
		return fmt.Errorf("WithListen: a time is negative: %+v", l)
	}
	return nil
}
