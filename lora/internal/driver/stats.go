package driver

import (
	"sync/atomic"
	"time"

	"github.com/gopymesh/pymesh/lora/transceiver"
)

// counters is Stats as the loop counts.
type counters struct {
	sent, deferred, activity, busy              atomic.Uint64
	airtime                                     atomic.Int64
	received, crcErrors, noCRC, missed, overrun atomic.Uint64
	edges, falseEdges, lostEdges, stuck         atomic.Uint64
	txTimeouts, restarts, repairs               atomic.Uint64
}

// Stats returns the counters.
func (d *Driver) Stats() transceiver.Stats {
	c, t := &d.count, d.chip.Traffic()
	return transceiver.Stats{
		Sent:       c.sent.Load(),
		Airtime:    time.Duration(c.airtime.Load()),
		Deferred:   c.deferred.Load(),
		Busy:       c.busy.Load(),
		Activity:   c.activity.Load(),
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
		SPIErrors:  t.Errors,
		Repairs:    c.repairs.Load(),
		Transfers:  t.Transfers,
		Bytes:      t.Bytes,
	}
}
