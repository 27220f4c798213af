package thread

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/dhcp6"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/dhcp"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// leases carries the messages of DHCPv6: this node's questions to the agents of prefixes, and answers where it is one. (Pymesh's boards know
// no DHCPv6: a prefix for them has the SLAAC flag.)
type leases struct {
	*self
	client    *dhcp.Client
	netData   *networkdata.Data
	addresses *addresses.Table
	ip        *ipLayer
	update    func() // the node has got an address
}

// NextTimeout returns when an agent is asked.
func (l *leases) NextTimeout() (time.Time, bool) {
	if !l.attached() {
		return time.Time{}, false
	}
	return l.client.NextTimeout()
}

// HandleTimeout asks an agent, if it is time.
func (l *leases) HandleTimeout() {
	if _, ok := l.NextTimeout(); !ok {
		return
	}
	agent, message, ok := l.client.PollSolicit()
	if !ok {
		return
	}
	if agent == l.rloc { // this node is the agent
		if reply, ok := dhcp.Answer(l.Core, message, l.served()); ok && l.client.HandleReply(reply) {
			l.update()
		}
		return
	}
	to := netip.AddrPortFrom(agent.Addr(l.addresses.Prefix()), dhcp6.ServerPort)
	l.ip.sendUDP(l.addresses.RLOC(), dhcp6.ClientPort, to, message, sender.PriorityNet)
}

// served are the prefixes of which this node is the agent.
func (l *leases) served() (prefixes []netip.Prefix) {
	for server, p := range l.netData.Agents() {
		if server == l.rloc {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

// receive handles a datagram, and reports false if it is none for DHCPv6 in this node.
func (l *leases) receive(d *ip6.Datagram, udp ip6.UDPHeader, payload []byte) bool {
	if !l.attached() || !l.addresses.OnMesh(d.Src) || !l.addresses.OnMesh(d.Dst) {
		return false
	}
	switch {
	case udp.DstPort == dhcp6.ClientPort && udp.SrcPort == dhcp6.ServerPort && l.client.Waiting():
		if l.client.HandleReply(payload) {
			l.update()
		}
		return true
	case udp.DstPort == dhcp6.ServerPort && len(l.served()) > 0:
		if reply, ok := dhcp.Answer(l.Core, payload, l.served()); ok {
			from := d.Dst
			if rloc, ok := mle.LocatorOf(from); ok && rloc.IsALOC() {
				from = l.addresses.RLOC()
			}
			l.ip.sendUDP(from, dhcp6.ServerPort, netip.AddrPortFrom(d.Src, dhcp6.ClientPort), reply, sender.PriorityNet)
		}
		return true
	}
	return false
}
