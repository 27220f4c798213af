package lora

import (
	"math"
	"time"
)

// DutyCycleWindow is the time over which a duty cycle is observed (EN 300 220-1, section
// 5.4): within any hour, whenever it begins.
const DutyCycleWindow = time.Hour

// Shares of the airtime that a duty cycle allows in an hour. A sender that uses all at once is
// silent for the rest of the hour, and a mesh does not live through that. So one part may be
// used at once, and it refills evenly, by a second part in an hour. The rest is for
// acknowledgments alone: without them the neighbors would repeat all they send, and take the
// link for lost.
const (
	burstShare  = 0.15
	steadyShare = 0.70
	dataShare   = burstShare + steadyShare
	calmShare   = 0.5 // below it nothing is held back any more
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
	origin time.Time // of slot 0
	slot   int64     // the newest
	used   [slots]time.Duration
	total  time.Duration
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
	ack     bool
}

// account is the airtime of one sub-band. It knows the time from its caller alone.
type account struct {
	band    SubBand
	limit   time.Duration // in any hour; 0: none
	ledger  ledger
	booked  time.Duration // of packets that are being sent
	full    time.Time     // when the burst share will have refilled
	delayed uint64
	refused uint64
}

func newAccount(b SubBand) *account {
	return &account{band: b, limit: b.airtimeLimit()}
}

// share returns a share of the limit.
func (a *account) share(part float64) time.Duration {
	return time.Duration(part * float64(a.limit))
}

// wait returns how long a packet has to wait: 0 if it may go now, forever if it never fits.
func (a *account) wait(now time.Time, p parcel) time.Duration {
	a.ledger.advance(now)
	switch {
	case a.limit == 0:
		return 0
	case p.ack:
		return a.waitBelow(now, p.airtime, a.limit)
	}
	// The generic cell rate algorithm (ITU-T I.371), in time: what is missing of the
	// burst share, with this packet, refills from now until full.
	spare := max(a.refill(a.share(burstShare))-a.refill(p.airtime), 0)
	return max(a.waitBelow(now, p.airtime, a.share(dataShare)), max(a.full.Sub(now), 0)-spare)
}

// refill returns how long an amount of the burst share takes to refill.
func (a *account) refill(amount time.Duration) time.Duration {
	return time.Duration(float64(amount) / float64(a.share(steadyShare)) * float64(DutyCycleWindow))
}

// waitBelow returns how long it takes until a packet fits below a limit.
func (a *account) waitBelow(now time.Time, airtime, limit time.Duration) time.Duration {
	excess := a.ledger.total + a.booked + airtime - limit
	switch {
	case excess <= 0:
		return 0
	case airtime > limit:
		return forever
	}
	return min(a.ledger.release(now, excess), DutyCycleWindow) // what is booked comes free as well
}

// settle replaces what was booked for a packet by what it took.
func (a *account) settle(now time.Time, p parcel, took time.Duration) {
	a.booked -= p.airtime
	a.ledger.add(now, took)
	if a.limit > 0 && !p.ack {
		if a.full.Before(now) {
			a.full = now
		}
		a.full = a.full.Add(a.refill(took))
	}
}

// calm reports whether so much is left that nothing is held back any more.
func (a *account) calm() bool {
	return a.limit == 0 || a.ledger.total+a.booked < a.share(calmShare)
}

// usage returns what others may know of the account.
func (a *account) usage(now time.Time) Usage {
	a.ledger.advance(now)
	u := Usage{SubBand: a.band, Limit: a.limit, Used: a.ledger.total + a.booked, Delayed: a.delayed, Refused: a.refused}
	if a.limit > 0 {
		u.Left = max(a.limit-u.Used, 0)
	}
	return u
}
