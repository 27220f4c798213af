package dataset

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Delays of pending datasets, as OpenThread has them (Thread 1.1 §8.11, DELAY_TIMER_MINIMAL and DELAY_TIMER_DEFAULT).
const (
	DefaultMinDelay = 30 * time.Second
	// MinKeyDelay is the least delay where the network key changes: who misses that is lost.
	MinKeyDelay = 300 * time.Second
)

// Manager answers those who ask for the datasets, and as the leader those who ask for others (Thread 1.1 §8.7).
//
//	MGMT_ACTIVE_SET ──┬─ nothing that would cut nodes off ─► the active one, at once
//	                  └─ channel, PAN ID, prefix or key ───► refused to a commissioner; of a node, the pending one
//	MGMT_PENDING_SET ────────────────────────────────────► the pending one, with a delay of its minimum at least
type Manager struct {
	Active  *Active
	Pending *Pending
	// MinDelay is the least delay of a pending dataset that leaves the key as it is.
	MinDelay time.Duration
}

// A Verdict is what became of a request to change a dataset.
type Verdict struct {
	// Accepted says that one has changed.
	Accepted bool
	// Commissioner says that the request is from the commissioner.
	Commissioner bool
}

// request is a MGMT_SET, looked into.
type request struct {
	tlvs         []byte // without the session
	dataset      meshcop.Dataset
	commissioner bool
}

// read takes a request apart. It reports false if it is to be refused: malformed, of another commissioner's session, or without the timestamps
// that it needs.
func read(payload []byte, session uint16, needs meshcop.Components) (r request, ok bool) {
	if len(payload) > maxSize+timestampSize || tlv.Validate(payload) != nil {
		return r, false
	}
	if value, found := tlv.Find(payload, meshcop.TypeCommissionerSessionID); found {
		id, err := meshcop.ParseCommissionerSessionID(value)
		if r.commissioner = true; err != nil || id != session {
			return r, false
		}
	}
	r.tlvs = without(payload, meshcop.TypeCommissionerSessionID)
	var err error
	r.dataset, err = meshcop.ParseDataset(r.tlvs)
	return r, err == nil && r.dataset.Has(needs)
}

// timestampOf returns a timestamp as a TLV has it.
func timestampOf(t meshcop.Timestamp) [timestampSize]byte {
	b, _ := t.AppendBinary(nil) // it never fails
	return [timestampSize]byte(b)
}

// affects reports whether a dataset would cut off nodes that have not got it yet, and whether by another key.
func (m *Manager) affects(d *meshcop.Dataset) (connectivity, key bool) {
	n := m.Active.Network()
	key = d.Has(meshcop.HasNetworkMasterKey) && d.NetworkMasterKey != meshcop.Key(n.Key)
	connectivity = key ||
		d.Has(meshcop.HasChannel) && (d.Channel.Page != 0 || d.Channel.Number != uint16(n.Channel)) ||
		d.Has(meshcop.HasPANID) && d.PANID != n.PANID ||
		d.Has(meshcop.HasMeshLocalPrefix) && d.MeshLocalPrefix.Masked() != n.MeshLocalPrefix
	return connectivity, key
}

// base is what a request changes: the active dataset for a commissioner, who may name a few TLVs alone; for all others nothing.
func (m *Manager) base(r *request) []byte {
	if _, own, ok := m.Active.Own(); ok && r.commissioner {
		return own
	}
	return nil
}

// SetActive is the leader's answer to a MGMT_ACTIVE_SET; session is that of the commissioner.
func (m *Manager) SetActive(payload []byte, session uint16) Verdict {
	r, ok := read(payload, session, meshcop.HasActiveTimestamp)
	v := Verdict{Commissioner: r.commissioner}
	if !ok || r.dataset.Has(meshcop.HasChannel) && r.dataset.Channel.Page != 0 {
		return v
	}
	timestamp := timestampOf(r.dataset.ActiveTimestamp)
	connectivity, key := m.affects(&r.dataset)
	switch {
	case !m.Active.own.newer(timestamp):
	case !connectivity:
		tlvs := merge(m.base(&r), without(r.tlvs, meshcop.TypeActiveTimestamp, meshcop.TypePendingTimestamp, meshcop.TypeDelayTimer))
		v.Accepted = m.Active.Set(timestamp, tlvs, true) == nil
	case !r.commissioner:
		v.Accepted = m.await(timestamp, without(r.tlvs, meshcop.TypePendingTimestamp, meshcop.TypeDelayTimer), m.MinDelay, key)
	}
	return v
}

// SetPending is the leader's answer to a MGMT_PENDING_SET; session is that of the commissioner.
func (m *Manager) SetPending(payload []byte, session uint16) Verdict {
	r, ok := read(payload, session, meshcop.HasActiveTimestamp|meshcop.HasPendingTimestamp|meshcop.HasDelayTimer)
	v := Verdict{Commissioner: r.commissioner}
	if !ok {
		return v
	}
	_, key := m.affects(&r.dataset)
	if active, _, known := m.Active.Own(); known && !key && compare(timestampOf(r.dataset.ActiveTimestamp), active) <= 0 {
		return v // only with another key the time may begin anew
	}
	tlvs := merge(m.base(&r), without(r.tlvs, meshcop.TypePendingTimestamp, meshcop.TypeDelayTimer))
	v.Accepted = m.await(timestampOf(r.dataset.PendingTimestamp), tlvs, r.dataset.DelayTimer, key)
	return v
}

// await makes a dataset the pending one. It reports false if the one known is as new, or if this one could not become active.
func (m *Manager) await(timestamp [timestampSize]byte, tlvs []byte, delay time.Duration, key bool) bool {
	if !m.Pending.own.newer(timestamp) {
		return false
	}
	if _, _, err := m.Active.follow(without(tlvs, meshcop.TypeActiveTimestamp)); err != nil {
		return false
	}
	delay = max(delay, m.MinDelay)
	if key {
		delay = max(delay, MinKeyDelay)
	}
	tlvs = binary.BigEndian.AppendUint32(tlv.AppendHeader(bytes.Clone(tlvs), meshcop.TypeDelayTimer, 4), uint32(delay/time.Millisecond))
	return m.Pending.Set(timestamp, tlvs, true) == nil
}

// GetActive returns the answer to a MGMT_ACTIVE_GET: the TLVs that it asks for, or all. The network key is there only if the security policy
// allows that.
func (m *Manager) GetActive(payload []byte) []byte {
	timestamp, tlvs, ok := m.Active.Own()
	if !ok {
		return nil
	}
	return m.choose(tlv.Append(nil, meshcop.TypeActiveTimestamp, timestamp[:]), tlvs, wanted(payload))
}

// GetPending returns the answer to a MGMT_PENDING_GET, which tells the delay whenever it tells anything (Thread 1.1 §8.7.5.4).
func (m *Manager) GetPending(payload []byte) []byte {
	timestamp, tlvs, ok := m.Pending.Own()
	if !ok {
		return nil
	}
	types := wanted(payload)
	if len(types) > 0 && !bytes.Contains(types, []byte{byte(meshcop.TypeDelayTimer)}) {
		types = append(bytes.Clone(types), byte(meshcop.TypeDelayTimer))
	}
	return m.choose(tlv.Append(nil, meshcop.TypePendingTimestamp, timestamp[:]), tlvs, types)
}

// wanted returns the types in the Get TLV of a request; none stands for all.
func wanted(payload []byte) []byte {
	types, _ := tlv.Find(payload, meshcop.TypeGet)
	return types
}

func (m *Manager) choose(timestamp, tlvs, types []byte) (answer []byte) {
	all := append(timestamp, tlvs...)
	if m.Active.Policy().Flags&meshcop.SecurityObtainMasterKey == 0 {
		all = without(all, meshcop.TypeNetworkMasterKey)
	}
	if len(types) == 0 {
		return all
	}
	var done [256 / 8]byte // each type once: the answer must not grow with the request
	for _, t := range types {
		if done[t/8]>>(t%8)&1 != 0 {
			continue
		}
		done[t/8] |= 1 << (t % 8)
		if value, ok := tlv.Find(all, meshcop.Type(t)); ok {
			answer = tlv.Append(answer, meshcop.Type(t), value)
		}
	}
	return answer
}
