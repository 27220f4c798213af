package hats

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// Finding is something that Probe has found.
type Finding struct {
	// Where is what was asked: a file, such as /dev/spidev0.0, with the line of a chip select where there is one.
	Where string
	// What answers, for people.
	What string
	// Boards are the IDs of those that it may be, the likeliest first. None: it cannot be used.
	Boards []string
}

// family is the kind of chip that answers at a port.
type family uint8

const (
	nobody family = iota
	family127x
	family126x
)

// ask finds out what answers at a connection, without resetting it and without knowing its BUSY: a chip that sleeps is woken up.
func ask(c spi.Conn) (family, string) {
	const version127x, version1276, version1272 = 0x42, 0x12, 0x22
	var w, r [20]byte
	for range 2 { // the first time may wake it up
		w = [20]byte{0x1D, 0x03, 0x20} // ReadRegister of an SX126x; an SX1276 tells its registers
		if c.Tx(w[:], r[:]) != nil {
			return nobody, ""
		}
		text := strings.TrimRight(string(r[4:]), "\x00 ")
		if strings.HasPrefix(text, "SX126") || strings.HasPrefix(text, "LLCC68") {
			return family126x, text
		}
		time.Sleep(wakePause)
	}
	w = [20]byte{version127x}
	if c.Tx(w[:2], r[:2]) != nil || r[0] != 0 {
		return nobody, ""
	}
	switch r[1] {
	case version1276:
		return family127x, "SX1276, 1277, 1278 or 1279"
	case version1272:
		return family127x, "SX1272"
	}
	return nobody, ""
}

// wakePause is what a chip takes to wake up.
const wakePause = 5 * time.Millisecond

// probeClock is slow enough for any wire.
const probeClock = physic.MegaHertz

// candidates returns the boards of a family at a port, by the line of their chip select where it is one. Those that the EEPROM
// proposes come first.
func candidates(f family, bus, chipSelect int, cs string, proposed []string) []string {
	var ids []string
	for _, h := range Boards() {
		l := h.Lines()
		fits := (h.SX126x != nil) == (f == family126x) && l.Bus == bus && l.CS == cs && (cs != "" || l.ChipSelect == chipSelect)
		if fits {
			ids = append(ids, h.ID())
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int { return rank(proposed, a) - rank(proposed, b) })
	return ids
}

// rank is where an ID stands in a list, behind all if it does not.
func rank(list []string, id string) int {
	if i := slices.Index(list, id); i >= 0 {
		return i
	}
	return len(list)
}

// tell makes a finding of an answer.
func tell(f family, text string, bus, chipSelect int, cs string, proposed []string) Finding {
	where := fmt.Sprintf("/dev/spidev%d.%d", bus, chipSelect)
	if cs != "" {
		where += ", chip select " + cs
	}
	return Finding{Where: where, What: text, Boards: candidates(f, bus, chipSelect, cs, proposed)}
}

// modem asks what is at the other end of a serial line: a module with a modem of its own cannot be used. The two questions are an Ebyte
// E22's for its parameters, which answers in configuration mode, and a RAK811's for its version.
func modem(ask func(baud int, question []byte) []byte) (what string, ok bool) {
	if r := ask(9600, []byte{0xC1, 0x00, 0x09}); len(r) >= 3 && (r[0] == 0xC1 || r[0] == 0xFF && r[1] == 0xFF && r[2] == 0xFF) {
		return "an Ebyte E22 or Waveshare LoRa HAT: a modem on the UART with a protocol of its own", true
	}
	if r := strings.ToLower(string(ask(115200, []byte("at+version\r\n")))); strings.HasPrefix(r, "ok") || strings.Contains(r, "error") {
		return "a RAK811 or another module with AT commands on the UART", true
	}
	return "", false
}
