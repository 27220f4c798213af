package sx1276

import (
	"strings"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/device"
)

// Open drives the chip of a board, by the kernel's /dev/spidev and /dev/gpiochip files. It works on
// Linux alone; elsewhere the error is [errors.ErrUnsupported].
//
// Its errors say what to do: see [Problem].
func Open(board Board, cfg lora.Config, opts ...Option) (*Radio, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	w, err := openWires(board, opts)
	if err != nil {
		return nil, err
	}
	r, err := New(w.Port, w.pins, cfg, w.opts...)
	if err != nil {
		w.Close()
		return nil, err
	}
	r.driver.CloseWith(w.Closers)
	r.driver.Govern()
	return r, nil
}

// Diagnose looks for what is wrong with a board, step by step as far as it gets: device files and
// permissions, the chip's version, reset, oscillator, registers, DIO0, and the noise that the
// receiver hears. It sends nothing. The board must not be in use.
func Diagnose(board Board, cfg lora.Config, opts ...Option) []Check {
	w, err := openWires(board, opts)
	if err != nil {
		return []Check{{Name: "devices", Err: err}}
	}
	defer w.Close()
	return append([]Check{{Name: "devices", Found: strings.Join(w.Found, ", ")}}, DiagnoseChip(w.Port, w.pins, cfg, w.opts...)...)
}

// wires are the open files of a board.
type wires struct {
	device.Wires
	pins Pins
	opts []Option // the board's, then the caller's
}

// openWires opens the files of a board.
func openWires(board Board, opts []Option) (w *wires, err error) {
	w = &wires{opts: append([]Option{WithOscillator(board.Oscillator), WithOutput(board.Output)}, opts...)}
	if board.NoCS {
		w.opts = append(w.opts, withNoCS)
	}
	defer func() {
		if err != nil {
			w.Close()
			err = &lora.Error{Op: "open", Err: err}
		}
	}()
	if err = w.SPI(board.Bus, board.ChipSelect); err != nil {
		return w, err
	}
	if board.CS != "" {
		if w.pins.CS, err = w.ChipSelect(board.CS, board.Bus, board.ChipSelect); err != nil {
			return w, err
		}
	}
	if board.Reset != "" {
		if w.pins.Reset, err = w.Reset(board.Reset); err != nil {
			return w, err
		}
	}
	if board.DIO0 != "" {
		if w.pins.DIO0, err = w.Input("DIO0", board.DIO0); err != nil {
			return w, err
		}
	}
	return w, nil
}
