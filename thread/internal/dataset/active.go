// Package dataset is what a node knows of its network: the parameters that it uses, and the Active Operational Dataset
// (Thread 1.1 §8.10), in which the network's nodes agree on them. The key, PAN ID, channel, name, extended PAN ID and mesh-local prefix of
// a node come from here and from nowhere else.
package dataset

import (
	"bytes"
	"errors"
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
)

const (
	// maxSize bounds a dataset, in bytes: it must fit a TLV without extended length.
	maxSize = 254

	timestampSize = 8
)

var (
	errTooLong = errors.New("dataset: more than 254 bytes")

	// ErrForeign says that a dataset names another key or PAN ID than those by which it came: it cannot be this network's.
	ErrForeign = errors.New("dataset: it is that of another network")
	// ErrOlder says that a dataset contradicts the one known, which is newer.
	ErrOlder = errors.New("dataset: older than the one known, and different")
)

// Active is the network of a node and its Active Operational Dataset. A leader that knows none makes one of its network, and parents
// hand it to their children, some of which remember the network by nothing else.
//
//	unknown ──── Found ───► own: made of the network, with timestamp 0
//	   │                     │
//	 Learn                 Learn
//	   │                     ▼
//	   └────────────────► learned: as it came ──┐
//	                         ▲                  │ Learn: a newer one, or another one without time
//	                         └──────────────────┘
//
// The dataset is kept as it came and passed on, and the network follows it: where a node's configuration says otherwise, it would be
// attached, but out of reach for all others (Thread 1.1 §8.4.3).
type Active struct {
	configured, network meshcop.Network

	known     bool
	timestamp [timestampSize]byte // as an Active Timestamp TLV has it
	tlvs      []byte              // without the timestamp
}

// New returns the network n, which must pass its Check, with no dataset known.
func New(n meshcop.Network) *Active {
	a := new(Active)
	a.SetNetwork(n)
	return a
}

// Network returns the parameters that the node uses. The mesh-local prefix is masked.
func (a *Active) Network() meshcop.Network { return a.network }

// Configured returns the parameters of the last SetNetwork, before a dataset changed them.
func (a *Active) Configured() meshcop.Network { return a.configured }

// SetNetwork changes them by command. n must pass its Check. No dataset is known then: the old one was that of another network.
func (a *Active) SetNetwork(n meshcop.Network) {
	n.MeshLocalPrefix = n.MeshLocalPrefix.Masked()
	*a = Active{configured: n, network: n}
}

// Restore takes up a dataset that was stored. It fails as Learn does.
func (a *Active) Restore(timestamp [timestampSize]byte, tlvs []byte) error {
	return a.take(timestamp, tlvs)
}

// Known reports whether there is a dataset.
func (a *Active) Known() bool { return a.known }

// Timestamp returns the dataset's timestamp as an Active Timestamp TLV has it: all zero for one that Found has made.
func (a *Active) Timestamp() [timestampSize]byte { return a.timestamp }

// TLVs returns the dataset as it came, not to be changed. It is empty if none is known.
func (a *Active) TLVs() []byte { return a.tlvs }

// Found makes the dataset of a new partition of the network, unless one is known. rotation is how long a key sequence lasts, in whole
// hours. It fails if the network does not pass its Check.
func (a *Active) Found(rotation time.Duration) error {
	if a.known {
		return nil
	}
	tlvs, err := a.network.Dataset(rotation).AppendBinary(nil)
	if err != nil {
		return err
	}
	a.known, a.tlvs = true, tlvs
	return nil
}

// Dated reports whether the dataset has a time: without one, its timestamp says nothing of which it is.
func (a *Active) Dated() bool { return a.timestamp != [timestampSize]byte{} }

// Learn keeps the dataset in a message from the parent or a router, if it is newer than the one known, and reports whether a newer one is
// announced that is not in the message. One without time replaces another one without time: it was handed out because this node has
// joined its partition. Learn fails, and changes nothing, if the dataset is malformed or has more than 254 bytes, with ErrForeign, and
// with ErrOlder.
func (a *Active) Learn(m mle.Message) (missing bool, err error) {
	value, ok := m.Find(mle.TLVActiveTimestamp)
	if !ok || len(value) != timestampSize {
		return false, nil
	}
	timestamp := [timestampSize]byte(value)
	tlvs, ok := m.Find(mle.TLVActiveOperationalDataset)
	order := 1
	if a.known {
		order = compare(timestamp, a.timestamp)
	}
	switch {
	case order < 0 && ok:
		return false, a.contradicts(tlvs)
	case order < 0, order == 0 && (!ok || a.Dated()):
		return false, nil
	case !ok:
		return true, nil
	}
	return false, a.take(timestamp, tlvs)
}

// compare returns -1, 0 or 1 as the time t is before, at or after u.
func compare(t, u [timestampSize]byte) int {
	a, _ := meshcop.ParseTimestamp(t[:]) // it fails for the size alone
	b, _ := meshcop.ParseTimestamp(u[:])
	return a.Compare(b)
}

// take makes a dataset the active one.
func (a *Active) take(timestamp [timestampSize]byte, tlvs []byte) error {
	n, err := a.follow(tlvs)
	if err != nil {
		return err
	}
	a.network = n
	a.known, a.timestamp, a.tlvs = true, timestamp, bytes.Clone(tlvs)
	return nil
}

// contradicts fails with ErrOlder if an older dataset says otherwise than the one known, of the network's parameters.
func (a *Active) contradicts(tlvs []byte) error {
	n, err := a.follow(tlvs)
	if err == nil && n != a.network {
		return ErrOlder
	}
	return err
}

// follow returns the network's parameters as a dataset has them; what is not in it stays. Key and PAN ID cannot change: the dataset came by
// them.
func (a *Active) follow(tlvs []byte) (n meshcop.Network, err error) {
	n = a.network
	if len(tlvs) > maxSize {
		return n, errTooLong
	}
	d, err := meshcop.ParseDataset(tlvs)
	if err != nil {
		return n, err
	}
	if d.Has(meshcop.HasNetworkMasterKey) && d.NetworkMasterKey != meshcop.Key(n.Key) || d.Has(meshcop.HasPANID) && d.PANID != n.PANID {
		return n, ErrForeign
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
	if d.Has(meshcop.HasChannel) && d.Channel.Page == 0 {
		n.Channel = uint8(min(d.Channel.Number, math.MaxUint8))
	}
	return n, n.Check()
}

// Same reports whether a message names the dataset that is known here.
func (a *Active) Same(m mle.Message) bool {
	timestamp, ok := m.Find(mle.TLVActiveTimestamp)
	return ok && a.known && bytes.Equal(timestamp, a.timestamp[:])
}

// AppendTimestamp appends the Active Timestamp TLV, which names the dataset, to an MLE message; nothing if none is known.
func (a *Active) AppendTimestamp(b []byte) []byte {
	if !a.known {
		return b
	}
	return mle.AppendTLV(b, mle.TLVActiveTimestamp, a.timestamp[:])
}

// AppendTLVs appends the Active Operational Dataset TLV to an MLE message; nothing if none is known.
func (a *Active) AppendTLVs(b []byte) []byte {
	if !a.known {
		return b
	}
	return mle.AppendTLV(b, mle.TLVActiveOperationalDataset, a.tlvs)
}
