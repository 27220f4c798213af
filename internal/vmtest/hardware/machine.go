//go:build linux

package hardware

import (
	"fmt"
	"sync"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/internal/vmtest/cuse"
	"github.com/gopymesh/pymesh/internal/vmtest/gpiosim"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/sx1276"
	"github.com/gopymesh/pymesh/lora/transceiver"
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

// Plug126x is a hat with an SX126x to plug. What is around the chip is as the board says.
type Plug126x struct{ Board sx126x.Board }

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
	p := chip.Pins()
	h := &hat{chip: chip, cs: p.CS, reset: p.Reset}
	m.follow(h, board.DIO0, chip.DIO(0))
	return m.plug(h, board.Bus, board.ChipSelect, board.CS, board.Reset, id)
}

// models is the emulated chip of a board.
var models = map[sx126x.Chip]sx126xemu.Model{
	sx126x.SX1262: sx126xemu.SX1262, sx126x.SX1268: sx126xemu.SX1268, sx126x.SX1261: sx126xemu.SX1261, sx126x.LLCC68: sx126xemu.LLCC68,
}

// Plug126x wires a hat as its board says, and returns its number.
func (m *Machine) Plug126x(args Plug126x, id *int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	board := args.Board
	chip := sx126xemu.New(m.air, sx126xemu.Options{
		Model: models[board.Chip], TCXO: board.TCXO, DIO2Switch: board.DIO2Switch, RXEN: board.RXEN != "", TXEN: board.TXEN != "",
		Enable: len(board.Enable) > 0, NoInductor: board.Regulator == sx126x.LDO, Gain: board.Gain, MaxPower: board.MaxChipPower,
		OnViolation: m.violations.add,
	})
	p := chip.Pins()
	h := &hat{chip: chip, cs: p.CS, reset: p.Reset, busy: chip.Busy()}
	m.follow(h, board.DIO1, chip.DIO1())
	m.follow(h, board.Busy, chip.Busy())
	outputs := map[string]transceiver.Output{board.RXEN: p.RXEN, board.TXEN: p.TXEN}
	if len(p.Enable) > 0 {
		outputs[board.Enable[0]] = p.Enable[0] // all of them are switched together
	}
	for name, pin := range outputs {
		if l := m.lines[name]; l != nil && pin != nil {
			l.connect(wire{pin: pin, hat: h})
		}
	}
	return m.plug(h, board.Bus, board.ChipSelect, board.CS, board.Reset, id)
}

// follow makes a line follow what a chip drives.
func (m *Machine) follow(h *hat, name string, d driven) {
	if l := m.lines[name]; l != nil {
		l.connect(wire{dio: d})
		h.driven = append(h.driven, l)
	}
}

// plug wires chip select and reset, and puts a hat on its bus.
func (m *Machine) plug(h *hat, bus, chipSelect int, cs, reset string, id *int) error {
	if l := m.lines[cs]; l != nil && l.user() == "" {
		l.connect(wire{nss: h})
	} else if p := m.ports[spidev{bus, chipSelect}]; p != nil {
		p.mu.Lock()
		p.hat = h
		p.mu.Unlock()
	}
	if l := m.lines[reset]; l != nil {
		l.connect(wire{reset: h.reset, hat: h})
	}
	b, ok := m.buses[bus]
	if !ok {
		return fmt.Errorf("there is no SPI bus %d", bus)
	}
	b.mu.Lock()
	b.hats = append(b.hats, h)
	b.mu.Unlock()
	*id = len(m.hats)
	m.hats = append(m.hats, h)
	return nil
}
