package sx126x

import (
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
	// MaxSPIClock is the chip's limit (data sheet, section 8.2).
	MaxSPIClock = 16 * physic.MegaHertz
)

type options struct {
	driver.Options
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
	return o, o.Complete("sx126x", cfg, MaxSPIClock)
}
