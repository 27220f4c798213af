package thread

import (
	"bytes"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// commissioner carries the messages of a commissioner in the mesh, of both sides: to the leader, and as the leader (Thread 1.1 §8.7); and, as the
// commissioner, those of joiners, which come and go through joiner routers.
type commissioner struct {
	*self
	commissioning *commissioning.Commissioner
	registrar     *commissioning.Registrar
	distrib       *distributor
	tmf           *tmfMessenger
	addresses     *addresses.Table
	update        func() // derives the addresses again
	emit          func(Event)

	joiners  *commissioning.Joiners
	sessions *commissioning.Sessions
	agency   *agency   // for a commissioner outside
	told     []byte    // the steering data that the leader has taken, nil for none
	telling  bool      // it is being told others
	retell   time.Time // when to tell it again, zero for at once
}

// NextTimeout returns when the leader is to hear, or has not heard, of a commissioner.
func (c *commissioner) NextTimeout() (time.Time, bool) {
	next, _ := c.commissioning.NextTimeout()
	for _, m := range [...]interface{ NextTimeout() (time.Time, bool) }{c.registrar, c.joiners, c.sessions} {
		if t, ok := m.NextTimeout(); ok {
			next = core.Earliest(next, t)
		}
	}
	next = core.Earliest(next, c.retell)
	return next, !next.IsZero()
}

// HandleTimeout does what is due.
func (c *commissioner) HandleTimeout() {
	c.commissioning.HandleTimeout()
	c.send()
	c.joiners.HandleTimeout()
	c.sessions.HandleTimeout()
	c.pump()
	if c.registrar.HandleTimeout() {
		c.Log.Info("the commissioner has fallen silent")
		c.distrib.announce()
	}
}

// send asks the leader what is to be asked.
func (c *commissioner) send() {
	for {
		q, payload := c.commissioning.Poll()
		if q == commissioning.None {
			return
		}
		if !c.attached() {
			c.answered(q, nil, false)
			continue
		}
		uri := tmf.URILeaderKeepAlive
		if q == commissioning.Petition {
			uri = tmf.URILeaderPetition
		}
		err := c.tmf.askLeader(uri, payload, tmfTag{answer: func(ev tmfEvent) error {
			c.answered(q, ev.Message.Payload, ev.Kind == coap.ResponseReceived && ev.Message.Code == coap.Changed)
			return nil
		}})
		if err != nil {
			c.answered(q, nil, false)
		}
	}
}

func (c *commissioner) answered(q commissioning.Question, payload []byte, ok bool) {
	before := c.commissioning.State()
	c.commissioning.Answered(q, payload, ok)
	if now := c.commissioning.State(); now != before {
		c.Log.Info("commissioner", "from", before, "to", now)
		c.update()
		c.stateChanged(before, now)
	}
}

// session is this node's as the commissioner, and false if it is none.
func (c *commissioner) session() (uint16, bool) {
	return c.commissioning.Session(), c.commissioning.State() == commissioning.Active
}

// stop ends what this node is in the partition.
func (c *commissioner) stop() {
	before := c.commissioning.State()
	c.commissioning.Leave()
	c.stateChanged(before, commissioning.Disabled)
	c.registrar.Stop()
}

// from is the place of who has sent a request, mle.InvalidRLOC16 if that is no place of this mesh.
func (c *commissioner) from(ev tmfEvent) mle.RLOC16 {
	if rloc, ok := c.tmf.addresses.Locator(ev.Path.Peer.Addr()); ok && rloc.Valid() {
		return rloc
	}
	return mle.InvalidRLOC16
}

func (c *commissioner) handlePetition(ev tmfEvent, _ tmf.Payload) error {
	answer, changed := c.registrar.Petition(ev.Message.Payload, c.from(ev))
	c.tmf.respond(ev, answer)
	c.dataChanged(changed)
	return nil
}

func (c *commissioner) handleKeepAlive(ev tmfEvent, _ tmf.Payload) error {
	answer, changed, err := c.registrar.KeepAlive(ev.Message.Payload, c.from(ev))
	if err != nil {
		return err
	}
	c.tmf.respond(ev, answer)
	c.dataChanged(changed)
	return nil
}

func (c *commissioner) handleSet(ev tmfEvent, _ tmf.Payload) error {
	answer, changed := c.registrar.Set(ev.Message.Payload)
	c.tmf.respond(ev, answer)
	c.dataChanged(changed)
	return nil
}

func (c *commissioner) handleGet(ev tmfEvent, _ tmf.Payload) error {
	c.tmf.respond(ev, c.registrar.Get(ev.Message.Payload))
	return nil
}

// handleDatasetChanged hears that somebody else has changed the dataset: the mesh tells which it is.
func (c *commissioner) handleDatasetChanged(ev tmfEvent, _ tmf.Payload) error {
	if c.commissioning.State() != commissioning.Active && !c.agency.datasetChanged(ev.Path.Peer) {
		return errTMFUnexpected
	}
	c.tmf.acknowledge(ev)
	return nil
}

// dataChanged distributes other Commissioning Data.
func (c *commissioner) dataChanged(changed bool) {
	if changed {
		c.distrib.announce()
	}
}

// JoinerEvent tells of a joiner that has come to this node as the commissioner.
type JoinerEvent = commissioning.JoinerEvent

// What has become of a joiner.
const (
	JoinerConnected = commissioning.JoinerConnected // it has the right password
	JoinerAccepted  = commissioning.JoinerAccepted  // it is being entrusted with the network's key
	JoinerFailed    = commissioning.JoinerFailed    // it was not let in
)

// steeringRetry is the pause before the leader is told again who may join, if it has not taken it.
const steeringRetry = 5 * time.Second

// stateChanged follows the begin and the end of the role: without it nobody is let in.
func (c *commissioner) stateChanged(before, now commissioning.State) {
	if (before == commissioning.Active) == (now == commissioning.Active) && now != commissioning.Disabled || before == now {
		return
	}
	c.told, c.telling, c.retell = nil, false, time.Time{}
	if now != commissioning.Active {
		c.sessions.Stop()
		c.joiners.Clear()
		c.pump()
	}
	c.emit(Event{Type: EventCommissioner, Active: now == commissioning.Active})
}

// allow lets a joiner in.
func (c *commissioner) allow(j Joiner) error {
	switch {
	case c.commissioning.State() != commissioning.Active:
		return ErrState
	case len(j.Password) == 0 || len(j.Password) > meshcop.MaxPasswordSize || j.Timeout <= 0:
		return ErrArgument
	}
	err := c.joiners.Add(commissioning.Joiner{EUI64: j.EUI64, Any: j.Any, Password: j.Password, Until: c.Now.Add(j.Timeout)})
	c.pump()
	return err
}

func (c *commissioner) disallow(eui64 [8]byte, anyone bool) error {
	if c.commissioning.State() != commissioning.Active {
		return ErrState
	}
	err := c.joiners.Remove(eui64, anyone)
	c.pump()
	return err
}

// handleRelayReceive takes what a joiner sends (RLY_RX).
func (c *commissioner) handleRelayReceive(ev tmfEvent, _ tmf.Payload) error {
	if c.commissioning.State() != commissioning.Active {
		if c.agency.relayed(ev.Message.Payload) {
			return nil
		}
		return errTMFUnexpected
	}
	r, err := meshcop.ParseRelayed(ev.Message.Payload)
	if err != nil {
		return err
	}
	refused := c.sessions.Refused
	c.sessions.Receive(r)
	c.counters.JoinersRefused += c.sessions.Refused - refused
	c.pump()
	return nil
}

// pump sends what joiners are to hear, tells the host of them, and the leader who may join.
func (c *commissioner) pump() {
	for r, ok := c.sessions.Poll(); ok; r, ok = c.sessions.Poll() {
		if !c.attached() {
			continue
		}
		payload, _ := r.AppendBinary(nil) // never fails
		c.tmf.post(r.Router.Addr(c.addresses.Prefix()), tmf.URIRelayTransmit, payload)
	}
	for ev, ok := c.sessions.PollEvent(); ok; ev, ok = c.sessions.PollEvent() {
		c.Log.Info("joiner", "id", ieee802154.ExtAddr(ev.ID), "step", ev.Step, "err", ev.Err)
		c.emit(Event{Type: EventJoiner, Joiner: ev, Err: ev.Err})
	}
	c.tellSteering()
	c.tmf.drain()
}

// tellSteering tells the leader who may join, unless it knows.
func (c *commissioner) tellSteering() {
	if c.telling || c.commissioning.State() != commissioning.Active || c.Now.Before(c.retell) {
		return
	}
	steering := c.joiners.Steering()
	if c.retell = (time.Time{}); bytes.Equal(steering, c.told) || c.told == nil && !slices.ContainsFunc(steering, func(b byte) bool { return b != 0 }) {
		return
	}
	c.telling = true
	session := c.commissioning.Session()
	payload := tlv.Append(meshcop.AppendCommissionerSessionID(nil, session), meshcop.TypeSteeringData, steering)
	err := c.tmf.tellLeader(tmf.URICommissionerSet, payload, tmfTag{answer: func(ev tmfEvent) error {
		if session == c.commissioning.Session() {
			c.steeringTold(steering, ev)
		}
		return nil
	}})
	if err != nil {
		c.telling, c.retell = false, c.Now.Add(steeringRetry)
	}
}

func (c *commissioner) steeringTold(steering []byte, ev tmfEvent) {
	c.telling = false
	value, _ := tlv.Find(ev.Message.Payload, meshcop.TypeState)
	if s, err := meshcop.ParseState(value); ev.Kind == coap.ResponseReceived && err == nil && s == meshcop.StateAccept {
		c.told = steering
		c.tellSteering() // it may be others by now
		return
	}
	c.retell = c.Now.Add(steeringRetry)
}
