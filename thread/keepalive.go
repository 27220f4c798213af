package thread

import (
	"math"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

type updateState uint8

const (
	updateNone    updateState = iota
	updatePending             // something changed that the parent must know
	updateActive              // a request is unanswered
)

// updatePendingDelay lets several changes go out in one Child Update Request.
const updatePendingDelay = 100 * time.Millisecond

// enoughDenials is how many requests in a row have to be answered, without proof, by "no child of mine", and by nothing else, until a node that is
// resuming believes it.
const enoughDenials = 2

// doubtPause is the least time between two doubts of a child whether it is still one.
const doubtPause = 10 * time.Minute

// keepAlive is a child's care for its place: it tells its parent that it is still there before its timeout ends, and again until the
// parent answers, as OpenThread does.
//
//	          time to tell, or an address changed             unanswered, KeepAliveAttempts times
//	None ──────────────────────────────────────► Active ─────────────────────────────────────► detach
//	 ▲  └─ address changed ─► Pending ─ 100 ms ──┘ │
//	 └──────── Child Update Response ──────────────┘
type keepAlive struct {
	*self
	change    transitions
	neighbors *neighbors.Table
	mle       *mleMessenger
	attach    *attacher
	distrib   *distributor
	quiet     *quiet

	timer     time.Time
	state     updateState
	attempts  int           // unanswered Child Update Requests
	challenge mle.Challenge // of a node that is resuming
	denied    bool          // it was answered, without proof, that it is no child,
	denials   int           // and so were as many requests before
	partial   bool          // the parent has not heard of all addresses, which did not fit into one frame
	wants     bool          // network data have been asked for, by a node that does not hear when others announce them
}

// reset forgets what is under way.
func (k *keepAlive) reset() {
	k.timer, k.state, k.attempts, k.wants = time.Time{}, updateNone, 0, false
	k.denied, k.denials = false, 0
}

func (k *keepAlive) schedule() {
	switch {
	case k.state == updatePending:
		k.timer = k.Now.Add(updatePendingDelay)
	case k.state == updateActive || k.wants:
		k.timer = k.Now.Add(k.timing.ChildUpdateRetry)
	case k.role == RoleChild && !k.sleepy(): // whose polls tell
		margin := k.timing.ChildUpdateRetry * time.Duration(k.timing.KeepAliveAttempts)
		timeout := min(k.timeout(), maxChildTimeout)
		k.timer = k.Now.Add(max(timeout-margin, k.timing.ChildUpdateRetry))
	default:
		k.timer = time.Time{}
	}
}

// NextTimeout returns when the parent is told next.
func (k *keepAlive) NextTimeout() (time.Time, bool) { return k.timer, !k.timer.IsZero() }

// HandleTimeout tells the parent, if it is time, or gives it up.
func (k *keepAlive) HandleTimeout() {
	if !k.IsDue(k.timer) {
		return
	}
	k.timer = time.Time{}
	switch {
	case k.state == updateNone && k.role != RoleChild:
		return
	case k.state == updatePending:
		k.attempts = 0
	}
	if k.denied {
		k.denied = false
		k.denials++
	}
	if k.attempts >= k.timing.KeepAliveAttempts || k.denials >= enoughDenials {
		k.attach.detach()
		return
	}
	if k.state == updateNone && k.wants {
		k.distrib.request(neighbors.LinkLocal(k.neighbors.Parent.Ext), 0)
	} else {
		k.sendRequest()
	}
	k.attempts++
}

// dataWanted says that network data have been asked for, dataKnown that there is nothing to ask for any more.
func (k *keepAlive) dataWanted() {
	if k.role == RoleChild && k.sleepy() {
		k.wants = true
		if k.state == updateNone {
			k.schedule()
		}
	}
}

func (k *keepAlive) dataKnown() {
	if !k.wants {
		return
	}
	k.wants = false
	if k.state == updateNone {
		k.attempts = 0
		k.schedule()
	}
}

// timeout is asked of the parent.
func (k *keepAlive) timeout() time.Duration {
	if t := k.timing.ListenerTimeout; t > 0 && !k.sleepy() {
		return t
	}
	return k.timing.ChildTimeout
}

// parentAnswers notes what the parent says to a child of its.
func (k *keepAlive) parentAnswers(m mle.Message) {
	p := &k.neighbors.Parent
	p.Dropped, p.HeardAt = k.quiet.report(m).dropped, k.Now
}

// parentSays has a child ask its parent whether it is there, soon, once the parent says that it has dropped children, or has none: it may be one of
// those.
func (k *keepAlive) parentSays(a advertised) {
	p := &k.neighbors.Parent
	news := a.alone || p.Dropped != a.dropped && !p.HeardAt.IsZero()
	if p.Dropped, p.HeardAt = a.dropped, k.Now; news && k.state == updateNone && !k.sleepy() && k.AgeOf(p.Doubted) >= doubtPause {
		p.Doubted = k.Now
		k.timer = core.Earliest(k.timer, k.Now.Add(time.Second+k.RandomUpTo(k.timing.AdvertiseMax)))
	}
}

// checkSilence asks the parent of a child that always listens whether it is there, if it was not heard for so long that two of its
// Advertisements must have been lost, or all.
func (k *keepAlive) checkSilence(limit time.Duration) {
	p := &k.neighbors.Parent
	silent := k.AgeOf(p.LastHeard) >= limit || p.Failures > 0 && !k.full() // it has not acknowledged the last frame
	if k.timing.ListenerTimeout > 0 && !k.sleepy() && k.role == RoleChild && k.state == updateNone && silent {
		k.sendRequest()
	}
}

// checkParent asks the parent of a sleepy end device whether it is still its child, if it has heard nothing that proves it for too long: that its
// polls are acknowledged does not.
func (k *keepAlive) checkParent() {
	t := k.timing.SupervisionTimeout
	if k.sleepy() && t > 0 && k.role == RoleChild && k.state == updateNone && k.AgeOf(k.neighbors.Parent.LastFrame) >= t {
		k.sendRequest()
	}
}

// addressesChanged schedules a Child Update Request of a minimal end device.
func (k *keepAlive) addressesChanged() {
	if k.role == RoleChild && !k.fullThreadDevice() {
		k.state = updatePending
		k.schedule()
	}
}

// sendRequest sends a Child Update Request: while detached, one that asks whether this node is still a child.
func (k *keepAlive) sendRequest() {
	if !k.neighbors.Parent.Established() {
		k.attach.detach()
		return
	}
	k.state = updateActive
	k.schedule()
	b := mle.AppendMode(k.mle.start(mle.ChildUpdateRequest), k.mode)
	limit := math.MaxInt
	if k.role == RoleDetached {
		k.challenge = k.newChallenge()
		b = mle.AppendChallenge(b, k.challenge)
		limit = oneFrame // the parent may not know this child
	} else {
		b = mle.AppendSourceAddress(b, k.rloc)
		b = mle.AppendLeaderData(b, k.distrib.leaderData())
		b = mle.AppendTimeout(b, k.timeout())
	}
	if !k.fullThreadDevice() {
		var whole bool
		b, whole = k.distrib.appendAddressRegistration(b, limit)
		k.partial = !whole
	}
	k.mle.send(neighbors.LinkLocal(k.neighbors.Parent.Ext), b)
}

// handleRequest answers a Child Update Request from the parent.
func (k *keepAlive) handleRequest(m mle.Message, info mleInfo) error {
	r := m.Read()
	source := r.SourceAddress()
	status, hasStatus := r.OptionalStatus()
	challenge, hasChallenge := r.OptionalChallenge()
	requested, _ := r.OptionalTLVRequest()
	if err := r.Err(); err != nil {
		return err
	}
	if p := &k.neighbors.Parent; source != p.RLOC16 || info.ext != p.Ext || !p.Valid() {
		return errMLEUnexpected
	}
	if err := k.distrib.handleLeaderData(m, info); err != nil {
		return err
	}
	if hasStatus && status == mle.StatusError {
		k.attach.detach()
		return nil
	}
	b := mle.AppendSourceAddress(k.mle.start(mle.ChildUpdateResponse), k.rloc)
	b = mle.AppendLeaderData(b, k.distrib.leaderData())
	register := false
	for t := range requested.All() {
		switch t {
		case mle.TLVTimeout:
			b = mle.AppendTimeout(b, k.timeout())
		case mle.TLVAddressRegistration:
			register = !k.fullThreadDevice()
		}
	}
	if hasChallenge {
		b = k.mle.appendResponse(b, challenge)
	}
	if register {
		var whole bool
		if b, whole = k.distrib.appendAddressRegistration(b, oneFrame); !whole {
			k.addressesChanged() // the rest comes when the parent knows this child again
		}
	}
	k.mle.send(info.src, b)
	return nil
}

// handleResponse handles the parent's answer to a Child Update Request.
//
// Deviation: to a node that is resuming, stock's parents say without proof that they do not know it. That may be a recording, and is not
// believed at once: if it is true, the requests stay without a better answer, and the node gives up after the second of them.
func (k *keepAlive) handleResponse(m mle.Message, info mleInfo) error {
	p := &k.neighbors.Parent
	if info.ext != p.Ext || !p.Established() {
		return errMLEUnexpected
	}
	r := m.Read()
	if response, ok := r.OptionalResponse(); !p.Valid() && (!ok || k.challenge.IsZero() || response != k.challenge) {
		if !ok && k.role == RoleDetached && k.state == updateActive && m.Has(mle.TLVStatus) {
			k.denied = true
		}
		return errMLEUnexpected
	}
	if m.Has(mle.TLVStatus) {
		// The parent does not know this child.
		k.attach.detach()
		return nil
	}
	mode, source := r.Mode(), r.SourceAddress()
	if err := r.Err(); err != nil {
		return err
	}
	if mode != k.mode {
		return errMLEUnexpected
	}
	if k.role == RoleDetached {
		if err := k.resume(m, info); err != nil {
			return err
		}
	}
	if k.role != RoleChild {
		return errMLEUnexpected
	}
	if k.state == updateActive {
		k.reset()
		k.schedule()
	}
	if source.RouterID() != k.rloc.RouterID() {
		k.attach.detach()
		return nil
	}
	p.LastHeard, p.LastFrame = k.Now, k.Now
	k.parentAnswers(m)
	return k.distrib.handleLeaderData(m, info)
}

// resume takes up the place that a child had before its restart, by an answer to its challenge.
func (k *keepAlive) resume(m mle.Message, info mleInfo) error {
	if k.attach.state != attachSynchronize {
		return errMLEUnexpected
	}
	r := m.Read()
	leader := r.LeaderData()
	linkCounter, mleCounter := r.FrameCounters()
	if err := r.Err(); err != nil {
		return err
	}
	k.challenge = mle.Challenge{}
	p := &k.neighbors.Parent
	k.mle.prove(&p.Neighbor, info, linkCounter, mleCounter)
	p.Link.Reset(&k.scale, info.rssi)
	p.QualityOut = p.Link.Quality
	k.neighbors.Change(&p.Neighbor, neighbors.Valid)
	k.change.enterPartition(leader)
	k.change.becomeChild(k.rloc)
	k.attach.moving = staysPut
	k.distrib.netData.Invalidate()
	return nil
}
