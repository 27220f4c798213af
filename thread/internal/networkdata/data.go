// Package networkdata keeps the partition's network data (Thread 1.1 §5.18): what the leader distributes to all, kept here as it
// came; what this node offers to the partition itself; and the leader's merge of what all offer. What the data are for is looked up here:
// 6LoWPAN contexts, on-mesh prefixes, ways out of the mesh, servers.
package networkdata

import (
	"errors"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

const (
	// maxSize bounds the network data that this node makes, in bytes (Thread 1.1 §5.18): an MLE TLV of more has another form. maxTaken bounds
	// what it takes from others.
	maxSize  = 254
	maxTaken = 255

	headerSize = 2 // of a TLV: its type and its length
)

var errTooLong = errors.New("network data: more than 255 bytes")

// commissioningData is the network data of a partition without a commissioner: a Commissioning Data TLV with session 1
// (Thread 1.1 §5.18, §8.10.1).
var commissioningData = [...]byte{0x08, 0x04, 0x0b, 0x02, 0x00, 0x01}

// Data is the network data of a node's partition.
//
//	          Invalidate: the node is in another partition, or may have missed a version
//	current ──────────────────────────────────────────────────────────────────────────► outdated
//	   ▲                                                                                    │
//	   └──────────────────────── Found, Take ───────────────────────────────────────────────┘
//
// It sends nothing: whoever learns that it is outdated, or of a newer version, fetches the leader's data and calls Take. At first it is
// empty, of version 0, and current, as there is no partition yet.
type Data struct {
	core                   *core.Core
	tlvs                   []byte
	stable                 []byte // working memory of Stable
	version, stableVersion uint8
	outdated               bool
	indexed                index

	// ReuseDelay is how long the ID of a context without servers is kept from others: DefaultReuseDelay, unless it is changed.
	ReuseDelay time.Duration
	idle       [maxContextID + 1]time.Time // since when contexts have been without servers, zero for those that have some
}

// New returns empty network data.
func New(c *core.Core) *Data { return &Data{core: c, ReuseDelay: DefaultReuseDelay} }

// Clear forgets all, as if there had never been a partition.
func (d *Data) Clear() {
	d.tlvs, d.version, d.stableVersion, d.outdated = d.tlvs[:0], 0, 0, false
	d.index()
}

// Found begins the data of a new partition, with versions at random.
func (d *Data) Found() {
	d.tlvs = append(d.tlvs[:0], commissioningData[:]...)
	d.version = uint8(d.core.Rand.Uint32())
	d.stableVersion = uint8(d.core.Rand.Uint32())
	d.outdated = false
	d.index()
}

// Take takes over the leader's data, with its version and that of its stable subset. It fails if tlvs has more than 255 bytes or is
// malformed, and then changes nothing. tlvs is not kept.
func (d *Data) Take(version, stable uint8, tlvs []byte) error {
	if len(tlvs) > maxTaken {
		return errTooLong
	}
	if err := netdata.Validate(tlvs); err != nil {
		return err
	}
	d.tlvs = append(d.tlvs[:0], tlvs...)
	d.version, d.stableVersion = version, stable
	d.outdated = false
	d.index()
	return nil
}

// Version returns the version of all of the data.
func (d *Data) Version() uint8 { return d.version }

// StableVersion returns the version of the stable subset.
func (d *Data) StableVersion() uint8 { return d.stableVersion }

// VersionFor returns the version that matters to a node which wants the full data, or the stable subset alone.
func (d *Data) VersionFor(full bool) uint8 {
	if full {
		return d.version
	}
	return d.stableVersion
}

// Outdated reports whether what is here belongs to another partition or version: it is not to be passed on then.
func (d *Data) Outdated() bool { return d.outdated }

// Invalidate says that what is here belongs to another partition or version. It is kept until Take replaces it.
func (d *Data) Invalidate() { d.outdated = true }

// IsNewer reports whether the versions in l, for a node which wants the full data or the stable subset alone, are ahead of those here.
// They are serial numbers: the one that is at most 127 steps ahead of the other is the newer.
func (d *Data) IsNewer(l mle.LeaderData, full bool) bool {
	theirs := l.StableDataVersion
	if full {
		theirs = l.DataVersion
	}
	return int8(theirs-d.VersionFor(full)) > 0
}

// TLVs returns all of the data. It is not to be changed, nor to be kept beyond the next Take or Found.
func (d *Data) TLVs() []byte { return d.tlvs }

// Stable returns the part of the data that outlives the servers' whims, for nodes that want no more (Thread 1.1 §5.18): the stable TLVs,
// down to those inside prefixes and services, of which none stays that has nothing stable inside. Which nodes the servers are changes
// while the data do not: where one is named stands an anycast locator, or nobody. It is not to be changed, nor to be kept beyond the
// next call.
func (d *Data) Stable() []byte {
	d.stable = d.stable[:0]
	for t := range netdata.All(d.tlvs) {
		switch {
		case !t.Stable:
		case t.Type == netdata.TypePrefix:
			d.stable = appendStablePrefix(d.stable, t)
		case t.Type == netdata.TypeService:
			d.stable = appendStableService(d.stable, t)
		default:
			d.stable, _ = t.AppendBinary(d.stable) // not longer than it was
		}
	}
	return d.stable
}

// DropTemporary leaves the stable subset alone, for a node that wants no more: it hears what is sent to all.
func (d *Data) DropTemporary() {
	d.tlvs = append(d.tlvs[:0], d.Stable()...)
	d.index()
}

// beginTLV appends the header of a TLV whose value follows; endTLV sets its length, or takes it back if nothing stands behind inside.
// Nothing that they and their callers append can fail: it comes from the air, and does not grow.
func beginTLV(b []byte, t netdata.TLV) []byte {
	t.Value = nil
	b, _ = t.AppendBinary(b)
	return b
}

func endTLV(b []byte, begin, inside int) []byte {
	if len(b) == inside {
		return b[:begin]
	}
	b[begin+1] = byte(len(b) - begin - headerSize)
	return b
}

func appendStablePrefix(b []byte, t netdata.TLV) []byte {
	p, err := netdata.ParsePrefix(t.Value)
	if err != nil {
		return b // Take lets none in
	}
	subs, begin := p.SubTLVs, len(b)
	agent := dhcpAgent(subs)
	p.SubTLVs = nil
	b, _ = p.AppendBinary(beginTLV(b, t))
	inside := len(b)
	for sub := range netdata.All(subs) {
		if sub.Stable {
			b = appendNameless(b, sub, agent)
		}
	}
	return endTLV(b, begin, inside)
}

// appendNameless appends a TLV from inside a prefix, without the RLOC16s in it.
func appendNameless(b []byte, t netdata.TLV, agent mle.RLOC16) []byte {
	begin := len(b)
	switch t.Type {
	case netdata.TypeHasRoute:
		routes, _ := netdata.ParseHasRoute(t.Value)
		b = beginTLV(b, t)
		for r := range routes.All() {
			r.RLOC16 = mle.InvalidRLOC16
			b, _ = r.AppendBinary(b)
		}
	case netdata.TypeBorderRouter:
		routers, _ := netdata.ParseBorderRouters(t.Value)
		b = beginTLV(b, t)
		for r := range routers.All() {
			r.RLOC16 = mle.InvalidRLOC16
			if r.Flags&(netdata.FlagDHCP|netdata.FlagConfigure) != 0 {
				r.RLOC16 = agent
			}
			b, _ = r.AppendBinary(b)
		}
	default:
		b, _ = t.AppendBinary(b)
		return b
	}
	return endTLV(b, begin, -1)
}

// dhcpAgent is the anycast locator of the DHCPv6 agents of a prefix, which its context names: one that is stable, so that who has the
// locator knows the context, too.
func dhcpAgent(subs []byte) mle.RLOC16 {
	for sub := range netdata.All(subs) {
		if sub.Type != netdata.TypeContext || !sub.Stable {
			continue
		}
		if c, err := netdata.ParseContextTLV(sub.Value); err == nil && c.ID != lowpan.MeshLocalContext {
			return mle.ALOCDHCPv6AgentFirst + mle.RLOC16(c.ID) - 1
		}
	}
	return mle.InvalidRLOC16
}

func appendStableService(b []byte, t netdata.TLV) []byte {
	s, err := netdata.ParseService(t.Value)
	if err != nil {
		return b
	}
	subs, begin := s.SubTLVs, len(b)
	s.SubTLVs = nil
	b, _ = s.AppendBinary(beginTLV(b, t))
	inside := len(b)
	for sub := range netdata.All(subs) {
		if !sub.Stable {
			continue
		}
		server, err := netdata.ParseServer(sub.Value)
		if sub.Type != netdata.TypeServer || err != nil {
			b, _ = sub.AppendBinary(b)
			continue
		}
		server.RLOC16 = mle.ALOCServiceFirst + mle.RLOC16(s.ID)
		at := len(b)
		b, _ = server.AppendBinary(beginTLV(b, sub))
		b = endTLV(b, at, -1)
	}
	return endTLV(b, begin, inside)
}

// Contexts returns the 6LoWPAN contexts: 0 is the mesh-local prefix, whatever the data say, the others come with the data.
func (d *Data) Contexts(meshLocal netip.Prefix) lowpan.Contexts {
	var contexts lowpan.Contexts
	// The prefix is a /64 and the identifiers of parsed data are below 16: what fails is a context of length 0, which says nothing.
	_ = contexts.Set(lowpan.MeshLocalContext, lowpan.Context{Prefix: meshLocal, Compress: true})
	for c := range netdata.Contexts(d.tlvs) {
		if c.ID != lowpan.MeshLocalContext {
			_ = contexts.Set(c.ID, lowpan.Context{Prefix: c.Prefix, Compress: c.Compress})
		}
	}
	return contexts
}
