package sx1276

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gopymesh/pymesh/lora"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/host/v3/sysfs"
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
	r, err := New(w.port, w.pins, cfg, w.opts...)
	if err != nil {
		w.close()
		return nil, err
	}
	r.closers = w.closers
	r.govern()
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
	defer w.close()
	return append([]Check{{Name: "devices", Found: strings.Join(w.found, ", ")}}, DiagnoseChip(w.port, w.pins, cfg, w.opts...)...)
}

// wires are the open files of a board.
type wires struct {
	port    spi.Port
	pins    Pins
	opts    []Option // the board's, then the caller's
	found   []string // what was opened, for people
	closers []io.Closer
}

func (w *wires) close() {
	for _, c := range w.closers {
		c.Close()
	}
}

// openWires opens the files of a board.
func openWires(board Board, opts []Option) (w *wires, err error) {
	w = &wires{opts: append([]Option{WithOscillator(board.Oscillator), WithOutput(board.Output)}, opts...)}
	if board.NoCS {
		w.opts = append(w.opts, withNoCS)
	}
	defer func() {
		if err != nil {
			w.close()
			err = &lora.Error{Op: "open", Err: err}
		}
	}()
	port, err := openSPI(board.Bus, board.ChipSelect)
	if err != nil {
		return w, err
	}
	w.port, w.closers = port, append(w.closers, port)
	w.found = append(w.found, spiPath(board.Bus, board.ChipSelect))
	if board.CS != "" {
		if err := w.openCS(board); err != nil {
			return w, fmt.Errorf("chip select: %w", err)
		}
	}
	if board.Reset != "" {
		l, err := requestReset(board.Reset)
		if err != nil {
			return w, fmt.Errorf("reset: %w", err)
		}
		w.pins.Reset, w.closers = l, append(w.closers, l)
		w.found = append(w.found, "reset "+board.Reset)
	}
	if board.DIO0 != "" {
		l, err := requestInput(board.DIO0)
		if err != nil {
			return w, fmt.Errorf("DIO0: %w", err)
		}
		w.pins.DIO0, w.closers = l, append(w.closers, l)
		w.found = append(w.found, "DIO0 "+board.DIO0)
	}
	return w, nil
}

// openCS requests the chip select line, unless the kernel already moves it as this port's.
func (w *wires) openCS(board Board) error {
	l, err := requestOutput(board.CS, High)
	if busy := (*busyLine)(nil); errors.As(err, &busy) && busy.user == fmt.Sprintf("spi%d CS%d", board.Bus, board.ChipSelect) {
		w.found = append(w.found, "chip select "+board.CS+", by the kernel")
		return nil
	}
	if err != nil {
		return err
	}
	w.pins.CS, w.closers = l, append(w.closers, l)
	w.found = append(w.found, "chip select "+board.CS)
	return nil
}

func spiPath(bus, cs int) string { return fmt.Sprintf("/dev/spidev%d.%d", bus, cs) }

// openSPI opens a spidev file.
func openSPI(bus, cs int) (*sysfs.SPI, error) {
	path := spiPath(bus, cs)
	port, err := sysfs.NewSPI(bus, cs)
	if err == nil {
		return port, nil
	}
	// That error says why, but not in a form that a program can read.
	f, reason := os.OpenFile(path, os.O_RDWR, 0)
	if reason == nil {
		f.Close()
		return nil, err
	}
	switch {
	case errors.Is(reason, fs.ErrNotExist):
		return nil, &Problem{reason, noSPI(bus, cs)}
	case errors.Is(reason, fs.ErrPermission):
		return nil, &Problem{reason, remedySPIGroup}
	}
	return nil, reason
}

// noSPI says what to do about a spidev file that is not there.
func noSPI(bus, cs int) string {
	others, _ := filepath.Glob("/dev/spidev*")
	if len(others) == 0 {
		return "SPI is off: sudo raspi-config nonint do_spi 0, or dtparam=spi=on in /boot/firmware/config.txt, then reboot; " +
			"on another host than a Raspberry Pi, load its spidev overlay; in a container, pass the device on"
	}
	has := "this host has " + strings.Join(others, ", ")
	if bus == 0 && cs == 1 {
		return has + "; remove a dtoverlay=spi0-1cs or spi0-0cs from /boot/firmware/config.txt, or use dtoverlay=spi0-2cs; then reboot"
	}
	if bus > 0 {
		return fmt.Sprintf("%s; dtoverlay=spi%d-%dcs in /boot/firmware/config.txt brings this one, after a reboot", has, bus, cs+1)
	}
	return has + "; change the board's Bus and ChipSelect"
}
