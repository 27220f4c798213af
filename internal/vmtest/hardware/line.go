//go:build linux

package hardware

import (
	"fmt"
	"sync"

	"github.com/gopymesh/pymesh/internal/vmtest/gpiosim"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// The chip of the header.
const (
	HeaderLabel = "pinctrl-bcm2835"
	headerLines = 28
)

// taken are the lines that the kernel's SPI driver has.
var taken = map[int]string{8: "spi0 CS0", 7: "spi0 CS1"}

// header is the chip of a Raspberry Pi, with names as older kernels give them.
func header() gpiosim.Bank {
	bank := gpiosim.Bank{Label: HeaderLabel}
	for i := range headerLines {
		name := fmt.Sprintf("GPIO%d", i)
		switch i {
		case 4:
			name = "GPIO_GCLK"
		case 7:
			name = "SPI_CE1_N"
		case 8:
			name = "SPI_CE0_N"
		}
		bank.Lines = append(bank.Lines, gpiosim.Line{Name: name, User: taken[i]})
	}
	return bank
}

// line is a line of the header.
type line struct {
	gpio   *gpiosim.Chip
	offset int

	mu     sync.Mutex
	output bool // by the host
	value  transceiver.Level
	wire   wire
	pulled bool              // by the host, so that what we drove is gone
	driven transceiver.Level // by us
}

// wire is where a line leads to: one of these, or nowhere.
type wire struct {
	nss   *hat
	reset transceiver.Reset
	pin   transceiver.Output // of the chip or its board, which the host drives
	hat   *hat               // what follows a change of reset or pin
	dio   driven
}

// driven is a line that a chip drives.
type driven interface {
	Level() (transceiver.Level, error)
	Changed() <-chan struct{}
}

// user returns which driver of the kernel has the line.
func (l *line) user() string { return taken[l.offset] }

// connect connects a wire.
func (l *line) connect(w wire) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wire = w
	if w.dio != nil {
		go l.follow(w.dio)
	}
	l.tell()
}

// disconnect leaves the line to the host's pull-down. Nobody has it: a Raspberry Pi makes such a
// line an input, gpio-sim leaves it as it was.
func (l *line) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wire.dio != nil {
		l.drive(transceiver.Low)
	}
	l.wire, l.output = wire{}, false
}

// change handles what the host has done.
func (l *line) change(c gpiosim.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch c {
	case gpiosim.SetLow:
		l.value = transceiver.Low
	case gpiosim.SetHigh:
		l.value = transceiver.High
	case gpiosim.ToInput:
		l.output, l.pulled = false, true
	case gpiosim.ToOutput:
		l.output = true
	}
	l.tell()
}

// tell makes both ends of the wire agree.
func (l *line) tell() {
	var err error
	switch w := l.wire; {
	case w.nss != nil:
		level := l.value || transceiver.Level(!l.output)
		if level == transceiver.Low {
			w.nss.start() // the edge that ended the command before may be known for no longer than this one
		}
		err = w.nss.selectChip(level)
	case w.reset != nil && l.output:
		err = w.reset.Drive(l.value)
	case w.reset != nil:
		err = w.reset.Float()
	case w.pin != nil:
		err = w.pin.Set(l.value && transceiver.Level(l.output))
	case w.dio != nil:
		var level transceiver.Level
		if level, err = w.dio.Level(); err == nil {
			l.drive(level)
		}
	}
	if err != nil {
		panic(err) // emulated pins do not fail
	}
	switch w := l.wire; {
	case w.hat == nil:
	case w.reset != nil && l.output:
		w.hat.settle() // BUSY stays high until the pulse ends
	default:
		w.hat.start()
	}
}

// follow makes the line follow a DIO.
func (l *line) follow(d driven) {
	for range d.Changed() {
		l.settle()
	}
}

// settle makes the host read what the chip drives.
func (l *line) settle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wire.dio != nil {
		l.tell()
	}
}

// drive sets what the host reads. It is stronger than the host's pull.
func (l *line) drive(level transceiver.Level) {
	if level == l.driven && !l.pulled {
		return
	}
	l.driven, l.pulled = level, false
	if err := l.gpio.Drive(l.offset, bool(level)); err != nil {
		panic(err)
	}
}
