package driver

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/lora/transceiver"
)

// maxRounds bounds how often the driver looks again because the interrupt line is still high.
const maxRounds = 4

// cause is why the driver looks at the chip.
type cause uint8

const (
	causeEdge   cause = iota
	causePoll         // it is time
	causeCheck        // it is time, and the settings are checked too
	causeListen       // before a packet
	causeSent         // the packet should have been sent by now
)

// attend looks at the chip and handles all that has happened. It looks again while the interrupt line is high: the
// chip may have more to tell, and no edge will say so.
func (d *Driver) attend(why cause, edge time.Time) error {
	for round := range maxRounds {
		if at, ok := d.takeEdges(); ok {
			why, edge = causeEdge, at
		}
		status, err := d.look(why)
		if err != nil {
			return err
		}
		if !status.any() {
			if why == causeEdge && round == 0 {
				d.count.falseEdges.Add(1)
			}
			return nil
		}
		if why != causeEdge && d.line != nil && (status.RxDone || status.TxDone) {
			if at, ok := d.takeEdges(); ok {
				edge = at // it came while the chip was asked
			} else {
				d.missEdge()
			}
		}
		if err := d.handleStatus(&status, edge); err != nil {
			return err
		}
		if d.level() == transceiver.Low {
			return nil
		}
		edge = time.Time{}
	}
	return nil
}

// missEdge notes that the line has not told what the chip does.
func (d *Driver) missEdge() {
	d.count.lostEdges.Add(1)
	if d.level() == transceiver.Low {
		d.distrust("it is low although the chip has something to tell")
	}
}

// takeEdges takes all edges that wait and returns the last.
func (d *Driver) takeEdges() (at time.Time, ok bool) {
	for {
		select {
		case at = <-d.edges:
			d.noteEdge()
			ok = true
		default:
			return at, ok
		}
	}
}

// look asks the chip what has happened.
func (d *Driver) look(why cause) (Status, error) {
	depth := Events
	switch why {
	case causeListen:
		depth = Channel
	case causeCheck:
		depth = Settings
	}
	s, err := d.chip.Look(depth)
	if err != nil {
		return Status{}, d.noted(err)
	}
	if d.tx.state == txOnAir || s.RxDone {
		s.Progress = Nothing
	}
	d.reception.track(s.Progress, d.clock.Now())
	return s, nil
}

// any reports whether the chip has something to tell.
func (s *Status) any() bool { return s.RxDone || s.TxDone || s.Other }

// noted counts an error if it says that the chip has lost its settings.
func (d *Driver) noted(err error) error {
	if errors.Is(err, transceiver.ErrRestarted) {
		d.count.restarts.Add(1)
	}
	return err
}

// handleStatus handles what the last look tells.
func (d *Driver) handleStatus(s *Status, edge time.Time) error {
	if d.tx.state == txOnAir {
		if !s.TxDone {
			return nil
		}
		return d.endSend()
	}
	now := d.clock.Now()
	last := d.lastEvent
	d.lastEvent = now
	if !s.RxDone {
		return d.chip.Clear()
	}
	at := edge
	if at.IsZero() || !at.After(last) || at.After(now) {
		at = now
	}
	return d.receive(at)
}

// receive takes a packet out of the chip.
func (d *Driver) receive(at time.Time) error {
	p := &d.in
	d.received = at
	err := d.chip.Read(p)
	d.heard(p)
	if p.Missed {
		d.count.missed.Add(1)
	}
	switch {
	case err != nil:
		return err
	case p.CRCError:
		d.count.crcErrors.Add(1)
		d.debug("packet with CRC error dropped")
		return nil
	case p.NoCRC:
		d.count.noCRC.Add(1)
		d.debug("packet without CRC dropped")
		return nil
	case p.N == 0:
		return nil
	}
	p.Time = at
	d.deliver(p)
	return nil
}

// debug logs without an allocation where nobody listens.
func (d *Driver) debug(what string) {
	if d.opt.Log.Enabled(context.Background(), slog.LevelDebug) {
		d.opt.Log.Debug(what)
	}
}

// restart makes the modem forget what it seems to receive.
func (d *Driver) restart() error {
	d.count.stuck.Add(1)
	d.stuck.Log(d.clock.Now(), d.opt.Log, slog.LevelWarn, "the modem receives a packet that does not end: starting it again")
	if err := d.noted(d.chip.Restart()); err != nil {
		return err
	}
	d.listens()
	return nil
}

// listens notes that the receiver has just been started.
func (d *Driver) listens() {
	d.listenSince = d.clock.Now()
	d.reception.track(Nothing, d.listenSince)
}
