package sx1276

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"periph.io/x/conn/v3/physic"
)

// Defaults and limits of the options.
const (
	// DefaultSPIClock is slow enough for the ribbon cables and jumper wires of hats.
	DefaultSPIClock = 5 * physic.MegaHertz
	// MinSPIClock is the slowest clock with which the driver keeps up with the air.
	MinSPIClock = 100 * physic.KiloHertz
	// MaxSPIClock is the chip's limit (data sheet, table 11).
	MaxSPIClock = 10 * physic.MegaHertz
)

type options struct {
	log        *slog.Logger
	clock      lora.Clock
	spiClock   physic.Frequency
	noCS       bool
	ungoverned bool
	airtime    lora.AirtimeStore
	oscillator Oscillator
	output     AntennaOutput
	listen     Listen
}

// An Option changes how a chip is driven.
type Option func(*options)

// WithLogger sets where the driver logs: faults and their repair at Warn, what it found at
// Info, damaged packets at Debug. It is silent by default.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// WithClock sets the clock by which the driver lives, that of an emulated chip whose air is
// faster than the wall clock. The wall clock by default.
func WithClock(c lora.Clock) Option { return func(o *options) { o.clock = c } }

// WithSPIClock sets the frequency of the SPI clock, [MinSPIClock] to [MaxSPIClock]. Long wires
// need a slow one. [DefaultSPIClock] by default.
func WithSPIClock(f physic.Frequency) Option { return func(o *options) { o.spiClock = f } }

// WithOscillator sets the chip's reference; [Open] takes it from the board. [Crystal] by
// default. With the wrong one the chip's clock stands still.
func WithOscillator(osc Oscillator) Option { return func(o *options) { o.oscillator = osc } }

// WithOutput sets the pin that leads to the antenna; [Open] takes it from the board.
// [PABoost] by default.
func WithOutput(out AntennaOutput) Option { return func(o *options) { o.output = out } }

// WithListen sets how to listen before talk, [PycomListen] by default.
func WithListen(l Listen) Option { return func(o *options) { o.listen = l } }

// WithoutDutyCycle lets a radio from [Open] send as much as it is given. By default it keeps to the duty cycle of its sub-band, where
// the region has one: see [lora.Govern]. A radio from [New] does not keep count.
func WithoutDutyCycle() Option { return func(o *options) { o.ungoverned = true } }

// WithAirtimeStore sets where a radio from [Open] keeps what it has sent, so that the duty cycle's hour goes on when the program starts
// anew: see [lora.WithAirtimeStore].
func WithAirtimeStore(s lora.AirtimeStore) Option { return func(o *options) { o.airtime = s } }

// withNoCS is [Board.NoCS].
func withNoCS(o *options) { o.noCS = true }

// makeOptions applies options to the defaults and validates them.
func makeOptions(cfg lora.Config, opts []Option) (options, error) {
	o := options{log: slog.New(slog.DiscardHandler), clock: systemClock{}, spiClock: DefaultSPIClock, listen: PycomListen(cfg)}
	for _, set := range opts {
		set(&o)
	}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	if o.clock == nil {
		o.clock = systemClock{}
	}
	if o.spiClock < MinSPIClock || o.spiClock > MaxSPIClock {
		return o, fmt.Errorf("sx1276: WithSPIClock: %v is not in %v to %v", o.spiClock, MinSPIClock, MaxSPIClock)
	}
	if o.oscillator > TCXO {
		return o, fmt.Errorf("sx1276: WithOscillator: %d is neither Crystal nor TCXO", o.oscillator)
	}
	if o.output > RFO {
		return o, fmt.Errorf("sx1276: WithOutput: %d is neither PABoost nor RFO", o.output)
	}
	o.listen = o.listen.withDefaults(cfg)
	return o, o.listen.validate()
}

// systemClock is the wall clock.
type systemClock struct{}

func (systemClock) Now() time.Time                  { return time.Now() }
func (systemClock) Until(t time.Time) time.Duration { return time.Until(t) }
