package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// The parent's side of attaching and keeping children (Thread 1.1 §4.7).

// maxRequestedTLVs bounds a TLV Request in a Child ID Request.
const maxRequestedTLVs = 16

func (e *Engine) handleParentRequest(m mle.Message, info mleInfo) error {
	if !e.routerEligible || !e.attached() || e.attach.state != attachIdle || !e.hearsLeader() || !e.reachesLeader() {
		return errMLEUnexpected
	}
	version, err := m.Version()
	if err != nil {
		return err
	}
	mask, err := m.ScanMask()
	if err != nil {
		return err
	}
	challenge, err := m.Challenge()
	if err != nil {
		return err
	}
	if version < mle.Version1_1 ||
		e.role == RoleChild && !mask.Has(mle.ScanEndDevices) ||
		e.isRouter() && !mask.Has(mle.ScanRouters) {
		return errMLEUnexpected
	}
	c := e.children.byExt(info.ext)
	if c == nil {
		if c = e.children.add(info.ext); c == nil {
			return errMLEUnexpected // no place left
		}
		c.state = stateParentRequest
		c.link.reset(e.timing.ReceiveSensitivity, info.rssi)
	} else if e.now.Sub(c.lastHeard) < e.timing.ParentRequestRouters && !c.lastHeard.IsZero() && c.challengeOf == challenge {
		return errMLEUnexpected // heard twice
	}
	if !c.validOrRestoring() {
		c.lastHeard = e.now
		c.timeout = e.timing.ChildIDRequest
	}
	c.challengeOf = challenge
	e.sendParentResponse(c, challenge, mask)
	return nil
}

// hearsLeader reports whether the leader still counts up the router ID sequence.
func (e *Engine) hearsLeader() bool {
	return e.routers.active() > 0 && e.now.Sub(e.routers.updated) < e.timing.NetworkIDTimeout
}

// reachesLeader reports whether a way to the leader is known.
func (e *Engine) reachesLeader() bool {
	if e.role == RoleLeader {
		return true
	}
	leader := e.routers.get(e.leader.LeaderRouterID)
	if leader == nil {
		return false
	}
	if e.role == RoleChild {
		return leader.cost+1 < maxRouteCost
	}
	return e.routers.pathCost(leader) < maxRouteCost
}

func (e *Engine) sendParentResponse(c *child, challenge mle.Challenge, mask mle.ScanMask) {
	b := mle.AppendSourceAddress(e.newMessage(mle.ParentResponse), e.rloc)
	b = mle.AppendLeaderData(b, e.leaderData())
	b = e.appendFrameCounters(b)
	b = mle.AppendResponse(b, challenge)
	c.challenge = e.newChallenge()
	b = mle.AppendChallenge(b, c.challenge)
	b = mle.AppendLinkMargin(b, c.link.margin(e.timing.ReceiveSensitivity))
	b = mle.AppendConnectivity(b, e.connectivity())
	b = mle.AppendVersion(b, mle.Version1_1)
	limit := e.timing.ParentResponseRouters
	if mask.Has(mle.ScanEndDevices) {
		limit = e.timing.ParentResponseAll
	}
	e.delayMLE(linkLocalOf(c.ext), b, time.Millisecond+e.randomUpTo(limit))
}

// connectivity describes this node as a parent (Thread 1.1 §4.5.16).
func (e *Engine) connectivity() mle.Connectivity {
	c := mle.Connectivity{
		ActiveRouters:    uint8(e.routers.active()),
		IDSequence:       e.routers.sequence,
		SEDBuffers:       true,
		SEDBufferSize:    mle.DefaultSEDBufferSize,
		SEDDatagramCount: mle.DefaultSEDDatagramCount,
	}
	if places := e.children.limit; places-e.children.attached() < places/3 {
		c.ParentPriority = mle.ParentPriorityLow
	}
	if e.parentPriority != AutomaticParentPriority {
		c.ParentPriority = e.parentPriority
	}
	count := func(quality uint8) {
		switch quality {
		case 3:
			c.LinkQuality3++
		case 2:
			c.LinkQuality2++
		case 1:
			c.LinkQuality1++
		}
	}
	cost := uint8(maxRouteCost)
	leader := e.routers.get(e.leader.LeaderRouterID)
	switch e.role {
	case RoleChild:
		count(e.parent.link.quality)
		if leader != nil {
			cost = leader.cost + linkCost(e.parent.link.quality)
		}
	case RoleRouter:
		if leader != nil {
			cost = e.routers.pathCost(leader)
		}
	case RoleLeader:
		cost = 0
	}
	c.LeaderCost = min(cost, maxRouteCost)
	for id := range e.routers.assigned.All() {
		if r := &e.routers.routers[id]; r.rloc != e.rloc && r.state == stateValid {
			count(r.twoWayQuality())
		}
	}
	return c
}

func (e *Engine) handleChildIDRequest(m mle.Message, info mleInfo) error {
	if !e.routerEligible || !e.attached() {
		return errMLEUnexpected
	}
	c := e.children.byExt(info.ext)
	if c == nil || c.state == stateParentRequest && e.children.full() {
		return errMLEUnexpected
	}
	response, err := m.Response()
	if err != nil {
		return err
	}
	if c.challenge.IsZero() || response != c.challenge {
		return errMLEUnexpected
	}
	linkCounter, err := m.LinkLayerFrameCounter()
	if err != nil {
		return err
	}
	mleCounter, err := mleFrameCounter(m, linkCounter)
	if err != nil {
		return err
	}
	mode, err := m.Mode()
	if err != nil {
		return err
	}
	timeout, err := m.Timeout()
	if err != nil {
		return err
	}
	requested, err := m.TLVRequest()
	if err != nil {
		return err
	}
	if len(requested) > maxRequestedTLVs {
		return mle.ErrTLVLength
	}
	var addresses mle.AddressRegistration
	if !mode.Has(mle.ModeFullThreadDevice) {
		if addresses, err = m.AddressRegistration(); err != nil {
			return err
		}
	}

	for _, command := range []mle.Command{mle.ParentResponse, mle.ChildIDResponse, mle.ChildUpdateRequest, mle.DataResponse} {
		e.dropQueuedMLE(info.src, command)
	}
	if r := e.routers.byExt(info.ext); r != nil && r.state != stateInvalid {
		e.removeNeighbor(&r.neighbor)
	}
	if c.validOrRestoring() {
		e.removeNeighbor(&c.neighbor)
	}
	rssi := info.rssi
	c.state = stateChildIDRequest
	c.lastHeard = e.now
	c.mac = keys.ReplayFrom(info.keySequence, linkCounter)
	c.mle = keys.ReplayFrom(info.keySequence, mleCounter+1)
	c.mode = mode
	c.failures = 0
	c.link.add(e.timing.ReceiveSensitivity, rssi)
	c.timeout = timeout
	c.networkDataVersion = e.netData.versionFor(&c.neighbor)
	c.requested = c.requested[:0]
	for t := range requested.All() {
		c.requested = append(c.requested, t)
	}
	c.needsDataset = !e.sameDataset(m)
	e.registerAddresses(c, addresses)
	if e.role == RoleChild {
		// Become a router first, then answer.
		e.solicitRouterID(tmf.ReasonHaveChildIDRequest)
		return nil
	}
	e.sendChildIDResponse(c)
	return nil
}

func (e *Engine) sendChildIDResponse(c *child) {
	b := mle.AppendSourceAddress(e.newMessage(mle.ChildIDResponse), e.rloc)
	b = mle.AppendLeaderData(b, e.leaderData())
	b = e.appendActiveTimestamp(b)
	if c.rloc == 0 || c.rloc.RouterID() != e.rloc.RouterID() {
		c.rloc = e.children.allocateRLOC(e.rloc)
	}
	b = mle.AppendAddress16(b, c.rloc)
	for _, t := range c.requested {
		switch t {
		case mle.TLVNetworkData:
			b = e.appendNetworkData(b, c.fullNetworkData())
		case mle.TLVRoute64:
			b = mle.AppendRoute64(b, e.route())
		}
	}
	if c.needsDataset {
		b = e.appendActiveDataset(b)
	}
	if !c.fullThreadDevice() {
		b = e.appendChildAddresses(b, c)
	}
	e.childAttached(c)
	e.sendMLE(linkLocalOf(c.ext), b)
}

// childAttached makes c a valid child.
func (e *Engine) childAttached(c *child) {
	if c.state == stateValid {
		return
	}
	c.state = stateValid
	e.emit(Event{Type: EventChildAdded, ExtAddr: c.ext, RLOC16: c.rloc})
	e.saveSettings()
}

// registerAddresses keeps the addresses that a minimal child has registered. An address that moved from another child leaves that one.
func (e *Engine) registerAddresses(c *child, entries mle.AddressRegistration) {
	c.addresses = c.addresses[:0]
	for entry := range entries.All() {
		addr := entry.Addr
		if entry.Compressed() {
			c, ok := e.contexts.Get(entry.ContextID)
			if !ok {
				continue
			}
			addr = ip6.WithInterfaceID(c.Prefix, entry.IID)
		}
		if len(c.addresses) == maxChildAddresses || slices.Contains(c.addresses, addr) {
			continue
		}
		c.addresses = append(c.addresses, addr)
		if addr.IsMulticast() {
			continue
		}
		for i := range e.children.children {
			if other := &e.children.children[i]; other != c {
				other.addresses = slices.DeleteFunc(other.addresses, func(a netip.Addr) bool { return a == addr })
			}
		}
	}
}

// appendChildAddresses confirms what is kept of a child's addresses.
func (e *Engine) appendChildAddresses(b []byte, c *child) []byte {
	entries := make([]mle.AddressEntry, 0, maxChildAddresses)
	for _, a := range c.addresses {
		entries = append(entries, e.addressEntry(a))
	}
	return mle.AppendAddressRegistration(b, entries...)
}

// appendAddressRegistration registers this node's own addresses with its parent.
func (e *Engine) appendAddressRegistration(b []byte) []byte {
	entries := make([]mle.AddressEntry, 0, maxAddresses)
	entries = append(entries, e.addressEntry(e.meshLocalEID))
	for _, a := range e.external {
		entries = append(entries, e.addressEntry(a))
	}
	return mle.AppendAddressRegistration(b, entries...)
}

func (e *Engine) addressEntry(a netip.Addr) mle.AddressEntry {
	if id, _, ok := e.contexts.Lookup(a); ok && !a.IsMulticast() {
		return mle.AddressEntry{ContextID: id, IID: ip6.InterfaceIDOf(a)}
	}
	return mle.AddressEntry{Addr: a}
}

// handleChildUpdateRequest answers a child's keep-alive.
func (e *Engine) handleChildUpdateRequest(m mle.Message, info mleInfo) error {
	mode, err := m.Mode()
	if err != nil {
		return err
	}
	c := e.children.byExt(info.ext)
	if c == nil || !c.validOrRestoring() {
		if mode.Has(mle.ModeRxOnWhenIdle) {
			b := mle.AppendSourceAddress(e.newMessage(mle.ChildUpdateResponse), e.rloc)
			e.sendMLE(info.src, mle.AppendStatus(b, mle.StatusError))
		}
		return nil
	}
	var addresses mle.AddressRegistration
	hasAddresses := m.Has(mle.TLVAddressRegistration)
	if hasAddresses {
		if addresses, err = m.AddressRegistration(); err != nil {
			return err
		}
	}
	timeout := c.timeout
	hasTimeout := m.Has(mle.TLVTimeout)
	if hasTimeout {
		if timeout, err = m.Timeout(); err != nil {
			return err
		}
	}
	var challenge mle.Challenge
	if m.Has(mle.TLVChallenge) {
		if challenge, err = m.Challenge(); err != nil {
			return err
		}
	}
	requested, _ := m.TLVRequest()

	changed := c.mode != mode || c.timeout != timeout
	c.mode, c.timeout = mode, timeout
	c.lastHeard = e.now
	c.failures = 0
	if hasAddresses {
		e.registerAddresses(c, addresses)
	}
	switch {
	case c.state == stateRestored || c.state == stateChildUpdateRequest:
		// The child's counters are learned from the answer to our own request; its key sequence is known now.
		e.childAttached(c)
		c.mac = keys.ReplayFrom(info.keySequence, 0)
		c.mle = keys.ReplayFrom(info.keySequence, 0)
	case changed:
		e.saveSettings()
	}

	b := mle.AppendSourceAddress(e.newMessage(mle.ChildUpdateResponse), e.rloc)
	b = mle.AppendMode(b, c.mode)
	b = mle.AppendLeaderData(b, e.leaderData())
	if !challenge.IsZero() {
		b = mle.AppendResponse(b, challenge)
		b = mle.AppendMLEFrameCounter(b, e.mleCounter)
		b = mle.AppendLinkLayerFrameCounter(b, e.mac.counter)
	}
	if hasAddresses {
		b = e.appendChildAddresses(b, c)
	}
	if hasTimeout {
		b = mle.AppendTimeout(b, c.timeout)
	}
	if requested.Contains(mle.TLVNetworkData) {
		b = e.appendNetworkData(b, c.fullNetworkData())
		b = e.appendActiveTimestamp(b)
	}
	e.sendMLE(info.src, b)
	return nil
}

// requestChildUpdate asks a child that is known from before a restart for its state.
func (e *Engine) requestChildUpdate(c *child) {
	b := mle.AppendSourceAddress(e.newMessage(mle.ChildUpdateRequest), e.rloc)
	b = mle.AppendLeaderData(b, e.leaderData())
	b = e.appendNetworkData(b, c.fullNetworkData())
	b = e.appendActiveTimestamp(b)
	if c.state != stateValid {
		b = mle.AppendTLVRequest(b, mle.TLVTimeout, mle.TLVAddressRegistration)
		c.challenge = e.newChallenge()
		b = mle.AppendChallenge(b, c.challenge)
		c.state = stateChildUpdateRequest
	}
	e.sendMLE(linkLocalOf(c.ext), b)
}

// handleChildUpdateResponse handles the answer to requestChildUpdate.
func (e *Engine) handleChildUpdateResponse(m mle.Message, info mleInfo) error {
	c := e.children.byExt(info.ext)
	if c == nil {
		return errMLEUnexpected
	}
	if m.Has(mle.TLVSourceAddress) {
		source, err := m.SourceAddress()
		if err != nil {
			return err
		}
		if source != c.rloc {
			return errMLEUnexpected
		}
	}
	proven := c.state == stateValid
	if m.Has(mle.TLVResponse) {
		response, err := m.Response()
		if err != nil {
			return err
		}
		if c.challenge.IsZero() || response != c.challenge {
			return errMLEUnexpected
		}
		proven = true
	}
	if !proven {
		return errMLEUnexpected
	}
	if m.Has(mle.TLVStatus) {
		status, err := m.Status()
		if err != nil {
			return err
		}
		if status == mle.StatusError {
			e.removeNeighbor(&c.neighbor)
			return nil
		}
	}
	if m.Has(mle.TLVLinkLayerFrameCounter) {
		linkCounter, err := m.LinkLayerFrameCounter()
		if err != nil {
			return err
		}
		mleCounter, err := mleFrameCounter(m, linkCounter)
		if err != nil {
			return err
		}
		c.mac = keys.ReplayFrom(info.keySequence, linkCounter)
		c.mle = keys.ReplayFrom(info.keySequence, mleCounter)
	}
	if m.Has(mle.TLVTimeout) {
		timeout, err := m.Timeout()
		if err != nil {
			return err
		}
		c.timeout = timeout
	}
	if m.Has(mle.TLVAddressRegistration) {
		entries, err := m.AddressRegistration()
		if err != nil {
			return err
		}
		e.registerAddresses(c, entries)
	}
	if m.Has(mle.TLVLeaderData) {
		leader, err := m.LeaderData()
		if err != nil {
			return err
		}
		c.networkDataVersion = leader.StableDataVersion
		if c.fullNetworkData() {
			c.networkDataVersion = leader.DataVersion
		}
	}
	e.childAttached(c)
	c.lastHeard = e.now
	c.link.add(e.timing.ReceiveSensitivity, info.rssi)
	return nil
}

// tickChildren drops children that were silent for too long and asks restored ones for their state.
func (e *Engine) tickChildren() {
	for i := range e.children.children {
		c := &e.children.children[i]
		switch c.state {
		case stateInvalid:
			continue
		}
		if e.now.Sub(c.lastHeard) >= c.timeout {
			e.removeNeighbor(&c.neighbor)
		} else if c.state == stateRestored && e.isRouter() {
			e.requestChildUpdate(c)
		}
	}
}

// removeChildren drops all children: their addresses no longer lead here.
func (e *Engine) removeChildren() {
	for i := range e.children.children {
		if c := &e.children.children[i]; c.validOrRestoring() {
			e.removeNeighbor(&c.neighbor)
		}
	}
}
