package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// distributor passes on what the leader distributes to all: the network data (Thread 1.1 §5.18) and the active dataset (§8.10). Who hears
// of a newer version asks for it, and tells its neighbors once it has it.
//
//	Leader Data with a newer version ─► Data Request ─► Data Response ─► taken ─► Data Response to all
type distributor struct {
	*self
	change    transitions
	neighbors *neighbors.Table
	addresses *addresses.Table
	netData   *networkdata.Data
	dataset   *dataset.Active
	pending   *dataset.Pending
	manage    *management
	resolver  *resolver.Resolver
	contexts  *lowpan.Contexts
	mle       *mleMessenger
	keepAlive *keepAlive
	parent    *parentSide

	announced core.Limiter // how often the leader announces data soon after they have changed
	repeat    time.Time    // when the leader announces the data once more
	told      []netip.Addr // of a minimal end device: the addresses that it has last registered
}

// leaderData is what this node tells others about its partition.
func (d *distributor) leaderData() mle.LeaderData {
	l := d.leader
	l.DataVersion, l.StableDataVersion = d.netData.Version(), d.netData.StableVersion()
	return l
}

// wants reports whether a partition's leader data speak of network data that is not here.
func (d *distributor) wants(l mle.LeaderData) bool {
	return d.netData.Outdated() || d.netData.IsNewer(l, true)
}

// found starts a new partition's data and announces it.
func (d *distributor) found() {
	d.netData.Found()
	d.change.networkDataChanged()
}

// foundAgain is for a leader that has restarted and not got its partition's data back: if nobody is left who has them, they are lost.
func (d *distributor) foundAgain() {
	if d.netData.Outdated() && d.neighbors.Routers.Links() == 0 {
		d.found()
	}
}

// setNetworkData takes over the leader's data.
func (d *distributor) setNetworkData(l mle.LeaderData, tlvs []byte) {
	if d.netData.Take(l.DataVersion, l.StableDataVersion, tlvs) != nil {
		d.counters.MLEMalformed++
		return
	}
	if d.role == RoleLeader { // it has restarted, and has its partition's data back
		d.manage.leadAgain()
	}
	d.keepAlive.dataKnown()
	if !d.mode.Has(mle.ModeFullNetworkData) {
		d.netData.DropTemporary()
	}
	d.change.networkDataChanged()
}

// appendTimestamps names the datasets.
func (d *distributor) appendTimestamps(b []byte) []byte {
	return d.pending.AppendTimestamp(d.dataset.AppendTimestamp(b))
}

// appendNetworkData tells the network data, unless what is here is of another partition or time.
func (d *distributor) appendNetworkData(b []byte, full bool) []byte {
	if d.netData.Outdated() {
		return b
	}
	tlvs := d.netData.TLVs()
	if !full {
		tlvs = d.netData.Stable()
	}
	return mle.AppendTLV(b, mle.TLVNetworkData, tlvs)
}

// oneFrame is how long an MLE message from one extended address to another may be, its command and its TLVs, to need no fragments: a frame of
// 127 bytes has a MAC header of 21 and an FCS of 2, a compressed IPv6 header of 2 and a UDP header of 7, MLE's security takes 15, and the
// messenger adds a TLV of 3 bytes (see quiet).
const oneFrame = 77

// appendAddressRegistration registers a minimal end device's addresses with its parent: the mesh-local EID, those in prefixes of the network
// data, then those that the host has added. It reports whether all fit into a message of limit bytes, and leaves the last ones away if not. With
// a limit it comes last in the message.
func (d *distributor) appendAddressRegistration(b []byte, limit int) (message []byte, whole bool) {
	d.told = d.registrable(d.told[:0])
	entries := make([]mle.AddressEntry, 0, neighbors.MaxChildAddresses)
	for _, a := range d.told {
		entries = append(entries, d.addressEntry(a))
	}
	if d.sleepy() { // its parent keeps what is for them
		for _, a := range d.addresses.Groups() {
			if !d.addresses.IsOwnGroup(a) {
				entries = append(entries, mle.AddressEntry{Addr: a})
			}
		}
	}
	start := len(b)
	for n := len(entries); ; n-- {
		b = mle.AppendAddressRegistration(b[:start], entries[:n]...)
		if n == 1 || len(b) <= limit {
			return b, n == len(entries)
		}
	}
}

// registrable appends the addresses of a minimal end device that its parent is to know.
func (d *distributor) registrable(list []netip.Addr) []netip.Addr {
	list = append(list, d.addresses.EID())
	for _, m := range d.addresses.Managed() {
		list = append(list, m.Addr)
	}
	return append(list, d.addresses.Added()...)
}

// toldAll reports whether the parent was told of the addresses that there are now.
func (d *distributor) toldAll() bool { return slices.Equal(d.told, d.registrable(nil)) }

func (d *distributor) addressEntry(a netip.Addr) mle.AddressEntry {
	if id, _, ok := d.contexts.Lookup(a); ok && !a.IsMulticast() {
		return mle.AddressEntry{ContextID: id, IID: ip6.InterfaceIDOf(a)}
	}
	return mle.AddressEntry{Addr: a}
}

// announcedBurst is how many changes of the network data in a row the leader announces soon.
const announcedBurst = 16

// announce tells all neighbors of new data.
//
// Deviation: OpenThread announces each change at once. One node that registers something else again and again would keep all routers talking.
func (d *distributor) announce() {
	if !d.isRouter() {
		return
	}
	d.parent.updateSleepy()
	if d.role != RoleLeader {
		d.respond(ip6.LinkLocalAllNodes, dataNetwork, d.RandomUpTo(d.timing.DataResponseJitter))
		return
	}
	repeat := d.timing.DataResponseRepeat
	if d.neighbors.Routers.Links() == 0 && d.neighbors.Children.Attached() == 0 {
		repeat = 0 // a partition that begins, of which others are to hear
	}
	delay := d.RandomUpTo(repeat / 4) // what has brought about the change is still on the air
	if !d.announced.Allow(d.Now) {
		d.repeat = core.Earliest(d.repeat, d.Now.Add(4*repeat)) // who changes them all the time is heard now and then
		return
	}
	d.respond(ip6.LinkLocalAllNodes, dataNetwork, delay)
	if repeat > 0 {
		d.repeat = d.Now.Add(delay + repeat/2 + d.RandomUpTo(repeat/2))
	}
}

// NextTimeout returns when the leader announces the data once more.
func (d *distributor) NextTimeout() (time.Time, bool) { return d.repeat, !d.repeat.IsZero() }

// HandleTimeout announces the data once more, if it is time.
func (d *distributor) HandleTimeout() {
	if d.IsDue(d.repeat) {
		d.repeat = time.Time{}
		if d.role == RoleLeader {
			d.respond(ip6.LinkLocalAllNodes, dataNetwork, 0)
		}
	}
}

// What a Data Response carries.
const (
	dataNetwork = 1 << iota
	dataActive
	dataPending
)

// respond sends a Data Response. A newer announcement replaces one that still waits.
func (d *distributor) respond(dst netip.Addr, content int, delay time.Duration) {
	if d.netData.Outdated() {
		return
	}
	b := mle.AppendSourceAddress(d.mle.start(mle.DataResponse), d.rloc)
	b = mle.AppendLeaderData(b, d.leaderData())
	b = d.appendTimestamps(b)
	if content&dataNetwork != 0 {
		full := true
		if n := d.neighbors.ByIP(dst, d.addresses.Prefix()); n != nil {
			full = n.FullNetworkData()
		}
		b = d.appendNetworkData(b, full)
	}
	if content&dataActive != 0 {
		b = d.dataset.AppendTLVs(b)
	}
	if content&dataPending != 0 {
		b = d.pending.AppendTLVs(b)
	}
	if delay == 0 {
		d.mle.send(dst, b)
		return
	}
	d.mle.dropDelayed(mle.DataResponse, dst)
	d.mle.delay(dst, b, delay)
}

// request asks a neighbor for the network data, once.
func (d *distributor) request(dst netip.Addr, delay time.Duration) {
	b := mle.AppendTLVRequest(d.mle.start(mle.DataRequest), mle.TLVNetworkData)
	b = d.appendTimestamps(b)
	d.keepAlive.dataWanted()
	switch {
	case delay == 0:
		d.mle.send(dst, b)
	case !d.mle.isDelayed(mle.DataRequest, dst):
		d.mle.delay(dst, b, delay)
	}
}

// handleRequest answers a neighbor that asks for data.
func (d *distributor) handleRequest(m mle.Message, info mleInfo) error {
	r := m.Read()
	requested := r.TLVRequest()
	if err := r.Err(); err != nil {
		return err
	}
	if !d.fullThreadDevice() {
		return errMLEUnexpected
	}
	content := 0
	if requested.Contains(mle.TLVNetworkData) {
		content |= dataNetwork
	}
	if !d.dataset.Same(m) {
		content |= dataActive
	}
	if !d.pending.Same(m) {
		content |= dataPending
	}
	d.respond(info.src, content, 0)
	return nil
}

// handleLeaderData compares what a neighbor says about the partition with what is known, and takes over newer network data. It is all that
// there is to do with a Data Response.
func (d *distributor) handleLeaderData(m mle.Message, info mleInfo) error {
	r := m.Read()
	leader := r.LeaderData()
	if err := r.Err(); err != nil {
		return err
	}
	if leader.PartitionID != d.leader.PartitionID || leader.Weighting != d.leader.Weighting ||
		leader.LeaderRouterID != d.leader.LeaderRouterID {
		if d.role != RoleChild || info.ext != d.neighbors.Parent.Ext {
			return errMLEUnexpected
		}
		d.change.enterPartition(leader)
	}
	newer := d.netData.IsNewer(leader, d.mode.Has(mle.ModeFullNetworkData))
	if !d.netData.Outdated() && (!newer || d.role == RoleLeader) {
		d.keepAlive.dataKnown()
		return nil
	}
	missing := d.manage.learn(m)
	data, ok := m.Find(mle.TLVNetworkData)
	if !ok || missing {
		delay := 10 * time.Millisecond
		if info.dst.IsMulticast() {
			delay = d.RandomUpTo(d.timing.ResponseDelay)
		}
		d.request(info.src, delay)
		return nil
	}
	d.setNetworkData(leader, data)
	return nil
}
