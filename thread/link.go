package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/strangers"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// childRouterLinks is how many routers besides its parent a child listens to.
const childRouterLinks = 6

// links are links between routers, by the handshake that OpenThread has: both ends learn the other's frame counters, each proving by a challenge that it is
// not replayed.
//
//	A ── Link Request (challenge a) ──────────────────► B
//	A ◄── Link Accept and Request (response a, challenge b) ── B
//	A ── Link Accept (response b) ────────────────────► B
//
// If both ask at the same time, both answer. Who does not answer is asked again after a pause.
//
// A router that restarted asks all in range; who knows it tells it its address.
type links struct {
	*self
	change    transitions
	neighbors *neighbors.Table
	mle       *mleMessenger
	attach    *attacher
	routes    *routes
	distrib   *distributor
	quiet     *quiet

	challenge      mle.Challenge // of the last multicast Link Request
	challengeUntil time.Time
	greetAfter     time.Time // before which no board is greeted
	strangerAsked  time.Time // when a router whose ID is not known was asked last
}

// request asks one router for a link, or all routers in range if r is nil.
func (l *links) request(r *neighbors.Router) {
	b := mle.AppendVersion(l.mle.start(mle.LinkRequest), mle.Version1_1)
	switch l.role {
	case RoleDetached:
		b = mle.AppendTLVRequest(b, mle.TLVAddress16, mle.TLVRoute64)
	case RoleChild:
		b = mle.AppendSourceAddress(b, l.rloc)
		b = mle.AppendLeaderData(b, l.distrib.leaderData())
	default:
		if r == nil || !r.Valid() {
			b = mle.AppendTLVRequest(b, mle.TLVLinkMargin)
		} else {
			b = mle.AppendTLVRequest(b, mle.TLVLinkMargin, mle.TLVRoute64)
		}
		b = mle.AppendSourceAddress(b, l.rloc)
		b = mle.AppendLeaderData(b, l.distrib.leaderData())
	}
	challenge := l.newChallenge()
	if r != nil && r.Again > 0 {
		challenge = r.Challenge // the first answer may be on its way
	}
	b = mle.AppendChallenge(b, challenge)
	if r == nil {
		l.challenge = challenge
		// Answers to a multicast are delayed at random.
		l.challengeUntil = l.Now.Add(max(2*l.timing.ResponseDelay, l.timing.LinkRequest))
		l.mle.send(ip6.LinkLocalAllRouters, b)
		return
	}
	r.Challenge = challenge
	if delay := l.RandomUpTo(l.timing.LinkRequestJitter); delay > 0 && !r.Valid() && !r.Greeted.Equal(l.Now) {
		l.mle.delay(neighbors.LinkLocal(r.Ext), b, delay) // others have heard it as well
		return
	}
	l.mle.send(neighbors.LinkLocal(r.Ext), b)
}

// unanswered reports whether the time for answers to a multicast Link Request is over.
func (l *links) unanswered() bool { return l.IsDue(l.challengeUntil) }

// answersMulticast reports whether a response is to the last multicast Link Request.
func (l *links) answersMulticast(response mle.Challenge) bool {
	return l.Now.Before(l.challengeUntil) && response == l.challenge
}

// maxUnanswered bounds how often the pause before the next Link Request doubles: from LinkRequest to 32 times that.
const maxUnanswered = 5

// mayOpen reports whether a router that was heard may be asked for a link. One that did not answer is asked again after ever longer
// pauses, however often it is heard: it may not be there, or not hear this node.
func (l *links) mayOpen(r *neighbors.Router) bool {
	// Deviation: for stock a full channel is no reason to wait.
	if l.full() && (l.role == RoleChild || l.neighbors.Routers.Links() > 0) {
		return false
	}
	return r.State() == neighbors.Invalid && !l.attach.leaving() && !l.Now.Before(r.AskAfter)
}

// maxLinkAgain is how often a Link Request is repeated while it is open.
const maxLinkAgain = 2

// requestAgain repeats a router's Link Request that nobody has answered for a while, or has one follow an answer that nobody has answered.
//
// Deviation: stock waits for the request to expire, and then for the next Advertisement. Nobody acknowledges these messages; until both ends have
// the link, what one sends to the other gets lost, and where it is the way to the leader nobody behind it becomes a router. Whose first request was in
// vain may have heard an echo of somebody far away.
func (l *links) requestAgain(r *neighbors.Router) {
	due := r.Opened.Add(time.Duration(r.Again+1) * l.timing.LinkRequest / (maxLinkAgain + 1))
	if l.timing.LinkRequestJitter == 0 || !l.isRouter() || r.Unanswered > 0 || r.Again >= maxLinkAgain || r.Challenge.IsZero() || l.Now.Before(due) {
		return
	}
	r.Again++
	l.request(r)
}

// unansweredBy notes that a Link Request to r has led to nothing.
func (l *links) unansweredBy(r *neighbors.Router) {
	r.AskAfter = l.Now.Add(l.timing.LinkRequest << r.Unanswered)
	r.Unanswered = min(r.Unanswered+1, maxUnanswered)
}

// open starts a link to a router that was heard.
func (l *links) open(r *neighbors.Router, info mleInfo) {
	if !l.mle.mayAnswer(info, strangers.ForLinks) {
		l.counters.MLERefused++
		return
	}
	l.heardUnlinked(r, info)
	l.request(r)
}

// heardUnlinked notes what is known of a router before the link to it is established.
func (l *links) heardUnlinked(r *neighbors.Router, info mleInfo) {
	r.Ext = info.ext
	r.Link.Reset(&l.scale, info.rssi)
	r.Failures = 0
	r.Opened, r.Again = l.Now, 0
	r.Challenge = mle.Challenge{}
	l.neighbors.Change(&r.Neighbor, neighbors.LinkRequest)
}

// handleRequest answers a Link Request.
func (l *links) handleRequest(m mle.Message, info mleInfo) error {
	if !l.attach.staying() {
		return errMLEUnexpected
	}
	rd := m.Read()
	challenge, version := rd.Challenge(), rd.Version()
	leader, hasLeader := rd.OptionalLeaderData()
	requested, _ := rd.OptionalTLVRequest()
	source, hasSource := rd.OptionalSourceAddress()
	if err := rd.Err(); err != nil {
		return err
	}
	if version < mle.Version1_1 || hasLeader && leader.PartitionID != l.leader.PartitionID {
		return errMLEUnexpected
	}
	var r *neighbors.Router
	if hasSource {
		if source.IsRouter() {
			r = l.neighbors.Routers.Get(source.RouterID())
			if r == nil {
				// A child that became a router just now, before this node has heard of its router ID. It is kept until then, so that its
				// first Advertisement is a neighbor's, which is believed, and a link can follow.
				return errMLEUnexpected
			}
		}
		if info.fresh {
			l.forgetMoved(info, source)
		}
		if r != nil && (r.RLOC16 == l.rloc || !l.mayAnswer(r, info)) {
			return errMLEUnexpected
		}
	} else {
		// A router that restarted does not know its address: only a neighbor can tell it.
		if r = l.restarted(info.ext); r == nil {
			return errMLEUnexpected
		}
	}
	if !l.mle.mayAnswer(info, strangers.ForLinks) {
		return errMLERefused
	}
	if r != nil && hasSource && !r.Valid() {
		if r.State() != neighbors.LinkRequest || r.Ext != info.ext {
			l.heardUnlinked(r, info)
		}
		r.Answered = l.Now
	}
	if info.fresh {
		l.routes.missed()
	}
	return l.accept(r, challenge, requested, info)
}

// restarted returns the router with an extended address that has restarted, nil if there is none.
//
// Deviation: for stock it is one to which there is a link. Where a router that does not acknowledge is asked at once, there is none to it after a
// quarter of a minute; it is no less the same one, as long as its ID is.
func (l *links) restarted(ext ieee802154.ExtAddr) *neighbors.Router {
	if n := l.neighbors.ByExt(ext); n != nil {
		if n.Kind() != neighbors.KindRouter || !n.Valid() {
			return nil
		}
		return l.neighbors.Routers.Get(n.RLOC16.RouterID())
	}
	if r := l.neighbors.Routers.ByExt(ext); l.quiet.rare && r != nil && r.RLOC16 != l.rloc {
		return r
	}
	return nil
}

// askStranger asks a router for a link whose ID this one does not know: its answer, which is proven to be fresh, tells of the assignment of its ID. It
// may take the place of one that is lost, and be the way by which that would come from the leader.
//
// Deviation: stock waits until it has heard of the ID from the leader.
func (l *links) askStranger(info mleInfo) {
	if !l.mayAskStranger() || !l.mle.mayAnswer(info, strangers.ForLinks) {
		return
	}
	l.strangerAsked = l.Now
	l.challenge, l.challengeUntil = l.newChallenge(), l.Now.Add(l.timing.LinkRequest)
	b := mle.AppendVersion(l.mle.start(mle.LinkRequest), mle.Version1_1)
	b = mle.AppendTLVRequest(b, mle.TLVLinkMargin)
	b = mle.AppendSourceAddress(b, l.rloc)
	b = mle.AppendLeaderData(b, l.distrib.leaderData())
	l.mle.delay(info.src, mle.AppendChallenge(b, l.challenge), l.RandomUpTo(l.timing.LinkRequestJitter))
}

// mayAskStranger reports whether askStranger would.
func (l *links) mayAskStranger() bool {
	return l.role == RoleRouter && l.quiet.rare && l.routes.selection.familiar() && l.Now.Sub(l.strangerAsked) >= muteAgain
}

// heardRequest is for a child, which counts the routers that it hears: a new one asks for links before it advertises.
func (l *links) heardRequest(m mle.Message, info mleInfo) error {
	rd := m.Read()
	leader, _ := rd.OptionalLeaderData()
	source, _ := rd.OptionalSourceAddress()
	if err := rd.Err(); err != nil {
		return err
	}
	if l.timing.RouterNeighbors == 0 || leader.PartitionID != l.leader.PartitionID || !source.IsRouter() {
		return errMLEUnexpected
	}
	l.routes.selection.hearNew(source.RouterID(), info)
	return nil
}

// mayAnswer reports whether a router's Link Request fits what is known of it.
//
// Deviation: OpenThread does not answer while its own request is open. If two requests cross, neither gets an answer, and the link has
// to wait until both have expired. Here both get one, which repeats this node's open challenge: the first answer that arrives makes the
// link, whatever the other does. It is one for each half of the time that a request is open: a recorded request may come more often.
func (l *links) mayAnswer(r *neighbors.Router, info mleInfo) bool {
	if r.Valid() {
		return r.Ext == info.ext
	}
	return r.State() != neighbors.LinkRequest || l.Now.Sub(r.Answered) >= l.timing.LinkRequest/2
}

// forgetMoved ends the link to a neighbor that now has another address.
func (l *links) forgetMoved(info mleInfo, source mle.RLOC16) {
	n := l.neighbors.ByExt(info.ext)
	if n == nil {
		n = l.neighbors.Overheard(ieee802154.ExtAddress(info.ext))
	}
	if n != nil && n.RLOC16 != source {
		l.change.drop(n)
	}
}

// boardListens is how long boards surely wait for answers to a multicast Link Request, after a restart above all: it is two to three seconds.
const boardListens = 2 * time.Second

// accept answers a Link Request; with a request of its own where the link is not mutual yet. r is nil for a child that
// only wants to listen.
func (l *links) accept(r *neighbors.Router, challenge mle.Challenge, requested mle.TLVRequest, info mleInfo) error {
	command := mle.LinkAccept
	restarts := l.quiet.rare && requested.Contains(mle.TLVAddress16) // it has to be a router again before, and advertises then
	if r != nil && !r.Valid() && !restarts {
		command = mle.LinkAcceptAndRequest
	}
	b := mle.AppendVersion(l.mle.start(command), mle.Version1_1)
	b = mle.AppendSourceAddress(b, l.rloc)
	b = mle.AppendResponse(b, challenge)
	b = l.mle.appendFrameCounters(b)
	b = mle.AppendLinkMargin(b, l.scale.Margin(info.rssi))
	if r != nil {
		b = mle.AppendLeaderData(b, l.distrib.leaderData())
	}
	for t := range requested.All() {
		switch t {
		case mle.TLVRoute64:
			b = mle.AppendRoute64(b, l.neighbors.Routers.Route64())
		case mle.TLVAddress16:
			if r == nil {
				return errMLEUnexpected
			}
			b = mle.AppendAddress16(b, r.RLOC16)
		case mle.TLVLinkMargin:
		default:
			return errMLEUnexpected
		}
	}
	if command == mle.LinkAcceptAndRequest {
		if r.Challenge.IsZero() {
			r.Challenge = l.newChallenge()
		}
		b = mle.AppendChallenge(b, r.Challenge)
		b = mle.AppendTLVRequest(b, mle.TLVLinkMargin)
	}
	if info.dst.IsMulticast() {
		delay := l.timing.ResponseDelay
		if r != nil && r.Foreign {
			delay = min(delay, boardListens)
		}
		l.mle.delay(info.src, b, time.Millisecond+l.RandomUpTo(delay))
	} else {
		l.mle.send(info.src, b)
	}
	return nil
}

// An acceptance is what a Link Accept says.
type acceptance struct {
	command                 mle.Command
	source                  mle.RLOC16
	response                mle.Challenge
	linkCounter, mleCounter uint32
	margin                  uint8
	leader                  mle.LeaderData
	route                   mle.Route64
	address                 mle.RLOC16 // this node's own, as the sender knows it
	hasLeader, hasRoute     bool
	hasAddress              bool

	// Of a Link Accept and Request.
	challenge mle.Challenge
	requested mle.TLVRequest
}

func (l *links) readAccept(m mle.Message) (a acceptance, err error) {
	r := m.Read()
	a.command = m.Command
	a.source, a.response = r.SourceAddress(), r.Response()
	a.linkCounter, a.mleCounter = r.FrameCounters()
	_ = r.Version()
	if l.role == RoleDetached {
		a.margin, _ = r.OptionalLinkMargin()
	} else {
		a.margin = r.LinkMargin()
	}
	a.leader, a.hasLeader = r.OptionalLeaderData()
	a.route, a.hasRoute = r.OptionalRoute64()
	a.address, a.hasAddress = r.OptionalAddress16()
	if m.Command == mle.LinkAcceptAndRequest {
		a.challenge = r.Challenge()
		a.requested, _ = r.OptionalTLVRequest()
	}
	return a, r.Err()
}

// handleAccept establishes a link.
func (l *links) handleAccept(m mle.Message, info mleInfo) error {
	a, err := l.readAccept(m)
	if err != nil {
		return err
	}
	if !a.source.IsRouter() || a.source == l.rloc && l.isRouter() {
		return errMLEUnexpected
	}
	id := a.source.RouterID()
	if !l.expected(l.neighbors.Routers.Get(id), a.response, info) {
		return errMLEUnexpected
	}
	l.forgetMoved(info, a.source)

	resumed := l.role == RoleDetached
	switch {
	case resumed:
		if err := l.resume(&a, info); err != nil {
			return err
		}
		if r := l.neighbors.Routers.Get(id); r == nil || r.RLOC16 == l.rloc {
			return nil
		}
	case l.neighbors.Routers.Get(id) == nil && (!l.isRouter() || !l.quiet.rare):
		return errMLEUnexpected
	case l.isRouter():
		if again, err := l.learn(&a, info); !again || err != nil {
			return err
		}
	}
	r := l.neighbors.Routers.Get(id)
	l.establish(r, &a, info)
	if resumed && a.hasRoute {
		l.routes.learn(&a.route, id) // the next Advertisement may be half a minute away
	}
	if a.command == mle.LinkAcceptAndRequest {
		return l.accept(r, a.challenge, a.requested, info)
	}
	return nil
}

// expected reports whether a response is to a challenge of ours that is open. r is nil for a router ID that is not assigned.
func (l *links) expected(r *neighbors.Router, response mle.Challenge, info mleInfo) bool {
	if l.answersMulticast(response) {
		return r == nil || r.State() != neighbors.Valid || r.Ext == info.ext
	}
	if r == nil || r.Ext != info.ext || response != r.Challenge {
		return false
	}
	return r.State() == neighbors.LinkRequest && !r.Challenge.IsZero() || r.Valid()
}

// learn takes over what a router of the same partition says of it. It reports false where that leaves no router to link to.
func (l *links) learn(a *acceptance, info mleInfo) (bool, error) {
	if !a.hasLeader {
		return false, mle.ErrAbsent
	}
	if a.leader.PartitionID != l.leader.PartitionID {
		return false, errMLEUnexpected
	}
	if l.distrib.wants(a.leader) {
		l.distrib.request(info.src, 0)
	}
	id := a.source.RouterID()
	if a.hasRoute {
		newer := int8(a.route.IDSequence-l.neighbors.Routers.Sequence) > 0
		// A leader knows best, unless it has just restarted: then the first answer from around need not be the latest.
		if newer && (l.role != RoleLeader || l.answersMulticast(a.response)) && !l.routes.reassign(&a.route) {
			return false, nil
		}
		l.routes.learn(&a.route, id)
	}
	r := l.neighbors.Routers.Get(id)
	if r == nil && l.role == RoleRouter && l.quiet.rare && l.answersMulticast(a.response) {
		r = l.neighbors.Expect(id)
	}
	if r == nil {
		return false, nil
	}
	if !r.Valid() && !l.neighbors.Routers.IsAssigned(r.NextHop) {
		l.routes.resetAdvertise() // a new link
	}
	return true, nil
}

// establish makes r a neighbor.
func (l *links) establish(r *neighbors.Router, a *acceptance, info mleInfo) {
	r.Ext, r.RLOC16 = info.ext, a.source
	l.mle.prove(&r.Neighbor, info, a.linkCounter, a.mleCounter)
	r.LastHeard = l.Now
	r.Mode = mle.ModeFullThreadDevice | mle.ModeRxOnWhenIdle | mle.ModeFullNetworkData
	if !r.Valid() {
		r.Link.Reset(&l.scale, info.rssi)
	}
	r.QualityOut = l.scale.Quality(a.margin, -1)
	r.Failures = 0
	r.Challenge, r.Again = mle.Challenge{}, 0
	r.Unanswered, r.AskAfter = 0, time.Time{}
	l.neighbors.Change(&r.Neighbor, neighbors.Valid)
}

// resume takes up the place that a router had before its restart.
func (l *links) resume(a *acceptance, info mleInfo) error {
	if !l.rloc.IsRouter() || !l.answersMulticast(a.response) {
		return errMLEUnexpected
	}
	id := l.ownID()
	if !a.hasAddress || !a.hasLeader || !a.hasRoute {
		return mle.ErrAbsent
	}
	if a.address != l.rloc || !a.route.Routers.Contains(id) {
		return errMLEUnexpected
	}
	l.change.enterPartition(a.leader)
	l.neighbors.ClearRouters()
	l.neighbors.SetAssigned(a.route.Routers, a.route.IDSequence)
	if own := l.neighbors.Routers.Get(id); own != nil {
		own.Ext = l.Ext
	}
	if a.leader.LeaderRouterID == id {
		l.change.becomeLeader(id)
	} else {
		l.change.becomeRouter(id)
	}
	l.distrib.netData.Invalidate()
	l.distrib.request(info.src, 0)
	return nil
}
