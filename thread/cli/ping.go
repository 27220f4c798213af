package cli

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// Echo requests.
const (
	echoIdentifier = 1
	echoHeader     = 8 // ICMPv6 header, identifier and sequence number
	timestampSize  = 4
	hopLimit       = 64

	defaultPingSize     = 8
	defaultPingInterval = time.Second
	minPingInterval     = time.Millisecond // of a series without pauses
	maxOpenPings        = 64               // requests of a series that wait for a reply
	maxPingSize         = ip6.MinMTU - ip6.HeaderSize - echoHeader
)

// ping is the series of echo requests under way.
type ping struct {
	dst      netip.Addr
	size     int
	count    uint16 // still to send
	interval time.Duration
	timer    time.Time
	sequence uint16              // of the next request
	open     map[uint16]struct{} // requests of this series without a reply
}

func newPing() ping { return ping{sequence: 1, open: map[uint16]struct{}{}} }

// stop ends the series. It is an error if nothing is left to send.
func (p *ping) stop() error {
	clear(p.open)
	if p.timer.IsZero() {
		return InvalidState
	}
	p.timer = time.Time{}
	return nil
}

// Waiting reports whether answers to the last command are still to come: to a ping, of which requests are to be sent, or have no reply; to a
// question to another node; or of a scan.
func (i *Interpreter) Waiting() bool {
	return !i.ping.timer.IsZero() || len(i.ping.open) > 0 || i.awaited > 0
}

func (i *Interpreter) pingCommand(args []string) error {
	p := &i.ping
	switch {
	case len(args) == 0:
		return InvalidArgs
	case args[0] == "stop":
		return p.stop()
	case !p.timer.IsZero():
		return Busy
	}
	dst, err := parseAddr(args[0])
	if err != nil {
		return err
	}
	const maxNumbers = 3
	numbers := [maxNumbers]int64{defaultPingSize, 1, int64(defaultPingInterval / time.Second)}
	for k, arg := range args[1:] {
		v, err := parseLong(arg)
		if err != nil {
			return err
		}
		if k == maxNumbers {
			return InvalidArgs
		}
		numbers[k] = v
	}
	// Deviation: OpenThread cuts the count to 16 bits, and counts down past 0: a count of 0 becomes 65,536 requests.
	if numbers[0] < 0 || numbers[0] > maxPingSize || numbers[1] < 1 || numbers[1] > math.MaxUint16 {
		return InvalidArgs
	}
	p.dst, p.size, p.count = dst, int(numbers[0]), uint16(numbers[1])
	p.interval = max(time.Duration(uint32(numbers[2]))*time.Second, minPingInterval)
	clear(p.open)
	if err := i.sendPing(); err != nil {
		return err
	}
	return errNoAnswer
}

// sendPing sends one echo request, and sets the timer for the next. While too many datagrams wait, or the interface is down, it is tried
// again after the interval, as in OpenThread; what can never be sent ends the series.
func (i *Interpreter) sendPing() error {
	p := &i.ping
	data := make([]byte, p.size)
	if p.size >= timestampSize {
		binary.BigEndian.PutUint32(data, i.timestamp())
	}
	err := i.sendEcho(data)
	switch {
	case err == nil:
		p.open[p.sequence] = struct{}{}
		delete(p.open, p.sequence-maxOpenPings) // its answer does not come any more
		p.count--
	case !errors.Is(err, thread.ErrQueueFull) && !errors.Is(err, thread.ErrDisabled):
		p.count = 0
	}
	p.sequence++
	p.timer = time.Time{}
	if p.count > 0 {
		p.timer = i.now.Add(p.interval)
		return nil
	}
	return err
}

// timestamp is the time in milliseconds, as echo requests carry it.
func (i *Interpreter) timestamp() uint32 { return uint32(i.now.UnixMilli()) }

func (i *Interpreter) sendEcho(data []byte) error {
	p := &i.ping
	packet, err := ip6.AppendEcho(nil, ip6.Header{HopLimit: hopLimit, Src: i.engine.SelectSource(p.dst), Dst: p.dst},
		ip6.ICMPv6EchoRequest, ip6.Echo{Identifier: echoIdentifier, Sequence: p.sequence, Data: data})
	if err != nil {
		return err
	}
	return i.send(packet)
}

// send gives the engine a datagram. One that a detached node cannot send is lost, and so is one to which there is no way: OpenThread
// notices neither at once.
func (i *Interpreter) send(packet []byte) error {
	err := i.engine.HandlePacket(i.now, packet)
	if errors.Is(err, thread.ErrDetached) || errors.Is(err, thread.ErrNoRoute) || errors.Is(err, thread.ErrDisabled) && i.view.IsUp() {
		return nil
	}
	return err
}

// HandlePacket takes a datagram that the engine's PollPacket returned: answers to pings, UDP and CoAP messages. It reports
// whether the datagram was for the command line.
func (i *Interpreter) HandlePacket(now time.Time, d *ip6.Datagram) bool {
	i.now = now
	switch d.Protocol {
	case ip6.ProtocolICMPv6:
		return i.handleICMP(d)
	case ip6.ProtocolUDP:
		return i.handleUDP(d)
	}
	return false
}

func (i *Interpreter) handleICMP(d *ip6.Datagram) bool {
	m, err := ip6.ParseICMPv6(d.Payload)
	if err != nil || m.Type != ip6.ICMPv6EchoReply {
		return false
	}
	echo, err := ip6.ParseEcho(m.Body)
	if err != nil || echo.Identifier != echoIdentifier {
		return false
	}
	delete(i.ping.open, echo.Sequence)
	i.printf("%d bytes from %s: icmp_seq=%d hlim=%d", len(echo.Data)+echoHeader, formatAddr(d.Src), echo.Sequence, d.HopLimit)
	if len(echo.Data) >= timestampSize {
		i.printf(" time=%dms", i.timestamp()-binary.BigEndian.Uint32(echo.Data))
	}
	i.printf("\r\n")
	return true
}
