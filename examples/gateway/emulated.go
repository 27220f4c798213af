package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// The simulated mesh: how many nodes are around the gateway, how far apart, in meters, and how much faster than the wall clock they live.
const (
	emulatedNodes = 8
	emulatedSpeed = 20
	emulatedStep  = 700

	readingPort  = 4000
	readingEvery = 2 * time.Minute // by their clock
)

// field is a simulated mesh: the gateway's own radio, and nodes that send readings.
type field struct {
	air   *lorasim.Air
	own   lora.Radio
	nodes []*pymesh.Node
	wg    sync.WaitGroup
	stop  context.CancelFunc
}

// newField puts nodes into two rows, with the gateway at one end.
func newField(key pymesh.Key) (*field, error) {
	f := &field{air: lorasim.NewAir(lorasim.Options{Seed: 1, Speed: emulatedSpeed, Shadowing: 3})}
	f.own = lora.Govern(f.air.Radio(lora.Config{}, lorasim.Position{}), lora.WithAirtimeStore(new(nothingSent)))
	for i := range emulatedNodes {
		place := lorasim.Position{X: float64(i/2+1) * emulatedStep, Y: float64(i%2) * emulatedStep / 2}
		n, err := pymesh.New(f.air.Radio(lora.Config{}, place), pymesh.WithKey(key),
			pymesh.WithMAC(0x70b3d54990000010+pymesh.MAC(i)), pymesh.WithStore(new(pymesh.MemoryStore)))
		if err != nil {
			return nil, errors.Join(err, f.close())
		}
		f.nodes = append(f.nodes, n)
	}
	return f, nil
}

// talk has the nodes send readings to the gateway until ctx ends.
func (f *field) talk(ctx context.Context, gateway *pymesh.Node) {
	ctx, f.stop = context.WithCancel(ctx)
	for i, n := range f.nodes {
		f.wg.Go(func() { f.sense(ctx, i, n, gateway) })
	}
}

// sense is the program of a simulated node: a thermometer; the first two speak as Pycom's library does.
func (f *field) sense(ctx context.Context, i int, n, gateway *pymesh.Node) {
	if n.WaitAttached(ctx) != nil || gateway.WaitAttached(ctx) != nil {
		return
	}
	s, err := n.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), pycom.Port))
	if err != nil {
		return
	}
	defer s.Close()
	clock := f.air.Clock()
	for count := uint16(0); ; count++ {
		port, payload := uint16(readingPort), fmt.Appendf(nil, `{"temperature":%.1f,"battery":%.2f}`, 12+8*rand.Float64(), 3.3+0.4*rand.Float64())
		if i < 2 {
			port = pycom.Port
			p := pycom.Packet{Kind: pycom.KindText, Text: pycom.Text{MAC: uint64(n.MAC()), ID: count, Text: fmt.Sprintf("hello from board %d", i+1)}}
			if count%4 == 0 {
				p = pycom.Packet{Kind: pycom.KindInfo, Info: pycom.Info{
					Role: uint8(n.State()), MAC: uint16(n.MAC()), RLOC16: uint16(n.RLOC16()), Latitude: 52.1 + float64(i)*0.005, Longitude: 5.1 + float64(i)*0.009,
				}}
			}
			if payload, err = p.AppendBinary(nil); err != nil {
				return
			}
		}
		_ = s.SetWriteDeadline(clock.Now().Add(time.Minute))
		_, _ = s.WriteToUDPAddrPort(payload, netip.AddrPortFrom(gateway.MeshLocalEID(), port))
		pause := readingEvery/2 + time.Duration(rand.Int64N(int64(readingEvery)))
		timer := time.NewTimer(clock.Until(clock.Now().Add(pause)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (f *field) close() error {
	if f.stop != nil {
		f.stop()
	}
	var errs []error
	for _, n := range f.nodes {
		errs = append(errs, n.Close())
	}
	f.wg.Wait()
	return errors.Join(append(errs, f.own.Close())...)
}

// nothingSent is the memory of a radio that begins with the simulation.
type nothingSent struct{}

func (*nothingSent) LoadAirtime() ([]lora.SentAirtime, error) { return nil, nil }
func (*nothingSent) SaveAirtime([]lora.SentAirtime) error     { return nil }
