package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/hats"
)

// runEmulated runs the program in virtual time.
func runEmulated(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), append([]string{"-emulated"}, args...), &stdout, &stderr)
		out = stdout.String()
		if stderr.Len() > 0 {
			t.Errorf("standard error: %s", &stderr)
		}
	})
	return out, code
}

func expect(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in\n%s", w, out)
		}
	}
}

func TestEmulated(t *testing.T) {
	out, code := runEmulated(t)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	expect(t, out, "ok    chip        SX1276, version 0x12", "ok    DIO0        works", "noise -117 dBm", "5 sent, 5 answered, 0 % lost",
		"SNR 13.25 dB", "5 sent (283ms on the air)")
	if strings.Contains(out, "FAIL") {
		t.Error(out)
	}
}

// TestEmulatedBoards checks and uses the chip of every board.
func TestEmulatedBoards(t *testing.T) {
	for _, h := range hats.Boards() {
		args := []string{"-board", h.ID(), "-count", "2", "-power", "17"}
		if h.Chip() == "SX1268" {
			args = append(args, "-region", "EU433")
		}
		out, code := runEmulated(t, args...)
		if code != 0 || strings.Contains(out, "FAIL") {
			t.Errorf("%s: exit code %d\n%s", h.ID(), code, out)
		}
		expect(t, out, "2 sent, 2 answered, 0 % lost", h.Chip()+" on")
		if h.SX126x != nil {
			expect(t, out, "ok    BUSY        falls", "ok    DIO1        works")
		}
	}
}

// TestProbe prints what is found, and what to try.
func TestProbe(t *testing.T) {
	for _, tt := range []struct {
		found []hats.Finding
		err   error
		want  []string
	}{
		{nil, errChecks, []string{"nothing answers", "-probe lines"}},
		{[]hats.Finding{{Where: "/dev/spidev0.0", What: "SX1261 V2D 2D02", Boards: []string{"rak6421-slot1", "nebrahat-1w"}}}, nil,
			[]string{"/dev/spidev0.0: SX1261", "-board rak6421-slot1, or -board nebrahat-1w"}},
		{[]hats.Finding{{Where: "/dev/serial0", What: "a modem"}}, nil, []string{"/dev/serial0: a modem", "no hat that is known"}},
	} {
		var out bytes.Buffer
		p := program{probe: "lines", out: &out}
		err := p.find(func(r hats.Reach) []hats.Finding {
			if r != hats.ChipSelects {
				t.Errorf("reach %d", r)
			}
			return tt.found
		})
		if err != tt.err {
			t.Errorf("error %v", err)
		}
		expect(t, out.String(), tt.want...)
	}
}

func TestEmulatedModes(t *testing.T) {
	tests := []struct {
		args string
		want []string
	}{
		{"-ping -count 3 -sf 9 -bandwidth 500", []string{"500 kHz, SF9", "3 sent, 3 answered"}},
		{"-ping -count 2 -region EU433 -size 100", []string{"433.175 MHz", "100 bytes last", "2 sent, 2 answered"}},
		{"-tx -count 4 -frequency 868.1", []string{"868.1 MHz", "packet 4 sent in", "4 sent ("}},
		{"-rx -count 4", []string{"packet 4 of sender", "4 packets heard: -104 dBm", "4 of 4 packets heard, 0 % lost"}},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			out, code := runEmulated(t, strings.Fields(tt.args)...)
			if code != 0 {
				t.Errorf("exit code %d", code)
			}
			expect(t, out, tt.want...)
		})
	}
}

func TestInterrupt(t *testing.T) {
	for _, mode := range []string{"-rx", "-tx", "-ping"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var stdout, stderr bytes.Buffer
			if code := run(ctx, []string{"-emulated", mode, "-count", "0"}, &stdout, &stderr); code != 0 {
				t.Errorf("%s: exit code %d: %s", mode, code, &stderr)
			}
			expect(t, stdout.String(), "radio: ")
		})
	}
}

func TestUsage(t *testing.T) {
	tests := []struct{ args, want string }{
		{"-board toaster", "known are dragino"},
		{"-probe everything", "-probe"},
		{"-tx -rx", "exclude each other"},
		{"-size 3", "-size 3 is not in 15 to 255"},
		{"-sf 13", "SpreadingFactor"},
		{"-sync 0x1234", "-sync"},
		{"-region XX", "accepted are EU868"},
		{"-count -1", "negative"},
		{"file", "flags only"},
		{"-nonsense", "-nonsense"},
	}
	for _, tt := range tests {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(tt.args), &stdout, &stderr); code != exitUsage {
			t.Errorf("%s: exit code %d", tt.args, code)
		}
		expect(t, stderr.String(), tt.want)
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &stdout, &stderr); code != 0 {
		t.Errorf("-h: exit code %d", code)
	}
	expect(t, stderr.String(), "radiotest -list")
}

func TestList(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-list"}, &stdout, &stderr); code != 0 {
		t.Errorf("exit code %d: %s", code, &stderr)
	}
	expect(t, stdout.String(), "dragino", "GPIO17", "uputronics-ce1", "/dev/spidev0.1", "rak6421-slot1", "SX1262", "GPIO24")
}

func TestNoDevice(t *testing.T) {
	if _, err := os.Stat("/dev/spidev9.7"); err == nil {
		t.Skip("there is a /dev/spidev9.7")
	}
	for _, mode := range []string{"-spi-bus=9", "-rx", "-ping"} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"-spi-bus", "9", "-spi-cs", "7", mode}, &stdout, &stderr); code != exitFailure {
			t.Errorf("%s: exit code %d", mode, code)
		}
		expect(t, stdout.String()+stderr.String(), "open")
	}
}

func TestPacket(t *testing.T) {
	want := packet{kind: pong, session: 0x1234, number: 70000, rssi: -117, snr: -7.25}
	for size := range lora.MaxPacket + 1 {
		b := want.append(nil, size)
		if len(b) != max(size, minPacket) {
			t.Errorf("size %d: %d bytes", size, len(b))
		}
		if got, ok := parse(b); !ok || got != want {
			t.Errorf("size %d: %+v, %v", size, got, ok)
		}
	}
	b := want.append(nil, 0)
	for n := range b {
		if _, ok := parse(b[:n]); ok {
			t.Errorf("%d bytes accepted", n)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(packet{kind: ping, number: 1}.append(nil, 20))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parse(b)
		if !ok {
			return
		}
		if again, ok := parse(p.append(nil, len(b))); !ok || again != p {
			t.Errorf("%+v became %+v", p, again)
		}
	})
}
