package lorasim

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/pcap"
)

func TestCaptureFile(t *testing.T) {
	for _, format := range []CaptureFormat{CaptureIEEE802154, CaptureLoRaTap} {
		var file bytes.Buffer
		b := newBench(Options{Capture: &file, CaptureFormat: format}, 1)
		b.sendAt(time.Second, 0, 20)
		b.Run(time.Minute)
		if err := b.CaptureErr(); err != nil {
			t.Fatal(err)
		}
		r, err := pcap.NewReader(&file)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if want := b.opt.Start.Add(time.Second + time.Millisecond); !rec.Time.Equal(want) {
			t.Errorf("time %v, want %v", rec.Time, want)
		}
		packet := rec.Data
		want := pcap.IEEE802154
		if format == CaptureLoRaTap {
			want = pcap.LinkLoRaTap
			var tap pcap.LoRaTap
			tap, packet, err = pcap.ParseLoRaTap(packet)
			if err != nil || tap.Frequency != 868_000_000 || tap.Bandwidth != 125_000 || tap.SpreadingFactor != 7 || tap.SyncWord != 0x34 {
				t.Errorf("%+v, %v", tap, err)
			}
		}
		if r.LinkType() != want || len(packet) != 20 || packet[0] != 'A' {
			t.Errorf("%v: % x", r.LinkType(), packet)
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("at the end: %v", err)
		}
	}
}

type fullDisk struct{ room int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestWatch(t *testing.T) {
	var seen []Transmission
	b := newBench(Options{Watch: func(tr Transmission) {
		tr.Packet = bytes.Clone(tr.Packet)
		seen = append(seen, tr)
	}}, 2)
	b.sendAt(0, 1, 20)
	b.Run(time.Second)
	if len(seen) != 1 || seen[0].From != 1 || seen[0].Start.Sub(b.opt.Start) != time.Millisecond || seen[0].Airtime != airtime(20) || len(seen[0].Packet) != 20 {
		t.Errorf("%+v", seen)
	}
}

func TestCaptureErr(t *testing.T) {
	for _, room := range []int{0, 24, 24 + 36} {
		b := newBench(Options{Capture: &fullDisk{room}}, 1)
		b.sendAt(0, 0, 20)
		b.sendAt(time.Second, 0, 20)
		b.Run(time.Minute)
		if err := b.CaptureErr(); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
		if len(b.st[0].done) != 2 {
			t.Errorf("room for %d bytes: sent %d", room, len(b.st[0].done))
		}
	}
}
