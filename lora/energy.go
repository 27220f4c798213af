package lora

import "time"

// Supply currents of an SX1276 at 3.3 V, in mA, typical (data sheet DS_SX1276-7-8-9 revision 7, "Power Consumption Specification"). Receiving is that
// of band 1, from 862 MHz on, with LnaBoost on, as the driver has it; with LnaBoost off it would be 10.8, and 12.0 on lower bands. A board takes
// more.
const (
	SleepCurrent   = 0.0002
	ReceiveCurrent = 11.5
)

// transmitCurrents are its supply currents while it sends, by the power in dBm: the two lower ones from the RFO pin, the others from
// PA_BOOST.
var transmitCurrents = [...]struct{ power, current float64 }{{7, 20}, {13, 29}, {17, 87}, {20, 120}}

// TransmitCurrent returns the supply current of an SX1276 that sends with a power in dBm, in mA. Between the values of the data sheet it
// is interpolated: 43.5 mA at 14 dBm.
func TransmitCurrent(power int) float64 {
	table := transmitCurrents[:]
	p := min(max(float64(power), table[0].power), table[len(table)-1].power)
	for len(table) > 2 && p > table[1].power {
		table = table[1:]
	}
	a, b := table[0], table[1]
	return a.current + (b.current-a.current)*(p-a.power)/(b.power-a.power)
}

// Activity is how long a radio has sent, listened and slept.
type Activity struct {
	Transmitting, Receiving, Sleeping time.Duration
}

// Charge returns what an SX1276 that sends with a power in dBm takes for it, in mAh: an estimate from the data sheet's typical currents, without
// the times between the modes, the host and the board.
func (a Activity) Charge(power int) float64 {
	return a.Transmitting.Hours()*TransmitCurrent(power) + a.Receiving.Hours()*ReceiveCurrent + a.Sleeping.Hours()*SleepCurrent
}
