package lora

import (
	"sync"
	"time"
)

// SentAirtime is what a radio has sent in a sub-band, as an [AirtimeStore] keeps it.
type SentAirtime struct {
	SubBand string    // its name
	Time    time.Time // of this record
	// Used is the airtime of the hour before Time, in parts of five minutes, the latest first. Control is the part of it that
	// acknowledgments took, and frames that the MAC does not secure.
	Used, Control [12]time.Duration
	// Ahead is the most that may have been sent after Time.
	Ahead time.Duration
}

// partTime is the length of the parts of a record.
const partTime = DutyCycleWindow / time.Duration(len(SentAirtime{}.Used))

// An AirtimeStore keeps what a radio has sent, so that a program that starts anew goes on counting (see [WithAirtimeStore]). One
// value in a simulation, a file on a computer (package pymesh's FileStore): a thousand bytes, written some twenty times an hour at most.
type AirtimeStore interface {
	// LoadAirtime returns what was saved last, and nothing if nothing ever was.
	LoadAirtime() ([]SentAirtime, error)
	// SaveAirtime returns when the records would survive a loss of power. They are the store's to keep.
	SaveAirtime([]SentAirtime) error
}

// A MemoryAirtimeStore keeps what was sent as long as the program runs: enough for a simulated radio. The zero value is empty and
// ready, and may be used by many goroutines at once.
type MemoryAirtimeStore struct {
	mu   sync.Mutex
	sent []SentAirtime
}

// LoadAirtime returns what was saved last.
func (m *MemoryAirtimeStore) LoadAirtime() ([]SentAirtime, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent, nil
}

// SaveAirtime keeps the records.
func (m *MemoryAirtimeStore) SaveAirtime(sent []SentAirtime) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = sent
	return nil
}

const (
	// unknownShare is the part of a sub-band's hour that counts as used, evenly over the hour before the start, where nobody knows what was
	// sent then. With less left, nodes that start together do not find each other: messages that answer one another would be refused.
	unknownShare = 0.80
	// aheadShare is the part of a sub-band's hour that is stored as used before it is: a crash costs as much at most.
	aheadShare = 1.0 / 16
)

// recall lets an account begin at a time with what was sent before.
func (a *account) recall(began time.Time, s SentAirtime) {
	age := max(began.Sub(s.Time), 0) // a clock that was set back makes nothing older
	a.all.begin(began)
	a.control.begin(began)
	for part := range s.Used {
		ago := age + time.Duration(part)*partTime
		a.all.note(ago, s.Used[part])
		a.control.note(ago, s.Control[part])
	}
	a.all.note(0, s.Ahead)
}

// presume lets an account begin at a time as if it had been in use before.
func (a *account) presume(began time.Time) {
	a.all.begin(began)
	a.control.begin(began)
	each := a.share(unknownShare) / time.Duration(slots-1)
	for slot := range slots - 1 {
		ago := time.Duration(slot) * slotTime
		a.all.note(ago, each)
		a.control.note(ago, each)
	}
}

// record returns what is to be stored, with as much ahead as is good until the next time; none when nothing will follow.
func (a *account) record(now time.Time, last bool) SentAirtime {
	a.all.advance(now)
	a.control.advance(now)
	s := SentAirtime{SubBand: a.band.Name, Time: now}
	a.all.parts(&s.Used)
	a.control.parts(&s.Control)
	s.Used[0] += a.booked
	if !last {
		s.Ahead = a.share(aheadShare)
	}
	return s
}

// begin lets a ledger begin at a time, with an hour before it.
func (l *ledger) begin(at time.Time) {
	l.origin, l.slot, l.started = at.Add(-DutyCycleWindow), slots-1, slots-1
}

// note adds what was sent some time before the newest slot.
func (l *ledger) note(ago, airtime time.Duration) {
	if slot := l.slot - int64(ago/slotTime); slot >= max(l.slot-slots+1, 0) {
		l.used[slot%slots] += airtime
		l.total += airtime
	}
}

// parts adds the slots up to parts of a record. What is older than all parts, by less than a slot, counts to the last.
func (l *ledger) parts(to *[12]time.Duration) {
	for slot := max(l.slot-slots+1, 0); slot <= l.slot; slot++ {
		part := int((l.slot - slot) * int64(slotTime) / int64(partTime))
		to[min(part, len(to)-1)] += l.used[slot%slots]
	}
}
