package lorasim_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// Two radios in real time. A hundred seconds of theirs pass in one of ours.
func ExampleNewAir() {
	air := lorasim.NewAir(lorasim.Options{Speed: 100})
	a := air.Radio(lora.Config{}, lorasim.Position{})
	b := air.Radio(lora.Config{}, lorasim.Position{X: 500})
	defer a.Close()
	defer b.Close()

	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, lora.MaxPacket)
		r, err := b.Receive(context.Background(), buf)
		fmt.Printf("%s, %d dBm, SNR %v dB, %v\n", buf[:r.N], r.RSSI, r.SNR, err)
	})
	if err := a.Send(context.Background(), []byte("hello")); err != nil {
		fmt.Println(err)
	}
	wg.Wait()
	// Output:
	// hello, -112 dBm, SNR 5.25 dB, <nil>
}

// echo is a station that sends back what it hears.
type echo struct {
	name string
	out  []byte
}

func (e *echo) NextTimeout() (time.Time, bool)      { return time.Time{}, false }
func (e *echo) HandleTimeout(time.Time)             {}
func (e *echo) HandleTransmitDone(time.Time, error) {}
func (e *echo) HandleFrame(now time.Time, psdu []byte, rssi int) {
	fmt.Printf("%s %s hears %s at %d dBm\n", now.Format("05.000"), e.name, psdu, rssi)
	if e.name == "B" {
		e.out = append(e.out[:0], psdu...)
	}
}

func (e *echo) PollTransmit() ([]byte, bool) {
	out := e.out
	e.out = nil
	return out, len(out) > 0
}

// Two state machines in virtual time.
func ExampleNew() {
	sim := lorasim.New(lorasim.Options{Config: lora.Config{SpreadingFactor: lora.SF12}})
	a := &echo{name: "A"}
	node := sim.Add(a, lorasim.Position{})
	sim.Add(&echo{name: "B"}, lorasim.Position{X: 1500})

	sim.After(10*time.Second, func() {
		a.out = []byte("ping")
		node.Touch()
	})
	sim.Run(time.Minute)
	fmt.Println(sim.Now().Format(time.DateTime), sim.Stats().Airtime)
	// Output:
	// 10.828 B hears ping at -128 dBm
	// 11.656 A hears ping at -128 dBm
	// 2000-01-01 00:01:00 1.654784s
}

// A chain in which each node hears its neighbors alone, and a capture for Wireshark.
func ExampleSim_SetLink() {
	file, err := os.CreateTemp("", "air-*.pcap")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(file.Name())
	defer file.Close()

	sim := lorasim.New(lorasim.Options{Propagation: lorasim.LinksOnly, Capture: file})
	var nodes []*lorasim.Node
	for i := range 4 {
		n := sim.Add(&echo{name: fmt.Sprint(i)}, lorasim.Position{})
		if i > 0 {
			sim.SetLink(nodes[i-1], n, -80)
		}
		nodes = append(nodes, n)
	}
	sim.CutLink(nodes[1], nodes[2])
	sim.SetLoss(nodes[0], nodes[1], 0.1)
	fmt.Println(sim.RSSI(nodes[0], nodes[1]), sim.RSSI(nodes[0], nodes[2]), sim.RSSI(nodes[1], nodes[2]))
	// Output:
	// -80 -Inf -Inf
}

// The radio of OpenThread's simulation: everyone hears everyone, nothing collides.
func ExampleOptions_ideal() {
	sim := lorasim.New(lorasim.Options{PHY: lorasim.IEEE802154, Ideal: true})
	a := &echo{name: "A", out: []byte("beacon")}
	sim.Add(&echo{name: "C"}, lorasim.Position{})
	sim.Add(a, lorasim.Position{})
	sim.Run(time.Second)
	// Output:
	// 00.000 C hears beacon at -20 dBm
}

func ExampleLogDistance() {
	free := lorasim.LogDistance(31.2, 2)
	ground := lorasim.LogDistance(lorasim.DefaultLoss1m, lorasim.DefaultExponent)
	for _, m := range []float64{10, 100, 1000} {
		to := lorasim.Position{X: m}
		fmt.Printf("%4.0f m: %.1f dBm in free space, %.1f dBm near the ground\n",
			m, free(14, lorasim.Position{}, to), ground(14, lorasim.Position{}, to))
	}
	// Output:
	//   10 m: -37.2 dBm in free space, -52.2 dBm near the ground
	//  100 m: -57.2 dBm in free space, -87.2 dBm near the ground
	// 1000 m: -77.2 dBm in free space, -122.2 dBm near the ground
}
