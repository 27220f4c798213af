package thread

import (
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/internal/keychain"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/internal/polling"
	"github.com/gopymesh/pymesh/thread/internal/resolver"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/internal/slaac"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mpl"
)

// An Engine is one Thread node as a state machine: no goroutine, no clock, no I/O but the Store's. Whoever drives it brings the
// time and moves packets between it and a radio:
//
//   - Inputs: Start, Stop, HandleFrame, HandleTransmitDone, HandlePacket, HandleTimeout, and commands. Those that take the time want
//     one that does not go back.
//   - After each input, fetch the outputs: PollTransmit until it has none; PollPacket and PollEvent likewise, at leisure; and when
//     nothing is to be sent let Flush store what a restart needs.
//   - Then NextTimeout tells when HandleTimeout is due, unless another input comes first.
//   - Getters may be called at any time in between.
//
// An Engine is not safe for concurrent use. All its randomness comes from Config.Rand: the same inputs give the same outputs.
//
// The Engine itself wires the rooms and decides nothing that one of them can decide.
type Engine struct {
	*self
	mac      *mac.MAC
	deadline time.Time // when the next timer is due, zero if none runs
	timers   time.Time // the same of the machines alone, without the housekeeping

	// What the host asks and orders, by subject.
	snapshot
	offers
	surveys
	hostPackets
	joins
	agents

	timing   Timing
	counters Counters // of package thread; the rooms have theirs
	events   eventQueue
	keeper   keeper

	interfaceOn bool
	ownExt      ieee802154.ExtAddr // the node's extended address while it has that of a joiner, else zero
	threadOn    bool               // and Thread started
	spentSoon   bool               // the log says that frame counters come to their end for good,
	spent       bool               // and that they are there
	second      time.Time          // when the housekeeping of the next second is due, zero if there is none

	machines []machine // in the order in which they are served, the MAC first

	// The rooms.
	keys       *keychain.Keychain
	addresses  *addresses.Table
	neighbors  *neighbors.Table
	dataset    *dataset.Active
	pendingSet *dataset.Pending
	petitions  *commissioning.Registrar
	netData    *networkdata.Data
	local      *networkdata.Local
	slaac      *slaac.Table
	resolver   *resolver.Resolver
	mpl        *mpl.Domain
	sender     *sender.Sender
	polls      *polling.Poller
	contexts   lowpan.Contexts

	// Layers and messengers.
	mesh meshLayer
	ip   ipLayer
	mle  mleMessenger
	tmf  tmfMessenger

	// Roles and services.
	attach    attacher
	keepAlive keepAlive
	parent    parentSide
	links     links
	routes    routes
	quiet     quiet
	places    places
	ends      ends
	shortcuts shortcuts
	thrift    thrift
	deputy    deputy
	selection selection
	leading   leading
	distrib   distributor
	queries   queries
	manage    management
	commiss   commissioner
	agency    agency
	admission admission
	announcer announcer
	registrar registrar
	leases    leases

	diagnostics  diagnostics
	surroundings surroundings
}

// New returns an engine in role Disabled.
func New(c Config) (*Engine, error) {
	c.setDefaults()
	if err := c.restore(); err != nil { // after the defaults: what is stored may be 0 as well
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	e := &Engine{timing: c.Timing, keeper: keeper{store: c.Store}}
	e.snapshot.e, e.offers.e, e.surveys.e, e.joins.e, e.agents.e, e.hostPackets.e = e, e, e, e, e, e
	e.wire(&c)
	if err := e.restoreSettings(); err != nil {
		return nil, fmt.Errorf("thread: loading settings: %w", err)
	}
	e.mac.Counter.Raise(c.FirstFrameCounter)
	e.mle.counter.Raise(c.FirstFrameCounter)
	e.updateAddresses()
	return e, nil
}

// Rand returns the source of the engine's random numbers, for protocols that are built on it.
func (e *Engine) Rand() *mathrand.Rand { return e.self.Rand }

// Start brings the interface up and starts attaching. Starting twice does nothing.
func (e *Engine) Start(now time.Time) error {
	e.interfaceUp(now)
	return e.startThread(now)
}

// Stop leaves the network and takes the interface down. The packet that the radio is sending is finished; nothing follows it.
func (e *Engine) Stop(now time.Time) { e.interfaceDown(now) }

// HandleFrame hands the engine a packet that the radio received, a whole PSDU with its two FCS bytes, which are not checked.
// rssi is in dBm, 127 if not known. psdu is not kept.
func (e *Engine) HandleFrame(now time.Time, psdu []byte, rssi int) {
	e.handleFrame(now, psdu, rssi, neighbors.SNRUnknown)
}

// HandleFrameSNR is HandleFrame for a radio that tells the signal to noise ratio, too: in dB, kept from -32 to 31.75 in quarters.
func (e *Engine) HandleFrameSNR(now time.Time, psdu []byte, rssi int, snr float64) {
	e.handleFrame(now, psdu, rssi, snr)
}

func (e *Engine) handleFrame(now time.Time, psdu []byte, rssi int, snr float64) {
	if e.mac.Ignore(now, psdu, rssi) {
		e.hasten(e.mac.RepeatAt())
		return // as most of what a node hears: nothing has changed, not even its deadline, but for what is to be repeated
	}
	e.Advance(now)
	unneeded := e.counters.MLEUnneeded
	f, ok := e.mac.HandleFrame(psdu, rssi)
	if ok {
		e.receive(f)
		e.noteSNR(f.Src, snr)
		ok = e.counters.MLEUnneeded == unneeded // or nothing has changed
	}
	if sent := e.frameSent(); ok || sent {
		e.settle()
	}
}

// noteSNR keeps the signal to noise ratio of a frame with its sender, if the frame was an authentic one of a neighbor. It changes nothing else.
func (e *Engine) noteSNR(src ieee802154.Addr, snr float64) {
	if !(snr < neighbors.SNRUnknown) { // nor if it is no number
		return
	}
	if n := e.neighbors.ByAddr(src); n != nil && n.Valid() && (n.LastFrame.Equal(e.Now) || n.LastHeard.Equal(e.Now)) {
		n.Link.NoteSNR(snr)
	}
}

// receive takes a frame from the MAC to the room that it is for.
func (e *Engine) receive(f mac.Received) {
	switch {
	case f.Poll:
		e.parent.polled(f)
	case f.Type == ieee802154.Beacon:
		e.surroundings.heardBeacon(f)
	case f.Type == ieee802154.Command:
		e.surroundings.heardRequest()
	default:
		e.mesh.receive(f)
	}
}

// PollTransmit returns the next packet for the radio, if there is one and the radio is not transmitting. HandleTransmitDone must follow. The
// packet is valid until then, also if the engine has gone on without it, see RadioStuck.
func (e *Engine) PollTransmit() (psdu []byte, ok bool) { return e.mac.PollTransmit() }

// Answering reports whether the packet from the last PollTransmit is an acknowledgement of the one received last, or takes the place of one. A radio
// that leaves room for acknowledgements does not make it wait (lora.Answerer).
func (e *Engine) Answering() bool { return e.mac.Answering() }

// HandleTransmitDone tells the engine that the packet from the last PollTransmit has left the antenna (err nil), or why it has not: after
// ErrRefused the frame is given up, so that it does not hold up others which the radio may still send; after any other error it is tried
// again, as on a busy channel.
func (e *Engine) HandleTransmitDone(now time.Time, err error) {
	e.Advance(now)
	e.mac.HandleTransmitDone(err)
	e.settle()
}

// RadioStuck reports whether the radio was not done with a packet in time, several times the longest frame's airtime, and neither with another
// since. The engine has gone on without it: a HandleTransmitDone that comes late is not taken for the next packet's. Who drives it may
// start the radio anew.
func (e *Engine) RadioStuck() bool { return e.mac.Stuck() }

// PollEvent returns the next event. At most 256 are kept, the latest.
func (e *Engine) PollEvent() (Event, bool) { return e.events.poll() }

// A machine has a timer.
type machine interface {
	NextTimeout() (time.Time, bool)
	HandleTimeout()
}

// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
func (e *Engine) NextTimeout() (time.Time, bool) { return e.deadline, !e.deadline.IsZero() }

// keepDeadline looks for the timer that is due next. It is called at the end of each input that may have set one.
func (e *Engine) keepDeadline() {
	var next time.Time
	for _, m := range e.machines {
		if t, ok := m.NextTimeout(); ok {
			next = core.Earliest(next, t)
		}
	}
	e.timers = next
	next = core.Earliest(next, e.second)
	if t, ok := e.sender.NextTimeout(); ok && e.mac.Idle() && !e.surroundings.away() {
		next = core.Earliest(next, t)
	}
	e.deadline = next
}

// hasten brings the deadline forward, if t is not zero.
func (e *Engine) hasten(t time.Time) {
	if !t.IsZero() {
		e.timers, e.deadline = core.Earliest(e.timers, t), core.Earliest(e.deadline, t)
	}
}

// HandleTimeout lets the engine do all that is due at now.
func (e *Engine) HandleTimeout(now time.Time) {
	e.Advance(now)
	if e.IsDue(e.timers) { // most often it is the housekeeping alone
		e.mac.HandleTimeout()
		e.frameSent()
		for _, m := range e.machines[1:] {
			m.HandleTimeout()
		}
	}
	if e.IsDue(e.second) {
		e.second = e.second.Add(time.Second)
		if !e.second.After(now) {
			e.second = now.Add(time.Second)
		}
		e.housekeeping()
	}
	e.settle()
}

// settle ends every input: an idle MAC gets its next frame, and the next deadline is known.
func (e *Engine) settle() {
	e.frameSent()
	e.rest()
	e.tune()
	if e.mac.Idle() && e.surroundings.waiting() {
		e.surroundings.transmit()
	}
	for e.sender.On && e.mac.Idle() && !e.surroundings.away() && (e.sender.Ready() || e.resolver.Asking()) {
		chosen := e.sender.Choose()
		if e.queries.ask() {
			continue // they come first: management traffic
		}
		if !chosen {
			break
		}
		e.sender.Start()
	}
	if e.threadOn && e.mac.Idle() && e.polls.Due() {
		e.poll()
	}
	e.keepDeadline()
}

// tune puts the MAC on the channel where it has to be. It works for a scan even if Thread is stopped, or the interface down.
func (e *Engine) tune() {
	e.mac.On = e.threadOn || e.surroundings.scanning() || e.admission.active()
	e.surroundings.tune()
}

// frameSent tells the sender what became of the frame that the MAC had, and ends the link to a router that does not acknowledge. It reports
// whether there was one.
func (e *Engine) frameSent() bool {
	if e.mac.Sleepy {
		e.fetched()
	}
	if !e.mac.Over() {
		return e.mac.Sleepy
	}
	sent, _ := e.mac.PollSent()
	if e.surroundings.sent() {
		return true
	}
	e.shortcuts.sent(sent)
	if ok := sent.Result == mac.Done || sent.Result == mac.Acked; sent.Poll {
		e.polls.Sent(ok)
	} else {
		e.sender.Sent(ok)
	}
	n := sent.Neighbor
	if sent.Result == mac.NoAck && n != nil && n.RLOC16.IsRouter() && (n.Kind() == neighbors.KindParent || e.isRouter()) && int(n.Failures) >= e.timing.FailedRouterTransmissions {
		e.Log.Info("link lost", "router", n.RLOC16, "frames", n.Failures)
		e.drop(n)
	}
	return true
}

// housekeeping is the housekeeping of each second while attached or resuming.
func (e *Engine) housekeeping() {
	e.quiet.pace()
	e.places.pace()
	e.deputy.pace()
	e.mac.Piggyback = e.timing.Piggyback && e.attached() && e.quiet.now() // boards would not take that for an acknowledgement
	e.links.greet()
	selectNow := e.selection.due()
	switch e.role {
	case RoleDetached:
		if e.links.unanswered() && e.attach.idle() {
			e.attach.detach()
			return
		}
	case RoleChild:
		if selectNow {
			e.selection.selectAsChild()
		}
		if e.routes.checkLeader() {
			return
		}
		e.keepAlive.checkParent()
		e.keepAlive.checkSilence(e.quiet.neighborAge() * 3 / 4)
	case RoleRouter:
		e.routes.askForRoutes()
		if e.routes.checkLeader() {
			return
		}
		if selectNow {
			e.selection.selectAsRouter()
		}
	}
	e.parent.expireChildren()
	e.routes.expireRouters()
	if e.role == RoleLeader {
		e.neighbors.Routers.CountUp(e.Now, e.timing.RouterIDSequence)
		e.distrib.foundAgain()
	}
	e.resolver.Tick()
	e.queries.settle()
	e.queries.tick()
	e.keys.Rotate()
	if e.keys.Age()-e.keeper.settings.KeySequenceAge >= ageStored {
		e.changed()
	}
	e.Flush()
}

func (e *Engine) startHousekeeping() {
	if e.second.IsZero() {
		e.second = e.Now.Add(time.Second)
	}
}
