package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/internal/joining"
	"github.com/gopymesh/pymesh/thread/internal/keychain"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Why a node has not joined.
var (
	// ErrNoNetwork says that no network in reach lets this node in: nobody commissions, or somebody else is meant.
	ErrNoNetwork = joining.ErrNoNetwork
	// ErrPassword says that the commissioner has another password for this node.
	ErrPassword = joining.ErrPassword
	// ErrNoAnswer says that the commissioner, or the joiner router, has not answered.
	ErrNoAnswer = joining.ErrNoAnswer
	// ErrNotWanted says that the commissioner has refused this node, though it knows the password.
	ErrNotWanted = joining.ErrRefused
	// ErrJoinStopped says that the node has stopped joining.
	ErrJoinStopped = joining.ErrStopped
)

// How long joining takes, in times of the longest frame, where that is more than on IEEE 802.15.4. A flight of DTLS has up to 650 bytes, seven
// frames on each hop, and so has its answer; where somebody else joins as well both take twice as long. A flight that is sent again too early
// holds up the very answer that it asks for.
const (
	dtlsFrames    = 120
	lingerFrames  = 15
	pauseFrames   = 20
	silenceFrames = 300
	joinedLinger  = 100 * time.Millisecond // OpenThread's
	minPause      = time.Second
	minSilence    = 30 * time.Second
)

func dtlsTiming(t *Timing) dtls.Timing {
	d := dtls.DefaultTiming()
	d.Initial = max(d.Initial, dtlsFrames*t.FrameTime)
	d.Max = max(d.Max, 2*d.Initial)
	return d
}

func joinerTiming(t *Timing) joining.Timing {
	return joining.Timing{
		DTLS: dtlsTiming(t), CoAP: coapTiming(t), Entrust: 6 * t.CoAPAckTimeout,
		Linger: max(joinedLinger, lingerFrames*t.FrameTime), Pause: max(minPause, pauseFrames*t.FrameTime),
	}
}

func sessionTiming(t *Timing) commissioning.SessionTiming {
	silence := max(minSilence, silenceFrames*t.FrameTime)
	return commissioning.SessionTiming{DTLS: dtlsTiming(t), CoAP: coapTiming(t), Silence: silence, Remain: silence}
}

// joinTransitions are the changes of a node that is no part of a network by which it becomes one.
type joinTransitions interface {
	// beginJoin gives the node the extended address of a joiner, endJoin its own again.
	beginJoin(id ieee802154.ExtAddr)
	endJoin()
	// tuneTo puts the node on the air of a network of which it is no part, untune back to where it was.
	tuneTo(pan ieee802154.PANID, channel uint8)
	untune()
	// adopt makes a network the node's own.
	adopt(n Network, seq keys.Sequence) error
}

// admission lets nodes into the network, by a password: this one, as a joiner; and others, as their joiner router (Thread 1.1 §8.4). It carries
// what the rooms of package joining have to say:
//
//	host ─► Joiner ─► discovery, unsecured UDP ─► … ─► JOIN_ENT under the KEK ─► adopt
//	unsecured UDP ─► Router ─► RLY_RX ─► commissioner ─► RLY_TX ─► unsecured UDP, JOIN_ENT
type admission struct {
	*self
	change       joinTransitions
	mac          *mac.MAC
	ip           *ipLayer
	tmf          *tmfMessenger
	addresses    *addresses.Table
	netData      *networkdata.Data
	dataset      *dataset.Active
	keys         *keychain.Keychain
	surroundings *surroundings
	emit         func(Event)

	joiner *joining.Joiner
	router *joining.Router
	port   *uint16 // on which the router listens, nil for what the commissioner says

	over     func(error) // of the joiner
	begun    bool        // the joiner's address is in use
	looking  bool        // the scan that is under way is the joiner's
	entrust  *Network    // what the joiner has been entrusted with
	sequence keys.Sequence
	request  uint32             // the one that is to entrust a joiner
	kek      ieee802154.ExtAddr // with whom a KEK is shared, zero for nobody
}

// active reports whether the node is joining.
func (x *admission) active() bool { return x.joiner.State() != joining.Idle }

// protection is how network management to a node is secured.
func (x *admission) protection(to netip.Addr) sender.Protection {
	if x.kek != (ieee802154.ExtAddr{}) && to == neighbors.LinkLocal(x.kek) {
		return sender.Entrusted
	}
	return sender.Secured
}

func (x *admission) trust(peer ieee802154.ExtAddr, kek [dtls.KEKSize]byte) {
	x.kek = peer
	x.mac.SetKEK(peer, kek)
}

func (x *admission) distrust() {
	x.kek = ieee802154.ExtAddr{}
	x.mac.ClearKEK()
}

// joinerPort is the UDP port on which this joiner router listens: that of the reference, unless it, or the commissioner, has said another.
func (x *admission) joinerPort() uint16 {
	if x.port != nil {
		return *x.port
	}
	if value, ok := tlv.Find(x.netData.CommissioningData(), meshcop.TypeJoinerUDPPort); ok {
		if port, err := meshcop.ParseJoinerUDPPort(value); err == nil && port != 0 {
			return port
		}
	}
	return joinerUDPPort
}

// open reports whether joiners may join through this node.
func (x *admission) open() bool {
	if !x.attached() || !x.fullThreadDevice() {
		return false
	}
	_, commissioned := commissioning.Locator(x.netData)
	return commissioned && slices.ContainsFunc(x.surroundings.steering(), func(b byte) bool { return b != 0 })
}

// expects reports whether a datagram that nothing secures is of a joiner, or for this node as one.
func (x *admission) expects(d *ip6.Datagram) bool {
	if d.Protocol != ip6.ProtocolUDP || !d.Dst.IsLinkLocalUnicast() || !d.Src.IsLinkLocalUnicast() {
		return false
	}
	udp, err := ip6.ParseUDPHeader(d.Payload)
	return err == nil && (x.joiner.Expects(neighbors.ExtOf(d.Src), udp.DstPort) || udp.DstPort == x.joinerPort() && x.open())
}

// receive takes such a datagram.
func (x *admission) receive(d *ip6.Datagram, udp ip6.UDPHeader, payload []byte, security linkSecurity) {
	from := neighbors.ExtOf(d.Src)
	switch {
	case security != unsecured:
		x.counters.IPUnsupported++
	case x.joiner.Expects(from, udp.DstPort):
		x.joiner.Receive(from, udp.SrcPort, payload)
	default:
		x.relay(from, udp.SrcPort, payload)
	}
}

// relay passes a joiner's datagram on to the commissioner (RLY_RX).
func (x *admission) relay(from ieee802154.ExtAddr, port uint16, datagram []byte) {
	to, ok := commissioning.Locator(x.netData)
	if !ok || !x.router.Relay(from, datagram) {
		x.counters.JoinersRefused++
		return
	}
	x.counters.JoinersRelayed++
	m := meshcop.Relayed{Port: port, IID: joining.IIDOf(from), Router: x.rloc, Datagram: datagram}
	payload, _ := m.AppendBinary(nil) // never fails
	x.tmf.post(to.Addr(x.addresses.Prefix()), tmf.URIRelayReceive, payload)
	x.tmf.drain()
}

// handleRelayTransmit takes what the commissioner sends to a joiner (RLY_TX).
func (x *admission) handleRelayTransmit(ev tmfEvent, _ tmf.Payload) error {
	m, to, err := x.router.Transmit(ev.Message.Payload)
	if err != nil {
		return err
	}
	x.mac.Welcome(to, x.Now.Add(silenceFrames*x.timing.FrameTime), x.router.Known(to))
	x.ip.sendProtected(sender.Plain, x.addresses.LinkLocal(), x.joinerPort(), netip.AddrPortFrom(neighbors.LinkLocal(to), m.Port), m.Datagram,
		sender.PriorityNet)
	x.entrustNext()
	return nil
}

// entrustNext gives the next joiner the network's key, as soon as the one before has it (JOIN_ENT).
func (x *admission) entrustNext() {
	for {
		e, ok := x.router.Next()
		if !ok {
			return
		}
		x.trust(e.Joiner, e.KEK)
		x.request = x.Rand.Uint32() | 1
		err := x.tmf.request(neighbors.LinkLocal(e.Joiner), tmf.URIJoinerEntrust, x.entrustment(), tmfTag{id: x.request, answer: func(tmfEvent) error {
			x.entrusted()
			x.entrustNext()
			return nil
		}})
		if err == nil {
			x.Log.Info("joiner entrusted", "joiner", e.Joiner)
			return // tmf drains when it is done with what it is doing
		}
		x.entrusted()
	}
}

func (x *admission) entrusted() {
	x.router.Entrusted()
	x.distrust()
}

// entrustment is what a joiner is told.
func (x *admission) entrustment() []byte {
	n := x.dataset.Network()
	prefix := n.MeshLocalPrefix.Addr().As16()
	e := meshcop.Entrustment{
		Key: n.Key, MeshLocalPrefix: [8]byte(prefix[:8]), ExtendedPANID: n.ExtPANID, NetworkName: n.Name, KeySequence: uint32(x.keys.Sequence()),
	}
	timestamp := x.dataset.Timestamp()
	e.Dataset = tlv.Append(e.Dataset, meshcop.TypeActiveTimestamp, timestamp[:])
	for t, value := range tlv.All[meshcop.Type](x.dataset.TLVs()) {
		switch t {
		case meshcop.TypeChannelMask, meshcop.TypePSKc, meshcop.TypeSecurityPolicy:
			e.Dataset = tlv.Append(e.Dataset, t, value)
		}
	}
	payload, _ := e.AppendBinary(nil) // never fails
	return payload
}

// The rest is this node as a joiner.

// start begins to join.
func (x *admission) start(eui64 [8]byte, o joining.Options, over func(error)) error {
	if x.role != RoleDisabled || x.active() {
		return ErrState
	}
	id := meshcop.JoinerID(eui64)
	x.over, x.entrust = over, nil
	x.change.beginJoin(id)
	x.begun = true
	if err := x.joiner.Start(id, o); err != nil {
		x.Leave()
		return err
	}
	return nil
}

// Discover is joining.Host's.
func (x *admission) Discover() error {
	err := x.surroundings.start(ScanOptions{Kind: ScanDiscovery, Joiner: true}, func(r ScanResult) {
		x.joiner.Found(joining.Candidate{
			Ext: r.ExtAddr, PANID: r.PANID, Channel: r.Channel, RSSI: r.RSSI, Port: r.JoinerUDPPort, NetworkName: r.NetworkName, ExtPANID: r.ExtPANID,
			SteeringData: r.SteeringData,
		})
	}, func(meshcop.ChannelMask) {
		x.looking = false
		x.joiner.Discovered()
	})
	x.looking = err == nil
	return err
}

// Tune is joining.Host's.
func (x *admission) Tune(to joining.Candidate) {
	x.change.tuneTo(to.PANID, to.Channel)
	x.mac.Unwelcome()
	x.mac.Welcome(to.Ext, x.Now.Add(time.Hour), true) // until Leave, or the next
}

// Send is joining.Host's.
func (x *admission) Send(to joining.Candidate, datagram []byte) {
	x.ip.sendProtected(sender.Plain, x.addresses.LinkLocal(), joining.JoinerPort, netip.AddrPortFrom(neighbors.LinkLocal(to.Ext), to.Port), datagram,
		sender.PriorityNet)
}

// Trust is joining.Host's.
func (x *admission) Trust(to joining.Candidate, kek [dtls.KEKSize]byte) { x.trust(to.Ext, kek) }

// Progress is joining.Host's.
func (x *admission) Progress(s joining.State, c joining.Candidate, err error) {
	x.Log.Info("joiner", "state", s, "network", c.NetworkName, "err", err)
	x.emit(Event{Type: EventJoin, Join: JoinState(s), ExtAddr: c.Ext, NetworkName: c.NetworkName, Err: err})
	if s == joining.Idle && x.over != nil {
		x.over(err)
		x.over = nil
	}
}

// Leave is joining.Host's. What the node was entrusted with becomes its own.
func (x *admission) Leave() {
	x.distrust()
	x.mac.Unwelcome()
	if x.looking {
		x.looking = false
		x.surroundings.cancel()
	}
	if !x.begun {
		return
	}
	x.change.untune()
	if x.joiner.State() == joining.Discovering {
		return // it goes on
	}
	x.begun = false
	x.change.endJoin()
	if n := x.entrust; n != nil {
		x.entrust = nil
		if err := x.change.adopt(*n, x.sequence); err != nil {
			x.Log.Error("entrusted with a network that is none", "err", err)
		}
	}
}

// handleEntrust takes the network's key (JOIN_ENT).
func (x *admission) handleEntrust(ev tmfEvent, p tmf.Payload) error {
	e, err := meshcop.ParseEntrustment(p)
	if err != nil {
		return err
	}
	if x.entrust != nil { // it has missed the answer
		x.tmf.respond(ev, nil)
		return nil
	}
	n := x.dataset.Network()
	n.Key, n.Name, n.ExtPANID = e.Key, e.NetworkName, e.ExtendedPANID
	var prefix [16]byte
	copy(prefix[:], e.MeshLocalPrefix[:])
	n.MeshLocalPrefix = netip.PrefixFrom(netip.AddrFrom16(prefix), 64)
	if value, ok := tlv.Find(e.Dataset, meshcop.TypePSKc); ok && len(value) == len(n.PSKc) {
		n.PSKc = meshcop.Key(value)
	}
	if err := n.Check(); err != nil {
		return err
	}
	c, ok := x.joiner.Entrust()
	if !ok {
		return errTMFUnexpected
	}
	n.PANID, n.Channel = c.PANID, c.Channel
	x.entrust, x.sequence = &n, keys.Sequence(e.KeySequence)
	x.tmf.respond(ev, nil)
	return nil
}

// NextTimeout returns when there is something to do.
func (x *admission) NextTimeout() (time.Time, bool) {
	next, _ := x.joiner.NextTimeout()
	if t, ok := x.router.NextTimeout(); ok {
		next = core.Earliest(next, t)
	}
	return next, !next.IsZero()
}

// HandleTimeout does what is due.
func (x *admission) HandleTimeout() {
	x.joiner.HandleTimeout()
	if t, ok := x.router.NextTimeout(); ok && x.IsDue(t) {
		x.tmf.cancel(x.request)
		x.entrusted()
		x.entrustNext()
		x.tmf.drain()
	}
}

// stop forgets those who join through this node.
func (x *admission) stop() {
	x.router.Stop()
	x.distrust()
}

func (e *Engine) beginJoin(id ieee802154.ExtAddr) {
	e.ownExt, e.Ext = e.Ext, id
	e.updateAddresses()
}

func (e *Engine) endJoin() {
	e.Ext, e.ownExt = e.ownExt, ieee802154.ExtAddr{}
	e.updateAddresses()
}

func (e *Engine) untune() {
	e.mac.Stop()
	e.sender.Stop()
	e.mesh.reassembler.Reset()
	e.tmf.stop()
	e.sender.On = e.threadOn
	e.applyNetwork()
	e.tune()
}

func (e *Engine) tuneTo(pan ieee802154.PANID, channel uint8) {
	e.sender.PAN, e.surroundings.home = pan, channel
	e.mac.SetAddress(pan, e.rloc)
	e.sender.On = true
	e.tune()
}

func (e *Engine) adopt(n Network, seq keys.Sequence) error {
	if err := (commands{e}).SetNetwork(n); err != nil {
		return err
	}
	e.keys.Advance(seq, false)
	e.keeper.settings.Joined = &n
	e.changed()
	return nil
}

// joins is the part of the engine by which the host lets the node join a network, and others join this one.
type joins struct{ e *Engine }

// JoinOptions say how to join a network.
type JoinOptions struct {
	// Password is that of the node, 1 to 32 bytes. The standard has 6 to 32 capital letters and digits, see meshcop.CheckPassword.
	Password string
	// EUI64 is what the commissioner knows the node by. The zero EUI64 stands for the node's extended address.
	EUI64 [8]byte
	// Vendor says what the node is.
	Vendor meshcop.Vendor
	// Discoveries is how often the node looks for a network that lets it in, once if 0.
	Discoveries int
}

// JoinState is how far a node is in joining a network.
type JoinState uint8

// The states.
const (
	JoinIdle        = JoinState(joining.Idle)        // not at all: it is over, if Event.Err is nil with success
	JoinDiscovering = JoinState(joining.Discovering) // it looks for networks that let it in
	JoinConnecting  = JoinState(joining.Connecting)  // has found one, and compares passwords with its commissioner
	JoinFinalizing  = JoinState(joining.Finalizing)  // they are the same; it has told what it is
	JoinEntrusting  = JoinState(joining.Entrusting)  // is accepted, and waits for the network's key
	JoinDone        = JoinState(joining.Joined)      // has it
)

func (s JoinState) String() string { return joining.State(s).String() }

// JoinerID is the name under which a node with an EUI-64 joins: its extended address meanwhile.
func JoinerID(eui64 [8]byte) ieee802154.ExtAddr { return meshcop.JoinerID(eui64) }

// Join begins to join a network with a password (Thread 1.1 §8.4). It needs an interface that is up, and Thread stopped. EventJoin tells how it goes
// on; over, if not nil, is called at the end by a later input, with nil if the node has the network's key: then Network is that network, and Start
// attaches to it. It must not call the engine. Of a failed try nothing is kept: the error is ErrNoNetwork, ErrPassword, ErrNoAnswer, ErrNotWanted,
// ErrJoinStopped or ErrBusy.
//
// It fails with ErrState, with ErrBusy during a scan, and with ErrArgument.
func (v joins) Join(now time.Time, o JoinOptions, over func(error)) error {
	v.e.Advance(now)
	if !v.e.interfaceOn || v.e.threadOn {
		return ErrState
	}
	eui64 := o.EUI64
	if eui64 == [8]byte{} {
		eui64 = v.e.Ext
	}
	err := v.e.admission.start(eui64, joining.Options{Password: o.Password, Vendor: o.Vendor, Discoveries: o.Discoveries}, over)
	v.e.settle()
	return err
}

// StopJoining ends what Join has begun.
func (v joins) StopJoining(now time.Time) {
	v.e.Advance(now)
	v.e.admission.joiner.Stop()
	v.e.settle()
}

// JoinState returns how far Join is.
func (v joins) JoinState() JoinState { return JoinState(v.e.admission.joiner.State()) }

// StartCommissioner asks the leader for the role of the commissioner. EventCommissioner tells the answer, and the end of the role. It fails with
// ErrExists if the node has it, or asks already.
func (v joins) StartCommissioner(now time.Time) error { return commands(v).StartCommissioner(now) }

// StopCommissioner gives the role up; joiners are let in no more. It fails with ErrState if the node does not have it.
func (v joins) StopCommissioner(now time.Time) error { return commands(v).StopCommissioner(now) }

// CommissionerActive reports whether the node is the commissioner.
func (v joins) CommissionerActive() bool {
	_, ok := v.e.commiss.session()
	return ok
}

// A Joiner is who may join: the node with an EUI-64, or any.
type Joiner struct {
	EUI64 [8]byte
	Any   bool
	// Password is the joiner's, 1 to 32 bytes.
	Password string
	// Timeout is how long it may join, positive.
	Timeout time.Duration
}

// AllowJoiner lets a joiner in, on the commissioner. What was said of the same joiner before is forgotten. EventJoiner tells who comes, and how it
// ends. It fails with ErrState if the node is not the commissioner, with ErrArgument, and with ErrTableFull.
func (v joins) AllowJoiner(now time.Time, j Joiner) error {
	v.e.Advance(now)
	err := v.e.commiss.allow(j)
	v.e.settle()
	return err
}

// DisallowJoiner lets it in no more. It fails with ErrState if the node is not the commissioner, and with ErrNotFound.
func (v joins) DisallowJoiner(now time.Time, eui64 [8]byte, anyone bool) error {
	v.e.Advance(now)
	err := v.e.commiss.disallow(eui64, anyone)
	v.e.settle()
	return err
}

// Joiners returns those who may join; Timeout is what is left of theirs.
func (v joins) Joiners() []Joiner {
	var all []Joiner
	for _, j := range v.e.commiss.joiners.All() {
		all = append(all, Joiner{EUI64: j.EUI64, Any: j.Any, Password: j.Password, Timeout: j.Until.Sub(v.e.Now)})
	}
	return all
}

// JoinerPort returns the UDP port on which the node as a joiner router listens to joiners: 1000, or what the commissioner has said, or
// SetJoinerPort.
func (v joins) JoinerPort() uint16 { return v.e.admission.joinerPort() }

// SetJoinerPort sets that port, whatever the commissioner says. Joiners learn it when they look for networks. On port 0 there is no joiner.
func (v joins) SetJoinerPort(port uint16) { v.e.admission.port = &port }

// SetProvisioningURL says where this commissioner is from: joiners that ask for another are refused. Empty for nowhere.
func (v joins) SetProvisioningURL(url string) error {
	if len(url) > maxProvisioningURL {
		return ErrArgument
	}
	v.e.commiss.sessions.URL = url
	return nil
}

const maxProvisioningURL = 64
