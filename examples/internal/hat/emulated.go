package hat

import (
	"log/slog"

	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// Emulated is a simulated air with emulated chips.
type Emulated struct {
	Air   *lorasim.Air
	flags *Flags
	log   *slog.Logger
}

// Emulate makes an air whose time passes speed times as fast as the wall clock.
func (f *Flags) Emulate(speed float64, log *slog.Logger) *Emulated {
	return &Emulated{lorasim.NewAir(lorasim.Options{Speed: speed}), f, log}
}

// chip puts an emulated chip on the air, at a place given in meters.
func (e *Emulated) chip(meters float64) (*sx1276emu.Chip, sx1276.Pins) {
	chip := sx1276emu.New(e.Air, sx1276emu.Options{Position: lorasim.Position{X: meters}})
	pins := chip.Pins()
	pins.CS = nil // the port's own
	return chip, pins
}

// settings are those of the flags, with the clock of the air.
func (e *Emulated) settings() (lora.Config, []sx1276.Option, error) {
	cfg, err := e.flags.Config()
	if err != nil {
		return cfg, nil, err
	}
	opts, err := e.flags.Options(e.log)
	return cfg, append(opts, sx1276.WithClock(e.Air.Clock())), err
}

// Open drives a new emulated chip at a place given in meters.
func (e *Emulated) Open(meters float64) (*sx1276.Radio, error) {
	cfg, opts, err := e.settings()
	if err != nil {
		return nil, err
	}
	chip, pins := e.chip(meters)
	return sx1276.New(chip.Port(), pins, cfg, opts...)
}

// Diagnose looks for what is wrong with a new emulated chip.
func (e *Emulated) Diagnose() ([]sx1276.Check, error) {
	cfg, opts, err := e.settings()
	if err != nil {
		return nil, err
	}
	chip, pins := e.chip(0)
	return sx1276.DiagnoseChip(chip.Port(), pins, cfg, opts...), nil
}
