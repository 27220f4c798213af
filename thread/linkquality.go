package thread

// Link quality as Thread 1.1 §5.4 has it: the received power, averaged, above the receiver's sensitivity gives a link margin in
// dB; thresholds with hysteresis make a quality of 0 to 3 of it; quality gives a cost.

const (
	// rssiUnknown is what a radio reports that measures no received power.
	rssiUnknown = 127

	// Thread 1.1 §5.4.1: the margins above which a link has quality 1, 2 and 3, and the hysteresis for a rise.
	linkMargin1, linkMargin2, linkMargin3 = 2, 10, 20
	linkHysteresis                        = 2

	maxRouteCost = 16

	// The average is an exponential one with weight 1/8, kept in eighths of a dB.
	rssiShift = 3
)

// linkInfo keeps the received power of one neighbor.
type linkInfo struct {
	average int32 // eighths of a dB below 0 dBm; meaningful once count > 0
	count   uint8
	last    int8
	quality uint8
}

// reset forgets all measurements and takes rssi as the first.
func (l *linkInfo) reset(sensitivity, rssi int8) {
	*l = linkInfo{last: rssiUnknown}
	l.add(sensitivity, rssi)
}

func (l *linkInfo) add(sensitivity, rssi int8) {
	if rssi == rssiUnknown {
		return
	}
	l.last = rssi
	value := max(-int32(rssi), 0) << rssiShift
	previous := -1
	if l.count > 0 {
		previous = int(l.quality)
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
	l.quality = linkQuality(l.margin(sensitivity), previous)
}

// rssi returns the average received power in dBm, or rssiUnknown.
func (l *linkInfo) rssi() int8 {
	if l.count == 0 {
		return rssiUnknown
	}
	return int8(-((l.average + 1<<(rssiShift-1)) >> rssiShift))
}

func (l *linkInfo) margin(sensitivity int8) uint8 {
	return linkMargin(sensitivity, l.rssi())
}

// linkMargin returns how many dB rssi stands above the sensitivity, 0 if it does not or is not known.
func linkMargin(sensitivity, rssi int8) uint8 {
	if rssi == rssiUnknown {
		return 0
	}
	return uint8(min(max(int(rssi)-int(sensitivity), 0), 255))
}

// linkQuality turns a margin into a quality. A rise above the previous quality asks for the hysteresis on top; previous is -1 for
// a link without history.
func linkQuality(margin uint8, previous int) uint8 {
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

// linkCost is Thread 1.1 §5.4.2's cost of a link of the given quality.
func linkCost(quality uint8) uint8 {
	switch quality {
	case 3:
		return 1
	case 2:
		return 2
	case 1:
		return 4
	}
	return maxRouteCost
}

// LinkQuality returns the quality, 0 to 3, of a link with the given received power in dBm.
func (e *Engine) LinkQuality(rssi int8) uint8 {
	return linkQuality(linkMargin(e.timing.ReceiveSensitivity, rssi), -1)
}

// RSSIOf returns a received power in dBm that has the given link quality.
func (e *Engine) RSSIOf(quality uint8) int8 {
	margin := [...]int{0, 5, 15, 50}[min(quality, 3)]
	return int8(min(int(e.timing.ReceiveSensitivity)+margin, rssiUnknown-1))
}
