//go:build linux

package vmtest

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// TestFrames sends packets both ways between a hat and a radio far away.
func TestFrames(t *testing.T) {
	b := newBench(t)
	b.plug(sx1276.DraginoHAT)
	r := open(t, sx1276.DraginoHAT)
	for _, n := range sizes() {
		t.Run(sizeName(n), func(t *testing.T) {
			receiveOne(t, b, r, packet(n))
			sendOne(t, b, r, packet(n))
		})
	}
	s := r.Stats()
	t.Logf("%+v", s)
	if want := uint64(2 * len(sizes())); s.Edges != want {
		t.Errorf("%d edges of DIO0, want %d", s.Edges, want)
	}
	// An edge may be late here, and be counted as lost at first and then as false.
	if s.SPIErrors != 0 || s.Repairs != 0 || s.CRCErrors != 0 {
		t.Error("faults were counted")
	}
}

// radio is a hat's, of either family.
type radio interface {
	lora.Radio
	Chip() string
}

// receiveOne lets a hat receive a packet.
func receiveOne(t *testing.T, b *bench, r radio, p []byte) {
	t.Helper()
	start := time.Now()
	b.call("Transmit", p, &struct{}{})
	end := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	buf := make([]byte, lora.MaxPacket)
	rx, err := r.Receive(ctx, buf)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(buf[:rx.N], p) {
		t.Errorf("received %x, sent %x", buf[:rx.N], p)
	}
	// The time is that of the edge, and not when the driver saw it.
	if earliest := start.Add(r.Config().Airtime(len(p))); rx.Time.Before(earliest) || rx.Time.After(end.Add(100*time.Millisecond)) {
		t.Errorf("received at %v, the packet was sent from %v to %v", rx.Time, start, end)
	}
	if rx.RSSI < -120 || rx.RSSI > -30 {
		t.Errorf("RSSI %d dBm", rx.RSSI)
	}
}

// sendOne lets a hat send a packet.
func sendOne(t *testing.T, b *bench, r radio, p []byte) {
	t.Helper()
	if err := r.Send(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	var got []byte
	b.call("Receive", patience, &got)
	if !bytes.Equal(got, p) {
		t.Errorf("received %x, sent %x", got, p)
	}
}

// TestTwoHats sends packets from one hat to another.
func TestTwoHats(t *testing.T) {
	b := newBench(t)
	boards := []sx1276.Board{sx1276.DraginoHAT, secondHat()}
	var radios []*sx1276.Radio
	for _, board := range boards {
		b.plug(board)
		radios = append(radios, open(t, board))
	}
	for i, from := range radios {
		to := radios[1-i]
		for _, n := range sizes() {
			if err := from.Send(context.Background(), packet(n)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			buf := make([]byte, lora.MaxPacket)
			rx, err := to.Receive(ctx, buf)
			cancel()
			if err != nil || !bytes.Equal(buf[:rx.N], packet(n)) {
				t.Errorf("%s to %s: %x, %v", boards[i].Name, boards[1-i].Name, buf[:rx.N], err)
			}
		}
	}
}
