package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
)

const (
	maxNodes = 1000
	// simulatedTime is how long the simulation lasts unless the flags say otherwise.
	simulatedTime = 5 * time.Minute
	// spacing is the distance between neighbors in the row of nodes, in meters. A packet reaches the next but one, but no
	// farther.
	spacing = 500
	// greetingInterval is the time between datagrams from the last node to the first.
	greetingInterval = time.Minute
	greetingPort     = 1234

	// The first node has become leader by headStart; then the others join, one by one until the end of joinWindow.
	headStart  = 30 * time.Second
	joinWindow = 30 * time.Second
)

// simulation is a row of nodes on LoRa in virtual time. The last one greets the first now and then.
type simulation struct {
	nodes    int
	duration time.Duration
	seed     uint64
	key      [keys.Size]byte
}

// start runs the simulation beside the reader of its capture. Closing the reader ends it.
func (s *simulation) start() io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(s.run(w)) }()
	return r
}

// run writes a pcap file of all that is sent.
func (s *simulation) run(capture io.Writer) error {
	sim := lorasim.New(lorasim.Options{Seed: s.seed, Capture: capture})
	var startErr error
	var engines []*thread.Engine
	var antennas []*lorasim.Node
	for i := range s.nodes {
		engine, err := thread.New(thread.Config{
			NetworkKey: s.key,
			ExtAddr:    ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, byte((i + 1) >> 8), byte(i + 1)},
			Rand:       rand.NewChaCha8(s.seedOf(i)),
		})
		if err != nil {
			return err
		}
		antenna := sim.Add(engine, lorasim.Position{X: float64(i) * spacing})
		sim.After(s.startOf(i), func() {
			startErr = errors.Join(startErr, engine.Start(sim.Now()))
			antenna.Touch()
		})
		engines, antennas = append(engines, engine), append(antennas, antenna)
	}

	first, last := engines[0], len(engines)-1
	var greet func()
	greet = func() {
		// It fails while the node is not attached: the next one may be.
		_ = greetFrom(engines[last], first.MeshLocalEID(), sim.Now())
		antennas[last].Touch()
		sim.After(greetingInterval, greet)
	}
	if last > 0 {
		sim.After(greetingInterval, greet)
	}
	sim.RunUntil(func() bool { return sim.CaptureErr() != nil || startErr != nil }, s.duration)
	return errors.Join(startErr, sim.CaptureErr())
}

// startOf returns when node i starts.
func (s *simulation) startOf(i int) time.Duration {
	if i == 0 {
		return 0
	}
	return headStart + time.Duration(i)*joinWindow/time.Duration(s.nodes)
}

func greetFrom(e *thread.Engine, to netip.Addr, now time.Time) error {
	header := ip6.Header{HopLimit: 64, Src: e.SelectSource(to), Dst: to}
	packet, err := ip6.AppendUDP(nil, header, greetingPort, greetingPort, []byte("hello"))
	if err != nil {
		return err
	}
	return e.HandlePacket(now, packet)
}

// seedOf returns the seed of a node's own chance.
func (s *simulation) seedOf(i int) (seed [32]byte) {
	copy(seed[:], fmt.Appendf(nil, "%d/%d", s.seed, i))
	return seed
}
