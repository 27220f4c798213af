package thread

import "time"

// Timing holds every duration, count and radio figure by which one radio's Thread differs from another's. The zero value is not
// usable: start from [TimingIEEE802154] or [TimingPymesh] and change what must change.
//
// Durations are positive, those of jitter, delays and gaps not negative; see [Timing.Validate]. Where a comment says "stock", the value is the one that OpenThread of December 2018 uses, the engine
// from which Pymesh was built.
type Timing struct {
	// Medium access control, IEEE 802.15.4-2006 §7.5.1.4 and §7.5.6.4.

	// BackoffUnit is one unit of the CSMA-CA random delay (aUnitBackoffPeriod, 20 symbols).
	BackoffUnit time.Duration
	// MinBE and MaxBE bound the backoff exponent (macMinBE, macMaxBE).
	MinBE, MaxBE int
	// LoadBE is by how much the backoff exponent grows, at most, where the channel is heard full. Zero, as in stock, is not at all.
	LoadBE int
	// MaxCSMABackoffs is how often a busy channel is tried again before the frame fails.
	MaxCSMABackoffs int
	// RetryJitter bounds a random delay before each retry, on top of the backoff and as many times as there were retries. Zero in stock.
	RetryJitter time.Duration
	// MaxFrameRetries is how often an unacknowledged frame is sent again: once at most to a neighbor that has not acknowledged the last
	// one either, and never to who is no neighbor.
	MaxFrameRetries int
	// AckWait is the wait for an acknowledgement, counted from the end of the transmission.
	AckWait time.Duration
	// AckWaitMax is the longest wait, for a neighbor whose acknowledgements have shown that they take longer. Zero, as in stock, keeps AckWait.
	AckWaitMax time.Duration
	// AckRoom is how long the channel is left to others after a frame for one of them that asks for an acknowledgement, until that can
	// be heard. Zero in stock.
	AckRoom time.Duration
	// Piggyback has the next frame acknowledge the one before it, if it leaves at once, where all nodes of the partition have this engine. False in stock.
	Piggyback bool
	// FrameTime is the airtime of the longest frame: what is bounded for the sake of the channel is counted in it.
	FrameTime time.Duration

	// ReceiveSensitivity in dBm is the zero of the link margin: see [Timing.SetSensitivity]. -200 to 0.
	ReceiveSensitivity int
	// QualityMargins are the link margins in dB above which a link has quality 1, 2 and 3. Not negative, in rising order.
	QualityMargins [3]int
	// LinkMargin is the link margin in dB from which on routers seek a link, and a better partition is entered at once.
	LinkMargin int

	// FragmentGap is the pause after a fragment that goes over several hops: the next one must not meet it, passed on by nodes
	// that do not hear each other. Over two hops it is half as long. FragmentGaps bounds the sum of a datagram's pauses: it must arrive within
	// the peer's Reassembly.
	FragmentGap, FragmentGaps time.Duration
	// LostDatagram is how long the other fragments of a datagram are dropped of which one that passed through here was lost. Zero, as in
	// stock, passes them on.
	LostDatagram time.Duration

	// Attaching, Thread 1.1 §4.7.

	// ParentRequestRouters is how long answers to a Parent Request to routers are collected, ParentRequestREEDs to routers and
	// router-eligible end devices; the latter also bounds the wait for a Child ID Response.
	ParentRequestRouters, ParentRequestREEDs time.Duration
	// ParentDecision ends the collection early once a candidate is known. Zero waits for the end.
	ParentDecision time.Duration
	// ParentResponseRouters and ParentResponseAll bound the random delay of a Parent Response.
	ParentResponseRouters, ParentResponseAll time.Duration
	// ParentOffers is the number of Parent Responses of others to the same node, overheard, that make this node's own needless. Zero,
	// as in stock, is none.
	ParentOffers int
	// AttachBackoffMin and AttachBackoffMax bound the delay between failed attach attempts; AttachBackoffJitter is added at random.
	AttachBackoffMin, AttachBackoffMax, AttachBackoffJitter time.Duration
	// AttachHold is how long a node without a place waits for what becomes of another one that was heard to search before it. Zero, as in
	// stock, does not wait.
	AttachHold time.Duration
	// SearchJitter bounds the random delay before an attached node searches, most of all for a better partition. Zero in stock.
	SearchJitter time.Duration
	// ChildIDRequest is how long a parent remembers a half-open child.
	ChildIDRequest time.Duration

	// ChildTimeout is asked of the parent: the silence after which it drops this child. ListenerTimeout is the same of a child that always
	// listens, which hears whether its parent is there; zero, as in stock, is ChildTimeout.
	ChildTimeout, ListenerTimeout time.Duration
	// ChildUpdateRetry is the time between Child Update Requests that stay unanswered, KeepAliveAttempts their number.
	ChildUpdateRetry  time.Duration
	KeepAliveAttempts int
	// FailedChildTransmissions is the number of unacknowledged frames to a child after which it no longer answers address queries.
	FailedChildTransmissions int
	// FailedRouterTransmissions is the number of unacknowledged frames to a router after which the link is taken as lost.
	FailedRouterTransmissions int

	// Sleepy end devices, Thread 1.1 §3.4.

	// DataWait is how long a child that sleeps listens, after the acknowledgement of a poll that promises a frame. Its parent sends that once it
	// is done with the frame that it has in work, if there is one: a wait for an acknowledgement may have to end first.
	DataWait time.Duration
	// AttachPoll is the period of polls while the parent's answer to an MLE message is due, FastPoll while another answer is, and PollRetry
	// after one that was not acknowledged. MinPoll is the shortest that follows from a child timeout.
	AttachPoll, FastPoll, PollRetry, MinPoll time.Duration
	// Supervision is the time without a frame to a child that sleeps after which its parent sends an empty one, SupervisionTimeout that
	// without a frame from the parent after which the child asks whether it is still one. Zero for never.
	Supervision, SupervisionTimeout time.Duration

	// LinkRequest is how long an answer to a Link Request is awaited.
	LinkRequest time.Duration
	// LinkRequestJitter bounds the random delay before a router that was heard is asked for a link.
	LinkRequestJitter time.Duration
	// ResponseDelay bounds the random delay of answers to multicast MLE requests.
	ResponseDelay time.Duration
	// DataResponseJitter bounds the delay before new network data is passed on by multicast.
	DataResponseJitter time.Duration
	// DataResponseRepeat bounds the random delay, from its half on, after which the leader announces new network data once more. Zero, as in
	// stock, does not.
	DataResponseRepeat time.Duration

	// Routing and partitions.

	// AdvertiseMin and AdvertiseMax are the Trickle interval bounds of Advertisements (RFC 6206).
	AdvertiseMin, AdvertiseMax time.Duration
	// AdvertiseQuiet is the longest interval where all nodes of the partition have this engine: see [mle.TLVCompany]. As many times longer as
	// it is than AdvertiseMax are MaxNeighborAge and, far from the leader, NetworkIDTimeout. Zero, as in stock, is AdvertiseMax.
	AdvertiseQuiet time.Duration
	// REEDAdvertise is the period of a router-eligible end device's Advertisements, REEDAdvertiseJitter what is added at random.
	REEDAdvertise, REEDAdvertiseJitter time.Duration
	// MaxNeighborAge is the silence after which a router neighbor is lost.
	MaxNeighborAge time.Duration
	// RouterSelectionJitter bounds the random delay before a router upgrade or downgrade.
	RouterSelectionJitter time.Duration
	// ChildLinkOdds is the number of Advertisements of another router after which a child asks for a link to it, on the average. Zero, as
	// in stock, is the first.
	ChildLinkOdds int
	// RouterNeighbors is the number of routers heard well that make another router needless: a child that hears so many stays one,
	// unless somebody needs it for a parent. Zero, as in stock, is none.
	RouterNeighbors int
	// NetworkIDTimeout is the time without a newer router ID sequence after which the leader is taken as lost.
	NetworkIDTimeout time.Duration
	// RouterIDSequence is the period at which the leader increments the router ID sequence.
	RouterIDSequence time.Duration
	// RouterIDReuse is how long a released router ID stays unassigned.
	RouterIDReuse time.Duration
	// LeaderToRouter is how long the leader keeps a router ID to which it has no route.
	LeaderToRouter time.Duration

	// Address query, Thread 1.1 §5.4.2.

	// AddressQuery is the wait for an Address Notification; AddressQueryRetry the first pause after a failure, doubled up to
	// AddressQueryRetryMax.
	AddressQuery, AddressQueryRetry, AddressQueryRetryMax time.Duration
	// AddressNotifyInterval is the time between Address Notifications to one node, on the average. Zero, as in stock, is no bound.
	AddressNotifyInterval time.Duration

	// ICMPErrorInterval is the time between ICMPv6 errors, on the average (RFC 4443 §2.4 f).
	ICMPErrorInterval time.Duration

	// Reassembly is how long an incomplete 6LoWPAN datagram is kept (RFC 4944 §5.3).
	Reassembly time.Duration

	// MPLInterval bounds the random delay between the transmissions of one MPL message (RFC 7731 §5.4);
	// MPLSeedLifetime is how long a seed is remembered, and MPLSeedLate for how long after that its last few messages are. Zero, as in stock, is for no
	// longer.
	MPLInterval, MPLSeedLifetime, MPLSeedLate time.Duration
	// MPLRedundancy is the number of copies heard from neighbors that make a router's own needless (RFC 6206 §4.2, k). Zero, as in
	// stock, is none.
	MPLRedundancy int

	// CoAPAckTimeout is the wait before a confirmable TMF message is sent again (RFC 7252 §4.8).
	CoAPAckTimeout time.Duration

	// CommissionerTimeout is the silence after which the leader takes a commissioner for gone (Thread 1.1 §8.11, TIMEOUT_LEAD_PET).
	CommissionerTimeout time.Duration

	// AnnounceProcess is how long further Announces are awaited before a node moves to where a newer dataset is announced. OrphanAnnounce is
	// how long a minimal end device without a parent announces on all channels that it is one, and waits for answers; OrphanAnnounceMin the
	// least time for each channel.
	AnnounceProcess, OrphanAnnounce, OrphanAnnounceMin time.Duration

	// KeyRotation is the life of a key sequence; KeySwitchGuard the part of it in which the next one is not accepted
	// (Thread 1.1 §7.1.7).
	KeyRotation, KeySwitchGuard time.Duration
}

// TimingIEEE802154 returns the timing of Thread over a 2.4 GHz IEEE 802.15.4 radio, as stock OpenThread has it. It is the profile
// for standing among OpenThread's simulated nodes.
func TimingIEEE802154() Timing {
	t := Timing{
		BackoffUnit:     320 * time.Microsecond,
		MinBE:           3,
		MaxBE:           5,
		MaxCSMABackoffs: 32,
		MaxFrameRetries: 3,
		AckWait:         16 * time.Millisecond,
		FrameTime:       4256 * time.Microsecond,

		ReceiveSensitivity: -100,
		QualityMargins:     [3]int{2, 10, 20},
		LinkMargin:         10,

		ParentRequestRouters:  750 * time.Millisecond,
		ParentRequestREEDs:    1250 * time.Millisecond,
		ParentResponseRouters: 500 * time.Millisecond,
		ParentResponseAll:     1000 * time.Millisecond,
		AttachBackoffMin:      251 * time.Millisecond,
		AttachBackoffMax:      20 * time.Minute,
		AttachBackoffJitter:   2 * time.Second,

		// Deviation: stock parents forget after 5 s, before a Pymesh child has ended its 10 s of listening for Parent Responses.
		ChildIDRequest: 15 * time.Second,

		ChildTimeout:              240 * time.Second,
		ChildUpdateRetry:          time.Second,
		KeepAliveAttempts:         4,
		FailedChildTransmissions:  4,
		FailedRouterTransmissions: 4,

		LinkRequest:        2 * time.Second,
		ResponseDelay:      time.Second,
		DataResponseJitter: 500 * time.Millisecond,

		AdvertiseMin:          time.Second,
		AdvertiseMax:          32 * time.Second,
		REEDAdvertise:         570 * time.Second,
		REEDAdvertiseJitter:   60 * time.Second,
		MaxNeighborAge:        100 * time.Second,
		RouterSelectionJitter: 120 * time.Second,
		NetworkIDTimeout:      120 * time.Second,
		RouterIDSequence:      10 * time.Second,
		RouterIDReuse:         100 * time.Second,
		LeaderToRouter:        90 * time.Second,

		AddressQuery:         3 * time.Second,
		AddressQueryRetry:    15 * time.Second,
		AddressQueryRetryMax: 8 * time.Hour,

		ICMPErrorInterval: 100 * time.Millisecond,
		Reassembly:        5 * time.Second,
		MPLInterval:       64 * time.Millisecond,
		MPLSeedLifetime:   5 * time.Second,
		CoAPAckTimeout:    2 * time.Second,
		KeyRotation:       672 * time.Hour,
		KeySwitchGuard:    624 * time.Hour,
	}
	t.manageAsStock()
	t.sleepAsStock()
	return t
}

func (t *Timing) manageAsStock() {
	t.CommissionerTimeout = 50 * time.Second
	t.AnnounceProcess = 250 * time.Millisecond
	t.OrphanAnnounce, t.OrphanAnnounceMin = 1400*time.Millisecond, 80*time.Millisecond
}

// TimingPymesh returns the timing of Pycom's Pymesh: Thread over LoRa at SF7 and SF8. It is what LoPy4 and FiPy boards use, except
// where a value is a node's own affair and LoRa's slowness asks for more patience.
func TimingPymesh() Timing {
	t := TimingIEEE802154()

	// What Pycom changed.
	t.ReceiveSensitivity = pycomSensitivity
	t.ParentRequestRouters = 10 * time.Second
	t.ParentRequestREEDs = 10 * time.Second
	t.KeepAliveAttempts = 6
	t.FailedChildTransmissions = 6
	t.LinkRequest = 10 * time.Second
	t.AnnounceProcess = 2500 * time.Millisecond
	t.OrphanAnnounce = 5 * time.Second
	t.OrphanAnnounceMin = 500 * time.Millisecond
	t.sleepAsPymesh()

	t.hearFaintly()
	t.sendSlowly()
	t.attachSlowly()
	t.routeSlowly()
	t.askSlowly()
	return t
}
