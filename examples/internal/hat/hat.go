// Package hat gives example programs the flags that name a LoRa hat and its settings, and opens it: a
// real one, or an emulated chip on a simulated air.
package hat

import (
	"flag"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/hats"
	"github.com/gopymesh/pymesh/lora/sx1276"
	"github.com/gopymesh/pymesh/lora/transceiver"
	"periph.io/x/conn/v3/physic"
)

// Flags are the values of the flags.
type Flags struct {
	board            string
	bus, chipSelect  int
	cs, reset        string
	interrupt, busy  string
	spiMHz           float64
	region           string
	frequency        frequency
	bandwidth        uint // kHz
	spreadingFactor  uint
	codingRate       uint
	syncWord         string
	power            int
	polite           bool
	overriddenWiring func(name string) bool
}

// Register adds the flags to a set.
func Register(set *flag.FlagSet) *Flags {
	f := new(Flags)
	set.StringVar(&f.board, "board", sx1276.DraginoHAT.ID, "`name` of the hat: "+strings.Join(names(), ", "))
	set.IntVar(&f.bus, "spi-bus", 0, "`n` of /dev/spidev<n>.<m>, if not the hat's")
	set.IntVar(&f.chipSelect, "spi-cs", 0, "`m` of /dev/spidev<n>.<m>, if not the hat's")
	set.StringVar(&f.cs, "cs", "", "GPIO `line` that is the chip select, if not the hat's; \"none\" is the port's own")
	set.StringVar(&f.reset, "reset", "", "GPIO `line` of RESET, if not the hat's; \"none\" if not wired")
	set.StringVar(&f.interrupt, "dio0", "", "GPIO `line` of DIO0 (SX1276) or DIO1 (SX126x), if not the hat's; \"none\" if not wired")
	set.StringVar(&f.interrupt, "dio1", "", "the same as -dio0")
	set.StringVar(&f.busy, "busy", "", "GPIO `line` of BUSY (SX126x), if not the hat's")
	set.Float64Var(&f.spiMHz, "spi-clock", float64(sx1276.DefaultSPIClock/physic.KiloHertz)/1000, "SPI clock in `MHz`, up to 10")
	set.StringVar(&f.region, "region", "EU868", "LoRa `region`: EU868, US915, AU915, AS923, IN865, EU433, CN470")
	set.Var(&f.frequency, "frequency", "`carrier`, if not the region's: 868.1, 868.1MHz, 868100kHz or 868100000")
	set.UintVar(&f.bandwidth, "bandwidth", 0, "bandwidth in `kHz`, 125, 250 or 500, if not the region's")
	set.UintVar(&f.spreadingFactor, "sf", uint(lora.DefaultSpreadingFactor), "`spreading factor`, 7 to 12")
	set.UintVar(&f.codingRate, "coding-rate", uint(lora.DefaultCodingRate), "`n` of the coding rate 4/(4+n), 1 to 4")
	set.StringVar(&f.syncWord, "sync", lora.DefaultSyncWord.String(), "sync `word`: 0x34 for Pycom's public=True, 0x12 for False")
	set.IntVar(&f.power, "power", 0, "transmit power at the antenna in `dBm`, 2 to what the hat gives, if not the region's")
	set.BoolVar(&f.polite, "polite", false, "listen before talk by the parameters of polite spectrum access (EN 300 220)")
	f.overriddenWiring = func(name string) bool {
		given := false
		set.Visit(func(g *flag.Flag) { given = given || g.Name == name })
		return given
	}
	return f
}

func names() []string {
	var list []string
	for _, h := range hats.Boards() {
		list = append(list, h.ID())
	}
	return list
}

// Board returns the hat.
func (f *Flags) Board() (hats.Hat, error) {
	h, err := hats.Parse(f.board)
	if err != nil {
		return h, fmt.Errorf("-board: %w", err)
	}
	l := h.Lines()
	if f.overriddenWiring("spi-bus") {
		l.Bus = f.bus
	}
	if f.overriddenWiring("spi-cs") {
		l.ChipSelect = f.chipSelect
	}
	for _, line := range []struct {
		flag string
		to   *string
	}{{f.cs, &l.CS}, {f.reset, &l.Reset}, {f.interrupt, &l.Interrupt}, {f.busy, &l.Busy}} {
		switch line.flag {
		case "":
		case "none":
			*line.to = ""
		default:
			*line.to = line.flag
		}
	}
	h.SetLines(l)
	return h, nil
}

// Config returns the settings of the radio, validated.
func (f *Flags) Config() (lora.Config, error) {
	region, err := lora.ParseRegion(f.region)
	if err != nil {
		return lora.Config{}, fmt.Errorf("-region: %w", err)
	}
	word, err := strconv.ParseUint(f.syncWord, 0, 8)
	if err != nil {
		return lora.Config{}, fmt.Errorf("-sync %q is not a byte such as 0x34", f.syncWord)
	}
	switch {
	case f.bandwidth > 500:
		return lora.Config{}, fmt.Errorf("-bandwidth %d kHz is not 125, 250 or 500", f.bandwidth)
	case f.spreadingFactor > 12:
		return lora.Config{}, fmt.Errorf("-sf: SpreadingFactor %d is not in 7 to 12", f.spreadingFactor)
	case f.codingRate > 4:
		return lora.Config{}, fmt.Errorf("-coding-rate %d is not in 1 to 4", f.codingRate)
	case !(f.spiMHz >= 0.1 && f.spiMHz <= 10):
		return lora.Config{}, fmt.Errorf("-spi-clock %v MHz is not in 0.1 to 10", f.spiMHz)
	case f.bus < 0 || f.bus > 255 || f.chipSelect < 0 || f.chipSelect > 255:
		return lora.Config{}, fmt.Errorf("-spi-bus %d, -spi-cs %d: there is no such device", f.bus, f.chipSelect)
	}
	c := lora.Config{
		Region:          region,
		Frequency:       lora.Frequency(f.frequency),
		Bandwidth:       lora.Bandwidth(f.bandwidth * 1000),
		SpreadingFactor: lora.SpreadingFactor(f.spreadingFactor),
		CodingRate:      lora.CodingRate(f.codingRate),
		SyncWord:        lora.SyncWord(word),
		TxPower:         f.power,
	}
	return c.WithDefaults(), c.Validate()
}

// Check tells what is wrong with the flags, before anything is opened.
func (f *Flags) Check() error {
	if _, err := f.Board(); err != nil {
		return err
	}
	_, err := f.Config()
	return err
}

// Options returns the options for the driver.
func (f *Flags) Options(log *slog.Logger) ([]hats.Option, error) {
	c, err := f.Config()
	if err != nil {
		return nil, err
	}
	opts := []hats.Option{
		hats.WithLogger(log),
		hats.WithSPIClock(physic.Frequency(f.spiMHz * float64(physic.MegaHertz))),
	}
	if f.polite {
		opts = append(opts, hats.WithListen(transceiver.PoliteListen(c)))
	}
	return opts, nil
}

// Open opens the hat. Keeping to the duty cycle is left to the program.
func (f *Flags) Open(log *slog.Logger) (hats.Radio, error) {
	board, cfg, opts, err := f.all(log)
	if err != nil {
		return nil, err
	}
	return board.Open(cfg, append(opts, hats.WithoutDutyCycle())...)
}

// Diagnose looks for what is wrong with the hat.
func (f *Flags) Diagnose(log *slog.Logger) ([]transceiver.Check, error) {
	board, cfg, opts, err := f.all(log)
	if err != nil {
		return nil, err
	}
	return board.Diagnose(cfg, opts...), nil
}

func (f *Flags) all(log *slog.Logger) (board hats.Hat, cfg lora.Config, opts []hats.Option, err error) {
	if board, err = f.Board(); err != nil {
		return
	}
	if cfg, err = f.Config(); err != nil {
		return
	}
	opts, err = f.Options(log)
	return
}

// frequency is a flag: a number with a unit, or of a size that tells the unit.
type frequency lora.Frequency

func (f *frequency) String() string {
	if *f == 0 {
		return ""
	}
	return lora.Frequency(*f).String()
}

// Set parses a frequency.
func (f *frequency) Set(text string) error {
	v, err := lora.ParseFrequency(text)
	*f = frequency(v)
	return err
}
