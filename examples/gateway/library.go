package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
	"github.com/gopymesh/pymesh/examples/gateway/internal/view"
)

// librarian tells boards with Pycom's library what they may ask a node for.
type librarian struct{ g *gateway }

func (l librarian) MAC() uint64 { return uint64(l.g.node.MAC()) }

// Describe is this node, its place and its neighbors, those that were heard lately.
func (l librarian) Describe() pycom.Info {
	const lately, oldest = 5 * time.Minute, 255
	i := pycom.Info{RLOC16: uint16(l.g.node.RLOC16()), Latitude: l.g.cfg.Mesh.Latitude, Longitude: l.g.cfg.Mesh.Longitude}
	for _, n := range l.g.node.Neighbors() {
		if n.Age > lately {
			continue
		}
		i.Neighbors = append(i.Neighbors, pycom.Neighbor{
			MAC: uint16(n.MAC), RLOC16: uint16(n.RLOC16), Role: uint8(n.Role), RSSI: int8(max(n.RSSI, -128)), Age: uint8(min(n.Age/time.Second, oldest)),
		})
	}
	return i
}

// Nodes are those on the map whose MAC addresses are known, the latest first, so that a list that is too long leaves out the oldest.
func (l librarian) Nodes() (macs []uint16) {
	nodes := l.g.view.Snapshot().Nodes
	slices.SortStableFunc(nodes, func(a, b view.Node) int { return cmp.Compare(b.Heard/1000, a.Heard/1000) })
	for _, n := range nodes {
		if len(n.ID) == 16 {
			macs = append(macs, uint16(pycom.MACOf(n.ID)))
		}
	}
	return macs
}

// Pairs are the links on the map. Where nobody has told their strength it is 0, as on the boards.
func (l librarian) Pairs() (pairs []pycom.Pair) {
	for _, k := range l.g.view.Snapshot().Links {
		if len(k.A) != 16 || len(k.B) != 16 {
			continue
		}
		p := pycom.Pair{A: uint16(pycom.MACOf(k.A)), B: uint16(pycom.MACOf(k.B))}
		if k.RSSI != nil {
			p.RSSI = int8(max(*k.RSSI, -128))
		}
		pairs = append(pairs, p)
	}
	return pairs
}

// library answers what a board with Pycom's library says, and returns what it has said for those who read JSON; nil if it is something else.
func (g *gateway) library(s *pymesh.UDPConn, from netip.AddrPort, payload []byte) json.RawMessage {
	p, err := pycom.Parse(payload)
	if err != nil {
		return nil
	}
	node := g.nodeOf(from.Addr())
	mac := uint16(pycom.MACOf(node))
	if mac == 0 {
		mac = shortMAC(g.node.Network().MeshLocalPrefix, from.Addr())
	}
	if answer, ok := g.boards.Heard(time.Now(), mac, p); ok {
		// To the library's own port: it answers there, wherever the question came from.
		g.reply(s, netip.AddrPortFrom(from.Addr(), pycom.Port), answer)
	}
	if p.Kind == pycom.KindText {
		g.happened("message", short(node)+" says: "+printable([]byte(p.Text.Text)))
	}
	return told(p)
}

// shortMAC is the end of the MAC address of which an address of the library is made, 0 if it is another address.
func shortMAC(meshLocal netip.Prefix, a netip.Addr) uint16 {
	b := a.As16()
	if mac := uint16(b[14])<<8 | uint16(b[15]); pymesh.PycomAddress(meshLocal, pymesh.MAC(mac)) == a {
		return mac
	}
	return 0
}

// reply sends a packet to a board, unless the radio has no room now: the board will ask again.
func (g *gateway) reply(s *pymesh.UDPConn, to netip.AddrPort, p pycom.Packet) {
	if b, err := p.AppendBinary(nil); err == nil {
		_ = s.SetWriteDeadline(g.clock.Now().Add(time.Second))
		_, _ = s.WriteToUDPAddrPort(b, to)
	}
}

// told is a packet of the library as JSON.
func told(p pycom.Packet) json.RawMessage {
	v := map[string]any{"kind": p.Kind.String()}
	switch p.Kind {
	case pycom.KindText:
		v["mac"], v["id"], v["text"] = macText(pymesh.MAC(p.Text.MAC)), p.Text.ID, p.Text.Text
	case pycom.KindReceived:
		v["mac"], v["id"] = macText(pymesh.MAC(p.Received.MAC)), p.Received.ID
	case pycom.KindAskInfo:
		v["about"] = p.About
	case pycom.KindInfo, pycom.KindNeighbors:
		describe(v, p.Info)
	case pycom.KindNodes:
		v["nodes"] = p.Nodes
	case pycom.KindPairs:
		v["pairs"] = p.Pairs
	}
	b, _ := json.Marshal(v)
	return b
}

func describe(v map[string]any, i pycom.Info) {
	v["mac"], v["rloc16"] = i.MAC, rloc(i.RLOC16)
	if i.Role == pycom.RoleChild {
		v["rssi"], v["age"] = i.Link.RSSI, i.Link.Age
		return
	}
	v["neighbors"] = i.Neighbors
	if i.Positioned() {
		v["lat"], v["lon"] = i.Latitude, i.Longitude
	}
}

// outside is a datagram that leaves the mesh by this node, where no host interface takes it.
func (g *gateway) outside(f pymesh.Forwarded) { g.external(f.Source, f.Destination, f.Payload) }

// external is a datagram for the world: of Pycom's library, with its header, or of anybody.
func (g *gateway) external(from, to netip.AddrPort, b []byte) {
	r := g.reading(from, to, b)
	r.Outside = true
	r.Payload, _ = pycom.ParseExternal(b)
	if s, ok := pycom.ParseSignal(r.Payload, to.Port()); ok {
		v := map[string]any{"kind": "pybytes", "signal": s.Number, "token": s.Token, "text": s.Text}
		if i, mac, ok := pycom.ParseMonitor(s.Text); ok && s.Number == pycom.MonitorSignal {
			g.boards.Heard(time.Now(), uint16(mac), pycom.Packet{Kind: pycom.KindInfo, Info: i})
		}
		r.Payload = []byte(s.Text)
		r.Told, _ = json.Marshal(v)
	}
	g.publish(r)
}

// relayed is a datagram that a border router of Pycom's firmware has taken, and its program passed on as it was.
func (g *gateway) relayed(from netip.AddrPort, b []byte) bool {
	h, rest, err := pymesh.ParseBorderRouterHeader(b)
	if err != nil {
		return false
	}
	if _, whole := pycom.ParseExternal(rest); !whole {
		return false
	}
	g.external(from, h.Destination, rest)
	return true
}

// askBoards asks the boards that have been heard lately how they are, and returns how many.
func (g *gateway) askBoards(ctx context.Context) (asked int) {
	s := g.sockets[pycom.Port]
	if s == nil {
		return 0
	}
	for _, b := range g.boards.Known() {
		if time.Since(b.Seen) > alive {
			continue
		}
		asked++
		node, err := g.nodeNamed(rloc(b.MAC))
		if err != nil {
			continue
		}
		if addr, err := g.resolve(node, true); err == nil {
			g.reply(s, netip.AddrPortFrom(addr, pycom.Port), pycom.Packet{Kind: pycom.KindAskInfo, About: b.MAC})
		}
		if !g.sleep(ctx, askPause) {
			return asked
		}
	}
	return asked
}

// askPause is between questions to boards: the answer to one is under way then.
const askPause = 5 * time.Second
