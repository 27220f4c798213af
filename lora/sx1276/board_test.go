package sx1276

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

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
		r.driver.Govern()
		if governed := len(r.Usage()) > 0; governed != (opts == nil) {
			t.Errorf("%d options: usage %v", len(opts), r.Usage())
		}
	}
}

// brokenAirtime is a store that cannot be read.
type brokenAirtime struct{ lora.MemoryAirtimeStore }

func (*brokenAirtime) LoadAirtime() ([]lora.SentAirtime, error) { return nil, errors.New("worn out") }

// TestWithAirtimeStore: what the store says was sent counts, what will be sent is stored before it is, and what was at Close; the next radio on that
// store goes on there. Without a store, or with one that cannot be read, most of the hour counts as used.
func TestWithAirtimeStore(t *testing.T) {
	open := func(opts ...Option) (*Radio, time.Duration) {
		t.Helper()
		r, err := newRadio(Pins{}, lora.Config{}, opts)
		if err != nil {
			t.Fatal(err)
		}
		r.driver.Govern()
		r.driver.End() // there is no chip
		usage := r.Usage()
		if len(usage) == 0 {
			t.Fatal("not governed")
		}
		return r, usage[0].Used
	}
	store := new(lora.MemoryAirtimeStore)
	r, used := open(WithAirtimeStore(store))
	if used != 0 {
		t.Errorf("an empty store says that %v were sent", used)
	}
	if err := r.Send(t.Context(), make([]byte, 50)); !errors.Is(err, lora.ErrClosed) {
		t.Fatal(err)
	}
	sent, _ := store.LoadAirtime()
	if len(sent) == 0 || sent[0].Ahead == 0 {
		t.Errorf("stored before the first packet: %+v", sent)
	}
	if _, crashed := open(WithAirtimeStore(store)); crashed != sent[0].Ahead+sent[0].Used[0] || crashed == 0 {
		t.Errorf("%v count after a crash, stored: %+v", crashed, sent)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if sent, _ := store.LoadAirtime(); len(sent) == 0 || sent[0].Ahead != 0 {
		t.Errorf("stored at Close: %+v", sent)
	}

	band := sent[0].SubBand
	const before = 5 * time.Second
	record := lora.SentAirtime{SubBand: band, Time: time.Now()}
	record.Used[3] = before
	if err := store.SaveAirtime([]lora.SentAirtime{record}); err != nil {
		t.Fatal(err)
	}
	if _, used := open(WithAirtimeStore(store)); used != before {
		t.Errorf("%v count, %v are stored", used, before)
	}
	_, unknown := open()
	if _, unreadable := open(WithAirtimeStore(new(brokenAirtime))); unknown < 2*before || unreadable < 2*before {
		t.Errorf("%v count without a store, %v with a broken one", unknown, unreadable)
	}
	if r, err := newRadio(Pins{}, lora.Config{}, []Option{WithoutDutyCycle(), WithAirtimeStore(store)}); err != nil {
		t.Error(err)
	} else if r.driver.Govern(); len(r.Usage()) > 0 {
		t.Error("without a duty cycle a count is kept")
	}
}
