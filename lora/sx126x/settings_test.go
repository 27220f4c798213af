package sx126x

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/lora"
)

// TestSyncWords maps every sync word both ways.
func TestSyncWords(t *testing.T) {
	for w, want := range map[lora.SyncWord][2]byte{0x12: {0x14, 0x24}, 0x34: {0x34, 0x44}, 0xF0: {0xF4, 0x04}} {
		if got := syncRegisters(w); got != want {
			t.Errorf("%v: % X, want % X", w, got, want)
		}
	}
	seen := map[[2]byte]bool{}
	for w := range 256 {
		r := syncRegisters(lora.SyncWord(w))
		if got, ok := syncWord(r); !ok || got != lora.SyncWord(w) || seen[r] {
			t.Errorf("0x%02x: % X, back %v, %v", w, r, got, ok)
		}
		seen[r] = true
	}
	if _, ok := syncWord([2]byte{0x14, 0x25}); ok {
		t.Error("0x1425 accepted")
	}
}

func TestSteps(t *testing.T) {
	for _, tt := range []struct {
		f    lora.Frequency
		want uint32
	}{
		{868 * lora.MHz, 0x36400000},
		{863 * lora.MHz, 0x35F00000},
		{915 * lora.MHz, 0x39300000},
		{433_175 * lora.KHz, 0x1B12CCCD},
	} {
		if got := steps(tt.f); got != tt.want {
			t.Errorf("%v: 0x%08X, want 0x%08X", tt.f, got, tt.want)
		}
	}
}

// TestImageBands: each band that the data sheet names, and the carriers of all regions lie in the band they get.
func TestImageBands(t *testing.T) {
	for f, want := range map[lora.Frequency]string{
		433 * lora.MHz: "6B 6F", 470 * lora.MHz: "75 81", 510 * lora.MHz: "75 81", 780 * lora.MHz: "C1 C5", 863 * lora.MHz: "D7 DB",
		870 * lora.MHz: "D7 DB", 902 * lora.MHz: "E1 E9", 928 * lora.MHz: "E1 E9",
	} {
		lo, hi := imageBand(f)
		if got := fmt.Sprintf("%02X %02X", lo, hi); got != want {
			t.Errorf("%v: %s, want %s", f, got, want)
		}
	}
}

func TestAmplifier(t *testing.T) {
	gained := Board{Gain: 8, MaxChipPower: 22}
	small := Board{Chip: SX1261}
	for _, tt := range []struct {
		board   Board
		antenna int
		want    string // SetPaConfig, power of SetTxParams, current limit
	}{
		{Board{}, 22, "04 07 00 01, 22, 38"},
		{Board{}, 14, "04 07 00 01, 14, 38"},
		{Board{}, -9, "04 07 00 01, -9, 38"},
		{gained, 30, "04 07 00 01, 22, 38"},
		{gained, 14, "04 07 00 01, 6, 38"},
		{NebraHat2W, 33, "04 07 00 01, 8, 38"},
		{small, 15, "06 00 01 01, 14, 18"},
		{small, 14, "04 00 01 01, 14, 18"},
		{small, -17, "04 00 01 01, -17, 18"},
	} {
		a := tt.board.amplifier(tt.antenna)
		if got := fmt.Sprintf("% X, %d, %02X", a.config, a.power, a.ocp); got != tt.want {
			t.Errorf("%s, %d dBm: %s, want %s", tt.board.Name, tt.antenna, got, tt.want)
		}
	}
}

// TestCADParameters holds the table of AN1200.48 once more, in decimal.
func TestCADParameters(t *testing.T) {
	want := map[lora.SpreadingFactor]cad{7: {1, 22}, 8: {1, 22}, 9: {2, 23}, 10: {2, 24}, 11: {2, 25}, 12: {2, 28}}
	for sf, w := range want {
		if got := cadOf(sf); got != w {
			t.Errorf("%v: %+v, want %+v", sf, got, w)
		}
	}
}

// TestBoards holds the wiring of the boards once more, in the order of Meshtastic's files.
func TestBoards(t *testing.T) {
	want := []string{ // CS, IRQ, Busy, Reset, TXEN, RXEN, DIO2 switch, TCXO, enable; chip at most
		"rak6421-slot1: spidev0.0 cs - irq 22 busy 24 reset 16 tx - rx - dio2 true tcxo 1800 [12 13]; 0",
		"rak6421-slot2: spidev0.1 cs - irq 18 busy 19 reset 24 tx - rx - dio2 true tcxo 1800 [26 23]; 0",
		"rak13302-slot1: spidev0.0 cs - irq 22 busy 24 reset 16 tx - rx - dio2 true tcxo 1800 [12 13]; 22",
		"rak13302-slot2: spidev0.1 cs - irq 18 busy 19 reset 24 tx - rx - dio2 true tcxo 1800 [26 23]; 22",
		"meshadv: spidev0.0 cs 21 irq 16 busy 20 reset 18 tx 13 rx 12 dio2 false tcxo 1800 []; 22",
		"meshadv-m33s: spidev0.0 cs 21 irq 16 busy 20 reset 18 tx 13 rx 12 dio2 false tcxo 1800 []; 8",
		"meshadv-mini: spidev0.0 cs - irq 16 busy 20 reset 24 tx - rx 12 dio2 true tcxo 1800 []; 0",
		"nebrahat-1w: spidev0.0 cs - irq 22 busy 4 reset 18 tx - rx 25 dio2 true tcxo 1800 []; 22",
		"nebrahat-2w: spidev0.0 cs - irq 22 busy 4 reset 18 tx - rx 25 dio2 true tcxo 1800 []; 8",
		"zebrahat-1w: spidev0.0 cs 24 irq 22 busy 27 reset 17 tx - rx - dio2 true tcxo 1800 []; 18",
		"zebrahat-2w: spidev0.0 cs 24 irq 22 busy 27 reset 17 tx - rx 25 dio2 true tcxo 1800 []; 8",
		"pimesh-v1: spidev0.0 cs 21 irq 16 busy 20 reset 18 tx 13 rx 12 dio2 false tcxo 1800 []; 22",
		"pimesh-v2: spidev0.0 cs - irq 6 busy 5 reset 18 tx - rx - dio2 true tcxo 1800 [26]; 22",
		"station-g3: spidev0.0 cs - irq 22 busy 24 reset 16 tx - rx - dio2 true tcxo 1800 []; 19",
		"starter-edition: spidev0.0 cs - irq 22 busy 4 reset 18 tx - rx - dio2 true tcxo 1800 []; 0",
		"waveshare: spidev0.0 cs 21 irq 16 busy 20 reset 18 tx - rx - dio2 true tcxo 0 [6]; 0",
		"waveshare-pico: spidev0.0 cs 21 irq 16 busy 20 reset 18 tx - rx - dio2 true tcxo 1800 []; 0",
		"e22-400m33s: spidev0.0 cs 21 irq 16 busy 20 reset 18 tx 6 rx 12 dio2 false tcxo 1800 []; 21",
	}
	bcm := func(name string) string {
		if name == "" {
			return "-"
		}
		return name[len("GPIO"):]
	}
	var got []string
	for _, b := range Boards() {
		if b.ID == "e22-900m22s" { // wiring of our own
			continue
		}
		enable := []string{}
		for _, l := range b.Enable {
			enable = append(enable, bcm(l))
		}
		got = append(got, fmt.Sprintf("%s: spidev%d.%d cs %s irq %s busy %s reset %s tx %s rx %s dio2 %v tcxo %d %v; %d", b.ID, b.Bus, b.ChipSelect,
			bcm(b.CS), bcm(b.DIO1), bcm(b.Busy), bcm(b.Reset), bcm(b.TXEN), bcm(b.RXEN), b.DIO2Switch, b.TCXO, enable, b.MaxChipPower))
	}
	if !slices.Equal(got, want) {
		for i := range max(len(got), len(want)) {
			if i >= len(got) || i >= len(want) || got[i] != want[i] {
				t.Errorf("row %d:\n%v\n%v", i, at(got, i), at(want, i))
			}
		}
	}
	for _, b := range Boards() {
		lo, hi := b.Powers()
		if err := b.validate(lora.Config{Region: map[bool]lora.Region{true: lora.EU433}[b.Chip == SX1268], TxPower: min(hi, 20)}.WithDefaults()); err != nil {
			t.Errorf("%s, %d to %d dBm: %v", b.ID, lo, hi, err)
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "nothing"
}
