// Package slaac gives one node an address in each prefix from which nodes take addresses themselves (RFC 4862), with interface identifiers
// that are the same again whenever the node comes back to a prefix, and that tell nothing of the node in another (RFC 7217): they follow
// from a secret that the node keeps.
//
//	prefixes of the network data ─► Update ─► Addresses
//	another node has an address, too ─► Duplicate ─► the next one of that prefix
package slaac

import (
	"crypto/sha256"
	"net/netip"
	"slices"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

const (
	// MaxAddresses is how many prefixes a node takes addresses from. This implementation chose it, as OpenThread did.
	MaxAddresses = 4

	// SecretSize is the size of a secret in bytes. RFC 7217 §5 wants 128 bits at least.
	SecretSize = 16

	prefixBits = 64 // of a prefix for which an interface identifier is made
	maxDADs    = 16 // prefixes of which conflicts are remembered
)

// Secret is what a node's interface identifiers follow from. The zero Secret stands for none.
type Secret [SecretSize]byte

// A Prefix is one from which nodes take addresses themselves.
type Prefix struct {
	Prefix    netip.Prefix
	Preferred bool // addresses may be used for what the node sends of its own accord
}

// An Address is an address of the node in such a prefix.
type Address struct {
	Addr      netip.Addr
	Preferred bool
}

// A Conflict counts how often another node was found to have the address of this one in a prefix (the DAD counter of RFC 7217 §5).
type Conflict struct {
	Prefix netip.Prefix
	Count  uint8
}

// A Table is the addresses of one node in such prefixes.
type Table struct {
	core      *core.Core
	secret    Secret
	networkID [8]byte
	prefixes  []Prefix
	conflicts []Conflict
	addresses []Address
}

// New returns a table without prefixes, for a node without a secret.
func New(c *core.Core) *Table { return &Table{core: c} }

// Restore takes up what an earlier run of the node has stored.
func (t *Table) Restore(s Secret, conflicts []Conflict) {
	t.secret, t.conflicts = s, slices.Clone(conflicts[:min(len(conflicts), maxDADs)])
}

// Secret and Conflicts are what a later run of the node needs. Conflicts are not to be changed.
func (t *Table) Secret() Secret { return t.secret }

// Conflicts returns the conflicts that were seen.
func (t *Table) Conflicts() []Conflict { return t.conflicts }

// Addresses returns the addresses of the node in these prefixes, at most MaxAddresses. They are not to be changed.
func (t *Table) Addresses() []Address { return t.addresses }

// Update gives the node an address in each of these prefixes that is a /64, up to MaxAddresses: those that it has had so far go first. It
// has none in others any more. networkID tells one network from another: in each the node has other identifiers (Network_ID of RFC 7217
// §5). It reports whether the addresses have changed, and whether there is a new secret, which is to be stored.
func (t *Table) Update(prefixes []Prefix, networkID [8]byte) (changed, created bool) {
	t.networkID = networkID
	t.prefixes = slices.DeleteFunc(t.prefixes, func(p Prefix) bool {
		return !slices.ContainsFunc(prefixes, func(q Prefix) bool { return q.Prefix == p.Prefix })
	})
	for _, p := range prefixes {
		i := slices.IndexFunc(t.prefixes, func(q Prefix) bool { return q.Prefix == p.Prefix })
		switch {
		case i >= 0:
			t.prefixes[i] = p
		case p.Prefix.Bits() == prefixBits && p.Prefix.Addr().Is6() && len(t.prefixes) < MaxAddresses:
			t.prefixes = append(t.prefixes, p)
		}
	}
	if len(t.prefixes) > 0 && t.secret == (Secret{}) {
		t.core.RandomBytes(t.secret[:])
		created = true
	}
	return t.derive(), created
}

// derive makes the addresses anew and reports whether they are others.
func (t *Table) derive() (changed bool) {
	before := slices.Clone(t.addresses)
	t.addresses = t.addresses[:0]
	for _, p := range t.prefixes {
		t.addresses = append(t.addresses, Address{t.address(p.Prefix), p.Preferred})
	}
	return !slices.Equal(before, t.addresses)
}

// Duplicate gives up an address that another node has, too, and takes the next one of its prefix. It reports whether it was one of these.
func (t *Table) Duplicate(a netip.Addr) bool {
	i := slices.IndexFunc(t.addresses, func(o Address) bool { return o.Addr == a })
	if i < 0 {
		return false
	}
	prefix := t.prefixes[i].Prefix
	k := slices.IndexFunc(t.conflicts, func(c Conflict) bool { return c.Prefix == prefix })
	if k < 0 {
		if len(t.conflicts) == maxDADs {
			t.conflicts = slices.Delete(t.conflicts, 0, 1)
		}
		k = len(t.conflicts)
		t.conflicts = append(t.conflicts, Conflict{Prefix: prefix})
	}
	t.conflicts[k].Count++
	t.derive()
	return true
}

// address is the node's address in a prefix: the next one that is not reserved.
func (t *Table) address(p netip.Prefix) netip.Addr {
	var count uint8
	for _, c := range t.conflicts {
		if c.Prefix == p {
			count = c.Count
		}
	}
	for {
		if iid := t.iid(p, count); !reserved(iid) {
			return ip6.WithInterfaceID(p, iid)
		}
		count++
	}
}

// iid is RFC 7217's F(Prefix, Net_Iface, Network_ID, DAD_Counter, secret_key) (§5), with SHA-256 for F and the extended address for Net_Iface.
func (t *Table) iid(p netip.Prefix, count uint8) (iid ip6.InterfaceID) {
	prefix := p.Addr().As16()
	b := make([]byte, 0, 64)
	b = append(b, prefix[:prefixBits/8]...)
	b = append(b, t.core.Ext[:]...)
	b = append(b, t.networkID[:]...)
	b = append(b, count)
	b = append(b, t.secret[:]...)
	hash := sha256.Sum256(b)
	copy(iid[:], hash[len(hash)-len(iid):])
	return iid
}

// reserved reports whether an interface identifier is not one to be had by chance: those of RFC 5453 and its registry, and Thread's locators.
func reserved(iid ip6.InterfaceID) bool {
	_, locator := mle.LocatorOf(ip6.WithInterfaceID(ip6.LinkLocalPrefix, iid))
	switch {
	case iid == ip6.InterfaceID{}, locator: // the subnet-router anycast address; locators
		return true
	case iid[0] == 0x02 && iid[1] == 0x00 && iid[2] == 0x5e && iid[3] == 0xff && iid[4] == 0xfe: // of IANA's Ethernet block
		return true
	case iid[0] == 0xfd && iid[1] == 0xff && iid[2] == 0xff && iid[3] == 0xff && iid[4] == 0xff && iid[5] == 0xff && iid[6] == 0xff:
		return iid[7] >= 0x80 // subnet anycast addresses, RFC 2526
	}
	return false
}
