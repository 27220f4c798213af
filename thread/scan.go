package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/internal/scan"
	"github.com/gopymesh/pymesh/thread/internal/strangers"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Times and limits of scans.
const (
	// scanDuration is how long a channel is listened to unless somebody says so; that of the reference, or scanFrames airtimes of the longest
	// frame, in which some nodes can answer.
	scanDuration = 300 * time.Millisecond
	scanFrames   = 30
	maxScan      = 10 * time.Minute // of one channel
	// discoveryJitter bounds the random delay of an answer; that of the reference, or discoveryFrames airtimes of the longest frame.
	discoveryJitter = 250 * time.Millisecond
	discoveryFrames = 20
	// maxDiscoveryAnswers is how many answers wait for their random delay.
	maxDiscoveryAnswers = 4
)

// EnergyUnknown is the power on a channel of which the radio knows nothing.
const EnergyUnknown = scan.NoEnergy

// ScanKind is what a scan looks for.
type ScanKind uint8

// Kinds of scans.
const (
	ScanActive    = ScanKind(scan.Active)    // networks, by their beacons (IEEE 802.15.4-2006 §7.5.2.1.2)
	ScanDiscovery = ScanKind(scan.Discovery) // networks, by MLE Discovery (Thread 1.1 §8.4.4.1.1)
	ScanEnergy    = ScanKind(scan.Energy)    // the power received (IEEE 802.15.4-2006 §7.5.2.1.1)
)

// ScanOptions say how to scan.
type ScanOptions struct {
	Kind ScanKind
	// Channels are those to scan, as far as the radio has them; all that it has if there are none.
	Channels meshcop.ChannelMask
	// Duration is how long each channel is listened to, or measured; the usual time, and one sample of power, if 0. Ten minutes at most.
	Duration time.Duration
	// Joiner lets only networks answer to a discovery that a joiner may join. Unless Others is zero, the network with this extended PAN ID
	// shall not answer.
	Joiner bool
	Others [8]byte
}

// A ScanResult is a network that was found, or the power on a channel.
type ScanResult struct {
	Channel uint8
	// RSSI is how strongly the node was heard, or the power on the channel, in dBm; EnergyUnknown if the radio cannot tell.
	RSSI int

	// Of a network, as one of its nodes has told.
	ExtAddr            ieee802154.ExtAddr // of the node
	PANID              ieee802154.PANID
	NetworkName        string
	ExtPANID           [8]byte
	Version            uint8 // of the protocol
	Joinable           bool
	NativeCommissioner bool
	SteeringData       []byte // by which joiners see whether they are meant
	JoinerUDPPort      uint16
}

// surroundings looks around on the air: for its host and for a commissioner it scans and measures, it tells others who scan which network is
// here, and announces its network on other channels.
//
//	host ─────────────────► Scanner ─► transmit ─► mac          beacon, Discovery Response ─► found
//	commissioner ─► servers ──┘  └───► PollEnergyScan ─► host ─► HandleEnergyScanDone ───────► found
//	Beacon Request, Discovery Request ─► within bounds ─► transmit ─► mac
//	Announce Begin ─► Announcer ─► MLE Announce on each channel
//
// On a radio with one channel, as on LoRa, all this happens on that channel, and the node is never away.
type surroundings struct {
	*self
	mac       *mac.MAC
	mle       *mleMessenger
	tmf       *tmfMessenger
	dataset   *dataset.Active
	addresses interface{ Prefix() netip.Prefix }
	netData   *networkdata.Data
	contexts  *lowpan.Contexts
	multi     bool  // the radio has more channels than that of the network
	home      uint8 // the network's channel

	scanner  *scan.Scanner
	user     scanUser
	found    func(ScanResult)
	over     func(meshcop.ChannelMask)
	scanned  meshcop.ChannelMask
	options  ScanOptions
	pan      ieee802154.PANID // from which a Discovery Request is sent
	measure  bool             // the host has not begun yet
	inWork   bool             // the MAC has a frame of this room's
	request  bool             // which is the scan's
	energy   *scan.EnergyServer
	pans     *scan.PANIDServer
	announce *scan.Announcer

	beacon      bool         // to be sent
	announces   core.Limiter // of Announces that a commissioner orders
	beacons     *strangers.Anyone
	discoveries *strangers.Anyone
	answers     []discoveryAnswer

	session    func() (id uint16, ok bool)
	joinerPort func() uint16
	onEnergy   func(from netip.Addr, report meshcop.Survey)
	onConflict func(from netip.Addr, conflict meshcop.Survey)
}

// scanUser is who has a scan.
type scanUser uint8

const (
	scanHost scanUser = iota
	scanEnergyServer
	scanPANIDServer
)

// A discoveryAnswer waits for its random delay.
type discoveryAnswer struct {
	at  time.Time
	to  netip.Addr
	pan ieee802154.PANID
}

// allChannels are those of 2.4 GHz, 11 to 26 (IEEE 802.15.4-2006 §6.1.2.1).
const allChannels meshcop.ChannelMask = 0x07fff800

// supported are those of some channels on which the radio can be. To a radio with one channel all are that one, whatever their numbers.
func (x *surroundings) supported(channels meshcop.ChannelMask) meshcop.ChannelMask {
	switch {
	case x.multi:
		return channels & allChannels
	case channels == 0:
		return 0
	}
	return 1 << x.home
}

// tune puts the radio on the channel where it has to be.
func (x *surroundings) tune() {
	x.mac.Listen = x.home
	if channel, ok := x.scanner.Channel(); ok {
		x.mac.Listen = channel
	}
}

// away reports whether the radio is on a channel where the node's network is not.
func (x *surroundings) away() bool { return x.mac.Listen != x.home }

// scanFor is how long a channel is listened to: a radio with several is fast, and away for as long as it looks at others.
func (x *surroundings) scanFor(d time.Duration) time.Duration {
	switch {
	case d > 0:
		return min(d, maxScan)
	case x.multi:
		return scanDuration
	}
	return min(max(scanDuration, 2*scanFrames*x.timing.FrameTime), maxScan)
}

// start begins a scan of the host's.
func (x *surroundings) start(o ScanOptions, found func(ScanResult), over func(meshcop.ChannelMask)) error {
	channels := x.supported(o.Channels)
	if o.Channels == 0 {
		channels = x.supported(allChannels)
	}
	if o.Duration < 0 || o.Duration > maxScan || o.Kind > ScanEnergy {
		return ErrArgument
	}
	d := o.Duration
	if o.Kind != ScanEnergy {
		d = x.scanFor(d)
	}
	if !x.scanner.Start(scan.Kind(o.Kind), channels, d) {
		return ErrBusy
	}
	x.user, x.options, x.found, x.over, x.scanned = scanHost, o, found, over, channels
	if x.pan = x.dataset.Network().PANID; x.pan == ieee802154.BroadcastPAN && o.Kind == ScanDiscovery {
		x.pan = ieee802154.PANID(x.Rand.UintN(uint(ieee802154.BroadcastPAN)))
		x.mac.SetAddress(x.pan, x.rloc)
	}
	return nil
}

// scanning reports whether the radio is needed for a scan, even if Thread is stopped.
func (x *surroundings) scanning() bool { return x.scanner.Scanning() }

// waiting reports whether there is something to send. It is asked by each input.
func (x *surroundings) waiting() bool {
	_, wants := x.scanner.Wants()
	return wants || x.beacon || len(x.answers) > 0
}

// transmit gives an idle MAC the next frame of this room's, if there is one, and has the scan's channel measured.
func (x *surroundings) transmit() {
	if x.mac.Acknowledging() {
		return
	}
	if _, ok := x.scanner.Wants(); ok {
		x.scanner.Begun()
		x.tune()
		switch x.scanner.Kind() {
		case scan.Energy:
			x.measure = true
		case scan.Active:
			x.send(beaconRequest(), true)
		case scan.Discovery:
			f, err := x.discoveryRequest()
			if err != nil {
				x.scanner.Done()
				return
			}
			x.send(f, true)
		}
		return
	}
	if x.away() {
		return
	}
	if x.beacon {
		x.beacon = false
		x.send(x.beaconFrame(), false)
		return
	}
	for i, a := range x.answers {
		if x.IsDue(a.at) {
			x.answers = slices.Delete(x.answers, i, i+1)
			if f, err := x.discoveryResponse(a); err == nil {
				x.send(f, false)
			}
			return
		}
	}
}

func (x *surroundings) send(f ieee802154.Frame, request bool) {
	err := x.mac.Send(f)
	if x.inWork, x.request = err == nil, request; err != nil && request {
		x.scanner.Done()
	}
}

// sent takes the MAC's report on a frame, if that is of this room's.
func (x *surroundings) sent() bool {
	if !x.inWork {
		return false
	}
	x.inWork = false
	if x.request {
		x.scanner.Done()
	}
	return true
}

// pollEnergy asks the host to measure the power on the channel.
func (x *surroundings) pollEnergy() (d time.Duration, ok bool) {
	ok, x.measure = x.measure, false
	return x.scanner.Duration(), ok
}

// energyDone takes what was measured.
func (x *surroundings) energyDone(rssi int8) {
	channel, ok := x.scanner.Channel()
	if !ok || x.scanner.Kind() != scan.Energy {
		return
	}
	x.scanner.Done()
	if x.user == scanEnergyServer {
		x.energy.Result(rssi)
	} else {
		x.found(ScanResult{Channel: channel, RSSI: int(rssi)})
	}
	x.finish()
}

// finish ends a scan that is over.
func (x *surroundings) finish() {
	if !x.scanner.Over() {
		return
	}
	x.measure = false
	if n := x.dataset.Network(); x.user == scanHost && x.pan != n.PANID {
		x.mac.SetAddress(n.PANID, x.rloc)
	}
	switch x.user {
	case scanEnergyServer:
		x.energy.Result(scan.NoEnergy) // nothing was measured; else it expects nothing
	case scanPANIDServer:
		if to, conflict, ok := x.pans.Over(); ok {
			x.sendConflict(to, conflict)
		}
	default:
		x.over(x.scanned)
	}
}

// NextTimeout returns when something is due.
func (x *surroundings) NextTimeout() (next time.Time, ok bool) {
	for _, m := range [...]interface{ NextTimeout() (time.Time, bool) }{x.scanner, x.energy, x.pans, x.announce} {
		if t, ok := m.NextTimeout(); ok {
			next = core.Earliest(next, t)
		}
	}
	if !x.away() && x.mac.Idle() && !x.mac.Acknowledging() {
		for i := range x.answers {
			next = core.Earliest(next, x.answers[i].at)
		}
	}
	return next, !next.IsZero()
}

// One order may be for 255 Announces on each channel, a few milliseconds apart: so many are sent at once, and then one in so many times of the
// longest frame.
const announceBurst, announceEvery = 64, 100

// HandleTimeout does what is due.
func (x *surroundings) HandleTimeout() {
	x.scanner.HandleTimeout()
	x.finish()
	x.serve()
	if channel, ok := x.announce.Poll(); ok {
		if x.announces.Allow(x.Now) {
			x.sendAnnounce(channel)
		} else {
			x.counters.TMFRefused++
		}
	}
}

// cancel ends the host's scan without a word.
func (x *surroundings) cancel() {
	if x.request {
		x.inWork = false
	}
	x.scanner.Stop()
	x.measure = false
	x.tune()
}

// stop ends everything: the node leaves its network.
func (x *surroundings) stop() {
	x.energy.Stop()
	x.pans.Stop()
	x.announce.Stop()
	x.beacon, x.inWork, x.answers = false, false, x.answers[:0]
	if x.scanner.Scanning() {
		x.scanner.Stop()
		x.measure = false
		if x.user == scanHost {
			x.over(x.scanned)
		}
	}
	x.tune()
}

// beaconRequest asks for beacons (IEEE 802.15.4-2006 §7.3.7).
func beaconRequest() ieee802154.Frame {
	return ieee802154.Frame{
		Type: ieee802154.Command, Command: ieee802154.BeaconRequest,
		DstPAN: ieee802154.BroadcastPAN, Dst: ieee802154.ShortAddress(ieee802154.BroadcastAddr),
	}
}

// heardRequest has a beacon sent: by routers (Thread 1.1 §8.4.4.1), and not for everybody who asks all the time.
//
// Deviation: stock answers each request, and so sends as much as whoever it is wants it to.
func (x *surroundings) heardRequest() {
	switch {
	case !x.isRouter() || x.away():
	case x.beacon:
	case !x.beacons.Allow():
		x.counters.ScansRefused++
	default:
		x.beacon = true
	}
}

func (x *surroundings) beaconFrame() ieee802154.Frame {
	n := x.dataset.Network()
	f := ieee802154.Frame{Type: ieee802154.Beacon, SrcPAN: n.PANID, Src: ieee802154.ExtAddress(x.Ext)}
	if !x.allows(meshcop.SecurityBeacons) {
		f.Payload = meshcop.AppendEmptyBeacon(nil)
		return f
	}
	f.Payload, _ = meshcop.Beacon{ // never fails
		Version: meshcop.BeaconVersion, NetworkName: n.Name, ExtendedPANID: n.ExtPANID,
	}.AppendBinary(nil)
	return f
}

// allows reports whether the network's security policy has a flag. Of its flags this node obeys B, N and, in package dataset, O, as OpenThread does. R
// and C, which speak of routers of other versions and of commissioners outside the mesh, are carried.
func (x *surroundings) allows(f meshcop.SecurityFlags) bool { return x.dataset.Policy().Flags&f != 0 }

// heardBeacon takes a beacon.
func (x *surroundings) heardBeacon(f mac.Received) {
	channel, ok := x.scanner.Channel()
	if !ok || x.scanner.Kind() != scan.Active || f.Src.Mode != ieee802154.AddrModeExt {
		return
	}
	if x.user == scanPANIDServer {
		x.pans.Found(channel, f.PAN)
		return
	}
	r := ScanResult{Channel: channel, RSSI: f.RSSI, ExtAddr: f.Src.Ext, PANID: f.PAN}
	if b, err := meshcop.ParseBeacon(f.Payload); err == nil {
		r.NetworkName, r.ExtPANID, r.Version, r.Joinable, r.NativeCommissioner = b.NetworkName, b.ExtendedPANID, b.Version, b.Joinable, b.NativeCommissioner
	}
	x.found(r)
}

// mleFrame builds a frame with an MLE message that nothing secures. It must be short.
func (x *surroundings) mleFrame(f ieee802154.Frame, to netip.Addr, message []byte) (ieee802154.Frame, error) {
	f.Type, f.Version, f.Src, f.PANIDCompression = ieee802154.Data, ieee802154.Version2006, ieee802154.ExtAddress(x.Ext), f.DstPAN == f.SrcPAN
	datagram, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: mle.HopLimit, Src: neighbors.LinkLocal(x.Ext), Dst: to}, mle.UDPPort, mle.UDPPort,
		append([]byte{byte(mle.SuiteNone)}, message...))
	if err != nil {
		return f, err
	}
	var end int
	f.Payload, end, err = lowpan.Packet{Datagram: datagram, Src: f.Src, Dst: f.Dst}.AppendFrame(nil, 0, ieee802154.MaxPSDU-f.Overhead(), x.contexts)
	if err == nil && end < len(datagram) {
		err = ErrTooLong
	}
	return f, err
}

// discoveryRequest asks who is there: with the own PAN ID, or one at random, for the answers (Thread 1.1 §8.4.4.1.1).
func (x *surroundings) discoveryRequest() (ieee802154.Frame, error) {
	b := meshcop.AppendDiscoveryRequest(nil, meshcop.DiscoveryRequest{Version: meshcop.BeaconVersion, Joiner: x.options.Joiner})
	if x.options.Others != [8]byte{} {
		b = meshcop.AppendExtendedPANID(b, x.options.Others)
	}
	message := tlv.Append(mle.AppendCommand(nil, mle.DiscoveryRequest), mle.TLVThreadDiscovery, b)
	return x.mleFrame(ieee802154.Frame{
		DstPAN: ieee802154.BroadcastPAN, Dst: ieee802154.ShortAddress(ieee802154.BroadcastAddr), SrcPAN: x.pan,
	}, ip6.LinkLocalAllRouters, message)
}

// discoveryResponse tells which network is here.
func (x *surroundings) discoveryResponse(a discoveryAnswer) (ieee802154.Frame, error) {
	n := x.dataset.Network()
	b := meshcop.AppendDiscoveryResponse(nil, meshcop.DiscoveryResponse{
		Version: meshcop.BeaconVersion, NativeCommissioner: x.allows(meshcop.SecurityNativeCommissioning),
	})
	b = meshcop.AppendNetworkName(meshcop.AppendExtendedPANID(b, n.ExtPANID), n.Name)
	if steering := x.steering(); len(steering) > 0 {
		b = tlv.Append(b, meshcop.TypeSteeringData, steering)
	}
	b = meshcop.AppendJoinerUDPPort(b, x.joinerPort())
	message := tlv.Append(mle.AppendCommand(nil, mle.DiscoveryResponse), mle.TLVThreadDiscovery, b)
	return x.mleFrame(ieee802154.Frame{
		DstPAN: a.pan, Dst: ieee802154.ExtAddress(neighbors.ExtOf(a.to)), SrcPAN: n.PANID, AckRequest: true,
	}, a.to, message)
}

// joinerUDPPort is where a joiner router listens; that of the reference.
const joinerUDPPort = 1000

// steering is the Steering Data in the commissioning data: which joiners the network lets in.
func (x *surroundings) steering() []byte {
	for t := range netdata.All(x.netData.TLVs()) {
		if t.Type == netdata.TypeCommissioningData {
			value, _ := tlv.Find(t.Value, meshcop.TypeSteeringData)
			return value
		}
	}
	return nil
}

// receive takes an MLE message that nothing secures.
func (x *surroundings) receive(m mle.Message, src netip.Addr, rssi int) error {
	switch m.Command {
	case mle.DiscoveryRequest:
		return x.handleRequest(m, src)
	case mle.DiscoveryResponse:
		return x.handleResponse(m, src, rssi)
	}
	return errMLEUnexpected
}

// handleRequest answers a Discovery Request: as a router or a child that can become one, and not to everybody who asks all the time.
//
// Deviation: stock answers each request, and so sends as much as whoever it is wants it to.
func (x *surroundings) handleRequest(m mle.Message, src netip.Addr) error {
	value, ok := m.Find(mle.TLVThreadDiscovery)
	if !ok {
		return mle.ErrAbsent
	}
	d, err := meshcop.ParseDiscovery(value)
	if err != nil {
		return err
	}
	request, _, err := d.Request()
	if err != nil {
		return err
	}
	id, given, err := d.ExtendedPANID()
	switch {
	case err != nil:
		return err
	case !x.attached() || !x.fullThreadDevice() || x.away():
		return errMLEUnexpected
	case given && id == x.dataset.Network().ExtPANID:
		return nil
	case request.Joiner && !slices.ContainsFunc(x.steering(), func(b byte) bool { return b != 0 }):
		return nil
	case len(x.answers) == maxDiscoveryAnswers || !x.discoveries.Allow():
		x.counters.ScansRefused++
		return errMLERefused
	}
	jitter := discoveryJitter
	if x.timing.AckRoom > 0 {
		jitter -= x.timing.BackoffUnit << x.timing.MinBE // which the MAC may wait besides: who asks listens for 300 ms
	}
	if !x.multi {
		jitter = max(jitter, 2*discoveryFrames*x.timing.FrameTime)
	}
	x.answers = append(x.answers, discoveryAnswer{at: x.Now.Add(x.RandomUpTo(jitter)), to: src, pan: x.mac.SourcePAN()})
	return nil
}

// handleResponse takes an answer to a Discovery Request of this node's.
func (x *surroundings) handleResponse(m mle.Message, src netip.Addr, rssi int) error {
	channel, ok := x.scanner.Channel()
	if !ok || x.scanner.Kind() != scan.Discovery {
		return errMLEUnexpected
	}
	value, ok := m.Find(mle.TLVThreadDiscovery)
	if !ok {
		return mle.ErrAbsent
	}
	d, err := meshcop.ParseDiscovery(value)
	if err != nil {
		return err
	}
	r := ScanResult{Channel: channel, RSSI: rssi, ExtAddr: neighbors.ExtOf(src), PANID: x.mac.SourcePAN()}
	response, _, err := d.Response()
	if err == nil {
		r.Version, r.NativeCommissioner = response.Version, response.NativeCommissioner
		r.ExtPANID, _, err = d.ExtendedPANID()
	}
	if err == nil {
		r.NetworkName, err = d.NetworkName()
	}
	if err == nil {
		r.JoinerUDPPort, err = d.JoinerUDPPort()
	}
	if err == nil {
		r.SteeringData, err = d.SteeringData()
	}
	if err != nil {
		return err
	}
	r.SteeringData = slices.Clone(r.SteeringData)
	x.found(r)
	return nil
}

// sendAnnounce tells all on a channel where this network is (Thread 1.1 §8.4.3.4).
func (x *surroundings) sendAnnounce(channel uint8) {
	if !x.attached() {
		return
	}
	n, timestamp := x.dataset.Network(), x.dataset.Timestamp()
	b := mle.AppendChannel(x.mle.start(mle.Announce), mle.Channel{Number: uint16(n.Channel)})
	b = mle.AppendTLV(b, mle.TLVActiveTimestamp, timestamp[:])
	b = mle.AppendPANID(b, n.PANID)
	if channel == n.Channel {
		channel = 0
	}
	x.mle.sendOn(channel, ip6.LinkLocalAllNodes, b)
}

// Scan looks around: at the networks and the power on channels, one after the other. While the radio is on another channel than the network's,
// the node is deaf to its network; a radio with one channel, as those of LoRa, scans that one, and over is told so. found is called for each
// result, and over at the end with the channels that were scanned, by later inputs of the engine's. They must not call the engine.
//
// The power is measured by whoever drives the engine, see PollEnergyScan. A node scans even while its interface is down, but for a
// discovery, to which it needs an address: then the error is ErrState. Others are ErrBusy during another scan, of a commissioner's too, and
// ErrArgument.
func (v surveys) Scan(now time.Time, o ScanOptions, found func(ScanResult), over func(channels meshcop.ChannelMask)) error {
	v.e.Advance(now)
	if o.Kind == ScanDiscovery && !v.e.interfaceOn {
		return ErrState
	}
	if err := v.e.surroundings.start(o, found, over); err != nil {
		return err
	}
	v.e.surroundings.finish() // there may be no channel
	v.e.settle()
	return nil
}

// RadioChannels are those that the radio can be tuned to: the network's alone, unless Config.MultiChannel says that there are more.
func (v surveys) RadioChannels() meshcop.ChannelMask { return v.e.surroundings.supported(allChannels) }

// PollEnergyScan asks whoever drives the engine, once, to measure the power on RadioChannel for a time, one sample if that is 0, and to tell the
// highest by HandleEnergyScanDone. Who has no such radio need not ask.
func (v surveys) PollEnergyScan() (d time.Duration, ok bool) { return v.e.surroundings.pollEnergy() }

// HandleEnergyScanDone takes the power that PollEnergyScan has asked for, in dBm; EnergyUnknown if the radio cannot tell.
func (v surveys) HandleEnergyScanDone(now time.Time, rssi int8) {
	v.e.Advance(now)
	v.e.surroundings.energyDone(rssi)
	v.e.settle()
}
