// Package networkdata keeps the partition's network data (Thread 1.1 §5.18): what the leader distributes to all, kept here as it
// came. Registering own prefixes and routes, and the leader's merge of what others register, are for a later version; what others
// registered is stored, passed on, and used for 6LoWPAN contexts.
package networkdata

import (
	"errors"
	"net/netip"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// maxSize bounds the network data, in bytes (Thread 1.1 §5.18).
const maxSize = 255

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
}

// New returns empty network data.
func New(c *core.Core) *Data { return &Data{core: c} }

// Clear forgets all, as if there had never been a partition.
func (d *Data) Clear() { d.tlvs, d.version, d.stableVersion, d.outdated = d.tlvs[:0], 0, 0, false }

// Found begins the data of a new partition, with versions at random.
func (d *Data) Found() {
	d.tlvs = append(d.tlvs[:0], commissioningData[:]...)
	d.version = uint8(d.core.Rand.Uint32())
	d.stableVersion = uint8(d.core.Rand.Uint32())
	d.outdated = false
}

// Take takes over the leader's data, with its version and that of its stable subset. It fails if tlvs has more than 255 bytes or is
// malformed, and then changes nothing. tlvs is not kept.
func (d *Data) Take(version, stable uint8, tlvs []byte) error {
	if len(tlvs) > maxSize {
		return errTooLong
	}
	if err := netdata.Validate(tlvs); err != nil {
		return err
	}
	d.tlvs = append(d.tlvs[:0], tlvs...)
	d.version, d.stableVersion = version, stable
	d.outdated = false
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

// Stable returns the part of the data that outlives the servers' whims: the stable TLVs, down to those inside prefixes. It is not to
// be changed, nor to be kept beyond the next call.
func (d *Data) Stable() []byte {
	d.stable = appendStable(d.stable[:0], d.tlvs)
	return d.stable
}

func appendStable(b, tlvs []byte) []byte {
	for t := range netdata.All(tlvs) {
		switch {
		case !t.Stable:
		case t.Type == netdata.TypePrefix:
			b = appendStablePrefix(b, t)
		default:
			b, _ = t.AppendBinary(b) // not longer than it was
		}
	}
	return b
}

func appendStablePrefix(b []byte, t netdata.TLV) []byte {
	p, err := netdata.ParsePrefix(t.Value)
	if err != nil {
		return b // Take lets none in
	}
	inside := p.SubTLVs
	// The length, last of the header, is known at the end. Neither part can fail: the prefix comes from the air.
	p.SubTLVs, t.Value = nil, nil
	b, _ = t.AppendBinary(b)
	value := len(b)
	b, _ = p.AppendBinary(b)
	b = appendStable(b, inside)
	b[value-1] = byte(len(b) - value)
	return b
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
