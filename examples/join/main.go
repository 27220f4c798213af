// Join shows how a node comes into a mesh by a password, on a simulated LoRa air: an owner's node lets another one in, which knows nothing of the
// network but its own password.
//
//	go run ./examples/join
//	go run ./examples/join -password J02NME   # what happens with another
//
// Time on the air passes 20 times as fast as yours.
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
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// label is the password that is printed on the new node.
const label = "J01NME"

const usage = `Join shows how a node comes into a mesh by a password, on a simulated LoRa air.

Usage:
  join [flags]

Flags:
`

// speed is how fast time passes on the air.
const speed = 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, speed)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "join:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer, speed float64) error {
	flags := flag.NewFlagSet("join", flag.ContinueOnError)
	password := flags.String("password", label, "`password` that the owner types for the new node, on which "+label+" is printed")
	if err := about.Parse(flags, args, usage, os.Stderr); err != nil {
		return err
	}
	air := lorasim.NewAir(lorasim.Options{Seed: 1, Speed: speed})
	clock := lora.ClockOf(air.Radio(lora.Config{}, lorasim.Position{X: 1e6}))
	begin := clock.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(out, "%6.1f s  "+format+"\n", append([]any{clock.Now().Sub(begin).Seconds()}, args...)...)
	}

	owner, err := pymesh.New(air.Radio(lora.Config{}, lorasim.Position{}), pymesh.WithKey(pymesh.NewKey()), pymesh.WithNetworkName("home"))
	if err != nil {
		return err
	}
	defer owner.Close()
	if err := owner.WaitAttached(ctx); err != nil {
		return err
	}
	say("the owner's node leads the network %q", owner.Network().Name)

	commissioner, err := owner.Commission(ctx)
	if err != nil {
		return err
	}
	if err := commissioner.Allow(pymesh.AnyNode, *password, 10*time.Minute); err != nil {
		return err
	}
	say("it lets in who has the password %s", *password)

	radio, store := air.Radio(lora.Config{}, lorasim.Position{X: 300}), pymesh.WithStore(new(pymesh.MemoryStore))
	progress := pymesh.WithJoinProgress(func(p pymesh.JoinProgress) { say("the new node: %v %s", p.State, p.Network) })
	network, err := pymesh.Join(ctx, radio, label, store, progress)
	if err != nil {
		return err
	}
	say("the new node has the key of %q", network.Name)

	node, err := pymesh.New(radio, store)
	if err != nil {
		return err
	}
	defer node.Close()
	if err := node.WaitReachable(ctx, owner.MeshLocalEID()); err != nil {
		return err
	}
	say("it is a %v of the mesh, and reaches the owner's node", node.State())
	return nil
}
