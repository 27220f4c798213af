package mac

// Counters counts frames sent and received. Every received frame is in exactly one of RxAcks, RxData, RxCommands, RxBeacons and the drop
// counters, unless the MAC was off.
type Counters struct {
	// RxFrames counts all received frames, RxOtherDestination those for others.
	RxFrames, RxOtherDestination uint64
	// What became of the rest.
	RxAcks, RxData, RxCommands, RxBeacons uint64
	// RxBeaconRequests are some of RxCommands; TxBeacons and TxBeaconRequests some of TxFrames.
	RxBeaconRequests, TxBeacons, TxBeaconRequests uint64
	// RxUnicast and RxBroadcast count the frames that the address filter let pass, before they were authenticated.
	RxUnicast, RxBroadcast uint64
	// Dropped.
	RxMalformed, RxOwnSource, RxUnknownNeighbor, RxFiltered, RxSecurity, RxDuplicate, RxUnsupported uint64

	// TxFrames counts frames begun, first tries only. TxAcked counts those that were acknowledged.
	TxFrames, TxAcks, TxRetries, TxAcked uint64
	// TxDeferred counts tries that the radio refused, for a busy channel as a rule. TxNoAck counts frames given up without an
	// acknowledgement, TxChannelBusy those that never found the channel free.
	TxDeferred, TxNoAck, TxChannelBusy uint64
	// TxStuck counts packets that the radio was not done with in time. AcksWithheld counts frames that asked for an acknowledgement and
	// got none, since nothing shows that they are from a neighbor, and there were too many of them.
	TxStuck, AcksWithheld uint64
	// TxStopped counts frames in work when the MAC was stopped, those that the radio finishes among them.
	TxStopped uint64
	// TxUnicast and TxBroadcast count the frames that are over, whatever became of them; TxAckRequested those of the former that asked for an
	// acknowledgement.
	TxUnicast, TxBroadcast, TxAckRequested uint64
	// TxRepeated counts frames of others that were repeated: see repeater.
	TxRepeated uint64
	// TxPiggybacked counts frames that were sent in place of an acknowledgement, RxPiggybacked those that came in its place.
	TxPiggybacked, RxPiggybacked uint64
	// TxPolls counts data requests, PollsMissed those after which none of the frames came that were promised.
	TxPolls, PollsMissed uint64
}
