package lora

import (
	"math"
	"time"
)

// DutyCycleWindow is the time over which a duty cycle is observed (EN 300 220-1, section
// 5.4): within any hour, whenever it begins.
const DutyCycleWindow = time.Hour

// rank is what a packet is to a mesh. A node that has nothing left for the higher ranks drops
// out of the mesh, however little it has to say.
type rank uint8

const (
	rankData rank = iota
	// rankControl is what holds the mesh together: Thread's MLE messages, which are secured
	// by MLE and not by the MAC.
	rankControl
	// rankAck is an acknowledgment: without it the neighbor would repeat its packet, and in
	// the end take the link for lost.
	rankAck
)

// rankOf tells the rank of an IEEE 802.15.4 frame by the frame type and the security bit of its
// frame control (IEEE 802.15.4-2006, section 7.2.1.1), and an acknowledgment also by its
// length: frame control, sequence number and FCS (section 7.2.2.3).
func rankOf(packet []byte) rank {
	const (
		typeMask, typeData, typeAck = 0x07, 0x01, 0x02
		secured                     = 0x08
		ackSize                     = 5
	)
	switch {
	case len(packet) == 0:
	case len(packet) == ackSize && packet[0]&typeMask == typeAck:
		return rankAck
	case packet[0]&(typeMask|secured) == typeData:
		return rankControl
	}
	return rankData
}

// Up to these shares of what a duty cycle allows in an hour, counting all, a packet of a rank is
// sent; an acknowledgment as long as anything is left.
const (
	controlShare = 0.98
	dataShare    = 0.95
	// reserveShare is the most that data leaves to the higher ranks, which is what they
	// needed in the last hour.
	reserveShare = 0.60
	// calmShare is what must be used at most for nothing to be held back any more.
	calmShare = 0.75
)

// Airtime is counted in slots of time, so that an hour of it takes little memory. A slot
// counts as long as any moment of it lies in the last hour, up to a slot too long.
const (
	slotTime = 15 * time.Second
	slots    = int64(DutyCycleWindow/slotTime) + 1
)

// forever is the wait of what may never be sent.
const forever = time.Duration(math.MaxInt64)

// airtimeLimit returns the airtime that the duty cycle allows in an hour; 0 is no limit.
func (b SubBand) airtimeLimit() time.Duration {
	return time.Duration(b.DutyCycle * float64(DutyCycleWindow)).Round(time.Millisecond)
}

// ledger adds up the airtime of the last hour.
type ledger struct {
	origin  time.Time // of slot 0
	started int64     // the slot in which the account began
	slot    int64     // the newest
	used    [slots]time.Duration
	total   time.Duration
}

// advance forgets what is older than an hour.
func (l *ledger) advance(now time.Time) {
	if l.origin.IsZero() {
		l.origin = now
	}
	slot := int64(now.Sub(l.origin) / slotTime)
	l.slot = max(l.slot, slot-slots) // all is older
	for l.slot < slot {
		l.slot++
		oldest := &l.used[l.slot%slots]
		l.total -= *oldest
		*oldest = 0
	}
}

// add notes a packet that ended now.
func (l *ledger) add(now time.Time, airtime time.Duration) {
	l.advance(now)
	l.used[l.slot%slots] += airtime
	l.total += airtime
}

// release returns how long it takes until at least an amount of what is used has been
// forgotten; forever if there is not that much.
func (l *ledger) release(now time.Time, amount time.Duration) time.Duration {
	for slot := max(l.slot-slots+1, 0); slot <= l.slot; slot++ {
		if amount -= l.used[slot%slots]; amount <= 0 {
			return l.origin.Add(time.Duration(slot+slots) * slotTime).Sub(now)
		}
	}
	return forever
}

// parcel is a packet to account for.
type parcel struct {
	airtime time.Duration
	rank    rank
}

// account is the airtime of one sub-band. It knows the time from its caller alone.
type account struct {
	band    SubBand
	limit   time.Duration // in any hour; 0: none
	all     ledger
	control ledger        // the part of the ranks above data
	booked  time.Duration // of packets that are being sent
	unsaved time.Duration // booked since the account was stored
	stored  bool          // at any time by this program
	delayed uint64
	refused uint64
}

func newAccount(b SubBand) *account {
	return &account{band: b, limit: b.airtimeLimit()}
}

// used returns the airtime of the last hour.
func (a *account) used(now time.Time) time.Duration {
	a.all.advance(now)
	a.control.advance(now)
	return a.all.total + a.booked
}

// share returns a share of the limit.
func (a *account) share(part float64) time.Duration {
	return time.Duration(part * float64(a.limit))
}

// wait returns how long a packet has to wait: 0 if it may go now, forever if it does not fit.
func (a *account) wait(now time.Time, p parcel) time.Duration {
	if a.limit == 0 {
		return 0
	}
	excess := a.used(now) + p.airtime
	room := a.limit
	switch p.rank {
	case rankControl:
		room = a.share(controlShare)
	case rankData:
		room = a.share(dataShare) - a.reserve(now)
	}
	switch excess -= room; {
	case excess <= 0:
		return 0
	case p.airtime > room:
		return forever
	}
	return min(a.all.release(now, excess), DutyCycleWindow) // what is booked comes free as well
}

// reserve returns what is to be left for the ranks above data. Over an hour it comes from their
// own airtime, which is forgotten as fast as they use more. In the first hour that is less than
// they will need, and their pace so far tells how much, or that of late if it is lower.
func (a *account) reserve(now time.Time) time.Duration {
	used := a.control.total
	age := min(max(now.Sub(a.control.origin), slotTime), DutyCycleWindow)
	need := time.Duration(float64(used) * float64(DutyCycleWindow) / float64(age))
	need = max(min(need, a.share(reserveShare))-used, 0)
	if a.control.slot < a.control.started+longPace {
		return need // what is sent at the very beginning tells little of what follows
	}
	return min(need, a.need(now))
}

// need returns what the ranks above data will use, at their pace of late, until as much is forgotten of what was used: after a mesh has
// formed that may be most of an hour.
func (a *account) need(now time.Time) (most time.Duration) {
	pace := min(a.control.pace(now), reserveShare*float64(a.limit)*float64(slotTime)/float64(DutyCycleWindow)) // for a slot
	a.all.advance(now)
	forgotten := time.Duration(0)
	for slot := max(a.all.slot-slots+1, 0); slot <= a.all.slot; slot++ {
		left := max(a.all.origin.Add(time.Duration(slot+slots)*slotTime).Sub(now), 0)
		most = max(most, time.Duration(pace*float64(left)/float64(slotTime))-forgotten)
		forgotten += a.all.used[slot%slots]
	}
	return most
}

// longPace and shortPace are the times over which a pace is taken, in slots: at first the lower one counts, for what a mesh takes to form it does not
// take again. newSlots is the least: what is sent at the very beginning tells little.
const longPace, shortPace, newSlots = 40, 26, 8

// pace returns the airtime for a slot of late.
func (l *ledger) pace(now time.Time) float64 {
	l.advance(now)
	long := l.paceOver(longPace)
	if l.slot < l.started+2*longPace {
		return min(long, l.paceOver(shortPace))
	}
	return long
}

// paceOver returns the mean airtime of the last slots.
func (l *ledger) paceOver(last int64) float64 {
	n := min(l.slot+1, last)
	var sum time.Duration
	for slot := l.slot - n + 1; slot <= l.slot; slot++ {
		sum += l.used[slot%slots]
	}
	return float64(sum) / float64(max(n, newSlots))
}

// settle replaces what was booked for a packet by what it took.
func (a *account) settle(now time.Time, p parcel, took time.Duration) {
	a.booked -= p.airtime
	a.all.add(now, took)
	if p.rank > rankData {
		a.control.add(now, took)
	}
}

// calm reports whether so much is left that nothing is held back any more.
func (a *account) calm(now time.Time) bool {
	return a.limit == 0 || a.used(now)+a.reserve(now) < a.share(calmShare)
}

// usage returns what others may know of the account.
func (a *account) usage(now time.Time) Usage {
	u := Usage{SubBand: a.band, Limit: a.limit, Used: a.used(now), Delayed: a.delayed, Refused: a.refused}
	if a.limit > 0 {
		u.Left, u.Need = max(a.limit-u.Used, 0), a.need(now)
	}
	return u
}
