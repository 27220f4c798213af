package pcap

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tshark, which this project did not write, reads the headers as they are meant.
func TestTshark(t *testing.T) {
	program, err := exec.LookPath("tshark")
	switch want := os.Getenv("PYMESH_TSHARK"); {
	case want == "0":
		t.Skip("PYMESH_TSHARK=0")
	case err != nil && want == "1":
		t.Fatal(err)
	case err != nil:
		t.Skip(err)
	}
	lora, _ := LoRaTap{
		Frequency:       868_100_000,
		Bandwidth:       250_000,
		SpreadingFactor: 12,
		PacketRSSI:      -90,
		MaxRSSI:         -80,
		CurrentRSSI:     -100,
		SNR:             7.25,
		SyncWord:        0x12,
	}.AppendBinary(nil)
	tap, _ := TAP{Fields: TAPFCS | TAPRSSI | TAPChannel, FCS: FCS16, RSSI: -20.5, Channel: 26}.AppendBinary(nil)
	ack := unhex("02 00 07 30 5a")
	for _, tt := range []struct {
		link   LinkType
		header []byte
		fields []string
		want   string
	}{
		{IEEE802154, nil, []string{"frame.time_epoch", "wpan.seq_no"}, "1600000000.123456000,7"},
		{LinkLoRaTap, lora, []string{"loratap.channel.frequency", "loratap.channel.bandwidth", "loratap.channel.sf",
			"loratap.rssi.packet", "loratap.rssi.max", "loratap.rssi.current", "loratap.rssi.snr", "loratap.syncword"},
			"868100000,2,12,49,59,39,29,0x12"},
		{IEEE802154TAP, tap, []string{"wpan-tap.fcs_type", "wpan-tap.rss", "wpan-tap.ch_num", "wpan.seq_no"}, "1,-20.5,26,7"},
	} {
		var file bytes.Buffer
		w, err := NewWriter(&file, tt.link)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteRecord(Record{Time: time.Unix(1_600_000_000, 123_456_000), Data: append(tt.header, ack...)}); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "x.pcap")
		if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"-r", name, "-T", "fields", "-E", "separator=,"}
		for _, f := range tt.fields {
			args = append(args, "-e", f)
		}
		out, err := exec.CommandContext(t.Context(), program, args...).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != tt.want {
			t.Errorf("%v: %q, %v, want %q", tt.link, got, err, tt.want)
		}
	}
}
