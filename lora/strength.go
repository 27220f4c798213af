package lora

import "math"

// snrSaturates is the SNR in dB from which on the chip's figure no longer grows with the signal, as it shows 10 dB or so at most.
const snrSaturates = 5

// Strength returns how strongly the packet arrived at a radio that is set to c, in dBm: as its RSSI says, or as its SNR says above the
// radio's own noise if that is less. A receiver near whose antenna there is noise hears worse than its sensitivity promises, and the SNR
// alone shows it. What Strength stands above [Config.Sensitivity] can get lost before the packet does. An SNR of 5 dB and more says
// nothing.
func (r Reception) Strength(c Config) float64 {
	strength := float64(r.RSSI)
	if r.SNR < snrSaturates {
		strength = math.Min(strength, c.WithDefaults().Bandwidth.NoiseFloor()+r.SNR)
	}
	return strength
}
