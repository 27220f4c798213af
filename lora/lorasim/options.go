package lorasim

import (
	"io"
	"math"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// PHY is a way to modulate.
type PHY uint8

const (
	// LoRa takes airtime, sensitivity and channel from a [lora.Config].
	LoRa PHY = iota
	// IEEE802154 is the O-QPSK PHY of IEEE 802.15.4 at 2.4 GHz: 32 µs a byte with 6
	// bytes ahead, packets up to 127 bytes, one channel. Of a [lora.Config] it uses
	// the power alone. Acknowledgment frames are sent without listening before
	// (IEEE 802.15.4-2006, section 7.5.6.4.2).
	IEEE802154
)

// Position is a place in meters.
type Position struct{ X, Y, Z float64 }

// Distance returns the distance between two places in meters.
func (p Position) Distance(q Position) float64 {
	dx, dy, dz := p.X-q.X, p.Y-q.Y, p.Z-q.Z
	return math.Sqrt(dx*dx + dy*dy + dz*dz)
}

// Propagation returns the strength, in dBm, with which a transmission of the given
// power in dBm arrives at another place. It must be a pure function.
type Propagation func(power float64, from, to Position) float64

// LogDistance returns the log-distance path loss: loss at 1 meter in dB, and
// 10 × exponent dB more for each factor of ten in the distance. The exponent is 2 in
// free space and 3 to 4 near the ground.
func LogDistance(loss1m, exponent float64) Propagation {
	return func(power float64, from, to Position) float64 {
		d := max(from.Distance(to), 1)
		return power - loss1m - 10*exponent*math.Log10(d)
	}
}

// Uniform returns a propagation in which everyone hears everyone with the same
// strength in dBm.
func Uniform(rssi float64) Propagation {
	return func(float64, Position, Position) float64 { return rssi }
}

// LinksOnly is a propagation in which nobody hears anybody, but for the links that
// are set one by one.
func LinksOnly(float64, Position, Position) float64 { return math.Inf(-1) }

// Defaults of Options.
const (
	// DefaultLoss1m and DefaultExponent are the default [LogDistance]: free space
	// at 868 MHz up to 1 m, then buildings and trees. 14 dBm at SF7 and 125 kHz reach
	// some 1200 m.
	DefaultLoss1m   = 31.2
	DefaultExponent = 3.5

	// DefaultUniform is the strength of every link with the IEEE802154 PHY, in dBm.
	DefaultUniform = -20.0
)

// Options describe an air. The zero Options is a LoRa air with log-distance path
// loss, collisions, half-duplex radios and listen before talk.
type Options struct {
	// Seed is the source of all chance.
	Seed uint64

	// Start is the time at which a Sim begins; an Air begins at the time of day.
	// Default: 1 January 2000, UTC.
	Start time.Time

	// Speed is the number of seconds that pass on an Air in a second of the wall
	// clock. Default 1. A Sim ignores it.
	Speed float64

	// PHY is the modulation. Default LoRa.
	PHY PHY

	// Config is how the nodes of a Sim are set unless [Node.Configure] says
	// otherwise. On an Air each radio has its own.
	Config lora.Config

	// Propagation gives the strength of links that are not set one by one.
	// Default: LogDistance(DefaultLoss1m, DefaultExponent) with LoRa,
	// Uniform(DefaultUniform) with IEEE802154.
	Propagation Propagation

	// Shadowing is the standard deviation, in dB, of the log-normal loss that is
	// drawn once for each pair of antennas, the same both ways. Default 0.
	Shadowing float64

	// Loss is the probability with which a packet that arrived well is lost all
	// the same, 0 to 1. Default 0.
	Loss float64

	// Ideal turns collisions and half-duplex off.
	Ideal bool

	// NoListen turns listen before talk off.
	NoListen bool

	// RSSIOnly makes listening before talking depend on the strength of signals alone, as Pycom's boards do it. Otherwise a
	// LoRa receiver that has locked on a packet knows it, however weak the packet is, as the status of an SX1276's modem tells it.
	RSSIOnly bool

	// Manners are how the radios are driven unless [Node.SetManners] or [Radio.SetManners] says otherwise.
	Manners Manners

	// CoChannel is what a packet must have over all else on its channel. Default [CoChannelBor].
	CoChannel CoChannel

	// BusyThreshold is the strength from which on the channel counts as busy, in
	// dBm. Default -85 with LoRa, -75 with IEEE802154.
	BusyThreshold float64

	// Watch is called with each transmission when it begins. It must not call methods of the air.
	Watch func(Transmission)

	// Capture receives a pcap file of all transmissions, each at its beginning.
	Capture io.Writer

	// CaptureFormat is the kind of record in Capture.
	CaptureFormat CaptureFormat
}

// CoChannel is by how much, in dB, a packet must stand above the sum of all other signals on its channel: at its beginning, to be locked
// on, and from then on, to be received.
type CoChannel struct{ Lock, Keep float64 }

// CoChannelBor returns 6 dB throughout, as others have measured it: M. Bor, U. Roedig, T. Voigt, J. Alonso, "Do LoRa low-power wide-area networks
// scale?", MSWiM 2016, and its simulator LoRaSim.
func CoChannelBor() CoChannel { return CoChannel{6, 6} }

// CoChannelCroce returns 1 dB, measured: D. Croce, M. Gucciardo, S. Mangione, G. Santaromita, I. Tinnirello, "Impact of LoRa imperfect
// orthogonality", IEEE Communications Letters 22 (2018), 10.1109/LCOMM.2018.2797057.
func CoChannelCroce() CoChannel { return CoChannel{1, 1} }

// CoChannelMeshCore returns 6 dB to lock and 3 dB when locked, as a simulator of MeshCore has it (meshcore_simv2).
func CoChannelMeshCore() CoChannel { return CoChannel{6, 3} }

// Transmission is a packet that begins.
type Transmission struct {
	From    int // number of the sender, as ID returns it
	Start   time.Time
	Airtime time.Duration
	Packet  []byte // valid during the call only
}

// CaptureFormat is a kind of pcap record.
type CaptureFormat uint8

const (
	// CaptureIEEE802154 records each packet as an IEEE 802.15.4 frame with FCS (link
	// type 195): what Wireshark needs to look into a mesh.
	CaptureIEEE802154 CaptureFormat = iota
	// CaptureLoRaTap puts a LoRaTap header with frequency, bandwidth, spreading
	// factor and sync word before each packet (link type 270).
	CaptureLoRaTap
)

// The numbers that are fixed by a standard, or by what Pycom's firmware does.
const (
	heardBelow = 6.0 // dB below the sensitivity down to which a signal disturbs

	// detectSymbols is how many symbols of a preamble pass until the status of an SX1276's modem tells of it: it rises some 4.7 symbols
	// after the start.
	detectSymbols = 5

	loraListen    = time.Millisecond
	loraThreshold = -85.0

	// IEEE 802.15.4-2006, sections 6.5 (2.4 GHz PHY) and 6.9.9 (CCA).
	oqpskByte        = 32 * time.Microsecond
	oqpskHeader      = 6 // 4 bytes of preamble, start of frame, length
	oqpskPreamble    = 5 * oqpskByte
	oqpskListen      = 8 * 16 * time.Microsecond
	oqpskThreshold   = -75.0
	oqpskMaxPacket   = 127
	oqpskSensitivity = -100.0
	oqpskNoiseFloor  = -105.0

	frameTypeMask, frameTypeAck = 0x07, 0x02 // section 7.2.1.1.1
)

func (o Options) withDefaults() Options {
	if o.Start.IsZero() {
		o.Start = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Propagation == nil {
		o.Propagation = LogDistance(DefaultLoss1m, DefaultExponent)
		if o.PHY == IEEE802154 {
			o.Propagation = Uniform(DefaultUniform)
		}
	}
	if o.CoChannel == (CoChannel{}) {
		o.CoChannel = CoChannelBor()
	}
	if o.BusyThreshold == 0 {
		o.BusyThreshold = loraThreshold
		if o.PHY == IEEE802154 {
			o.BusyThreshold = oqpskThreshold
		}
	}
	return o
}
