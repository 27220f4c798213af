package sx1276

import (
	"sync/atomic"
	"time"
)

// Stats count what happened since New.
type Stats struct {
	Sent    uint64        // packets
	Airtime time.Duration // of the packets sent
	// Deferred counts how often the channel was found busy, Busy the packets that were given up
	// for that reason.
	Deferred, Busy uint64

	Received  uint64 // packets, handed out or waiting
	CRCErrors uint64 // packets dropped for a wrong CRC
	NoCRC     uint64 // packets dropped because they had no CRC
	Missed    uint64 // packets overwritten because the host came too late; at least so many
	Overrun   uint64 // packets dropped because nobody called Receive

	Edges      uint64 // edges of DIO0
	FalseEdges uint64 // edges without a reason in the chip
	LostEdges  uint64 // events that no edge told of
	Stuck      uint64 // times the modem seemed to receive for ever and was started again

	TxTimeouts uint64 // packets that the chip did not finish
	Restarts   uint64 // times the chip was found without its settings
	SPIErrors  uint64 // transfers that failed
	Repairs    uint64 // times the chip was reset and set up again, for any of these reasons

	Transfers, Bytes uint64 // on SPI
}

// counters is Stats as the loop counts.
type counters struct {
	sent, deferred, busy                        atomic.Uint64
	airtime                                     atomic.Int64
	received, crcErrors, noCRC, missed, overrun atomic.Uint64
	edges, falseEdges, lostEdges, stuck         atomic.Uint64
	txTimeouts, restarts, repairs               atomic.Uint64
}

// Stats returns the counters.
func (r *Radio) Stats() Stats {
	c := &r.count
	return Stats{
		Sent:       c.sent.Load(),
		Airtime:    time.Duration(c.airtime.Load()),
		Deferred:   c.deferred.Load(),
		Busy:       c.busy.Load(),
		Received:   c.received.Load(),
		CRCErrors:  c.crcErrors.Load(),
		NoCRC:      c.noCRC.Load(),
		Missed:     c.missed.Load(),
		Overrun:    c.overrun.Load(),
		Edges:      c.edges.Load(),
		FalseEdges: c.falseEdges.Load(),
		LostEdges:  c.lostEdges.Load(),
		Stuck:      c.stuck.Load(),
		TxTimeouts: c.txTimeouts.Load(),
		Restarts:   c.restarts.Load(),
		SPIErrors:  r.chip.errors.Load(),
		Repairs:    c.repairs.Load(),
		Transfers:  r.chip.transfers.Load(),
		Bytes:      r.chip.bytes.Load(),
	}
}
