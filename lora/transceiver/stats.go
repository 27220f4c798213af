package transceiver

import "time"

// Stats count what happened since the driver was made.
type Stats struct {
	Sent    uint64        // packets
	Airtime time.Duration // of the packets sent
	// Deferred counts how often the channel was found busy, Busy the packets that were given up
	// for that reason.
	Deferred, Busy uint64
	// Activity counts how often it was channel activity detection that found it busy.
	Activity uint64

	Received  uint64 // packets, handed out or waiting
	CRCErrors uint64 // packets dropped for a wrong CRC
	NoCRC     uint64 // packets dropped because they had no CRC
	Missed    uint64 // packets overwritten because the host came too late; at least so many
	Overrun   uint64 // packets dropped because nobody called Receive

	Edges      uint64 // edges of the interrupt line
	FalseEdges uint64 // edges without a reason in the chip
	LostEdges  uint64 // events that no edge told of
	Stuck      uint64 // times the modem seemed to receive for ever and was started again

	TxTimeouts uint64 // packets that the chip did not finish
	Restarts   uint64 // times the chip was found without its settings
	SPIErrors  uint64 // transfers that failed
	Repairs    uint64 // times the chip was reset and set up again, for any of these reasons

	Transfers, Bytes uint64 // on SPI
}
