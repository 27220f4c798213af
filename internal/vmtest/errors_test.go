//go:build linux

package vmtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/internal/vmtest/hardware"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/sx1276"
	"github.com/warthog618/go-gpiocdev"
	"golang.org/x/sys/unix"
)

// TestErrors opens what cannot be opened. Each error must be known by errors.Is, say what is wrong, and
// say what to do.
func TestErrors(t *testing.T) {
	with := func(change func(*sx1276.Board)) sx1276.Board {
		board := sx1276.DraginoHAT
		change(&board)
		return board
	}
	dragino := sx1276.DraginoHAT
	tests := []struct {
		name   string
		set    func(t *testing.T, b *bench, hat int) // after Dragino's hat was plugged
		board  sx1276.Board
		is     error
		says   []string // words of the error
		remedy []string // words of the remedy
	}{
		{
			name:   "other chip select, MISO low",
			board:  sx1276.RFM95,
			is:     sx1276.ErrNoChip,
			says:   []string{"0x00"},
			remedy: []string{"chip select", "raspi-config"},
		},
		{
			name:   "other chip select, MISO high",
			set:    func(_ *testing.T, b *bench, _ int) { b.setBus(hardware.Bus{Idle: 0xff}) },
			board:  sx1276.RFM95,
			is:     sx1276.ErrNoChip,
			says:   []string{"0xFF"},
			remedy: []string{"chip select", "SX1262", "UART"},
		},
		{
			name:   "chip without supply",
			set:    func(_ *testing.T, b *bench, hat int) { b.fail(hat, hardware.Silence, 0) },
			board:  dragino,
			is:     sx1276.ErrNoChip,
			remedy: []string{"3.3 V"},
		},
		{
			name:   "unknown version",
			set:    func(_ *testing.T, b *bench, hat int) { b.fail(hat, hardware.Version, 0xa2) },
			board:  dragino,
			is:     sx1276.ErrOtherChip,
			says:   []string{"0xA2"},
			remedy: []string{"0x12", "bad contacts"},
		},
		{
			name:   "bit errors",
			set:    func(_ *testing.T, b *bench, hat int) { b.fail(hat, hardware.BitErrors, 1_000_000) },
			board:  dragino,
			is:     sx1276.ErrSPI,
			remedy: []string{"WithSPIClock"},
		},
		{
			name:   "oscillator",
			board:  with(func(b *sx1276.Board) { b.Oscillator = sx1276.TCXO }),
			is:     sx1276.ErrOscillator,
			remedy: []string{"TCXO"},
		},
		{
			name: "transfers fail",
			set:  func(_ *testing.T, b *bench, _ int) { b.setBus(hardware.Bus{Failures: 1000}) },
			// periph's error tells the reason in words alone.
			board: dragino,
			says:  []string{"RegVersion", "input/output error"},
		},
		{
			name:   "no SPI",
			set:    func(t *testing.T, _ *bench, _ int) { hide(t, "/dev/spidev*") },
			board:  dragino,
			is:     fs.ErrNotExist,
			says:   []string{"/dev/spidev0.0"},
			remedy: []string{"SPI is off", "raspi-config", "dtparam=spi=on"},
		},
		{
			name:   "no CE1",
			set:    func(t *testing.T, _ *bench, _ int) { hide(t, "/dev/spidev0.1") },
			board:  sx1276.AdafruitBonnet,
			is:     fs.ErrNotExist,
			says:   []string{"/dev/spidev0.1"},
			remedy: []string{"/dev/spidev0.0", "spi0-2cs"},
		},
		{
			name:   "no second bus",
			board:  with(func(b *sx1276.Board) { b.Bus, b.ChipSelect = 1, 2 }),
			is:     fs.ErrNotExist,
			says:   []string{"/dev/spidev1.2"},
			remedy: []string{"dtoverlay=spi1-3cs"},
		},
		{
			name:   "no permission for SPI",
			set:    func(t *testing.T, _ *bench, _ int) { allow(t, "/dev/gpiochip*", 0o666); becomeNobody(t) },
			board:  dragino,
			is:     fs.ErrPermission,
			says:   []string{"/dev/spidev0.0"},
			remedy: []string{"usermod -aG spi"},
		},
		{
			name:   "no permission for GPIO",
			set:    func(t *testing.T, _ *bench, _ int) { allow(t, "/dev/spidev*", 0o666); becomeNobody(t) },
			board:  dragino,
			is:     fs.ErrPermission,
			says:   []string{"chip select", "GPIO25"},
			remedy: []string{"usermod -aG gpio"},
		},
		{
			name:   "no GPIO",
			set:    func(t *testing.T, _ *bench, _ int) { hide(t, "/dev/gpiochip*") },
			board:  dragino,
			is:     fs.ErrNotExist,
			says:   []string{"/dev/gpiochip"},
			remedy: []string{"container"},
		},
		{
			name:   "no such line",
			board:  with(func(b *sx1276.Board) { b.DIO0 = "GPIO99" }),
			is:     fs.ErrNotExist,
			says:   []string{"DIO0", "GPIO99"},
			remedy: []string{"gpioinfo"},
		},
		{
			name:   "line is a chip select",
			board:  with(func(b *sx1276.Board) { b.CS = "GPIO7" }),
			is:     unix.EBUSY,
			says:   []string{"chip select", "GPIO7", `"spi0 CS1"`},
			remedy: []string{"dtoverlay=spi0-0cs", "dtoverlay=spi0-1cs"},
		},
		{
			name:   "line of another program",
			set:    func(t *testing.T, _ *bench, _ int) { occupy(t, 17, "onewire@0") },
			board:  dragino,
			is:     unix.EBUSY,
			says:   []string{"reset", "GPIO17", `"onewire@0"`},
			remedy: []string{"dtoverlay"},
		},
		{
			name:   "hat in use",
			set:    func(t *testing.T, _ *bench, _ int) { open(t, dragino) },
			board:  dragino,
			is:     unix.EBUSY,
			says:   []string{`"pymesh"`},
			remedy: []string{"another program"},
		},
		{
			name: "SPI_NO_CS refused",
			set:  func(_ *testing.T, b *bench, _ int) { b.setBus(hardware.Bus{RefuseNoCS: true}) },
			// periph's error tells the reason in words alone.
			board:  with(func(b *sx1276.Board) { b.NoCS = true }),
			says:   []string{"invalid argument"},
			remedy: []string{"SPI_NO_CS", "dtoverlay=spi0-1cs,cs0_pin=25"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			hat := b.plug(dragino)
			if tt.set != nil {
				tt.set(t, b, hat)
			}
			r, err := sx1276.Open(tt.board, lora.Config{})
			if err == nil {
				r.Close()
				t.Fatal("no error")
			}
			t.Log(err)
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
			for _, word := range tt.says {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			for _, word := range tt.remedy {
				if !strings.Contains(remedy(err), word) {
					t.Errorf("the remedy %q does not say %q", remedy(err), word)
				}
			}
			if e := (*lora.Error)(nil); !errors.As(err, &e) {
				t.Errorf("%T is no *lora.Error", err)
			}
			b.violations() // of a chip that is treated as another one
		})
	}
}

// TestGroups opens a hat as a user who has no right but those of the groups for SPI and GPIO.
func TestGroups(t *testing.T) {
	b := newBench(t)
	b.plug(sx1276.DraginoHAT)
	const group = 997
	for _, pattern := range []string{"/dev/spidev*", "/dev/gpiochip*"} {
		allow(t, pattern, 0o660)
		for _, name := range glob(t, pattern) {
			must(t, os.Chown(name, 0, group))
		}
	}
	becomeNobody(t)
	if _, err := sx1276.Open(sx1276.DraginoHAT, lora.Config{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("outside of the groups: %v", err)
	}
	must(t, unix.Setfsgid(group))
	t.Cleanup(func() { must(t, unix.Setfsgid(0)) })
	open(t, sx1276.DraginoHAT)
}

// becomeNobody takes the rights to files from this thread, on which the test stays, until the test
// ends.
func becomeNobody(t *testing.T) {
	t.Helper()
	const nobody = 65534
	runtime.LockOSThread()
	must(t, unix.Setfsuid(nobody))
	t.Cleanup(func() {
		must(t, unix.Setfsuid(0))
		runtime.UnlockOSThread()
	})
}

// allow sets the permissions of devices until the test ends.
func allow(t *testing.T, pattern string, mode fs.FileMode) {
	t.Helper()
	for _, name := range glob(t, pattern) {
		info, err := os.Stat(name)
		must(t, err)
		must(t, os.Chmod(name, mode))
		t.Cleanup(func() {
			must(t, os.Chmod(name, info.Mode().Perm()))
			must(t, os.Chown(name, 0, 0))
		})
	}
}

// hide takes devices out of sight until the test ends.
func hide(t *testing.T, pattern string) {
	t.Helper()
	for _, name := range glob(t, pattern) {
		hidden := filepath.Join("/dev", "hidden-"+filepath.Base(name))
		must(t, os.Rename(name, hidden))
		t.Cleanup(func() { must(t, os.Rename(hidden, name)) })
	}
}

// occupy requests a line of the header until the test ends.
func occupy(t *testing.T, offset int, consumer string) {
	t.Helper()
	for _, path := range glob(t, "/dev/gpiochip*") {
		chip, err := gpiocdev.NewChip(path)
		must(t, err)
		if chip.Label == hardware.HeaderLabel {
			l, err := chip.RequestLine(offset, gpiocdev.WithConsumer(consumer))
			must(t, err)
			t.Cleanup(func() { must(t, l.Close()) })
		}
		must(t, chip.Close())
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	must(t, err)
	if len(names) == 0 {
		t.Fatalf("no %s", pattern)
	}
	return names
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
