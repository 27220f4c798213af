package hats

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/lora/internal/device"
	"github.com/gopymesh/pymesh/lora/transceiver"
	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/host/v3/sysfs"
)

// Reach is how far Probe goes.
type Reach uint8

const (
	// Ports asks at the SPI ports that there are, by their own chip selects, and reads the hat's EEPROM. It disturbs nothing.
	Ports Reach = iota
	// ChipSelects asks by the GPIO lines that known boards use as a chip select, too. Something else may be wired to one of them.
	ChipSelects
	// Serial asks at the serial port, too. A console there sees two lines of nonsense.
	Serial
)

// Probe finds out what is there. It resets nothing, and knows no BUSY; a chip that gets no power without its Enable lines
// does not answer. No driver may use the chips meanwhile. It works on Linux alone.
func Probe(reach Reach) []Finding {
	var found []Finding
	var proposed []string
	if e, where, ok := readEEPROM(); ok {
		proposed = e.Boards()
		found = append(found, Finding{Where: where, What: strings.TrimSpace(e.Vendor + " " + e.Product), Boards: proposed})
	}
	for _, path := range spidevs() {
		var bus, cs int
		if _, err := fmt.Sscanf(path, "/dev/spidev%d.%d", &bus, &cs); err != nil {
			continue
		}
		lines := []string{""}
		if reach >= ChipSelects && cs == 0 {
			lines = append(lines, selectLines(bus)...)
		}
		for _, line := range lines {
			if f, text := askAt(bus, cs, line); f != nobody {
				found = append(found, tell(f, text, bus, cs, line, proposed))
			}
		}
	}
	if reach >= Serial {
		if what, ok := modem(askSerial); ok {
			found = append(found, Finding{Where: serialPort, What: what})
		}
	}
	return found
}

func spidevs() []string {
	list, _ := filepath.Glob("/dev/spidev*")
	slices.Sort(list)
	return list
}

// selectLines returns the lines that boards on a bus use as a chip select.
func selectLines(bus int) []string {
	var lines []string
	for _, h := range Boards() {
		if l := h.Lines(); l.Bus == bus && l.CS != "" && !slices.Contains(lines, l.CS) {
			lines = append(lines, l.CS)
		}
	}
	return lines
}

// askAt asks at a port, by a line or by its own chip select.
func askAt(bus, chipSelect int, line string) (family, string) {
	var w device.Wires
	defer w.Close()
	if w.SPI(bus, chipSelect) != nil {
		return nobody, ""
	}
	conn, err := w.Port.Connect(probeClock, spi.Mode0, 8)
	if err != nil {
		return nobody, ""
	}
	if line == "" {
		return ask(conn)
	}
	cs, err := w.Output("chip select", line, transceiver.High)
	if err != nil {
		return nobody, ""
	}
	return ask(selected{conn, cs})
}

// selected is a connection whose chip select is a line.
type selected struct {
	spi.Conn
	cs transceiver.Output
}

func (s selected) Tx(w, r []byte) error {
	if err := s.cs.Set(transceiver.Low); err != nil {
		return err
	}
	err := s.Conn.Tx(w, r)
	if e := s.cs.Set(transceiver.High); err == nil {
		err = e
	}
	return err
}

// Where hats say who they are: what the firmware has read at boot, and the bus on which some have their EEPROM instead.
const (
	deviceTree    = "/proc/device-tree/hat"
	eepromBus     = 1
	eepromAddress = 0x50
	eepromRead    = 256
)

// readEEPROM reads the hat's EEPROM.
func readEEPROM() (e EEPROM, where string, ok bool) {
	text := func(name string) string {
		b, _ := os.ReadFile(filepath.Join(deviceTree, name))
		return strings.TrimRight(string(b), "\x00\n ")
	}
	if e.Vendor, e.Product = text("vendor"), text("product"); e.Product != "" {
		return e, deviceTree, true
	}
	bus, err := sysfs.NewI2C(eepromBus)
	if err != nil {
		return e, "", false
	}
	defer bus.Close()
	content := make([]byte, eepromRead)
	if (&i2c.Dev{Bus: bus, Addr: eepromAddress}).Tx([]byte{0, 0}, content) != nil {
		return e, "", false
	}
	e, err = ParseEEPROM(content)
	return e, fmt.Sprintf("EEPROM 0x%02x on /dev/i2c-%d", eepromAddress, eepromBus), err == nil
}

// serialPort is the UART of a Raspberry Pi's header.
const serialPort = "/dev/serial0"

// askSerial asks something at the serial port and returns what comes back within a moment.
func askSerial(baud int, question []byte) []byte {
	fd, err := unix.Open(serialPort, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	speed := map[int]uint32{9600: unix.B9600, 115200: unix.B115200}[baud]
	t := unix.Termios{Cflag: speed | unix.CS8 | unix.CREAD | unix.CLOCAL, Ispeed: speed, Ospeed: speed}
	if unix.IoctlSetTermios(fd, unix.TCSETS, &t) != nil {
		return nil
	}
	if _, err := unix.Write(fd, question); err != nil {
		return nil
	}
	var answer []byte
	var buf [64]byte
	for range 10 {
		time.Sleep(50 * time.Millisecond)
		if n, err := unix.Read(fd, buf[:]); err == nil {
			answer = append(answer, buf[:n]...)
		}
	}
	return answer
}
