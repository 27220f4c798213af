package hat

import (
	"log/slog"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/hats"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/sx1276"
	"github.com/gopymesh/pymesh/lora/transceiver"
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

// old puts an emulated SX1276 on the air, at a place given in meters.
func (e *Emulated) old(meters float64) (*sx1276emu.Chip, sx1276.Pins) {
	chip := sx1276emu.New(e.Air, sx1276emu.Options{Position: lorasim.Position{X: meters}})
	pins := chip.Pins()
	pins.CS = nil // the port's own
	return chip, pins
}

// models is the emulated chip of a board.
var models = map[sx126x.Chip]sx126xemu.Model{
	sx126x.SX1262: sx126xemu.SX1262, sx126x.SX1268: sx126xemu.SX1268, sx126x.SX1261: sx126xemu.SX1261, sx126x.LLCC68: sx126xemu.LLCC68,
}

// newer puts the chip of a board on the air, with what is around it.
func (e *Emulated) newer(b *sx126x.Board, meters float64) (*sx126xemu.Chip, sx126x.Pins) {
	chip := sx126xemu.New(e.Air, sx126xemu.Options{
		Model: models[b.Chip], Position: lorasim.Position{X: meters}, TCXO: b.TCXO, DIO2Switch: b.DIO2Switch,
		RXEN: b.RXEN != "", TXEN: b.TXEN != "", Enable: len(b.Enable) > 0, NoInductor: b.Regulator == sx126x.LDO, Gain: b.Gain, MaxPower: b.MaxChipPower,
	})
	pins := chip.Pins()
	pins.CS = nil
	return chip, pins
}

// settings are those of the flags, with the clock of the air.
func (e *Emulated) settings() (lora.Config, []hats.Option, error) {
	cfg, err := e.flags.Config()
	if err != nil {
		return cfg, nil, err
	}
	opts, err := e.flags.Options(e.log)
	return cfg, append(opts, hats.WithClock(e.Air.Clock())), err
}

// Open drives a new emulated chip of the flags' board, at a place given in meters.
func (e *Emulated) Open(meters float64) (hats.Radio, error) {
	board, err := e.flags.Board()
	if err != nil {
		return nil, err
	}
	return e.OpenBoard(board, meters)
}

// OpenBoard drives a new emulated chip of a board.
func (e *Emulated) OpenBoard(board hats.Hat, meters float64) (hats.Radio, error) {
	cfg, opts, err := e.settings()
	if err != nil {
		return nil, err
	}
	if board.SX126x != nil {
		chip, pins := e.newer(board.SX126x, meters)
		r, err := sx126x.New(chip.Port(), pins, *board.SX126x, cfg, hats.Options126x(opts)...)
		if err != nil {
			return nil, err
		}
		return r, nil
	}
	chip, pins := e.old(meters)
	r, err := sx1276.New(chip.Port(), pins, cfg, hats.Options1276(opts)...)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Diagnose looks for what is wrong with a new emulated chip.
func (e *Emulated) Diagnose() ([]transceiver.Check, error) {
	cfg, opts, err := e.settings()
	if err != nil {
		return nil, err
	}
	board, err := e.flags.Board()
	if err != nil {
		return nil, err
	}
	if board.SX126x != nil {
		chip, pins := e.newer(board.SX126x, 0)
		return sx126x.DiagnoseChip(chip.Port(), pins, *board.SX126x, cfg, hats.Options126x(opts)...), nil
	}
	chip, pins := e.old(0)
	return sx1276.DiagnoseChip(chip.Port(), pins, cfg, hats.Options1276(opts)...), nil
}
