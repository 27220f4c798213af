package sx1276

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

const (
	// shortestPacket is the length of an acknowledgment in bytes. The driver looks at DIO0, or at
	// the chip, twice in the airtime of one, so that it loses no packet with its edge.
	shortestPacket   = 5
	minPoll, maxPoll = time.Millisecond, 100 * time.Millisecond

	// checkEvery is the time between checks of the settings and the flags, whatever DIO0 says.
	checkEvery = time.Second

	// maxRounds bounds how often the driver looks again because DIO0 is still high.
	maxRounds = 4

	// repairPause is the shortest time between two repairs; a chip that does not answer is tried
	// again after that time first, and then less and less often, up to maxRepairPause.
	repairPause    = 100 * time.Millisecond
	maxRepairPause = 10 * time.Second
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
	deaf                bool // DIO0 cannot be relied on

	listenSince    time.Time // the receiver runs since then
	lastEvent      time.Time // when the driver looked last
	received       time.Time // the end of the last packet received
	receivingSince time.Time // the modem receives a packet since then; zero if it does not
	nextStart      byte      // where the next packet is to begin in the FIFO

	tx transmission

	down     error // why the chip cannot be used, or nil
	retryAt  time.Time
	pause    time.Duration // before the next retry
	repaired time.Time     // the last repair
}

// run is the goroutine.
func (r *Radio) run() {
	defer close(r.ended)
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
		case <-r.closing:
			r.shutdown()
			return
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
	if r.down != nil {
		return nil
	}
	return r.attend(causeEdge, at)
}

func (r *Radio) noteEdge() {
	r.count.edges.Add(1)
	if r.deaf {
		r.deaf = false
		r.opt.log.Info("DIO0 works again")
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
	r.opt.log.Warn("DIO0 does not work: asking the chip instead, until an edge comes", "why", why, "every", r.pollEvery)
}

// cause is why the driver looks at the chip.
type cause uint8

const (
	causeEdge   cause = iota
	causePoll         // it is time
	causeCheck        // it is time, and the settings are checked too
	causeListen       // before a packet
	causeSent         // the packet should have been sent by now
)

// attend looks at the chip and handles all that has happened. It looks again while DIO0 is high: the
// chip may have more to tell, and no edge will say so.
func (r *Radio) attend(why cause, edge time.Time) error {
	for round := range maxRounds {
		if at, ok := r.takeEdges(); ok {
			why, edge = causeEdge, at
		}
		flags, err := r.look(why)
		if err != nil {
			return err
		}
		if flags == 0 {
			if why == causeEdge && round == 0 {
				r.count.falseEdges.Add(1)
			}
			return nil
		}
		if why != causeEdge && r.pins.DIO0 != nil && flags&(irqRxDone|irqTxDone) != 0 {
			r.count.lostEdges.Add(1)
			if r.dio0() == Low {
				r.distrust("it is low although the chip has something to tell")
			}
		}
		if err := r.handleFlags(flags, edge); err != nil {
			return err
		}
		if r.dio0() == Low {
			return nil
		}
		edge = time.Time{}
	}
	return nil
}

// takeEdges takes all edges that wait and returns the last.
func (r *Radio) takeEdges() (at time.Time, ok bool) {
	for {
		select {
		case at = <-r.edges:
			r.noteEdge()
			ok = true
		default:
			return at, ok
		}
	}
}

// look reads the chip's status, makes sure that the chip is as it was set, and returns the interrupt
// flags.
func (r *Radio) look(why cause) (flags byte, err error) {
	last := statusEnd
	switch {
	case r.tx.state == txOnAir:
		last = transmitEnd
	case why == causeCheck:
		last = settingsEnd
	}
	for range attempts { // one wrong byte may be the wire's fault
		if err = r.chip.look(&r.snap, last); err != nil {
			return 0, err
		}
		if err = r.checkMode(); err == nil {
			if err = r.compare(last); err == nil {
				break
			}
		}
	}
	if err != nil {
		r.count.restarts.Add(1)
		return 0, err
	}
	r.trackReception()
	return r.snap[regIrqFlags], nil
}

// checkMode makes sure that the chip is in the mode that it was set to.
func (r *Radio) checkMode() error {
	got, want := r.snap[regOpMode], r.mode(modeRxContinuous)
	if r.tx.state == txOnAir {
		if want = r.mode(modeTx); got == r.mode(modeStandby) {
			return nil // it has sent
		}
	}
	if got != want {
		return differs("check", regOpMode, got, want)
	}
	return nil
}

// trackReception notes since when the modem receives a packet.
func (r *Radio) trackReception() {
	switch {
	case r.tx.state == txOnAir, r.snap[regIrqFlags]&irqRxDone != 0, r.snap[regModemStat]&statReceiving == 0:
		r.receivingSince = time.Time{}
	case r.receivingSince.IsZero():
		r.receivingSince = r.clock.Now()
	}
}

// handleFlags handles what the flags of the last look tell.
func (r *Radio) handleFlags(flags byte, edge time.Time) error {
	if r.tx.state == txOnAir {
		if flags&irqTxDone == 0 {
			return nil
		}
		return r.endSend()
	}
	now := r.clock.Now()
	last := r.lastEvent
	r.lastEvent = now
	if flags&irqRxDone == 0 {
		return r.chip.write(regIrqFlags, flags)
	}
	at := edge
	if at.IsZero() || !at.After(last) || at.After(now) {
		at = now
	}
	return r.receive(flags, at)
}

// receive takes a packet out of the FIFO.
func (r *Radio) receive(flags byte, at time.Time) error {
	start, n := r.snap[regFifoRxCurrent], r.snap[regRxNbBytes]
	if start != r.nextStart {
		r.count.missed.Add(1)
	}
	r.nextStart = start + n
	r.received = at
	// The flags first: from now on they can tell of the next packet.
	if err := r.chip.write(regIrqFlags, flags); err != nil {
		return err
	}
	switch {
	case flags&irqPayloadCrcError != 0:
		r.count.crcErrors.Add(1)
		r.debug("packet with CRC error dropped")
		return nil
	case r.snap[regHopChannel]&crcOnPayload == 0:
		r.count.noCRC.Add(1)
		r.debug("packet without CRC dropped")
		return nil
	case n == 0:
		return nil
	}
	if err := r.chip.readFIFO(r.in.packet[:n], start); err != nil {
		return err
	}
	snr := packetSNR(r.snap[regPktSnrValue])
	r.in.reception = lora.Reception{
		N: int(n), Time: at, SNR: snr,
		RSSI: r.model.packetRSSI(r.cfg.Frequency, r.snap[regPktRssiValue], snr),
	}
	r.deliver(&r.in)
	return nil
}

// debug logs without an allocation where nobody listens.
func (r *Radio) debug(what string) {
	if r.opt.log.Enabled(context.Background(), slog.LevelDebug) {
		r.opt.log.Debug(what)
	}
}

// restart makes the modem forget what it seems to receive.
func (r *Radio) restart() error {
	r.count.stuck.Add(1)
	r.opt.log.Warn("the modem receives a packet that does not end: starting it again")
	if err := r.changeMode(modeRxContinuous, modeStandby); err != nil {
		return err
	}
	return r.listen()
}

// repair resets the chip and sets it up again.
func (r *Radio) repair(cause error) {
	r.count.repairs.Add(1)
	if r.tx.state == txOnAir {
		r.finish(cause)
	}
	remedy := ""
	if errors.Is(cause, ErrRestarted) || errors.Is(cause, ErrNoTxDone) {
		remedy = remedySupply
	}
	r.opt.log.Warn("LoRa chip is reset", "err", cause, "hint", remedy)
	now := r.clock.Now()
	if r.pause = repairPause; now.Sub(r.repaired) < repairPause {
		r.goDown(cause)
		return
	}
	r.repaired = now
	if err := r.setUp(); err != nil {
		r.goDown(err)
		return
	}
	if r.tx.state != txIdle { // a packet that waits begins anew
		r.tx.state, r.tx.at = txWaiting, r.clock.Now()
	}
}

// goDown waits before the next attempt to set the chip up. Callers are told.
func (r *Radio) goDown(err error) {
	r.down = err
	r.retryAt = r.clock.Now().Add(r.pause)
	r.pause = min(2*r.pause, maxRepairPause)
	if r.tx.state != txIdle {
		r.finish(err)
	}
	select {
	case r.faults <- err:
	default:
	}
}

// retrySetUp tries to set up a chip that is down.
func (r *Radio) retrySetUp() {
	if err := r.setUp(); err != nil {
		r.opt.log.Warn("LoRa chip does not come back", "err", err)
		r.goDown(err)
		return
	}
	r.opt.log.Info("LoRa chip is back")
	r.down, r.repaired = nil, r.clock.Now()
	select {
	case <-r.faults:
	default:
	}
}

// shutdown puts the chip to sleep.
func (r *Radio) shutdown() {
	if r.tx.state != txIdle {
		r.finish(lora.ErrClosed)
	}
	if r.down == nil {
		if err := r.chip.setMode(r.mode(modeSleep)); err != nil {
			r.opt.log.Warn("LoRa chip does not go to sleep", "err", err)
		}
	}
}
