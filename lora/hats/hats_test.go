package hats

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/sx1276"
	"periph.io/x/conn/v3/spi"
)

func TestBoards(t *testing.T) {
	seen := map[string]bool{}
	for _, h := range Boards() {
		if seen[h.ID()] || h.ID() != strings.ToLower(h.ID()) {
			t.Errorf("ID %q", h.ID())
		}
		seen[h.ID()] = true
		if h.Name() == "" || h.Wiring() == "" || h.Source() == "" || h.Chip() == "" {
			t.Errorf("%+v", h)
		}
		again, err := Parse(strings.ToUpper(h.ID()))
		if err != nil || !reflect.DeepEqual(again, h) {
			t.Errorf("%s: %+v, %v", h.ID(), again, err)
		}
		l := h.Lines()
		again.SetLines(Lines{})
		again.SetLines(l)
		if !reflect.DeepEqual(again, h) {
			t.Errorf("%s: other after SetLines", h.ID())
		}
		if h.SX126x != nil && l.Busy == "" {
			t.Errorf("%s has no BUSY", h.ID())
		}
	}
	if n := len(sx1276.Boards()) + len(sx126x.Boards()); len(seen) != n {
		t.Errorf("%d boards, want %d", len(seen), n)
	}
	if _, err := Parse("none"); err == nil || !strings.Contains(err.Error(), "dragino") || !strings.Contains(err.Error(), "rak6421-slot1") {
		t.Error(err)
	}
}

// TestAsk tells the families apart, whatever state the chip is in.
func TestAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{})
		connect := func(p spi.Port) spi.Conn {
			t.Helper()
			c, err := p.Connect(probeClock, spi.Mode0, 8)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		old := sx1276emu.New(air, sx1276emu.Options{Transfer: sx1276emu.WireTime(0)})
		fipy := sx1276emu.New(air, sx1276emu.Options{Model: sx1276emu.SX1272, Transfer: sx1276emu.WireTime(0)})
		tcxo := sx126xemu.New(air, sx126xemu.Options{TCXO: 1800, Transfer: sx126xemu.WireTime(0)})
		off := sx126xemu.New(air, sx126xemu.Options{Enable: true, Transfer: sx126xemu.WireTime(0)})
		silent := sx1276emu.New(air, sx1276emu.Options{})
		silent.Silence(0xff)
		time.Sleep(time.Second)
		asleep := sx126xemu.New(air, sx126xemu.Options{Transfer: sx126xemu.WireTime(0)})
		time.Sleep(time.Second)
		c := connect(asleep.Port())
		if err := c.Tx([]byte{0x84, 0x00}, make([]byte, 2)); err != nil { // SetSleep
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for _, tt := range []struct {
			name string
			conn spi.Conn
			want family
			text string
		}{
			{"SX1276", connect(old.Port()), family127x, "SX1276"},
			{"SX1272", connect(fipy.Port()), family127x, "SX1272"},
			{"SX1262", connect(tcxo.Port()), family126x, "SX1261 V2D"},
			{"SX1262 asleep", c, family126x, "SX1261 V2D"},
			{"without power", connect(off.Port()), nobody, ""},
			{"nobody", connect(silent.Port()), nobody, ""},
		} {
			if f, text := ask(tt.conn); f != tt.want || !strings.HasPrefix(text, tt.text) {
				t.Errorf("%s: %v, %q", tt.name, f, text)
			}
		}
		if v := old.Violations(); len(v) != 0 {
			t.Errorf("%v", v)
		}
	})
}

func TestCandidates(t *testing.T) {
	for _, tt := range []struct {
		f          family
		chipSelect int
		cs         string
		proposed   []string
		first      string
		others     []string
	}{
		{family127x, 0, "GPIO25", nil, "dragino", nil},
		{family127x, 1, "", nil, "adafruit", []string{"elecrow", "uputronics-ce1"}},
		{family126x, 0, "GPIO21", nil, "meshadv", []string{"waveshare", "pimesh-v1"}},
		{family126x, 0, "GPIO21", EEPROM{Product: "Waveshare LoRaWAN HAT"}.Boards(), "waveshare", []string{"meshadv"}},
		{family126x, 1, "", EEPROM{Vendor: "RAKwireless", Product: "RAK6421 Pi-HAT"}.Boards(), "rak6421-slot2", []string{"rak13302-slot2"}},
	} {
		got := tell(tt.f, "", 0, tt.chipSelect, tt.cs, tt.proposed).Boards
		if len(got) == 0 || got[0] != tt.first {
			t.Errorf("%+v: %v", tt, got)
		}
		for _, other := range tt.others {
			if !slices.Contains(got, other) {
				t.Errorf("%+v: no %s in %v", tt, other, got)
			}
		}
	}
}

// TestModem tells modems on the UART from silence and from a console.
func TestModem(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers map[int]string
		want    string
	}{
		{"E22", map[int]string{9600: "\xc1\x00\x09\x12\x34\x00\x62\x00\x17\x43\x00\x00"}, "Ebyte"},
		{"RAK811", map[int]string{115200: "OK V3.0.0.14.H\r\n"}, "RAK811"},
		{"silence", nil, ""},
		{"console", map[int]string{9600: "\r\nraspberrypi login: "}, ""},
	} {
		what, ok := modem(func(baud int, _ []byte) []byte { return []byte(tt.answers[baud]) })
		if ok != (tt.want != "") || !strings.Contains(what, tt.want) {
			t.Errorf("%s: %q, %v", tt.name, what, ok)
		}
	}
}

// eeprom builds the content of an EEPROM: an atom of another kind, and the vendor's.
func eeprom(vendor, product string) []byte {
	atom := func(kind uint16, data []byte) []byte {
		b := binary.LittleEndian.AppendUint16(nil, kind)
		b = binary.LittleEndian.AppendUint16(b, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(data)+2))
		return append(append(b, data...), 0, 0)
	}
	info := append(make([]byte, 16), 0x21, 0x43, 1, 0, byte(len(vendor)), byte(len(product)))
	info = append(append(info, vendor...), product...)
	b := append([]byte(eepromSignature), 1, 0, 2, 0, 0, 0, 0, 0)
	return append(append(b, atom(2, make([]byte, 30))...), atom(atomVendor, info)...)
}

func TestParseEEPROM(t *testing.T) {
	b := eeprom("RAKwireless", "RAK6421\x00")
	e, err := ParseEEPROM(b)
	if err != nil || e.Vendor != "RAKwireless" || e.Product != "RAK6421" || e.ID != 0x4321 || e.Version != 1 {
		t.Errorf("%+v, %v", e, err)
	}
	for n := range b {
		if _, err := ParseEEPROM(b[:n]); err == nil {
			t.Errorf("%d of %d bytes accepted", n, len(b))
		}
	}
	if _, err := ParseEEPROM(bytes.Repeat([]byte{0xff}, 256)); err == nil {
		t.Error("an empty EEPROM accepted")
	}
	if ids := (EEPROM{Product: "a toaster"}).Boards(); ids != nil {
		t.Errorf("%v", ids)
	}
	for _, p := range productBoards {
		for _, id := range p.ids {
			if _, err := Parse(id); err != nil {
				t.Error(err)
			}
		}
	}
}

func FuzzParseEEPROM(f *testing.F) {
	f.Add(eeprom("RAKwireless", "RAK6421"))
	f.Add(eeprom("", ""))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := ParseEEPROM(b); err == nil {
			e.Boards()
		}
	})
}
