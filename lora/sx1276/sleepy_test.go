package sx1276_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// TestSleepyMesh has a node that sleeps on an emulated chip, behind another one on a chip that does not: it polls, hears what is promised
// in the acknowledgement and comes right after it, and its chip sleeps for the rest.
func TestSleepyMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{Seed: 1})
		var nodes []*pymesh.Node
		var chips []*sx1276emu.Chip
		var radios []*sx1276.Radio
		for i, options := range [][]pymesh.Option{nil, {pymesh.WithMode(pymesh.SleepyEndDevice), pymesh.WithPollPeriod(30 * time.Second)}} {
			chip := emulate(t, air, sx1276emu.Options{Seed: uint64(i), Position: lorasim.Position{X: 200 * float64(i)}})
			r := drive(t, chip, pins(chip), lora.Config{})
			options = append(options, pymesh.WithKey(pymesh.MustParseKey("737831323736")), pymesh.WithRand(rand.NewChaCha8([32]byte{byte(i)})))
			node, err := pymesh.New(r, options...)
			if err != nil {
				t.Fatal(err)
			}
			defer node.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			if err := node.WaitAttached(ctx); err != nil {
				t.Fatalf("node %d: %v", i, err)
			}
			cancel()
			nodes, chips, radios = append(nodes, node), append(chips, chip), append(radios, r)
		}
		time.Sleep(time.Minute)
		child := nodes[1]
		lost := 0
		for _, size := range []int{0, 50, 50, 50, 300} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if _, err := nodes[0].Ping(ctx, child.MeshLocalEID(), size); err != nil {
				lost++
			}
			cancel()
		}
		if lost > 1 {
			t.Errorf("%d of 5 pings lost", lost)
		}
		before, polls := chips[1].Antenna().Activity(), child.Counters()["TxPolls"]
		time.Sleep(time.Hour)
		a, n := chips[1].Antenna().Activity(), time.Duration(child.Counters()["TxPolls"]-polls)
		t.Logf("%d polls, each %v sending and %v listening", n, (a.Transmitting-before.Transmitting)/n, (a.Receiving-before.Receiving)/n)
		if on := a.Transmitting + a.Receiving - before.Transmitting - before.Receiving; on > n*150*time.Millisecond {
			t.Errorf("on for %v in an hour", on)
		}
		if child.State() != pymesh.StateChild || child.Counters()["PollsMissed"] > 2 {
			t.Errorf("%v: %+v", child, child.Counters())
		}
		if s := radios[1].Stats(); s.Repairs != 0 || s.Stuck != 0 || s.Restarts != 0 {
			t.Errorf("%+v", s)
		}
	})
}
