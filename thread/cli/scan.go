package cli

import (
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// networkTable is the head of the table of networks that a scan has found.
const networkTable = "| J | Network Name     | Extended PAN     | PAN  | MAC Address      | Ch | dBm | LQI |\r\n" +
	"+---+------------------+------------------+------+------------------+----+-----+-----+\r\n"

// scan looks for networks by their beacons, or measures the power on channels: "scan [CHANNEL]", "scan energy [MILLISECONDS]".
func (i *Interpreter) scan(args []string) error {
	var o thread.ScanOptions
	if len(args) > 0 && args[0] == "energy" {
		o.Kind = thread.ScanEnergy
		if len(args) > 1 {
			v, err := parseLong(args[1])
			if err != nil {
				return err
			}
			o.Duration = time.Duration(uint16(v)) * time.Millisecond
		}
		i.printf("| Ch | RSSI |\r\n+----+------+\r\n")
		return i.startScan(o)
	}
	channels, err := scanChannels(args)
	if err != nil {
		return err
	}
	o.Channels = channels
	i.printf(networkTable)
	return i.startScan(o)
}

// discover looks for networks by MLE Discovery: "discover [CHANNEL]".
func (i *Interpreter) discover(args []string) error {
	channels, err := scanChannels(args)
	if err != nil {
		return err
	}
	start := len(i.out)
	if err := i.startScan(thread.ScanOptions{Kind: thread.ScanDiscovery, Channels: channels}); err != errNoAnswer {
		return err
	}
	i.out = slices.Insert(i.out, start, []byte(networkTable)...)
	return errNoAnswer
}

func scanChannels(args []string) (meshcop.ChannelMask, error) {
	if len(args) == 0 {
		return 0, nil
	}
	v, err := parseLong(args[0])
	if err != nil {
		return 0, err
	}
	// Deviation: OpenThread takes a channel that there is none of for some other one, or for all.
	if v < 0 || v > 31 {
		return 0, InvalidArgs
	}
	return 1 << v, nil
}

// startScan scans, and answers when that is over. A radio that has but one channel is said to be such.
func (i *Interpreter) startScan(o thread.ScanOptions) error {
	done := i.await()
	err := i.engine.Scan(i.now, o, func(r thread.ScanResult) { i.scanResult(o.Kind, r) }, func(channels meshcop.ChannelMask) {
		if own := i.engine.RadioChannels(); bits.OnesCount32(uint32(own)) == 1 {
			i.printf("only channel %d: this radio has no other\r\n", bits.TrailingZeros32(uint32(own)))
		}
		i.printf("Done\r\n")
		done()
	})
	if err != nil {
		i.awaited--
		return err
	}
	return errNoAnswer
}

func (i *Interpreter) scanResult(kind thread.ScanKind, r thread.ScanResult) {
	switch {
	case kind != thread.ScanEnergy:
		joinable := 0
		if r.Joinable {
			joinable = 1
		}
		const quality = 0 // no radio here tells an LQI
		i.later("| %d | %-16s | %x | %04x | %x | %2d | %3d | %3d |\r\n", joinable, r.NetworkName, r.ExtPANID[:], uint16(r.PANID),
			r.ExtAddr[:], r.Channel, r.RSSI, quality)
	case r.RSSI == thread.EnergyUnknown:
		i.later("| %2d |    ? |\r\n", r.Channel)
	default:
		i.later("| %2d | %4d |\r\n", r.Channel, r.RSSI)
	}
}

// survey returns a subcommand of commissioner that has nodes announce, measure, or look for a PAN ID: "announce MASK COUNT PERIOD ADDRESS",
// "energy MASK COUNT PERIOD DURATION ADDRESS" or "panid PANID MASK ADDRESS", times in milliseconds.
func survey(word string, numbers int) func(i *Interpreter, args []string) error {
	return func(i *Interpreter, args []string) (err error) {
		if len(args) < numbers+1 {
			return InvalidArgs
		}
		var v [4]int64
		for k, arg := range args[:numbers] {
			if v[k], err = parseLong(arg); err != nil {
				return err
			}
		}
		to, err := parseAddr(args[numbers])
		if err != nil {
			return err
		}
		s := meshcop.Survey{
			Channels: meshcop.ChannelMask(v[0]), Count: uint8(v[1]), Period: time.Duration(uint16(v[2])) * time.Millisecond,
			Duration: time.Duration(uint16(v[3])) * time.Millisecond,
		}
		switch word {
		case "announce":
			return i.engine.OrderAnnounce(i.now, to, s)
		case "energy":
			return i.engine.OrderEnergyScan(i.now, to, s, i.energyReport)
		}
		s = meshcop.Survey{PANID: ieee802154.PANID(v[0]), Channels: meshcop.ChannelMask(v[1])}
		return i.engine.OrderPANIDQuery(i.now, to, s, i.panIDConflict)
	}
}

func (i *Interpreter) energyReport(_ netip.Addr, s meshcop.Survey) {
	i.printf("Energy: %08x ", uint32(s.Channels))
	for _, v := range s.Energy {
		i.printf("%d ", uint8(v)) // as OpenThread prints it
	}
	i.later("\r\n")
}

func (i *Interpreter) panIDConflict(_ netip.Addr, s meshcop.Survey) {
	i.later("Conflict: %04x, %08x\r\n", uint16(s.PANID), uint32(s.Channels))
}
