package sx1276

import (
	"fmt"
	"log/slog"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/driver"
	"periph.io/x/conn/v3/physic"
)

// Defaults and limits of the options.
const (
	// DefaultSPIClock is slow enough for the ribbon cables and jumper wires of hats.
	DefaultSPIClock = driver.DefaultSPIClock
	// MinSPIClock is the slowest clock with which the driver keeps up with the air.
	MinSPIClock = driver.MinSPIClock
	// MaxSPIClock is the chip's limit (data sheet, table 11).
	MaxSPIClock = 10 * physic.MegaHertz
)

type options struct {
	driver.Options
	oscillator Oscillator
	output     AntennaOutput
}

// An Option changes how a chip is driven.
type Option func(*options)

// WithLogger sets where the driver logs: faults and their repair at Warn, what it found at
// Info, damaged packets at Debug. It is silent by default.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.Log = l } }

// WithClock sets the clock by which the driver lives, that of an emulated chip whose air is
// faster than the wall clock. The wall clock by default.
func WithClock(c lora.Clock) Option { return func(o *options) { o.Clock = c } }

// WithSPIClock sets the frequency of the SPI clock, [MinSPIClock] to [MaxSPIClock]. Long wires
// need a slow one. [DefaultSPIClock] by default.
func WithSPIClock(f physic.Frequency) Option { return func(o *options) { o.SPIClock = f } }

// WithOscillator sets the chip's reference; [Open] takes it from the board. [Crystal] by
// default. With the wrong one the chip's clock stands still.
func WithOscillator(osc Oscillator) Option { return func(o *options) { o.oscillator = osc } }

// WithOutput sets the pin that leads to the antenna; [Open] takes it from the board.
// [PABoost] by default.
func WithOutput(out AntennaOutput) Option { return func(o *options) { o.output = out } }

// WithListen sets how to listen before talk, [PycomListen] by default.
func WithListen(l Listen) Option { return func(o *options) { o.Listen = l } }

// WithoutDutyCycle lets a radio from [Open] send as much as it is given. By default it keeps to the duty cycle of its sub-band, where
// the region has one: see [lora.Govern]. A radio from [New] does not keep count.
func WithoutDutyCycle() Option { return func(o *options) { o.Ungoverned = true } }

// WithAirtimeStore sets where a radio from [Open] keeps what it has sent, so that the duty cycle's hour goes on when the program starts
// anew: see [lora.WithAirtimeStore].
func WithAirtimeStore(s lora.AirtimeStore) Option { return func(o *options) { o.Airtime = s } }

// withNoCS is [Board.NoCS].
func withNoCS(o *options) { o.NoCS = true }

// makeOptions applies options to the defaults and validates them.
func makeOptions(cfg lora.Config, opts []Option) (options, error) {
	o := options{Options: driver.DefaultOptions(cfg)}
	for _, set := range opts {
		set(&o)
	}
	if err := o.Complete("sx1276", cfg, MaxSPIClock); err != nil {
		return o, err
	}
	if o.oscillator > TCXO {
		return o, fmt.Errorf("sx1276: WithOscillator: %d is neither Crystal nor TCXO", o.oscillator)
	}
	if o.output > RFO {
		return o, fmt.Errorf("sx1276: WithOutput: %d is neither PABoost nor RFO", o.output)
	}
	return o, nil
}
