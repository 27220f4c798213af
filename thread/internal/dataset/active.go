// Package dataset is what a node knows of its network: the parameters that it uses, and the Active Operational Dataset
// (Thread 1.1 §8.10), in which the network's nodes agree on them. The key, PAN ID, channel, name, extended PAN ID and mesh-local prefix of
// a node come from here and from nowhere else.
package dataset

import (
	"bytes"
	"errors"
	"time"

	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
)

const (
	// maxSize bounds a dataset, in bytes: it must fit a TLV without extended length.
	maxSize = 254

	timestampSize = 8
)

var errTooLong = errors.New("dataset: more than 254 bytes")

// Active is the network of a node and its Active Operational Dataset. A leader that knows none makes one of its network, and parents
// hand it to their children, some of which remember the network by nothing else.
//
//	unknown ──── Found ───► own: made of the network, with timestamp 0
//	   │                     │
//	 Learn                 Learn
//	   │                     ▼
//	   └────────────────► learned: as it came ──┐
//	                         ▲                  │ Learn: another timestamp
//	                         └──────────────────┘
//
// The dataset is kept as it came and passed on. The network does not follow it: changing one by the other is for a later version.
type Active struct {
	network meshcop.Network

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

// SetNetwork changes them by command. n must pass its Check. A dataset that is known stays.
func (a *Active) SetNetwork(n meshcop.Network) {
	n.MeshLocalPrefix = n.MeshLocalPrefix.Masked()
	a.network = n
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

// Learn keeps the dataset in a message from the parent or a router, if it is not the one known, and reports whether one is announced
// that is not known and not in the message either. It fails, and changes nothing, if the dataset is malformed or has more than 254
// bytes.
func (a *Active) Learn(m mle.Message) (missing bool, err error) {
	timestamp, ok := m.Find(mle.TLVActiveTimestamp)
	if !ok || len(timestamp) != timestampSize || a.Same(m) {
		return false, nil
	}
	tlvs, ok := m.Find(mle.TLVActiveOperationalDataset)
	if !ok {
		return true, nil
	}
	if len(tlvs) > maxSize {
		return false, errTooLong
	}
	if _, err := meshcop.ParseDataset(tlvs); err != nil {
		return false, err
	}
	a.known, a.timestamp, a.tlvs = true, [timestampSize]byte(timestamp), bytes.Clone(tlvs)
	return false, nil
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
