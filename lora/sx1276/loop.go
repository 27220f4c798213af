package sx1276

import (
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
)

const (
	// shortestPacket is the length of an acknowledgment in bytes. The driver looks at DIO0, or at
	// the chip, after three quarters of the airtime of one, so that it loses no packet with its edge.
	shortestPacket   = 5
	minPoll, maxPoll = time.Millisecond, 100 * time.Millisecond

	// checkEvery is the time between checks of the settings and the flags, whatever DIO0 says.
	checkEvery = time.Second
)

// loop is what the goroutine owns that alone talks to the chip.
type loop struct {
	chip  chip
	snap  snapshot
	edges <-chan time.Time
	in    received // being read

	pollEvery    time.Duration
	maxReception time.Duration // the airtime of the longest packet

	nextPoll, nextCheck time.Time
	deaf, deafLogged    bool // DIO0 cannot be relied on

	listenSince    time.Time // the receiver runs since then
	lastEvent      time.Time // when the driver looked last
	received       time.Time // the end of the last packet received
	receivingSince time.Time // the modem receives a packet since then; zero if it does not
	nextStart      byte      // where the next packet is to begin in the FIFO

	tx transmission

	asleep bool // the chip is in sleep mode

	down     error // why the chip cannot be used, or nil
	retryAt  time.Time
	pause    time.Duration // before the next retry
	repaired time.Time     // the last repair

	resets, losses, stuck, deafness lasting.Condition
	troubleLogged                   bool // the log knows of this repair
}

// run is the goroutine.
func (r *Radio) run() {
	defer r.end()
	now := r.clock.Now()
	r.nextPoll, r.nextCheck = now.Add(r.pollEvery), now.Add(checkEvery)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		requests, cancels := r.requests, r.cancels
		if r.tx.state != txIdle {
			requests = nil
		}
		if r.tx.state == txIdle || r.tx.silent {
			cancels = nil
		}
		timer.Reset(max(r.clock.Until(r.deadline()), 0))
		var err error
		select {
		case at := <-r.edges:
			err = r.handleEdge(at)
		case packet := <-requests:
			r.accept(packet)
		case <-cancels:
			r.cancel()
		case <-timer.C:
			err = r.handleTime()
		case <-r.rests: // see below
		case <-r.closing:
			r.shutdown()
			return
		}
		if err == nil {
			err = r.rest()
		}
		if err != nil {
			r.repair(err)
		}
	}
}

// deadline returns when handleTime has something to do.
func (r *Radio) deadline() time.Time {
	if r.down != nil {
		return r.retryAt
	}
	switch r.tx.state {
	case txIdle:
		if r.asleep {
			return r.clock.Now().Add(time.Hour)
		}
		return earlier(r.nextPoll, r.nextCheck)
	case txOnAir:
		return r.tx.at
	}
	return earlier(r.tx.at, earlier(r.nextPoll, r.nextCheck))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// handleEdge handles a rising edge of DIO0.
func (r *Radio) handleEdge(at time.Time) error {
	r.noteEdge()
	if r.down != nil || r.asleep {
		return nil
	}
	return r.attend(causeEdge, at)
}

func (r *Radio) noteEdge() {
	r.count.edges.Add(1)
	if r.deaf {
		r.deaf = false
		if r.deafLogged {
			r.opt.log.Info("DIO0 works again")
		}
	}
}

// handleTime does what is due.
func (r *Radio) handleTime() error {
	now := r.clock.Now()
	if r.down != nil {
		if !now.Before(r.retryAt) {
			r.retrySetUp()
		}
		return nil
	}
	if r.asleep {
		return nil
	}
	if r.tx.state != txIdle && !now.Before(r.tx.at) {
		return r.continueSend(now)
	}
	switch {
	case r.tx.state == txOnAir:
		return nil
	case !now.Before(r.nextCheck):
		r.nextCheck, r.nextPoll = now.Add(checkEvery), now.Add(r.pollEvery)
		return r.attend(causeCheck, time.Time{})
	case !now.Before(r.nextPoll):
		r.nextPoll = now.Add(r.pollEvery)
		if r.pins.DIO0 == nil || r.deaf || r.dio0() == High {
			return r.attend(causePoll, time.Time{})
		}
	}
	return nil
}

// dio0 returns the level of DIO0, low if it cannot be read.
func (r *Radio) dio0() Level {
	if r.pins.DIO0 == nil {
		return Low
	}
	level, err := r.pins.DIO0.Level()
	if err != nil {
		r.distrust("its level cannot be read: " + err.Error())
		return Low
	}
	return level
}

// distrust turns to asking the chip instead of waiting for DIO0.
func (r *Radio) distrust(why string) {
	if r.deaf {
		return
	}
	r.deaf = true
	r.deafLogged = r.deafness.Log(r.clock.Now(), r.opt.log, slog.LevelWarn,
		"DIO0 does not work: asking the chip instead, until an edge comes", "why", why, "every", r.pollEvery)
}
