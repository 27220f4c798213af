package thread

import (
	"fmt"
	"slices"
	"time"
)

// mostTime bounds every duration: sums and doublings of less stay far from the end of time.Duration.
const mostTime = 10 * 365 * 24 * time.Hour

// maxSensitivity and maxMargin bound what is said of received power, in dB.
const maxSensitivity, maxMargin = 200, 200

// maxExponent bounds the backoff exponents; IEEE 802.15.4-2006 has 8 at most (macMaxBE).
const maxExponent = 16

// Validate returns an error that names the first field with which no node can work.
func (t *Timing) Validate() error {
	for _, d := range t.durations() {
		if d.value < d.least || d.value > mostTime {
			return fmt.Errorf("thread: Timing.%s %v is not in %v to %v", d.name, d.value, d.least, mostTime)
		}
	}
	for _, n := range []struct {
		name               string
		value, least, most int
	}{
		{"MaxBE", t.MaxBE, 0, maxExponent}, {"MinBE", t.MinBE, 0, t.MaxBE}, {"LoadBE", t.LoadBE, 0, maxExponent},
		{"MaxCSMABackoffs", t.MaxCSMABackoffs, 0, 255}, {"MaxFrameRetries", t.MaxFrameRetries, 0, 255},
		{"KeepAliveAttempts", t.KeepAliveAttempts, 1, 255},
		{"FailedChildTransmissions", t.FailedChildTransmissions, 1, 255},
		{"FailedRouterTransmissions", t.FailedRouterTransmissions, 1, 255},
		{"ReceiveSensitivity", t.ReceiveSensitivity, -maxSensitivity, 0},
		{"LinkMargin", t.LinkMargin, 0, maxMargin},
		{"ParentOffers", t.ParentOffers, 0, 255}, {"RouterNeighbors", t.RouterNeighbors, 0, 255}, {"ChildLinkOdds", t.ChildLinkOdds, 0, 255},
		{"MPLRedundancy", t.MPLRedundancy, 0, 255},
	} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf("thread: Timing.%s %d is not in %d to %d", n.name, n.value, n.least, n.most)
		}
	}
	if m := t.QualityMargins; m[0] < 0 || !slices.IsSorted(m[:]) || m[2] > maxMargin {
		return fmt.Errorf("thread: Timing.QualityMargins %v are not in rising order from 0 to %d", m, maxMargin)
	}
	for _, pair := range []struct {
		name, most   string
		value, bound time.Duration
	}{
		{"AttachBackoffMin", "AttachBackoffMax", t.AttachBackoffMin, t.AttachBackoffMax},
		{"AdvertiseMin", "AdvertiseMax", t.AdvertiseMin, t.AdvertiseMax},
		{"AddressQueryRetry", "AddressQueryRetryMax", t.AddressQueryRetry, t.AddressQueryRetryMax},
		{"KeySwitchGuard", "KeyRotation", t.KeySwitchGuard, t.KeyRotation},
	} {
		if pair.value > pair.bound {
			return fmt.Errorf("thread: Timing.%s %v is longer than %s, %v", pair.name, pair.value, pair.most, pair.bound)
		}
	}
	return nil
}

// A namedDuration is a field and the least that it can be.
type namedDuration struct {
	name         string
	value, least time.Duration
}

func (t *Timing) durations() []namedDuration {
	const none, some = 0, time.Nanosecond
	return []namedDuration{
		{"BackoffUnit", t.BackoffUnit, some}, {"RetryJitter", t.RetryJitter, none},
		{"AckWait", t.AckWait, some}, {"AckWaitMax", t.AckWaitMax, none}, {"AckRoom", t.AckRoom, none}, {"FrameTime", t.FrameTime, some},
		{"FragmentGap", t.FragmentGap, none}, {"FragmentGaps", t.FragmentGaps, none}, {"LostDatagram", t.LostDatagram, none},
		{"ParentRequestRouters", t.ParentRequestRouters, some}, {"ParentRequestREEDs", t.ParentRequestREEDs, some},
		{"ParentDecision", t.ParentDecision, none},
		{"ParentResponseRouters", t.ParentResponseRouters, none}, {"ParentResponseAll", t.ParentResponseAll, none},
		{"AttachBackoffMin", t.AttachBackoffMin, some}, {"AttachBackoffMax", t.AttachBackoffMax, some},
		{"AttachBackoffJitter", t.AttachBackoffJitter, none}, {"SearchJitter", t.SearchJitter, none}, {"AttachHold", t.AttachHold, none},

		{"ChildIDRequest", t.ChildIDRequest, some}, {"ChildTimeout", t.ChildTimeout, time.Second}, {"ListenerTimeout", t.ListenerTimeout, none},

		{"DataWait", t.DataWait, some}, {"AttachPoll", t.AttachPoll, some}, {"FastPoll", t.FastPoll, some},
		{"PollRetry", t.PollRetry, some}, {"MinPoll", t.MinPoll, some},
		{"Supervision", t.Supervision, none}, {"SupervisionTimeout", t.SupervisionTimeout, none},
		{"ChildUpdateRetry", t.ChildUpdateRetry, some}, {"LinkRequest", t.LinkRequest, some},
		{"LinkRequestJitter", t.LinkRequestJitter, none},
		{"ResponseDelay", t.ResponseDelay, none}, {"DataResponseJitter", t.DataResponseJitter, none},
		{"DataResponseRepeat", t.DataResponseRepeat, none},
		{"AdvertiseMin", t.AdvertiseMin, some}, {"AdvertiseMax", t.AdvertiseMax, some},
		{"AdvertiseQuiet", t.AdvertiseQuiet, none},
		{"REEDAdvertise", t.REEDAdvertise, some}, {"REEDAdvertiseJitter", t.REEDAdvertiseJitter, none},
		{"MaxNeighborAge", t.MaxNeighborAge, some}, {"RouterSelectionJitter", t.RouterSelectionJitter, none},
		{"NetworkIDTimeout", t.NetworkIDTimeout, some}, {"RouterIDSequence", t.RouterIDSequence, some},
		{"RouterIDReuse", t.RouterIDReuse, none}, {"LeaderToRouter", t.LeaderToRouter, some},
		{"AddressQuery", t.AddressQuery, some}, {"AddressQueryRetry", t.AddressQueryRetry, some},
		{"AddressQueryRetryMax", t.AddressQueryRetryMax, some}, {"AddressNotifyInterval", t.AddressNotifyInterval, none},
		{"ICMPErrorInterval", t.ICMPErrorInterval, some}, {"Reassembly", t.Reassembly, some},
		{"MPLInterval", t.MPLInterval, some}, {"MPLSeedLifetime", t.MPLSeedLifetime, some}, {"MPLSeedLate", t.MPLSeedLate, none},
		{"CoAPAckTimeout", t.CoAPAckTimeout, some}, {"CommissionerTimeout", t.CommissionerTimeout, time.Second},
		{"AnnounceProcess", t.AnnounceProcess, some}, {"OrphanAnnounce", t.OrphanAnnounce, some},
		{"OrphanAnnounceMin", t.OrphanAnnounceMin, some},
		{"KeyRotation", t.KeyRotation, time.Hour}, {"KeySwitchGuard", t.KeySwitchGuard, none},
	}
}
