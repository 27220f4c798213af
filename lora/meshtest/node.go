package meshtest

import (
	"errors"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// A Node is a Thread node at an antenna.
type Node struct {
	*thread.Engine
	// Antenna stands for the node on the air: to move it, to switch it off, to set or cut its links.
	Antenna *lorasim.Node
	// Config is what the engine was made of, and what Restart makes the next one of: a test may change it before.
	Config thread.Config

	mesh *Mesh
}

// Start brings the interface up and starts attaching.
func (n *Node) Start() {
	n.mesh.tb.Helper()
	if err := n.Engine.Start(n.mesh.Sim.Now()); err != nil {
		n.mesh.tb.Fatal(err)
	}
	n.Antenna.Touch()
}

// Stop leaves the network and takes the interface down. Start goes on.
func (n *Node) Stop() {
	n.Engine.Stop(n.mesh.Sim.Now())
	n.Antenna.Touch()
}

// PowerOff takes the power away: without a word to anybody the node is gone. What the engine knew last can still be asked.
func (n *Node) PowerOff() { n.Antenna.SetStation(nil) }

// Restart replaces the engine by a new one, which has Config and so the same store, and starts it. The old one has stored what there was
// to store, as a node has a moment after each input.
func (n *Node) Restart() {
	n.mesh.tb.Helper()
	n.Flush()
	var err error
	if n.Engine, err = thread.New(n.Config); err != nil {
		n.mesh.tb.Fatal(err)
	}
	n.Antenna.SetStation(n.Engine)
	n.Start()
}

// Send gives the engine an IPv6 datagram to send, as its host does. One to which no way is known is lost.
func (n *Node) Send(packet []byte) {
	n.mesh.tb.Helper()
	if err := n.HandlePacket(n.mesh.Sim.Now(), packet); err != nil && !errors.Is(err, thread.ErrNoRoute) {
		n.mesh.tb.Fatal(err)
	}
	n.Antenna.Touch()
}

// Ping sends an echo request with size bytes of data and waits for the first reply. It reports the round-trip time, and
// false if no reply came within limit. Other datagrams that wait for the node's host are dropped meanwhile.
func (n *Node) Ping(dst netip.Addr, size int, limit time.Duration) (time.Duration, bool) {
	n.mesh.tb.Helper()
	echo := ip6.Echo{Identifier: 7, Sequence: uint16(size), Data: make([]byte, size)}
	for i := range echo.Data {
		echo.Data[i] = byte(i)
	}
	packet, err := ip6.AppendEcho(nil, ip6.Header{HopLimit: 64, Src: n.SelectSource(dst), Dst: dst}, ip6.ICMPv6EchoRequest, echo)
	if err != nil {
		n.mesh.tb.Fatal(err)
	}
	start := n.mesh.Sim.Now()
	n.Send(packet)
	ok := n.mesh.runUntil(func() bool { return n.hasReply(size) }, limit)
	return n.mesh.Sim.Now().Sub(start), ok
}

// hasReply takes the datagrams for the host, up to an echo reply with size bytes of data.
func (n *Node) hasReply(size int) bool {
	for {
		d, ok := n.PollPacket()
		if !ok {
			return false
		}
		if d.Protocol != ip6.ProtocolICMPv6 {
			continue
		}
		if m, err := ip6.ParseICMPv6(d.Payload); err == nil && m.Type == ip6.ICMPv6EchoReply {
			if e, err := ip6.ParseEcho(m.Body); err == nil && len(e.Data) == size {
				return true
			}
		}
	}
}

// Reach pings again and again, each time for 30 seconds, and fails if no reply comes within the limit. A LoRa mesh loses
// datagrams; it must not lose nodes.
func (n *Node) Reach(dst netip.Addr, size int, limit time.Duration) {
	n.mesh.tb.Helper()
	end := n.mesh.Sim.Now().Add(limit)
	for n.mesh.Sim.Now().Before(end) {
		if _, ok := n.Ping(dst, size, 30*time.Second); ok {
			return
		}
	}
	n.mesh.tb.Errorf("%v does not reach %v, %d bytes, within %v\n%s", n.RLOC16(), dst, size, limit, n.mesh)
}
