// Topology draws a mesh: it joins it as a node, asks one node after the other for what it knows, and prints routers, children and links with
// the quality of both directions, as text, JSON or a graph for Graphviz. With -trace it prints the way to an address.
//
//	go run ./examples/topology                                          # a simulated mesh
//	go run ./examples/topology -board dragino -region EU868 -frequency 868.1 -key-file key.hex
//	go run ./examples/topology -format dot | dot -Tsvg > mesh.svg
//
// Pycom's boards answer as well. On LoRa a walk takes its time: ten times that of a frame passes between an answer and the next question.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/internal/about"
	"github.com/gopymesh/pymesh/examples/internal/hat"
	"github.com/gopymesh/pymesh/examples/internal/keyflag"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread/topology"
)

// Exit codes.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// Bounds and places of the simulation.
const (
	maxNodes = 16
	spacing  = 400 // meters between the nodes of a row: each hears two or three to either side
)

const usage = `Topology draws a mesh: it joins it as an end device, asks one node after the other for what
it knows, and prints routers, children and links with the quality of both directions.
"→3 ←2" says that the second node hears the first with quality 3, and is heard with 2; "?"
stands for what nobody has told. A node that is silent stays in the table, with the time
since it was heard of.

Without -board the mesh is a simulated one.

Usage:
  topology [flags]

Flags:
`

// options are the command line's.
type options struct {
	hat      *hat.Flags
	real     bool
	keys     *keyflag.Flags
	key      pymesh.Key
	format   string
	trace    netip.Addr
	children bool
	timeout  time.Duration
	pause    time.Duration
	nodes    int
	speed    float64
	quiet    bool
	verbose  bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "topology: %v (topology -h explains)\n", err)
		return exitUsage
	}
	err = o.run(ctx, stdout, stderr)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "topology: interrupted")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(stderr, "topology:", err)
		return exitFailure
	}
	return 0
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("topology", flag.ContinueOnError)
	o.hat = hat.Register(f)
	o.keys = keyflag.Register(f, "")
	f.StringVar(&o.format, "format", "text", "`form` of the output: text, json or dot")
	trace := f.String("trace", "", "print the way to an `address` of the mesh in place of all nodes")
	f.BoolVar(&o.children, "children", false, "ask children too: for their addresses")
	f.DurationVar(&o.timeout, "timeout", 30*time.Minute, "give up after this `time`, and print what is known")
	f.DurationVar(&o.pause, "pause", 0, "`time` between an answer and the next question; 0 for ten times that of a frame")
	f.IntVar(&o.nodes, "nodes", 5, "number of nodes in the simulated mesh")
	f.Float64Var(&o.speed, "speed", 60, "seconds on the simulated air in a second")
	f.BoolVar(&o.quiet, "q", false, "no progress on standard error")
	f.BoolVar(&o.verbose, "v", false, "log to standard error")
	if err := about.Parse(f, args, usage, stderr); err != nil {
		return nil, err
	}
	f.Visit(func(given *flag.Flag) { o.real = o.real || given.Name == "board" })
	return o, o.check(f, *trace)
}

func (o *options) check(f *flag.FlagSet, trace string) (err error) {
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("what is %q?", f.Arg(0))
	case o.format != "text" && o.format != "json" && o.format != "dot":
		return fmt.Errorf("-format %q is none of text, json and dot", o.format)
	case o.timeout <= 0 || o.speed <= 0:
		return errors.New("-timeout and -speed must be positive")
	case o.nodes < 2 || o.nodes > maxNodes:
		return fmt.Errorf("-nodes %d is not in 2 to %d", o.nodes, maxNodes)
	}
	if trace != "" {
		if o.trace, err = netip.ParseAddr(trace); err != nil || !o.trace.Is6() {
			return fmt.Errorf("-trace %q is no IPv6 address", trace)
		}
	}
	if o.key, err = o.keys.KeyFor(!o.real); err != nil || !o.real {
		return err
	}
	return o.hat.Check()
}

func (o *options) run(ctx context.Context, stdout, stderr io.Writer) error {
	log := slog.New(slog.DiscardHandler)
	if o.verbose {
		log = slog.New(slog.NewTextHandler(stderr, nil))
	}
	say := func(format string, args ...any) {
		if !o.quiet {
			fmt.Fprintf(stderr, format, args...)
		}
	}
	node, stop, err := o.join(ctx, log, say)
	if err != nil {
		return err
	}
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if o.trace.IsValid() {
		return o.printTrace(ctx, node, stdout)
	}
	t, err := node.Topology(ctx, pymesh.TopologyOptions{
		Children: o.children, Pause: o.pause,
		Progress: func(asked, left int, next uint16) { say("asking 0x%04x, %d asked, %d left\n", next, asked, left) },
	})
	if err != nil && len(t.Routers) == 0 {
		return err
	}
	if printErr := o.print(t, stdout); printErr != nil {
		return printErr
	}
	return err
}

// join makes this program a node of the mesh, an end device that routes for nobody.
func (o *options) join(ctx context.Context, log *slog.Logger, say func(string, ...any)) (node *pymesh.Node, stop func(), err error) {
	options := []pymesh.Option{pymesh.WithKey(o.key), pymesh.WithMode(pymesh.EndDevice), pymesh.WithLogger(log)}
	var radio lora.Radio
	stopMesh := func() {}
	if o.real {
		if radio, err = o.hat.Open(log); err != nil {
			return nil, nil, err
		}
		radio = lora.Govern(radio, lora.WithLogger(log))
	} else if radio, stopMesh, err = o.simulate(ctx, say); err != nil {
		return nil, nil, err
	}
	node, err = pymesh.New(radio, options...)
	if err != nil {
		stopMesh()
		return nil, nil, errors.Join(err, radio.Close())
	}
	stop = func() {
		_ = node.Close() // it has told already what is wrong with its radio
		_ = radio.Close()
		stopMesh()
	}
	say("joining the mesh\n")
	wait, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := node.WaitAttached(wait); err != nil {
		stop()
		return nil, nil, fmt.Errorf("no mesh: %w", err)
	}
	return node, stop, nil
}

// simulate makes a mesh of nodes in a row, and a radio at its end.
func (o *options) simulate(ctx context.Context, say func(string, ...any)) (lora.Radio, func(), error) {
	air := lorasim.NewAir(lorasim.Options{Speed: o.speed})
	var nodes []*pymesh.Node
	stop := func() {
		for _, n := range nodes {
			_ = n.Close()
		}
	}
	for i := range o.nodes {
		say("node %d of %d of the simulated mesh starts\n", i+1, o.nodes)
		n, err := pymesh.New(air.Radio(lora.Config{}, lorasim.Position{X: float64(i+1) * spacing}), pymesh.WithKey(o.key))
		if err == nil {
			nodes = append(nodes, n)
			err = n.WaitAttached(ctx)
		}
		if err != nil {
			stop()
			return nil, nil, err
		}
	}
	return air.Radio(lora.Config{}, lorasim.Position{}), stop, nil
}

func (o *options) print(t topology.Topology, w io.Writer) error {
	switch o.format {
	case "json":
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(t)
	case "dot":
		return t.WriteDOT(w)
	}
	return t.WriteText(w)
}

func (o *options) printTrace(ctx context.Context, node *pymesh.Node, w io.Writer) error {
	hops, err := node.Trace(ctx, o.trace)
	if o.format == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return errors.Join(err, encoder.Encode(topology.Way(hops)))
	}
	return errors.Join(err, topology.Way(hops).WriteText(w))
}
