package thread

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// Network data (Thread 1.1 §5.18): what the leader distributes to all, kept here as it came. Registering own prefixes and routes
// is for a later version; what others registered is stored, passed on, and used for 6LoWPAN contexts.

// maxNetworkData bounds the network data (Thread 1.1 §5.18).
const maxNetworkData = 255

type networkData struct {
	tlvs                   []byte
	version, stableVersion uint8
	wanted                 bool // what is here belongs to another partition or version
}

// versionFor is the version that matters to a child.
func (d *networkData) versionFor(n *neighbor) uint8 {
	if n.fullNetworkData() {
		return d.version
	}
	return d.stableVersion
}

// commissioningData is the network data of a partition without a commissioner: a Commissioning Data TLV with session 1
// (Thread 1.1 §5.18.2, §8.10.1.4).
var commissioningData = []byte{0x08, 0x04, 0x0b, 0x02, 0x00, 0x01}

// resetNetworkData starts a new partition's data and announces it.
func (e *Engine) resetNetworkData() {
	d := &e.netData
	d.tlvs = append(d.tlvs[:0], commissioningData...)
	d.version = uint8(e.rand.Uint32())
	d.stableVersion = uint8(e.rand.Uint32())
	d.wanted = false
	e.updateContexts()
	e.announceNetworkData()
}

// setNetworkData takes over the leader's data.
func (e *Engine) setNetworkData(leader mle.LeaderData, tlvs []byte) {
	if len(tlvs) > maxNetworkData || netdata.Validate(tlvs) != nil {
		e.counters.MLEMalformed++
		return
	}
	d := &e.netData
	d.tlvs = append(d.tlvs[:0], tlvs...)
	d.version, d.stableVersion = leader.DataVersion, leader.StableDataVersion
	d.wanted = false
	e.updateContexts()
	if e.isRouter() {
		e.announceNetworkData()
	}
}

// updateContexts derives the 6LoWPAN contexts: 0 is the mesh-local prefix, the others come with the network data.
func (e *Engine) updateContexts() {
	e.contexts = lowpan.Contexts{}
	// The two cannot fail: the prefix is a /64, and the identifiers of parsed network data are below 16.
	_ = e.contexts.Set(lowpan.MeshLocalContext, lowpan.Context{Prefix: e.meshLocal, Compress: true})
	for c := range netdata.Contexts(e.netData.tlvs) {
		if c.ID != lowpan.MeshLocalContext {
			_ = e.contexts.Set(c.ID, lowpan.Context{Prefix: c.Prefix, Compress: c.Compress})
		}
	}
}

// isOnMesh reports whether an address has a prefix of this network.
func (e *Engine) isOnMesh(a netip.Addr) bool {
	return e.meshLocal.Contains(a)
}

func (e *Engine) appendNetworkData(b []byte, full bool) []byte {
	tlvs := e.netData.tlvs
	if !full {
		tlvs = stableData(tlvs)
	}
	return mle.AppendTLV(b, mle.TLVNetworkData, tlvs)
}

// stableData is the part of network data that outlives the servers' whims: its stable TLVs, down to those inside prefixes and services.
func stableData(tlvs []byte) []byte {
	var out []byte
	for t := range netdata.All(tlvs) {
		if !t.Stable {
			continue
		}
		if t.Type == netdata.TypePrefix {
			p, err := netdata.ParsePrefix(t.Value)
			if err != nil {
				continue
			}
			p.SubTLVs = stableData(p.SubTLVs)
			if t.Value, err = p.AppendBinary(nil); err != nil {
				continue
			}
		}
		out, _ = t.AppendBinary(out) // not longer than it was
	}
	return out
}

// announceNetworkData tells all neighbors of new data.
func (e *Engine) announceNetworkData() {
	if !e.isRouter() {
		return
	}
	var delay time.Duration
	if e.role != RoleLeader {
		delay = e.randomUpTo(e.timing.DataResponseJitter)
	}
	e.sendDataResponse(ip6.LinkLocalAllNodes, dataNetwork, delay)
}

// What a Data Response carries.
const (
	dataNetwork = 1 << iota
	dataDataset
)

func (e *Engine) sendDataResponse(dst netip.Addr, content int, delay time.Duration) {
	if e.netData.wanted {
		return // what is here is outdated
	}
	b := mle.AppendSourceAddress(e.newMessage(mle.DataResponse), e.rloc)
	b = mle.AppendLeaderData(b, e.leaderData())
	b = e.appendActiveTimestamp(b)
	if content&dataNetwork != 0 {
		full := true
		if n := e.neighborByIP(dst); n != nil {
			full = n.fullNetworkData()
		}
		b = e.appendNetworkData(b, full)
	}
	if content&dataDataset != 0 {
		b = e.appendActiveDataset(b)
	}
	if delay == 0 {
		e.sendMLE(dst, b)
		return
	}
	// A newer announcement replaces one that still waits.
	for i := range e.delayed {
		if d := &e.delayed[i]; mle.Command(d.plain[0]) == mle.DataResponse && d.dst == dst {
			e.delayed = append(e.delayed[:i], e.delayed[i+1:]...)
			break
		}
	}
	e.delayMLE(dst, b, delay)
}

// requestNetworkData asks a neighbor for the network data.
func (e *Engine) requestNetworkData(dst netip.Addr, delay time.Duration) {
	b := mle.AppendTLVRequest(e.newMessage(mle.DataRequest), mle.TLVNetworkData)
	b = e.appendActiveTimestamp(b)
	if delay == 0 {
		e.sendMLE(dst, b)
		return
	}
	for i := range e.delayed {
		if d := &e.delayed[i]; mle.Command(d.plain[0]) == mle.DataRequest && d.dst == dst {
			return // asked already
		}
	}
	e.delayMLE(dst, b, delay)
}

func (e *Engine) handleDataRequest(m mle.Message, info mleInfo) error {
	requested, err := m.TLVRequest()
	if err != nil {
		return err
	}
	if !e.attached() || !e.fullThreadDevice() {
		return errMLEUnexpected
	}
	content := 0
	if requested.Contains(mle.TLVNetworkData) {
		content |= dataNetwork
	}
	if !e.sameDataset(m) {
		content |= dataDataset
	}
	e.sendDataResponse(info.src, content, 0)
	return nil
}

func (e *Engine) handleDataResponse(m mle.Message, info mleInfo) error {
	return e.handleLeaderData(m, info)
}

// handleLeaderData compares what a neighbor says about the partition with what is known, and takes over newer network data.
func (e *Engine) handleLeaderData(m mle.Message, info mleInfo) error {
	leader, err := m.LeaderData()
	if err != nil {
		return err
	}
	if leader.PartitionID != e.leader.PartitionID || leader.Weighting != e.leader.Weighting ||
		leader.LeaderRouterID != e.leader.LeaderRouterID {
		if e.role != RoleChild || info.ext != e.parent.ext {
			return errMLEUnexpected
		}
		e.setLeaderData(leader)
		e.netData.wanted = true
	}
	newer := int8(leader.StableDataVersion - e.netData.stableVersion)
	if e.mode.Has(mle.ModeFullNetworkData) {
		newer = int8(leader.DataVersion - e.netData.version)
	}
	if !e.netData.wanted && newer <= 0 || e.role == RoleLeader && !e.netData.wanted {
		return nil
	}
	missing := e.learnDataset(m)
	data, ok := m.Find(mle.TLVNetworkData)
	if !ok || missing {
		delay := 10 * time.Millisecond
		if info.dst.IsMulticast() {
			delay = e.randomUpTo(e.timing.ResponseDelay)
		}
		e.requestNetworkData(info.src, delay)
		return nil
	}
	e.setNetworkData(leader, data)
	return nil
}
