// Radiotest finds out whether a LoRa hat works, and how well two of them hear each other.
//
//	go run ./examples/radiotest -board dragino          # check chip, wires, and noise; sends nothing
//	go run ./examples/radiotest -board dragino -rx      # on one: print packets, answer pings
//	go run ./examples/radiotest -board adafruit -ping   # on the other
//	go run ./examples/radiotest -emulated               # all of it without hardware
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/gopymesh/pymesh/examples/internal/about"
	"github.com/gopymesh/pymesh/examples/internal/hat"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/hats"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

const usage = `Radiotest finds out whether a LoRa hat works, and how well two of them hear each other.

Usage:
  radiotest [flags]          check device files, chip, wires, and noise; nothing is sent
  radiotest [flags] -tx      send numbered packets
  radiotest [flags] -rx      print what is heard, and answer pings
  radiotest [flags] -ping    send packets that another radiotest -rx answers
  radiotest -list            show the hats that are known, and their wiring
  radiotest -probe ports     find out which chip is there, and propose a hat

With -emulated the chips are emulated and the air is simulated: -tx, -rx and -ping then
have a counterpart, and without them the checks are followed by pings.

The frequency must be one that you may use; radiotest does not keep count of the duty
cycle. A packet of 20 bytes at SF7 and 125 kHz lasts 57 ms.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// program is what the flags say.
type program struct {
	hat      *hat.Flags
	tx, rx   bool
	ping     bool
	list     bool
	probe    string
	emulated bool
	traffic
	out io.Writer
	log *slog.Logger
}

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := program{out: stdout, log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	flags := flag.NewFlagSet("radiotest", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	p.hat = hat.Register(flags)
	flags.BoolVar(&p.tx, "tx", false, "send numbered packets")
	flags.BoolVar(&p.rx, "rx", false, "print what is heard, and answer pings")
	flags.BoolVar(&p.ping, "ping", false, "send packets that another radiotest -rx answers")
	flags.BoolVar(&p.list, "list", false, "show the hats that are known, and their wiring")
	flags.StringVar(&p.probe, "probe", "", "find out what is there: `reach` is \"ports\" for SPI and the hat's EEPROM, \"lines\" for chip selects on GPIO lines as well, which may "+
		"disturb what else is wired to them, \"serial\" for a modem on the UART, too")
	flags.BoolVar(&p.emulated, "emulated", false, "emulate the chip, and a counterpart")
	flags.IntVar(&p.count, "count", 10, "`number` of packets to send; with -rx, to hear; 0 for no end")
	flags.IntVar(&p.size, "size", 20, fmt.Sprintf("`bytes` in a packet, %d to %d", minPacket, lora.MaxPacket))
	flags.DurationVar(&p.interval, "interval", time.Second, "`time` between packets")
	version := about.Register(flags)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	}
	if *version {
		fmt.Fprintln(stderr, about.Version("radiotest"))
		return 0
	}

	counted := false
	flags.Visit(func(f *flag.Flag) { counted = counted || f.Name == "count" })
	if p.rx && !counted {
		p.count = 0
	}
	if err := p.check(flags); err != nil {
		fmt.Fprintf(stderr, "radiotest: %v (radiotest -h explains)\n", err)
		return exitUsage
	}
	err := p.run(ctx)
	if err != nil && ctx.Err() == nil {
		if !errors.Is(err, errChecks) {
			fmt.Fprintln(stderr, "radiotest:", err)
		}
		return exitFailure
	}
	return 0
}

// check checks the flags.
func (p *program) check(flags *flag.FlagSet) error {
	modes := 0
	for _, on := range []bool{p.tx, p.rx, p.ping, p.list, p.probe != ""} {
		if on {
			modes++
		}
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("%q: there are flags only", flags.Arg(0))
	case modes > 1:
		return errors.New("-tx, -rx, -ping, -list and -probe exclude each other")
	case p.probe != "" && !known(p.probe):
		return fmt.Errorf("-probe %q is none of ports, lines and serial", p.probe)
	case p.size < minPacket || p.size > lora.MaxPacket:
		return fmt.Errorf("-size %d is not in %d to %d", p.size, minPacket, lora.MaxPacket)
	case p.count < 0 || p.interval < 0:
		return errors.New("-count and -interval must not be negative")
	}
	if _, err := p.hat.Config(); err != nil {
		return err
	}
	_, err := p.hat.Board()
	return err
}

func (p *program) run(ctx context.Context) error {
	switch {
	case p.list:
		return p.listBoards()
	case p.probe != "":
		return p.find(hats.Probe)
	case p.emulated:
		return p.emulate(ctx)
	case !p.tx && !p.rx && !p.ping:
		return p.diagnose()
	}
	radio, err := p.hat.Open(p.log)
	if err != nil {
		return err
	}
	defer radio.Close()
	return p.use(ctx, radio)
}

// use does what -tx, -rx or -ping say.
func (p *program) use(ctx context.Context, radio hats.Radio) error {
	c := radio.Config()
	fmt.Fprintf(p.out, "%s on %v, %v, %v, %v, %d dBm; %d bytes last %v\n", radio.Chip(), c.Frequency, c.Bandwidth, c.SpreadingFactor,
		c.CodingRate, c.TxPower, p.size, c.Airtime(p.size).Round(100*time.Microsecond))
	s := session{radio: radio, traffic: p.traffic, out: p.out}
	var err error
	switch {
	case p.tx:
		err = s.send(ctx)
	case p.rx:
		err = s.listen(ctx)
	default:
		err = s.ping(ctx)
	}
	st := radio.Stats()
	fmt.Fprintf(p.out, "radio: %d sent (%v on the air), %d received, %d with CRC errors, %d times busy, %d repairs\n",
		st.Sent, st.Airtime.Round(time.Millisecond), st.Received, st.CRCErrors, st.Deferred, st.Repairs)
	return err
}

// listBoards prints a table.
func (p *program) listBoards() error {
	w := tabwriter.NewWriter(p.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "-board\tname\tchip\tSPI\tCS\treset\tDIO0, DIO1\tBUSY\twiring")
	for _, h := range hats.Boards() {
		b := h.Lines()
		line := func(name string) string {
			if name == "" {
				return "-"
			}
			return name
		}
		cs := line(b.CS)
		if b.CS == "" {
			cs = fmt.Sprintf("CE%d", b.ChipSelect)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t/dev/spidev%d.%d\t%s\t%s\t%s\t%s\t%s\n", h.ID(), h.Name(), h.Chip(), b.Bus, b.ChipSelect, cs,
			line(b.Reset), line(b.Interrupt), line(b.Busy), h.Wiring())
	}
	return w.Flush()
}

// reaches is how far -probe goes.
var reaches = map[string]hats.Reach{"ports": hats.Ports, "lines": hats.ChipSelects, "serial": hats.Serial}

func known(reach string) bool { _, ok := reaches[reach]; return ok }

// find prints what is there.
func (p *program) find(probe func(hats.Reach) []hats.Finding) error {
	found := probe(reaches[p.probe])
	for _, f := range found {
		fmt.Fprintf(p.out, "%s: %s\n", f.Where, f.What)
		switch {
		case len(f.Boards) == 0:
			fmt.Fprintln(p.out, "  no hat that is known; give its wiring with -spi-bus, -spi-cs, -cs, -reset, -dio0, -busy and the hat that is most like it")
		default:
			fmt.Fprintf(p.out, "  try radiotest -board %s\n", strings.Join(f.Boards, ", or -board "))
		}
	}
	if len(found) == 0 {
		fmt.Fprintln(p.out, "nothing answers: hats whose chip select is a GPIO line are found with -probe lines, and a chip that gets its power by a line of its hat by its name alone")
		return errChecks
	}
	return nil
}

var errChecks = errors.New("checks failed")

// diagnose prints the checks of the hat.
func (p *program) diagnose() error {
	board, err := p.hat.Board()
	if err != nil {
		return err
	}
	fmt.Fprintln(p.out, board.Name()+":", board.Wiring())
	checks, err := p.hat.Diagnose(p.log)
	if err != nil {
		return err
	}
	if err := p.report(checks); err != nil {
		return err
	}
	fmt.Fprintln(p.out, "The hat works. Try -rx on it, and -ping on another.")
	return nil
}

// report prints checks.
func (p *program) report(checks []transceiver.Check) error {
	failed := false
	for _, c := range checks {
		verdict := "ok"
		if c.Err != nil {
			verdict, failed = "FAIL", true
		}
		fmt.Fprintf(p.out, "%-5s %-11s %v\n", verdict, c.Name, c)
		if remedy := c.Remedy(); remedy != "" {
			fmt.Fprintf(p.out, "%17s → %s\n", "", remedy)
		}
	}
	if failed {
		return errChecks
	}
	return nil
}

// emulate does everything with emulated chips.
func (p *program) emulate(ctx context.Context) error {
	const distance = 300 // meters
	e := p.hat.Emulate(1, p.log)
	if !p.tx && !p.rx && !p.ping {
		checks, err := e.Diagnose()
		if err != nil {
			return err
		}
		if err := p.report(checks); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "\nTwo emulated chips %d meters apart:\n", distance)
		p.ping, p.count = true, min(p.count, 5)
	}
	radio, err := e.Open(0)
	if err != nil {
		return err
	}
	defer radio.Close()
	other, err := e.Open(distance)
	if err != nil {
		return err
	}
	defer other.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := session{radio: other, traffic: p.traffic, out: io.Discard}
	s.count = 0
	if p.rx {
		go s.send(ctx) // ends with ctx
	} else {
		go s.listen(ctx)
	}
	return p.use(ctx, radio)
}
