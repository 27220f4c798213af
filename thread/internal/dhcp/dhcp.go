// Package dhcp gets a node addresses from the DHCPv6 servers of its partition, and is such a server (Thread 1.1 §5.2, RFC 8415):
//
//	prefixes of the network data ─► Update ─ no address yet ─► Solicit to the agent, again after 1, 2, 4 … of its waits
//	Reply ─► HandleReply ─► Addresses
//	Solicit ─► Answer ─► Reply, with an address for each prefix that this node serves
//
// The server keeps nothing: the address that a client gets in a prefix is the prefix and the client's own extended address, for ever.
package dhcp

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/dhcp6"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

const (
	// MaxLeases is from how many prefixes a node gets addresses. This implementation chose it, as OpenThread did.
	MaxLeases = 4

	maxPause   = 2 * time.Minute // between two Solicits
	prefixBits = 64              // of a prefix for which there are addresses
)

// A Prefix is one from which nodes get addresses, and its agent.
type Prefix struct {
	Prefix netip.Prefix
	Agent  mle.RLOC16
}

// A lease is a prefix from which the node gets an address.
type lease struct {
	Prefix
	addr      netip.Addr // not valid if it has none
	preferred bool
	declined  bool // another node has the address, and the agent would give it again
}

// A Client gets one node addresses.
type Client struct {
	core *core.Core
	wait time.Duration // for a Reply, the first time

	leases  []lease
	timer   time.Time // when a Solicit is due, zero if none is
	pause   time.Duration
	id      dhcp6.TransactionID
	started time.Time // when the first Solicit of this exchange left
	asking  mle.RLOC16
}

// NewClient returns a client without prefixes. wait is how long a Reply takes to come.
func NewClient(c *core.Core, wait time.Duration) *Client { return &Client{core: c, wait: wait} }

// Update says from which prefixes the node gets addresses now. Those that are not /64, and more than MaxLeases, are left out. It reports
// whether an address is gone.
func (c *Client) Update(prefixes []Prefix) (changed bool) {
	c.leases = slices.DeleteFunc(c.leases, func(l lease) bool {
		gone := !slices.ContainsFunc(prefixes, func(p Prefix) bool { return p.Prefix == l.Prefix.Prefix })
		changed = changed || gone && l.addr.IsValid()
		return gone
	})
	for _, p := range prefixes {
		i := slices.IndexFunc(c.leases, func(l lease) bool { return l.Prefix.Prefix == p.Prefix })
		switch {
		case i >= 0:
			c.leases[i].Agent = p.Agent
		case p.Prefix.Bits() == prefixBits && len(c.leases) < MaxLeases:
			c.leases = append(c.leases, lease{Prefix: p})
			c.begin()
		}
	}
	if c.next() < 0 {
		c.timer = time.Time{}
	}
	return changed
}

// begin asks soon, for the first time.
func (c *Client) begin() {
	c.pause, c.started = 0, time.Time{}
	c.timer = c.core.Now.Add(c.core.RandomUpTo(c.wait))
}

// wanting reports whether the node is to ask for an address.
func (l *lease) wanting() bool { return !l.addr.IsValid() && !l.declined }

// next is the index of the first lease that is wanting, -1 if there is none.
func (c *Client) next() int {
	return slices.IndexFunc(c.leases, func(l lease) bool { return l.wanting() })
}

// An Address is one that the node has got.
type Address struct {
	Addr      netip.Addr
	Preferred bool
}

// Addresses returns the addresses that the node has got.
func (c *Client) Addresses() []Address {
	var list []Address
	for _, l := range c.leases {
		if l.addr.IsValid() {
			list = append(list, Address{l.addr, l.preferred})
		}
	}
	return list
}

// Waiting reports whether a Reply is awaited.
func (c *Client) Waiting() bool { return !c.started.IsZero() && c.next() >= 0 }

// NextTimeout returns when a Solicit is due.
func (c *Client) NextTimeout() (time.Time, bool) { return c.timer, !c.timer.IsZero() }

// PollSolicit returns the Solicit that is due now and the agent that it goes to.
func (c *Client) PollSolicit() (agent mle.RLOC16, message []byte, ok bool) {
	i := c.next()
	if !c.core.IsDue(c.timer) || i < 0 {
		return 0, nil, false
	}
	agent = c.leases[i].Agent
	if c.started.IsZero() || agent != c.asking {
		c.core.RandomBytes(c.id[:])
		c.started, c.asking, c.pause = c.core.Now, agent, 0
	}
	c.pause = min(max(2*c.pause, c.wait), maxPause)
	c.timer = c.core.Now.Add(c.pause)
	m := dhcp6.Message{
		Type: dhcp6.Solicit, TransactionID: c.id, Client: c.core.Ext, Elapsed: c.core.Now.Sub(c.started), HasIANA: true, RapidCommit: true,
	}
	for _, l := range c.leases {
		if l.wanting() && l.Agent == agent {
			m.Addresses = append(m.Addresses, dhcp6.Address{Addr: l.Prefix.Prefix.Addr()})
		}
	}
	message, err := m.AppendBinary(nil)
	return agent, message, err == nil
}

// HandleReply takes the answer to a Solicit, and reports whether the node has got an address. What answers none is dropped.
func (c *Client) HandleReply(b []byte) (changed bool) {
	m, err := dhcp6.ParseMessage(b)
	if err != nil || m.Type != dhcp6.Reply || c.started.IsZero() || m.TransactionID != c.id || m.Client != c.core.Ext || m.Failed || !m.RapidCommit {
		return false
	}
	for _, a := range m.Addresses {
		i := slices.IndexFunc(c.leases, func(l lease) bool {
			return l.wanting() && l.Agent == c.asking && l.Prefix.Prefix.Contains(a.Addr)
		})
		if i >= 0 && a.Valid > 0 {
			c.leases[i].addr, c.leases[i].preferred = a.Addr, a.Preferred > 0
			changed = true
		}
	}
	switch {
	case c.next() < 0:
		c.timer, c.started = time.Time{}, time.Time{}
	case changed:
		c.begin() // from the next agent
	}
	return changed
}

// Forget gives up an address that another node has, too: there is none in that prefix then. It reports whether it was one of these.
func (c *Client) Forget(a netip.Addr) bool {
	i := slices.IndexFunc(c.leases, func(l lease) bool { return l.addr == a })
	if i < 0 {
		return false
	}
	c.leases[i].addr, c.leases[i].declined = netip.Addr{}, true
	return true
}

// Answer returns the Reply of a server to a message: an address for each of these prefixes that the client asks for, for all if it names none. It
// reports false for what is no Solicit with Rapid Commit.
func Answer(c *core.Core, b []byte, prefixes []netip.Prefix) (reply []byte, ok bool) {
	m, err := dhcp6.ParseMessage(b)
	none := m.Client == [8]byte{}
	if err != nil || m.Type != dhcp6.Solicit || none || m.Server != [8]byte{} || !m.RapidCommit || !m.HasIANA {
		return nil, false
	}
	r := dhcp6.Message{
		Type: dhcp6.Reply, TransactionID: m.TransactionID, Client: m.Client, Server: c.Ext, HasIANA: true, IAID: m.IAID,
		T1: dhcp6.Forever, T2: dhcp6.Forever, RapidCommit: true,
	}
	for _, p := range prefixes {
		wanted := len(m.Addresses) == 0 || slices.ContainsFunc(m.Addresses, func(a dhcp6.Address) bool { return p.Contains(a.Addr) })
		if p.Bits() != prefixBits || !wanted || len(r.Addresses) == dhcp6.MaxAddresses {
			continue
		}
		r.Addresses = append(r.Addresses, dhcp6.Address{
			Addr: ip6.WithInterfaceID(p, lowpan.ExtInterfaceID(m.Client)), Preferred: dhcp6.Forever, Valid: dhcp6.Forever,
		})
	}
	reply, err = r.AppendBinary(nil)
	return reply, err == nil
}
