package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Links between routers (Thread 1.1 §4.6): both ends learn the other's frame counters, each proving by a challenge that it is
// not replayed.
//
//	A ── Link Request (challenge a) ──────────────────► B
//	A ◄── Link Accept and Request (response a, challenge b) ── B
//	A ── Link Accept (response b) ────────────────────► B

const (
	// linkRequestMargin and partitionMargin are the link margins in dB below which no link is sought and no partition joined.
	linkRequestMargin = 10
	partitionMargin   = 10
	// childRouterLinks is how many routers besides its parent a child listens to.
	childRouterLinks = 3
)

// challengeWindow is how long the answers to a multicast Link Request count.
func (e *Engine) challengeWindow() time.Duration {
	return max(2*e.timing.ResponseDelay, e.timing.LinkRequest)
}

// sendLinkRequest asks one router for a link, or all routers in range if r is nil.
func (e *Engine) sendLinkRequest(r *router) {
	b := mle.AppendVersion(e.newMessage(mle.LinkRequest), mle.Version1_1)
	switch e.role {
	case RoleDetached:
		b = mle.AppendTLVRequest(b, mle.TLVAddress16, mle.TLVRoute64)
	case RoleChild:
		b = mle.AppendSourceAddress(b, e.rloc)
		b = mle.AppendLeaderData(b, e.leaderData())
	default:
		if r == nil || r.state != stateValid {
			b = mle.AppendTLVRequest(b, mle.TLVLinkMargin)
		} else {
			b = mle.AppendTLVRequest(b, mle.TLVLinkMargin, mle.TLVRoute64)
		}
		b = mle.AppendSourceAddress(b, e.rloc)
		b = mle.AppendLeaderData(b, e.leaderData())
	}
	challenge := e.newChallenge()
	b = mle.AppendChallenge(b, challenge)
	if r == nil {
		e.routing.challenge = challenge
		e.routing.challengeUntil = e.now.Add(e.challengeWindow())
		e.sendMLE(ip6.LinkLocalAllRouters, b)
		return
	}
	r.challenge = challenge
	e.sendMLE(linkLocalOf(r.ext), b)
}

// openLink starts a link to a router heard with the given power.
func (e *Engine) openLink(r *router, info mleInfo) {
	e.heardUnlinked(r, info)
	e.sendLinkRequest(r)
}

// heardUnlinked notes what is known of a router before the link to it is established.
func (e *Engine) heardUnlinked(r *router, info mleInfo) {
	r.ext = info.ext
	r.link.reset(e.timing.ReceiveSensitivity, info.rssi)
	r.failures = 0
	r.lastHeard = e.now
	r.state = stateLinkRequest
}

func (e *Engine) handleLinkRequest(m mle.Message, info mleInfo) error {
	if !e.isRouter() || e.attach.state != attachIdle {
		return errMLEUnexpected
	}
	challenge, err := m.Challenge()
	if err != nil {
		return err
	}
	version, err := m.Version()
	if err != nil {
		return err
	}
	if version < mle.Version1_1 {
		return errMLEUnexpected
	}
	if m.Has(mle.TLVLeaderData) {
		leader, err := m.LeaderData()
		if err != nil {
			return err
		}
		if leader.PartitionID != e.leader.PartitionID {
			return errMLEUnexpected
		}
	}
	var requested mle.TLVRequest
	if m.Has(mle.TLVTLVRequest) {
		if requested, err = m.TLVRequest(); err != nil {
			return err
		}
	}
	var r *router
	if m.Has(mle.TLVSourceAddress) {
		source, err := m.SourceAddress()
		if err != nil {
			return err
		}
		e.forgetMoved(info, source)
		if source.IsRouter() {
			if r = e.routers.get(source.RouterID()); r == nil || r.rloc == e.rloc {
				return errMLEUnexpected
			}
			switch r.state {
			case stateLinkRequest:
				// Both asked at the same time: one exchange is enough.
				return errMLEUnexpected
			case stateValid:
				if r.ext != info.ext {
					return errMLEUnexpected
				}
			default:
				e.heardUnlinked(r, info)
			}
		}
	} else {
		// A router that restarted does not know its address: only a neighbor can tell it.
		n := e.neighborByExt(info.ext)
		if n == nil || n.kind != kindRouter || n.state != stateValid {
			return errMLEUnexpected
		}
		r = e.routers.get(n.rloc.RouterID())
	}
	return e.sendLinkAccept(r, challenge, requested, info)
}

// forgetMoved ends the link to a neighbor that now has another address.
func (e *Engine) forgetMoved(info mleInfo, source mle.RLOC16) {
	if n := e.neighborByExt(info.ext); n != nil && n.rloc != source {
		e.removeNeighbor(n)
	}
}

// sendLinkAccept answers a Link Request; with a request of its own where the link is not mutual yet. r is nil for a child that
// only wants to listen.
func (e *Engine) sendLinkAccept(r *router, challenge mle.Challenge, requested mle.TLVRequest, info mleInfo) error {
	command := mle.LinkAccept
	if r != nil && r.state != stateValid {
		command = mle.LinkAcceptAndRequest
	}
	b := mle.AppendVersion(e.newMessage(command), mle.Version1_1)
	b = mle.AppendSourceAddress(b, e.rloc)
	b = mle.AppendResponse(b, challenge)
	b = e.appendFrameCounters(b)
	b = mle.AppendLinkMargin(b, linkMargin(e.timing.ReceiveSensitivity, info.rssi))
	if r != nil {
		b = mle.AppendLeaderData(b, e.leaderData())
	}
	for t := range requested.All() {
		switch t {
		case mle.TLVRoute64:
			b = mle.AppendRoute64(b, e.route())
		case mle.TLVAddress16:
			if r == nil {
				return errMLEUnexpected
			}
			b = mle.AppendAddress16(b, r.rloc)
		case mle.TLVLinkMargin:
		default:
			return errMLEUnexpected
		}
	}
	if command == mle.LinkAcceptAndRequest {
		r.challenge = e.newChallenge()
		b = mle.AppendChallenge(b, r.challenge)
		b = mle.AppendTLVRequest(b, mle.TLVLinkMargin)
		r.lastHeard = e.now
		r.state = stateLinkRequest
	}
	if info.dst.IsMulticast() {
		e.delayMLE(info.src, b, time.Millisecond+e.randomUpTo(e.timing.ResponseDelay))
	} else {
		e.sendMLE(info.src, b)
	}
	return nil
}

func (e *Engine) handleLinkAccept(m mle.Message, info mleInfo) error {
	source, err := m.SourceAddress()
	if err != nil {
		return err
	}
	if !source.IsRouter() || source == e.rloc && e.isRouter() {
		return errMLEUnexpected
	}
	if _, err := m.Version(); err != nil {
		return err
	}
	response, err := m.Response()
	if err != nil {
		return err
	}
	linkCounter, err := m.LinkLayerFrameCounter()
	if err != nil {
		return err
	}
	mleCounter, err := mleFrameCounter(m, linkCounter)
	if err != nil {
		return err
	}
	var margin uint8
	if m.Has(mle.TLVLinkMargin) {
		if margin, err = m.LinkMargin(); err != nil {
			return err
		}
	} else if e.role != RoleDetached {
		return mle.ErrAbsent
	}
	id := source.RouterID()
	r := e.routers.get(id)
	state := stateInvalid
	if r != nil {
		state = r.state
	}
	switch {
	case state == stateLinkRequest && response == r.challenge && !r.challenge.IsZero() && r.ext == info.ext:
	case state == stateLinkRequest && e.answersMulticast(response):
	case state == stateInvalid && e.answersMulticast(response):
	case state == stateValid && r.ext == info.ext && (response == r.challenge || e.answersMulticast(response)):
	default:
		return errMLEUnexpected
	}
	e.forgetMoved(info, source)

	resumed := e.role == RoleDetached
	switch e.role {
	case RoleDetached:
		if err := e.resumeRouter(m, info); err != nil {
			return err
		}
		if r = e.routers.get(id); r == nil || r.rloc == e.rloc {
			return nil
		}
	case RoleChild:
		if r == nil {
			return errMLEUnexpected
		}
	default:
		if r == nil {
			return errMLEUnexpected
		}
		leader, err := m.LeaderData()
		if err != nil {
			return err
		}
		if leader.PartitionID != e.leader.PartitionID {
			return errMLEUnexpected
		}
		if e.netData.wanted || int8(leader.DataVersion-e.netData.version) > 0 {
			e.requestNetworkData(info.src, 0)
		}
		if m.Has(mle.TLVRoute64) {
			route, err := m.Route64()
			if err != nil {
				return err
			}
			if int8(route.IDSequence-e.routers.sequence) > 0 && !e.processRoute(&route) {
				return nil
			}
			e.updateRoutes(&route, id)
			if r = e.routers.get(id); r == nil {
				return nil
			}
		}
		if r.state != stateValid && !e.routers.isAssigned(r.nextHop) {
			e.resetAdvertise() // a new link
		}
	}
	r.ext = info.ext
	r.rloc = source
	r.mac = keys.ReplayFrom(info.keySequence, linkCounter)
	r.mle = keys.ReplayFrom(info.keySequence, mleCounter+1)
	r.lastHeard = e.now
	r.mode = mle.ModeFullThreadDevice | mle.ModeRxOnWhenIdle | mle.ModeFullNetworkData
	if r.state != stateValid {
		r.link.reset(e.timing.ReceiveSensitivity, info.rssi)
	}
	r.qualityOut = linkQuality(margin, -1)
	r.failures = 0
	r.challenge = mle.Challenge{}
	if r.state != stateValid {
		r.state = stateValid
		e.emit(Event{Type: EventNeighborAdded, ExtAddr: r.ext, RLOC16: r.rloc})
	}
	if resumed {
		if route, err := m.Route64(); err == nil {
			e.updateRoutes(&route, id) // the next Advertisement may be half a minute away
		}
	}
	if m.Command == mle.LinkAcceptAndRequest {
		challenge, err := m.Challenge()
		if err != nil {
			return err
		}
		var requested mle.TLVRequest
		if m.Has(mle.TLVTLVRequest) {
			if requested, err = m.TLVRequest(); err != nil {
				return err
			}
		}
		return e.sendLinkAccept(r, challenge, requested, info)
	}
	return nil
}

// answersMulticast reports whether a response is to the last multicast Link Request.
func (e *Engine) answersMulticast(response mle.Challenge) bool {
	return e.now.Before(e.routing.challengeUntil) && response == e.routing.challenge
}

// resumeRouter takes up the place that a router had before its restart.
func (e *Engine) resumeRouter(m mle.Message, info mleInfo) error {
	if !e.rloc.IsRouter() || !e.answersMulticast(mustChallenge(m.Response())) {
		return errMLEUnexpected
	}
	address, err := m.Address16()
	if err != nil {
		return err
	}
	if address != e.rloc {
		return errMLEUnexpected
	}
	leader, err := m.LeaderData()
	if err != nil {
		return err
	}
	route, err := m.Route64()
	if err != nil {
		return err
	}
	id := e.rloc.RouterID()
	if !route.Routers.Contains(id) {
		return errMLEUnexpected
	}
	e.setLeaderData(leader)
	e.routers.clear()
	e.routers.setAssigned(e.now, route.Routers, route.IDSequence, func(*router) {})
	if own := e.routers.get(id); own != nil {
		own.ext = e.ext
	}
	if leader.LeaderRouterID == id {
		e.becomeLeader(id)
	} else {
		e.becomeRouter(id)
	}
	e.netData.wanted = true
	e.requestNetworkData(info.src, 0)
	return nil
}

func mustChallenge(c mle.Challenge, _ error) mle.Challenge { return c }

// linkLost updates the routes after the link to r ended (Thread 1.1 §5.6).
func (e *Engine) linkLost(r *router) {
	if r == nil {
		return
	}
	r.qualityOut = 0
	r.lastHeard = e.now
	r.state = stateInvalid
	e.emit(Event{Type: EventNeighborRemoved, ExtAddr: r.ext, RLOC16: r.rloc})
	for id := range e.routers.assigned.All() {
		other := &e.routers.routers[id]
		if other.nextHop == r.rloc.RouterID() {
			e.routeLost(other)
			if e.routers.linkCost(other) >= maxRouteCost {
				e.resetAdvertise()
			}
		}
	}
	if !e.routers.isAssigned(r.nextHop) {
		e.resetAdvertise()
		e.resolver.removeRouter(r.rloc.RouterID())
	}
}

// tickRouters ends links that fell silent and requests that stayed unanswered.
func (e *Engine) tickRouters() {
	for id := range e.routers.assigned.All() {
		r := &e.routers.routers[id]
		if r.rloc == e.rloc {
			r.lastHeard = e.now
			continue
		}
		age := e.now.Sub(r.lastHeard)
		switch {
		case r.state == stateValid && age >= e.timing.MaxNeighborAge,
			r.state == stateLinkRequest && age >= e.timing.LinkRequest:
			e.dropRouterLink(r)
		case e.role == RoleLeader && age >= e.timing.LeaderToRouter &&
			!e.routers.isAssigned(r.nextHop) && e.routers.linkCost(r) >= maxRouteCost:
			e.releaseRouterID(id)
		}
	}
}

func (e *Engine) dropRouterLink(r *router) {
	if r.state == stateValid && e.isRouter() {
		e.linkLost(r)
	}
	r.state = stateInvalid
	r.link = linkInfo{}
}
