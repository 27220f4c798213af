package dissect

import (
	"iter"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// network is what the nodes have in common: keys, mesh-local prefix, compression contexts.
//
//	pending dataset ─► next ── its time, or a frame under its key ─► keys, mesh-local prefix
//	                                                    the keys so far ─► former: for those who are late
type network struct {
	keys, former *keyring
	next         *change
	contexts     lowpan.Contexts
	data         mle.LeaderData // whose network data were learned last
	hasData      bool
}

// A change is what a pending dataset will bring.
type change struct {
	due       time.Time
	timestamp meshcop.Timestamp
	prefix    netip.Prefix // the zero Prefix if it stays
	keys      *keyring     // nil if the key stays
}

func (n *network) meshLocal() netip.Prefix {
	c, _ := n.contexts.Get(lowpan.MeshLocalContext)
	return c.Prefix
}

func (n *network) setMeshLocal(p netip.Prefix) {
	// It fails for a prefix that is none: the context stays as it is then.
	_ = n.contexts.Set(lowpan.MeshLocalContext, lowpan.Context{Prefix: p, Compress: true})
}

// rings yields the keyrings under which a packet may be authentic, the likeliest first.
func (n *network) rings() iter.Seq[*keyring] {
	return func(yield func(*keyring) bool) {
		if !yield(n.keys) {
			return
		}
		if n.next != nil && n.next.keys != nil && !yield(n.next.keys) {
			return
		}
		if n.former != nil {
			yield(n.former)
		}
	}
}

// accept records that something was authentic under a key sequence of a keyring.
func (n *network) accept(ring *keyring, seq keys.Sequence) {
	ring.accept(seq)
	if n.next != nil && ring == n.next.keys {
		n.follow()
	}
}

// advance follows a change whose time has come.
func (n *network) advance(now time.Time) {
	if n.next != nil && !now.Before(n.next.due) {
		n.follow()
	}
}

func (n *network) follow() {
	if n.next.keys != nil {
		n.former, n.keys = n.keys, n.next.keys
	}
	if n.next.prefix.IsValid() {
		n.setMeshLocal(n.next.prefix)
	}
	n.next = nil
}

// learn takes what an authentic MLE message tells of the network.
func (n *network) learn(now time.Time, m mle.Message) {
	if data, ok := m.Find(mle.TLVNetworkData); ok && n.isNewer(m) {
		for c := range netdata.Contexts(data) {
			// It fails for a prefix of no bits, which compresses nothing.
			_ = n.contexts.Set(c.ID, lowpan.Context{Prefix: c.Prefix, Compress: c.Compress})
		}
	}
	if data, ok := m.Find(mle.TLVActiveOperationalDataset); ok {
		if s, err := meshcop.ParseDataset(data); err == nil && s.Has(meshcop.HasMeshLocalPrefix) {
			n.setMeshLocal(s.MeshLocalPrefix)
		}
	}
	if data, ok := m.Find(mle.TLVPendingOperationalDataset); ok {
		n.plan(now, m, data)
	}
}

// isNewer reports whether the network data of a message are at least as new as those known, and notes that they are: another node may lag
// behind.
func (n *network) isNewer(m mle.Message) bool {
	l, err := m.LeaderData()
	if err != nil {
		return !n.hasData
	}
	if n.hasData && l.PartitionID == n.data.PartitionID && int8(l.DataVersion-n.data.DataVersion) < 0 {
		return false
	}
	n.data, n.hasData = l, true
	return true
}

// plan notes a pending dataset.
func (n *network) plan(now time.Time, m mle.Message, data []byte) {
	value, _ := m.Find(mle.TLVPendingTimestamp)
	timestamp, err := meshcop.ParseTimestamp(value)
	if err != nil || n.next != nil && timestamp.Compare(n.next.timestamp) < 0 {
		return
	}
	s, err := meshcop.ParseDataset(data)
	if err != nil || !s.Has(meshcop.HasDelayTimer) {
		return
	}
	next := &change{due: now.Add(s.DelayTimer), timestamp: timestamp}
	if s.Has(meshcop.HasMeshLocalPrefix) {
		next.prefix = s.MeshLocalPrefix
	}
	if s.Has(meshcop.HasNetworkMasterKey) && s.NetworkMasterKey != n.keys.networkKey {
		ring := newKeyring(s.NetworkMasterKey)
		next.keys = &ring
		if n.next != nil && n.next.keys != nil && n.next.keys.networkKey == s.NetworkMasterKey {
			next.keys = n.next.keys
		}
	}
	n.next = next
}
