//go:build linux

package hardware

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"periph.io/x/conn/v3/physic"
)

// violations are the rules that the driver broke.
type violations struct {
	mu   sync.Mutex
	list []string
}

func (v *violations) add(b sx1276emu.Violation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = append(v.list, b.String())
}

func (v *violations) take() (list []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	list, v.list = v.list, nil
	return list
}

// Violations returns the rules of the chip that the driver broke since the last call or Clear.
func (m *Machine) Violations(_ struct{}, list *[]string) error {
	*list = m.violations.take()
	return nil
}

// Stats returns what the chip of a hat did.
func (m *Machine) Stats(id int, stats *sx1276emu.Stats) error {
	h, err := m.hat(id)
	if err == nil {
		*stats = h.chip.Stats()
	}
	return err
}

func (m *Machine) hat(id int) (*hat, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if id < 0 || id >= len(m.hats) {
		return nil, fmt.Errorf("there is no hat %d", id)
	}
	return m.hats[id], nil
}

// Bus is how an SPI bus is.
type Bus struct {
	Number     int
	Idle       byte // what is read where nobody answers
	Failures   int  // how many of the next messages fail
	RefuseNoCS bool // whether the controller refuses SPI_NO_CS
}

// SetBus sets how a bus is.
func (m *Machine) SetBus(args Bus, _ *struct{}) error {
	b, ok := m.buses[args.Number]
	if !ok {
		return fmt.Errorf("there is no SPI bus %d", args.Number)
	}
	b.mu.Lock()
	b.idle, b.failures = args.Idle, args.Failures
	b.mu.Unlock()
	for id, p := range m.ports {
		if id.Bus == args.Number {
			p.mu.Lock()
			p.refuseNoCS = args.RefuseNoCS
			p.mu.Unlock()
		}
	}
	return nil
}

// Fault is something that goes wrong with a hat.
type Fault struct {
	Hat  int
	Kind FaultKind
	N    int // see there
}

// FaultKind is what goes wrong.
type FaultKind uint8

const (
	Version      FaultKind = iota // the chip says that it is N
	BrownOut                      // the supply dips
	BitErrors                     // SPI carries one bit of a thousand wrongly, from N Hz on
	Silence                       // the wires fall off: all bytes read as N
	Speak                         // the end of Silence
	HangTransmit                  // N packets that do not end
	StickBusy                     // BUSY of an SX126x is high, or falls again with N = 0
)

// Fail makes a fault.
func (m *Machine) Fail(f Fault, _ *struct{}) error {
	const errorRate = 1. / 125 // a byte
	h, err := m.hat(f.Hat)
	if err != nil {
		return err
	}
	switch c := h.chip; f.Kind {
	case Version:
		if c, ok := c.(*sx1276emu.Chip); ok {
			c.SetVersion(byte(f.N))
		}
	case BrownOut:
		c.BrownOut()
	case BitErrors:
		c.FlipBits(physic.Frequency(f.N)*physic.Hertz, errorRate)
	case Silence:
		c.Silence(byte(f.N))
	case Speak:
		c.Speak()
	case HangTransmit:
		c.HangTransmit(f.N)
	case StickBusy:
		if c, ok := c.(*sx126xemu.Chip); ok && f.N != 0 {
			c.StickBusy(true)
		} else if ok {
			c.FreeBusy()
		}
	}
	return nil
}

// Transmit sends a packet by the radio far away.
func (m *Machine) Transmit(packet []byte, _ *struct{}) error {
	return m.farRadio().Send(context.Background(), packet)
}

// Receive waits for a packet at the radio far away.
func (m *Machine) Receive(limit time.Duration, packet *[]byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	buf := make([]byte, lora.MaxPacket)
	rx, err := m.farRadio().Receive(ctx, buf)
	*packet = buf[:rx.N]
	return err
}

func (m *Machine) farRadio() *lorasim.Radio {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.far
}
