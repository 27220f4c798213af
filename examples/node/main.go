// Node is a node of a Pymesh on a Raspberry Pi with a LoRa hat. It takes part in the mesh, answers pings and the datagrams that
// reach its UDP port, and logs what happens.
//
//	go run ./examples/node -board dragino -region EU868 -frequency 868.1 -key-file key.hex
//	go run ./examples/node -config node.json
//	go run ./examples/node -emulated                # an emulated chip among simulated nodes
//
// It runs as a systemd service with the unit pymesh-node.service, which stands beside this file and says how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/internal/about"
	"github.com/gopymesh/pymesh/examples/internal/agentflag"
	"github.com/gopymesh/pymesh/examples/internal/hat"
	"github.com/gopymesh/pymesh/examples/internal/keyflag"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// pycomPort is the UDP port that Pycom's examples use.
const pycomPort = 1234

const usage = `Node is a node of a Pymesh on a Raspberry Pi with a LoRa hat. It takes part in the mesh,
answers pings and the datagrams that reach its UDP port, and logs what happens.

Usage:
  node [flags]

All flags but -config and -check may stand in a JSON file as well, with comments, such as
  {"board": "dragino", "frequency": 868.1, "key-file": "/etc/pymesh/key"}
What is given on the command line has precedence.

If the hat does not work, examples/radiotest says why.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

// program is what the flags say.
type program struct {
	hat      *hat.Flags
	keys     *keyflag.Flags
	agent    *agentflag.Flags
	key      pymesh.Key
	network  []pymesh.Option // of all nodes
	own      []pymesh.Option // of this one
	name     string
	panID    string
	channel  uint
	mode     string
	mac      string
	check    bool
	store    string
	capture  string
	port     uint
	status   time.Duration
	duration time.Duration
	noLimit  bool
	emulated bool

	recoverStore bool
	keepStore    bool // the store is given, also for an emulated chip
	verbose      bool
	log          *slog.Logger
	supervise    *supervisor
}

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, stderr io.Writer) int {
	p, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "node: %v (node -h explains)\n", err)
		return exitUsage
	}
	if p.check {
		fmt.Fprintln(stderr, "node: the settings are good")
		return 0
	}
	level := slog.LevelInfo
	if p.verbose {
		level = slog.LevelDebug
	}
	p.log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: journal()}))
	p.supervise = newSupervisor(os.Getenv)
	if err := p.run(ctx); err != nil && ctx.Err() == nil {
		p.log.Error("node ends", "err", err)
		return exitFailure
	}
	return 0
}

// journal returns what drops the time from log lines that go to systemd's journal, which has it.
func journal() func(groups []string, a slog.Attr) slog.Attr {
	if os.Getenv("JOURNAL_STREAM") == "" {
		return nil
	}
	return func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
}

// parse reads the flags and the file.
func parse(args []string, usageTo io.Writer) (*program, error) {
	p := new(program)
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	config := flags.String("config", "", "JSON `file` with values for flags")
	p.hat = hat.Register(flags)
	p.keys = keyflag.Register(flags, credential("key"))
	p.agent = agentflag.Register(flags, credential("passphrase"))
	flags.StringVar(&p.name, "network-name", "", "`name` of the network, 1 to 16 bytes (default OpenThread)")
	flags.StringVar(&p.panID, "pan-id", "", "PAN `ID` of the network, such as 0x1234 (default 0x1234)")
	flags.UintVar(&p.channel, "channel", 0, "`number` of the channel in messages, 11 to 26; of no meaning for LoRa (default 11)")
	flags.StringVar(&p.mode, "mode", "full", "`part` that the node takes: full (a router where they are needed), end, minimal, sleepy")
	flags.StringVar(&p.mac, "mac", "", "MAC `address`, 16 hexadecimal digits (default that of the store, or else random)")
	flags.BoolVar(&p.check, "check", false, "check all settings and end, without opening the hat")
	flags.StringVar(&p.store, "store", stateFile(), "`file` that keeps what must survive a restart")
	flags.BoolVar(&p.recoverStore, "recover-store", false, "if that file is damaged, put it aside and go on from the one before it, .previous")
	flags.StringVar(&p.capture, "pcap", "", "write all packets to `file`, for Wireshark or examples/sniff")
	flags.UintVar(&p.port, "udp", pycomPort, "UDP `port` on which datagrams are answered")
	flags.DurationVar(&p.status, "status", 10*time.Minute, "`time` between log lines with the state of node and radio")
	flags.DurationVar(&p.duration, "duration", 0, "`time` after which the node ends; 0 for never")
	flags.BoolVar(&p.noLimit, "no-duty-cycle", false, "do not keep to the region's duty cycle")
	flags.BoolVar(&p.emulated, "emulated", false, "emulate the chip, among simulated nodes; time passes 20 times as fast, and the node ends after 10 minutes")
	flags.BoolVar(&p.verbose, "v", false, "log messages and packets, too")
	if err := about.Parse(flags, args, usage, usageTo); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q: there are flags only", flags.Arg(0))
	}
	if *config != "" {
		if err := readConfig(flags, *config); err != nil {
			return nil, err
		}
	}
	flags.Visit(func(f *flag.Flag) { p.keepStore = p.keepStore || f.Name == "store" || f.Name == "recover-store" })
	return p, p.complete()
}

// modes are the names of what a node can be.
var modes = map[string]pymesh.Mode{
	"full": pymesh.FullThreadDevice, "end": pymesh.EndDevice, "minimal": pymesh.MinimalEndDevice, "sleepy": pymesh.SleepyEndDevice,
}

// complete checks the flags.
func (p *program) complete() (err error) {
	if err := p.hat.Check(); err != nil {
		return err
	}
	if p.port < pymesh.MinPort || p.port > pymesh.MaxPort {
		return fmt.Errorf("-udp %d is not in %d to %d", p.port, pymesh.MinPort, pymesh.MaxPort)
	}
	if p.status <= 0 || p.duration < 0 {
		return errors.New("-status must be positive and -duration not negative")
	}
	if p.key, err = p.keys.KeyFor(p.emulated); err != nil {
		return err
	}
	if err := p.agent.Check(); err != nil {
		return err
	}
	if p.emulated && p.duration == 0 {
		p.duration = 10 * time.Minute
	}
	if err := p.networkOptions(); err != nil {
		return err
	}
	return p.try()
}

// networkOptions makes options of the flags that say what network the node is of, and what it is in it.
func (p *program) networkOptions() error {
	p.network = []pymesh.Option{pymesh.WithKey(p.key)}
	if p.name != "" {
		p.network = append(p.network, pymesh.WithNetworkName(p.name))
	}
	if p.panID != "" {
		id, err := strconv.ParseUint(p.panID, 0, 16)
		if err != nil {
			return fmt.Errorf("-pan-id %q is not a number from 0x0001 to 0xfffe", p.panID)
		}
		p.network = append(p.network, pymesh.WithPANID(uint16(id)))
	}
	if p.channel != 0 {
		if p.channel > math.MaxUint8 {
			return fmt.Errorf("-channel %d is not in 11 to 26", p.channel)
		}
		p.network = append(p.network, pymesh.WithChannel(uint8(p.channel)))
	}
	mode, ok := modes[p.mode]
	if !ok {
		return fmt.Errorf("-mode %q is none of full, end, minimal and sleepy", p.mode)
	}
	p.network = append(p.network, pymesh.WithMode(mode))
	if p.mac != "" {
		mac, err := pymesh.ParseMAC(p.mac)
		if err != nil {
			return fmt.Errorf("-mac: %w", err)
		}
		p.own = append(p.own, pymesh.WithMAC(mac))
	}
	return nil
}

// try makes a node with these settings, and opens its port, where no radio is: what is wrong with them is said before the hat is touched.
func (p *program) try() error {
	cfg, err := p.hat.Config()
	if err != nil {
		return err
	}
	radio := lorasim.NewAir(lorasim.Options{}).Radio(cfg, lorasim.Position{})
	node, err := pymesh.New(radio, slices.Concat(p.network, p.own, []pymesh.Option{pymesh.WithStore(new(pymesh.MemoryStore))})...)
	if err != nil {
		return err
	}
	defer node.Close()
	conn, err := node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(p.port)))
	if err != nil {
		return fmt.Errorf("-udp: %w", err)
	}
	return conn.Close()
}

// credential returns the path of a credential that systemd passes (LoadCredential=), or "".
func credential(name string) string {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	if dir == "" {
		return ""
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}

// stateFile returns where the settings are by default: in the directory that systemd gives (StateDirectory=), or here.
func stateFile() string {
	return filepath.Join(os.Getenv("STATE_DIRECTORY"), "pymesh-node.json")
}
