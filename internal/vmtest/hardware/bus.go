//go:build linux

package hardware

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/internal/vmtest/gpiosim"
	"github.com/gopymesh/pymesh/lora/transceiver"
	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/physic"
)

// bus is an SPI bus: clock and data are common to its hats, and who is selected takes part.
type bus struct {
	trace *gpiosim.Trace

	mu       sync.Mutex
	hats     []*hat
	idle     byte // what is read where nobody answers
	failures int  // messages that will fail
}

// hat is a chip with its wires.
type hat struct {
	chip     chip
	cs       transceiver.Output
	reset    transceiver.Reset
	busy     driven  // nil without such a line
	driven   []*line // by the chip: DIO0, or DIO1 and BUSY
	selected atomic.Bool
}

// chip is an emulated chip of either family.
type chip interface {
	Exchange(mosi, miso []byte, clock physic.Frequency)
	Stats() chipemu.Stats
	BrownOut()
	FlipBits(above physic.Frequency, probability float64)
	Silence(reads byte)
	Speak()
	HangTransmit(n int)
}

// settle makes the host read what the chip drives now.
func (h *hat) settle() {
	for _, l := range h.driven {
		l.settle()
	}
}

// start waits until a chip that is not asleep takes commands. The host has waited for that by now, on a BUSY that may have been behind: the
// trace tells of what was done to reset, supply and chip select a moment later, and all that follows has to wait as long.
func (h *hat) start() {
	const most, pause = 20 * time.Millisecond, 200 * time.Microsecond
	h.settle()
	if h.busy == nil {
		return
	}
	for begin := time.Now(); time.Since(begin) < most; time.Sleep(pause) {
		if level, err := h.busy.Level(); err != nil || level == transceiver.Low {
			break
		}
	}
	h.settle()
}

// do does the transfers of a message.
func (b *bus) do(p *port, transfers []transfer) error {
	// Which lines are high, the kernel knew before it got the message.
	if err := b.trace.Sync(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures > 0 {
		b.failures--
		return unix.EIO
	}
	for i, t := range transfers {
		if err := p.selectHat(transceiver.Low); err != nil {
			return err
		}
		b.exchange(t)
		if last := i == len(transfers)-1; t.csChange != last {
			if err := p.selectHat(transceiver.High); err != nil {
				return err
			}
		}
	}
	// A wire is faster than the answer to this message.
	for _, h := range b.hats {
		h.settle()
	}
	return nil
}

// selectHat moves the port's own chip select.
func (p *port) selectHat(level transceiver.Level) error {
	if p.hat == nil || p.mode&modeNoCS != 0 {
		return nil
	}
	return p.hat.selectChip(level)
}

// selectChip is the hat's NSS.
func (h *hat) selectChip(level transceiver.Level) error {
	h.selected.Store(level == transceiver.Low)
	return h.cs.Set(level)
}

// exchange clocks bytes.
func (b *bus) exchange(t transfer) {
	for i := range t.miso {
		t.miso[i] = b.idle
	}
	for _, h := range b.hats {
		if h.selected.Load() {
			h.chip.Exchange(t.mosi, t.miso, physic.Frequency(t.speed)*physic.Hertz)
		}
	}
}
