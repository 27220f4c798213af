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
	answer bool // an acknowledgment, or in the place of one
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

// accept takes a packet from Send or Answer.
func (d *Driver) accept(r request) {
	if d.down != nil {
		d.results <- d.down
		return
	}
	t, now := &d.tx, d.clock.Now()
	t.n = copy(t.packet[:], r.packet)
	t.state, t.silent = txWaiting, false
	t.answer = r.answer || t.n <= shortestPacket
	t.giveUp = now.Add(d.opt.Listen.Wait)
	t.at = now
	d.yield()
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
	case d.reception.expired(now):
		d.tx.state, d.tx.at = txWaiting, now
		return d.restart()
	case d.reception.busy():
		d.busy()
	case settled && status.Strength >= d.opt.Listen.Threshold:
		d.busy()
	case now.Before(d.tx.freeAt):
		d.tx.at = earlier(d.tx.freeAt, now.Add(samplePause))
	case d.blind(now):
		return d.assess()
	default:
		return d.transmit()
	}
	return nil
}

// blind reports whether a packet may be on the air whose beginning the receiver has not heard, and that is worth a look. An
// answer does not wait for one: its place on the air is kept free.
func (d *Driver) blind(now time.Time) bool {
	return d.opt.Listen.Activity && !d.tx.answer && now.Sub(d.listenSince) < d.maxReception
}

// assess sends the packet if there is no activity on the channel.
func (d *Driver) assess() error {
	busy, err := d.chip.Assess()
	switch {
	case err != nil:
		return d.noted(err)
	case busy:
		d.listens()
		d.count.activity.Add(1)
		d.busy()
		return nil
	}
	return d.transmit()
}

// busy waits for a random time, or gives up. When the packet that keeps the channel busy is received, yield says anew how long to wait.
func (d *Driver) busy() {
	t, now := &d.tx, d.clock.Now()
	d.count.deferred.Add(1)
	if !now.Before(t.giveUp) {
		d.count.busy.Add(1)
		d.finish(lora.ErrChannelBusy)
		return
	}
	t.state = txWaiting
	t.at = now.Add(minBackoff + d.contend(now))
}

// contend returns a random pause of whole slots. They are as long as the start of a packet stays unheard: whoever has drawn a later one hears
// an earlier one's packet.
func (d *Driver) contend(now time.Time) time.Duration {
	slots := max(1, float64(d.opt.Listen.Backoff)/float64(d.slot)*(1+3*d.load.share(now)))
	return time.Duration(rand.IntN(int(slots+0.5))) * d.slot
}

// yield makes a packet wait that is no answer until those of others could begin, and then its turn.
func (d *Driver) yield() {
	t, now := &d.tx, d.clock.Now()
	if !t.answer && now.Before(d.window) {
		t.at = d.window.Add(d.contend(now))
	}
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
	d.load.add(d.cfg.Airtime(t.n), now)
	d.nextPoll = now.Add(d.pollEvery)
	d.finish(nil)
	return nil
}
