// Package periphpins makes lines of a chip's driver from GPIO pins of periph.io: for hosts whose pins periph drives itself, and for expanders and
// adapters on which the kernel has no /dev/gpiochip, such as an FT232H on USB. On a Raspberry Pi the drivers' own Open, which asks the kernel for
// the lines, tells the times of edges better.
//
//	reset := periphpins.Reset(gpioreg.ByName("GPIO17"))
//	dio0, err := periphpins.Input(gpioreg.ByName("GPIO4"))
//	...
//	defer dio0.Close()
//	radio, err := sx1276.New(port, sx1276.Pins{Reset: reset, DIO0: dio0}, lora.Config{})
package periphpins

import (
	"fmt"
	"sync"
	"time"

	"github.com/gopymesh/pymesh/lora/transceiver"
	"periph.io/x/conn/v3/gpio"
)

// Output returns a line that the driver sets, such as a chip select. The pin is not touched before the driver does.
func Output(p gpio.PinOut) transceiver.Output { return output{p} }

type output struct{ pin gpio.PinOut }

func (o output) Set(l transceiver.Level) error { return o.pin.Out(gpio.Level(l)) }

// Reset returns a chip's reset line, which floats but for the moments in which the driver drives it.
func Reset(p gpio.PinIO) transceiver.Reset { return reset{p} }

type reset struct{ pin gpio.PinIO }

func (r reset) Drive(l transceiver.Level) error { return r.pin.Out(gpio.Level(l)) }

// Float lets go of the line without the host's own pull, which may be to the wrong side, where the host can.
func (r reset) Float() error { return in(r.pin, gpio.NoEdge, gpio.Float, gpio.PullNoChange) }

// in makes a pin an input, with the first pull that it knows.
func in(p gpio.PinIn, edge gpio.Edge, pulls ...gpio.Pull) (err error) {
	for _, pull := range pulls {
		if err = p.In(pull, edge); err == nil {
			return nil
		}
	}
	return fmt.Errorf("periphpins: %v as an input: %w", p, err)
}

// look is how long a wait for an edge lasts at most, so that Close can end it: not all of periph's pins end one when they are halted, nor do all
// take a negative time for none.
const look = 100 * time.Millisecond

// Line is a line that the chip sets.
type Line struct {
	pin   gpio.PinIn
	edges chan time.Time
	once  sync.Once
	done  chan struct{}
	ended chan struct{} // nil without a goroutine
}

var _ transceiver.Input = (*Line)(nil)

// edgeQueue is how many edges may wait for the driver.
const edgeQueue = 16

// Input makes the pin an interrupt line of the chip: DIO0 or DIO1. It is pulled down, against edges from a wire that leads nowhere, where the host
// can. A goroutine waits for edges until Close. It fails on a pin that detects none; without an interrupt line the drivers poll.
func Input(p gpio.PinIn) (*Line, error) {
	l := &Line{pin: p, edges: make(chan time.Time, edgeQueue), done: make(chan struct{}), ended: make(chan struct{})}
	if err := in(p, gpio.RisingEdge, gpio.PullDown, gpio.Float, gpio.PullNoChange); err != nil {
		return nil, err
	}
	go l.wait()
	return l, nil
}

// Level makes the pin a line of which the driver reads the level alone: BUSY.
func Level(p gpio.PinIn) (*Line, error) {
	if err := in(p, gpio.NoEdge, gpio.PullDown, gpio.Float, gpio.PullNoChange); err != nil {
		return nil, err
	}
	return &Line{pin: p, edges: make(chan time.Time), done: make(chan struct{})}, nil
}

func (l *Line) wait() {
	defer close(l.ended)
	for {
		began := time.Now()
		edge := l.pin.WaitForEdge(look)
		now := time.Now()
		select {
		case <-l.done:
			return
		default:
		}
		if edge {
			select {
			case l.edges <- now:
			default: // the driver looks anyway
			}
			continue
		}
		// A pin that does not wait, as one that somebody else has halted, must not take the whole processor.
		if rest := look - now.Sub(began); rest > look/2 {
			select {
			case <-l.done:
				return
			case <-time.After(rest):
			}
		}
	}
}

// Level returns the level. Periph's pins tell no error when they are read.
func (l *Line) Level() (transceiver.Level, error) { return transceiver.Level(l.pin.Read()), nil }

// Edges returns the channel of rising edges, as [transceiver.Input] says. Their times are those at which they were noticed, by the wall clock.
func (l *Line) Edges() <-chan time.Time { return l.edges }

// Close ends the waiting for edges, within a tenth of a second, and halts the pin. Closing twice is no error. The driver is to be closed before.
func (l *Line) Close() (err error) {
	l.once.Do(func() {
		close(l.done)
		err = l.pin.Halt()
		if l.ended != nil {
			<-l.ended
		}
	})
	return err
}
