//go:build linux

package vmtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/internal/vmtest/hardware"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// TestRepair makes faults, after each of which packets must go both ways again.
func TestRepair(t *testing.T) {
	b := newBench(t)
	hat := b.plug(sx1276.DraginoHAT)
	r := open(t, sx1276.DraginoHAT)
	repaired := func(n uint64) func() bool { return func() bool { return r.Stats().Repairs >= n } }
	tests := []struct {
		name string
		make func(t *testing.T)
	}{
		{"brown-out", func(t *testing.T) {
			b.fail(hat, hardware.BrownOut, 0)
			eventually(t, "a repair", repaired(1))
		}},
		{"packet that does not end", func(t *testing.T) {
			b.fail(hat, hardware.HangTransmit, 1)
			if err := r.Send(context.Background(), packet(20)); !errors.Is(err, sx1276.ErrNoTxDone) {
				t.Errorf("Send: %v", err)
			}
			var got []byte // it has left the antenna
			b.call("Receive", patience, &got)
		}},
		{"failed transfers", func(t *testing.T) {
			before := r.Stats().SPIErrors
			b.setBus(hardware.Bus{Failures: 2})
			eventually(t, "SPI errors", func() bool { return r.Stats().SPIErrors >= before+2 })
		}},
		{"lost wires", func(t *testing.T) {
			b.fail(hat, hardware.Silence, 0xff)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if _, err := r.Receive(ctx, make([]byte, lora.MaxPacket)); !errors.Is(err, sx1276.ErrNoChip) {
				t.Errorf("Receive: %v", err)
			}
			n := b.stats(hat).Resets
			b.fail(hat, hardware.Speak, 0)
			eventually(t, "a reset", func() bool { return b.stats(hat).Resets > n })
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.make(t)
			eventually(t, "Send", func() bool { return r.Send(context.Background(), packet(9)) == nil })
			var got []byte
			b.call("Receive", patience, &got)
			receiveOne(t, b, r, packet(10))
			b.violations() // of a chip that has lost its settings
		})
	}
	t.Logf("%+v", r.Stats())
}

// TestDiagnose looks at a hat that is in order, and at one whose DIO0 leads elsewhere.
func TestDiagnose(t *testing.T) {
	b := newBench(t)
	b.plug(sx1276.DraginoHAT)
	for _, c := range sx1276.Diagnose(sx1276.DraginoHAT, lora.Config{}) {
		t.Logf("%s: %v", c.Name, c)
		if c.Err != nil {
			t.Errorf("%s: %v", c.Name, c.Err)
		}
	}
	board := sx1276.DraginoHAT
	board.DIO0 = "GPIO22"
	var failed []string
	for _, c := range sx1276.Diagnose(board, lora.Config{}) {
		if c.Err != nil {
			t.Logf("%s: %v", c.Name, c.Err)
			failed = append(failed, c.Name)
		}
	}
	if len(failed) != 1 || failed[0] != "DIO0" {
		t.Errorf("failed: %s", strings.Join(failed, ", "))
	}
}

// TestWrongDIO0 drives a hat whose DIO0 leads elsewhere: later, but it works.
func TestWrongDIO0(t *testing.T) {
	b := newBench(t)
	b.plug(sx1276.DraginoHAT)
	board := sx1276.DraginoHAT
	board.DIO0 = "GPIO22"
	r := open(t, board)
	sendOne(t, b, r, packet(20))
	var p []byte
	for range 3 {
		p = packet(21)
		b.call("Transmit", p, &struct{}{})
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		rx, err := r.Receive(ctx, make([]byte, lora.MaxPacket))
		cancel()
		if err != nil || rx.N != len(p) {
			t.Errorf("%d bytes, %v", rx.N, err)
		}
	}
	if s := r.Stats(); s.Edges != 0 || s.LostEdges == 0 {
		t.Errorf("%+v", s)
	}
}
