package thread

import "github.com/gopymesh/pymesh/thread/internal/mac"

// Counters counts what an engine sent, received and dropped since it was made. Every dropped frame and datagram is in exactly one
// of the drop counters of its layer: a received frame in those of the MAC, the datagram in it in those of 6LoWPAN, IPv6, MLE and TMF, a
// datagram to send in those of the queues.
type Counters struct {
	// MAC transmissions. TxFrames counts frames handed to the radio, first tries only.
	TxFrames, TxAcks, TxRetries, TxAcked uint64
	// TxDeferred counts tries that the radio refused, for a busy channel as a rule. TxNoAck counts frames given up without an
	// acknowledgement, TxChannelBusy those that never found the channel free.
	TxDeferred, TxNoAck, TxChannelBusy uint64
	// TxStuck counts packets that the radio was not done with in time, and that were given up for lost. AcksWithheld counts frames that asked for an acknowledgement and
	// got none, since nothing shows that they are from a neighbor, and there were too many of them.
	TxStuck, AcksWithheld uint64
	// TxStopped counts frames that were under way when the node stopped.
	TxStopped uint64
	// TxUnicast and TxBroadcast count the frames that are over, whatever became of them; TxAckRequested those of the former that asked for an
	// acknowledgement.
	TxUnicast, TxBroadcast, TxAckRequested uint64
	// TxRepeated counts frames of neighbors with another engine that nobody had acknowledged, and that this node has repeated for them.
	TxRepeated uint64
	// TxPiggybacked counts frames that were sent in place of an acknowledgement, RxPiggybacked those that came in its place.
	TxPiggybacked, RxPiggybacked uint64
	// TxPolls counts data requests of a node that sleeps, PollsMissed those after which none of the frames came that were promised.
	TxPolls, PollsMissed uint64

	// MAC receptions: RxFrames counts all, the others what became of them while the interface was up.
	RxFrames, RxAcks, RxData, RxCommands, RxBeacons uint64
	// RxBeaconRequests are some of RxCommands; TxBeacons and TxBeaconRequests some of TxFrames.
	RxBeaconRequests, TxBeacons, TxBeaconRequests uint64
	// ScansRefused counts Beacon Requests and Discovery Requests that were not answered since the answers have a bounded rate.
	ScansRefused uint64
	// RxUnicast and RxBroadcast count the frames that the address filter let pass, before they were authenticated.
	RxUnicast, RxBroadcast uint64
	// Dropped by the MAC.
	RxMalformed, RxOtherDestination, RxOwnSource, RxUnknownNeighbor, RxFiltered, RxSecurity, RxDuplicate, RxUnsupported uint64

	// 6LoWPAN: datagrams complete, fragments received, mesh frames forwarded.
	RxDatagrams, RxFragments, Forwarded uint64
	// Dropped by 6LoWPAN and mesh forwarding. ReassemblyDropped counts fragments that fit nowhere, those of a datagram that was complete, and
	// incomplete datagrams that gave way to others; MeshIncomplete those passing through of a datagram of which one was lost here.
	// LowpanUnaddressed counts datagrams whose frame leaves out the ML-EIDs, and is not for a node that finds them again: they are sent once more.
	LowpanMalformed, LowpanUnaddressed, ReassemblyDropped, ReassemblyTimeout, MeshHopsExceeded, MeshNoRoute, MeshUnsecured, MeshIncomplete uint64

	// IPv6. IPNoRoute counts datagrams to send, of this node and of others, to which no way is known.
	IPMalformed, IPNotForUs, IPHopLimit, IPNoRoute, IPBadChecksum, IPUnsupported, MPLDuplicate uint64
	// ForwardedOut and ForwardedIn count the datagrams that a border router has let out of the mesh, and into it.
	ForwardedOut, ForwardedIn uint64
	// ICMPRefused counts ICMPv6 errors that were not sent since others have been just before.
	ICMPRefused uint64

	// Queues: datagrams refused because the send queue was full, lost while waiting for an address, or not fetched by the host in
	// time; events not fetched in time.
	QueueFull, AddressUnresolved, HostQueueFull, EventsLost uint64
	// TxDatagrams counts datagrams sent, TxDatagramsFailed those given up: not acknowledged, or too old; mesh frames of others among the
	// latter, but not the former. TxDatagramsStopped counts what was left when the node stopped, MLEReplaced MLE messages that gave way to
	// newer ones.
	TxDatagrams, TxDatagramsFailed, TxDatagramsStopped, MLEReplaced uint64
	// TxUnsecured counts datagrams and MLE messages that were not sent since no frame counter was left for them: the store had failed, or
	// all counters of the last key sequence are used up, see ErrCounters.
	TxUnsecured uint64

	// MLE.
	TxMLE, RxMLE uint64
	// Dropped by MLE. MLERefused counts what is not answered since answers to those who are no neighbors have a bounded rate.
	MLEMalformed, MLESecurity, MLEReplay, MLEUnknownNeighbor, MLEUnexpected, MLERefused uint64
	// MLEUnneeded counts messages of those who are no neighbors that would change nothing here, which need not be authenticated to be
	// dropped: most of what a node of a dense mesh hears.
	MLEUnneeded uint64

	// ShortcutsFailed counts frames that a node beside this one has not acknowledged, and that went another way then.
	ShortcutsFailed uint64

	// TMF: dropped; and messages that were not sent since too many are under way, or come too fast.
	TMFMalformed, TMFUnexpected, TMFRefused uint64
	// JoinersRelayed counts datagrams of joiners that this node has passed on to the commissioner, JoinersRefused those that it has not, since they
	// were too many, and as the commissioner those of joiners that may not join, or not now.
	JoinersRelayed, JoinersRefused uint64
	// RegistrationsRefused counts what this node wanted to register, or as a leader was to take, for which the network data had no place.
	RegistrationsRefused uint64

	// StoreFailed counts settings that could not be kept; nothing secured is sent beyond the stored counters until they can.
	StoreFailed uint64

	// Roles and partitions.
	AttachAttempts, PartitionChanges, BetterPartitionAttempts uint64
}

// Counters returns the counters.
func (e *Engine) Counters() Counters {
	c := e.counters
	c.addMAC(&e.mac.Counters)
	s := &e.sender.Counters
	c.QueueFull += s.QueueFull
	c.IPNoRoute += s.NoRoute
	c.MeshNoRoute += s.RelaysNoRoute
	c.MeshIncomplete += s.RelaysIncomplete
	c.TxDatagramsStopped += s.Stopped
	c.MLEReplaced += s.Replaced
	c.TxUnsecured += s.Unsecured
	c.AddressUnresolved, c.TxDatagrams, c.TxDatagramsFailed, c.Forwarded = s.AddressUnresolved, s.TxDatagrams, s.TxDatagramsFailed, s.Forwarded
	return c
}

func (c *Counters) addMAC(m *mac.Counters) {
	c.TxFrames, c.TxAcks, c.TxRetries, c.TxAcked = m.TxFrames, m.TxAcks, m.TxRetries, m.TxAcked
	c.TxDeferred, c.TxNoAck, c.TxChannelBusy = m.TxDeferred, m.TxNoAck, m.TxChannelBusy
	c.TxStuck, c.AcksWithheld, c.TxStopped = m.TxStuck, m.AcksWithheld, m.TxStopped
	c.TxRepeated = m.TxRepeated
	c.TxPiggybacked, c.RxPiggybacked = m.TxPiggybacked, m.RxPiggybacked
	c.TxPolls, c.PollsMissed = m.TxPolls, m.PollsMissed
	c.TxUnicast, c.TxBroadcast, c.TxAckRequested = m.TxUnicast, m.TxBroadcast, m.TxAckRequested
	c.RxFrames, c.RxAcks, c.RxData, c.RxCommands, c.RxBeacons = m.RxFrames, m.RxAcks, m.RxData, m.RxCommands, m.RxBeacons
	c.RxBeaconRequests, c.TxBeacons, c.TxBeaconRequests = m.RxBeaconRequests, m.TxBeacons, m.TxBeaconRequests
	c.RxUnicast, c.RxBroadcast = m.RxUnicast, m.RxBroadcast
	c.RxMalformed, c.RxOtherDestination, c.RxOwnSource = m.RxMalformed, m.RxOtherDestination, m.RxOwnSource
	c.RxUnknownNeighbor, c.RxFiltered, c.RxSecurity = m.RxUnknownNeighbor, m.RxFiltered, m.RxSecurity
	c.RxDuplicate, c.RxUnsupported = m.RxDuplicate, m.RxUnsupported
}
