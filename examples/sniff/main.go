// Sniff shows the traffic of a Pymesh, or of any Thread 1.1 network whose key is known, one line a packet: who to whom,
// which message, and what matters in it.
//
//	go run ./examples/sniff mesh.pcap            # a recorded file
//	ssh pi tcpdump -w - … | go run ./examples/sniff -
//	go run ./examples/sniff -sim                 # the air of a small simulated mesh
//
// It reads classic pcap files of IEEE 802.15.4 frames (link types 195, 230 and 283) and of LoRa packets with a LoRaTap
// header (270).
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

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
  sniff [-key HEX] [-v] FILE.pcap     a recorded file; - is standard input
  sniff [-key HEX] [-v] -sim          the air of a simulated mesh

The columns are:
  time        in seconds, from the first packet on
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
	flags := flag.NewFlagSet("sniff", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	keyText := flags.String("key", defaultKey, "network key in `HEX`; zeros are added to a short one, as Pymesh does")
	verbose := flags.Bool("v", false, "show all layers and TLVs of each packet")
	simulated := flags.Bool("sim", false, "simulate a mesh and show its air")
	var mesh simulation
	flags.IntVar(&mesh.nodes, "nodes", 4, "`number` of simulated nodes")
	flags.DurationVar(&mesh.duration, "duration", 5*time.Minute, "simulated `time`")
	flags.Uint64Var(&mesh.seed, "seed", 1, "`seed` of all chance in the simulation")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	}

	key, err := parseKey(*keyText)
	switch {
	case err != nil:
	case *simulated && flags.NArg() > 0:
		err = errors.New("-sim takes no file")
	case *simulated:
		err = mesh.validate()
	case flags.NArg() != 1:
		err = errors.New("name one pcap file, - for standard input, or -sim")
	}
	if err != nil {
		fmt.Fprintf(stderr, "sniff: %v (sniff -h explains)\n", err)
		return exitUsage
	}

	mesh.key = key
	name, input := "simulation", io.Reader(nil)
	switch {
	case *simulated:
		pipe := mesh.start()
		defer pipe.Close()
		input = pipe
	case flags.Arg(0) == "-":
		name, input = "standard input", stdin
	default:
		file, err := os.Open(flags.Arg(0))
		if err != nil {
			fmt.Fprintf(stderr, "sniff: %v\n", err)
			return exitFailure
		}
		defer file.Close()
		name, input = flags.Arg(0), file
	}
	p := printer{w: stdout, verbose: *verbose, problems: map[string]int{}}
	if err := sniff(ctx, input, dissect.New(key), &p); err != nil {
		fmt.Fprintf(stderr, "sniff: %s: %v\n", name, err)
		return exitFailure
	}
	return 0
}

// sniff shows the packets from input until it ends or ctx is done.
func sniff(ctx context.Context, input io.Reader, d *dissect.Dissector, p *printer) error {
	packets := make(chan packet)
	failed := make(chan error, 1)
	go func() { // on its own, as reading from a pipe cannot be interrupted
		failed <- read(ctx, input, packets)
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
			if p.frame(&f); p.err != nil {
				return p.err
			}
		}
	}
}

// parseKey parses a network key.
func parseKey(s string) (key [keys.Size]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) == 0 || len(b) > keys.Size {
		return key, fmt.Errorf("-key %q is not 1 to %d bytes in hexadecimal", s, keys.Size)
	}
	copy(key[:], b)
	return key, nil
}
