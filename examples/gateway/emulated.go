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
	"github.com/gopymesh/pymesh/examples/gateway/internal/boards"
	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// The simulated mesh: how many nodes are around the gateway, how far apart, in meters, and how much faster than the wall clock they live.
// emulatedRadio is of a sub-band of which a tenth of the time may be used: in a hundredth a gateway that is looked at, twenty times as fast as it is
// in life, has nothing left after a minute.
var emulatedRadio = lora.Config{Frequency: 869_525 * lora.KHz}

const (
	emulatedNodes = 8
	emulatedSpeed = 20
	emulatedStep  = 700
	emulatedMAC   = 0x70b3d54990000010 // of the first

	emulatedLooks = duration(40 * time.Second) // of airtime in an hour, to have the map soon

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

// newField puts n nodes into two rows, with the gateway at one end.
func newField(key pymesh.Key, n int, speed float64) (*field, error) {
	f := &field{air: lorasim.NewAir(lorasim.Options{Seed: 1, Speed: speed, Shadowing: 3})}
	f.own = lora.Govern(f.air.Radio(emulatedRadio, lorasim.Position{}), lora.WithAirtimeStore(new(nothingSent)))
	for i := range n {
		place := lorasim.Position{X: float64(i/2+1) * emulatedStep, Y: float64(i%2) * emulatedStep / 2}
		n, err := pymesh.New(f.air.Radio(emulatedRadio, place), pymesh.WithKey(key),
			pymesh.WithMAC(emulatedMAC+pymesh.MAC(i)), pymesh.WithStore(new(pymesh.MemoryStore)), pymesh.WithPycomAddress())
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
		f.wg.Go(func() { f.live(ctx, i, n, gateway) })
	}
}

// live is the program of a simulated node: a thermometer, and the first two are boards with Pycom's library.
func (f *field) live(ctx context.Context, i int, n, gateway *pymesh.Node) {
	if n.WaitAttached(ctx) != nil || gateway.WaitAttached(ctx) != nil {
		return
	}
	port := uint16(readingPort)
	if i < 2 {
		port = pycom.Port
	}
	s, err := n.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), port))
	if err != nil {
		return
	}
	defer s.Close()
	b := &emulatedBoard{Node: n, field: f, socket: s, gateway: gateway, index: i}
	if i < 2 {
		b.boards = boards.New(b, 0)
		f.wg.Go(b.listen)
	}
	clock := f.air.Clock()
	for count := 0; ; count++ {
		b.speak(ctx, count)
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

// emulatedBoard is a simulated node, and with boards one of Pycom's library.
type emulatedBoard struct {
	*pymesh.Node
	field   *field
	socket  *pymesh.UDPConn
	gateway *pymesh.Node
	boards  *boards.Boards
	index   int
}

// MAC is the address of the board, for the library.
func (b *emulatedBoard) MAC() uint64 { return uint64(b.Node.MAC()) }

// Describe is what the board tells of itself.
func (b *emulatedBoard) Describe() pycom.Info {
	i := pycom.Info{RLOC16: uint16(b.RLOC16()), Latitude: 52.1 + float64(b.index)*0.005, Longitude: 5.1 + float64(b.index)*0.009}
	for _, n := range b.Node.Neighbors() {
		i.Neighbors = append(i.Neighbors, pycom.Neighbor{MAC: uint16(n.MAC), RLOC16: uint16(n.RLOC16), Role: uint8(n.Role), RSSI: int8(max(n.RSSI, -128))})
	}
	return i
}

// Nodes and Pairs are what the leader of a mesh of boards collects; here it is the gateway that knows.
func (b *emulatedBoard) Nodes() []uint16     { return nil }
func (b *emulatedBoard) Pairs() []pycom.Pair { return nil }

// speak sends a reading, or a text.
func (b *emulatedBoard) speak(ctx context.Context, count int) {
	to := netip.AddrPortFrom(b.gateway.MeshLocalEID(), readingPort)
	payload := fmt.Appendf(nil, `{"temperature":%.1f,"battery":%.2f}`, 12+8*rand.Float64(), 3.3+0.4*rand.Float64())
	if b.boards != nil && count%2 == 0 {
		p, _, forget, err := b.boards.Text(uint16(b.gateway.MAC()), fmt.Sprintf("hello from board %d", b.index+1))
		if err != nil {
			return
		}
		defer forget()
		if payload, err = p.AppendBinary(nil); err != nil {
			return
		}
		to = netip.AddrPortFrom(to.Addr(), pycom.Port)
	}
	b.send(payload, to)
}

func (b *emulatedBoard) send(payload []byte, to netip.AddrPort) {
	_ = b.socket.SetWriteDeadline(b.field.air.Clock().Now().Add(time.Minute))
	_, _ = b.socket.WriteToUDPAddrPort(payload, to)
}

// listen answers as the library does, until the socket is closed.
func (b *emulatedBoard) listen() {
	buf := make([]byte, pymesh.MaxDatagramSize)
	for {
		n, from, err := b.socket.ReadFromUDPAddrPort(buf)
		if closed(err) {
			return
		}
		if p, bad := pycom.Parse(buf[:n]); err == nil && bad == nil {
			if answer, ok := b.boards.Heard(time.Now(), 0, p); ok {
				if out, err := answer.AppendBinary(nil); err == nil {
					b.send(out, netip.AddrPortFrom(from.Addr(), pycom.Port))
				}
			}
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
