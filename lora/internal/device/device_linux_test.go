package device

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

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
