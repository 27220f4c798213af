package driver

import (
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

const (
	// shortestPacket is the length of an acknowledgment in bytes: what is not longer is taken for one. The driver looks at the interrupt line, or at
	// the chip, after three quarters of the airtime of one, so that it loses no packet with its edge.
	shortestPacket   = 5
	minPoll, maxPoll = time.Millisecond, 100 * time.Millisecond

	// checkEvery is the time between checks of the settings and the flags, whatever the line says.
	checkEvery = time.Second
)

// loop is what the goroutine owns that alone talks to the chip.
type loop struct {
	chip  Chip
	edges <-chan time.Time
	in    Packet // being read

	pollEvery    time.Duration
	maxReception time.Duration // the airtime of the longest packet

	nextPoll, nextCheck time.Time
	nextRefresh         time.Time
	deaf, deafLogged    bool // the interrupt line cannot be relied on

	listenSince time.Time // the receiver runs since then
	lastEvent   time.Time // when the driver looked last
	received    time.Time // the end of the last packet received
	window      time.Time // until then an acknowledgment may begin
	reception   reception
	load        load

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
func (d *Driver) run() {
	defer d.End()
	now := d.clock.Now()
	d.nextPoll, d.nextCheck = now.Add(d.pollEvery), now.Add(checkEvery)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		requests, cancels, meters := d.requests, d.cancels, d.meters
		if d.tx.state != txIdle {
			requests = nil
		}
		if d.tx.state != txIdle && d.tx.state != txWaiting {
			meters = nil // the receiver may be off
		}
		if d.tx.state == txIdle || d.tx.silent {
			cancels = nil
		}
		timer.Reset(max(d.clock.Until(d.deadline()), 0))
		var err error
		select {
		case at := <-d.edges:
			err = d.handleEdge(at)
		case r := <-requests:
			d.accept(r)
		case <-cancels:
			d.cancel()
		case <-timer.C:
			err = d.handleTime()
		case <-d.rests: // see below
		case reply := <-meters:
			err = d.measure(reply)
		case <-d.closing:
			d.shutdown()
			return
		}
		if err == nil {
			err = d.rest()
		}
		if err != nil {
			d.repair(err)
		}
	}
}

// deadline returns when handleTime has something to do.
func (d *Driver) deadline() time.Time {
	if d.down != nil {
		return d.retryAt
	}
	switch d.tx.state {
	case txIdle:
		if d.asleep {
			return d.clock.Now().Add(time.Hour)
		}
		return earlier(d.nextPoll, d.nextCheck)
	case txOnAir:
		return d.tx.at
	}
	return earlier(d.tx.at, earlier(d.nextPoll, d.nextCheck))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// handleEdge handles a rising edge of the interrupt line.
func (d *Driver) handleEdge(at time.Time) error {
	d.noteEdge()
	if d.down != nil || d.asleep {
		return nil
	}
	return d.attend(causeEdge, at)
}

func (d *Driver) noteEdge() {
	d.count.edges.Add(1)
	if d.deaf {
		d.deaf = false
		if d.deafLogged {
			d.opt.Log.Info(d.lineName + " works again")
		}
	}
}

// handleTime does what is due.
func (d *Driver) handleTime() error {
	now := d.clock.Now()
	if d.down != nil {
		if !now.Before(d.retryAt) {
			d.retrySetUp()
		}
		return nil
	}
	if d.asleep {
		return nil
	}
	if d.tx.state != txIdle && !now.Before(d.tx.at) {
		return d.continueSend(now)
	}
	switch {
	case d.tx.state == txOnAir:
		return nil
	case !now.Before(d.nextCheck):
		d.nextCheck, d.nextPoll = now.Add(checkEvery), now.Add(d.pollEvery)
		if err := d.attend(causeCheck, time.Time{}); err != nil {
			return err
		}
		return d.refresh(now)
	case !now.Before(d.nextPoll):
		d.nextPoll = now.Add(d.pollEvery)
		if d.line == nil || d.deaf || d.level() == transceiver.High {
			return d.attend(causePoll, time.Time{})
		}
	}
	return nil
}

// refresh sets up a chip anew that wants it, when nothing is being received or sent.
func (d *Driver) refresh(now time.Time) error {
	r, ok := d.chip.(Refresher)
	if !ok || r.RefreshEvery() == 0 || d.tx.state != txIdle || d.reception.busy() {
		return nil
	}
	if d.nextRefresh.IsZero() {
		d.nextRefresh = now.Add(r.RefreshEvery())
	}
	if now.Before(d.nextRefresh) {
		return nil
	}
	d.nextRefresh = now.Add(r.RefreshEvery())
	if err := d.noted(r.Refresh()); err != nil {
		return err
	}
	d.listens()
	return nil
}

// level returns the level of the interrupt line, low if it cannot be read.
func (d *Driver) level() transceiver.Level {
	if d.line == nil {
		return transceiver.Low
	}
	level, err := d.line.Level()
	if err != nil {
		d.distrust("its level cannot be read: " + err.Error())
		return transceiver.Low
	}
	return level
}

// distrust turns to asking the chip instead of waiting for the line.
func (d *Driver) distrust(why string) {
	if d.deaf {
		return
	}
	d.deaf = true
	d.deafLogged = d.deafness.Log(d.clock.Now(), d.opt.Log, slog.LevelWarn,
		d.lineName+" does not work: asking the chip instead, until an edge comes", "why", why, "every", d.pollEvery)
}
