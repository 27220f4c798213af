// Quickstart shows a Pymesh at work without any hardware: a chain of nodes on a simulated LoRa air, whose ends cannot hear each
// other, forms a mesh; then the ends ping each other and exchange datagrams.
//
//	go run ./examples/quickstart
//	go run ./examples/quickstart -nodes 8 -pcap air.pcap
//
// What is simulated is the air alone. The nodes are those of a real mesh, each with its goroutines and timers.
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

	"github.com/gopymesh/pymesh/examples/internal/about"
	"github.com/gopymesh/pymesh/lora"
)

// Exit codes.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// Bounds of the flags.
const (
	minNodes, maxNodes = 2, 16
	minSF, maxSF       = 7, 12
)

const usage = `Quickstart shows a Pymesh at work without any hardware.

A chain of nodes on a simulated LoRa air forms a mesh. Each node hears the one before
and the one behind; all else has to be passed on. Then the ends of the chain ping each
other and exchange datagrams.

Time on the air passes 25 times as fast as yours, faster still at spreading factors above
8, where everything takes longer. With -realtime the mesh takes the minutes that it takes
on real boards. Times shown are those of the air.

Usage:
  quickstart [flags]

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	nodes := flags.Int("nodes", 4, fmt.Sprintf("`number` of nodes, %d to %d", minNodes, maxNodes))
	sf := flags.Int("sf", 7, fmt.Sprintf("LoRa `spreading factor`, %d to %d", minSF, maxSF))
	seed := flags.Uint64("seed", 1, "`number` from which all identifiers and jitter follow")
	file := flags.String("pcap", "", "write all packets on the air to `FILE`, for Wireshark or examples/sniff")
	realtime := flags.Bool("realtime", false, "let time pass as on real boards")
	version := about.Register(flags)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	}
	if *version {
		fmt.Fprintln(stderr, about.Version("quickstart"))
		return 0
	}

	var problem string
	switch {
	case flags.NArg() > 0:
		problem = fmt.Sprintf("%q: there are flags only", flags.Arg(0))
	case *nodes < minNodes || *nodes > maxNodes:
		problem = fmt.Sprintf("-nodes %d is not in %d to %d", *nodes, minNodes, maxNodes)
	case *sf < minSF || *sf > maxSF:
		problem = fmt.Sprintf("-sf %d is not in %d to %d", *sf, minSF, maxSF)
	}
	if problem != "" {
		fmt.Fprintf(stderr, "quickstart: %s; see -h\n", problem)
		return exitUsage
	}

	d := newDemo(*nodes, lora.SpreadingFactor(*sf))
	d.seed, d.file, d.out = *seed, *file, newPrinter(stdout)
	if *realtime {
		d.speed = 1
	}
	switch err := d.run(ctx); {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "quickstart: interrupted; all nodes are closed")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(stderr, "quickstart:", err)
		return exitFailure
	}
	return 0
}
