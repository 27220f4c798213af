package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/strangers"
	"github.com/gopymesh/pymesh/thread/mle"
)

// handleUpdateRequest answers a child's keep-alive.
//
// Deviation: stock takes the request of a child from before a restart for a sign of life, with frame counters from 0 on. But it may be a
// recording, and would open the door to all others. Here it is answered, since the child may be resuming too, and changes nothing; the
// child becomes valid by its answer to the challenge that follows.
func (p *parentSide) handleUpdateRequest(m mle.Message, info mleInfo) error {
	r := m.Read()
	mode := r.Mode()
	source, hasSource := r.OptionalSourceAddress()
	addresses, hasAddresses := r.OptionalAddressRegistration()
	timeout, hasTimeout := r.OptionalTimeout()
	challenge, hasChallenge := r.OptionalChallenge()
	requested, _ := r.OptionalTLVRequest()
	if err := r.Err(); err != nil {
		return err
	}
	c := p.neighbors.Children.ByExt(info.ext)
	if c == nil || !c.Established() || c.Valid() && hasSource && source != c.RLOC16 {
		// The last of these has missed the answer that gave it another place, and resumed its old one: nothing would reach it.
		if !mode.Has(mle.ModeRxOnWhenIdle) {
			return nil // it would not hear the answer
		}
		return p.disown(info, challenge, hasChallenge)
	}
	if !hasTimeout {
		timeout = c.Timeout
	}
	timeout = min(timeout, maxChildTimeout)
	switch {
	case c.Valid():
		p.refresh(c, mode, timeout)
		if hasAddresses {
			p.register(c, addresses)
		}
	case p.mayAnswer(c):
		defer p.requestUpdate(c)
	default:
		return errMLEUnexpected
	}

	b := mle.AppendSourceAddress(p.mle.start(mle.ChildUpdateResponse), p.rloc)
	b = mle.AppendMode(b, mode)
	b = mle.AppendLeaderData(b, p.distrib.leaderData())
	if hasChallenge {
		b = p.mle.appendResponse(b, challenge)
	}
	if hasAddresses {
		b = p.appendAddresses(b, c)
	}
	if hasTimeout {
		b = mle.AppendTimeout(b, timeout)
	}
	if requested.Contains(mle.TLVNetworkData) {
		b = p.distrib.appendNetworkData(b, c.FullNetworkData())
		b = p.distrib.appendTimestamps(b)
	}
	p.mle.send(info.src, b)
	return nil
}

// disown tells a node that takes this one for its parent that it is not.
func (p *parentSide) disown(info mleInfo, challenge mle.Challenge, hasChallenge bool) error {
	if !p.mle.mayAnswer(info, strangers.ForChildren) {
		return errMLERefused
	}
	b := mle.AppendSourceAddress(p.mle.start(mle.ChildUpdateResponse), p.rloc)
	b = mle.AppendStatus(b, mle.StatusError)
	if hasChallenge {
		b = mle.AppendResponse(b, challenge) // so that it knows this for no recording
	}
	p.mle.send(info.src, b)
	return nil
}

// refresh notes what a child says of itself.
func (p *parentSide) refresh(c *neighbors.Child, mode mle.Mode, timeout time.Duration) {
	changed := c.Mode != mode || c.Timeout != timeout
	slept := c.Sleepy()
	c.Mode, c.Timeout, c.LastHeard, c.Failures = mode, timeout, p.Now, 0
	if slept && !c.Sleepy() {
		p.sender.Wake(c.Ext)
	}
	if changed {
		p.change.changed()
	}
}

// mayAnswer reports whether the request of a child from before a restart is answered: with pauses that grow until the child has proven to
// be there.
func (p *parentSide) mayAnswer(c *neighbors.Child) bool {
	if c.Answers > 0 && p.AgeOf(c.Answered) < p.timing.ChildUpdateRetry<<(c.Answers-1)/2 {
		return false // the first pause is shorter than that between its own tries
	}
	c.Answered = p.Now
	c.Answers = min(c.Answers+1, maxAnswers)
	return true
}

// requestUpdate asks a child that is known from before a restart for its state.
func (p *parentSide) requestUpdate(c *neighbors.Child) {
	c.AskAgain = p.Now.Add(askRestored)
	if c.Sleepy() && p.sender.HoldsMLE(c.Ext, mle.ChildUpdateRequest) {
		return // until it polls
	}
	b := p.appendUpdate(c)
	b = mle.AppendTLVRequest(b, mle.TLVTimeout, mle.TLVAddressRegistration)
	if c.Challenge.IsZero() { // else the answer to an earlier one may be on its way
		c.Challenge = p.newChallenge()
	}
	b = mle.AppendChallenge(b, c.Challenge)
	p.neighbors.Change(&c.Neighbor, neighbors.ChildUpdateRequest)
	p.mle.send(neighbors.LinkLocal(c.Ext), b)
}

// handleUpdateResponse handles the answer to requestUpdate.
func (p *parentSide) handleUpdateResponse(m mle.Message, info mleInfo) error {
	c := p.neighbors.Children.ByExt(info.ext)
	if c == nil || !c.Established() {
		return errMLEUnexpected
	}
	r := m.Read()
	source, hasSource := r.OptionalSourceAddress()
	response, hasResponse := r.OptionalResponse()
	status, hasStatus := r.OptionalStatus()
	linkCounter, mleCounter, hasCounters := r.OptionalFrameCounters()
	timeout, hasTimeout := r.OptionalTimeout()
	addresses, hasAddresses := r.OptionalAddressRegistration()
	leader, hasLeader := r.OptionalLeaderData()
	if err := r.Err(); err != nil {
		return err
	}
	switch {
	case hasSource && source != c.RLOC16,
		hasResponse && (c.Challenge.IsZero() || response != c.Challenge),
		!c.Valid() && !hasResponse: // nothing proves that it is no replay
		return errMLEUnexpected
	case hasStatus && status == mle.StatusError:
		p.change.drop(&c.Neighbor)
		return nil
	case !c.Valid() && !hasCounters:
		return mle.ErrAbsent
	case !c.Valid():
		p.mle.prove(&c.Neighbor, info, linkCounter, mleCounter)
		c.Challenge, c.Answers = mle.Challenge{}, 0
	}
	if hasTimeout {
		c.Timeout = min(timeout, maxChildTimeout)
	}
	if hasAddresses {
		p.register(c, addresses)
	}
	if hasLeader {
		c.NetworkDataVersion = leader.StableDataVersion
		if c.FullNetworkData() {
			c.NetworkDataVersion = leader.DataVersion
		}
		if c.NetworkDataVersion == p.distrib.netData.VersionFor(c.FullNetworkData()) {
			c.AskAgain = time.Time{}
		}
	}
	if !c.Valid() {
		c.Link.Add(&p.scale, info.rssi) // else the MAC has
	}
	if p.attached(c) {
		p.tellFull()
	}
	c.LastHeard = p.Now
	return nil
}

// expireChildren drops children that were silent for too long and asks restored ones for their state.
func (p *parentSide) expireChildren() {
	for c := range p.neighbors.Children.All() {
		switch {
		case p.AgeOf(c.LastHeard) >= p.patience(c):
			p.change.drop(&c.Neighbor)
		case p.isRouter() && c.Established() && !c.Valid() && !p.Now.Before(c.AskAgain):
			p.requestUpdate(c)
		case p.isRouter() && c.Valid() && c.Sleepy():
			p.careForSleepy(c)
		}
	}
	if p.isRouter() && p.neighbors.Children.Full() {
		p.makeRoom()
	}
}

// makeRoom looks in a full table for a child that is not there any more, and drops one at most. Who always listens is asked; who sleeps
// cannot be, and keeps its place if it was heard at all since it took that.
//
// Deviation: OpenThread waits for the child's timeout, which the child chooses. Those that have gone without a word would keep others out for
// days.
func (p *parentSide) makeRoom() {
	for c := range p.neighbors.Children.Established() {
		quiet := p.AgeOf(c.Quiet())
		switch {
		case c.Sleepy():
			if quiet >= quietSleeper && c.NeverHeard() {
				p.change.drop(&c.Neighbor)
				return
			}
		case !c.Valid(): // it was asked already
		case quiet < quietChild:
			c.Asked = 0
		case p.Now.Before(c.AskAgain):
		case c.Asked >= asksQuiet:
			p.change.drop(&c.Neighbor)
			return
		case !p.distrib.netData.Outdated():
			c.Asked++
			p.tellData(c)
		}
	}
}

// patience is the silence after which a child loses its place.
func (p *parentSide) patience(c *neighbors.Child) time.Duration {
	switch c.State() {
	case neighbors.Restored, neighbors.ChildUpdateRequest:
		if c.Sleepy() {
			return c.Timeout // it may be long before it polls
		}
		return min(c.Timeout, restoredTimeout)
	case neighbors.ChildIDRequest:
		// It waits until this node is a router, which may fail; and asks again long before.
		return min(c.Timeout, p.timing.MaxNeighborAge)
	}
	return c.Timeout
}

// removeChildren drops all children: their addresses no longer lead here.
func (p *parentSide) removeChildren() {
	for c := range p.neighbors.Children.Established() {
		p.change.drop(&c.Neighbor)
	}
}

// dropForeignChildren drops children that have an address of another router ID than this router's.
func (p *parentSide) dropForeignChildren() {
	for c := range p.neighbors.Children.Established() {
		if c.RLOC16.RouterID() != p.ownID() {
			p.change.drop(&c.Neighbor)
		}
	}
}

// restoreChildren takes up the children of before a restart, or of before a Stop.
func (p *parentSide) restoreChildren(children []ChildSettings) {
	p.neighbors.ClearChildren()
	for _, s := range children {
		if c := p.neighbors.AddChild(s.ExtAddr, neighbors.Restored); c != nil {
			c.RLOC16, c.Mode, c.Timeout, c.LastHeard = s.RLOC16, s.Mode, min(s.Timeout, maxChildTimeout), p.Now
			c.Since = p.Now
		}
	}
}
