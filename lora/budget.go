package lora

import "time"

// Budget is what a [Governor] keeps account with, without a radio, a clock or goroutines: for state machines in virtual time, and for programs
// that want to know how much they may send.
type Budget struct {
	cfg      Config
	accounts []*account
}

// NewBudget returns the account of a radio with settings that has sent nothing yet. The duty cycle is a share of an hour, in place of the
// region's, as with [WithDutyCycle]; if it is negative, the region's holds.
func NewBudget(cfg Config, dutyCycle float64) *Budget {
	b := &Budget{cfg: cfg.WithDefaults()}
	for _, band := range b.cfg.governed() {
		if dutyCycle >= 0 {
			band.DutyCycle = dutyCycle
		}
		if band.DutyCycle >= 1 {
			band.DutyCycle = 0
		}
		b.accounts = append(b.accounts, newAccount(band))
	}
	return b
}

// Book sets the airtime of a packet aside, if the packet may be sent now, by the rules of [Govern]. If not, it returns [ErrDutyCycle].
// Settle ends what Book has begun. Time must not go back from call to call.
func (b *Budget) Book(now time.Time, packet []byte) error {
	p := b.parcel(packet)
	for _, a := range b.accounts {
		if a.wait(now, p) > 0 {
			a.refused++
			return ErrDutyCycle
		}
	}
	for _, a := range b.accounts {
		a.booked += p.airtime
	}
	return nil
}

// Settle notes whether a packet that was booked was sent.
func (b *Budget) Settle(now time.Time, packet []byte, sent bool) {
	p := b.parcel(packet)
	took := time.Duration(0)
	if sent {
		took = p.airtime
	}
	for _, a := range b.accounts {
		a.settle(now, p, took)
	}
}

func (b *Budget) parcel(packet []byte) parcel {
	return parcel{airtime: b.cfg.Airtime(len(packet)), rank: rankOf(packet)}
}

// Usage returns the airtime used and left, of each sub-band that the signal touches.
func (b *Budget) Usage(now time.Time) []Usage {
	list := make([]Usage, len(b.accounts))
	for i, a := range b.accounts {
		list[i] = a.usage(now)
	}
	return list
}
