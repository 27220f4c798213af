// Sniff shows the traffic of a Pymesh, or of any Thread 1.1 network whose key is known, one line a packet: who to whom,
// which message, and what matters in it.
//
//	go run ./examples/sniff mesh.pcap            # a recorded file
//	ssh pi tcpdump -w - … | go run ./examples/sniff -
//	go run ./examples/sniff -sim                 # the air of a small simulated mesh
//	go run ./examples/sniff -board dragino       # what a LoRa hat hears, live
//	go run ./examples/sniff -emulated            # the same with an emulated chip, among simulated nodes
//
// It reads pcap and pcapng files, packed by gzip or not, of IEEE 802.15.4 frames (link types 195, 230 and 283) and of LoRa
// packets with a LoRaTap header (270).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/internal/about"
	"github.com/gopymesh/pymesh/examples/internal/hat"
	"github.com/gopymesh/pymesh/examples/internal/keyflag"
	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/thread/keys"
)

// defaultKey is the network key that Pymesh's documentation gives as the default.
const defaultKey = "0134c0de1ab51234c0de1ab5ca1a110f"

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

const usage = `Sniff shows the traffic of a Pymesh, one line a packet.

Usage:
  sniff [-key HEX] [-v] FILE          a recorded file, pcap or pcapng; - is standard input
  sniff [-key HEX] [-v] -sim          the air of a simulated mesh
  sniff [-key HEX] [-v] -board NAME   what a LoRa hat hears, live; it sends nothing
  sniff [-key HEX] [-v] -emulated     the same with an emulated chip in a simulated mesh,
                                      20 times as fast as real time

Those that listen do so until Ctrl-C or for -duration, and with -w FILE they write what
they hear to a pcap file, as -sim does. Files that are read may be packed by gzip. If the hat
does not work, examples/radiotest says why.

The columns are:
  time        in seconds, from the first packet on
  dBm, SNR    with a hat: strength of the packet, and its signal to noise ratio in dB
  from, to    IEEE 802.15.4 addresses: an extended address, or the RLOC16 by which
              a node is known in its partition. An acknowledgment has none: they are
              those of the packet that it answers
  packet      an MLE command, a resource of network management (TMF), an ICMPv6
              message, UDP ports, or what a lower layer shows; then what matters in it

IPv6 addresses stand there only if they do not follow from the columns before. Of the
mesh-local prefix they are written in short: 0x5800 is the locator of that RLOC16, and
"ml:" precedes the interface identifier of any other.

Nodes secure packets with their extended address, which most packets do not hold: a
packet can be opened once its sender has been heard in an MLE message, at the latest in
the next Advertisement.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "sniff: %v (sniff -h explains)\n", err)
		return exitUsage
	}
	name, err := p.run(ctx, stdin, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "sniff: %s%v\n", name, err)
		return exitFailure
	}
	return 0
}

// program is what the flags say.
type program struct {
	key       [keys.Size]byte
	verbose   bool
	simulated bool
	mesh      simulation
	listening bool
	ear       listener
	file      string
}

// options are the flags whose values need a look.
type options struct {
	set          *flag.FlagSet
	key, keyFile *string
	nodes        *int
	duration     *time.Duration
}

// register declares the flags.
func (p *program) register() *options {
	flags := flag.NewFlagSet("sniff", flag.ContinueOnError)
	flags.BoolVar(&p.verbose, "v", false, "show all layers and TLVs of each packet")
	flags.BoolVar(&p.simulated, "sim", false, "simulate a mesh and show its air")
	flags.BoolVar(&p.ear.emulated, "emulated", false, "listen with an emulated chip in a simulated mesh")
	flags.StringVar(&p.ear.capture, "w", "", "write what is heard to a pcap `file`; - is standard output, as for Wireshark: sniff -board NAME -w - | wireshark -k -i -")
	flags.Uint64Var(&p.mesh.seed, "seed", 1, "`seed` of all chance in the simulation of -sim")
	p.ear.hat = hat.Register(flags)
	return &options{
		set:      flags,
		key:      flags.String("key", defaultKey, "network key in `HEX`; zeros are added to a short one, as Pymesh does"),
		keyFile:  flags.String("key-file", "", "`file` with the network key in hexadecimal, in place of -key"),
		nodes:    flags.Int("nodes", 4, "`number` of simulated nodes"),
		duration: flags.Duration("duration", 0, fmt.Sprintf("`time` after which to end, simulated with -sim and -emulated (default %v with -sim, else none)", simulatedTime)),
	}
}

// parse reads the flags.
func parse(args []string, stderr io.Writer) (*program, error) {
	p := new(program)
	o := p.register()
	if err := about.Parse(o.set, args, usage, stderr); err != nil {
		return nil, err
	}
	key, err := keyOf(o.set, *o.key, *o.keyFile)
	if err != nil {
		return nil, err
	}
	p.key = key.Bytes()
	p.listening = p.ear.emulated
	o.set.Visit(func(f *flag.Flag) { p.listening = p.listening || f.Name == "board" })
	if err := p.check(o); err != nil {
		return nil, err
	}
	p.mesh.key, p.mesh.nodes, p.mesh.duration = p.key, *o.nodes, *o.duration
	if *o.duration == 0 {
		p.mesh.duration = simulatedTime
	}
	p.ear.key, p.ear.nodes, p.ear.duration = p.key, *o.nodes, *o.duration
	p.file = o.set.Arg(0)
	if p.listening {
		err = p.ear.validate()
	}
	return p, err
}

// check tells which flags exclude each other, and which values cannot be.
func (p *program) check(o *options) error {
	switch files := o.set.NArg(); {
	case p.simulated && p.listening:
		return errors.New("-sim excludes -board and -emulated")
	case p.simulated && files > 0:
		return errors.New("-sim takes no file")
	case p.listening && files > 0:
		return errors.New("-board and -emulated take no file")
	case !p.listening && !p.simulated && p.ear.capture != "":
		return errors.New("-w goes with -board, -emulated or -sim")
	case !p.simulated && !p.listening && files != 1:
		return errors.New("name one capture file, - for standard input, or give -sim, -board or -emulated")
	case *o.nodes < 1 || *o.nodes > maxNodes:
		return fmt.Errorf("-nodes %d is not 1 to %d", *o.nodes, maxNodes)
	case *o.duration < 0:
		return fmt.Errorf("-duration %v is not positive", *o.duration)
	}
	return nil
}

// run shows the packets from where the flags say. With an error it returns what to put before it.
func (p *program) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (name string, err error) {
	show := func(ctx context.Context, from source) error {
		out := printer{w: stdout, verbose: p.verbose, problems: map[string]int{}}
		return sniff(ctx, from, dissect.New(p.key), &out)
	}
	switch {
	case p.listening && p.ear.capture == "-": // text goes beside it
		p.ear.stdout, stdout = keptOpen{stdout}, stderr
		return "", p.ear.listen(ctx, stderr, show)
	case p.listening:
		return "", p.ear.listen(ctx, stderr, show)
	case p.simulated:
		pipe := p.mesh.start()
		defer pipe.Close()
		from := io.Reader(pipe)
		switch p.ear.capture {
		case "":
		case "-":
			from, stdout = io.TeeReader(pipe, stdout), stderr
		default:
			f, err := os.Create(p.ear.capture)
			if err != nil {
				return "", err
			}
			defer f.Close()
			from = io.TeeReader(pipe, f)
		}
		return "simulation: ", show(ctx, captureFile(from))
	case p.file == "-":
		return "standard input: ", show(ctx, captureFile(stdin))
	}
	f, err := os.Open(p.file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return p.file + ": ", show(ctx, captureFile(f))
}

// source sends packets to the channel until there are no more or ctx is done.
type source func(ctx context.Context, packets chan<- packet) error

// sniff shows the packets from the source until it ends or ctx is done.
func sniff(ctx context.Context, from source, d *dissect.Dissector, p *printer) error {
	packets := make(chan packet)
	failed := make(chan error, 1)
	go func() { // on its own, as reading from a pipe cannot be interrupted
		failed <- from(ctx, packets)
		close(packets)
	}()
	for {
		select {
		case <-ctx.Done():
			p.end(d.Incomplete())
			return p.err
		case packet, ok := <-packets:
			if !ok {
				err := <-failed
				if err == nil || p.packets > 0 {
					p.end(d.Incomplete())
				}
				return errors.Join(err, p.err)
			}
			f := d.Dissect(packet.at, packet.psdu)
			if p.frame(&f, packet.heard); p.err != nil {
				return p.err
			}
		}
	}
}

// keyOf returns the key that the flags name.
func keyOf(flags *flag.FlagSet, text, file string) (pymesh.Key, error) {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	switch {
	case given["key"] && given["key-file"]:
		return pymesh.Key{}, errors.New("-key and -key-file exclude each other")
	case given["key-file"]:
		return keyflag.Read(file)
	}
	key, err := pymesh.ParseKey(text)
	if err != nil {
		return key, fmt.Errorf("-key: %w", err)
	}
	return key, nil
}

// keptOpen is standard output, which nobody closes.
type keptOpen struct{ io.Writer }

func (keptOpen) Close() error { return nil }
