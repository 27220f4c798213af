package sx1276_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// promptness is how soon frames begin after those in whose place of an acknowledgment they are.
type promptness struct {
	frames            int
	shortest, longest time.Duration

	last struct {
		from, seq int
		asks      bool
		end       time.Time
	}
}

func (p *promptness) watch(x lorasim.Transmission) {
	const ackRequest, seqOffset, ackSize = 1 << 5, 2, 5
	last := p.last
	p.last.from, p.last.seq, p.last.asks, p.last.end = x.From, int(x.Packet[seqOffset]), x.Packet[0]&ackRequest != 0, x.Start.Add(x.Airtime)
	if !last.asks || x.From == last.from || len(x.Packet) == ackSize || p.last.seq != last.seq+1 {
		return
	}
	took := x.Start.Sub(last.end)
	if p.frames++; p.frames == 1 || took < p.shortest {
		p.shortest = took
	}
	p.longest = max(p.longest, took)
}

// TestMesh forms a chain of nodes, most of them on emulated chips and one on a simulated radio, in
// which each hears its neighbors alone. Datagrams go from end to end, before and after a chip on
// the way has lost its settings.
func TestMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var prompt promptness
		air := lorasim.NewAir(lorasim.Options{Seed: 1, Propagation: lorasim.LinksOnly, Watch: prompt.watch})
		var ends []lorasim.Endpoint
		var nodes []*pymesh.Node
		var chips []*sx1276emu.Chip
		var radios []*sx1276.Radio
		for i := range 4 {
			var radio lora.Radio
			if i == 1 {
				r := air.Radio(lora.Config{}, lorasim.Position{})
				r.SetManners(lorasim.DriverManners(lora.Config{}))
				ends, radio = append(ends, r), r
			} else {
				chip := emulate(t, air, sx1276emu.Options{Seed: uint64(i)})
				r := drive(t, chip, pins(chip), lora.Config{})
				chips, radios = append(chips, chip), append(radios, r)
				ends, radio = append(ends, chip.Antenna()), r
			}
			if i > 0 {
				air.SetLink(ends[i-1], ends[i], -90)
			}
			node, err := pymesh.New(radio, pymesh.WithKey(pymesh.MustParseKey("737831323736")), pymesh.WithRand(rand.NewChaCha8([32]byte{byte(i)})))
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
		chips[1].BrownOut()
		time.Sleep(10 * time.Second)
		talk()
		t.Logf("%d frames in the place of acknowledgments, after %v to %v", prompt.frames, prompt.shortest, prompt.longest)
		if prompt.frames < 10 || prompt.shortest < 4*time.Millisecond || prompt.longest > 8*time.Millisecond {
			t.Error("they leave as acknowledgments do: after a pause of 5 ms, and at once then")
		}
		for i, r := range radios {
			s := r.Stats()
			t.Logf("%+v", s)
			if s.Missed != 0 || s.Overrun != 0 || s.NoCRC != 0 || s.Stuck != 0 || s.TxTimeouts != 0 || s.Repairs > 1 || s.SPIErrors != 0 {
				t.Errorf("chip %d: %+v", i, s)
			}
			if c := chips[i].Stats(); c.Received != s.Received {
				t.Errorf("chip %d received %d packets, the program %d", i, c.Received, s.Received)
			}
		}
	})
}
