package thread

import (
	"bytes"

	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
)

// The Active Operational Dataset (Thread 1.1 §8.4): what the nodes of a network must agree on. A leader that has none makes one of
// its configuration, and parents hand it to their children, some of which remember the network by nothing else. Here it is kept
// as it came and passed on; changing it is for a later version.

// maxDataset bounds a dataset, which must fit a TLV.
const maxDataset = 254

// channelsIEEE802154 are the channels 11 to 26.
const channelsIEEE802154 = 0x07fff800

type dataset struct {
	known     bool
	timestamp [8]byte // as an Active Timestamp TLV has it
	tlvs      []byte
}

// generateDataset makes the dataset of a new partition, unless one is known.
func (e *Engine) generateDataset() {
	if e.dataset.known {
		return
	}
	const all = meshcop.HasChannel | meshcop.HasChannelMask | meshcop.HasExtendedPANID | meshcop.HasMeshLocalPrefix |
		meshcop.HasNetworkMasterKey | meshcop.HasNetworkName | meshcop.HasPANID | meshcop.HasPSKc | meshcop.HasSecurityPolicy
	tlvs, err := meshcop.Dataset{
		Present:          all,
		Channel:          mle.Channel{Number: uint16(e.channel)},
		ChannelMask:      channelsIEEE802154,
		ExtendedPANID:    e.extPANID,
		MeshLocalPrefix:  e.meshLocal,
		NetworkMasterKey: e.networkKey,
		NetworkName:      e.networkName,
		PANID:            e.pan,
		SecurityPolicy:   meshcop.SecurityPolicy{RotationTime: e.timing.KeyRotation, Flags: 0xff},
	}.AppendBinary(nil)
	if err != nil {
		e.log.Error("no dataset", "err", err)
		return
	}
	e.dataset = dataset{known: true, tlvs: tlvs}
}

// learnDataset keeps the dataset in a message from the parent or a router, and reports whether one is announced that is not known
// and not in the message.
func (e *Engine) learnDataset(m mle.Message) (missing bool) {
	timestamp, ok := m.Find(mle.TLVActiveTimestamp)
	if !ok || len(timestamp) != len(e.dataset.timestamp) || e.sameDataset(m) {
		return false
	}
	tlvs, ok := m.Find(mle.TLVActiveOperationalDataset)
	if !ok {
		return true
	}
	if _, err := meshcop.ParseDataset(tlvs); err != nil || len(tlvs) > maxDataset {
		e.counters.MLEMalformed++
		return false
	}
	e.dataset = dataset{known: true, timestamp: [8]byte(timestamp), tlvs: bytes.Clone(tlvs)}
	return false
}

// sameDataset reports whether a message names the dataset that is known here.
func (e *Engine) sameDataset(m mle.Message) bool {
	timestamp, ok := m.Find(mle.TLVActiveTimestamp)
	return ok && e.dataset.known && bytes.Equal(timestamp, e.dataset.timestamp[:])
}

// appendActiveTimestamp names the dataset, appendActiveDataset adds it.
func (e *Engine) appendActiveTimestamp(b []byte) []byte {
	if !e.dataset.known {
		return b
	}
	return mle.AppendTLV(b, mle.TLVActiveTimestamp, e.dataset.timestamp[:])
}

func (e *Engine) appendActiveDataset(b []byte) []byte {
	if !e.dataset.known {
		return b
	}
	return mle.AppendTLV(b, mle.TLVActiveOperationalDataset, e.dataset.tlvs)
}
