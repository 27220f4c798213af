package sx1276

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/lora"
)

// TestBoards holds the wiring of the boards once more, in the form of hallard's, Adafruit's, Meshtastic's
// and others' tables: BCM numbers.
func TestBoards(t *testing.T) {
	want := map[string]string{
		"Dragino LoRa/GPS HAT":                "spidev0.0 CS GPIO25, reset GPIO17, DIO0 GPIO4",
		"Adafruit LoRa Radio Bonnet (4074)":   "spidev0.1 CS , reset GPIO25, DIO0 GPIO22",
		"Elecrow LoRa RFM95 IoT":              "spidev0.1 CS , reset GPIO22, DIO0 GPIO25",
		"LoRasPI v1.2":                        "spidev0.0 CS , reset GPIO22, DIO0 GPIO25",
		"Uputronics LoRa expansion, slot CE0": "spidev0.0 CS , reset , DIO0 GPIO25",
		"Uputronics LoRa expansion, slot CE1": "spidev0.1 CS , reset , DIO0 GPIO16",
		"RFM95 module":                        "spidev0.0 CS , reset GPIO25, DIO0 GPIO22",
	}
	seen := map[string]bool{}
	for _, b := range Boards() {
		got := fmt.Sprintf("spidev%d.%d CS %s, reset %s, DIO0 %s", b.Bus, b.ChipSelect, b.CS, b.Reset, b.DIO0)
		if got != want[b.Name] {
			t.Errorf("%s: %s, want %s", b.Name, got, want[b.Name])
		}
		if b.Wiring == "" || b.Source == "" || b.Oscillator != Crystal || b.Output != PABoost || b.NoCS {
			t.Errorf("%+v", b)
		}
		if again, err := ParseBoard(strings.ToUpper(b.ID)); err != nil || again != b {
			t.Errorf("%s: %+v, %v", b.ID, again, err)
		}
		seen[b.Name] = true
	}
	if len(seen) != len(want) {
		t.Errorf("%d boards, want %d", len(seen), len(want))
	}
	if _, err := ParseBoard("waveshare"); err == nil || !strings.Contains(err.Error(), "dragino") {
		t.Error(err)
	}
}

// TestGovern keeps a radio from Open to its duty cycle, unless told otherwise.
func TestGovern(t *testing.T) {
	for _, opts := range [][]Option{nil, {WithoutDutyCycle()}} {
		r, err := newRadio(Pins{}, lora.Config{}, opts)
		if err != nil {
			t.Fatal(err)
		}
		r.govern()
		if governed := len(r.Usage()) > 0; governed != (opts == nil) {
			t.Errorf("%d options: usage %v", len(opts), r.Usage())
		}
	}
}
