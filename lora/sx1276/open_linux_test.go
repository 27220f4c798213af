package sx1276

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"golang.org/x/sys/unix"
)

// TestOpenWithoutSPI runs where there is no SPI. What Open does with devices is tested in a virtual
// machine (internal/vmtest).
func TestOpenWithoutSPI(t *testing.T) {
	if _, err := os.Stat(spiPath(0, 0)); err == nil {
		t.Skip("this host has ", spiPath(0, 0))
	}
	for _, board := range Boards() {
		_, err := Open(board, lora.Config{})
		problem, typed := (*Problem)(nil), (*lora.Error)(nil)
		if !errors.As(err, &problem) || !errors.As(err, &typed) || !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("%s: %v", board.Name, err)
		}
		if typed.Op != "open" || problem.Remedy == "" || !strings.Contains(err.Error(), spiPath(board.Bus, board.ChipSelect)) {
			t.Errorf("%s: %v", board.Name, err)
		}
		checks := Diagnose(board, lora.Config{})
		if len(checks) != 1 || checks[0].Remedy() != problem.Remedy {
			t.Errorf("%s: %v", board.Name, checks)
		}
	}
	if _, err := Open(DraginoHAT, lora.Config{TxPower: 99}); err == nil || !strings.Contains(err.Error(), "TxPower") {
		t.Errorf("wrong configuration: %v", err)
	}
}

func TestBCMNumber(t *testing.T) {
	for name, want := range map[string]int{"GPIO4": 4, "GPIO25": 25} {
		if n, ok := bcmNumber(name); !ok || n != want {
			t.Errorf("%s: %d, %v", name, n, ok)
		}
	}
	for _, name := range []string{"", "GPIO", "GPIO-1", "GPIO4x", "PIN7", "gpio4"} {
		if n, ok := bcmNumber(name); ok {
			t.Errorf("%q: %d", name, n)
		}
	}
}

func TestEdgeTime(t *testing.T) {
	var mono unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono); err != nil {
		t.Fatal(err)
	}
	stamp := time.Duration(mono.Nano())
	if ago := time.Since(edgeTime(stamp - 5*time.Millisecond)); ago < 5*time.Millisecond || ago > time.Second {
		t.Errorf("5 ms ago is %v ago", ago)
	}
	for _, odd := range []time.Duration{0, stamp + time.Hour, time.Duration(time.Now().UnixNano())} {
		if ago := time.Since(edgeTime(odd)); ago < 0 || ago > time.Second {
			t.Errorf("time stamp %v: %v ago", odd, ago)
		}
	}
}

func TestRemedies(t *testing.T) {
	tests := []struct{ got, want string }{
		{busyRemedy("spi0 CS0"), "dtoverlay=spi0-0cs"},
		{busyRemedy("pymesh"), "another program"},
		{busyRemedy("gps-pps"), "remove the dtoverlay"},
		{noSPI(0, 0), "dtparam=spi=on"},
		{wrongVersion(0).Error(), "SX1262"},
		{wrongVersion(0xff).Error(), "UART"},
		{lineProblem("GPIO8", "gpiochip-none", 8, unix.EBUSY).Error(), `line GPIO8 is in use by "unknown"`},
		{lineProblem("GPIO8", "", 8, unix.EACCES).Error(), "usermod -aG gpio"},
		{lineProblem("GPIO8", "", 8, unix.EIO).Error(), "input/output error"},
	}
	for _, tt := range tests {
		if !strings.Contains(tt.got, tt.want) {
			t.Errorf("%q does not say %q", tt.got, tt.want)
		}
	}
}
