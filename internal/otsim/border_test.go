//go:build unix

package otsim_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// A borderNode is a mixedNode that may offer what network data hold.
type borderNode interface {
	mixedNode
	offer(t *testing.T, p netip.Prefix, preference string)
	withdraw(t *testing.T, p netip.Prefix)
	addresses() []netip.Addr
	data() string
	// sendOut sends a datagram to the outside, and reports whether there was a way.
	sendOut(payload string) bool
	// received reports whether a datagram has come since the last call.
	received(payload string) bool
}

var (
	cafe    = netip.MustParsePrefix("2001:cafe:cafe:cafe::/64")
	outside = netip.MustParseAddr("2001:4860:4860::8888")
)

const port = 1234

func (n *engineNode) offer(t *testing.T, p netip.Prefix, preference string) {
	t.Helper()
	flags := netdata.FlagPreferred | netdata.FlagSLAAC | netdata.FlagDefaultRoute | netdata.FlagOnMesh
	err := n.AddPrefix(thread.OnMeshPrefix{Prefix: p, Flags: flags, Stable: true, Preference: map[string]netdata.Preference{
		"low": netdata.PreferenceLow, "med": netdata.PreferenceMedium, "high": netdata.PreferenceHigh,
	}[preference]})
	if err != nil {
		t.Fatal(err)
	}
	_ = n.RegisterNetworkData(n.c.Now())
}

func (n *engineNode) withdraw(t *testing.T, p netip.Prefix) {
	t.Helper()
	if err := n.RemovePrefix(p); err != nil {
		t.Fatal(err)
	}
	_ = n.RegisterNetworkData(n.c.Now())
}

func (n *engineNode) addresses() []netip.Addr { return n.Addresses() }
func (n *engineNode) data() string            { return fmt.Sprintf("%x", n.NetworkData()) }

func (n *engineNode) sendOut(payload string) bool {
	h := ip6.Header{HopLimit: 64, Src: n.SelectSource(outside), Dst: outside}
	packet, err := ip6.AppendUDP(nil, h, port, port, []byte(payload))
	return err == nil && n.HandlePacket(n.c.Now(), packet) == nil
}

func (n *engineNode) received(payload string) bool {
	found := false
	for d, ok := n.PollPacket(); ok; d, ok = n.PollPacket() {
		found = found || d.Protocol == ip6.ProtocolUDP && string(d.Payload[ip6.UDPHeaderSize:]) == payload
	}
	return found
}

func (n processNode) offer(_ *testing.T, p netip.Prefix, preference string) {
	n.Command("prefix add %v paros %s", p, preference)
	n.either("netdataregister", "netdata register")
}

func (n processNode) withdraw(_ *testing.T, p netip.Prefix) {
	n.Command("prefix remove %v", p)
	n.either("netdataregister", "netdata register")
}

// either executes a command in the words of 2018, or in those of today.
func (n processNode) either(then, now string) []string {
	if lines, err := n.TryCommand("%s", then); err == nil {
		return lines
	}
	return n.Command("%s", now)
}

func (n processNode) addresses() (list []netip.Addr) {
	for _, line := range n.Command("ipaddr") {
		if a, err := netip.ParseAddr(line); err == nil {
			list = append(list, a)
		}
	}
	return list
}

func (n processNode) data() string { return n.either("netdatashow", "netdata show -x")[0] }

func (n processNode) sendOut(payload string) bool {
	_, _ = n.TryCommand("udp open")
	_, _ = n.TryCommand("udp bind :: %d", port)
	_, err := n.TryCommand("udp send %s %d %s", outside.StringExpanded(), port, payload)
	return err == nil
}

func (n processNode) received(payload string) bool {
	return slices.ContainsFunc(n.Lines(), func(line string) bool { return strings.HasSuffix(line, payload) })
}

// borderNodes is mixed for nodes that may be border routers.
func borderNodes(t *testing.T, order string) (*otsim.Controller, []borderNode) {
	t.Helper()
	c, nodes := mixed(t, order)
	list := make([]borderNode, len(nodes))
	for i, n := range nodes {
		list[i] = n.(borderNode)
	}
	return c, list
}

// inPrefix returns the address of a node in a prefix, the zero Addr if it has none.
func inPrefix(n borderNode, p netip.Prefix) netip.Addr {
	for _, a := range n.addresses() {
		if p.Contains(a) {
			return a
		}
	}
	return netip.Addr{}
}

// keeps reports whether a node is one of today's OpenThread, which keeps addresses of prefixes that are gone for a while, as deprecated.
func keeps(n borderNode) bool {
	p, ok := n.(processNode)
	if !ok {
		return false
	}
	_, err := p.TryCommand("masterkey")
	return err != nil
}

// TestMixedBorderRouter: whoever leads, offers a prefix, and lives next to it, ours or theirs: all have an address in the prefix and reach each
// other by it, and see the same network data; the prefix of either side goes again. Through ours, theirs send to the outside and hear from it;
// ours find their way to theirs.
func TestMixedBorderRouter(t *testing.T) {
	for _, order := range []string{"oro", "roo", "oor", "rro", "orr", "ror"} { // leader, border router, another
		t.Run(order, func(t *testing.T) {
			c, nodes := borderNodes(t, order)
			c.Run(40 * time.Second)
			br, user := nodes[1], nodes[2]
			all := func(has bool) bool {
				for range 20 {
					if !slices.ContainsFunc(nodes, func(n borderNode) bool { return inPrefix(n, cafe).IsValid() != has && (has || !keeps(n)) }) {
						return true
					}
					c.Run(time.Second)
				}
				return false
			}
			br.offer(t, cafe, "med")
			if !all(true) {
				t.Fatalf("not all have an address: %s", br.data())
			}
			c.Run(5 * time.Second)
			for _, n := range nodes {
				if got := n.data(); got != nodes[0].data() {
					t.Errorf("network data %s, of the leader %s", got, nodes[0].data())
				}
				for _, to := range nodes {
					if n != to && !n.ping(inPrefix(to, cafe), 50) {
						t.Errorf("%T does not reach %v", n, inPrefix(to, cafe))
					}
				}
			}
			if !user.sendOut("question") {
				t.Error("no way to the outside")
			}
			c.Run(5 * time.Second)
			if ours, ok := br.(*engineNode); ok {
				throughOurs(t, c, ours, user)
			}
			br.withdraw(t, cafe)
			if !all(false) {
				t.Errorf("addresses are left: %s", br.data())
			}
			if user.sendOut("nowhere") && order[2] == 'o' {
				t.Error("a way to the outside is left")
			}
		})
	}
}

// throughOurs takes what user has sent to the outside, and answers it.
func throughOurs(t *testing.T, c *otsim.Controller, br *engineNode, user borderNode) {
	t.Helper()
	d, ok := br.PollForward()
	if !ok || d.Dst != outside || d.Src != inPrefix(user, cafe) || string(d.Payload[ip6.UDPHeaderSize:]) != "question" {
		t.Fatalf("%v: %+v", ok, d)
	}
	user.received("")
	answer, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 60, Src: outside, Dst: d.Src}, port, port, []byte("answer"))
	if err != nil {
		t.Fatal(err)
	}
	if err := br.HandleForward(c.Now(), answer); err != nil {
		t.Fatal(err)
	}
	c.Run(10 * time.Second)
	if !user.received("answer") {
		t.Error("the answer from outside does not arrive")
	}
}

// TestMixedPreference: of two border routers, one ours and one theirs, the preferred one gets what leaves the mesh, whoever sends it; when it is
// gone the other one does.
func TestMixedPreference(t *testing.T) {
	for _, order := range []string{"oor", "ror"} { // leader, our border router, theirs; the leader sends
		t.Run(order, func(t *testing.T) {
			c, nodes := borderNodes(t, order)
			c.Run(40 * time.Second)
			leader, ours, theirs := nodes[0], nodes[1].(*engineNode), nodes[2]
			out := func() bool {
				if !leader.sendOut("x") {
					t.Error("no way")
				}
				c.Run(5 * time.Second)
				_, ok := ours.PollForward()
				return ok
			}
			ours.offer(t, cafe, "med")
			theirs.offer(t, cafe, "high")
			c.Run(20 * time.Second)
			if out() {
				t.Error("theirs is preferred, ours was used")
			}
			theirs.offer(t, cafe, "low")
			c.Run(20 * time.Second)
			if !out() {
				t.Error("ours is preferred, theirs was used")
			}
			theirs.offer(t, cafe, "high")
			c.Run(20 * time.Second)
			c.Remove(3)
			c.Run(12 * time.Minute)
			if !out() {
				t.Errorf("theirs is gone, ours was not used: %s", ours.data())
			}
		})
	}
}
