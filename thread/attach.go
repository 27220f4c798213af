package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// attachState is how far a search for a parent has come.
type attachState uint8

const (
	attachIdle attachState = iota
	attachSynchronize
	attachStart
	attachParentRequestRouters
	attachParentRequestREEDs
	attachAnnounce
	attachChildIDRequest
)

// attachMode says which parents will do.
type attachMode uint8

const (
	attachAny           attachMode = iota // any partition
	attachSame1                           // same partition, first try: the leader was not heard of for too long
	attachSame2                           // same partition, second try
	attachBetter                          // a better partition, while staying in this one until it is found
	attachSameDowngrade                   // same partition, giving up being a router
)

const (
	// attachStartJitter spreads retries of nodes that lost the same parent.
	attachStartJitter = 50 * time.Millisecond
	// attachStartAirtimes does so on a slow radio, in times of the longest frame.
	//
	// Deviation: OpenThread has the former alone. On LoRa two nodes whose first Parent Requests collide, and who are too far apart to hear that
	// the channel is busy, would collide again each time, for ever.
	attachStartAirtimes = 4
)

// attacher searches for a parent (Thread 1.1 §4.7): it asks all routers, then routers and router-eligible end devices, chooses the best
// of those that answer, and asks that one for an address.
//
//	start ─► Start ─► ParentRequestRouters ─► ParentRequestREEDs ─► nobody: found a partition, or try again later
//	                         │ candidate             │ candidate
//	                         └─────► ChildIDRequest ◄┘ ─► Child
//
// For a better partition who may become a router asks in one round the node alone that it has heard of it: see asksOne.
//
//	ParentRequestREEDs ─► a minimal end device, nobody ─► Announce: on each channel, that it is an orphan ─► candidate, or nobody
//
//	Synchronize: after a restart, an end device first asks its old parent whether it is still its child.
type attacher struct {
	*self
	change    transitions
	neighbors *neighbors.Table
	dataset   *dataset.Active
	pending   *dataset.Pending
	mle       *mleMessenger
	routes    *routes
	distrib   *distributor
	keepAlive *keepAlive
	leading   *leading
	announcer *announcer
	ip        *ipLayer

	state       attachState
	mode        attachMode
	timer       time.Time
	windowEnd   time.Time // end of the wait for Parent Responses
	counter     int       // failed attempts in a row
	challenge   mle.Challenge
	heardParent bool               // the present parent answered too
	heard       ieee802154.ExtAddr // who was heard of a better partition
	sought      uint32             // that partition
	ofRouter    bool               // it is a router
	vain        vainSearches
	courtesy    courtesy
	doubtful    bool // nobody answered the search before for the partition that this one is for
	moving      moving
	orphanFrom  uint8 // the channel on which this node announces next that it has no parent
	last        lastParent
}

// lastParent is the parent that a minimal end device had last.
type lastParent struct {
	known     bool
	rloc      mle.RLOC16
	partition uint32
}

// moved tells the last parent of a minimal end device that it has another one: what comes for the child there would wait in vain. The new
// parent's address in the message says it all.
//
// Deviation: OpenThread has it as an option, which is off.
func (a *attacher) moved() {
	before := a.last
	a.last = lastParent{true, a.neighbors.Parent.RLOC16, a.leader.PartitionID}
	if !a.fullThreadDevice() && before.known && before.rloc != a.last.rloc && before.partition == a.last.partition {
		a.ip.sendEmpty(before.rloc)
	}
}

// listens reports whether answers of nodes that are no parent yet may come, to which a sleepy end device has to listen.
func (a *attacher) listens() bool {
	return a.searches()
}

// moving is where a search looks that is not where the node has been before.
type moving uint8

const (
	staysPut       moving = iota
	mayTryNext            // the first search after a start: the network may have become the pending one meanwhile
	triesPending          // in the network of the pending dataset
	triesAnnounced        // on the channel and PAN ID of an Announce
)

// idle reports whether no search is under way.
func (a *attacher) idle() bool { return a.state == attachIdle }

// staying reports whether the node keeps its place for now, with all its duties: it does not search, or for a better partition of which
// nobody has answered yet.
//
// Deviation: OpenThread neither advertises nor answers while it searches, so that an Advertisement of a partition that is gone, or
// cannot be reached, costs a router its links and its children.
func (a *attacher) staying() bool {
	return a.idle() || a.mode == attachBetter && a.neighbors.Candidate.State() == neighbors.Invalid
}

// leaving reports whether the node has asked for another place.
func (a *attacher) leaving() bool { return a.state == attachChildIDRequest }

// offers reports whether the node offers itself as a parent. Where two partitions meet, many search at once, and offers out of the worse one
// are but noise to each other: only a search that was in vain before does not keep a node from it.
func (a *attacher) offers() bool { return a.idle() || a.staying() && a.doubtful }

// enter moves the search to another state. While it is not idle, the candidate counts as a neighbor.
func (a *attacher) enter(s attachState) {
	a.state = s
	a.neighbors.Searching = s != attachIdle
}

// stop ends the search.
func (a *attacher) stop() {
	a.enter(attachIdle)
	a.timer = time.Time{}
}

// detach gives up the present place and searches for any other.
func (a *attacher) detach() {
	if a.role == RoleDisabled || a.role == RoleDetached && a.state == attachStart {
		return
	}
	a.change.becomeDetached()
	a.neighbors.Change(&a.neighbors.Parent.Neighbor, neighbors.Invalid)
	a.change.setRLOC16(mle.InvalidRLOC16)
	a.start(attachAny)
}

// synchronize asks the parent of before a restart whether this node is still its child.
func (a *attacher) synchronize() {
	a.enter(attachSynchronize)
	a.keepAlive.sendRequest()
}

// start begins the search for a parent, unless one is under way. It stops no timer of the present role: whichever way the search ends, a
// node that keeps its place goes on as before.
func (a *attacher) start(mode attachMode) {
	if a.role == RoleDisabled || !a.idle() {
		return
	}
	a.neighbors.ClearCandidate()
	a.enter(attachStart)
	a.mode = mode
	if mode == attachBetter {
		a.counters.BetterPartitionAttempts++
	}
	a.timer = a.Now.Add(a.startDelay())
	if a.role == RoleDetached {
		a.counter++
		a.counters.AttachAttempts++
	}
}

// seek searches for a better partition that was heard of, unless that has been in vain lately.
//
// Deviation: for stock all do so alike. Children go with their parent, if it keeps its router ID, and an end device that is asked for a place has to
// become a router before: so routers search first, and routers are asked rather than end devices.
func (a *attacher) seek(ad advertised, info mleInfo) {
	partition, ofRouter := ad.leader.PartitionID, ad.route != nil
	if ofRouter && !a.ofRouter && a.waits(partition) {
		a.heard, a.ofRouter = info.ext, true
		a.timer = core.Earliest(a.timer, a.Now.Add(a.seekDelay()))
	}
	if !a.idle() {
		return
	}
	pause := a.timing.SearchJitter + a.timing.ParentRequestRouters
	if !a.routerEligible() {
		pause += a.timing.ParentRequestREEDs
	}
	ok, again := a.vain.begin(a.Now, partition, pause, info.news)
	if ok {
		a.doubtful, a.heard, a.sought, a.ofRouter = again, info.ext, partition, ofRouter
		a.courtesy.again = 0
		a.start(attachBetter)
	}
}

// waits reports whether a search for a partition is yet to begin.
func (a *attacher) waits(partition uint32) bool {
	return a.timing.AttachHold > 0 && a.state == attachStart && a.mode == attachBetter && a.sought == partition && a.asksOne()
}

// waitsForAny reports whether a search that follows the loss of the leader is yet to begin.
func (a *attacher) waitsForAny() bool {
	return a.timing.AttachHold > 0 && a.state == attachStart && a.mode == attachAny && a.attached()
}

// asksOne reports whether the search is for a better partition, by a node that is to be a router there as well: any parent will do.
//
// Deviation: OpenThread asks everybody. Where partitions meet, many search at once, and all routers in range answer each of them, those of
// the worse partition, too: on LoRa, with some 0.2 s for each answer, that alone fills the channel for minutes.
//
// Nor does a node without a place, once it has heard a router.
func (a *attacher) asksOne() bool {
	return a.courtesy.direct || a.mode == attachBetter && a.routerEligible()
}

// NextTimeout returns when the search goes on by itself.
func (a *attacher) NextTimeout() (time.Time, bool) { return a.timer, !a.timer.IsZero() }

// HandleTimeout takes the search one step further, if its time has come.
func (a *attacher) HandleTimeout() {
	if !a.IsDue(a.timer) {
		return
	}
	a.timer = time.Time{}
	if a.searches() {
		if a.decide() {
			a.enter(attachChildIDRequest)
			a.mle.forgetLinkRequests() // they would follow, and tell the new parent that its child is a router
			a.timer = a.Now.Add(a.timing.ParentRequestREEDs)
			return
		}
		if a.state != attachAnnounce && a.Now.Before(a.windowEnd) {
			a.timer = a.windowEnd
			return
		}
	}
	switch a.state {
	case attachSynchronize:
		a.keepAlive.sendRequest()
	case attachStart:
		if a.mode == attachAny && !a.courtesy.direct && a.leading.succeed() {
			return
		}
		if a.held() {
			return
		}
		a.neighbors.Change(&a.neighbors.Candidate.Neighbor, neighbors.Invalid)
		a.heardParent = false
		if a.courtesy.middle {
			a.requestParents(attachParentRequestREEDs)
		} else {
			a.requestParents(attachParentRequestRouters)
		}
	case attachParentRequestRouters:
		a.routersAsked()
	case attachParentRequestREEDs:
		if !a.isOrphan() {
			a.giveUp()
			return
		}
		a.requestParents(attachAnnounce)
		a.orphanFrom, a.timer = 0, a.Now.Add(a.announcer.orphanDelay())
	case attachAnnounce:
		next, ok := a.announcer.orphan(a.orphanFrom)
		if !ok {
			a.giveUp()
			return
		}
		a.orphanFrom, a.timer = next, a.Now.Add(a.announcer.orphanDelay())
	case attachChildIDRequest:
		a.giveUp()
	}
}

// routersAsked goes on when no router has answered, or not the one that was asked alone.
func (a *attacher) routersAsked() {
	switch {
	case a.asksOne() && a.askAgain():
	case a.courtesy.direct:
		a.courtesy.direct = false // it has no place left, or does not hear this node
		a.requestParents(attachParentRequestRouters)
	case a.asksOne() || a.givesWay():
		a.giveUp()
	default:
		a.requestParents(attachParentRequestREEDs)
	}
}

// searches reports whether Parent Responses are collected.
func (a *attacher) searches() bool {
	return a.state == attachParentRequestRouters || a.state == attachParentRequestREEDs || a.state == attachAnnounce
}

// isOrphan reports whether this node, if it finds no parent, is lost: it cannot lead a partition. The network may be elsewhere.
//
// Deviation: for OpenThread it is so from the first search on. When the power comes back, those that will be parents are searching, too.
func (a *attacher) isOrphan() bool {
	const patience = 3 // searches
	return a.counter > patience && a.role == RoleDetached && !a.fullThreadDevice() && a.moving == staysPut && a.announcer.channels() != 0
}

// giveUp ends a search without result.
func (a *attacher) giveUp() {
	a.enter(attachIdle)
	a.neighbors.ClearCandidate()
	a.failed()
}

// decide asks the candidate for an address, if there is one that will do.
//
// Deviation: stock's child waits for an answer of its parent, even when the leader is lost: children of the lost leader stay until a keep-alive of
// theirs fails.
func (a *attacher) decide() bool {
	return a.neighbors.Candidate.State() == neighbors.ParentResponse &&
		(a.role != RoleChild || a.heardParent || a.mode == attachBetter || a.leaderless()) &&
		a.sendChildIDRequest()
}

// requestParents enters one of the two searching states.
func (a *attacher) requestParents(state attachState) {
	a.enter(state)
	window, mask := a.timing.ParentRequestRouters, mle.ScanRouters
	to := ip6.LinkLocalAllRouters
	switch {
	case a.asksOne():
		to, mask = neighbors.LinkLocal(a.heard), mle.ScanRouters|mle.ScanEndDevices
	case state != attachParentRequestRouters || a.mode == attachSame1 || a.mode == attachSame2:
		// Who has lost the leader's partition asks everybody from the first.
		window, mask = a.timing.ParentRequestREEDs, mle.ScanRouters|mle.ScanEndDevices
	}
	a.courtesy.began = a.Now
	a.endWindow(a.window(window))
	if d := a.timing.ParentDecision; d > 0 && d < window {
		a.timer = a.Now.Add(d)
	}
	a.challenge = a.newChallenge()
	b := mle.AppendMode(a.mle.start(mle.ParentRequest), a.self.mode)
	b = mle.AppendChallenge(b, a.challenge)
	b = mle.AppendScanMask(b, mask)
	b = mle.AppendVersion(b, mle.Version1_1)
	a.mle.send(to, b)
}

// failed decides what follows a search without result.
func (a *attacher) failed() {
	if a.movesOn() {
		return
	}
	switch a.mode {
	case attachAny:
		switch a.role {
		case RoleChild:
			return // the old parent is still there
		case RoleLeader:
			a.routes.resetAdvertise() // it has searched by command, in vain
			return
		}
		switch {
		case a.waives():
			a.start(attachAny)
		case !a.leading.formPartition():
			a.detach()
		}
	case attachSame1:
		if a.leaderless() {
			a.start(attachAny) // those around have said the same
			return
		}
		a.start(attachSame2)
	case attachSame2:
		a.start(attachAny)
	}
	// Deviation: an OpenThread router that finds no parent in its partition, and so is needed there, searches any and founds its own.
}

// movesOn looks for the network elsewhere after a search without result, or goes back to where it was. It reports whether another search begins.
func (a *attacher) movesOn() bool {
	tried := a.moving
	a.moving = staysPut
	if a.role != RoleDetached || a.mode != attachAny {
		return false
	}
	switch tried {
	case mayTryNext:
		before := a.dataset.Network()
		tlvs, ok := a.pending.Next()
		if !ok || a.dataset.Try(tlvs) != nil || !before.Apart(a.dataset.Network()) {
			return false
		}
		a.moving = triesPending
		a.change.networkChanged()
		a.enter(attachStart)
		a.timer = a.Now.Add(time.Millisecond + a.RandomUpTo(attachStartJitter))
		return true
	case triesPending:
		a.change.leaveNetwork()
	case triesAnnounced:
		a.announcer.failed()
		a.change.leaveNetwork()
		a.start(attachAny)
		return true
	}
	return false
}

// arrived is for a search that has found the network where it has moved to: there the pending dataset is the active one.
func (a *attacher) arrived() {
	switch a.moving {
	case triesPending:
		if timestamp, tlvs, ok := a.pending.Take(); ok {
			_ = a.dataset.Activate(timestamp, tlvs) // it could be tried
		}
		a.change.changed()
	case triesAnnounced:
		a.announcer.arrived()
	}
	a.moving = staysPut
}

// handleParentResponse weighs an offer.
func (a *attacher) handleParentResponse(m mle.Message, info mleInfo) error {
	r := m.Read()
	source, response, leader, reported, connectivity := r.SourceAddress(), r.Response(), r.LeaderData(), r.LinkMargin(), r.Connectivity()
	linkCounter, mleCounter := r.FrameCounters()
	challenge := r.Challenge()
	if err := r.Err(); err != nil {
		return err
	}
	if a.announcer.found(response) {
		return nil
	}
	if response != a.challenge {
		return errMLEUnexpected
	}
	a.vain.answered(leader.PartitionID)
	a.courtesy.ahead = a.Now
	if a.role == RoleChild && a.neighbors.Parent.Ext == info.ext {
		a.heardParent = true
	}
	offer := neighbors.Offer{RLOC16: source, Connectivity: connectivity}
	offer.Margin = min(a.scale.Margin(info.rssi), reported)
	offer.Quality = a.scale.Quality(offer.Margin, -1)
	switch {
	case a.state == attachParentRequestRouters && offer.Quality < 3 && !a.asksOne():
		return nil // the first round takes good links only
	case !a.searches():
		return errMLEUnexpected
	case !a.prefers(offer, leader):
		return nil
	}
	c := neighbors.Candidate{
		Neighbor: neighbors.Neighbor{
			Ext: info.ext, RLOC16: source, Mode: ModeFullThreadDevice, QualityOut: a.scale.Quality(reported, -1), LastHeard: a.Now,
		},
		Response: challenge, Connectivity: connectivity, Leader: leader, Margin: offer.Margin,
	}
	a.mle.prove(&c.Neighbor, info, linkCounter, mleCounter)
	c.Link.Reset(&a.scale, info.rssi)
	a.neighbors.SetCandidate(c)
	if a.asksOne() || a.timing.ParentDecision > 0 && a.state != attachAnnounce && a.timer.Equal(a.windowEnd) {
		a.timer = a.Now // late already: a parent that forgets early must not wait for the end
	}
	return nil
}

// prefers reports whether an offer is better than what there is.
func (a *attacher) prefers(offer neighbors.Offer, leader mle.LeaderData) bool {
	if a.fullThreadDevice() && a.role != RoleDetached && !a.acceptsPartition(leader, offer.Connectivity) {
		return false
	}
	c := &a.neighbors.Candidate
	if c.State() != neighbors.ParentResponse {
		return true
	}
	order := 0
	if a.fullThreadDevice() {
		order = comparePartitions(offer.Connectivity.ActiveRouters <= 1, leader, c.Connectivity.ActiveRouters <= 1, c.Leader)
	}
	return order > 0 || order == 0 && c.WorseThan(offer)
}

// acceptsPartition checks a parent's partition against what the search is for.
func (a *attacher) acceptsPartition(leader mle.LeaderData, c mle.Connectivity) bool {
	same := leader.PartitionID == a.leader.PartitionID
	newer := int8(c.IDSequence - a.neighbors.Routers.Sequence)
	better := comparePartitions(c.ActiveRouters <= 1, leader, a.routes.single(), a.leader) > 0
	switch a.mode {
	case attachAny:
		return !same || newer > 0
	case attachSame1, attachSame2:
		// Deviation: OpenThread takes no other partition in these two rounds, even where its leader has just left for a better one.
		return same && newer > 0 || !same && better
	case attachSameDowngrade:
		return same && newer >= 0
	case attachBetter:
		larger := a.routes.quiet.possible() && leader.PartitionID == a.sought
		return (better || larger) && !(same && leader.LeaderRouterID == a.leader.LeaderRouterID)
	}
	return false
}

// sendChildIDRequest asks the candidate for an address. It reports false if the candidate is the present parent.
func (a *attacher) sendChildIDRequest() bool {
	c := &a.neighbors.Candidate
	if p := &a.neighbors.Parent; p.Ext == c.Ext {
		if a.role == RoleChild {
			return false
		}
		a.neighbors.Change(&p.Neighbor, neighbors.Invalid)
	}
	b := mle.AppendResponse(a.mle.start(mle.ChildIDRequest), c.Response)
	b = a.mle.appendFrameCounters(b)
	b = mle.AppendMode(b, a.self.mode)
	b = mle.AppendTimeout(b, a.keepAlive.timeout())
	b = mle.AppendVersion(b, mle.Version1_1)
	if a.fullThreadDevice() {
		b = mle.AppendTLVRequest(b, mle.TLVAddress16, mle.TLVNetworkData, mle.TLVRoute64)
	} else {
		b = mle.AppendTLVRequest(b, mle.TLVAddress16, mle.TLVNetworkData)
	}
	if a.dataset.Dated() || c.Leader.PartitionID == a.leader.PartitionID {
		// Deviation: stock names its dataset always. But each leader makes one without time, and two of them need not be the same.
		b = a.dataset.AppendTimestamp(b)
	} else if a.timing.AttachHold > 0 {
		// Deviation: stock's parents send all of theirs then. On LoRa that is a second frame of 0.2 s, a fifth of what a parent sends while a mesh forms.
		b = a.dataset.AppendDigest(b)
	}
	b = a.pending.AppendTimestamp(b)
	if !a.fullThreadDevice() {
		// The parent cannot put fragments together of who is no child yet.
		var whole bool
		b, whole = a.distrib.appendAddressRegistration(b, oneFrame)
		a.keepAlive.partial = !whole
	}
	a.neighbors.Change(&c.Neighbor, neighbors.Valid)
	a.mle.send(neighbors.LinkLocal(c.Ext), b)
	return true
}

// handleChildIDResponse takes the place that the candidate offers.
func (a *attacher) handleChildIDResponse(m mle.Message, info mleInfo) error {
	if a.state != attachChildIDRequest || info.ext != a.neighbors.Candidate.Ext {
		return errMLEUnexpected
	}
	r := m.Read()
	source, leader, rloc, data := r.SourceAddress(), r.LeaderData(), r.Address16(), r.NetworkData()
	route, hasRoute := r.OptionalRoute64()
	if err := r.Err(); err != nil {
		return err
	}
	if !source.IsRouter() || !rloc.IsChild() || rloc.RouterID() != source.RouterID() {
		return errMLEUnexpected
	}
	c := &a.neighbors.Candidate
	next, leaderCost := c.Neighbor, c.Connectivity.LeaderCost
	next.RLOC16, next.LastHeard = source, a.Now
	a.change.becomeDetached()
	a.change.enterPartition(leader)
	if hasRoute && a.fullThreadDevice() && !a.routes.reassign(&route) {
		return nil
	}
	a.neighbors.SetParent(next, leaderCost, neighbors.Valid)
	a.neighbors.ClearCandidate()
	a.distrib.netData.Invalidate() // what was known may be of another partition, or of another time
	a.distrib.setNetworkData(leader, data)
	a.neighbors.Parent.LastFrame = a.Now
	a.keepAlive.parentAnswers(m)
	a.change.becomeChild(rloc)
	a.moved()
	if a.distrib.netData.Outdated() {
		a.distrib.request(info.src, a.RandomUpTo(a.timing.ResponseDelay))
	}
	a.arrived()
	if !m.Has(mle.TLVPendingTimestamp) {
		a.pending.Absent()
	}
	if a.timing.AttachHold > 0 {
		if err := a.dataset.Confirm(m); err != nil {
			a.Log.Error("no dataset", "err", err)
		}
	}
	a.distrib.manage.learn(m) // last: of another prefix the parent hears as of all changes
	return nil
}
