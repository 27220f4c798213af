package thread

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/internal/strangers"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

const (
	// AutomaticParentPriority as a node's parent priority makes it low when places for children get few, medium otherwise.
	AutomaticParentPriority mle.ParentPriority = -2

	// maxChildTimeout is the longest timeout that a child is granted, for one that tells once a day that it is there.
	//
	// Deviation: OpenThread grants the 136 years that 32 bits of seconds may say. A few children that never come back would fill a router.
	maxChildTimeout = 48 * time.Hour
	// restoredTimeout is how long a child that is known from before a restart has time to answer, and askRestored how often it is asked:
	// it always listens, unless it sleeps. If it comes back later it takes a place anew.
	restoredTimeout = 4 * time.Minute
	askRestored     = restoredTimeout / 4

	// A child of a full router is asked whether it is there after so much silence, and loses its place if it is not heard after that many times; one
	// that sleeps and has not been heard at all loses it after quietSleeper.
	quietChild   = 10 * time.Minute
	quietSleeper = 30 * time.Minute
	asksQuiet    = 3

	// maxRequestedTLVs bounds a TLV Request in a Child ID Request.
	maxRequestedTLVs = 16

	// maxAnswers is after how many answers to a child that proves nothing the pauses between them double no more.
	maxAnswers = 8
)

// parentSide is the parent's side of attaching and keeping children (Thread 1.1 §4.7):
//
//	Parent Request ─► half-open ─► Parent Response
//	Child ID Request ─► ChildIDRequest ─ this node is a router, or becomes one ─► Child ID Response ─► Valid
//	Child Update Request ─► heard ─► Child Update Response
//	silent for its timeout ─► dropped
type parentSide struct {
	*self
	change    transitions
	neighbors *neighbors.Table
	sender    *sender.Sender
	dataset   *dataset.Active
	pending   *dataset.Pending
	mle       *mleMessenger
	attach    *attacher
	routes    *routes
	selection *selection
	distrib   *distributor

	priority mle.ParentPriority
}

// handleParentRequest offers this node as a parent.
func (p *parentSide) handleParentRequest(m mle.Message, info mleInfo) error {
	if !p.mayOffer() {
		return errMLEUnexpected
	}
	r := m.Read()
	mode, version, mask, challenge := r.Mode(), r.Version(), r.ScanMask(), r.Challenge()
	if err := r.Err(); err != nil {
		return err
	}
	if version < mle.Version1_1 || !servable(mode) || !p.isAsked(mask) {
		return errMLEUnexpected
	}
	c := p.neighbors.Children.ByExt(info.ext)
	if c != nil && !c.LastHeard.IsZero() && p.AgeOf(c.LastHeard) < p.timing.ParentRequestRouters && c.ChallengeOf == challenge {
		return errMLEUnexpected // heard twice
	}
	if c == nil && !p.neighbors.Children.HasPlace() {
		return errMLEUnexpected
	}
	if !p.mle.mayAnswer(info, strangers.ForChildren) {
		return errMLERefused
	}
	if c == nil {
		c = p.neighbors.AddChild(info.ext, neighbors.ParentRequest)
		c.Link.Reset(&p.scale, info.rssi)
	}
	if !c.Established() {
		c.LastHeard = p.Now
		c.Timeout = p.timing.ChildIDRequest
	}
	c.ChallengeOf = challenge
	c.Offers = 0
	p.sendParentResponse(c, challenge, mask, info.dst)
	return nil
}

// unneeded reports whether a stranger's Parent Request would have no answer.
func (p *parentSide) unneeded(beginning mle.Message, _ mleInfo) bool {
	mask, err := beginning.ScanMask()
	return err == nil && (!p.mayOffer() || !p.isAsked(mask))
}

// mayOffer reports whether this node may be a parent now.
func (p *parentSide) mayOffer() bool {
	return p.routerEligible() && p.attach.offers() && p.routes.hearsLeader() && p.routes.reachesLeader() && !p.distrib.netData.Outdated()
}

// openChallenge is how long a challenge to a neighbor that seems to begin anew stays open: for two rounds of its search. What it sent before
// and was never heard may be on a tape.
func (p *parentSide) openChallenge() time.Duration { return 2 * p.timing.ChildIDRequest }

// isAsked reports whether a Parent Request with that mask is meant for a node of this role.
func (p *parentSide) isAsked(mask mle.ScanMask) bool {
	if p.isRouter() {
		return mask.Has(mle.ScanRouters)
	}
	return p.role != RoleChild || mask.Has(mle.ScanEndDevices)
}

// servable reports whether a node can have that mode: a full Thread device listens always.
func servable(m mle.Mode) bool {
	return m.Has(mle.ModeRxOnWhenIdle) || !m.Has(mle.ModeFullThreadDevice)
}

// polled handles a data request, which is secured. One of a child that is known from before a restart may be a recording: it has what waits
// for the child sent, which is but the question whether it is still there, and counts for nothing else.
func (p *parentSide) polled(f mac.Received) {
	n := p.neighbors.ByAddr(f.Src)
	if n == nil || n.Kind() != neighbors.KindChild {
		return
	}
	if n.Valid() {
		n.LastHeard = p.Now
	}
	p.sender.Polled(n.Ext)
}

// updateSleepy tells the children that sleep of the network data that they do not have: they hear nobody announce them.
func (p *parentSide) updateSleepy() {
	for c := range p.neighbors.Children.Sleepy() {
		if c.Valid() && c.NetworkDataVersion != p.distrib.netData.VersionFor(c.FullNetworkData()) {
			p.sender.DropMLE(neighbors.LinkLocal(c.Ext), mle.ChildUpdateRequest)
			p.tellData(c)
		}
	}
}

// tellData sends a child the network data.
func (p *parentSide) tellData(c *neighbors.Child) {
	if p.distrib.netData.Outdated() {
		return
	}
	c.AskAgain = p.Now.Add(askRestored)
	p.mle.send(neighbors.LinkLocal(c.Ext), p.appendUpdate(c))
}

// appendUpdate begins a Child Update Request.
func (p *parentSide) appendUpdate(c *neighbors.Child) []byte {
	b := mle.AppendSourceAddress(p.mle.start(mle.ChildUpdateRequest), p.rloc)
	b = mle.AppendLeaderData(b, p.distrib.leaderData())
	b = p.distrib.appendNetworkData(b, c.FullNetworkData())
	return p.distrib.appendTimestamps(b)
}

// careForSleepy sends a child that sleeps what it has missed, or an empty frame if it has had none for long.
func (p *parentSide) careForSleepy(c *neighbors.Child) {
	switch t := p.timing.Supervision; {
	case p.sender.Holds(c.Ext):
	case c.NetworkDataVersion != p.distrib.netData.VersionFor(c.FullNetworkData()) && !p.Now.Before(c.AskAgain):
		p.tellData(c)
	case t > 0 && p.AgeOf(c.LastAcked) >= t:
		p.sender.Supervise(c.Ext)
	}
}

func (p *parentSide) sendParentResponse(c *neighbors.Child, challenge mle.Challenge, mask mle.ScanMask, asked netip.Addr) {
	b := mle.AppendSourceAddress(p.mle.start(mle.ParentResponse), p.rloc)
	b = mle.AppendLeaderData(b, p.distrib.leaderData())
	b = p.mle.appendFrameCounters(b)
	b = mle.AppendResponse(b, challenge)
	if c.Challenge.IsZero() || p.AgeOf(c.Challenged) >= p.openChallenge() {
		// While one is open it stays: else a recorded request, sent between this answer and what the child makes of it, would undo both.
		c.Challenge, c.Challenged = p.newChallenge(), p.Now
	}
	b = mle.AppendChallenge(b, c.Challenge)
	b = mle.AppendLinkMargin(b, c.Link.Margin(&p.scale))
	b = mle.AppendConnectivity(b, p.connectivity())
	b = mle.AppendVersion(b, mle.Version1_1)
	if !asked.IsMulticast() {
		p.mle.send(neighbors.LinkLocal(c.Ext), b) // nobody else answers
		return
	}
	limit := p.timing.ParentResponseRouters
	if mask.Has(mle.ScanEndDevices) {
		limit = p.timing.ParentResponseAll
	}
	if p.full() { // one offer of somebody else's is enough
		c.Offers = max(p.timing.ParentOffers-1, 0)
	}
	p.mle.delay(neighbors.LinkLocal(c.Ext), b, time.Millisecond+p.RandomUpTo(limit))
}

// overheard notes an offer of somebody else's to a node that has asked for parents: after some of them this node's own is not needed. An
// offer is authentic and repeats the challenge of the request, so that no forged and no recorded one counts.
func (p *parentSide) overheard(to ieee802154.ExtAddr, psdu []byte) {
	p.attach.overheard(psdu)
	if p.timing.ParentOffers == 0 {
		return
	}
	c := p.neighbors.Children.ByExt(to)
	if c == nil || c.State() != neighbors.ParentRequest || c.Offers >= p.timing.ParentOffers {
		return
	}
	m, ok := p.mle.overhear(psdu)
	if !ok || m.Command != mle.ParentResponse {
		return
	}
	if response, err := m.Response(); err != nil || response != c.ChallengeOf {
		return
	}
	if c.Offers++; c.Offers == p.timing.ParentOffers {
		if p.mle.withdraw(mle.ParentResponse, neighbors.LinkLocal(to)) {
			p.mle.answers.Withdraw(to, strangers.ForChildren)
		}
		p.sender.DropMLE(neighbors.LinkLocal(to), mle.ParentResponse)
	}
}

// connectivity describes this node as a parent (Thread 1.1 §4.5.16).
func (p *parentSide) connectivity() mle.Connectivity {
	c := mle.Connectivity{
		ActiveRouters:    uint8(p.neighbors.Routers.Active()),
		IDSequence:       p.neighbors.Routers.Sequence,
		LeaderCost:       p.leaderCost(),
		SEDBuffers:       true,
		SEDBufferSize:    mle.DefaultSEDBufferSize,
		SEDDatagramCount: mle.DefaultSEDDatagramCount,
	}
	if places := p.neighbors.Children.Limit(); places-p.neighbors.Children.Attached() < places/3 {
		c.ParentPriority = mle.ParentPriorityLow
	}
	if p.priority != AutomaticParentPriority {
		c.ParentPriority = p.priority
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
	if p.role == RoleChild {
		count(p.neighbors.Parent.Link.Quality)
	}
	for _, r := range p.neighbors.Routers.Linked() {
		count(r.TwoWayQuality())
	}
	return c
}

// leaderCost is the cost of this node's way to the leader.
func (p *parentSide) leaderCost() uint8 {
	leader := p.neighbors.Routers.Get(p.leader.LeaderRouterID)
	switch {
	case p.role == RoleLeader:
		return 0
	case leader == nil:
		return neighbors.MaxRouteCost
	case p.role == RoleChild:
		return min(leader.Cost+neighbors.LinkCost(p.neighbors.Parent.Link.Quality), neighbors.MaxRouteCost)
	}
	return p.neighbors.Routers.PathCost(leader)
}

// handleChildIDRequest makes the sender a child.
func (p *parentSide) handleChildIDRequest(m mle.Message, info mleInfo) error {
	if !p.routerEligible() || p.distrib.netData.Outdated() {
		return errMLEUnexpected // a child needs the network data
	}
	c := p.neighbors.Children.ByExt(info.ext)
	if c == nil || c.State() == neighbors.ParentRequest && p.neighbors.Children.Full() {
		return errMLEUnexpected
	}
	r := m.Read()
	response, mode, timeout, requested := r.Response(), r.Mode(), r.Timeout(), r.TLVRequest()
	linkCounter, mleCounter := r.FrameCounters()
	var addresses mle.AddressRegistration
	if !mode.Has(mle.ModeFullThreadDevice) {
		addresses = r.AddressRegistration()
	}
	if err := r.Err(); err != nil {
		return err
	}
	late := info.doubtful && p.AgeOf(c.Challenged) >= p.openChallenge()
	if c.Challenge.IsZero() || response != c.Challenge || late || !servable(mode) {
		return errMLEUnexpected
	}
	if len(requested) > maxRequestedTLVs {
		return mle.ErrTLVLength
	}

	p.forgetEarlier(c, info)
	c.Challenge = mle.Challenge{} // the same request is no answer again
	p.neighbors.Change(&c.Neighbor, neighbors.ChildIDRequest)
	c.LastHeard, c.Since = p.Now, p.Now
	p.mle.prove(&c.Neighbor, info, linkCounter, mleCounter)
	c.Said = neighbors.Known{Key: info.keySequence, Counter: linkCounter, At: p.Now.Add(-saidBefore)}
	c.Mode, c.Timeout, c.Failures = mode, min(timeout, maxChildTimeout), 0
	c.Link.Add(&p.scale, info.rssi)
	c.NetworkDataVersion = p.distrib.netData.VersionFor(c.FullNetworkData())
	c.Requested = c.Requested[:0]
	for t := range requested.All() {
		c.Requested = append(c.Requested, t)
	}
	c.NeedsDataset, c.NeedsPending = !p.dataset.Told(m), !p.pending.Same(m)
	p.register(c, addresses)
	if p.role == RoleChild {
		// Become a router first, then answer.
		p.selection.solicit(tmf.ReasonHaveChildIDRequest)
		return nil
	}
	p.sendChildIDResponse(c)
	return nil
}

// forgetEarlier drops what is on its way to a node that asks for a place, and what the node was before.
func (p *parentSide) forgetEarlier(c *neighbors.Child, info mleInfo) {
	for _, command := range [...]mle.Command{mle.ParentResponse, mle.ChildIDResponse, mle.ChildUpdateRequest, mle.DataResponse} {
		p.sender.DropMLE(info.src, command)
	}
	if r := p.neighbors.Routers.ByExt(info.ext); r != nil && r.State() != neighbors.Invalid {
		p.change.drop(&r.Neighbor)
	}
	if c.Established() {
		p.change.drop(&c.Neighbor)
	}
}

// answerWaiting answers the nodes that wait for their place since this node was no router yet.
func (p *parentSide) answerWaiting() {
	for c := range p.neighbors.Children.All() {
		if c.State() == neighbors.ChildIDRequest {
			p.sendChildIDResponse(c)
		}
	}
}

func (p *parentSide) sendChildIDResponse(c *neighbors.Child) {
	b := mle.AppendSourceAddress(p.mle.start(mle.ChildIDResponse), p.rloc)
	b = mle.AppendLeaderData(b, p.distrib.leaderData())
	b = p.distrib.appendTimestamps(b)
	if c.RLOC16 == 0 || c.RLOC16.RouterID() != p.ownID() {
		c.RLOC16 = p.neighbors.Children.Allocate(p.rloc)
	}
	b = mle.AppendAddress16(b, c.RLOC16)
	for _, t := range c.Requested {
		switch t {
		case mle.TLVNetworkData:
			b = p.distrib.appendNetworkData(b, c.FullNetworkData())
		case mle.TLVRoute64:
			b = mle.AppendRoute64(b, p.neighbors.Routers.Route64())
		}
	}
	if c.NeedsDataset {
		b = p.dataset.AppendTLVs(b)
	}
	if c.NeedsPending {
		b = p.pending.AppendTLVs(b)
	}
	if !c.FullThreadDevice() {
		b = p.appendAddresses(b, c)
	}
	added := p.attached(c)
	p.mle.send(neighbors.LinkLocal(c.Ext), b)
	if added {
		p.tellFull()
	}
}

// tellFull tells those who would ask, and children that may become routers, that there is no place for another child.
func (p *parentSide) tellFull() {
	if p.timing.AttachHold > 0 && p.neighbors.Children.Full() {
		p.routes.sendAdvertisement()
	}
}

// attached makes c a valid child. It reports false if c was one.
func (p *parentSide) attached(c *neighbors.Child) bool {
	if c.Valid() {
		return false
	}
	c.LastAcked = p.Now
	p.neighbors.Change(&c.Neighbor, neighbors.Valid)
	p.change.changed()
	return true
}

// register keeps the addresses that a minimal child has registered.
func (p *parentSide) register(c *neighbors.Child, entries mle.AddressRegistration) {
	c.Addresses = c.Addresses[:0]
	for entry := range entries.All() {
		addr := entry.Addr
		if entry.Compressed() {
			context, ok := p.distrib.contexts.Get(entry.ContextID)
			if !ok {
				continue
			}
			addr = ip6.WithInterfaceID(context.Prefix, entry.IID)
		}
		p.neighbors.Children.Register(c, addr)
	}
}

// appendAddresses confirms what is kept of a child's addresses.
func (p *parentSide) appendAddresses(b []byte, c *neighbors.Child) []byte {
	entries := make([]mle.AddressEntry, 0, neighbors.MaxChildAddresses)
	for _, a := range c.Addresses {
		entries = append(entries, p.distrib.addressEntry(a))
	}
	return mle.AppendAddressRegistration(b, entries...)
}
