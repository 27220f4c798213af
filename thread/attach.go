package thread

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Attaching (Thread 1.1 §4.7): ask all routers for a parent, then routers and router-eligible end devices, choose the best of those
// that answer, ask it for an address.
//
//	Start ──► ParentRequestRouters ──► ParentRequestREEDs ──► nobody: found a partition, or try again later
//	                   │ candidate            │ candidate
//	                   └──────► ChildIDRequest ◄┘ ──► Child
//
//	Synchronize: after a restart, an end device first asks its old parent whether it is still its child.
type attachState uint8

const (
	attachIdle attachState = iota
	attachSynchronize
	attachStart
	attachParentRequestRouters
	attachParentRequestREEDs
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

// attachStartJitter spreads retries of nodes that lost the same parent.
const attachStartJitter = 50 * time.Millisecond

type attach struct {
	state       attachState
	mode        attachMode
	timer       time.Time
	windowEnd   time.Time // end of the wait for Parent Responses
	counter     int       // failed attempts in a row
	challenge   mle.Challenge
	candidate   candidate
	heardParent bool // the present parent answered too
}

// candidate is the best parent so far.
type candidate struct {
	neighbor
	response     mle.Challenge // what the Child ID Request must repeat
	connectivity mle.Connectivity
	leader       mle.LeaderData
	margin       uint8
}

// parent is the router whose child this node is.
type parent struct {
	neighbor
	leaderCost uint8
}

func (e *Engine) newChallenge() mle.Challenge {
	var b [8]byte
	e.randomBytes(b[:])
	return mle.NewChallenge(b)
}

// startAttach begins in role Detached: where the node was before a restart, if it was somewhere.
func (e *Engine) startAttach() {
	e.attach.counter = 0
	e.becomeDetached()
	s := &e.settings
	switch {
	case s.Role < RoleChild || s.Mode != e.mode:
		e.setRLOC(mle.InvalidRLOC16)
		e.startSearch(attachAny)
	case s.RLOC16.IsRouter():
		if !e.routerEligible {
			e.setRLOC(mle.InvalidRLOC16)
			e.startSearch(attachAny)
			return
		}
		e.setRLOC(s.RLOC16)
		e.routing.id, e.routing.previousID = s.RLOC16.RouterID(), s.RLOC16.RouterID()
		e.routing.lastPartition = s.PartitionID
		e.restoreChildren()
		e.sendLinkRequest(nil)
		e.startTick()
	default:
		e.setRLOC(s.RLOC16)
		e.parent = parent{neighbor: neighbor{
			ext: s.Parent, rloc: s.RLOC16.RouterID().RLOC16(), kind: kindParent, state: stateRestored, mode: ModeFullThreadDevice,
		}}
		e.attach.state = attachSynchronize
		e.sendChildUpdateRequest()
	}
}

func (e *Engine) restoreChildren() {
	clear(e.children.children) // those of before a Stop
	for _, s := range e.settings.Children {
		if c := e.children.add(s.ExtAddr); c != nil {
			c.rloc, c.mode, c.timeout = s.RLOC16, s.Mode, s.Timeout
			c.state, c.lastHeard = stateRestored, e.now
		}
	}
}

// detach gives up the present place and searches for any other.
func (e *Engine) detach() {
	if e.role == RoleDisabled || e.role == RoleDetached && e.attach.state == attachStart {
		return
	}
	e.becomeDetached()
	e.parent.state = stateInvalid
	e.setRLOC(mle.InvalidRLOC16)
	e.startSearch(attachAny)
}

// startSearch begins the search for a parent, unless one is under way.
func (e *Engine) startSearch(mode attachMode) {
	if e.role == RoleDisabled || e.attach.state != attachIdle {
		return
	}
	a := &e.attach
	a.candidate = candidate{}
	a.state, a.mode = attachStart, mode
	if mode == attachBetter {
		e.counters.BetterPartitionAttempts++
	} else {
		e.advertise.Stop()
	}
	a.timer = e.now.Add(e.searchDelay())
	if e.role == RoleDetached {
		a.counter++
		e.counters.AttachAttempts++
	}
}

// searchDelay is at random for the first attempt, then grows exponentially.
func (e *Engine) searchDelay() time.Duration {
	if e.role != RoleDetached {
		return time.Millisecond + e.randomUpTo(e.timing.SearchJitter)
	}
	t := &e.timing
	if e.attach.counter == 0 {
		return time.Millisecond + e.randomUpTo(t.ParentRequestRouters)
	}
	shift := e.attach.counter - 1
	delay := t.AttachBackoffMax
	if shift < 32 && t.AttachBackoffMin<<shift <= t.AttachBackoffMax {
		delay = t.AttachBackoffMin << shift
	} else {
		delay += e.randomUpTo(2*t.AttachBackoffJitter) - t.AttachBackoffJitter
	}
	return delay + e.randomUpTo(attachStartJitter)
}

func (e *Engine) handleAttachTimer() {
	a := &e.attach
	a.timer = time.Time{}
	searching := a.state == attachParentRequestRouters || a.state == attachParentRequestREEDs
	if searching {
		if a.candidate.state == stateParentResponse && (e.role != RoleChild || a.heardParent || a.mode == attachBetter) &&
			e.sendChildIDRequest() {
			a.state = attachChildIDRequest
			a.timer = e.now.Add(e.timing.ParentRequestREEDs)
			return
		}
		if e.now.Before(a.windowEnd) {
			a.timer = a.windowEnd
			return
		}
	}
	switch a.state {
	case attachSynchronize:
		e.sendChildUpdateRequest()
	case attachStart:
		a.candidate.state = stateInvalid
		a.heardParent = false
		e.requestParents(attachParentRequestRouters)
	case attachParentRequestRouters:
		e.requestParents(attachParentRequestREEDs)
	case attachParentRequestREEDs, attachChildIDRequest:
		a.state = attachIdle
		a.candidate = candidate{}
		e.searchFailed()
	}
}

// requestParents enters one of the two searching states.
func (e *Engine) requestParents(state attachState) {
	a := &e.attach
	a.state = state
	window, mask := e.timing.ParentRequestRouters, mle.ScanRouters
	// Who has lost the leader's partition asks everybody from the first.
	if state == attachParentRequestREEDs || a.mode == attachSame1 || a.mode == attachSame2 {
		window, mask = e.timing.ParentRequestREEDs, mle.ScanRouters|mle.ScanEndDevices
	}
	a.windowEnd = e.now.Add(window)
	a.timer = a.windowEnd
	if d := e.timing.ParentDecision; d > 0 && d < window {
		a.timer = e.now.Add(d)
	}
	a.challenge = e.newChallenge()
	b := mle.AppendMode(e.newMessage(mle.ParentRequest), e.mode)
	b = mle.AppendChallenge(b, a.challenge)
	b = mle.AppendScanMask(b, mask)
	b = mle.AppendVersion(b, mle.Version1_1)
	e.sendMLE(ip6.LinkLocalAllRouters, b)
}

// searchFailed decides what follows a search without result.
func (e *Engine) searchFailed() {
	switch e.attach.mode {
	case attachAny:
		switch e.role {
		case RoleChild:
			return // the old parent is still there
		case RoleLeader:
			e.resetAdvertise() // it has searched by command, in vain
			return
		}
		if !e.routerEligible || !e.formPartition() {
			e.detach()
		}
	case attachSame1:
		e.startSearch(attachSame2)
	case attachSame2, attachSameDowngrade:
		e.startSearch(attachAny)
	}
}

func (e *Engine) handleParentResponse(m mle.Message, info mleInfo) error {
	a := &e.attach
	source, err := m.SourceAddress()
	if err != nil {
		return err
	}
	response, err := m.Response()
	if err != nil {
		return err
	}
	if response != a.challenge {
		return errMLEUnexpected
	}
	if e.role == RoleChild && e.parent.ext == info.ext {
		a.heardParent = true
	}
	leader, err := m.LeaderData()
	if err != nil {
		return err
	}
	reported, err := m.LinkMargin()
	if err != nil {
		return err
	}
	margin := min(linkMargin(e.timing.ReceiveSensitivity, info.rssi), reported)
	quality := linkQuality(margin, -1)
	if a.state == attachParentRequestRouters && quality < 3 {
		return nil // the first round takes good links only
	}
	if a.state != attachParentRequestRouters && a.state != attachParentRequestREEDs {
		return errMLEUnexpected
	}
	connectivity, err := m.Connectivity()
	if err != nil {
		return err
	}
	if e.fullThreadDevice() && e.role != RoleDetached && !e.acceptsPartition(leader, connectivity) {
		return nil
	}
	if c := &a.candidate; c.state == stateParentResponse {
		order := 0
		if e.fullThreadDevice() {
			order = comparePartitions(connectivity.ActiveRouters <= 1, leader, c.connectivity.ActiveRouters <= 1, c.leader)
		}
		if order < 0 || order == 0 && !c.worseThan(source, quality, margin, connectivity) {
			return nil
		}
	}
	linkCounter, err := m.LinkLayerFrameCounter()
	if err != nil {
		return err
	}
	mleCounter, err := mleFrameCounter(m, linkCounter)
	if err != nil {
		return err
	}
	challenge, err := m.Challenge()
	if err != nil {
		return err
	}
	a.candidate = candidate{
		neighbor: neighbor{
			ext: info.ext, rloc: source, kind: kindParent, state: stateParentResponse, mode: ModeFullThreadDevice,
			mac:        keys.ReplayFrom(info.keySequence, linkCounter),
			mle:        keys.ReplayFrom(info.keySequence, mleCounter),
			qualityOut: linkQuality(reported, -1),
			lastHeard:  e.now,
		},
		response: challenge, connectivity: connectivity, leader: leader, margin: margin,
	}
	a.candidate.link.reset(e.timing.ReceiveSensitivity, info.rssi)
	if e.timing.ParentDecision > 0 && a.timer.Equal(a.windowEnd) {
		a.timer = e.now // late already: a parent that forgets early must not wait for the end
	}
	return nil
}

// mleFrameCounter returns the MLE Frame Counter TLV's value, which is omitted where it equals the link-layer one.
func mleFrameCounter(m mle.Message, linkCounter uint32) (uint32, error) {
	if !m.Has(mle.TLVMLEFrameCounter) {
		return linkCounter, nil
	}
	return m.MLEFrameCounter()
}

// acceptsPartition checks a parent's partition against what the search is for.
func (e *Engine) acceptsPartition(leader mle.LeaderData, c mle.Connectivity) bool {
	same := leader.PartitionID == e.leader.PartitionID
	newer := int8(c.IDSequence - e.routers.sequence)
	switch e.attach.mode {
	case attachAny:
		return !same || newer > 0
	case attachSame1, attachSame2:
		return same && newer > 0
	case attachSameDowngrade:
		return same && newer >= 0
	case attachBetter:
		return !same && comparePartitions(c.ActiveRouters <= 1, leader, e.Single(), e.leader) > 0
	}
	return false
}

// worseThan compares the candidate with another parent of the same partition (Thread 1.1 §4.7.2): link quality first, then
// router before REED, then priority, then connectivity, then link margin.
func (c *candidate) worseThan(rloc mle.RLOC16, quality, margin uint8, other mle.Connectivity) bool {
	if have := c.twoWayQuality(); quality != have {
		return quality > have
	}
	if rloc.IsRouter() != c.rloc.IsRouter() {
		return rloc.IsRouter()
	}
	mine := c.connectivity
	if other.ParentPriority != mine.ParentPriority {
		return other.ParentPriority > mine.ParentPriority
	}
	if other.LinkQuality3 != mine.LinkQuality3 {
		return other.LinkQuality3 > mine.LinkQuality3
	}
	if other.LinkQuality2 != mine.LinkQuality2 {
		return other.LinkQuality2 > mine.LinkQuality2
	}
	if other.LinkQuality1 != mine.LinkQuality1 {
		return other.LinkQuality1 > mine.LinkQuality1
	}
	return margin > c.margin
}

// sendChildIDRequest asks the candidate for an address. It reports false if the candidate is the present parent.
func (e *Engine) sendChildIDRequest() bool {
	c := &e.attach.candidate
	if e.parent.ext == c.ext {
		if e.role == RoleChild {
			return false
		}
		e.parent.state = stateInvalid
	}
	b := mle.AppendResponse(e.newMessage(mle.ChildIDRequest), c.response)
	b = e.appendFrameCounters(b)
	b = mle.AppendMode(b, e.mode)
	b = mle.AppendTimeout(b, e.timing.ChildTimeout)
	b = mle.AppendVersion(b, mle.Version1_1)
	if e.fullThreadDevice() {
		b = mle.AppendTLVRequest(b, mle.TLVAddress16, mle.TLVNetworkData, mle.TLVRoute64)
	} else {
		b = e.appendAddressRegistration(b)
		b = mle.AppendTLVRequest(b, mle.TLVAddress16, mle.TLVNetworkData)
	}
	b = e.appendActiveTimestamp(b)
	c.state = stateValid
	e.sendMLE(linkLocalOf(c.ext), b)
	return true
}

func (e *Engine) handleChildIDResponse(m mle.Message, info mleInfo) error {
	a := &e.attach
	if a.state != attachChildIDRequest || info.ext != a.candidate.ext {
		return errMLEUnexpected
	}
	source, err := m.SourceAddress()
	if err != nil {
		return err
	}
	leader, err := m.LeaderData()
	if err != nil {
		return err
	}
	rloc, err := m.Address16()
	if err != nil {
		return err
	}
	if !source.IsRouter() || !rloc.IsChild() || rloc.RouterID() != source.RouterID() {
		return errMLEUnexpected
	}
	data, ok := m.Find(mle.TLVNetworkData)
	if !ok {
		return mle.ErrAbsent
	}
	var route mle.Route64
	hasRoute := m.Has(mle.TLVRoute64)
	if hasRoute {
		if route, err = m.Route64(); err != nil {
			return err
		}
	}

	mode := a.mode
	next := parent{neighbor: a.candidate.neighbor, leaderCost: a.candidate.connectivity.LeaderCost}
	e.becomeDetached()
	a.mode = mode
	e.setLeaderData(leader)
	if hasRoute && e.fullThreadDevice() {
		if !e.processRoute(&route) {
			return nil
		}
	}
	e.parent = next
	e.parent.rloc = source
	e.parent.lastHeard = e.now
	a.candidate = candidate{}
	e.learnDataset(m)
	e.setNetworkData(leader, data)
	e.becomeChild(rloc)
	return nil
}

// linkLocalOf is the link-local address of the node with that extended address (Thread 1.1 §5.2.2.4).
func linkLocalOf(ext ieee802154.ExtAddr) netip.Addr {
	id := ip6.InterfaceID(ext)
	id[0] ^= universalLocal
	return ip6.WithInterfaceID(ip6.LinkLocalPrefix, id)
}
