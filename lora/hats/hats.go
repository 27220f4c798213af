// Package hats knows the boards of all drivers: it opens any of them by name, and finds out which one is there.
//
//	hat, err := hats.Parse("rak6421-slot1")
//	radio, err := hat.Open(lora.Config{Region: lora.EU868})
//
// A program for one kind of chip alone has no need of it: packages sx1276 and sx126x do the work.
package hats

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/sx1276"
	"github.com/gopymesh/pymesh/lora/transceiver"
	"periph.io/x/conn/v3/physic"
)

// Hat is a board of either family: one of the fields is set, and may be changed.
type Hat struct {
	SX1276 *sx1276.Board
	SX126x *sx126x.Board
}

// Radio is what both drivers are.
type Radio interface {
	lora.Answerer
	lora.Sleeper
	lora.Clocked
	// Chip returns the name of the chip.
	Chip() string
	// Stats returns the counters.
	Stats() transceiver.Stats
	// Usage returns how much of the duty cycle is used and left, of a radio that keeps to it.
	Usage() []lora.Usage
}

var (
	_ Radio = (*sx1276.Radio)(nil)
	_ Radio = (*sx126x.Radio)(nil)
)

// Boards returns all boards that are known by name, those with an SX1276 first.
func Boards() []Hat {
	var list []Hat
	for _, b := range sx1276.Boards() {
		list = append(list, Hat{SX1276: &b})
	}
	for _, b := range sx126x.Boards() {
		list = append(list, Hat{SX126x: &b})
	}
	return list
}

// Parse returns the board of an ID; upper and lower case are the same.
func Parse(id string) (Hat, error) {
	var ids []string
	for _, h := range Boards() {
		if strings.EqualFold(h.ID(), id) {
			return h, nil
		}
		ids = append(ids, h.ID())
	}
	return Hat{}, fmt.Errorf("hats: board %q: known are %s", id, strings.Join(ids, ", "))
}

// ID returns the short name.
func (h Hat) ID() string {
	if h.SX126x != nil {
		return h.SX126x.ID
	}
	return h.SX1276.ID
}

// Name returns what people call it.
func (h Hat) Name() string {
	if h.SX126x != nil {
		return h.SX126x.Name
	}
	return h.SX1276.Name
}

// Chip returns the name of its chip.
func (h Hat) Chip() string {
	if h.SX126x != nil {
		return h.SX126x.Chip.String()
	}
	return "SX1276"
}

// Wiring returns what to know about the wires, for people, and Source where that comes from.
func (h Hat) Wiring() string {
	if h.SX126x != nil {
		return h.SX126x.Wiring
	}
	return h.SX1276.Wiring
}

// Source says where the facts about the board come from.
func (h Hat) Source() string {
	if h.SX126x != nil {
		return h.SX126x.Source
	}
	return h.SX1276.Source
}

// Lines is where a board is wired to. What is not wired is empty.
type Lines struct {
	Bus, ChipSelect int
	CS, Reset       string
	Interrupt       string // DIO0 of an SX1276, DIO1 of an SX126x
	Busy            string
	RXEN, TXEN      string
	Enable          []string
}

// Lines returns where the board is wired to.
func (h Hat) Lines() Lines {
	if b := h.SX126x; b != nil {
		return Lines{b.Bus, b.ChipSelect, b.CS, b.Reset, b.DIO1, b.Busy, b.RXEN, b.TXEN, b.Enable}
	}
	b := h.SX1276
	return Lines{Bus: b.Bus, ChipSelect: b.ChipSelect, CS: b.CS, Reset: b.Reset, Interrupt: b.DIO0}
}

// SetLines wires the board otherwise. An SX1276 has no Busy, RXEN, TXEN and Enable.
func (h Hat) SetLines(l Lines) {
	if b := h.SX126x; b != nil {
		b.Bus, b.ChipSelect, b.CS, b.Reset, b.DIO1 = l.Bus, l.ChipSelect, l.CS, l.Reset, l.Interrupt
		b.Busy, b.RXEN, b.TXEN, b.Enable = l.Busy, l.RXEN, l.TXEN, l.Enable
		return
	}
	b := h.SX1276
	b.Bus, b.ChipSelect, b.CS, b.Reset, b.DIO0 = l.Bus, l.ChipSelect, l.CS, l.Reset, l.Interrupt
}

// Open drives the chip of the board, as sx1276.Open and sx126x.Open do.
func (h Hat) Open(cfg lora.Config, opts ...Option) (Radio, error) {
	if h.SX126x != nil {
		return opened(sx126x.Open(*h.SX126x, cfg, Options126x(opts)...))
	}
	return opened(sx1276.Open(*h.SX1276, cfg, Options1276(opts)...))
}

// opened makes no Radio of a nil pointer.
func opened[R Radio](r R, err error) (Radio, error) {
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Diagnose looks for what is wrong with the board, as sx1276.Diagnose and sx126x.Diagnose do.
func (h Hat) Diagnose(cfg lora.Config, opts ...Option) []transceiver.Check {
	if h.SX126x != nil {
		return sx126x.Diagnose(*h.SX126x, cfg, Options126x(opts)...)
	}
	return sx1276.Diagnose(*h.SX1276, cfg, Options1276(opts)...)
}

// An Option changes how a chip is driven.
type Option struct {
	old    sx1276.Option
	newest sx126x.Option
}

// WithLogger sets where the driver logs.
func WithLogger(l *slog.Logger) Option { return Option{sx1276.WithLogger(l), sx126x.WithLogger(l)} }

// WithClock sets the clock by which the driver lives.
func WithClock(c lora.Clock) Option { return Option{sx1276.WithClock(c), sx126x.WithClock(c)} }

// WithSPIClock sets the frequency of the SPI clock.
func WithSPIClock(f physic.Frequency) Option {
	return Option{sx1276.WithSPIClock(f), sx126x.WithSPIClock(f)}
}

// WithListen sets how to listen before talk.
func WithListen(l transceiver.Listen) Option {
	return Option{sx1276.WithListen(l), sx126x.WithListen(l)}
}

// WithoutDutyCycle lets a radio send as much as it is given.
func WithoutDutyCycle() Option { return Option{sx1276.WithoutDutyCycle(), sx126x.WithoutDutyCycle()} }

// WithAirtimeStore sets where a radio keeps what it has sent.
func WithAirtimeStore(s lora.AirtimeStore) Option {
	return Option{sx1276.WithAirtimeStore(s), sx126x.WithAirtimeStore(s)}
}

// Options1276 returns options for package sx1276.
func Options1276(opts []Option) []sx1276.Option {
	list := make([]sx1276.Option, len(opts))
	for i, o := range opts {
		list[i] = o.old
	}
	return list
}

// Options126x returns options for package sx126x.
func Options126x(opts []Option) []sx126x.Option {
	list := make([]sx126x.Option, len(opts))
	for i, o := range opts {
		list[i] = o.newest
	}
	return list
}
