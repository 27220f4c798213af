package thread

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/neighbors"
)

const (
	// longestFrame is the longest frame of a mesh in bytes (IEEE 802.15.4-2006 §6.4.1, aMaxPHYPacketSize).
	longestFrame = 127
	// pycomFastest and pycomSlowest are its airtime at SF7 and at SF8 on 125 kHz, for which Pycom's constants are made.
	pycomFastest = 210_176 * time.Microsecond
	pycomSlowest = 379_392 * time.Microsecond
	// shortestTiming bounds the times of fast channels: processors take their time as well.
	shortestTiming = 1.0 / 4
	// mostFragments is the number of fragments of the longest datagram, 1280 bytes, behind a mesh header.
	mostFragments = 15
)

// TimingFor returns a timing for a radio on which a packet of n bytes is on the air for airtime(n). Give it the method of a
// lora.Config:
//
//	timing := thread.TimingFor(cfg.Airtime)
//
// What counts is the airtime of the longest frame of a mesh, 127 bytes: 210 ms at SF7 and 379 ms at SF8 on 125 kHz, where the
// result is [TimingPymesh], but for the sensitivity. The slower a channel, the longer are the times:
//
//   - On a channel slower than SF8's all times are stretched in proportion to the airtime, but for the life of keys and the longest
//     pauses after failures: the wait for an acknowledgement, so that nobody repeats what is still arriving; and the period of
//     Advertisements, so that an idle mesh takes no larger share of the air than at SF7. A mesh at SF12 on 125 kHz takes 13 times as
//     long to form.
//   - On a channel faster than SF7's only what is a node's own affair shrinks, to a quarter at most: backoff, the wait for an
//     acknowledgement and for a frame that was polled for, the gaps between fragments and between the repetitions of a multicast.
//
// All nodes of a mesh need about the same timing, and Pycom's boards have TimingPymesh whatever their radio is set to: they wait 2 s for
// an acknowledgement, counted from when they hand the frame to the radio, and 5 s for the fragments of a datagram. In a mesh with
// boards that decides (frame is the longest and its acknowledgement):
//
//	frame            channel                                            in a mesh with boards
//	to 0.24 s        faster than SF7 on 125 kHz, and that               TimingFor
//	to 0.44 s        to SF8 on 125 kHz                                  TimingFor, which is TimingPymesh
//	to 1.5 s         SF9, SF10 on 125; SF10, SF11 on 250;               TimingForBoards on all nodes; over one hop, datagrams
//	                 SF11, SF12 on 500 kHz                              up to 700 (SF9) or 350 bytes (SF10) get through
//	2.9 s and more   SF11, SF12 on 125; SF12 on 250 kHz                 none: boards give up before a long frame has ended
func TimingFor(airtime func(n int) time.Duration) Timing {
	t := TimingPymesh()
	frame := airtime(longestFrame)
	switch {
	case frame <= 0: // of settings that are not valid
		return t
	case frame < pycomFastest:
		t.scale(max(ratio(frame, pycomFastest), shortestTiming),
			&t.BackoffUnit, &t.RetryJitter, &t.AckWait, &t.AckWaitMax, &t.AckRoom, &t.FragmentGap, &t.MPLInterval, &t.DataWait, &t.AttachPoll, &t.FastPoll)
	case frame > pycomSlowest:
		t.stretch(frame)
	}
	if frame < pycomFastest || frame > pycomSlowest {
		t.FrameTime = frame
	}
	t.ReceiveSensitivity = pycomSensitivity - int(math.Round(10*math.Log10(ratio(frame, pycomFastest))))
	return t
}

// SetSensitivity counts link margins from the sensitivity of a radio at its settings, in dBm: the strength of the weakest packet that it
// receives. Give it what lora.Config.Sensitivity returns. Without that [TimingFor] takes it from the airtime, which comes within 2 dB: the
// energy of a bit counts, however it is sent.
func (t *Timing) SetSensitivity(dBm float64) {
	t.ReceiveSensitivity = int(math.Round(max(dBm, -maxSensitivity))) - marginBelow
}

// links is what received power is worth.
func (t *Timing) links() neighbors.Scale {
	return neighbors.Scale{Zero: t.ReceiveSensitivity, Margins: t.QualityMargins}
}

// TimingForBoards returns a timing for a mesh with Pycom's boards on a radio on which a packet of n bytes is on the air for airtime(n):
// [TimingPymesh], as they have it whatever their radio is set to, but for what is a node's own affair.
func TimingForBoards(airtime func(n int) time.Duration) Timing {
	t, own := TimingPymesh(), TimingFor(airtime)
	t.BackoffUnit, t.RetryJitter, t.AckRoom, t.FrameTime = own.BackoffUnit, own.RetryJitter, own.AckRoom, own.FrameTime
	t.AckWait, t.AckWaitMax = own.AckWait, own.AckWaitMax
	t.ReceiveSensitivity = own.ReceiveSensitivity
	return t
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// stretch makes everything take longer than at SF8, and leaves what is sent regularly the share of the air that it has at SF7.
func (t *Timing) stretch(frame time.Duration) {
	t.scale(ratio(frame, pycomSlowest),
		&t.BackoffUnit, &t.RetryJitter, &t.AckWait, &t.AckWaitMax, &t.AckRoom,
		&t.ParentRequestRouters, &t.ParentRequestREEDs, &t.ParentDecision, &t.ParentResponseRouters, &t.ParentResponseAll,
		&t.AttachBackoffMin, &t.AttachBackoffJitter, &t.SearchJitter, &t.AttachHold, &t.ChildIDRequest, &t.ChildUpdateRetry,
		&t.DataWait, &t.AttachPoll, &t.FastPoll, &t.PollRetry, &t.MinPoll,
		&t.LinkRequest, &t.LinkRequestJitter, &t.ResponseDelay, &t.DataResponseJitter, &t.DataResponseRepeat, &t.AdvertiseMin, &t.RouterSelectionJitter,
		&t.AddressQuery, &t.AddressQueryRetry, &t.AddressQueryRetryMax, &t.AddressNotifyInterval, &t.ICMPErrorInterval, &t.MPLInterval, &t.MPLSeedLifetime, &t.MPLSeedLate, &t.CoAPAckTimeout,
		&t.CommissionerTimeout, &t.AnnounceProcess, &t.OrphanAnnounce, &t.OrphanAnnounceMin)
	t.scale(ratio(frame, pycomFastest),
		&t.AdvertiseMax, &t.AdvertiseQuiet, &t.REEDAdvertise, &t.REEDAdvertiseJitter, &t.MaxNeighborAge, &t.ChildTimeout, &t.ListenerTimeout, &t.Supervision, &t.SupervisionTimeout,
		&t.NetworkIDTimeout, &t.RouterIDSequence, &t.RouterIDReuse, &t.LeaderToRouter,
		&t.FragmentGap)
	// Deviation: RFC 4944 §5.3 allows 60 s at most, in which SF12 on 125 kHz carries ten fragments over one hop.
	t.scale(ratio(frame, pycomSlowest), &t.Reassembly, &t.LostDatagram)
	t.FragmentGaps = mostFragments * t.FragmentGap // boards, for which they are bounded, cannot be in this mesh
	t.ChildTimeout, t.ListenerTimeout = t.ChildTimeout.Round(time.Second), t.ListenerTimeout.Round(time.Second)
}

// scale multiplies some of the times, to the millisecond in which Thread counts.
func (*Timing) scale(factor float64, times ...*time.Duration) {
	for _, d := range times {
		*d = time.Duration(factor * float64(*d)).Round(time.Millisecond)
	}
}
