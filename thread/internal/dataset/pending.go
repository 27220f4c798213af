package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// errNoActiveTimestamp says that a pending dataset does not tell what its time is once it is active.
var errNoActiveTimestamp = errors.New("dataset: a pending dataset without Active Timestamp")

// maxDelay is the longest delay that a Delay Timer TLV can tell.
const maxDelay = math.MaxUint32 * time.Millisecond

// delayed is a pending dataset. Its record is without the Delay Timer TLV as well.
type delayed struct {
	record
	expires time.Time     // when it becomes active; zero while nobody has told, and for one without delay
	delay   time.Duration // of one whose time does not run, since it was stored: what was left; negative for none
}

// Pending is the Pending Operational Dataset of a node (Thread 1.1 §8.4.3.5), twice as the active one is: the partition's, and the newest
// that the node knows. The partition's becomes active when its delay is over, on all nodes at about the same time; the own one does while the
// partition has none.
//
//	none ─► Learn, Set ─► waiting ─── Expired ─► the active one, and none again
//	                         ▲ │
//	                         └─┘ Learn, Set: a newer one, with a delay of its own
//
// A stored one waits without a time until the parent tells what is left of it, or until the node leads a partition itself (Lead).
type Pending struct {
	core           *core.Core
	partition, own delayed
}

// NewPending returns a Pending that knows none.
func NewPending(c *core.Core) *Pending { return &Pending{core: c} }

// Clear forgets all.
func (p *Pending) Clear() { p.partition, p.own = delayed{}, delayed{} }

// parse takes a pending dataset apart: the TLVs without its own timestamp and without the delay, and the delay, negative if there is none.
func parse(tlvs []byte) (rest []byte, delay time.Duration, err error) {
	if len(tlvs) > maxSize {
		return nil, 0, errTooLong
	}
	d, err := meshcop.ParseDataset(tlvs)
	switch {
	case err != nil:
		return nil, 0, err
	case !d.Has(meshcop.HasActiveTimestamp):
		return nil, 0, errNoActiveTimestamp
	}
	for t, value := range tlv.All[meshcop.Type](tlvs) {
		if t != meshcop.TypePendingTimestamp && t != meshcop.TypeDelayTimer {
			rest = tlv.Append(rest, t, value)
		}
	}
	delay = -1
	if d.Has(meshcop.HasDelayTimer) {
		delay = d.DelayTimer
	}
	return rest, delay, nil
}

func (p *Pending) waiting(timestamp [timestampSize]byte, tlvs []byte) (delayed, error) {
	rest, delay, err := parse(tlvs)
	if err != nil {
		return delayed{}, err
	}
	d := delayed{record: record{true, timestamp, rest}, delay: -1}
	if delay >= 0 {
		d.expires = p.core.Now.Add(delay)
	}
	return d, nil
}

// Set makes a dataset the newest that the node knows, and the partition's as well if take. Its delay begins now. It fails if the dataset is
// malformed, too long, or without Active Timestamp.
func (p *Pending) Set(timestamp [timestampSize]byte, tlvs []byte, take bool) error {
	d, err := p.waiting(timestamp, tlvs)
	if err != nil {
		return err
	}
	p.own = d
	if take {
		p.partition = d
	}
	return nil
}

// Restore takes up a dataset that was stored, whose time does not run. It fails as Set does.
func (p *Pending) Restore(timestamp [timestampSize]byte, tlvs []byte) error {
	rest, delay, err := parse(tlvs)
	if err != nil {
		return err
	}
	p.own = delayed{record: record{true, timestamp, rest}, delay: delay}
	return nil
}

// Lead makes the node's own dataset that of the partition that it leads from now on.
func (p *Pending) Lead() {
	if p.own.known && p.own.expires.IsZero() && p.own.delay >= 0 {
		p.own.expires = p.core.Now.Add(p.own.delay)
	}
	p.partition = p.own
}

// Absent says that the partition has no pending dataset.
func (p *Pending) Absent() { p.partition = delayed{} }

// Obsolete forgets the node's own dataset if the active one is as new as what it would become.
func (p *Pending) Obsolete(active [timestampSize]byte) {
	if !p.own.known || p.partition.known {
		return
	}
	if t, ok := p.own.activeTimestamp(); ok && compare(active, t) >= 0 {
		p.own = delayed{}
	}
}

func (d *delayed) activeTimestamp() (t [timestampSize]byte, ok bool) {
	value, ok := tlv.Find(d.tlvs, meshcop.TypeActiveTimestamp)
	if !ok || len(value) != timestampSize {
		return t, false
	}
	return [timestampSize]byte(value), true
}

// appendAll appends the TLVs, with what is left of the delay.
func (p *Pending) appendAll(b []byte, d *delayed) []byte {
	b = append(b, d.tlvs...)
	left := d.delay
	if !d.expires.IsZero() {
		left = min(max(d.expires.Sub(p.core.Now), 0), maxDelay)
	}
	if left < 0 {
		return b
	}
	b = tlv.AppendHeader(b, meshcop.TypeDelayTimer, 4)
	return binary.BigEndian.AppendUint32(b, uint32(left/time.Millisecond))
}

// Own returns the newest pending dataset that the node knows: its timestamp, and the TLVs without it, with what is left of its delay; ok is
// false if there is none.
func (p *Pending) Own() (timestamp [timestampSize]byte, tlvs []byte, ok bool) {
	if !p.own.known {
		return timestamp, nil, false
	}
	return p.own.timestamp, p.appendAll(nil, &p.own), true
}

// Latest returns the timestamp of the newest pending dataset that the node knows; zero if it knows none.
func (p *Pending) Latest() [timestampSize]byte { return latest(&p.own.record, &p.partition.record) }

// Unregistered reports whether the node knows a newer pending dataset than its partition has, of which the leader is to hear.
func (p *Pending) Unregistered() bool { return p.own.known && p.partition.newer(p.own.timestamp) }

// Known reports whether the partition has a pending dataset.
func (p *Pending) Known() bool { return p.partition.known }

// Timestamp returns the timestamp of the partition's dataset.
func (p *Pending) Timestamp() [timestampSize]byte { return p.partition.timestamp }

// BecomesAt reports whether the node's own dataset has the active timestamp t once it is active.
func (p *Pending) BecomesAt(t [timestampSize]byte) bool {
	own, ok := p.own.activeTimestamp()
	return p.own.known && ok && compare(own, t) == 0
}

// Learn takes over the partition's pending dataset from a message of the parent or a router, and reports whether another one than the known is
// announced that is not in the message. It fails, and changes nothing, as Set does.
func (p *Pending) Learn(m mle.Message) (missing bool, err error) {
	value, ok := m.Find(mle.TLVPendingTimestamp)
	if !ok || len(value) != timestampSize {
		return false, nil
	}
	timestamp := [timestampSize]byte(value)
	if p.partition.known && compare(timestamp, p.partition.timestamp) == 0 {
		return false, nil
	}
	tlvs, ok := m.Find(mle.TLVPendingOperationalDataset)
	if !ok {
		return true, nil
	}
	d, err := p.waiting(timestamp, tlvs)
	if err != nil {
		return false, err
	}
	p.partition = d
	if !p.own.known || compare(timestamp, p.own.timestamp) >= 0 {
		p.own = d
	}
	return false, nil
}

// current is the one whose time counts.
func (p *Pending) current() *delayed {
	if p.partition.known {
		return &p.partition
	}
	return &p.own
}

// NextTimeout returns when the dataset becomes active.
func (p *Pending) NextTimeout() (time.Time, bool) {
	t := p.current().expires
	return t, !t.IsZero()
}

// Expired reports whether the time of the dataset has come. It returns what becomes active then: the timestamp, and the TLVs without it. No
// dataset is pending any more.
func (p *Pending) Expired() (timestamp [timestampSize]byte, tlvs []byte, ok bool) {
	if !p.core.IsDue(p.current().expires) {
		return timestamp, nil, false
	}
	return p.Take()
}

// Take ends the wait at once, as Expired does once the time has come.
func (p *Pending) Take() (timestamp [timestampSize]byte, tlvs []byte, ok bool) {
	d := *p.current()
	if timestamp, ok = d.activeTimestamp(); !d.known || !ok {
		return timestamp, nil, false
	}
	p.Clear()
	return timestamp, without(d.tlvs, meshcop.TypeActiveTimestamp), true
}

// Next returns the TLVs of the dataset that would become active next, ok being false if there is none.
func (p *Pending) Next() (tlvs []byte, ok bool) {
	d := p.current()
	return without(d.tlvs, meshcop.TypeActiveTimestamp), d.known
}

// without returns the TLVs but for those of some types.
func without(tlvs []byte, types ...meshcop.Type) (rest []byte) {
next:
	for t, value := range tlv.All[meshcop.Type](tlvs) {
		for _, u := range types {
			if t == u {
				continue next
			}
		}
		rest = tlv.Append(rest, t, value)
	}
	return rest
}

// Same reports whether a message names the pending dataset that is known here. None is as good as another one.
func (p *Pending) Same(m mle.Message) bool {
	timestamp, ok := m.Find(mle.TLVPendingTimestamp)
	return !p.partition.known || ok && bytes.Equal(timestamp, p.partition.timestamp[:])
}

// AppendTimestamp appends the Pending Timestamp TLV, which names the dataset, to an MLE message; nothing if none is known.
func (p *Pending) AppendTimestamp(b []byte) []byte {
	if !p.partition.known {
		return b
	}
	return mle.AppendTLV(b, mle.TLVPendingTimestamp, p.partition.timestamp[:])
}

// AppendTLVs appends the Pending Operational Dataset TLV to an MLE message; nothing if none is known, or if it does not fit a TLV.
func (p *Pending) AppendTLVs(b []byte) []byte {
	if !p.partition.known {
		return b
	}
	tlvs := p.appendAll(nil, &p.partition)
	if len(tlvs) > maxSize {
		return b
	}
	return mle.AppendTLV(b, mle.TLVPendingOperationalDataset, tlvs)
}
