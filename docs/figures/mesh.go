package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
)

// key is the network key of all meshes here.
var key = [keys.Size]byte{1, 2, 3}

// mesh is a row of nodes on a simulated air, each of which hears those next to it alone, and what was on that air.
type mesh struct {
	sim       *lorasim.Sim
	engines   []*thread.Engine
	antennas  []*lorasim.Node
	dissector *dissect.Dissector
	seen      []frame
	begin     time.Time
	err       error
}

// all stands for a broadcast, nobody for a frame whose receiver is none of the nodes.
const (
	all    = -1
	nobody = -2
)

// frame is what one node has sent.
type frame struct {
	at       time.Duration
	from, to int // nodes, counted from 0, or all
	protocol string
	facts    []string
	ack      bool
	repeat   bool // of one that was not acknowledged
}

// signal is the strength of all links, in dBm.
const signal = -100

// newMesh puts nodes on an air. Node i is switched on at starts[i].
func newMesh(seed uint64, starts ...time.Duration) *mesh {
	m := &mesh{dissector: dissect.New(key)}
	m.sim = lorasim.New(lorasim.Options{Seed: seed, Watch: m.watch})
	m.begin = m.sim.Now()
	for i, at := range starts {
		var chance [32]byte
		copy(chance[:], fmt.Sprintf("%d/%d", seed, i))
		e, err := thread.New(thread.Config{NetworkKey: key, ExtAddr: ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 7: byte(i + 1)}, Rand: rand.NewChaCha8(chance)})
		if err != nil {
			m.err = err
			return m
		}
		a := m.sim.Add(e, lorasim.Position{X: float64(i)})
		for j, other := range m.antennas {
			if j == i-1 {
				m.sim.SetLink(a, other, signal)
			} else {
				m.sim.CutLink(a, other)
			}
		}
		m.engines, m.antennas = append(m.engines, e), append(m.antennas, a)
		m.after(at, i, func(now time.Time) error { return e.Start(now) })
	}
	return m
}

// after calls node i at a time since now.
func (m *mesh) after(d time.Duration, i int, call func(now time.Time) error) {
	m.sim.After(d, func() {
		if err := call(m.sim.Now()); err != nil && m.err == nil {
			m.err = fmt.Errorf("node %d at %v: %w", i, m.elapsed(), err)
		}
		m.antennas[i].Touch()
	})
}

func (m *mesh) elapsed() time.Duration { return m.sim.Now().Sub(m.begin) }

// watch notes what is sent.
func (m *mesh) watch(t lorasim.Transmission) {
	f := m.dissector.Dissect(t.Start, slices.Clone(t.Packet))
	m.seen = append(m.seen, frame{
		at: t.Start.Sub(m.begin), from: t.From, to: m.node(f.MAC.To), protocol: f.Protocol(), facts: f.Facts(),
		ack: f.MAC.Type == ieee802154.Ack, repeat: f.MAC.Repeat,
	})
}

// node tells whose an address is.
func (m *mesh) node(a ieee802154.Addr) int {
	if a.IsBroadcast() {
		return all
	}
	for i, e := range m.engines {
		if a.Mode == ieee802154.AddrModeExt && a.Ext == e.ExtAddr() || a.Mode == ieee802154.AddrModeShort && uint16(a.Short) == uint16(e.RLOC16()) {
			return i
		}
	}
	return nobody
}

// until runs the mesh until a condition holds, and fails when that takes longer than an hour.
func (m *mesh) until(what string, condition func() bool) {
	if m.err != nil {
		return
	}
	met := false
	m.sim.RunUntil(func() bool { met = met || condition(); return met || m.err != nil }, time.Hour)
	if m.err == nil && !met {
		m.err = fmt.Errorf("not within an hour: %s", what)
	}
}

// run lets time pass.
func (m *mesh) run(d time.Duration) {
	if m.err == nil {
		m.sim.Run(d)
	}
}

// routers waits until all nodes are routers, and know ways to each other.
func (m *mesh) routers() {
	m.until("all are routers", func() bool {
		for _, e := range m.engines {
			if e.Role() < thread.RoleRouter || len(e.Routers()) != len(m.engines) {
				return false
			}
		}
		return true
	})
	m.run(3 * time.Minute)
	m.seen = nil
}

// send has a node send a datagram to another address.
func (m *mesh) send(from int, to netip.Addr, payload string) {
	if m.err != nil {
		return
	}
	e := m.engines[from]
	packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: e.SelectSource(to), Dst: to}, port, port, []byte(payload))
	if err == nil {
		err = e.HandlePacket(m.sim.Now(), packet)
	}
	m.err = err
	m.antennas[from].Touch()
}

// port is the UDP port of Pycom's examples.
const port = 1234
