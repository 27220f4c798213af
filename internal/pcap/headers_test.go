package pcap

import (
	"bytes"
	"errors"
	"testing"
)

var loraTaps = []struct {
	hex string
	tap LoRaTap
}{
	{"00 00 000f 33bca100 01 07 31 ff ff 1c 34", LoRaTap{868_000_000, 125_000, 7, -90, NoRSSI, NoRSSI, 7, 0x34}},
	{"00 00 000f 3689cac0 04 0c 46 3c 00 f1 12", LoRaTap{915_000_000, 500_000, 12, -121.5, -79, -139, -3.75, 0x12}},
	{"00 00 000f 00000000 00 00 ff ff ff 00 00", LoRaTap{0, 0, 0, NoRSSI, NoRSSI, NoRSSI, 0, 0}},
}

func TestLoRaTap(t *testing.T) {
	for _, tt := range loraTaps {
		b := append(unhex(tt.hex), "packet"...)
		tap, packet, err := ParseLoRaTap(b)
		if err != nil || tap != tt.tap || string(packet) != "packet" {
			t.Errorf("%s: %+v, %q, %v", tt.hex, tap, packet, err)
		}
		if got, err := tt.tap.AppendBinary(nil); err != nil || !bytes.Equal(got, unhex(tt.hex)) {
			t.Errorf("%+v:\n got %x\nwant %s", tt.tap, got, tt.hex)
		}
	}
}

// What does not fit is cut.
func TestLoRaTapRange(t *testing.T) {
	b, _ := LoRaTap{Bandwidth: 125_000 * 300, PacketRSSI: -200, MaxRSSI: 120, CurrentRSSI: -89.6, SNR: 100}.AppendBinary(nil)
	got, _, err := ParseLoRaTap(b)
	want := LoRaTap{Bandwidth: 125_000 * 255, PacketRSSI: -139, MaxRSSI: 115, CurrentRSSI: -90, SNR: 31.75}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLoRaTapLonger(t *testing.T) {
	b := unhex("01 00 0011 33bca100 01 07 31 ff ff 1c 34 aabb 99")
	tap, packet, err := ParseLoRaTap(b)
	if err != nil || tap != loraTaps[0].tap || !bytes.Equal(packet, []byte{0x99}) {
		t.Errorf("%+v, %x, %v", tap, packet, err)
	}
}

func TestLoRaTapTruncated(t *testing.T) {
	for _, h := range []string{loraTaps[0].hex, "01 00 0011 33bca100 01 07 31 ff ff 1c 34 aabb", "00 00 000e 33bca100 01 07 31 ff ff 1c 34"} {
		b := unhex(h)
		for n := range b {
			if _, _, err := ParseLoRaTap(b[:n]); !errors.Is(err, ErrLoRaTap) {
				t.Errorf("%d bytes of %s: %v", n, h, err)
			}
		}
	}
}

func FuzzParseLoRaTap(f *testing.F) {
	for _, tt := range loraTaps {
		b, _ := tt.tap.AppendBinary(nil)
		f.Add(append(b, 1, 2, 3))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tap, packet, err := ParseLoRaTap(b)
		if err != nil {
			return
		}
		again, err := tap.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, rest, err := ParseLoRaTap(append(again, packet...))
		if err != nil || got != tap || !bytes.Equal(rest, packet) {
			t.Errorf("%+v became %+v, %v", tap, got, err)
		}
	})
}

var taps = []struct {
	hex string
	tap TAP
}{
	{"00 00 0400", TAP{}},
	{"00 00 0c00 0000 0100 01 000000", TAP{Fields: TAPFCS, FCS: FCS16}},
	{"00 00 1c00 0000 0100 01 000000 0100 0400 0000a0c1 0300 0300 0b00 00 00",
		TAP{Fields: TAPFCS | TAPRSSI | TAPChannel, FCS: FCS16, RSSI: -20, Channel: 11}},
	{"00 00 1400 0100 0400 0000b5c2 53ff 0400 0000 20c0", TAP{Fields: TAPRSSI | TAPSNR, RSSI: -90.5, SNR: -2.5}},
	{"00 00 1400 0100 0400 0000b5c2 0300 0300 1a00 02 00", TAP{Fields: TAPRSSI | TAPChannel, RSSI: -90.5, Channel: 26, Page: 2}},
}

func TestTAP(t *testing.T) {
	for _, tt := range taps {
		b := append(unhex(tt.hex), "frame"...)
		tap, frame, err := ParseTAP(b)
		if err != nil || tap != tt.tap || string(frame) != "frame" {
			t.Errorf("%s: %+v, %q, %v", tt.hex, tap, frame, err)
		}
		if got, err := tt.tap.AppendBinary(nil); err != nil || !bytes.Equal(got, unhex(tt.hex)) {
			t.Errorf("%+v:\n got %x\nwant %s", tt.tap, got, tt.hex)
		}
	}
}

// Other TLVs are skipped, among them known ones that are too short; the last may lack its
// padding.
func TestTAPUnknown(t *testing.T) {
	b := unhex("00 00 2100 0a00 0100 ff 000000 0100 0200 0102 0000 0700 0000 0000 0100 01 000000 0a00 0100 ff 99")
	b[2] = byte(len(b) - 1)
	tap, frame, err := ParseTAP(b)
	if err != nil || tap != taps[1].tap || !bytes.Equal(frame, []byte{0x99}) {
		t.Errorf("%+v, %x, %v", tap, frame, err)
	}
}

// A level that is infinite or no number is not given: nobody could compare or print it.
func TestTAPNotFinite(t *testing.T) {
	for _, level := range []string{"0000c07f", "0000c0ff", "0100807f", "0000807f", "000080ff"} {
		b := unhex("00 00 1400 0100 0400 " + level + " 53ff 0400 " + level)
		if tap, _, err := ParseTAP(b); err != nil || tap != (TAP{}) {
			t.Errorf("%s: %+v, %v", level, tap, err)
		}
	}
}

func TestTAPBad(t *testing.T) {
	for _, h := range []string{
		"01 00 0400",                     // version
		"00 00 0300",                     // shorter than itself
		"00 00 0500 00",                  // half a TLV
		"00 00 0c00 0000 0500 01 000000", // value longer than the header
		"00 00 0c00 0000 ffff 01 000000",
	} {
		if _, _, err := ParseTAP(unhex(h)); !errors.Is(err, ErrTAP) {
			t.Errorf("%s: %v", h, err)
		}
	}
}

func TestTAPTruncated(t *testing.T) {
	for _, tt := range taps {
		b := unhex(tt.hex)
		for n := range b {
			if _, _, err := ParseTAP(b[:n]); !errors.Is(err, ErrTAP) {
				t.Errorf("%d bytes of %s: %v", n, tt.hex, err)
			}
		}
	}
}

func FuzzParseTAP(f *testing.F) {
	for _, tt := range taps {
		b, _ := tt.tap.AppendBinary(nil)
		f.Add(append(b, 1, 2, 3))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tap, frame, err := ParseTAP(b)
		if err != nil {
			return
		}
		again, err := tap.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, rest, err := ParseTAP(append(again, frame...))
		if err != nil || got != tap || !bytes.Equal(rest, frame) {
			t.Errorf("%+v became %+v, %v", tap, got, err)
		}
	})
}
