package driver

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
	"periph.io/x/conn/v3/physic"
)

// Limits of the SPI clock.
const (
	// DefaultSPIClock is slow enough for the ribbon cables and jumper wires of hats.
	DefaultSPIClock = 5 * physic.MegaHertz
	// MinSPIClock is the slowest clock with which the driver keeps up with the air.
	MinSPIClock = 100 * physic.KiloHertz
)

// Options are those of all chips.
type Options struct {
	Log        *slog.Logger
	Clock      lora.Clock
	SPIClock   physic.Frequency
	NoCS       bool
	Ungoverned bool
	Airtime    lora.AirtimeStore
	Listen     transceiver.Listen
}

// DefaultOptions returns the options that nobody has changed.
func DefaultOptions(cfg lora.Config) Options {
	return Options{Log: slog.New(slog.DiscardHandler), Clock: systemClock{}, SPIClock: DefaultSPIClock, Listen: transceiver.PycomListen(cfg)}
}

// Complete puts defaults in place of what is missing, and validates the options. Errors name the package of the chip.
func (o *Options) Complete(pkg string, cfg lora.Config, maxClock physic.Frequency) error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.SPIClock < MinSPIClock || o.SPIClock > maxClock {
		return fmt.Errorf("%s: WithSPIClock: %v is not in %v to %v", pkg, o.SPIClock, MinSPIClock, maxClock)
	}
	o.Listen = o.Listen.WithDefaults(cfg)
	if err := o.Listen.Validate(); err != nil {
		return fmt.Errorf("%s: %w", pkg, err)
	}
	return nil
}

// systemClock is the wall clock.
type systemClock struct{}

func (systemClock) Now() time.Time                  { return time.Now() }
func (systemClock) Until(t time.Time) time.Duration { return time.Until(t) }
