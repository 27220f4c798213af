package neighbors

import "math"

// Link quality as OpenThread has it: the received power, averaged, above a zero gives a link margin in dB; thresholds with
// hysteresis make a quality of 0 to 3 of it; quality gives a cost. How much a margin is worth depends on the radio: see Scale.

const (
	// RSSIUnknown is what a radio reports that measures no received power.
	RSSIUnknown = 127
	// SNRUnknown is the signal to noise ratio, in dB, of a frame with which the radio has told none.
	SNRUnknown = 127

	// faintest is the weakest power that is told from a weaker one, in dBm: far below what any radio hears.
	faintest = -200

	// MaxRouteCost is the cost of what cannot be reached.
	MaxRouteCost = 16

	// linkHysteresis is what a link must stand above a threshold, in dB, for its quality to rise.
	linkHysteresis = 2

	// The average is an exponential one with weight 1/8, kept in eighths of a dB.
	rssiShift = 3
)

// A Scale says what received power is worth on a radio.
type Scale struct {
	// Zero is where the link margin begins, in dBm.
	Zero int
	// Margins are those in dB above which a link has quality 1, 2 and 3.
	Margins [3]int
}

// Margin returns how many dB rssi stands above the zero, 0 if it does not or is not known.
func (s *Scale) Margin(rssi int) uint8 {
	if rssi == RSSIUnknown {
		return 0
	}
	return uint8(min(max(rssi-s.Zero, 0), math.MaxUint8))
}

// Quality turns a margin in dB into a quality, 0 to 3. A rise above the previous quality asks for the hysteresis on top; previous
// is -1 for a link without history.
func (s *Scale) Quality(margin uint8, previous int) uint8 {
	for q := len(s.Margins); q >= 1; q-- {
		threshold := s.Margins[q-1]
		if previous >= 0 && q > previous {
			threshold += linkHysteresis
		}
		if int(margin) > threshold {
			return uint8(q)
		}
	}
	return 0
}

// RSSIOf returns a received power in dBm that has the given link quality: one well inside of it, with OpenThread's margins 5, 15 and 50 dB.
func (s *Scale) RSSIOf(quality uint8) int {
	margin, m := 0, s.Margins
	switch min(quality, 3) {
	case 3:
		margin = m[2] + 30
	case 2:
		margin = m[1] + min((m[2]-m[1]+1)/2, 5)
	case 1:
		margin = m[0] + min((m[1]-m[0]+1)/2, 3)
	}
	return min(s.Zero+margin, RSSIUnknown-1)
}

// LinkInfo keeps the received power of one neighbor.
type LinkInfo struct {
	// Last is the power of the last frame in dBm, RSSIUnknown if none was measured.
	Last int16
	// SNR is the signal to noise ratio of the last frame with which the radio has told one, in quarters of a dB, meaningful if HasSNR.
	SNR    int8
	HasSNR bool
	// Quality is 0 to 3.
	Quality uint8
	count   uint8
	average int32 // eighths of a dB below 0 dBm; meaningful once count > 0
}

// Reset forgets all measurements and takes rssi, in dBm, as the first.
func (l *LinkInfo) Reset(s *Scale, rssi int) {
	*l = LinkInfo{Last: RSSIUnknown}
	l.Add(s, rssi)
}

// Add takes one more measurement, in dBm.
func (l *LinkInfo) Add(s *Scale, rssi int) {
	if rssi == RSSIUnknown {
		return
	}
	rssi = max(min(rssi, RSSIUnknown-1), faintest)
	l.Last = int16(rssi)
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
	l.Quality = s.Quality(l.Margin(s), previous)
}

// NoteSNR keeps the signal to noise ratio of a frame, in dB.
func (l *LinkInfo) NoteSNR(snr float64) {
	l.SNR, l.HasSNR = int8(math.Round(max(math.MinInt8, min(4*snr, math.MaxInt8)))), true
}

// LastSNR returns the last signal to noise ratio in dB, SNRUnknown if there is none.
func (l *LinkInfo) LastSNR() float64 {
	if !l.HasSNR {
		return SNRUnknown
	}
	return float64(l.SNR) / 4
}

// RSSI returns the average received power in dBm, or RSSIUnknown.
func (l *LinkInfo) RSSI() int {
	if l.count == 0 {
		return RSSIUnknown
	}
	return int(-((l.average + 1<<(rssiShift-1)) >> rssiShift))
}

// Margin returns how many dB the average stands above the zero of the scale.
func (l *LinkInfo) Margin(s *Scale) uint8 { return s.Margin(l.RSSI()) }

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
