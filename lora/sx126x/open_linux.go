package sx126x

import (
	"errors"
	"strings"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/internal/device"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// Open drives the chip of a board, by the kernel's /dev/spidev and /dev/gpiochip files. It works on
// Linux alone; elsewhere the error is [errors.ErrUnsupported].
//
// Its errors say what to do: see [Problem].
func Open(board Board, cfg lora.Config, opts ...Option) (*Radio, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := board.validate(cfg.WithDefaults()); err != nil {
		return nil, err
	}
	w, err := openWires(board, opts)
	if err != nil {
		return nil, err
	}
	r, err := New(w.Port, w.pins, board, cfg, w.opts...)
	if err != nil {
		w.Close()
		return nil, err
	}
	r.driver.CloseWith(w.Closers)
	r.driver.Govern()
	return r, nil
}

// Diagnose looks for what is wrong with a board, step by step as far as it gets: device files and
// permissions, BUSY, the chip's version, reset, oscillator, registers, DIO1, and the noise that the
// receiver hears. It sends nothing. The board must not be in use.
func Diagnose(board Board, cfg lora.Config, opts ...Option) []Check {
	w, err := openWires(board, opts)
	if err != nil {
		return []Check{{Name: "devices", Err: err}}
	}
	defer w.Close()
	return append([]Check{{Name: "devices", Found: strings.Join(w.Found, ", ")}}, DiagnoseChip(w.Port, w.pins, board, cfg, w.opts...)...)
}

// wires are the open files of a board.
type wires struct {
	device.Wires
	pins Pins
	opts []Option // the board's, then the caller's
}

// openWires opens the files of a board.
func openWires(board Board, opts []Option) (w *wires, err error) {
	w = &wires{}
	if board.NoCS {
		w.opts = append(w.opts, withNoCS)
	}
	w.opts = append(w.opts, opts...)
	defer func() {
		if err != nil {
			w.Close()
			err = &lora.Error{Op: "open", Err: err}
		}
	}()
	if board.Busy == "" {
		return w, errors.New("the board has no Busy: the chip cannot be driven without that line")
	}
	if err = w.SPI(board.Bus, board.ChipSelect); err != nil {
		return w, err
	}
	return w, w.lines(board)
}

// lines requests the GPIO lines of a board.
func (w *wires) lines(board Board) (err error) {
	p := &w.pins
	if board.CS != "" {
		if p.CS, err = w.ChipSelect(board.CS, board.Bus, board.ChipSelect); err != nil {
			return err
		}
	}
	if p.Busy, err = w.Level("BUSY", board.Busy); err != nil {
		return err
	}
	for _, name := range board.Enable {
		l, err := w.Output("enable", name, transceiver.Low)
		if err != nil {
			return err
		}
		p.Enable = append(p.Enable, l)
	}
	for _, out := range []struct {
		what, name string
		to         *Output
	}{{"RXEN", board.RXEN, &p.RXEN}, {"TXEN", board.TXEN, &p.TXEN}} {
		if out.name == "" {
			continue
		}
		if *out.to, err = w.Output(out.what, out.name, transceiver.Low); err != nil {
			return err
		}
	}
	if board.Reset != "" {
		if p.Reset, err = w.Reset(board.Reset); err != nil {
			return err
		}
	}
	if board.DIO1 != "" {
		if p.DIO1, err = w.Input("DIO1", board.DIO1); err != nil {
			return err
		}
	}
	return nil
}
