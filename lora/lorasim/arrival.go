package lorasim

import (
	"math"
	"time"
)

// Arrival is a packet on the air that arrives at a Transceiver, whether the receiver has locked on it or not.
type Arrival struct {
	Start    time.Time     // of its preamble
	Preamble time.Duration // with sync word
	End      time.Time
	RSSI     float64 // dBm
}

// Arrivals appends to buf the packets that arrive on the channel at this moment, strong or weak, whatever their sync word.
func (t *Transceiver) Arrivals(buf []Arrival) []Arrival {
	a := t.air
	a.mu.Lock()
	defer a.mu.Unlock()
	a.catchUp()
	for _, from := range a.antennas {
		if from.state != transmitting {
			continue
		}
		for i := range from.links {
			if l := &from.links[i]; l.to == t.id {
				buf = append(buf, Arrival{
					Start: a.time(from.start), Preamble: time.Duration(from.modem.preamble), End: a.time(from.deadline),
					RSSI: math.Round(float64(l.rssi)*100) / 100,
				})
			}
		}
	}
	return buf
}
