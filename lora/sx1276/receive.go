package sx1276

import (
	"context"
	"log/slog"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// maxRounds bounds how often the driver looks again because DIO0 is still high.
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
	r.stuck.Log(r.clock.Now(), r.opt.log, slog.LevelWarn, "the modem receives a packet that does not end: starting it again")
	if err := r.changeMode(modeRxContinuous, modeStandby); err != nil {
		return err
	}
	return r.listen()
}
