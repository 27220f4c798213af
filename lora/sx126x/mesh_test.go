package sx126x_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/internal/chipemu"
	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
)

// TestMesh forms a chain of nodes on emulated chips, SX1262 and SX1276 in turn, in which each hears its neighbors alone. Datagrams go from end to
// end, before and after a chip on the way has lost its settings.
func TestMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{Seed: 1, Propagation: lorasim.LinksOnly})
		var ends []lorasim.Endpoint
		var nodes []*pymesh.Node
		type counted interface {
			lora.Radio
			Stats() sx126x.Stats
		}
		var cores []*chipemu.Core
		var radios []counted
		var first1262 *sx126xemu.Chip
		for i := range 4 {
			var radio counted
			if i%2 == 1 {
				chip, r := drive1276(t, air, lorasim.Position{}, lora.Config{})
				cores, radio = append(cores, &chip.Core), r
			} else {
				board := sx126x.RAK6421Slot1
				chip := emulate(t, air, options(board))
				cores, radio = append(cores, &chip.Core), drive(t, chip, pins(chip), board, lora.Config{})
				first1262 = chip
			}
			radios, ends = append(radios, radio), append(ends, cores[i].Antenna())
			if i > 0 {
				air.SetLink(ends[i-1], ends[i], -90)
			}
			node, err := pymesh.New(radio, pymesh.WithKey(pymesh.MustParseKey("626f7468")), pymesh.WithRand(rand.NewChaCha8([32]byte{byte(i)})))
			if err != nil {
				t.Fatal(err)
			}
			defer node.Close()
			nodes = append(nodes, node)
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			if err := node.WaitAttached(ctx); err != nil {
				t.Fatalf("node %d: %v", i, err)
			}
			cancel()
			start := time.Now()
			for node.State() < pymesh.StateRouter {
				if time.Sleep(time.Second); time.Since(start) > 10*time.Minute {
					t.Fatalf("node %d is still %v", i, node.State())
				}
			}
		}
		time.Sleep(2 * time.Minute) // routes spread with Advertisements
		first, last := nodes[0], nodes[len(nodes)-1]
		talk := func() {
			t.Helper()
			server, err := last.ListenUDP(netip.MustParseAddrPort("[::]:1234"))
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			client, err := first.ListenUDP(netip.MustParseAddrPort("[::]:0"))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			for _, size := range []int{10, 80, 500} {
				want := bytes.Repeat([]byte{byte(size)}, size)
				got := make([]byte, 1280)
				n := 0
				for try := 0; n == 0; try++ {
					if _, err := client.WriteToUDPAddrPort(want, netip.AddrPortFrom(last.MeshLocalEID(), 1234)); err != nil {
						t.Fatal(err)
					}
					server.SetReadDeadline(time.Now().Add(time.Minute))
					if n, _, err = server.ReadFromUDPAddrPort(got); err != nil && try == 2 {
						t.Fatalf("%d bytes: %v", size, err)
					}
				}
				if !bytes.Equal(got[:n], want) {
					t.Errorf("%d bytes: got %d others", size, n)
				}
			}
		}
		talk()
		first1262.BrownOut() // in the middle of the chain
		time.Sleep(10 * time.Second)
		talk()
		for i, r := range radios {
			s := r.Stats()
			t.Logf("%+v", s)
			if s.Missed != 0 || s.Overrun != 0 || s.NoCRC != 0 || s.Stuck != 0 || s.TxTimeouts != 0 || s.Repairs > 1 || s.SPIErrors != 0 {
				t.Errorf("chip %d: %+v", i, s)
			}
			c := cores[i].Stats()
			for range 100 { // one may just be on its way from the chip to the program; what is lost there stays lost
				if c.Received == s.Received {
					break
				}
				time.Sleep(10 * time.Millisecond)
				s, c = r.Stats(), cores[i].Stats()
			}
			if c.Received != s.Received {
				t.Errorf("chip %d received %d packets, the program %d", i, c.Received, s.Received)
			}
		}
	})
}
