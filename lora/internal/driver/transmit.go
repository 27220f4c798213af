package driver

import (
	"math/rand/v2"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// txState is where a packet to send is.
//
//	          Send              time             channel free               TxDone
//	txIdle ─────────▶ txWaiting ────▶ txListening ───────────▶ txOnAir ───────────▶ txIdle
//	   ▲                  ▲                │ busy
//	   └──────────────────┴────────────────┘
//	       waited too long   random pause
type txState uint8

const (
	txIdle txState = iota
	txWaiting
	txListening
	txOnAir
)

// transmission is a packet to send.
type transmission struct {
	state  txState
	silent bool // nobody waits for the result
	packet [lora.MaxPacket]byte
	n      int
	at     time.Time // of the next step
	giveUp time.Time // without a free channel
	freeAt time.Time // listening ends, if the channel stays free
	late   time.Time // on the air: TxDone is overdue
	last   time.Time // the end of the last packet sent
}

const (
	// samplePause is the pause between looks at the channel while listening.
	samplePause = 100 * time.Microsecond
	// rssiSettle is how long the strength needs to become true after the receiver was
	// started.
	rssiSettle = time.Millisecond
	// minBackoff is the shortest pause after a busy channel.
	minBackoff = time.Millisecond
	// txMargin is what a transmission takes beside its airtime: synthesizer, power ramp, and the
	// way of the interrupt.
	txMargin = time.Millisecond
	// txGrace is how long TxDone may be overdue, beside a twentieth of the airtime.
	txGrace = 50 * time.Millisecond
)

// accept takes a packet from Send.
func (d *Driver) accept(packet []byte) {
	if d.down != nil {
		d.results <- d.down
		return
	}
	t, now := &d.tx, d.clock.Now()
	t.n = copy(t.packet[:], packet)
	t.state, t.silent = txWaiting, false
	t.giveUp = now.Add(d.opt.Listen.Wait)
	t.at = now
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// cancel forgets the packet; one that is on the air is finished.
func (d *Driver) cancel() {
	if d.tx.state == txOnAir {
		d.tx.silent = true
		return
	}
	d.tx.state = txIdle
}

// finish ends the work on the packet and tells Send.
func (d *Driver) finish(err error) {
	d.tx.state = txIdle
	if !d.tx.silent {
		d.results <- err
	}
}

// continueSend does the next step.
func (d *Driver) continueSend(now time.Time) error {
	t := &d.tx
	switch l := &d.opt.Listen; t.state {
	case txWaiting:
		// Listening ends when the packet may start.
		start := later(t.last.Add(l.Gap), d.received.Add(l.Turnaround)).Add(-l.Time)
		start = later(start, d.listenSince.Add(rssiSettle))
		if start.After(now) {
			t.at = start
			return nil
		}
		t.state = txListening
		t.freeAt = now.Add(l.Time)
		return d.sample()
	case txListening:
		return d.sample()
	default:
		return d.overdue(now)
	}
}

// sample looks at the channel, and sends the packet if it has been free for long enough.
func (d *Driver) sample() error {
	status, err := d.look(causeListen)
	if err != nil {
		return err
	}
	if status.any() { // a packet has come
		d.busy()
		return d.attend(causeListen, time.Time{})
	}
	now := d.clock.Now()
	settled := now.Sub(d.listenSince) >= rssiSettle
	switch {
	case !d.receivingSince.IsZero():
		if now.Sub(d.receivingSince) > d.maxReception {
			d.tx.state, d.tx.at = txWaiting, now
			return d.restart()
		}
		d.busy()
	case settled && status.Strength >= d.opt.Listen.Threshold:
		d.busy()
	case now.Before(d.tx.freeAt):
		d.tx.at = earlier(d.tx.freeAt, now.Add(samplePause))
	default:
		return d.transmit()
	}
	return nil
}

// busy waits for a random time, or gives up.
func (d *Driver) busy() {
	t, now := &d.tx, d.clock.Now()
	d.count.deferred.Add(1)
	if !now.Before(t.giveUp) {
		d.count.busy.Add(1)
		d.finish(lora.ErrChannelBusy)
		return
	}
	t.state = txWaiting
	t.at = now.Add(minBackoff + rand.N(d.opt.Listen.Backoff+1))
}

// transmit puts the packet on the air.
func (d *Driver) transmit() error {
	t := &d.tx
	if err := d.noted(d.chip.Transmit(t.packet[:t.n])); err != nil {
		return err
	}
	now, airtime := d.clock.Now(), d.cfg.Airtime(t.n)
	t.state = txOnAir
	t.at = now.Add(airtime + txMargin)
	t.late = t.at.Add(airtime/20 + txGrace)
	return nil
}

// overdue looks for TxDone at a time when it should have come.
func (d *Driver) overdue(now time.Time) error {
	d.tx.at = now.Add(d.pollEvery)
	if err := d.attend(causeSent, time.Time{}); err != nil || d.tx.state != txOnAir {
		return err
	}
	if !now.Before(d.tx.late) {
		d.count.txTimeouts.Add(1)
		return &lora.Error{Op: "send", Err: transceiver.ErrNoTxDone}
	}
	return nil
}

// endSend goes back to listening after TxDone. The chip is in standby.
func (d *Driver) endSend() error {
	if err := d.noted(d.chip.Listen()); err != nil {
		return err
	}
	d.listens()
	t, now := &d.tx, d.clock.Now()
	t.last = now
	d.count.sent.Add(1)
	d.count.airtime.Add(int64(d.cfg.Airtime(t.n)))
	d.nextPoll = now.Add(d.pollEvery)
	d.finish(nil)
	return nil
}
