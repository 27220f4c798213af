// Package dataset is what a node knows of its network: the parameters that it uses, and the Active and Pending Operational Datasets
// (Thread 1.1 §8.10), in which the network's nodes agree on them. The key, PAN ID, channel, name, extended PAN ID, mesh-local prefix, PSKc
// and security policy of a node come from here and from nowhere else.
package dataset

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

const (
	// maxSize bounds a dataset, in bytes: it must fit a TLV without extended length.
	maxSize = 254

	timestampSize = 8
	// digestSize is how much of a SHA-256 tells datasets from each other.
	digestSize = 4
)

var (
	errTooLong   = errors.New("dataset: more than 254 bytes")
	errBroadcast = errors.New("dataset: the PAN ID of a broadcast")

	// ErrForeign says that a dataset names another key or PAN ID than those by which it came: it cannot be this network's.
	ErrForeign = errors.New("dataset: it is that of another network")
)

// record is a dataset: its timestamp as a TLV has it, and the other TLVs. A record that is known is not changed, but replaced.
type record struct {
	known     bool
	timestamp [timestampSize]byte
	tlvs      []byte
}

// newer reports whether a dataset of time t is newer than this one.
func (r *record) newer(t [timestampSize]byte) bool { return !r.known || compare(t, r.timestamp) > 0 }

// Active is the network of a node and its Active Operational Dataset, twice: the one that the node's partition has, which the network
// follows and which is passed on, and the node's own, the newest that it knows, which is stored. They are two only as long as the leader has
// not heard of the own one.
//
//	unknown ──── Found ───► own: made of the network, with timestamp 0
//	   │                     │
//	 Learn                 Learn
//	   │                     ▼            Set: by command, or asked of the leader
//	   └────────────────► learned ◄────── Activate: the pending one's time has come
//	                       │   ▲
//	                       └───┘ Learn: the partition has another one
//
// The dataset is kept as it came and passed on, and the network follows it: where a node's configuration says otherwise, it would be
// attached, but out of reach for all others (Thread 1.1 §8.4.3).
type Active struct {
	configured, network meshcop.Network
	usual, policy       meshcop.SecurityPolicy // without a dataset, and with the present one

	partition, own record
}

// New returns the network n, which must pass its Check, with no dataset known. policy is the security policy where a dataset has none.
func New(n meshcop.Network, policy meshcop.SecurityPolicy) *Active {
	a := &Active{usual: policy}
	a.SetNetwork(n)
	return a
}

// Network returns the parameters that the node uses. The mesh-local prefix is masked.
func (a *Active) Network() meshcop.Network { return a.network }

// Policy returns the security policy in force.
func (a *Active) Policy() meshcop.SecurityPolicy { return a.policy }

// Configured returns the parameters of the last SetNetwork, before a dataset changed them.
func (a *Active) Configured() meshcop.Network { return a.configured }

// SetNetwork changes them by command. n must pass its Check. No dataset is known then: the old one was that of another network.
func (a *Active) SetNetwork(n meshcop.Network) {
	n.MeshLocalPrefix = n.MeshLocalPrefix.Masked()
	*a = Active{configured: n, network: n, usual: a.usual, policy: a.usual}
}

// Set makes a dataset the newest that the node knows, and the partition's as well if take: that of a leader, of a node that is in no
// partition, or one that was stored. What is not in it stays. It fails if the dataset is malformed, too long, or describes no network.
func (a *Active) Set(timestamp [timestampSize]byte, tlvs []byte, take bool) error {
	n, policy, err := a.follow(tlvs)
	if err != nil {
		return err
	}
	a.own = record{true, timestamp, bytes.Clone(tlvs)}
	if take {
		a.partition, a.network, a.policy = a.own, n, policy
	}
	return nil
}

// Known reports whether the partition's dataset is known, or, in no partition, the node's own.
func (a *Active) Known() bool { return a.partition.known }

// Timestamp returns the dataset's timestamp as an Active Timestamp TLV has it: all zero for one that Found has made.
func (a *Active) Timestamp() [timestampSize]byte { return a.partition.timestamp }

// TLVs returns the partition's dataset as it came, not to be changed. It is empty if none is known.
func (a *Active) TLVs() []byte { return a.partition.tlvs }

// Own returns the newest dataset that the node knows: its timestamp, and the TLVs without it, not to be changed; ok is false if there is none.
func (a *Active) Own() (timestamp [timestampSize]byte, tlvs []byte, ok bool) {
	return a.own.timestamp, a.own.tlvs, a.own.known
}

// Latest returns the timestamp of the newest dataset that the node knows, its own or the partition's; zero if it knows none.
func (a *Active) Latest() [timestampSize]byte { return latest(&a.own, &a.partition) }

func latest(a, b *record) [timestampSize]byte {
	if compare(a.timestamp, b.timestamp) > 0 {
		return a.timestamp
	}
	return b.timestamp
}

// With returns the TLVs of the partition's dataset, completed, for a network n. It fails if n does not pass its Check.
func (a *Active) With(n meshcop.Network) ([]byte, error) {
	tlvs, err := n.Dataset(a.policy).AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	return merge(merge(tlvs, a.partition.tlvs), tlvs), nil
}

// Unregistered reports whether the node knows a newer dataset than its partition has, of which the leader is to hear.
func (a *Active) Unregistered() bool {
	return a.own.known && a.partition.known && compare(a.own.timestamp, a.partition.timestamp) > 0
}

// Found completes the node's own dataset from the network's parameters and makes it that of a new partition, with timestamp 0 if there was
// none. It fails if the network does not pass its Check, or the dataset would be too long.
func (a *Active) Found() error {
	tlvs, err := a.complete()
	if err != nil {
		return err
	}
	a.own = record{true, a.own.timestamp, tlvs}
	a.partition = a.own
	return nil
}

// complete returns the node's own dataset, completed from the network's parameters.
func (a *Active) complete() ([]byte, error) {
	tlvs, err := a.network.Dataset(a.policy).AppendBinary(nil)
	if err != nil {
		return nil, err
	}
	if a.own.known {
		tlvs = merge(tlvs, a.own.tlvs)
	}
	if len(tlvs) > maxSize {
		return nil, errTooLong
	}
	return tlvs, nil
}

// merge returns the TLVs of base, with those of change in place of the ones of the same type, and what else change has behind them.
func merge(base, change []byte) []byte {
	var b []byte
	for t, value := range tlv.All[meshcop.Type](base) {
		if v, ok := tlv.Find(change, t); ok {
			value = v
		}
		b = tlv.Append(b, t, value)
	}
	for t, value := range tlv.All[meshcop.Type](change) {
		if _, ok := tlv.Find(b, t); !ok {
			b = tlv.Append(b, t, value)
		}
	}
	return b
}

// Dated reports whether the dataset has a time: without one, its timestamp says nothing of which it is.
func (a *Active) Dated() bool { return a.partition.timestamp != [timestampSize]byte{} }

// Leave says that the node is in no partition any more: its own dataset counts, or else what was configured.
func (a *Active) Leave() {
	a.network, a.policy, a.partition = a.configured, a.usual, a.own
	if n, policy, err := a.follow(a.own.tlvs); err == nil {
		a.network, a.policy = n, policy
	}
}

// Learn takes over the partition's dataset from a message of the parent or a router, and reports whether another one than the known is
// announced that is not in the message. The network follows it even if the node knows a newer one: the leader will hear of that. One without
// time replaces another one without time: it was handed out because this node has joined its partition. Learn fails, and changes nothing,
// if the dataset is malformed or has more than 254 bytes, and with ErrForeign.
func (a *Active) Learn(m mle.Message) (missing bool, err error) {
	value, ok := m.Find(mle.TLVActiveTimestamp)
	if !ok || len(value) != timestampSize {
		return false, nil
	}
	timestamp := [timestampSize]byte(value)
	tlvs, ok := m.Find(mle.TLVActiveOperationalDataset)
	known := a.partition.known && compare(timestamp, a.partition.timestamp) == 0
	switch {
	case known && (!ok || a.Dated()):
		return false, nil
	case !ok:
		return true, nil
	}
	n, policy, err := a.follow(tlvs)
	if err != nil {
		return false, err
	}
	if n.Key != a.network.Key || n.PANID != a.network.PANID {
		return false, ErrForeign
	}
	a.network, a.policy = n, policy
	a.partition = record{true, timestamp, bytes.Clone(tlvs)}
	if !a.own.known || compare(timestamp, a.own.timestamp) >= 0 {
		a.own = a.partition
	}
	return false, nil
}

// Activate makes a pending dataset, without its own timestamp and delay, the active one. A newer one of the node's own stays, unless the key
// is another: then all begins anew, times as well (Thread 1.1 §8.4.3.6). It fails as Set does.
func (a *Active) Activate(timestamp [timestampSize]byte, tlvs []byte) error {
	n, policy, err := a.follow(tlvs)
	if err != nil {
		return err
	}
	rekeyed := n.Key != a.network.Key
	a.network, a.policy = n, policy
	a.partition = record{true, timestamp, bytes.Clone(tlvs)}
	if rekeyed || a.own.newer(timestamp) {
		a.own = a.partition
	}
	return nil
}

// Try makes the node use the network of a dataset, until it learns that network's or Leave takes that back. It fails as Set does.
func (a *Active) Try(tlvs []byte) error {
	n, policy, err := a.follow(tlvs)
	if err == nil {
		a.network, a.policy = n, policy
	}
	return err
}

// Move makes the node use another channel and PAN ID, until it learns the dataset there or they are changed back.
func (a *Active) Move(channel uint8, pan ieee802154.PANID) error {
	n := a.network
	n.Channel, n.PANID = channel, pan
	if err := n.Check(); err != nil {
		return err
	}
	a.network = n
	return nil
}

// compare returns -1, 0 or 1 as the time t is before, at or after u.
func compare(t, u [timestampSize]byte) int {
	a, _ := meshcop.ParseTimestamp(t[:]) // it fails for the size alone
	b, _ := meshcop.ParseTimestamp(u[:])
	return a.Compare(b)
}

// follow returns the network's parameters and the security policy as a dataset has them; what is not in it stays.
func (a *Active) follow(tlvs []byte) (n meshcop.Network, policy meshcop.SecurityPolicy, err error) {
	n, policy = a.network, a.policy
	if len(tlvs) > maxSize {
		return n, policy, errTooLong
	}
	d, err := meshcop.ParseDataset(tlvs)
	if err != nil {
		return n, policy, err
	}
	if d.Has(meshcop.HasNetworkMasterKey) {
		n.Key = d.NetworkMasterKey
	}
	if d.Has(meshcop.HasPANID) {
		if d.PANID == ieee802154.BroadcastPAN {
			return n, policy, errBroadcast
		}
		n.PANID = d.PANID
	}
	if d.Has(meshcop.HasNetworkName) {
		n.Name = d.NetworkName
	}
	if d.Has(meshcop.HasExtendedPANID) {
		n.ExtPANID = d.ExtendedPANID
	}
	if d.Has(meshcop.HasMeshLocalPrefix) {
		n.MeshLocalPrefix = d.MeshLocalPrefix
	}
	if d.Has(meshcop.HasPSKc) {
		n.PSKc = d.PSKc
	}
	if d.Has(meshcop.HasChannel) && d.Channel.Page == 0 {
		n.Channel = uint8(min(d.Channel.Number, math.MaxUint8))
	}
	if d.Has(meshcop.HasSecurityPolicy) {
		policy.Flags = d.SecurityPolicy.Flags
		if d.SecurityPolicy.RotationTime >= time.Hour { // else it is none (Thread 1.1 §8.10.1.15)
			policy.RotationTime = d.SecurityPolicy.RotationTime
		}
	}
	return n, policy, n.Check()
}

// Same reports whether a message names the dataset that is known here.
func (a *Active) Same(m mle.Message) bool {
	timestamp, ok := m.Find(mle.TLVActiveTimestamp)
	return ok && a.partition.known && bytes.Equal(timestamp, a.partition.timestamp[:])
}

// digest tells datasets without time from each other. Of one with a time that tells enough: ok is false.
func (a *Active) digest() (d [digestSize]byte, ok bool) {
	if a.Dated() {
		return d, false
	}
	tlvs := a.partition.tlvs
	if !a.partition.known {
		var err error
		if tlvs, err = a.complete(); err != nil {
			return d, false
		}
	}
	sum := sha256.Sum256(tlvs)
	return [digestSize]byte(sum[:]), true
}

// AppendDigest appends a TLV that says which dataset without time a node has, or would make if it founded a partition, to its Child ID Request; nothing if
// it has one with a time. See Confirm.
func (a *Active) AppendDigest(b []byte) []byte {
	d, ok := a.digest()
	if !ok {
		return b
	}
	return mle.AppendTLV(b, mle.TLVDatasetDigest, d[:])
}

// Told reports whether a Child ID Request names the dataset that is known here, by its time or its digest.
func (a *Active) Told(m mle.Message) bool {
	d, ok := a.digest()
	theirs, has := m.Find(mle.TLVDatasetDigest)
	return ok && a.partition.known && has && bytes.Equal(theirs, d[:]) || a.Same(m)
}

// Confirm is for a node without a dataset that has told which one it would make: an answer with a dataset's time alone, which is none, says that it is
// the partition's. It fails as Found does.
func (a *Active) Confirm(m mle.Message) error {
	timestamp, ok := m.Find(mle.TLVActiveTimestamp)
	if a.partition.known || !ok || !bytes.Equal(timestamp, make([]byte, timestampSize)) || m.Has(mle.TLVActiveOperationalDataset) {
		return nil
	}
	return a.Found()
}

// AppendTimestamp appends the Active Timestamp TLV, which names the dataset, to an MLE message; nothing if none is known.
func (a *Active) AppendTimestamp(b []byte) []byte {
	if !a.partition.known {
		return b
	}
	return mle.AppendTLV(b, mle.TLVActiveTimestamp, a.partition.timestamp[:])
}

// AppendTLVs appends the Active Operational Dataset TLV to an MLE message; nothing if none is known.
func (a *Active) AppendTLVs(b []byte) []byte {
	if !a.partition.known {
		return b
	}
	return mle.AppendTLV(b, mle.TLVActiveOperationalDataset, a.partition.tlvs)
}
