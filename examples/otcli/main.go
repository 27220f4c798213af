// Otcli is a Thread node with OpenThread's command line.
//
//	otcli NODE_ID                  among OpenThread's simulated nodes
//	otcli -sim [-nodes N]          on a simulated LoRa air, among N nodes of its own
//	otcli -sx1276 BOARD NODE_ID    on a LoRa hat, with the flags of examples/node for its settings
//
// As NODE_ID, 1 to 33, it takes the place of OpenThread's own simulated node: frames go over UDP on 127.0.0.1, settings
// are kept in ./tmp, and the environment says the rest: PORT_OFFSET which network of nodes, VIRTUAL_TIME=1 that a controller
// rules the time. OpenThread's certification scripts start it when OT_CLI_PATH names it. They wait for each of up to 24 to
// start: built with CGO_ENABLED=0 it takes a quarter less time for that.
//
// On a terminal it has line editing and a history. With -sim try:
//
//	$ go run ./examples/otcli -sim
//	> ifconfig up
//	> thread start
//	> state
//	> neighbor table
//	> ping ff03::1
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/internal/about"
	"github.com/gopymesh/pymesh/examples/internal/hat"
	"github.com/gopymesh/pymesh/examples/internal/keyflag"
	"github.com/gopymesh/pymesh/internal/otsim/wire"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/cli"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// timingVariable is the environment variable for -timing: a controller gives its nodes no flags.
const timingVariable = "PYMESH_TIMING"

// options are the command line's.
type options struct {
	id      int
	virtual bool
	timing  string
	dir     string
	verbose bool

	sim   bool
	nodes int
	speed float64
	seed  uint64

	hat *hat.Flags // nil without one
	key pymesh.Key // zero for OpenThread's
}

// place is what gives a device its time and its air.
type place interface {
	// Run lets the device live until ctx ends. Calls happen between its other inputs.
	Run(ctx context.Context, d wire.Device, calls <-chan func(now time.Time)) error
	Close() error
}

func main() {
	o, err := parseOptions(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "otcli:", err)
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "otcli:", err)
		os.Exit(1)
	}
}

const usage = `Otcli is a Thread node with OpenThread's command line.

Usage:
  otcli [flags] NODE_ID                  a node among OpenThread's simulated ones, 1 to 33
  otcli [flags] -sim                     a node on a simulated LoRa air
  otcli [flags] -sx1276 BOARD NODE_ID    a node on a LoRa hat, within the duty cycle of its region

Flags:
`

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("otcli", flag.ContinueOnError)
	f.BoolVar(&o.virtual, "vt", wire.VirtualTime(), "virtual time, ruled by a controller (default true if VIRTUAL_TIME is set)")
	f.StringVar(&o.timing, "timing", os.Getenv(timingVariable),
		"`profile` of Thread's timing, ieee802154 or pymesh (default PYMESH_TIMING, or else pymesh with -sim, that of the airtime with a hat, and ieee802154 without)")
	f.StringVar(&o.dir, "settings", "tmp", "`directory` of the settings")
	f.BoolVar(&o.verbose, "v", false, "log to standard error")
	f.BoolVar(&o.sim, "sim", false, "run on a simulated LoRa air")
	f.IntVar(&o.nodes, "nodes", 3, "number of other nodes on the simulated air")
	f.Float64Var(&o.speed, "speed", 1, "seconds on the simulated air in a second")
	f.Uint64Var(&o.seed, "seed", 0, "make the node's random numbers repeat; 0 does not")
	radio := hat.Register(f)
	keyFile := f.String("key-file", "", "`file` with the network key in hexadecimal, in place of OpenThread's 00112233445566778899aabbccddeeff; a stored one goes before it")
	f.Func("sx1276", "run on the hat `BOARD`; the same as -board", func(name string) error { return f.Set("board", name) })
	if err := about.Parse(f, args, usage, stderr); err != nil {
		return o, err
	}
	var err error
	f.Visit(func(given *flag.Flag) {
		switch given.Name {
		case "board":
			o.hat = radio
		case "key-file":
			o.key, err = keyflag.Read(*keyFile)
		}
	})
	if err != nil {
		return o, err
	}
	return o, o.check(f.Args())
}

// check tells which flags and arguments do not go together, and takes the node id.
func (o *options) check(args []string) error {
	if o.hat != nil {
		if o.sim {
			return errors.New("-sim and -sx1276 exclude each other")
		}
		if err := o.hat.Check(); err != nil {
			return err
		}
		o.virtual = false
	}
	if o.sim {
		switch {
		case len(args) > 0:
			return fmt.Errorf("-sim takes no node id, got %q", args)
		case o.nodes < 0 || o.speed <= 0:
			return errors.New("-nodes and -speed must be positive")
		}
		return nil
	}
	if len(args) != 1 {
		return errors.New("one argument is needed, the node id, or -sim for a simulated air: otcli -h explains")
	}
	id, err := strconv.Atoi(args[0])
	if err != nil || id < 1 || id > wire.MaxNodeID {
		return fmt.Errorf("node id %q is not in 1 to %d", args[0], wire.MaxNodeID)
	}
	o.id = id
	return nil
}

func run(o options) error {
	console, err := openConsole(!o.virtual)
	if err != nil {
		return err
	}
	defer console.close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	cfg, err := o.config(console.log())
	if err != nil {
		return err
	}
	p, err := o.place(&cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	d, err := newDevice(cfg, o.eui64(), powerOf(p), console, cancel)
	if err != nil {
		return err
	}
	console.welcome(o.sim || o.hat != nil)
	console.prompt()
	calls := make(chan func(time.Time))
	go func() {
		defer cancel() // no more input
		console.readLines(func(line string) bool {
			handled := make(chan struct{})
			call := func(now time.Time) {
				d.handleLine(now, line)
				console.prompt()
				close(handled)
			}
			select {
			case calls <- call:
				<-handled
				return true
			case <-ctx.Done():
				return false
			}
		})
	}()
	if err := p.Run(ctx, d, calls); err != nil {
		return err
	}
	return d.err
}

// config is the node as it is made, before settings and commands.
func (o options) config(logTo io.Writer) (thread.Config, error) {
	cfg := thread.Config{
		MultiChannel: !o.sim && o.hat == nil,
		// OpenThread's default, known to all.
		NetworkKey:    [16]byte{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff},
		StoredNetwork: true,
		Rand:          o.random(o.id),
	}
	if !o.key.IsZero() {
		cfg.NetworkKey = o.key.Bytes()
	}
	timing := o.timing
	if timing == "" {
		timing = "ieee802154"
		if o.sim {
			timing = "pymesh"
		}
	}
	switch {
	case o.hat != nil && (timing == "pymesh" || o.timing == ""):
		radio, err := o.hat.Config()
		if err != nil {
			return cfg, err
		}
		cfg.Timing = thread.TimingFor(radio.Airtime)
		if o.timing != "" {
			cfg.Timing = thread.TimingForBoards(radio.Airtime)
		}
		cfg.Timing.SetSensitivity(radio.Sensitivity())
	case timing == "ieee802154":
		cfg.Timing = thread.TimingIEEE802154()
	case timing == "pymesh":
		cfg.Timing = thread.TimingPymesh()
	default:
		return cfg, fmt.Errorf("timing %q is neither ieee802154 nor pymesh", o.timing)
	}
	switch {
	case o.verbose:
		cfg.Logger = slog.New(slog.NewTextHandler(logTo, &slog.HandlerOptions{Level: slog.LevelDebug}))
	case o.hat != nil: // whose troubles are worth knowing
		cfg.Logger = slog.New(slog.NewTextHandler(logTo, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	return cfg, nil
}

// eui64 is the factory address: that of OpenThread's simulation with the node id.
func (o options) eui64() ieee802154.ExtAddr {
	return ieee802154.ExtAddr{0x18, 0xb4, 0x30, 7: byte(o.id)}
}

// powerOf is what the command txpower shows.
func powerOf(p place) cli.Radio {
	if s, ok := p.(storedPlace); ok {
		p = s.place
	}
	if p, ok := p.(radioPlace); ok {
		return fixedPower(p.radio.Config().TxPower)
	}
	return new(power)
}

// place opens the node's place and completes its configuration with what depends on it.
func (o options) place(cfg *thread.Config) (place, error) {
	if o.sim {
		return o.simulate(cfg)
	}
	if o.hat != nil {
		return o.openHat(cfg)
	}
	g, err := wire.EnvironmentGroup()
	if err != nil {
		return nil, err
	}
	store, err := o.openStore(fmt.Sprintf("%d_%d.json", g.Offset, o.id))
	if err != nil {
		return nil, err
	}
	cfg.Store = store
	var p place
	if o.virtual {
		p, err = wire.ListenVirtual(g, o.id)
	} else {
		p, err = wire.ListenRealTime(g, o.id)
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return storedPlace{p, store}, nil
}
