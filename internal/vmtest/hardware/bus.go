//go:build linux

package hardware

import (
	"sync"
	"sync/atomic"

	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/internal/vmtest/gpiosim"
	"github.com/gopymesh/pymesh/lora/sx1276"
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
	chip     *sx1276emu.Chip
	pins     sx1276.Pins
	dio      *line // to which DIO0 leads, if it does
	selected atomic.Bool
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
		if err := p.selectHat(sx1276.Low); err != nil {
			return err
		}
		b.exchange(t)
		if last := i == len(transfers)-1; t.csChange != last {
			if err := p.selectHat(sx1276.High); err != nil {
				return err
			}
		}
	}
	// A wire is faster than the answer to this message.
	for _, h := range b.hats {
		if h.dio != nil {
			h.dio.settle()
		}
	}
	return nil
}

// selectHat moves the port's own chip select.
func (p *port) selectHat(level sx1276.Level) error {
	if p.hat == nil || p.mode&modeNoCS != 0 {
		return nil
	}
	return p.hat.selectChip(level)
}

// selectChip is the hat's NSS.
func (h *hat) selectChip(level sx1276.Level) error {
	h.selected.Store(level == sx1276.Low)
	return h.pins.CS.Set(level)
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
