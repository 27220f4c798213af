package sx1276

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/gopymesh/pymesh/lora"
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
	// txMargin is what a transmission takes beside its airtime: synthesizer, power ramp, and the
	// way of the interrupt.
	txMargin = time.Millisecond
	// txGrace is how long TxDone may be overdue, beside a twentieth of the airtime.
	txGrace = 50 * time.Millisecond
)

// accept takes a packet from Send.
func (r *Radio) accept(packet []byte) {
	if r.down != nil {
		r.results <- r.down
		return
	}
	t, now := &r.tx, r.clock.Now()
	t.n = copy(t.packet[:], packet)
	t.state, t.silent = txWaiting, false
	t.giveUp = now.Add(r.opt.listen.Wait)
	t.at = now
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// cancel forgets the packet; one that is on the air is finished.
func (r *Radio) cancel() {
	if r.tx.state == txOnAir {
		r.tx.silent = true
		return
	}
	r.tx.state = txIdle
}

// finish ends the work on the packet and tells Send.
func (r *Radio) finish(err error) {
	r.tx.state = txIdle
	if !r.tx.silent {
		r.results <- err
	}
}

// continueSend does the next step.
func (r *Radio) continueSend(now time.Time) error {
	t := &r.tx
	switch l := &r.opt.listen; t.state {
	case txWaiting:
		// Listening ends when the packet may start.
		start := later(t.last.Add(l.Gap), r.received.Add(l.Turnaround)).Add(-l.Time)
		start = later(start, r.listenSince.Add(rssiSettle))
		if start.After(now) {
			t.at = start
			return nil
		}
		t.state = txListening
		t.freeAt = now.Add(l.Time)
		return r.sample()
	case txListening:
		return r.sample()
	default:
		return r.overdue(now)
	}
}

// sample looks at the channel, and sends the packet if it has been free for long enough.
func (r *Radio) sample() error {
	flags, err := r.look(causeListen)
	if err != nil {
		return err
	}
	if flags != 0 { // a packet has come
		r.busy()
		return r.attend(causeListen, time.Time{})
	}
	now := r.clock.Now()
	settled := now.Sub(r.listenSince) >= rssiSettle
	switch strength := r.model.rssi(r.cfg.Frequency, r.snap[regRssiValue]); {
	case !r.receivingSince.IsZero():
		if now.Sub(r.receivingSince) > r.maxReception {
			r.tx.state, r.tx.at = txWaiting, now
			return r.restart()
		}
		r.busy()
	case settled && strength >= r.opt.listen.Threshold:
		r.busy()
	case now.Before(r.tx.freeAt):
		r.tx.at = earlier(r.tx.freeAt, now.Add(samplePause))
	default:
		return r.transmit()
	}
	return nil
}

// busy waits for a random time, or gives up.
func (r *Radio) busy() {
	t, now := &r.tx, r.clock.Now()
	r.count.deferred.Add(1)
	if !now.Before(t.giveUp) {
		r.count.busy.Add(1)
		r.finish(lora.ErrChannelBusy)
		return
	}
	t.state = txWaiting
	t.at = now.Add(minBackoff + rand.N(r.opt.listen.Backoff+1))
}

// transmit puts the packet on the air.
func (r *Radio) transmit() error {
	c, t := &r.chip, &r.tx
	if err := r.changeMode(modeRxContinuous, modeStandby); err != nil {
		return err
	}
	if err := c.writeFIFO(t.packet[:t.n]); err != nil {
		return err
	}
	if err := c.write(regPayloadLength, byte(t.n)); err != nil {
		return err
	}
	if err := c.write(regDioMapping1, dio0TxDone); err != nil {
		return err
	}
	if err := r.changeMode(modeStandby, modeTx); err != nil {
		return err
	}
	now, airtime := r.clock.Now(), r.cfg.Airtime(t.n)
	t.state = txOnAir
	t.at = now.Add(airtime + txMargin)
	t.late = t.at.Add(airtime/20 + txGrace)
	return nil
}

// changeMode changes the mode of the LoRa modem, and notices a chip that has restarted meanwhile.
func (r *Radio) changeMode(from, to byte) error {
	err := r.chip.changeMode(r.mode(from), r.mode(to))
	if errors.Is(err, ErrRestarted) {
		r.count.restarts.Add(1)
	}
	return err
}

// overdue looks for TxDone at a time when it should have come.
func (r *Radio) overdue(now time.Time) error {
	r.tx.at = now.Add(r.pollEvery)
	if err := r.attend(causeSent, time.Time{}); err != nil || r.tx.state != txOnAir {
		return err
	}
	if !now.Before(r.tx.late) {
		r.count.txTimeouts.Add(1)
		return &lora.Error{Op: "send", Err: ErrNoTxDone}
	}
	return nil
}

// endSend goes back to listening after TxDone. The chip is in standby.
func (r *Radio) endSend() error {
	if err := r.chip.write(regDioMapping1, dio0RxDone); err != nil {
		return err
	}
	if err := r.listen(); err != nil {
		return err
	}
	t, now := &r.tx, r.clock.Now()
	t.last = now
	r.count.sent.Add(1)
	r.count.airtime.Add(int64(r.cfg.Airtime(t.n)))
	r.nextPoll = now.Add(r.pollEvery)
	r.finish(nil)
	return nil
}
