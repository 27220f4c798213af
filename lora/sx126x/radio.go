package sx126x

import (
	"context"
	"errors"

	"github.com/gopymesh/pymesh/internal/steady"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/driver"
	"periph.io/x/conn/v3/spi"
)

// Radio is a chip that sends and receives. It is a [lora.Radio], a [lora.Answerer], a [lora.Sleeper], a [lora.Meter], and [lora.Clocked].
//
// Its methods may be called by many goroutines at once; of several calls of Send one is served
// after the other.
type Radio struct {
	driver *driver.Driver
	chip   *chip
}

var (
	_ lora.Radio    = (*Radio)(nil)
	_ lora.Clocked  = (*Radio)(nil)
	_ lora.Answerer = (*Radio)(nil)
	_ lora.Sleeper  = (*Radio)(nil)
	_ lora.Meter    = (*Radio)(nil)
)

// New drives a chip at an SPI port, which it connects, with the pins given. Neither is closed by
// Close. Of the board it takes what is around the chip, not where it is wired to. It returns when the chip receives.
func New(port spi.Port, pins Pins, board Board, cfg lora.Config, opts ...Option) (*Radio, error) {
	r, err := newRadio(pins, board, cfg, opts)
	if err != nil {
		return nil, err
	}
	if err := r.chip.connect(port); err != nil {
		return nil, err
	}
	if err := r.driver.Start(); err != nil {
		return nil, err
	}
	return r, nil
}

// newRadio makes a Radio that knows no chip yet.
func newRadio(pins Pins, board Board, cfg lora.Config, opts []Option) (*Radio, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	if err := board.validate(cfg); err != nil {
		return nil, err
	}
	o, err := makeOptions(cfg, opts)
	if err != nil {
		return nil, err
	}
	if pins.Busy == nil {
		return nil, errors.New("sx126x: Pins.Busy is missing: the chip cannot be driven without its BUSY line")
	}
	c := &chip{cfg: cfg, opt: o, clock: steady.New(o.Clock), pins: pins, board: board}
	return &Radio{driver.New(c, pins.DIO1, "DIO1", cfg, o.Options), c}, nil
}

// connect connects the port.
func (c *chip) connect(port spi.Port) error {
	return c.Connect(port, c.pins.CS, c.opt.SPIClock, c.opt.NoCS)
}

// Config returns the settings in force.
func (r *Radio) Config() lora.Config { return r.driver.Config() }

// Chip returns the name of the chip, as the board has it.
func (r *Radio) Chip() string { return r.chip.Name() }

// Clock returns the clock by which the radio lives.
func (r *Radio) Clock() lora.Clock { return r.driver.Clock() }

// Send transmits a packet, as [lora.Radio] says. While the channel is busy it waits, with random
// pauses, as long as [Listen] allows. Of a radio from [Open] the duty cycle is kept: a packet that would
// exceed it is refused with [lora.ErrDutyCycle].
//
// An [*lora.Error] says that the chip did not do its part; it is being reset then, and the next
// packet may be given at once. When ctx ends during the transmission, the chip finishes the packet.
func (r *Radio) Send(ctx context.Context, packet []byte) error { return r.driver.Send(ctx, packet) }

// Answer transmits a packet, as [lora.Answerer] says, and otherwise as Send does.
func (r *Radio) Answer(ctx context.Context, packet []byte) error {
	return r.driver.Answer(ctx, packet)
}

// Power returns the power on the channel, as [lora.Meter] says.
func (r *Radio) Power(ctx context.Context) (int, error) { return r.driver.Power(ctx) }

// Receive waits for a packet, as [lora.Radio] says. Its Time is that of the edge of DIO1; without
// one, it is when the driver found the packet.
//
// While the chip does not answer, Receive returns an [*lora.Error] each time the driver has tried in
// vain to set it up again, which it goes on to do.
func (r *Radio) Receive(ctx context.Context, buf []byte) (lora.Reception, error) {
	return r.driver.Receive(ctx, buf)
}

// Sleep says whether the chip may sleep, as [lora.Sleeper] says. It takes 0.6 µA then, in place of 5 mA.
func (r *Radio) Sleep(asleep bool) { r.driver.Sleep(asleep) }

// Usage returns how much of the duty cycle is used and left in each sub-band, of a radio that keeps to it.
func (r *Radio) Usage() []lora.Usage { return r.driver.Usage() }

// Stats returns the counters.
func (r *Radio) Stats() Stats { return r.driver.Stats() }

// Close puts the chip to sleep, and takes its Enable lines down. A packet that is on the air is cut short. When the host's SPI hangs, Close
// returns after five seconds, with [ErrHungSPI] and the files left open: they are the operating system's to end, with the program.
func (r *Radio) Close() error { return r.driver.Close() }
