package lora

import (
	"fmt"
	"math"
)

const (
	// meshPacket is the longest packet of a mesh, in bytes.
	meshPacket = 127
	// fewPackets is the number of such packets an hour below which a duty cycle leaves
	// little to a mesh: an idle router sends that many of two thirds the length.
	fewPackets = 100
)

// Warnings returns, one a line, what in a valid Config the law of the region does not allow
// or what will not do for a mesh; nothing for a Config that is not valid. Zero fields count
// as their defaults. Log them where a program opens its radio:
//
//	for _, w := range cfg.Warnings() {
//		log.Warn(w)
//	}
//
// The law counts the power that the antenna radiates, which Config does not know: the
// warnings assume a half-wave dipole without loss.
func (c Config) Warnings() []string {
	if c.Validate() != nil {
		return nil
	}
	c = c.WithDefaults()
	bands := c.SubBands()
	w := c.edgeWarnings(bands)
	for _, b := range bands {
		if c.Bandwidth < b.MinBandwidth {
			w = append(w, fmt.Sprintf("Bandwidth %v: sub-band %s wants at least %v of a channel that does not hop, or else some 1 mW; "+
				"Pycom's boards have %v unless told otherwise, and all nodes need the same (%s)",
				c.Bandwidth, b.Name, b.MinBandwidth, BW125, b.Source))
		}
		if b.MaxBandwidth > 0 && c.Bandwidth > b.MaxBandwidth {
			w = append(w, fmt.Sprintf("Bandwidth %v: sub-band %s allows %v (%s)", c.Bandwidth, b.Name, b.MaxBandwidth, b.Source))
		}
		if float64(c.TxPower) > b.ERP {
			w = append(w, fmt.Sprintf("TxPower %d dBm: sub-band %s allows %v dBm ERP: %d dBm into a half-wave dipole (%s)",
				c.TxPower, b.Name, b.ERP, int(math.Floor(b.ERP)), b.Source))
		}
		airtime := c.Airtime(meshPacket)
		if b.MaxAirtime > 0 && airtime > b.MaxAirtime {
			w = append(w, fmt.Sprintf("SpreadingFactor %v: a packet of %d bytes lasts %v on %v, sub-band %s allows %v (%s)",
				c.SpreadingFactor, meshPacket, airtime, c.Bandwidth, b.Name, b.MaxAirtime, b.Source))
		}
		if limit := b.airtimeLimit(); limit > 0 && limit/airtime < fewPackets {
			w = append(w, fmt.Sprintf("Frequency %v: sub-band %s has a duty cycle of %v %%, which is %v an hour or %d packets of %d bytes at %v: "+
				"a mesh needs %d", c.Frequency, b.Name, 100*b.DutyCycle, limit, limit/airtime, meshPacket, c.SpreadingFactor, fewPackets))
		}
	}
	return w
}

// edgeWarnings tells where the signal lies in no sub-band.
func (c Config) edgeWarnings(touched []SubBand) []string {
	lowest, highest := c.edges()
	if len(touched) == 0 {
		return []string{fmt.Sprintf("Frequency %v: in no sub-band of %v", c.Frequency, c.Region)}
	}
	outside, from := false, lowest
	for _, b := range touched {
		outside = outside || b.Lowest > from
		from = b.Highest
	}
	if !outside && from >= highest {
		return nil
	}
	b := touched[0]
	half := Frequency(c.Bandwidth / 2)
	advice := fmt.Sprintf("carriers from %v to %v stay inside sub-band %s", b.Lowest+half, b.Highest-half, b.Name)
	if b.Highest-b.Lowest < 2*half {
		advice = fmt.Sprintf("sub-band %s is narrower, %v to %v", b.Name, b.Lowest, b.Highest)
	}
	return []string{fmt.Sprintf("Frequency %v: the signal reaches from %v to %v, over the edge of what %v allows; %s (%s)",
		c.Frequency, lowest, highest, c.Region, advice, b.Source)}
}
