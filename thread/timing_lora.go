package thread

import "time"

// What LoRa makes necessary beyond what Pycom changed. Most of it is a node's own affair.

const (
	// pycomSensitivity is what Pycom's radio calls its sensitivity, in dBm, whatever it is set to.
	pycomSensitivity = -128
	// marginBelow is how far below a radio's sensitivity the link margin begins, in dB: as far as Pycom's does at SF7 on 125 kHz, where
	// what boards and other nodes say of a link is then the same.
	marginBelow = 3
)

// hearFaintly is what concerns links.
func (t *Timing) hearFaintly() {
	// Deviation: stock's are 2, 10 and 20 dB, and no link is sought below 10. Of a LoRa packet all arrives from 1 dB above the sensitivity on,
	// and nothing 1 dB below it: with stock's figures a radio reaches half as far as it can. Quality 1 is a way of 3 hops at most, costs being
	// what they are, so it must be rare. These are 0, 2 and 10 dB above the sensitivity.
	t.QualityMargins = [3]int{marginBelow, marginBelow + 2, marginBelow + 10}
	t.LinkMargin = marginBelow + 2
}

// sendSlowly is what concerns the channel.
func (t *Timing) sendSlowly() {
	t.FrameTime = pycomFastest
	// Deviation: a Pymesh node waits 2 s, and its MAC does nothing else meanwhile. An acknowledgement takes 31 ms at SF7 and comes 4 to
	// 8 ms after the frame, from boards too. In a field of 4 × 4 nodes pings took a third less time with this than with 2 s.
	t.AckWait = 150 * time.Millisecond
	// Deviation: stock knows one wait for all. A host that is slow, or at SF10 a board, may take longer, and would be sent each frame twice.
	t.AckWaitMax = 4 * t.AckWait
	// Deviation: stock sends again three times, which with such a wait is over within two seconds: somebody who is too far away to be heard
	// by this node, but not by the next hop, may send fragments for as long.
	t.MaxFrameRetries = 7
	// Deviation: stock acknowledges first. Over several hops that takes a fifth of the time, and of the air.
	t.Piggyback = true
	// Deviation: stock has no such pause. A LoRa receiver does not know of an acknowledgement before five symbols of its preamble are
	// over, and who waited for the frame to end would start within that time.
	t.AckRoom = 15 * time.Millisecond
	// Deviation: stock backs off in units of 0.32 ms, which no LoRa receiver can tell from zero: all who waited for the same frame
	// to end would start within its preamble. A LoRa preamble at SF7 lasts 12.5 ms.
	t.BackoffUnit = 8 * time.Millisecond
	// Deviation: stock ends at 5. Two senders that do not hear each other lose both frames, wait the same AckWait, and try again at the
	// same time: the spread must grow beyond the length of a frame, 210 ms.
	t.MaxBE = 7
	// Deviation: stock's backoff knows only of its own failures. In a cell where 30 nodes search for parents, most frames met another.
	t.LoadBE = 3
	// Deviation: two nodes whose frames met wait for an acknowledgement equally long. Stock's backoff then spreads them over less than
	// an airtime, and listening before talking does not hear weak signals: they would meet again.
	t.RetryJitter = 200 * time.Millisecond
	// Deviation: stock sends fragment after fragment. The second next hop, which this node does not hear, then sends at the same
	// time, and each collision costs AckWait. Measured at SF7, 200 bytes there and back over three hops: 11 s without a gap, 5 s with this one.
	// Boards reassemble for 5 s, which leaves large datagrams small gaps: without that bound 1000 bytes there and back would take 19 s and not 25.
	t.FragmentGap, t.FragmentGaps = 600*time.Millisecond, 1800*time.Millisecond
	// Deviation: stock sends on what has come of a datagram that cannot be put together any more.
	t.LostDatagram = 60 * time.Second
}

// attachSlowly is what concerns the search for a parent, and links.
func (t *Timing) attachSlowly() {
	// Deviation: stock answers in any case. Who asks needs one parent.
	t.ParentOffers = 2
	// Deviation: stock asks at once. All who heard the same Advertisement, and are too far apart to hear each other, would ask at the same
	// time, in vain, whenever they hear the next one: a request to who is no neighbor is sent once.
	t.LinkRequestJitter = 2 * time.Second
	// Deviation: a Pymesh node listens for Parent Responses during its whole 10 s; a stock OpenThread parent has forgotten it after
	// 5 s. With a candidate at hand this node answers in time for both.
	t.ParentDecision = 4 * time.Second
	// Deviation: Pycom's parents answer within a second, as stock's do where end devices are asked as well. Ten answers of 0.2 s would meet.
	t.ParentResponseRouters, t.ParentResponseAll = 2*time.Second, 4*time.Second
	// Deviation: stock waits up to 20 minutes. A node that lost some answers on a busy channel would be away for as long.
	t.AttachBackoffMax = 2 * time.Minute
	// Deviation: stock answers a multicast Link Request within a second. Five answers of 0.2 s would meet.
	t.ResponseDelay = 4 * time.Second
	// Deviation: stock's nodes know nothing of each other while they search: see courtesy. Of 32 in one cell that have power again within two
	// seconds at SF7, more than 20 founded partitions, and it took 6 to 19 minutes until they were one; now it takes 2 to 3.
	t.AttachHold = 8 * time.Second
	// Deviation: stock searches 1 ms after it heard of a better partition; all who heard the same Advertisement would ask at once.
	t.SearchJitter = 3 * time.Second
	// Deviation: stock's children all tell every 3.6 minutes that they are there, and their Advertisements do not count. Twelve children in a cell
	// took 1.8 % of the air for it.
	t.ListenerTimeout = 30 * time.Minute
	// Deviation: stock repeats a keep-alive every second, faster than the MAC can report the loss of one.
	t.ChildUpdateRetry = 4 * time.Second
}

// routeSlowly is what concerns routers and their news.
func (t *Timing) routeSlowly() {
	// Deviation: stock waits up to 2 min, at each hop of a chain. It must be long enough for those to be heard that have become routers before.
	t.RouterSelectionJitter = 60 * time.Second
	// Deviation: stock knows the number of routers alone. In a dense cell all would be routers, tell each other so, and ask each
	// other for links; who hears three of them adds no way that is not there. Of 16 in a cell 4 are routers, with 30 s and four it was 10.
	t.RouterNeighbors = 3
	// Deviation: stock's children ask each router that they hear for a link, all at once when it appears.
	t.ChildLinkOdds = 2
	// Deviation: stock begins with 1 s. Ten routers that hear of the same change would send their Advertisements within half a second.
	t.AdvertiseMin = 4 * time.Second
	// Deviation: stock has no such interval: see quiet. A grid of 16 takes 1.5 % of the air at rest with it, and 7.7 % without.
	t.AdvertiseQuiet = 256 * time.Second
	// Deviation: stock waits 90 s until it gives up a router to which no way is known. Advertisements tell of the ways, hop by hop, and of
	// those some get lost: new routers would lose their place again.
	t.LeaderToRouter = 150 * time.Second
	// Deviation: stock passes new network data on within 500 ms, two airtimes of the message: of routers that do not hear each other most
	// would send at the same time. Nor does its leader say again what nobody acknowledges: where its only message met another, all wait for
	// its next Advertisement, half a minute. Measured over a grid of 16 at SF7: the last node has the data 21 s after the leader on the
	// average instead of 29, at most 51 s instead of 119, and with two thirds of the frames.
	t.DataResponseJitter, t.DataResponseRepeat = 6*time.Second, 8*time.Second
}

// askSlowly is what concerns multicasts, addresses and datagrams.
func (t *Timing) askSlowly() {
	// Deviation: stock sends each multicast on twice, whoever has done so already: 28 frames for a question in a field of 4 × 4 nodes.
	t.MPLRedundancy = 2
	// Deviation: stock repeats after 64 ms at most, less than one frame's airtime, so that routers in range of each other collide.
	t.MPLInterval = time.Second
	// Deviation: stock forgets a seed after 5 s. A multicast that waits longer in a LoRa node's queue would then be new to all who
	// sent it on already, and circulate.
	t.MPLSeedLifetime = 30 * time.Second
	// Deviation: a board of Pycom forgets a seed after 5 s, and tries a frame for 8 s that nobody acknowledges, while what it has to send on waits. So it
	// sends again what its neighbors have forgotten, and they do: a question went round for four minutes, until the hop limit of 64 was used
	// up, and brought about some hundred answers. Who counts from another number on, as a board does after a restart, is heard.
	t.MPLSeedLate = 10 * time.Minute
	// Deviation: stock waits 3 s; a query and its answer over several LoRa hops with a lost frame (2 s until it is sent
	// again) take longer.
	t.AddressQuery = 8 * time.Second
	// Deviation: stock does not ask again for up to 8 h for what nobody answered to. On the air questions and answers get lost, and nodes come
	// back: nobody would reach them.
	t.AddressQueryRetryMax = 2 * time.Minute
	// Deviation: stock answers whoever asks, as often as asked. Each answer takes some frames, and four times as many where it is not
	// acknowledged; an honest node asks for an address three times a minute at most.
	t.AddressNotifyInterval = 4 * time.Second
	t.ICMPErrorInterval = 2 * time.Second // as many frames as an Advertisement each 10 s
	// Deviation: stock gives up 5 s after the first fragment. Twelve fragments over three hops, whose forwarders cannot hear each other,
	// take half a minute: this is the most that RFC 4944 §5.3 allows.
	t.Reassembly = 60 * time.Second
	// Deviation: stock sends a confirmable request again after 2 s, while the first may still be in the MAC with its retries.
	t.CoAPAckTimeout = 6 * time.Second
}
