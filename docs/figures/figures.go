package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// figures are the pictures, by the names of their files.
var figures = []struct {
	name string
	draw func() ([]byte, error)
}{
	{"forming.svg", forming},
	{"attaching.svg", attaching},
	{"finding.svg", finding},
	{"fragments.svg", fragments},
	{"airtime.svg", func() ([]byte, error) { return airtimes(), nil }},
	{"settings.svg", settings},
	{"border-router.svg", borderRouter},
	{"pycom.svg", pycom},
}

var letters = []string{"A", "B", "C", "D", "E", "F"}

// forming is six nodes that are switched on within 40 s.
func forming() ([]byte, error) {
	m := newMesh(1, 0, 8*time.Second, 16*time.Second, 24*time.Second, 32*time.Second, 40*time.Second)
	changes := m.changes()
	const total = 4 * time.Minute
	m.run(total)
	return lanes("Six nodes become a mesh", letters, *changes, total), m.err
}

// attaching is how the second node comes to the first.
func attaching() ([]byte, error) {
	m := newMesh(1, 0, 40*time.Second)
	changes := m.changes()
	m.until("both are routers", func() bool { return m.engines[1].Role() == thread.RoleRouter })
	m.run(8 * time.Second)
	advertised := false
	rows := m.rowsOf(func(f frame) bool {
		if f.protocol == "MLE Advertisement" {
			first := !advertised
			advertised = true
			return first
		}
		return f.protocol != "MLE Data Response"
	})
	for _, c := range *changes {
		if c.role >= thread.RoleDetached {
			rows = merge(rows, rowOf(c))
		}
	}
	return ladder("How a node founds a mesh, and another one joins it", letters[:2], 300, 290, rows), m.err
}

// finding is a datagram to a node whose place nobody knows yet, and the next one.
func finding() ([]byte, error) {
	m := newMesh(1, 0, 10*time.Second, 20*time.Second, 30*time.Second)
	m.routers()
	if m.err != nil {
		return nil, m.err
	}
	// An address of which nobody has told: the ML-EID is known from what neighbors say.
	to := netip.MustParseAddr("fdde:ad00:beef::4")
	m.after(0, 3, func(now time.Time) error {
		m.engines[3].Console().Observe(now)
		return m.engines[3].Console().AddAddress(to)
	})
	m.run(time.Minute)
	m.seen = nil
	begun := m.elapsed()
	m.send(0, to, "Hello World!")
	m.run(30 * time.Second)
	m.send(0, to, "Hello again!")
	m.run(5 * time.Second)
	rows := since(begun, m.rowsOf(func(f frame) bool { return f.protocol != "MLE Advertisement" }))
	for i := range rows {
		if strings.HasPrefix(rows[i].label, "UDP") {
			label, note := "Hello World!", "the datagram, one hop nearer"
			if rows[i].at >= 30*time.Second {
				label, note = "Hello again!", "the next one need not ask"
			}
			rows[i].label = label
			if rows[i].note != again {
				rows[i].note = note
			}
		}
	}
	return ladder("A datagram from A to D: first its place is asked for, then it goes from hop to hop", letters[:4], 180, 250, rows), m.err
}

// fragments is a datagram that is larger than a frame.
func fragments() ([]byte, error) {
	m := newMesh(1, 0, 10*time.Second, 20*time.Second)
	m.routers()
	if m.err != nil {
		return nil, m.err
	}
	to := m.engines[2].MeshLocalEID()
	m.send(0, to, "where are you?")
	m.run(20 * time.Second)
	begun := m.elapsed()
	m.seen = nil
	m.send(0, to, strings.Repeat("data", 75))
	m.run(15 * time.Second)
	rows := since(begun, m.rowsOf(func(f frame) bool {
		return strings.HasPrefix(f.protocol, "fragment") || strings.HasPrefix(f.protocol, "UDP")
	}))
	for i := range rows {
		if rows[i].label != "fragment" {
			rows[i].note = "the last part: now it is whole"
		}
	}
	return ladder("300 bytes from A to C, in parts: each hop has its turn", letters[:3], 210, 250, rows), m.err
}

// since makes times count from a moment.
func since(begun time.Duration, rows []row) []row {
	for i := range rows {
		rows[i].at -= begun
	}
	return rows
}

// outside is a host beyond the border router.
var outside = netip.MustParseAddr("2001:db8:99::7")

// borderRouter is a prefix that makes its way through the mesh, and a datagram to the outside with its answer.
func borderRouter() ([]byte, error) {
	m := newMesh(1, 0, 10*time.Second, 20*time.Second)
	m.routers()
	if m.err != nil {
		return nil, m.err
	}
	// The border router is not the leader, so that all steps are seen.
	leader := slices.IndexFunc(m.engines, func(e *thread.Engine) bool { return e.Role() == thread.RoleLeader })
	border, far := 2, 0
	if leader == border {
		border, far = 0, 2
	}
	names := slices.Clone(letters[:3])
	names[border] += ", border router"
	begun := m.elapsed()
	prefix := netip.MustParsePrefix("2001:db8:1:2::/64")
	m.after(0, border, func(now time.Time) error {
		return errors.Join(m.engines[border].AddPrefix(thread.OnMeshPrefix{Prefix: prefix, Stable: true,
			Flags: netdata.FlagPreferred | netdata.FlagSLAAC | netdata.FlagDefaultRoute | netdata.FlagOnMesh}),
			m.engines[border].RegisterNetworkData(now))
	})
	var happened []row
	note := func(at int, label, text string, color int) {
		happened = append(happened, row{at: m.elapsed(), from: at, to: at, label: label, note: text, color: color})
	}
	note(border, "BorderRouter(…)", "the program offers a prefix", green)
	m.until("all have an address in the prefix", func() bool {
		return !slices.ContainsFunc(m.engines, func(e *thread.Engine) bool { return !slices.ContainsFunc(e.Addresses(), prefix.Contains) })
	})
	note(far, "2001:db8:1:2:…", "an address in the prefix, of its own making", blue)
	m.run(20 * time.Second)
	m.send(far, outside, "to the cloud")
	m.until("it goes out", func() bool {
		d, ok := m.engines[border].PollForward()
		if !ok {
			return false
		}
		note(border, "OnForward", "out of the mesh: the program's, or netif's", green)
		answer, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: d.Dst, Dst: d.Src}, port, port, []byte("answer"))
		m.after(400*time.Millisecond, border, func(now time.Time) error {
			note(border, "Forward(…)", "an answer comes from outside", green)
			return m.engines[border].HandleForward(now, answer)
		})
		m.err = err
		return true
	})
	m.run(12 * time.Second)
	rows := m.rowsOf(func(f frame) bool { return f.protocol != "MLE Advertisement" })
	return ladder("A border router: a prefix for all, a datagram out, an answer in", names, 220, 300, since(begun, merge(rows, happened...))), m.err
}

// pycom is the exchange of Pycom's example: a text, and ACK for an answer.
func pycom() ([]byte, error) {
	m := newMesh(1, 0, 10*time.Second)
	m.routers()
	if m.err != nil {
		return nil, m.err
	}
	m.send(0, m.engines[1].MeshLocalEID(), "where are you?")
	m.run(20 * time.Second)
	m.engines[1].PollPacket()
	m.seen = nil
	begun := m.elapsed()
	happened := []row{{at: begun, from: 0, to: 0, label: "s.sendto(…)", note: "conn.WriteToUDPAddrPort", color: green}}
	m.send(0, m.engines[1].MeshLocalEID(), "Hello World!")
	for _, pair := range [][2]int{{1, 0}, {0, 1}} {
		m.until("the datagram arrives", func() bool {
			d, ok := m.engines[pair[0]].PollPacket()
			if !ok {
				return false
			}
			text := string(d.Payload[ip6.UDPHeaderSize:])
			happened = append(happened, row{at: m.elapsed(), from: pair[0], to: pair[0], label: "rx_cb", note: fmt.Sprintf("OnReceive: %q", text), color: blue})
			if text != "ACK" {
				m.after(0, pair[0], func(time.Time) error { m.send(pair[0], d.Src, "ACK"); return nil })
			}
			return true
		})
	}
	m.run(2 * time.Second)
	rows := m.rowsOf(func(f frame) bool {
		return strings.HasPrefix(f.protocol, "UDP") || strings.HasPrefix(f.protocol, "TMF a/a")
	})
	return ladder("Pycom's example, a text and its ACK: calls of a board, and of this library beside them", letters[:2], 250, 260, since(begun, merge(rows, happened...))), m.err
}
