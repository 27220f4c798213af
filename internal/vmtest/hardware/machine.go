//go:build linux

package hardware

import (
	"fmt"
	"sync"

	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/internal/vmtest/cuse"
	"github.com/gopymesh/pymesh/internal/vmtest/gpiosim"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// Machine is the hardware. Its exported methods are for package net/rpc.
type Machine struct {
	gpio  *gpiosim.Chip
	trace *gpiosim.Trace
	lines map[string]*line
	buses map[int]*bus
	ports map[spidev]*port

	mu         sync.Mutex
	air        *lorasim.Air
	far        *lorasim.Radio
	hats       []*hat
	violations violations
}

// spidev names a port.
type spidev struct{ Bus, ChipSelect int }

// New makes the devices: /dev/spidev0.0, 0.1 and 1.0, and a chip with the lines of a header.
func New() (*Machine, error) {
	m := &Machine{lines: map[string]*line{}, buses: map[int]*bus{}, ports: map[spidev]*port{}}
	// An expander that a Raspberry Pi has too, so that the header's chip is not the only one.
	if _, err := gpiosim.New(gpiosim.Bank{Label: "raspberrypi-exp-gpio", Lines: make([]gpiosim.Line, 8)}); err != nil {
		return nil, err
	}
	var err error
	if m.gpio, err = gpiosim.New(header()); err != nil {
		return nil, err
	}
	byOffset := make([]*line, headerLines)
	for i := range byOffset {
		byOffset[i] = &line{gpio: m.gpio, offset: i}
		m.lines[fmt.Sprintf("GPIO%d", i)] = byOffset[i]
	}
	m.trace, err = gpiosim.NewTrace(m.gpio, func(offset int, c gpiosim.Change) { byOffset[offset].change(c) })
	if err != nil {
		return nil, err
	}
	for _, id := range []spidev{{0, 0}, {0, 1}, {1, 0}} {
		if m.buses[id.Bus] == nil {
			m.buses[id.Bus] = &bus{trace: m.trace}
		}
		p := &port{bus: m.buses[id.Bus]}
		m.ports[id] = p
		d, err := cuse.New(fmt.Sprintf("spidev%d.%d", id.Bus, id.ChipSelect), p)
		if err != nil {
			return nil, err
		}
		go func() { panic(d.Serve()) }()
	}
	return m, m.Clear(struct{}{}, nil)
}

// Clear takes all hats away, which nobody may use any more, and makes a new air.
func (m *Machine) Clear(struct{}, *struct{}) error {
	if err := m.trace.Sync(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.lines {
		l.disconnect()
	}
	for _, b := range m.buses {
		b.mu.Lock()
		b.hats, b.idle, b.failures = nil, 0, 0
		b.mu.Unlock()
	}
	for _, p := range m.ports {
		p.mu.Lock()
		p.hat, p.refuseNoCS = nil, false
		p.mu.Unlock()
	}
	m.hats = nil
	m.violations.take()
	m.air = lorasim.NewAir(lorasim.Options{})
	m.far = m.air.Radio(lora.Config{}, lorasim.Position{X: 100})
	return nil
}

// Plug is a hat to plug.
type Plug struct {
	Board sx1276.Board
	Model sx1276emu.Model
}

// Plug wires a hat as its board says, and returns its number.
func (m *Machine) Plug(args Plug, id *int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	board := args.Board
	chip := sx1276emu.New(m.air, sx1276emu.Options{
		Model:       args.Model,
		TCXO:        board.Oscillator == sx1276.TCXO,
		RFO:         board.Output == sx1276.RFO,
		OnViolation: m.violations.add,
	})
	h := &hat{chip: chip, pins: chip.Pins()}
	if l := m.lines[board.CS]; l != nil && l.user() == "" {
		l.connect(wire{nss: h})
	} else if p := m.ports[spidev{board.Bus, board.ChipSelect}]; p != nil {
		p.mu.Lock()
		p.hat = h
		p.mu.Unlock()
	}
	if l := m.lines[board.Reset]; l != nil {
		l.connect(wire{reset: h.pins.Reset})
	}
	if l := m.lines[board.DIO0]; l != nil {
		l.connect(wire{dio: chip.DIO(0)})
		h.dio = l
	}
	b, ok := m.buses[board.Bus]
	if !ok {
		return fmt.Errorf("there is no SPI bus %d", board.Bus)
	}
	b.mu.Lock()
	b.hats = append(b.hats, h)
	b.mu.Unlock()
	*id = len(m.hats)
	m.hats = append(m.hats, h)
	return nil
}
