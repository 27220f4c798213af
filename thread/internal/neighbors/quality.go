package neighbors

// Link quality as OpenThread has it: the received power, averaged, above the receiver's sensitivity gives a link margin in
// dB; thresholds with hysteresis make a quality of 0 to 3 of it; quality gives a cost.

const (
	// RSSIUnknown is what a radio reports that measures no received power.
	RSSIUnknown = 127

	// MaxRouteCost is the cost of what cannot be reached.
	MaxRouteCost = 16

	// The margins in dB above which a link has quality 1, 2 and 3, and the hysteresis for a rise.
	linkMargin1, linkMargin2, linkMargin3 = 2, 10, 20
	linkHysteresis                        = 2

	// The average is an exponential one with weight 1/8, kept in eighths of a dB.
	rssiShift = 3
)

// LinkInfo keeps the received power of one neighbor.
type LinkInfo struct {
	// Last is the power of the last frame in dBm, RSSIUnknown if none was measured.
	Last int8
	// Quality is 0 to 3.
	Quality uint8
	count   uint8
	average int32 // eighths of a dB below 0 dBm; meaningful once count > 0
}

// Reset forgets all measurements and takes rssi as the first. Both figures are in dBm.
func (l *LinkInfo) Reset(sensitivity, rssi int8) {
	*l = LinkInfo{Last: RSSIUnknown}
	l.Add(sensitivity, rssi)
}

// Add takes one more measurement.
func (l *LinkInfo) Add(sensitivity, rssi int8) {
	if rssi == RSSIUnknown {
		return
	}
	l.Last = rssi
	value := max(-int32(rssi), 0) << rssiShift
	previous := -1
	if l.count > 0 {
		previous = int(l.Quality)
	}
	switch {
	case l.count == 0:
		l.count, l.average = 1, value
	case l.count < 1<<rssiShift-1:
		l.count++
		n := int32(l.count)
		l.average = (l.average*(n-1) + value) / n
	default:
		l.average = (l.average*(1<<rssiShift-1) + value) >> rssiShift
	}
	l.Quality = LinkQuality(l.Margin(sensitivity), previous)
}

// RSSI returns the average received power in dBm, or RSSIUnknown.
func (l *LinkInfo) RSSI() int8 {
	if l.count == 0 {
		return RSSIUnknown
	}
	return int8(-((l.average + 1<<(rssiShift-1)) >> rssiShift))
}

// Margin returns how many dB the average stands above the sensitivity.
func (l *LinkInfo) Margin(sensitivity int8) uint8 { return LinkMargin(sensitivity, l.RSSI()) }

// LinkMargin returns how many dB rssi stands above the sensitivity, 0 if it does not or is not known.
func LinkMargin(sensitivity, rssi int8) uint8 {
	if rssi == RSSIUnknown {
		return 0
	}
	return uint8(min(max(int(rssi)-int(sensitivity), 0), 255))
}

// LinkQuality turns a margin in dB into a quality, 0 to 3. A rise above the previous quality asks for the hysteresis on top; previous
// is -1 for a link without history.
func LinkQuality(margin uint8, previous int) uint8 {
	thresholds := [3]int{linkMargin1, linkMargin2, linkMargin3}
	for q := 3; q >= 1; q-- {
		threshold := thresholds[q-1]
		if previous >= 0 && q > previous {
			threshold += linkHysteresis
		}
		if int(margin) > threshold {
			return uint8(q)
		}
	}
	return 0
}

// LinkCost is the cost of a link of the given quality in route calculation.
func LinkCost(quality uint8) uint8 {
	switch quality {
	case 3:
		return 1
	case 2:
		return 2
	case 1:
		return 4
	}
	return MaxRouteCost
}

// RSSIOf returns a received power in dBm that has the given link quality.
func RSSIOf(sensitivity int8, quality uint8) int8 {
	margin := [...]int{0, 5, 15, 50}[min(quality, 3)]
	return int8(min(int(sensitivity)+margin, RSSIUnknown-1))
}
