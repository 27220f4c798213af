package device

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gopymesh/pymesh/lora/transceiver"
	"periph.io/x/host/v3/sysfs"
)

// Wires are the open files of a board.
type Wires struct {
	Port    *sysfs.SPI
	Found   []string // what was opened, for people
	Closers []io.Closer
}

// Close closes all files.
func (w *Wires) Close() {
	for _, c := range w.Closers {
		c.Close()
	}
}

func (w *Wires) opened(what string, c io.Closer) {
	w.Closers = append(w.Closers, c)
	w.Found = append(w.Found, what)
}

// SPI opens a port.
func (w *Wires) SPI(bus, chipSelect int) error {
	port, err := openSPI(bus, chipSelect)
	if err != nil {
		return err
	}
	w.Port = port
	w.opened(spiPath(bus, chipSelect), port)
	return nil
}

// ChipSelect requests the line of a chip select, unless the kernel already moves it as this port's: then there is none.
func (w *Wires) ChipSelect(name string, bus, chipSelect int) (transceiver.Output, error) {
	l, err := requestOutput(name, transceiver.High)
	if busy := (*busyLine)(nil); errors.As(err, &busy) && busy.user == fmt.Sprintf("spi%d CS%d", bus, chipSelect) {
		w.Found = append(w.Found, "chip select "+name+", by the kernel")
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("chip select: %w", err)
	}
	w.opened("chip select "+name, l)
	return l, nil
}

// Output requests a line that the driver sets, at a level to begin with.
func (w *Wires) Output(what, name string, level transceiver.Level) (transceiver.Output, error) {
	l, err := requestOutput(name, level)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	w.opened(what+" "+name, l)
	return l, nil
}

// Reset requests a reset line.
func (w *Wires) Reset(name string) (transceiver.Reset, error) {
	l, err := requestReset(name)
	if err != nil {
		return nil, fmt.Errorf("reset: %w", err)
	}
	w.opened("reset "+name, l)
	return l, nil
}

// Level requests a line that the chip sets, and whose edges do not matter.
func (w *Wires) Level(what, name string) (transceiver.Input, error) {
	l, err := requestLevel(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	w.opened(what+" "+name, l)
	return l, nil
}

// Input requests a line that the chip sets.
func (w *Wires) Input(what, name string) (transceiver.Input, error) {
	l, err := requestInput(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	w.opened(what+" "+name, l)
	return l, nil
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
		return nil, problem(reason, noSPI(bus, cs))
	case errors.Is(reason, fs.ErrPermission):
		return nil, problem(reason, remedySPIGroup)
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
